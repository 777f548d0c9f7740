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

/* Tests have names of their own. */
static bool is_made_up(void)
{
	return strcmp(egpu_roots.share, "/usr/share");
}

static char *list_path(void)
{
	char *path;

	if (asprintf(&path, "%s/misc/pci.ids", egpu_roots.share) < 0)
		abort();
	return path;
}

static struct pci_access *names(void)
{
	if (!access_) {
		access_ = pci_alloc();
		access_->error = on_error;
		access_->warning = no_message;
		access_->debug = no_message;
		if (is_made_up())
			pci_set_name_list_path(access_, list_path(), 1);
	}
	return access_;
}

/* As pci_lookup_name(). */
static bool look_up(char *buf, size_t size, int flags, int a, int b)
{
	flags |= PCI_LOOKUP_NO_NUMBERS;
	if (!is_made_up() &&
	    pci_lookup_name(names(), buf, (int)size,
			    flags | PCI_LOOKUP_SKIP_LOCAL, a, b))
		return true;
	return pci_lookup_name(names(), buf, (int)size,
			       flags | PCI_LOOKUP_NO_HWDB, a, b);
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

	has_vendor = look_up(v, sizeof(v), PCI_LOOKUP_VENDOR, vendor, 0);
	has_device = look_up(d, sizeof(d), PCI_LOOKUP_DEVICE, vendor, device);
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
	if (!look_up(full, sizeof(full), PCI_LOOKUP_CLASS, class >> 8, 0))
		snprintf(full, sizeof(full), "class %06x", class);
	snprintf(buf, size, "%s", full);
}
