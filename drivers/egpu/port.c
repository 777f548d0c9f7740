// SPDX-License-Identifier: GPL-2.0-only
/*
 * Port objects: every PCIe downstream port has one, tracked or not. Which of
 * them are external, which one a function belongs to, lookup, lifetime; and
 * the records of the functions below.
 */
#include <linux/pci.h>
#include <linux/pm_runtime.h>
#include <linux/slab.h>
#include <linux/timekeeping.h>

#include "egpu.h"

/* Serializes the list of ports and egpu_last_id. First in the lock order. */
DEFINE_MUTEX(egpu_ports_lock);
static LIST_HEAD(egpu_ports);
static u32 egpu_last_id;
static u32 egpu_nr_ports;

static struct kmem_cache *egpu_port_cache;
static struct kmem_cache *egpu_fn_cache;

void egpu_port_get(struct egpu_port *port)
{
	kref_get(&port->ref);
}

static void egpu_port_release(struct kref *ref)
{
	struct egpu_port *port = container_of(ref, struct egpu_port, ref);

	scoped_guard(mutex, &port->lock)
		egpu_fn_forget_all(port);
	/* Unloaded while it was taken out. */
	if (port->awake)
		pm_runtime_put(&port->pdev->dev);
	egpu_accept_put(port->txn.accept);
	egpu_soft_free(port);
	pci_dev_put(port->pdev);
	mutex_destroy(&port->lock);
	kmem_cache_free(egpu_port_cache, port);
}

void egpu_port_put(struct egpu_port *port)
{
	kref_put(&port->ref, egpu_port_release);
}

static bool egpu_functions_are_bound(struct egpu_port *port)
{
	struct egpu_fn *fn;

	guard(mutex)(&port->lock);
	list_for_each_entry(fn, &port->functions, node)
		if (fn->bound || fn->busy_since)
			return true;
	return false;
}

/**
 * egpu_port_is_bound() - does any driver use the port's link?
 * @port: the port, not locked
 *
 * Ours, which holds, does not.
 */
bool egpu_port_is_bound(struct egpu_port *port)
{
	bool bound = egpu_functions_are_bound(port);
	struct egpu_port *child;
	u32 id = 0;

	while (!bound && (child = egpu_port_next_below(port, id))) {
		id = child->id;
		bound = egpu_functions_are_bound(child);
		egpu_port_put(child);
	}
	return bound;
}

static bool egpu_is_downstream_port(struct pci_dev *pdev)
{
	if (!pci_is_pcie(pdev) || pdev->hdr_type != PCI_HEADER_TYPE_BRIDGE)
		return false;
	return pci_pcie_type(pdev) == PCI_EXP_TYPE_ROOT_PORT ||
	       pci_pcie_type(pdev) == PCI_EXP_TYPE_DOWNSTREAM;
}

static u32 egpu_port_topology(struct pci_dev *pdev)
{
	u32 flags = 0;
	u32 slot = 0;
	u32 link = 0;

	if (pdev->is_hotplug_bridge)
		flags |= EGPU_PORT_HOTPLUG;
	if (pdev->external_facing)
		flags |= EGPU_PORT_EXTERNAL_FACING;
	if (dev_is_removable(&pdev->dev))
		flags |= EGPU_PORT_REMOVABLE;
	if (pdev->is_thunderbolt)
		flags |= EGPU_PORT_THUNDERBOLT;
	if (pcie_caps_reg(pdev) & PCI_EXP_FLAGS_SLOT)
		pcie_capability_read_dword(pdev, PCI_EXP_SLTCAP, &slot);
	if (slot != ~0U && slot & PCI_EXP_SLTCAP_PCP)
		flags |= EGPU_PORT_POWER_CONTROLLER;
	/* One that sleeps in D3cold says all ones: that is seen when it wakes. */
	pcie_capability_read_dword(pdev, PCI_EXP_LNKCAP, &link);
	if (link & PCI_EXP_LNKCAP_DLLLARC)
		flags |= EGPU_PORT_LINK_REPORTING;
	return flags;
}

/*
 * Its link can be watched, and nobody else has the slot. A hotplug capability
 * that firmware kept for itself is firmware's.
 */
bool egpu_port_can_be_soft(const struct egpu_port *port)
{
	return !(port->topology & EGPU_PORT_HOTPLUG) &&
	       port->topology & EGPU_PORT_LINK_REPORTING;
}

#define EGPU_PORT_EXTERNAL (EGPU_PORT_EXTERNAL_FACING | EGPU_PORT_REMOVABLE | \
			    EGPU_PORT_THUNDERBOLT)

static struct egpu_port *egpu_port_find(struct pci_dev *pdev)
{
	struct egpu_port *port;

	lockdep_assert_held(&egpu_ports_lock);
	list_for_each_entry(port, &egpu_ports, node)
		if (port->pdev == pdev)
			return port;
	return NULL;
}

/*
 * A port is tracked by topology when it is external, or lies below a port that
 * is, or below one that is tracked. A slot port that cannot hold a GPU of its
 * own is not interesting: below an external port only hotplug-capable ones,
 * and the external port itself.
 */
static bool egpu_port_tracked_by_topology(struct egpu_port *port)
{
	struct pci_dev *above = port->pdev;
	struct egpu_port *parent;

	if (port->topology & EGPU_PORT_EXTERNAL)
		return true;
	if (!(port->topology & EGPU_PORT_HOTPLUG))
		return false;
	while ((above = pci_upstream_bridge(above))) {
		parent = egpu_port_find(above);
		if (parent && (parent->topology & EGPU_PORT_EXTERNAL ||
			       READ_ONCE(parent->tracked)))
			return true;
	}
	return false;
}

static struct egpu_port *egpu_port_alloc(struct pci_dev *pdev)
{
	struct egpu_port *port;

	port = kmem_cache_zalloc(egpu_port_cache, GFP_KERNEL);
	if (!port)
		return NULL;
	kref_init(&port->ref);
	mutex_init(&port->lock);
	mutex_init(&port->link_lock);
	INIT_LIST_HEAD(&port->node);
	INIT_LIST_HEAD(&port->functions);
	port->pdev = pci_dev_get(pdev);
	port->domain = pci_domain_nr(pdev->bus);
	port->topology = egpu_port_topology(pdev);
	port->dpc_cap = pci_find_ext_capability(pdev, PCI_EXT_CAP_ID_DPC);
	port->policy = egpu_default_policy;
	port->nr_users = -1;
	port->quarantine_losses = 5;
	port->quarantine_window_ms = 60000;
	port->watch_ms = egpu_watch_ms;
	port->since_ns = ktime_get_ns();
	egpu_state_setup(port);
	return port;
}

/**
 * egpu_port_create() - make the object of a downstream port that appeared
 * @pdev: any PCI device
 *
 * Return: the port with a reference for the caller, or NULL when @pdev is no
 * downstream port, is known already, or there is no memory.
 */
struct egpu_port *egpu_port_create(struct pci_dev *pdev)
{
	struct egpu_port *port;
	bool track;

	if (!egpu_is_downstream_port(pdev))
		return NULL;
	port = egpu_port_alloc(pdev);
	if (!port)
		return NULL;

	mutex_lock(&egpu_ports_lock);
	if (egpu_port_find(pdev)) {
		mutex_unlock(&egpu_ports_lock);
		egpu_port_put(port);
		return NULL;
	}
	port->id = ++egpu_last_id;
	port->by_topology = egpu_port_tracked_by_topology(port);
	port->soft_wanted = egpu_soft_wanted(pdev);
	if (port->soft_wanted && !egpu_port_can_be_soft(port)) {
		pci_warn(pdev, "egpu: soft: it has a hotplug capability, or does not report its link\n");
		port->soft_wanted = false;
	}
	track = port->by_topology || port->soft_wanted ||
		egpu_track_wanted(pdev);
	/* At once: what lies below may be added before the state work runs. */
	port->tracked = track;
	egpu_port_get(port);
	list_add_tail(&port->node, &egpu_ports);
	egpu_nr_ports++;
	mutex_unlock(&egpu_ports_lock);

	if (track)
		egpu_state_post(port, EGPU_BIT_TRACK);
	return port;
}

static void egpu_port_unlist(struct egpu_port *port)
{
	lockdep_assert_held(&egpu_ports_lock);
	list_del_init(&port->node);
	egpu_nr_ports--;
}

/**
 * egpu_port_gone() - a PCI device is being deleted; forget its port object
 * @pdev: any PCI device
 */
void egpu_port_gone(struct pci_dev *pdev)
{
	struct egpu_port *port;

	mutex_lock(&egpu_ports_lock);
	port = egpu_port_find(pdev);
	if (port)
		egpu_port_unlist(port);
	mutex_unlock(&egpu_ports_lock);
	if (!port)
		return;
	egpu_soft_gone(port);
	egpu_state_post(port, EGPU_BIT_GONE);
	egpu_port_put(port);
}

struct egpu_port *egpu_port_get_by_id(u32 id)
{
	struct egpu_port *port;

	guard(mutex)(&egpu_ports_lock);
	list_for_each_entry(port, &egpu_ports, node) {
		if (port->id == id) {
			egpu_port_get(port);
			return port;
		}
	}
	return NULL;
}

struct egpu_port *egpu_port_get_by_pdev(struct pci_dev *pdev)
{
	struct egpu_port *port;

	guard(mutex)(&egpu_ports_lock);
	port = egpu_port_find(pdev);
	if (port)
		egpu_port_get(port);
	return port;
}

/**
 * egpu_port_for() - the slot port of a function
 * @pdev: the function
 *
 * The nearest hotplug-capable or soft port above it; when there is none, the
 * nearest tracked one.
 *
 * Return: the port with a reference, or NULL when it is not tracked.
 */
struct egpu_port *egpu_port_for(struct pci_dev *pdev)
{
	struct egpu_port *nearest = NULL;
	struct egpu_port *port;
	struct pci_dev *above = pdev;

	guard(mutex)(&egpu_ports_lock);
	while ((above = pci_upstream_bridge(above))) {
		port = egpu_port_find(above);
		if (!port)
			continue;
		if (port->topology & EGPU_PORT_HOTPLUG ||
		    READ_ONCE(port->soft_wanted)) {
			nearest = port;
			break;
		}
		if (!nearest && READ_ONCE(port->tracked))
			nearest = port;
	}
	if (!nearest || !READ_ONCE(nearest->tracked))
		return NULL;
	egpu_port_get(nearest);
	return nearest;
}

/**
 * egpu_port_next() - walk the ports by id, without holding the list
 * @after: id of the one before, 0 for the first
 *
 * Return: the next port with a reference, or NULL.
 */
struct egpu_port *egpu_port_next(u32 after)
{
	struct egpu_port *port;

	guard(mutex)(&egpu_ports_lock);
	list_for_each_entry(port, &egpu_ports, node) {
		if (port->id > after) {
			egpu_port_get(port);
			return port;
		}
	}
	return NULL;
}

bool egpu_port_is_below(const struct egpu_port *child,
			const struct egpu_port *port)
{
	struct pci_dev *above = child->pdev;

	while ((above = pci_upstream_bridge(above)))
		if (above == port->pdev)
			return true;
	return false;
}

/**
 * egpu_port_next_below() - walk the tracked ports below a port
 * @port: the port
 * @after: id of the one before, 0 for the first
 *
 * Return: the next one with a reference, or NULL.
 */
struct egpu_port *egpu_port_next_below(struct egpu_port *port, u32 after)
{
	struct egpu_port *child;

	guard(mutex)(&egpu_ports_lock);
	list_for_each_entry(child, &egpu_ports, node) {
		if (child->id > after && READ_ONCE(child->tracked) &&
		    egpu_port_is_below(child, port)) {
			egpu_port_get(child);
			return child;
		}
	}
	return NULL;
}

bool egpu_port_has_children(struct egpu_port *port)
{
	struct egpu_port *child __free(egpu_port) =
		egpu_port_next_below(port, 0);

	return child;
}

/* Is any function recorded below it, or below a tracked port below it? */
bool egpu_port_is_occupied(struct egpu_port *port)
{
	struct egpu_port *child;
	bool occupied;
	u32 id = 0;

	mutex_lock(&port->lock);
	occupied = !port->scanned || !list_empty(&port->functions);
	mutex_unlock(&port->lock);
	while (!occupied && (child = egpu_port_next_below(port, id))) {
		id = child->id;
		mutex_lock(&child->lock);
		occupied = !child->scanned || !list_empty(&child->functions);
		mutex_unlock(&child->lock);
		egpu_port_put(child);
	}
	return occupied;
}

/* The outermost tracked port above, or the port itself. */
u32 egpu_port_cable_id(struct egpu_port *port)
{
	struct pci_dev *above = port->pdev;
	struct egpu_port *parent;
	u32 id = port->id;

	guard(mutex)(&egpu_ports_lock);
	while ((above = pci_upstream_bridge(above))) {
		parent = egpu_port_find(above);
		if (parent && READ_ONCE(parent->tracked))
			id = parent->id;
	}
	return id;
}

u32 egpu_port_count(void)
{
	return READ_ONCE(egpu_nr_ports);
}

u32 egpu_port_last_id(void)
{
	return READ_ONCE(egpu_last_id);
}

/* Functions. */

bool egpu_fn_is_gpu(struct pci_dev *pdev)
{
	u32 base = pdev->class >> 16;

	return !pdev->is_virtfn && (base == PCI_BASE_CLASS_DISPLAY ||
				    base == PCI_BASE_CLASS_ACCELERATOR);
}

static bool egpu_fn_same_device(struct pci_dev *a, struct pci_dev *b)
{
	return a->bus == b->bus && PCI_SLOT(a->devfn) == PCI_SLOT(b->devfn);
}

struct egpu_fn *egpu_fn_find(struct egpu_port *port, struct pci_dev *pdev)
{
	struct egpu_fn *fn;

	lockdep_assert_held(&port->lock);
	list_for_each_entry(fn, &port->functions, node)
		if (fn->pdev == pdev)
			return fn;
	return NULL;
}

/**
 * egpu_port_power() - keep the port's device awake, or let it sleep again
 * @port: the port, locked; its GPU or its state has changed
 *
 * A bridge that sleeps may take the power of all that lies below it: of a GPU
 * that has no driver, or one that is idle. So its port stays awake while one is
 * there. So it does while one is taken out: when a port wakes up, pciehp looks
 * whether a card is there, and takes it in again. The port's device alone is told
 * so, and nobody waits for it to wake up: callers hold locks, or are in a
 * notifier.
 */
void egpu_port_power(struct egpu_port *port)
{
	bool awake = port->nr_gated || port->state == EGPU_STATE_DETACHING ||
		     port->state == EGPU_STATE_DETACHED;

	lockdep_assert_held(&port->lock);
	if (awake == port->awake)
		return;
	port->awake = awake;
	if (awake)
		pm_runtime_get(&port->pdev->dev);
	else
		pm_runtime_put(&port->pdev->dev);
}

static void egpu_fn_gate(struct egpu_port *port, struct egpu_fn *fn)
{
	if (fn->gated)
		return;
	if (!port->nr_gated) {
		port->counters.arrivals++;
		port->generation++;
		port->replaced = false;
		port->mend_tries = 0;
	}
	fn->generation = port->generation;
	fn->gated = true;
	port->nr_gated++;
	egpu_port_power(port);
}

/*
 * A display function makes gated what came before it in the same device and is
 * unbound still; what comes after is gated because of it.
 */
static void egpu_fn_gate_siblings(struct egpu_port *port, struct egpu_fn *fn)
{
	bool gpu = egpu_fn_is_gpu(fn->pdev);
	struct egpu_fn *other;

	if (gpu)
		egpu_fn_gate(port, fn);
	if (fn->pdev->is_virtfn)
		return;
	list_for_each_entry(other, &port->functions, node) {
		if (other == fn || other->pdev->is_virtfn ||
		    !egpu_fn_same_device(other->pdev, fn->pdev))
			continue;
		if (gpu)
			egpu_fn_gate(port, other);
		else if (egpu_fn_is_gpu(other->pdev))
			egpu_fn_gate(port, fn);
	}
}

static void egpu_fn_note_bars(struct egpu_fn *fn)
{
	const struct resource *res;
	int i;

	for (i = 0; i < PCI_STD_NUM_BARS; i++) {
		res = &fn->pdev->resource[i];
		if (!(res->flags & IORESOURCE_MEM))
			continue;
		fn->bar_size[i] = resource_size(res);
		fn->bar_flags[i] = res->flags;
	}
}

/* The kernel closes a window that it cannot make large enough. */
static void egpu_port_note_windows(struct egpu_port *port)
{
	const struct resource *res;
	int i;

	for (i = 0; i < ARRAY_SIZE(port->window_size); i++) {
		res = &port->pdev->resource[PCI_BRIDGE_MEM_WINDOW + i];
		port->window_size[i] = res->parent ? resource_size(res) : 0;
	}
}

/**
 * egpu_fn_add() - record a function that arrived below a port
 * @port: the port, locked
 * @pdev: the function
 *
 * Return: the record, also when there was one already; NULL without memory.
 */
struct egpu_fn *egpu_fn_add(struct egpu_port *port, struct pci_dev *pdev)
{
	struct egpu_fn *fn;

	fn = egpu_fn_find(port, pdev);
	if (fn)
		return fn;
	fn = kmem_cache_zalloc(egpu_fn_cache, GFP_KERNEL);
	if (!fn)
		return NULL;
	fn->pdev = pci_dev_get(pdev);
	fn->generation = port->generation;
	fn->error_state = READ_ONCE(pdev->error_state);
	egpu_sleep_note(fn);
	egpu_fn_note_bars(fn);
	if (list_empty(&port->functions))
		egpu_port_note_windows(port);
	list_add_tail(&fn->node, &port->functions);
	egpu_fn_gate_siblings(port, fn);
	return fn;
}

static void egpu_fn_drop(struct egpu_port *port, struct egpu_fn *fn)
{
	list_del(&fn->node);
	if (fn->gated) {
		port->nr_gated--;
		egpu_port_power(port);
	}
	pci_dev_put(fn->pdev);
	kmem_cache_free(egpu_fn_cache, fn);
}

void egpu_fn_del(struct egpu_port *port, struct egpu_fn *fn)
{
	lockdep_assert_held(&port->lock);
	egpu_fn_drop(port, fn);
}

void egpu_fn_forget_all(struct egpu_port *port)
{
	struct egpu_fn *fn, *next;

	list_for_each_entry_safe(fn, next, &port->functions, node)
		egpu_fn_drop(port, fn);
}

void egpu_pdevs_free(struct egpu_pdevs *pdevs)
{
	u32 i;

	for (i = 0; i < pdevs->nr; i++)
		pci_dev_put(pdevs->pdev[i]);
	kfree(pdevs);
}

/**
 * egpu_fn_snapshot() - the functions below a port, to work on without its lock
 * @port: the port, not locked
 * @wanted: which, or NULL for all
 *
 * Return: the snapshot, each device with a reference, or NULL without memory.
 */
struct egpu_pdevs *egpu_fn_snapshot(struct egpu_port *port,
				    bool (*wanted)(struct egpu_fn *fn))
{
	struct egpu_pdevs *pdevs;
	struct egpu_fn *fn;
	u32 room = 0;

	guard(mutex)(&port->lock);
	list_for_each_entry(fn, &port->functions, node)
		room++;
	pdevs = kzalloc(struct_size(pdevs, pdev, room), GFP_KERNEL);
	if (!pdevs)
		return NULL;
	list_for_each_entry(fn, &port->functions, node) {
		if (wanted && !wanted(fn))
			continue;
		/* First the count: it bounds the array. */
		pdevs->nr++;
		pdevs->pdev[pdevs->nr - 1] = pci_dev_get(fn->pdev);
	}
	return pdevs;
}

/**
 * egpu_port_discover() - make the objects of all ports that are there
 *
 * Under the rescan lock, so that no port is being deleted meanwhile.
 */
void egpu_port_discover(void)
{
	struct pci_dev *pdev = NULL;
	struct egpu_port *port;

	pci_lock_rescan_remove();
	while ((pdev = pci_get_device(PCI_ANY_ID, PCI_ANY_ID, pdev))) {
		port = egpu_port_create(pdev);
		if (port)
			egpu_port_put(port);
	}
	pci_unlock_rescan_remove();
}

int egpu_port_init(void)
{
	egpu_port_cache = kmem_cache_create("egpu_port",
					    sizeof(struct egpu_port), 0, 0,
					    NULL);
	egpu_fn_cache = kmem_cache_create("egpu_function",
					  sizeof(struct egpu_fn), 0, 0, NULL);
	if (egpu_port_cache && egpu_fn_cache)
		return 0;
	kmem_cache_destroy(egpu_port_cache);
	kmem_cache_destroy(egpu_fn_cache);
	return -ENOMEM;
}

/* Bus notifier and jobs are over: nobody else looks at the list. */
void egpu_port_exit(void)
{
	struct egpu_port *port, *next;

	list_for_each_entry_safe(port, next, &egpu_ports, node) {
		mutex_lock(&egpu_ports_lock);
		egpu_port_unlist(port);
		mutex_unlock(&egpu_ports_lock);
		egpu_port_put(port);
	}
	kmem_cache_destroy(egpu_fn_cache);
	kmem_cache_destroy(egpu_port_cache);
}
