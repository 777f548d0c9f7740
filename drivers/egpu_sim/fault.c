// SPDX-License-Identifier: GPL-2.0
/*
 * Faults at the Nth access, and what drivers of simulated devices are told to
 * do. Documentation/egpu_sim.rst says how both are asked for.
 */

#include <linux/delay.h>
#include <linux/glob.h>
#include <linux/preempt.h>
#include <linux/sched.h>

#include "egpu_sim.h"
#include "sim.h"

/* --- the Nth access ----------------------------------------------------- */

static bool sim_fault_counts(const struct sim_fault *fault, bool below)
{
	if (!fault->armed || !in_task() ||
	    (fault->scope == SIM_SCOPE_BELOW && !below) ||
	    (fault->scope == SIM_SCOPE_PORT && below))
		return false;
	if (fault->pid && fault->pid != current->tgid)
		return false;
	return !fault->task[0] || glob_match(fault->task, current->comm);
}

/* Access number `seen` is one that the fault changes. */
static bool sim_fault_hits(const struct sim_fault *fault)
{
	bool lasts = fault->kind == SIM_FAULT_ONES ||
		     fault->kind == SIM_FAULT_RETRY;

	if (!fault->at || fault->seen < fault->at)
		return false;
	if (!lasts)
		return fault->seen == fault->at;
	return !fault->count || fault->seen - fault->at < fault->count;
}

static enum sim_outcome sim_fault_one(struct sim_port *port, bool below)
{
	struct sim_fault *fault = &port->fault;

	if (!sim_fault_counts(fault, below))
		return SIM_PASS;
	fault->seen++;
	if (!sim_fault_hits(fault))
		return SIM_PASS;
	fault->hit++;
	switch (fault->kind) {
	case SIM_FAULT_YANK:
		sim_slot_yank(port);
		return SIM_PASS;
	case SIM_FAULT_LINK:
		sim_link_drop(port);
		return SIM_PASS;
	case SIM_FAULT_RETRY:
		return SIM_RETRY;
	default:
		return SIM_ONES;
	}
}

/**
 * sim_fault_access - a function is about to be accessed
 * @fn: the function; its fabric's lock is held
 *
 * Return: what its access gets. The device may be gone afterwards.
 */
enum sim_outcome sim_fault_access(struct sim_func *fn)
{
	struct sim_port *port = fn->port ?: sim_func_above(fn);
	enum sim_outcome outcome = SIM_PASS, one;

	for (; port; port = sim_func_above(&port->fn)) {
		one = sim_fault_one(port, fn != &port->fn);
		if (one != SIM_PASS)
			outcome = one;
	}
	return outcome;
}

/**
 * sim_fault_arm - count from now on, or no more
 * @port: whose fault
 * @on: count
 */
void sim_fault_arm(struct sim_port *port, bool on)
{
	lockdep_assert_held(&port->fabric->lock);
	port->fault.armed = on;
	if (!on)
		return;
	port->fault.seen = 0;
	port->fault.hit = 0;
}

/* --- drivers of simulated devices --------------------------------------- */

static struct sim_func *sim_func_find(struct sim_fabric *fabric,
				      struct pci_dev *pdev)
{
	lockdep_assert_held(&fabric->lock);
	return sim_route(fabric, pdev->bus->number, pdev->devfn);
}

/**
 * egpu_sim_mmio - a driver is about to access its device's memory
 * @pdev: the device
 *
 * Return: whether it is there: real hardware would answer. True for devices that
 * are not simulated.
 */
bool egpu_sim_mmio(struct pci_dev *pdev)
{
	struct sim_fabric *fabric = sim_fabric_of_bus(pdev->bus);
	enum sim_outcome outcome;
	struct sim_func *fn;

	if (!fabric)
		return true;
	guard(raw_spinlock_irqsave)(&fabric->lock);
	fn = sim_func_find(fabric, pdev);
	if (!fn)
		return false;
	if (fn->dev)
		fn->dev->port->stats.mmio++;
	sim_link_load(fn);
	outcome = sim_fault_access(fn);
	return outcome != SIM_ONES && sim_func_find(fabric, pdev);
}
EXPORT_SYMBOL_GPL(egpu_sim_mmio);

/* The device may be gone, and its folder with it, while its driver still asks. */
static struct sim_dev *sim_dev_find(struct sim_fabric *fabric,
				    struct pci_dev *pdev)
{
	struct sim_dev *dev;

	xa_lock(&fabric->known);
	dev = xa_load(&fabric->known, (unsigned long)pdev);
	if (dev)
		config_item_get(&dev->group.cg_item);
	xa_unlock(&fabric->known);
	return dev;
}

static void sim_point_hang(struct sim_dev *dev, enum egpu_sim_point point)
{
	mutex_lock(&sim_lock);
	dev->point_waiting[point]++;
	mutex_unlock(&sim_lock);
	wait_event(dev->point_wait, !READ_ONCE(dev->point_hang[point]));
	mutex_lock(&sim_lock);
	dev->point_waiting[point]--;
	mutex_unlock(&sim_lock);
}

/**
 * egpu_sim_point - do what the device's folder driver/ asks for at this point
 * @pdev: the device
 * @point: where its driver is
 *
 * Return: the error to return there, or 0.
 */
int egpu_sim_point(struct pci_dev *pdev, enum egpu_sim_point point)
{
	struct sim_fabric *fabric = sim_fabric_of_bus(pdev->bus);
	struct sim_dev *dev = fabric ? sim_dev_find(fabric, pdev) : NULL;
	int ret;

	if (!dev)
		return 0;
	msleep(READ_ONCE(dev->point_ms[point]));
	if (READ_ONCE(dev->point_hang[point]))
		sim_point_hang(dev, point);
	ret = READ_ONCE(dev->point_error[point]);
	config_item_put(&dev->group.cg_item);
	return ret;
}
EXPORT_SYMBOL_GPL(egpu_sim_point);
