// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the state work does in a transition: one short function for each action
 * that state_table.h names. They start jobs and timers, end transactions, count
 * and say why; the state itself is moved by state.c, afterwards.
 */
#include <linux/slab.h>
#include <linux/timekeeping.h>

#include "egpu.h"

static void egpu_act_stop(struct egpu_port *port)
{
	bool parked = port->parked;

	egpu_job_drop(port);
	egpu_no_return_set(port, false);
	egpu_transaction_end(port, parked ? 0 : ENODEV, EGPU_REASON_REMOVED);
}

static bool egpu_txn_is_link(struct egpu_port *port)
{
	return port->txn.kind == EGPU_TRANSACTION_LINK;
}

static bool egpu_txn_is_manage(struct egpu_port *port)
{
	return port->txn.kind == EGPU_TRANSACTION_MANAGE;
}

/* A link operation that something else comes before has its turn afterwards. */
static void egpu_link_later(struct egpu_port *port)
{
	if (egpu_txn_is_link(port))
		set_bit(EGPU_BIT_LINK, port->pending);
	if (egpu_txn_is_manage(port) && !port->txn.begun)
		set_bit(EGPU_BIT_MANAGE, port->pending);
}

/* Its turn has not come yet: what ended was not asked for by it. */
static bool egpu_txn_waits(struct egpu_port *port)
{
	return (egpu_txn_is_link(port) &&
		test_bit(EGPU_BIT_LINK, port->pending)) ||
	       (egpu_txn_is_manage(port) &&
		test_bit(EGPU_BIT_MANAGE, port->pending));
}

static void egpu_act_check(struct egpu_port *port)
{
	clear_bit(EGPU_BIT_ATTACH, port->pending);
	port->dropped = false;
	egpu_link_later(port);
	if (port->state == EGPU_STATE_DETACHING) {
		egpu_transaction_end(port, port->job_error ?: ECANCELED,
				     port->job_reason);
		/* What was unbound goes back to its drivers. */
		port->admit = port->parked;
		egpu_no_return_set(port, false);
	}
	port->parked = false;
	port->reason = EGPU_REASON_CHECKING;
	egpu_job_start(port, EGPU_JOB_CHECK);
}

static void egpu_act_release(struct egpu_port *port)
{
	port->reason = EGPU_REASON_NONE;
	egpu_job_start(port, EGPU_JOB_RELEASE);
}

static void egpu_act_drain(struct egpu_port *port)
{
	if (port->txn.deadline_ns && ktime_get_ns() >= port->txn.deadline_ns &&
	    port->state == EGPU_STATE_DRAINING && port->txn.wait_ms) {
		egpu_state_post(port, EGPU_BIT_DEADLINE);
		return;
	}
	port->reason = EGPU_REASON_NONE;
	egpu_job_start(port, EGPU_JOB_USERS);
}

static void egpu_act_unbind(struct egpu_port *port)
{
	port->reason = EGPU_REASON_NONE;
	atomic_set(&port->cancel, 0);
	/* What is lost already needs nobody's leave. */
	if (port->state == EGPU_STATE_LOST)
		port->txn.force = true;
	/* After a failed recovery nobody asked: mending is our own. */
	if (!port->txn.id && port->state == EGPU_STATE_FAULT)
		egpu_transaction_begin(port, EGPU_TRANSACTION_MEND);
	egpu_job_start(port, EGPU_JOB_UNBIND);
}

static void egpu_act_enable(struct egpu_port *port)
{
	/* Another one is an arrival like any; but its way into the slot is told. */
	if (port->replaced) {
		port->came_back = false;
		port->kept = false;
	} else if (port->txn.kind == EGPU_TRANSACTION_ATTACH ||
		   port->txn.kind == EGPU_TRANSACTION_MEND) {
		port->admit = true;
	}
	egpu_job_start(port, EGPU_JOB_ENABLE);
}

/* Why it stays HELD was found by the job. */
static void egpu_act_waiting(struct egpu_port *port)
{
	port->reason = port->job_reason;
	port->admit = false;
	egpu_event_state(port, port->state, port->state);
	if (port->txn.kind != EGPU_TRANSACTION_DETACH &&
	    !egpu_txn_is_link(port) && !egpu_txn_is_manage(port))
		egpu_transaction_end(port, EIO, port->reason);
}

static void egpu_event_users(struct egpu_port *port)
{
	struct egpu_event event;

	if (port->txn.seen_users == (u32)port->nr_users)
		return;
	port->txn.seen_users = port->nr_users;
	egpu_event_prepare(&event, port, EGPU_EVENT_USERS);
	event.value = port->nr_users;
	egpu_event_send(port, &event);
}

static void egpu_act_used(struct egpu_port *port)
{
	u64 now = ktime_get_ns();
	u64 left = U64_MAX;

	if (port->state == EGPU_STATE_FAULT) {
		egpu_transaction_end(port, EBUSY, EGPU_REASON_BUSY);
		egpu_timer_set(port, &port->tick, EGPU_WATCH_MS);
		return;
	}
	port->reason = EGPU_REASON_BUSY;
	egpu_event_users(port);
	if (port->txn.deadline_ns)
		left = port->txn.deadline_ns > now ?
		       port->txn.deadline_ns - now : 0;
	if (!port->txn.wait_ms || !left) {
		egpu_state_post(port, EGPU_BIT_DEADLINE);
		return;
	}
	egpu_timer_set(port, &port->tick,
		       min_t(u64, EGPU_DRAIN_LOOK_MS,
			     div_u64(left, NSEC_PER_MSEC) + 1));
}

static void egpu_act_ready(struct egpu_port *port)
{
	struct egpu_fn *fn;
	bool adopted = true, override = false;

	list_for_each_entry(fn, &port->functions, node) {
		if (!fn->gated)
			continue;
		adopted &= fn->adopted;
		override |= fn->override && fn->bound;
	}
	port->reason = adopted ? EGPU_REASON_ADOPTED :
		       override ? EGPU_REASON_OVERRIDE : EGPU_REASON_NONE;
	if (port->txn.kind == EGPU_TRANSACTION_MEND)
		port->counters.mends++;
	port->counters.attaches++;
	port->admit = false;
	port->kept = false;
	port->dropped = false;
	port->came_back = false;
	port->ignored_checks = 0;
	egpu_timer_set(port, &port->watch, EGPU_WATCH_MS);
	if (egpu_txn_is_link(port)) {
		egpu_job_drop(port);
		egpu_link_later(port);
	} else if (egpu_txn_is_manage(port)) {
		egpu_link_later(port);
	} else if (port->txn.kind != EGPU_TRANSACTION_DETACH) {
		egpu_transaction_end(port, 0, EGPU_REASON_NONE);
	}
}

static void egpu_act_detached(struct egpu_port *port)
{
	port->reason = EGPU_REASON_DETACHED;
	port->counters.detaches++;
	port->absent = 0;
	port->came_back = true;
	if (port->txn.kind == EGPU_TRANSACTION_MEND)
		egpu_state_post(port, EGPU_BIT_MEND);
	else
		egpu_transaction_end(port, 0, EGPU_REASON_DETACHED);
}

static void egpu_empty(struct egpu_port *port, enum egpu_reason reason)
{
	egpu_job_drop(port);
	port->admit = false;
	port->kept = false;
	port->dropped = false;
	port->reason = reason;
	port->failed_checks = 0;
	port->came_back = false;
	port->nr_users = -1;
}

static void egpu_act_loss(struct egpu_port *port)
{
	egpu_job_drop(port);
	port->admit = false;
	port->kept = false;
	port->reason = port->dropped || port->linking ? EGPU_REASON_LINK_SET :
							EGPU_REASON_LINK_DOWN;
	port->dropped = false;
	port->counters.losses++;
	port->loss_ns[port->loss_next] = ktime_get_ns();
	port->loss_next = (port->loss_next + 1) % EGPU_QUARANTINE_LOSSES_MAX;
	egpu_transaction_end(port, ENODEV, port->reason);
	if (!port->nr_gated)
		egpu_state_post(port, EGPU_BIT_EMPTIED);
}

/* Where pciehp does not, egpu removes what vanished. */
static void egpu_act_clear(struct egpu_port *port)
{
	/* What runs has its say first: the watch tells it again. */
	if (port->job_want == EGPU_JOB_NONE && !port->job_active)
		egpu_job_start(port, EGPU_JOB_CLEAR);
}

static void egpu_act_loss_clear(struct egpu_port *port)
{
	egpu_act_loss(port);
	egpu_act_clear(port);
}

static void egpu_act_removed(struct egpu_port *port)
{
	port->counters.removals++;
	egpu_empty(port, EGPU_REASON_REMOVED);
	egpu_transaction_end(port, ENODEV, EGPU_REASON_REMOVED);
}

static void egpu_act_fault(struct egpu_port *port)
{
	port->reason = port->job_reason;
	port->step_error = port->job_error;
	egpu_transaction_end(port, port->job_error ?: EIO, port->reason);
	if (!port->replaced)
		return;
	/* Mended at once; what is below may be in the way of that for long. */
	if (!port->mend_tries)
		egpu_state_post(port, EGPU_BIT_MEND);
	else
		egpu_timer_set(port, &port->tick, EGPU_WATCH_MS <<
			       min(port->mend_tries - 1, EGPU_MEND_SHIFT_MAX));
	port->mend_tries++;
}

static void egpu_act_recovery(struct egpu_port *port)
{
	egpu_job_drop(port);
	port->reason = EGPU_REASON_RECOVERY_FAILED;
	port->counters.failed_recoveries++;
	egpu_transaction_end(port, EIO, port->reason);
	egpu_state_post(port, EGPU_BIT_MEND);
}

static void egpu_act_mend(struct egpu_port *port)
{
	/* After sleep: what is it that would be mended? */
	if (!port->txn.id && !port->replaced && egpu_sleep_asks(port)) {
		egpu_timer_set(port, &port->tick, EGPU_WATCH_MS);
		egpu_job_start(port, EGPU_JOB_RECOVERY);
		return;
	}
	if (port->reason == EGPU_REASON_RECOVERY_FAILED)
		egpu_job_start(port, EGPU_JOB_USERS);
}

static void egpu_act_retry(struct egpu_port *port)
{
	if (port->reason == EGPU_REASON_RECOVERY_FAILED) {
		/* The job decides: EBUSY while there are users. */
		port->admit = true;
		if (port->txn.kind == EGPU_TRANSACTION_ATTACH)
			port->txn.kind = EGPU_TRANSACTION_MEND;
		egpu_act_mend(port);
		return;
	}
	egpu_state_post(port, EGPU_BIT_RELEASE);
}

/* A drain ends without a detach; what was broken before is broken still. */
static void egpu_drain_stop(struct egpu_port *port)
{
	struct egpu_fn *fn;

	if (port->state != EGPU_STATE_DRAINING)
		return;
	egpu_job_drop(port);
	port->reason = EGPU_REASON_NONE;
	egpu_timer_set(port, &port->watch, EGPU_WATCH_MS);
	list_for_each_entry(fn, &port->functions, node)
		if (fn->frozen_since)
			egpu_state_post(port, fn->error_state ==
					pci_channel_io_normal ? EGPU_BIT_TICK :
					EGPU_BIT_ERROR);
	if (!port->nr_gated)
		egpu_state_post(port, EGPU_BIT_VACANT);
}

static void egpu_act_refuse(struct egpu_port *port)
{
	bool waited = port->txn.wait_ms;

	egpu_drain_stop(port);
	egpu_transaction_end(port, waited ? ETIMEDOUT : EBUSY,
			     waited ? EGPU_REASON_DEADLINE : EGPU_REASON_BUSY);
}

static void egpu_act_cancel(struct egpu_port *port)
{
	/* Its job tells the end, which may be that it was done. */
	if (egpu_txn_is_manage(port) && port->txn.begun)
		return;
	if (egpu_txn_is_link(port) && !egpu_txn_waits(port))
		egpu_job_drop(port);
	egpu_drain_stop(port);
	egpu_transaction_end(port, ECANCELED, EGPU_REASON_CANCELLED);
}

static void egpu_act_forget(struct egpu_port *port)
{
	struct egpu_event event;

	egpu_empty(port, EGPU_REASON_NONE);
	egpu_fn_forget_all(port);
	port->scanned = false;
	WRITE_ONCE(port->tracked, false);
	egpu_soft_forget(port);
	port->admit = false;
	memset(&port->limit, 0, sizeof(port->limit));
	if (port->target_set)
		egpu_job_start(port, EGPU_JOB_TARGET);
	egpu_transaction_end(port, ECANCELED, EGPU_REASON_CANCELLED);
	egpu_event_prepare(&event, port, EGPU_EVENT_PORT_REMOVED);
	egpu_event_send(port, &event);
}

static void egpu_act_scan(struct egpu_port *port)
{
	struct egpu_event event;

	WRITE_ONCE(port->tracked, true);
	/* Also where a scan of the time before it was forgotten runs still. */
	port->scanned = false;
	port->tracks++;
	egpu_event_prepare(&event, port, EGPU_EVENT_PORT_ADDED);
	egpu_event_send(port, &event);
	egpu_job_start(port, EGPU_JOB_SCAN);
}

/* Unless something is asked of it, or runs: then it looks later. */
static void egpu_act_presence(struct egpu_port *port)
{
	if (!port->txn.id && port->job_want == EGPU_JOB_NONE &&
	    port->step == EGPU_STEP_NONE)
		egpu_job_start(port, EGPU_JOB_PRESENCE);
}

static void egpu_event_error(struct egpu_port *port, struct egpu_fn *fn)
{
	struct egpu_event event;

	egpu_event_prepare(&event, port, EGPU_EVENT_ERROR);
	event.bus = fn->pdev->bus->number;
	event.devfn = fn->pdev->devfn;
	event.to = (__force u32)fn->error_state;
	egpu_event_send(port, &event);
}

/*
 * Once a second, memory only: did error recovery begin, or end? While a
 * function is frozen, and after sleep, the recovery job looks at the hardware.
 */
static void egpu_act_watch(struct egpu_port *port)
{
	pci_channel_state_t state;
	struct egpu_fn *fn;
	bool look = egpu_sleep_asks(port);

	list_for_each_entry(fn, &port->functions, node) {
		state = READ_ONCE(fn->pdev->error_state);
		if (fn->gated && state != fn->error_state) {
			if (state == pci_channel_io_normal)
				port->counters.recoveries++;
			fn->error_state = state;
			fn->frozen_since = state == pci_channel_io_frozen ?
					   ktime_get_ns() : 0;
			fn->readable_since = 0;
			egpu_event_error(port, fn);
		}
		look |= fn->frozen_since != 0;
	}
	egpu_timer_set(port, &port->watch, EGPU_WATCH_MS);
	if (look && port->job_want == EGPU_JOB_NONE &&
	    port->step == EGPU_STEP_NONE)
		egpu_job_start(port, EGPU_JOB_RECOVERY);
}

static void egpu_act_quarantine(struct egpu_port *port)
{
	port->reason = EGPU_REASON_LOST_TOO_OFTEN;
	egpu_timer_set(port, &port->tick, port->quarantine_window_ms);
	egpu_transaction_end(port, EIO, port->reason);
}

static void egpu_act_none(struct egpu_port *port)
{
}

static void egpu_act_scan_again(struct egpu_port *port)
{
	port->scanned = false;
	if (!port->txn.id)
		egpu_job_start(port, EGPU_JOB_SCAN);
}

static void egpu_act_release_keep(struct egpu_port *port)
{
	set_bit(EGPU_BIT_FORGET, port->pending);
	egpu_act_release(port);
}

static void egpu_act_continue(struct egpu_port *port)
{
	/* It is about to end, or unbinds already: then what it says counts. */
	if (egpu_job_is_idle(port))
		egpu_job_start(port, EGPU_JOB_UNBIND);
	else
		egpu_timer_set(port, &port->tick, EGPU_CHILDREN_MS);
}

static void egpu_act_left(struct egpu_port *port)
{
	clear_bit(EGPU_BIT_PRESENT, port->pending);
	egpu_empty(port, EGPU_REASON_DETACHED);
	egpu_transaction_end(port, ENODEV, EGPU_REASON_DETACHED);
}

static void egpu_act_emptied(struct egpu_port *port)
{
	egpu_empty(port, port->reason);
}

static void egpu_act_reset(struct egpu_port *port)
{
	memset(port->loss_ns, 0, sizeof(port->loss_ns));
}

static void egpu_act_fail(struct egpu_port *port)
{
	egpu_drain_stop(port);
	if (egpu_txn_waits(port))
		return;
	egpu_transaction_end(port, port->job_error ?: EIO, port->job_reason);
}

static void egpu_act_cancel_job(struct egpu_port *port)
{
	atomic_set(&port->cancel, 1);
}

static void egpu_act_succeed(struct egpu_port *port)
{
	if (egpu_txn_waits(port))
		return;
	egpu_transaction_end(port, 0, port->reason);
}

static void egpu_act_absent(struct egpu_port *port)
{
	port->kept = false;
	egpu_transaction_end(port, ENODEV, EGPU_REASON_NONE);
}

static void egpu_act_hold(struct egpu_port *port)
{
	port->kept = true;
	port->reason = EGPU_REASON_UNBOUND;
	egpu_no_return_set(port, false);
	egpu_transaction_end(port, 0, port->reason);
}

static void egpu_act_train(struct egpu_port *port)
{
	atomic_set(&port->cancel, 0);
	port->dropped = false;
	port->txn.ready = port->state == EGPU_STATE_READY;
	port->txn.empty = port->state == EGPU_STATE_EMPTY ||
			  port->state == EGPU_STATE_DETACHED;
	egpu_job_start(port, EGPU_JOB_LINK);
}

static void egpu_act_manage(struct egpu_port *port)
{
	port->txn.begun = true;
	egpu_job_start(port, EGPU_JOB_MANAGE);
}

/* The state's reason is what it was. */
static void egpu_act_linked(struct egpu_port *port)
{
	if (port->txn.ready)
		egpu_timer_set(port, &port->watch, EGPU_WATCH_MS);
	if (egpu_txn_is_link(port))
		egpu_transaction_end(port, port->job_error, port->job_reason);
	/* What appeared meanwhile was not looked at. */
	if (!port->scanned)
		egpu_job_start(port, EGPU_JOB_SCAN);
}

/* A function for each name that the table may say. */
static void (* const egpu_actions[EGPU_ACT_COUNT])(struct egpu_port *port) = {
	[EGPU_ACT_NONE] = egpu_act_none,
	[EGPU_ACT_LATCH] = egpu_act_none,
	[EGPU_ACT_STOP] = egpu_act_stop,
	[EGPU_ACT_SCAN] = egpu_act_scan,
	[EGPU_ACT_SCAN_AGAIN] = egpu_act_scan_again,
	[EGPU_ACT_CHECK] = egpu_act_check,
	[EGPU_ACT_RELEASE] = egpu_act_release,
	[EGPU_ACT_RELEASE_KEEP] = egpu_act_release_keep,
	[EGPU_ACT_DRAIN] = egpu_act_drain,
	[EGPU_ACT_UNBIND] = egpu_act_unbind,
	[EGPU_ACT_CONTINUE] = egpu_act_continue,
	[EGPU_ACT_ENABLE] = egpu_act_enable,
	[EGPU_ACT_PRESENCE] = egpu_act_presence,
	[EGPU_ACT_WATCH] = egpu_act_watch,
	[EGPU_ACT_WAITING] = egpu_act_waiting,
	[EGPU_ACT_USED] = egpu_act_used,
	[EGPU_ACT_READY] = egpu_act_ready,
	[EGPU_ACT_DETACHED] = egpu_act_detached,
	[EGPU_ACT_LEFT] = egpu_act_left,
	[EGPU_ACT_LOSS] = egpu_act_loss,
	[EGPU_ACT_LOSS_CLEAR] = egpu_act_loss_clear,
	[EGPU_ACT_CLEAR] = egpu_act_clear,
	[EGPU_ACT_EMPTIED] = egpu_act_emptied,
	[EGPU_ACT_REMOVED] = egpu_act_removed,
	[EGPU_ACT_FAULT] = egpu_act_fault,
	[EGPU_ACT_RECOVERY] = egpu_act_recovery,
	[EGPU_ACT_MEND] = egpu_act_mend,
	[EGPU_ACT_RETRY] = egpu_act_retry,
	[EGPU_ACT_QUARANTINE] = egpu_act_quarantine,
	[EGPU_ACT_RESET] = egpu_act_reset,
	[EGPU_ACT_FORGET] = egpu_act_forget,
	[EGPU_ACT_FAIL] = egpu_act_fail,
	[EGPU_ACT_REFUSE] = egpu_act_refuse,
	[EGPU_ACT_CANCEL] = egpu_act_cancel,
	[EGPU_ACT_CANCEL_JOB] = egpu_act_cancel_job,
	[EGPU_ACT_SUCCEED] = egpu_act_succeed,
	[EGPU_ACT_ABSENT] = egpu_act_absent,
	[EGPU_ACT_HOLD] = egpu_act_hold,
	[EGPU_ACT_TRAIN] = egpu_act_train,
	[EGPU_ACT_LINKED] = egpu_act_linked,
	[EGPU_ACT_MANAGE] = egpu_act_manage,
};

/**
 * egpu_act() - do what the table names
 * @port: the port, locked, in its old state
 * @act: the action
 */
void egpu_act(struct egpu_port *port, enum egpu_action act)
{
	lockdep_assert_held(&port->lock);
	egpu_actions[act](port);
}
