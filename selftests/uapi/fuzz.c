// SPDX-License-Identifier: GPL-2.0
/*
 * Random arguments from a seed that is printed: nothing crashes, nobody
 * without privilege changes anything, and what fails has no effect.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "fuzz.h"
#include "uapi.h"

#define ARRAY_BYTES	65536

unsigned int fuzz_seed = 1;
unsigned int fuzz_seconds = 3;

static unsigned int state;

static unsigned int rnd(unsigned int below)
{
	return (unsigned int)rand_r(&state) % below;
}

static uint32_t rnd32(void)
{
	return (uint32_t)rand_r(&state) << 16 ^ (uint32_t)rand_r(&state);
}

/* What tends to matter, more often than what does not. */
static uint64_t rnd_value(void)
{
	switch (rnd(8)) {
	case 0:
		return 0;
	case 1:
		return su.port;
	case 2:
		return rnd(64);
	case 3:
		return 1ULL << rnd(64);
	case 4:
		return ~0ULL >> rnd(64);
	case 5:
		return (uint64_t)rnd32() << 32 | rnd32();
	default:
		return rnd32();
	}
}

/* Never where this program's own memory is: the kernel writes there. */
static uint64_t rnd_address(char *array)
{
	switch (rnd(6)) {
	case 0:
		return rnd(4096);
	case 1:
		return (uintptr_t)bad_address() + rnd(8192);
	case 2:
		return ~0ULL << (48 + rnd(16)) | rnd32();
	default:
		return (uintptr_t)array + rnd(ARRAY_BYTES);
	}
}

static void rnd_struct(const struct ioctl_info *info, char *image, char *array)
{
	unsigned int i, n = rnd(4);
	uint32_t size = info->size;
	uint64_t v;

	for (i = 0; i < MAX_ARG; i++)
		image[i] = rnd(3) ? 0 : rnd32();
	/* The array's address is the last field of those that have one. */
	v = rnd_address(array);
	if (info->fields[info->nr_fields - 1].kind == FIELD_ADDRESS)
		memcpy(image + info->size - sizeof(v), &v, sizeof(v));
	if (rnd(8))
		info->fill(image);
	for (i = 0; i < n; i++) {
		const struct field *f = &info->fields[rnd(info->nr_fields)];

		v = f->kind == FIELD_ADDRESS ? rnd_address(array) : rnd_value();
		memcpy(image + f->offset, &v,
		       f->length < sizeof(v) ? f->length : sizeof(v));
	}
	/* A real one could not be undone: QEMU takes the card away. */
	if (info->cmd == EGPU_IOC_DETACH)
		image[offsetof(struct egpu_detach, flags)] |= EGPU_DETACH_CHECK;
	if (!rnd(6))
		size = rnd(MAX_ARG);
	memcpy(image, &size, sizeof(size));
}

static bool time_is_over(time_t end)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec >= end;
}

static time_t end_of_time(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec + fuzz_seconds;
}

static int fuzz(bool privileged)
{
	unsigned long calls = 0, good = 0;
	int fd = dev_open(O_RDWR | O_NONBLOCK), err;
	char *array = guard_alloc(ARRAY_BYTES);
	static char image[MAX_ARG];
	const struct ioctl_info *info;
	time_t end = end_of_time();
	unsigned int cmd;

	while (calls % 64 || !time_is_over(end)) {
		info = &ioctl_table[rnd(nr_ioctls)];
		cmd = rnd(32) ? info->cmd : _IO(EGPU_IOC_TYPE, rnd(256));
		if (!rnd(64))
			cmd = rnd32();
		/* These would run into the kernel's generic file calls. */
		if (_IOC_TYPE(cmd) != EGPU_IOC_TYPE)
			cmd = info->cmd;
		rnd_struct(info, image, array);
		err = dev_call(fd, cmd, image);
		calls++;
		good += !err;
		if (!privileged && info->mutates && cmd == info->cmd)
			EXPECT_ERR(err, EPERM, "%s", info->name);
		EXPECT(err != EIO && err != ENOMEM && err != EINTR,
		       "%s: %s", info->name, err_name(err));
		if (!rnd(16))
			while (read(fd, array, ARRAY_BYTES) > 0)
				;
		if (!rnd(1024)) {
			close(fd);
			fd = dev_open(O_RDWR | O_NONBLOCK);
		}
	}
	printf("# seed %u: %lu calls, %lu without an error\n", fuzz_seed,
	       calls, good);
	close(fd);
	return test_result();
}

static int fuzz_nobody(void *arg)
{
	(void)arg;
	state = fuzz_seed;
	return fuzz(false);
}

static int test_fuzz_nobody(const void *arg)
{
	struct egpu_port_info before = dev_snapshot(su.port), now;
	int result;

	(void)arg;
	result = run_as(become_nobody, fuzz_nobody, NULL);
	now = dev_snapshot(su.port);
	EXPECT_SAME(&before, &now, "the port changed");
	return result ? result : test_result();
}

static int test_fuzz_root(const void *arg)
{
	int result;

	(void)arg;
	state = fuzz_seed + 1;
	result = fuzz(true);
	EXPECT(dev_restore(), "the port did not come back");
	return result ? result : test_result();
}

void fuzz_tests(void)
{
	test_add("fuzz", "random arguments without privilege",
		 "no crash, EPERM for what mutates, the port as before", 0,
		 test_fuzz_nobody, NULL);
	test_add("fuzz", "random arguments as root",
		 "no crash, and the port can be brought back", 0,
		 test_fuzz_root, NULL);
}
