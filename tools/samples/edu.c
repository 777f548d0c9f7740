// SPDX-License-Identifier: GPL-2.0
/*
 * A driver in user space: QEMU's edu device copies memory to itself and back,
 * round after round, until it leaves. Then this ends, as a driver should.
 *
 *	egpuctl assign 0000:01:00.0 egpu --dma-bits 28
 *	edu 0000:01:00.0 [ROUNDS]
 *
 * Needs root: CAP_SYS_RAWIO for addresses, and the function's registers.
 */
#include <signal.h>
#include <time.h>

#include "sample.h"

#define SIZE		4096U
#define HALF		(SIZE / 2)
#define REGISTERS	0x100000U
/* QEMU's docs/specs/edu */
#define SOURCE		0x80
#define TARGET		0x88
#define COUNT		0x90
#define COMMAND		0x98
#define  RUN		1U
#define  TO_MEMORY	2U
#define BUFFER		0x40000U

static volatile uint8_t *registers;

/* The kernel takes the registers away with the function: zeros in their place. */
static void on_sigbus(int signal)
{
	(void)signal;
	if (mmap((void *)registers, REGISTERS, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == MAP_FAILED)
		_exit(1);
}

static void map_registers(const char *address)
{
	struct sigaction action = { .sa_handler = on_sigbus };
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/resource0",
		 address);
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		fail(path);
	registers = mmap(NULL, REGISTERS, PROT_READ | PROT_WRITE, MAP_SHARED,
			 fd, 0);
	if (registers == MAP_FAILED)
		fail(path);
	close(fd);
	sigaction(SIGBUS, &action, NULL);
}

static void write_register(uint32_t offset, uint64_t value)
{
	*(volatile uint64_t *)(registers + offset) = value;
}

/* Has it move HALF bytes, and waits a second at most: it may be gone. */
static void run(uint64_t source, uint64_t target, uint32_t command)
{
	static const struct timespec pause = { .tv_nsec = 10000000 };
	int i;

	write_register(SOURCE, source);
	write_register(TARGET, target);
	write_register(COUNT, HALF);
	write_register(COMMAND, command | RUN);
	for (i = 0; i < 100; i++) {
		if (!(*(volatile uint32_t *)(registers + COMMAND) & RUN))
			return;
		nanosleep(&pause, NULL);
	}
}

/* false: the function is not there any more, or not ours. */
static bool sync_bo(int fd, uint32_t handle, uint32_t direction)
{
	struct drm_egpu_bo_sync sync = { handle, direction };

	if (!drmIoctl(fd, DRM_IOCTL_EGPU_BO_SYNC, &sync))
		return true;
	if (errno != ENODEV)
		fail("BO_SYNC");
	return false;
}

/* The first half goes out, and comes back into the second. */
static bool copy(int fd, uint32_t handle, uint64_t at, uint8_t *memory,
		 int round)
{
	memset(memory, round, HALF);
	memset(memory + HALF, ~round, HALF);
	if (!sync_bo(fd, handle, DRM_EGPU_SYNC_TO_DEVICE))
		return false;
	run(at, BUFFER, 0);
	run(BUFFER, at + HALF, TO_MEMORY);
	if (!sync_bo(fd, handle, DRM_EGPU_SYNC_TO_CPU))
		return false;
	if (!memcmp(memory, memory + HALF, HALF))
		return true;
	/* it may have left while it wrote: the kernel knows that soon */
	sleep(1);
	if (!sync_bo(fd, handle, DRM_EGPU_SYNC_TO_CPU))
		return false;
	fprintf(stderr, "round %d: it wrote something else\n", round);
	exit(1);
}

int main(int argc, char **argv)
{
	int fd, round = 0, rounds = argc > 2 ? atoi(argv[2]) : 0;
	struct drm_egpu_segment segment;
	struct drm_egpu_bo_map map = {
		.count = 1, .segments = (uintptr_t)&segment,
	};
	uint8_t *memory;
	bool there;

	if (argc < 2) {
		fprintf(stderr, "usage: %s ADDRESS [ROUNDS]\n", argv[0]);
		return 2;
	}
	fd = open_node("egpu", argv[1]);
	if (fd < 0)
		fail("first: egpuctl assign ADDRESS egpu --dma-bits 28");
	memory = make_bo(fd, SIZE, &map.handle);
	if (drmIoctl(fd, DRM_IOCTL_EGPU_BO_MAP, &map))
		fail("BO_MAP");
	map_registers(argv[1]);
	do {
		there = copy(fd, map.handle, segment.address, memory, ++round);
	} while (there && round != rounds);
	printf(there ? "%d rounds, all right\n" :
		       "it left in round %d; the memory is still ours\n", round);
	memset(memory, 0, SIZE);
	munmap((void *)registers, REGISTERS);
	munmap(memory, SIZE);
	close(fd);
	return 0;
}
