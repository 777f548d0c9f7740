// SPDX-License-Identifier: GPL-2.0-only
/*
 * Training a port's link (PCIe 6.0.1 sections 7.5.3.7, 7.5.3.8 and 7.5.3.19).
 * Called by jobs only: by LINK_SET's, and by the check of what arrived, both in
 * linkset.c.
 *
 * On a native port a link that goes down costs the device: pciehp sees it, and
 * removes what is below, under its driver if there is one.
 */
#include <linux/delay.h>
#include <linux/math64.h>
#include <linux/pci.h>
#include <linux/pm_runtime.h>
#include <linux/timekeeping.h>

#include "egpu.h"
#include "link_regs.h"
#include "train.h"

#define EGPU_BANDWIDTH_MS	100	/* the kernel's bandwidth controller's */
#define EGPU_SETTLE_MS		100	/* a second Recovery follows within */
#define EGPU_GONE_LOOK_MS	10
#define EGPU_PAUSE_SHIFT	5	/* a pause is 1/32 of the time until then */
#define EGPU_PAUSE_MIN_US	50
#define EGPU_PAUSE_MAX_US	1000
#define EGPU_CRS		0x0001	/* a vendor id: configuration retry */

#define EGPU_DVSEC_CXL		0x1e98	/* CXL 3.0 section 8.1.3 */
#define EGPU_DVSEC_CXL_DEVICE	0
#define EGPU_CXL_CONTROL	0x0c
#define EGPU_CXL_MEM_ENABLE	0x0004

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

static bool egpu_train_lasts(u64 since, u32 ms)
{
	return ktime_get_ns() - since >= (u64)ms * NSEC_PER_MSEC;
}

/*
 * Between two looks: the longer it lasts, the less a pause matters. Without
 * fsleep()'s slack, for an idle processor sleeps all of that.
 */
static void egpu_train_pause(u64 since)
{
	u64 us = div_u64(ktime_get_ns() - since, NSEC_PER_USEC);

	us = clamp_t(u64, us >> EGPU_PAUSE_SHIFT, EGPU_PAUSE_MIN_US,
		     EGPU_PAUSE_MAX_US);
	usleep_range(us, us + us / 8);
}

/*
 * Until Link Training is clear; with @up, the link has to stay active.
 *
 * Return: 0, -ETIMEDOUT, -ENODEV when the port does not answer, or the link is
 * down.
 */
static int egpu_train_wait(struct egpu_train *train, bool up)
{
	u64 since = ktime_get_ns();
	bool late;
	u16 status;

	do {
		late = egpu_train_lasts(since, EGPU_TRAIN_MS);
		if (!egpu_train_status(train, &status))
			return -ENODEV;
		if (up && !egpu_train_is_active(train, status)) {
			train->down = true;
			return -ENODEV;
		}
		if (!(status & PCI_EXP_LNKSTA_LT))
			return 0;
		egpu_train_pause(since);
	} while (!late);
	return -ETIMEDOUT;
}

/*
 * A leftover makes 6.12's quirk for links that failed misread the next training;
 * of a link that is down it is what that quirk goes by. Where the kernel's
 * bandwidth controller has the interrupt, the bit is its own.
 */
static void egpu_train_clear_lbms(struct egpu_train *train)
{
	u64 since = ktime_get_ns();
	u16 status, control = 0;

	pcie_capability_read_word(train->pdev, PCI_EXP_LNKCTL, &control);
	while (egpu_train_status(train, &status) &&
	       egpu_train_is_active(train, status) &&
	       status & PCI_EXP_LNKSTA_LBMS) {
		if (!(control & PCI_EXP_LNKCTL_LBMIE) ||
		    egpu_train_lasts(since, EGPU_BANDWIDTH_MS)) {
			pcie_capability_write_word(train->pdev, PCI_EXP_LNKSTA,
						   PCI_EXP_LNKSTA_LBMS);
			return;
		}
		egpu_train_pause(since);
	}
}

/* Returns false when there is no such speed, or no Link Control 2. */
bool egpu_target_write(struct pci_dev *pdev, u32 speed)
{
	u32 code = egpu_speed_code(speed);
	u16 control;

	pcie_capability_read_word(pdev, PCI_EXP_LNKCTL2, &control);
	if (!code || !control || PCI_POSSIBLE_ERROR(control))
		return false;
	if ((control & PCI_EXP_LNKCTL2_TLS) != code)
		pcie_capability_clear_and_set_word_locked(pdev, PCI_EXP_LNKCTL2,
							  PCI_EXP_LNKCTL2_TLS,
							  code);
	return true;
}

/* What others set is found, and what was found comes back at the end. */
void egpu_train_set_target(struct egpu_train *train, u32 speed)
{
	struct egpu_port *port = train->port;

	if (!speed || !egpu_target_write(train->pdev, speed))
		return;
	train->changed = true;
	guard(mutex)(&port->lock);
	port->target_set = speed == port->target_found ? 0 : speed;
}

/*
 * The Target Link Speed that holds without a limit of egpu's: what others wrote
 * (firmware, the kernel's bandwidth controller, its quirk for links that
 * failed) is not to be exceeded unless a user asks for it.
 */
u32 egpu_train_base(struct egpu_train *train)
{
	guard(mutex)(&train->port->lock);
	return train->port->target_found;
}

static void egpu_train_find_target(struct egpu_train *train)
{
	struct egpu_port *port = train->port;
	u32 target = train->link.target_speed;

	guard(mutex)(&port->lock);
	if (target && port->target_set == target)
		return;
	port->target_found = target;
	port->target_set = 0;
}

static bool egpu_train_set_linking(struct egpu_train *train, bool linking)
{
	struct egpu_port *port = train->port;

	guard(mutex)(&port->lock);
	port->linking = linking && egpu_job_is_current(port);
	if (train->down)
		port->dropped = egpu_job_is_current(port);
	return port->linking;
}

/* Link Training has to be clear before Retrain Link is set (7.5.3.7). */
static int egpu_train_retrain(struct egpu_train *train)
{
	u16 control;
	int ret = egpu_train_wait(train, false);

	if (ret)
		return ret;
	if (!egpu_train_set_linking(train, true))
		return -ECANCELED;
	egpu_train_set_target(train, train->target);
	pcie_capability_read_word(train->pdev, PCI_EXP_LNKCTL, &control);
	if (PCI_POSSIBLE_ERROR(control))
		return -ENODEV;
	pcie_capability_set_word(train->pdev, PCI_EXP_LNKCTL,
				 PCI_EXP_LNKCTL_RL);
	if (train->pdev->clear_retrain_link)
		pcie_capability_clear_word(train->pdev, PCI_EXP_LNKCTL,
					   PCI_EXP_LNKCTL_RL);
	ret = egpu_train_wait(train, true);
	/* At once: pciehp is about to try it again. */
	if (train->down)
		egpu_target_write(train->pdev, train->link.target_speed);
	egpu_train_set_linking(train, train->down);
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

/* A change of speed can be a second Recovery, after the first. */
static void egpu_train_settle(struct egpu_train *train, u32 speed, u32 ms)
{
	u64 since = ktime_get_ns();

	do {
		egpu_train_look(train);
		if (train->speed == speed || egpu_train_lasts(since, ms))
			return;
		egpu_train_pause(since);
	} while (true);
}

/*
 * From Detect a link comes up at 2.5 GT/s, and goes on from there.
 *
 * Return: 0, -ENODEV, -ETIMEDOUT, or -EIO when there was no reset.
 */
static int egpu_train_reset(struct egpu_train *train, u32 speed)
{
	int ret = egpu_train_wait(train, false);

	if (ret)
		return ret;
	egpu_train_set_target(train, train->target);
	ret = egpu_slot_reset(train->port);
	egpu_train_settle(train, speed, ret ? 0 : EGPU_TRAIN_MS);
	egpu_train_clear_lbms(train);
	if (ret && ret != -ENODEV && ret != -ETIMEDOUT)
		ret = -EIO;
	return ret;
}

/* The first answer after training may be a retry status, or late. */
static bool egpu_train_answers(struct egpu_train *train)
{
	u64 since = ktime_get_ns();
	u32 id;

	do {
		pci_read_config_dword(train->below, PCI_VENDOR_ID, &id);
		if (!PCI_POSSIBLE_ERROR(id) && (id & 0xffff) != EGPU_CRS)
			return true;
		if (pci_dev_is_disconnected(train->below))
			return false;
		egpu_train_pause(since);
	} while (!egpu_train_lasts(since, EGPU_TRAIN_MS));
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

	train->changed = true;
	egpu_step_set(train->port, step);
	if (step == EGPU_STEP_LINK_RESET) {
		ret = egpu_train_reset(train, speed);
	} else {
		ret = egpu_train_retrain(train);
		egpu_train_settle(train, speed, ret ? 0 : EGPU_SETTLE_MS);
	}
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

/*
 * The link went down, and pciehp has the word; with nobody to remove it, the
 * device is there, and has forgotten all that it was told. But pciehp looks away
 * during a reset: what was pulled then it is told to remove.
 */
static int egpu_train_dropped(struct egpu_train *train)
{
	struct egpu_port *port = train->port;
	u64 since = ktime_get_ns();

	train->down = true;
	egpu_train_set_linking(train, false);
	egpu_train_set_target(train, train->link.target_speed);
	if (egpu_slot_backend(port) != EGPU_BACKEND_PCIEHP)
		return -ENODEV;
	while (egpu_train_is_current(train) &&
	       !egpu_train_lasts(since, EGPU_REMOVAL_MS))
		msleep(EGPU_GONE_LOOK_MS);
	if (egpu_train_is_current(train) && !egpu_port_is_bound(port) &&
	    egpu_slot_presence(port) == 0) {
		egpu_slot_off(port);
		/* And after it has switched off: what was plugged in then. */
		if (egpu_slot_presence(port) > 0)
			egpu_slot_on(port);
	}
	return -ENODEV;
}

/* Nobody's driver is there, and nobody asked to stop. */
static bool egpu_train_may_reset(struct egpu_train *train)
{
	return !atomic_read(&train->port->cancel) &&
	       egpu_train_is_current(train) &&
	       !egpu_port_is_bound(train->port) &&
	       !egpu_boot_display_below(train->port);
}

/* The old target again, and, when it had effect, the old speed. */
static int egpu_train_restore(struct egpu_train *train, int ret)
{
	train->target = train->link.target_speed;
	if (train->speed == train->link.speed)
		egpu_train_set_target(train, train->target);
	else if (ret == -ENODEV)	/* by a reset, of which pciehp knows not */
		egpu_train_step(train, EGPU_STEP_LINK_RESET, train->link.speed);
	else
		egpu_train_step(train, EGPU_STEP_LINK_RESTORE,
				train->link.speed);
	if (train->down || !train->speed)
		return egpu_train_dropped(train);
	return ret == -ENODEV ? -EIO : ret;
}

/* Return: 0, or as egpu_train_step() when the link is not at @speed now. */
int egpu_train_run(struct egpu_train *train, u32 speed, bool may_reset)
{
	int ret = egpu_train_step(train, EGPU_STEP_LINK, speed);

	if (train->down)
		return egpu_train_dropped(train);
	if (ret == -EIO && may_reset && egpu_train_may_reset(train))
		ret = egpu_train_step(train, EGPU_STEP_LINK_RESET, speed);
	return ret ? egpu_train_restore(train, ret) : 0;
}

/* Is memory of the device in use as the machine's? Then it must not pause. */
bool egpu_train_is_cxl(struct egpu_train *train)
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

/* Error recovery has the link: the kernel resets it, or DPC keeps it down. */
bool egpu_train_recovers(struct egpu_train *train)
{
	struct egpu_fn *fn;

	if (train->link.flags & EGPU_LINK_DPC)
		return true;
	guard(mutex)(&train->port->lock);
	list_for_each_entry(fn, &train->port->functions, node)
		if (READ_ONCE(fn->pdev->error_state) != pci_channel_io_normal)
			return true;
	return false;
}

bool egpu_train_begin(struct egpu_train *train, struct egpu_port *port)
{
	memset(train, 0, sizeof(*train));
	egpu_links_forget(port);
	train->port = port;
	train->pdev = port->pdev;
	pm_runtime_get_sync(&train->pdev->dev);
	train->below = egpu_link_get(port, &train->link);
	train->speed = train->link.speed;
	train->width = train->link.width;
	train->target = train->link.target_speed;
	if (!(train->link.flags & EGPU_LINK_KNOWN))
		return false;
	egpu_train_find_target(train);
	return true;
}

void egpu_train_end(struct egpu_train *train)
{
	pci_dev_put(train->below);
	pm_runtime_put(&train->pdev->dev);
	if (train->changed)
		egpu_links_forget(train->port);
}

/* Function 0 has it for all of a device (7.5.3.19). */
void egpu_train_set_fixed(struct egpu_train *train, u32 flags)
{
	u16 set = flags & EGPU_LINK_SET_FIXED ? PCI_EXP_LNKCTL2_HASD : 0;
	struct pci_dev *first = NULL;

	if (!(flags & (EGPU_LINK_SET_FIXED | EGPU_LINK_SET_AUTONOMOUS)))
		return;
	train->changed = true;
	pcie_capability_clear_and_set_word_locked(train->pdev, PCI_EXP_LNKCTL2,
						  PCI_EXP_LNKCTL2_HASD, set);
	if (train->below)
		first = pci_get_slot(train->below->bus,
				     train->below->devfn & ~7);
	if (first)
		pcie_capability_clear_and_set_word_locked(first,
							  PCI_EXP_LNKCTL2,
							  PCI_EXP_LNKCTL2_HASD,
							  set);
	pci_dev_put(first);
}
