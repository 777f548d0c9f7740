// SPDX-License-Identifier: GPL-2.0-only
/*
 * Giving a function to egpu's DRM driver, and back; and what its DMA is like,
 * whoever drives it. The override that keeps others off is that driver's name.
 */
#include <linux/dma-mapping.h>
#include <linux/iommu.h>
#include <linux/pci.h>

#include "egpu.h"

/**
 * egpu_manage_wanted() - did somebody give this function to egpu?
 * @pdev: the function, with its device_lock held
 *
 * Root can write any override, so the record decides.
 *
 * Return: the address width of its DMA, or 0.
 */
u32 egpu_manage_wanted(struct pci_dev *pdev)
{
	struct egpu_port *port;
	struct egpu_fn *fn;
	u32 bits;

	port = egpu_bus_lock(pdev, &fn);
	if (!port)
		return 0;
	bits = fn->manage_bits;
	egpu_bus_unlock(port);
	return bits;
}

/* Is one of its functions egpu's own? The port is locked. */
bool egpu_manages_any(struct egpu_port *port)
{
	struct egpu_fn *fn;

	list_for_each_entry(fn, &port->functions, node)
		if (fn->manage_bits)
			return true;
	return false;
}

/* Is this function egpu's own? The port is not locked. */
bool egpu_manage_has(struct egpu_port *port, struct pci_dev *pdev)
{
	struct egpu_fn *fn;

	guard(mutex)(&port->lock);
	fn = egpu_fn_find(port, pdev);
	return fn && fn->manage_bits;
}

static void egpu_manage_record(struct egpu_port *port, struct pci_dev *pdev,
			       u32 bits)
{
	struct egpu_fn *fn;

	guard(mutex)(&port->lock);
	fn = egpu_fn_find(port, pdev);
	if (fn)
		fn->manage_bits = bits;
}

/*
 * May it be taken: there, a function of its own, without a driver?
 * @held: the gate has it
 */
static int egpu_manage_may_take(struct egpu_port *port, struct pci_dev *pdev,
				bool *held)
{
	struct egpu_fn *fn;

	guard(mutex)(&port->lock);
	fn = egpu_fn_find(port, pdev);
	if (!fn)
		return -ENODEV;
	*held = fn->hold;
	if (pdev->is_virtfn)
		return -EOPNOTSUPP;
	return fn->bound || fn->busy_since || fn->manage_bits ? -EBUSY : 0;
}

/* Bound to what its override says; 0, or why not. */
static int egpu_manage_bind(struct pci_dev *pdev)
{
	int ret;

	/* Ours, which holds: nobody but the override's driver comes after it. */
	if (egpu_bus_is_ours(READ_ONCE(pdev->dev.driver)))
		device_release_driver(&pdev->dev);
	ret = device_attach(&pdev->dev);
	if (ret < 0)
		return ret;
	return egpu_drm_has(pdev) ? 0 : -EIO;
}

/* As it was: held by the gate, or free. */
static void egpu_manage_undo(struct egpu_port *port, struct pci_dev *pdev,
			     bool held)
{
	egpu_manage_record(port, pdev, 0);
	egpu_override_clear_if(pdev, EGPU_DRM_NAME);
	if (!held)
		return;
	egpu_override_claim(pdev, EGPU_NAME);
	if (device_attach(&pdev->dev) < 0)
		pci_warn(pdev, "egpu: cannot be held\n");
}

static int egpu_manage_take(struct egpu_port *port, struct pci_dev *pdev,
			    u32 bits)
{
	bool held;
	int ret;

	ret = egpu_manage_may_take(port, pdev, &held);
	if (ret)
		return ret;
	/* The machine may have slept: it is not what was asked for any more. */
	if (egpu_sleep_review_one(port, pdev) != EGPU_SAME)
		return -ENODEV;
	if (held && !egpu_override_clear_if(pdev, EGPU_NAME))
		return -EBUSY;
	ret = egpu_override_claim(pdev, EGPU_DRM_NAME);
	if (ret)
		return ret;
	egpu_manage_record(port, pdev, bits);
	ret = egpu_manage_bind(pdev);
	if (ret)
		egpu_manage_undo(port, pdev, held);
	return ret;
}

/* By the record: root may have unbound it meanwhile. */
static int egpu_manage_return(struct egpu_port *port, struct pci_dev *pdev)
{
	if (!egpu_manage_has(port, pdev) && !egpu_drm_has(pdev))
		return -ENODEV;
	egpu_manage_record(port, pdev, 0);
	egpu_override_clear_if(pdev, EGPU_DRM_NAME);
	if (egpu_drm_has(pdev))
		device_release_driver(&pdev->dev);
	if (device_attach(&pdev->dev) < 0)
		pci_warn(pdev, "egpu: no driver could be bound\n");
	return 0;
}

/**
 * egpu_job_manage() - FUNCTION_MANAGE: the transaction's work
 * @port: the port
 *
 * What it binds moves the port's state meanwhile, so it tells the end itself.
 */
enum egpu_bit egpu_job_manage(struct egpu_port *port)
{
	struct pci_dev *pdev;
	int ret = -ENODEV;
	u32 bits, id;

	egpu_step_set(port, EGPU_STEP_MANAGE);
	scoped_guard(mutex, &port->lock) {
		id = port->txn.id;
		pdev = pci_dev_get(port->txn.function);
		bits = port->txn.dma_bits;
	}
	if (pdev)
		ret = bits ? egpu_manage_take(port, pdev, bits) :
			     egpu_manage_return(port, pdev);
	pci_dev_put(pdev);
	guard(mutex)(&port->lock);
	if (port->txn.id == id)
		egpu_transaction_end(port, -ret, ret ? EGPU_REASON_NOT_MANAGED :
							EGPU_REASON_NONE);
	return EGPU_BIT_MANAGED;
}

static bool egpu_fn_is_managed(struct egpu_fn *fn)
{
	return fn->manage_bits;
}

/* At unload: what is egpu's own goes back to its drivers. */
void egpu_manage_release(struct egpu_port *port)
{
	struct egpu_pdevs *managed __free(egpu_pdevs) =
		egpu_fn_snapshot(port, egpu_fn_is_managed);
	u32 i;

	for (i = 0; managed && i < managed->nr; i++)
		egpu_manage_return(port, managed->pdev[i]);
}

/*
 * The domain stays while a driver has the device that leaves DMA to the kernel;
 * else VFIO, or a write to the group's type, may replace it.
 */
static u32 egpu_iommu_of(struct device *dev)
{
	struct device_driver *drv = dev->driver;
	struct iommu_domain *domain;

	if (!drv || to_pci_driver(drv)->driver_managed_dma)
		return EGPU_IOMMU_UNKNOWN;
	domain = iommu_get_domain_for_dev(dev);
	if (!domain)
		return EGPU_IOMMU_NONE;
	switch (domain->type) {
	case IOMMU_DOMAIN_IDENTITY:
		return EGPU_IOMMU_IDENTITY;
	case IOMMU_DOMAIN_DMA:
		return EGPU_IOMMU_STRICT;
	case IOMMU_DOMAIN_DMA_FQ:
		return EGPU_IOMMU_LAZY;
	default:
		return EGPU_IOMMU_OTHER;
	}
}

static u32 egpu_iommu_group_of(struct device *dev)
{
	struct iommu_group *group = iommu_group_get(dev);
	u32 number = EGPU_NO_IOMMU_GROUP;

	if (group)
		number = iommu_group_id(group);
	iommu_group_put(group);
	return number;
}

/* Is there memory that it cannot reach, and nothing that translates? */
static bool egpu_dma_bounces(struct pci_dev *pdev, u32 iommu)
{
	if (iommu != EGPU_IOMMU_NONE && iommu != EGPU_IOMMU_IDENTITY)
		return pdev->untrusted && iommu != EGPU_IOMMU_UNKNOWN;
	return dma_get_mask(&pdev->dev) < dma_get_required_mask(&pdev->dev);
}

/**
 * egpu_dma_tell() - what a function's DMA is like, whoever drives it
 * @pdev: the function
 * @function: filled
 *
 * Memory only: the function is not asked. Does not wait: while the function binds
 * or unbinds little is told.
 */
void egpu_dma_tell(struct pci_dev *pdev, struct egpu_function *function)
{
	function->iommu_group = egpu_iommu_group_of(&pdev->dev);
	function->iommu = EGPU_IOMMU_UNKNOWN;
	if (!device_trylock(&pdev->dev))
		return;
	function->iommu = egpu_iommu_of(&pdev->dev);
	function->dma_bits = fls64(dma_get_mask(&pdev->dev));
	if (egpu_dma_bounces(pdev, function->iommu))
		function->dma_flags |= EGPU_DMA_BOUNCES;
	if (pdev->is_busmaster)
		function->dma_flags |= EGPU_DMA_MASTER;
	egpu_drm_ledger(pdev, function);
	device_unlock(&pdev->dev);
}
