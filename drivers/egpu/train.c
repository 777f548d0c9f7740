// SPDX-License-Identifier: GPL-2.0-only
/*
 * Training a port's link: to the best speed that both ends can do, or to the one
 * that a user wants (PCIe 6.0.1 sections 7.5.3.7, 7.5.3.8 and 7.5.3.19). Called
 * by jobs only: by LINK_SET's, and by the check of what arrived.
 *
 * On a native port a link that goes down costs the device: pciehp sees it, and
 * removes what is below, under its driver if there is one.
 */
#include <linux/delay.h>
#include <linux/pci.h>
#include <linux/pm_runtime.h>
#include <linux/timekeeping.h>

#include "egpu.h"
#include "link_regs.h"

#define EGPU_BANDWIDTH_MS	100	/* the kernel's bandwidth controller's */
#define EGPU_GONE_LOOK_MS	10
#define EGPU_CRS		0x0001	/* a vendor id: configuration retry */

#define EGPU_DVSEC_CXL		0x1e98	/* CXL 3.0 section 8.1.3 */
#define EGPU_DVSEC_CXL_DEVICE	0
#define EGPU_CXL_CONTROL	0x0c
#define EGPU_CXL_MEM_ENABLE	0x0004

/**
 * struct egpu_train - a link that is being trained
 * @port: its port
 * @pdev: the Downstream Port
 * @below: what is at the far end, with a reference; NULL: nothing
 * @link: what was known of it before
 * @down: it went down where it should not have
 * @speed: tenths of GT/s after the last step; 0: down
 * @width: lanes
 */
struct egpu_train {
	struct egpu_port *port;
	struct pci_dev *pdev;
	struct pci_dev *below;
	struct egpu_hop link;
	bool down;
	u32 speed;
	u32 width;
};

static u32 egpu_speed_code(u32 speed)
{
	u32 code = 1;

	while (egpu_link_speed(code) && egpu_link_speed(code) != speed)
		code++;
	return egpu_link_speed(code) ? code : 0;
}

static bool egpu_train_status(struct egpu_train *train, u16 *status)
{
	return !pcie_capability_read_word(train->pdev, PCI_EXP_LNKSTA,
					  status) &&
	       !PCI_POSSIBLE_ERROR(*status);
}

/* Where Data Link Layer Link Active is not reported, nobody knows better. */
static bool egpu_train_is_active(struct egpu_train *train, u16 status)
{
	return status & PCI_EXP_LNKSTA_DLLLA ||
	       !(train->link.flags & EGPU_LINK_ACTIVE);
}

/*
 * Until Link Training is clear and, with @up, the link is active.
 *
 * Return: 0, -ETIMEDOUT, -ENODEV when the port does not answer.
 */
static int egpu_train_wait(struct egpu_train *train, bool up)
{
	u64 end = ktime_get_ns() + (u64)EGPU_TRAIN_MS * NSEC_PER_MSEC;
	bool late;
	u16 status;

	do {
		late = ktime_get_ns() >= end;
		if (!egpu_train_status(train, &status))
			return -ENODEV;
		if (up && !egpu_train_is_active(train, status))
			train->down = true;
		else if (!(status & PCI_EXP_LNKSTA_LT))
			return 0;
		fsleep(EGPU_TRAIN_LOOK_MS * USEC_PER_MSEC);
	} while (!late);
	return -ETIMEDOUT;
}

/*
 * A leftover makes 6.12's quirk for links that failed misread the next training.
 * Where the kernel's bandwidth controller has the interrupt, the bit is its own.
 */
static void egpu_train_clear_lbms(struct egpu_train *train)
{
	u64 end = ktime_get_ns() + (u64)EGPU_BANDWIDTH_MS * NSEC_PER_MSEC;
	u16 status, control = 0;

	pcie_capability_read_word(train->pdev, PCI_EXP_LNKCTL, &control);
	while (egpu_train_status(train, &status) &&
	       status & PCI_EXP_LNKSTA_LBMS) {
		if (!(control & PCI_EXP_LNKCTL_LBMIE) || ktime_get_ns() >= end) {
			pcie_capability_write_word(train->pdev, PCI_EXP_LNKSTA,
						   PCI_EXP_LNKSTA_LBMS);
			return;
		}
		fsleep(EGPU_TRAIN_LOOK_MS * USEC_PER_MSEC);
	}
}

static void egpu_train_set_target(struct egpu_train *train, u32 speed)
{
	u32 code = egpu_speed_code(speed);

	if (code)
		pcie_capability_clear_and_set_word(train->pdev,
						   PCI_EXP_LNKCTL2,
						   PCI_EXP_LNKCTL2_TLS, code);
}

/* Link Training has to be clear before Retrain Link is set (7.5.3.7). */
static int egpu_train_retrain(struct egpu_train *train, u32 speed)
{
	int ret = egpu_train_wait(train, false);

	if (ret)
		return ret;
	egpu_train_set_target(train, speed);
	pcie_capability_set_word(train->pdev, PCI_EXP_LNKCTL,
				 PCI_EXP_LNKCTL_RL);
	if (train->pdev->clear_retrain_link)
		pcie_capability_clear_word(train->pdev, PCI_EXP_LNKCTL,
					   PCI_EXP_LNKCTL_RL);
	ret = egpu_train_wait(train, true);
	egpu_train_clear_lbms(train);
	return ret;
}

/* What runs now. */
static void egpu_train_look(struct egpu_train *train)
{
	u16 status;

	train->speed = 0;
	train->width = 0;
	if (!egpu_train_status(train, &status) ||
	    !egpu_train_is_active(train, status))
		return;
	train->speed = egpu_link_speed(status & EGPU_LNKSTA_SPEED);
	train->width = (status & EGPU_LNKSTA_WIDTH) >> 4;
}

/* From Detect a link comes up at 2.5 GT/s, and goes on from there. */
static int egpu_train_reset(struct egpu_train *train, u32 speed)
{
	u64 end = ktime_get_ns() + (u64)EGPU_TRAIN_MS * NSEC_PER_MSEC;
	int ret = egpu_train_wait(train, false);

	if (ret)
		return ret;
	egpu_train_set_target(train, speed);
	ret = egpu_slot_reset(train->port, train->below);
	do {
		egpu_train_look(train);
		if (ret || train->speed == speed)
			break;
		fsleep(EGPU_TRAIN_LOOK_MS * USEC_PER_MSEC);
	} while (ktime_get_ns() < end);
	egpu_train_clear_lbms(train);
	return ret;
}

/* The first answer after training may be a retry status, or late. */
static bool egpu_train_answers(struct egpu_train *train)
{
	u64 end = ktime_get_ns() + (u64)EGPU_TRAIN_MS * NSEC_PER_MSEC;
	u32 id;

	do {
		pci_read_config_dword(train->below, PCI_VENDOR_ID, &id);
		if (!PCI_POSSIBLE_ERROR(id) && (id & 0xffff) != EGPU_CRS)
			return true;
		if (pci_dev_is_disconnected(train->below))
			return false;
		fsleep(EGPU_TRAIN_LOOK_MS * USEC_PER_MSEC);
	} while (ktime_get_ns() < end);
	return false;
}

static void egpu_train_tell(struct egpu_train *train, u32 before, int ret)
{
	struct egpu_port *port = train->port;
	struct egpu_event event;

	guard(mutex)(&port->lock);
	egpu_event_prepare(&event, port, EGPU_EVENT_LINK);
	event.from = before;
	event.to = train->speed;
	event.value = train->width;
	event.error = -ret;
	egpu_event_send(port, &event);
}

/*
 * One training.
 *
 * Return: 0, -EIO when another speed came of it, -ETIMEDOUT, -ENODEV when the
 * link or what is below is gone.
 */
static int egpu_train_step(struct egpu_train *train, enum egpu_step step,
			   u32 speed)
{
	u32 before = train->speed;
	int ret;

	egpu_step_set(train->port, step);
	ret = step == EGPU_STEP_LINK_RESET ? egpu_train_reset(train, speed) :
					     egpu_train_retrain(train, speed);
	egpu_train_look(train);
	if (train->down || !train->speed || !egpu_train_answers(train))
		ret = -ENODEV;
	else if (!ret && speed && train->speed != speed)
		ret = -EIO;
	egpu_train_tell(train, before, ret);
	return ret;
}

static bool egpu_train_is_current(struct egpu_train *train)
{
	guard(mutex)(&train->port->lock);
	return egpu_job_is_current(train->port) && train->port->nr_gated;
}

/* What pciehp removes now is lost by what was done here. */
static void egpu_train_drop(struct egpu_train *train)
{
	guard(mutex)(&train->port->lock);
	train->port->dropped = egpu_job_is_current(train->port);
}

/*
 * The link went down. Its old target once more, and pciehp has the word; with
 * nobody to remove it, the device has forgotten all that it was told.
 */
static int egpu_train_dropped(struct egpu_train *train)
{
	u64 end = ktime_get_ns() + (u64)EGPU_REMOVAL_MS * NSEC_PER_MSEC;

	egpu_train_drop(train);
	egpu_train_set_target(train, train->link.target_speed);
	if (egpu_slot_backend(train->port) == EGPU_BACKEND_PCIEHP)
		while (egpu_train_is_current(train) && ktime_get_ns() < end)
			msleep(EGPU_GONE_LOOK_MS);
	return -ENODEV;
}

/* The old target again, and, when it had effect, the old speed. */
static void egpu_train_restore(struct egpu_train *train)
{
	if (train->speed == train->link.speed)
		egpu_train_set_target(train, train->link.target_speed);
	else
		egpu_train_step(train, EGPU_STEP_LINK_RESTORE,
				train->link.target_speed ?: train->link.speed);
}

/* Return: 0, or as egpu_train_step() when the link is not at @speed now. */
static int egpu_train_run(struct egpu_train *train, u32 speed, bool may_reset)
{
	int ret = egpu_train_step(train, EGPU_STEP_LINK, speed);

	if (train->down)
		return egpu_train_dropped(train);
	if (ret == -EIO && may_reset && !atomic_read(&train->port->cancel))
		ret = egpu_train_step(train, EGPU_STEP_LINK_RESET, speed);
	if (ret == -EIO || ret == -ETIMEDOUT) {
		egpu_train_restore(train);
		if (train->down)
			return egpu_train_dropped(train);
	}
	return ret;
}

/* Is memory of the device in use as the machine's? Then it must not pause. */
static bool egpu_train_is_cxl(struct egpu_train *train)
{
	u16 control;
	int dvsec;

	dvsec = pci_find_dvsec_capability(train->below, EGPU_DVSEC_CXL,
					  EGPU_DVSEC_CXL_DEVICE);
	if (!dvsec)
		return false;
	pci_read_config_word(train->below, dvsec + EGPU_CXL_CONTROL, &control);
	return !PCI_POSSIBLE_ERROR(control) && control & EGPU_CXL_MEM_ENABLE;
}

static bool egpu_train_begin(struct egpu_train *train, struct egpu_port *port)
{
	memset(train, 0, sizeof(*train));
	train->port = port;
	train->pdev = port->pdev;
	pm_runtime_get_sync(&train->pdev->dev);
	train->below = egpu_link_get(port, &train->link);
	train->speed = train->link.speed;
	train->width = train->link.width;
	return train->link.flags & EGPU_LINK_KNOWN;
}

static void egpu_train_end(struct egpu_train *train)
{
	pci_dev_put(train->below);
	pm_runtime_put(&train->pdev->dev);
	egpu_links_forget(train->port);
}

static void egpu_train_set_fixed(struct egpu_train *train, u32 flags)
{
	u16 set = flags & EGPU_LINK_SET_FIXED ? PCI_EXP_LNKCTL2_HASD : 0;

	if (!(flags & (EGPU_LINK_SET_FIXED | EGPU_LINK_SET_AUTONOMOUS)))
		return;
	pcie_capability_clear_and_set_word(train->pdev, PCI_EXP_LNKCTL2,
					   PCI_EXP_LNKCTL2_HASD, set);
	if (train->below)
		pcie_capability_clear_and_set_word(train->below,
						   PCI_EXP_LNKCTL2,
						   PCI_EXP_LNKCTL2_HASD, set);
}

/* The limit that holds for what is there. The port is locked. */
static u32 egpu_limit_for(struct egpu_port *port, struct pci_dev *pdev)
{
	const struct egpu_limit *limit = &port->limit;

	if (limit->vendor && (limit->vendor != pdev->vendor ||
			      limit->device != pdev->device))
		return 0;
	return limit->speed;
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

static u32 egpu_train_limit(struct egpu_port *port)
{
	struct pci_dev *pdev;

	guard(mutex)(&port->lock);
	pdev = egpu_gated_first(port);
	return pdev ? egpu_limit_for(port, pdev) : 0;
}

/* Nothing is there to train; what comes begins with the target. */
static int egpu_link_set_empty(struct egpu_train *train,
			       const struct egpu_transaction *txn)
{
	u32 speed = txn->limit.speed ?: train->link.max_speed;

	if (txn->link_flags & EGPU_LINK_SET_RETRAIN)
		return -ENODEV;
	if (speed > train->link.max_speed)
		return -EOPNOTSUPP;
	if (txn->link_flags & EGPU_LINK_SET_SPEED)
		egpu_train_set_target(train, speed);
	egpu_train_set_fixed(train, txn->link_flags);
	return 0;
}

static int egpu_link_set_speed(struct egpu_train *train,
			       const struct egpu_transaction *txn)
{
	bool given = txn->link_flags & EGPU_LINK_SET_SPEED;
	u32 limit = given ? txn->limit.speed : egpu_train_limit(train->port);
	u32 speed = egpu_link_wanted(&train->link, limit);

	if (given && (limit > speed || !train->link.target_speed))
		return -EOPNOTSUPP;
	if (!(txn->link_flags & EGPU_LINK_SET_RETRAIN) &&
	    train->link.speed == speed && train->link.target_speed == speed)
		return 0;
	return egpu_train_run(train, speed, !txn->ready);
}

static int egpu_link_set(struct egpu_train *train,
			 const struct egpu_transaction *txn,
			 enum egpu_reason *reason)
{
	u32 what = EGPU_LINK_SET_SPEED | EGPU_LINK_SET_RETRAIN;
	int ret;

	if (txn->ready && !(txn->link_flags & EGPU_LINK_SET_LIVE)) {
		*reason = EGPU_REASON_BUSY;
		return -EBUSY;
	}
	if (train->link.flags & EGPU_LINK_TUNNELLED) {
		*reason = EGPU_REASON_TUNNELLED;
		return -EOPNOTSUPP;
	}
	*reason = EGPU_REASON_LINK_SPEED;
	if (!train->below || !train->speed)
		return egpu_link_set_empty(train, txn);
	if (egpu_train_is_cxl(train)) {
		*reason = EGPU_REASON_CXL;
		return -EBUSY;
	}
	egpu_train_set_fixed(train, txn->link_flags);
	ret = txn->link_flags & what ? egpu_link_set_speed(train, txn) : 0;
	if (ret == -ENODEV)
		*reason = EGPU_REASON_LINK_SET;
	return ret;
}

/* It did what was asked for: that holds from now on. */
static void egpu_link_set_keep(struct egpu_port *port,
			       const struct egpu_transaction *txn)
{
	guard(mutex)(&port->lock);
	if (!egpu_job_is_current(port))
		return;
	if (txn->link_flags & EGPU_LINK_SET_SPEED)
		port->limit = txn->limit;
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
	egpu_links_forget(port);
	if (egpu_train_begin(&train, port))
		ret = egpu_link_set(&train, &txn, &reason);
	egpu_train_end(&train);
	if (!ret)
		egpu_link_set_keep(port, &txn);
	else if (atomic_read(&port->cancel) && !train.down)
		ret = -ECANCELED;
	if (ret == -ECANCELED)
		reason = EGPU_REASON_CANCELLED;
	egpu_job_result(port, -ret, ret ? reason : EGPU_REASON_NONE);
	if (train.down)
		return EGPU_BIT_FAILED;
	return txn.ready ? EGPU_BIT_LIVE : EGPU_BIT_LINKED;
}

/* The record of what training showed, when it is of this device. */
static bool egpu_trained_is_for(const struct egpu_trained *trained,
				const struct egpu_trained *now)
{
	return trained->vendor == now->vendor &&
	       trained->device == now->device &&
	       trained->serial == now->serial;
}

/* Return: false when nothing gated is there any more. */
static bool egpu_trained_get(struct egpu_port *port, struct egpu_trained *now,
			     bool *allowed)
{
	struct pci_dev *pdev;

	guard(mutex)(&port->lock);
	pdev = egpu_gated_first(port);
	if (!pdev)
		return false;
	memset(now, 0, sizeof(*now));
	now->vendor = pdev->vendor;
	now->device = pdev->device;
	now->serial = egpu_fn_find(port, pdev)->serial;
	if (egpu_trained_is_for(&port->trained, now))
		*now = port->trained;
	*allowed = READ_ONCE(egpu_retrain) && !port->no_retrain && !now->slow;
	return true;
}

static void egpu_trained_set(struct egpu_port *port,
			     const struct egpu_trained *now)
{
	guard(mutex)(&port->lock);
	port->trained = *now;
}

static u32 egpu_link_full_width(const struct egpu_hop *link)
{
	return min(link->max_width, link->partner_max_width);
}

static bool egpu_train_can_judge(struct egpu_train *train)
{
	u32 flags = train->link.flags;

	return train->below && train->speed && flags & EGPU_LINK_PARTNER &&
	       !(flags & EGPU_LINK_TUNNELLED);
}

/* Trained once more, and what came of it is remembered. */
static void egpu_train_again(struct egpu_train *train, u32 wanted,
			     struct egpu_trained *now)
{
	int ret = egpu_train_run(train, wanted, false);

	now->slow = ret != 0;
	now->width = 0;
	if (train->width && train->width < egpu_link_full_width(&train->link))
		now->width = train->width;
	egpu_trained_set(train->port, now);
}

static bool egpu_train_judge(struct egpu_train *train)
{
	u32 wanted = egpu_link_wanted(&train->link,
				      egpu_train_limit(train->port));
	u32 full = egpu_link_full_width(&train->link);
	struct egpu_trained now;
	bool allowed, narrow;

	if (!egpu_trained_get(train->port, &now, &allowed))
		return true;
	narrow = train->width < full && train->width != now.width;
	if (train->speed == wanted && !narrow)
		return true;
	/* A limit is a user's word, whether others are trained or not. */
	if ((allowed || train->speed > wanted) && !egpu_train_is_cxl(train))
		egpu_train_again(train, wanted, &now);
	return train->speed == wanted &&
	       (train->width == full || train->width == now.width);
}

/**
 * egpu_train_arrival() - is the link of what is held as good as it can be?
 * @port: the port
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
