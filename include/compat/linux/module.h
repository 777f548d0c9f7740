/* SPDX-License-Identifier: GPL-2.0 */
/* From 6.13 on a namespace is given as a string. */

#ifndef EGPU_COMPAT_MODULE_H
#define EGPU_COMPAT_MODULE_H

#include_next <linux/module.h>

#undef MODULE_IMPORT_NS
#define MODULE_IMPORT_NS(ns)	MODULE_INFO(import_ns, ns)

#endif
