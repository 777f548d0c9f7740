/* SPDX-License-Identifier: GPL-2.0 */
/* From 6.19 on the kernel hands out domains for emulated host bridges. */

#ifndef EGPU_COMPAT_PCI_H
#define EGPU_COMPAT_PCI_H

#include_next <linux/pci.h>

#ifndef EGPU_HAVE_PCI_EMUL_DOMAIN
/* A domain that has no root bus 0; without @hint, which older kernels lack. */
static inline int pci_bus_find_emul_domain_nr(u32 hint, u32 min, u32 max)
{
	u32 nr;

	for (nr = min; nr <= max; nr++)
		if (!pci_find_bus(nr, 0))
			return nr;
	return -ENOSPC;
}

static inline void pci_bus_release_emul_domain_nr(int domain_nr)
{
}
#endif

#endif
