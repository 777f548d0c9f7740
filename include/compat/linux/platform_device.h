/* SPDX-License-Identifier: GPL-2.0 */
/* On 6.1 .remove returns int, and .remove_new returns void. */

#ifndef EGPU_COMPAT_PLATFORM_DEVICE_H
#define EGPU_COMPAT_PLATFORM_DEVICE_H

#include_next <linux/platform_device.h>

/* The member that takes a remove function without a return value. */
#ifdef EGPU_HAVE_PLATFORM_REMOVE_VOID
#define EGPU_PLATFORM_REMOVE	remove
#else
#define EGPU_PLATFORM_REMOVE	remove_new
#endif

#endif
