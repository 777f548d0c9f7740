// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * CXL memory of a device below the port that the system uses: a region has it
 * as a target, and memory blocks in the region's range are online.
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "guards.h"

struct range {
	uint64_t start;
	uint64_t size;
	uint64_t block;
};

struct region {
	struct guards *guards;
	const char *name;
	bool ours;
};

/* An endpoint decoder; its endpoint's uport is the memory device. */
static bool is_decoder_below(const struct guards *guards, const char *decoder)
{
	char *real = egpu_real(egpu_roots.sysfs, "bus/cxl/devices/%s/../uport",
			       decoder);
	bool below = false;
	int i;

	for (i = 0; real && i < guards->nr_functions && !below; i++)
		below = egpu_sysfs_is_below(real, &guards->functions[i]);
	free(real);
	return below;
}

static int one_target(const char *name, void *arg)
{
	struct region *region = arg;
	char *decoder;

	if (strncmp(name, "target", 6) || !strchr("0123456789", name[6]))
		return 0;
	decoder = egpu_read(egpu_roots.sysfs, "bus/cxl/devices/%s/%s",
			    region->name, name);
	if (decoder && is_decoder_below(region->guards, decoder))
		region->ours = true;
	free(decoder);
	return region->ours;
}

static int one_block(const char *name, void *arg)
{
	const struct range *range = arg;
	uint64_t start;
	char *index, *state;
	bool online;

	if (strncmp(name, "memory", 6) || !strchr("0123456789", name[6]))
		return 0;
	index = egpu_read(egpu_roots.sysfs,
			  "devices/system/memory/%s/phys_index", name);
	start = index ? strtoull(index, NULL, 16) * range->block : 0;
	free(index);
	if (start + range->block <= range->start ||
	    start >= range->start + range->size)
		return 0;
	state = egpu_read(egpu_roots.sysfs, "devices/system/memory/%s/state",
			  name);
	online = state && strcmp(state, "offline");
	free(state);
	return online;
}

static int one_region(const char *name, void *arg)
{
	struct guards *guards = arg;
	struct region region = { guards, name, false };
	struct range range = { 0 };
	char *block;

	if (strncmp(name, "region", 6))
		return 0;
	egpu_each(one_target, &region, egpu_roots.sysfs, "bus/cxl/devices/%s",
		  name);
	block = egpu_read(egpu_roots.sysfs,
			  "devices/system/memory/block_size_bytes");
	range.block = block ? strtoull(block, NULL, 16) : 0;
	free(block);
	if (region.ours && range.block &&
	    egpu_read_u64(&range.start, egpu_roots.sysfs,
			  "bus/cxl/devices/%s/resource", name) &&
	    egpu_read_u64(&range.size, egpu_roots.sysfs,
			  "bus/cxl/devices/%s/size", name) &&
	    egpu_each(one_block, &range, egpu_roots.sysfs,
		      "devices/system/memory") == 1)
		egpu_guard_add(guards, EGPU_GUARD_MEMORY, name,
			       "daxctl offline-memory all",
			       "CXL memory of %s is online", name);
	return guards->error;
}

void egpu_guard_memory(struct guards *guards)
{
	egpu_each(one_region, guards, egpu_roots.sysfs, "bus/cxl/devices");
}
