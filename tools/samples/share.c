// SPDX-License-Identifier: GPL-2.0
/*
 * Memory that two DRM drivers have: a bo of a function that was given to egpu is
 * exported as dma-buf and imported by another driver. It outlives the function:
 * when that leaves, the other driver goes on with the same memory.
 *
 *	egpuctl assign 0000:01:00.0 egpu
 *	share 0000:01:00.0 vgem [SECONDS]
 */
#include <linux/dma-buf.h>
#include <sys/ioctl.h>
#include <time.h>

#include "sample.h"

#define SIZE	(1024U * 1024U)

static void begin(int dmabuf, uint64_t flags)
{
	struct dma_buf_sync sync = { DMA_BUF_SYNC_START | flags };

	if (drmIoctl(dmabuf, DMA_BUF_IOCTL_SYNC, &sync))
		fail("DMA_BUF_IOCTL_SYNC");
}

static void end(int dmabuf, uint64_t flags)
{
	struct dma_buf_sync sync = { DMA_BUF_SYNC_END | flags };

	if (drmIoctl(dmabuf, DMA_BUF_IOCTL_SYNC, &sync))
		fail("DMA_BUF_IOCTL_SYNC");
}

/* Return: whether the function is there; *importers then is valid. */
static bool look(int fd, uint32_t handle, uint32_t *importers)
{
	struct drm_egpu_bo_info info = { .handle = handle };

	if (drmIoctl(fd, DRM_IOCTL_EGPU_BO_INFO, &info)) {
		if (errno != ENODEV)
			fail("BO_INFO");
		return false;
	}
	*importers = info.importers;
	return true;
}

static void wait_until_gone(int fd, uint32_t handle, int seconds)
{
	static const struct timespec pause = { .tv_nsec = 100000000 };
	int left = seconds * 10;
	uint32_t importers;

	while (look(fd, handle, &importers) && (!seconds || left--))
		nanosleep(&pause, NULL);
}

/* The other driver's own way to the memory: what it imported, exported again. */
static void check(int other, uint32_t imported, const uint8_t *ours)
{
	uint8_t *theirs;
	int dmabuf;

	if (drmPrimeHandleToFD(other, imported, DRM_CLOEXEC | DRM_RDWR,
			       &dmabuf))
		fail("export by the other driver");
	theirs = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, dmabuf,
		      0);
	if (theirs == MAP_FAILED)
		fail("mmap of the dma-buf");
	begin(dmabuf, DMA_BUF_SYNC_RW);
	if (memcmp(theirs, ours, SIZE)) {
		fputs("the other driver has other memory\n", stderr);
		exit(1);
	}
	memset(theirs, theirs[0] + 1, SIZE);
	end(dmabuf, DMA_BUF_SYNC_RW);
	munmap(theirs, SIZE);
	close(dmabuf);
}

int main(int argc, char **argv)
{
	uint32_t handle, imported, importers = 0;
	int fd, other, dmabuf;
	uint8_t *memory;

	if (argc < 3) {
		fprintf(stderr, "usage: %s ADDRESS DRIVER [SECONDS]\n",
			argv[0]);
		return 2;
	}
	fd = open_node("egpu", argv[1]);
	other = open_node(argv[2], NULL);
	if (fd < 0 || other < 0)
		fail(fd < 0 ? "first: egpuctl assign ADDRESS egpu" : argv[2]);
	memory = make_bo(fd, SIZE, &handle);
	memset(memory, 1, SIZE);
	if (drmPrimeHandleToFD(fd, handle, DRM_CLOEXEC | DRM_RDWR, &dmabuf))
		fail("export");
	if (drmPrimeFDToHandle(other, dmabuf, &imported))
		fail("import");
	close(dmabuf);
	check(other, imported, memory);
	look(fd, handle, &importers);
	printf("shared with %s, %u importer\n", argv[2], importers);
	fflush(stdout);
	wait_until_gone(fd, handle, argc > 3 ? atoi(argv[3]) : 0);
	printf("%s; ", look(fd, handle, &importers) ? "it stayed" : "it left");
	close(fd);
	check(other, imported, memory);
	printf("%s goes on with its memory\n", argv[2]);
	drmCloseBufferHandle(other, imported);
	munmap(memory, SIZE);
	close(other);
	return 0;
}
