// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Slots that another hotplug driver operates (acpiphp, ...): the module unbinds
 * and removes what is in it, the slot's power file is ours to write.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "internal.h"

bool egpu_slot_needed(const struct egpu_port_info *info)
{
	return info->backend == EGPU_BACKEND_OTHER && info->slot_name[0];
}

int egpu_slot_power(const char *slot_name, bool on)
{
	char path[PATH_MAX];
	uint64_t now;
	int fd, ret = 0;

	if (!*slot_name || *slot_name == '.' || strchr(slot_name, '/'))
		return -EINVAL;
	if (egpu_read_u64(&now, egpu_roots.sysfs, "bus/pci/slots/%s/power",
			  slot_name) && !!now == on)
		return 0;
	snprintf(path, sizeof(path), "%s/bus/pci/slots/%s/power",
		 egpu_roots.sysfs, slot_name);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (write(fd, on ? "1" : "0", 1) < 0)
		ret = -errno;
	close(fd);
	return ret;
}

struct owner {
	char address[EGPU_ADDRESS_LEN];
	char name[EGPU_NAME_LEN];
};

/* A slot's address is dddd:bb:dd, or dddd:bb when it is for the whole bus. */
static int is_its(const char *name, void *arg)
{
	struct owner *owner = arg;
	char *text = egpu_read(egpu_roots.sysfs, "bus/pci/slots/%s/address",
			       name);
	size_t len = strlen(owner->address);
	int is = text && !strncmp(text, owner->address, len) &&
		 (!text[len] || !strcmp(text + len, ":00"));

	if (is)
		snprintf(owner->name, sizeof(owner->name), "%s", name);
	free(text);
	return is;
}

int egpu_slot_owner(const struct egpu_port_info *info, char *slot, char *driver,
		    size_t size)
{
	struct owner owner;
	char *module;

	snprintf(owner.address, sizeof(owner.address), "%04x:%02x",
		 info->domain, info->secondary);
	if (!info->secondary ||
	    egpu_each(is_its, &owner, egpu_roots.sysfs, "bus/pci/slots") != 1)
		return -ENOENT;
	snprintf(slot, size, "%s", owner.name);
	module = egpu_link(egpu_roots.sysfs, "bus/pci/slots/%s/module",
			   owner.name);
	snprintf(driver, size, "%s", module ? module : "");
	free(module);
	return 0;
}
