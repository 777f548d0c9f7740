// SPDX-License-Identifier: GPL-2.0
/*
 * egpu_sim: a PCIe fabric made of software, for tests of hotplug, links and
 * errors. Module load and unload, and the memory that BARs can have.
 * Documentation/egpu_sim.rst is the guide.
 */

#define pr_fmt(fmt) "egpu_sim: " fmt

#include <linux/ioport.h>
#include <linux/kernel.h>
#include <linux/module.h>

#include "sim.h"

DEFINE_MUTEX(sim_lock);
struct workqueue_struct *sim_wq;

static char *window;
module_param(window, charp, 0444);
MODULE_PARM_DESC(window, "SIZE@START: memory for fabrics with ram=1, kept from the kernel by memmap=SIZE%START-1");

static struct resource sim_ram = {
	.name = "egpu_sim RAM",
	.flags = IORESOURCE_MEM,
};

bool sim_ram_given(void)
{
	return sim_ram.parent;
}

static int sim_ram_init(void)
{
	u64 size, start;
	char *at;
	int ret;

	if (!window || !*window)
		return 0;
	size = memparse(window, &at);
	if (*at != '@')
		goto bad;
	start = memparse(at + 1, &at);
	if (*at || !size || !IS_ALIGNED(size | start, SZ_1M) ||
	    start + size > SZ_4G || start + size < size)
		goto bad;
	sim_ram.start = start;
	sim_ram.end = start + size - 1;
	/* insert_resource() would also take what the kernel uses as RAM. */
	if (region_intersects(start, size, IORESOURCE_SYSTEM_RAM,
			      IORES_DESC_NONE) != REGION_DISJOINT)
		ret = -EBUSY;
	else
		ret = insert_resource(&iomem_resource, &sim_ram);
	if (ret)
		pr_err("window=%s: in use; keep it from the kernel by memmap=%lluM%%0x%llx-1\n",
		       window, size >> 20, start);
	return ret;
bad:
	pr_err("window=%s: want SIZE@START below 4G, in multiples of 1M\n",
	       window);
	return -EINVAL;
}

/**
 * sim_ram_take - a part of the window
 * @res: what it becomes; its flags and name are set
 * @size: bytes
 * @align: a power of two
 *
 * Return: 0; -ENXIO: no window was given; -EBUSY: it is too small or used up.
 */
int sim_ram_take(struct resource *res, resource_size_t size,
		 resource_size_t align)
{
	if (!sim_ram_given())
		return -ENXIO;
	return allocate_resource(&sim_ram, res, size, sim_ram.start,
				 sim_ram.end, align, NULL, NULL);
}

static void sim_ram_exit(void)
{
	if (sim_ram.parent)
		remove_resource(&sim_ram);
}

static int __init sim_init(void)
{
	int ret;

	ret = sim_ram_init();
	if (ret)
		return ret;
	sim_wq = alloc_workqueue("egpu_sim", WQ_UNBOUND, 0);
	ret = sim_wq ? sim_fabric_init() : -ENOMEM;
	if (ret)
		goto no_fabric;
	ret = sim_tree_init();
	if (ret)
		goto no_tree;
	return 0;
no_tree:
	sim_fabric_exit();
no_fabric:
	if (sim_wq)
		destroy_workqueue(sim_wq);
	sim_ram_exit();
	return ret;
}
module_init(sim_init);

/* A live fabric pins the module; its last work may be just returning. */
static void __exit sim_exit(void)
{
	sim_tree_exit();
	destroy_workqueue(sim_wq);
	sim_fabric_exit();
	sim_ram_exit();
}
module_exit(sim_exit);

MODULE_DESCRIPTION("Simulated PCIe fabric for hotplug, link and error tests");
MODULE_LICENSE("GPL");
