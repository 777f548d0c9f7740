/* SPDX-License-Identifier: GPL-2.0 */
/* Newer kernels took hex_to_bin() and its kin out of kernel.h. */

#ifndef EGPU_COMPAT_HEX_H
#define EGPU_COMPAT_HEX_H

#ifdef EGPU_HAVE_HEX_H
#include_next <linux/hex.h>
#else
#include <linux/kernel.h>
#endif

#endif
