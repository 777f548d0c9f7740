/* SPDX-License-Identifier: GPL-2.0 */
/* Tracepoints of egpu_sim; see Documentation/egpu_sim.rst. */

#undef TRACE_SYSTEM
#define TRACE_SYSTEM egpu_sim

#if !defined(EGPU_SIM_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define EGPU_SIM_TRACE_H

#include <linux/pci.h>
#include <linux/tracepoint.h>

DECLARE_EVENT_CLASS(sim_config,
	TP_PROTO(int domain, u8 bus, u8 devfn, u16 where, u8 size, u32 val),
	TP_ARGS(domain, bus, devfn, where, size, val),
	TP_STRUCT__entry(
		__field(int, domain)
		__field(u8, bus)
		__field(u8, devfn)
		__field(u16, where)
		__field(u8, size)
		__field(u32, val)
	),
	TP_fast_assign(
		__entry->domain = domain;
		__entry->bus = bus;
		__entry->devfn = devfn;
		__entry->where = where;
		__entry->size = size;
		__entry->val = val;
	),
	TP_printk("%04x:%02x:%02x.%x offset=%#x size=%u value=%#x",
		  __entry->domain, __entry->bus, PCI_SLOT(__entry->devfn),
		  PCI_FUNC(__entry->devfn), __entry->where, __entry->size,
		  __entry->val)
);

DEFINE_EVENT(sim_config, sim_config_read,
	TP_PROTO(int domain, u8 bus, u8 devfn, u16 where, u8 size, u32 val),
	TP_ARGS(domain, bus, devfn, where, size, val)
);

DEFINE_EVENT(sim_config, sim_config_write,
	TP_PROTO(int domain, u8 bus, u8 devfn, u16 where, u8 size, u32 val),
	TP_ARGS(domain, bus, devfn, where, size, val)
);

/* Functions are named by their Requester IDs. */
TRACE_EVENT(sim_interrupt,
	TP_PROTO(int domain, u16 id, bool level),
	TP_ARGS(domain, id, level),
	TP_STRUCT__entry(
		__field(int, domain)
		__field(u16, id)
		__field(bool, level)
	),
	TP_fast_assign(
		__entry->domain = domain;
		__entry->id = id;
		__entry->level = level;
	),
	TP_printk("%04x:%02x:%02x.%x level=%u", __entry->domain,
		  PCI_BUS_NUM(__entry->id), PCI_SLOT(__entry->id),
		  PCI_FUNC(__entry->id), __entry->level)
);

TRACE_EVENT(sim_link,
	TP_PROTO(int domain, u16 id, int state, u8 speed, u8 width),
	TP_ARGS(domain, id, state, speed, width),
	TP_STRUCT__entry(
		__field(int, domain)
		__field(u16, id)
		__field(int, state)
		__field(u8, speed)
		__field(u8, width)
	),
	TP_fast_assign(
		__entry->domain = domain;
		__entry->id = id;
		__entry->state = state;
		__entry->speed = speed;
		__entry->width = width;
	),
	TP_printk("%04x:%02x:%02x.%x state=%s speed=%u width=%u",
		  __entry->domain, PCI_BUS_NUM(__entry->id),
		  PCI_SLOT(__entry->id), PCI_FUNC(__entry->id),
		  __print_symbolic(__entry->state,
				   { 0, "Detect" }, { 1, "Polling" },
				   { 2, "Configuration" },
				   { 3, "Recovery.Speed" }, { 4, "L0" },
				   { 5, "Recovery" }, { 6, "Disabled" },
				   { 7, "Hot Reset" }),
		  __entry->speed, __entry->width)
);

/* The Slot Status register's event bits that were set. */
TRACE_EVENT(sim_slot,
	TP_PROTO(int domain, u16 id, u16 events),
	TP_ARGS(domain, id, events),
	TP_STRUCT__entry(
		__field(int, domain)
		__field(u16, id)
		__field(u16, events)
	),
	TP_fast_assign(
		__entry->domain = domain;
		__entry->id = id;
		__entry->events = events;
	),
	TP_printk("%04x:%02x:%02x.%x events=%s", __entry->domain,
		  PCI_BUS_NUM(__entry->id), PCI_SLOT(__entry->id),
		  PCI_FUNC(__entry->id),
		  __print_flags(__entry->events, "|",
				{ PCI_EXP_SLTSTA_ABP, "button" },
				{ PCI_EXP_SLTSTA_PFD, "power-fault" },
				{ PCI_EXP_SLTSTA_MRLSC, "latch" },
				{ PCI_EXP_SLTSTA_PDC, "presence" },
				{ PCI_EXP_SLTSTA_CC, "command" },
				{ PCI_EXP_SLTSTA_DLLSC, "link" }))
);

#endif

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE trace
#include <trace/define_trace.h>
