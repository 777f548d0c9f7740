// SPDX-License-Identifier: GPL-2.0
/*
 * A client that draws: egpu_paint CARD RENDER makes a buffer on the card, hands
 * it to the render node as a dma-buf, and paints into its mapping. When the
 * GPU goes, ioctls have to say ENODEV ("gone"), while the mapping goes on
 * working; it paints on until SIGUSR1 makes it close everything, late.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>
#include <drm.h>
#include <drm_mode.h>

static volatile sig_atomic_t done;

static void on_signal(int nr)
{
	(void)nr;
	done = 1;
}

static int fail(const char *what)
{
	printf("failed %s: %s\n", what, strerror(errno));
	exit(1);
}

static uint32_t *picture(int card, int render, uint64_t *size)
{
	struct drm_mode_create_dumb create = {
		.width = 256, .height = 256, .bpp = 32,
	};
	struct drm_prime_handle prime = { .flags = DRM_CLOEXEC | DRM_RDWR };
	struct drm_mode_map_dumb map = { 0 };
	uint32_t *p;

	if (ioctl(card, DRM_IOCTL_MODE_CREATE_DUMB, &create))
		fail("CREATE_DUMB");
	map.handle = create.handle;
	prime.handle = create.handle;
	if (ioctl(card, DRM_IOCTL_MODE_MAP_DUMB, &map))
		fail("MAP_DUMB");
	if (ioctl(card, DRM_IOCTL_PRIME_HANDLE_TO_FD, &prime))
		fail("PRIME_HANDLE_TO_FD");
	if (ioctl(render, DRM_IOCTL_PRIME_FD_TO_HANDLE, &prime))
		fail("PRIME_FD_TO_HANDLE");
	p = mmap(NULL, create.size, PROT_READ | PROT_WRITE, MAP_SHARED, card,
		 map.offset);
	if (p == MAP_FAILED)
		fail("mmap");
	*size = create.size;
	return p;
}

/* Return: errno of a harmless ioctl, 0 while the GPU is there. */
static int ask(int fd)
{
	struct drm_get_cap cap = { .capability = DRM_CAP_PRIME };

	return ioctl(fd, DRM_IOCTL_GET_CAP, &cap) ? errno : 0;
}

int main(int argc, char **argv)
{
	int card = argc == 3 ? open(argv[1], O_RDWR) : -1;
	int render = card < 0 ? -1 : open(argv[2], O_RDWR);
	uint64_t size, i, frame = 0;
	int told = 0, err;
	uint32_t *p;

	if (render < 0)
		fail("open");
	setvbuf(stdout, NULL, _IOLBF, 0);
	signal(SIGUSR1, on_signal);
	p = picture(card, render, &size);
	puts("ready");
	while (!done) {
		frame++;
		for (i = 0; i < size / 4; i++)
			p[i] = frame + i;
		for (i = 0; i < size / 4; i++)
			if (p[i] != (uint32_t)(frame + i))
				fail("reading back");
		err = ask(card) ?: ask(render);
		if (err && err != ENODEV)
			fail("ask");
		if (err && !told++)
			puts("gone");
		usleep(20000);
	}
	munmap(p, size);
	close(render);
	close(card);
	printf("closed after %llu frames\n", (unsigned long long)frame);
	return 0;
}
