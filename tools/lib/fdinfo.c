// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * What a DRM client tells about itself in /proc/PID/fdinfo: memory and engines
 * (Documentation/gpu/drm-usage-stats.rst). A client that is open twice (dup,
 * fork) has the same drm-client-id and is counted once.
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "internal.h"

#define MAX_CLIENTS	64

struct clients {
	uint32_t pid;
	const struct egpu_address *gpus;
	int nr_gpus;
	unsigned long seen[MAX_CLIENTS];
	int nr_seen;
	bool any;
	bool engines;
	uint64_t engine_ns;
	uint64_t memory;
	bool memory_known;
};

static bool is_ours(const struct clients *clients, const char *pdev)
{
	struct egpu_address address;
	int i;

	for (i = 0; egpu_address_parse(pdev, &address) && i < clients->nr_gpus;
	     i++)
		if (egpu_address_equal(&address, &clients->gpus[i]))
			return true;
	return false;
}

static bool is_new(struct clients *clients, unsigned long id)
{
	int i;

	for (i = 0; i < clients->nr_seen; i++)
		if (clients->seen[i] == id)
			return false;
	if (clients->nr_seen < MAX_CLIENTS)
		clients->seen[clients->nr_seen++] = id;
	return true;
}

uint64_t egpu_fdinfo_bytes(const char *value)
{
	char unit[8] = "";
	unsigned long long number = 0;

	if (sscanf(value, "%llu %7s", &number, unit) < 1)
		return 0;
	if (!strcmp(unit, "KiB"))
		return number << 10;
	if (!strcmp(unit, "MiB"))
		return number << 20;
	return number;
}

/* Memory on the card; system memory goes with the process anyway. */
static bool is_local(const char *region)
{
	return !strncmp(region, "vram", 4) || !strncmp(region, "local", 5) ||
	       !strncmp(region, "lmem", 4) || !strcmp(region, "memory");
}

struct regions {
	uint64_t resident, memory, total;
	bool has_resident, has_memory, has_total;
};

static void parse_line(struct clients *clients, struct regions *regions,
		       const char *key, const char *value)
{
	if (!strncmp(key, "drm-engine-", 11) &&
	    strncmp(key, "drm-engine-capacity-", 20)) {
		clients->engines = true;
		clients->engine_ns += strtoull(value, NULL, 10);
	} else if (!strncmp(key, "drm-resident-", 13) && is_local(key + 13)) {
		regions->resident += egpu_fdinfo_bytes(value);
		regions->has_resident = true;
	} else if (!strncmp(key, "drm-memory-", 11) && is_local(key + 11)) {
		regions->memory += egpu_fdinfo_bytes(value);
		regions->has_memory = true;
	} else if (!strncmp(key, "drm-total-", 10) && is_local(key + 10)) {
		regions->total += egpu_fdinfo_bytes(value);
		regions->has_total = true;
	}
}

const char *egpu_fdinfo_value(const char *text, const char *key)
{
	const char *at = strstr(text, key);

	if (!at || (at != text && at[-1] != '\n'))
		return NULL;
	return at + strlen(key) + strspn(at + strlen(key), " \t");
}

static int one_fdinfo(const char *fd, void *arg)
{
	struct clients *clients = arg;
	struct regions regions = { 0 };
	char *text = egpu_read(egpu_roots.proc, "%u/fdinfo/%s", clients->pid,
			       fd);
	char pdev[32] = "", *line, *save, *colon;
	const char *value;

	value = text ? egpu_fdinfo_value(text, "drm-pdev:") : NULL;
	if (value)
		sscanf(value, "%31s", pdev);
	value = text ? egpu_fdinfo_value(text, "drm-client-id:") : NULL;
	if (!is_ours(clients, pdev) ||
	    (value && !is_new(clients, strtoul(value, NULL, 10)))) {
		free(text);
		return 0;
	}
	clients->any = true;
	for (line = strtok_r(text, "\n", &save); line;
	     line = strtok_r(NULL, "\n", &save)) {
		colon = strchr(line, ':');
		if (!colon)
			continue;
		*colon++ = 0;
		parse_line(clients, &regions, line, colon);
	}
	clients->memory += regions.has_resident ? regions.resident :
			   regions.has_memory ? regions.memory : regions.total;
	clients->memory_known |= regions.has_resident || regions.has_memory ||
				 regions.has_total;
	free(text);
	return 0;
}

static void measure(struct egpu_process *process,
		    const struct egpu_address *gpus, int nr_gpus, bool second)
{
	struct clients clients = {
		.pid = process->pid,
		.gpus = gpus,
		.nr_gpus = nr_gpus,
	};

	egpu_each(one_fdinfo, &clients, egpu_roots.proc, "%u/fdinfo",
		  process->pid);
	if (clients.memory_known)
		process->memory = (int64_t)clients.memory;
	if (second && process->engines_known && clients.engines)
		process->active = clients.engine_ns > process->engine_ns;
	process->engines_known = clients.engines;
	process->engine_ns = clients.engine_ns;
}

void egpu_processes_measure(struct egpu_process *processes, int count,
			    const struct egpu_address *gpus, int nr_gpus,
			    unsigned int ms)
{
	struct timespec pause = { ms / 1000, ms % 1000 * 1000000L };
	bool engines = false;
	int i;

	for (i = 0; i < count; i++) {
		measure(&processes[i], gpus, nr_gpus, false);
		engines |= processes[i].engines_known;
	}
	if (!engines)
		return;
	nanosleep(&pause, NULL);
	for (i = 0; i < count; i++)
		if (processes[i].engines_known)
			measure(&processes[i], gpus, nr_gpus, true);
}
