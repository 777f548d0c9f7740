/* SPDX-License-Identifier: GPL-2.0 */
/* 6.1 lacks guard(device). */

#ifndef EGPU_COMPAT_DEVICE_H
#define EGPU_COMPAT_DEVICE_H

#include_next <linux/device.h>

#ifndef EGPU_HAVE_GUARD_DEVICE
DEFINE_GUARD(device, struct device *, device_lock(_T), device_unlock(_T))
#endif

#endif
