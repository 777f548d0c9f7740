// SPDX-License-Identifier: GPL-2.0
/*
 * The registers of a function: which bits can be written, and what writing
 * them does. Their values come from build.c.
 */

#include <linux/unaligned.h>

#include "sim.h"

u8 sim_get8(const struct sim_func *fn, int where)
{
	return fn->regs->value[where];
}

u16 sim_get16(const struct sim_func *fn, int where)
{
	return get_unaligned_le16(fn->regs->value + where);
}

u32 sim_get32(const struct sim_func *fn, int where)
{
	return get_unaligned_le32(fn->regs->value + where);
}

void sim_put8(struct sim_func *fn, int where, u8 val)
{
	fn->regs->value[where] = val;
}

void sim_put16(struct sim_func *fn, int where, u16 val)
{
	put_unaligned_le16(val, fn->regs->value + where);
}

void sim_put32(struct sim_func *fn, int where, u32 val)
{
	put_unaligned_le32(val, fn->regs->value + where);
}

void sim_set16(struct sim_func *fn, int where, u16 clear, u16 set)
{
	sim_put16(fn, where, (sim_get16(fn, where) & ~clear) | set);
}

/* --- which bits can be written ------------------------------------------ */

static void sim_rw(struct sim_func *fn, int where, u32 bits)
{
	put_unaligned_le32(get_unaligned_le32(fn->regs->writable + where) |
			   bits, fn->regs->writable + where);
}

static void sim_w1c(struct sim_func *fn, int where, u32 bits)
{
	put_unaligned_le32(get_unaligned_le32(fn->regs->w1c + where) | bits,
			   fn->regs->w1c + where);
}

static void sim_mask_bars(struct sim_func *fn, int bars)
{
	const struct sim_bar *bar;
	u64 mask;
	int i;

	for (i = 0; i < bars; i++) {
		bar = &fn->spec.bar[i];
		mask = ~(bar->size - 1);
		if (bar->raw)
			sim_rw(fn, PCI_BASE_ADDRESS_0 + 4 * i, bar->mask);
		else if (bar->size)
			sim_rw(fn, PCI_BASE_ADDRESS_0 + 4 * i,
			       mask & (bar->io ? PCI_BASE_ADDRESS_IO_MASK :
					      PCI_BASE_ADDRESS_MEM_MASK));
		if (bar->size && bar->wide)
			sim_rw(fn, PCI_BASE_ADDRESS_0 + 4 * ++i, mask >> 32);
	}
}

static void sim_mask_header(struct sim_func *fn)
{
	const struct sim_bar *rom = &fn->spec.bar[SIM_ROM];

	sim_rw(fn, PCI_COMMAND, PCI_COMMAND_IO | PCI_COMMAND_MEMORY |
	       PCI_COMMAND_MASTER | PCI_COMMAND_PARITY | PCI_COMMAND_SERR |
	       PCI_COMMAND_INTX_DISABLE);
	sim_w1c(fn, PCI_COMMAND, 0xf9000000);
	sim_rw(fn, PCI_CACHE_LINE_SIZE, 0xff);
	sim_rw(fn, PCI_INTERRUPT_LINE, 0xff);
	sim_mask_bars(fn, fn->bridge ? 2 : SIM_BARS);
	if (!fn->bridge) {
		if (rom->size)
			sim_rw(fn, PCI_ROM_ADDRESS,
			       (u32)~(rom->size - 1) | PCI_ROM_ADDRESS_ENABLE);
		return;
	}
	sim_rw(fn, PCI_PRIMARY_BUS, 0xffffff);
	sim_w1c(fn, PCI_IO_BASE, 0xf9000000);
	sim_rw(fn, PCI_MEMORY_BASE, 0xfff0fff0);
	sim_rw(fn, PCI_PREF_MEMORY_BASE, 0xfff0fff0);
	sim_rw(fn, PCI_PREF_BASE_UPPER32, ~0);
	sim_rw(fn, PCI_PREF_LIMIT_UPPER32, ~0);
	sim_rw(fn, PCI_INTERRUPT_LINE,
	       (PCI_BRIDGE_CTL_PARITY | PCI_BRIDGE_CTL_SERR |
		PCI_BRIDGE_CTL_ISA | PCI_BRIDGE_CTL_VGA |
		PCI_BRIDGE_CTL_BUS_RESET) << 16);
}

static bool sim_is_downstream(int type)
{
	return type == PCI_EXP_TYPE_ROOT_PORT || type == PCI_EXP_TYPE_DOWNSTREAM;
}

static void sim_mask_slot(struct sim_func *fn, int at)
{
	u32 cap = get_unaligned_le32(fn->regs->initial + at + PCI_EXP_SLTCAP);
	u32 rw = 0;

	if (cap & PCI_EXP_SLTCAP_HPC)
		rw |= PCI_EXP_SLTCTL_ABPE | PCI_EXP_SLTCTL_PFDE |
		      PCI_EXP_SLTCTL_MRLSCE | PCI_EXP_SLTCTL_PDCE |
		      PCI_EXP_SLTCTL_CCIE | PCI_EXP_SLTCTL_HPIE |
		      PCI_EXP_SLTCTL_DLLSCE;
	if (cap & PCI_EXP_SLTCAP_AIP)
		rw |= PCI_EXP_SLTCTL_AIC;
	if (cap & PCI_EXP_SLTCAP_PIP)
		rw |= PCI_EXP_SLTCTL_PIC;
	if (cap & PCI_EXP_SLTCAP_PCP)
		rw |= PCI_EXP_SLTCTL_PCC;
	if (get_unaligned_le32(fn->regs->initial + at + PCI_EXP_SLTCAP2) & 1)
		rw |= PCI_EXP_SLTCTL_IBPD_DISABLE;
	sim_rw(fn, at + PCI_EXP_SLTCTL, rw);
	sim_w1c(fn, at + PCI_EXP_SLTCTL, SIM_SLOT_EVENTS << 16);
}

static void sim_mask_link(struct sim_func *fn, int at, bool downstream)
{
	u32 rw = PCI_EXP_LNKCTL_ASPMC | PCI_EXP_LNKCTL_RCB |
		 PCI_EXP_LNKCTL_CCC | PCI_EXP_LNKCTL_ES | PCI_EXP_LNKCTL_HAWD |
		 SIM_LNKCTL_FLIT_DISABLE;

	if (downstream) {
		rw |= PCI_EXP_LNKCTL_LD | PCI_EXP_LNKCTL_LBMIE |
		      PCI_EXP_LNKCTL_LABIE;
		sim_w1c(fn, at + PCI_EXP_LNKCTL,
			(u32)(PCI_EXP_LNKSTA_LBMS | PCI_EXP_LNKSTA_LABS) << 16);
	}
	sim_rw(fn, at + PCI_EXP_LNKCTL, rw);
}

static void sim_mask_pcie(struct sim_func *fn, int at)
{
	u16 flags = get_unaligned_le16(fn->regs->initial + at + PCI_EXP_FLAGS);
	int type = (flags & PCI_EXP_FLAGS_TYPE) >> 4;

	fn->pcie = at;
	fn->slot = sim_is_downstream(type) && flags & PCI_EXP_FLAGS_SLOT;
	fn->root = type == PCI_EXP_TYPE_ROOT_PORT;
	sim_rw(fn, at + PCI_EXP_DEVCTL, 0x7fff);
	sim_w1c(fn, at + PCI_EXP_DEVCTL, 0xf << 16);
	sim_mask_link(fn, at, sim_is_downstream(type));
	if (fn->root) {
		sim_rw(fn, at + PCI_EXP_RTCTL, 0x1f);
		sim_w1c(fn, at + PCI_EXP_RTSTA, PCI_EXP_RTSTA_PME);
	}
	if ((flags & PCI_EXP_FLAGS_VERS) >= 2) {
		sim_rw(fn, at + PCI_EXP_DEVCTL2, 0x7fff);
		sim_rw(fn, at + PCI_EXP_LNKCTL2, PCI_EXP_LNKCTL2_TLS |
		       PCI_EXP_LNKCTL2_ENTER_COMP | PCI_EXP_LNKCTL2_HASD |
		       PCI_EXP_LNKCTL2_TX_MARGIN);
	}
	if (fn->slot)
		sim_mask_slot(fn, at);
}

static void sim_mask_pm(struct sim_func *fn, int at)
{
	fn->pm = at;
	sim_rw(fn, at + PCI_PM_CTRL,
	       PCI_PM_CTRL_STATE_MASK | PCI_PM_CTRL_PME_ENABLE);
	sim_w1c(fn, at + PCI_PM_CTRL, PCI_PM_CTRL_PME_STATUS);
}

static void sim_mask_msi(struct sim_func *fn, int at)
{
	u16 flags = get_unaligned_le16(fn->regs->initial + at + PCI_MSI_FLAGS);
	bool wide = flags & PCI_MSI_FLAGS_64BIT;

	fn->msi = at;
	sim_rw(fn, at, (PCI_MSI_FLAGS_ENABLE | PCI_MSI_FLAGS_QSIZE) << 16);
	sim_rw(fn, at + PCI_MSI_ADDRESS_LO, ~3);
	if (wide)
		sim_rw(fn, at + PCI_MSI_ADDRESS_HI, ~0);
	sim_rw(fn, at + (wide ? PCI_MSI_DATA_64 : PCI_MSI_DATA_32), 0xffff);
}

static void sim_mask_aer(struct sim_func *fn, int at)
{
	fn->aer = at;
	sim_w1c(fn, at + PCI_ERR_UNCOR_STATUS, SIM_UNCORRECTABLE);
	sim_rw(fn, at + PCI_ERR_UNCOR_MASK, SIM_UNCORRECTABLE);
	sim_rw(fn, at + PCI_ERR_UNCOR_SEVER, SIM_UNCORRECTABLE);
	sim_w1c(fn, at + PCI_ERR_COR_STATUS, SIM_CORRECTABLE);
	sim_rw(fn, at + PCI_ERR_COR_MASK, SIM_CORRECTABLE);
	if (!fn->root)
		return;
	sim_rw(fn, at + PCI_ERR_ROOT_COMMAND, 7);
	sim_w1c(fn, at + PCI_ERR_ROOT_STATUS, 0x7f);
}

static void sim_mask_dpc(struct sim_func *fn, int at)
{
	fn->dpc = at;
	sim_rw(fn, at + PCI_EXP_DPC_CAP, 0x1f << 16);
	sim_w1c(fn, at + PCI_EXP_DPC_STATUS, PCI_EXP_DPC_STATUS_TRIGGER |
		PCI_EXP_DPC_STATUS_INTERRUPT);
}

static void sim_mask_rebar(struct sim_func *fn, int at)
{
	fn->rebar = at;
	sim_rw(fn, at + PCI_REBAR_CTRL, PCI_REBAR_CTRL_BAR_SIZE);
}

static void sim_mask_dvsec(struct sim_func *fn, int at)
{
	const u8 *header = fn->regs->initial + at + PCI_DVSEC_HEADER1;

	if (get_unaligned_le16(header) == SIM_CXL_VENDOR &&
	    !get_unaligned_le16(header + 4))
		sim_rw(fn, at + SIM_CXL_CTRL, SIM_CXL_MEM);
}

static void sim_mask_cap(struct sim_func *fn, u8 id, int at)
{
	if (id == PCI_CAP_ID_PM && !fn->pm && at + PCI_PM_SIZEOF <= 256)
		sim_mask_pm(fn, at);
	else if (id == PCI_CAP_ID_MSI && !fn->msi && at + 16 <= 256)
		sim_mask_msi(fn, at);
	else if (id == PCI_CAP_ID_EXP && !fn->pcie && at + 0x3c <= 256)
		sim_mask_pcie(fn, at);
}

static void sim_mask_ext_cap(struct sim_func *fn, u16 id, int at)
{
	if (id == PCI_EXT_CAP_ID_ERR && !fn->aer)
		sim_mask_aer(fn, at);
	else if (id == PCI_EXT_CAP_ID_DPC && !fn->dpc)
		sim_mask_dpc(fn, at);
	else if (id == PCI_EXT_CAP_ID_REBAR && !fn->rebar)
		sim_mask_rebar(fn, at);
	else if (id == PCI_EXT_CAP_ID_DVSEC)
		sim_mask_dvsec(fn, at);
	else if (id == PCI_EXT_CAP_ID_SECPCI)
		sim_w1c(fn, at + 8, ~0);	/* Lane Error Status */
}

/**
 * sim_func_mask - find the capabilities, and which of their bits can be written
 * @fn: the function; its initial registers are filled in, maybe from a hostile
 *	dump. A capability that would reach beyond its space is left alone.
 */
void sim_func_mask(struct sim_func *fn)
{
	const u8 *regs = fn->regs->initial;
	int at, hops;
	u32 header;

	fn->pm = 0;
	fn->msi = 0;
	fn->pcie = 0;
	fn->aer = 0;
	fn->dpc = 0;
	fn->rebar = 0;
	fn->slot = false;
	fn->root = false;
	sim_mask_header(fn);
	at = regs[PCI_CAPABILITY_LIST] & ~3;
	for (hops = 0; hops < 48 && at >= 0x40; hops++) {
		sim_mask_cap(fn, regs[at], at);
		at = regs[at + 1] & ~3;
	}
	at = fn->pcie ? 0x100 : 0;
	for (hops = 0; hops < 64 && at >= 0x100 && at <= 0xfa0; hops++) {
		header = get_unaligned_le32(regs + at);
		sim_mask_ext_cap(fn, PCI_EXT_CAP_ID(header), at);
		at = PCI_EXT_CAP_NEXT(header);
	}
}

/* --- reads and writes --------------------------------------------------- */

u32 sim_func_read(struct sim_func *fn, int where, int size)
{
	switch (size) {
	case 1:
		return sim_get8(fn, where);
	case 2:
		return sim_get16(fn, where);
	default:
		return sim_get32(fn, where);
	}
}

static void sim_link_control(struct sim_func *fn, u32 old, u32 new, u32 val)
{
	struct sim_port *port = fn->port;

	if (!port)
		return;
	if ((old ^ new) & PCI_EXP_LNKCTL_LD)
		sim_link_update(port);
	if (val & PCI_EXP_LNKCTL_RL)
		sim_link_retrain(port);
}

static void sim_bridge_control(struct sim_func *fn, u32 old, u32 new)
{
	bool reset = new & (PCI_BRIDGE_CTL_BUS_RESET << 16);

	if (!((old ^ new) & (PCI_BRIDGE_CTL_BUS_RESET << 16)))
		return;
	if (fn->port) {
		fn->port->stats.resets += reset;
		sim_link_update(fn->port);
	} else if (fn->dev && fn->bridge) {
		sim_switch_reset(fn->dev, reset);
	}
}

static void sim_device_control(struct sim_func *fn, u32 val)
{
	u32 cap = sim_get32(fn, fn->pcie + PCI_EXP_DEVCAP);

	if (val & PCI_EXP_DEVCTL_BCR_FLR && cap & PCI_EXP_DEVCAP_FLR)
		sim_func_reset(fn);
	else
		return;
	if (fn->dev)
		sim_link_retell(fn->dev->port);
}

/* The BAR's size follows; its address is lost. */
static void sim_rebar_control(struct sim_func *fn, u32 new)
{
	u32 bar = new & PCI_REBAR_CTRL_BAR_IDX;
	u32 shift = (new & PCI_REBAR_CTRL_BAR_SIZE) >> PCI_REBAR_CTRL_BAR_SHIFT;
	int where = PCI_BASE_ADDRESS_0 + 4 * bar;
	u64 mask = ~((1ULL << (20 + shift)) - 1);

	if (bar >= SIM_BARS || shift > 43 || !fn->spec.bar[bar].size)
		return;
	put_unaligned_le32(mask & PCI_BASE_ADDRESS_MEM_MASK,
			   fn->regs->writable + where);
	sim_put32(fn, where, sim_get32(fn, where) & ~PCI_BASE_ADDRESS_MEM_MASK);
	if (fn->spec.bar[bar].wide) {
		put_unaligned_le32(mask >> 32, fn->regs->writable + where + 4);
		sim_put32(fn, where + 4, 0);
	}
}

/* What a write to the PCI Express capability does beside changing bits. */
static void sim_pcie_written(struct sim_func *fn, int where, u32 old, u32 new,
			     u32 val)
{
	switch (where - fn->pcie) {
	case PCI_EXP_DEVCTL:
		sim_device_control(fn, val);
		break;
	case PCI_EXP_LNKCTL:
		sim_link_control(fn, old, new, val);
		break;
	case PCI_EXP_SLTCTL:
		if (fn->slot && fn->port)
			sim_slot_control(fn->port, old, new);
		break;
	}
}

/* @val has zeros where nothing was written. */
static void sim_func_written(struct sim_func *fn, int where, u32 old, u32 new,
			     u32 val, u32 enabled)
{
	if (where == PCI_PRIMARY_BUS && fn->bridge)
		sim_route_update(fn->fabric);
	else if (where == PCI_INTERRUPT_LINE && fn->bridge)
		sim_bridge_control(fn, old, new);
	else if (fn->pcie && where == fn->pcie + PCI_EXP_SLTCTL &&
		 !(enabled & 0xffff))
		;	/* Slot Status only: no command */
	else if (fn->pcie && where >= fn->pcie)
		sim_pcie_written(fn, where, old, new, val);
	if (fn->dpc && fn->port && where == fn->dpc + PCI_EXP_DPC_CAP)
		sim_dpc_control(fn->port, val >> 16);
	if (fn->dpc && fn->port && where == fn->dpc + PCI_EXP_DPC_STATUS)
		sim_link_update(fn->port);
	if (fn->rebar && where == fn->rebar + PCI_REBAR_CTRL)
		sim_rebar_control(fn, new);
	sim_irq_update(fn);
}

/**
 * sim_func_write - software writes a register
 * @fn: the function; its fabric's lock is held
 * @where: offset, aligned to @size
 * @size: bytes: 1, 2 or 4
 * @val: value
 */
void sim_func_write(struct sim_func *fn, int where, int size, u32 val)
{
	int at = where & ~3, shift = 8 * (where & 3);
	u32 enabled = (size == 4 ? ~0U : (1U << 8 * size) - 1) << shift;
	u32 writable, w1c, old, new;

	lockdep_assert_held(&fn->fabric->lock);
	val = (val << shift) & enabled;
	writable = get_unaligned_le32(fn->regs->writable + at) & enabled;
	w1c = get_unaligned_le32(fn->regs->w1c + at) & enabled;
	old = sim_get32(fn, at);
	new = (old & ~writable) | (val & writable);
	new &= ~(val & w1c);
	sim_put32(fn, at, new);
	sim_func_written(fn, at, old, new, val, enabled);
}

/**
 * sim_func_poke - change a register whatever it is
 * @fn: the function; its fabric's lock is held
 * @where: offset, aligned to @size
 * @size: bytes: 1, 2 or 4
 * @val: value
 *
 * Return: 0; -EINVAL: no such register; -ENOTCONN: the device is not there.
 */
int sim_func_poke(struct sim_func *fn, u32 where, u32 size, u32 val)
{
	if ((size != 1 && size != 2 && size != 4) || where % size ||
	    where >= SIM_CFG_SIZE)
		return -EINVAL;
	if (!fn->regs)
		return -ENOTCONN;
	if (size == 1)
		sim_put8(fn, where, val);
	else if (size == 2)
		sim_put16(fn, where, val);
	else
		sim_put32(fn, where, val);
	sim_irq_update(fn);
	return 0;
}

/**
 * sim_func_reset - back to the initial values, but for sticky registers: the
 *	errors that AER saw (PCIe 6.0.1 section 7.4)
 * @fn: the function; its fabric's lock is held
 */
void sim_func_reset(struct sim_func *fn)
{
	u8 sticky[SIM_STICKY];

	if (!fn->regs)
		return;
	if (fn->aer)
		memcpy(sticky, fn->regs->value + fn->aer + PCI_ERR_UNCOR_STATUS,
		       SIM_STICKY);
	memcpy(fn->regs->value, fn->regs->initial, SIM_CFG_SIZE);
	if (fn->aer)
		memcpy(fn->regs->value + fn->aer + PCI_ERR_UNCOR_STATUS, sticky,
		       SIM_STICKY);
	if (fn->rebar)
		sim_rebar_control(fn, sim_get32(fn, fn->rebar +
						PCI_REBAR_CTRL));
	fn->interrupt = false;
	sim_irq_update(fn);
}
