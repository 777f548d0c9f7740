// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Resizable BARs, through the kernel's resourceN_resize
 * (Documentation/ABI/testing/sysfs-bus-pci): reading gives the sizes, bit N is
 * 2^(N + 20) bytes; writing takes N. It refuses while a driver is bound, which
 * the module's stub is, too.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "egpu_space.h"
#include "internal.h"

#define SMALLEST_BIT	20	/* 1 MiB */
#define LARGEST_BIT	47

int egpu_rebar_bit(uint64_t size)
{
	int bit;

	for (bit = SMALLEST_BIT; bit <= LARGEST_BIT; bit++)
		if (size == 1ULL << bit)
			return bit - SMALLEST_BIT;
	return -1;
}

int egpu_rebar_sizes(const struct egpu_address *function, int bar, bool wake,
		     uint64_t *sizes)
{
	char name[EGPU_ADDRESS_LEN], *text, *end;
	bool sleeps, good;

	egpu_address_format(function, name);
	if (!egpu_exists(egpu_roots.sysfs, "bus/pci/devices/%s/resource%d_resize",
			 name, bar))
		return -ENOENT;
	text = egpu_read(egpu_roots.sysfs,
			 "bus/pci/devices/%s/power/runtime_status", name);
	sleeps = !wake && text && !strcmp(text, "suspended");
	free(text);
	if (sleeps)
		return -EAGAIN;
	text = egpu_read(egpu_roots.sysfs,
			 "bus/pci/devices/%s/resource%d_resize", name, bar);
	if (!text)
		return -EAGAIN;
	/* without 0x */
	*sizes = strtoull(text, &end, 16);
	good = end != text && *sizes;
	free(text);
	return good ? 0 : -ENOENT;
}

static int write_to(const char *path, const char *text)
{
	char whole[PATH_MAX];

	snprintf(whole, sizeof(whole), "%s/bus/pci/%s", egpu_roots.sysfs, path);
	return egpu_sys_write(whole, text);
}

int egpu_rebar_set(const struct egpu_address *function, int bar, uint64_t size)
{
	char path[96], name[EGPU_ADDRESS_LEN], text[16];
	int bit = egpu_rebar_bit(size);

	if (bit < 0)
		return -EINVAL;
	snprintf(path, sizeof(path), "devices/%s/resource%d_resize",
		 egpu_address_format(function, name), bar);
	snprintf(text, sizeof(text), "%d", bit);
	return write_to(path, text);
}

int egpu_stub(const struct egpu_address *function, bool bind)
{
	char name[EGPU_ADDRESS_LEN];

	return write_to(bind ? "drivers/egpu/bind" : "drivers/egpu/unbind",
			egpu_address_format(function, name));
}

int egpu_function_lock(const struct egpu_address *function)
{
	char path[PATH_MAX], name[EGPU_ADDRESS_LEN];
	int fd;

	snprintf(path, sizeof(path), "%s/bus/pci/devices/%s", egpu_roots.sysfs,
		 egpu_address_format(function, name));
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	flock(fd, LOCK_EX);
	return fd;
}
