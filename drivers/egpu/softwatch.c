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
#define EGPU_LOST_MAX_MS	2000	/* between two looks at what is lost */

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

enum egpu_life {
	EGPU_LIFE_NONE,
	EGPU_LIFE_LOST,
	EGPU_LIFE_DEVICE,
	EGPU_LIFE_FROZEN,	/* being recovered; or its driver cannot be */
	EGPU_LIFE_RESETTING,
};

/**
 * struct egpu_below - what lies below a port
 * @life: the liveliest of it
 * @used: a driver has some of it, or is about to; ours, which holds, has not
 */
struct egpu_below {
	enum egpu_life life;
	bool used;
};

/* What becomes of what lies below. */
enum egpu_verdict {
	EGPU_STAYS,
	EGPU_IS_GONE,
	EGPU_COMES_ANEW,	/* nobody uses it */
	EGPU_GPU_COMES_ANEW,	/* others are used */
};

static bool egpu_soft_is_used(struct pci_dev *pdev)
{
	struct device_driver *drv = READ_ONCE(pdev->dev.driver);

	return pdev->hdr_type == PCI_HEADER_TYPE_NORMAL && drv &&
	       !egpu_bus_is_ours(drv);
}

static int egpu_soft_below_one(struct pci_dev *pdev, void *data)
{
	pci_channel_state_t state = READ_ONCE(pdev->error_state);
	enum egpu_life life = EGPU_LIFE_DEVICE;
	struct egpu_below *below = data;

	if (pdev->block_cfg_access)
		life = EGPU_LIFE_RESETTING;
	else if (state == pci_channel_io_frozen)
		life = EGPU_LIFE_FROZEN;
	else if (state == pci_channel_io_perm_failure)
		life = EGPU_LIFE_LOST;
	below->life = max(below->life, life);
	below->used |= egpu_soft_is_used(pdev);
	return 0;
}

static struct egpu_below egpu_soft_below(struct egpu_soft *soft)
{
	struct egpu_below below = { .life = EGPU_LIFE_NONE };

	pci_walk_bus(soft->bus, egpu_soft_below_one, &below);
	return below;
}

bool egpu_soft_is_vacant(struct egpu_soft *soft)
{
	return egpu_soft_below(soft).life == EGPU_LIFE_NONE;
}

/* As pciehp does: nobody waits for an answer any more. */
static int egpu_soft_mark(struct pci_dev *pdev, void *data)
{
	xchg(&pdev->error_state, pci_channel_io_perm_failure);
	return 0;
}

static int egpu_soft_mark_unused(struct pci_dev *pdev, void *data)
{
	return egpu_soft_is_used(pdev) ? 0 : egpu_soft_mark(pdev, data);
}

static void egpu_soft_mark_gpu(struct egpu_port *port)
{
	struct egpu_fn *fn;

	guard(mutex)(&port->lock);
	list_for_each_entry(fn, &port->functions, node)
		if (fn->gated)
			egpu_soft_mark(fn->pdev, NULL);
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

/*
 * What was reset by that, or replaced, has to be looked at: now where it is in
 * use, else before it is given to anybody.
 */
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
	/* The timer of other states means something else. */
	if (port->state == EGPU_STATE_READY || port->state == EGPU_STATE_FAULT)
		egpu_state_post(port, EGPU_BIT_TICK);
}

/*
 * The GPU was taken for lost while the link bounced, and is there: whatever else
 * is below stays when it is used. Whom its driver left frozen is no better off.
 */
static enum egpu_verdict egpu_soft_judge_lost(struct egpu_soft *soft,
					      struct egpu_below below)
{
	if (below.life > EGPU_LIFE_FROZEN ||
	    ktime_get_ns() - soft->port->since_ns < egpu_ms(EGPU_ANEW_MS))
		return EGPU_STAYS;
	return below.used ? EGPU_GPU_COMES_ANEW : EGPU_COMES_ANEW;
}

/* Nobody uses it, and nobody asked for that reset: it may as well come anew. */
static enum egpu_verdict egpu_soft_judge_alive(struct egpu_soft *soft,
					       struct egpu_below below)
{
	enum egpu_state state = soft->port->state;

	if (state == EGPU_STATE_LOST)
		return egpu_soft_judge_lost(soft, below);
	if (below.life != EGPU_LIFE_DEVICE || below.used || !soft->down_ns ||
	    ktime_get_ns() < soft->grace_ns)
		return EGPU_STAYS;
	return state == EGPU_STATE_HELD || state == EGPU_STATE_QUARANTINED ?
	       EGPU_COMES_ANEW : EGPU_STAYS;
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
	egpu_state_post(soft->port, EGPU_BIT_PRESENT);
}

static enum egpu_verdict egpu_soft_seen_up(struct egpu_soft *soft,
					   struct egpu_below below)
{
	enum egpu_verdict verdict = EGPU_STAYS;

	if (below.life == EGPU_LIFE_LOST)
		verdict = EGPU_IS_GONE;
	else if (below.life >= EGPU_LIFE_DEVICE)
		verdict = egpu_soft_judge_alive(soft, below);
	if (verdict != EGPU_STAYS) {
		/* Looked for once it is cleared away. */
		soft->up = false;
		soft->down_ns = 0;
		return verdict;
	}
	if (!soft->up)
		soft->fresh = true;
	else if (soft->down_ns)
		egpu_soft_bounced(soft->port);
	soft->up = true;
	soft->down_ns = 0;
	if (below.life != EGPU_LIFE_NONE) {
		soft->fresh = false;
		soft->next_ns = 0;
		soft->wait_ms = 0;
	} else if (soft->fresh) {
		egpu_soft_look_for(soft);
	}
	return EGPU_STAYS;
}

static enum egpu_verdict egpu_soft_seen_down(struct egpu_soft *soft,
					     struct egpu_below below)
{
	u64 now = ktime_get_ns();

	if (below.life <= EGPU_LIFE_LOST) {
		soft->up = false;
		soft->fresh = false;
		soft->down_ns = 0;
		return below.life == EGPU_LIFE_LOST ? EGPU_IS_GONE : EGPU_STAYS;
	}
	if (below.life >= EGPU_LIFE_FROZEN || egpu_is_sleeping() ||
	    egpu_soft_is_reset(soft))
		egpu_soft_excuse(soft);
	soft->up = true;
	if (!soft->down_ns) {
		soft->down_ns = now;
		return EGPU_STAYS;
	}
	if (now < soft->grace_ns &&
	    now - soft->down_ns < egpu_ms(EGPU_EXCUSED_MS))
		return EGPU_STAYS;
	soft->up = false;
	soft->down_ns = 0;
	return EGPU_IS_GONE;
}

/*
 * Where the link is down and should not be the next look comes soon. What is to
 * be cleared away is told again ever more rarely: a driver may hang in it.
 */
static u32 egpu_soft_next_ms(struct egpu_soft *soft, enum egpu_verdict verdict)
{
	if (verdict == EGPU_STAYS)
		soft->lost_ms = 0;
	else
		soft->lost_ms = clamp(2 * soft->lost_ms, EGPU_CONFIRM_MS,
				      EGPU_LOST_MAX_MS);
	if (verdict != EGPU_STAYS)
		return soft->lost_ms;
	return soft->down_ns || soft->pauses ? EGPU_CONFIRM_MS :
					       soft->port->watch_ms;
}

static enum egpu_verdict egpu_soft_judge(struct egpu_soft *soft, int link,
					 struct egpu_below below)
{
	enum egpu_verdict verdict = EGPU_STAYS;

	guard(mutex)(&soft->port->lock);
	if (soft->stopped || soft->disabled)
		return EGPU_STAYS;
	if (!soft->pauses && link > 0)
		verdict = egpu_soft_seen_up(soft, below);
	else if (!soft->pauses && !link)
		verdict = egpu_soft_seen_down(soft, below);
	egpu_soft_look_in(soft, egpu_soft_next_ms(soft, verdict));
	return verdict;
}

/* What is below is walked without the port's lock: that list's comes first. */
void egpu_soft_watch(struct work_struct *work)
{
	struct egpu_soft *soft = container_of(to_delayed_work(work),
					      struct egpu_soft, watch);
	struct egpu_below below;
	int link;

	scoped_guard(mutex, &soft->port->lock)
		egpu_soft_heed(soft);
	if (READ_ONCE(soft->disabled))
		return;
	link = egpu_soft_link(soft);
	below = egpu_soft_below(soft);
	switch (egpu_soft_judge(soft, link, below)) {
	case EGPU_STAYS:
		return;
	case EGPU_IS_GONE:
		pci_walk_bus(soft->bus, egpu_soft_mark, NULL);
		break;
	case EGPU_COMES_ANEW:
		pci_walk_bus(soft->bus, egpu_soft_mark_unused, NULL);
		break;
	case EGPU_GPU_COMES_ANEW:
		egpu_soft_mark_gpu(soft->port);
		break;
	}
	egpu_state_post(soft->port, EGPU_BIT_DOWN);
}
