// SPDX-License-Identifier: GPL-2.0
/*
 * Whose counters tell the errors of a port's link: the Downstream Port's, and
 * those of the device below it, a GPU's functions or a switch's Upstream Port.
 */
#include <stdlib.h>

#include "load.h"

static const struct egpu_hop *port_hop(const struct egpu_hop *hops, int count)
{
	int i;

	for (i = 0; i < count; i++)
		if (hops[i].flags & EGPU_LINK_PORT)
			return &hops[i];
	return NULL;
}

static int add(struct egpu_address *ends, int count,
	       const struct egpu_address *one)
{
	int i;

	for (i = 0; i < count; i++)
		if (egpu_address_equal(&ends[i], one))
			return count;
	if (count < EGPU_RATE_SOURCES)
		ends[count++] = *one;
	return count;
}

int errors_read(struct ctl *ctl, const struct egpu_port_info *info,
		struct egpu_rates *rates)
{
	struct egpu_address ends[EGPU_RATE_SOURCES], one;
	struct egpu_function *functions;
	struct egpu_hop *hops;
	const struct egpu_hop *hop;
	int i, n = 1, nr_hops, count;
	uint8_t bus = 0;

	ends[0] = egpu_port_address(info);
	nr_hops = egpu_hops(ctl->egpu, info->port, false, &hops);
	if (nr_hops < 0)
		return nr_hops;
	hop = port_hop(hops, nr_hops);
	if (hop && hop->partner_bus) {
		bus = hop->partner_bus;
		one = (struct egpu_address){ hop->domain, bus,
					     hop->partner_devfn };
		n = add(ends, n, &one);
	}
	free(hops);
	count = egpu_functions(ctl->egpu, info->port, &functions);
	if (count < 0)
		return count;
	for (i = 0; i < count; i++) {
		one = egpu_function_address(&functions[i]);
		if (!bus || one.bus == bus)
			n = add(ends, n, &one);
	}
	free(functions);
	egpu_rates_read(rates, ends, n, info->generation);
	return 0;
}
