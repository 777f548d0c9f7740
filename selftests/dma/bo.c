// SPDX-License-Identifier: GPL-2.0
/* See dma.h. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "dma.h"

int call(int fd, unsigned long cmd, void *arg)
{
	int ret;

	do {
		ret = ioctl(fd, cmd, arg);
	} while (ret < 0 && errno == EINTR);
	return ret < 0 ? -errno : 0;
}

long long now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000LL + t.tv_nsec / 1000;
}

/* --- bos --- */

int bo_create(int fd, struct bo *bo, uint64_t size, uint32_t flags)
{
	struct drm_egpu_bo_create create = { .size = size, .flags = flags };
	int ret = call(fd, DRM_IOCTL_EGPU_BO_CREATE, &create);

	memset(bo, 0, sizeof(*bo));
	bo->dmabuf = -1;
	if (ret)
		return ret;
	bo->handle = create.handle;
	bo->size = create.size;
	return 0;
}

int bo_close(int fd, struct bo *bo)
{
	struct drm_gem_close close = { .handle = bo->handle };

	bo->handle = 0;
	return call(fd, DRM_IOCTL_GEM_CLOSE, &close);
}

int bo_mmap(int fd, struct bo *bo)
{
	struct drm_egpu_bo_mmap map = { .handle = bo->handle };
	int ret = call(fd, DRM_IOCTL_EGPU_BO_MMAP, &map);
	void *p;

	if (ret)
		return ret;
	p = mmap(NULL, bo->size, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
		 map.offset);
	if (p == MAP_FAILED)
		return -errno;
	bo->p = p;
	return 0;
}

/* Asks for their number first, then for them. */
int bo_map(int fd, struct bo *bo)
{
	struct drm_egpu_bo_map map = { .handle = bo->handle };
	int ret = call(fd, DRM_IOCTL_EGPU_BO_MAP, &map);

	if (ret)
		return ret;
	free(bo->segments);
	bo->nr_segments = map.count;
	bo->segments = calloc(map.count, sizeof(*bo->segments));
	if (!bo->segments)
		return -ENOMEM;
	map.segments = (uintptr_t)bo->segments;
	return call(fd, DRM_IOCTL_EGPU_BO_MAP, &map);
}

int bo_unmap(int fd, const struct bo *bo)
{
	struct drm_egpu_bo_unmap unmap = { .handle = bo->handle };

	return call(fd, DRM_IOCTL_EGPU_BO_UNMAP, &unmap);
}

int bo_sync(int fd, const struct bo *bo, uint32_t direction)
{
	struct drm_egpu_bo_sync sync = {
		.handle = bo->handle, .direction = direction,
	};

	return call(fd, DRM_IOCTL_EGPU_BO_SYNC, &sync);
}

int bo_info(int fd, const struct bo *bo, struct drm_egpu_bo_info *info)
{
	memset(info, 0, sizeof(*info));
	info->handle = bo->handle;
	return call(fd, DRM_IOCTL_EGPU_BO_INFO, info);
}

int bo_export(int fd, struct bo *bo)
{
	struct drm_prime_handle prime = {
		.handle = bo->handle, .flags = DRM_CLOEXEC | DRM_RDWR,
	};
	int ret = call(fd, DRM_IOCTL_PRIME_HANDLE_TO_FD, &prime);
	void *p;

	if (ret)
		return ret;
	bo->dmabuf = prime.fd;
	p = mmap(NULL, bo->size, PROT_READ | PROT_WRITE, MAP_SHARED, prime.fd,
		 0);
	if (p == MAP_FAILED)
		return -errno;
	bo->d = p;
	return 0;
}

int bo_import(int fd, struct bo *bo)
{
	struct drm_prime_handle prime = { .fd = bo->dmabuf };
	int ret = call(fd, DRM_IOCTL_PRIME_FD_TO_HANDLE, &prime);

	if (!ret)
		bo->imported = prime.handle;
	return ret;
}

uint64_t bo_address(const struct bo *bo, uint64_t at, uint64_t *length)
{
	uint32_t i;

	for (i = 0; i < bo->nr_segments; i++) {
		if (at < bo->segments[i].length) {
			*length = bo->segments[i].length - at;
			return bo->segments[i].address + at;
		}
		at -= bo->segments[i].length;
	}
	*length = 0;
	return 0;
}

/* --- nodes --- */

int node_open(const char *address)
{
	char path[300], dir[128];
	int fd = -ENOENT;
	struct dirent *e;
	DIR *d;

	snprintf(dir, sizeof(dir), "/sys/bus/pci/devices/%s/drm", address);
	d = opendir(dir);
	if (!d)
		return -errno;
	while (fd == -ENOENT && (e = readdir(d))) {
		if (strncmp(e->d_name, "renderD", 7))
			continue;
		snprintf(path, sizeof(path), "/dev/dri/%s", e->d_name);
		fd = open(path, O_RDWR | O_CLOEXEC);
		if (fd < 0)
			fd = -errno;
	}
	closedir(d);
	return fd;
}

static bool node_is(int fd, const char *driver)
{
	char name[32] = "";
	struct drm_version version = {
		.name = name, .name_len = sizeof(name) - 1,
	};

	return !call(fd, DRM_IOCTL_VERSION, &version) && !strcmp(name, driver);
}

int node_named(const char *driver)
{
	char path[32];
	int i, fd;

	for (i = 0; i < 64; i++) {
		snprintf(path, sizeof(path), "/dev/dri/renderD%d", 128 + i);
		fd = open(path, O_RDWR | O_CLOEXEC);
		if (fd >= 0 && node_is(fd, driver))
			return fd;
		if (fd >= 0)
			close(fd);
	}
	return -ENOENT;
}

/* --- FUNCTION_MANAGE --- */

int address_parse(const char *text, uint32_t *domain, uint32_t *bus,
		  uint32_t *devfn)
{
	uint32_t device, function;

	if (sscanf(text, "%x:%x:%x.%x", domain, bus, &device, &function) != 4)
		return -EINVAL;
	*devfn = device << 3 | function;
	return 0;
}

static int manage_wait(int fd, uint32_t transaction)
{
	struct egpu_event event;

	while (read(fd, &event, sizeof(event)) == sizeof(event))
		if (event.type == EGPU_EVENT_TRANSACTION &&
		    event.transaction == transaction)
			return -(int)event.error;
	return -errno;
}

int manage(const char *address, uint32_t flags, uint32_t bits)
{
	struct egpu_event_subscribe subscribe = {
		.size = sizeof(subscribe),
		.mask = 1ULL << EGPU_EVENT_TRANSACTION,
	};
	struct egpu_function_manage m = {
		.size = sizeof(m), .flags = flags, .dma_bits = bits,
	};
	int fd = open(EGPU_DEVICE_PATH, O_RDWR | O_CLOEXEC), ret;
	uint32_t bus = 0, devfn = 0;

	if (fd < 0)
		return -errno;
	ret = address_parse(address, &m.domain, &bus, &devfn);
	m.bus = bus;
	m.devfn = devfn;
	if (!ret)
		ret = call(fd, EGPU_IOC_EVENT_SUBSCRIBE, &subscribe);
	if (!ret)
		ret = call(fd, EGPU_IOC_FUNCTION_MANAGE, &m);
	if (!ret)
		ret = manage_wait(fd, m.transaction);
	close(fd);
	return ret;
}
