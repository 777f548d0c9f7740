// SPDX-License-Identifier: GPL-2.0-only
/*
 * Links: their registers read and decoded, from the GPU up to the root. Read
 * when somebody asks, a few times a second at most, and only from devices that
 * are awake; from the GPU itself when it comes, and when that is asked for.
 */
#include <linux/pci.h>
#include <linux/property.h>
#include <linux/timekeeping.h>

#include "egpu.h"
#include "link_regs.h"

#define EGPU_EXT_CAP_SECONDARY	0x19	/* Secondary PCI Express */
#define EGPU_LANE_ERRORS	0x08	/* Lane Error Status in it */

/* All ones are no value of any of these registers: the device is gone. */
static bool egpu_link_read_word(struct pci_dev *pdev, int reg, u16 *value)
{
	return !pcie_capability_read_word(pdev, reg, value) &&
	       !PCI_POSSIBLE_ERROR(*value);
}

static bool egpu_link_read_dword(struct pci_dev *pdev, int reg, u32 *value)
{
	return !pcie_capability_read_dword(pdev, reg, value) &&
	       !PCI_POSSIBLE_ERROR(*value);
}

/* Ends with the first that fails: each could take as long as a time-out. */
static bool egpu_link_regs_read(struct pci_dev *pdev,
				struct egpu_link_regs *regs)
{
	memset(regs, 0, sizeof(*regs));
	return pci_is_pcie(pdev) && egpu_is_awake(pdev) &&
	       egpu_link_read_dword(pdev, PCI_EXP_LNKCAP, &regs->cap) &&
	       egpu_link_read_dword(pdev, PCI_EXP_LNKCAP2, &regs->cap2) &&
	       egpu_link_read_word(pdev, PCI_EXP_LNKCTL, &regs->ctl) &&
	       egpu_link_read_word(pdev, PCI_EXP_LNKCTL2, &regs->ctl2) &&
	       egpu_link_read_word(pdev, PCI_EXP_LNKSTA2, &regs->sta2) &&
	       egpu_link_read_word(pdev, PCI_EXP_LNKSTA, &regs->sta);
}

static u32 egpu_link_lane_errors(struct pci_dev *pdev)
{
	int cap = pci_find_ext_capability(pdev, EGPU_EXT_CAP_SECONDARY);
	u32 lanes = 0;

	if (!cap || pci_read_config_dword(pdev, cap + EGPU_LANE_ERRORS, &lanes))
		return 0;
	return PCI_POSSIBLE_ERROR(lanes) ? 0 : lanes;
}

static void egpu_link_dpc(struct egpu_hop *link, struct egpu_port *port,
			  struct pci_dev *pdev)
{
	int cap = pdev == port->pdev ? port->dpc_cap :
		  pci_find_ext_capability(pdev, PCI_EXT_CAP_ID_DPC);
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
static bool egpu_link_tunnels(struct pci_dev *pdev, struct pci_dev *partner,
			      const struct egpu_hop *link)
{
	if (device_property_present(&pdev->dev, "usb4-host-interface"))
		return true;
	return partner && partner->is_thunderbolt && pci_is_bridge(partner) &&
	       egpu_link_is_tunnel(pdev->is_thunderbolt, link);
}

/*
 * The far end. What it can do stays what it was, also while it sleeps or is not
 * to be asked.
 */
static void egpu_link_read_partner(struct egpu_hop *link,
				   const struct egpu_hop *last,
				   struct pci_dev *partner, bool ask)
{
	struct egpu_link_regs regs;

	link->partner_bus = partner->bus->number;
	link->partner_devfn = partner->devfn;
	if (ask && egpu_link_regs_read(partner, &regs)) {
		egpu_link_decode_partner(link, &regs);
	} else if (last->partner_bus == link->partner_bus &&
		   last->partner_devfn == link->partner_devfn) {
		link->flags |= last->flags & (EGPU_LINK_PARTNER |
					      EGPU_LINK_PARTNER_HASD);
		link->partner_max_speed = last->partner_max_speed;
		link->partner_max_width = last->partner_max_width;
	}
}

static void egpu_link_read(struct egpu_hop *link, struct egpu_port *port,
			   struct pci_dev *pdev, struct pci_dev *partner,
			   bool ends)
{
	struct egpu_hop last = *link;
	struct egpu_link_regs regs;

	memset(link, 0, sizeof(*link));
	link->domain = port->domain;
	link->bus = pdev->bus->number;
	link->devfn = pdev->devfn;
	if (pdev == port->pdev)
		link->flags |= EGPU_LINK_PORT;
	if (egpu_link_regs_read(pdev, &regs)) {
		link->flags |= EGPU_LINK_KNOWN;
		egpu_link_decode(link, &regs);
		link->lane_errors = egpu_link_lane_errors(pdev);
		egpu_link_dpc(link, port, pdev);
	}
	if (egpu_link_tunnels(pdev, partner, link))
		link->flags |= EGPU_LINK_TUNNELLED;
	if (partner)
		egpu_link_read_partner(link, &last, partner,
				       (link->flags & EGPU_LINK_KNOWN) &&
				       (ends || pci_is_bridge(partner)));
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
static void egpu_links_read(struct egpu_port *port, struct pci_dev *end,
			    bool ends)
{
	struct pci_dev *pdev = end, *partner = NULL;
	u32 nr = 0;

	lockdep_assert_held(&port->link_lock);
	if (port->links_end != end)
		memset(port->links, 0, sizeof(port->links));
	for (; pdev && nr < EGPU_LINKS_MAX; pdev = pci_upstream_bridge(pdev)) {
		if (egpu_has_link_below(pdev))
			egpu_link_read(&port->links[nr++], port, pdev, partner,
				       ends);
		partner = pdev;
	}
	port->nr_links = nr;
	port->links_end = end;
	port->links_ns = ktime_get_ns();
	if (ends)
		port->ends_ns = port->links_ns;
}

static bool egpu_links_are_fresh(struct egpu_port *port, struct pci_dev *end,
				 bool ends)
{
	u64 then = ends ? port->ends_ns : port->links_ns;

	/* A bus that is being reset is not to be asked. */
	if (port->links_end == end && then &&
	    READ_ONCE(port->step) == EGPU_STEP_LINK_RESET)
		return true;
	return port->links_end == end && then &&
	       ktime_get_ns() - then < EGPU_LINK_MS * NSEC_PER_MSEC;
}

/* The fastest, and what was seen with it; a GPU that idles lowers its link. */
static void egpu_links_note_best(struct egpu_port *port)
{
	const struct egpu_hop *link = NULL;
	u32 i;

	lockdep_assert_held(&port->link_lock);
	for (i = 0; i < port->nr_links; i++)
		if (port->links[i].flags & EGPU_LINK_PORT)
			link = &port->links[i];
	if (!link || !link->speed || link->speed < port->best_speed)
		return;
	if (link->speed > port->best_speed)
		port->best_width = 0;
	port->best_speed = link->speed;
	port->best_width = max(port->best_width, link->width);
	port->best_ns = port->links_ns;
}

/* Fresh as far as may be. With another GPU what was seen is forgotten. */
static void egpu_links_update(struct egpu_port *port, struct pci_dev *end,
			      u64 generation, bool ends)
{
	lockdep_assert_held(&port->link_lock);
	if (port->links_generation != generation) {
		port->links_generation = generation;
		port->links_end = NULL;
		port->best_speed = 0;
		port->best_width = 0;
		port->best_ns = 0;
	}
	if (egpu_links_are_fresh(port, end, ends))
		return;
	egpu_links_read(port, end, ends);
	if (generation)
		egpu_links_note_best(port);
}

/*
 * What is at the end of the way, with a reference; NULL: the port is gone.
 * @generation: of the GPU there, 0: there is none
 */
static struct pci_dev *egpu_links_end_get(struct egpu_port *port,
					  u64 *generation)
{
	guard(mutex)(&port->lock);
	if (port->state == EGPU_STATE_GONE)
		return NULL;
	*generation = port->nr_gated ? port->generation : 0;
	return pci_dev_get(egpu_link_end(port) ?: port->pdev);
}

/**
 * egpu_links_get - the links from the root to a port's GPU
 * @port: the port
 * @ends: the GPU's end of its link is read, too
 * @links: room for EGPU_LINKS_MAX of them; the root's comes first
 * @best: the best that the port's own was seen at; zeros when nothing is there
 *
 * Must not be called with a lock held: registers are read.
 *
 * Return: how many there are.
 */
u32 egpu_links_get(struct egpu_port *port, bool ends, struct egpu_hop *links,
		   struct egpu_best *best)
{
	struct pci_dev *end;
	u64 generation;
	u32 i, nr;

	memset(best, 0, sizeof(*best));
	end = egpu_links_end_get(port, &generation);
	if (!end)
		return 0;
	scoped_guard(mutex, &port->link_lock) {
		egpu_links_update(port, end, generation, ends);
		nr = port->nr_links;
		for (i = 0; i < nr; i++)
			links[i] = port->links[nr - 1 - i];
		best->ns = port->best_ns;
		best->speed = port->best_speed;
		best->width = port->best_width;
	}
	pci_dev_put(end);
	return nr;
}

/* What hangs at the port's own link; bridges on the way stay, see above. */
static struct pci_dev *egpu_link_partner_get(struct egpu_port *port)
{
	struct pci_dev *end, *bridge;
	u64 generation;

	end = egpu_links_end_get(port, &generation);
	bridge = end;
	while (bridge && pci_upstream_bridge(bridge) != port->pdev)
		bridge = pci_upstream_bridge(bridge);
	pci_dev_get(bridge);
	pci_dev_put(end);
	return bridge;
}

/**
 * egpu_link_get - the port's own link, both ends
 * @port: the port
 * @link: filled; zeros when nothing is known
 *
 * Must not be called with a lock held: registers are read.
 *
 * Return: what is at its far end, with a reference, or NULL.
 */
struct pci_dev *egpu_link_get(struct egpu_port *port, struct egpu_hop *link)
{
	struct egpu_hop links[EGPU_LINKS_MAX];
	struct egpu_best best;
	u32 i, nr;

	memset(link, 0, sizeof(*link));
	nr = egpu_links_get(port, true, links, &best);
	for (i = 0; i < nr; i++)
		if (links[i].flags & EGPU_LINK_PORT)
			*link = links[i];
	return egpu_link_partner_get(port);
}

/**
 * egpu_links_forget - what was read last is old: something was changed
 * @port: the port
 */
void egpu_links_forget(struct egpu_port *port)
{
	guard(mutex)(&port->link_lock);
	port->links_ns = 0;
	port->ends_ns = 0;
}
