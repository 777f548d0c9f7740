// SPDX-License-Identifier: GPL-2.0-only
/*
 * Jobs, the blocking work of a port, one at a time; and transactions, what a
 * user asked for, until its end is told. attach.c and detach.c have the jobs'
 * contents.
 */
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/timekeeping.h>

#include "egpu.h"
#include "trace.h"

static atomic_t egpu_last_transaction;
/* Ports past the point of no return, see egpu_state_is_busy(). */
static atomic_t egpu_no_return;

void egpu_no_return_set(struct egpu_port *port, bool set)
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

/* Does none run, and is none to run? The port is locked. */
bool egpu_job_is_idle(struct egpu_port *port)
{
	lockdep_assert_held(&port->lock);
	return port->job_want == EGPU_JOB_NONE && !port->job_active;
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

void egpu_job_start(struct egpu_port *port, enum egpu_job job)
{
	lockdep_assert_held(&port->lock);
	if (egpu_state_is_stopping())
		return;
	if (egpu_job_pins(job) && !port->job_pinned) {
		if (!try_module_get(THIS_MODULE))
			return;
		port->job_pinned = true;
	}
	port->job_want = job;
	port->job_seq++;
	egpu_job_queue(port);
}

/* Whatever runs now, its result means nothing any more. */
void egpu_job_drop(struct egpu_port *port)
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
	case EGPU_JOB_LINK:
		return egpu_job_link(port);
	case EGPU_JOB_MANAGE:
		return egpu_job_manage(port);
	case EGPU_JOB_TARGET:
		egpu_train_release(port);
		break;
	case EGPU_JOB_CLEAR:
		return egpu_job_clear(port);
	case EGPU_JOB_RECOVERY:
		return egpu_job_recovery(port);
	case EGPU_JOB_SLOT:
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
	port->job_active = false;
	if (!port->parked)
		egpu_no_return_set(port, false);
	if (seq == port->job_seq && bit != EGPU_BIT_COUNT)
		egpu_state_post(port, bit);
	else if (test_bit(EGPU_BIT_LINK, port->pending) ||
		 test_bit(EGPU_BIT_MANAGE, port->pending) ||
		 test_bit(EGPU_BIT_PRESENT, port->pending) ||
		 egpu_soft_is_due(port))
		egpu_state_kick(port);
	if (port->job_want == EGPU_JOB_NONE) {
		unpin = port->job_pinned;
		port->job_pinned = false;
	}
	mutex_unlock(&port->lock);
	if (unpin)
		module_put(THIS_MODULE);
}

void egpu_job_work(struct work_struct *work)
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
	port->job_active = true;
	/* Dropped, or taken already: what the last one found is still read. */
	if (job != EGPU_JOB_NONE) {
		port->job_error = 0;
		port->job_reason = EGPU_REASON_NONE;
	}
	scan = job != EGPU_JOB_NONE && job != EGPU_JOB_TARGET &&
	       job != EGPU_JOB_SLOT && !port->scanned;
	mutex_unlock(&port->lock);

	if (job != EGPU_JOB_NONE && job != EGPU_JOB_TARGET)
		egpu_soft_begin(port);
	if (scan)
		egpu_scan(port);
	bit = egpu_job_run(port, job);
	egpu_job_finish(port, seq, bit);
	egpu_port_put(port);
}

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
	port->ended_id = port->txn.id;
	port->ended_error = error;
	egpu_accept_put(port->txn.accept);
	pci_dev_put(port->txn.function);
	memset(&port->txn, 0, sizeof(port->txn));
	port->admit = false;
	port->ignored_checks = 0;
	/* What was asked for by it, and not begun, must not come later. */
	clear_bit(EGPU_BIT_ATTACH, port->pending);
	clear_bit(EGPU_BIT_DETACH, port->pending);
	clear_bit(EGPU_BIT_CABLE, port->pending);
	clear_bit(EGPU_BIT_LINK, port->pending);
	clear_bit(EGPU_BIT_MANAGE, port->pending);
	clear_bit(EGPU_BIT_RELEASE, port->pending);
	egpu_soft_wake(port);
	module_put(THIS_MODULE);
}
