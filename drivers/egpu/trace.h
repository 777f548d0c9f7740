/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Tracepoints: every event that a reader could see, and every step of a job.
 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM egpu

#if !defined(EGPU_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define EGPU_TRACE_H

#include <linux/tracepoint.h>
#include <linux/egpu.h>

TRACE_EVENT(egpu_event,
	TP_PROTO(const struct egpu_event *event),
	TP_ARGS(event),
	TP_STRUCT__entry(
		__field(u64, seq)
		__field(u64, generation)
		__field(u32, type)
		__field(u32, port)
		__field(u32, transaction)
		__field(u32, from)
		__field(u32, to)
		__field(u32, reason)
		__field(u32, error)
		__field(u32, value)
	),
	TP_fast_assign(
		__entry->seq = event->seq;
		__entry->generation = event->generation;
		__entry->type = event->type;
		__entry->port = event->port;
		__entry->transaction = event->transaction;
		__entry->from = event->from;
		__entry->to = event->to;
		__entry->reason = event->reason;
		__entry->error = event->error;
		__entry->value = event->value;
	),
	TP_printk("seq=%llu port=%u gen=%llu type=%u from=%u to=%u reason=%u error=%u value=%u transaction=%u",
		  __entry->seq, __entry->port, __entry->generation,
		  __entry->type, __entry->from, __entry->to, __entry->reason,
		  __entry->error, __entry->value, __entry->transaction)
);

TRACE_EVENT(egpu_step,
	TP_PROTO(u32 port, u32 step),
	TP_ARGS(port, step),
	TP_STRUCT__entry(
		__field(u32, port)
		__field(u32, step)
	),
	TP_fast_assign(
		__entry->port = port;
		__entry->step = step;
	),
	TP_printk("port=%u step=%u", __entry->port, __entry->step)
);

#endif /* EGPU_TRACE_H */

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE trace
#include <trace/define_trace.h>
