/* SPDX-License-Identifier: GPL-2.0 */
/* 6.1 lacks guard(spinlock_bh). */

#ifndef EGPU_COMPAT_SPINLOCK_H
#define EGPU_COMPAT_SPINLOCK_H

#include_next <linux/spinlock.h>

#ifndef EGPU_HAVE_GUARD_SPINLOCK_BH
#include <linux/cleanup.h>

DEFINE_LOCK_GUARD_1(spinlock_bh, spinlock_t,
		    spin_lock_bh(_T->lock), spin_unlock_bh(_T->lock))
#endif

#endif
