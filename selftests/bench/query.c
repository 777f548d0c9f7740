// SPDX-License-Identifier: GPL-2.0
/*
 * egpu_bench query COUNT PORT-ADDRESS: the full state of one port by three ioctls
 * of libegpu, and the same facts as lspci gets them, by libpci: identity, class,
 * BARs, driver and IOMMU group of the port and of each function below it from
 * sysfs, slot and both ends of the link from configuration space. The peer has
 * no process to start, no bus to scan and nothing to print.
 */
#include <dirent.h>
#include <errno.h>
#include <pci/pci.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"
#include "egpu.h"

/* What both say, to see that they speak of the same. */
struct facts {
	unsigned int functions;
	uint16_t vendor;
	uint16_t device;
	uint32_t width;
};

static struct egpu *egpu;
static struct pci_access *pci;
static char address[EGPU_ADDRESS_LEN];
static uint32_t port;

static uint64_t ours(struct facts *facts)
{
	uint64_t start = bench_ns();
	struct egpu_function *functions;
	struct egpu_link_info about;
	struct egpu_port_info info;
	int nr_functions, nr_hops;
	struct egpu_link link;
	struct egpu_hop *hops;

	if (egpu_port(egpu, port, &info))
		bench_die("PORT_INFO");
	nr_functions = egpu_functions(egpu, port, &functions);
	nr_hops = egpu_links(egpu, port, true, &about, &hops);
	if (nr_functions < 1 || nr_hops < 1)
		bench_die("FUNCTION_LIST, LINK_INFO");
	start = bench_ns() - start;
	egpu_port_link(hops, nr_hops, &link);
	facts->functions = nr_functions;
	facts->vendor = functions[0].vendor;
	facts->device = functions[0].device;
	facts->width = link.width;
	free(functions);
	free(hops);
	return start;
}

/* DPC keeps a link down; whether it does stands in an extended capability. */
static void read_dpc(struct pci_dev *dev)
{
	struct pci_cap *dpc = pci_find_cap(dev, PCI_EXT_CAP_ID_DPC,
					   PCI_CAP_EXTENDED);

	if (dpc)
		pci_read_word(dev, dpc->addr + 8);
}

static uint32_t read_device(unsigned int domain, unsigned int bus,
			    unsigned int dev, unsigned int fn, bool bridge,
			    struct facts *facts)
{
	struct pci_dev *d = pci_get_dev(pci, domain, bus, dev, fn);
	struct pci_cap *express;
	uint8_t regs[0x3c];
	uint32_t width = 0;

	pci_fill_info(d, PCI_FILL_IDENT | PCI_FILL_CLASS | PCI_FILL_BASES |
		      PCI_FILL_SIZES | PCI_FILL_ROM_BASE | PCI_FILL_CAPS |
		      PCI_FILL_DRIVER | PCI_FILL_IOMMU_GROUP |
		      (bridge ? PCI_FILL_EXT_CAPS : 0));
	facts->vendor = d->vendor_id;
	facts->device = d->device_id;
	express = pci_find_cap(d, PCI_CAP_ID_EXP, PCI_CAP_NORMAL);
	if (express && pci_read_block(d, express->addr, regs, sizeof(regs)))
		width = (regs[PCI_EXP_LNKSTA] | regs[PCI_EXP_LNKSTA + 1] << 8) >>
			4 & 0x3f;
	if (bridge)
		read_dpc(d);
	pci_free_dev(d);
	return width;
}

static uint64_t peer(struct facts *facts)
{
	uint64_t start = bench_ns();
	unsigned int domain, bus, dev, fn;
	struct dirent *entry;
	char path[64];
	DIR *below;

	facts->functions = 0;
	if (sscanf(address, "%x:%x:%x.%x", &domain, &bus, &dev, &fn) != 4)
		bench_die(address);
	facts->width = read_device(domain, bus, dev, fn, true, facts);
	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s", address);
	below = opendir(path);
	if (!below)
		bench_die(path);
	while ((entry = readdir(below)))
		if (sscanf(entry->d_name, "%x:%x:%x.%x", &domain, &bus, &dev,
			   &fn) == 4 && !strchr(entry->d_name, 'p')) {
			read_device(domain, bus, dev, fn, false, facts);
			facts->functions++;
		}
	closedir(below);
	return bench_ns() - start;
}

static void begin(const char *name)
{
	struct egpu_port_info info;

	snprintf(address, sizeof(address), "%s", name);
	errno = -egpu_open(&egpu);
	if (errno)
		bench_die("/dev/egpu");
	errno = -egpu_resolve(egpu, name, NULL, &info);
	if (errno)
		bench_die(name);
	port = info.port;
	pci = pci_alloc();
	pci_init(pci);
}

int bench_query(int argc, char **argv)
{
	struct facts a = { 0 }, b = { 0 };
	unsigned long count;
	uint64_t time;

	if (argc != 3)
		bench_die("query COUNT PORT-ADDRESS");
	begin(argv[2]);
	ours(&a);
	peer(&b);
	errno = 0;
	if (memcmp(&a, &b, sizeof(a)))
		bench_die("both say something else");
	for (count = strtoul(argv[1], NULL, 10); count; count--) {
		time = ours(&a);
		bench_pair(time, peer(&b));
	}
	pci_cleanup(pci);
	egpu_close(egpu);
	return 0;
}
