// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The kernel's counters of PCI Express errors (Documentation/ABI/testing/
 * sysfs-bus-pci-devices-aer_stats): lines of a name and a number, the last of
 * which is the total.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"

static void read_line(const char *line, struct egpu_aer *aer)
{
	unsigned long long count;
	char name[EGPU_NAME_LEN];

	if (sscanf(line, "%31s %llu", name, &count) != 2 || !count)
		return;
	if (!strncmp(name, "TOTAL_", 6)) {
		aer->total = count;
	} else if (aer->nr_kinds < EGPU_AER_KINDS) {
		memcpy(aer->kinds[aer->nr_kinds].name, name, sizeof(name));
		aer->kinds[aer->nr_kinds++].count = count;
	}
}

int egpu_aer(const struct egpu_address *address,
	     struct egpu_aer aer[EGPU_AER_COUNT])
{
	static const char * const files[EGPU_AER_COUNT] = {
		[EGPU_AER_CORRECTABLE] = "correctable",
		[EGPU_AER_NONFATAL] = "nonfatal",
		[EGPU_AER_FATAL] = "fatal",
	};
	char name[EGPU_ADDRESS_LEN], *text, *line, *save;
	int i;

	memset(aer, 0, EGPU_AER_COUNT * sizeof(*aer));
	egpu_address_format(address, name);
	for (i = 0; i < EGPU_AER_COUNT; i++) {
		text = egpu_read(egpu_roots.sysfs,
				 "bus/pci/devices/%s/aer_dev_%s", name,
				 files[i]);
		if (!text)
			return -ENOENT;
		for (line = strtok_r(text, "\n", &save); line;
		     line = strtok_r(NULL, "\n", &save))
			read_line(line, &aer[i]);
		free(text);
	}
	return 0;
}
