/* SPDX-License-Identifier: GPL-2.0 */
/* 6.1 lacks guard(task_lock). */

#ifndef EGPU_COMPAT_SCHED_TASK_H
#define EGPU_COMPAT_SCHED_TASK_H

#include_next <linux/sched/task.h>

#ifndef EGPU_HAVE_GUARD_TASK_LOCK
#include <linux/cleanup.h>

DEFINE_GUARD(task_lock, struct task_struct *, task_lock(_T), task_unlock(_T))
#endif

#endif
