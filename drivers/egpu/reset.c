// SPDX-License-Identifier: GPL-2.0-only
/*
 * A reset of everything below a port, as a job. pci_reset_bus() walks the list
 * of devices without a lock that keeps them in it: it unlocks one, whose removal
 * waited for that, and reads the next from what was just taken out. So the walk
 * is our own, over references.
 */
#include <linux/delay.h>
#include <linux/pci.h>
#include <linux/slab.h>
#include <linux/timekeeping.h>

#include "egpu.h"

#define EGPU_RESET_TRIES 20	/* while others look at what is below */

static int egpu_below_count(struct pci_dev *pdev, void *data)
{
	(*(u32 *)data)++;
	return 0;
}

static int egpu_below_collect(struct pci_dev *pdev, void *data)
{
	struct egpu_pdevs *below = data;

	/* First the count: it bounds the array. */
	below->nr++;
	below->pdev[below->nr - 1] = pci_dev_get(pdev);
	return 0;
}

/**
 * egpu_slot_below() - all that is below, bridges before what is behind them
 * @port: the port, not locked; takes the rescan lock
 *
 * Return: a snapshot, each device with a reference, or NULL without memory.
 */
struct egpu_pdevs *egpu_slot_below(struct egpu_port *port)
{
	struct egpu_pdevs *below;
	struct pci_bus *bus;
	u32 nr = 0;

	pci_lock_rescan_remove();
	bus = port->pdev->subordinate;
	if (bus)
		pci_walk_bus(bus, egpu_below_count, &nr);
	below = kzalloc(struct_size(below, pdev, nr), GFP_KERNEL);
	if (below && bus)
		pci_walk_bus(bus, egpu_below_collect, below);
	pci_unlock_rescan_remove();
	return below;
}

static void egpu_below_unlock(struct egpu_pdevs *below, u32 nr)
{
	while (nr--)
		pci_dev_unlock(below->pdev[nr]);
}

/* A driver that came meanwhile would not know what happens to its device. */
static int egpu_below_lock_one(struct pci_dev *pdev)
{
	struct device_driver *drv;
	int ret = 0;

	if (!pci_dev_trylock(pdev))
		return -EAGAIN;
	drv = pdev->dev.driver;
	if (!device_is_registered(&pdev->dev) || pci_dev_is_disconnected(pdev))
		ret = -ENODEV;
	else if (pdev->hdr_type != PCI_HEADER_TYPE_BRIDGE && drv &&
		 !egpu_bus_is_ours(drv))
		ret = -EBUSY;
	if (ret)
		pci_dev_unlock(pdev);
	return ret;
}

/* Nobody binds, removes, or reads configuration from user space any more. */
static int egpu_below_lock(struct egpu_pdevs *below)
{
	int ret = 0;
	u32 i;

	for (i = 0; i < below->nr; i++) {
		ret = egpu_below_lock_one(below->pdev[i]);
		if (ret)
			break;
	}
	if (ret)
		egpu_below_unlock(below, i);
	return ret;
}

/* As the kernel does before its own resets. */
static void egpu_below_save(struct egpu_pdevs *below)
{
	u32 i;

	for (i = 0; i < below->nr; i++) {
		pci_set_power_state(below->pdev[i], PCI_D0);
		pci_save_state(below->pdev[i]);
		pci_write_config_word(below->pdev[i], PCI_COMMAND,
				      PCI_COMMAND_INTX_DISABLE);
	}
}

/*
 * Until it answers with its id. A Request Retry Status, which reads as a vendor
 * of 1, is no answer (PCIe 6.0.1 section 2.3.2), but a device lives that gives it.
 */
static void egpu_below_await(struct pci_dev *pdev, u64 begun)
{
	u64 ms;
	u32 id;

	while (!pci_dev_is_disconnected(pdev)) {
		pci_read_config_dword(pdev, PCI_VENDOR_ID, &id);
		ms = div_u64(ktime_get_ns() - begun, NSEC_PER_MSEC);
		if (PCI_POSSIBLE_ERROR(id) ? ms >= EGPU_RESET_MS :
		    (u16)id != PCI_VENDOR_ID_PCI_SIG || ms >= EGPU_RETRY_MS)
			return;
		msleep(EGPU_TRYLOCK_MS);
	}
}

/* Bridges come first: what is behind them answers afterwards. */
static void egpu_below_restore(struct egpu_pdevs *below)
{
	u64 begun = ktime_get_ns();
	u32 i;

	for (i = 0; i < below->nr; i++) {
		egpu_below_await(below->pdev[i], begun);
		pci_restore_state(below->pdev[i]);
	}
}

/* pciehp takes no notice of a reset through its slot. */
static int egpu_below_reset(struct egpu_port *port, struct egpu_pdevs *below,
			    bool pciehp)
{
	int ret;

	egpu_below_save(below);
	if (pciehp)
		ret = egpu_slot_op(port->pdev->subordinate, EGPU_SLOT_RESET);
	else
		ret = pci_bridge_secondary_bus_reset(port->pdev);
	egpu_below_restore(below);
	return ret;
}

/*
 * @arrivals: so many before the snapshot. What came since is not in it, and
 *	nobody would save its configuration; to look at the bus again is not for
 *	who holds device_locks.
 */
static int egpu_below_try(struct egpu_port *port, struct egpu_pdevs *below,
			  u32 arrivals, bool pciehp)
{
	int tries = EGPU_RESET_TRIES;
	int ret;

	while ((ret = egpu_below_lock(below)) == -EAGAIN && --tries)
		msleep(EGPU_TRYLOCK_MS);
	if (ret)
		return ret;
	if (egpu_bus_arrivals() == arrivals)
		ret = egpu_below_reset(port, below, pciehp);
	else
		ret = -EAGAIN;
	egpu_below_unlock(below, below->nr);
	return ret;
}

/**
 * egpu_slot_reset() - reset the bus below; pciehp takes no notice of it
 * @port: the port; nothing below is bound to a driver but ours
 *
 * Configuration of all that is below is saved and restored. pciehp's slot stays
 * while its service is locked (PCIe 6.0.1 section 6.6.1: a second at most until
 * what is below answers).
 *
 * Return: 0 or
 *  * -ENODEV	there is nothing below any more, or pciehp goes
 *  * -EBUSY	a driver was bound meanwhile
 *  * -EAGAIN	others have hold of what is below, or something is arriving
 *  * -ENOMEM, or what the reset says
 */
int egpu_slot_reset(struct egpu_port *port)
{
	u32 arrivals = egpu_bus_arrivals();
	struct egpu_pdevs *below __free(egpu_pdevs) = egpu_slot_below(port);
	struct device *service = egpu_service_get(port->pdev);
	int ret = -ENODEV;

	if (!below) {
		ret = -ENOMEM;
	} else if (!below->nr) {
		ret = -ENODEV;
	} else if (!service) {
		/* Where pciehp was and is no more, its slot is going, too. */
		if (READ_ONCE(port->backend) != EGPU_BACKEND_PCIEHP)
			ret = egpu_below_try(port, below, arrivals, false);
	} else if (egpu_service_lock(service)) {
		ret = egpu_below_try(port, below, arrivals, true);
		device_unlock(service);
	}
	put_device(service);
	return ret;
}
