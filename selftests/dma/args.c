// SPDX-License-Identifier: GPL-2.0
/*
 * egpu_dma_args ADDRESS [unsafe]: every ioctl of a managed function's node with
 * what is wrong, and then with random arguments. Prints a line for each thing
 * that is not as it should be; exits 1 when there was one.
 */
#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "dma.h"

#define PAGE	4096UL
#define RANDOMS	20000

static int node, failures;
static struct bo bo;

__attribute__((format(printf, 3, 4)))
static void expect(int got, int want, const char *fmt, ...)
{
	va_list ap;

	if (got == -want)
		return;
	failures++;
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	printf(": %s, not %s\n", got ? strerrorname_np(-got) : "0",
	       want ? strerrorname_np(want) : "0");
}

struct bo_ioctl {
	const char *name;
	unsigned long cmd;
	uint32_t size;
	bool has_handle;
};

#define BO(name, type, has_handle) { #name, DRM_IOCTL_EGPU_BO_##name,	\
	sizeof(struct drm_egpu_bo_##type), has_handle }

static const struct bo_ioctl ioctls[] = {
	BO(CREATE, create, false), BO(MMAP, mmap, true),
	BO(INFO, info, true), BO(MAP, map, true), BO(UNMAP, unmap, true),
	BO(SYNC, sync, true),
};

/* The handle comes first in all that have one. */
static void fill(const struct bo_ioctl *i, void *arg)
{
	struct drm_egpu_bo_create create = { .size = PAGE };

	memset(arg, 0, 256);
	if (i->has_handle)
		memcpy(arg, &bo.handle, sizeof(bo.handle));
	else
		memcpy(arg, &create, sizeof(create));
}

static void drop(const struct bo_ioctl *i, const void *arg)
{
	struct drm_egpu_bo_create create;
	struct bo made;

	memcpy(&create, arg, sizeof(create));
	made.handle = create.handle;
	if (!i->has_handle)
		bo_close(node, &made);
}

/* DRM takes any size that the number says, and fills with zeros or cuts. */
static void test_sizes(void)
{
	const struct bo_ioctl *i;
	uint8_t arg[256];
	uint32_t size;
	int ret;

	for (i = ioctls; i < ioctls + ARRAY_SIZE(ioctls); i++) {
		for (size = 0; size <= 128; size++) {
			bo_map(node, &bo);
			fill(i, arg);
			memset(arg + i->size, 0xff, sizeof(arg) - i->size);
			ret = call(node, _IOC(_IOC_DIR(i->cmd), 'd',
					      _IOC_NR(i->cmd), size), arg);
			if (size >= i->size)
				expect(ret, 0, "%s of %u bytes", i->name, size);
			else if (ret && ret != -EINVAL && ret != -ENOENT)
				expect(ret, EINVAL, "%s of %u bytes", i->name,
				       size);
			if (!ret && size >= i->size)
				drop(i, arg);
		}
		ret = call(node, _IOC(_IOC_DIR(i->cmd), 'd', _IOC_NR(i->cmd),
				      0x3fff), (void *)(8 * PAGE));
		expect(ret, EFAULT, "%s of 16383 bytes nowhere", i->name);
	}
}

static void test_addresses(void)
{
	void *bad[] = { NULL, (void *)1, (void *)~0UL, (void *)(1UL << 63) };
	const struct bo_ioctl *i;
	unsigned int k;

	for (i = ioctls; i < ioctls + ARRAY_SIZE(ioctls); i++)
		for (k = 0; k < ARRAY_SIZE(bad); k++)
			expect(call(node, i->cmd, bad[k]), EFAULT, "%s at %p",
			       i->name, bad[k]);
}

static void test_handles(void)
{
	static const uint32_t handles[] = { 0, 7777, 0x12345, 0x7fffffff, ~0U };
	const struct bo_ioctl *i;
	uint8_t arg[256];
	unsigned int k;

	for (i = ioctls; i < ioctls + ARRAY_SIZE(ioctls); i++)
		for (k = 0; i->has_handle && k < ARRAY_SIZE(handles); k++) {
			fill(i, arg);
			memcpy(arg, &handles[k], 4);
			expect(call(node, i->cmd, arg), ENOENT, "%s of %#x",
			       i->name, handles[k]);
		}
}

static void test_reserved(void)
{
	int bit;

	for (bit = 0; bit < 32; bit++) {
		struct drm_egpu_bo_mmap m = { bo.handle, 1U << bit, 0 };
		struct drm_egpu_bo_unmap u = { bo.handle, 1U << bit };
		struct drm_egpu_bo_sync s = { bo.handle, 1U << bit };
		struct drm_egpu_bo_create c = { PAGE, 1U << bit, 0 };

		expect(call(node, DRM_IOCTL_EGPU_BO_MMAP, &m), EINVAL,
		       "MMAP, reserved bit %d", bit);
		expect(call(node, DRM_IOCTL_EGPU_BO_UNMAP, &u), EINVAL,
		       "UNMAP, reserved bit %d", bit);
		/* Not mapped, so it is EINVAL in either direction. */
		expect(call(node, DRM_IOCTL_EGPU_BO_SYNC, &s), EINVAL,
		       "SYNC, direction %#x", 1U << bit);
		if (bit)
			expect(call(node, DRM_IOCTL_EGPU_BO_CREATE, &c),
			       EINVAL, "CREATE, flag bit %d", bit);
	}
}

/* None of them may bring the machine to its knees. */
static void test_huge(void)
{
	static const struct {
		uint64_t size;
		int want;
	} cases[] = {
		{ 0, EINVAL }, { ~0ULL, EINVAL }, { ~0ULL - 4095, EINVAL },
		{ 1ULL << 63, EINVAL }, { (1ULL << 39) + 1, EINVAL },
		{ 1ULL << 40, EINVAL }, { 1ULL << 39, ENOMEM },
		{ (1ULL << 32) + 1, ENOMEM },
	};
	unsigned int i;
	struct bo big;

	for (i = 0; i < ARRAY_SIZE(cases); i++)
		expect(bo_create(node, &big, cases[i].size, 0), cases[i].want,
		       "CREATE of %#llx bytes",
		       (unsigned long long)cases[i].size);
}

static void test_rounding(void)
{
	static const uint64_t sizes[] = { 1, 4095, 4096, 4097, 65537 };
	unsigned int i;
	struct bo small;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		expect(bo_create(node, &small, sizes[i], 0), 0, "CREATE of %u",
		       (unsigned int)sizes[i]);
		if (small.size != (sizes[i] + PAGE - 1) / PAGE * PAGE)
			expect(-ERANGE, 0, "%u became %u",
			       (unsigned int)sizes[i],
			       (unsigned int)small.size);
		bo_close(node, &small);
	}
}

static int map_to(uint64_t segments, uint32_t count, uint32_t *told)
{
	struct drm_egpu_bo_map map = {
		.handle = bo.handle, .count = count, .segments = segments,
	};
	int ret = call(node, DRM_IOCTL_EGPU_BO_MAP, &map);

	*told = map.count;
	return ret;
}

/*
 * Where segments go. An array that cannot be written: the bo is mapped only if
 * it was before.
 */
static void test_segments(void)
{
	static const uint64_t bad[] = { 0, 1, ~0ULL, 1ULL << 63, 8 * PAGE };
	char *p = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct drm_egpu_bo_info info;
	uint32_t count, again;
	unsigned int i;

	munmap(p + PAGE, PAGE);
	for (i = 0; i < ARRAY_SIZE(bad); i++)
		expect(map_to(bad[i], 1, &count), EFAULT, "MAP to %#llx",
		       (unsigned long long)bad[i]);
	expect(bo_info(node, &bo, &info), 0, "INFO");
	if (info.flags & DRM_EGPU_BO_MAPPED)
		expect(-EINVAL, 0, "not mapped after EFAULT");
	expect(map_to(0, 0, &count), 0, "MAP, for the count");
	expect(map_to((uintptr_t)p + PAGE - 8, 1, &again), EFAULT,
	       "MAP half across the end of memory");
	memset(p, 0x77, PAGE);
	expect(map_to((uintptr_t)p + PAGE - count * 16, ~0U, &again), 0,
	       "MAP with room for more than there is");
	if (again != count || p[PAGE - count * 16 - 1] != 0x77)
		expect(-ERANGE, 0, "%u segments, then %u", count, again);
	mprotect(p, PAGE, PROT_READ);
	expect(map_to((uintptr_t)p, 1, &again), EFAULT, "MAP, read-only");
	munmap(p, PAGE);
	expect(bo_info(node, &bo, &info), 0, "INFO");
	if (!(info.flags & DRM_EGPU_BO_MAPPED))
		expect(-EINVAL, 0, "mapped still after EFAULT");
	expect(bo_unmap(node, &bo), 0, "UNMAP");
	expect(bo_unmap(node, &bo), 0, "UNMAP once more");
	expect(bo_sync(node, &bo, 0), EINVAL, "SYNC of what is not mapped");
}

static void test_prime(void)
{
	struct drm_prime_handle prime = { .handle = 99, .flags = 0 };
	struct drm_prime_handle bad = { .handle = bo.handle, .flags = 1 << 5 };
	struct drm_prime_handle in = { .fd = 0 };

	expect(call(node, DRM_IOCTL_PRIME_HANDLE_TO_FD, &prime), ENOENT,
	       "export of no handle");
	expect(call(node, DRM_IOCTL_PRIME_HANDLE_TO_FD, &bad), EINVAL,
	       "export with an unknown flag");
	expect(call(node, DRM_IOCTL_PRIME_FD_TO_HANDLE, &in), EINVAL,
	       "import of what is no dma-buf");
}

/* Numbers beyond ours, and those of the primary node only. */
static void test_numbers(void)
{
	uint8_t arg[256] = "";
	int nr, ret;

	for (nr = DRM_COMMAND_BASE + 6; nr < DRM_COMMAND_END; nr++) {
		ret = call(node, _IOC(_IOC_READ | _IOC_WRITE, 'd', nr, 16), arg);
		expect(ret, EINVAL, "number %#x", nr);
	}
}

/* Sizes stay small, so that memory does; what comes out is closed. */
static void test_random(void)
{
	struct drm_gem_close close_arg = { 0 };
	const struct bo_ioctl *i;
	uint32_t arg[64], k;
	int n, ret;

	srandom(getpid());
	for (n = 0; n < RANDOMS; n++) {
		i = &ioctls[random() % ARRAY_SIZE(ioctls)];
		fill(i, arg);
		for (k = 0; k < i->size / 4; k++)
			if (random() & 1)
				arg[k] = random() & 1 ? random() : random() % 8;
		if (!i->has_handle) {
			arg[0] %= 1 << 20;
			arg[1] &= 3 << 30;
		}
		ret = ioctl(node, i->cmd, arg);
		close_arg.handle = arg[3];
		if (!ret && !i->has_handle)
			ioctl(node, DRM_IOCTL_GEM_CLOSE, &close_arg);
	}
}

int main(int argc, char **argv)
{
	struct drm_egpu_bo_info info;

	node = argc > 1 ? node_open(argv[1]) : -EINVAL;
	if (node < 0 || bo_create(node, &bo, 4 * PAGE, 0)) {
		printf("no node, or no bo: %s\n", strerror(-node));
		return 1;
	}
	test_sizes();
	bo_unmap(node, &bo);
	test_addresses();
	test_handles();
	test_reserved();
	test_huge();
	test_rounding();
	test_segments();
	test_prime();
	test_numbers();
	test_random();
	expect(bo_info(node, &bo, &info), 0, "INFO in the end");
	return !!failures;
}
