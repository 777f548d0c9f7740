// SPDX-License-Identifier: GPL-2.0
/*
 * The hardware of a fabric comes and goes: it begins and ends, sleeps, and parts
 * of it go with their folders.
 *
 * Registers are made before anybody can reach them, and freed when nobody can
 * any more.
 */

#include "sim.h"

/* --- folders go --------------------------------------------------------- */

/**
 * sim_func_gone - a function's folder goes; nobody may reach it any more
 * @fn: the function
 */
void sim_func_gone(struct sim_func *fn)
{
	lockdep_assert_held(&sim_lock);
	scoped_guard(raw_spinlock_irqsave, &fn->fabric->lock) {
		if (fn->dev)
			fn->dev->by_nr[fn->nr] = NULL;
		sim_irq_forget(fn);
	}
	sim_func_free(fn);
}

/**
 * sim_dev_gone - a device's folder goes; its functions' and ports' are gone
 * @dev: the device
 */
void sim_dev_gone(struct sim_dev *dev)
{
	int i;

	lockdep_assert_held(&sim_lock);
	/* Nobody can tell a hanging driver to go on any more. */
	for (i = 0; i < SIM_POINTS; i++)
		WRITE_ONCE(dev->point_hang[i], false);
	wake_up_all(&dev->point_wait);
	scoped_guard(raw_spinlock_irqsave, &dev->fabric->lock) {
		if (dev->port->card == dev && dev->port->fn.regs)
			sim_slot_yank(dev->port);
		else if (dev->port->card == dev)
			dev->port->card = NULL;
		dev->present = false;
	}
	sim_func_gone(&dev->fn);
}

/**
 * sim_port_gone - a port's folder goes; its devices' are gone
 * @port: the port
 */
void sim_port_gone(struct sim_port *port)
{
	struct sim_fabric *fabric = port->fabric;

	lockdep_assert_held(&sim_lock);
	scoped_guard(raw_spinlock_irqsave, &fabric->lock) {
		port->bounce_left = 0;
		port->bounce_forever = false;
		port->state = SIM_DETECT;
		port->due = KTIME_MAX;
		port->card = NULL;
		sim_irq_forget(&port->fn);
		list_del_init(&port->link);
		if (!port->up && fabric->root[port->nr] == port) {
			fabric->root[port->nr] = NULL;
			sim_route_update(fabric);
		}
	}
	sim_link_exit(port);
	sim_slot_exit(port);
	sim_func_free(&port->fn);
}

/* --- sleep -------------------------------------------------------------- */

static void sim_dev_power_cycle(struct sim_dev *dev);

static void sim_port_power_cycle(struct sim_port *port)
{
	memcpy(port->fn.regs->value, port->fn.regs->initial, SIM_CFG_SIZE);
	port->state = SIM_DETECT;
	port->due = KTIME_MAX;
	if (port->card)
		sim_dev_power_cycle(port->card);
	sim_slot_presence(port, false);
	sim_link_boot(port);
	sim_irq_update(&port->fn);
}

static void sim_dev_power_cycle(struct sim_dev *dev)
{
	struct sim_port *port;
	int i;

	for (i = 0; i < SIM_FUNCTIONS; i++)
		if (dev->by_nr[i] && dev->by_nr[i]->regs)
			memcpy(dev->by_nr[i]->regs->value,
			       dev->by_nr[i]->regs->initial, SIM_CFG_SIZE);
	list_for_each_entry(port, &dev->ports, link)
		if (port->fn.regs)
			sim_port_power_cycle(port);
}

static void sim_dev_boot(struct sim_dev *dev);

/* Another device, or none, is in the slot when the machine wakes up. */
static void sim_port_replace(struct sim_port *port)
{
	struct sim_dev *dev = port->card, *other;

	if (!dev || !dev->replace)
		return;
	other = dev->replacement;
	dev->replace = false;
	dev->replacement = NULL;
	dev->present = false;
	sim_card_silence(dev);
	port->card = other;
	port->contact_presence = other;
	port->contact_link = other;
	port->state = SIM_DETECT;
	port->due = KTIME_MAX;
	sim_set16(&port->fn, port->fn.pcie + PCI_EXP_LNKSTA,
		  PCI_EXP_LNKSTA_DLLLA | PCI_EXP_LNKSTA_LT |
		  PCI_EXP_LNKSTA_NLW, 0);
	if (other) {
		other->present = true;
		sim_link_boot(port);
		sim_dev_boot(other);
	}
	sim_slot_presence(port, false);
}

static void sim_port_sleep(struct sim_port *port)
{
	struct sim_port *below;

	sim_port_replace(port);
	if (!port->card)
		return;
	list_for_each_entry(below, &port->card->ports, link)
		if (below->fn.regs)
			sim_port_sleep(below);
}

/**
 * sim_fabric_sleep - the machine sleeps: what happens meanwhile
 * @fabric: the fabric; all its devices are suspended
 * @power_lost: registers are lost as well
 */
void sim_fabric_sleep(struct sim_fabric *fabric, bool power_lost)
{
	struct sim_port *port;

	guard(raw_spinlock_irqsave)(&fabric->lock);
	list_for_each_entry(port, &fabric->ports, link) {
		if (!port->fn.regs)
			continue;
		sim_port_sleep(port);
		if (power_lost)
			sim_port_power_cycle(port);
	}
	sim_route_update(fabric);
}

/* The replacements' registers, while memory can still be had. */
static int sim_port_prepare(struct sim_port *port)
{
	struct sim_dev *dev = port->card;
	struct sim_port *below;
	int ret = 0;

	if (dev && dev->replace && dev->replacement)
		ret = sim_dev_build(dev->replacement);
	if (!dev || ret)
		return ret;
	if (dev->replace)
		dev = dev->replacement;
	if (!dev)
		return 0;
	list_for_each_entry(below, &dev->ports, link)
		ret = ret ?: sim_port_prepare(below);
	return ret;
}

/**
 * sim_fabric_prepare_sleep - make what sim_fabric_sleep() needs
 * @fabric: the fabric
 *
 * Return: 0 or -ENOMEM.
 */
int sim_fabric_prepare_sleep(struct sim_fabric *fabric)
{
	struct sim_port *port;
	int ret = 0;

	guard(mutex)(&sim_lock);
	list_for_each_entry(port, &fabric->ports, link)
		ret = ret ?: sim_port_prepare(port);
	return ret;
}

/* --- a fabric begins and ends ------------------------------------------- */

/**
 * sim_fabric_build - make all ports' registers, and those of what is in slots
 * @fabric: the fabric, not live yet; sim_lock is held
 *
 * Return: 0 or -ENOMEM; then sim_fabric_raze() clears up.
 */
int sim_fabric_build(struct sim_fabric *fabric)
{
	struct sim_port *port;
	struct sim_dev *dev;
	int ret = 0;

	lockdep_assert_held(&sim_lock);
	list_for_each_entry(port, &fabric->ports, link) {
		dev = sim_slot_wants(port);
		ret = sim_func_build(&port->fn);
		ret = ret ?: dev ? sim_dev_build(dev) : 0;
		if (ret)
			return ret;
		port->card = dev;
		port->contact_presence = dev;
		port->contact_link = dev;
	}
	return 0;
}

static void sim_port_boot(struct sim_port *port)
{
	port->state = SIM_DETECT;
	port->due = KTIME_MAX;
	port->tries = 0;
	sim_slot_presence(port, false);
	sim_link_boot(port);
	if (port->card)
		sim_dev_boot(port->card);
}

static void sim_dev_boot(struct sim_dev *dev)
{
	struct sim_port *port;

	list_for_each_entry(port, &dev->ports, link)
		if (port->fn.regs)
			sim_port_boot(port);
}

/* Firmware trains all links that will; nothing is told. */
void sim_fabric_boot(struct sim_fabric *fabric)
{
	struct sim_port *port;

	lockdep_assert_held(&fabric->lock);
	list_for_each_entry(port, &fabric->ports, link)
		sim_port_boot(port);
}

/* Timers look upwards: what is below goes first. */
static void sim_dev_raze(struct sim_dev *dev);

static void sim_port_raze(struct sim_port *port)
{
	struct sim_dev *dev;

	scoped_guard(raw_spinlock_irqsave, &port->fabric->lock) {
		if (port->card)
			sim_card_silence(port->card);
		port->card = NULL;
		port->state = SIM_DETECT;
		port->due = KTIME_MAX;
		port->bounce_left = 0;
		port->bounce_forever = false;
		port->contact_presence = false;
		port->contact_link = false;
		port->fault.armed = false;
		sim_irq_forget(&port->fn);
	}
	sim_link_exit(port);
	sim_slot_exit(port);
	list_for_each_entry(dev, &port->devs, link)
		sim_dev_raze(dev);
	sim_func_free(&port->fn);
}

static void sim_dev_raze(struct sim_dev *dev)
{
	struct sim_port *port;
	int i;

	list_for_each_entry(port, &dev->ports, link)
		sim_port_raze(port);
	for (i = 0; i < SIM_FUNCTIONS; i++)
		if (dev->by_nr[i])
			sim_func_free(dev->by_nr[i]);
}

/**
 * sim_fabric_raze - the kernel has forgotten the fabric: free all registers
 * @fabric: the fabric; sim_lock is held
 */
void sim_fabric_raze(struct sim_fabric *fabric)
{
	struct sim_port *port;

	lockdep_assert_held(&sim_lock);
	list_for_each_entry(port, &fabric->ports, link)
		sim_port_raze(port);
	memset(fabric->root, 0, sizeof(fabric->root));
	memset(fabric->root_of, 0, sizeof(fabric->root_of));
}
