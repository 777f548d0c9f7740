// SPDX-License-Identifier: GPL-2.0-only
/*
 * Buffer objects: host memory that a managed function may reach. Pages of shmem,
 * pinned and charged as long as the bo lives; one mapping by the DMA API, taken
 * away before the function goes.
 */
#include <linux/capability.h>
#include <linux/dma-buf.h>
#include <linux/dma-map-ops.h>
#include <linux/dma-mapping.h>
#include <linux/iommu.h>
#include <linux/file.h>
#include <linux/mm.h>
#include <linux/mount.h>
#include <linux/pci.h>
#include <linux/scatterlist.h>
#include <linux/sched/signal.h>
#include <linux/sched/user.h>
#include <linux/security.h>
#include <linux/shmem_fs.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include <drm/drm_drv.h>
#include <drm/drm_gem.h>
#include <drm/drm_vma_manager.h>

#include "drm.h"
#include "egpu.h"

#define EGPU_BO_SIZE_MAX	BIT_ULL(39)	/* more pages fit no array */

/* A tmpfs of our own, with huge pages; NULL: there is none. */
static struct vfsmount *egpu_bo_mount;

/**
 * egpu_bos_init() - what bos are made of
 *
 * Without huge pages all works as well, but maps page by page.
 */
void egpu_bos_init(void)
{
	char options[] = "huge=within_size";
	struct file_system_type *type = get_fs_type("tmpfs");
	struct vfsmount *mount;

	if (!type)
		return;
	mount = vfs_kern_mount(type, SB_KERNMOUNT, type->name, options);
	egpu_bo_mount = IS_ERR(mount) ? NULL : mount;
}

void egpu_bos_exit(void)
{
	if (egpu_bo_mount)
		kern_unmount(egpu_bo_mount);
	egpu_bo_mount = NULL;
}

/* In place of the file that DRM made, before it has pages. */
static void egpu_bo_use_huge_pages(struct drm_gem_object *obj)
{
	struct file *file;

	if (!egpu_bo_mount)
		return;
	file = shmem_file_setup_with_mnt(egpu_bo_mount, EGPU_NAME, obj->size,
					 mk_vma_flags(VMA_NORESERVE_BIT));
	if (IS_ERR(file))
		return;
	mapping_set_gfp_mask(file->f_mapping,
			     mapping_gfp_mask(obj->filp->f_mapping));
	fput(obj->filp);
	obj->filp = file;
}

/*
 * RLIMIT_MEMLOCK is for all pages of a user. As mm_account_pinned_pages(), which
 * counts two pages more than there are.
 */
static int egpu_bo_charge(struct egpu_bo *bo)
{
	long pages = bo->shmem.base.size >> PAGE_SHIFT, was;
	unsigned long limit = rlimit(RLIMIT_MEMLOCK) >> PAGE_SHIFT;
	struct user_struct *user = current_user();

	if (capable(CAP_IPC_LOCK))
		return 0;
	was = atomic_long_read(&user->locked_vm);
	do {
		if (was + pages > limit)
			return -ENOMEM;
	} while (!atomic_long_try_cmpxchg(&user->locked_vm, &was, was + pages));
	bo->payer = get_uid(user);
	return 0;
}

static void egpu_bo_discharge(struct egpu_bo *bo)
{
	if (!bo->payer)
		return;
	atomic_long_sub(bo->shmem.base.size >> PAGE_SHIFT,
			&bo->payer->locked_vm);
	free_uid(bo->payer);
	bo->payer = NULL;
}

static void egpu_bo_unpin(struct egpu_bo *bo)
{
	if (!bo->pinned)
		return;
	bo->pinned = false;
	drm_gem_shmem_unpin(&bo->shmem);
	egpu_bo_discharge(bo);
}

/* Charged first, so that nobody pins more than the limit even for a moment. */
static int egpu_bo_pin(struct egpu_bo *bo)
{
	int ret;

	ret = egpu_bo_charge(bo);
	if (ret)
		return ret;
	ret = drm_gem_shmem_pin(&bo->shmem);
	if (!ret) {
		bo->pinned = true;
		return 0;
	}
	egpu_bo_discharge(bo);
	return ret;
}

/* Not while a reset has saved, and will put back, what was before. */
static void egpu_managed_master(struct egpu_managed *managed, bool on)
{
	pci_cfg_access_lock(managed->pdev);
	if (on)
		pci_set_master(managed->pdev);
	else
		pci_clear_master(managed->pdev);
	pci_cfg_access_unlock(managed->pdev);
}

static bool egpu_managed_answers(struct egpu_managed *managed)
{
	u16 command;

	pci_read_config_word(managed->pdev, PCI_COMMAND, &command);
	return !PCI_POSSIBLE_ERROR(command);
}

/* The function writes no more: it is told to stop, and what is under way ends. */
static void egpu_managed_stop(struct egpu_managed *managed)
{
	egpu_managed_master(managed, false);
	if (!egpu_managed_answers(managed))
		return;
	if (!pci_wait_for_pending_transaction(managed->pdev))
		pci_warn(managed->pdev,
			 "egpu: transactions pending, its memory is not safe\n");
}

/* In the ledger: mapped, in so many segments. */
static void egpu_bo_note(struct egpu_managed *managed, struct egpu_bo *bo,
			 u32 segments)
{
	s64 size = bo->shmem.base.size;

	atomic64_add(segments ? size : -size, &managed->mapped_bytes);
	atomic64_add((s64)segments - bo->segments, &managed->mapped_segments);
	WRITE_ONCE(bo->segments, segments);
}

static void egpu_bo_unmap_sgt(struct egpu_managed *managed, struct egpu_bo *bo)
{
	dma_unmap_sgtable(&managed->pdev->dev, bo->mapping, DMA_BIDIRECTIONAL,
			  0);
	egpu_bo_note(managed, bo, 0);
	sg_free_table(bo->mapping);
	kfree(bo->mapping);
	bo->mapping = NULL;
	bo->bounced = false;
	managed->mapped--;
}

/*
 * Taken away, and the function reaches it no longer. A lazy domain would go on
 * translating for a while; without translation bus mastering pauses.
 */
static void egpu_bo_unmap(struct egpu_managed *managed, struct egpu_bo *bo)
{
	lockdep_assert_held(&managed->lock);
	if (!bo->mapping)
		return;
	if (!managed->domain)
		egpu_managed_stop(managed);
	egpu_bo_unmap_sgt(managed, bo);
	if (managed->domain)
		iommu_flush_iotlb_all(managed->domain);
	if (!managed->mapped)
		egpu_managed_master(managed, false);
	else if (!managed->domain)
		egpu_managed_master(managed, true);
}

/**
 * egpu_bos_revoke() - the function leaves: it reaches nothing any more
 * @managed: the function, with its device_lock held
 *
 * Afterwards no bo is mapped, and none will be. Pages stay pinned and charged
 * until who has them lets go: unpinning is most of the work, and takes nothing
 * from the function.
 */
void egpu_bos_revoke(struct egpu_managed *managed)
{
	struct egpu_bo *bo;

	guard(mutex)(&managed->lock);
	managed->gone = true;
	egpu_managed_stop(managed);
	list_for_each_entry(bo, &managed->bos, node)
		if (bo->mapping)
			egpu_bo_unmap_sgt(managed, bo);
	if (managed->domain)
		iommu_flush_iotlb_all(managed->domain);
}

static void egpu_bo_free(struct drm_gem_object *obj)
{
	struct egpu_managed *managed = to_egpu_managed(obj->dev);
	struct egpu_bo *bo = to_egpu_bo(obj);

	scoped_guard(mutex, &managed->lock) {
		egpu_bo_unmap(managed, bo);
		if (!list_empty(&bo->node))
			atomic64_sub(obj->size, &managed->bo_bytes);
		list_del_init(&bo->node);
	}
	egpu_bo_unpin(bo);
	drm_gem_shmem_free(&bo->shmem);
}

/* Imports end where exports begin: at other drivers. */
static const struct drm_gem_object_funcs egpu_bo_funcs = {
	.free = egpu_bo_free,
	.print_info = drm_gem_shmem_object_print_info,
	.pin = drm_gem_shmem_object_pin,
	.unpin = drm_gem_shmem_object_unpin,
	.get_sg_table = drm_gem_shmem_object_get_sg_table,
	.vmap = drm_gem_shmem_object_vmap,
	.vunmap = drm_gem_shmem_object_vunmap,
	.mmap = drm_gem_shmem_object_mmap,
	.vm_ops = &drm_gem_shmem_vm_ops,
};

struct drm_gem_object *egpu_bo_alloc(struct drm_device *drm, size_t size)
{
	struct egpu_bo *bo = kzalloc(sizeof(*bo), GFP_KERNEL);

	if (!bo)
		return ERR_PTR(-ENOMEM);
	INIT_LIST_HEAD(&bo->node);
	/* What the function wrote is not seen by page tables. */
	bo->shmem.pages_mark_dirty_on_put = true;
	bo->shmem.base.funcs = &egpu_bo_funcs;
	return &bo->shmem.base;
}

/*
 * Pinning and unpinning take their time, so not under the lock that remove()
 * waits for. What fails is unpinned when it is freed.
 */
static int egpu_bo_add(struct egpu_managed *managed, struct egpu_bo *bo)
{
	int ret = egpu_bo_pin(bo);

	if (ret)
		return ret;
	guard(mutex)(&managed->lock);
	if (managed->gone)
		return -ENODEV;
	list_add_tail(&bo->node, &managed->bos);
	atomic64_add(bo->shmem.base.size, &managed->bo_bytes);
	return 0;
}

int egpu_bo_create_ioctl(struct drm_device *drm, void *data,
			 struct drm_file *file)
{
	struct egpu_managed *managed = to_egpu_managed(drm);
	struct drm_egpu_bo_create *args = data;
	struct drm_gem_shmem_object *shmem;
	struct egpu_bo *bo;
	int ret;

	if (args->flags & ~DRM_EGPU_BO_COHERENT || !args->size ||
	    args->size > EGPU_BO_SIZE_MAX || args->size > SIZE_MAX - PAGE_SIZE)
		return -EINVAL;
	if (PAGE_ALIGN(args->size) >> PAGE_SHIFT > totalram_pages())
		return -ENOMEM;
	shmem = drm_gem_shmem_create(drm, PAGE_ALIGN(args->size));
	if (IS_ERR(shmem))
		return PTR_ERR(shmem);
	egpu_bo_use_huge_pages(&shmem->base);
	bo = to_egpu_bo(&shmem->base);
	bo->flags = args->flags;
	ret = egpu_bo_add(managed, bo);
	if (!ret)
		ret = drm_gem_handle_create(file, &shmem->base, &args->handle);
	args->size = shmem->base.size;
	drm_gem_object_put(&shmem->base);
	return ret;
}

int egpu_bo_mmap_ioctl(struct drm_device *drm, void *data,
		       struct drm_file *file)
{
	struct drm_egpu_bo_mmap *args = data;
	struct drm_gem_object *obj;
	int ret;

	if (args->reserved)
		return -EINVAL;
	obj = drm_gem_object_lookup(file, args->handle);
	if (!obj)
		return -ENOENT;
	ret = drm_gem_create_mmap_offset(obj);
	if (!ret)
		args->offset = drm_vma_node_offset_addr(&obj->vma_node);
	drm_gem_object_put(obj);
	return ret;
}

/* How many devices have its dma-buf attached. */
static u32 egpu_bo_importers(struct drm_gem_object *obj)
{
	struct dma_buf_attachment *attachment;
	struct dma_buf *dmabuf = NULL;
	u32 count = 0;

	scoped_guard(mutex, &obj->dev->object_name_lock)
		if (obj->dma_buf) {	/* holds it, while there are handles */
			dmabuf = obj->dma_buf;
			get_dma_buf(dmabuf);
		}
	if (!dmabuf)
		return 0;
	dma_resv_lock(dmabuf->resv, NULL);
	list_for_each_entry(attachment, &dmabuf->attachments, node)
		count++;
	dma_resv_unlock(dmabuf->resv);
	dma_buf_put(dmabuf);
	return count;
}

/* Devices that any bo's dma-buf is attached to. */
u32 egpu_bos_importers(struct egpu_managed *managed)
{
	struct egpu_bo *bo;
	u32 count = 0;

	guard(mutex)(&managed->lock);
	list_for_each_entry(bo, &managed->bos, node)
		count += egpu_bo_importers(&bo->shmem.base);
	return count;
}

static u32 egpu_managed_revocation(const struct egpu_managed *managed)
{
	return managed->domain ? DRM_EGPU_REVOKE_IOMMU :
				 DRM_EGPU_REVOKE_BUSMASTER;
}

static void egpu_bo_tell(struct egpu_managed *managed, struct egpu_bo *bo,
			 struct drm_egpu_bo_info *info)
{
	guard(mutex)(&managed->lock);
	info->flags = bo->flags;
	info->flags |= bo->mapping ? DRM_EGPU_BO_MAPPED : 0;
	info->flags |= bo->bounced ? DRM_EGPU_BO_BOUNCED : 0;
	info->size = bo->shmem.base.size;
	info->segments = bo->mapping ? bo->mapping->nents : 0;
	info->revocation = egpu_managed_revocation(managed);
	info->charged = bo->payer ? bo->shmem.base.size : 0;
	info->dma_bits = managed->bits;
}

int egpu_bo_info_ioctl(struct drm_device *drm, void *data,
		       struct drm_file *file)
{
	struct drm_egpu_bo_info *args = data;
	struct drm_gem_object *obj;

	obj = drm_gem_object_lookup(file, args->handle);
	if (!obj)
		return -ENOENT;
	egpu_bo_tell(to_egpu_managed(drm), to_egpu_bo(obj), args);
	args->importers = egpu_bo_importers(obj);
	drm_gem_object_put(obj);
	return 0;
}

/*
 * Is there a segment whose copy, or cache, the function sees instead? Behind
 * translation whole pages are never copied, and older kernels say of all that
 * they need a sync.
 */
static bool egpu_mapping_is_bounced(struct egpu_managed *managed,
				    struct sg_table *sgt)
{
	struct device *dev = &managed->pdev->dev;
	struct scatterlist *sg;
	int i;

	if (managed->domain)
		return !dev_is_dma_coherent(dev);
	for_each_sgtable_dma_sg(sgt, sg, i)
		if (dma_need_sync(dev, sg_dma_address(sg)))
			return true;
	return false;
}

static struct sg_table *egpu_mapping_create(struct device *dev,
					    struct egpu_bo *bo)
{
	struct drm_gem_object *obj = &bo->shmem.base;
	struct sg_table *sgt = kzalloc(sizeof(*sgt), GFP_KERNEL);
	size_t max = dma_max_mapping_size(dev);
	int ret = -ENOMEM;

	if (!sgt)
		return ERR_PTR(ret);
	max = min_t(size_t, max & PAGE_MASK, UINT_MAX & PAGE_MASK);
	ret = sg_alloc_table_from_pages_segment(sgt, bo->shmem.pages,
						obj->size >> PAGE_SHIFT, 0,
						obj->size, max ?: PAGE_SIZE,
						GFP_KERNEL);
	if (!ret) {
		ret = dma_map_sgtable(dev, sgt, DMA_BIDIRECTIONAL, 0);
		if (!ret)
			return sgt;
		sg_free_table(sgt);
	}
	kfree(sgt);
	return ERR_PTR(ret);
}

/*
 * Without translation what lies too high for the function is copied, if the
 * kernel has room for copies (below 4 GiB is all that is known of where).
 * Mapping what can be neither reached nor copied is a warning in its log.
 */
static bool egpu_bo_is_reachable(struct egpu_managed *managed,
				 struct egpu_bo *bo)
{
	size_t i, pages = bo->shmem.base.size >> PAGE_SHIFT;
	struct device *dev = &managed->pdev->dev;
	phys_addr_t page;

	if (managed->domain || (managed->bits >= 32 &&
				dma_max_mapping_size(dev) != SIZE_MAX))
		return true;
	for (i = 0; i < pages; i++) {
		page = page_to_phys(bo->shmem.pages[i]);
		if (page + PAGE_SIZE - 1 > DMA_BIT_MASK(managed->bits))
			return false;
	}
	return true;
}

/* Without translation nothing but the function's obedience keeps it off. */
static bool egpu_map_is_allowed(struct egpu_managed *managed)
{
	if (managed->domain)
		return true;
	return READ_ONCE(egpu_unsafe_dma) &&
	       !security_locked_down(LOCKDOWN_PCI_ACCESS);
}

static int egpu_bo_map(struct egpu_managed *managed, struct egpu_bo *bo)
{
	struct device *dev = &managed->pdev->dev;
	struct sg_table *sgt;

	lockdep_assert_held(&managed->lock);
	if (managed->gone)
		return -ENODEV;
	if (bo->mapping)
		return 0;
	if (!egpu_map_is_allowed(managed))
		return -EPERM;
	if (bo->shmem.base.size - 1 > DMA_BIT_MASK(managed->bits) ||
	    !egpu_bo_is_reachable(managed, bo))
		return -EIO;
	sgt = egpu_mapping_create(dev, bo);
	if (IS_ERR(sgt))
		return PTR_ERR(sgt) == -ENOMEM ? -ENOMEM : -EIO;
	bo->mapping = sgt;
	egpu_bo_note(managed, bo, sgt->nents);
	bo->bounced = egpu_mapping_is_bounced(managed, sgt);
	managed->mapped++;
	if (bo->bounced && bo->flags & DRM_EGPU_BO_COHERENT) {
		egpu_bo_unmap(managed, bo);
		return -EOPNOTSUPP;
	}
	egpu_managed_master(managed, true);
	return 0;
}

static struct drm_egpu_segment *egpu_bo_segments(struct egpu_bo *bo)
{
	struct drm_egpu_segment *segments;
	struct scatterlist *sg;
	int i;

	segments = kvcalloc(bo->segments, sizeof(*segments), GFP_KERNEL);
	if (!segments)
		return NULL;
	for_each_sgtable_dma_sg(bo->mapping, sg, i) {
		segments[i].address = sg_dma_address(sg);
		segments[i].length = sg_dma_len(sg);
	}
	return segments;
}

/*
 * Copied out under the lock would fault under it: so what is told is collected
 * first. Return: 1 when it was mapped by this, 0 when it was before.
 */
static int egpu_bo_map_told(struct egpu_managed *managed, struct egpu_bo *bo,
			    struct drm_egpu_segment **segments, u32 *count)
{
	bool was;
	int ret;

	guard(mutex)(&managed->lock);
	was = bo->mapping;
	ret = egpu_bo_map(managed, bo);
	if (ret)
		return ret;
	*count = bo->segments;
	*segments = egpu_bo_segments(bo);
	if (*segments)
		return !was;
	if (!was)
		egpu_bo_unmap(managed, bo);
	return -ENOMEM;
}

int egpu_bo_map_ioctl(struct drm_device *drm, void *data,
		      struct drm_file *file)
{
	struct egpu_managed *managed = to_egpu_managed(drm);
	struct drm_egpu_segment *segments = NULL;
	struct drm_egpu_bo_map *args = data;
	struct drm_gem_object *obj;
	u32 count = 0;
	int ret;

	if (!capable(CAP_SYS_RAWIO))
		return -EPERM;
	obj = drm_gem_object_lookup(file, args->handle);
	if (!obj)
		return -ENOENT;
	ret = egpu_bo_map_told(managed, to_egpu_bo(obj), &segments, &count);
	if (ret >= 0 && args->count &&
	    copy_to_user(u64_to_user_ptr(args->segments), segments,
			 sizeof(*segments) * min(args->count, count))) {
		if (ret) {
			guard(mutex)(&managed->lock);
			egpu_bo_unmap(managed, to_egpu_bo(obj));
		}
		ret = -EFAULT;
	}
	if (ret >= 0)
		args->count = count;
	kvfree(segments);
	drm_gem_object_put(obj);
	return min(ret, 0);
}

int egpu_bo_unmap_ioctl(struct drm_device *drm, void *data,
			struct drm_file *file)
{
	struct egpu_managed *managed = to_egpu_managed(drm);
	struct drm_egpu_bo_unmap *args = data;
	struct drm_gem_object *obj;

	if (!capable(CAP_SYS_RAWIO))
		return -EPERM;
	if (args->reserved)
		return -EINVAL;
	obj = drm_gem_object_lookup(file, args->handle);
	if (!obj)
		return -ENOENT;
	scoped_guard(mutex, &managed->lock)
		egpu_bo_unmap(managed, to_egpu_bo(obj));
	drm_gem_object_put(obj);
	return 0;
}

static int egpu_bo_sync(struct egpu_managed *managed, struct egpu_bo *bo,
			u32 direction)
{
	struct device *dev = &managed->pdev->dev;

	guard(mutex)(&managed->lock);
	if (managed->gone)
		return -ENODEV;
	if (!bo->mapping)
		return -EINVAL;
	if (direction == DRM_EGPU_SYNC_TO_CPU)
		dma_sync_sgtable_for_cpu(dev, bo->mapping, DMA_BIDIRECTIONAL);
	else
		dma_sync_sgtable_for_device(dev, bo->mapping,
					    DMA_BIDIRECTIONAL);
	return 0;
}

int egpu_bo_sync_ioctl(struct drm_device *drm, void *data,
		       struct drm_file *file)
{
	struct drm_egpu_bo_sync *args = data;
	struct drm_gem_object *obj;
	int ret;

	if (args->direction > DRM_EGPU_SYNC_TO_DEVICE)
		return -EINVAL;
	obj = drm_gem_object_lookup(file, args->handle);
	if (!obj)
		return -ENOENT;
	ret = egpu_bo_sync(to_egpu_managed(drm), to_egpu_bo(obj),
			   args->direction);
	drm_gem_object_put(obj);
	return ret;
}

/**
 * egpu_bos_count() - how much a file has handles of, and how much is mapped
 * @file: the file
 * @bytes: added to
 * @mapped: added to
 * @segments: added to
 */
void egpu_bos_count(struct drm_file *file, u64 *bytes, u64 *mapped,
		    u64 *segments)
{
	struct drm_gem_object *obj;
	struct egpu_bo *bo;
	u32 count;
	int id;

	guard(spinlock)(&file->table_lock);
	idr_for_each_entry(&file->object_idr, obj, id) {
		bo = to_egpu_bo(obj);
		count = READ_ONCE(bo->segments);
		*bytes += obj->size;
		*mapped += count ? obj->size : 0;
		*segments += count;
	}
}
