// SPDX-License-Identifier: GPL-2.0
/*
 * Attributes of a port's fault/: something happens at the Nth access.
 */

#include <linux/string.h>
#include <linux/sysfs.h>

#include "attr.h"

/* In the order of enum sim_fault_kind and enum sim_fault_scope. */
static const char *const sim_kind_words[] = {
	"yank", "ones", "retry", "link", NULL
};

static const char *const sim_scope_words[] = { "below", "port", "all", NULL };

SIM_WORD(port, kind, fault.kind, ALWAYS, sim_kind_words);
SIM_WORD(port, scope, fault.scope, ALWAYS, sim_scope_words);
SIM_NUMBER(port, at, fault.at, ALWAYS, 0, U32_MAX);
SIM_NUMBER(port, count, fault.count, ALWAYS, 0, U32_MAX);

static ssize_t sim_task_show(struct config_item *item, char *buf)
{
	struct sim_fault *fault = &sim_place(item).port->fault;

	guard(mutex)(&sim_lock);
	if (fault->pid)
		return sysfs_emit(buf, "pid %u\n", fault->pid);
	return sysfs_emit(buf, "%s\n", fault->task);
}

static ssize_t sim_task_store(struct config_item *item, const char *buf,
			      size_t count)
{
	struct sim_place at = sim_place(item);
	struct sim_fault *fault = &at.port->fault;
	char text[SIM_TEXT_MAX];
	u32 pid = 0;

	if (!sim_text(text, buf, count) ||
	    (str_has_prefix(text, "pid ") && sim_number32(text + 4, &pid)) ||
	    (!pid && strlen(text) >= sizeof(fault->task)))
		return sim_refuse(item, "task", -EINVAL,
				  "write a glob of at most %zu characters, or pid N",
				  sizeof(fault->task) - 1);
	guard(mutex)(&sim_lock);
	guard(raw_spinlock_irqsave)(&at.fabric->lock);
	fault->pid = pid;
	strscpy(fault->task, pid ? "" : text, sizeof(fault->task));
	return count;
}

static ssize_t sim_armed_show(struct config_item *item, char *buf)
{
	return sysfs_emit(buf, "%d\n", READ_ONCE(sim_place(item).port->fault.armed));
}

static ssize_t sim_armed_store(struct config_item *item, const char *buf,
			       size_t count)
{
	struct sim_place at = sim_place(item);
	int error;
	bool on;

	error = sim_switch_parse(item, "armed", buf, count, &on);
	if (error)
		return error;
	guard(mutex)(&sim_lock);
	guard(raw_spinlock_irqsave)(&at.fabric->lock);
	sim_fault_arm(at.port, on);
	return count;
}

static ssize_t sim_seen_show(struct config_item *item, char *buf)
{
	return sysfs_emit(buf, "%u\n", READ_ONCE(sim_place(item).port->fault.seen));
}

static ssize_t sim_hit_show(struct config_item *item, char *buf)
{
	return sysfs_emit(buf, "%u\n", READ_ONCE(sim_place(item).port->fault.hit));
}

CONFIGFS_ATTR(sim_, task);
CONFIGFS_ATTR(sim_, armed);
CONFIGFS_ATTR_RO(sim_, seen);
CONFIGFS_ATTR_RO(sim_, hit);

struct configfs_attribute *sim_fault_attrs[] = {
	&sim_attr_kind,
	&sim_attr_at,
	&sim_attr_count,
	&sim_attr_scope,
	&sim_attr_task,
	&sim_attr_armed,
	&sim_attr_seen,
	&sim_attr_hit,
	NULL
};
