// SPDX-License-Identifier: GPL-2.0
/*
 * egpu_dma_bench ADDRESS VFIO-GROUP [ROUNDS]: what it costs to map, to unmap and
 * to take away host memory of 4 KiB to 1 GiB, through egpu and through VFIO type
 * 1, in turns. ADDRESS is a function that can be managed, VFIO-GROUP the node of
 * another's group. Prints medians in microseconds.
 *
 * Memory is there, and touched, before anything is measured: a bo's pages are
 * pinned since BO_CREATE, VFIO pins when it maps. Taken away: FUNCTION_MANAGE
 * with RETURN, less what it takes without a bo; VFIO_GROUP_UNSET_CONTAINER.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/vfio.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "dma.h"

#define MAX_ROUNDS	200
#define IOVA		0x100000000ULL
#define BIG		(256ULL << 20)

enum what { MAP, UNMAP, REVOKE, ALL_WHAT };
enum how { EGPU, VFIO, ALL_HOW };

static const uint64_t sizes[] = {
	4 << 10, 64 << 10, 2 << 20, 64 << 20, 1 << 30,
};

static const char *address, *group_path;
static double times[ALL_HOW][ALL_WHAT][MAX_ROUNDS];

static void die(const char *what, int error)
{
	printf("%s: %s\n", what, strerror(error < 0 ? -error : error));
	exit(1);
}

static double since(long long began)
{
	return now_us() - began;
}

/* --- egpu --- */

static double take_back(void)
{
	long long began = now_us();
	int ret = manage(address, EGPU_MANAGE_RETURN, 0);

	if (ret)
		die("RETURN", ret);
	return since(began);
}

static int give(void)
{
	int ret = manage(address, EGPU_MANAGE_TAKE, 64), fd;

	if (ret)
		die("TAKE", ret);
	fd = node_open(address);
	if (fd < 0)
		die("node", fd);
	return fd;
}

static double egpu_map(int fd, const struct bo *bo)
{
	struct drm_egpu_bo_map map = { .handle = bo->handle };
	long long began = now_us();
	int ret = call(fd, DRM_IOCTL_EGPU_BO_MAP, &map);

	if (ret)
		die("BO_MAP", ret);
	return since(began);
}

static double egpu_unmap(int fd, const struct bo *bo)
{
	long long began = now_us();
	int ret = bo_unmap(fd, bo);

	if (ret)
		die("BO_UNMAP", ret);
	return since(began);
}

static double egpu_revoke(uint64_t size)
{
	int fd = give(), ret;
	double alone, took;
	struct bo bo;

	alone = take_back();
	close(fd);
	fd = give();
	ret = bo_create(fd, &bo, size, 0);
	if (ret)
		die("BO_CREATE", ret);
	egpu_map(fd, &bo);
	took = take_back();
	close(fd);
	return took - alone;
}

/* --- VFIO --- */

struct vfio {
	int container;
	int group;
};

static void vfio_open(struct vfio *v)
{
	v->container = open("/dev/vfio/vfio", O_RDWR | O_CLOEXEC);
	v->group = open(group_path, O_RDWR | O_CLOEXEC);
	if (v->container < 0 || v->group < 0 ||
	    ioctl(v->group, VFIO_GROUP_SET_CONTAINER, &v->container) ||
	    ioctl(v->container, VFIO_SET_IOMMU, VFIO_TYPE1_IOMMU))
		die(group_path, errno);
}

static void vfio_close(struct vfio *v)
{
	close(v->group);
	close(v->container);
}

static double vfio_map(struct vfio *v, void *p, uint64_t size)
{
	struct vfio_iommu_type1_dma_map map = {
		.argsz = sizeof(map), .vaddr = (uintptr_t)p, .iova = IOVA,
		.flags = VFIO_DMA_MAP_FLAG_READ | VFIO_DMA_MAP_FLAG_WRITE,
		.size = size,
	};
	long long began = now_us();

	if (ioctl(v->container, VFIO_IOMMU_MAP_DMA, &map))
		die("MAP_DMA", errno);
	return since(began);
}

static double vfio_unmap(struct vfio *v, uint64_t size)
{
	struct vfio_iommu_type1_dma_unmap unmap = {
		.argsz = sizeof(unmap), .iova = IOVA, .size = size,
	};
	long long began = now_us();

	if (ioctl(v->container, VFIO_IOMMU_UNMAP_DMA, &unmap))
		die("UNMAP_DMA", errno);
	return since(began);
}

static double vfio_revoke(void *p, uint64_t size)
{
	long long began;
	struct vfio v;
	double took;

	vfio_open(&v);
	vfio_map(&v, p, size);
	began = now_us();
	if (ioctl(v.group, VFIO_GROUP_UNSET_CONTAINER))
		die("UNSET_CONTAINER", errno);
	took = since(began);
	vfio_close(&v);
	return took;
}

/* --- a size --- */

/* The same memory all the time. Another bo keeps bus mastering on. */
static void map_and_unmap(void *p, uint64_t size, int rounds)
{
	int fd = give(), i, ret;
	struct bo bo, keeper;
	struct vfio v;

	ret = bo_create(fd, &keeper, 4096, 0) ?: bo_create(fd, &bo, size, 0);
	if (ret)
		die("BO_CREATE", ret);
	egpu_map(fd, &keeper);
	vfio_open(&v);
	for (i = 0; i < rounds; i++) {
		times[EGPU][MAP][i] = egpu_map(fd, &bo);
		times[VFIO][MAP][i] = vfio_map(&v, p, size);
		times[EGPU][UNMAP][i] = egpu_unmap(fd, &bo);
		times[VFIO][UNMAP][i] = vfio_unmap(&v, size);
	}
	vfio_close(&v);
	bo_close(fd, &bo);
	close(fd);
	take_back();
}

static void take_away(void *p, uint64_t size, int rounds)
{
	int i;

	for (i = 0; i < rounds; i++) {
		times[EGPU][REVOKE][i] = egpu_revoke(size);
		times[VFIO][REVOKE][i] = vfio_revoke(p, size);
	}
}

/* --- the table --- */

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double median(double *of, int rounds)
{
	qsort(of, rounds, sizeof(*of), compare);
	return rounds % 2 ? of[rounds / 2] :
			    (of[rounds / 2 - 1] + of[rounds / 2]) / 2;
}

static void row(uint64_t size, int rounds, int revokes)
{
	int what, n;

	printf("%8llu KiB", (unsigned long long)size >> 10);
	for (what = 0; what < ALL_WHAT; what++) {
		n = what == REVOKE ? revokes : rounds;
		printf(" %10.0f %10.0f", median(times[EGPU][what], n),
		       median(times[VFIO][what], n));
	}
	printf("  n=%d, %d\n", rounds, revokes);
	fflush(stdout);
}

static void measure(uint64_t size, int rounds)
{
	/* Filling a bo anew takes most of the time. */
	int revokes = size > BIG ? (rounds + 3) / 4 : rounds;
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

	if (p == MAP_FAILED)
		die("mmap", errno);
	map_and_unmap(p, size, rounds);
	take_away(p, size, revokes);
	munmap(p, size);
	row(size, rounds, revokes);
}

int main(int argc, char **argv)
{
	int rounds = argc > 3 ? atoi(argv[3]) : 20;
	unsigned int i;

	if (argc < 3)
		return 2;
	if (rounds < 1 || rounds > MAX_ROUNDS)
		rounds = MAX_ROUNDS;
	address = argv[1];
	group_path = argv[2];
	printf("%12s %21s %21s %21s\n", "", "map", "unmap", "revoke");
	printf("%12s", "us, median");
	for (i = 0; i < ALL_WHAT; i++)
		printf(" %10s %10s", "egpu", "vfio");
	putchar('\n');
	for (i = 0; i < ARRAY_SIZE(sizes); i++)
		measure(sizes[i], rounds);
	return 0;
}
