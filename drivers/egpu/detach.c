// SPDX-License-Identifier: GPL-2.0-only
/*
 * From bound driver to an empty slot, as jobs: who uses it, hold and look
 * again, unbind, slot off; the same for all ports below a cable port; and is
 * the card still there.
 */
#include <linux/pci.h>
#include <linux/slab.h>
#include <linux/timekeeping.h>
#include <linux/vgaarb.h>

#include "egpu.h"

static bool egpu_fn_is_gated(struct egpu_fn *fn)
{
	return fn->gated;
}

/* The display that this machine booted on: found, not plugged in later. */
static bool egpu_port_has_boot_display(struct egpu_port *port)
{
	struct egpu_fn *fn;

	guard(mutex)(&port->lock);
	list_for_each_entry(fn, &port->functions, node)
		if (fn->found && vga_default_device() == fn->pdev)
			return true;
	return false;
}

bool egpu_boot_display_below(struct egpu_port *port)
{
	bool found = egpu_port_has_boot_display(port);
	struct egpu_port *child;
	u32 id = 0;

	while (!found && (child = egpu_port_next_below(port, id))) {
		id = child->id;
		found = egpu_port_has_boot_display(child);
		egpu_port_put(child);
	}
	return found;
}

/**
 * egpu_detach_precheck() - would a detach be refused right now?
 * @port: the port, not locked
 * @accept: users to ignore, may be NULL
 * @force: ignore all users
 *
 * Return: 0, or
 *  * -EPERM	it has the boot display
 *  * -EBUSY	there are users
 *  * -ENOMEM
 */
int egpu_detach_precheck(struct egpu_port *port,
			 const struct egpu_accept *accept, bool force)
{
	struct egpu_users *users __free(egpu_users) = NULL;

	if (egpu_boot_display_below(port))
		return -EPERM;
	users = egpu_users_find(port, false);
	if (IS_ERR(users))
		return PTR_ERR(users);
	mutex_lock(&port->lock);
	port->nr_users = egpu_users_unaccepted(users, NULL);
	mutex_unlock(&port->lock);
	return !force && egpu_users_unaccepted(users, accept) ? -EBUSY : 0;
}

/* As the transaction that runs allows; its list stays while the job runs. */
static int egpu_txn_check(struct egpu_port *port)
{
	struct egpu_accept *accept;
	bool force;
	int ret;

	mutex_lock(&port->lock);
	accept = port->txn.accept;
	if (accept)
		kref_get(&accept->kref);
	force = port->txn.force;
	mutex_unlock(&port->lock);
	ret = egpu_detach_precheck(port, accept, force);
	egpu_accept_put(accept);
	return ret;
}

static enum egpu_bit egpu_check_result(struct egpu_port *port, int ret)
{
	egpu_job_result(port, -ret, ret == -EPERM ? EGPU_REASON_BOOT_DISPLAY :
			EGPU_REASON_BUSY);
	return ret == -EBUSY ? EGPU_BIT_USED : EGPU_BIT_FAILED;
}

enum egpu_bit egpu_job_users(struct egpu_port *port)
{
	int ret = egpu_txn_check(port);

	return ret ? egpu_check_result(port, ret) : EGPU_BIT_DONE;
}

/* Take back the holds that this detach set. */
static void egpu_unhold(struct egpu_port *port)
{
	struct egpu_pdevs *gated __free(egpu_pdevs) =
		egpu_fn_snapshot(port, egpu_fn_is_gated);
	struct egpu_fn *fn;
	bool clear;
	u32 i;

	for (i = 0; gated && i < gated->nr; i++) {
		mutex_lock(&port->lock);
		fn = egpu_fn_find(port, gated->pdev[i]);
		clear = fn && fn->new_hold;
		if (clear) {
			fn->new_hold = false;
			fn->hold = false;
		}
		mutex_unlock(&port->lock);
		if (clear)
			egpu_override_clear_if(gated->pdev[i], EGPU_NAME);
	}
}

static void egpu_hold_again(struct egpu_port *port, struct pci_dev *pdev)
{
	struct egpu_fn *fn;

	if (!egpu_fn_hold(port, pdev))
		return;
	guard(mutex)(&port->lock);
	fn = egpu_fn_find(port, pdev);
	if (fn)
		fn->new_hold = true;
}

/*
 * Hold, then look again: nobody binds any more, but did somebody open it
 * meanwhile?
 *
 * Return: 0, -EBUSY, -EPERM, -ENOMEM.
 */
static int egpu_unbind_prepare(struct egpu_port *port)
{
	struct egpu_pdevs *gated __free(egpu_pdevs) =
		egpu_fn_snapshot(port, egpu_fn_is_gated);
	u32 i;

	if (!gated)
		return -ENOMEM;
	egpu_step_set(port, EGPU_STEP_HOLD);
	for (i = 0; i < gated->nr; i++)
		egpu_hold_again(port, gated->pdev[i]);
	egpu_step_set(port, EGPU_STEP_USERS);
	return egpu_txn_check(port);
}

/* What is not held says that it wants its driver back if the detach fails. */
static void egpu_note_rebind(struct egpu_port *port, struct pci_dev *pdev)
{
	struct egpu_fn *fn;

	guard(mutex)(&port->lock);
	fn = egpu_fn_find(port, pdev);
	if (!fn)
		return;
	fn->new_hold = false;	/* committed: it stays */
	fn->rebind = !fn->hold && fn->bound;
}

/*
 * Without the rescan lock, so that a driver that hangs in remove() holds
 * nothing but its own device.
 */
static int egpu_unbind_all(struct egpu_port *port, bool gated)
{
	struct egpu_pdevs *all __free(egpu_pdevs) =
		egpu_fn_snapshot(port, gated ? egpu_fn_is_gated : NULL);
	struct device *dev;
	u32 i;

	if (!all)
		return -ENOMEM;
	egpu_step_set(port, EGPU_STEP_REMOVE);
	for (i = all->nr; i > 0; i--) {
		dev = &all->pdev[i - 1]->dev;
		egpu_note_rebind(port, all->pdev[i - 1]);
		if (!egpu_bus_is_ours(READ_ONCE(dev->driver)))
			device_release_driver(dev);
		/* Where the slot stays on, held is held by being bound to us. */
		if (gated && device_attach(dev) < 0)
			pci_warn(all->pdev[i - 1], "egpu: cannot be held\n");
	}
	return 0;
}

/* Below a cable port the slot is left to that one. */
static bool egpu_park(struct egpu_port *port)
{
	guard(mutex)(&port->lock);
	port->parked = port->txn.parent && egpu_job_is_current(port);
	return port->parked;
}

/* A cable port: its transaction is the parent of one on each port below. */

static bool egpu_child_is_done(struct egpu_port *child)
{
	lockdep_assert_held(&child->lock);
	return list_empty(&child->functions) ||
	       child->state == EGPU_STATE_DETACHED;
}

/* Return: 0, or -EBUSY when this child cannot begin. */
static int egpu_child_begin(struct egpu_port *child,
			    const struct egpu_transaction *parent)
{
	guard(mutex)(&child->lock);
	if (egpu_child_is_done(child) || child->state == EGPU_STATE_LOST)
		return 0;
	if (child->txn.id ||
	    !egpu_transaction_begin(child, EGPU_TRANSACTION_DETACH))
		return -EBUSY;
	child->txn.parent = parent->id;
	child->txn.force = parent->force;
	child->txn.wait_ms = parent->wait_ms;
	child->txn.deadline_ns = parent->deadline_ns;
	child->txn.accept = parent->accept;
	if (parent->accept)
		kref_get(&parent->accept->kref);
	egpu_state_post(child, child->state == EGPU_STATE_EMPTY ?
			EGPU_BIT_CABLE : EGPU_BIT_DETACH);
	return 0;
}

/* Past its unbind, gone, or lost: loss of one child is that child's. */
static int egpu_child_poll(struct egpu_port *child, u32 parent)
{
	guard(mutex)(&child->lock);
	if (egpu_child_is_done(child))
		return 0;
	if (child->state == EGPU_STATE_LOST)
		return -EAGAIN;
	if (child->txn.parent != parent)
		return -EBUSY;
	return child->parked ? 0 : -EAGAIN;
}

/*
 * Return: 0 all children are past their unbind, -EAGAIN not yet, -EBUSY one
 * refused, failed or was cancelled.
 */
static int egpu_children_poll(struct egpu_port *port, u32 parent)
{
	struct egpu_port *child;
	bool wait = false;
	int ret = 0;
	u32 id = 0;

	while (ret != -EBUSY && (child = egpu_port_next_below(port, id))) {
		id = child->id;
		ret = egpu_child_poll(child, parent);
		wait |= ret == -EAGAIN;
		egpu_port_put(child);
	}
	return ret == -EBUSY ? ret : wait ? -EAGAIN : 0;
}

/* All ports below that this transaction asked go back to their drivers. */
static void egpu_children_release(struct egpu_port *port)
{
	struct egpu_port *child;
	u32 parent;
	u32 id = 0;

	mutex_lock(&port->lock);
	parent = port->txn.id;
	mutex_unlock(&port->lock);
	while (parent && (child = egpu_port_next_below(port, id))) {
		id = child->id;
		mutex_lock(&child->lock);
		if (child->txn.id && child->txn.parent == parent) {
			atomic_set(&child->cancel, 1);
			egpu_state_post(child, EGPU_BIT_RELEASE);
		}
		mutex_unlock(&child->lock);
		egpu_port_put(child);
	}
}

/* Return: 0, or -EBUSY when a child cannot begin; once a transaction. */
static int egpu_children_begin(struct egpu_port *port,
			       const struct egpu_transaction *txn)
{
	struct egpu_port *child;
	int ret = 0;
	u32 id = 0;

	if (txn->children)
		return 0;
	while (!ret && (child = egpu_port_next_below(port, id))) {
		id = child->id;
		ret = egpu_child_begin(child, txn);
		egpu_port_put(child);
	}
	mutex_lock(&port->lock);
	if (port->txn.id == txn->id)
		port->txn.children = true;
	mutex_unlock(&port->lock);
	return ret;
}

/*
 * All ports below go past their unbind, or none does: when one refuses, or is
 * cancelled, the caller turns back and releases all.
 *
 * Return: 0, -EAGAIN to be continued, -EBUSY, -ETIMEDOUT, -ECANCELED.
 */
static int egpu_children_detach(struct egpu_port *port)
{
	struct egpu_transaction txn;
	int ret;

	mutex_lock(&port->lock);
	txn = port->txn;
	if (txn.accept)
		kref_get(&txn.accept->kref);
	mutex_unlock(&port->lock);
	ret = egpu_children_begin(port, &txn);
	if (!ret)
		ret = egpu_children_poll(port, txn.id);
	if (ret == -EBUSY && txn.wait_ms && txn.deadline_ns &&
	    ktime_get_ns() >= txn.deadline_ns)
		ret = -ETIMEDOUT;
	if (ret == -EAGAIN && atomic_read(&port->cancel))
		ret = -ECANCELED;
	egpu_accept_put(txn.accept);
	return ret;
}

/* Does it end in HELD, the slot left on? */
static bool egpu_detach_holds(struct egpu_port *port)
{
	guard(mutex)(&port->lock);
	return port->txn.hold;
}

static bool egpu_detach_continues(struct egpu_port *port)
{
	guard(mutex)(&port->lock);
	return port->txn.children;
}

/* Slot off; on failure what had been put to rest for it is woken again. */
static int egpu_unbind_slot(struct egpu_port *port, bool children)
{
	struct egpu_nested *nested = NULL;
	int ret;

	egpu_step_set(port, EGPU_STEP_SLOT_OFF);
	if (children) {
		nested = egpu_slot_quiet_nested(port, false);
		if (!nested)
			return -ENOMEM;
	}
	ret = egpu_slot_off(port);
	if (ret && nested)
		egpu_slot_wake_nested(nested);
	if (ret && children)
		egpu_children_release(port);
	if (nested)
		egpu_slot_free_nested(nested);
	return ret;
}

/* Everything is as before; tell why. */
static enum egpu_bit egpu_turn_back(struct egpu_port *port, int ret)
{
	enum egpu_reason reason = EGPU_REASON_CHILD;

	egpu_children_release(port);
	egpu_unhold(port);
	if (ret == -ECANCELED)
		reason = EGPU_REASON_CANCELLED;
	else if (ret == -EPERM)
		reason = EGPU_REASON_BOOT_DISPLAY;
	egpu_job_result(port, -ret, reason);
	return EGPU_BIT_BACK;
}

/**
 * egpu_job_unbind() - hold, look again, unbind, slot off
 * @port: the port
 *
 * With ports below: those first, all of them; while they take their time the
 * job ends and is continued, so that it neither blocks suspend nor a CANCEL.
 */
enum egpu_bit egpu_job_unbind(struct egpu_port *port)
{
	bool children = egpu_port_has_children(port);
	bool hold = egpu_detach_holds(port);
	int ret = 0;

	if (!egpu_detach_continues(port))
		ret = egpu_unbind_prepare(port);
	if (ret == -EBUSY) {
		egpu_unhold(port);
		return egpu_check_result(port, ret);
	}
	if (!ret && children) {
		egpu_step_set(port, EGPU_STEP_CHILDREN);
		ret = egpu_children_detach(port);
	}
	if (ret == -EAGAIN) {
		egpu_job_again(port, EGPU_CHILDREN_MS);
		return EGPU_BIT_COUNT;
	}
	if (!ret && !egpu_job_commit(port))
		ret = -ECANCELED;
	if (ret)
		return egpu_turn_back(port, ret);

	ret = egpu_unbind_all(port, hold);
	if (!ret && hold)
		return EGPU_BIT_HELD;
	if (!ret && egpu_park(port))
		return EGPU_BIT_PARKED;
	if (!ret)
		ret = egpu_unbind_slot(port, children);
	egpu_job_result(port, -ret, EGPU_REASON_SLOT_FAILED);
	return ret ? EGPU_BIT_FAILED : EGPU_BIT_DONE;
}

enum egpu_bit egpu_job_presence(struct egpu_port *port)
{
	int present = egpu_slot_presence(port);

	/* Something is below again, and it is no GPU: then it is not detached. */
	if (present && egpu_slot_is_occupied(port) &&
	    !READ_ONCE(port->nr_gated))
		return EGPU_BIT_ABSENT;
	scoped_guard(mutex, &port->lock) {
		port->absent = present ? 0 : port->absent + 1;
		if (port->absent < 2)
			return EGPU_BIT_COUNT;
	}
	/* It was taken away: what comes next may come by itself. */
	egpu_soft_listen(port);
	return EGPU_BIT_ABSENT;
}

/**
 * egpu_job_clear() - remove what vanished from a soft slot
 * @port: the port; what vanished is marked as disconnected
 *
 * First the drivers, without the rescan lock: one that hangs in remove() holds
 * nothing but its own device. That all is gone is told by the notifications;
 * what is left is told again by the watch. Where the link is up and others stay
 * the GPU alone was taken for lost, and may be found again.
 */
enum egpu_bit egpu_job_clear(struct egpu_port *port)
{
	struct egpu_pdevs *below __free(egpu_pdevs) = egpu_slot_below(port);
	struct pci_dev *pdev;
	u32 i;

	if (!below)
		return EGPU_BIT_COUNT;
	egpu_step_set(port, EGPU_STEP_REMOVE);
	for (i = below->nr; i > 0; i--) {
		pdev = below->pdev[i - 1];
		if (pdev->hdr_type == PCI_HEADER_TYPE_NORMAL &&
		    pci_dev_is_disconnected(pdev))
			device_release_driver(&pdev->dev);
	}
	egpu_step_set(port, EGPU_STEP_SLOT_OFF);
	egpu_slot_remove_lost(port);
	if (READ_ONCE(port->soft) && egpu_soft_presence(port) > 0 &&
	    egpu_slot_is_occupied(port))
		egpu_slot_rescan(port);
	return EGPU_BIT_COUNT;
}
