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
#include <linux/slab.h>
#include <linux/timekeeping.h>
#include <linux/timer.h>

#include "egpu.h"
#include "state_table.h"

static struct workqueue_struct *egpu_state_wq;
static struct workqueue_struct *egpu_job_wq;
/* Set at unload: no timer is armed and no job begins any more. */
static bool egpu_stopping;

static void egpu_state_queue(struct egpu_port *port)
{
	egpu_port_get(port);
	if (!queue_work(egpu_state_wq, &port->state_work))
		egpu_port_put(port);
}

void egpu_job_queue(struct egpu_port *port)
{
	egpu_port_get(port);
	if (!queue_work(egpu_job_wq, &port->job_work))
		egpu_port_put(port);
}

bool egpu_state_is_stopping(void)
{
	return READ_ONCE(egpu_stopping);
}

/* Something that a pending bit waits for may be over. */
void egpu_state_kick(struct egpu_port *port)
{
	egpu_state_queue(port);
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
	set_bit(bit, port->pending);
	egpu_state_queue(port);
}

void egpu_timer_set(struct egpu_port *port, struct delayed_work *timer,
		    unsigned int ms)
{
	unsigned long delay = msecs_to_jiffies(ms);

	if (egpu_state_is_stopping())
		return;
	/* All that are watched in one CPU are looked at together. */
	if (timer == &port->watch)
		delay = round_jiffies_relative(delay);
	egpu_port_get(port);
	if (mod_delayed_work(egpu_state_wq, timer, delay))
		egpu_port_put(port);
}

void egpu_timer_stop(struct egpu_port *port, struct delayed_work *timer)
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

/* The transition function: the only place where a state changes. */
static void egpu_state_apply(struct egpu_port *port, enum egpu_bit bit)
{
	const struct egpu_cell *cell = egpu_state_cell(port->state, bit);
	enum egpu_state from = port->state;

	if (cell->next != from) {
		egpu_timer_stop(port, &port->tick);
		egpu_timer_stop(port, &port->watch);
		clear_bit(EGPU_BIT_TICK, port->pending);
	}
	egpu_act(port, cell->act);
	/* DETACHED looks for presence, whatever else comes and fails. */
	if (cell->next == EGPU_STATE_DETACHED)
		egpu_timer_set(port, &port->tick, EGPU_PRESENCE_MS);
	if (cell->next == from)
		return;
	if (cell->next == EGPU_STATE_EMPTY)
		egpu_soft_emptied(port);
	port->state = cell->next;
	port->since_ns = ktime_get_ns();
	egpu_port_power(port);
	egpu_event_state(port, from, cell->next);
}

static bool egpu_state_holds(struct egpu_port *port)
{
	struct egpu_fn *fn;

	list_for_each_entry(fn, &port->functions, node)
		if (fn->hold)
			return true;
	return false;
}

/* Something vanished that is still to be removed. */
static bool egpu_state_has_lost(struct egpu_port *port)
{
	struct egpu_fn *fn;

	list_for_each_entry(fn, &port->functions, node)
		if (pci_dev_is_disconnected(fn->pdev))
			return true;
	return false;
}

/* Some of the GPU is there, and does not wait for being removed. */
static bool egpu_state_has_alive(struct egpu_port *port)
{
	struct egpu_fn *fn;

	list_for_each_entry(fn, &port->functions, node)
		if (fn->gated && !pci_dev_is_disconnected(fn->pdev))
			return true;
	return false;
}

/*
 * A bit tells what was; the record of functions tells what is. An arrival is
 * old news when all have gone since, that all were bound also when others came
 * since and are held; and a slot operation that is done has no more to say when
 * something arrived by it.
 */
static bool egpu_state_is_stale(struct egpu_port *port, enum egpu_bit bit)
{
	if (bit == EGPU_BIT_ARRIVED)
		return port->nr_gated == 0 ||
		       (port->soft && !egpu_state_has_alive(port));
	if (bit == EGPU_BIT_ADOPT || bit == EGPU_BIT_ADMITTED)
		return port->nr_gated == 0 || egpu_state_holds(port);
	if (bit == EGPU_BIT_PRESENT)
		return port->nr_gated != 0;
	if (bit == EGPU_BIT_DOWN)
		return !list_empty(&port->functions) &&
		       !egpu_state_has_lost(port);
	if (bit == EGPU_BIT_DONE && (port->state == EGPU_STATE_EMPTY ||
				     port->state == EGPU_STATE_DETACHED))
		return port->nr_gated != 0;
	return false;
}

/* What is arriving right now is held already; let it be checked first. */
static bool egpu_state_waits(struct egpu_port *port, enum egpu_bit bit)
{
	if (egpu_state_cell(port->state, bit)->act == EGPU_ACT_LATCH)
		return true;
	/* The ports below come back only when their job has returned. */
	if (bit == EGPU_BIT_RELEASE && port->state == EGPU_STATE_DETACHING)
		return !port->parked;
	/* A job that runs has its say first; its end asks again. */
	if (bit == EGPU_BIT_LINK || bit == EGPU_BIT_MANAGE ||
	    bit == EGPU_BIT_PRESENT)
		return !egpu_job_is_idle(port);
	return bit == EGPU_BIT_FORGET && egpu_state_holds(port) &&
	       (port->state == EGPU_STATE_EMPTY ||
		port->state == EGPU_STATE_READY ||
		port->state == EGPU_STATE_DETACHED);
}

static bool egpu_state_step(struct egpu_port *port)
{
	enum egpu_bit bit;

	for (bit = 0; bit < EGPU_BIT_COUNT; bit++) {
		if (!test_bit(bit, port->pending) ||
		    egpu_state_waits(port, bit))
			continue;
		clear_bit(bit, port->pending);
		if (!egpu_state_is_stale(port, bit))
			egpu_state_apply(port, bit);
		return true;
	}
	return false;
}

static void egpu_state_run(struct egpu_port *port)
{
	lockdep_assert_held(&port->lock);
	while (egpu_state_step(port))
		;
	/* Whatever the state: each job takes it, so one that does no more. */
	if (egpu_soft_is_due(port) && egpu_job_is_idle(port))
		egpu_job_start(port, EGPU_JOB_SLOT);
}

/**
 * egpu_state_post_now() - something happened that is to be told at once
 * @port: the port, locked
 * @bit: what
 *
 * What the state work does, without waiting for a worker: it needs no more than
 * the port's lock.
 */
void egpu_state_post_now(struct egpu_port *port, enum egpu_bit bit)
{
	set_bit(bit, port->pending);
	egpu_state_run(port);
}

static void egpu_state_work(struct work_struct *work)
{
	struct egpu_port *port = container_of(work, struct egpu_port,
					      state_work);

	mutex_lock(&port->lock);
	egpu_state_run(port);
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
	/*
	 * What is done here the kernel would do in pciehp's real-time thread; and
	 * what udev does about an arrival must not delay the arrival.
	 */
	unsigned int flags = WQ_UNBOUND | WQ_FREEZABLE | WQ_HIGHPRI;

	egpu_stopping = false;
	egpu_state_wq = alloc_workqueue("egpu_state", flags, WQ_MAX_ACTIVE);
	egpu_job_wq = alloc_workqueue("egpu_job", flags, WQ_MAX_ACTIVE);
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
