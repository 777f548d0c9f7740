// SPDX-License-Identifier: GPL-2.0-only
/*
 * The link of a soft slot, switched on and off: by Link Disable, which stands for
 * a power controller. Jobs do so, and the watch where nobody else will.
 */
#include <linux/delay.h>
#include <linux/pci.h>
#include <linux/timekeeping.h>

#include "softslot.h"

#define EGPU_ACTIVE_MS		1100	/* pciehp's time for a link to come up */
#define EGPU_ANSWER_MS		100	/* from there to the first request (6.6.1) */
#define EGPU_ANSWER_MAX_MS	1000	/* ... and to the first answer */

/* The slot that egpu has on a port, or NULL; it is there as long as the port. */
static struct egpu_soft *egpu_soft_get(struct egpu_port *port)
{
	guard(mutex)(&port->lock);
	return port->soft;
}

/* Return: false when the port does not answer. It is locked. */
bool egpu_soft_link_disable(struct egpu_soft *soft, bool disable)
{
	struct pci_dev *pdev = soft->port->pdev;
	u16 control;

	lockdep_assert_held(&soft->port->lock);
	if (pcie_capability_read_word(pdev, PCI_EXP_LNKCTL, &control) ||
	    control == (u16)~0)
		return false;
	if (!!(control & PCI_EXP_LNKCTL_LD) != disable)
		pcie_capability_clear_and_set_word(pdev, PCI_EXP_LNKCTL,
						   PCI_EXP_LNKCTL_LD, disable ?
						   PCI_EXP_LNKCTL_LD : 0);
	return true;
}

/* The port is locked. */
static bool egpu_soft_disable_link(struct egpu_soft *soft, bool disabled)
{
	if (soft->stopped || !egpu_soft_link_disable(soft, disabled))
		return false;
	soft->disabled = disabled;
	soft->listen = false;
	soft->present = false;
	soft->up = false;
	soft->fresh = false;
	soft->down_ns = 0;
	egpu_soft_look_in(soft, soft->port->watch_ms);
	return true;
}

static bool egpu_soft_set_disabled(struct egpu_soft *soft, bool disabled)
{
	guard(mutex)(&soft->port->lock);
	return egpu_soft_disable_link(soft, disabled);
}

/* What comes next is looked for at once. The port is locked. */
static void egpu_soft_expect(struct egpu_soft *soft)
{
	soft->next_ns = 0;
	soft->wait_ms = 0;
}

/* Return: 1, 0, or -EIO when there is no such slot, or the port is away. */
static int egpu_soft_has_presence(struct egpu_soft *soft)
{
	struct pci_dev *pdev = soft->port->pdev;
	u16 status;

	guard(mutex)(&soft->port->lock);
	if (soft->stopped || !(pcie_caps_reg(pdev) & PCI_EXP_FLAGS_SLOT))
		return -EIO;
	if (pcie_capability_read_word(pdev, PCI_EXP_SLTSTA, &status) ||
	    status == (u16)~0)
		return -EIO;
	return !!(status & PCI_EXP_SLTSTA_PDS);
}

static int egpu_soft_await(struct egpu_soft *soft, bool up, u32 ms)
{
	u64 end = ktime_get_ns() + (u64)ms * NSEC_PER_MSEC;
	int now;

	while ((now = egpu_soft_link(soft)) == !up && ktime_get_ns() < end)
		msleep(EGPU_TRYLOCK_MS);
	return now == up ? 0 : -ENODEV;
}

/* Any answer to the first request, a retry status too (PCIe 6.0.1 2.3.1). */
static bool egpu_soft_answers(struct egpu_soft *soft)
{
	u32 id;

	guard(mutex)(&soft->port->lock);
	return soft->stopped ||
	       (!pci_bus_read_config_dword(soft->bus, 0, PCI_VENDOR_ID, &id) &&
		!PCI_POSSIBLE_ERROR(id));
}

/* It is there still: the watch need not tell. */
static void egpu_soft_is_known(struct egpu_soft *soft)
{
	guard(mutex)(&soft->port->lock);
	soft->up = true;
	soft->fresh = false;
}

/* The job looks for it now; if that finds nothing, the watch does later. */
static void egpu_soft_is_sought(struct egpu_soft *soft)
{
	guard(mutex)(&soft->port->lock);
	soft->up = true;
	soft->fresh = true;
	soft->wait_ms = max_t(u32, soft->wait_ms, EGPU_BACKOFF_MIN_MS);
	soft->next_ns = ktime_get_ns() + (u64)soft->wait_ms * NSEC_PER_MSEC;
}

/**
 * egpu_soft_off() - disable the link, so that the cable can be pulled quietly
 * @port: a port, with a soft slot or not; nothing is left below
 *
 * With the link disabled a card that is still there is seen by presence alone,
 * and only where a slot's presence tells it (PCIe 6.0.1 section 7.5.3.11). A link
 * that is down already, or cannot be disabled, is left to tell by itself.
 */
void egpu_soft_off(struct egpu_port *port)
{
	struct egpu_soft *soft = egpu_soft_get(port);
	bool present;

	if (!soft || egpu_soft_await(soft, true, EGPU_CONFIRM_MS) ||
	    !egpu_soft_set_disabled(soft, true))
		return;
	if (egpu_soft_await(soft, false, EGPU_CONFIRM_MS)) {
		egpu_soft_set_disabled(soft, false);
		egpu_soft_is_known(soft);
		return;
	}
	msleep(EGPU_CONFIRM_MS);
	present = egpu_soft_has_presence(soft) > 0;
	guard(mutex)(&port->lock);
	soft->present = present;
	egpu_soft_expect(soft);
}

/**
 * egpu_soft_listen() - enable the link, and take what comes
 * @port: a port, with a soft slot or not
 */
void egpu_soft_listen(struct egpu_port *port)
{
	struct egpu_soft *soft = egpu_soft_get(port);

	if (!soft)
		return;
	guard(mutex)(&port->lock);
	soft->listen = true;
	egpu_soft_heed(soft);
}

/* The same, where it was asked for. The port is locked. */
void egpu_soft_heed(struct egpu_soft *soft)
{
	lockdep_assert_held(&soft->port->lock);
	if (!soft->listen)
		return;
	if (egpu_soft_disable_link(soft, false))
		egpu_soft_expect(soft);
	else	/* The port does not answer: later. */
		egpu_soft_look_in(soft, soft->port->watch_ms);
}

/* The watch is quiet meanwhile, for what comes is expected here. */
void egpu_soft_quiet(struct egpu_soft *soft, bool quiet)
{
	guard(mutex)(&soft->port->lock);
	soft->pauses += quiet ? 1 : -1;
}

static int egpu_soft_enable_link(struct egpu_soft *soft)
{
	u64 end;
	int ret;

	if (!egpu_soft_set_disabled(soft, false))
		return -ENODEV;
	ret = egpu_soft_await(soft, true, EGPU_ACTIVE_MS);
	if (ret)
		return ret;
	msleep(EGPU_ANSWER_MS);
	end = ktime_get_ns() + (u64)EGPU_ANSWER_MAX_MS * NSEC_PER_MSEC;
	while (!egpu_soft_answers(soft) && ktime_get_ns() < end)
		msleep(EGPU_TRYLOCK_MS);
	egpu_soft_is_sought(soft);
	return 0;
}

/**
 * egpu_soft_on() - enable the link, and wait until what is there can be asked
 * @port: a port with a soft slot
 *
 * Return: 0, also when nothing answers, or -ENODEV when no link comes up; it
 * stays enabled.
 */
int egpu_soft_on(struct egpu_port *port)
{
	struct egpu_soft *soft = egpu_soft_get(port);
	int ret;

	if (!soft)
		return -ENODEV;
	egpu_soft_quiet(soft, true);
	ret = egpu_soft_enable_link(soft);
	egpu_soft_quiet(soft, false);
	return ret;
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
	struct egpu_soft *soft = egpu_soft_get(port);
	bool disabled, present;

	if (!soft)
		return -EIO;
	scoped_guard(mutex, &port->lock) {
		disabled = soft->disabled;
		present = soft->present;
	}
	if (!disabled)
		return egpu_soft_link(soft);
	return present ? egpu_soft_has_presence(soft) : 1;
}

/*
 * Nothing is there, and it was not switched off to stay so: what comes is to be
 * seen. The registers are the watch's. The port is locked.
 */
void egpu_soft_emptied(struct egpu_port *port)
{
	struct egpu_soft *soft = port->soft;

	lockdep_assert_held(&port->lock);
	if (!soft || !soft->disabled)
		return;
	soft->listen = true;
	egpu_soft_look_in(soft, 0);
}
