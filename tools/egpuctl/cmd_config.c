// SPDX-License-Identifier: GPL-2.0
/*
 * policy, track, untrack, name: how a port is treated, now and, with --save,
 * after a reboot.
 */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ctl.h"

/* The section that is this port's, or is going to be: "port NAME". */
static void section_of(struct ctl *ctl, const char *path, char *section,
		       size_t size, char **file)
{
	struct config_port *port = config_port_find(&ctl->config, path);

	snprintf(section, size, "port %s", port ? port->section : path);
	*file = port ? strdup(port->file) : config_main_file();
}

static int path_of(const struct egpu_port_info *info, char *path, size_t size)
{
	struct egpu_address address = egpu_port_address(info);

	return egpu_pci_path(&address, path, size);
}

enum exit_code config_save(struct ctl *ctl, const struct egpu_port_info *info,
			   const char *key, const char *value)
{
	char path[160], section[200], *file;
	int ret = path_of(info, path, sizeof(path));

	if (ret)
		return fail_errno(ctl, ret, "path of the port", info);
	section_of(ctl, path, section, sizeof(section), &file);
	ret = config_set(file, section, key, value);
	if (ret)
		fail_errno(ctl, ret, file, info);
	else
		say(ctl, "Saved in %s: [%s] %s = %s\n", file, section, key,
		    value);
	free(file);
	return ret ? exit_of(ret) : EXIT_DONE;
}

static const char *until(struct ctl *ctl)
{
	return given(ctl, OPT_SAVE) ? "" : " until reboot; add --save";
}

static void port_reply(struct ctl *ctl, uint32_t port)
{
	struct egpu_port_info info;
	struct view view;

	if (!ctl->json || egpu_port(ctl->egpu, port, &info))
		return;
	config_free(&ctl->config);
	config_load(&ctl->config);
	view_get(ctl, &info, 0, &view);
	put(reply(ctl), "port", view_json(&view, false));
	view_free(&view);
}

enum exit_code cmd_policy(struct ctl *ctl)
{
	struct egpu_port_config config = { .flags = EGPU_CONFIG_POLICY };
	struct egpu_port_info info;
	enum exit_code code;
	int policy, ret;

	if (!parse_policy(ctl->arg[1], &policy))
		return fail(ctl, EXIT_USAGE, "auto or manual", NULL,
			    "there is no policy \"%s\"", ctl->arg[1]);
	code = find_port(ctl, ctl->arg[0], false, &info);
	if (code != EXIT_DONE)
		return code;
	config.port = info.port;
	config.policy = (uint32_t)policy;
	ret = egpu_config(ctl->egpu, &config);
	if (ret < 0)
		return fail_errno(ctl, ret, "policy", &info);
	say(ctl, "Port %u: policy %s%s.\n", info.port, ctl->arg[1], until(ctl));
	if (given(ctl, OPT_SAVE))
		code = config_save(ctl, &info, "policy", ctl->arg[1]);
	port_reply(ctl, info.port);
	return code;
}

/* track PORT --soft [--watch TIME] */
static enum exit_code track_soft(struct ctl *ctl)
{
	struct egpu_port_config config = {
		.flags = EGPU_CONFIG_TRACK | EGPU_CONFIG_SOFT,
	};
	struct egpu_port_info info;
	enum exit_code code;
	char watch[24] = "";
	int ret, ms;

	if (given(ctl, OPT_WATCH)) {
		if (!parse_watch(ctl->value[OPT_WATCH], &ms))
			return fail(ctl, EXIT_USAGE, "from 20ms to 60s", NULL,
				    "--watch %s is no time that can be had",
				    ctl->value[OPT_WATCH]);
		config.flags |= EGPU_CONFIG_WATCH;
		config.watch_ms = (uint32_t)ms;
		snprintf(watch, sizeof(watch), "%dms", ms);
	}
	code = find_port(ctl, ctl->arg[0], false, &info);
	if (code != EXIT_DONE)
		return code;
	config.port = info.port;
	ret = egpu_config(ctl->egpu, &config);
	if (ret < 0)
		return soft_refused(ctl, &info, ret);
	catch_interrupt();
	code = soft_wait(ctl, &info);
	if (code == EXIT_DONE) {
		say(ctl, "Port %u (%04x:%02x:%02x.%x) is tracked, with a soft slot%s.\n",
		    info.port, info.domain, info.bus, info.devfn >> 3,
		    info.devfn & 7, until(ctl));
		if (given(ctl, OPT_SAVE))
			code = config_save(ctl, &info, "track", "yes");
		if (given(ctl, OPT_SAVE) && code == EXIT_DONE)
			code = config_save(ctl, &info, "soft", "yes");
		if (given(ctl, OPT_SAVE) && *watch && code == EXIT_DONE)
			code = config_save(ctl, &info, "watch", watch);
	} else if (given(ctl, OPT_SAVE)) {
		fprintf(stderr, "egpuctl: nothing was saved\n");
	}
	port_reply(ctl, info.port);
	return code;
}

/* The slot goes with untrack; it must not come back with the next track. */
static enum exit_code save_no_slot(struct ctl *ctl,
				   const struct egpu_port_info *info)
{
	struct config_port *port;
	char path[160];

	if (path_of(info, path, sizeof(path)))
		return EXIT_DONE;
	port = config_port_find(&ctl->config, path);
	if (!port || port->soft != 1)
		return EXIT_DONE;
	return config_save(ctl, info, "soft", "no");
}

static enum exit_code set_tracking(struct ctl *ctl, bool track)
{
	struct egpu_port_config config = {
		.flags = track ? EGPU_CONFIG_TRACK : EGPU_CONFIG_FORGET,
	};
	const char *verb = track ? "track" : "untrack";
	struct egpu_port_info info;
	enum exit_code code;
	int ret = 0;

	code = find_port(ctl, ctl->arg[0], false, &info);
	if (code != EXIT_DONE)
		return code;
	config.port = info.port;
	if (track != !!(info.flags & EGPU_PORT_TRACKED))
		ret = egpu_config(ctl->egpu, &config);
	if (ret < 0)
		return fail_errno(ctl, ret, verb, &info);
	say(ctl, "Port %u (%04x:%02x:%02x.%x) is %s%s.\n", info.port,
	    info.domain, info.bus, info.devfn >> 3, info.devfn & 7,
	    track ? "tracked" : "not tracked", until(ctl));
	if (given(ctl, OPT_SAVE))
		code = config_save(ctl, &info, "track", track ? "yes" : "no");
	if (given(ctl, OPT_SAVE) && !track && code == EXIT_DONE)
		code = save_no_slot(ctl, &info);
	port_reply(ctl, info.port);
	return code;
}

enum exit_code cmd_track(struct ctl *ctl)
{
	if (given(ctl, OPT_SOFT))
		return track_soft(ctl);
	if (given(ctl, OPT_WATCH))
		return fail(ctl, EXIT_USAGE, NULL, NULL,
			    "--watch is for --soft");
	return set_tracking(ctl, true);
}

enum exit_code cmd_untrack(struct ctl *ctl)
{
	return set_tracking(ctl, false);
}

/* A name must not be taken for an id, an address, a node or a word. */
static bool is_good_name(const char *name)
{
	static const char * const nodes[] = {
		"card", "renderD", "nvidia", "accel", "controlD",
	};
	unsigned int i;

	if (!isalpha((unsigned char)*name) || strlen(name) > 31 ||
	    !strcmp(name, "all"))
		return false;
	for (i = 0; i < ARRAY_SIZE(nodes); i++)
		if (!strncmp(name, nodes[i], strlen(nodes[i])) &&
		    isdigit((unsigned char)name[strlen(nodes[i])]))
			return false;
	for (; *name; name++)
		if (!isalnum((unsigned char)*name) && !strchr("-_.", *name))
			return false;
	return true;
}

/* Sections are called by the name: rename the one there is, or begin one. */
static int put_name(struct ctl *ctl, const char *file, const char *path,
		    const char *name)
{
	char section[200], to[200];
	struct config_port *port = NULL;
	int i, ret;

	/* what held until reboot was taken away before */
	for (i = 0; i < ctl->config.nr_ports; i++)
		if (ctl->config.ports[i].path && !ctl->config.ports[i].runtime &&
		    !strcmp(ctl->config.ports[i].path, path) &&
		    !strcmp(ctl->config.ports[i].file, file))
			port = &ctl->config.ports[i];
	snprintf(to, sizeof(to), "port %s", name ? name : path);
	if (port) {
		snprintf(section, sizeof(section), "port %s", port->section);
		if (!strcmp(section, to))
			return 0;
		ret = config_rename(file, section, to);
		if (ret)
			return ret;
	} else if (!name) {
		return 0;
	}
	return config_set(file, to, "match", name ? path : NULL);
}

/* A name that held until reboot gives way to the one that is saved. */
static void forget_runtime(struct ctl *ctl, const char *path)
{
	char section[200], *file = config_runtime_file();
	int i;

	for (i = 0; i < ctl->config.nr_ports; i++)
		if (ctl->config.ports[i].runtime && ctl->config.ports[i].path &&
		    !strcmp(ctl->config.ports[i].path, path)) {
			snprintf(section, sizeof(section), "port %s",
				 ctl->config.ports[i].section);
			config_drop(file, section);
		}
	free(file);
}

static enum exit_code check_name(struct ctl *ctl, const char *path,
				 const char *name,
				 const struct egpu_port_info *info)
{
	struct config_port *saved = config_port_find(&ctl->config, path);
	int i;

	if (!name)
		return given(ctl, OPT_SAVE) || !saved || !saved->name ?
		       EXIT_DONE : fail(ctl, EXIT_USAGE, "add --save", info,
					"the name stands in %s", saved->file);
	if (!is_good_name(name))
		return fail(ctl, EXIT_USAGE,
			    "letters first, then letters, digits, - _ .", info,
			    "\"%s\" cannot be a name", name);
	for (i = 0; i < ctl->config.nr_ports; i++) {
		struct config_port *port = &ctl->config.ports[i];

		if (port->name && port->path && !strcmp(port->name, name) &&
		    strcmp(port->path, path))
			return fail(ctl, EXIT_USAGE, NULL, info,
				    "%s is called \"%s\" already", port->path,
				    name);
	}
	return EXIT_DONE;
}

enum exit_code cmd_name(struct ctl *ctl)
{
	const char *name = strcmp(ctl->arg[1], "-") ? ctl->arg[1] : NULL;
	char path[160], section[200], *file;
	struct egpu_port_info info;
	enum exit_code code = find_port(ctl, ctl->arg[0], false, &info);
	int ret;

	if (code != EXIT_DONE)
		return code;
	ret = path_of(&info, path, sizeof(path));
	if (ret)
		return fail_errno(ctl, ret, "path of the port", &info);
	code = check_name(ctl, path, name, &info);
	if (code != EXIT_DONE)
		return code;
	forget_runtime(ctl, path);
	if (given(ctl, OPT_SAVE))
		section_of(ctl, path, section, sizeof(section), &file);
	else
		file = config_runtime_file();
	ret = name || given(ctl, OPT_SAVE) ? put_name(ctl, file, path, name) : 0;
	if (ret)
		code = fail_errno(ctl, ret, file, &info);
	else if (name)
		say(ctl, "Port %u is called \"%s\"%s.\n", info.port, name,
		    until(ctl));
	else
		say(ctl, "Port %u has no name.\n", info.port);
	free(file);
	port_reply(ctl, info.port);
	return code;
}
