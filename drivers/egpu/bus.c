// SPDX-License-Identifier: GPL-2.0-only
/*
 * The PCI bus notifier: what arrives, binds, unbinds, goes. And the gate: a
 * gated function that arrives gets the driver override "egpu", the name of the
 * pci_driver here, so that it is held by being bound to us.
 *
 * ADD and DEL come without the device_lock, the others with it; the rescan
 * lock may or may not be held. Nothing here binds, unbinds or waits.
 */
#include <linux/module.h>
#include <linux/pci.h>
#include <linux/pm_runtime.h>
#include <linux/timekeeping.h>

#include "egpu.h"

static struct pci_driver egpu_stub;
static atomic_t egpu_arrivals;

bool egpu_bus_is_ours(struct device_driver *drv)
{
	return drv == &egpu_stub.driver;
}

/*
 * The port that has a record of @pdev, locked and with a reference. Not by
 * egpu_port_for(): what is tracked may have changed since it was recorded.
 */
struct egpu_port *egpu_bus_lock(struct pci_dev *pdev, struct egpu_fn **fn)
{
	struct pci_dev *above = pdev;
	struct egpu_port *port;

	while ((above = pci_upstream_bridge(above))) {
		port = egpu_port_get_by_pdev(above);
		if (!port)
			continue;
		mutex_lock(&port->lock);
		*fn = egpu_fn_find(port, pdev);
		if (*fn)
			return port;
		mutex_unlock(&port->lock);
		egpu_port_put(port);
	}
	return NULL;
}

void egpu_bus_unlock(struct egpu_port *port)
{
	mutex_unlock(&port->lock);
	egpu_port_put(port);
}

/**
 * egpu_fn_is_absent() - did a function vanish, rather than being removed?
 * @port: its port
 * @pdev: the function
 *
 * pciehp marks what vanished before it removes it. Where nobody marks, an id of
 * all ones counts when the way to the function is awake and neither DPC nor
 * error recovery keeps it away (PCIe 6.0.1 section 6.2.11).
 *
 * Return: true when it vanished.
 */
bool egpu_fn_is_absent(struct egpu_port *port, struct pci_dev *pdev)
{
	pci_channel_state_t state = READ_ONCE(pdev->error_state);
	u32 id;

	if (state == pci_channel_io_perm_failure)
		return true;
	if (state == pci_channel_io_frozen)
		return false;
	if (port->pdev->current_state != PCI_D0 ||
	    pm_runtime_suspended(&port->pdev->dev) ||
	    pdev->current_state == PCI_D3cold)
		return false;
	if (egpu_slot_dpc_triggered(port))
		return false;
	pci_bus_read_config_dword(pdev->bus, pdev->devfn, PCI_VENDOR_ID, &id);
	return PCI_POSSIBLE_ERROR(id);
}

/**
 * egpu_fn_hold() - keep every driver but ours off a function
 * @port: its port, not locked
 * @pdev: the function; its device_lock is not held
 *
 * An override that somebody else set is theirs and stays.
 *
 * Return: true when it is held now, and was not before.
 */
bool egpu_fn_hold(struct egpu_port *port, struct pci_dev *pdev)
{
	struct egpu_fn *fn;
	bool ours, new;
	int ret;

	if (egpu_manage_has(port, pdev))
		return false;
	ret = egpu_override_claim(pdev, EGPU_NAME);
	ours = !ret || egpu_override_matches(pdev, EGPU_NAME);

	mutex_lock(&port->lock);
	fn = egpu_fn_find(port, pdev);
	new = fn && ours && !fn->hold;
	if (fn) {
		fn->hold = ours;
		fn->override = ret == -EBUSY && !ours;
	}
	mutex_unlock(&port->lock);
	/* Forgotten meanwhile: nobody would ever take it back. */
	if (!fn && !ret)
		egpu_override_clear_if(pdev, EGPU_NAME);
	else if (ret && ret != -EBUSY)
		pci_warn(pdev, "egpu: cannot hold it back: %d\n", ret);
	return new;
}

static bool egpu_fn_wants_hold(struct egpu_fn *fn)
{
	return fn->gated && !fn->hold && !fn->override && !fn->bound &&
	       !READ_ONCE(fn->pdev->dev.driver);
}

static void egpu_bus_added(struct pci_dev *pdev)
{
	struct egpu_port *port __free(egpu_port) = NULL;
	struct egpu_pdevs *hold __free(egpu_pdevs) = NULL;
	struct egpu_fn *fn = NULL;
	u32 i;

	if (pdev->hdr_type != PCI_HEADER_TYPE_NORMAL) {
		port = egpu_port_create(pdev);
		return;
	}
	port = egpu_port_for(pdev);
	if (!port)
		return;
	mutex_lock(&port->lock);
	if (READ_ONCE(port->tracked))
		fn = egpu_fn_add(port, pdev);
	if (fn)
		egpu_event_function(port, EGPU_EVENT_FUNCTION_ADDED, pdev,
				    NULL);
	mutex_unlock(&port->lock);
	if (!fn)
		return;
	if (egpu_gate)
		hold = egpu_fn_snapshot(port, egpu_fn_wants_hold);
	for (i = 0; hold && i < hold->nr; i++)
		egpu_fn_hold(port, hold->pdev[i]);
	/*
	 * What is held says so itself when our probe() has run; but a user may
	 * replace our override before, so look when adding is over.
	 */
	if (READ_ONCE(port->nr_gated))
		egpu_state_post(port, EGPU_BIT_APPEARED);
}

/* How many devices came, wherever: has any, since it was asked before? */
u32 egpu_bus_arrivals(void)
{
	return atomic_read(&egpu_arrivals);
}

/* Of two GPUs below a port one that goes is no loss of the port's. */
static bool egpu_bus_is_loss(struct egpu_port *port)
{
	struct egpu_fn *fn;

	lockdep_assert_held(&port->lock);
	/* The link may be up again already. */
	if (port->dropped)
		return true;
	list_for_each_entry(fn, &port->functions, node)
		if (fn->gated && !egpu_fn_is_absent(port, fn->pdev))
			return false;
	return true;
}

static void egpu_bus_deleted(struct pci_dev *pdev)
{
	struct egpu_port *port;
	struct egpu_fn *fn;

	if (pdev->hdr_type != PCI_HEADER_TYPE_NORMAL) {
		egpu_port_gone(pdev);
		return;
	}
	/* Once, or once more where a port nearer to it was tracked later. */
	while ((port = egpu_bus_lock(pdev, &fn))) {
		if (fn->gated && egpu_bus_is_loss(port))
			egpu_state_post(port, EGPU_BIT_LOST);
		if (fn->gated && port->nr_gated == 1)
			egpu_state_post(port, EGPU_BIT_EMPTIED);
		egpu_event_function(port, EGPU_EVENT_FUNCTION_REMOVED, pdev,
				    NULL);
		egpu_fn_del(port, fn);
		egpu_bus_unlock(port);
	}
}

/* The driver core is about to call probe() or remove(). */
static void egpu_bus_busy(struct pci_dev *pdev, bool removing)
{
	struct device_driver *drv = pdev->dev.driver;
	struct egpu_port *port;
	struct egpu_fn *fn;

	port = egpu_bus_lock(pdev, &fn);
	if (!port)
		return;
	if (drv && !egpu_bus_is_ours(drv)) {
		fn->busy_since = ktime_get_ns();
		fn->removing = removing;
		strscpy(fn->driver, drv->name, sizeof(fn->driver));
	}
	/* Told before remove() begins. The record may be gone afterwards. */
	if (removing && fn->gated && egpu_bus_is_loss(port))
		egpu_state_post_now(port, EGPU_BIT_LOST);
	egpu_bus_unlock(port);
}

static bool egpu_port_holds_any(struct egpu_port *port)
{
	struct egpu_fn *fn;

	list_for_each_entry(fn, &port->functions, node)
		if (fn->gated && (fn->held || fn->hold))
			return true;
	return false;
}

static void egpu_bus_bound(struct pci_dev *pdev)
{
	struct device_driver *drv = pdev->dev.driver;
	struct egpu_port *port;
	struct egpu_fn *fn;

	if (!drv || egpu_bus_is_ours(drv))
		return;
	port = egpu_bus_lock(pdev, &fn);
	if (!port)
		return;
	fn->busy_since = 0;
	fn->bound = true;
	fn->probe_failed = false;
	strscpy(fn->driver, drv->name, sizeof(fn->driver));
	if (!egpu_drm_has(pdev))
		fn->manage_bits = 0;
	if (fn->hold) {	/* by an override that replaced ours */
		fn->hold = false;
		fn->override = !fn->manage_bits;
	}
	egpu_event_function(port, EGPU_EVENT_BOUND, pdev, drv->name);
	if (fn->gated && !egpu_port_holds_any(port))
		egpu_state_post(port, EGPU_BIT_ADMITTED);
	egpu_bus_unlock(port);
}

static void egpu_bus_unbound(struct pci_dev *pdev, bool failed)
{
	struct egpu_port *port;
	struct egpu_fn *fn;

	port = egpu_bus_lock(pdev, &fn);
	if (!port)
		return;
	if (fn->busy_since || fn->bound) {
		if (failed)
			fn->probe_failed = true;
		else
			egpu_event_function(port, EGPU_EVENT_UNBOUND, pdev,
					    fn->driver);
		fn->busy_since = 0;
		fn->bound = false;
		fn->adopted = false;
		fn->driver[0] = '\0';
	}
	egpu_bus_unlock(port);
}

static int egpu_bus_notify(struct notifier_block *nb, unsigned long action,
			   void *data)
{
	struct pci_dev *pdev = to_pci_dev(data);

	switch (action) {
	case BUS_NOTIFY_ADD_DEVICE:
		atomic_inc(&egpu_arrivals);
		egpu_bus_added(pdev);
		break;
	case BUS_NOTIFY_DEL_DEVICE:
		egpu_bus_deleted(pdev);
		break;
	case BUS_NOTIFY_BIND_DRIVER:
		egpu_bus_busy(pdev, false);
		break;
	case BUS_NOTIFY_BOUND_DRIVER:
		egpu_bus_bound(pdev);
		break;
	case BUS_NOTIFY_DRIVER_NOT_BOUND:
		egpu_bus_unbound(pdev, true);
		break;
	case BUS_NOTIFY_UNBIND_DRIVER:
		egpu_bus_busy(pdev, true);
		break;
	case BUS_NOTIFY_UNBOUND_DRIVER:
		egpu_bus_unbound(pdev, false);
		break;
	}
	return NOTIFY_OK;
}

static struct notifier_block egpu_bus_nb = {
	.notifier_call = egpu_bus_notify,
};

/*
 * The gate's driver has no id table: it binds only where the override says
 * its name, and root can write any override. So it wants a hold record.
 */
static int egpu_stub_probe(struct pci_dev *pdev, const struct pci_device_id *id)
{
	struct egpu_port *port;
	struct egpu_fn *fn;
	bool held;

	port = egpu_bus_lock(pdev, &fn);
	if (!port)
		return -ENODEV;
	held = fn->hold;
	if (held) {
		fn->held = true;
		/* The check waits until its siblings are added, too. */
		egpu_state_post(port, EGPU_BIT_ARRIVED);
	}
	egpu_bus_unlock(port);
	if (!held)
		return -ENODEV;
	/* For slot_reset() below: a reset leaves the BARs at zero. */
	pci_save_state(pdev);
	return 0;
}

static void egpu_stub_remove(struct pci_dev *pdev)
{
	struct egpu_port *port;
	struct egpu_fn *fn;

	port = egpu_bus_lock(pdev, &fn);
	if (!port)
		return;
	fn->held = false;
	egpu_bus_unlock(port);
}

/* A held function must not veto the recovery of its siblings. */
static pci_ers_result_t egpu_stub_error_detected(struct pci_dev *pdev,
						 pci_channel_state_t state)
{
	if (state == pci_channel_io_perm_failure)
		return PCI_ERS_RESULT_DISCONNECT;
	return state == pci_channel_io_frozen ? PCI_ERS_RESULT_NEED_RESET :
						PCI_ERS_RESULT_CAN_RECOVER;
}

static pci_ers_result_t egpu_stub_slot_reset(struct pci_dev *pdev)
{
	pci_restore_state(pdev);
	pci_save_state(pdev);
	return PCI_ERS_RESULT_RECOVERED;
}

static const struct pci_error_handlers egpu_stub_errors = {
	.error_detected = egpu_stub_error_detected,
	.slot_reset = egpu_stub_slot_reset,
};

static struct pci_driver egpu_stub = {
	.name = EGPU_NAME,
	.probe = egpu_stub_probe,
	.remove = egpu_stub_remove,
	.err_handler = &egpu_stub_errors,
};

int egpu_bus_init(void)
{
	int ret = pci_register_driver(&egpu_stub);

	if (ret)
		return ret;
	ret = bus_register_notifier(&pci_bus_type, &egpu_bus_nb);
	if (ret)
		pci_unregister_driver(&egpu_stub);
	return ret;
}

/* After it returns nothing new is seen. What is held stays bound to us. */
void egpu_bus_quiesce(void)
{
	bus_unregister_notifier(&pci_bus_type, &egpu_bus_nb);
}

void egpu_bus_exit(void)
{
	pci_unregister_driver(&egpu_stub);
}
