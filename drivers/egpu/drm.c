// SPDX-License-Identifier: GPL-2.0-only
/*
 * Managed functions: given to egpu by FUNCTION_MANAGE, bound to the pci_driver
 * here, with a DRM device whose bos they may reach (bo.c). remove() is where
 * everything is taken away, whoever calls it, and before the device is gone.
 */
#include <linux/dma-mapping.h>
#include <linux/iommu.h>
#include <linux/module.h>
#include <linux/pci.h>
#include <linux/seq_file.h>

#include <drm/drm_drv.h>
#include <drm/drm_gem.h>
#include <drm/drm_ioctl.h>
#include <drm/drm_managed.h>
#include <drm/drm_prime.h>

#include "drm.h"
#include "egpu.h"

static const struct drm_ioctl_desc egpu_drm_ioctls[] = {
	DRM_IOCTL_DEF_DRV(EGPU_BO_CREATE, egpu_bo_create_ioctl,
			  DRM_RENDER_ALLOW),
	DRM_IOCTL_DEF_DRV(EGPU_BO_MMAP, egpu_bo_mmap_ioctl, DRM_RENDER_ALLOW),
	DRM_IOCTL_DEF_DRV(EGPU_BO_INFO, egpu_bo_info_ioctl, DRM_RENDER_ALLOW),
	DRM_IOCTL_DEF_DRV(EGPU_BO_MAP, egpu_bo_map_ioctl, DRM_RENDER_ALLOW),
	DRM_IOCTL_DEF_DRV(EGPU_BO_UNMAP, egpu_bo_unmap_ioctl,
			  DRM_RENDER_ALLOW),
	DRM_IOCTL_DEF_DRV(EGPU_BO_SYNC, egpu_bo_sync_ioctl, DRM_RENDER_ALLOW),
};

/* The keys of Documentation/gpu/drm-usage-stats.rst, and two of our own. */
static void egpu_drm_show_fdinfo(struct seq_file *seq, struct file *opened)
{
	struct drm_file *file = opened->private_data;
	struct egpu_managed *managed = to_egpu_managed(file->minor->dev);
	u64 bytes = 0, mapped = 0, segments = 0;

	egpu_bos_count(file, &bytes, &mapped, &segments);
	seq_printf(seq, "drm-driver:\t%s\n", EGPU_NAME);
	seq_printf(seq, "drm-client-id:\t%lu\n",
		   (unsigned long)file->driver_priv);
	seq_printf(seq, "drm-pdev:\t%s\n", managed->drm.unique ?: "");
	seq_printf(seq, "drm-total-system:\t%llu KiB\n", bytes / 1024);
	seq_printf(seq, "egpu-mapped:\t%llu KiB\n", mapped / 1024);
	seq_printf(seq, "egpu-segments:\t%llu\n", segments);
}

/* Each open file has a number; older kernels' DRM gives none. */
static int egpu_drm_open(struct drm_device *drm, struct drm_file *file)
{
	static atomic_long_t last;

	file->driver_priv = (void *)atomic_long_inc_return(&last);
	return 0;
}

static const struct file_operations egpu_drm_fops = {
	.owner = THIS_MODULE,
	DRM_GEM_FOPS,
	.show_fdinfo = egpu_drm_show_fdinfo,
};

static const struct drm_driver egpu_drm_driver = {
	.driver_features = DRIVER_GEM | DRIVER_RENDER,
	.name = EGPU_NAME,
	.desc = "host memory for a PCI function",
	EGPU_DRM_DRIVER_DATE
	EGPU_DRM_DRIVER_PRIME_MMAP
	.major = 1,
	.minor = 0,
	.open = egpu_drm_open,
	.fops = &egpu_drm_fops,
	.ioctls = egpu_drm_ioctls,
	.num_ioctls = ARRAY_SIZE(egpu_drm_ioctls),
	.gem_create_object = egpu_bo_alloc,
	.prime_handle_to_fd = drm_gem_prime_handle_to_fd,
	.prime_fd_to_handle = drm_gem_prime_fd_to_handle,
};

static struct iommu_domain *egpu_translating_domain(struct device *dev)
{
	struct iommu_domain *domain = iommu_get_domain_for_dev(dev);

	return domain && domain->type & __IOMMU_DOMAIN_PAGING ? domain : NULL;
}

static int egpu_managed_setup(struct egpu_managed *managed)
{
	struct pci_dev *pdev = managed->pdev;
	int ret;

	ret = pcim_enable_device(pdev);
	if (ret)
		return ret;
	pci_clear_master(pdev);
	pci_save_state(pdev);
	ret = dma_set_mask_and_coherent(&pdev->dev,
					DMA_BIT_MASK(managed->bits));
	if (ret)
		return ret;
	dma_set_max_seg_size(&pdev->dev, UINT_MAX);
	managed->domain = egpu_translating_domain(&pdev->dev);
	return drm_dev_register(&managed->drm, 0);
}

static void egpu_managed_destroy_lock(struct drm_device *drm, void *data)
{
	mutex_destroy(&((struct egpu_managed *)data)->lock);
}

static int egpu_drm_probe(struct pci_dev *pdev, const struct pci_device_id *id)
{
	struct egpu_managed *managed;
	u32 bits = egpu_manage_wanted(pdev);
	int ret;

	if (!bits)
		return -ENODEV;
	managed = devm_drm_dev_alloc(&pdev->dev, &egpu_drm_driver,
				     struct egpu_managed, drm);
	if (IS_ERR(managed))
		return PTR_ERR(managed);
	managed->pdev = pdev;
	managed->bits = bits;
	INIT_LIST_HEAD(&managed->bos);
	mutex_init(&managed->lock);
	ret = drmm_add_action_or_reset(&managed->drm, egpu_managed_destroy_lock,
				       managed);
	if (ret)
		return ret;
	pci_set_drvdata(pdev, managed);
	return egpu_managed_setup(managed);
}

/* New files and ioctls end with the unplug; what they had ends before. */
static void egpu_drm_remove(struct pci_dev *pdev)
{
	struct egpu_managed *managed = pci_get_drvdata(pdev);

	egpu_bos_revoke(managed);
	drm_dev_unplug(&managed->drm);
}

/* After a reset nobody knows what it would do to memory: it has to be given anew. */
static pci_ers_result_t egpu_drm_error_detected(struct pci_dev *pdev,
						pci_channel_state_t state)
{
	if (state == pci_channel_io_normal)
		return PCI_ERS_RESULT_CAN_RECOVER;
	egpu_bos_revoke(pci_get_drvdata(pdev));
	return state == pci_channel_io_frozen ? PCI_ERS_RESULT_NEED_RESET :
						PCI_ERS_RESULT_DISCONNECT;
}

static pci_ers_result_t egpu_drm_slot_reset(struct pci_dev *pdev)
{
	pci_restore_state(pdev);
	pci_save_state(pdev);
	return PCI_ERS_RESULT_RECOVERED;
}

static const struct pci_error_handlers egpu_drm_errors = {
	.error_detected = egpu_drm_error_detected,
	.slot_reset = egpu_drm_slot_reset,
};

static struct pci_driver egpu_drm_pci = {
	.name = EGPU_DRM_NAME,
	.probe = egpu_drm_probe,
	.remove = egpu_drm_remove,
	.err_handler = &egpu_drm_errors,
};

bool egpu_drm_has(struct pci_dev *pdev)
{
	return READ_ONCE(pdev->dev.driver) == &egpu_drm_pci.driver;
}

/**
 * egpu_drm_ledger() - what a managed function's DMA is like
 * @pdev: the function, with its device_lock held
 * @function: filled
 */
void egpu_drm_ledger(struct pci_dev *pdev, struct egpu_function *function)
{
	struct egpu_managed *managed;

	lockdep_assert_held(&pdev->dev.mutex);
	if (!egpu_drm_has(pdev))
		return;
	managed = pci_get_drvdata(pdev);
	function->dma_flags |= EGPU_DMA_MANAGED;
	function->bo_bytes = atomic64_read(&managed->bo_bytes);
	function->mapped_bytes = atomic64_read(&managed->mapped_bytes);
	function->mapped_segments = atomic64_read(&managed->mapped_segments);
}

/**
 * egpu_drm_importers() - devices that have a managed function's memory attached
 * @pdev: the function
 *
 * Return: how many; 0 while it binds or unbinds.
 */
u32 egpu_drm_importers(struct pci_dev *pdev)
{
	u32 count = 0;

	if (!device_trylock(&pdev->dev))
		return 0;
	if (egpu_drm_has(pdev))
		count = egpu_bos_importers(pci_get_drvdata(pdev));
	device_unlock(&pdev->dev);
	return count;
}

int egpu_drm_init(void)
{
	int ret;

	egpu_bos_init();
	ret = pci_register_driver(&egpu_drm_pci);
	if (ret)
		egpu_bos_exit();
	return ret;
}

void egpu_drm_exit(void)
{
	pci_unregister_driver(&egpu_drm_pci);
	egpu_bos_exit();
}
