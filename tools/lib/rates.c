// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Errors over time: differences of the kernel's counters, at both ends of a
 * link. A device that went and came back counts from 0 again; what is seen then
 * is what happened since, and never less than nothing.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"

uint64_t egpu_counted(uint64_t before, uint64_t now)
{
	return now >= before ? now - before : now;
}

/* Return: NULL when there is no room for another one. */
static struct egpu_rate_source *source_of(struct egpu_rates *rates,
					  const struct egpu_address *address)
{
	struct egpu_rate_source *source;
	int i;

	for (i = 0; i < rates->nr_sources; i++)
		if (egpu_address_equal(&rates->source[i].address, address))
			return &rates->source[i];
	if (i == EGPU_RATE_SOURCES)
		return NULL;
	source = &rates->source[rates->nr_sources++];
	*source = (struct egpu_rate_source){ .address = *address };
	return source;
}

static void read_source(struct egpu_rates *rates,
			struct egpu_rate_source *source)
{
	struct egpu_aer aer[EGPU_AER_COUNT];
	int i;

	/* gone for now: the next reading goes on from the last one */
	if (egpu_aer(&source->address, aer))
		return;
	rates->counting++;
	for (i = 0; i < EGPU_AER_COUNT; i++) {
		if (source->counted)
			rates->sum[i] += egpu_counted(source->last[i],
						      aer[i].total);
		source->last[i] = aer[i].total;
	}
	source->counted = true;
}

void egpu_rates_read(struct egpu_rates *rates, const struct egpu_address *ends,
		     int count, uint64_t generation)
{
	bool arrived = rates->begun && generation != rates->generation;
	struct egpu_rate_source *source;
	int i;

	rates->counting = 0;
	for (i = 0; i < count; i++) {
		source = source_of(rates, &ends[i]);
		if (!source)
			continue;
		/* the port stayed, what is below it began anew */
		if (arrived && i) {
			memset(source->last, 0, sizeof(source->last));
			source->counted = true;
		}
		read_source(rates, source);
	}
	rates->generation = generation;
	rates->begun = true;
}

static int is_service(const char *name, void *arg)
{
	const char *root = arg;
	size_t len = strlen(root);

	return !strncmp(name, root, len) && name[len] == ':';
}

bool egpu_errors_heard(const struct egpu_address *address)
{
	struct egpu_address chain[32];
	char root[EGPU_ADDRESS_LEN];

	if (egpu_pci_chain(address, chain, 32) < 1)
		return false;
	return egpu_each(is_service, egpu_address_format(&chain[0], root),
			 egpu_roots.sysfs, "bus/pci_express/drivers/aer") == 1;
}
