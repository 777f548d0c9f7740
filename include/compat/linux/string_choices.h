/* SPDX-License-Identifier: GPL-2.0 */
/* 6.1 has str_yes_no() and its kin in another header, and no str_plural(). */

#ifndef EGPU_COMPAT_STRING_CHOICES_H
#define EGPU_COMPAT_STRING_CHOICES_H

#ifdef EGPU_HAVE_STRING_CHOICES
#include_next <linux/string_choices.h>
#else
#include <linux/string_helpers.h>
#endif

#ifndef EGPU_HAVE_STR_PLURAL
static inline const char *str_plural(size_t num)
{
	return num == 1 ? "" : "s";
}
#endif

#endif
