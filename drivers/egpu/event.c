// SPDX-License-Identifier: GPL-2.0-only
/*
 * What happened to a port, told four times: at once to each reader's queue and
 * as tracepoint; and as one key=value line in the kernel log and as uevent of
 * /dev/egpu by a work item, in the same order. A serial console takes 10 ms for
 * a line, and neither jobs nor pciehp, who holds the rescan lock, wait for that.
 * After a quiet time the first is told there at once; what follows in a burst,
 * together, so that it does not take the processors from its readers.
 *
 * Events come from the state work, from jobs and from the bus notifier, always
 * with the port's lock held, so that one port's events are in order.
 */
#include <linux/export.h>
#include <linux/jiffies.h>
#include <linux/kobject.h>
#include <linux/mutex.h>
#include <linux/poll.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/timekeeping.h>
#include <linux/uaccess.h>
#include <linux/vmalloc.h>
#include <linux/wait.h>
#include <linux/workqueue.h>

#include "egpu.h"
#include "trace.h"

#define EGPU_QUEUE_LENGTH	256
#define EGPU_READ_BATCH		4
#define EGPU_UNTOLD_MAX		1024
#define EGPU_WAKE_AT_ONCE	8
#define EGPU_TELL_PAUSE_MS	20

/**
 * struct egpu_reader - the events of one open file
 * @node: in the list of readers, when subscribed
 * @wait: woken with each event
 * @reading: serializes read(), so that each record is given once
 * @privileged: was opened with CAP_SYS_ADMIN
 * @mask: types wanted
 * @port: port wanted, 0: all
 * @lock: protects @head, @count and what is in @queue
 * @head: next one to read
 * @count: how many are queued
 * @queue: a ring of EGPU_QUEUE_LENGTH, allocated at the first subscription;
 *	its last free place is kept for an overflow record
 *
 * @node, @mask, @port and the pointer @queue are protected by egpu_event_lock;
 * @queue is written once. @lock is taken inside of that or alone, so that
 * readers do not wait for each other while events are told to all of them.
 * @reading is taken before @lock, under no other lock.
 */
struct egpu_reader {
	struct list_head node;
	struct wait_queue_head wait;
	struct mutex reading;
	bool privileged;
	u64 mask;
	u32 port;
	spinlock_t lock;
	u32 head;
	u32 count;
	struct egpu_event *queue;
};

/**
 * struct egpu_telling - an event for the log, and for uevents
 * @node: in egpu_untold
 * @port: the port, with a reference
 * @event: the event
 */
struct egpu_telling {
	struct list_head node;
	struct egpu_port *port;
	struct egpu_event event;
};

static void egpu_readers_wake(struct work_struct *work);

/* Serializes sequence numbers, the list of readers, and what is not told yet. */
static DEFINE_SPINLOCK(egpu_event_lock);
static LIST_HEAD(egpu_untold);
static atomic_t egpu_untold_nr;		/* at most EGPU_UNTOLD_MAX, or so */
static atomic_t egpu_untold_lost;	/* beyond that */
static unsigned long egpu_told;		/* jiffies, when the log had all */
static struct workqueue_struct *egpu_tell_wq;
static LIST_HEAD(egpu_readers);
static u32 egpu_nr_readers;
/* Runs when there are so many that waking them is most of an event's time. */
static DECLARE_WORK(egpu_wake_work, egpu_readers_wake);
static u64 egpu_event_seq;

static const char * const state_names[EGPU_STATE_COUNT] = {
	[EGPU_STATE_UNTRACKED] = "UNTRACKED",
	[EGPU_STATE_EMPTY] = "EMPTY",
	[EGPU_STATE_TRAINING] = "TRAINING",
	[EGPU_STATE_HELD] = "HELD",
	[EGPU_STATE_BINDING] = "BINDING",
	[EGPU_STATE_READY] = "READY",
	[EGPU_STATE_DRAINING] = "DRAINING",
	[EGPU_STATE_DETACHING] = "DETACHING",
	[EGPU_STATE_DETACHED] = "DETACHED",
	[EGPU_STATE_LOST] = "LOST",
	[EGPU_STATE_QUARANTINED] = "QUARANTINED",
	[EGPU_STATE_FAULT] = "FAULT",
	[EGPU_STATE_GONE] = "GONE",
};

static const char * const reason_names[EGPU_REASON_COUNT] = {
	[EGPU_REASON_NONE] = "none",
	[EGPU_REASON_CHECKING] = "checking",
	[EGPU_REASON_MANUAL] = "manual",
	[EGPU_REASON_CHECK_FAILED] = "check-failed",
	[EGPU_REASON_NOT_REMOVED] = "not-removed",
	[EGPU_REASON_ADOPTED] = "adopted",
	[EGPU_REASON_OVERRIDE] = "override",
	[EGPU_REASON_BUSY] = "busy",
	[EGPU_REASON_CANCELLED] = "cancelled",
	[EGPU_REASON_DEADLINE] = "deadline",
	[EGPU_REASON_BOOT_DISPLAY] = "boot-display",
	[EGPU_REASON_LINK_DOWN] = "link-down",
	[EGPU_REASON_REMOVED] = "removed",
	[EGPU_REASON_DETACHED] = "detached",
	[EGPU_REASON_SLOT_FAILED] = "slot-failed",
	[EGPU_REASON_BIND_FAILED] = "bind-failed",
	[EGPU_REASON_RECOVERY_FAILED] = "recovery-failed",
	[EGPU_REASON_LOST_TOO_OFTEN] = "lost-too-often",
	[EGPU_REASON_CHILD] = "child",
	[EGPU_REASON_UNBOUND] = "unbound",
	[EGPU_REASON_LINK_SET] = "link-set",
	[EGPU_REASON_LINK_SPEED] = "link-speed",
	[EGPU_REASON_TUNNELLED] = "tunnelled",
	[EGPU_REASON_CXL] = "cxl",
	[EGPU_REASON_NOT_MANAGED] = "not-managed",
};

static const char * const step_names[EGPU_STEP_COUNT] = {
	[EGPU_STEP_NONE] = "none",
	[EGPU_STEP_SCAN] = "scan",
	[EGPU_STEP_CHECK] = "check",
	[EGPU_STEP_PROBE] = "probe",
	[EGPU_STEP_USERS] = "users",
	[EGPU_STEP_HOLD] = "hold",
	[EGPU_STEP_REMOVE] = "remove",
	[EGPU_STEP_CHILDREN] = "children",
	[EGPU_STEP_SLOT_OFF] = "slot-off",
	[EGPU_STEP_SLOT_ON] = "slot-on",
	[EGPU_STEP_PRESENCE] = "presence",
	[EGPU_STEP_LINK] = "link",
	[EGPU_STEP_LINK_RESET] = "link-reset",
	[EGPU_STEP_LINK_RESTORE] = "link-restore",
	[EGPU_STEP_MANAGE] = "manage",
	[EGPU_STEP_SPACE] = "space",
};

static const char * const event_names[EGPU_EVENT_COUNT] = {
	[EGPU_EVENT_OVERFLOW] = "overflow",
	[EGPU_EVENT_PORT_ADDED] = "port-added",
	[EGPU_EVENT_PORT_REMOVED] = "port-removed",
	[EGPU_EVENT_STATE] = "state",
	[EGPU_EVENT_FUNCTION_ADDED] = "function-added",
	[EGPU_EVENT_FUNCTION_REMOVED] = "function-removed",
	[EGPU_EVENT_BOUND] = "bound",
	[EGPU_EVENT_UNBOUND] = "unbound",
	[EGPU_EVENT_STEP] = "step",
	[EGPU_EVENT_USERS] = "users",
	[EGPU_EVENT_TRANSACTION] = "transaction",
	[EGPU_EVENT_CHECK] = "check",
	[EGPU_EVENT_ERROR] = "error",
	[EGPU_EVENT_CONFIG] = "config",
	[EGPU_EVENT_LINK] = "link",
};

static const char *egpu_name_at(const char * const *names, u32 count, u32 i)
{
	return i < count && names[i] ? names[i] : "?";
}

const char *egpu_state_name(u32 state)
{
	return egpu_name_at(state_names, EGPU_STATE_COUNT, state);
}

const char *egpu_reason_name(u32 reason)
{
	return egpu_name_at(reason_names, EGPU_REASON_COUNT, reason);
}

const char *egpu_step_name(u32 step)
{
	return egpu_name_at(step_names, EGPU_STEP_COUNT, step);
}

u32 egpu_event_queue_length(void)
{
	return EGPU_QUEUE_LENGTH;
}

struct egpu_reader *egpu_reader_create(bool privileged)
{
	struct egpu_reader *reader = kzalloc(sizeof(*reader), GFP_KERNEL);

	if (!reader)
		return NULL;
	INIT_LIST_HEAD(&reader->node);
	init_waitqueue_head(&reader->wait);
	mutex_init(&reader->reading);
	spin_lock_init(&reader->lock);
	reader->privileged = privileged;
	return reader;
}

void egpu_reader_free(struct egpu_reader *reader)
{
	bool last;

	spin_lock(&egpu_event_lock);
	if (!list_empty(&reader->node))
		egpu_nr_readers--;
	list_del_init(&reader->node);
	last = !egpu_nr_readers;
	spin_unlock(&egpu_event_lock);
	/* The module may go when nobody has it open any more. */
	if (last)
		cancel_work_sync(&egpu_wake_work);
	vfree(reader->queue);
	kfree(reader);
}

/**
 * egpu_reader_subscribe() - say which events a reader wants
 * @reader: the reader
 * @mask: bit N: events of type N
 * @port: only this port's, or 0 for all
 * @seq: out: number of the last event before
 *
 * Return: 0, or -ENOMEM.
 */
int egpu_reader_subscribe(struct egpu_reader *reader, u64 mask, u32 port,
			  u64 *seq)
{
	struct egpu_event *queue;

	/* Pages that need not be adjacent, and no more than it takes. */
	queue = __vmalloc(EGPU_QUEUE_LENGTH * sizeof(*queue),
			  GFP_KERNEL_ACCOUNT | __GFP_ZERO);
	if (!queue)
		return -ENOMEM;
	spin_lock(&egpu_event_lock);
	if (!reader->queue)
		swap(reader->queue, queue);
	reader->mask = mask;
	reader->port = port;
	if (list_empty(&reader->node)) {
		list_add_tail(&reader->node, &egpu_readers);
		egpu_nr_readers++;
	}
	*seq = egpu_event_seq;
	spin_unlock(&egpu_event_lock);
	vfree(queue);
	return 0;
}

struct wait_queue_head *egpu_reader_wait(struct egpu_reader *reader)
{
	return &reader->wait;
}

bool egpu_reader_has_events(struct egpu_reader *reader)
{
	return READ_ONCE(reader->count) != 0;
}

/* Of a full queue the last record changes still: it is never among these. */
static u32 egpu_reader_peek(struct egpu_reader *reader,
			    struct egpu_event *events, size_t room)
{
	u32 nr, i;

	spin_lock(&reader->lock);
	nr = min_t(size_t, reader->count, min_t(size_t, room, EGPU_READ_BATCH));
	for (i = 0; i < nr; i++)
		events[i] = reader->queue[(reader->head + i) %
					  EGPU_QUEUE_LENGTH];
	spin_unlock(&reader->lock);
	return nr;
}

static void egpu_reader_drop(struct egpu_reader *reader, u32 nr)
{
	spin_lock(&reader->lock);
	reader->head = (reader->head + nr) % EGPU_QUEUE_LENGTH;
	WRITE_ONCE(reader->count, reader->count - nr);
	spin_unlock(&reader->lock);
}

/* A record leaves the queue when it has been copied, not before. */
static ssize_t egpu_reader_copy(struct egpu_reader *reader, char __user *buf,
				size_t count)
{
	struct egpu_event events[EGPU_READ_BATCH];
	ssize_t done = 0;
	u32 nr;

	lockdep_assert_held(&reader->reading);
	while ((nr = egpu_reader_peek(reader, events, (count - done) /
				      sizeof(*events)))) {
		if (copy_to_user(buf + done, events, nr * sizeof(*events)))
			return done ?: -EFAULT;
		egpu_reader_drop(reader, nr);
		done += nr * sizeof(*events);
	}
	return done;
}

/**
 * egpu_reader_read() - hand out whole records
 * @reader: the reader
 * @buf: where to
 * @count: bytes of room
 * @nonblock: do not wait
 *
 * Return: bytes written, or
 *  * -EINVAL		not even one record fits
 *  * -EAGAIN		there is none, and @nonblock
 *  * -ERESTARTSYS	a signal came
 *  * -EFAULT		@buf is wrong; nothing is lost by that
 */
ssize_t egpu_reader_read(struct egpu_reader *reader, char __user *buf,
			 size_t count, bool nonblock)
{
	ssize_t done;
	int ret;

	if (count < sizeof(struct egpu_event))
		return -EINVAL;
	for (;;) {
		if (mutex_lock_interruptible(&reader->reading))
			return -ERESTARTSYS;
		done = egpu_reader_copy(reader, buf, count);
		mutex_unlock(&reader->reading);
		if (done)
			return done;
		if (nonblock)
			return -EAGAIN;
		ret = wait_event_interruptible(reader->wait,
					       egpu_reader_has_events(reader));
		if (ret)
			return ret;
	}
}

/* The last place of a full queue says how many did not fit. */
static void egpu_reader_queue(struct egpu_reader *reader,
			      const struct egpu_event *event)
{
	u32 last = (reader->head + reader->count - 1) % EGPU_QUEUE_LENGTH;
	u32 next = (reader->head + reader->count) % EGPU_QUEUE_LENGTH;
	struct egpu_event *place = &reader->queue[next];

	if (reader->count == EGPU_QUEUE_LENGTH) {
		reader->queue[last].value++;
		reader->queue[last].seq = event->seq;
		return;
	}
	*place = *event;
	if (reader->count == EGPU_QUEUE_LENGTH - 1) {
		memset(place, 0, sizeof(*place));
		place->size = sizeof(*place);
		place->type = EGPU_EVENT_OVERFLOW;
		place->seq = event->seq;
		place->time_ns = event->time_ns;
		place->value = 1;
	}
	WRITE_ONCE(reader->count, reader->count + 1);
}

static void egpu_reader_push(struct egpu_reader *reader,
			     const struct egpu_event *event)
{
	spin_lock(&reader->lock);
	egpu_reader_queue(reader, event);
	spin_unlock(&reader->lock);
}

static void egpu_reader_wake(struct egpu_reader *reader)
{
	wake_up_interruptible_poll(&reader->wait, EPOLLIN | EPOLLRDNORM);
}

static void egpu_readers_wake(struct work_struct *work)
{
	struct egpu_reader *reader;

	spin_lock(&egpu_event_lock);
	list_for_each_entry(reader, &egpu_readers, node)
		if (egpu_reader_has_events(reader))
			egpu_reader_wake(reader);
	spin_unlock(&egpu_event_lock);
}

static bool egpu_reader_wants(const struct egpu_reader *reader,
			      const struct egpu_event *event)
{
	if (!(reader->mask & BIT_ULL(event->type)))
		return false;
	if (event->type == EGPU_EVENT_USERS && !reader->privileged)
		return false;
	return !reader->port || reader->port == event->port;
}

/*
 * Who tells an event holds a port's lock: many readers do not make it wait.
 * @telling gets the event, too; it may be NULL.
 */
static void egpu_event_queue(struct egpu_event *event,
			     struct egpu_telling *telling)
{
	struct egpu_reader *reader;
	bool many;

	spin_lock(&egpu_event_lock);
	many = egpu_nr_readers > EGPU_WAKE_AT_ONCE;
	event->seq = ++egpu_event_seq;
	event->time_ns = ktime_get_ns();
	list_for_each_entry(reader, &egpu_readers, node) {
		if (!egpu_reader_wants(reader, event))
			continue;
		egpu_reader_push(reader, event);
		if (!many)
			egpu_reader_wake(reader);
	}
	if (many)
		queue_work(system_dfl_wq, &egpu_wake_work);
	if (telling) {
		telling->event = *event;
		list_add_tail(&telling->node, &egpu_untold);
	}
	spin_unlock(&egpu_event_lock);
}

void egpu_event_prepare(struct egpu_event *event, struct egpu_port *port,
			enum egpu_event_type type)
{
	memset(event, 0, sizeof(*event));
	event->size = sizeof(*event);
	event->type = type;
	event->port = port->id;
	event->generation = port->generation;
	event->transaction = port->txn.id;
	event->domain = port->domain;
	event->bus = port->pdev->bus->number;
	event->devfn = port->pdev->devfn;
}

/* What the words @from and @to mean depends on the type. */
static void egpu_event_words(const struct egpu_event *event, char *buf,
			     size_t size)
{
	*buf = '\0';
	switch (event->type) {
	case EGPU_EVENT_STATE:
		snprintf(buf, size, " from=%s to=%s reason=%s",
			 egpu_state_name(event->from),
			 egpu_state_name(event->to),
			 egpu_reason_name(event->reason));
		break;
	case EGPU_EVENT_STEP:
		snprintf(buf, size, " step=%s", egpu_step_name(event->to));
		break;
	case EGPU_EVENT_TRANSACTION:
		snprintf(buf, size, " kind=%u error=%u reason=%s", event->from,
			 event->error, egpu_reason_name(event->reason));
		break;
	case EGPU_EVENT_ERROR:
		snprintf(buf, size, " error_state=%u", event->to);
		break;
	case EGPU_EVENT_CHECK:
		snprintf(buf, size, " check=%u", event->value);
		break;
	}
}

static void egpu_event_log(struct egpu_port *port,
			   const struct egpu_event *event)
{
	char words[96];

	egpu_event_words(event, words, sizeof(words));
	dev_info(&port->pdev->dev,
		 "egpu: port=%u gen=%llu seq=%llu event=%s%s fn=%04x:%02x:%02x.%d transaction=%u%s%s\n",
		 port->id, event->generation, event->seq,
		 egpu_name_at(event_names, EGPU_EVENT_COUNT, event->type),
		 words, event->domain, event->bus, PCI_SLOT(event->devfn),
		 PCI_FUNC(event->devfn), event->transaction,
		 event->name[0] ? " driver=" : "", event->name);
}

static void egpu_event_uevent(const struct egpu_event *event)
{
	char port[24], type[40], from[40], to[40], reason[40], error[32];
	char *envp[] = { port, type, from, to, reason, error, NULL };
	struct kobject *kobj = egpu_cdev_kobj();

	if (!kobj || (event->type != EGPU_EVENT_STATE &&
		      event->type != EGPU_EVENT_TRANSACTION &&
		      event->type != EGPU_EVENT_PORT_ADDED &&
		      event->type != EGPU_EVENT_PORT_REMOVED))
		return;
	snprintf(port, sizeof(port), "EGPU_PORT=%u", event->port);
	snprintf(type, sizeof(type), "EGPU_EVENT=%s",
		 egpu_name_at(event_names, EGPU_EVENT_COUNT, event->type));
	snprintf(from, sizeof(from), "EGPU_FROM=%s",
		 event->type == EGPU_EVENT_STATE ?
		 egpu_state_name(event->from) : "");
	snprintf(to, sizeof(to), "EGPU_TO=%s",
		 event->type == EGPU_EVENT_STATE ?
		 egpu_state_name(event->to) : "");
	snprintf(reason, sizeof(reason), "EGPU_REASON=%s",
		 egpu_reason_name(event->reason));
	snprintf(error, sizeof(error), "EGPU_ERROR=%u", event->error);
	kobject_uevent_env(kobj, KOBJ_CHANGE, envp);
}

static void egpu_event_tell(struct egpu_port *port,
			    const struct egpu_event *event)
{
	egpu_event_log(port, event);
	egpu_event_uevent(event);
}

static struct egpu_telling *egpu_untold_next(void)
{
	struct egpu_telling *telling;

	guard(spinlock)(&egpu_event_lock);
	telling = list_first_entry_or_null(&egpu_untold, struct egpu_telling,
					   node);
	if (telling)
		list_del(&telling->node);
	return telling;
}

static void egpu_tell_work(struct work_struct *work)
{
	struct egpu_telling *telling;
	int lost;

	while ((telling = egpu_untold_next())) {
		egpu_event_tell(telling->port, &telling->event);
		egpu_port_put(telling->port);
		kfree(telling);
		atomic_dec(&egpu_untold_nr);
	}
	lost = atomic_xchg(&egpu_untold_lost, 0);
	if (lost)
		pr_warn("egpu: %d events are not in this log\n", lost);
	WRITE_ONCE(egpu_told, jiffies);
}

static DECLARE_DELAYED_WORK(egpu_tell, egpu_tell_work);

static void egpu_tell_soon(void)
{
	unsigned long pause = msecs_to_jiffies(EGPU_TELL_PAUSE_MS);
	unsigned long since = jiffies - READ_ONCE(egpu_told);

	queue_delayed_work(egpu_tell_wq, &egpu_tell,
			   since < pause ? pause - since : 0);
}

/**
 * egpu_event_send() - tell everybody
 * @port: the port, locked
 * @event: filled in by the caller, but for number and time
 */
void egpu_event_send(struct egpu_port *port, struct egpu_event *event)
{
	bool told = event->type != EGPU_EVENT_USERS &&
		    event->type != EGPU_EVENT_STEP;
	struct egpu_telling *telling;

	lockdep_assert_held(&port->lock);
	if (told && atomic_read(&egpu_untold_nr) >= EGPU_UNTOLD_MAX) {
		atomic_inc(&egpu_untold_lost);
		told = false;
	}
	telling = told ? kmalloc(sizeof(*telling), GFP_KERNEL) : NULL;
	if (telling) {
		egpu_port_get(port);
		telling->port = port;
		atomic_inc(&egpu_untold_nr);
	}
	egpu_event_queue(event, telling);
	trace_egpu_event(event);
	if (telling)
		egpu_tell_soon();
	else if (told)
		egpu_event_tell(port, event);
}

void egpu_event_state(struct egpu_port *port, u32 from, u32 to)
{
	struct egpu_event event;

	egpu_event_prepare(&event, port, EGPU_EVENT_STATE);
	event.from = from;
	event.to = to;
	event.reason = port->reason;
	event.error = port->step_error;
	egpu_event_send(port, &event);
}

void egpu_event_function(struct egpu_port *port, enum egpu_event_type type,
			 struct pci_dev *pdev, const char *name)
{
	struct egpu_event event;

	egpu_event_prepare(&event, port, type);
	event.domain = port->domain;
	event.bus = pdev->bus->number;
	event.devfn = pdev->devfn;
	strscpy(event.name, name ?: "", sizeof(event.name));
	egpu_event_send(port, &event);
}

int egpu_event_init(void)
{
	/* Readers come before the log. */
	egpu_tell_wq = alloc_ordered_workqueue("egpu_tell", 0);
	return egpu_tell_wq ? 0 : -ENOMEM;
}

/* All is told when it returns; nothing happens any more. */
void egpu_event_exit(void)
{
	flush_delayed_work(&egpu_tell);
	destroy_workqueue(egpu_tell_wq);
}
