// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Where a process lives, from the path of its cgroup: container, systemd unit,
 * and the command that ends either.
 */
#define _GNU_SOURCE
#include <ctype.h>
#include <json-c/json.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "internal.h"

/* How container engines name the last directory: prefix, ID, ".scope". */
static const struct {
	const char *prefix;
	const char *engine;
} engines[] = {
	{ "libpod-", "podman" },
	{ "docker-", "docker" },
	{ "cri-containerd-", "containerd" },
	{ "crio-", "crio" },
	{ "lxc.payload.", "lxc" },
	{ "machine-qemu", "libvirt" },
	{ "machine-", "nspawn" },
};

static bool has_suffix(const char *text, const char *suffix)
{
	size_t a = strlen(text), b = strlen(suffix);

	return a >= b && !strcmp(text + a - b, suffix);
}

/* systemd writes - as \x2d in the parts of a unit's name */
static void unescape(char *text)
{
	char *to = text;
	unsigned int c;

	while (*text) {
		if (text[0] == '\\' && text[1] == 'x' &&
		    sscanf(text + 2, "%2x", &c) == 1) {
			*to++ = (char)c;
			text += 4;
		} else {
			*to++ = *text++;
		}
	}
	*to = 0;
}

static bool is_id(const char *text)
{
	return strlen(text) >= 32 && strspn(text, "0123456789abcdef") ==
	       strlen(text);
}

static void set_engine(struct egpu_place *place, const char *engine,
		       const char *id)
{
	size_t len;

	snprintf(place->engine, sizeof(place->engine), "%s", engine);
	snprintf(place->id, sizeof(place->id), "%s", id);
	len = strlen(place->id);
	if (has_suffix(place->id, ".scope"))
		place->id[len - 6] = 0;
	if (!strcmp(engine, "libvirt") || !strcmp(engine, "nspawn")) {
		unescape(place->id);
		/* machine-qemu-2-NAME */
		if (!strncmp(place->id, "-", 1) && strchr(place->id + 1, '-'))
			memmove(place->id, strchr(place->id + 1, '-') + 1,
				strlen(strchr(place->id + 1, '-')));
		snprintf(place->name, sizeof(place->name), "%s", place->id);
	} else if (!strcmp(engine, "lxc")) {
		snprintf(place->name, sizeof(place->name), "%s", place->id);
	}
}

static void parse_part(struct egpu_place *place, const char *part,
		       const char *before)
{
	size_t i, len;

	if (!strncmp(part, "user@", 5) && has_suffix(part, ".service")) {
		place->user_unit = true;
		place->owner = (uint32_t)strtoul(part + 5, NULL, 10);
		return;
	}
	for (i = 0; i < sizeof(engines) / sizeof(engines[0]); i++) {
		len = strlen(engines[i].prefix);
		/* libpod-conmon-ID.scope is the container's monitor */
		if (!strncmp(part, "libpod-conmon-", 14))
			break;
		if (!strncmp(part, engines[i].prefix, len) &&
		    (has_suffix(part, ".scope") || i == 4)) {
			set_engine(place, engines[i].engine, part + len);
			break;
		}
	}
	/* cgroupfs driver: /docker/ID */
	if (is_id(part) && before && !strcmp(before, "docker"))
		set_engine(place, "docker", part);
	if (has_suffix(part, ".service") || has_suffix(part, ".scope"))
		snprintf(place->unit, sizeof(place->unit), "%s", part);
}

void egpu_place_parse(const char *cgroup, struct egpu_place *place)
{
	char *copy = strdup(cgroup), *line, *path = NULL, *part, *save;
	const char *before = NULL;

	memset(place, 0, sizeof(*place));
	/* the unified hierarchy, else systemd's own of version 1 */
	for (line = copy ? strtok_r(copy, "\n", &save) : NULL; line;
	     line = strtok_r(NULL, "\n", &save))
		if (!strncmp(line, "0::", 3) ||
		    (!path && strstr(line, ":name=systemd:")))
			path = strrchr(line, ':') > line + 2 &&
			       strncmp(line, "0::", 3) ?
			       strstr(line, ":name=systemd:") + 14 : line + 3;
	for (part = path ? strtok_r(path, "/", &save) : NULL; part;
	     part = strtok_r(NULL, "/", &save)) {
		parse_part(place, part, before);
		before = part;
	}
	free(copy);
	/* a unit of the system that happens to be user@.service itself */
	if (!*place->unit)
		place->user_unit = false;
}

/* Podman's list of containers: [{"id": ..., "names": [...]}, ...] */
static void podman_name(struct egpu_place *place, char *text)
{
	struct json_object *list = json_tokener_parse(text), *id, *names;
	size_t i;

	if (!json_object_is_type(list, json_type_array)) {
		json_object_put(list);
		return;
	}
	for (i = 0; i < json_object_array_length(list); i++) {
		struct json_object *one = json_object_array_get_idx(list, i);

		if (json_object_object_get_ex(one, "id", &id) &&
		    !strcmp(json_object_get_string(id), place->id) &&
		    json_object_object_get_ex(one, "names", &names) &&
		    json_object_is_type(names, json_type_array) &&
		    json_object_array_length(names)) {
			names = json_object_array_get_idx(names, 0);
			snprintf(place->name, sizeof(place->name), "%s",
				 json_object_get_string(names));
		}
	}
	json_object_put(list);
}

static void docker_name(struct egpu_place *place, char *text)
{
	struct json_object *config = json_tokener_parse(text), *name;

	if (config && json_object_object_get_ex(config, "Name", &name)) {
		const char *word = json_object_get_string(name);

		snprintf(place->name, sizeof(place->name), "%s",
			 word + (*word == '/'));
	}
	json_object_put(config);
}

/* The container's name, where its engine keeps it; needs its owner's rights. */
void egpu_place_name(struct egpu_place *place)
{
	struct passwd *owner;
	char *text = NULL;

	if (*place->name || !*place->id)
		return;
	if (!strcmp(place->engine, "docker")) {
		text = egpu_read(egpu_roots.containers,
				 "docker/containers/%s/config.v2.json",
				 place->id);
		if (text)
			docker_name(place, text);
	} else if (!strcmp(place->engine, "podman")) {
		owner = place->owner ? getpwuid(place->owner) : NULL;
		if (owner)
			text = egpu_read(owner->pw_dir,
					 ".local/share/containers/storage/overlay-containers/containers.json");
		else
			text = egpu_read(egpu_roots.containers,
					 "containers/storage/overlay-containers/containers.json");
		if (text)
			podman_name(place, text);
	}
	free(text);
}

static const char *container_word(const struct egpu_place *place, char *buf,
				  size_t size)
{
	if (*place->name)
		snprintf(buf, size, "%s", place->name);
	else
		snprintf(buf, size, "%.12s", place->id);
	return buf;
}

static bool container_cure(const struct egpu_place *place, char *buf,
			   size_t size)
{
	struct passwd *owner = NULL;
	char word[80];

	container_word(place, word, sizeof(word));
	if (place->owner && place->owner != getuid())
		owner = getpwuid(place->owner);
	if (!strcmp(place->engine, "podman") && owner)
		snprintf(buf, size, "sudo -u %s podman stop %s", owner->pw_name,
			 word);
	else if (!strcmp(place->engine, "podman") ||
		 !strcmp(place->engine, "docker"))
		snprintf(buf, size, "%s stop %s", place->engine, word);
	else if (!strcmp(place->engine, "containerd") ||
		 !strcmp(place->engine, "crio"))
		snprintf(buf, size, "crictl stop %.13s", place->id);
	else if (!strcmp(place->engine, "lxc"))
		snprintf(buf, size, "lxc-stop -n %s", word);
	else if (!strcmp(place->engine, "libvirt"))
		snprintf(buf, size, "virsh shutdown %s", word);
	else if (!strcmp(place->engine, "nspawn"))
		snprintf(buf, size, "machinectl poweroff %s", word);
	else
		return false;
	return true;
}

void egpu_cure(const struct egpu_process *process, const char *driver,
	       char *buf, size_t size)
{
	const struct egpu_place *place = &process->place;
	const char *stuck = egpu_must_close(process, driver);

	if (process->display_server) {
		if (stuck)
			snprintf(buf, size,
				 "%s cannot unbind while it is open; log out first",
				 stuck);
		else
			snprintf(buf, size, "log out first");
	} else if (*place->engine && container_cure(place, buf, size)) {
		return;
	} else if (process->kinds & EGPU_HOLDS_NODE(EGPU_USER_IMPORTER)) {
		snprintf(buf, size,
			 "end what shows or renders its memory on another GPU");
	} else if (!process->pid) {
		snprintf(buf, size, "it lives in another pid namespace");
	} else if (has_suffix(place->unit, ".service") && place->user_unit &&
		   place->owner != getuid()) {
		snprintf(buf, size, "systemctl --user -M %u@ stop %.100s",
			 place->owner, place->unit);
	} else if (has_suffix(place->unit, ".service")) {
		snprintf(buf, size, "systemctl %sstop %s",
			 place->user_unit ? "--user " : "", place->unit);
	} else {
		snprintf(buf, size, "kill %u", process->pid);
	}
}
