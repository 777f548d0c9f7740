// SPDX-License-Identifier: GPL-2.0-only
/*
 * The state of a port: bits come in, the table says what they mean, an action
 * does it. Two work items a port:
 *
 * The state work consumes the pending bits, moves the state and tells the
 * events. It never takes a device_lock or the rescan lock, never calls a driver
 * or a slot operation, so it always runs.
 *
 * The job work runs one blocking step and posts its result as a bit. One that
 * hangs leaves everything else alive: the state shows the step, the driver and
 * since when; loss is recorded and applied when the step returns. A result
 * that the state does not wait for any more is dropped.
 */
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/timekeeping.h>

#include "egpu.h"
#include "state_table.h"
#include "trace.h"

static struct workqueue_struct *egpu_state_wq;
static struct workqueue_struct *egpu_job_wq;
static atomic_t egpu_last_transaction;
/* Ports past the point of no return, see egpu_state_is_busy(). */
static atomic_t egpu_no_return;
/* Set at unload: no timer is armed and no job begins any more. */
static bool egpu_stopping;

static void egpu_state_queue(struct egpu_port *port)
{
	egpu_port_get(port);
	if (!queue_work(egpu_state_wq, &port->state_work))
		egpu_port_put(port);
}

/**
 * egpu_state_post() - something happened to a port
 * @port: the port; may be locked or not
 * @bit: what
 *
 * May be called from anywhere but hard interrupts.
 */
void egpu_state_post(struct egpu_port *port, enum egpu_bit bit)
{
	set_bit(bit, &port->pending);
	egpu_state_queue(port);
}

static void egpu_timer_set(struct egpu_port *port, struct delayed_work *timer,
			   unsigned int ms)
{
	if (READ_ONCE(egpu_stopping))
		return;
	egpu_port_get(port);
	if (mod_delayed_work(egpu_state_wq, timer, msecs_to_jiffies(ms)))
		egpu_port_put(port);
}

static void egpu_timer_stop(struct egpu_port *port, struct delayed_work *timer)
{
	if (cancel_delayed_work(timer))
		egpu_port_put(port);
}

static void egpu_tick_work(struct work_struct *work)
{
	struct egpu_port *port = container_of(to_delayed_work(work),
					      struct egpu_port, tick);

	egpu_state_post(port, EGPU_BIT_TICK);
	egpu_port_put(port);
}

static void egpu_watch_work(struct work_struct *work)
{
	struct egpu_port *port = container_of(to_delayed_work(work),
					      struct egpu_port, watch);

	egpu_state_post(port, EGPU_BIT_TICK);
	egpu_port_put(port);
}

/* Jobs. */

static void egpu_no_return_set(struct egpu_port *port, bool set)
{
	lockdep_assert_held(&port->lock);
	if (port->no_return == set)
		return;
	port->no_return = set;
	if (set)
		atomic_inc(&egpu_no_return);
	else
		atomic_dec(&egpu_no_return);
}

/**
 * egpu_job_commit() - pass the point of no return, unless cancelled before
 * @port: the port, not locked
 *
 * Return: true when it is passed; false when the job has to turn back.
 */
bool egpu_job_commit(struct egpu_port *port)
{
	guard(mutex)(&port->lock);
	if (atomic_read(&port->cancel) || port->job_running != port->job_seq)
		return false;
	egpu_no_return_set(port, true);
	return true;
}

/* Does the state still wait for the job that runs? The port is locked. */
bool egpu_job_is_current(struct egpu_port *port)
{
	lockdep_assert_held(&port->lock);
	return port->job_running == port->job_seq;
}

/**
 * egpu_job_again() - the job that runs ends, to be continued
 * @port: the port, not locked
 * @ms: when
 */
void egpu_job_again(struct egpu_port *port, unsigned int ms)
{
	guard(mutex)(&port->lock);
	if (egpu_job_is_current(port))
		egpu_timer_set(port, &port->tick, ms);
}

/* Is a port past the point of no return, so that suspend has to be refused? */
bool egpu_state_is_busy(void)
{
	return atomic_read(&egpu_no_return) != 0;
}

/**
 * egpu_job_result() - why a job ends as it does
 * @port: the port, not locked
 * @error: errno, positive, or 0
 * @reason: why
 */
void egpu_job_result(struct egpu_port *port, int error,
		     enum egpu_reason reason)
{
	guard(mutex)(&port->lock);
	port->job_error = error;
	port->job_reason = reason;
}

/**
 * egpu_step_set() - the job enters a step
 * @port: the port, not locked
 * @step: the step
 */
void egpu_step_set(struct egpu_port *port, enum egpu_step step)
{
	struct egpu_event event;

	guard(mutex)(&port->lock);
	port->step = step;
	port->step_since_ns = step == EGPU_STEP_NONE ? 0 : ktime_get_ns();
	port->step_driver[0] = '\0';
	trace_egpu_step(port->id, step);
	if (step == EGPU_STEP_NONE || !port->txn.id)
		return;
	egpu_event_prepare(&event, port, EGPU_EVENT_STEP);
	event.to = step;
	egpu_event_send(port, &event);
}

/* Reading presence and looking for users come and go: rmmod may wait. */
static bool egpu_job_pins(enum egpu_job job)
{
	return job != EGPU_JOB_PRESENCE && job != EGPU_JOB_USERS &&
	       job != EGPU_JOB_RECOVERY;
}

static void egpu_job_start(struct egpu_port *port, enum egpu_job job)
{
	lockdep_assert_held(&port->lock);
	if (READ_ONCE(egpu_stopping))
		return;
	if (egpu_job_pins(job) && !port->job_pinned) {
		if (!try_module_get(THIS_MODULE))
			return;
		port->job_pinned = true;
	}
	port->job_want = job;
	port->job_seq++;
	egpu_port_get(port);
	if (!queue_work(egpu_job_wq, &port->job_work))
		egpu_port_put(port);
}

/* Whatever runs now, its result means nothing any more. */
static void egpu_job_drop(struct egpu_port *port)
{
	lockdep_assert_held(&port->lock);
	port->job_want = EGPU_JOB_NONE;
	port->job_seq++;
	atomic_set(&port->cancel, 1);
}

static enum egpu_bit egpu_job_run(struct egpu_port *port, enum egpu_job job)
{
	switch (job) {
	case EGPU_JOB_SCAN:
		return egpu_job_scan(port);
	case EGPU_JOB_CHECK:
		return egpu_job_check(port);
	case EGPU_JOB_RELEASE:
		return egpu_job_release(port);
	case EGPU_JOB_USERS:
		return egpu_job_users(port);
	case EGPU_JOB_UNBIND:
		return egpu_job_unbind(port);
	case EGPU_JOB_ENABLE:
		return egpu_job_enable(port);
	case EGPU_JOB_PRESENCE:
		return egpu_job_presence(port);
	case EGPU_JOB_RECOVERY:
		return egpu_job_recovery(port);
	case EGPU_JOB_NONE:
		break;
	}
	return EGPU_BIT_COUNT;
}

static void egpu_job_finish(struct egpu_port *port, u32 seq, enum egpu_bit bit)
{
	bool unpin = false;

	egpu_step_set(port, EGPU_STEP_NONE);
	mutex_lock(&port->lock);
	if (!port->parked)
		egpu_no_return_set(port, false);
	if (seq == port->job_seq && bit != EGPU_BIT_COUNT)
		egpu_state_post(port, bit);
	if (port->job_want == EGPU_JOB_NONE) {
		unpin = port->job_pinned;
		port->job_pinned = false;
	}
	mutex_unlock(&port->lock);
	if (unpin)
		module_put(THIS_MODULE);
}

static void egpu_job_work(struct work_struct *work)
{
	struct egpu_port *port = container_of(work, struct egpu_port,
					      job_work);
	enum egpu_bit bit;
	enum egpu_job job;
	bool scan;
	u32 seq;

	mutex_lock(&port->lock);
	job = port->job_want;
	seq = port->job_seq;
	port->job_want = EGPU_JOB_NONE;
	port->job_running = seq;
	port->job_error = 0;
	port->job_reason = EGPU_REASON_NONE;
	scan = job != EGPU_JOB_NONE && !port->scanned;
	mutex_unlock(&port->lock);

	if (scan)
		egpu_scan(port);
	bit = egpu_job_run(port, job);
	egpu_job_finish(port, seq, bit);
	egpu_port_put(port);
}

/* Transactions. */

static void egpu_accept_free(struct kref *kref)
{
	kfree(container_of(kref, struct egpu_accept, kref));
}

void egpu_accept_put(struct egpu_accept *accept)
{
	if (accept)
		kref_put(&accept->kref, egpu_accept_free);
}

/**
 * egpu_transaction_begin() - something that a user asked for begins
 * @port: the port, locked; no transaction runs
 * @kind: EGPU_TRANSACTION_*
 *
 * It holds a reference to the module until its end.
 *
 * Return: its id, or 0 when the module is being unloaded.
 */
u32 egpu_transaction_begin(struct egpu_port *port, u32 kind)
{
	lockdep_assert_held(&port->lock);
	if (!try_module_get(THIS_MODULE))
		return 0;
	memset(&port->txn, 0, sizeof(port->txn));
	do {
		port->txn.id = atomic_inc_return(&egpu_last_transaction);
	} while (!port->txn.id);
	port->txn.kind = kind;
	port->txn.seen_users = U32_MAX;
	return port->txn.id;
}

/**
 * egpu_transaction_end() - tell how it ended
 * @port: the port, locked
 * @error: errno, positive, or 0
 * @reason: why
 */
void egpu_transaction_end(struct egpu_port *port, int error,
			  enum egpu_reason reason)
{
	struct egpu_event event;

	lockdep_assert_held(&port->lock);
	if (!port->txn.id)
		return;
	egpu_event_prepare(&event, port, EGPU_EVENT_TRANSACTION);
	event.from = port->txn.kind;
	event.to = port->state;
	event.error = error;
	event.reason = reason;
	egpu_event_send(port, &event);
	egpu_accept_put(port->txn.accept);
	memset(&port->txn, 0, sizeof(port->txn));
	port->admit = false;
	port->ignored_checks = 0;
	/* What was asked for by it, and not begun, must not come later. */
	clear_bit(EGPU_BIT_ATTACH, &port->pending);
	clear_bit(EGPU_BIT_DETACH, &port->pending);
	clear_bit(EGPU_BIT_CABLE, &port->pending);
	clear_bit(EGPU_BIT_RELEASE, &port->pending);
	module_put(THIS_MODULE);
}

/* Actions: what the table names. The port is locked, the state still old. */

static void egpu_act_stop(struct egpu_port *port)
{
	bool parked = port->parked;

	egpu_job_drop(port);
	egpu_no_return_set(port, false);
	egpu_transaction_end(port, parked ? 0 : ENODEV, EGPU_REASON_REMOVED);
}

static void egpu_act_check(struct egpu_port *port)
{
	clear_bit(EGPU_BIT_ATTACH, &port->pending);
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
	if (port->txn.id)
		port->admit = true;
	egpu_job_start(port, EGPU_JOB_ENABLE);
}

/* Why it stays HELD was found by the job. */
static void egpu_act_waiting(struct egpu_port *port)
{
	port->reason = port->job_reason;
	port->admit = false;
	egpu_event_state(port, port->state, port->state);
	if (port->txn.kind == EGPU_TRANSACTION_DETACH)
		return;
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
	port->came_back = false;
	port->ignored_checks = 0;
	egpu_timer_set(port, &port->watch, EGPU_WATCH_MS);
	if (port->txn.kind != EGPU_TRANSACTION_DETACH)
		egpu_transaction_end(port, 0, EGPU_REASON_NONE);
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
	port->reason = reason;
	port->failed_checks = 0;
	port->came_back = false;
	port->nr_users = -1;
}

static void egpu_act_loss(struct egpu_port *port)
{
	egpu_job_drop(port);
	port->admit = false;
	port->reason = EGPU_REASON_LINK_DOWN;
	port->counters.losses++;
	port->loss_ns[port->loss_next] = ktime_get_ns();
	port->loss_next = (port->loss_next + 1) % EGPU_QUARANTINE_LOSSES_MAX;
	egpu_transaction_end(port, ENODEV, EGPU_REASON_LINK_DOWN);
	if (!port->nr_gated)
		egpu_state_post(port, EGPU_BIT_EMPTIED);
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
	if (port->reason != EGPU_REASON_RECOVERY_FAILED)
		return;
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
			egpu_state_post(port, EGPU_BIT_ERROR);
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
	port->admit = false;
	egpu_transaction_end(port, ECANCELED, EGPU_REASON_CANCELLED);
	egpu_event_prepare(&event, port, EGPU_EVENT_PORT_REMOVED);
	egpu_event_send(port, &event);
}

static void egpu_act_scan(struct egpu_port *port)
{
	struct egpu_event event;

	WRITE_ONCE(port->tracked, true);
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
 * function is frozen the recovery job looks at the hardware.
 */
static void egpu_act_watch(struct egpu_port *port)
{
	pci_channel_state_t state;
	struct egpu_fn *fn;
	bool look = false;

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

static void egpu_act(struct egpu_port *port, enum egpu_action act)
{
	switch (act) {
	case EGPU_ACT_NONE:
	case EGPU_ACT_LATCH:
	case EGPU_ACT_COUNT:
		break;
	case EGPU_ACT_STOP:
		egpu_act_stop(port);
		break;
	case EGPU_ACT_SCAN:
		egpu_act_scan(port);
		break;
	case EGPU_ACT_SCAN_AGAIN:
		port->scanned = false;
		if (!port->txn.id)
			egpu_job_start(port, EGPU_JOB_SCAN);
		break;
	case EGPU_ACT_CHECK:
		egpu_act_check(port);
		break;
	case EGPU_ACT_RELEASE_KEEP:
		set_bit(EGPU_BIT_FORGET, &port->pending);
		fallthrough;
	case EGPU_ACT_RELEASE:
		egpu_act_release(port);
		break;
	case EGPU_ACT_DRAIN:
		egpu_act_drain(port);
		break;
	case EGPU_ACT_UNBIND:
		egpu_act_unbind(port);
		break;
	case EGPU_ACT_CONTINUE:
		egpu_job_start(port, EGPU_JOB_UNBIND);
		break;
	case EGPU_ACT_ENABLE:
		egpu_act_enable(port);
		break;
	case EGPU_ACT_PRESENCE:
		egpu_act_presence(port);
		break;
	case EGPU_ACT_WATCH:
		egpu_act_watch(port);
		break;
	case EGPU_ACT_WAITING:
		egpu_act_waiting(port);
		break;
	case EGPU_ACT_USED:
		egpu_act_used(port);
		break;
	case EGPU_ACT_READY:
		egpu_act_ready(port);
		break;
	case EGPU_ACT_DETACHED:
		egpu_act_detached(port);
		break;
	case EGPU_ACT_LEFT:
		egpu_empty(port, EGPU_REASON_DETACHED);
		egpu_transaction_end(port, ENODEV, EGPU_REASON_DETACHED);
		break;
	case EGPU_ACT_LOSS:
		egpu_act_loss(port);
		break;
	case EGPU_ACT_EMPTIED:
		egpu_empty(port, EGPU_REASON_LINK_DOWN);
		break;
	case EGPU_ACT_REMOVED:
		egpu_act_removed(port);
		break;
	case EGPU_ACT_FAULT:
		egpu_act_fault(port);
		break;
	case EGPU_ACT_RECOVERY:
		egpu_act_recovery(port);
		break;
	case EGPU_ACT_MEND:
		egpu_act_mend(port);
		break;
	case EGPU_ACT_RETRY:
		egpu_act_retry(port);
		break;
	case EGPU_ACT_QUARANTINE:
		egpu_act_quarantine(port);
		break;
	case EGPU_ACT_RESET:
		memset(port->loss_ns, 0, sizeof(port->loss_ns));
		break;
	case EGPU_ACT_FORGET:
		egpu_act_forget(port);
		break;
	case EGPU_ACT_FAIL:
		egpu_drain_stop(port);
		egpu_transaction_end(port, port->job_error ?: EIO,
				     port->job_reason);
		break;
	case EGPU_ACT_REFUSE:
		egpu_act_refuse(port);
		break;
	case EGPU_ACT_CANCEL:
		egpu_act_cancel(port);
		break;
	case EGPU_ACT_CANCEL_JOB:
		atomic_set(&port->cancel, 1);
		break;
	case EGPU_ACT_SUCCEED:
		egpu_transaction_end(port, 0, port->reason);
		break;
	case EGPU_ACT_ABSENT:
		egpu_transaction_end(port, ENODEV, EGPU_REASON_NONE);
		break;
	}
}

/* The transition function: the only place where a state changes. */
static void egpu_state_apply(struct egpu_port *port, enum egpu_bit bit)
{
	const struct egpu_cell *cell = egpu_state_cell(port->state, bit);
	enum egpu_state from = port->state;

	if (cell->next != from) {
		egpu_timer_stop(port, &port->tick);
		egpu_timer_stop(port, &port->watch);
		clear_bit(EGPU_BIT_TICK, &port->pending);
	}
	egpu_act(port, cell->act);
	/* DETACHED looks for presence, whatever else comes and fails. */
	if (cell->next == EGPU_STATE_DETACHED)
		egpu_timer_set(port, &port->tick, EGPU_PRESENCE_MS);
	if (cell->next == from)
		return;
	port->state = cell->next;
	port->since_ns = ktime_get_ns();
	egpu_event_state(port, from, cell->next);
}

/*
 * A bit tells what was; the record of functions tells what is. An arrival is
 * old news when all have gone since, and a slot operation that is done has no
 * more to say when something arrived by it.
 */
static bool egpu_state_is_stale(struct egpu_port *port, enum egpu_bit bit)
{
	if (bit == EGPU_BIT_ARRIVED)
		return port->nr_gated == 0;
	if (bit == EGPU_BIT_DONE && (port->state == EGPU_STATE_EMPTY ||
				     port->state == EGPU_STATE_DETACHED))
		return port->nr_gated != 0;
	return false;
}

/* What is arriving right now is held already; let it be checked first. */
static bool egpu_state_waits(struct egpu_port *port, enum egpu_bit bit)
{
	struct egpu_fn *fn;

	if (egpu_state_cell(port->state, bit)->act == EGPU_ACT_LATCH)
		return true;
	/* The ports below come back only when their job has returned. */
	if (bit == EGPU_BIT_RELEASE && port->state == EGPU_STATE_DETACHING)
		return !port->parked;
	if (bit != EGPU_BIT_FORGET || (port->state != EGPU_STATE_EMPTY &&
				       port->state != EGPU_STATE_READY &&
				       port->state != EGPU_STATE_DETACHED))
		return false;
	list_for_each_entry(fn, &port->functions, node)
		if (fn->hold)
			return true;
	return false;
}

static bool egpu_state_step(struct egpu_port *port)
{
	enum egpu_bit bit;

	for (bit = 0; bit < EGPU_BIT_COUNT; bit++) {
		if (!test_bit(bit, &port->pending) ||
		    egpu_state_waits(port, bit))
			continue;
		clear_bit(bit, &port->pending);
		if (!egpu_state_is_stale(port, bit))
			egpu_state_apply(port, bit);
		return true;
	}
	return false;
}

static void egpu_state_work(struct work_struct *work)
{
	struct egpu_port *port = container_of(work, struct egpu_port,
					      state_work);

	mutex_lock(&port->lock);
	while (egpu_state_step(port))
		;
	mutex_unlock(&port->lock);
	egpu_port_put(port);
}

/* For a new port. */
void egpu_state_setup(struct egpu_port *port)
{
	INIT_WORK(&port->state_work, egpu_state_work);
	INIT_WORK(&port->job_work, egpu_job_work);
	INIT_DELAYED_WORK(&port->tick, egpu_tick_work);
	INIT_DEFERRABLE_WORK(&port->watch, egpu_watch_work);
}

static void egpu_work_cancel(struct egpu_port *port, struct work_struct *work)
{
	if (cancel_work_sync(work))
		egpu_port_put(port);
}

/**
 * egpu_state_quiesce() - at unload: nothing runs for this port any more
 * @port: the port, after egpu_state_stop()
 */
void egpu_state_quiesce(struct egpu_port *port)
{
	if (cancel_delayed_work_sync(&port->tick))
		egpu_port_put(port);
	if (cancel_delayed_work_sync(&port->watch))
		egpu_port_put(port);
	egpu_work_cancel(port, &port->state_work);
	egpu_work_cancel(port, &port->job_work);
}

/**
 * egpu_state_stop() - at unload: from now on nothing begins
 *
 * Bus notifier and node are gone, no transaction and no job that pins the
 * module is there. Afterwards egpu_state_quiesce() ends what waits for a timer.
 */
void egpu_state_stop(void)
{
	WRITE_ONCE(egpu_stopping, true);
	flush_workqueue(egpu_state_wq);
	flush_workqueue(egpu_job_wq);
	flush_workqueue(egpu_state_wq);
}

int egpu_state_init(void)
{
	egpu_stopping = false;
	egpu_state_wq = alloc_workqueue("egpu_state",
					WQ_UNBOUND | WQ_FREEZABLE,
					WQ_MAX_ACTIVE);
	egpu_job_wq = alloc_workqueue("egpu_job", WQ_UNBOUND | WQ_FREEZABLE,
				      WQ_MAX_ACTIVE);
	if (egpu_state_wq && egpu_job_wq)
		return 0;
	egpu_state_exit();
	return -ENOMEM;
}

void egpu_state_exit(void)
{
	if (egpu_job_wq)
		destroy_workqueue(egpu_job_wq);
	if (egpu_state_wq)
		destroy_workqueue(egpu_state_wq);
	egpu_job_wq = NULL;
	egpu_state_wq = NULL;
}
