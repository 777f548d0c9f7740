// SPDX-License-Identifier: GPL-2.0-only
/*
 * Slot operations: pciehp's slot driven safely, and plain removal and rescan
 * where another hotplug driver, or none, has the slot. Called by jobs only.
 */
#include <linux/bitfield.h>
#include <linux/delay.h>
#include <linux/interrupt.h>
#include <linux/pci.h>
#include <linux/pci_hotplug.h>
#include <linux/pm_runtime.h>
#include <linux/slab.h>

#include "egpu.h"

static int egpu_service_match(struct device *dev, void *data)
{
	struct device_driver *drv = READ_ONCE(dev->driver);
	struct device **found = data;

	if (!dev->bus || strcmp(dev->bus->name, "pci_express") || !drv ||
	    strcmp(drv->name, "pciehp"))
		return 0;
	*found = get_device(dev);
	return 1;
}

/* The port's hotplug service, bound to pciehp; with a reference, or NULL. */
struct device *egpu_service_get(struct pci_dev *port)
{
	struct device *service = NULL;

	device_for_each_child(&port->dev, &service, egpu_service_match);
	return service;
}

/**
 * egpu_slot_backend() - who operates the slot
 * @port: the port
 *
 * Return: EGPU_BACKEND_SOFT when egpu is, EGPU_BACKEND_PCIEHP when the kernel's
 * pciehp is bound, else EGPU_BACKEND_OTHER: also where firmware kept the hotplug
 * capability.
 */
enum egpu_backend egpu_slot_backend(struct egpu_port *port)
{
	struct device *service;

	if (READ_ONCE(port->soft))
		return EGPU_BACKEND_SOFT;
	service = egpu_service_get(port->pdev);
	if (!service)
		return EGPU_BACKEND_OTHER;
	put_device(service);
	return EGPU_BACKEND_PCIEHP;
}

/*
 * pciehp's operations live as long as it is bound to the service. Whoever
 * unbinds it holds the service's device_lock, maybe for a long time while it
 * waits for what we do: so only try, and give up when the port dies.
 */
bool egpu_service_lock(struct device *service)
{
	while (!device_trylock(service)) {
		if (!device_is_registered(service))
			return false;
		msleep(EGPU_TRYLOCK_MS);
	}
	if (service->driver && !strcmp(service->driver->name, "pciehp"))
		return true;
	device_unlock(service);
	return false;
}

/**
 * egpu_slot_op() - call an operation of pciehp's slot
 * @bus: the bus below; its port's service is locked
 * @op: which
 *
 * Return: what the operation says, -ENODEV when there is none, -ENXIO when
 * pciehp's slot has a number that this kernel should not give it.
 */
int egpu_slot_op(struct pci_bus *bus, enum egpu_slot_op op)
{
	struct hotplug_slot *hotplug;
	struct pci_slot *slot;
	int ret = -ENODEV;

	/* It exists while pciehp is bound; this takes a reference. */
	slot = pci_create_slot(bus, EGPU_SLOT_NR, EGPU_NAME, NULL);
	if (IS_ERR(slot))
		return PTR_ERR(slot);
	hotplug = slot->hotplug;
	if (!hotplug)
		ret = -ENXIO;
	else if (op == EGPU_SLOT_ON && hotplug->ops->enable_slot)
		ret = hotplug->ops->enable_slot(hotplug);
	else if (op == EGPU_SLOT_OFF && hotplug->ops->disable_slot)
		ret = hotplug->ops->disable_slot(hotplug);
	else if (op == EGPU_SLOT_RESET && hotplug->ops->reset_slot)
		ret = hotplug->ops->reset_slot(hotplug, PCI_RESET_DO_RESET);
	pci_destroy_slot(slot);
	return ret;
}

/*
 * pciehp says that there is nothing to do also while its thread is doing it for
 * somebody else. Wait until that has ended, as its operations wait themselves:
 * a slot that it switches off is off a second after its last device is gone.
 */
static void egpu_pciehp_settle(struct pci_dev *port)
{
	u16 flags = 0;
	int irq;

	/* portdrv chose the vector that way. */
	pcie_capability_read_word(port, PCI_EXP_FLAGS, &flags);
	irq = pci_irq_vector(port, FIELD_GET(PCI_EXP_FLAGS_IRQ, flags));
	if (irq < 0)
		irq = pci_irq_vector(port, 0);
	if (irq > 0)
		synchronize_irq(irq);
}

/*
 * Return: what pciehp's operation says, 0 or
 *  * -ENODEV	it is in that state already, or there is no card, or no pciehp
 *  * -ENXIO	pciehp's slot has a number that this kernel should not give it
 *  * -EINVAL	its power is off already
 */
static int egpu_pciehp_op(struct egpu_port *port, enum egpu_slot_op op)
{
	struct device *service = egpu_service_get(port->pdev);
	int ret = -ENODEV;

	if (!service)
		return -ENODEV;
	if (egpu_service_lock(service)) {
		/* Bound, so the bus below cannot go. */
		ret = egpu_slot_op(port->pdev->subordinate, op);
		if (ret == -ENODEV)
			egpu_pciehp_settle(port->pdev);
		device_unlock(service);
	}
	put_device(service);
	return ret;
}

/* Is anything below, recorded or not? */
bool egpu_slot_is_occupied(struct egpu_port *port)
{
	struct pci_bus *bus;
	bool occupied;

	pci_lock_rescan_remove();
	bus = port->pdev->subordinate;
	occupied = bus && !list_empty(&bus->devices);
	pci_unlock_rescan_remove();
	return occupied;
}

static int egpu_hotplug_below(struct pci_dev *pdev, void *data)
{
	struct device *service = egpu_service_get(pdev);

	if (!service)
		return 0;
	put_device(service);
	*(bool *)data = true;
	return 1;
}

static bool egpu_has_hotplug_below(struct egpu_port *port)
{
	struct pci_bus *bus;
	bool nested = false;

	pci_lock_rescan_remove();
	bus = port->pdev->subordinate;
	if (bus)
		pci_walk_bus(bus, egpu_hotplug_below, &nested);
	pci_unlock_rescan_remove();
	return nested;
}

/*
 * Remove what is below without the slot's help. Never with a live hotplug port
 * in it: its interrupt thread may wait for the lock that the removal holds.
 */
static int egpu_slot_remove_below(struct egpu_port *port)
{
	struct pci_dev *pdev, *prev;
	struct pci_bus *bus;

	if (egpu_has_hotplug_below(port))
		return -EBUSY;
	pci_lock_rescan_remove();
	bus = port->pdev->subordinate;
	if (bus) {
		list_for_each_entry_safe_reverse(pdev, prev, &bus->devices,
						 bus_list)
			pci_stop_and_remove_bus_device(pdev);
	}
	pci_unlock_rescan_remove();
	return 0;
}

static bool egpu_has_driver(struct pci_dev *pdev)
{
	struct device_driver *drv = READ_ONCE(pdev->dev.driver);

	return pdev->hdr_type == PCI_HEADER_TYPE_NORMAL && drv &&
	       !egpu_bus_is_ours(drv);
}

/*
 * Under the rescan lock, so not what a driver has: that may hang. With a bridge
 * goes all that is behind it.
 */
static void egpu_remove_lost_on(struct pci_bus *bus)
{
	struct pci_dev *pdev, *prev;

	list_for_each_entry_safe_reverse(pdev, prev, &bus->devices, bus_list) {
		if (egpu_has_driver(pdev))
			continue;
		if (pci_dev_is_disconnected(pdev))
			pci_stop_and_remove_bus_device(pdev);
		else if (pdev->subordinate)
			egpu_remove_lost_on(pdev->subordinate);
	}
}

/**
 * egpu_slot_remove_lost() - remove what vanished, and only that
 * @port: the port; no driver but pciehp is bound to what vanished
 *
 * Hotplug ports in it are put to rest first: their interrupt threads may wait for
 * the lock that removal holds. Others are left alone.
 *
 * Return: 0 or -ENOMEM.
 */
int egpu_slot_remove_lost(struct egpu_port *port)
{
	struct egpu_nested *nested = egpu_slot_quiet_nested(port, true);

	if (!nested)
		return -ENOMEM;
	pci_lock_rescan_remove();
	if (port->pdev->subordinate)
		egpu_remove_lost_on(port->pdev->subordinate);
	pci_unlock_rescan_remove();
	egpu_slot_free_nested(nested);
	return 0;
}

/**
 * egpu_slot_off() - switch the slot off; everything below is removed by that
 * @port: the port; nothing below is bound any more
 *
 * pciehp says that it is off already when something else added the device
 * behind its back: then on first. What is left in spite of all (a device that
 * lost its power, and pciehp did not see it) is removed.
 *
 * Return: 0 when nothing is left below, -EBUSY when a hotplug port is, or what
 * the slot's operation said.
 */
int egpu_slot_off(struct egpu_port *port)
{
	int ret;

	if (egpu_slot_backend(port) != EGPU_BACKEND_PCIEHP) {
		ret = egpu_slot_remove_below(port);
		if (!ret)
			egpu_soft_off(port);
		return ret;
	}
	/* Their interrupt threads may wait for the lock that removal holds. */
	if (egpu_has_hotplug_below(port))
		return -EBUSY;
	ret = egpu_pciehp_op(port, EGPU_SLOT_OFF);
	if (ret == -ENXIO)
		return ret;
	if (ret == -ENODEV && egpu_slot_is_occupied(port)) {
		egpu_pciehp_op(port, EGPU_SLOT_ON);
		ret = egpu_pciehp_op(port, EGPU_SLOT_OFF);
	}
	if (!egpu_slot_is_occupied(port))
		return 0;
	return egpu_slot_remove_below(port);
}

/* Look again what is below. */
void egpu_slot_rescan(struct egpu_port *port)
{
	pci_lock_rescan_remove();
	if (port->pdev->subordinate)
		pci_rescan_bus(port->pdev->subordinate);
	pci_unlock_rescan_remove();
}

/**
 * egpu_slot_on() - switch the slot on, or look again what is there
 * @port: the port
 *
 * Return: 0 when something is below now, else -ENODEV or what the slot's
 * operation said.
 */
int egpu_slot_on(struct egpu_port *port)
{
	enum egpu_backend backend = egpu_slot_backend(port);
	int ret = -ENODEV;

	if (backend == EGPU_BACKEND_PCIEHP) {
		ret = egpu_pciehp_op(port, EGPU_SLOT_ON);
		if (egpu_slot_is_occupied(port))
			return 0;
	} else if (backend == EGPU_BACKEND_SOFT) {
		ret = egpu_soft_on(port);
		if (ret)
			return ret;
	}
	egpu_slot_rescan(port);
	return egpu_slot_is_occupied(port) ? 0 : ret ?: -ENODEV;
}

/* The name of pciehp's slot; it cannot go while its service is locked. */
static void egpu_pciehp_name(struct egpu_port *port, char *name, size_t size)
{
	struct device *service = egpu_service_get(port->pdev);
	struct pci_slot *slot;

	if (!service)
		return;
	if (egpu_service_lock(service)) {
		slot = pci_create_slot(port->pdev->subordinate, EGPU_SLOT_NR,
				       EGPU_NAME, NULL);
		if (!IS_ERR(slot)) {
			if (slot->hotplug)
				strscpy(name, pci_slot_name(slot), size);
			pci_destroy_slot(slot);
		}
		device_unlock(service);
	}
	put_device(service);
}

/* Other hotplug drivers' slots go under the rescan lock, held here. */
static void egpu_other_name(struct pci_bus *bus, char *name, size_t size)
{
	struct pci_dev *pdev;

	list_for_each_entry(pdev, &bus->devices, bus_list)
		if (pdev->slot)
			strscpy(name, pci_slot_name(pdev->slot), size);
}

/**
 * egpu_slot_look() - note what only a job may find out
 * @port: the port
 *
 * Backend, slot name, secondary bus. What ADD announced may be in the middle of
 * being scanned: taking the rescan lock waits for its end.
 */
void egpu_slot_look(struct egpu_port *port)
{
	enum egpu_backend backend = egpu_slot_backend(port);
	char name[EGPU_NAME_LEN] = "";
	struct pci_bus *bus;
	u8 secondary = 0;

	pci_lock_rescan_remove();
	bus = port->pdev->subordinate;
	if (bus)
		secondary = bus->number;
	if (bus && backend == EGPU_BACKEND_OTHER)
		egpu_other_name(bus, name, sizeof(name));
	pci_unlock_rescan_remove();
	if (backend == EGPU_BACKEND_PCIEHP)
		egpu_pciehp_name(port, name, sizeof(name));

	guard(mutex)(&port->lock);
	/* It may have been forgotten meanwhile. */
	if (backend != EGPU_BACKEND_SOFT || port->soft)
		port->backend = backend;
	port->secondary = secondary;
	if (name[0])
		strscpy(port->slot_name, name, sizeof(port->slot_name));
}

static int egpu_presence_by_id(struct egpu_port *port)
{
	struct pci_bus *bus;
	u32 id = 0;

	pci_lock_rescan_remove();
	bus = port->pdev->subordinate;
	if (bus)
		pci_bus_read_config_dword(bus, 0, PCI_VENDOR_ID, &id);
	pci_unlock_rescan_remove();
	return !PCI_POSSIBLE_ERROR(id) && id;
}

/**
 * egpu_slot_presence() - is a card there?
 * @port: the port; is woken up
 *
 * Presence Detect State where there is a slot with presence, else Data Link
 * Layer Link Active, else whether a device answers (PCIe 6.0.1 section
 * 7.5.3.11 and 7.5.3.8).
 *
 * Return: 1, 0, or -EIO when the port itself does not answer.
 */
int egpu_slot_presence(struct egpu_port *port)
{
	struct pci_dev *pdev = port->pdev;
	u32 linkcap = 0;
	u16 status = 0;
	int ret;

	if (READ_ONCE(port->soft))
		return egpu_soft_presence(port);
	pm_runtime_get_sync(&pdev->dev);
	pcie_capability_read_dword(pdev, PCI_EXP_LNKCAP, &linkcap);
	if (linkcap == ~0U) {
		ret = -EIO;
	} else if (pcie_caps_reg(pdev) & PCI_EXP_FLAGS_SLOT &&
		   pdev->is_hotplug_bridge) {
		pcie_capability_read_word(pdev, PCI_EXP_SLTSTA, &status);
		ret = !!(status & PCI_EXP_SLTSTA_PDS);
	} else if (linkcap & PCI_EXP_LNKCAP_DLLLARC) {
		pcie_capability_read_word(pdev, PCI_EXP_LNKSTA, &status);
		ret = !!(status & PCI_EXP_LNKSTA_DLLLA);
	} else {
		ret = egpu_presence_by_id(port);
	}
	pm_runtime_put(&pdev->dev);
	return ret;
}

/* Does Downstream Port Containment keep what is below away right now? */
bool egpu_slot_dpc_triggered(struct egpu_port *port)
{
	u16 status;

	if (!port->dpc_cap)
		return false;
	pci_read_config_word(port->pdev, port->dpc_cap + PCI_EXP_DPC_STATUS,
			     &status);
	return status != (u16)~0 && status & PCI_EXP_DPC_STATUS_TRIGGER;
}

/**
 * struct egpu_nested - the hotplug services that a cable port's detach unbound
 * @nr: entries
 * @max: room
 * @lost: only of ports that vanished
 * @service: the services, from the outermost to the innermost
 */
struct egpu_nested {
	u32 nr;
	u32 max;
	bool lost;
	struct device *service[];
};

static int egpu_nested_count(struct pci_dev *pdev, void *data)
{
	*(u32 *)data += pdev->is_hotplug_bridge;
	return 0;
}

static int egpu_nested_collect(struct pci_dev *pdev, void *data)
{
	struct egpu_nested *nested = data;
	struct device *service;

	if (nested->nr == nested->max)
		return 1;
	if (nested->lost && !pci_dev_is_disconnected(pdev))
		return 0;
	service = egpu_service_get(pdev);
	if (service)
		nested->service[nested->nr++] = service;
	return 0;
}

/**
 * egpu_slot_quiet_nested() - unbind pciehp from every hotplug port below
 * @port: the cable port; nothing below is bound to a GPU driver
 * @lost: only from those that vanished
 *
 * Innermost first, without the rescan lock.
 *
 * Return: what to wake again on failure, or NULL without memory.
 */
struct egpu_nested *egpu_slot_quiet_nested(struct egpu_port *port, bool lost)
{
	struct egpu_nested *nested;
	struct pci_bus *bus;
	u32 max = 0, i;

	pci_lock_rescan_remove();
	bus = port->pdev->subordinate;
	if (bus)
		pci_walk_bus(bus, egpu_nested_count, &max);
	nested = kzalloc(struct_size(nested, service, max), GFP_KERNEL);
	if (nested) {
		nested->max = max;
		nested->lost = lost;
		if (bus)
			pci_walk_bus(bus, egpu_nested_collect, nested);
	}
	pci_unlock_rescan_remove();
	if (!nested)
		return NULL;
	for (i = nested->nr; i > 0; i--)
		device_release_driver(nested->service[i - 1]);
	return nested;
}

/* The detach failed: pciehp takes its ports again. */
void egpu_slot_wake_nested(struct egpu_nested *nested)
{
	u32 i;

	for (i = 0; i < nested->nr; i++)
		if (device_attach(nested->service[i]) < 0)
			dev_warn(nested->service[i],
				 "egpu: pciehp did not come back\n");
}

void egpu_slot_free_nested(struct egpu_nested *nested)
{
	u32 i;

	for (i = 0; i < nested->nr; i++)
		put_device(nested->service[i]);
	kfree(nested);
}
