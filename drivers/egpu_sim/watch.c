// SPDX-License-Identifier: GPL-2.0
/*
 * What the kernel does with a fabric's devices: who binds and unbinds just now
 * (for `status`), which ports are to be external facing, and sleep.
 */

#include <linux/ktime.h>
#include <linux/module.h>
#include <linux/platform_device.h>
#include <linux/property.h>
#include <linux/slab.h>
#include <linux/suspend.h>

#include "sim.h"

/**
 * struct sim_busy - a driver that is binding or unbinding
 * @link: in fabric->busy
 * @dev: the device, for comparison only
 * @since: when it began
 * @unbinds: it unbinds
 * @name: the device's address
 * @driver: the driver's name
 */
struct sim_busy {
	struct list_head link;
	struct device *dev;
	ktime_t since;
	bool unbinds;
	char name[24];
	char driver[40];
};

static void sim_busy_begin(struct sim_fabric *fabric, struct device *dev,
			   bool unbinds)
{
	struct sim_busy *busy = kzalloc(sizeof(*busy), GFP_KERNEL);

	if (!busy)
		return;
	busy->dev = dev;
	busy->since = ktime_get();
	busy->unbinds = unbinds;
	strscpy(busy->name, dev_name(dev), sizeof(busy->name));
	strscpy(busy->driver, dev->driver ? dev->driver->name : "driver",
		sizeof(busy->driver));
	guard(spinlock)(&fabric->busy_lock);
	list_add_tail(&busy->link, &fabric->busy);
}

static void sim_busy_end(struct sim_fabric *fabric, struct device *dev)
{
	struct sim_busy *busy, *next;

	guard(spinlock)(&fabric->busy_lock);
	list_for_each_entry_safe(busy, next, &fabric->busy, link) {
		if (busy->dev != dev)
			continue;
		list_del(&busy->link);
		kfree(busy);
	}
}

/**
 * sim_fabric_status - the text of `status`
 * @fabric: the fabric
 * @buf: where it goes
 * @size: bytes of it
 *
 * Return: length of the text.
 */
ssize_t sim_fabric_status(struct sim_fabric *fabric, char *buf, size_t size)
{
	static const char *const names[] = {
		"dead", "starting", "live", "stopping"
	};
	struct sim_busy *busy;
	int error = fabric->error;
	ssize_t n;

	n = scnprintf(buf, size, "%s\n", names[READ_ONCE(fabric->state)]);
	if (error)
		n += scnprintf(buf + n, size - n, "error %d\n", error);
	guard(spinlock)(&fabric->busy_lock);
	list_for_each_entry(busy, &fabric->busy, link)
		n += scnprintf(buf + n, size - n, "%s %s %s since %lld s\n",
			       busy->driver,
			       busy->unbinds ? "unbinds" : "binds", busy->name,
			       ktime_ms_delta(ktime_get(), busy->since) / 1000);
	return n;
}

/* --- the PCI bus's notifier --------------------------------------------- */

/* As firmware describes a port of a USB4 host, with whom tunnels begin. */
static void sim_watch_usb4(struct pci_dev *pdev)
{
	const struct property_entry properties[] = {
		PROPERTY_ENTRY_BOOL("usb4-host-interface"),
		{ }
	};

	if (device_create_managed_software_node(&pdev->dev, properties, NULL))
		pci_warn(pdev, "no memory to look like USB4\n");
}

/* Before others look at it, and before what is below it is scanned. */
static void sim_watch_add(struct sim_fabric *fabric, struct pci_dev *pdev)
{
	struct sim_dev *dev = NULL;
	struct sim_func *fn;
	bool usb4 = false;

	scoped_guard(raw_spinlock_irqsave, &fabric->lock) {
		fn = sim_route(fabric, pdev->bus->number, pdev->devfn);
		if (fn && fn->port) {
			pdev->external_facing = fn->port->external_facing;
			usb4 = fn->port->usb4;
		}
		if (fn && fn->dev) {
			dev = fn->dev;
			config_item_get(&dev->group.cg_item);
		}
	}
	if (usb4)
		sim_watch_usb4(pdev);
	if (fabric->msi)
		dev_set_msi_domain(&pdev->dev, fabric->msi);
	if (dev && xa_err(xa_store(&fabric->known, (unsigned long)pdev, dev,
				   GFP_KERNEL)))
		config_item_put(&dev->group.cg_item);
}

static void sim_watch_del(struct sim_fabric *fabric, struct pci_dev *pdev)
{
	struct sim_dev *dev = xa_erase(&fabric->known, (unsigned long)pdev);

	if (dev)
		config_item_put(&dev->group.cg_item);
}

static int sim_watch(struct notifier_block *nb, unsigned long event, void *data)
{
	struct pci_dev *pdev = to_pci_dev(data);
	struct sim_fabric *fabric = sim_fabric_of_bus(pdev->bus);

	if (!fabric)
		return NOTIFY_DONE;
	switch (event) {
	case BUS_NOTIFY_ADD_DEVICE:
		sim_watch_add(fabric, pdev);
		break;
	case BUS_NOTIFY_REMOVED_DEVICE:
		sim_watch_del(fabric, pdev);
		break;
	case BUS_NOTIFY_BIND_DRIVER:
	case BUS_NOTIFY_UNBIND_DRIVER:
		sim_busy_begin(fabric, &pdev->dev,
			       event == BUS_NOTIFY_UNBIND_DRIVER);
		break;
	case BUS_NOTIFY_BOUND_DRIVER:
	case BUS_NOTIFY_DRIVER_NOT_BOUND:
	case BUS_NOTIFY_UNBOUND_DRIVER:
		sim_busy_end(fabric, &pdev->dev);
		break;
	}
	return NOTIFY_DONE;
}

static struct notifier_block sim_notifier = {
	.notifier_call = sim_watch,
	.priority = INT_MAX,
};

/* --- sleep -------------------------------------------------------------- */

static struct sim_fabric *sim_fabric_of(struct device *dev)
{
	return *(struct sim_fabric **)dev_get_platdata(dev);
}

static int sim_suspend(struct device *dev)
{
	return sim_fabric_prepare_sleep(sim_fabric_of(dev));
}

/* All devices of the fabric sleep: they are this one's children. */
static int sim_suspend_noirq(struct device *dev)
{
	bool power_lost = false;

#ifdef CONFIG_SUSPEND
	power_lost = pm_suspend_target_state == PM_SUSPEND_MEM;
#endif
	sim_fabric_sleep(sim_fabric_of(dev), power_lost);
	return 0;
}

static const struct dev_pm_ops sim_pm_ops = {
	SYSTEM_SLEEP_PM_OPS(sim_suspend, NULL)
	NOIRQ_SYSTEM_SLEEP_PM_OPS(sim_suspend_noirq, NULL)
};

static int sim_probe(struct platform_device *pdev)
{
	return 0;
}

static struct platform_driver sim_driver = {
	.probe = sim_probe,
	.driver = {
		.name = "egpu_sim",
		.pm = pm_sleep_ptr(&sim_pm_ops),
		.suppress_bind_attrs = true,
	},
};

int sim_fabric_init(void)
{
	int ret;

	ret = platform_driver_register(&sim_driver);
	if (ret)
		return ret;
	ret = bus_register_notifier(&pci_bus_type, &sim_notifier);
	if (ret)
		platform_driver_unregister(&sim_driver);
	return ret;
}

void sim_fabric_exit(void)
{
	bus_unregister_notifier(&pci_bus_type, &sim_notifier);
	platform_driver_unregister(&sim_driver);
}
