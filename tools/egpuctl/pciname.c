// SPDX-License-Identifier: GPL-2.0
/*
 * Names of PCI devices, by libpci: from udev's hardware database, which is an
 * index, and where there is none from the pci.ids file, all of which libpci then
 * reads. The bus itself is not touched: pci_init() is never called.
 */
#define _GNU_SOURCE
#include <ctype.h>
#include <pci/pci.h>
#include <stdlib.h>
#include <string.h>

#include "ctl.h"

static struct pci_access *access_;

/* pci_init() would put its own here, and scan the bus. */
static void no_message(char *text, ...)
{
	(void)text;
}

__attribute__((noreturn))
static void on_error(char *text, ...)
{
	fprintf(stderr, "egpuctl: libpci: %s\n", text);
	exit(EXIT_FAILED);
}

static struct pci_access *names_in(char *list)
{
	struct pci_access *access = pci_alloc();

	access->error = on_error;
	access->warning = no_message;
	access->debug = no_message;
	if (list)
		pci_set_name_list_path(access, list, 1);
	/* What somebody once asked the net for, in a home folder. */
	pci_set_param(access, "net.cache_name", "");
	return access;
}

/* From the index alone: in /dev/null there are none. */
static struct pci_access *names_in_index(void)
{
	struct pci_access *access = names_in(strdup("/dev/null"));
	char buf[128];

	if (pci_lookup_name(access, buf, sizeof(buf), PCI_LOOKUP_VENDOR |
			    PCI_LOOKUP_NO_NUMBERS, PCI_VENDOR_ID_INTEL))
		return access;
	pci_cleanup(access);
	return NULL;
}

/* Tests have names of their own. */
static struct pci_access *names_of_test(void)
{
	struct pci_access *access;
	char *list;

	if (!strcmp(egpu_roots.share, "/usr/share"))
		return NULL;
	if (asprintf(&list, "%s/misc/pci.ids", egpu_roots.share) < 0)
		abort();
	access = names_in(list);
	access->id_lookup_mode |= PCI_LOOKUP_NO_HWDB;
	return access;
}

static struct pci_access *names(void)
{
	if (!access_)
		access_ = names_of_test() ?: names_in_index() ?: names_in(NULL);
	return access_;
}

void names_free(void)
{
	if (access_)
		pci_cleanup(access_);
	access_ = NULL;
}

static const struct {
	const char *full;
	const char *brief;
} vendors[] = {
	{ "NVIDIA", "NVIDIA" },
	{ "Advanced Micro Devices", "AMD" },
	{ "Intel", "Intel" },
	{ "Red Hat", "Red Hat" },
};

static void brief_vendor(char *vendor)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(vendors); i++)
		if (!strncmp(vendor, vendors[i].full, strlen(vendors[i].full)))
			strcpy(vendor, vendors[i].brief);
}

/* AD102 [GeForce RTX 4090] -> GeForce RTX 4090 */
static void bracketed(char *name)
{
	char *open = strrchr(name, '['), *close = strrchr(name, ']');

	if (!open || !close || close < open)
		return;
	*close = 0;
	memmove(name, open + 1, (size_t)(close - open));
}

static const char *without_brand(const char *name)
{
	static const char * const brands[] = { "GeForce ", "Radeon " };
	size_t i;

	for (i = 0; i < ARRAY_SIZE(brands); i++)
		if (!strncmp(name, brands[i], strlen(brands[i])) &&
		    name[strlen(brands[i])] == 'R')
			return name + strlen(brands[i]);
	return name;
}

/* brief: for a column. Return: false when its numbers have to do */
bool device_name(uint16_t vendor, uint16_t device, bool brief, char *buf,
		 size_t size)
{
	char v[128], d[128];
	bool has_vendor, has_device;

	has_vendor = pci_lookup_name(names(), v, sizeof(v), PCI_LOOKUP_VENDOR |
				     PCI_LOOKUP_NO_NUMBERS, vendor);
	has_device = pci_lookup_name(names(), d, sizeof(d), PCI_LOOKUP_DEVICE |
				     PCI_LOOKUP_NO_NUMBERS, vendor, device);
	if (!has_device) {
		snprintf(buf, size, "%s%s%04x:%04x",
			 has_vendor && !brief ? v : "",
			 has_vendor && !brief ? " " : "", vendor, device);
		return false;
	}
	bracketed(d);
	if (brief) {
		snprintf(buf, size, "%.22s", without_brand(d));
		return true;
	}
	brief_vendor(v);
	snprintf(buf, size, "%s%s%s", has_vendor ? v : "", has_vendor ? " " : "",
		 d);
	return true;
}

void class_name(uint32_t class, char *buf, size_t size)
{
	static const struct {
		uint16_t class;
		const char *name;
	} brief[] = {
		{ 0x0403, "audio" }, { 0x0401, "audio" }, { 0x0c03, "USB" },
		{ 0x0200, "network" }, { 0x0280, "network" },
		{ 0x0108, "NVMe" }, { 0x0106, "SATA" }, { 0x0300, "display" },
		{ 0x0302, "3D" }, { 0x0380, "display" },
		{ 0x1200, "accelerator" }, { 0x0c80, "serial bus" },
		{ 0x0c0c, "USB-C" },
	};
	char full[80];
	size_t i;

	for (i = 0; i < ARRAY_SIZE(brief); i++)
		if (brief[i].class == class >> 8) {
			snprintf(buf, size, "%s", brief[i].name);
			return;
		}
	if (!pci_lookup_name(names(), full, sizeof(full), PCI_LOOKUP_CLASS,
			     class >> 8))
		snprintf(full, sizeof(full), "class %06x", class);
	snprintf(buf, size, "%s", full);
}
