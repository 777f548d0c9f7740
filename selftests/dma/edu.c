// SPDX-License-Identifier: GPL-2.0
/*
 * QEMU's edu device: it moves up to 4095 bytes between memory and its buffer, a
 * tenth of a second after it was told (QEMU's docs/specs/edu). See dma.h.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "dma.h"

#define EDU_SIZE	0x100000
#define EDU_ID		0x00
#define EDU_SOURCE	0x80
#define EDU_TARGET	0x88
#define EDU_COUNT	0x90
#define EDU_COMMAND	0x98
#define  EDU_RUN	1
#define  EDU_TO_MEMORY	2
#define EDU_BUFFER	0x40000

static volatile uint8_t *edu;

static void edu_put(uint32_t reg, uint64_t value)
{
	*(volatile uint64_t *)(edu + reg) = value;
}

static uint64_t edu_begin(const char *address)
{
	unsigned long long begin = 0;
	char path[128];
	FILE *f;

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/resource",
		 address);
	f = fopen(path, "r");
	if (!f)
		return 0;
	if (fscanf(f, "%llx", &begin) != 1)
		begin = 0;
	fclose(f);
	return begin;
}

int edu_open(const char *address)
{
	uint64_t begin = edu_begin(address);
	int fd = open("/dev/mem", O_RDWR | O_SYNC | O_CLOEXEC);
	void *p;

	if (fd < 0)
		return -errno;
	if (!begin)
		return -ENODEV;
	p = mmap(NULL, EDU_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, begin);
	close(fd);
	if (p == MAP_FAILED)
		return -errno;
	edu = p;
	return (*(volatile uint32_t *)(edu + EDU_ID) & 0xff) == 0xed ? 0 :
								       -ENXIO;
}

void edu_start(uint64_t address, uint32_t at, uint32_t length, bool to_memory)
{
	edu_put(EDU_SOURCE, to_memory ? EDU_BUFFER + at : address);
	edu_put(EDU_TARGET, to_memory ? address : EDU_BUFFER + at);
	edu_put(EDU_COUNT, length);
	edu_put(EDU_COMMAND, EDU_RUN | (to_memory ? EDU_TO_MEMORY : 0));
}

bool edu_is_busy(void)
{
	return *(volatile uint64_t *)(edu + EDU_COMMAND) & EDU_RUN;
}

int edu_wait(void)
{
	const char *slow = getenv("VM_SLOW");
	int tries = 10000 * (slow && *slow ? atoi(slow) : 1);

	while (edu_is_busy()) {
		if (!tries--)
			return -ETIMEDOUT;
		usleep(500);
	}
	return 0;
}

int edu_move(const struct bo *bo, uint64_t at, uint64_t length, bool to_memory)
{
	uint64_t address, piece, done = 0;
	int ret;

	if (length > EDU_MOST || !edu)
		return -EINVAL;
	while (done < length) {
		address = bo_address(bo, at + done, &piece);
		if (!piece)
			return -ERANGE;
		if (piece > length - done)
			piece = length - done;
		edu_start(address, done, piece, to_memory);
		ret = edu_wait();
		if (ret)
			return ret;
		done += piece;
	}
	return 0;
}
