/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * The DRM device of a function that EGPU_IOC_FUNCTION_MANAGE gave to egpu:
 * host memory that the function may reach, and can reach no longer when it
 * leaves.
 */
#ifndef _UAPI_EGPU_DRM_H
#define _UAPI_EGPU_DRM_H

#include <drm.h>

/**
 * DOC: Buffer objects
 *
 * A bo is host memory: pages that are pinned, and charged to the user who made
 * it (RLIMIT_MEMLOCK; nothing is charged to who has CAP_IPC_LOCK), until its
 * last handle, mapping and dma-buf are gone, also when the function is gone
 * before: handles go with the file. It is mapped for the function as one list
 * of segments. GEM_CLOSE closes a handle;
 * PRIME_HANDLE_TO_FD exports a bo as dma-buf, for other DRM drivers; there is no
 * import.
 *
 * When the function leaves (detach, surprise removal, FUNCTION_MANAGE), all of
 * its mappings are taken away first. Behind an IOMMU with translation the
 * function cannot reach the memory from then on. Without, bus mastering is
 * switched off and outstanding transactions are awaited (PCIe 6.0.1 section
 * 7.5.3.5); a function that ignores that reaches memory that is someone else's.
 * So mapping without translation needs the module parameter unsafe_dma.
 *
 * Afterwards ioctls give ENODEV, GEM_CLOSE as well: close the file. Memory that
 * is mapped by processes, or imported by others, stays theirs.
 */

#define DRM_EGPU_BO_CREATE	0x00
#define DRM_EGPU_BO_MMAP	0x01
#define DRM_EGPU_BO_INFO	0x02
#define DRM_EGPU_BO_MAP		0x03
#define DRM_EGPU_BO_UNMAP	0x04
#define DRM_EGPU_BO_SYNC	0x05

/*
 * drm_egpu_bo_create.flags: CPU and function see each other's writes without
 * BO_SYNC, as descriptor rings need it. BO_MAP is EOPNOTSUPP where it would not
 * be so (bounce buffers, platforms without cache snooping).
 */
#define DRM_EGPU_BO_COHERENT	(1U << 0)

/**
 * struct drm_egpu_bo_create - make a bo
 * @size: in: bytes, more than 0; out: rounded up to whole pages
 * @flags: 0 or DRM_EGPU_BO_COHERENT
 * @handle: out: GEM handle
 *
 * Errors: EINVAL, ENODEV, ENOMEM: no memory, or RLIMIT_MEMLOCK is exceeded.
 */
struct drm_egpu_bo_create {
	__u64 size;
	__u32 flags;
	__u32 handle;
};

/**
 * struct drm_egpu_bo_mmap - where to mmap() a bo
 * @handle: GEM handle
 * @reserved: must be 0
 * @offset: out: offset for mmap() of the node
 *
 * Errors: EINVAL, ENOENT no such handle, ENODEV.
 */
struct drm_egpu_bo_mmap {
	__u32 handle;
	__u32 reserved;
	__u64 offset;
};

/* drm_egpu_bo_info.flags, besides DRM_EGPU_BO_COHERENT */
#define DRM_EGPU_BO_MAPPED	(1U << 1) /* for the function */
#define DRM_EGPU_BO_BOUNCED	(1U << 2) /* BO_SYNC is needed */

/* drm_egpu_bo_info.revocation: what keeps the function off after BO_UNMAP. */
#define DRM_EGPU_REVOKE_NONE		0 /* nothing is known of it yet */
#define DRM_EGPU_REVOKE_IOMMU		1 /* translation is taken away */
#define DRM_EGPU_REVOKE_BUSMASTER	2 /* bus mastering, if it obeys */

/**
 * struct drm_egpu_bo_info - what a bo is
 * @handle: GEM handle
 * @flags: out: DRM_EGPU_BO_*
 * @size: out: bytes
 * @segments: out: of its mapping, 0: not mapped
 * @revocation: out: DRM_EGPU_REVOKE_*
 * @charged: out: bytes charged to the user who made it
 * @importers: out: devices that its dma-buf is attached to
 * @dma_bits: out: address width of the function
 *
 * Errors: ENOENT no such handle, ENODEV.
 */
struct drm_egpu_bo_info {
	__u32 handle;
	__u32 flags;
	__u64 size;
	__u32 segments;
	__u32 revocation;
	__u64 charged;
	__u32 importers;
	__u32 dma_bits;
};

/**
 * struct drm_egpu_segment - a piece of a mapping
 * @address: what the function has to use
 * @length: bytes
 */
struct drm_egpu_segment {
	__u64 address;
	__u64 length;
};

/**
 * struct drm_egpu_bo_map - map a bo for the function
 * @handle: GEM handle
 * @count: in: room in @segments; out: how many there are
 * @segments: address of an array of struct drm_egpu_segment; may be 0 when
 *	@count is 0
 *
 * Mapping it again tells the same segments. What does not fit is not told, and
 * mapped all the same. Needs CAP_SYS_RAWIO.
 *
 * Errors: EPERM privilege, or no translation and no unsafe_dma, or the kernel
 * is locked down; EFAULT, ENOENT, ENODEV, ENOMEM; EOPNOTSUPP not coherent; EIO
 * the function cannot reach so much or so high.
 */
struct drm_egpu_bo_map {
	__u32 handle;
	__u32 count;
	__u64 segments;
};

/**
 * struct drm_egpu_bo_unmap - take a bo's mapping away
 * @handle: GEM handle
 * @reserved: must be 0
 *
 * When it returns, the function reaches the memory no longer. Without
 * translation its bus mastering pauses for that. Nothing to do when it is not
 * mapped. Needs CAP_SYS_RAWIO.
 *
 * Errors: EINVAL, EPERM, ENOENT, ENODEV.
 */
struct drm_egpu_bo_unmap {
	__u32 handle;
	__u32 reserved;
};

#define DRM_EGPU_SYNC_TO_CPU	0 /* see what the function wrote */
#define DRM_EGPU_SYNC_TO_DEVICE	1 /* let the function see what was written */

/**
 * struct drm_egpu_bo_sync - hand a mapped bo over
 * @handle: GEM handle
 * @direction: DRM_EGPU_SYNC_*
 *
 * Errors: EINVAL a wrong direction, or it is not mapped; ENOENT, ENODEV.
 */
struct drm_egpu_bo_sync {
	__u32 handle;
	__u32 direction;
};

#define DRM_IOCTL_EGPU_BO_CREATE \
	DRM_IOWR(DRM_COMMAND_BASE + DRM_EGPU_BO_CREATE, \
		 struct drm_egpu_bo_create)
#define DRM_IOCTL_EGPU_BO_MMAP \
	DRM_IOWR(DRM_COMMAND_BASE + DRM_EGPU_BO_MMAP, struct drm_egpu_bo_mmap)
#define DRM_IOCTL_EGPU_BO_INFO \
	DRM_IOWR(DRM_COMMAND_BASE + DRM_EGPU_BO_INFO, struct drm_egpu_bo_info)
#define DRM_IOCTL_EGPU_BO_MAP \
	DRM_IOWR(DRM_COMMAND_BASE + DRM_EGPU_BO_MAP, struct drm_egpu_bo_map)
#define DRM_IOCTL_EGPU_BO_UNMAP \
	DRM_IOW(DRM_COMMAND_BASE + DRM_EGPU_BO_UNMAP, struct drm_egpu_bo_unmap)
#define DRM_IOCTL_EGPU_BO_SYNC \
	DRM_IOW(DRM_COMMAND_BASE + DRM_EGPU_BO_SYNC, struct drm_egpu_bo_sync)

#endif /* _UAPI_EGPU_DRM_H */
