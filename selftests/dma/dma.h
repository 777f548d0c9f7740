/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the suite's programs share: bos of a managed function, QEMU's edu
 * device, and FUNCTION_MANAGE. Functions return 0 or a negative errno.
 */
#ifndef DMA_H
#define DMA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <drm.h>
#include <drm/egpu_drm.h>
#include <linux/egpu.h>

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))

/**
 * struct bo - a bo, and what a program has of it
 * @handle: 0: none
 * @size: bytes
 * @p: its mapping, or NULL
 * @segments: as told when it was mapped last; kept when it no longer is
 * @nr_segments: how many
 * @dmabuf: its dma-buf, or -1
 * @d: mapping of that, or NULL
 * @imported: handle that another driver gave it, or 0
 */
struct bo {
	uint32_t handle;
	uint64_t size;
	uint8_t *p;
	struct drm_egpu_segment *segments;
	uint32_t nr_segments;
	int dmabuf;
	uint8_t *d;
	uint32_t imported;
};

/* An ioctl that is begun again when a signal came; 0 or -errno. */
int call(int fd, unsigned long cmd, void *arg);
long long now_us(void);

/* bo.c; fd is the function's node */
int bo_create(int fd, struct bo *bo, uint64_t size, uint32_t flags);
int bo_close(int fd, struct bo *bo);
int bo_mmap(int fd, struct bo *bo);
int bo_map(int fd, struct bo *bo);
int bo_unmap(int fd, const struct bo *bo);
int bo_sync(int fd, const struct bo *bo, uint32_t direction);
int bo_info(int fd, const struct bo *bo, struct drm_egpu_bo_info *info);
int bo_export(int fd, struct bo *bo);
int bo_import(int fd, struct bo *bo);
/* What the function has to use for @at, and how far that goes; 0: nothing. */
uint64_t bo_address(const struct bo *bo, uint64_t at, uint64_t *length);

/* node_open() - a function's render node, by its PCI address */
int node_open(const char *address);
/* node_named() - the first node of a DRM driver */
int node_named(const char *driver);

/**
 * manage() - FUNCTION_MANAGE, and wait for its end
 * @address: of the function
 * @flags: EGPU_MANAGE_TAKE or EGPU_MANAGE_RETURN
 * @bits: address width
 *
 * Return: 0, what the ioctl or the transaction failed with.
 */
int manage(const char *address, uint32_t flags, uint32_t bits);
int address_parse(const char *text, uint32_t *domain, uint32_t *bus,
		  uint32_t *devfn);

/* edu.c */
#define EDU_MOST	4095	/* bytes a transfer */

/* edu_open() - its registers, which stay there when the kernel forgets it. */
int edu_open(const char *address);
/* It is done a tenth of a second later. */
void edu_start(uint64_t address, uint32_t at, uint32_t length, bool to_memory);
bool edu_is_busy(void);
int edu_wait(void);
/* edu_move() - between a bo and edu's buffer, in as many pieces as it takes */
int edu_move(const struct bo *bo, uint64_t at, uint64_t length,
	     bool to_memory);

#endif
