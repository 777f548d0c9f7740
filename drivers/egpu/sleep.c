// SPDX-License-Identifier: GPL-2.0-only
/*
 * The machine sleeps, and cards are swapped meanwhile. The kernel compares from
 * 6.12 on, and below pciehp's ports alone; so every GPU that was there when the
 * machine fell asleep is compared with its record before anybody gets it, and at
 * once afterwards when somebody has it.
 */
#include <linux/pci.h>
#include <linux/pm_runtime.h>
#include <linux/timekeeping.h>

#include "egpu.h"

/*
 * From before tasks are frozen until after they are thawed: who was compared in
 * between will be once more. Written by the PM notifier alone.
 */
static bool egpu_sleeping;

/**
 * egpu_is_awake() - can its registers be read without waking anybody?
 * @pdev: the device
 *
 * Reading a sleeping device would wake it, or give all ones; so would one below
 * a port that sleeps, which a device without a driver does not know. One that
 * never had a driver has no state (PCI_UNKNOWN), and is awake.
 */
bool egpu_is_awake(struct pci_dev *pdev)
{
	for (; pdev; pdev = pci_upstream_bridge(pdev))
		if (pdev->current_state != PCI_D0 &&
		    pdev->current_state != PCI_UNKNOWN)
			return false;
	return true;
}

/* Are links not to be relied on, since the machine sleeps, or wakes up? */
bool egpu_is_sleeping(void)
{
	return READ_ONCE(egpu_sleeping);
}

/* Who is it that arrived? */
void egpu_sleep_note(struct egpu_fn *fn)
{
	fn->serial_known = egpu_is_awake(fn->pdev);
	if (fn->serial_known)
		fn->serial = pci_get_dsn(fn->pdev);
	if (READ_ONCE(egpu_sleeping))
		fn->slept_ns = ktime_get_ns();
}

static void egpu_sleep_mark(struct egpu_port *port)
{
	struct egpu_fn *fn;

	lockdep_assert_held(&port->lock);
	list_for_each_entry(fn, &port->functions, node)
		fn->slept_ns = ktime_get_ns();
}

/*
 * Tasks run again before they are told that they do, jobs too: so everybody is
 * in doubt from now on.
 */
void egpu_sleep_begin(void)
{
	struct egpu_port *port;
	u32 id;

	WRITE_ONCE(egpu_sleeping, true);
	for (id = 0; (port = egpu_port_next(id)); egpu_port_put(port)) {
		id = port->id;
		guard(mutex)(&port->lock);
		egpu_sleep_mark(port);
	}
}

/* In the other states the next step looks before it gives anybody anything. */
static void egpu_sleep_wake(struct egpu_port *port)
{
	if (port->state == EGPU_STATE_READY || port->state == EGPU_STATE_FAULT)
		egpu_state_post(port, EGPU_BIT_TICK);
	else if (port->state == EGPU_STATE_HELD)
		egpu_state_post(port, EGPU_BIT_POLICY);
}

/* It may have failed to fall asleep as well. */
void egpu_sleep_end(void)
{
	struct egpu_port *port;
	u32 id;

	WRITE_ONCE(egpu_sleeping, false);
	for (id = 0; (port = egpu_port_next(id)); egpu_port_put(port)) {
		id = port->id;
		guard(mutex)(&port->lock);
		egpu_sleep_mark(port);
		egpu_soft_woke(port);
		egpu_sleep_wake(port);
	}
}

/* Is anybody to be looked at who can be? Memory only. */
bool egpu_sleep_asks(struct egpu_port *port)
{
	struct egpu_fn *fn;

	lockdep_assert_held(&port->lock);
	list_for_each_entry(fn, &port->functions, node)
		if (fn->gated && fn->slept_ns && egpu_is_awake(fn->pdev))
			return true;
	return false;
}

/* Its ids are what was read last: is it the one that arrived? */
static bool egpu_fn_has_serial(struct egpu_fn *fn)
{
	u64 serial = pci_get_dsn(fn->pdev);

	if (!fn->serial_known)
		fn->serial = serial;
	fn->serial_known = true;
	return serial == fn->serial;
}

static enum egpu_identity egpu_fn_identify(struct egpu_fn *fn)
{
	struct pci_dev *pdev = fn->pdev;
	u16 vendor, device;

	pci_read_config_word(pdev, PCI_SUBSYSTEM_VENDOR_ID, &vendor);
	pci_read_config_word(pdev, PCI_SUBSYSTEM_ID, &device);
	if (PCI_POSSIBLE_ERROR(vendor))
		return EGPU_UNSEEN;
	if (!egpu_config_is_sane(pdev) || vendor != pdev->subsystem_vendor ||
	    device != pdev->subsystem_device || !egpu_fn_has_serial(fn))
		return EGPU_OTHER;
	return EGPU_SAME;
}

/* One that goes while it is looked at reads all ones from some access on. */
static enum egpu_identity egpu_fn_compare(struct egpu_fn *fn)
{
	enum egpu_identity who;

	if (!egpu_is_awake(fn->pdev))
		return EGPU_UNSEEN;
	who = egpu_fn_identify(fn);
	if (who == EGPU_OTHER)
		who = egpu_fn_identify(fn);
	if (who == EGPU_SAME && !READ_ONCE(egpu_sleeping))
		fn->slept_ns = 0;
	return who;
}

/*
 * Only who was there when the machine slept is looked at, and only while it is
 * awake: what is asleep is compared when it wakes up.
 */
static enum egpu_identity egpu_sleep_judge(struct egpu_port *port,
					   struct egpu_fn *fn)
{
	enum egpu_identity who;

	lockdep_assert_held(&port->lock);
	if (!fn->slept_ns)
		return EGPU_SAME;
	who = egpu_fn_compare(fn);
	if (who == EGPU_OTHER && !port->replaced) {
		port->replaced = true;
		pci_warn(fn->pdev, "egpu: replaced while the machine slept\n");
	}
	return who;
}

/*
 * Are the GPU's functions those that arrived?
 * @held: only those that are held
 *
 * Return: the worst that is true of any of them.
 */
static enum egpu_identity egpu_sleep_compare(struct egpu_port *port, bool held)
{
	enum egpu_identity worst = EGPU_SAME;
	struct egpu_fn *fn;

	lockdep_assert_held(&port->lock);
	list_for_each_entry(fn, &port->functions, node)
		if (fn->gated && (fn->hold || !held))
			worst = max(worst, egpu_sleep_judge(port, fn));
	return worst;
}

/**
 * egpu_sleep_review() - who is held: those that arrived?
 * @port: the port, not locked; is woken up
 *
 * For a job that is about to give them away. One that is bound, and sleeps, is in
 * nobody's way.
 *
 * Return: the worst that is true of any of them.
 */
enum egpu_identity egpu_sleep_review(struct egpu_port *port)
{
	enum egpu_identity worst;

	pm_runtime_get_sync(&port->pdev->dev);
	scoped_guard(mutex, &port->lock)
		worst = egpu_sleep_compare(port, true);
	pm_runtime_put(&port->pdev->dev);
	return worst;
}

/**
 * egpu_sleep_review_one() - is this function the one that arrived?
 * @port: its port, not locked
 * @pdev: the function, which nobody has; is woken up
 */
enum egpu_identity egpu_sleep_review_one(struct egpu_port *port,
					 struct pci_dev *pdev)
{
	enum egpu_identity who = EGPU_UNSEEN;
	struct egpu_fn *fn;

	pm_runtime_get_sync(&pdev->dev);
	scoped_guard(mutex, &port->lock) {
		fn = egpu_fn_find(port, pdev);
		if (fn)
			who = egpu_sleep_judge(port, fn);
	}
	pm_runtime_put(&pdev->dev);
	return who;
}

/* Awake, and no answer for longer than any recovery takes. */
static bool egpu_sleep_is_over(struct egpu_port *port)
{
	u64 now = ktime_get_ns();
	struct egpu_fn *fn;

	list_for_each_entry(fn, &port->functions, node)
		if (fn->gated && fn->slept_ns && egpu_is_awake(fn->pdev) &&
		    now - fn->slept_ns >
		    (u64)EGPU_FROZEN_MAX_MS * NSEC_PER_MSEC)
			return true;
	return false;
}

/**
 * egpu_sleep_look() - after sleep, while a driver has it, or after a fault
 * @port: the port, locked
 *
 * Return: what to post: another device came, or none answers; or
 * EGPU_BIT_COUNT.
 */
enum egpu_bit egpu_sleep_look(struct egpu_port *port)
{
	switch (egpu_sleep_compare(port, false)) {
	case EGPU_SAME:
		break;
	case EGPU_UNSEEN:
		return egpu_sleep_is_over(port) ? EGPU_BIT_LOST :
						  EGPU_BIT_COUNT;
	case EGPU_OTHER:
		if (port->state != EGPU_STATE_FAULT)
			return EGPU_BIT_ERROR;
		port->reason = EGPU_REASON_RECOVERY_FAILED;
		return EGPU_BIT_MEND;
	}
	return EGPU_BIT_COUNT;
}
