// SPDX-License-Identifier: GPL-2.0
/*
 * The configuration: egpu.conf, then the files of egpu.conf.d, then what was named
 * until reboot; later wins. libinih takes lines apart; what it is given are
 * lines without comments, one at a time, so that a bad one has its number.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <ini.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "ctl.h"

/* libinih's own limit, with room for its end of line */
#define LINE_ROOM	196

struct reader {
	struct config *config;
	const char *file;
	FILE *stream;
	int line;
	char section[80];
};

const char *config_dir(void)
{
	const char *dir = getenv("EGPU_CONFIG_DIR");

	return dir && *dir ? dir : "/etc/egpu";
}

const char *run_dir(void)
{
	const char *dir = getenv("EGPU_RUN_DIR");

	return dir && *dir ? dir : "/run/egpu";
}

/* What the tool learns by itself. */
const char *state_dir(void)
{
	const char *dir = getenv("EGPU_STATE_DIR");

	return dir && *dir ? dir : "/var/lib/egpu";
}

static char *joined(const char *dir, const char *name)
{
	char *path;

	if (asprintf(&path, "%s/%s", dir, name) < 0)
		abort();
	return path;
}

char *config_main_file(void)
{
	return joined(config_dir(), "egpu.conf");
}

char *config_runtime_file(void)
{
	return joined(run_dir(), "runtime.conf");
}

static void complain(struct reader *reader, const char *format, ...)
	print_like(2, 3);

static void complain(struct reader *reader, const char *format, ...)
{
	struct config *config = reader->config;
	char text[256], *line;
	va_list args;
	char **bigger;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	bigger = realloc(config->errors,
			 (size_t)(config->nr_errors + 1) * sizeof(*bigger));
	if (!bigger || asprintf(&line, "%s:%d: %s", reader->file, reader->line,
				text) < 0)
		abort();
	config->errors = bigger;
	bigger[config->nr_errors++] = line;
}

bool parse_duration(const char *text, int *ms)
{
	static const struct {
		const char *unit;
		double ms;
	} units[] = {
		{ "", 1000 }, { "s", 1000 }, { "ms", 1 }, { "m", 60000 },
		{ "min", 60000 }, { "h", 3600000 },
	};
	char *end;
	double value = strtod(text, &end);
	unsigned int i;

	while (*end == ' ')
		end++;
	if (end == text || !(value >= 0))
		return false;
	for (i = 0; i < ARRAY_SIZE(units); i++)
		if (!strcmp(end, units[i].unit) &&
		    value * units[i].ms <= 2000000000.0) {
			*ms = (int)(value * units[i].ms);
			return true;
		}
	return false;
}

bool parse_policy(const char *text, int *policy)
{
	if (!strcmp(text, "auto"))
		*policy = EGPU_POLICY_AUTO;
	else if (!strcmp(text, "manual"))
		*policy = EGPU_POLICY_MANUAL;
	else
		return false;
	return true;
}

bool parse_checks(const char *text, uint32_t *checks)
{
	char *copy = strdup(text), *save, *word;
	bool good = copy && *copy;
	unsigned int bit;

	*checks = 0;
	for (word = copy ? strtok_r(copy, ", ", &save) : NULL; word && good;
	     word = strtok_r(NULL, ", ", &save)) {
		for (bit = 0; egpu_check_name(bit); bit++)
			if (!strcmp(word, egpu_check_name(bit)))
				break;
		good = egpu_check_name(bit);
		*checks |= 1U << bit;
	}
	free(copy);
	return good;
}

/* 5/60s: so many losses in that time; 0 or no: never */
bool parse_quarantine(const char *text, int *losses, int *window_ms)
{
	char *end;
	long count;

	if (!strcmp(text, "0") || !strcmp(text, "no")) {
		*losses = 0;
		*window_ms = 0;
		return true;
	}
	count = strtol(text, &end, 10);
	if (end == text || *end != '/' || count < 1 || count > 1000 ||
	    !parse_duration(end + 1, window_ms) || *window_ms < 1 ||
	    (uint32_t)*window_ms > EGPU_QUARANTINE_WINDOW_MAX)
		return false;
	*losses = (int)count;
	return true;
}

static bool parse_bool(const char *text, int *value)
{
	if (!strcmp(text, "yes") || !strcmp(text, "true") || !strcmp(text, "1"))
		*value = 1;
	else if (!strcmp(text, "no") || !strcmp(text, "false") ||
		 !strcmp(text, "0"))
		*value = 0;
	else
		return false;
	return true;
}

static bool parse_speed(const char *text, int *value)
{
	uint32_t speed;
	bool good = egpu_speed_parse(text, &speed);

	if (good)
		*value = (int)speed;
	return good;
}

/* 16G and the like */
bool parse_size(const char *text, uint64_t *bytes)
{
	static const char units[] = "KMGT";
	const char *unit;
	uint64_t value;
	char *end;

	if (*text < '1' || *text > '9')
		return false;
	errno = 0;
	value = strtoull(text, &end, 10);
	unit = *end ? strchr(units, *end) : NULL;
	if (errno || (*end && (!unit || (end[1] && strcmp(end + 1, "iB")))))
		return false;
	*bytes = value << (unit ? 10 * (unit - units + 1) : 0);
	return *bytes >> (unit ? 10 * (unit - units + 1) : 0) == value;
}

static void copy_text(char **to, const char *text)
{
	free(*to);
	*to = *text ? strdup(text) : NULL;
}

static const char *defaults_key(struct config *config, const char *key,
				const char *value)
{
	if (!strcmp(key, "policy"))
		return parse_policy(value, &config->policy) ? NULL :
		       "auto or manual";
	if (!strcmp(key, "drain-timeout"))
		return parse_duration(value, &config->drain_ms) ? NULL :
		       "a time such as 30s";
	if (!strcmp(key, "allow-holders")) {
		copy_text(&config->allow, value);
		return NULL;
	}
	if (!strcmp(key, "quarantine"))
		return parse_quarantine(value, &config->losses,
					&config->window_ms) ? NULL :
		       "LOSSES/TIME such as 5/60s, or no";
	if (!strcmp(key, "retrain"))
		return parse_bool(value, &config->retrain) ? NULL : "yes or no";
	return "";
}

static const char *port_key(struct config_port *port, const char *key,
			    const char *value)
{
	struct egpu_address a;

	if (!strcmp(key, "match")) {
		/* a device that is not there is no error, bad syntax is */
		if (egpu_pci_find(value, &a) == -EINVAL)
			return "a PCI path such as 0000:00:1c.0/00.0";
		copy_text(&port->path, value);
		return NULL;
	}
	if (!strcmp(key, "policy"))
		return parse_policy(value, &port->policy) ? NULL :
		       "auto or manual";
	if (!strcmp(key, "track"))
		return parse_bool(value, &port->track) ? NULL : "yes or no";
	if (!strcmp(key, "quarantine"))
		return parse_quarantine(value, &port->losses,
					&port->window_ms) ? NULL :
		       "LOSSES/TIME such as 5/60s, or no";
	if (!strcmp(key, "soft"))
		return parse_bool(value, &port->soft) ? NULL : "yes or no";
	if (!strcmp(key, "watch"))
		return parse_watch(value, &port->watch_ms) ? NULL :
		       "a time from 20ms to 60s";
	if (!strcmp(key, "max-speed"))
		return parse_speed(value, &port->max_speed) ? NULL :
		       "a speed such as 16GT/s, or max";
	if (!strcmp(key, "retrain"))
		return parse_bool(value, &port->retrain) ? NULL : "yes or no";
	if (!strcmp(key, "guard"))
		return parse_bool(value, &port->guard) ? NULL : "yes or no";
	if (!strcmp(key, "rebar-max"))
		return parse_size(value, &port->rebar_max) ? NULL :
		       "a size such as 16G";
	return "";
}

static const char *device_key(struct config_device *device, const char *key,
			      const char *value)
{
	unsigned int v, d;
	char end;

	if (!strcmp(key, "policy"))
		return parse_policy(value, &device->policy) ? NULL :
		       "auto or manual";
	if (!strcmp(key, "serial")) {
		copy_text(&device->serial, value);
		return NULL;
	}
	if (!strcmp(key, "ignore"))
		return parse_checks(value, &device->ignore) ? NULL :
		       "config, bar or link";
	if (!strcmp(key, "subsystem")) {
		if (sscanf(value, "%4x:%4x%c", &v, &d, &end) != 2)
			return "vvvv:dddd";
		device->subsystem = v << 16 | d;
		return NULL;
	}
	return "";
}

static struct config_port *get_port(struct config *config, const char *name,
				    const char *file)
{
	size_t len = strlen(run_dir());
	bool runtime = !strncmp(file, run_dir(), len) && file[len] == '/';
	struct config_port *port;
	int i;

	for (i = 0; i < config->nr_ports; i++)
		if (!strcmp(config->ports[i].section, name) &&
		    config->ports[i].runtime == runtime) {
			copy_text(&config->ports[i].file, file);
			return &config->ports[i];
		}
	port = realloc(config->ports,
		       (size_t)(config->nr_ports + 1) * sizeof(*port));
	if (!port)
		abort();
	config->ports = port;
	port += config->nr_ports++;
	*port = (struct config_port){
		.section = strdup(name),
		.file = strdup(file),
		.runtime = runtime,
		.policy = CONFIG_UNSET,
		.track = CONFIG_UNSET,
		.losses = CONFIG_UNSET,
		.max_speed = CONFIG_UNSET,
		.retrain = CONFIG_UNSET,
		.guard = CONFIG_UNSET,
		.soft = CONFIG_UNSET,
		.watch_ms = CONFIG_UNSET,
	};
	if (strchr(name, ':'))
		port->path = strdup(name);
	else
		port->name = strdup(name);
	return port;
}

static struct config_device *get_device(struct config *config,
					const char *name, const char *file)
{
	struct config_device *device;
	unsigned int v, d;
	char end;
	int i;

	for (i = 0; i < config->nr_devices; i++)
		if (!strcmp(config->devices[i].section, name))
			return &config->devices[i];
	/* what stands behind the numbers tells sections of one kind apart */
	if (sscanf(name, "%4x:%4x%c", &v, &d, &end) < 2)
		return NULL;
	device = realloc(config->devices,
			 (size_t)(config->nr_devices + 1) * sizeof(*device));
	if (!device)
		abort();
	config->devices = device;
	device += config->nr_devices++;
	*device = (struct config_device){
		.section = strdup(name),
		.file = strdup(file),
		.vendor = (uint16_t)v,
		.device = (uint16_t)d,
		.policy = CONFIG_UNSET,
	};
	return device;
}

/* Called by libinih for each key. Unknown sections are somebody else's. */
static int on_key(void *user, const char *section, const char *key,
		  const char *value)
{
	struct reader *reader = user;
	struct config *config = reader->config;
	struct config_device *device;
	const char *wanted = NULL;

	if (!strcmp(section, "defaults")) {
		wanted = defaults_key(config, key, value);
	} else if (!strncmp(section, "port ", 5)) {
		wanted = port_key(get_port(config, section + 5, reader->file),
				  key, value);
	} else if (!strncmp(section, "device ", 7)) {
		device = get_device(config, section + 7, reader->file);
		if (!device)
			complain(reader, "[%s]: expected [device vvvv:dddd]",
				 section);
		else
			wanted = device_key(device, key, value);
	} else if (!*section) {
		complain(reader, "\"%s\" stands in no section", key);
	}
	if (wanted && !*wanted)
		complain(reader, "there is no \"%s\" in [%s]", key, section);
	else if (wanted)
		complain(reader, "%s = %s: expected %s", key, value, wanted);
	return 1;
}

/* Cuts a comment that begins a line or follows a space. */
static void cut_comment(char *line)
{
	char *at;

	for (at = line; *at; at++)
		if ((*at == '#' || *at == ';') &&
		    (at == line || at[-1] == ' ' || at[-1] == '\t'))
			break;
	while (at > line && strchr(" \t\r\n", at[-1]))
		at--;
	*at = 0;
}

/* Gives libinih one clean line; what it would not understand is told here. */
static char *next_line(char *buf, int room, void *user)
{
	struct reader *reader = user;
	char *line = NULL, *start;
	size_t size = 0;

	if (getline(&line, &size, reader->stream) < 0) {
		free(line);
		return NULL;
	}
	reader->line++;
	cut_comment(line);
	start = line + strspn(line, " \t");
	*buf = 0;
	if (strlen(start) > LINE_ROOM || (int)strlen(start) > room - 2)
		complain(reader, "the line is too long");
	else if (*start == '[' && start[strlen(start) - 1] != ']')
		complain(reader, "\"]\" is missing");
	else if (*start && *start != '[' && !strpbrk(start, "=:"))
		complain(reader, "\"%s\": expected KEY = VALUE", start);
	else
		strcpy(buf, start);
	/* a section without a key exists, too: "[port 0000:00:1c.0]" */
	if (!strncmp(buf, "[port ", 6) && strchr(buf, ']')) {
		snprintf(reader->section, sizeof(reader->section), "%.*s",
			 (int)(strchr(buf, ']') - buf - 6), buf + 6);
		get_port(reader->config, reader->section, reader->file);
	}
	strcat(buf, "\n");
	free(line);
	return buf;
}

static void load_file(struct config *config, const char *file)
{
	struct reader reader = { .config = config, .file = file };

	reader.stream = fopen(file, "re");
	if (!reader.stream) {
		if (errno != ENOENT && errno != ENOTDIR && errno != EACCES)
			complain(&reader, "%s", strerror(errno));
		return;
	}
	if (ini_parse_stream(next_line, &reader, on_key, &reader) > 0)
		complain(&reader, "not understood");
	fclose(reader.stream);
}

static int is_conf(const struct dirent *entry)
{
	size_t len = strlen(entry->d_name);

	return entry->d_name[0] != '.' && len > 5 &&
	       !strcmp(entry->d_name + len - 5, ".conf");
}

static void load_dir(struct config *config, const char *dir)
{
	struct dirent **entries;
	int count = scandir(dir, &entries, is_conf, alphasort), i;
	char *file;

	for (i = 0; i < count; i++) {
		file = joined(dir, entries[i]->d_name);
		load_file(config, file);
		free(file);
		free(entries[i]);
	}
	if (count >= 0)
		free(entries);
}

static void make_aliases(struct config *config)
{
	int i, n = 0;

	config->aliases = calloc((size_t)config->nr_ports + 1,
				 sizeof(*config->aliases));
	if (!config->aliases)
		abort();
	for (i = 0; i < config->nr_ports; i++)
		if (config->ports[i].name && config->ports[i].path)
			config->aliases[n++] = (struct egpu_alias){
				config->ports[i].name, config->ports[i].path
			};
}

void config_load(struct config *config)
{
	char *file;

	memset(config, 0, sizeof(*config));
	config->policy = CONFIG_UNSET;
	config->drain_ms = CONFIG_UNSET;
	config->losses = CONFIG_UNSET;
	config->retrain = CONFIG_UNSET;
	file = config_main_file();
	load_file(config, file);
	free(file);
	file = joined(config_dir(), "egpu.conf.d");
	load_dir(config, file);
	free(file);
	file = config_runtime_file();
	load_file(config, file);
	free(file);
	make_aliases(config);
}

void config_free(struct config *config)
{
	int i;

	for (i = 0; i < config->nr_ports; i++) {
		free(config->ports[i].section);
		free(config->ports[i].name);
		free(config->ports[i].path);
		free(config->ports[i].file);
	}
	for (i = 0; i < config->nr_devices; i++) {
		free(config->devices[i].section);
		free(config->devices[i].file);
		free(config->devices[i].serial);
	}
	for (i = 0; i < config->nr_errors; i++)
		free(config->errors[i]);
	free(config->ports);
	free(config->devices);
	free(config->errors);
	free(config->aliases);
	free(config->allow);
}

static bool is_for(const struct config_port *port, const char *path,
		   bool runtime)
{
	return port->path && !strcmp(port->path, path) &&
	       port->runtime == runtime;
}

/* The last saved one that is for this path: later wins. */
struct config_port *config_port_find(const struct config *config,
				     const char *path)
{
	int i;

	for (i = config->nr_ports - 1; i >= 0; i--)
		if (is_for(&config->ports[i], path, false))
			return &config->ports[i];
	return NULL;
}

/* A port's name, NULL; one that holds until reboot before one that is saved. */
const char *config_name(const struct config *config, const char *path)
{
	int i, runtime;

	for (runtime = 1; runtime >= 0; runtime--)
		for (i = config->nr_ports - 1; i >= 0; i--)
			if (is_for(&config->ports[i], path, runtime) &&
			    config->ports[i].name)
				return config->ports[i].name;
	return NULL;
}

const struct config_device *config_device_find(const struct config *config,
					       const struct egpu_function *f)
{
	struct egpu_address address = egpu_function_address(f);
	uint32_t subsystem = (uint32_t)f->subsystem_vendor << 16 |
			     f->subsystem_device;
	char serial[64];
	int i;

	for (i = config->nr_devices - 1; i >= 0; i--) {
		const struct config_device *device = &config->devices[i];

		if (device->vendor != f->vendor || device->device != f->device ||
		    (device->subsystem && device->subsystem != subsystem))
			continue;
		if (device->serial &&
		    (egpu_pci_serial(&address, serial, sizeof(serial)) ||
		     strcmp(serial, device->serial)))
			continue;
		return device;
	}
	return NULL;
}
