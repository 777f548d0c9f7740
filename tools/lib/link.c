// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The link of a port, as the port's own sysfs attributes tell it. Reading them
 * reads the port's configuration space, so a port that sleeps is left alone,
 * and the GPU is never asked.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"

/*
 * Bytes per second of one lane and direction: after 8b/10b or 128b/130b, from
 * 64 GT/s on after Flit overhead (236 of 256 bytes, PCIe 6.0.1 section 4.2.3).
 */
static const struct {
	double speed;
	double lane;
} bandwidths[] = {
	{ 2.5, 0.250e9 },
	{ 5, 0.500e9 },
	{ 8, 8e9 / 8 * 128 / 130 },
	{ 16, 16e9 / 8 * 128 / 130 },
	{ 32, 32e9 / 8 * 128 / 130 },
	{ 64, 64e9 / 8 * 236 / 256 },
	{ 128, 128e9 / 8 * 236 / 256 },
};

uint64_t egpu_bandwidth(double speed, unsigned int width)
{
	size_t i;

	for (i = 0; i < sizeof(bandwidths) / sizeof(bandwidths[0]); i++)
		if (bandwidths[i].speed == speed)
			return (uint64_t)(bandwidths[i].lane * width);
	return 0;
}

static double read_speed(const char *name, const char *attribute)
{
	char *text = egpu_read(egpu_roots.sysfs, "bus/pci/devices/%s/%s", name,
			       attribute);
	double speed = text ? strtod(text, NULL) : 0;

	free(text);
	return speed;
}

static unsigned int read_width(const char *name, const char *attribute)
{
	uint64_t width;

	if (!egpu_read_u64(&width, egpu_roots.sysfs, "bus/pci/devices/%s/%s",
			   name, attribute) || width > 32)
		return 0;
	return (unsigned int)width;
}

static bool is_awake(const char *name)
{
	char *status = egpu_read(egpu_roots.sysfs,
				 "bus/pci/devices/%s/power/runtime_status",
				 name);
	bool awake = !status || !strcmp(status, "active") ||
		     !strcmp(status, "unsupported");

	free(status);
	return awake;
}

int egpu_port_link(const struct egpu_port_info *info, struct egpu_link *link)
{
	struct egpu_address address = egpu_port_address(info);
	char name[EGPU_ADDRESS_LEN];

	memset(link, 0, sizeof(*link));
	link->tunnelled = info->flags & EGPU_PORT_THUNDERBOLT;
	egpu_address_format(&address, name);
	if (!is_awake(name)) {
		link->asleep = true;
		return 0;
	}
	link->speed = read_speed(name, "current_link_speed");
	link->width = read_width(name, "current_link_width");
	link->max_speed = read_speed(name, "max_link_speed");
	link->max_width = read_width(name, "max_link_width");
	link->known = link->speed && link->width;
	if (link->known && !link->tunnelled)
		link->bytes_per_second = egpu_bandwidth(link->speed,
							link->width);
	return 0;
}
