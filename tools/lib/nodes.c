// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Device nodes of a function, and the function of a node. Nodes are never
 * opened: opening a DRM node wakes the GPU.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "internal.h"

struct nodes {
	struct egpu_node *nodes;
	int count;
};

static int add_node(const char *name, void *arg)
{
	struct nodes *nodes = arg;
	struct egpu_node *bigger;

	/* older kernels link a third name to a card; there is no such node */
	if (!strncmp(name, "controlD", 8))
		return 0;
	bigger = realloc(nodes->nodes,
			 (size_t)(nodes->count + 1) * sizeof(*bigger));
	if (!bigger)
		return -ENOMEM;
	nodes->nodes = bigger;
	bigger += nodes->count++;
	snprintf(bigger->name, sizeof(bigger->name), "%s", name);
	return 0;
}

/* NVIDIA's nodes are in no class: the driver's own /proc file has the minor. */
static int nvidia_minor(const char *device)
{
	char *text = egpu_read(egpu_roots.proc,
			       "driver/nvidia/gpus/%s/information", device);
	char *line = text ? strstr(text, "Device Minor:") : NULL;
	int minor = -1;

	if (line)
		sscanf(line, "Device Minor: %d", &minor);
	free(text);
	return minor;
}

int egpu_nodes(const struct egpu_address *address, struct egpu_node **out)
{
	static const char * const classes[] = { "drm", "accel" };
	char device[EGPU_ADDRESS_LEN], name[EGPU_NAME_LEN];
	struct nodes nodes = { 0 };
	unsigned int i;
	int minor;

	egpu_address_format(address, device);
	for (i = 0; i < 2; i++)
		egpu_each(add_node, &nodes, egpu_roots.sysfs,
			  "bus/pci/devices/%s/%s", device, classes[i]);
	minor = nvidia_minor(device);
	if (minor >= 0) {
		snprintf(name, sizeof(name), "nvidia%d", minor);
		add_node(name, &nodes);
	}
	*out = nodes.nodes;
	return nodes.count;
}

/* The innermost PCI function on a device's way in sysfs. */
static bool last_address(char *real, struct egpu_address *address)
{
	bool found = false;
	char *save, *word;

	for (word = strtok_r(real, "/", &save); word;
	     word = strtok_r(NULL, "/", &save))
		found |= egpu_address_parse(word, address);
	return found;
}

static int by_number(unsigned int major, unsigned int minor, bool block,
		     struct egpu_address *address)
{
	char *real = egpu_real(egpu_roots.sysfs, "dev/%s/%u:%u",
			       block ? "block" : "char", major, minor);
	bool found = real && last_address(real, address);

	free(real);
	return found ? 0 : -ENOENT;
}

struct nvidia {
	int minor;
	struct egpu_address *address;
};

static int one_nvidia(const char *name, void *arg)
{
	struct nvidia *want = arg;

	return nvidia_minor(name) == want->minor &&
	       egpu_address_parse(name, want->address);
}

static int by_nvidia(unsigned int minor, struct egpu_address *address)
{
	struct nvidia want = { (int)minor, address };

	return egpu_each(one_nvidia, &want, egpu_roots.proc,
			 "driver/nvidia/gpus") == 1 ? 0 : -ENOENT;
}

/* A bare name, without a node in /dev: a container, or a fake tree. */
static int by_class(const char *name, struct egpu_address *address)
{
	static const char * const classes[] = {
		"drm", "accel", "sound", "i2c-dev", "graphics", "block",
		"drm_dp_aux_dev", "cec", "net",
	};
	unsigned int i;

	for (i = 0; i < sizeof(classes) / sizeof(classes[0]); i++) {
		char *real = egpu_real(egpu_roots.sysfs, "class/%s/%s",
				       classes[i], name);
		bool found = real && last_address(real, address);

		free(real);
		if (found)
			return 0;
	}
	return -ENOENT;
}

int egpu_device_address(const char *word, struct egpu_address *address)
{
	static const char * const dirs[] = { "", "dri/", "accel/", "snd/" };
	char path[512], end;
	struct stat st;
	unsigned int i, minor;
	const char *base = strrchr(word, '/') ? strrchr(word, '/') + 1 : word;

	if (sscanf(base, "nvidia%u%c", &minor, &end) == 1 &&
	    !by_nvidia(minor, address))
		return 0;
	if (*word != '/' && !by_class(word, address))
		return 0;
	for (i = 0; i < 4; i++) {
		if (*word == '/')
			snprintf(path, sizeof(path), "%s", word);
		else
			snprintf(path, sizeof(path), "%s/%s%s", egpu_roots.dev,
				 dirs[i], word);
		if (!stat(path, &st) &&
		    (S_ISCHR(st.st_mode) || S_ISBLK(st.st_mode)))
			break;
	}
	if (i == 4)
		return *word == '/' ? by_class(base, address) : -ENOENT;
	return by_number(major(st.st_rdev), minor(st.st_rdev),
			 S_ISBLK(st.st_mode), address);
}

char *egpu_device_driver(const struct egpu_address *address)
{
	char name[EGPU_ADDRESS_LEN];

	return egpu_link(egpu_roots.sysfs, "bus/pci/devices/%s/driver",
			 egpu_address_format(address, name));
}
