// SPDX-License-Identifier: GPL-2.0
/*
 * Message signalled interrupts, on kernels that let a module have a domain for
 * them without hardware below; on others devices fall back to INTx.
 *
 * A message's data is Linux's interrupt number. It comes from a register that
 * root can write, so it is only delivered when it is one of the fabric's.
 */

#include <linux/irq.h>
#include <linux/irqdesc.h>
#include <linux/irqdomain.h>
#include <linux/msi.h>

#include "sim.h"
#include "trace.h"

#define SIM_MSI_ADDRESS		0xfee00000

static bool sim_msi_is_on(const struct sim_func *fn)
{
	return fn->msi && sim_get16(fn, fn->msi + PCI_MSI_FLAGS) &
			  PCI_MSI_FLAGS_ENABLE;
}

static unsigned int sim_msi_virq(const struct sim_func *fn)
{
	u16 flags = sim_get16(fn, fn->msi + PCI_MSI_FLAGS);

	return sim_get16(fn, fn->msi + (flags & PCI_MSI_FLAGS_64BIT ?
					PCI_MSI_DATA_64 : PCI_MSI_DATA_32));
}

/* Where its messages go; 0: it sends none, or not to us. */
unsigned int sim_msi_number(struct sim_func *fn)
{
	struct irq_domain *domain = fn->fabric->msi;
	unsigned int virq = 0;

	scoped_guard(raw_spinlock_irqsave, &fn->fabric->lock)
		if (fn->regs && sim_msi_is_on(fn))
			virq = sim_msi_virq(fn);
	return virq && domain && irq_domain_get_irq_data(domain, virq) ?
	       virq : 0;
}

static void sim_msi_deliver(struct irq_work *work)
{
	struct sim_func *fn = container_of(work, struct sim_func, msi_work);
	struct sim_fabric *fabric = fn->fabric;
	unsigned int virq = sim_msi_number(fn);

	if (!virq)
		return;
	/* For whoever must know that nobody handles one any more. */
	scoped_guard(raw_spinlock_irqsave, &fabric->lock)
		if (fn->port && fabric->irqs)
			fabric->irqs[2 * fn->port->line].msi = virq;
	generic_handle_irq(virq);
}

/**
 * sim_msi_takes - does the function tell its interrupts by messages?
 * @fn: the function; its fabric's lock is held
 * @wanted: what there is to tell, SIM_TELLS_*; a message goes out when one begins
 *
 * Return: whether it does, and asserts no INTx.
 */
bool sim_msi_takes(struct sim_func *fn, u32 wanted)
{
	bool on = sim_msi_is_on(fn), begins = wanted & ~fn->msi_told;

	lockdep_assert_held(&fn->fabric->lock);
	fn->msi_told = on ? wanted : 0;
	if (on && begins) {
		if (fn->port)
			fn->port->stats.interrupts++;
		trace_sim_interrupt(fn->fabric->domain, sim_func_id(fn), true);
		irq_work_queue(&fn->msi_work);
	}
	return on;
}

void sim_msi_init(struct sim_func *fn)
{
	init_irq_work(&fn->msi_work, sim_msi_deliver);
}

#ifdef EGPU_HAVE_PCI_MSI_CREATE_IRQ_DOMAIN

static void sim_msi_compose(struct irq_data *data, struct msi_msg *msg)
{
	msg->address_lo = SIM_MSI_ADDRESS;
	msg->address_hi = 0;
	msg->data = data->irq;
}

/* The core's own wants hardware below. */
static int sim_msi_affinity(struct irq_data *data, const struct cpumask *mask,
			    bool force)
{
	return -EINVAL;
}

/* One that comes while another is handled is remembered, not acknowledged. */
static void sim_msi_ack(struct irq_data *data)
{
}

static struct irq_chip sim_msi_chip = {
	.name = "egpu_sim-MSI",
	.irq_ack = sim_msi_ack,
	.irq_set_affinity = sim_msi_affinity,
	.irq_compose_msi_msg = sim_msi_compose,
};

static struct msi_domain_info sim_msi_info = {
	.flags = MSI_FLAG_USE_DEF_DOM_OPS | MSI_FLAG_USE_DEF_CHIP_OPS,
	.chip = &sim_msi_chip,
	.handler = handle_edge_irq,
	.handler_name = "edge",
};

/**
 * sim_msi_alloc - a domain for the fabric's messages
 * @fabric: being started
 *
 * Return: 0 or -ENOMEM.
 */
int sim_msi_alloc(struct sim_fabric *fabric)
{
	struct fwnode_handle *fwnode;

	fwnode = irq_domain_alloc_named_id_fwnode("egpu_sim-MSI",
						  fabric->domain);
	if (!fwnode)
		return -ENOMEM;
	fabric->msi = pci_msi_create_irq_domain(fwnode, &sim_msi_info, NULL);
	if (fabric->msi)
		return 0;
	irq_domain_free_fwnode(fwnode);
	return -ENOMEM;
}

void sim_msi_free(struct sim_fabric *fabric)
{
	struct fwnode_handle *fwnode;

	if (!fabric->msi)
		return;
	fwnode = fabric->msi->fwnode;
	irq_domain_remove(fabric->msi);
	irq_domain_free_fwnode(fwnode);
	fabric->msi = NULL;
}

#else

int sim_msi_alloc(struct sim_fabric *fabric)
{
	return 0;
}

void sim_msi_free(struct sim_fabric *fabric)
{
}

#endif
