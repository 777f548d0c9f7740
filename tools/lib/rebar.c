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
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "egpu_space.h"
#include "internal.h"

#define SMALLEST_BIT	20	/* 1 MiB */
#define LARGEST_BIT	(SMALLEST_BIT + EGPU_REBAR_BITS - 1)
#define LOCK_LOOK_MS	50
#define KERNEL_ENOTSUPP	524	/* the kernel's own; it should not come out */

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
	int bit = egpu_rebar_bit(size), ret;

	if (bit < 0)
		return -EINVAL;
	snprintf(path, sizeof(path), "devices/%s/resource%d_resize",
		 egpu_address_format(function, name), bar);
	snprintf(text, sizeof(text), "%d", bit);
	ret = write_to(path, text);
	/* no window was empty without it, unless the device has gone */
	if (ret == -ENOENT && egpu_exists(egpu_roots.sysfs,
					  "bus/pci/devices/%s", name))
		return -ENOSPC;
	return ret == -KERNEL_ENOTSUPP ? -EOPNOTSUPP : ret;
}

int egpu_stub(const struct egpu_address *function, bool bind)
{
	char name[EGPU_ADDRESS_LEN];

	return write_to(bind ? "drivers/egpu/bind" : "drivers/egpu/unbind",
			egpu_address_format(function, name));
}

/* Root's own: what others may open they could lock for ever. */
static int open_lock(const struct egpu_address *function, const char *dir)
{
	char path[PATH_MAX], name[EGPU_ADDRESS_LEN];
	int fd;

	if (mkdir(dir, 0755) && errno != EEXIST)
		return -errno;
	snprintf(path, sizeof(path), "%s/%s.lock", dir,
		 egpu_address_format(function, name));
	fd = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	return fd < 0 ? -errno : fd;
}

int egpu_function_lock(const struct egpu_address *function, const char *dir,
		       int ms)
{
	struct timespec pause = { 0, LOCK_LOOK_MS * 1000000L };
	int fd = open_lock(function, dir), ret;

	while (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB)) {
		ret = errno == EWOULDBLOCK ? -EBUSY : -errno;
		if (ret == -EINTR)
			continue;
		if (ret == -EBUSY && ms > 0) {
			nanosleep(&pause, NULL);
			ms -= LOCK_LOOK_MS;
			continue;
		}
		close(fd);
		return ret;
	}
	return fd;
}
