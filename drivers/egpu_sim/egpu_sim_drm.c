// SPDX-License-Identifier: GPL-2.0
/*
 * egpu_sim_drm: a DRM driver for egpu_sim's GPUs and accelerators, and an
 * example of what such a driver does for the fabric: it asks egpu_sim_point()
 * where it is to be slow, hang or fail, and egpu_sim_mmio() before each access
 * to memory.
 *
 * It is as small as a driver can be that real clients use: buffers in system
 * memory (dumb buffers, mmap, PRIME), a card and a render node, an i2c adapter
 * whose node holds the device as those of real GPUs do, an interrupt handler,
 * suspend, error recovery. The device can go at any time; files, mappings and
 * dma-bufs stay valid until their users close them. What the device itself has
 * mapped, dma-bufs of other drivers, goes with it.
 */

#include <linux/delay.h>
#include <linux/dma-buf.h>
#include <linux/dma-mapping.h>
#include <linux/i2c.h>
#include <linux/interrupt.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/pci.h>
#include <linux/pm_runtime.h>
#include <linux/slab.h>
#include <linux/workqueue.h>

#include <drm/drm_drv.h>
#include <drm/drm_file.h>
#include <drm/drm_gem.h>
#include <drm/drm_gem_shmem_helper.h>
#include <drm/drm_ioctl.h>
#include <drm/drm_managed.h>
#include <drm/drm_prime.h>

#include "egpu_sim.h"

#define SIM_GPU_NAME	"egpu_sim_drm"

#define SIM_GPU_VRAM	0		/* BARs */
#define SIM_GPU_REGS	2

/*
 * Registers in BAR 2. Nothing answers there but RAM, if there is that, so no
 * value that is read decides about anything.
 */
#define SIM_REG_ID		0x00
#define SIM_REG_STATUS		0x04
#define SIM_REG_CONTROL		0x08
#define   SIM_CONTROL_RESET	BIT(0)
#define   SIM_CONTROL_RUN	BIT(1)
#define SIM_REG_IRQ_MASK	0x0c
#define SIM_REG_CLIENTS		0x10
#define SIM_REG_I2C		0x14

#define SIM_UNMASK_DELAY	msecs_to_jiffies(100)

static bool sim_gpu_idles;
module_param_named(runtime_pm, sim_gpu_idles, bool, 0644);
MODULE_PARM_DESC(runtime_pm, "GPUs bound from now on may sleep while nobody has them open (default: N)");

/**
 * struct sim_gpu - a device
 * @drm: lives until the last file and dma-buf are closed
 * @pdev: valid while drm_dev_enter() is true, and in the driver's callbacks
 * @vram: BAR 0's begin; NULL: there is none. Until unbound
 * @regs: BAR 2; NULL: there is none. Until unbound
 * @i2c: nothing answers on it
 * @unmask: lets the interrupt through again, when it is no longer asserted
 * @interrupts: how many came
 * @idles: it may sleep while nobody has it open
 * @lock: protects @imports; taken under object_name_lock, a dma-buf's
 *	reservation under it
 * @imports: dma-bufs of other drivers, mapped for the device
 */
struct sim_gpu {
	struct drm_device drm;
	struct pci_dev *pdev;
	void __iomem *vram;
	void __iomem *regs;
	struct i2c_adapter i2c;
	struct delayed_work unmask;
	atomic_t interrupts;
	bool idles;
	struct mutex lock;	/* @imports */
	struct list_head imports;
};

/**
 * struct sim_gpu_bo - a buffer
 * @shmem: memory of its own, or a dma-buf of another driver
 * @node: in sim_gpu.imports; empty: it is no import, or no longer
 * @dmabuf: what it was an import of, held
 */
struct sim_gpu_bo {
	struct drm_gem_shmem_object shmem;
	struct list_head node;
	struct dma_buf *dmabuf;
};

static struct sim_gpu *to_sim_gpu(struct drm_device *drm)
{
	return container_of(drm, struct sim_gpu, drm);
}

/* --- hardware: callers are in drm_dev_enter(), or a driver's callback --- */

/* All ones: the device is not there, or has no such memory. */
static u32 sim_gpu_read(struct sim_gpu *gpu, u32 reg)
{
	if (!egpu_sim_mmio(gpu->pdev) || !gpu->regs)
		return ~0;
	return readl(gpu->regs + reg);
}

static void sim_gpu_write(struct sim_gpu *gpu, u32 reg, u32 val)
{
	if (egpu_sim_mmio(gpu->pdev) && gpu->regs)
		writel(val, gpu->regs + reg);
}

static bool sim_gpu_is_there(struct sim_gpu *gpu)
{
	u16 vendor;

	pci_read_config_word(gpu->pdev, PCI_VENDOR_ID, &vendor);
	return !PCI_POSSIBLE_ERROR(vendor) && egpu_sim_mmio(gpu->pdev);
}

/* What drivers do when they start: reset, wait, see that memory works, run. */
static int sim_gpu_start(struct sim_gpu *gpu)
{
	u16 link;

	pcie_capability_read_word(gpu->pdev, PCI_EXP_LNKSTA, &link);
	sim_gpu_read(gpu, SIM_REG_ID);
	sim_gpu_write(gpu, SIM_REG_CONTROL, SIM_CONTROL_RESET);
	usleep_range(100, 200);
	sim_gpu_read(gpu, SIM_REG_STATUS);
	if (egpu_sim_mmio(gpu->pdev) && gpu->vram) {
		writel(0x55aa55aa, gpu->vram);
		readl(gpu->vram);
	}
	sim_gpu_write(gpu, SIM_REG_CONTROL, SIM_CONTROL_RUN);
	sim_gpu_write(gpu, SIM_REG_IRQ_MASK, ~0);
	return sim_gpu_is_there(gpu) ? 0 : -ENODEV;
}

static void sim_gpu_halt(struct sim_gpu *gpu)
{
	sim_gpu_write(gpu, SIM_REG_IRQ_MASK, 0);
	sim_gpu_write(gpu, SIM_REG_CONTROL, 0);
	sim_gpu_read(gpu, SIM_REG_STATUS);
}

/* --- buffers --- */

static struct sim_gpu_bo *to_sim_gpu_bo(struct drm_gem_object *obj)
{
	return container_of(to_drm_gem_shmem_obj(obj), struct sim_gpu_bo,
			    shmem);
}

/*
 * The device reaches an import no longer. Exporters may keep a mapping for as
 * long as there is the attachment, so that goes, too; its reference of the
 * dma-buf is the buffer's from now on.
 */
static void sim_gpu_bo_detach(struct sim_gpu *gpu, struct sim_gpu_bo *bo)
{
	struct dma_buf_attachment *attachment = bo->shmem.base.import_attach;

	lockdep_assert_held(&gpu->lock);
	list_del_init(&bo->node);
	bo->dmabuf = attachment->dmabuf;
	bo->shmem.base.import_attach = NULL;
	dma_buf_unmap_attachment_unlocked(attachment, bo->shmem.sgt,
					  DMA_BIDIRECTIONAL);
	bo->shmem.sgt = NULL;
	dma_buf_detach(bo->dmabuf, attachment);
}

/*
 * No mapping for the device outlives its driver, and dma-bufs that clients have
 * imported and will close some time are no exception. Who exports them again
 * reads of whom they are under object_name_lock.
 */
static void sim_gpu_detach_imports(struct sim_gpu *gpu)
{
	struct sim_gpu_bo *bo, *next;

	guard(mutex)(&gpu->drm.object_name_lock);
	guard(mutex)(&gpu->lock);
	list_for_each_entry_safe(bo, next, &gpu->imports, node)
		sim_gpu_bo_detach(gpu, bo);
}

/* Detached under the lock, so that remove() does not overtake it. */
static void sim_gpu_bo_free(struct drm_gem_object *obj)
{
	struct sim_gpu *gpu = to_sim_gpu(obj->dev);
	struct sim_gpu_bo *bo = to_sim_gpu_bo(obj);
	struct dma_buf *dmabuf;

	scoped_guard(mutex, &gpu->lock) {
		if (!list_empty(&bo->node))
			sim_gpu_bo_detach(gpu, bo);
		dmabuf = bo->dmabuf;
	}
	drm_gem_shmem_free(&bo->shmem);
	if (dmabuf)
		dma_buf_put(dmabuf);
}

/* What was an import has no pages of its own. */
static int sim_gpu_bo_mmap(struct drm_gem_object *obj,
			   struct vm_area_struct *vma)
{
	int idx, ret;

	if (!drm_dev_enter(obj->dev, &idx))
		return -ENODEV;
	ret = drm_gem_shmem_object_mmap(obj, vma);
	drm_dev_exit(idx);
	return ret;
}

static const struct drm_gem_object_funcs sim_gpu_bo_funcs = {
	.free = sim_gpu_bo_free,
	.print_info = drm_gem_shmem_object_print_info,
	.pin = drm_gem_shmem_object_pin,
	.unpin = drm_gem_shmem_object_unpin,
	.get_sg_table = drm_gem_shmem_object_get_sg_table,
	.vmap = drm_gem_shmem_object_vmap,
	.vunmap = drm_gem_shmem_object_vunmap,
	.mmap = sim_gpu_bo_mmap,
	.vm_ops = &drm_gem_shmem_vm_ops,
};

static struct drm_gem_object *sim_gpu_bo_alloc(struct drm_device *drm,
					       size_t size)
{
	struct sim_gpu_bo *bo = kzalloc(sizeof(*bo), GFP_KERNEL);

	if (!bo)
		return ERR_PTR(-ENOMEM);
	INIT_LIST_HEAD(&bo->node);
	bo->shmem.base.funcs = &sim_gpu_bo_funcs;
	return &bo->shmem.base;
}

/* What is a dma-buf of the device itself is no import. */
static struct drm_gem_object *sim_gpu_import(struct drm_device *drm,
					     struct dma_buf *dmabuf)
{
	struct sim_gpu *gpu = to_sim_gpu(drm);
	struct drm_gem_object *obj;
	int idx;

	if (!drm_dev_enter(drm, &idx))
		return ERR_PTR(-ENODEV);
	obj = drm_gem_prime_import(drm, dmabuf);
	if (!IS_ERR(obj) && obj->import_attach) {
		guard(mutex)(&gpu->lock);
		list_add(&to_sim_gpu_bo(obj)->node, &gpu->imports);
	}
	drm_dev_exit(idx);
	return obj;
}

/* --- the DRM device --- */

static int sim_gpu_open(struct drm_device *drm, struct drm_file *file)
{
	struct sim_gpu *gpu = to_sim_gpu(drm);
	int idx, ret;

	if (!drm_dev_enter(drm, &idx))
		return -ENODEV;
	pm_runtime_get_sync(drm->dev);
	sim_gpu_write(gpu, SIM_REG_CLIENTS, 1);
	ret = sim_gpu_is_there(gpu) ? 0 : -ENODEV;
	if (ret)
		pm_runtime_put(drm->dev);
	drm_dev_exit(idx);
	return ret;
}

static void sim_gpu_postclose(struct drm_device *drm, struct drm_file *file)
{
	int idx;

	if (drm_dev_enter(drm, &idx)) {
		sim_gpu_write(to_sim_gpu(drm), SIM_REG_CLIENTS, 0);
		drm_dev_exit(idx);
	}
	pm_runtime_put(drm->dev);
}

DEFINE_DRM_GEM_FOPS(sim_gpu_fops);

static const struct drm_driver sim_gpu_drm_driver = {
	.driver_features = DRIVER_GEM | DRIVER_RENDER,
	.open = sim_gpu_open,
	.postclose = sim_gpu_postclose,
	.fops = &sim_gpu_fops,
	.gem_create_object = sim_gpu_bo_alloc,
	.gem_prime_import = sim_gpu_import,
	.gem_prime_import_sg_table = drm_gem_shmem_prime_import_sg_table,
	.prime_handle_to_fd = drm_gem_prime_handle_to_fd,
	.prime_fd_to_handle = drm_gem_prime_fd_to_handle,
	.dumb_create = drm_gem_shmem_dumb_create,
	EGPU_DRM_DRIVER_PRIME_MMAP
	.name = SIM_GPU_NAME,
	.desc = "egpu_sim's GPUs",
	EGPU_DRM_DRIVER_DATE
	.major = 1,
};

/* --- the i2c adapter: an open node of it keeps remove() waiting --- */

static s32 sim_gpu_smbus_xfer(struct i2c_adapter *adapter, u16 addr,
			      unsigned short flags, char read_write,
			      u8 command, int size, union i2c_smbus_data *data)
{
	struct sim_gpu *gpu = i2c_get_adapdata(adapter);
	int idx;

	if (!drm_dev_enter(&gpu->drm, &idx))
		return -ENODEV;
	sim_gpu_write(gpu, SIM_REG_I2C, addr);
	sim_gpu_read(gpu, SIM_REG_I2C);
	drm_dev_exit(idx);
	return -ENXIO;
}

static u32 sim_gpu_i2c_functionality(struct i2c_adapter *adapter)
{
	return I2C_FUNC_SMBUS_BYTE;
}

static const struct i2c_algorithm sim_gpu_i2c_algorithm = {
	.smbus_xfer = sim_gpu_smbus_xfer,
	.functionality = sim_gpu_i2c_functionality,
};

static int sim_gpu_i2c_add(struct sim_gpu *gpu)
{
	gpu->i2c.owner = THIS_MODULE;
	gpu->i2c.algo = &sim_gpu_i2c_algorithm;
	gpu->i2c.dev.parent = &gpu->pdev->dev;
	strscpy(gpu->i2c.name, SIM_GPU_NAME, sizeof(gpu->i2c.name));
	i2c_set_adapdata(&gpu->i2c, gpu);
	return devm_i2c_add_adapter(&gpu->pdev->dev, &gpu->i2c);
}

/* --- interrupts --- */

/*
 * The line is level-triggered and nothing here makes the device let go of it,
 * so it is masked at the device, and unmasked as soon as it has let go.
 */
static irqreturn_t sim_gpu_irq(int irq, void *data)
{
	struct sim_gpu *gpu = data;
	u16 status;

	pci_read_config_word(gpu->pdev, PCI_STATUS, &status);
	if (PCI_POSSIBLE_ERROR(status) || !(status & PCI_STATUS_INTERRUPT))
		return IRQ_NONE;
	if (!pci_check_and_mask_intx(gpu->pdev))
		return IRQ_NONE;
	atomic_inc(&gpu->interrupts);
	queue_delayed_work(system_freezable_wq, &gpu->unmask, SIM_UNMASK_DELAY);
	return IRQ_HANDLED;
}

static void sim_gpu_unmask(struct work_struct *work)
{
	struct sim_gpu *gpu = container_of(to_delayed_work(work),
					   struct sim_gpu, unmask);
	u16 status;

	pci_read_config_word(gpu->pdev, PCI_STATUS, &status);
	if (PCI_POSSIBLE_ERROR(status) || pci_check_and_unmask_intx(gpu->pdev))
		return;
	queue_delayed_work(system_freezable_wq, &gpu->unmask, SIM_UNMASK_DELAY);
}

static void sim_gpu_unmask_stop(void *data)
{
	struct sim_gpu *gpu = data;

	cancel_delayed_work_sync(&gpu->unmask);
}

/* Devices without an interrupt pin do without. */
static int sim_gpu_irq_request(struct sim_gpu *gpu)
{
	struct device *dev = &gpu->pdev->dev;
	int ret;

	INIT_DELAYED_WORK(&gpu->unmask, sim_gpu_unmask);
	if (!gpu->pdev->irq)
		return 0;
	ret = devm_add_action_or_reset(dev, sim_gpu_unmask_stop, gpu);
	if (ret)
		return ret;
	return devm_request_irq(dev, gpu->pdev->irq, sim_gpu_irq, IRQF_SHARED,
				SIM_GPU_NAME, gpu);
}

static ssize_t interrupts_show(struct device *dev,
			       struct device_attribute *attr, char *buf)
{
	struct sim_gpu *gpu = dev_get_drvdata(dev);

	return sysfs_emit(buf, "%d\n", atomic_read(&gpu->interrupts));
}
static DEVICE_ATTR_RO(interrupts);

static struct attribute *sim_gpu_attrs[] = {
	&dev_attr_interrupts.attr,
	NULL
};
ATTRIBUTE_GROUPS(sim_gpu);

/* --- the PCI driver --- */

/* A BAR that the device does not have is done without; it needs an address. */
static int sim_gpu_map(struct pci_dev *pdev, int bar, unsigned long max,
		       void __iomem **addr)
{
	if (!pci_resource_len(pdev, bar))
		return 0;
	*addr = pcim_iomap(pdev, bar, max);
	return *addr ? 0 : -ENOMEM;
}

static int sim_gpu_enable(struct sim_gpu *gpu)
{
	struct pci_dev *pdev = gpu->pdev;
	int ret;

	ret = pcim_enable_device(pdev);
	if (ret)
		return ret;
	ret = dma_set_mask_and_coherent(&pdev->dev, DMA_BIT_MASK(64));
	if (ret)
		return ret;
	ret = sim_gpu_map(pdev, SIM_GPU_REGS, 0, &gpu->regs);
	if (ret)
		return ret;
	ret = sim_gpu_map(pdev, SIM_GPU_VRAM, SZ_64K, &gpu->vram);
	if (ret)
		return ret;
	pci_set_master(pdev);
	return sim_gpu_start(gpu);
}

static void sim_gpu_destroy_lock(struct drm_device *drm, void *data)
{
	mutex_destroy(&((struct sim_gpu *)data)->lock);
}

static int sim_gpu_probe(struct pci_dev *pdev, const struct pci_device_id *id)
{
	struct sim_gpu *gpu;
	int ret;

	ret = egpu_sim_point(pdev, EGPU_SIM_PROBE);
	if (ret)
		return ret;
	gpu = devm_drm_dev_alloc(&pdev->dev, &sim_gpu_drm_driver,
				 struct sim_gpu, drm);
	if (IS_ERR(gpu))
		return PTR_ERR(gpu);
	gpu->pdev = pdev;
	INIT_LIST_HEAD(&gpu->imports);
	mutex_init(&gpu->lock);
	ret = drmm_add_action_or_reset(&gpu->drm, sim_gpu_destroy_lock, gpu);
	if (ret)
		return ret;
	pci_set_drvdata(pdev, gpu);
	ret = sim_gpu_enable(gpu);
	if (ret)
		return ret;
	ret = sim_gpu_irq_request(gpu);
	if (ret)
		return ret;
	ret = sim_gpu_i2c_add(gpu);
	if (ret)
		return ret;
	pci_save_state(pdev);		/* for sim_gpu_slot_reset() */
	ret = drm_dev_register(&gpu->drm, 0);
	if (ret)
		return ret;
	gpu->idles = sim_gpu_idles;
	if (gpu->idles)
		pm_runtime_put_noidle(&pdev->dev);
	return 0;
}

/* What was acquired in probe() goes afterwards, in reverse order. */
static void sim_gpu_remove(struct pci_dev *pdev)
{
	struct sim_gpu *gpu = pci_get_drvdata(pdev);

	if (gpu->idles)
		pm_runtime_get_noresume(&pdev->dev);
	drm_dev_unplug(&gpu->drm);
	egpu_sim_point(pdev, EGPU_SIM_REMOVE);
	sim_gpu_halt(gpu);
	pci_clear_master(pdev);
	sim_gpu_detach_imports(gpu);
}

static int sim_gpu_suspend(struct device *dev)
{
	struct sim_gpu *gpu = dev_get_drvdata(dev);
	int ret;

	ret = egpu_sim_point(gpu->pdev, EGPU_SIM_SUSPEND);
	if (!ret)
		sim_gpu_halt(gpu);
	return ret;
}

static int sim_gpu_resume(struct device *dev)
{
	struct sim_gpu *gpu = dev_get_drvdata(dev);
	int ret;

	ret = egpu_sim_point(gpu->pdev, EGPU_SIM_RESUME);
	if (ret)
		return ret;
	pci_set_master(gpu->pdev);
	return sim_gpu_start(gpu);
}

static DEFINE_SIMPLE_DEV_PM_OPS(sim_gpu_pm_ops, sim_gpu_suspend,
				sim_gpu_resume);

static pci_ers_result_t sim_gpu_error_detected(struct pci_dev *pdev,
					       pci_channel_state_t state)
{
	pci_info(pdev, "error detected, channel state %u\n", state);
	switch (state) {
	case pci_channel_io_normal:
		return PCI_ERS_RESULT_CAN_RECOVER;
	case pci_channel_io_frozen:
		return PCI_ERS_RESULT_NEED_RESET;
	default:
		return PCI_ERS_RESULT_DISCONNECT;
	}
}

static pci_ers_result_t sim_gpu_mmio_enabled(struct pci_dev *pdev)
{
	return sim_gpu_is_there(pci_get_drvdata(pdev)) ?
		PCI_ERS_RESULT_RECOVERED : PCI_ERS_RESULT_NEED_RESET;
}

static pci_ers_result_t sim_gpu_slot_reset(struct pci_dev *pdev)
{
	pci_restore_state(pdev);
	pci_save_state(pdev);
	if (sim_gpu_start(pci_get_drvdata(pdev)))
		return PCI_ERS_RESULT_DISCONNECT;
	return PCI_ERS_RESULT_RECOVERED;
}

static void sim_gpu_error_resume(struct pci_dev *pdev)
{
	pci_info(pdev, "recovered\n");
}

static const struct pci_error_handlers sim_gpu_error_handlers = {
	.error_detected = sim_gpu_error_detected,
	.mmio_enabled = sim_gpu_mmio_enabled,
	.slot_reset = sim_gpu_slot_reset,
	.resume = sim_gpu_error_resume,
};

static const struct pci_device_id sim_gpu_ids[] = {
	{ PCI_DEVICE(0x1234, 0xe600) },		/* GPU */
	{ PCI_DEVICE(0x1234, 0xe601) },		/* accelerator */
	{ }
};
MODULE_DEVICE_TABLE(pci, sim_gpu_ids);

static struct pci_driver sim_gpu_driver = {
	.name = SIM_GPU_NAME,
	.id_table = sim_gpu_ids,
	.probe = sim_gpu_probe,
	.remove = sim_gpu_remove,
	.err_handler = &sim_gpu_error_handlers,
	.dev_groups = sim_gpu_groups,
	.driver.pm = pm_sleep_ptr(&sim_gpu_pm_ops),
};
module_pci_driver(sim_gpu_driver);

MODULE_DESCRIPTION("DRM driver for egpu_sim's GPUs");
MODULE_IMPORT_NS("DMA_BUF");
MODULE_LICENSE("GPL");
