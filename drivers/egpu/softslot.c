// SPDX-License-Identifier: GPL-2.0-only
/*
 * Soft slots: a hotplug slot of our own on a port without hotplug capability,
 * as most OCuLink and M.2 links have. Looking at Data Link Layer Link Active
 * replaces the interrupt (softwatch.c), Link Disable the power controller
 * (softlink.c).
 *
 * A slot is registered by a job and deregistered by a work item of its own: a
 * writer of its power file, whom that waits for, may wait for a job.
 */
#include <linux/bitfield.h>
#include <linux/module.h>
#include <linux/pci.h>
#include <linux/pm_runtime.h>
#include <linux/slab.h>

#include "softslot.h"

/* It holds its file's own locks alone: the freezer need not wait for it. */
#define EGPU_WRITER_WAITS	(TASK_KILLABLE | TASK_FREEZABLE_UNSAFE)

struct workqueue_struct *egpu_soft_wq;

/* The slot's operations: the same as ATTACH and DETACH. */

/* Asked while about to sleep, so without the lock; egpu_soft_result() has it. */
static bool egpu_soft_is_over(struct egpu_soft *soft, u32 id)
{
	return READ_ONCE(soft->stopped) || READ_ONCE(soft->port->txn.id) != id;
}

static int egpu_soft_result(struct egpu_soft *soft, u32 id)
{
	struct egpu_port *port = soft->port;

	guard(mutex)(&port->lock);
	if (port->ended_id == id)
		return -port->ended_error;
	/* Something else began and ended after it already. */
	return soft->stopped ? -ENODEV : 0;
}

/* Return: the id of the transaction, or a negative errno. */
static s64 egpu_soft_transact(struct egpu_soft *soft, u32 kind)
{
	struct egpu_port *port = soft->port;
	bool attach = kind == EGPU_TRANSACTION_ATTACH;
	bool children = egpu_port_has_children(port);
	bool empty;
	long ret;

	guard(mutex)(&port->lock);
	if (port->soft != soft)
		return -ENODEV;
	ret = egpu_may_begin(port);
	if (ret)
		return ret;
	empty = port->state == EGPU_STATE_EMPTY;
	if (!attach && empty && !children && list_empty(&port->functions))
		return -ENODEV;
	if (!egpu_transaction_begin(port, kind))
		return -ENODEV;
	port->admit = attach;
	egpu_state_post(port, attach ? EGPU_BIT_ATTACH :
			empty ? EGPU_BIT_CABLE : EGPU_BIT_DETACH);
	return port->txn.id;
}

static int egpu_soft_operate(struct hotplug_slot *slot, u32 kind)
{
	struct egpu_soft *soft = container_of(slot, struct egpu_soft, slot);
	s64 id;
	int ret;

	if (!capable(CAP_SYS_ADMIN))
		return -EPERM;
	if (kind == EGPU_TRANSACTION_DETACH) {
		ret = egpu_detach_precheck(soft->port, NULL, false);
		if (ret)
			return ret;
	}
	id = egpu_soft_transact(soft, kind);
	if (id < 0)
		return (int)id;
	if (wait_event_state(soft->wait, egpu_soft_is_over(soft, id),
			     EGPU_WRITER_WAITS))
		return -EINTR;
	return egpu_soft_result(soft, id);
}

static int egpu_soft_enable(struct hotplug_slot *slot)
{
	return egpu_soft_operate(slot, EGPU_TRANSACTION_ATTACH);
}

static int egpu_soft_disable(struct hotplug_slot *slot)
{
	return egpu_soft_operate(slot, EGPU_TRANSACTION_DETACH);
}

static int egpu_soft_get_power(struct hotplug_slot *slot, u8 *value)
{
	struct egpu_soft *soft = container_of(slot, struct egpu_soft, slot);

	*value = !READ_ONCE(soft->disabled);
	return 0;
}

static int egpu_soft_get_adapter(struct hotplug_slot *slot, u8 *value)
{
	struct egpu_soft *soft = container_of(slot, struct egpu_soft, slot);

	guard(mutex)(&soft->port->lock);
	*value = soft->up || soft->present;
	return 0;
}

static void egpu_soft_pause(struct egpu_soft *soft, bool pause)
{
	egpu_soft_quiet(soft, pause);
	guard(mutex)(&soft->port->lock);
	egpu_soft_excuse(soft);
}

/* The kernel resets what is below through it: that is no loss. */
static int egpu_soft_reset(struct hotplug_slot *slot, bool probe)
{
	struct egpu_soft *soft = container_of(slot, struct egpu_soft, slot);
	int ret;

	if (probe)
		return 0;
	egpu_soft_pause(soft, true);
	ret = pci_bridge_secondary_bus_reset(soft->port->pdev);
	egpu_soft_pause(soft, false);
	return ret;
}

static const struct hotplug_slot_ops egpu_soft_ops = {
	.enable_slot = egpu_soft_enable,
	.disable_slot = egpu_soft_disable,
	.get_power_status = egpu_soft_get_power,
	.get_adapter_status = egpu_soft_get_adapter,
	.reset_slot = egpu_soft_reset,
};

/* A transaction has ended: see whose it was. */
void egpu_soft_wake(struct egpu_port *port)
{
	lockdep_assert_held(&port->lock);
	if (port->soft)
		wake_up_all(&port->soft->wait);
}

/* Another interval holds at once. The port is locked. */
void egpu_soft_hurry(struct egpu_port *port)
{
	lockdep_assert_held(&port->lock);
	if (port->soft)
		egpu_soft_look_in(port->soft, 0);
}

/* The machine slept: links train again. The port is locked. */
void egpu_soft_woke(struct egpu_port *port)
{
	lockdep_assert_held(&port->lock);
	if (port->soft)
		egpu_soft_excuse(port->soft);
}

/* Its beginning and its end. */

static void egpu_soft_drop(struct egpu_port *port, struct pci_bus *bus)
{
	pm_runtime_put(&port->pdev->dev);
	put_device(&bus->dev);
	egpu_port_put(port);
}

static void egpu_soft_deregister(struct egpu_soft *soft)
{
	struct egpu_port *port = soft->port;
	struct pci_bus *bus = soft->bus;
	bool vacant;

	cancel_delayed_work_sync(&soft->watch);
	/* Link Disable goes back to what it was, but under nobody's feet. */
	vacant = egpu_soft_is_vacant(soft);
	scoped_guard(mutex, &port->lock)
		if (!soft->gone)
			egpu_soft_link_disable(soft, soft->found_disabled &&
					       vacant);
	pci_hp_deregister(&soft->slot);
	scoped_guard(mutex, &port->lock) {
		soft->ending = false;
		/* Asked for again meanwhile? */
		if (egpu_soft_is_due(port))
			egpu_state_kick(port);
	}
	egpu_soft_drop(port, bus);
}

static void egpu_soft_end(struct work_struct *work)
{
	egpu_soft_deregister(container_of(work, struct egpu_soft, end));
}

/* A port's slot, also of the time before it was forgotten. */
static struct egpu_soft *egpu_soft_memory(struct egpu_port *port)
{
	struct egpu_soft *soft = port->soft_memory;

	if (soft)
		return soft;
	soft = kzalloc(sizeof(*soft), GFP_KERNEL);
	if (!soft)
		return NULL;
	soft->port = port;
	soft->stopped = true;
	soft->slot.ops = &egpu_soft_ops;
	init_waitqueue_head(&soft->wait);
	INIT_DELAYED_WORK(&soft->watch, egpu_soft_watch);
	INIT_WORK(&soft->end, egpu_soft_end);
	guard(mutex)(&port->lock);
	port->soft_memory = soft;
	return soft;
}

/* The number of the physical slot; 0: there is none. */
static u32 egpu_soft_number(struct egpu_port *port)
{
	struct pci_dev *pdev = port->pdev;
	u32 cap = 0;

	if (pcie_caps_reg(pdev) & PCI_EXP_FLAGS_SLOT)
		pcie_capability_read_dword(pdev, PCI_EXP_SLTCAP, &cap);
	return cap != ~0U ? FIELD_GET(PCI_EXP_SLTCAP_PSN, cap) : 0;
}

/* Its name is the number, or the port's address where that one is taken. */
static int egpu_soft_initialize(struct egpu_port *port, struct egpu_soft *soft)
{
	u32 number = egpu_soft_number(port);
	char name[EGPU_NAME_LEN];
	int ret;

	if (number) {
		snprintf(name, sizeof(name), "%u", number);
		ret = pci_hp_initialize(&soft->slot, soft->bus, EGPU_SLOT_NR,
					name);
		if (ret || !strcmp(hotplug_slot_name(&soft->slot), name))
			return ret;
		pci_hp_destroy(&soft->slot);
	}
	return pci_hp_initialize(&soft->slot, soft->bus, EGPU_SLOT_NR,
				 pci_name(port->pdev));
}

/* Newer kernels number slots of a whole bus otherwise than a single device's. */
static bool egpu_soft_is_taken(struct pci_bus *bus)
{
	struct pci_slot *slot;
	bool taken;

	if (!EGPU_SLOT_NR)
		return false;
	slot = pci_create_slot(bus, 0, EGPU_NAME, NULL);
	if (IS_ERR(slot))
		return false;
	taken = slot->hotplug;
	pci_destroy_slot(slot);
	return taken;
}

static int egpu_soft_register(struct egpu_port *port, struct egpu_soft *soft)
{
	u32 link = 0;
	int ret;

	pcie_capability_read_dword(port->pdev, PCI_EXP_LNKCAP, &link);
	if (PCI_POSSIBLE_ERROR(link) || !(link & PCI_EXP_LNKCAP_DLLLARC))
		return -EOPNOTSUPP;
	if (egpu_soft_is_taken(soft->bus))
		return -EBUSY;
	ret = egpu_soft_initialize(port, soft);
	if (ret)
		return ret;
	ret = pci_hp_add(&soft->slot);
	if (ret)
		pci_hp_destroy(&soft->slot);
	return ret;
}

/* Link Disable may be left from firmware, or from a crash. The port is locked. */
static void egpu_soft_start(struct egpu_soft *soft)
{
	struct egpu_port *port = soft->port;
	u16 control = 0, status = 0;

	pcie_capability_read_word(port->pdev, PCI_EXP_LNKCTL, &control);
	pcie_capability_read_word(port->pdev, PCI_EXP_LNKSTA, &status);
	soft->stopped = false;
	soft->gone = false;
	soft->found_disabled = control != (u16)~0 &&
			       control & PCI_EXP_LNKCTL_LD;
	soft->disabled = false;
	soft->listen = false;
	soft->present = false;
	soft->up = status != (u16)~0 && status & PCI_EXP_LNKSTA_DLLLA;
	soft->fresh = soft->up;
	soft->down_ns = 0;
	soft->next_ns = 0;
	soft->wait_ms = 0;
	soft->lost_ms = 0;
	egpu_soft_link_disable(soft, false);
	port->soft = soft;
	if (port->state != EGPU_STATE_FAULT)
		port->step_error = 0;
	port->backend = EGPU_BACKEND_SOFT;
	strscpy(port->slot_name, hotplug_slot_name(&soft->slot),
		sizeof(port->slot_name));
	egpu_soft_look_in(soft, 0);
}

static void egpu_soft_failed(struct egpu_port *port, int ret)
{
	struct egpu_event event;

	guard(mutex)(&port->lock);
	port->soft_wanted = false;
	port->step_error = -ret;
	egpu_event_prepare(&event, port, EGPU_EVENT_CONFIG);
	event.error = -ret;
	egpu_event_send(port, &event);
}

/* Return: the bus below with a reference, and the port is awake; or NULL. */
static struct pci_bus *egpu_soft_hold(struct egpu_port *port)
{
	struct pci_bus *bus;

	pci_lock_rescan_remove();
	bus = port->pdev->subordinate;
	if (bus)
		get_device(&bus->dev);
	pci_unlock_rescan_remove();
	if (!bus)
		return NULL;
	egpu_port_get(port);
	pm_runtime_get_sync(&port->pdev->dev);
	return bus;
}

/* Return: 0 when the slot is registered; nobody knows of it yet. */
static int egpu_soft_prepare(struct egpu_port *port)
{
	struct egpu_soft *soft = egpu_soft_memory(port);
	struct pci_bus *bus;
	int ret;

	if (!soft)
		return -ENOMEM;
	bus = egpu_soft_hold(port);
	if (!bus)
		return -ENODEV;
	soft->bus = bus;
	ret = egpu_soft_register(port, soft);
	if (ret)
		egpu_soft_drop(port, bus);
	return ret;
}

/**
 * egpu_soft_is_due() - is a slot to be taken that is not yet?
 * @port: the port, locked
 *
 * Not before the one that it had has ended; that asks again.
 */
bool egpu_soft_is_due(struct egpu_port *port)
{
	lockdep_assert_held(&port->lock);
	return port->soft_wanted && !port->soft && port->tracked &&
	       !port->removed && !egpu_state_is_stopping() &&
	       !(port->soft_memory && port->soft_memory->ending);
}

/**
 * egpu_soft_begin() - take the slot of a port that is to be soft, as a job
 * @port: the port; nothing happens when it has one already, or should not
 *
 * Where it cannot be had the port goes on without, and says why.
 */
void egpu_soft_begin(struct egpu_port *port)
{
	struct egpu_soft *soft;
	bool due;
	int ret;

	scoped_guard(mutex, &port->lock)
		due = egpu_soft_is_due(port);
	if (!due)
		return;
	ret = egpu_soft_prepare(port);
	if (ret) {
		egpu_soft_failed(port, ret);
		return;
	}
	soft = port->soft_memory;
	scoped_guard(mutex, &port->lock) {
		/* Forgotten, or gone, meanwhile? */
		due = egpu_soft_is_due(port);
		if (due) {
			egpu_soft_start(soft);
		} else {
			soft->gone = true;
			soft->ending = true;
		}
	}
	if (!due)
		egpu_soft_deregister(soft);
}

/* The port is locked. Whoever waits goes; registers are left alone if @gone. */
static struct egpu_soft *egpu_soft_take(struct egpu_port *port, bool gone)
{
	struct egpu_soft *soft = port->soft;

	lockdep_assert_held(&port->lock);
	port->soft_wanted = false;
	port->soft = NULL;
	if (port->soft_memory && gone)
		port->soft_memory->gone = true;
	if (!soft)
		return NULL;
	soft->stopped = true;
	soft->ending = true;
	port->backend = EGPU_BACKEND_NONE;
	port->slot_name[0] = '\0';
	wake_up_all(&soft->wait);
	return soft;
}

/**
 * egpu_soft_forget() - the port is not soft any more
 * @port: the port, locked
 */
void egpu_soft_forget(struct egpu_port *port)
{
	struct egpu_soft *soft = egpu_soft_take(port, false);

	if (soft)
		queue_work(egpu_soft_wq, &soft->end);
}

/**
 * egpu_soft_gone() - the port is being deleted: its registers go now
 * @port: the port, not locked
 *
 * In a notifier: the watch, which is waited for, takes no lock that may be held
 * here.
 */
void egpu_soft_gone(struct egpu_port *port)
{
	struct egpu_soft *soft;

	scoped_guard(mutex, &port->lock) {
		port->removed = true;
		soft = egpu_soft_take(port, true);
	}
	if (port->soft_memory)
		cancel_delayed_work_sync(&port->soft_memory->watch);
	if (soft)
		queue_work(egpu_soft_wq, &soft->end);
}

/* At unload, while the notifier still tells what goes. */
void egpu_soft_release(struct egpu_port *port)
{
	scoped_guard(mutex, &port->lock)
		egpu_soft_forget(port);
	if (port->soft_memory)
		flush_work(&port->soft_memory->end);
}

/* The last reference to the port was dropped. */
void egpu_soft_free(struct egpu_port *port)
{
	kfree(port->soft_memory);
}

int egpu_soft_init(void)
{
	egpu_soft_wq = alloc_workqueue("egpu_soft", WQ_UNBOUND | WQ_FREEZABLE,
				       WQ_MAX_ACTIVE);
	return egpu_soft_wq ? 0 : -ENOMEM;
}

void egpu_soft_exit(void)
{
	destroy_workqueue(egpu_soft_wq);
}
