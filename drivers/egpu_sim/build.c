// SPDX-License-Identifier: GPL-2.0
/*
 * The registers that a function begins with, made from what configfs says:
 * header, capabilities, extended capabilities, or a dump of a real device.
 *
 * Done when a device is put into a slot, and for ports when the fabric goes
 * live, before anybody can read them. Offsets are those of PCIe 6.0.1 chapter 7.
 */

#include <linux/log2.h>
#include <linux/slab.h>
#include <linux/unaligned.h>

#include "sim.h"

#define SIM_PORT_VENDOR		0x1234
#define SIM_ROOT_PORT		0xe60a
#define SIM_UPSTREAM		0xe60b
#define SIM_DOWNSTREAM		0xe60c

/**
 * struct sim_build - a configuration space in the making
 * @fn: whose
 * @regs: its initial registers
 * @link: where the offset of the next capability goes
 * @at: where that one goes
 * @ext_last: last extended capability; 0: none yet
 * @ext_at: where the next one goes
 */
struct sim_build {
	struct sim_func *fn;
	u8 *regs;
	int link;
	int at;
	int ext_last;
	int ext_at;
};

static void put8(struct sim_build *b, int where, u8 val)
{
	b->regs[where] = val;
}

static void put16(struct sim_build *b, int where, u16 val)
{
	put_unaligned_le16(val, b->regs + where);
}

static void put32(struct sim_build *b, int where, u32 val)
{
	put_unaligned_le32(val, b->regs + where);
}

/* Begins a capability of @size bytes; its offset. */
static int sim_cap(struct sim_build *b, u8 id, int size)
{
	int at = b->at;

	put8(b, b->link, at);
	put8(b, at, id);
	b->link = at + 1;
	b->at = ALIGN(at + size, 4);
	return at;
}

static int sim_ext_cap(struct sim_build *b, u16 id, int version, int size)
{
	int at = b->ext_at;
	u32 last;

	if (b->ext_last) {
		last = get_unaligned_le32(b->regs + b->ext_last);
		put32(b, b->ext_last, last | at << 20);
	}
	put32(b, at, id | version << 16);
	b->ext_last = at;
	b->ext_at = ALIGN(at + size, 4);
	return at;
}

/* --- header ------------------------------------------------------------- */

static void sim_build_bars(struct sim_build *b)
{
	const struct sim_bar *bar;
	int i;

	for (i = 0; i < SIM_BARS; i++) {
		bar = &b->fn->spec.bar[i];
		if (!bar->size)
			continue;
		if (bar->io) {
			put32(b, PCI_BASE_ADDRESS_0 + 4 * i,
			      PCI_BASE_ADDRESS_SPACE_IO);
			continue;
		}
		put32(b, PCI_BASE_ADDRESS_0 + 4 * i,
		      (bar->wide ? PCI_BASE_ADDRESS_MEM_TYPE_64 : 0) |
		      (bar->prefetch ? PCI_BASE_ADDRESS_MEM_PREFETCH : 0));
		i += bar->wide;
	}
}

static void sim_build_bridge(struct sim_build *b)
{
	put8(b, PCI_HEADER_TYPE, PCI_HEADER_TYPE_BRIDGE);
	put16(b, PCI_MEMORY_BASE, 0xfff0);
	put16(b, PCI_PREF_MEMORY_BASE, 0xfff0 | PCI_PREF_RANGE_TYPE_64);
	put16(b, PCI_PREF_MEMORY_LIMIT, PCI_PREF_RANGE_TYPE_64);
}

static bool sim_is_multifunction(const struct sim_func *fn)
{
	if (fn->dev)
		return !list_empty(&fn->dev->functions);
	return !fn->port->up;
}

/* What attributes say, also of a function whose registers came from a dump. */
static void sim_build_ids(struct sim_build *b)
{
	const struct sim_spec *spec = &b->fn->spec;

	put16(b, PCI_VENDOR_ID, spec->vendor);
	put16(b, PCI_DEVICE_ID, spec->device);
	put32(b, PCI_CLASS_REVISION, spec->class << 8 | spec->revision);
	put8(b, PCI_INTERRUPT_PIN, spec->pin);
	b->regs[PCI_HEADER_TYPE] &= ~0x80;
	if (sim_is_multifunction(b->fn))
		b->regs[PCI_HEADER_TYPE] |= 0x80;
	if (b->fn->bridge)
		return;
	put16(b, PCI_SUBSYSTEM_VENDOR_ID, spec->subsystem_vendor);
	put16(b, PCI_SUBSYSTEM_ID, spec->subsystem_device);
}

static void sim_build_header(struct sim_build *b)
{
	const struct sim_spec *spec = &b->fn->spec;

	put16(b, PCI_STATUS, PCI_STATUS_CAP_LIST);
	if (b->fn->bridge)
		sim_build_bridge(b);
	else
		sim_build_bars(b);
	sim_build_ids(b);
	if (spec->corrupt == SIM_HEADER)
		b->regs[PCI_HEADER_TYPE] |= 0x7f;
}

/* --- capabilities ------------------------------------------------------- */

static void sim_build_pm(struct sim_build *b)
{
	int at = sim_cap(b, PCI_CAP_ID_PM, PCI_PM_SIZEOF);

	put16(b, at + PCI_PM_PMC, 3 | PCI_PM_CAP_PME_D0 | PCI_PM_CAP_PME_D3hot |
	      PCI_PM_CAP_PME_D3cold);
	put16(b, at + PCI_PM_CTRL, PCI_PM_CTRL_NO_SOFT_RESET);
}

static void sim_build_msi(struct sim_build *b)
{
	int at = sim_cap(b, PCI_CAP_ID_MSI, 14);

	put16(b, at + PCI_MSI_FLAGS, PCI_MSI_FLAGS_64BIT |
	      ilog2(b->fn->spec.msi) << 1);
}

static void sim_build_slot(struct sim_build *b, int at)
{
	const struct sim_port *port = b->fn->port;
	u32 cap = 75 << 7 | port->slot_number << 19;

	if (port->inband_presence_disable)
		put32(b, at + PCI_EXP_SLTCAP2, 1);
	if (!port->native) {
		put32(b, at + PCI_EXP_SLTCAP, cap);
		return;
	}
	cap |= PCI_EXP_SLTCAP_HPC;
	if (port->attention_button)
		cap |= PCI_EXP_SLTCAP_ABP;
	if (port->power_controller)
		cap |= PCI_EXP_SLTCAP_PCP;
	if (port->indicators)
		cap |= PCI_EXP_SLTCAP_AIP | PCI_EXP_SLTCAP_PIP;
	if (port->surprise)
		cap |= PCI_EXP_SLTCAP_HPS;
	if (!port->command_completed)
		cap |= PCI_EXP_SLTCAP_NCCS;
	put32(b, at + PCI_EXP_SLTCAP, cap);
	if (port->indicators)
		put16(b, at + PCI_EXP_SLTCTL, PCI_EXP_SLTCTL_ATTN_IND_OFF |
		      PCI_EXP_SLTCTL_PWR_IND_OFF);
}

static void sim_build_link(struct sim_build *b, int at, u32 speed, u32 width)
{
	const struct sim_port *port = b->fn->port;
	u32 cap = speed | width << 4;

	if (port) {
		cap |= PCI_EXP_LNKCAP_LBNC | port->nr << 24;
		if (port->dll_active_reporting)
			cap |= PCI_EXP_LNKCAP_DLLLARC;
		if (port->surprise_down)
			cap |= PCI_EXP_LNKCAP_SDERC;
	}
	put32(b, at + PCI_EXP_LNKCAP, cap);
	put16(b, at + PCI_EXP_LNKSTA, PCI_EXP_LNKSTA_SLC | 1);
}

static bool sim_has_slot(const struct sim_func *fn)
{
	return fn->port && (fn->port->native || fn->port->bare_slot);
}

static int sim_pcie_type(const struct sim_func *fn)
{
	if (fn->port)
		return fn->port->up ? PCI_EXP_TYPE_DOWNSTREAM :
				      PCI_EXP_TYPE_ROOT_PORT;
	return fn->bridge ? PCI_EXP_TYPE_UPSTREAM : PCI_EXP_TYPE_ENDPOINT;
}

static void sim_build_pcie(struct sim_build *b)
{
	const struct sim_func *fn = b->fn;
	u32 speed = fn->port ? fn->port->max_speed : fn->dev->max_speed;
	u32 width = fn->port ? fn->port->max_width : fn->dev->max_width;
	u32 version = fn->spec.pcie_version;
	int at = sim_cap(b, PCI_CAP_ID_EXP, version > 1 ? 0x3c : 0x24);

	put16(b, at + PCI_EXP_FLAGS, version | sim_pcie_type(fn) << 4 |
	      (sim_has_slot(fn) ? PCI_EXP_FLAGS_SLOT : 0) |
	      (speed >= 6 ? SIM_FLAGS_FLIT : 0));
	put32(b, at + PCI_EXP_DEVCAP, 2 | PCI_EXP_DEVCAP_RBER |
	      PCI_EXP_DEVCAP_EXT_TAG |
	      (fn->spec.flr ? PCI_EXP_DEVCAP_FLR : 0));
	put16(b, at + PCI_EXP_DEVCTL, PCI_EXP_DEVCTL_RELAX_EN |
	      PCI_EXP_DEVCTL_NOSNOOP_EN | PCI_EXP_DEVCTL_READRQ_512B);
	sim_build_link(b, at, speed, width);
	if (sim_has_slot(fn))
		sim_build_slot(b, at);
	else if (fn->port)	/* PCIe 6.0.1 section 7.5.3.11 */
		put16(b, at + PCI_EXP_SLTSTA, PCI_EXP_SLTSTA_PDS);
	if (fn->port && !fn->port->up)
		put16(b, at + PCI_EXP_RTCAP, PCI_EXP_RTCAP_CRSVIS);
	if (version < 2)
		return;
	put32(b, at + PCI_EXP_DEVCAP2, PCI_EXP_DEVCAP2_COMP_TMOUT_DIS |
	      (fn->port ? PCI_EXP_DEVCAP2_ARI : 0));
	put32(b, at + PCI_EXP_LNKCAP2, ((1 << speed) - 1) << 1);
	put16(b, at + PCI_EXP_LNKCTL2, speed);
}

/* --- extended capabilities ---------------------------------------------- */

static void sim_build_aer(struct sim_build *b)
{
	int at = sim_ext_cap(b, PCI_EXT_CAP_ID_ERR, 2, 0x48);

	put32(b, at + PCI_ERR_UNCOR_SEVER, PCI_ERR_UNC_DLP |
	      PCI_ERR_UNC_SURPDN | PCI_ERR_UNC_FCP | PCI_ERR_UNC_RX_OVER |
	      PCI_ERR_UNC_MALF_TLP | PCI_ERR_UNC_INTN);
	put32(b, at + PCI_ERR_COR_MASK, PCI_ERR_COR_ADV_NFAT);
}

static void sim_build_serial(struct sim_build *b)
{
	int at = sim_ext_cap(b, PCI_EXT_CAP_ID_DSN, 1, 12);

	put32(b, at + 4, b->fn->spec.serial);
	put32(b, at + 8, b->fn->spec.serial >> 32);
}

static void sim_build_rebar(struct sim_build *b)
{
	const struct sim_spec *spec = &b->fn->spec;
	int at = sim_ext_cap(b, PCI_EXT_CAP_ID_REBAR, 1, 12);
	u64 size = spec->bar[spec->rebar_bar].size;

	put32(b, at + PCI_REBAR_CAP, spec->rebar_sizes);
	put32(b, at + PCI_REBAR_CTRL, spec->rebar_bar |
	      1 << PCI_REBAR_CTRL_NBAR_SHIFT |
	      (ilog2(size) - 20) << PCI_REBAR_CTRL_BAR_SHIFT);
}

static void sim_build_dpc(struct sim_build *b)
{
	int at = sim_ext_cap(b, PCI_EXT_CAP_ID_DPC, 1, 0x0c);

	put16(b, at + PCI_EXP_DPC_CAP, PCI_EXP_DPC_CAP_SW_TRIGGER |
	      PCI_EXP_DPC_CAP_DL_ACTIVE);
}

/* The DVSEC of CXL devices, whose id is 0; it can do memory. */
static void sim_build_cxl(struct sim_build *b)
{
	int at = sim_ext_cap(b, PCI_EXT_CAP_ID_DVSEC, 1, 0x3c);

	put32(b, at + PCI_DVSEC_HEADER1,
	      SIM_CXL_VENDOR | 1 << 16 | 0x3c << 20);
	put16(b, at + SIM_CXL_CAP, SIM_CXL_MEM);
}

/* What a link of this speed must have, so that tools find it. */
static void sim_build_phys(struct sim_build *b)
{
	const struct sim_func *fn = b->fn;
	u32 speed = fn->port ? fn->port->max_speed : fn->dev->max_speed;
	u32 width = fn->port ? fn->port->max_width : fn->dev->max_width;

	if (speed >= 3)
		sim_ext_cap(b, PCI_EXT_CAP_ID_SECPCI, 1, 12 + 2 * width);
	if (speed >= 4) {
		sim_ext_cap(b, PCI_EXT_CAP_ID_DLF, 1, 12);
		sim_ext_cap(b, PCI_EXT_CAP_ID_PL_16GT, 1, 0x20 + width);
	}
	if (speed >= 5)
		sim_ext_cap(b, 0x2a, 1, 0x20 + width);
}

static void sim_build_ext_caps(struct sim_build *b)
{
	const struct sim_spec *spec = &b->fn->spec;

	if (spec->aer)
		sim_build_aer(b);
	if (spec->serial)
		sim_build_serial(b);
	if (spec->rebar_sizes)
		sim_build_rebar(b);
	if (spec->cxl && !b->fn->bridge)
		sim_build_cxl(b);
	if (b->fn->port && b->fn->port->dpc)
		sim_build_dpc(b);
	sim_build_phys(b);
}

/* What hardware that does not keep the rules may look like. */
static void sim_build_corrupt(struct sim_build *b)
{
	u32 header = get_unaligned_le32(b->regs + 0x100) & 0xfffff;

	switch (b->fn->spec.corrupt) {
	case SIM_CAP_LOOP:
		put8(b, b->link, 0x40);
		break;
	case SIM_CAP_RANGE:
		put8(b, b->link, 0x04);
		break;
	case SIM_EXT_LOOP:
		put32(b, 0x100, header | 0x100 << 20);
		break;
	case SIM_EXT_RANGE:
		put32(b, 0x100, header | 0x0f0 << 20);
		break;
	default:
		break;
	}
}

/* Ports and the Upstream Ports of switches are what their place makes them. */
static void sim_spec_bridge(struct sim_func *fn)
{
	struct sim_spec *spec = &fn->spec;

	fn->bridge = fn->port || (fn == &fn->dev->fn &&
				  !list_empty(&fn->dev->ports));
	if (!fn->bridge)
		return;
	spec->class = 0x060400;
	spec->pcie_version = 2;
	spec->pm = true;
	memset(spec->bar, 0, sizeof(spec->bar));
	spec->rebar_sizes = 0;
	spec->msi = fn->port ? fn->port->msi && fn->fabric->msi : 0;
	if (fn->port) {
		spec->vendor = SIM_PORT_VENDOR;
		spec->device = fn->port->up ? SIM_DOWNSTREAM : SIM_ROOT_PORT;
		spec->pin = 1;
	} else if (spec->vendor == SIM_PORT_VENDOR) {
		spec->device = SIM_UPSTREAM;
	}
}

/* A dump says what the function's end of the link can do. */
static void sim_build_dump(struct sim_build *b)
{
	struct sim_func *fn = b->fn;
	u32 cap;

	memcpy(b->regs, fn->spec.dump, fn->spec.dump_size);
	memset(b->regs + PCI_BASE_ADDRESS_0, 0, 24);
	sim_build_bars(b);
	put16(b, PCI_COMMAND, 0);
	put32(b, PCI_ROM_ADDRESS, 0);
	sim_build_ids(b);
	sim_func_mask(fn);
	/* What the dumped machine's software had set. */
	if (fn->pm)
		put16(b, fn->pm + PCI_PM_CTRL,
		      get_unaligned_le16(b->regs + fn->pm + PCI_PM_CTRL) &
		      ~PCI_PM_CTRL_STATE_MASK);
	if (fn->msi)
		put16(b, fn->msi + PCI_MSI_FLAGS,
		      get_unaligned_le16(b->regs + fn->msi + PCI_MSI_FLAGS) &
		      ~PCI_MSI_FLAGS_ENABLE);
	if (!fn->pcie || fn != &fn->dev->fn)
		return;
	cap = get_unaligned_le32(b->regs + fn->pcie + PCI_EXP_LNKCAP);
	fn->dev->max_speed = clamp(cap & PCI_EXP_LNKCAP_SLS, 1, 7);
	fn->dev->max_width = clamp((cap & PCI_EXP_LNKCAP_MLW) >> 4, 1, 32);
}

static void sim_build_values(struct sim_build *b)
{
	sim_build_header(b);
	b->link = PCI_CAPABILITY_LIST;
	b->at = 0x40;
	if (b->fn->spec.pm)
		sim_build_pm(b);
	if (b->fn->spec.msi)
		sim_build_msi(b);
	if (b->fn->spec.pcie_version) {
		sim_build_pcie(b);
		b->ext_at = 0x100;
		sim_build_ext_caps(b);
	}
	sim_build_corrupt(b);
	sim_func_mask(b->fn);
}

/**
 * sim_func_build - make a function's registers
 * @fn: nobody can reach it yet; sim_lock is held
 *
 * Return: 0 or -ENOMEM.
 */
int sim_func_build(struct sim_func *fn)
{
	struct sim_build b = { .fn = fn };
	struct sim_regs *regs;

	lockdep_assert_held(&sim_lock);
	sim_spec_bridge(fn);
	regs = fn->regs ?: kvzalloc(sizeof(*regs), GFP_KERNEL);
	if (!regs)
		return -ENOMEM;
	memset(regs, 0, sizeof(*regs));
	fn->regs = regs;
	b.regs = regs->initial;
	if (fn->spec.dump && !fn->bridge)
		sim_build_dump(&b);
	else
		sim_build_values(&b);
	memcpy(regs->value, regs->initial, SIM_CFG_SIZE);
	fn->interrupt = false;
	fn->msi_told = 0;
	return 0;
}

/* Nobody can reach it any more. */
void sim_func_free(struct sim_func *fn)
{
	struct sim_regs *regs;

	irq_work_sync(&fn->msi_work);
	scoped_guard(raw_spinlock_irqsave, &fn->fabric->lock) {
		regs = fn->regs;
		fn->regs = NULL;
	}
	kvfree(regs);
}
