// SPDX-License-Identifier: GPL-2.0
/*
 * Errors: Advanced Error Reporting and Downstream Port Containment, from a bit
 * in a function's status to the message that its root port gets (PCIe 6.0.1
 * sections 6.2 and 6.2.11).
 */

#include "sim.h"

/* DPC Status: why (PCIe 6.0.1 section 7.9.14.4). */
#define SIM_DPC_NONFATAL	0x02		/* ERR_NONFATAL came */
#define SIM_DPC_FATAL		0x04		/* ERR_FATAL came */
#define SIM_DPC_SOFTWARE	0x26
#define SIM_DPC_REASON		0x66		/* all of the field */
#define SIM_DPC_CTL_TRIGGER	BIT(6)

struct sim_error {
	const char *name;
	u32 bit;
	bool correctable;
};

/* Names are aer-inject's. */
static const struct sim_error sim_errors[] = {
	{ "RCVR", PCI_ERR_COR_RCVR, true },
	{ "BAD_TLP", PCI_ERR_COR_BAD_TLP, true },
	{ "BAD_DLLP", PCI_ERR_COR_BAD_DLLP, true },
	{ "REP_ROLL", PCI_ERR_COR_REP_ROLL, true },
	{ "REP_TIMER", PCI_ERR_COR_REP_TIMER, true },
	{ "TRAIN", PCI_ERR_UNC_UND, false },
	{ "DLP", PCI_ERR_UNC_DLP, false },
	{ "SURPDN", PCI_ERR_UNC_SURPDN, false },
	{ "POISON_TLP", PCI_ERR_UNC_POISON_TLP, false },
	{ "FCP", PCI_ERR_UNC_FCP, false },
	{ "COMP_TIME", PCI_ERR_UNC_COMP_TIME, false },
	{ "COMP_ABORT", PCI_ERR_UNC_COMP_ABORT, false },
	{ "UNX_COMP", PCI_ERR_UNC_UNX_COMP, false },
	{ "RX_OVER", PCI_ERR_UNC_RX_OVER, false },
	{ "MALF_TLP", PCI_ERR_UNC_MALF_TLP, false },
	{ "ECRC", PCI_ERR_UNC_ECRC, false },
	{ "UNSUP", PCI_ERR_UNC_UNSUP, false },
};

static void sim_set32(struct sim_func *fn, int where, u32 bits)
{
	sim_put32(fn, where, sim_get32(fn, where) | bits);
}

/* --- the root port gets a message --------------------------------------- */

static void sim_root_correctable(struct sim_func *root, u16 id)
{
	int at = root->aer + PCI_ERR_ROOT_STATUS;

	if (sim_get32(root, at) & PCI_ERR_ROOT_COR_RCV)
		sim_set32(root, at, PCI_ERR_ROOT_MULTI_COR_RCV);
	else
		sim_put16(root, root->aer + PCI_ERR_ROOT_ERR_SRC, id);
	sim_set32(root, at, PCI_ERR_ROOT_COR_RCV);
}

static void sim_root_uncorrectable(struct sim_func *root, u16 id, bool fatal)
{
	int at = root->aer + PCI_ERR_ROOT_STATUS;

	if (sim_get32(root, at) & PCI_ERR_ROOT_UNCOR_RCV) {
		sim_set32(root, at, PCI_ERR_ROOT_MULTI_UNCOR_RCV);
	} else {
		sim_put16(root, root->aer + PCI_ERR_ROOT_ERR_SRC + 2, id);
		sim_set32(root, at, fatal ? PCI_ERR_ROOT_FIRST_FATAL : 0);
	}
	sim_set32(root, at, PCI_ERR_ROOT_UNCOR_RCV |
		  (fatal ? PCI_ERR_ROOT_FATAL_RCV : PCI_ERR_ROOT_NONFATAL_RCV));
}

/* --- DPC ---------------------------------------------------------------- */

/* The port keeps its link down. */
bool sim_dpc_contains(const struct sim_port *port)
{
	return port->fn.dpc &&
	       sim_get16(&port->fn, port->fn.dpc + PCI_EXP_DPC_STATUS) &
	       PCI_EXP_DPC_STATUS_TRIGGER;
}

static void sim_dpc_trigger(struct sim_port *port, u16 reason, u16 source)
{
	struct sim_func *fn = &port->fn;

	if (sim_dpc_contains(port))
		return;
	port->stats.dpc++;
	sim_put16(fn, fn->dpc + PCI_EXP_DPC_SOURCE_ID, source);
	sim_set16(fn, fn->dpc + PCI_EXP_DPC_STATUS, SIM_DPC_REASON,
		  PCI_EXP_DPC_STATUS_TRIGGER | PCI_EXP_DPC_STATUS_INTERRUPT |
		  reason);
	sim_link_update(port);
	sim_irq_update(fn);
}

/**
 * sim_dpc_control - DPC Control was written
 * @port: the port
 * @control: what was written, zero where nothing was
 */
void sim_dpc_control(struct sim_port *port, u16 control)
{
	if (control & SIM_DPC_CTL_TRIGGER)
		sim_dpc_trigger(port, SIM_DPC_SOFTWARE, 0);
}

/* True: the port contains the error, and nobody above hears of it. */
static bool sim_dpc_takes(struct sim_port *port, struct sim_func *fn,
			  bool fatal)
{
	u16 ctl, enable, reason = 0;

	if (!port->fn.regs || !port->fn.dpc)
		return false;
	ctl = sim_get16(&port->fn, port->fn.dpc + PCI_EXP_DPC_CTL);
	enable = ctl & (PCI_EXP_DPC_CTL_EN_FATAL | PCI_EXP_DPC_CTL_EN_NONFATAL);
	if (!enable || (enable == PCI_EXP_DPC_CTL_EN_FATAL && !fatal))
		return false;
	if (fn != &port->fn)
		reason = fatal ? SIM_DPC_FATAL : SIM_DPC_NONFATAL;
	sim_dpc_trigger(port, reason, reason ? sim_func_id(fn) : 0);
	return true;
}

/* The innermost port that has DPC on; the error's own port first. */
static bool sim_dpc_contained(struct sim_func *fn, bool fatal)
{
	struct sim_port *port = fn->port ?: sim_func_above(fn);

	for (; port; port = sim_func_above(&port->fn))
		if (sim_dpc_takes(port, fn, fatal))
			return true;
	return false;
}

/* --- a function sees an error ------------------------------------------- */

static struct sim_func *sim_error_root(struct sim_func *fn)
{
	struct sim_func *root = &sim_func_root(fn)->fn;

	return root->regs && root->aer ? root : NULL;
}

static bool sim_error_told(struct sim_func *fn, u16 enable)
{
	return sim_get16(fn, fn->pcie + PCI_EXP_DEVCTL) & enable;
}

/**
 * sim_error_correctable - a function sees a correctable error
 * @fn: the function; its fabric's lock is held
 * @bit: in its Correctable Error Status
 */
void sim_error_correctable(struct sim_func *fn, u32 bit)
{
	struct sim_func *root = sim_error_root(fn);

	lockdep_assert_held(&fn->fabric->lock);
	if (!fn->aer)
		return;
	sim_set32(fn, fn->aer + PCI_ERR_COR_STATUS, bit);
	sim_set16(fn, fn->pcie + PCI_EXP_DEVSTA, 0, PCI_EXP_DEVSTA_CED);
	if (sim_get32(fn, fn->aer + PCI_ERR_COR_MASK) & bit ||
	    !sim_error_told(fn, PCI_EXP_DEVCTL_CERE) || !root)
		return;
	sim_root_correctable(root, sim_func_id(fn));
	sim_irq_update(root);
}

/* The first error's TLP: a memory read that nobody made. */
static void sim_error_log(struct sim_func *fn, u32 bit)
{
	int cap = fn->aer + PCI_ERR_CAP;

	if (sim_get32(fn, fn->aer + PCI_ERR_UNCOR_STATUS) & ~bit)
		return;
	sim_put32(fn, cap, (sim_get32(fn, cap) & ~0x1f) | __ffs(bit));
	sim_put32(fn, fn->aer + PCI_ERR_HEADER_LOG, 0x00000001);
	sim_put32(fn, fn->aer + PCI_ERR_HEADER_LOG + 4, 0x0000000f);
}

/**
 * sim_error_uncorrectable - a function sees an uncorrectable error
 * @fn: the function; its fabric's lock is held
 * @bit: in its Uncorrectable Error Status
 */
void sim_error_uncorrectable(struct sim_func *fn, u32 bit)
{
	struct sim_func *root = sim_error_root(fn);
	bool fatal;

	lockdep_assert_held(&fn->fabric->lock);
	if (!fn->aer)
		return;
	fatal = sim_get32(fn, fn->aer + PCI_ERR_UNCOR_SEVER) & bit;
	sim_set32(fn, fn->aer + PCI_ERR_UNCOR_STATUS, bit);
	sim_set16(fn, fn->pcie + PCI_EXP_DEVSTA, 0,
		  fatal ? PCI_EXP_DEVSTA_FED : PCI_EXP_DEVSTA_NFED);
	if (sim_get32(fn, fn->aer + PCI_ERR_UNCOR_MASK) & bit)
		return;
	sim_error_log(fn, bit);
	if (!sim_error_told(fn, fatal ? PCI_EXP_DEVCTL_FERE :
					PCI_EXP_DEVCTL_NFERE) ||
	    sim_dpc_contained(fn, fatal) || !root ||
	    sim_func_id(fn) == 0xffff)
		return;
	sim_root_uncorrectable(root, sim_func_id(fn), fatal);
	sim_irq_update(root);
}

/**
 * sim_error_inject - an error by name
 * @fn: the function; its fabric's lock is held
 * @name: as aer-inject writes it
 *
 * Return: 0; -EINVAL: no such error; -EOPNOTSUPP: the function has no AER;
 * -ENOTCONN: it is not there.
 */
int sim_error_inject(struct sim_func *fn, const char *name)
{
	const struct sim_error *error = sim_errors;
	int i;

	for (i = 0; i < ARRAY_SIZE(sim_errors); i++, error++)
		if (!strcmp(error->name, name))
			break;
	if (i == ARRAY_SIZE(sim_errors))
		return -EINVAL;
	if (sim_func_id(fn) == 0xffff)
		return -ENOTCONN;
	if (!fn->aer || !fn->pcie)
		return -EOPNOTSUPP;
	if (error->correctable)
		sim_error_correctable(fn, error->bit);
	else
		sim_error_uncorrectable(fn, error->bit);
	return 0;
}
