/* SPDX-License-Identifier: GPL-2.0 */
/* timer_container_of() is 6.16's name for from_timer(). */

#ifndef EGPU_COMPAT_TIMER_H
#define EGPU_COMPAT_TIMER_H

#include_next <linux/timer.h>

#ifndef EGPU_HAVE_TIMER_CONTAINER_OF
#define timer_container_of	from_timer
#endif

#endif
