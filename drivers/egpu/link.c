// SPDX-License-Identifier: GPL-2.0-only
/*
 * Links: their registers read and decoded, from the GPU up to the root. Read
 * when somebody asks, a few times a second at most, and only from devices that
 * are awake.
 */
#include <linux/pci.h>
#include <linux/property.h>
#include <linux/timekeeping.h>

#include "egpu.h"
#include "link_regs.h"

#define EGPU_EXT_CAP_SECONDARY	0x19	/* Secondary PCI Express */
#define EGPU_LANE_ERRORS	0x08	/* Lane Error Status in it */

/* Reading a sleeping device would wake it, or give all ones. */
static bool egpu_is_awake(struct pci_dev *pdev)
{
	return pdev->current_state == PCI_D0 && pci_is_pcie(pdev);
}

static bool egpu_link_regs_read(struct pci_dev *pdev,
				struct egpu_link_regs *regs)
{
	memset(regs, 0, sizeof(*regs));
	if (!egpu_is_awake(pdev))
		return false;
	pcie_capability_read_dword(pdev, PCI_EXP_LNKCAP, &regs->cap);
	if (PCI_POSSIBLE_ERROR(regs->cap))
		return false;
	pcie_capability_read_dword(pdev, PCI_EXP_LNKCAP2, &regs->cap2);
	pcie_capability_read_word(pdev, PCI_EXP_LNKCTL, &regs->ctl);
	pcie_capability_read_word(pdev, PCI_EXP_LNKCTL2, &regs->ctl2);
	pcie_capability_read_word(pdev, PCI_EXP_LNKSTA2, &regs->sta2);
	pcie_capability_read_word(pdev, PCI_EXP_LNKSTA, &regs->sta);
	/* Gone meanwhile: the last one read says so. */
	return !PCI_POSSIBLE_ERROR(regs->sta);
}

static u32 egpu_link_lane_errors(struct pci_dev *pdev)
{
	int cap = pci_find_ext_capability(pdev, EGPU_EXT_CAP_SECONDARY);
	u32 lanes = 0;

	if (!cap || pci_read_config_dword(pdev, cap + EGPU_LANE_ERRORS, &lanes))
		return 0;
	return PCI_POSSIBLE_ERROR(lanes) ? 0 : lanes;
}

static void egpu_link_dpc(struct egpu_hop *link, struct pci_dev *pdev)
{
	int cap = pci_find_ext_capability(pdev, PCI_EXT_CAP_ID_DPC);
	u16 status;

	if (!cap ||
	    pci_read_config_word(pdev, cap + PCI_EXP_DPC_STATUS, &status) ||
	    PCI_POSSIBLE_ERROR(status))
		return;
	link->dpc_status = status;
	if (status & PCI_EXP_DPC_STATUS_TRIGGER)
		link->flags |= EGPU_LINK_DPC;
}

/* Firmware marks the ports of USB4 hosts; Thunderbolt's own say it themselves. */
static bool egpu_link_is_tunnel(struct pci_dev *pdev, struct pci_dev *partner)
{
	if (device_property_present(&pdev->dev, "usb4-host-interface"))
		return true;
	return partner && partner->is_thunderbolt && pci_is_bridge(partner);
}

static void egpu_link_read(struct egpu_hop *link, struct egpu_port *port,
			   struct pci_dev *pdev, struct pci_dev *partner)
{
	struct egpu_link_regs regs;

	memset(link, 0, sizeof(*link));
	link->domain = port->domain;
	link->bus = pdev->bus->number;
	link->devfn = pdev->devfn;
	if (pdev == port->pdev)
		link->flags |= EGPU_LINK_PORT;
	if (egpu_link_is_tunnel(pdev, partner))
		link->flags |= EGPU_LINK_TUNNELLED;
	if (!egpu_link_regs_read(pdev, &regs))
		return;
	link->flags |= EGPU_LINK_KNOWN;
	egpu_link_decode(link, &regs);
	link->lane_errors = egpu_link_lane_errors(pdev);
	egpu_link_dpc(link, pdev);
	if (!partner || !egpu_link_regs_read(partner, &regs))
		return;
	link->partner_bus = partner->bus->number;
	link->partner_devfn = partner->devfn;
	egpu_link_decode_partner(link, &regs);
}

static bool egpu_has_link_below(struct pci_dev *pdev)
{
	return pci_is_pcie(pdev) &&
	       (pci_pcie_type(pdev) == PCI_EXP_TYPE_ROOT_PORT ||
		pci_pcie_type(pdev) == PCI_EXP_TYPE_DOWNSTREAM);
}

/* What leads farthest down: the GPU, another function, or nobody. */
static struct pci_dev *egpu_link_end(struct egpu_port *port)
{
	struct egpu_fn *fn;

	list_for_each_entry(fn, &port->functions, node)
		if (fn->gated)
			return fn->pdev;
	fn = list_first_entry_or_null(&port->functions, struct egpu_fn, node);
	return fn ? fn->pdev : NULL;
}

/*
 * Bridges on the way can be removed meanwhile, but not freed: a device holds its
 * bus, and the bus its bridge.
 */
static void egpu_links_read(struct egpu_port *port)
{
	struct pci_dev *end = egpu_link_end(port), *pdev = end ?: port->pdev;
	struct pci_dev *partner = NULL;
	u32 nr = 0;

	lockdep_assert_held(&port->lock);
	for (; pdev && nr < EGPU_LINKS_MAX; pdev = pci_upstream_bridge(pdev)) {
		if (egpu_has_link_below(pdev))
			egpu_link_read(&port->links[nr++], port, pdev, partner);
		partner = pdev;
	}
	port->nr_links = nr;
	port->links_ns = ktime_get_ns();
}

/**
 * egpu_links_get - the links from the root to a port's GPU
 * @port: the port
 * @links: room for EGPU_LINKS_MAX of them; the root's comes first
 *
 * Return: how many there are.
 */
u32 egpu_links_get(struct egpu_port *port, struct egpu_hop *links)
{
	u32 i;

	guard(mutex)(&port->lock);
	if (port->state == EGPU_STATE_GONE)
		return 0;
	if (!port->nr_links ||
	    ktime_get_ns() - port->links_ns >= EGPU_LINK_MS * NSEC_PER_MSEC)
		egpu_links_read(port);
	for (i = 0; i < port->nr_links; i++)
		links[i] = port->links[port->nr_links - 1 - i];
	return port->nr_links;
}
