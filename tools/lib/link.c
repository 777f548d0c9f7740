// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * What the links from the root to a GPU carry, and which of them carries least.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"

#define TLP_HEADER	16
#define TLP_FRAMING	8	/* framing, sequence number, LCRC */
#define FLIT_BYTES	256
#define FLIT_TLP_BYTES	236	/* the others are DLLPs, CRC and ECC */

/* Bytes per second of one lane and direction, as they leave the encoding. */
static const struct {
	uint32_t speed;
	double lane;
} lanes[] = {
	{ 25, 2.5e9 / 8 * 8 / 10 },
	{ 50, 5e9 / 8 * 8 / 10 },
	{ 80, 8e9 / 8 * 128 / 130 },
	{ 160, 16e9 / 8 * 128 / 130 },
	{ 320, 32e9 / 8 * 128 / 130 },
	{ 640, 64e9 / 8 },
	{ 1280, 128e9 / 8 },
};

static bool is_flit(uint32_t speed, bool flit)
{
	return flit || speed >= 640;
}

uint64_t egpu_bandwidth(uint32_t speed, unsigned int width, bool flit)
{
	double bytes = 0;
	size_t i;

	for (i = 0; i < sizeof(lanes) / sizeof(lanes[0]); i++)
		if (lanes[i].speed == speed)
			bytes = lanes[i].lane * width;
	if (is_flit(speed, flit))
		bytes = bytes * FLIT_TLP_BYTES / FLIT_BYTES;
	return (uint64_t)bytes;
}

uint64_t egpu_payload(uint32_t speed, unsigned int width, bool flit,
		      unsigned int bytes)
{
	unsigned int whole = bytes + TLP_HEADER;

	if (!is_flit(speed, flit))
		whole += TLP_FRAMING;
	return (uint64_t)((double)egpu_bandwidth(speed, width, flit) * bytes /
			  whole);
}

bool egpu_speed_parse(const char *text, uint32_t *speed)
{
	char *end;
	double tenths;
	size_t i;

	*speed = 0;
	if (!strcmp(text, "max"))
		return true;
	if (!strncmp(text, "gen", 3)) {
		i = (size_t)text[3] - '1';
		if (i >= sizeof(lanes) / sizeof(lanes[0]) || text[4])
			return false;
		*speed = lanes[i].speed;
		return true;
	}
	tenths = strtod(text, &end) * 10;
	if (end == text || (*end && strcmp(end, "GT/s")))
		return false;
	for (i = 0; i < sizeof(lanes) / sizeof(lanes[0]); i++)
		if (lanes[i].speed == tenths)
			*speed = lanes[i].speed;
	return *speed;
}

uint32_t egpu_speed_below(uint32_t speed)
{
	uint32_t below = 0;
	size_t i;

	for (i = 0; i < sizeof(lanes) / sizeof(lanes[0]); i++)
		if (lanes[i].speed < speed)
			below = lanes[i].speed;
	return below;
}

static bool has_numbers(const struct egpu_hop *hop)
{
	return (hop->flags & EGPU_LINK_KNOWN) && hop->speed && hop->width &&
	       !(hop->flags & EGPU_LINK_TUNNELLED);
}

uint64_t egpu_hop_bandwidth(const struct egpu_hop *hop)
{
	return has_numbers(hop) ?
	       egpu_bandwidth(hop->speed, hop->width,
			      hop->flags & EGPU_LINK_FLIT) : 0;
}

uint64_t egpu_hop_payload(const struct egpu_hop *hop, unsigned int bytes)
{
	return has_numbers(hop) ?
	       egpu_payload(hop->speed, hop->width,
			    hop->flags & EGPU_LINK_FLIT, bytes) : 0;
}

void egpu_hop_ends(const struct egpu_hop *hop, uint32_t *speed,
		   unsigned int *width)
{
	*speed = hop->max_speed;
	*width = hop->max_width;
	if (!(hop->flags & EGPU_LINK_PARTNER))
		return;
	if (hop->partner_max_speed < *speed)
		*speed = hop->partner_max_speed;
	if (hop->partner_max_width < *width)
		*width = hop->partner_max_width;
}

int egpu_narrowest(const struct egpu_hop *hops, int count)
{
	uint64_t least = 0, bytes;
	int i, found = -1;

	for (i = 0; i < count; i++) {
		bytes = egpu_hop_bandwidth(&hops[i]);
		if (bytes && (found < 0 || bytes < least)) {
			least = bytes;
			found = i;
		}
	}
	return found;
}

const char *egpu_hop_flag_name(unsigned int bit)
{
	static const char * const names[] = {
		"active", "training", "disabled", "flit", "common-clock",
		"aspm-l0s", "aspm-l1", "lbms", "labs", "autonomous-off",
		"partner-autonomous-off", "equalized", "equalization-request",
		"retimer", "two-retimers", "tunnelled", "dpc", "port",
		"partner", "known",
	};

	return bit < sizeof(names) / sizeof(names[0]) ? names[bit] : NULL;
}

static void link_of_hop(const struct egpu_hop *hop, struct egpu_link *link)
{
	link->asleep = !(hop->flags & EGPU_LINK_KNOWN);
	link->known = !link->asleep && hop->speed && hop->width;
	link->speed = hop->speed;
	link->width = hop->width;
	link->max_speed = hop->max_speed;
	link->max_width = hop->max_width;
	link->target_speed = hop->target_speed;
	egpu_hop_ends(hop, &link->ends_speed, &link->ends_width);
	link->bytes_per_second = egpu_hop_bandwidth(hop);
}

void egpu_port_link(const struct egpu_hop *hops, int count,
		    struct egpu_link *link)
{
	int i;

	memset(link, 0, sizeof(*link));
	link->missing = count == -ENOTTY;
	for (i = 0; i < count; i++) {
		if (hops[i].flags & EGPU_LINK_PORT)
			link_of_hop(&hops[i], link);
		link->tunnelled |= !!(hops[i].flags & EGPU_LINK_TUNNELLED);
	}
	if (link->tunnelled)
		link->bytes_per_second = 0;
}
