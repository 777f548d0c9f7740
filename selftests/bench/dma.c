// SPDX-License-Identifier: GPL-2.0
/*
 * egpu_bench dma OURS THEIRS KIB ROUNDS REVOKES: what it costs to map, to unmap
 * and to take away so much host memory, through egpu and through VFIO type 1, in
 * turns. OURS is a function that can be managed, THEIRS one that vfio-pci has.
 * Prints "WHAT OURS PEER" in microseconds.
 *
 * Memory is there, and touched, before anything is measured: a bo's pages are
 * pinned since BO_CREATE, VFIO pins when it maps. Taken away is a bo that is
 * mapped and whose owner goes on having it:
 *
 *  - "revoke": what remove() does until the function reaches nothing any more.
 *    It switches bus mastering off and unmaps; so does the peer, by the
 *    device's configuration space and UNMAP_DMA.
 *  - "unset": the same, beside a peer whose device was never opened, and has no
 *    bus mastering to switch off: VFIO_GROUP_UNSET_CONTAINER.
 *  - "return": the whole of FUNCTION_MANAGE with RETURN, beside the same without
 *    a bo.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/pci_regs.h>
#include <linux/vfio.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../dma/dma.h"
#include "bench.h"

#define IOVA		0x100000000ULL
#define TRACE		"/sys/kernel/tracing/"

static const char *address, *other;

static void check(int ret, const char *what)
{
	errno = -ret;
	if (ret)
		bench_die(what);
}

static void say(const char *what, double ours, double peer)
{
	printf("%s %.3f %.3f\n", what, ours / 1000, peer / 1000);
	fflush(stdout);
}

/* --- how long remove() takes for it, by kprobes --- */

static void put(const char *file, const char *text)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), TRACE "%s", file);
	fd = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC);
	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		bench_die(path);
	close(fd);
}

static void trace_begin(void)
{
	put("kprobe_events", "p:begun egpu:egpu_bos_revoke\n"
			     "r:ended egpu:egpu_bos_revoke\n");
	put("events/kprobes/enable", "1");
	put("trace_clock", "mono");
}

static void trace_end(void)
{
	put("events/kprobes/enable", "0");
	put("kprobe_events", "");
}

/* Nanoseconds between the two of them that were traced last. */
static double trace_took(void)
{
	double at, begun = 0, ended = 0;
	char line[256], name[16];
	FILE *f = fopen(TRACE "trace", "r");

	if (!f)
		bench_die("trace");
	while (fgets(line, sizeof(line), f)) {
		if (*line == '#' ||
		    sscanf(line, "%*[^]]] %*s %lf: %15[a-z]", &at, name) != 2)
			continue;
		*(strcmp(name, "begun") ? &ended : &begun) = at;
	}
	fclose(f);
	errno = 0;
	if (!begun || ended < begun)
		bench_die("remove() was not traced");
	return (ended - begun) * 1e9;
}

/* --- egpu --- */

static double take_back(void)
{
	uint64_t began = bench_ns();

	check(manage(address, EGPU_MANAGE_RETURN, 0), "RETURN");
	return bench_ns() - began;
}

static int give(void)
{
	int fd;

	check(manage(address, EGPU_MANAGE_TAKE, 64), "TAKE");
	fd = node_open(address);
	check(fd < 0 ? fd : 0, "node");
	return fd;
}

static double egpu_map(int fd, const struct bo *bo)
{
	struct drm_egpu_bo_map map = { .handle = bo->handle };
	uint64_t began = bench_ns();

	check(call(fd, DRM_IOCTL_EGPU_BO_MAP, &map), "BO_MAP");
	return bench_ns() - began;
}

static double egpu_unmap(int fd, const struct bo *bo)
{
	uint64_t began = bench_ns();

	check(bo_unmap(fd, bo), "BO_UNMAP");
	return bench_ns() - began;
}

static double egpu_revoke(uint64_t size)
{
	double alone, with;
	int fd = give();
	struct bo bo;

	alone = take_back();
	close(fd);
	fd = give();
	check(bo_create(fd, &bo, size, 0), "BO_CREATE");
	egpu_map(fd, &bo);
	put("trace", "");
	with = take_back();
	close(fd);
	say("return", with, alone);
	return trace_took();
}

/* --- VFIO --- */

/**
 * struct vfio - a container with one group
 * @container: its node
 * @group: its node
 * @device: of the group, or -1
 * @command: where @device has its Command register
 */
struct vfio {
	int container;
	int group;
	int device;
	uint64_t command;
};

static int group_open(void)
{
	char link[128], path[128], node[160];
	ssize_t n;

	snprintf(link, sizeof(link), "/sys/bus/pci/devices/%s/iommu_group",
		 other);
	n = readlink(link, path, sizeof(path) - 1);
	if (n < 0)
		bench_die(link);
	path[n] = '\0';
	snprintf(node, sizeof(node), "/dev/vfio%s", strrchr(path, '/'));
	return open(node, O_RDWR | O_CLOEXEC);
}

static void vfio_open(struct vfio *v)
{
	v->container = open("/dev/vfio/vfio", O_RDWR | O_CLOEXEC);
	v->group = group_open();
	v->device = -1;
	if (v->container < 0 || v->group < 0 ||
	    ioctl(v->group, VFIO_GROUP_SET_CONTAINER, &v->container) ||
	    ioctl(v->container, VFIO_SET_IOMMU, VFIO_TYPE1_IOMMU))
		bench_die("VFIO");
}

static void vfio_open_device(struct vfio *v)
{
	struct vfio_region_info config = {
		.argsz = sizeof(config), .index = VFIO_PCI_CONFIG_REGION_INDEX,
	};

	v->device = ioctl(v->group, VFIO_GROUP_GET_DEVICE_FD, other);
	if (v->device < 0 ||
	    ioctl(v->device, VFIO_DEVICE_GET_REGION_INFO, &config))
		bench_die(other);
	v->command = config.offset + PCI_COMMAND;
}

static void vfio_close(struct vfio *v)
{
	if (v->device >= 0)
		close(v->device);
	close(v->group);
	close(v->container);
}

static void vfio_master(struct vfio *v, bool on)
{
	uint16_t command;

	if (pread(v->device, &command, sizeof(command), v->command) < 0)
		bench_die("Command");
	command &= ~PCI_COMMAND_MASTER;
	command |= on ? PCI_COMMAND_MASTER : 0;
	if (pwrite(v->device, &command, sizeof(command), v->command) < 0)
		bench_die("Command");
}

static double vfio_map(struct vfio *v, void *p, uint64_t size)
{
	struct vfio_iommu_type1_dma_map map = {
		.argsz = sizeof(map), .vaddr = (uintptr_t)p, .iova = IOVA,
		.flags = VFIO_DMA_MAP_FLAG_READ | VFIO_DMA_MAP_FLAG_WRITE,
		.size = size,
	};
	uint64_t began = bench_ns();

	if (ioctl(v->container, VFIO_IOMMU_MAP_DMA, &map))
		bench_die("MAP_DMA");
	return bench_ns() - began;
}

static double vfio_unmap(struct vfio *v, uint64_t size)
{
	struct vfio_iommu_type1_dma_unmap unmap = {
		.argsz = sizeof(unmap), .iova = IOVA, .size = size,
	};
	uint64_t began = bench_ns();

	if (ioctl(v->container, VFIO_IOMMU_UNMAP_DMA, &unmap))
		bench_die("UNMAP_DMA");
	return bench_ns() - began;
}

static double vfio_revoke(struct vfio *v, void *p, uint64_t size)
{
	uint64_t began;

	vfio_map(v, p, size);
	vfio_master(v, true);
	began = bench_ns();
	vfio_master(v, false);
	vfio_unmap(v, size);
	return bench_ns() - began;
}

static double vfio_unset(void *p, uint64_t size)
{
	uint64_t began;
	struct vfio v;
	double took;

	vfio_open(&v);
	vfio_map(&v, p, size);
	began = bench_ns();
	if (ioctl(v.group, VFIO_GROUP_UNSET_CONTAINER))
		bench_die("UNSET_CONTAINER");
	took = bench_ns() - began;
	vfio_close(&v);
	return took;
}

/* --- in turns --- */

/* The same memory all the time. Another bo keeps bus mastering on. */
static void map_and_unmap(void *p, uint64_t size, int rounds)
{
	struct bo bo, keeper;
	int fd = give();
	struct vfio v;
	double ours;

	check(bo_create(fd, &keeper, 4096, 0), "BO_CREATE");
	check(bo_create(fd, &bo, size, 0), "BO_CREATE");
	egpu_map(fd, &keeper);
	vfio_open(&v);
	while (rounds--) {
		ours = egpu_map(fd, &bo);
		say("map", ours, vfio_map(&v, p, size));
		ours = egpu_unmap(fd, &bo);
		say("unmap", ours, vfio_unmap(&v, size));
	}
	vfio_close(&v);
	bo_close(fd, &bo);
	close(fd);
	take_back();
}

static void take_away(void *p, uint64_t size, int rounds)
{
	double ours[rounds];
	struct vfio v;
	int i;

	trace_begin();
	vfio_open(&v);
	vfio_open_device(&v);
	for (i = 0; i < rounds; i++) {
		ours[i] = egpu_revoke(size);
		say("revoke", ours[i], vfio_revoke(&v, p, size));
	}
	vfio_close(&v);
	trace_end();
	for (i = 0; i < rounds; i++)
		say("unset", ours[i], vfio_unset(p, size));
}

int bench_dma(int argc, char **argv)
{
	uint64_t size;
	void *p;

	if (argc != 6)
		return 2;
	address = argv[1];
	other = argv[2];
	size = strtoull(argv[3], NULL, 0) << 10;
	p = mmap(NULL, size, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	if (p == MAP_FAILED)
		bench_die("mmap");
	map_and_unmap(p, size, atoi(argv[4]));
	take_away(p, size, atoi(argv[5]));
	return 0;
}
