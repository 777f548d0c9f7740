// SPDX-License-Identifier: GPL-2.0-only
/*
 * From bound driver to an empty slot, as jobs: who uses it, hold and look
 * again, unbind, slot off; the same for all ports below a cable port; and is
 * the card still there.
 */
#include <linux/pci.h>
#include <linux/slab.h>
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

	lockdep_assert_held(&port->lock);
	list_for_each_entry(fn, &port->functions, node)
		if (fn->found && vga_default_device() == fn->pdev)
			return true;
	return false;
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
	bool boot;

	mutex_lock(&port->lock);
	boot = egpu_port_has_boot_display(port);
	mutex_unlock(&port->lock);
	if (boot)
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

/* Take back the holds of what is bound still; what was held stays so. */
static void egpu_unhold(struct egpu_port *port, struct egpu_pdevs *pdevs)
{
	struct egpu_fn *fn;
	bool clear;
	u32 i;

	for (i = 0; i < pdevs->nr; i++) {
		mutex_lock(&port->lock);
		fn = egpu_fn_find(port, pdevs->pdev[i]);
		clear = fn && fn->hold && fn->bound;
		if (clear)
			fn->hold = false;
		mutex_unlock(&port->lock);
		if (clear)
			egpu_override_clear_if(pdevs->pdev[i], EGPU_NAME);
	}
}

/* Return: 0, -EBUSY, -ECANCELED, -EPERM, -ENOMEM; on failure all is as before. */
static int egpu_unbind_prepare(struct egpu_port *port)
{
	struct egpu_pdevs *gated __free(egpu_pdevs) =
		egpu_fn_snapshot(port, egpu_fn_is_gated);
	int ret;
	u32 i;

	if (!gated)
		return -ENOMEM;
	egpu_step_set(port, EGPU_STEP_HOLD);
	for (i = 0; i < gated->nr; i++)
		egpu_fn_hold(port, gated->pdev[i]);

	/* Nobody binds any more; did somebody open it meanwhile? */
	egpu_step_set(port, EGPU_STEP_USERS);
	ret = egpu_txn_check(port);
	if (!ret && !egpu_job_commit(port))
		ret = -ECANCELED;
	if (ret)
		egpu_unhold(port, gated);
	return ret;
}

/*
 * Without the rescan lock, so that a driver that hangs in remove() holds
 * nothing but its own device.
 */
static int egpu_unbind_all(struct egpu_port *port)
{
	struct egpu_pdevs *all __free(egpu_pdevs) =
		egpu_fn_snapshot(port, NULL);
	struct device *dev;
	u32 i;

	if (!all)
		return -ENOMEM;
	egpu_step_set(port, EGPU_STEP_REMOVE);
	for (i = all->nr; i > 0; i--) {
		dev = &all->pdev[i - 1]->dev;
		if (!egpu_bus_is_ours(READ_ONCE(dev->driver)))
			device_release_driver(dev);
	}
	return 0;
}

static bool egpu_park(struct egpu_port *port)
{
	guard(mutex)(&port->lock);
	port->parked = port->txn.parent != 0;
	return port->parked;
}

/**
 * egpu_job_unbind() - hold, look again, unbind, slot off
 * @port: the port
 *
 * Below a cable port the slot is left to that one.
 */
enum egpu_bit egpu_job_unbind(struct egpu_port *port)
{
	int ret;

	ret = egpu_unbind_prepare(port);
	if (ret == -ECANCELED) {
		egpu_job_result(port, ECANCELED, EGPU_REASON_CANCELLED);
		return EGPU_BIT_BACK;
	}
	if (ret == -EBUSY)
		return egpu_check_result(port, ret);
	if (!ret)
		ret = egpu_unbind_all(port);
	if (ret) {
		egpu_job_result(port, -ret, ret == -EPERM ?
				EGPU_REASON_BOOT_DISPLAY :
				EGPU_REASON_BIND_FAILED);
		return EGPU_BIT_BACK;
	}
	if (egpu_park(port))
		return EGPU_BIT_PARKED;

	egpu_step_set(port, EGPU_STEP_SLOT_OFF);
	ret = egpu_slot_off(port);
	egpu_job_result(port, -ret, EGPU_REASON_SLOT_FAILED);
	return ret ? EGPU_BIT_FAILED : EGPU_BIT_DONE;
}

enum egpu_bit egpu_job_presence(struct egpu_port *port)
{
	int present = egpu_slot_presence(port);

	guard(mutex)(&port->lock);
	port->absent = present ? 0 : port->absent + 1;
	return port->absent >= 2 ? EGPU_BIT_ABSENT : EGPU_BIT_COUNT;
}

/* A cable port: its transaction is the parent of one on each port below. */

/* Return: 0, or errno when this child cannot begin. */
static int egpu_child_begin(struct egpu_port *port, struct egpu_port *child)
{
	struct egpu_transaction parent;
	int ret = 0;

	mutex_lock(&port->lock);
	parent = port->txn;
	if (parent.accept)
		kref_get(&parent.accept->kref);
	mutex_unlock(&port->lock);

	mutex_lock(&child->lock);
	if (list_empty(&child->functions) ||
	    child->state == EGPU_STATE_DETACHED) {
		ret = 0;
	} else if (child->txn.id) {
		ret = EBUSY;
	} else if (!egpu_transaction_begin(child, EGPU_TRANSACTION_DETACH)) {
		ret = EBUSY;
	} else {
		child->txn.parent = parent.id;
		child->txn.force = parent.force;
		child->txn.wait_ms = parent.wait_ms;
		child->txn.deadline_ns = parent.deadline_ns;
		swap(child->txn.accept, parent.accept);
		egpu_state_post(child, EGPU_BIT_DETACH);
	}
	mutex_unlock(&child->lock);
	egpu_accept_put(parent.accept);
	return ret;
}

/*
 * Return: 0 all children are past their unbind, -EAGAIN not yet, -ECANCELED
 * one was cancelled, -EBUSY one refused or failed.
 */
static int egpu_children_poll(struct egpu_port *port, u32 parent)
{
	struct egpu_port *child;
	int ret = 0;
	u32 id = 0;

	while ((child = egpu_port_next_below(port, id))) {
		id = child->id;
		mutex_lock(&child->lock);
		if (list_empty(&child->functions) ||
		    child->state == EGPU_STATE_DETACHED)
			; /* nothing to wait for */
		else if (child->txn.parent != parent)
			ret = -EBUSY;
		else if (child->parked && atomic_read(&child->cancel))
			ret = -ECANCELED;
		else if (!child->parked && !ret)
			ret = -EAGAIN;
		mutex_unlock(&child->lock);
		egpu_port_put(child);
	}
	return ret == -EAGAIN && atomic_read(&port->cancel) ? -ECANCELED : ret;
}

static int egpu_children_wait(struct egpu_port *port, u32 parent)
{
	int ret, seen;

	do {
		seen = egpu_child_seen();
		ret = egpu_children_poll(port, parent);
		if (ret == -EAGAIN)
			egpu_child_wait(seen);
	} while (ret == -EAGAIN);
	return ret;
}

static void egpu_children_release(struct egpu_port *port, u32 parent)
{
	struct egpu_port *child;
	u32 id = 0;

	while ((child = egpu_port_next_below(port, id))) {
		id = child->id;
		mutex_lock(&child->lock);
		if (child->txn.id && child->txn.parent == parent) {
			clear_bit(EGPU_BIT_DETACH, &child->pending);
			egpu_state_post(child, EGPU_BIT_RELEASE);
		}
		mutex_unlock(&child->lock);
		egpu_port_put(child);
	}
}

static int egpu_children_detach(struct egpu_port *port, u32 parent)
{
	struct egpu_port *child;
	int ret = 0;
	u32 id = 0;

	while (!ret && (child = egpu_port_next_below(port, id))) {
		id = child->id;
		ret = -egpu_child_begin(port, child);
		egpu_port_put(child);
	}
	if (!ret)
		ret = egpu_children_wait(port, parent);
	if (!ret && !egpu_job_commit(port))
		ret = -ECANCELED;
	if (ret)
		egpu_children_release(port, parent);
	return ret;
}

/**
 * egpu_job_cable() - detach all ports below, then this one's own slot
 * @port: the cable port
 *
 * All children go past their unbind, or none does: one that refuses, or is
 * cancelled, releases all. Then pciehp leaves the ports below, and the slot
 * operation of the outermost port removes everything.
 */
enum egpu_bit egpu_job_cable(struct egpu_port *port)
{
	struct egpu_nested *nested;
	u32 parent;
	int ret;

	mutex_lock(&port->lock);
	parent = port->txn.id;
	mutex_unlock(&port->lock);
	egpu_step_set(port, EGPU_STEP_CHILDREN);
	ret = egpu_children_detach(port, parent);
	if (ret) {
		egpu_job_result(port, -ret, ret == -ECANCELED ?
				EGPU_REASON_CANCELLED : EGPU_REASON_CHILD);
		return EGPU_BIT_VACANT;
	}

	egpu_step_set(port, EGPU_STEP_SLOT_OFF);
	nested = egpu_slot_quiet_nested(port);
	ret = nested ? egpu_slot_off(port) : -ENOMEM;
	if (ret && nested)
		egpu_slot_wake_nested(nested);
	if (nested)
		egpu_slot_free_nested(nested);
	if (!ret)
		return EGPU_BIT_DONE;
	egpu_children_release(port, parent);
	egpu_job_result(port, -ret, EGPU_REASON_SLOT_FAILED);
	return EGPU_BIT_FAILED;
}
