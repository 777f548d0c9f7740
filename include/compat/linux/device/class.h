/* SPDX-License-Identifier: GPL-2.0 */
/* On 6.1 class_create() takes the owner too. */

#ifndef EGPU_COMPAT_DEVICE_CLASS_H
#define EGPU_COMPAT_DEVICE_CLASS_H

#include_next <linux/device/class.h>

#ifndef EGPU_HAVE_CLASS_CREATE_1
#undef class_create
#define class_create(name) ({ \
	static struct lock_class_key __key; \
	__class_create(THIS_MODULE, name, &__key); \
})
#endif

#endif
