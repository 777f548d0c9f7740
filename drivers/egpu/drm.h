/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The DRM device of a managed function, and its buffer objects: what drm.c and
 * bo.c share.
 */
#ifndef EGPU_DRM_H
#define EGPU_DRM_H

#include <linux/mutex.h>
#include <linux/pci.h>

#include <drm/drm_device.h>
#include <drm/drm_file.h>
#include <drm/drm_gem_shmem_helper.h>
#include <drm/egpu_drm.h>

/**
 * struct egpu_managed - a function that is given to egpu
 * @drm: lives until the last file and dma-buf are closed
 * @pdev: the function; to be touched only while @gone is false, under @lock
 * @domain: its IOMMU domain when that translates, else NULL; as long as @pdev
 * @bits: address width of its DMA
 * @lock: protects all that follows, and the mappings of all bos. Taken under
 *	the function's device_lock; a bo's reservation is taken under it
 * @gone: remove() has taken everything away
 * @bos: all that are there
 * @mapped: how many are mapped
 * @bo_bytes: of all bos; atomic, as what follows, so that telling never waits
 * @mapped_bytes: of those that are mapped
 * @mapped_segments: in so many segments
 */
struct egpu_managed {
	struct drm_device drm;
	struct pci_dev *pdev;
	struct iommu_domain *domain;
	u32 bits;
	struct mutex lock;	/* @gone, @bos, @mapped, all mappings */
	bool gone;
	struct list_head bos;
	u32 mapped;
	atomic64_t bo_bytes;
	atomic64_t mapped_bytes;
	atomic64_t mapped_segments;
};

/**
 * struct egpu_bo - host memory that a managed function may reach
 * @shmem: the pages
 * @node: in egpu_managed.bos; empty: it was never finished
 * @flags: DRM_EGPU_BO_COHERENT
 * @pinned: its pages are pinned and charged
 * @payer: to whom; NULL: to nobody
 * @mapping: NULL: not mapped
 * @segments: of it; read without the lock, too
 * @bounced: CPU and function do not see the same without being told
 *
 * @pinned and @payer change when it is made and when it is freed, @flags never;
 * all else but @shmem is protected by egpu_managed.lock.
 */
struct egpu_bo {
	struct drm_gem_shmem_object shmem;
	struct list_head node;
	u32 flags;
	bool pinned;
	struct user_struct *payer;
	struct sg_table *mapping;
	u32 segments;
	bool bounced;
};

static inline struct egpu_managed *to_egpu_managed(struct drm_device *drm)
{
	return container_of(drm, struct egpu_managed, drm);
}

static inline struct egpu_bo *to_egpu_bo(struct drm_gem_object *obj)
{
	return container_of(to_drm_gem_shmem_obj(obj), struct egpu_bo, shmem);
}

/* bo.c */
void egpu_bos_init(void);
void egpu_bos_exit(void);
struct drm_gem_object *egpu_bo_alloc(struct drm_device *drm, size_t size);
int egpu_bo_create_ioctl(struct drm_device *drm, void *data,
			 struct drm_file *file);
int egpu_bo_mmap_ioctl(struct drm_device *drm, void *data,
		       struct drm_file *file);
int egpu_bo_info_ioctl(struct drm_device *drm, void *data,
		       struct drm_file *file);
int egpu_bo_map_ioctl(struct drm_device *drm, void *data,
		      struct drm_file *file);
int egpu_bo_unmap_ioctl(struct drm_device *drm, void *data,
			struct drm_file *file);
int egpu_bo_sync_ioctl(struct drm_device *drm, void *data,
		       struct drm_file *file);
void egpu_bos_revoke(struct egpu_managed *managed);
u32 egpu_bos_importers(struct egpu_managed *managed);
void egpu_bos_count(struct drm_file *file, u64 *bytes, u64 *mapped,
		    u64 *segments);

#endif /* EGPU_DRM_H */
