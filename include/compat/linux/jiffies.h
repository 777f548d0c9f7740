/* SPDX-License-Identifier: GPL-2.0 */
/* secs_to_jiffies() is 6.13's. */

#ifndef EGPU_COMPAT_JIFFIES_H
#define EGPU_COMPAT_JIFFIES_H

#include_next <linux/jiffies.h>

#ifndef EGPU_HAVE_SECS_TO_JIFFIES
#define secs_to_jiffies(secs)	((unsigned long)(secs) * HZ)
#endif

#endif
