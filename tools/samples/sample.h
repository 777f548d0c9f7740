/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What both samples begin with: the DRM node of a function that was given to
 * egpu ("egpuctl assign ADDRESS egpu"), and a bo of it in our own memory.
 */
#ifndef EGPU_SAMPLE_H
#define EGPU_SAMPLE_H

#include <drm/egpu_drm.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <xf86drm.h>

#define MINORS	64	/* renderD128 to renderD191 */

/* Says what went wrong, with errno, and ends. */
static inline void fail(const char *what)
{
	fprintf(stderr, "%s: %s\n", what, strerror(errno));
	exit(1);
}

/* Is it this driver's node, and (unless NULL) of this PCI function? */
static inline bool is_node(int fd, const char *driver, const char *address)
{
	drmVersionPtr version = drmGetVersion(fd);
	drmDevicePtr device = NULL;
	char text[32] = "";
	bool is;

	is = version && !strcmp(version->name, driver);
	if (is && address && !drmGetDevice2(fd, 0, &device) &&
	    device->bustype == DRM_BUS_PCI)
		snprintf(text, sizeof(text), "%04x:%02x:%02x.%x",
			 device->businfo.pci->domain, device->businfo.pci->bus,
			 device->businfo.pci->dev, device->businfo.pci->func);
	drmFreeVersion(version);
	if (device)
		drmFreeDevice(&device);
	return is && (!address || !strcmp(text, address));
}

/* Return: a file descriptor, -1: there is no such node. */
static inline int open_node(const char *driver, const char *address)
{
	char path[32];
	int i, fd;

	for (i = 0; i < MINORS; i++) {
		snprintf(path, sizeof(path), "/dev/dri/renderD%d", 128 + i);
		fd = open(path, O_RDWR | O_CLOEXEC);
		if (fd < 0)
			continue;
		if (is_node(fd, driver, address))
			return fd;
		close(fd);
	}
	return -1;
}

/* Makes a bo. Return: our own mapping of it, which outlives the function. */
static inline void *make_bo(int fd, uint64_t size, uint32_t *handle)
{
	struct drm_egpu_bo_create create = { .size = size };
	struct drm_egpu_bo_mmap where = { 0 };
	void *memory;

	if (drmIoctl(fd, DRM_IOCTL_EGPU_BO_CREATE, &create))
		fail("BO_CREATE");
	where.handle = create.handle;
	if (drmIoctl(fd, DRM_IOCTL_EGPU_BO_MMAP, &where))
		fail("BO_MMAP");
	memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
		      (off_t)where.offset);
	if (memory == MAP_FAILED)
		fail("mmap");
	*handle = create.handle;
	return memory;
}

#endif /* EGPU_SAMPLE_H */
