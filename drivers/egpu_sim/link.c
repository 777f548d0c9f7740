// SPDX-License-Identifier: GPL-2.0
/*
 * Links: the part of the LTSSM that software can tell (PCIe 6.0.1 section
 * 4.2.6), as steps of a timer, and bit errors.
 *
 * A link that is wanted and down trains: Detect, Polling, Configuration and, for
 * more than 2.5 GT/s, Recovery.Speed; a try that fails begins again. Recovery
 * keeps Data Link Layer Active; when it fails, the link goes through Detect.
 * Everything here runs under the fabric's lock.
 */

#include <linux/math64.h>

#include "sim.h"
#include "trace.h"

/* Tenths of GT/s by code. */
static const u32 sim_rates[SIM_SPEEDS] = { 0, 25, 50, 80, 160, 320, 640, 1280 };

static const char *const sim_speed_names[SIM_SPEEDS] = {
	"none", "2.5", "5.0", "8.0", "16.0", "32.0", "64.0", "128.0"
};

const char *sim_speed_name(u32 code)
{
	return code < SIM_SPEEDS ? sim_speed_names[code] : "unknown";
}

/**
 * sim_speed_parse - the code of a speed
 * @text: "16", "16.0", "16.0 GT/s", "16.0 GT/s PCIe", "2.5GT/s"
 *
 * Return: 1 to 7, or -EINVAL.
 */
int sim_speed_parse(const char *text)
{
	const char *name, *rest;
	int code;

	for (code = SIM_SPEEDS - 1; code; code--) {
		name = sim_speed_names[code];
		if (strncmp(text, name, strcspn(name, ".")))
			continue;
		rest = text + strcspn(name, ".");
		if (code == 1 ? !str_has_prefix(rest, ".5") :
		    *rest == '.' && !str_has_prefix(rest, ".0"))
			continue;
		rest += *rest == '.' ? 2 : 0;
		rest = skip_spaces(rest);
		if (!*rest || !strcmp(rest, "GT/s") ||
		    !strcmp(rest, "GT/s PCIe"))
			return code;
	}
	return -EINVAL;
}

const char *sim_link_state_name(enum sim_ltssm state)
{
	static const char *const names[] = {
		"Detect", "Polling", "Configuration", "Recovery.Speed", "L0",
		"Recovery", "Disabled", "Hot Reset"
	};

	return names[state];
}

/* Data Link Layer Link Active. */
bool sim_link_is_up(const struct sim_port *port)
{
	return port->state == SIM_L0 || port->state == SIM_RECOVERY;
}

/* --- what both ends can do ---------------------------------------------- */

/**
 * sim_ber_rate - how many errors a bit error rate makes
 * @ber: the rate
 * @speed: code of the link's speed
 * @width: its lanes
 *
 * Return: errors in 1,000 seconds.
 */
u64 sim_ber_rate(const struct sim_ber *ber, u32 speed, u32 width)
{
	u64 rate = (u64)ber->mantissa * sim_rates[speed] * width;
	int i;

	/* Bits in 1,000 s are a tenth of GT/s × 10^11. */
	for (i = ber->exponent; i < 11; i++)
		rate = rate > U64_MAX / 10 ? U64_MAX : rate * 10;
	for (i = 11; i < ber->exponent; i++)
		rate = div_u64(rate, 10);
	return rate;
}

static bool sim_is_too_bad(const struct sim_dev *dev, u32 speed, u32 width)
{
	const struct sim_ber *ber = &dev->ber[speed];

	return dev->error_limit && !ber->load &&
	       sim_ber_rate(ber, speed, width) > dev->error_limit * 1000ULL;
}

/* Width falls back to what begins at lane 0 and works; x12 is no fallback. */
u32 sim_link_width(const struct sim_port *port, const struct sim_dev *dev)
{
	static const u8 widths[] = { 32, 16, 12, 8, 4, 2, 1 };
	u32 lanes = min(port->max_width, dev->max_width);
	int i;

	for (i = 0; i < ARRAY_SIZE(widths); i++)
		if (widths[i] <= lanes && (widths[i] != 12 || lanes == 12) &&
		    !(dev->dead_lanes & GENMASK(widths[i] - 1, 0)))
			return widths[i];
	return 0;
}

/* Both ends know Flit mode, and software did not switch it off. */
static bool sim_link_flit(const struct sim_port *port)
{
	return port->max_speed >= 6 && port->card->max_speed >= 6 &&
	       !(sim_get16(&port->fn, port->fn.pcie + PCI_EXP_LNKCTL) &
		 SIM_LNKCTL_FLIT_DISABLE);
}

/* The fastest speed that both ends and Target Link Speed allow. */
static u32 sim_link_allowed(const struct sim_port *port)
{
	u32 speed = min(port->max_speed, port->card->max_speed);
	u32 target = sim_get16(&port->fn, port->fn.pcie + PCI_EXP_LNKCTL2) &
		     PCI_EXP_LNKCTL2_TLS;

	if (!sim_link_flit(port))
		speed = min(speed, 5U);
	return clamp(min(speed, target), 1U, 7U);
}

/* The speed at which it ends up: errors may stand in the way. */
static u32 sim_link_speed(const struct sim_port *port)
{
	const struct sim_dev *dev = port->card;
	u32 speed = sim_link_allowed(port);

	if (port->ceiling)
		speed = min(speed, port->ceiling);
	while (speed > 1 && !dev->ber[speed].every_ms &&
	       sim_is_too_bad(dev, speed, sim_link_width(port, dev)))
		speed--;
	return speed;
}

/* --- registers and timers ----------------------------------------------- */

static void sim_link_enter(struct sim_port *port, enum sim_ltssm state)
{
	int sta = port->fn.pcie + PCI_EXP_LNKSTA;
	u16 set = 0;

	port->state = state;
	if (state == SIM_CONFIGURATION || state == SIM_SPEED ||
	    state == SIM_RECOVERY)
		set |= PCI_EXP_LNKSTA_LT;
	if (sim_link_is_up(port) && port->dll_active_reporting)
		set |= PCI_EXP_LNKSTA_DLLLA;
	sim_set16(&port->fn, sta, PCI_EXP_LNKSTA_LT | PCI_EXP_LNKSTA_DLLLA,
		  set);
	trace_sim_link(port->fabric->domain, sim_func_id(&port->fn), state,
		       port->speed, port->width);
}

static void sim_link_arm(struct sim_port *port, u32 ms)
{
	port->due = ktime_add_ms(ktime_get(), ms);
	hrtimer_start(&port->timer, port->due, HRTIMER_MODE_ABS);
}

static void sim_link_disarm(struct sim_port *port)
{
	port->due = KTIME_MAX;
	hrtimer_try_to_cancel(&port->timer);
}

static void sim_link_tell(struct sim_func *fn, u32 speed, u32 width, bool flit)
{
	if (!fn->regs || !fn->pcie)
		return;
	sim_set16(fn, fn->pcie + PCI_EXP_LNKSTA,
		  PCI_EXP_LNKSTA_CLS | PCI_EXP_LNKSTA_NLW, speed | width << 4);
	if ((sim_get16(fn, fn->pcie + PCI_EXP_FLAGS) & PCI_EXP_FLAGS_VERS) >= 2)
		sim_set16(fn, fn->pcie + PCI_EXP_LNKSTA2, SIM_LNKSTA2_FLIT,
			  flit ? SIM_LNKSTA2_FLIT : 0);
}

/* Speed and width, as both ends show them. */
static void sim_link_set(struct sim_port *port, u32 speed, u32 width)
{
	bool flit = sim_link_flit(port);
	int i;

	port->speed = speed;
	port->width = width;
	sim_link_tell(&port->fn, speed, width, flit);
	for (i = 0; i < SIM_FUNCTIONS; i++)
		if (port->card->by_nr[i])
			sim_link_tell(port->card->by_nr[i], speed, width, flit);
}

static void sim_link_status(struct sim_port *port, u16 events)
{
	sim_set16(&port->fn, port->fn.pcie + PCI_EXP_LNKSTA, 0, events);
	sim_irq_update(&port->fn);
}

/* Data Link Layer State Changed, where the state is reported. */
static void sim_link_changed(struct sim_port *port)
{
	if (port->dll_active_reporting)
		sim_slot_status(port, PCI_EXP_SLTSTA_DLLSC);
}

/* --- up and down -------------------------------------------------------- */

/* Detect ended in L0. */
static void sim_link_up(struct sim_port *port, bool tell)
{
	struct sim_dev *dev = port->card;
	u32 speed = sim_link_speed(port);

	if (dev->detect_speed)
		speed = min(speed, dev->detect_speed);
	dev->ready_at = ktime_add_ms(ktime_get(), dev->ready_ms);
	sim_link_set(port, speed, sim_link_width(port, dev));
	sim_link_enter(port, SIM_L0);
	port->stats.ups++;
	if (tell)
		sim_link_changed(port);
	sim_link_errors(port);
}

static bool sim_link_is_surprise(const struct sim_port *port,
				 enum sim_ltssm next)
{
	return port->surprise_down && next == SIM_DETECT &&
	       sim_slot_powered(port) &&
	       (port->contact_presence || !port->native || !port->surprise);
}

/* No Recovery is under way any more. */
static void sim_link_settled(struct sim_port *port)
{
	port->retraining = false;
	port->autonomous = false;
	port->unreliable = false;
}

static void sim_link_down(struct sim_port *port, enum sim_ltssm next)
{
	bool was_up = sim_link_is_up(port);

	sim_link_disarm(port);
	hrtimer_try_to_cancel(&port->error_timer);
	sim_link_settled(port);
	port->ceiling = 0;
	sim_link_tell(&port->fn, 1, 0, false);
	sim_link_enter(port, next);
	if (!was_up)
		return;
	port->stats.downs++;
	if (port->card)
		sim_card_reset(port->card);
	sim_link_changed(port);
	if (sim_link_is_surprise(port, next))
		sim_error_uncorrectable(&port->fn, PCI_ERR_UNC_SURPDN);
}

static bool sim_link_is_disabled(const struct sim_port *port)
{
	return sim_get16(&port->fn, port->fn.pcie + PCI_EXP_LNKCTL) &
	       PCI_EXP_LNKCTL_LD;
}

/* A switch's Secondary Bus Reset resets all links below it. */
static bool sim_link_is_reset(const struct sim_port *port)
{
	const struct sim_func *up = port->up ? &port->up->fn : NULL;

	return (sim_get16(&port->fn, PCI_BRIDGE_CONTROL) |
		(up ? sim_get16(up, PCI_BRIDGE_CONTROL) : 0)) &
	       PCI_BRIDGE_CTL_BUS_RESET;
}

/**
 * sim_link_update - what the link depends on changed: the slot, power, Link
 *	Disable, a reset, DPC
 * @port: the port
 */
void sim_link_update(struct sim_port *port)
{
	enum sim_ltssm rest = SIM_DETECT;
	bool wanted;

	lockdep_assert_held(&port->fabric->lock);
	wanted = port->card && port->contact_link && sim_slot_powered(port);
	if (sim_link_is_disabled(port) || sim_dpc_contains(port))
		rest = SIM_DISABLED;
	else if (sim_link_is_reset(port))
		rest = SIM_HOT_RESET;
	if (!wanted || rest != SIM_DETECT) {
		if (sim_link_is_up(port) || port->state != rest ||
		    port->due != KTIME_MAX)
			sim_link_down(port, rest);
	} else if (!sim_link_is_up(port) && port->due == KTIME_MAX) {
		sim_link_enter(port, SIM_DETECT);
		sim_link_arm(port, port->detect_ms);
	}
}

/* The link goes down for no reason of the slot's, and trains anew. */
void sim_link_drop(struct sim_port *port)
{
	if (!sim_link_is_up(port))
		return;
	sim_link_down(port, SIM_DETECT);
	sim_link_update(port);
}

/* The device above is reset, and this port with it: no error. */
void sim_link_reset(struct sim_port *port)
{
	if (sim_link_is_up(port) || port->due != KTIME_MAX)
		sim_link_down(port, SIM_HOT_RESET);
}

/* A function of the device was reset, not its link. */
void sim_link_retell(struct sim_port *port)
{
	if (sim_link_is_up(port))
		sim_link_set(port, port->speed, port->width);
}

/* Firmware trained it before the kernel began; nothing is told. */
void sim_link_boot(struct sim_port *port)
{
	struct sim_dev *dev = port->card;

	sim_link_settled(port);
	port->ceiling = 0;
	if (dev && port->contact_link && sim_slot_powered(port) &&
	    !sim_link_is_disabled(port) && !sim_dpc_contains(port) &&
	    dev->link_up_try <= 1 && !dev->untrainable_above &&
	    sim_link_width(port, dev)) {
		sim_link_disarm(port);
		sim_link_up(port, false);
	} else {
		sim_link_update(port);
	}
}

/* --- training ----------------------------------------------------------- */

static bool sim_link_try_fails(struct sim_port *port)
{
	struct sim_dev *dev = port->card;

	port->stats.attempts++;
	if (dev->untrainable_above &&
	    sim_link_allowed(port) > dev->untrainable_above) {
		sim_link_status(port, PCI_EXP_LNKSTA_LBMS);
		return true;
	}
	return !sim_link_width(port, dev) || ++port->tries < dev->link_up_try;
}

static void sim_link_recovered(struct sim_port *port)
{
	struct sim_dev *dev = port->card;
	u16 events = 0;

	if (dev->recovery_failures) {
		dev->recovery_failures--;
		sim_link_drop(port);
		return;
	}
	if (port->retraining || port->unreliable)
		events |= PCI_EXP_LNKSTA_LBMS;
	if (port->autonomous)
		events |= PCI_EXP_LNKSTA_LABS;
	sim_link_settled(port);
	sim_link_set(port, port->target, sim_link_width(port, dev) ?: 1);
	sim_link_enter(port, SIM_L0);
	sim_link_status(port, events);
	sim_link_errors(port);
}

static void sim_link_step(struct sim_port *port)
{
	switch (port->state) {
	case SIM_DETECT:
		sim_link_enter(port, SIM_POLLING);
		sim_link_arm(port, port->polling_ms);
		break;
	case SIM_POLLING:
		if (sim_link_try_fails(port)) {
			sim_link_enter(port, SIM_DETECT);
			sim_link_arm(port, port->detect_ms ?: 1);
			break;
		}
		sim_link_enter(port, SIM_CONFIGURATION);
		sim_link_arm(port, port->configuration_ms);
		break;
	case SIM_CONFIGURATION:
		if (sim_link_allowed(port) == 1) {
			sim_link_up(port, true);
			break;
		}
		sim_link_enter(port, SIM_SPEED);
		sim_link_arm(port, port->speed_change_ms);
		break;
	case SIM_SPEED:
		sim_link_up(port, true);
		break;
	case SIM_RECOVERY:
		sim_link_recovered(port);
		break;
	default:
		break;
	}
}

/* The timer may have been set anew while it waited for the lock. */
static enum hrtimer_restart sim_link_timer(struct hrtimer *timer)
{
	struct sim_port *port = container_of(timer, struct sim_port, timer);

	guard(raw_spinlock_irqsave)(&port->fabric->lock);
	if (port->due == KTIME_MAX || !port->card)
		return HRTIMER_NORESTART;
	if (ktime_before(ktime_get(), port->due)) {
		hrtimer_start(timer, port->due, HRTIMER_MODE_ABS);
		return HRTIMER_NORESTART;
	}
	port->due = KTIME_MAX;
	sim_link_step(port);
	return HRTIMER_NORESTART;
}

static void sim_link_recover(struct sim_port *port, u32 target)
{
	u32 limit = port->card->unrecoverable_above;
	u32 ms = port->recovery_ms;

	if (target != port->speed || sim_link_allowed(port) != port->speed)
		ms += port->speed_change_ms;
	port->target = limit && target > limit ? min(target, port->speed) :
						 target;
	port->stats.recoveries++;
	sim_link_enter(port, SIM_RECOVERY);
	sim_link_arm(port, ms);
}

/**
 * sim_link_retrain - 1 was written to Retrain Link
 * @port: the port
 *
 * PCIe 6.0.1 section 7.5.3.7: only while Link Training is clear; who does not
 * keep to that is counted. A link that is down tries again at once.
 */
void sim_link_retrain(struct sim_port *port)
{
	u16 sta = sim_get16(&port->fn, port->fn.pcie + PCI_EXP_LNKSTA);

	port->stats.retrains++;
	if (sta & PCI_EXP_LNKSTA_LT) {
		port->stats.violations++;
		return;
	}
	port->ceiling = 0;
	if (port->state == SIM_L0) {
		port->retraining = true;
		sim_link_recover(port, sim_link_speed(port));
	} else if (port->due != KTIME_MAX) {
		sim_link_enter(port, SIM_DETECT);
		sim_link_arm(port, port->detect_ms);
	}
}

/**
 * sim_link_autonomous - the device changes the link's speed by itself
 * @port: the port
 * @speed: code
 *
 * Return: 0; -ENOTCONN: the link is not in L0; -EPERM: Hardware Autonomous Speed
 * Disable is set.
 */
int sim_link_autonomous(struct sim_port *port, u32 speed)
{
	struct sim_func *fn;

	if (port->state != SIM_L0)
		return -ENOTCONN;
	fn = &port->card->fn;
	if (fn->pcie && sim_get16(fn, fn->pcie + PCI_EXP_LNKCTL2) &
			PCI_EXP_LNKCTL2_HASD)
		return -EPERM;
	port->autonomous = true;
	sim_link_recover(port, min(speed, sim_link_speed(port)));
	return 0;
}

/* --- bit errors --------------------------------------------------------- */

/* Too many: one speed down, and from the lowest, down. */
static void sim_link_unreliable(struct sim_port *port)
{
	if (port->speed <= 1) {
		sim_link_drop(port);
		return;
	}
	port->unreliable = true;
	port->ceiling = port->speed - 1;
	sim_link_recover(port, sim_link_speed(port));
}

static void sim_link_error(struct sim_port *port)
{
	static const u32 kinds[] = {
		PCI_ERR_COR_RCVR, PCI_ERR_COR_BAD_TLP, PCI_ERR_COR_BAD_DLLP,
		PCI_ERR_COR_REP_TIMER
	};

	port->stats.errors++;
	sim_error_correctable(&port->fn,
			      kinds[port->error_next++ % ARRAY_SIZE(kinds)]);
}

/* Nanoseconds until the next burst; 0: it is on, or errors come steadily. */
static u64 sim_ber_pause(const struct sim_ber *ber)
{
	u64 every = ber->every_ms * (u64)NSEC_PER_MSEC, phase;

	if (!every)
		return 0;
	div64_u64_rem(ktime_get_ns(), every, &phase);
	return phase < ber->burst_ms * (u64)NSEC_PER_MSEC ? 0 : every - phase;
}

#define SIM_ERROR_PERIOD_MIN	(100 * NSEC_PER_USEC)

/* When the next error comes, at the present speed; 0: never. */
static u64 sim_link_error_period(const struct sim_port *port)
{
	const struct sim_ber *ber;
	u64 rate;

	if (port->state != SIM_L0 || !port->card)
		return 0;
	ber = &port->card->ber[port->speed];
	if (ber->load)
		return 0;
	rate = sim_ber_rate(ber, port->speed, port->width);
	if (!rate)
		return 0;
	return max_t(u64, div64_u64(1000 * (u64)NSEC_PER_SEC, rate),
		     SIM_ERROR_PERIOD_MIN);
}

/**
 * sim_link_errors - let errors come as the bit error rate says
 * @port: its speed or rate has changed
 */
void sim_link_errors(struct sim_port *port)
{
	u64 period = sim_link_error_period(port);

	port->load = 0;
	hrtimer_try_to_cancel(&port->error_timer);
	if (period)
		hrtimer_start(&port->error_timer, ns_to_ktime(period),
			      HRTIMER_MODE_REL);
}

/* One more access goes over the link. */
static void sim_link_load_one(struct sim_port *port)
{
	const struct sim_ber *ber = &port->card->ber[port->speed];
	u64 whole = 1;
	u32 i;

	if (!ber->load || port->state != SIM_L0 || sim_ber_pause(ber))
		return;
	for (i = 0; i < ber->exponent; i++)
		whole *= 10;
	port->load += ber->mantissa;
	if (port->load < whole)
		return;
	port->load -= whole;
	sim_link_error(port);
}

/**
 * sim_link_load - an access goes over all links on the way to a function
 * @fn: the function, which can be reached; its fabric's lock is held
 */
void sim_link_load(struct sim_func *fn)
{
	struct sim_port *port;

	lockdep_assert_held(&fn->fabric->lock);
	for (port = sim_func_above(fn); port; port = sim_func_above(&port->fn))
		sim_link_load_one(port);
}

static enum hrtimer_restart sim_link_error_timer(struct hrtimer *timer)
{
	struct sim_port *port = container_of(timer, struct sim_port,
					     error_timer);
	u64 period, pause;

	guard(raw_spinlock_irqsave)(&port->fabric->lock);
	period = sim_link_error_period(port);
	if (!period || hrtimer_is_queued(timer))
		return HRTIMER_NORESTART;
	pause = sim_ber_pause(&port->card->ber[port->speed]);
	if (!pause && sim_is_too_bad(port->card, port->speed, port->width)) {
		sim_link_unreliable(port);
		return HRTIMER_NORESTART;
	}
	if (!pause)
		sim_link_error(port);
	hrtimer_start(timer, ns_to_ktime(pause ?: period), HRTIMER_MODE_REL);
	return HRTIMER_NORESTART;
}

void sim_link_init(struct sim_port *port)
{
	port->due = KTIME_MAX;
	hrtimer_setup(&port->timer, sim_link_timer, CLOCK_MONOTONIC,
		      HRTIMER_MODE_ABS);
	hrtimer_setup(&port->error_timer, sim_link_error_timer, CLOCK_MONOTONIC,
		      HRTIMER_MODE_REL);
}

/* Not under the fabric's lock, which the timers take. */
void sim_link_exit(struct sim_port *port)
{
	hrtimer_cancel(&port->timer);
	hrtimer_cancel(&port->error_timer);
}
