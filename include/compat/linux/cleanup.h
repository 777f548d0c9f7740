/* SPDX-License-Identifier: GPL-2.0 */
/* 6.1 lacks retain_and_null_ptr(). */

#ifndef EGPU_COMPAT_CLEANUP_H
#define EGPU_COMPAT_CLEANUP_H

#include_next <linux/cleanup.h>

#ifndef retain_and_null_ptr
#define retain_and_null_ptr(p)	((void)({ \
	__auto_type __ptr = &(p); \
	*__ptr = NULL; \
}))
#endif

#endif
