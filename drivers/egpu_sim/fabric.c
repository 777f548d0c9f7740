// SPDX-License-Identifier: GPL-2.0
/*
 * A fabric comes and goes: a plan of bus numbers and addresses, what firmware
 * would write into the bridges, the host bridge itself, and its end.
 *
 * Both ways run in a work item, so that whoever asked can be killed while a
 * driver hangs. A live fabric pins the module and holds its configfs item.
 */

#define pr_fmt(fmt) "egpu_sim: " fmt

#include <linux/idr.h>
#include <linux/module.h>
#include <linux/platform_device.h>
#include <linux/slab.h>

#include "sim.h"

#define SIM_FIRST_DOMAIN 0x10000	/* beyond what _SEG can say */

static DEFINE_IDA(sim_indices);

/* Of a bus that is known to be simulated. */
struct sim_fabric *sim_fabric_of_sim(struct pci_bus *bus)
{
#ifdef CONFIG_X86
	return container_of((struct pci_sysdata *)bus->sysdata,
			    struct sim_fabric, sysdata);
#else
	return bus->sysdata;
#endif
}

/* NULL: it is another bridge's. A bus may have aer-inject's ops meanwhile. */
struct sim_fabric *sim_fabric_of_bus(struct pci_bus *bus)
{
	return pci_find_host_bridge(bus)->ops == &sim_pci_ops ?
	       sim_fabric_of_sim(bus) : NULL;
}

/* --- the plan ----------------------------------------------------------- */

static u64 sim_align(u64 size)
{
	return size ? rounddown_pow_of_two(size) : 1;
}

static u64 sim_port_need(struct sim_port *port, bool prefetch);

static u64 sim_dev_need(struct sim_dev *dev, bool prefetch)
{
	struct sim_port *port;
	u64 need, sum = 0;

	list_for_each_entry(port, &dev->ports, link) {
		need = sim_port_need(port, prefetch);
		sum = ALIGN(sum, sim_align(need)) + need;
	}
	return sum;
}

static u64 sim_port_need(struct sim_port *port, bool prefetch)
{
	u64 need = prefetch ? port->prefetch_window : port->mem_window;
	struct sim_dev *dev;

	list_for_each_entry(dev, &port->devs, link)
		need = max(need, sim_dev_need(dev, prefetch));
	return ALIGN(need, SZ_1M);
}

static unsigned int sim_port_buses(struct sim_port *port)
{
	unsigned int most = 1, buses;
	struct sim_port *below;
	struct sim_dev *dev;

	list_for_each_entry(dev, &port->devs, link) {
		if (list_empty(&dev->ports))
			continue;
		buses = 2;
		list_for_each_entry(below, &dev->ports, link)
			buses += sim_port_buses(below);
		most = max(most, buses);
	}
	return max(most, port->buses);
}

/* A port's share begins here; what is below gets its own from there. */
static void sim_port_place(struct sim_port *port, u32 bus, u64 mem,
			   u64 prefetch)
{
	struct sim_share *share = &port->share;
	struct sim_port *below;
	struct sim_dev *dev;
	u32 next;
	u64 m, p;

	share->secondary = bus;
	share->subordinate = bus + sim_port_buses(port) - 1;
	share->mem_size = sim_port_need(port, false);
	share->prefetch_size = sim_port_need(port, true);
	share->mem = mem;
	share->prefetch = prefetch;
	list_for_each_entry(dev, &port->devs, link) {
		next = bus + 2;
		m = mem;
		p = prefetch;
		list_for_each_entry(below, &dev->ports, link) {
			m = ALIGN(m, sim_align(sim_port_need(below, false)));
			p = ALIGN(p, sim_align(sim_port_need(below, true)));
			sim_port_place(below, next, m, p);
			next = below->share.subordinate + 1;
			m += below->share.mem_size;
			p += below->share.prefetch_size;
		}
	}
}

/* Lines and slot numbers, of ports that a device may bring with it as well. */
static void sim_number_ports(struct sim_fabric *fabric,
			     struct list_head *ports)
{
	struct sim_port *port;
	struct sim_dev *dev;

	list_for_each_entry(port, ports, link) {
		port->line = fabric->nlines++;
		port->slot_number = (256 * fabric->index + fabric->nlines) &
				    0x1fff;
		list_for_each_entry(dev, &port->devs, link)
			sim_number_ports(fabric, &dev->ports);
	}
}

/**
 * sim_fabric_plan - number the ports, and share out buses and addresses
 * @fabric: the fabric; sim_lock is held
 *
 * Return: 0; -E2BIG: more ports than can be; -ENOSPC: more buses than 256.
 */
int sim_fabric_plan(struct sim_fabric *fabric)
{
	u64 mem = 0, prefetch = 0;
	u32 bus = 1, nr = 0;
	struct sim_port *port;

	lockdep_assert_held(&sim_lock);
	list_for_each_entry(port, &fabric->ports, link) {
		port->nr = nr++;
		mem = ALIGN(mem, sim_align(sim_port_need(port, false)));
		prefetch = ALIGN(prefetch,
				 sim_align(sim_port_need(port, true)));
		sim_port_place(port, bus, mem, prefetch);
		bus = port->share.subordinate + 1;
		mem += port->share.mem_size;
		prefetch += port->share.prefetch_size;
	}
	if (bus > 256) {
		pr_err("%s: %u bus numbers are needed, 256 are there; see `buses`\n",
		       config_item_name(&fabric->group.cg_item), bus);
		return -ENOSPC;
	}
	fabric->nlines = 0;
	sim_number_ports(fabric, &fabric->ports);
	fabric->mem_size = mem + ALIGN(fabric->mem_spare, SZ_1M);
	fabric->prefetch_size = prefetch +
				ALIGN(fabric->prefetch_spare, SZ_1M);
	return 0;
}

/* --- what firmware writes ----------------------------------------------- */

static void sim_firmware_window(struct sim_func *fn, u64 mem, u64 mem_size,
				u64 pref, u64 pref_size)
{
	u64 end;

	if (mem_size) {
		end = mem + mem_size - 1;
		sim_put16(fn, PCI_MEMORY_BASE, mem >> 16 & 0xfff0);
		sim_put16(fn, PCI_MEMORY_LIMIT, end >> 16 & 0xfff0);
	}
	if (pref_size) {
		end = pref + pref_size - 1;
		sim_set16(fn, PCI_PREF_MEMORY_BASE, 0xfff0,
			  pref >> 16 & 0xfff0);
		sim_set16(fn, PCI_PREF_MEMORY_LIMIT, 0xfff0,
			  end >> 16 & 0xfff0);
		sim_put32(fn, PCI_PREF_BASE_UPPER32, pref >> 32);
		sim_put32(fn, PCI_PREF_LIMIT_UPPER32, end >> 32);
	}
}

static void sim_firmware_bridge(struct sim_fabric *fabric, struct sim_func *fn,
				u32 primary, u32 secondary,
				const struct sim_share *share)
{
	sim_put8(fn, PCI_PRIMARY_BUS, primary);
	sim_put8(fn, PCI_SECONDARY_BUS, secondary);
	sim_put8(fn, PCI_SUBORDINATE_BUS, share->subordinate);
	sim_firmware_window(fn, fabric->mem.start + share->mem, share->mem_size,
			    fabric->prefetch.start + share->prefetch,
			    share->prefetch_size);
}

static void sim_firmware_port(struct sim_fabric *fabric, struct sim_port *port,
			      u32 primary)
{
	const struct sim_share *share = &port->share;
	struct sim_port *below;

	sim_firmware_bridge(fabric, &port->fn, primary, share->secondary,
			    share);
	if (!port->card || !port->card->fn.bridge)
		return;
	sim_firmware_bridge(fabric, &port->card->fn, share->secondary,
			    share->secondary + 1, share);
	list_for_each_entry(below, &port->card->ports, link)
		sim_firmware_port(fabric, below, share->secondary + 1);
}

/* Bus numbers and windows of all bridges that are there. */
void sim_fabric_firmware(struct sim_fabric *fabric)
{
	struct sim_port *port;

	lockdep_assert_held(&fabric->lock);
	list_for_each_entry(port, &fabric->ports, link) {
		sim_firmware_port(fabric, port, 0);
		fabric->root[port->nr] = port;
	}
	sim_route_update(fabric);
}

/* --- addresses ---------------------------------------------------------- */

/* A hole in what some other host bridge owns: nothing answers there. */
static int sim_space_in_bridges(struct resource *res, resource_size_t size,
				resource_size_t align)
{
	struct pci_bus *bus = NULL;
	struct resource *r;
	int i;

	while ((bus = pci_find_next_bus(bus)))
		pci_bus_for_each_resource(bus, r, i)
			if (r && r->flags & IORESOURCE_MEM && r->parent &&
			    !allocate_resource(r, res, size, SZ_16M,
					       U32_MAX, align, NULL, NULL))
				return 0;
	return -ENOSPC;
}

static int sim_space_32(struct sim_fabric *fabric, resource_size_t align)
{
	struct resource *res = &fabric->mem;
	u64 size = fabric->mem_size;

	if (fabric->ram)
		return sim_ram_take(res, size, align);
	if (!allocate_resource(&iomem_resource, res, size, SZ_16M, U32_MAX,
			       align, NULL, NULL))
		return 0;
	return sim_space_in_bridges(res, size, align);
}

static int sim_space_64(struct sim_fabric *fabric, resource_size_t align)
{
	u64 low = min_t(u64, 256ULL << 30, iomem_resource.end / 4);

	return allocate_resource(&iomem_resource, &fabric->prefetch,
				 fabric->prefetch_size, low, iomem_resource.end,
				 align, NULL, NULL);
}

/* BARs are as aligned as they are large: so are windows, and their sum. */
static u64 sim_largest(struct sim_fabric *fabric, bool prefetch)
{
	struct sim_port *port;
	u64 most = SZ_1M;

	list_for_each_entry(port, &fabric->ports, link)
		most = max(most, sim_align(prefetch ?
					   port->share.prefetch_size :
					   port->share.mem_size));
	return most;
}

static int sim_space_get(struct sim_fabric *fabric)
{
	const char *name = config_item_name(&fabric->group.cg_item);
	int ret;

	fabric->mem = (struct resource) {
		.name = "egpu_sim", .flags = IORESOURCE_MEM };
	fabric->prefetch = (struct resource) {
		.name = "egpu_sim",
		.flags = IORESOURCE_MEM | IORESOURCE_PREFETCH |
			 IORESOURCE_MEM_64 };
	fabric->busn = (struct resource) {
		.name = "egpu_sim", .flags = IORESOURCE_BUS, .end = 255 };
	ret = fabric->mem_size ?
	      sim_space_32(fabric, sim_largest(fabric, false)) : 0;
	if (ret) {
		pr_err("%s: no room for %llu MiB of 32-bit memory; see `mem_window`\n",
		       name, fabric->mem_size >> 20);
		return ret == -ENXIO ? ret : -ENOSPC;
	}
	ret = fabric->prefetch_size ?
	      sim_space_64(fabric, sim_largest(fabric, true)) : 0;
	if (!ret)
		return 0;
	pr_err("%s: no room for %llu MiB of prefetchable memory; see `prefetch_window`\n",
	       name, fabric->prefetch_size >> 20);
	return -ENOSPC;
}

static void sim_space_put(struct sim_fabric *fabric)
{
	if (fabric->mem.parent)
		release_resource(&fabric->mem);
	if (fabric->prefetch.parent)
		release_resource(&fabric->prefetch);
}

/* --- the host bridge ---------------------------------------------------- */

static void sim_bridge_native(struct sim_fabric *fabric,
			      struct pci_host_bridge *bridge)
{
	bridge->native_pcie_hotplug = !(fabric->keeps & SIM_KEEPS_HOTPLUG);
	bridge->native_pme = !(fabric->keeps & SIM_KEEPS_PME);
	bridge->native_aer = !(fabric->keeps & SIM_KEEPS_AER);
	bridge->native_dpc = !(fabric->keeps & SIM_KEEPS_DPC);
	bridge->native_ltr = !(fabric->keeps & SIM_KEEPS_LTR);
}

static struct pci_host_bridge *sim_bridge_alloc(struct sim_fabric *fabric)
{
	struct pci_host_bridge *bridge = pci_alloc_host_bridge(0);

	if (!bridge)
		return NULL;
	bridge->dev.parent = &fabric->pdev->dev;
	bridge->ops = &sim_pci_ops;
	bridge->busnr = 0;
	bridge->map_irq = sim_irq_map;
	bridge->swizzle_irq = pci_common_swizzle;
	sim_bridge_native(fabric, bridge);
#ifdef CONFIG_X86
	fabric->sysdata = (struct pci_sysdata) {
		.domain = fabric->domain, .node = NUMA_NO_NODE };
	bridge->sysdata = &fabric->sysdata;
#else
	bridge->sysdata = fabric;
	bridge->domain_nr = fabric->domain;
#endif
	snprintf(fabric->bus_name, sizeof(fabric->bus_name), "PCI Bus %04x:00",
		 fabric->domain);
	fabric->mem.name = fabric->bus_name;
	fabric->prefetch.name = fabric->bus_name;
	pci_add_resource(&bridge->windows, &fabric->busn);
	if (fabric->mem.parent)
		pci_add_resource(&bridge->windows, &fabric->mem);
	if (fabric->prefetch.parent)
		pci_add_resource(&bridge->windows, &fabric->prefetch);
	return bridge;
}

/* Bridges without I/O look to the kernel as if they had its first 4 KiB. */
static int sim_bridge_no_io(struct pci_dev *pdev, void *data)
{
	struct resource *res = &pdev->resource[PCI_BRIDGE_RESOURCES];

	if (pci_is_bridge(pdev))
		*res = (struct resource) { .name = res->name };
	return 0;
}

/* As the firmware left them, windows and buses are taken over. */
static int sim_bridge_scan(struct sim_fabric *fabric)
{
	struct pci_bus *bus, *child;
	int ret;

	ret = pci_scan_root_bus_bridge(fabric->bridge);
	if (ret)
		return ret;
	bus = fabric->bridge->bus;
	if (!fabric->msi)
		bus->bus_flags |= PCI_BUS_FLAGS_NO_MSI;
	pci_walk_bus(bus, sim_bridge_no_io, NULL);
	pci_bus_claim_resources(bus);
	pci_assign_unassigned_bus_resources(bus);
	list_for_each_entry(child, &bus->children, node)
		pcie_bus_configure_settings(child);
	return 0;
}

/*
 * Under the rescan lock no other domain appears, and nothing that is being added
 * is removed: the walk that adds devices holds no references.
 */
static int sim_bridge_up(struct sim_fabric *fabric)
{
	int ret;

	pci_lock_rescan_remove();
	fabric->bridge = sim_bridge_alloc(fabric);
	ret = fabric->bridge ? sim_bridge_scan(fabric) : -ENOMEM;
	if (!ret)
		pci_bus_add_devices(fabric->bridge->bus);
	pci_unlock_rescan_remove();
	if (!ret)
		return 0;
	if (fabric->bridge)
		pci_free_host_bridge(fabric->bridge);
	fabric->bridge = NULL;
	return ret;
}

static void sim_bridge_down(struct sim_fabric *fabric)
{
	struct pci_bus *bus = fabric->bridge->bus;

	sim_irq_quiet(fabric);
	pci_lock_rescan_remove();
	pci_stop_root_bus(bus);
	pci_remove_root_bus(bus);
	pci_unlock_rescan_remove();
	pci_free_host_bridge(fabric->bridge);
	fabric->bridge = NULL;
}

/* --- start and stop ----------------------------------------------------- */

static int sim_fabric_prepare(struct sim_fabric *fabric)
{
	int ret;

	guard(mutex)(&sim_lock);
	ret = sim_fabric_plan(fabric);
	ret = ret ?: sim_space_get(fabric);
	ret = ret ?: sim_irq_alloc(fabric);
	ret = ret ?: sim_msi_alloc(fabric);
	ret = ret ?: sim_fabric_build(fabric);
	if (ret)
		return ret;
	guard(raw_spinlock_irqsave)(&fabric->lock);
	fabric->quiet = false;
	sim_fabric_firmware(fabric);
	sim_fabric_boot(fabric);
	return 0;
}

static void sim_fabric_clear(struct sim_fabric *fabric)
{
	struct sim_dev *dev;
	unsigned long i;

	scoped_guard(mutex, &sim_lock)
		sim_fabric_raze(fabric);
	sim_irq_free(fabric);
	sim_msi_free(fabric);
	sim_space_put(fabric);
	if (fabric->pdev)
		platform_device_unregister(fabric->pdev);
	fabric->pdev = NULL;
	xa_for_each(&fabric->known, i, dev)
		config_item_put(&dev->group.cg_item);
	xa_destroy(&fabric->known);
	if (fabric->domain >= 0)
		pci_bus_release_emul_domain_nr(fabric->domain);
	fabric->domain = -1;
	ida_free(&sim_indices, fabric->index);
}

static int sim_fabric_pdev(struct sim_fabric *fabric)
{
	struct platform_device_info info = {
		.name = "egpu_sim", .id = fabric->domain,
		.data = &fabric, .size_data = sizeof(fabric),
	};
	struct platform_device *pdev = platform_device_register_full(&info);

	if (IS_ERR(pdev))
		return PTR_ERR(pdev);
	fabric->pdev = pdev;
	return 0;
}

/* Older kernels do not reserve a domain: fabrics look in different places. */
static int sim_fabric_domain(struct sim_fabric *fabric)
{
	int index = ida_alloc(&sim_indices, GFP_KERNEL);
	int domain;

	if (index < 0)
		return index;
	fabric->index = index;
	domain = pci_bus_find_emul_domain_nr(0, SIM_FIRST_DOMAIN + 16 * index,
					     INT_MAX);
	if (domain < 0) {
		ida_free(&sim_indices, index);
		return domain;
	}
	fabric->domain = domain;
	return 0;
}

static int sim_fabric_up(struct sim_fabric *fabric)
{
	int ret;

	ret = sim_fabric_domain(fabric);
	if (ret)
		return ret;
	ret = sim_fabric_pdev(fabric);
	ret = ret ?: sim_fabric_prepare(fabric);
	ret = ret ?: sim_bridge_up(fabric);
	if (ret)
		sim_fabric_clear(fabric);
	return ret;
}

/* Ports of all fabrics that are not dead; under sim_lock. */
static unsigned int sim_ports;

static bool sim_ports_fit(struct sim_fabric *fabric)
{
	if (fabric->nports <= SIM_PORTS_PER_FABRIC &&
	    sim_ports + fabric->nports <= SIM_PORTS)
		return true;
	pr_err("%s: %u ports; a fabric has %u at most, all together %u, and %u exist\n",
	       config_item_name(&fabric->group.cg_item), fabric->nports,
	       SIM_PORTS_PER_FABRIC, SIM_PORTS, sim_ports);
	return false;
}

static void sim_fabric_dead(struct sim_fabric *fabric)
{
	scoped_guard(mutex, &sim_lock) {
		sim_ports -= fabric->counted;
		fabric->stop = false;
		fabric->ends++;
		WRITE_ONCE(fabric->state, SIM_DEAD);
	}
	wake_up_all(&fabric->waiters);
}

/* Starts a fabric, or stops it; the last thing lets go of item and module. */
static void sim_fabric_work(struct work_struct *work)
{
	struct sim_fabric *fabric = container_of(work, struct sim_fabric, work);
	bool live = false;

	if (fabric->state == SIM_STARTING) {
		fabric->error = sim_fabric_up(fabric);
		scoped_guard(mutex, &sim_lock) {
			live = !fabric->error && !fabric->stop;
			WRITE_ONCE(fabric->state,
				   live ? SIM_LIVE : SIM_STOPPING);
		}
		wake_up_all(&fabric->waiters);
	}
	/* Whoever stops it now has queued this work again. */
	if (live)
		return;
	if (fabric->bridge) {
		sim_bridge_down(fabric);
		sim_fabric_clear(fabric);
	}
	sim_fabric_dead(fabric);
	config_item_put(&fabric->group.cg_item);
	module_put(THIS_MODULE);
}

/*
 * Until it is in a state, or has been dead since @ends: whoever starts it again
 * at once may be quicker than a waiter that was woken.
 */
static int sim_fabric_wait(struct sim_fabric *fabric, enum sim_state until,
			   unsigned int ends)
{
	return wait_event_killable(fabric->waiters,
				   READ_ONCE(fabric->state) == until ||
				   READ_ONCE(fabric->ends) != ends ||
				   sim_fabric_is_dead(fabric));
}

static int sim_fabric_begin(struct sim_fabric *fabric, unsigned int *ends)
{
	guard(mutex)(&sim_lock);
	*ends = fabric->ends;
	if (fabric->state == SIM_STOPPING || fabric->stop) {
		pr_err("%s: still stopping, see `status`\n",
		       config_item_name(&fabric->group.cg_item));
		return -EBUSY;
	}
	if (fabric->state != SIM_DEAD)
		return 0;
	if (!sim_ports_fit(fabric))
		return -E2BIG;
	if (!try_module_get(THIS_MODULE))
		return -ENODEV;
	config_item_get(&fabric->group.cg_item);
	fabric->counted = fabric->nports;
	sim_ports += fabric->counted;
	fabric->error = 0;
	WRITE_ONCE(fabric->state, SIM_STARTING);
	queue_work(sim_wq, &fabric->work);
	return 0;
}

/**
 * sim_fabric_start - live=1
 * @fabric: the fabric; no lock is held
 *
 * Return: 0; -E2BIG: too many ports; -ENOSPC: no room; -EBUSY: it is still
 * stopping; -EINTR: killed while waiting; it starts all the same.
 */
int sim_fabric_start(struct sim_fabric *fabric)
{
	unsigned int ends;
	int ret = sim_fabric_begin(fabric, &ends);

	ret = ret ?: sim_fabric_wait(fabric, SIM_LIVE, ends);
	return ret ?: fabric->error;
}

/* Return: how often it has been dead before. */
static unsigned int sim_fabric_end(struct sim_fabric *fabric)
{
	guard(mutex)(&sim_lock);
	if (fabric->state == SIM_STARTING) {
		fabric->stop = true;
	} else if (fabric->state == SIM_LIVE) {
		WRITE_ONCE(fabric->state, SIM_STOPPING);
		queue_work(sim_wq, &fabric->work);
	}
	return fabric->ends;
}

/**
 * sim_fabric_stop - live=0
 * @fabric: the fabric; no lock is held
 *
 * Return: 0; -EINTR: killed while waiting; it stops all the same.
 */
int sim_fabric_stop(struct sim_fabric *fabric)
{
	return sim_fabric_wait(fabric, SIM_DEAD, sim_fabric_end(fabric));
}

/* Its folder goes; nobody waits. */
void sim_fabric_abandon(struct sim_fabric *fabric)
{
	sim_fabric_end(fabric);
}

void sim_fabric_setup(struct sim_fabric *fabric)
{
	INIT_LIST_HEAD(&fabric->ports);
	INIT_LIST_HEAD(&fabric->busy);
	INIT_WORK(&fabric->work, sim_fabric_work);
	init_waitqueue_head(&fabric->waiters);
	raw_spin_lock_init(&fabric->lock);
	spin_lock_init(&fabric->busy_lock);
	xa_init(&fabric->known);
	fabric->domain = -1;
}
