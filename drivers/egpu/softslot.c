// SPDX-License-Identifier: GPL-2.0-only
/*
 * Soft slots: a hotplug slot of our own on a port without hotplug capability,
 * as most OCuLink and M.2 links have. One look at Data Link Layer Link Active
 * each interval replaces the interrupt, Link Disable the power controller. What
 * it sees becomes a bit for state.c; jobs do the rest.
 *
 * A slot is registered by a job and deregistered by a work item of its own: a
 * writer of its power file, whom that waits for, may wait for a job. The port
 * leads to it until it ends; jobs and operations hold references.
 */
#include <linux/bitfield.h>
#include <linux/delay.h>
#include <linux/kref.h>
#include <linux/module.h>
#include <linux/pci.h>
#include <linux/pci_hotplug.h>
#include <linux/pm_runtime.h>
#include <linux/slab.h>
#include <linux/timekeeping.h>

#include "egpu.h"

#define EGPU_CONFIRM_MS		100	/* a link down for so long is down */
#define EGPU_EXCUSED_MS		5000	/* ... or so long, in a reset or recovery */
#define EGPU_GRACE_MS		1000	/* to train after one of them */
#define EGPU_ACTIVE_MS		1100	/* pciehp's time for a link to come up */
#define EGPU_ANSWER_MS		100	/* from there to the first request (6.6.1) */

/**
 * struct egpu_soft - a slot of our own
 * @ref: held by its port, and whoever works with it
 * @slot: what the PCI hotplug core knows of it
 * @port: its port, with a reference
 * @bus: the bus below, with a reference
 * @watch: looks at the link
 * @end: deregisters it
 * @wait: writers of the power file wait here
 * @stopped: forgotten, or gone: nothing is done any more
 * @gone: its port is: no register may be touched
 * @disabled: Link Disable is set, by us
 * @present: with the link disabled, Presence Detect State told the truth
 * @up: the link, as seen last
 * @fresh: it came up, and what is there is still to be looked for
 * @pauses: resets that run through the slot
 * @down_ns: when the link was found down, not confirmed yet; else 0
 * @grace_ns: until when a link that is down may be training after a reset
 *
 * What follows @wait is protected by egpu_port.lock.
 */
struct egpu_soft {
	struct kref ref;
	struct hotplug_slot slot;
	struct egpu_port *port;
	struct pci_bus *bus;
	struct delayed_work watch;
	struct work_struct end;
	wait_queue_head_t wait;
	bool stopped;
	bool gone;
	bool disabled;
	bool present;
	bool up;
	bool fresh;
	u32 pauses;
	u64 down_ns;
	u64 grace_ns;
};

static struct workqueue_struct *egpu_soft_wq;

static void egpu_soft_free(struct kref *ref)
{
	struct egpu_soft *soft = container_of(ref, struct egpu_soft, ref);

	put_device(&soft->bus->dev);
	egpu_port_put(soft->port);
	kfree(soft);
}

static void egpu_soft_put(struct egpu_soft *soft)
{
	kref_put(&soft->ref, egpu_soft_free);
}

DEFINE_FREE(egpu_soft, struct egpu_soft *,
	    if (_T) egpu_soft_put(_T))

/* The slot that egpu has on a port, with a reference, or NULL. */
static struct egpu_soft *egpu_soft_get(struct egpu_port *port)
{
	guard(mutex)(&port->lock);
	if (port->soft)
		kref_get(&port->soft->ref);
	return port->soft;
}

static void egpu_soft_look_in(struct egpu_soft *soft, u32 ms)
{
	if (!soft->stopped)
		mod_delayed_work(egpu_soft_wq, &soft->watch,
				 msecs_to_jiffies(ms));
}

/* The interval is another one now: what was planned may be a minute away. */
void egpu_soft_rewatch(struct egpu_port *port)
{
	lockdep_assert_held(&port->lock);
	if (port->soft && !port->soft->disabled)
		egpu_soft_look_in(port->soft, port->watch_ms);
}

/* What lies below, as the kernel knows it. */

enum egpu_below {
	EGPU_BELOW_NOTHING,
	EGPU_BELOW_LOST,
	EGPU_BELOW_DEVICE,
	EGPU_BELOW_RESETTING,	/* or being recovered */
};

static int egpu_soft_below_one(struct pci_dev *pdev, void *data)
{
	pci_channel_state_t state = READ_ONCE(pdev->error_state);
	enum egpu_below *below = data;

	if (state == pci_channel_io_frozen || pdev->block_cfg_access)
		*below = EGPU_BELOW_RESETTING;
	else if (state == pci_channel_io_perm_failure)
		*below = max(*below, EGPU_BELOW_LOST);
	else
		*below = max(*below, EGPU_BELOW_DEVICE);
	return *below == EGPU_BELOW_RESETTING;
}

static enum egpu_below egpu_soft_below(struct egpu_soft *soft)
{
	enum egpu_below below = EGPU_BELOW_NOTHING;

	pci_walk_bus(soft->bus, egpu_soft_below_one, &below);
	return below;
}

/* As pciehp does: nobody waits for an answer any more. */
static int egpu_soft_mark(struct pci_dev *pdev, void *data)
{
	xchg(&pdev->error_state, pci_channel_io_perm_failure);
	return 0;
}

/* Return: 1 up, 0 down, -EIO when the port does not answer. */
static int egpu_soft_link(struct egpu_soft *soft)
{
	u16 status;

	if (pcie_capability_read_word(soft->port->pdev, PCI_EXP_LNKSTA,
				      &status) || status == (u16)~0)
		return -EIO;
	return !!(status & PCI_EXP_LNKSTA_DLLLA);
}

/* The port itself keeps the link down: then it says nothing about the cable. */
static bool egpu_soft_is_reset(struct egpu_soft *soft)
{
	u16 control;

	if (egpu_slot_dpc_triggered(soft->port))
		return true;
	pci_read_config_word(soft->port->pdev, PCI_BRIDGE_CONTROL, &control);
	return control != (u16)~0 && control & PCI_BRIDGE_CTL_BUS_RESET;
}

/* What was reset by that, or replaced, has to be looked at. */
static void egpu_soft_bounced(struct egpu_port *port)
{
	struct egpu_fn *fn;

	list_for_each_entry(fn, &port->functions, node) {
		if (!fn->gated)
			continue;
		fn->frozen_since = ktime_get_ns();
		fn->readable_since = 0;
		port->resumed = true;
	}
	egpu_state_post(port, EGPU_BIT_TICK);
}

/* It is held, nobody asked for that reset: it may as well come anew. */
static bool egpu_soft_comes_anew(struct egpu_soft *soft)
{
	enum egpu_state state = soft->port->state;

	return (state == EGPU_STATE_HELD || state == EGPU_STATE_QUARANTINED) &&
	       ktime_get_ns() >= soft->grace_ns;
}

/* Return: true when what was there has to go. */
static bool egpu_soft_seen_up(struct egpu_soft *soft, enum egpu_below below)
{
	struct egpu_port *port = soft->port;

	if (soft->up && soft->down_ns && egpu_soft_comes_anew(soft)) {
		soft->up = false;
		soft->down_ns = 0;
		return true;
	}
	if (!soft->up) {
		soft->up = true;
		soft->fresh = true;
	} else if (soft->down_ns) {
		egpu_soft_bounced(port);
	}
	soft->down_ns = 0;
	if (soft->fresh && below == EGPU_BELOW_NOTHING)
		egpu_state_post(port, EGPU_BIT_PRESENT);
	/* What is lost is about to be removed: then look for the next. */
	soft->fresh &= below == EGPU_BELOW_LOST;
	return false;
}

/* Return: true when it is confirmed that what was there is gone. */
static bool egpu_soft_seen_down(struct egpu_soft *soft, enum egpu_below below,
				bool reset)
{
	u64 now = ktime_get_ns();

	if (below == EGPU_BELOW_NOTHING || below == EGPU_BELOW_LOST) {
		soft->up = false;
		soft->fresh = false;
		soft->down_ns = 0;
		return false;
	}
	if (reset || below == EGPU_BELOW_RESETTING || soft->port->linking)
		soft->grace_ns = now + (u64)EGPU_GRACE_MS * NSEC_PER_MSEC;
	if (!soft->down_ns)
		soft->down_ns = now;
	else if (now >= soft->grace_ns ||
		 now - soft->down_ns >= (u64)EGPU_EXCUSED_MS * NSEC_PER_MSEC)
		soft->up = false;
	if (soft->up)
		return false;
	soft->down_ns = 0;
	return true;
}

/* What was marked while it was still being added may have been overlooked. */
static bool egpu_soft_is_left(struct egpu_port *port, enum egpu_below below)
{
	return below == EGPU_BELOW_LOST && port->step == EGPU_STEP_NONE &&
	       port->job_want == EGPU_JOB_NONE;
}

/* Where the link is down and should not be, the next look comes soon. */
static bool egpu_soft_judge(struct egpu_soft *soft, int link,
			    enum egpu_below below, bool reset)
{
	struct egpu_port *port = soft->port;
	bool lost = false;

	guard(mutex)(&port->lock);
	if (soft->stopped || soft->disabled)
		return false;
	if (!soft->pauses && link > 0)
		lost = egpu_soft_seen_up(soft, below);
	else if (!soft->pauses && !link)
		lost = egpu_soft_seen_down(soft, below, reset);
	lost |= egpu_soft_is_left(port, below);
	egpu_soft_look_in(soft, soft->down_ns || soft->pauses ?
			  EGPU_CONFIRM_MS : port->watch_ms);
	return lost;
}

/* Registers, and the list of what is below, are read without the port's lock. */
static void egpu_soft_watch(struct work_struct *work)
{
	struct egpu_soft *soft = container_of(to_delayed_work(work),
					      struct egpu_soft, watch);
	enum egpu_below below;
	bool reset;
	int link;

	if (READ_ONCE(soft->disabled))
		return;
	link = egpu_soft_link(soft);
	below = egpu_soft_below(soft);
	reset = !link && below != EGPU_BELOW_NOTHING &&
		egpu_soft_is_reset(soft);
	if (!egpu_soft_judge(soft, link, below, reset))
		return;
	pci_walk_bus(soft->bus, egpu_soft_mark, NULL);
	egpu_state_post(soft->port, EGPU_BIT_DOWN);
}

/* The link, switched on and off by jobs. */

static bool egpu_soft_set_disabled(struct egpu_soft *soft, bool disabled)
{
	guard(mutex)(&soft->port->lock);
	if (soft->stopped)
		return false;
	if (soft->disabled == disabled)
		return true;
	soft->disabled = disabled;
	soft->present = false;
	soft->up = false;
	soft->fresh = false;
	soft->down_ns = 0;
	pcie_capability_clear_and_set_word(soft->port->pdev, PCI_EXP_LNKCTL,
					   disabled ? 0 : PCI_EXP_LNKCTL_LD,
					   disabled ? PCI_EXP_LNKCTL_LD : 0);
	egpu_soft_look_in(soft, soft->port->watch_ms);
	return true;
}

static bool egpu_soft_has_presence(struct egpu_soft *soft)
{
	struct pci_dev *pdev = soft->port->pdev;
	u16 status = 0;

	if (!(pcie_caps_reg(pdev) & PCI_EXP_FLAGS_SLOT))
		return false;
	pcie_capability_read_word(pdev, PCI_EXP_SLTSTA, &status);
	return status != (u16)~0 && status & PCI_EXP_SLTSTA_PDS;
}

static int egpu_soft_await(struct egpu_soft *soft, bool up, u32 ms)
{
	u64 end = ktime_get_ns() + (u64)ms * NSEC_PER_MSEC;
	int now;

	while ((now = egpu_soft_link(soft)) == !up && ktime_get_ns() < end)
		msleep(EGPU_TRYLOCK_MS);
	return now == up ? 0 : -ENODEV;
}

/**
 * egpu_soft_off() - disable the link, so that the cable can be pulled quietly
 * @port: a port with a soft slot; nothing is left below
 *
 * With the link disabled a card that is still there is seen by presence alone,
 * and only where a slot's presence tells it (PCIe 6.0.1 section 7.5.3.11). A link
 * that is down already is left as it is, and tells by itself: the cable was
 * pulled meanwhile.
 */
void egpu_soft_off(struct egpu_port *port)
{
	struct egpu_soft *soft __free(egpu_soft) = egpu_soft_get(port);
	bool present;

	if (!soft || egpu_soft_await(soft, true, EGPU_CONFIRM_MS) ||
	    !egpu_soft_set_disabled(soft, true))
		return;
	egpu_soft_await(soft, false, EGPU_CONFIRM_MS);
	msleep(EGPU_CONFIRM_MS);
	present = egpu_soft_has_presence(soft);
	guard(mutex)(&port->lock);
	soft->present = present;
}

/**
 * egpu_soft_listen() - enable the link, and take what comes
 * @port: a port, with a soft slot or not
 */
void egpu_soft_listen(struct egpu_port *port)
{
	struct egpu_soft *soft __free(egpu_soft) = egpu_soft_get(port);

	if (soft)
		egpu_soft_set_disabled(soft, false);
}

/**
 * egpu_soft_on() - enable the link, and wait until what is there can be asked
 * @port: a port with a soft slot
 *
 * Return: 0, or -ENODEV when no link comes up; it stays enabled.
 */
int egpu_soft_on(struct egpu_port *port)
{
	struct egpu_soft *soft __free(egpu_soft) = egpu_soft_get(port);
	int ret;

	if (!soft || !egpu_soft_set_disabled(soft, false))
		return -ENODEV;
	ret = egpu_soft_await(soft, true, EGPU_ACTIVE_MS);
	if (ret)
		return ret;
	msleep(EGPU_ANSWER_MS);
	/* It is about to be found: the watch need not tell. */
	guard(mutex)(&port->lock);
	soft->up = true;
	soft->fresh = false;
	return 0;
}

/**
 * egpu_soft_presence() - is a card there?
 * @port: a port with a soft slot
 *
 * Return: 1, 0, -EIO when the port does not answer. What cannot be told counts
 * as there: it was when the link was disabled.
 */
int egpu_soft_presence(struct egpu_port *port)
{
	struct egpu_soft *soft __free(egpu_soft) = egpu_soft_get(port);
	bool disabled, present;

	if (!soft)
		return -EIO;
	scoped_guard(mutex, &port->lock) {
		disabled = soft->disabled;
		present = soft->present;
	}
	if (!disabled)
		return egpu_soft_link(soft);
	return !present || egpu_soft_has_presence(soft);
}

/* The slot's operations: the same as ATTACH and DETACH. */

static bool egpu_soft_is_over(struct egpu_soft *soft, u32 id)
{
	guard(mutex)(&soft->port->lock);
	return soft->stopped || soft->port->txn.id != id;
}

static int egpu_soft_result(struct egpu_soft *soft, u32 id)
{
	struct egpu_port *port = soft->port;

	guard(mutex)(&port->lock);
	/* Something else came after it, which it was asked for only then. */
	if (port->ended_id == id)
		return -port->ended_error;
	return soft->stopped ? -ENODEV : 0;
}

static int egpu_soft_operate(struct hotplug_slot *slot, u32 kind,
			     enum egpu_bit bit)
{
	struct egpu_soft *soft = container_of(slot, struct egpu_soft, slot);
	struct egpu_port *port = soft->port;
	int ret = 0;
	u32 id = 0;

	if (!capable(CAP_SYS_ADMIN))
		return -EPERM;
	if (kind == EGPU_TRANSACTION_DETACH)
		ret = egpu_detach_precheck(port, NULL, false);
	if (ret)
		return ret;
	scoped_guard(mutex, &port->lock) {
		if (soft->stopped || port->state == EGPU_STATE_GONE)
			return -ENODEV;
		if (port->txn.id)
			return -EBUSY;
		id = egpu_transaction_begin(port, kind);
		if (!id)
			return -ENODEV;
		egpu_state_post(port, bit);
	}
	if (wait_event_killable(soft->wait, egpu_soft_is_over(soft, id)))
		return -EINTR;
	return egpu_soft_result(soft, id);
}

static int egpu_soft_enable(struct hotplug_slot *slot)
{
	return egpu_soft_operate(slot, EGPU_TRANSACTION_ATTACH,
				 EGPU_BIT_ATTACH);
}

static int egpu_soft_disable(struct hotplug_slot *slot)
{
	return egpu_soft_operate(slot, EGPU_TRANSACTION_DETACH,
				 EGPU_BIT_DETACH);
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
	guard(mutex)(&soft->port->lock);
	soft->pauses += pause ? 1 : -1;
	soft->grace_ns = ktime_get_ns() + (u64)EGPU_GRACE_MS * NSEC_PER_MSEC;
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

/* Its beginning and its end. */

static struct pci_bus *egpu_soft_bus_get(struct egpu_port *port)
{
	struct pci_bus *bus;

	pci_lock_rescan_remove();
	bus = port->pdev->subordinate;
	if (bus)
		get_device(&bus->dev);
	pci_unlock_rescan_remove();
	return bus;
}

static void egpu_soft_end(struct egpu_soft *soft)
{
	struct egpu_port *port = soft->port;
	bool enable;

	cancel_delayed_work_sync(&soft->watch);
	pci_hp_deregister(&soft->slot);
	scoped_guard(mutex, &port->lock)
		enable = soft->disabled && !soft->gone;
	if (enable)
		pcie_capability_clear_word(port->pdev, PCI_EXP_LNKCTL,
					   PCI_EXP_LNKCTL_LD);
	pm_runtime_put(&port->pdev->dev);
	egpu_soft_put(soft);
}

static void egpu_soft_end_work(struct work_struct *work)
{
	egpu_soft_end(container_of(work, struct egpu_soft, end));
}

static struct egpu_soft *egpu_soft_alloc(struct egpu_port *port)
{
	struct egpu_soft *soft = kzalloc(sizeof(*soft), GFP_KERNEL);

	if (!soft)
		return NULL;
	soft->bus = egpu_soft_bus_get(port);
	if (!soft->bus) {
		kfree(soft);
		return NULL;
	}
	egpu_port_get(port);
	soft->port = port;
	kref_init(&soft->ref);
	soft->slot.ops = &egpu_soft_ops;
	init_waitqueue_head(&soft->wait);
	INIT_DELAYED_WORK(&soft->watch, egpu_soft_watch);
	INIT_WORK(&soft->end, egpu_soft_end_work);
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

static int egpu_soft_register(struct egpu_port *port, struct egpu_soft *soft)
{
	int ret;

	pm_runtime_get_sync(&port->pdev->dev);
	soft->up = egpu_soft_link(soft) > 0;
	soft->fresh = soft->up;
	ret = egpu_soft_initialize(port, soft);
	if (!ret) {
		ret = pci_hp_add(&soft->slot);
		if (ret)
			pci_hp_destroy(&soft->slot);
	}
	if (ret)
		pm_runtime_put(&port->pdev->dev);
	return ret;
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

/**
 * egpu_soft_begin() - take the slot of a port that is to be soft, as a job
 * @port: the port; nothing happens when it has one already, or should not
 *
 * Where it cannot be had the port goes on without, and says why.
 */
void egpu_soft_begin(struct egpu_port *port)
{
	struct egpu_soft *soft;
	int ret;

	if (!READ_ONCE(port->soft_wanted) || READ_ONCE(port->soft))
		return;
	soft = egpu_soft_alloc(port);
	ret = soft ? egpu_soft_register(port, soft) : -ENOMEM;
	if (ret) {
		if (soft)
			egpu_soft_put(soft);
		egpu_soft_failed(port, ret);
		return;
	}
	mutex_lock(&port->lock);
	/* Forgotten, or gone, meanwhile? */
	if (port->tracked && port->soft_wanted &&
	    port->state != EGPU_STATE_GONE && !egpu_state_is_stopping()) {
		port->soft = soft;
		port->step_error = 0;
		strscpy(port->slot_name, hotplug_slot_name(&soft->slot),
			sizeof(port->slot_name));
		egpu_soft_look_in(soft, port->watch_ms);
		soft = NULL;
	}
	mutex_unlock(&port->lock);
	if (soft)
		egpu_soft_end(soft);
}

/* The port is locked. Whoever waits goes; registers are left alone if @gone. */
static struct egpu_soft *egpu_soft_take(struct egpu_port *port, bool gone)
{
	struct egpu_soft *soft = port->soft;

	lockdep_assert_held(&port->lock);
	port->soft_wanted = false;
	port->soft = NULL;
	if (!soft)
		return NULL;
	soft->stopped = true;
	soft->gone = gone;
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
 * In a notifier: the watch, which is waited for, takes no other lock.
 */
void egpu_soft_gone(struct egpu_port *port)
{
	struct egpu_soft *soft;

	mutex_lock(&port->lock);
	soft = egpu_soft_take(port, true);
	mutex_unlock(&port->lock);
	if (!soft)
		return;
	cancel_delayed_work_sync(&soft->watch);
	queue_work(egpu_soft_wq, &soft->end);
}

/* At unload: no job runs any more. */
void egpu_soft_release(struct egpu_port *port)
{
	struct egpu_soft *soft;

	mutex_lock(&port->lock);
	soft = egpu_soft_take(port, false);
	mutex_unlock(&port->lock);
	if (soft)
		egpu_soft_end(soft);
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
