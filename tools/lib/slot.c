// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Slots that another hotplug driver operates (acpiphp, ...): the module unbinds
 * and removes what is in it, the slot's power file is ours to write.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
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
