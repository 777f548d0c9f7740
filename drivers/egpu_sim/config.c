// SPDX-License-Identifier: GPL-2.0
/*
 * Configuration accesses: from a bus and device number to a function, by the
 * bus numbers that software wrote into the bridges on the way.
 *
 * The kernel calls these under its pci_lock, with interrupts off.
 */

#include "sim.h"

#define CREATE_TRACE_POINTS
#include "trace.h"

static u8 sim_secondary(const struct sim_func *bridge)
{
	return sim_get8(bridge, PCI_SECONDARY_BUS);
}

static bool sim_leads_to(const struct sim_func *bridge, u8 bus)
{
	return sim_secondary(bridge) && sim_secondary(bridge) <= bus &&
	       bus <= sim_get8(bridge, PCI_SUBORDINATE_BUS);
}

/* The root ports' bus numbers changed: who leads where? */
void sim_route_update(struct sim_fabric *fabric)
{
	struct sim_port *port;
	unsigned int bus;

	lockdep_assert_held(&fabric->lock);
	memset(fabric->root_of, 0, sizeof(fabric->root_of));
	list_for_each_entry(port, &fabric->ports, link) {
		if (!port->fn.regs || !sim_secondary(&port->fn))
			continue;
		for (bus = sim_secondary(&port->fn);
		     bus <= sim_get8(&port->fn, PCI_SUBORDINATE_BUS); bus++)
			if (!fabric->root_of[bus])
				fabric->root_of[bus] = port;
	}
}

static struct sim_port *sim_switch_port(struct sim_dev *dev, unsigned int nr)
{
	struct sim_port *port;

	list_for_each_entry(port, &dev->ports, link)
		if (port->nr == nr && port->fn.regs)
			return port;
	return NULL;
}

static struct sim_port *sim_switch_leads_to(struct sim_dev *dev, u8 bus)
{
	struct sim_port *port;

	list_for_each_entry(port, &dev->ports, link)
		if (port->fn.regs && sim_leads_to(&port->fn, bus))
			return port;
	return NULL;
}

/* A bridge in a low power state lets nothing through (PCIe 6.0.1, 5.3.1.4). */
static bool sim_forwards(const struct sim_func *bridge)
{
	return !bridge->pm || !(sim_get16(bridge, bridge->pm + PCI_PM_CTRL) &
				PCI_PM_CTRL_STATE_MASK);
}

/**
 * sim_route - the function that answers at an address
 * @fabric: the fabric; its lock is held
 * @bus: bus number
 * @devfn: device and function number
 *
 * Return: the function, or NULL when nobody answers.
 */
struct sim_func *sim_route(struct sim_fabric *fabric, u8 bus, u8 devfn)
{
	struct sim_port *port;
	struct sim_func *up, *fn;
	struct sim_dev *dev;

	lockdep_assert_held(&fabric->lock);
	if (!bus) {
		port = fabric->root[devfn];
		return port && port->fn.regs ? &port->fn : NULL;
	}
	port = fabric->root_of[bus];
	while (port) {
		dev = port->card;
		if (!dev || !sim_link_is_up(port) || !sim_forwards(&port->fn))
			return NULL;
		if (bus == sim_secondary(&port->fn)) {
			if (PCI_SLOT(devfn))
				return NULL;
			fn = dev->by_nr[PCI_FUNC(devfn)];
			return fn && fn->regs ? fn : NULL;
		}
		up = &dev->fn;
		if (!up->bridge || !sim_leads_to(up, bus) || !sim_forwards(up))
			return NULL;
		if (bus == sim_secondary(up)) {
			port = sim_switch_port(dev, PCI_SLOT(devfn));
			return port && !PCI_FUNC(devfn) ? &port->fn : NULL;
		}
		port = sim_switch_leads_to(dev, bus);
	}
	return NULL;
}

/* The port that leads to a function; NULL for a root port. */
struct sim_port *sim_func_above(struct sim_func *fn)
{
	if (fn->dev)
		return fn->dev->port;
	return fn->port->up ? fn->port->up->port : NULL;
}

struct sim_port *sim_func_root(struct sim_func *fn)
{
	struct sim_port *port = fn->port, *above;

	for (above = sim_func_above(fn); above;
	     above = sim_func_above(&above->fn))
		port = above;
	return port;
}

/**
 * sim_func_id - a function's Requester ID
 * @fn: the function; its fabric's lock is held
 *
 * Return: bus << 8 | devfn, or 0xffff when it cannot be reached.
 */
u16 sim_func_id(struct sim_func *fn)
{
	struct sim_func *bridge;
	u16 id;

	if (!fn->regs)
		return 0xffff;
	if (fn->port && !fn->port->up)
		return fn->port->nr;
	bridge = fn->dev ? &fn->dev->port->fn : &fn->port->up->fn;
	if (!bridge->regs || !sim_secondary(bridge))
		return 0xffff;
	id = PCI_DEVID(sim_secondary(bridge),
		       fn->dev ? fn->nr : PCI_DEVFN(fn->port->nr, 0));
	if (sim_route(fn->fabric, PCI_BUS_NUM(id), id & 0xff) != fn)
		return 0xffff;
	return id;
}

static void sim_count(struct sim_func *fn, bool write)
{
	struct sim_port *port = fn->port ?: sim_func_above(fn);

	for (; port; port = sim_func_above(&port->fn)) {
		port->stats.writes += write;
		port->stats.reads += !write;
	}
}

/* Which function is there, after what this access itself makes happen. */
static struct sim_func *sim_reach(struct sim_fabric *fabric, u8 bus, u8 devfn,
				  bool write, enum sim_outcome *outcome)
{
	struct sim_func *fn = sim_route(fabric, bus, devfn);

	*outcome = SIM_PASS;
	if (!fn)
		return NULL;
	sim_count(fn, write);
	sim_link_load(fn);
	*outcome = sim_fault_access(fn);
	return sim_route(fabric, bus, devfn);
}

static bool sim_is_ready(struct sim_func *fn)
{
	return !fn->dev || !ktime_before(ktime_get(), fn->dev->ready_at);
}

/*
 * With Configuration RRS Software Visibility the root complex answers a read
 * of the Vendor ID with 0001h, all others it repeats until it gives up (PCIe
 * 6.0.1 section 2.3.1).
 */
static u32 sim_retry(struct sim_func *fn, int where, int size)
{
	struct sim_func *root = &sim_func_root(fn)->fn;
	bool visible = sim_get16(root, root->pcie + PCI_EXP_RTCTL) &
		       PCI_EXP_RTCTL_CRSSVE;

	if (visible && where == PCI_VENDOR_ID && size >= 2)
		return size == 2 ? 0x0001 : 0xffff0001;
	return ~0;
}

/* As a PC's host bridge does: who is not there reads all ones, without error. */
static int sim_config_read(struct pci_bus *bus, unsigned int devfn, int where,
			   int size, u32 *val)
{
	struct sim_fabric *fabric = sim_fabric_of_sim(bus);
	enum sim_outcome outcome;
	struct sim_func *fn;

	guard(raw_spinlock_irqsave)(&fabric->lock);
	fn = sim_reach(fabric, bus->number, devfn, false, &outcome);
	*val = ~0;
	if (fn && outcome != SIM_ONES) {
		if (outcome == SIM_RETRY || !sim_is_ready(fn))
			*val = sim_retry(fn, where, size);
		else
			*val = sim_func_read(fn, where, size);
	}
	trace_sim_config_read(fabric->domain, bus->number, devfn, where, size,
			      *val);
	return PCIBIOS_SUCCESSFUL;
}

static int sim_config_write(struct pci_bus *bus, unsigned int devfn, int where,
			    int size, u32 val)
{
	struct sim_fabric *fabric = sim_fabric_of_sim(bus);
	enum sim_outcome outcome;
	struct sim_func *fn;

	guard(raw_spinlock_irqsave)(&fabric->lock);
	trace_sim_config_write(fabric->domain, bus->number, devfn, where, size,
			       val);
	fn = sim_reach(fabric, bus->number, devfn, true, &outcome);
	if (fn && outcome == SIM_PASS && sim_is_ready(fn))
		sim_func_write(fn, where, size, val);
	return PCIBIOS_SUCCESSFUL;
}

struct pci_ops sim_pci_ops = {
	.read = sim_config_read,
	.write = sim_config_write,
};
