// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The kernel's own bandwidth controller (from 6.13 on): a cooling device per
 * port, by which thermal policy lowers a link.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"

struct search {
	char type[64];
	struct egpu_cooling *cooling;
};

static int look(const char *name, void *arg)
{
	struct search *search = arg;
	struct egpu_cooling *cooling = search->cooling;
	uint64_t state, max;
	char *type;
	bool same;

	if (strncmp(name, "cooling_device", 14))
		return 0;
	type = egpu_read(egpu_roots.sysfs, "class/thermal/%s/type", name);
	same = type && !strcmp(type, search->type);
	free(type);
	if (!same ||
	    !egpu_read_u64(&state, egpu_roots.sysfs,
			   "class/thermal/%s/cur_state", name) ||
	    !egpu_read_u64(&max, egpu_roots.sysfs,
			   "class/thermal/%s/max_state", name))
		return 0;
	snprintf(cooling->name, sizeof(cooling->name), "%s", name);
	cooling->state = (unsigned int)state;
	cooling->max_state = (unsigned int)max;
	return 1;
}

int egpu_cooling(const struct egpu_address *port, struct egpu_cooling *cooling)
{
	struct search search = { .cooling = cooling };
	char address[EGPU_ADDRESS_LEN];

	memset(cooling, 0, sizeof(*cooling));
	snprintf(search.type, sizeof(search.type), "PCIe_Port_Link_Speed_%s",
		 egpu_address_format(port, address));
	return egpu_each(look, &search, egpu_roots.sysfs, "class/thermal") == 1 ?
	       0 : -ENOENT;
}
