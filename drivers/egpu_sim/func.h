/* SPDX-License-Identifier: GPL-2.0 */
/*
 * egpu_sim: a function, which is what software sees: what it is to be, and its
 * registers. sim.h has the rest, and the locks.
 */

#ifndef EGPU_SIM_FUNC_H
#define EGPU_SIM_FUNC_H

#include <linux/configfs.h>
#include <linux/irq_work.h>
#include <linux/list.h>
#include <linux/pci.h>
#include <linux/types.h>

#define SIM_BARS		6
#define SIM_ROM			6	/* the expansion ROM's place among BARs */
#define SIM_CFG_SIZE		PCI_CFG_SPACE_EXP_SIZE

struct sim_fabric;
struct sim_port;
struct sim_dev;

/**
 * struct sim_bar - a Base Address Register as configured
 * @size: bytes, a power of two; 0: there is none
 * @io: I/O space
 * @wide: 64 bits; the next register is its upper half
 * @prefetch: prefetchable
 * @raw: writable bits as given, which may be nonsense, instead of a size
 * @mask: those bits
 */
struct sim_bar {
	u64 size;
	bool io;
	bool wide;
	bool prefetch;
	bool raw;
	u32 mask;
};

enum sim_corrupt {
	SIM_SOUND,		/* nothing wrong */
	SIM_CAP_LOOP,		/* the capability list points back to itself */
	SIM_CAP_RANGE,		/* it points into the header */
	SIM_EXT_LOOP,		/* the extended one points back to itself */
	SIM_EXT_RANGE,		/* it points below 0x100 */
	SIM_HEADER,		/* an unknown header type */
};

/**
 * struct sim_spec - what a function is to be; turned into registers when its
 *	device is put into a slot. Protected by sim_lock.
 * @vendor: Vendor ID
 * @device: Device ID
 * @class: Class Code, 24 bits
 * @revision: Revision ID
 * @subsystem_vendor: Subsystem Vendor ID
 * @subsystem_device: Subsystem ID
 * @bar: BARs 0 to 5 and the ROM
 * @rebar_bar: which BAR is resizable
 * @rebar_sizes: PCI_REBAR_CAP's mask of sizes (bit 4: 1 MB); 0: none is
 * @serial: Device Serial Number; 0: no such capability
 * @pcie_version: of the PCI Express capability, 1 or 2; 0: a conventional one
 * @aer: has Advanced Error Reporting
 * @cxl: has a CXL device's DVSEC
 * @pm: has Power Management
 * @msi: MSI vectors, a power of two; 0: no such capability
 * @flr: can be reset by itself (Function Level Reset)
 * @pin: Interrupt Pin, 0 (none) to 4
 * @corrupt: what is wrong with its capabilities
 * @dump: registers loaded from a dump of lspci -xxxx, or NULL
 * @dump_size: how many bytes of it: 64, 256 or 4096
 * @dump_error: why the last one was refused; empty
 */
struct sim_spec {
	u32 vendor;
	u32 device;
	u32 class;
	u32 revision;
	u32 subsystem_vendor;
	u32 subsystem_device;
	struct sim_bar bar[SIM_BARS + 1];
	u32 rebar_bar;
	u32 rebar_sizes;
	u64 serial;
	u32 pcie_version;
	bool aer;
	bool cxl;
	bool pm;
	u32 msi;
	bool flr;
	u32 pin;
	enum sim_corrupt corrupt;
	u8 *dump;
	u32 dump_size;
	char dump_error[80];
};

/**
 * struct sim_regs - a configuration space
 * @value: what is read, little-endian
 * @writable: bits that software can change
 * @w1c: bits that software clears by writing 1
 * @initial: @value after a reset
 */
struct sim_regs {
	u8 value[SIM_CFG_SIZE];
	u8 writable[SIM_CFG_SIZE];
	u8 w1c[SIM_CFG_SIZE];
	u8 initial[SIM_CFG_SIZE];
};

/**
 * struct sim_func - a function: a port, or one of a device
 * @group: its folder, for functions 1 to 7 of a device
 * @link: in the functions of @dev that have a folder
 * @fabric: where it is
 * @dev: the device it belongs to; NULL: it is @port
 * @port: the Downstream Port that it is; NULL: it is a device's
 * @nr: function number
 * @bridge: type 1 header
 * @spec: what it is to be
 * @regs: its registers; under fabric->lock. NULL while not built
 * @pm: offsets of its capabilities, 0 for none, found in the registers
 * @msi: same
 * @pcie: same
 * @aer: same
 * @dpc: same
 * @rebar: same
 * @slot: its PCI Express capability has slot registers
 * @root: … and root registers
 * @interrupt: its own interrupt (endpoints), by configfs
 * @asserted: its INTx message is asserted
 * @msi_told: sources that a message has told of, and that go on (SIM_TELLS_*)
 * @msi_work: delivers an MSI, in hard interrupt context
 */
struct sim_func {
	struct config_group group;
	struct list_head link;
	struct sim_fabric *fabric;
	struct sim_dev *dev;
	struct sim_port *port;
	u32 nr;
	bool bridge;
	struct sim_spec spec;

	struct sim_regs *regs;
	u16 pm, msi, pcie, aer, dpc, rebar;
	bool slot, root;
	bool interrupt;
	bool asserted;
	u32 msi_told;
	struct irq_work msi_work;
};

#endif
