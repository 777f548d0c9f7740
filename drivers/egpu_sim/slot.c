// SPDX-License-Identifier: GPL-2.0
/*
 * Slots: what sits in them, presence, power, commands, and contacts that bounce
 * (PCIe 6.0.1 section 6.7).
 *
 * A device's registers are made when it is put in, and stay until its folder or
 * the fabric goes: only port->card says whether anybody can reach them.
 */

#include "sim.h"
#include "trace.h"

/* --- events ------------------------------------------------------------- */

/* Slot Status: something happened. */
void sim_slot_status(struct sim_port *port, u16 events)
{
	lockdep_assert_held(&port->fabric->lock);
	/*
	 * Of what is being taken down, commands alone are told. With one of them
	 * pciehp would read that the link it just switched on has changed, late,
	 * take that for a removal, and switch it off and on for ever.
	 */
	if (port->fabric->quiet)
		events &= PCI_EXP_SLTSTA_CC;
	if (!port->fn.slot || !events)
		return;
	sim_set16(&port->fn, port->fn.pcie + PCI_EXP_SLTSTA, 0, events);
	trace_sim_slot(port->fabric->domain, sim_func_id(&port->fn), events);
	sim_irq_update(&port->fn);
}

static bool sim_dev_is_powered(const struct sim_dev *dev)
{
	const struct sim_port *port = dev->port;

	return port->card == dev && port->contact_link &&
	       sim_slot_powered(port);
}

bool sim_slot_powered(const struct sim_port *port)
{
	if (port->fn.slot && port->power_controller &&
	    sim_get16(&port->fn, port->fn.pcie + PCI_EXP_SLTCTL) &
	    PCI_EXP_SLTCTL_PCC)
		return false;
	return !port->up || sim_dev_is_powered(port->up);
}

/* In-band and out-of-band (PCIe 6.0.1 section 7.5.3.11). */
static bool sim_slot_present(const struct sim_port *port)
{
	u16 ctl = sim_get16(&port->fn, port->fn.pcie + PCI_EXP_SLTCTL);
	bool inband = port->card && port->contact_link &&
		      sim_slot_powered(port) &&
		      !(ctl & PCI_EXP_SLTCTL_IBPD_DISABLE);

	switch (port->presence) {
	case SIM_PRESENCE_PRESENT:
		return true;
	case SIM_PRESENCE_ABSENT:
		return inband;
	default:
		return inband || (port->card && port->contact_presence);
	}
}

/**
 * sim_slot_presence - Presence Detect State follows the slot
 * @port: the port; its fabric's lock is held
 * @tell: by Presence Detect Changed
 */
void sim_slot_presence(struct sim_port *port, bool tell)
{
	int sta = port->fn.pcie + PCI_EXP_SLTSTA;
	bool now;

	lockdep_assert_held(&port->fabric->lock);
	if (!port->fn.regs || !port->fn.slot)
		return;
	now = sim_slot_present(port);
	if (now == !!(sim_get16(&port->fn, sta) & PCI_EXP_SLTSTA_PDS))
		return;
	sim_set16(&port->fn, sta, PCI_EXP_SLTSTA_PDS,
		  now ? PCI_EXP_SLTSTA_PDS : 0);
	if (tell)
		sim_slot_status(port, PCI_EXP_SLTSTA_PDC);
}

/* The attention button. */
void sim_slot_press(struct sim_port *port)
{
	if (port->attention_button)
		sim_slot_status(port, PCI_EXP_SLTSTA_ABP);
}

/* --- power, resets ------------------------------------------------------ */

/* A switch gained or lost power: so did what is in its slots. */
static void sim_switch_update(struct sim_dev *dev)
{
	struct sim_port *port;

	list_for_each_entry(port, &dev->ports, link) {
		if (!port->fn.regs)
			continue;
		sim_link_update(port);
		sim_slot_presence(port, true);
		if (port->card)
			sim_switch_update(port->card);
	}
}

/**
 * sim_card_reset - the link to a device went down: it is reset, and so is
 *	everything below it
 * @dev: the device; its fabric's lock is held
 */
void sim_card_reset(struct sim_dev *dev)
{
	struct sim_port *port;
	int i;

	for (i = 0; i < SIM_FUNCTIONS; i++)
		if (dev->by_nr[i])
			sim_func_reset(dev->by_nr[i]);
	list_for_each_entry(port, &dev->ports, link) {
		if (!port->fn.regs)
			continue;
		sim_link_reset(port);
		hrtimer_try_to_cancel(&port->command_timer);
		sim_func_reset(&port->fn);
		sim_link_update(port);
		sim_slot_presence(port, false);
		if (port->card)
			sim_switch_update(port->card);
	}
}

/* Secondary Bus Reset of a switch's Upstream Port. */
void sim_switch_reset(struct sim_dev *dev, bool on)
{
	struct sim_port *port;

	list_for_each_entry(port, &dev->ports, link)
		if (port->fn.regs)
			sim_link_update(port);
}

static void sim_slot_command_done(struct sim_port *port)
{
	if (port->command_completed)
		sim_slot_status(port, PCI_EXP_SLTSTA_CC);
}

static enum hrtimer_restart sim_command_timer(struct hrtimer *timer)
{
	struct sim_port *port = container_of(timer, struct sim_port,
					     command_timer);

	guard(raw_spinlock_irqsave)(&port->fabric->lock);
	if (port->fn.regs && !hrtimer_is_queued(timer))
		sim_slot_command_done(port);
	return HRTIMER_NORESTART;
}

/**
 * sim_slot_control - Slot Control was written: a command
 * @port: the port
 * @old: what it was
 * @new: what it is
 */
void sim_slot_control(struct sim_port *port, u16 old, u16 new)
{
	if ((old ^ new) & PCI_EXP_SLTCTL_PCC) {
		port->tries = 0;
		sim_link_update(port);
		if (port->card)
			sim_switch_update(port->card);
	}
	sim_slot_presence(port, true);
	if (!port->native)
		return;
	if (port->command_ms)
		hrtimer_start(&port->command_timer,
			      ms_to_ktime(port->command_ms), HRTIMER_MODE_REL);
	else
		sim_slot_command_done(port);
}

/* --- contacts ----------------------------------------------------------- */

static void sim_slot_contact(struct sim_port *port, bool presence, bool lanes)
{
	port->contact_presence = presence;
	if (port->contact_link != lanes) {
		port->contact_link = lanes;
		port->tries = 0;
		sim_link_update(port);
		if (port->card)
			sim_switch_update(port->card);
	}
	sim_slot_presence(port, true);
}

/* Its interrupt messages are taken back. */
void sim_card_silence(struct sim_dev *dev)
{
	int i;

	for (i = 0; i < SIM_FUNCTIONS; i++)
		if (dev->by_nr[i])
			sim_irq_forget(dev->by_nr[i]);
}

/**
 * sim_slot_yank - the device is gone, at this moment
 * @port: the port; its fabric's lock is held
 */
void sim_slot_yank(struct sim_port *port)
{
	struct sim_dev *dev = port->card;

	lockdep_assert_held(&port->fabric->lock);
	port->bounce_left = 0;
	port->bounce_forever = false;
	port->bounce_gone = false;
	if (!dev)
		return;
	sim_slot_contact(port, false, false);
	sim_card_silence(dev);
	port->card = NULL;
	dev->present = false;
	sim_slot_presence(port, true);
}

static void sim_bounce_step(struct sim_port *port, bool closed)
{
	bool other = !port->bounce_gone;

	sim_slot_contact(port,
			 port->bounce_now.what == SIM_CONTACT_LINK ? other :
			 closed,
			 port->bounce_now.what == SIM_CONTACT_PRESENCE ? other :
			 closed);
}

static void sim_bounce_end(struct sim_port *port)
{
	if (port->bounce_gone)
		sim_slot_yank(port);
	else
		sim_slot_contact(port, true, true);
}

static void sim_bounce_arm(struct sim_port *port)
{
	u64 half = port->bounce_now.period_us * (u64)NSEC_PER_USEC / 2;

	hrtimer_start(&port->bounce_timer, ns_to_ktime(half), HRTIMER_MODE_REL);
}

static enum hrtimer_restart sim_bounce_timer(struct hrtimer *timer)
{
	struct sim_port *port = container_of(timer, struct sim_port,
					     bounce_timer);

	guard(raw_spinlock_irqsave)(&port->fabric->lock);
	if ((!port->bounce_left && !port->bounce_forever) || !port->card ||
	    hrtimer_is_queued(timer))
		return HRTIMER_NORESTART;
	port->bounce_on = !port->bounce_on;
	sim_bounce_step(port, port->bounce_on);
	if (!port->bounce_forever && !--port->bounce_left) {
		sim_bounce_end(port);
		return HRTIMER_NORESTART;
	}
	sim_bounce_arm(port);
	return HRTIMER_NORESTART;
}

/* Contacts that are @closed now end open when the device is to be @gone. */
static void sim_bounce_begin(struct sim_port *port,
			     const struct sim_bounce *bounce, bool closed,
			     bool gone)
{
	port->bounce_now = *bounce;
	port->bounce_on = !closed;
	port->bounce_gone = gone;
	port->bounce_left = 2 * bounce->count;
	port->bounce_forever = !bounce->count && bounce->period_us;
	sim_bounce_step(port, port->bounce_on);
	sim_bounce_arm(port);
}

/**
 * sim_slot_flap - contacts open and close now
 * @port: the port; its fabric's lock is held
 * @bounce: how; a period of 0 ends it
 */
void sim_slot_flap(struct sim_port *port, const struct sim_bounce *bounce)
{
	lockdep_assert_held(&port->fabric->lock);
	if (!port->card || port->bounce_gone)
		return;
	if (bounce->period_us) {
		sim_bounce_begin(port, bounce, true, false);
		return;
	}
	port->bounce_left = 0;
	port->bounce_forever = false;
	sim_slot_contact(port, true, true);
}

/* --- plug and pull ------------------------------------------------------ */

/* The device that is in the slot when it can be. */
struct sim_dev *sim_slot_wants(struct sim_port *port)
{
	struct sim_dev *dev;

	list_for_each_entry(dev, &port->devs, link)
		if (dev->present)
			return dev;
	return NULL;
}

/**
 * sim_dev_build - everything below the link, in its state at power up
 * @dev: the device; nobody sees it yet; sim_lock is held
 *
 * Return: 0 or -ENOMEM.
 */
int sim_dev_build(struct sim_dev *dev)
{
	struct sim_port *port;
	struct sim_dev *child;
	int i, ret = 0;

	for (i = 0; !ret && i < SIM_FUNCTIONS; i++)
		if (dev->by_nr[i])
			ret = sim_func_build(dev->by_nr[i]);
	list_for_each_entry(port, &dev->ports, link) {
		child = sim_slot_wants(port);
		ret = ret ?: sim_func_build(&port->fn);
		ret = ret ?: child ? sim_dev_build(child) : 0;
		if (ret)
			break;
		scoped_guard(raw_spinlock_irqsave, &port->fabric->lock) {
			port->card = child;
			port->contact_presence = child;
			port->contact_link = child;
			port->state = SIM_DETECT;
			port->due = KTIME_MAX;
			sim_slot_presence(port, false);
		}
	}
	return ret;
}

/* The hardware that the port itself is can be reached. */
bool sim_port_is_there(const struct sim_port *port)
{
	while (port->up) {
		if (port->up->port->card != port->up)
			return false;
		port = port->up->port;
	}
	return port->fn.regs;
}

/* It is put in again while its contacts still open. */
static int sim_slot_return(struct sim_port *port, struct sim_dev *dev)
{
	guard(raw_spinlock_irqsave)(&port->fabric->lock);
	dev->present = true;
	sim_bounce_begin(port, &dev->bounce, false, false);
	return 0;
}

/**
 * sim_slot_plug - put a device into a slot of a live fabric
 * @port: the port
 * @dev: one of its devices
 *
 * Return: 0; -EBUSY: another one is there; -ENOMEM.
 */
int sim_slot_plug(struct sim_port *port, struct sim_dev *dev)
{
	struct sim_dev *other = port->card ?: sim_slot_wants(port);
	int ret;

	lockdep_assert_held(&sim_lock);
	if (other && other != dev)
		return -EBUSY;
	if (other && port->card == dev && port->bounce_gone)
		return sim_slot_return(port, dev);
	if (other)
		return 0;
	if (!sim_port_is_there(port)) {
		dev->present = true;
		return 0;
	}
	ret = sim_dev_build(dev);
	if (ret)
		return ret;
	guard(raw_spinlock_irqsave)(&port->fabric->lock);
	dev->present = true;
	port->card = dev;
	port->tries = 0;
	if (dev->bounce.period_us && dev->bounce.count)
		sim_bounce_begin(port, &dev->bounce, false, false);
	else
		sim_slot_contact(port, true, true);
	return 0;
}

/**
 * sim_slot_pull - tear a device out of a live fabric
 * @port: the port
 * @dev: one of its devices
 *
 * Return: 0.
 */
int sim_slot_pull(struct sim_port *port, struct sim_dev *dev)
{
	lockdep_assert_held(&sim_lock);
	guard(raw_spinlock_irqsave)(&port->fabric->lock);
	if (port->card != dev) {
		dev->present = false;
		return 0;
	}
	if (dev->bounce.period_us && dev->bounce.count &&
	    sim_port_is_there(port)) {
		dev->present = false;
		sim_bounce_begin(port, &dev->bounce, true, true);
	} else {
		sim_slot_yank(port);
	}
	return 0;
}

/* --- timers ------------------------------------------------------------- */

void sim_slot_init(struct sim_port *port)
{
	hrtimer_setup(&port->bounce_timer, sim_bounce_timer, CLOCK_MONOTONIC,
		      HRTIMER_MODE_REL);
	hrtimer_setup(&port->command_timer, sim_command_timer, CLOCK_MONOTONIC,
		      HRTIMER_MODE_REL);
}

/* Not under the fabric's lock, which the timers take. */
void sim_slot_exit(struct sim_port *port)
{
	hrtimer_cancel(&port->bounce_timer);
	hrtimer_cancel(&port->command_timer);
}
