// SPDX-License-Identifier: GPL-2.0
/*
 * Interrupts: level-triggered lines, two for each port: its own, and one that
 * all functions of the device below it share. A port has its own as with
 * message signalled interrupts, since free_irq() of a device that is removed by
 * its port's interrupt thread would wait for that very thread on a shared one.
 *
 * Registers change under raw locks, so the line is delivered by irq_work, in
 * hard interrupt context. While it stays asserted, unmasking it delivers it
 * again.
 */

#include <linux/interrupt.h>
#include <linux/irq.h>
#include <linux/irqdesc.h>
#include <linux/slab.h>

#include "sim.h"
#include "trace.h"

static void sim_irq_deliver(struct irq_work *work)
{
	struct sim_irq *irq = container_of(work, struct sim_irq, work);

	if (READ_ONCE(irq->level) && !READ_ONCE(irq->masked))
		generic_handle_irq(irq->virq);
}

static void sim_irq_mask(struct irq_data *data)
{
	struct sim_irq *irq = irq_data_get_irq_chip_data(data);

	WRITE_ONCE(irq->masked, true);
}

static void sim_irq_unmask(struct irq_data *data)
{
	struct sim_irq *irq = irq_data_get_irq_chip_data(data);

	WRITE_ONCE(irq->masked, false);
	/* Pairs with sim_irq_level(): one of both sees the other's change. */
	smp_mb();
	if (READ_ONCE(irq->level))
		irq_work_queue(&irq->work);
}

static struct irq_chip sim_irq_chip = {
	.name = "egpu_sim",
	.irq_mask = sim_irq_mask,
	.irq_unmask = sim_irq_unmask,
};

static void sim_irq_level(struct sim_irq *irq, struct sim_func *fn, bool level)
{
	if (irq->level == level)
		return;
	trace_sim_interrupt(irq->fabric->domain, sim_func_id(fn), level);
	WRITE_ONCE(irq->level, level);
	/* Pairs with sim_irq_unmask(). */
	smp_mb();
	if (level && !READ_ONCE(irq->masked))
		irq_work_queue(&irq->work);
}

/* --- who asserts it ----------------------------------------------------- */

static bool sim_wants_slot(const struct sim_func *fn)
{
	u16 ctl = sim_get16(fn, fn->pcie + PCI_EXP_SLTCTL);
	u16 sta = sim_get16(fn, fn->pcie + PCI_EXP_SLTSTA), told;

	if (!(ctl & PCI_EXP_SLTCTL_HPIE))
		return false;
	told = ctl & (PCI_EXP_SLTSTA_ABP | PCI_EXP_SLTSTA_PFD |
		      PCI_EXP_SLTSTA_MRLSC | PCI_EXP_SLTSTA_PDC |
		      PCI_EXP_SLTSTA_CC);	/* in the same places */
	if (ctl & PCI_EXP_SLTCTL_DLLSCE)
		told |= PCI_EXP_SLTSTA_DLLSC;
	/* Who is being taken down may wait for commands, no more. */
	if (fn->fabric->quiet)
		told &= PCI_EXP_SLTSTA_CC;
	return sta & told;
}

static bool sim_wants_link(const struct sim_func *fn)
{
	u16 ctl = sim_get16(fn, fn->pcie + PCI_EXP_LNKCTL);
	u16 sta = sim_get16(fn, fn->pcie + PCI_EXP_LNKSTA);

	return (ctl & PCI_EXP_LNKCTL_LBMIE && sta & PCI_EXP_LNKSTA_LBMS) ||
	       (ctl & PCI_EXP_LNKCTL_LABIE && sta & PCI_EXP_LNKSTA_LABS);
}

static bool sim_wants_pme(const struct sim_func *fn)
{
	return sim_get16(fn, fn->pcie + PCI_EXP_RTCTL) &
	       PCI_EXP_RTCTL_PMEIE &&
	       sim_get32(fn, fn->pcie + PCI_EXP_RTSTA) & PCI_EXP_RTSTA_PME;
}

static bool sim_wants_aer(const struct sim_func *fn)
{
	u32 cmd, sta;

	if (!fn->aer)
		return false;
	cmd = sim_get32(fn, fn->aer + PCI_ERR_ROOT_COMMAND);
	sta = sim_get32(fn, fn->aer + PCI_ERR_ROOT_STATUS);
	return (cmd & PCI_ERR_ROOT_CMD_COR_EN &&
		sta & PCI_ERR_ROOT_COR_RCV) ||
	       (cmd & PCI_ERR_ROOT_CMD_NONFATAL_EN &&
		sta & PCI_ERR_ROOT_NONFATAL_RCV) ||
	       (cmd & PCI_ERR_ROOT_CMD_FATAL_EN &&
		sta & PCI_ERR_ROOT_FATAL_RCV);
}

static bool sim_wants_dpc(const struct sim_func *fn)
{
	return fn->dpc &&
	       sim_get16(fn, fn->dpc + PCI_EXP_DPC_CTL) &
	       PCI_EXP_DPC_CTL_INT_EN &&
	       sim_get16(fn, fn->dpc + PCI_EXP_DPC_STATUS) &
	       PCI_EXP_DPC_STATUS_INTERRUPT;
}

/* What the port has to tell, SIM_TELLS_*. */
static u32 sim_wants_port(const struct sim_func *fn)
{
	u32 wants = 0;

	if (fn->slot && sim_wants_slot(fn))
		wants |= SIM_TELLS_SLOT;
	if (fn->fabric->quiet)
		return wants;
	if (sim_wants_link(fn))
		wants |= SIM_TELLS_LINK;
	if (sim_wants_dpc(fn))
		wants |= SIM_TELLS_DPC;
	if (fn->root && sim_wants_pme(fn))
		wants |= SIM_TELLS_PME;
	if (fn->root && sim_wants_aer(fn))
		wants |= SIM_TELLS_AER;
	return wants;
}

/* INTx; a message goes out by itself. */
static bool sim_irq_wanted(struct sim_func *fn)
{
	enum sim_irq_mode mode = fn->port ? fn->port->irq_mode : SIM_IRQ_NORMAL;
	u32 wanted = fn->port ? sim_wants_port(fn) : 0;

	if (fn->interrupt)
		wanted |= SIM_TELLS_DEVICE;
	sim_set16(fn, PCI_STATUS, PCI_STATUS_INTERRUPT,
		  wanted ? PCI_STATUS_INTERRUPT : 0);
	if (mode == SIM_IRQ_LOST)
		wanted = 0;
	if (sim_msi_takes(fn, wanted) || mode == SIM_IRQ_LOST ||
	    sim_get16(fn, PCI_COMMAND) & PCI_COMMAND_INTX_DISABLE)
		return false;
	return wanted || (mode == SIM_IRQ_STUCK && !fn->fabric->quiet);
}

static struct sim_irq *sim_irq_of(struct sim_func *fn)
{
	u32 line = fn->port ? fn->port->line : fn->dev->port->line;

	if (!fn->fabric->irqs || line >= fn->fabric->nlines)
		return NULL;
	return &fn->fabric->irqs[2 * line + !fn->port];
}

static void sim_irq_assert(struct sim_func *fn, bool on)
{
	struct sim_irq *irq = sim_irq_of(fn);

	if (fn->asserted == on || !irq)
		return;
	fn->asserted = on;
	irq->asserted += on ? 1 : -1;
	if (fn->port && on)
		fn->port->stats.interrupts++;
	sim_irq_level(irq, fn, irq->asserted);
}

/**
 * sim_irq_update - what a function's interrupt depends on may have changed
 * @fn: the function; its fabric's lock is held
 */
void sim_irq_update(struct sim_func *fn)
{
	lockdep_assert_held(&fn->fabric->lock);
	if (fn->regs)
		sim_irq_assert(fn, sim_irq_wanted(fn));
}

/* The function is going: its interrupt message is taken back. */
void sim_irq_forget(struct sim_func *fn)
{
	lockdep_assert_held(&fn->fabric->lock);
	fn->interrupt = false;
	sim_irq_assert(fn, false);
}

/* --- lines -------------------------------------------------------------- */

static int sim_irq_alloc_one(struct sim_fabric *fabric, unsigned int n)
{
	struct sim_irq *irq = &fabric->irqs[n];
	int virq;

	/* irq_alloc_descs() would have the descriptors pin this module. */
	virq = __irq_alloc_descs(-1, 0, 1, NUMA_NO_NODE, NULL, NULL);
	if (virq < 0)
		return virq;
	irq->fabric = fabric;
	irq->virq = virq;
	init_irq_work(&irq->work, sim_irq_deliver);
	irq_set_chip_data(virq, irq);
	irq_set_chip_and_handler_name(virq, &sim_irq_chip, handle_level_irq,
				      "level");
	return 0;
}

/**
 * sim_irq_alloc - the lines of all ports
 * @fabric: being started
 *
 * Return: 0 or -errno; then sim_irq_free() clears up.
 */
int sim_irq_alloc(struct sim_fabric *fabric)
{
	struct sim_irq *irqs;
	unsigned int n;
	int ret;

	irqs = kvcalloc(2 * fabric->nlines, sizeof(*irqs), GFP_KERNEL);
	if (!irqs)
		return -ENOMEM;
	scoped_guard(raw_spinlock_irqsave, &fabric->lock)
		fabric->irqs = irqs;
	for (n = 0; n < 2 * fabric->nlines; n++) {
		ret = sim_irq_alloc_one(fabric, n);
		if (ret)
			return ret;
	}
	return 0;
}

static void sim_quiet_ports(struct list_head *ports)
{
	struct sim_port *port;
	struct sim_dev *dev;

	list_for_each_entry(port, ports, link) {
		sim_irq_update(&port->fn);
		list_for_each_entry(dev, &port->devs, link)
			sim_quiet_ports(&dev->ports);
	}
}

/* The ports' last messages are delivered. */
static void sim_quiet_messages(struct list_head *ports)
{
	struct sim_port *port;
	struct sim_dev *dev;

	list_for_each_entry(port, ports, link) {
		irq_work_sync(&port->fn.msi_work);
		list_for_each_entry(dev, &port->devs, link)
			sim_quiet_messages(&dev->ports);
	}
}

/**
 * sim_irq_quiet - events are told no more, and nobody handles one
 * @fabric: about to be taken down
 *
 * Removing a hotplug port deadlocks with its own interrupt thread when that
 * waits for the rescan lock, so none may be on its way there.
 */
void sim_irq_quiet(struct sim_fabric *fabric)
{
	unsigned int n;

	scoped_guard(raw_spinlock_irqsave, &fabric->lock) {
		fabric->quiet = true;
		sim_quiet_ports(&fabric->ports);
	}
	scoped_guard(mutex, &sim_lock)
		sim_quiet_messages(&fabric->ports);
	for (n = 0; n < 2 * fabric->nlines; n++) {
		if (!fabric->irqs[n].virq)
			continue;
		irq_work_sync(&fabric->irqs[n].work);
		synchronize_irq(fabric->irqs[n].virq);
		if (fabric->irqs[n].msi)
			synchronize_irq(fabric->irqs[n].msi);
	}
}

void sim_irq_free(struct sim_fabric *fabric)
{
	struct sim_irq *irqs = fabric->irqs;
	unsigned int n;

	if (!irqs)
		return;
	scoped_guard(raw_spinlock_irqsave, &fabric->lock)
		fabric->irqs = NULL;
	for (n = 0; n < 2 * fabric->nlines; n++) {
		if (!irqs[n].virq)
			continue;
		irq_work_sync(&irqs[n].work);
		irq_free_descs(irqs[n].virq, 1);
	}
	kvfree(irqs);
}

/**
 * sim_irq_map - the interrupt of a device, see struct pci_host_bridge
 * @pdev: the device
 * @slot: its device number on the root bus, after swizzling
 * @pin: its pin there
 *
 * Return: Linux's number; 0: it has none, or is gone.
 */
int sim_irq_map(const struct pci_dev *pdev, u8 slot, u8 pin)
{
	struct sim_fabric *fabric = sim_fabric_of_sim(pdev->bus);
	struct sim_irq *irq;
	struct sim_func *fn;

	/* Or ACPI looks for a routing table. */
	((struct pci_dev *)pdev)->pin = 0;
	guard(raw_spinlock_irqsave)(&fabric->lock);
	fn = sim_route(fabric, pdev->bus->number, pdev->devfn);
	irq = fn ? sim_irq_of(fn) : NULL;
	return irq ? irq->virq : 0;
}
