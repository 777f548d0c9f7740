// SPDX-License-Identifier: GPL-2.0-only
/*
 * Which speed a port's link shall have: what LINK_SET asks for, and what the
 * check of an arrival wants; train.c trains it.
 */
#include <linux/pci.h>
#include <linux/pm_runtime.h>

#include "egpu.h"
#include "link_regs.h"
#include "train.h"

static bool egpu_limit_is_for(const struct egpu_limit *limit,
			      struct pci_dev *pdev)
{
	return !limit->vendor || (limit->vendor == pdev->vendor &&
				  limit->device == pdev->device);
}

/* Which device is it whose link is trained? That of the first gated function. */
static struct pci_dev *egpu_gated_first(struct egpu_port *port)
{
	struct egpu_fn *fn;

	lockdep_assert_held(&port->lock);
	list_for_each_entry(fn, &port->functions, node)
		if (fn->gated)
			return fn->pdev;
	return NULL;
}

/* The port's limit, or @limit, where it holds for what is there; else 0. */
static u32 egpu_train_limit(struct egpu_port *port,
			    const struct egpu_limit *limit)
{
	struct pci_dev *pdev;

	guard(mutex)(&port->lock);
	if (!limit)
		limit = &port->limit;
	pdev = egpu_gated_first(port);
	return pdev && egpu_limit_is_for(limit, pdev) ? limit->speed : 0;
}

/* Nothing is there to train; what comes begins with the target. */
static int egpu_link_set_empty(struct egpu_train *train,
			       const struct egpu_transaction *txn)
{
	u32 speed = txn->limit.speed ?: egpu_train_base(train);

	if (txn->link_flags & EGPU_LINK_SET_RETRAIN)
		return -ENODEV;
	if (!train->link.target_speed || speed > train->link.max_speed)
		return -EOPNOTSUPP;
	if (txn->link_flags & EGPU_LINK_SET_SPEED)
		egpu_train_set_target(train, speed);
	egpu_train_set_fixed(train, txn->link_flags);
	return 0;
}

/* A user may exceed what others set as target; a retrain alone does not. */
static int egpu_link_set_speed(struct egpu_train *train,
			       const struct egpu_transaction *txn)
{
	bool given = txn->link_flags & EGPU_LINK_SET_SPEED;
	u32 limit = egpu_train_limit(train->port, given ? &txn->limit : NULL);
	u32 base = given ? train->link.max_speed : egpu_train_base(train);
	u32 speed = egpu_link_wanted(&train->link, limit ?: base);

	if (given && (limit > speed || !train->link.target_speed))
		return -EOPNOTSUPP;
	if (given && txn->limit.speed && !limit)
		return 0;	/* for another device than is there */
	train->target = limit ?: base;
	if (!(txn->link_flags & EGPU_LINK_SET_RETRAIN) &&
	    train->link.speed == speed &&
	    train->link.target_speed == train->target)
		return 0;
	/* What the far end can do is not known while it sleeps. */
	if (!(train->link.flags & EGPU_LINK_PARTNER) && !limit)
		speed = 0;
	return egpu_train_run(train, speed, !txn->ready);
}

static int egpu_link_set_check(struct egpu_train *train,
			       const struct egpu_transaction *txn,
			       enum egpu_reason *reason)
{
	bool live = txn->link_flags & EGPU_LINK_SET_LIVE;

	*reason = EGPU_REASON_BUSY;
	if (!live && (txn->ready || egpu_port_is_bound(train->port)))
		return -EBUSY;
	if (egpu_train_recovers(train))
		return -EBUSY;
	*reason = EGPU_REASON_TUNNELLED;
	if (train->link.flags & EGPU_LINK_TUNNELLED)
		return -EOPNOTSUPP;
	*reason = EGPU_REASON_CXL;
	if (train->below && egpu_train_is_cxl(train))
		return -EBUSY;
	*reason = EGPU_REASON_LINK_SPEED;
	return 0;
}

static int egpu_link_set(struct egpu_train *train,
			 const struct egpu_transaction *txn,
			 enum egpu_reason *reason)
{
	u32 what = EGPU_LINK_SET_SPEED | EGPU_LINK_SET_RETRAIN;
	int ret;

	ret = egpu_link_set_check(train, txn, reason);
	if (ret)
		return ret;
	if (txn->empty)
		return egpu_link_set_empty(train, txn);
	if (!train->below || !train->speed)
		return -ENODEV;
	ret = txn->link_flags & what ? egpu_link_set_speed(train, txn) : 0;
	if (!ret)
		egpu_train_set_fixed(train, txn->link_flags);
	else if (ret == -ENODEV)
		*reason = EGPU_REASON_LINK_SET;
	return ret;
}

/* It did what was asked for: that holds from now on. */
static void egpu_link_set_keep(struct egpu_port *port,
			       const struct egpu_transaction *txn)
{
	u32 what = EGPU_LINK_SET_SPEED | EGPU_LINK_SET_RETRAIN;

	guard(mutex)(&port->lock);
	if (!egpu_job_is_current(port))
		return;
	if (txn->link_flags & EGPU_LINK_SET_SPEED)
		port->limit = txn->limit;
	if (!(txn->link_flags & what))
		return;
	port->trained.slow = false;
	port->failed_checks &= ~EGPU_CHECK_LINK;
}

/**
 * egpu_job_link() - LINK_SET: the transaction's link operation
 * @port: the port
 */
enum egpu_bit egpu_job_link(struct egpu_port *port)
{
	enum egpu_reason reason = EGPU_REASON_NONE;
	struct egpu_transaction txn;
	struct egpu_train train;
	int ret = -ENODEV;

	scoped_guard(mutex, &port->lock)
		txn = port->txn;
	if (egpu_train_begin(&train, port))
		ret = egpu_link_set(&train, &txn, &reason);
	egpu_train_end(&train);
	if (!ret)
		egpu_link_set_keep(port, &txn);
	else if (atomic_read(&port->cancel) && ret != -ENODEV)
		ret = -ECANCELED;
	if (ret == -ECANCELED)
		reason = EGPU_REASON_CANCELLED;
	egpu_job_result(port, -ret, ret ? reason : EGPU_REASON_NONE);
	if (train.down)
		return EGPU_BIT_FAILED;
	return txn.ready ? EGPU_BIT_LIVE : EGPU_BIT_LINKED;
}

/**
 * egpu_train_release() - egpu leaves the port: Target Link Speed as it was
 * @port: the port
 *
 * Unless somebody else has changed it since. The link is not trained.
 */
void egpu_train_release(struct egpu_port *port)
{
	u32 found, set;
	u16 control;

	scoped_guard(mutex, &port->lock) {
		found = port->target_found;
		set = port->target_set;
		port->target_set = 0;
	}
	if (!set)
		return;
	pm_runtime_get_sync(&port->pdev->dev);
	pcie_capability_read_word(port->pdev, PCI_EXP_LNKCTL2, &control);
	if (!PCI_POSSIBLE_ERROR(control) &&
	    egpu_link_speed(control & PCI_EXP_LNKCTL2_TLS) == set)
		egpu_target_write(port->pdev, found);
	pm_runtime_put(&port->pdev->dev);
}

/* The record of what training showed, when it is of this device. */
static bool egpu_trained_is_for(const struct egpu_trained *trained,
				const struct egpu_trained *now)
{
	return trained->vendor == now->vendor &&
	       trained->device == now->device &&
	       trained->serial == now->serial;
}

/* Return: false when nothing gated is there. The port is locked. */
static bool egpu_trained_get(struct egpu_port *port, struct egpu_trained *now)
{
	struct pci_dev *pdev = egpu_gated_first(port);

	memset(now, 0, sizeof(*now));
	if (!pdev)
		return false;
	now->vendor = pdev->vendor;
	now->device = pdev->device;
	now->serial = egpu_fn_find(port, pdev)->serial;
	if (egpu_trained_is_for(&port->trained, now))
		*now = port->trained;
	return true;
}

/**
 * egpu_link_wired() - how many lanes connect what is there
 * @port: the port, locked
 *
 * Return: 0 when it is as many as both ends have, or not known.
 */
u32 egpu_link_wired(struct egpu_port *port)
{
	struct egpu_trained now;

	egpu_trained_get(port, &now);
	return now.width;
}

static u32 egpu_link_full_width(const struct egpu_hop *link)
{
	return min(link->max_width, link->partner_max_width);
}

static bool egpu_train_can_judge(struct egpu_train *train)
{
	u32 flags = train->link.flags;

	return train->below && train->speed && flags & EGPU_LINK_PARTNER &&
	       !(flags & EGPU_LINK_TUNNELLED) && !egpu_train_recovers(train);
}

/*
 * Trained once more, and what came of it is remembered; but not when the cable
 * was pulled meanwhile.
 */
static void egpu_train_again(struct egpu_train *train, u32 wanted,
			     struct egpu_trained *now)
{
	struct egpu_port *port = train->port;
	u32 full = egpu_link_full_width(&train->link);
	int ret = egpu_train_run(train, wanted, false);

	if (ret == -ECANCELED ||
	    (ret == -ENODEV && egpu_slot_presence(port) <= 0))
		return;
	now->slow = ret != 0;
	if (train->width < full)
		now->width = max(now->width, train->width);
	guard(mutex)(&port->lock);
	port->trained = *now;
}

static bool egpu_train_judge(struct egpu_train *train)
{
	struct egpu_port *port = train->port;
	u32 limit = egpu_train_limit(port, NULL);
	u32 full = egpu_link_full_width(&train->link);
	struct egpu_trained now;
	bool allowed, narrow, fast;
	u32 wanted, width;

	scoped_guard(mutex, &port->lock) {
		if (!egpu_trained_get(port, &now))
			return true;
		allowed = READ_ONCE(egpu_retrain) && !port->no_retrain &&
			  !now.slow;
	}
	train->target = limit ?: egpu_train_base(train);
	wanted = egpu_link_wanted(&train->link, train->target);
	width = now.width ?: full;
	narrow = train->width < width;
	fast = limit && train->speed > wanted;
	if (train->speed >= wanted && !narrow && !fast)
		return true;
	/* A limit is a user's word, whether others are trained or not. */
	if ((allowed || fast) && !egpu_train_is_cxl(train))
		egpu_train_again(train, wanted, &now);
	return train->speed >= wanted && train->width >= (now.width ?: full);
}

/**
 * egpu_train_arrival() - is the link of what is held as good as it can be?
 * @port: the port; no driver uses its link
 *
 * If not it is trained once more, before a driver binds; without a reset, and
 * not again when that did not help this device. Fewer lanes than both ends have
 * after that are as many as are wired.
 *
 * Return: false when it stays slower or narrower than it should be.
 */
bool egpu_train_arrival(struct egpu_port *port)
{
	struct egpu_train train;
	bool good = true;

	if (egpu_train_begin(&train, port) && egpu_train_can_judge(&train))
		good = egpu_train_judge(&train);
	egpu_train_end(&train);
	/* For what it is seen at, before the device may idle. */
	pci_dev_put(egpu_link_get(port, &train.link));
	return good;
}
