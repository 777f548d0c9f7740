// SPDX-License-Identifier: GPL-2.0-only
/*
 * From arrival to bound driver, as jobs: scan what is there, check what is
 * held, release it to its drivers; slot on; and the look after an error.
 */
#include <linux/pci.h>
#include <linux/pm_runtime.h>
#include <linux/timekeeping.h>

#include "egpu.h"

/*
 * A driver may be binding right now: then it counts as bound, until the
 * notification tells otherwise.
 */
static void egpu_fn_adopt(struct egpu_fn *fn)
{
	struct device *dev = &fn->pdev->dev;

	bool locked = device_trylock(dev);
	struct device_driver *drv = READ_ONCE(dev->driver);

	fn->found = true;
	if (drv && !egpu_bus_is_ours(drv)) {
		fn->bound = true;
		fn->adopted = true;
		strscpy(fn->driver, dev_driver_string(dev), sizeof(fn->driver));
	}
	if (locked)
		device_unlock(dev);
}

static int egpu_scan_one(struct pci_dev *pdev, void *data)
{
	struct egpu_port *port = data;
	struct egpu_port *owner;
	struct egpu_fn *fn;

	if (pdev->hdr_type != PCI_HEADER_TYPE_NORMAL)
		return 0;
	owner = egpu_port_for(pdev);
	if (owner == port) {
		mutex_lock(&port->lock);
		fn = egpu_fn_find(port, pdev);
		if (!fn && port->tracked) {
			fn = egpu_fn_add(port, pdev);
			if (fn)
				egpu_fn_adopt(fn);
		}
		mutex_unlock(&port->lock);
	}
	if (owner)
		egpu_port_put(owner);
	return 0;
}

/* Held, or about to be: not given to a driver yet. */
bool egpu_fn_is_held(struct egpu_fn *fn)
{
	return fn->hold;
}

static bool egpu_fn_is_unbound(struct egpu_fn *fn)
{
	return fn->gated && !fn->bound && !fn->hold &&
	       !READ_ONCE(fn->pdev->dev.driver);
}

static void egpu_scan_hold(struct egpu_port *port)
{
	struct egpu_pdevs *unbound __free(egpu_pdevs) =
		egpu_fn_snapshot(port, egpu_fn_is_unbound);
	u32 i;

	for (i = 0; unbound && i < unbound->nr; i++) {
		egpu_fn_hold(port, unbound->pdev[i]);
		/* Binds our own driver, which does nothing. */
		if (device_attach(&unbound->pdev[i]->dev) < 0)
			pci_warn(unbound->pdev[i], "egpu: cannot be held\n");
	}
}

/* An override that replaced ours before our probe() ran is its user's. */
static void egpu_scan_review(struct egpu_port *port)
{
	struct egpu_pdevs *held __free(egpu_pdevs) =
		egpu_fn_snapshot(port, egpu_fn_is_held);
	struct egpu_fn *fn;
	u32 i;

	for (i = 0; held && i < held->nr; i++) {
		if (egpu_override_matches(held->pdev[i], EGPU_NAME))
			continue;
		mutex_lock(&port->lock);
		fn = egpu_fn_find(port, held->pdev[i]);
		if (fn && !fn->held) {
			fn->hold = false;
			fn->override = true;
		}
		mutex_unlock(&port->lock);
	}
}

/**
 * egpu_scan() - look what is below a port that is tracked now
 * @port: the port
 *
 * What is bound is adopted and left untouched; what is not is held as if it had
 * just arrived. Comes before a tracked port's first job, whichever that is.
 */
void egpu_scan(struct egpu_port *port)
{
	struct pci_bus *bus;
	u32 tracks;

	egpu_step_set(port, EGPU_STEP_SCAN);
	scoped_guard(mutex, &port->lock)
		tracks = port->tracks;
	egpu_slot_look(port);
	pci_lock_rescan_remove();
	bus = port->pdev->subordinate;
	if (bus)
		pci_walk_bus(bus, egpu_scan_one, port);
	pci_unlock_rescan_remove();
	if (egpu_gate)
		egpu_scan_hold(port);
	egpu_scan_review(port);
	guard(mutex)(&port->lock);
	if (port->tracks == tracks)
		port->scanned = true;
}

/* Tell what the scan found. */
enum egpu_bit egpu_job_scan(struct egpu_port *port)
{
	struct egpu_fn *fn;

	guard(mutex)(&port->lock);
	if (!port->nr_gated)
		return EGPU_BIT_COUNT;
	list_for_each_entry(fn, &port->functions, node)
		if (fn->hold)
			return EGPU_BIT_ARRIVED;
	return EGPU_BIT_ADOPT;
}

/* What the register of an assigned BAR says. */
u64 egpu_bar_read(struct pci_dev *pdev, int i, bool is_64bit)
{
	u32 lo, hi = 0;

	pci_read_config_dword(pdev, PCI_BASE_ADDRESS_0 + 4 * i, &lo);
	if (is_64bit && i + 1 < PCI_STD_NUM_BARS)
		pci_read_config_dword(pdev, PCI_BASE_ADDRESS_0 + 4 * (i + 1),
				      &hi);
	return (u64)hi << 32 | (lo & (u32)PCI_BASE_ADDRESS_MEM_MASK);
}

/**
 * egpu_bars_match() - is every memory BAR assigned, and its register right?
 * @fn: the function; its port is locked
 *
 * A BAR for which there was no space has lost its flags and size (the kernel's
 * reset_resource()); what it was is remembered from its arrival.
 *
 * Return: true when there is nothing to complain of.
 */
bool egpu_bars_match(struct egpu_fn *fn)
{
	struct pci_dev *pdev = fn->pdev;
	struct pci_bus_region region;
	struct resource *res;
	int i;

	for (i = 0; i < PCI_STD_NUM_BARS; i++) {
		res = &pdev->resource[i];
		if (!(res->flags & IORESOURCE_MEM) || !resource_size(res)) {
			if (fn->bar_size[i])
				return false;
			continue;
		}
		if (!res->parent || res->flags & IORESOURCE_UNSET)
			return false;
		/* Enhanced Allocation: it has no register. */
		if (res->flags & IORESOURCE_PCI_FIXED)
			continue;
		pcibios_resource_to_bus(pdev->bus, &region, res);
		if (egpu_bar_read(pdev, i, res->flags & IORESOURCE_MEM_64) !=
		    region.start)
			return false;
	}
	return true;
}

bool egpu_config_is_sane(struct pci_dev *pdev)
{
	u32 id, class;

	pci_read_config_dword(pdev, PCI_VENDOR_ID, &id);
	pci_read_config_dword(pdev, PCI_CLASS_REVISION, &class);
	return id == (pdev->vendor | (u32)pdev->device << 16) &&
	       class >> 8 == pdev->class;
}

static u32 egpu_check_held(struct egpu_port *port)
{
	struct egpu_fn *fn;
	u32 failed = 0;

	lockdep_assert_held(&port->lock);
	list_for_each_entry(fn, &port->functions, node) {
		if (!fn->hold)
			continue;
		if (!egpu_config_is_sane(fn->pdev))
			failed |= EGPU_CHECK_CONFIG;
		else if (!egpu_bars_match(fn))
			failed |= EGPU_CHECK_BAR;
	}
	return failed;
}

/* What is held without a driver of its own does not keep the port awake. */
static u32 egpu_check_functions(struct egpu_port *port)
{
	u32 failed;

	pm_runtime_get_sync(&port->pdev->dev);
	scoped_guard(mutex, &port->lock)
		failed = egpu_check_held(port);
	pm_runtime_put(&port->pdev->dev);
	return failed;
}

/* The same, and room is made for BARs that have none. */
static u32 egpu_check_space(struct egpu_port *port)
{
	u32 failed = egpu_check_functions(port);

	if (failed != EGPU_CHECK_BAR || !egpu_make_room ||
	    egpu_port_is_bound(port))
		return failed;
	if (!egpu_space_fit(port))
		failed = egpu_check_functions(port);
	egpu_step_set(port, EGPU_STEP_CHECK);
	return failed;
}

static void egpu_check_tell(struct egpu_port *port, u32 failed)
{
	struct egpu_event event;
	u32 bit;

	lockdep_assert_held(&port->lock);
	for (bit = 0; bit < 32; bit++) {
		if (!(failed & ~port->failed_checks & BIT(bit)))
			continue;
		egpu_event_prepare(&event, port, EGPU_EVENT_CHECK);
		event.value = BIT(bit);
		egpu_event_send(port, &event);
	}
	port->failed_checks = failed;
}

static bool egpu_is_quarantined(struct egpu_port *port)
{
	u64 since = ktime_get_ns();
	u32 losses = 0;
	u32 i;

	if (!port->quarantine_losses)
		return false;
	since -= min_t(u64, since,
		       (u64)port->quarantine_window_ms * NSEC_PER_MSEC);
	for (i = 0; i < EGPU_QUARANTINE_LOSSES_MAX; i++)
		losses += port->loss_ns[i] && port->loss_ns[i] >= since;
	return losses >= port->quarantine_losses;
}

/* The port is locked. */
static enum egpu_bit egpu_check_decide(struct egpu_port *port, u32 failed)
{
	egpu_check_tell(port, failed);
	if (!port->admit && egpu_is_quarantined(port))
		return EGPU_BIT_QUARANTINE;
	/* A link that is not as good as it could be holds nobody back. */
	if (failed & ~port->ignored_checks & ~EGPU_CHECK_LINK)
		port->job_reason = EGPU_REASON_CHECK_FAILED;
	else if (port->admit)
		return EGPU_BIT_DONE;
	else if (port->kept)
		port->job_reason = EGPU_REASON_UNBOUND;
	else if (port->came_back)
		port->job_reason = EGPU_REASON_NOT_REMOVED;
	else if (port->policy == EGPU_POLICY_MANUAL)
		port->job_reason = EGPU_REASON_MANUAL;
	else
		return EGPU_BIT_DONE;
	return EGPU_BIT_WAIT;
}

static bool egpu_fn_wants_rebind(struct egpu_fn *fn)
{
	return fn->rebind;
}

/* A detach that turned back had unbound the dock's other functions, too. */
static void egpu_rebind(struct egpu_port *port)
{
	struct egpu_pdevs *others __free(egpu_pdevs) =
		egpu_fn_snapshot(port, egpu_fn_wants_rebind);
	struct egpu_fn *fn;
	u32 i;

	for (i = 0; others && i < others->nr; i++) {
		mutex_lock(&port->lock);
		fn = egpu_fn_find(port, others->pdev[i]);
		if (fn)
			fn->rebind = false;
		mutex_unlock(&port->lock);
		if (device_attach(&others->pdev[i]->dev) < 0)
			pci_warn(others->pdev[i],
				 "egpu: no driver could be bound\n");
	}
}

/* All that was being added is: what arrived until now is checked here. */
static void egpu_check_covers(struct egpu_port *port)
{
	guard(mutex)(&port->lock);
	if (egpu_job_is_current(port))
		clear_bit(EGPU_BIT_ARRIVED, port->pending);
}

/**
 * egpu_job_check() - check what is held, and decide on its admission
 * @port: the port
 *
 * Configuration space sane, memory BARs in order, for which room is made if need
 * be, the link as good as both ends can do; it is trained once more if not.
 * Unassigned I/O BARs and expansion ROMs are no reason.
 */
enum egpu_bit egpu_job_check(struct egpu_port *port)
{
	struct egpu_fn *fn;
	bool held = false;
	u32 failed;

	egpu_step_set(port, EGPU_STEP_CHECK);
	egpu_slot_look(port);
	egpu_check_covers(port);
	egpu_scan_review(port);
	if (egpu_sleep_review(port) == EGPU_OTHER) {
		egpu_job_result(port, ENODEV, EGPU_REASON_RECOVERY_FAILED);
		return EGPU_BIT_FAILED;
	}
	failed = egpu_check_space(port);
	if (!failed && !egpu_port_is_bound(port) && !egpu_train_arrival(port))
		failed = EGPU_CHECK_LINK | egpu_check_functions(port);
	if (!READ_ONCE(port->nr_gated))
		egpu_rebind(port);

	guard(mutex)(&port->lock);
	if (!port->nr_gated)
		return EGPU_BIT_VACANT;
	list_for_each_entry(fn, &port->functions, node)
		held |= fn->hold;
	if (!held)
		return EGPU_BIT_DONE;
	return egpu_check_decide(port, failed);
}

/**
 * egpu_fn_release() - give a held function to the driver that wants it
 * @port: its port, not locked
 * @pdev: the function
 * @attach: bind a driver; else only let it go
 *
 * Returns when probe() of that driver has.
 */
void egpu_fn_release(struct egpu_port *port, struct pci_dev *pdev, bool attach)
{
	struct egpu_fn *fn;

	mutex_lock(&port->lock);
	fn = egpu_fn_find(port, pdev);
	if (fn)
		fn->hold = false;
	mutex_unlock(&port->lock);
	if (!fn)
		return;
	egpu_override_clear_if(pdev, EGPU_NAME);
	if (egpu_bus_is_ours(READ_ONCE(pdev->dev.driver)))
		device_release_driver(&pdev->dev);
	if (attach && device_attach(&pdev->dev) < 0)
		pci_warn(pdev, "egpu: no driver could be bound\n");
}

/*
 * The machine may have slept since the check. A port that is to be forgotten
 * lets go of what it holds in any case, but gives it to nobody.
 */
static bool egpu_release_is_safe(struct egpu_port *port, bool *attach)
{
	enum egpu_identity who = egpu_sleep_review(port);

	*attach = who == EGPU_SAME;
	if (*attach || test_bit(EGPU_BIT_FORGET, port->pending))
		return true;
	egpu_job_result(port, ENODEV, who == EGPU_OTHER ?
			EGPU_REASON_RECOVERY_FAILED : EGPU_REASON_CHECK_FAILED);
	return false;
}

enum egpu_bit egpu_job_release(struct egpu_port *port)
{
	struct egpu_pdevs *held __free(egpu_pdevs) =
		egpu_fn_snapshot(port, egpu_fn_is_held);
	bool attach;
	u32 i;

	if (!held) {
		egpu_job_result(port, ENOMEM, EGPU_REASON_BIND_FAILED);
		return EGPU_BIT_FAILED;
	}
	if (!egpu_release_is_safe(port, &attach))
		return EGPU_BIT_FAILED;
	egpu_step_set(port, EGPU_STEP_PROBE);
	for (i = 0; i < held->nr; i++)
		egpu_fn_release(port, held->pdev[i], attach);
	egpu_rebind(port);
	return EGPU_BIT_DONE;
}

enum egpu_bit egpu_job_enable(struct egpu_port *port)
{
	/* Asked for before the scan had told: it is there already. */
	enum egpu_bit bit = egpu_job_scan(port);
	int ret;

	if (bit != EGPU_BIT_COUNT)
		return bit;
	egpu_step_set(port, EGPU_STEP_SLOT_ON);
	ret = egpu_slot_on(port);
	egpu_job_result(port, -ret, EGPU_REASON_SLOT_FAILED);
	if (ret)
		return EGPU_BIT_FAILED;
	egpu_scan(port);
	bit = egpu_job_scan(port);
	return bit == EGPU_BIT_COUNT ? EGPU_BIT_DONE : bit;
}

/* Bound and enabled, so memory decoding was on; a reset switches it off. */
static bool egpu_fn_is_intact(struct egpu_fn *fn)
{
	struct pci_dev *pdev = fn->pdev;
	u16 command;

	pci_read_config_word(pdev, PCI_COMMAND, &command);
	if (pci_is_enabled(pdev) && !(command & PCI_COMMAND_MEMORY))
		return false;
	return egpu_bars_match(fn);
}

static enum egpu_bit egpu_recovery_one(struct egpu_port *port,
				       struct egpu_fn *fn)
{
	u64 now = ktime_get_ns();
	u32 id;

	lockdep_assert_held(&port->lock);
	pci_read_config_dword(fn->pdev, PCI_VENDOR_ID, &id);
	if (PCI_POSSIBLE_ERROR(id)) {
		fn->readable_since = 0;
		if (now - fn->frozen_since <
		    (u64)EGPU_FROZEN_MAX_MS * NSEC_PER_MSEC)
			return EGPU_BIT_COUNT;
		return EGPU_BIT_LOST;
	}
	if (!fn->readable_since)
		fn->readable_since = now;
	if (now - fn->readable_since < (u64)EGPU_READABLE_MS * NSEC_PER_MSEC)
		return EGPU_BIT_COUNT;
	if (egpu_fn_is_intact(fn)) {
		fn->frozen_since = 0;
		return EGPU_BIT_COUNT;
	}
	return EGPU_BIT_ERROR;
}

/**
 * egpu_job_recovery() - after an error: did the recovery leave it usable?
 * @port: the port
 *
 * A driver without error handlers stays frozen for ever, although the kernel
 * reset the bus. When the id could be read for two seconds, compare. After sleep
 * another device may be there: that one's driver has to go, too.
 */
enum egpu_bit egpu_job_recovery(struct egpu_port *port)
{
	enum egpu_bit bit;
	struct egpu_fn *fn;

	if (egpu_slot_dpc_triggered(port))
		return EGPU_BIT_COUNT;
	guard(mutex)(&port->lock);
	if (!egpu_job_is_current(port))
		return EGPU_BIT_COUNT;
	bit = egpu_sleep_look(port);
	list_for_each_entry(fn, &port->functions, node) {
		if (bit != EGPU_BIT_COUNT)
			break;
		if (fn->gated && fn->frozen_since)
			bit = egpu_recovery_one(port, fn);
	}
	return bit;
}
