/* SPDX-License-Identifier: GPL-2.0 */
/* 6.1 does not name the base class of processing accelerators. */

#ifndef EGPU_COMPAT_PCI_IDS_H
#define EGPU_COMPAT_PCI_IDS_H

#include_next <linux/pci_ids.h>

#ifndef PCI_BASE_CLASS_ACCELERATOR
#define PCI_BASE_CLASS_ACCELERATOR	0x12
#endif

#endif
