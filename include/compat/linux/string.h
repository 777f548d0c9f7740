/* SPDX-License-Identifier: GPL-2.0 */
/* On 6.1 strscpy() wants the size of an array too. */

#ifndef EGPU_COMPAT_STRING_H
#define EGPU_COMPAT_STRING_H

#include_next <linux/string.h>

#ifndef EGPU_HAVE_STRSCPY_2
#define __egpu_size(a, b, ...)	b
#define strscpy(dst, src, ...) \
	strscpy(dst, src, __egpu_size(0, ##__VA_ARGS__, sizeof(dst)))
#endif

#endif
