// SPDX-License-Identifier: GPL-2.0-only
/*
 * Who looks at the link of a soft slot: one read of Link Status an interval.
 * What it sees becomes a bit: PRESENT, something is to be looked for, or DOWN,
 * what is there is gone. DOWN is told until it was cleared away.
 */
#include <linux/pci.h>
#include <linux/timekeeping.h>

#include "softslot.h"

#define EGPU_EXCUSED_MS		5000	/* down so long, in a reset or recovery */
#define EGPU_GRACE_MS		1000	/* to train after one of them */
#define EGPU_ANEW_MS		1000	/* LOST for so long, and it is there */
#define EGPU_BACKOFF_MIN_MS	500	/* between two looks for what ... */
#define EGPU_BACKOFF_MAX_MS	60000	/* ... does not answer */

static u64 egpu_ms(u32 ms)
{
	return (u64)ms * NSEC_PER_MSEC;
}

/* The port is locked, unless nobody else knows of the slot. */
void egpu_soft_look_in(struct egpu_soft *soft, u32 ms)
{
	if (!soft->stopped)
		mod_delayed_work(egpu_soft_wq, &soft->watch,
				 msecs_to_jiffies(ms));
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

/**
 * egpu_soft_link() - Data Link Layer Link Active
 * @soft: the slot; its port is not locked
 *
 * Return: 1 up, 0 down, -EIO when the port does not answer, -ENODEV when it is
 * forgotten or gone.
 */
int egpu_soft_link(struct egpu_soft *soft)
{
	u16 status;

	guard(mutex)(&soft->port->lock);
	if (soft->stopped)
		return -ENODEV;
	if (pcie_capability_read_word(soft->port->pdev, PCI_EXP_LNKSTA,
				      &status) || status == (u16)~0)
		return -EIO;
	return !!(status & PCI_EXP_LNKSTA_DLLLA);
}

/* The port itself keeps the link down: then it says nothing about the cable. */
static bool egpu_soft_is_reset(struct egpu_soft *soft)
{
	u16 control;

	lockdep_assert_held(&soft->port->lock);
	if (egpu_slot_dpc_triggered(soft->port) || soft->port->linking)
		return true;
	pci_read_config_word(soft->port->pdev, PCI_BRIDGE_CONTROL, &control);
	return control != (u16)~0 && control & PCI_BRIDGE_CTL_BUS_RESET;
}

/* A reset may have begun: the link has time to come up again. */
void egpu_soft_excuse(struct egpu_soft *soft)
{
	lockdep_assert_held(&soft->port->lock);
	soft->grace_ns = ktime_get_ns() + egpu_ms(EGPU_GRACE_MS);
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
		/* Another one may be there: in doubt as after sleep. */
		fn->slept_ns = fn->frozen_since;
	}
	egpu_state_post(port, EGPU_BIT_TICK);
}

/*
 * Nobody uses it, and nobody asked for that reset: it may as well come anew. Or
 * it was taken for lost while the link bounced, and is there.
 */
static bool egpu_soft_comes_anew(struct egpu_soft *soft)
{
	struct egpu_port *port = soft->port;
	u64 now = ktime_get_ns();

	if (port->state == EGPU_STATE_LOST)
		return now - port->since_ns >= egpu_ms(EGPU_ANEW_MS);
	return soft->down_ns && now >= soft->grace_ns &&
	       (port->state == EGPU_STATE_HELD ||
		port->state == EGPU_STATE_QUARANTINED);
}

/* Each time nothing answers the next look for it comes later. */
static void egpu_soft_look_for(struct egpu_soft *soft)
{
	u64 now = ktime_get_ns();

	if (now < soft->next_ns)
		return;
	soft->wait_ms = clamp(2 * soft->wait_ms, EGPU_BACKOFF_MIN_MS,
			      EGPU_BACKOFF_MAX_MS);
	soft->next_ns = now + egpu_ms(soft->wait_ms);
	soft->fresh = false;
	egpu_state_post(soft->port, EGPU_BIT_PRESENT);
}

/* Return: true when what was there has to go. */
static bool egpu_soft_seen_up(struct egpu_soft *soft, enum egpu_below below)
{
	if (below == EGPU_BELOW_DEVICE && egpu_soft_comes_anew(soft)) {
		soft->up = false;
		soft->down_ns = 0;
		return true;
	}
	if (!soft->up)
		soft->fresh = true;
	else if (soft->down_ns)
		egpu_soft_bounced(soft->port);
	soft->up = true;
	soft->down_ns = 0;
	if (below >= EGPU_BELOW_DEVICE) {
		soft->fresh = false;
		soft->next_ns = 0;
		soft->wait_ms = 0;
	} else if (soft->fresh && below == EGPU_BELOW_NOTHING) {
		egpu_soft_look_for(soft);
	}
	return below == EGPU_BELOW_LOST;
}

/* Return: true when it is confirmed that what was there is gone. */
static bool egpu_soft_seen_down(struct egpu_soft *soft, enum egpu_below below)
{
	u64 now = ktime_get_ns();

	if (below == EGPU_BELOW_NOTHING || below == EGPU_BELOW_LOST) {
		soft->up = false;
		soft->fresh = false;
		soft->down_ns = 0;
		return below == EGPU_BELOW_LOST;
	}
	if (below == EGPU_BELOW_RESETTING || egpu_soft_is_reset(soft))
		egpu_soft_excuse(soft);
	soft->up = true;
	if (!soft->down_ns) {
		soft->down_ns = now;
		return false;
	}
	if (now < soft->grace_ns &&
	    now - soft->down_ns < egpu_ms(EGPU_EXCUSED_MS))
		return false;
	soft->up = false;
	soft->down_ns = 0;
	return true;
}

/*
 * Where the link is down and should not be, and where something is to be cleared
 * away, the next look comes soon.
 */
static bool egpu_soft_judge(struct egpu_soft *soft, int link,
			    enum egpu_below below)
{
	bool lost = false;

	guard(mutex)(&soft->port->lock);
	if (soft->stopped || soft->disabled)
		return false;
	if (!soft->pauses && link > 0)
		lost = egpu_soft_seen_up(soft, below);
	else if (!soft->pauses && !link)
		lost = egpu_soft_seen_down(soft, below);
	egpu_soft_look_in(soft, lost || soft->down_ns || soft->pauses ?
			  EGPU_CONFIRM_MS : soft->port->watch_ms);
	return lost;
}

/* What is below is walked without the port's lock: that list's comes first. */
void egpu_soft_watch(struct work_struct *work)
{
	struct egpu_soft *soft = container_of(to_delayed_work(work),
					      struct egpu_soft, watch);
	enum egpu_below below;
	int link;

	if (READ_ONCE(soft->disabled))
		return;
	link = egpu_soft_link(soft);
	below = egpu_soft_below(soft);
	if (!egpu_soft_judge(soft, link, below))
		return;
	if (below != EGPU_BELOW_LOST)
		pci_walk_bus(soft->bus, egpu_soft_mark, NULL);
	egpu_state_post(soft->port, EGPU_BIT_DOWN);
}
