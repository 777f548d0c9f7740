// SPDX-License-Identifier: GPL-2.0
/*
 * sim_client CARD: a client of a simulated GPU that stays while the GPU
 * goes. It makes a buffer, maps it, exports it as dma-buf and maps that, too;
 * says "ready"; then, for each line that it reads, tells how things are:
 *
 *	memory ok	both mappings have what was written, and take more
 *	new ok		another buffer can be made, or the error's name
 *	import ok	the dma-buf can be imported, or the error's name
 *
 * and ends at end of file.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>
#include <drm.h>
#include <drm_mode.h>

#define SIZE	(64 * 64 * 4)

static volatile uint32_t *map, *shared;
static int card, dmabuf;

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static int make(struct drm_mode_create_dumb *dumb)
{
	*dumb = (struct drm_mode_create_dumb) {
		.width = 64, .height = 64, .bpp = 32,
	};
	return ioctl(card, DRM_IOCTL_MODE_CREATE_DUMB, dumb);
}

static void set_up(const char *node)
{
	struct drm_prime_handle prime = { .flags = DRM_CLOEXEC | DRM_RDWR };
	struct drm_mode_map_dumb offset = { 0 };
	struct drm_mode_create_dumb dumb;

	card = open(node, O_RDWR | O_CLOEXEC);
	if (card < 0)
		die(node);
	if (make(&dumb))
		die("create");
	offset.handle = dumb.handle;
	if (ioctl(card, DRM_IOCTL_MODE_MAP_DUMB, &offset))
		die("offset");
	map = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, card,
		   offset.offset);
	if (map == MAP_FAILED)
		die("mmap");
	prime.handle = dumb.handle;
	if (ioctl(card, DRM_IOCTL_PRIME_HANDLE_TO_FD, &prime))
		die("export");
	dmabuf = prime.fd;
	shared = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, dmabuf,
		      0);
	if (shared == MAP_FAILED)
		die("mmap of the dma-buf");
}

static void paint(uint32_t frame)
{
	for (uint32_t i = 0; i < SIZE / 4; i++)
		map[i] = frame ^ i;
}

static const char *memory(uint32_t frame)
{
	for (uint32_t i = 0; i < SIZE / 4; i++) {
		if (shared[i] != (frame ^ i))
			return "differs";
	}
	return "ok";
}

static const char *result(int ret)
{
	return ret ? strerrorname_np(errno) : "ok";
}

static void tell(uint32_t frame)
{
	struct drm_prime_handle prime = { .fd = dmabuf };
	struct drm_mode_create_dumb dumb;

	printf("memory %s\n", memory(frame));
	printf("new %s\n", result(make(&dumb)));
	printf("import %s\n",
	       result(ioctl(card, DRM_IOCTL_PRIME_FD_TO_HANDLE, &prime)));
	puts("told");
	fflush(stdout);
}

int main(int argc, char **argv)
{
	uint32_t frame = 1;
	char line[64];

	if (argc != 2)
		return 2;
	set_up(argv[1]);
	paint(frame);
	puts("ready");
	fflush(stdout);
	while (fgets(line, sizeof(line), stdin)) {
		tell(frame);
		paint(++frame);
	}
	return 0;
}
