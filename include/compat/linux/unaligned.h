/* SPDX-License-Identifier: GPL-2.0 */
/* 6.12 moved it here from asm/. */

#ifndef EGPU_COMPAT_UNALIGNED_H
#define EGPU_COMPAT_UNALIGNED_H

#ifdef EGPU_HAVE_UNALIGNED_H
#include_next <linux/unaligned.h>
#else
#include <asm/unaligned.h>
#endif

#endif
