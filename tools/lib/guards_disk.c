// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Disks below the port: what is mounted from them, swap, and what other block
 * devices (dm, md, LVM) are made of them, all the way up.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "guards.h"

#define MAX_DEPTH	8

struct disks {
	struct guards *guards;
	char *mounts;	/* mountinfo */
	char *swaps;
	int depth;
	const char *via;	/* the disk that is on the port */
};

/* \040 and the like, as mountinfo and swaps write spaces */
static void unescape(char *text)
{
	char *to = text;
	unsigned int c;

	while (*text)
		if (*text == '\\' && sscanf(text + 1, "%3o", &c) == 1) {
			*to++ = (char)c;
			text += 4;
		} else {
			*to++ = *text++;
		}
	*to = 0;
}

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

/* /dev/mapper/root is a link to ../dm-0; elsewhere names are the kernel's */
static bool is_disk(const char *source, const char *name)
{
	char *real;
	bool is;

	if (*source != '/')
		return false;
	if (!strcmp(base_name(source), name))
		return true;
	real = egpu_root_is_real() ? realpath(source, NULL) : NULL;
	is = real && !strcmp(base_name(real), name);
	free(real);
	return is;
}

static bool is_essential(const char *where)
{
	return !strcmp(where, "/") || !strcmp(where, "/usr");
}

static void add_mount(struct disks *disks, const char *name, const char *where)
{
	char cure[160], via[80] = "";

	if (strcmp(name, disks->via))
		snprintf(via, sizeof(via), " (on %s)", disks->via);
	snprintf(cure, sizeof(cure), "umount %.140s", where);
	if (is_essential(where))
		egpu_guard_add(disks->guards, EGPU_GUARD_ROOT, name, "",
			       "/dev/%s%s is mounted on %s", name, via, where);
	else
		egpu_guard_add(disks->guards, EGPU_GUARD_MOUNT, name, cure,
			       "/dev/%s%s is mounted on %s", name, via, where);
}

/*
 * proc(5): "36 35 98:0 /root /mnt options - type source options". The number
 * is the disk's, but for btrfs and its like, where the source tells.
 */
static void find_mounts(struct disks *disks, const char *name,
			const char *number)
{
	char *copy = disks->mounts ? strdup(disks->mounts) : NULL;
	char *line, *save, *dash;

	for (line = copy ? strtok_r(copy, "\n", &save) : NULL; line;
	     line = strtok_r(NULL, "\n", &save)) {
		char dev[32], where[512], type[64], source[512] = "";

		dash = strstr(line, " - ");
		if (!dash || sscanf(line, "%*d %*d %31s %*s %511s", dev,
				    where) != 2)
			continue;
		if (sscanf(dash, " - %63s %511s", type, source) < 1)
			continue;
		unescape(where);
		if (!strcmp(dev, number) || is_disk(source, name))
			add_mount(disks, name, where);
	}
	free(copy);
}

static void find_swap(struct disks *disks, const char *name)
{
	char *copy = disks->swaps ? strdup(disks->swaps) : NULL;
	char *line, *save, path[512], cure[160];

	for (line = copy ? strtok_r(copy, "\n", &save) : NULL; line;
	     line = strtok_r(NULL, "\n", &save)) {
		if (sscanf(line, "%511s", path) != 1 || !is_disk(path, name))
			continue;
		snprintf(cure, sizeof(cure), "swapoff /dev/%s", name);
		egpu_guard_add(disks->guards, EGPU_GUARD_SWAP, name, cure,
			       "/dev/%s is swap", name);
	}
	free(copy);
}

static void look_at(struct disks *disks, const char *name);

static int one_holder(const char *name, void *arg)
{
	struct disks *disks = arg;
	int before = disks->guards->count;
	char *label = egpu_read(egpu_roots.sysfs, "class/block/%s/dm/name",
				name);

	disks->depth++;
	if (disks->depth < MAX_DEPTH)
		look_at(disks, name);
	disks->depth--;
	/* held, and nobody further up says why */
	if (disks->guards->count == before)
		egpu_guard_add(disks->guards, EGPU_GUARD_HOLDER, name, "",
			       "%s%s%s%s is made of /dev/%s", name,
			       label ? " (" : "", label ? label : "",
			       label ? ")" : "", disks->via);
	free(label);
	return disks->guards->error;
}

/* A member of a btrfs of several disks is mounted under another's name. */
static int one_btrfs(const char *uuid, void *arg)
{
	struct disks *disks = arg;

	if (!egpu_exists(egpu_roots.sysfs, "fs/btrfs/%s/devices/%s", uuid,
			 disks->via))
		return 0;
	egpu_guard_add(disks->guards, EGPU_GUARD_MOUNT, disks->via, "",
		       "/dev/%s is part of the btrfs %s", disks->via, uuid);
	return 1;
}

static void look_at(struct disks *disks, const char *name)
{
	char *number = egpu_read(egpu_roots.sysfs, "class/block/%s/dev", name);
	int before = disks->guards->count;

	if (number)
		find_mounts(disks, name, number);
	free(number);
	find_swap(disks, name);
	egpu_each(one_holder, disks, egpu_roots.sysfs,
		  "class/block/%s/holders", name);
	if (!disks->depth && disks->guards->count == before)
		egpu_each(one_btrfs, disks, egpu_roots.sysfs, "fs/btrfs");
}

static int one_block(const char *name, void *arg)
{
	struct disks *disks = arg;

	if (!egpu_guard_is_below(disks->guards, "block", name))
		return 0;
	disks->via = name;
	look_at(disks, name);
	return disks->guards->error;
}

void egpu_guard_disks(struct guards *guards)
{
	struct disks disks = { .guards = guards };

	/* init's mounts, not those of a container that asks */
	disks.mounts = egpu_read(egpu_roots.proc, "1/mountinfo");
	if (!disks.mounts)
		disks.mounts = egpu_read(egpu_roots.proc, "self/mountinfo");
	disks.swaps = egpu_read(egpu_roots.proc, "swaps");
	egpu_each(one_block, &disks, egpu_roots.sysfs, "class/block");
	free(disks.mounts);
	free(disks.swaps);
}
