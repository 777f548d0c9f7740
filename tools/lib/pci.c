// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * PCI addresses, paths and what lies below a bridge, from sysfs alone: cached
 * by the kernel, so that nothing here wakes a device.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"

#define DEVFN(dev, fn)	((uint8_t)((dev) << 3 | (fn)))

bool egpu_address_parse(const char *text, struct egpu_address *address)
{
	unsigned int domain = 0, bus, dev, fn;
	int end = -1;

	if (strspn(text, "0123456789abcdefABCDEF:.") != strlen(text))
		return false;
	if (sscanf(text, "%8x:%2x:%2x.%1x%n", &domain, &bus, &dev, &fn,
		   &end) != 4 || end < 0) {
		domain = 0;
		end = -1;
		if (sscanf(text, "%2x:%2x.%1x%n", &bus, &dev, &fn, &end) != 3 ||
		    end < 0)
			return false;
	}
	if (text[end] || bus > 0xff || dev > 0x1f || fn > 7)
		return false;
	address->domain = domain;
	address->bus = (uint8_t)bus;
	address->devfn = DEVFN(dev, fn);
	return true;
}

char *egpu_address_format(const struct egpu_address *a,
			  char buf[EGPU_ADDRESS_LEN])
{
	snprintf(buf, EGPU_ADDRESS_LEN, "%04x:%02x:%02x.%x", a->domain,
		 a->bus, a->devfn >> 3, a->devfn & 7);
	return buf;
}

bool egpu_address_equal(const struct egpu_address *a,
			const struct egpu_address *b)
{
	return a->domain == b->domain && a->bus == b->bus &&
	       a->devfn == b->devfn;
}

struct egpu_address egpu_port_address(const struct egpu_port_info *info)
{
	return (struct egpu_address){ info->domain, info->bus, info->devfn };
}

struct egpu_address egpu_function_address(const struct egpu_function *f)
{
	return (struct egpu_address){ f->domain, f->bus, f->devfn };
}

char *egpu_device_dir(const struct egpu_address *address)
{
	char name[EGPU_ADDRESS_LEN];

	return egpu_link_below(egpu_roots.sysfs, "bus/pci/devices/%s",
			       egpu_address_format(address, name));
}

int egpu_pci_chain(const struct egpu_address *address,
		   struct egpu_address *chain, int max)
{
	char *dir = egpu_device_dir(address), *save, *word;
	struct egpu_address one;
	int count = 0;

	if (!dir)
		return -ENOENT;
	for (word = strtok_r(dir, "/", &save); word;
	     word = strtok_r(NULL, "/", &save))
		/* root buses are called pci0000:00, which is no address */
		if (egpu_address_parse(word, &one) && count < max)
			chain[count++] = one;
	free(dir);
	return count ? count : -ENOENT;
}

int egpu_pci_path(const struct egpu_address *address, char *buf, size_t size)
{
	struct egpu_address chain[32];
	char name[EGPU_ADDRESS_LEN];
	int i, len, count = egpu_pci_chain(address, chain, 32);
	size_t used;

	if (count < 0)
		return count;
	used = (size_t)snprintf(buf, size, "%s",
				egpu_address_format(&chain[0], name));
	for (i = 1; i < count && used < size; i++) {
		len = snprintf(buf + used, size - used, "/%02x.%x",
			       chain[i].devfn >> 3, chain[i].devfn & 7);
		used += (size_t)len;
	}
	return used < size ? 0 : -ENAMETOOLONG;
}

struct find {
	uint8_t devfn;
	struct egpu_address found;
};

static int find_child(const char *name, void *arg)
{
	struct find *find = arg;
	struct egpu_address a;

	if (!egpu_address_parse(name, &a) || a.devfn != find->devfn)
		return 0;
	find->found = a;
	return 1;
}

int egpu_pci_find(const char *path, struct egpu_address *address)
{
	char *copy = strdup(path), *save, *word;
	char name[EGPU_ADDRESS_LEN];
	unsigned int dev, fn;
	struct find find;
	int ret = 0;

	if (!copy)
		return -ENOMEM;
	word = strtok_r(copy, "/", &save);
	if (!word || !egpu_address_parse(word, address))
		ret = -EINVAL;
	while (!ret && (word = strtok_r(NULL, "/", &save))) {
		int end = -1;

		if (sscanf(word, "%2x.%1x%n", &dev, &fn, &end) != 2 ||
		    end < 0 || word[end] || dev > 0x1f || fn > 7) {
			ret = -EINVAL;
			break;
		}
		find.devfn = DEVFN(dev, fn);
		if (egpu_each(find_child, &find, egpu_roots.sysfs,
			      "bus/pci/devices/%s",
			      egpu_address_format(address, name)) != 1)
			ret = -ENOENT;
		else
			*address = find.found;
	}
	free(copy);
	if (ret)
		return ret;
	return egpu_exists(egpu_roots.sysfs, "bus/pci/devices/%s",
			   egpu_address_format(address, name)) ? 0 : -ENOENT;
}

bool egpu_sysfs_is_below(const char *real, const struct egpu_address *address)
{
	char name[EGPU_ADDRESS_LEN + 2];
	char plain[EGPU_ADDRESS_LEN];
	const char *hit;
	size_t len;

	len = (size_t)snprintf(name, sizeof(name), "/%s",
			       egpu_address_format(address, plain));
	hit = strstr(real, name);
	return hit && (hit[len] == '/' || !hit[len]);
}

struct below {
	struct egpu_pci_id *ids;
	int count;
};

/* A device's folder holds those below it. */
static int below_one(const char *name, void *arg)
{
	struct below *below = arg;
	struct egpu_pci_id id = { 0 }, *bigger;
	uint64_t class, vendor, device;
	int ret;

	if (!egpu_address_parse(name, &id.address) ||
	    !egpu_read_u64(&class, egpu_roots.sysfs, "bus/pci/devices/%s/class",
			   name))
		return 0;
	if (class >> 8 == 0x0604) {
		ret = egpu_each(below_one, below, egpu_roots.sysfs,
				"bus/pci/devices/%s", name);
		return ret == -ENOMEM ? ret : 0;
	}
	if (egpu_read_u64(&vendor, egpu_roots.sysfs,
			  "bus/pci/devices/%s/vendor", name))
		id.vendor = (uint16_t)vendor;
	if (egpu_read_u64(&device, egpu_roots.sysfs,
			  "bus/pci/devices/%s/device", name))
		id.device = (uint16_t)device;
	id.class = (uint32_t)class;
	bigger = realloc(below->ids, (size_t)(below->count + 1) * sizeof(id));
	if (!bigger)
		return -ENOMEM;
	below->ids = bigger;
	bigger[below->count++] = id;
	return 0;
}

int egpu_pci_below(const struct egpu_address *bridge, struct egpu_pci_id **ids)
{
	struct below below = { 0 };
	char name[EGPU_ADDRESS_LEN];
	int ret = egpu_each(below_one, &below, egpu_roots.sysfs,
			    "bus/pci/devices/%s",
			    egpu_address_format(bridge, name));

	if (ret < 0) {
		free(below.ids);
		return ret;
	}
	*ids = below.ids;
	return below.count;
}

int egpu_pci_serial(const struct egpu_address *address, char *buf, size_t size)
{
	char name[EGPU_ADDRESS_LEN];
	char *text = egpu_read(egpu_roots.sysfs,
			       "bus/pci/devices/%s/serial_number",
			       egpu_address_format(address, name));

	if (!text)
		return -ENOENT;
	snprintf(buf, size, "%s", text);
	free(text);
	return 0;
}
