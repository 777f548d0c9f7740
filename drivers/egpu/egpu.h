/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the parts of egpu.ko share: the objects, their locks, who calls whom.
 *
 * Data flows one way: bus.c and cdev.c set bits, state.c decides, attach.c and
 * detach.c work as jobs through slot.c and users.c, event.c tells.
 */
#ifndef EGPU_H
#define EGPU_H

#include <linux/atomic.h>
#include <linux/cleanup.h>
#include <linux/kref.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/pci.h>
#include <linux/sched.h>
#include <linux/types.h>
#include <linux/workqueue.h>
#include <linux/egpu.h>
#include "egpu_compat.h"
#include "state_bits.h"

#define EGPU_NAME "egpu"
#define EGPU_DRM_NAME "egpu-dma"	/* managed functions' pci_driver */
#define EGPU_VERSION "0.1.0"

/**
 * DOC: Lock order
 *
 * egpu_ports_lock -> egpu_port.lock -> the event lock -> a reader's (event.c).
 * egpu_port.link_lock is held over reads of registers, alone.
 *
 * They nest inside the kernel's rescan lock or a device_lock, whichever the
 * caller holds; the notifier is called with either. None of them is held over
 * a call that can take the rescan lock or a device_lock, so:
 *
 *  - ioctls, notifiers (but one that sees a loss does the state work, too) and
 *    the state work only set bits, and read and write memory;
 *  - the job work holds none of them while it runs a step;
 *  - two port locks are never held at once. A cable port's job takes those of
 *    its children one after the other.
 *
 * pci_rescan_remove_lock is never taken while a device_lock is held, nor, by
 * choice, the reverse: where room is made for BARs, device_locks are tried.
 */

#define EGPU_DRAIN_LOOK_MS	200	/* between two looks for users */
#define EGPU_PRESENCE_MS	250	/* between two reads of presence */
#define EGPU_CHILDREN_MS	50	/* between two looks at the ports below */
#define EGPU_WATCH_MS		1000	/* between two looks at error states */
#define EGPU_READABLE_MS	2000	/* id readable so long: reset is over */
#define EGPU_FROZEN_MAX_MS	70000	/* no recovery takes longer */
#define EGPU_LINK_MS		250	/* between two reads of link registers */
#define EGPU_LINKS_MAX		8	/* on the way from the root */
#define EGPU_TRAIN_MS		1000	/* a training takes no longer */
#define EGPU_REMOVAL_MS		5000	/* pciehp's time for a link that went */
#define EGPU_BLOCKED_MS		1000	/* waiting so long is told */
#define EGPU_TRYLOCK_MS		10	/* between two tries of a lock */
#define EGPU_RESET_MS		1000	/* a device answers so long after a reset */
#define EGPU_RETRY_MS		60000	/* ... asks to be asked again so long */
#define EGPU_MEND_SHIFT_MAX	3U	/* 8 s between two tries at most */

/* The number under which a slot of a port is registered: pciehp's and ours. */
#ifdef PCI_SLOT_ALL_DEVICES
#define EGPU_SLOT_NR PCI_SLOT_ALL_DEVICES
#else
#define EGPU_SLOT_NR 0
#endif

/**
 * enum egpu_job - the blocking work of a port, one at a time
 * @EGPU_JOB_NONE: none
 * @EGPU_JOB_SCAN: walk what is below, hold what is unbound
 * @EGPU_JOB_CHECK: check what is held, decide on admission
 * @EGPU_JOB_RELEASE: clear the holds, bind
 * @EGPU_JOB_USERS: look for users
 * @EGPU_JOB_UNBIND: hold, look for users again, let the ports below do the
 *	same, unbind, slot off
 * @EGPU_JOB_ENABLE: slot on, or rescan
 * @EGPU_JOB_PRESENCE: read presence
 * @EGPU_JOB_LINK: operate the link
 * @EGPU_JOB_MANAGE: give a function to egpu, or back
 * @EGPU_JOB_TARGET: Target Link Speed as it was before
 * @EGPU_JOB_CLEAR: remove what vanished from a soft slot
 * @EGPU_JOB_RECOVERY: after an error: is the device usable? And after sleep: is
 *	it the same?
 * @EGPU_JOB_SLOT: take a soft slot, as each job but TARGET does first
 */
enum egpu_job {
	EGPU_JOB_NONE = 0,
	EGPU_JOB_SCAN,
	EGPU_JOB_CHECK,
	EGPU_JOB_RELEASE,
	EGPU_JOB_USERS,
	EGPU_JOB_UNBIND,
	EGPU_JOB_ENABLE,
	EGPU_JOB_PRESENCE,
	EGPU_JOB_LINK,
	EGPU_JOB_MANAGE,
	EGPU_JOB_TARGET,
	EGPU_JOB_CLEAR,
	EGPU_JOB_RECOVERY,
	EGPU_JOB_SLOT,
};

/**
 * struct egpu_fn - a PCI function below a tracked port
 * @node: in egpu_port.functions, in order of arrival
 * @pdev: the device, with a reference, until DEL_DEVICE
 * @generation: number of its arrival
 * @gated: display, accelerator, or their sibling
 * @hold: our override was set, and not released yet
 * @held: our pci_driver is bound to it
 * @new_hold: the hold was set by the detach that runs; undone with it
 * @rebind: unbound by a detach, though not gated; bound again with the rest
 * @override: a user's override claimed it; never touched
 * @manage_bits: it is egpu's own, with so many bits of address for DMA; else 0
 * @adopted: was bound when egpu came
 * @probe_failed: a driver tried to bind and did not: deferred, or failed
 * @found: was there when the port was scanned: not hot-plugged before our eyes
 * @error_state: pdev->error_state as seen last
 * @frozen_since: ns, when it was first seen frozen, else 0
 * @readable_since: ns, since when its id is readable after that, else 0
 * @busy_since: ns, when the driver core entered probe() or remove(), else 0
 * @removing: what @busy_since is: remove(), else probe()
 * @serial: Device Serial Number when it arrived; 0: it has none
 * @serial_known: it was awake then, so that @serial could be read
 * @slept_ns: the machine sleeps, or slept, since it was seen last; else 0
 * @bar_size: of its memory BARs when it arrived: the kernel forgets a BAR for
 *	which it finds no space
 * @bar_flags: theirs then, IORESOURCE_*
 * @driver: name of the driver bound, or busy
 * @bound: @driver is bound, and is not ours
 *
 * Everything is protected by egpu_port.lock.
 */
struct egpu_fn {
	struct list_head node;
	struct pci_dev *pdev;
	u64 generation;
	bool gated;
	bool hold;
	bool new_hold;
	bool held;
	bool rebind;
	bool override;
	u32 manage_bits;
	bool adopted;
	bool found;
	bool probe_failed;
	bool bound;
	bool removing;
	pci_channel_state_t error_state;
	u64 frozen_since;
	u64 readable_since;
	u64 busy_since;
	u64 serial;
	bool serial_known;
	u64 slept_ns;
	resource_size_t bar_size[PCI_STD_NUM_BARS];
	unsigned long bar_flags[PCI_STD_NUM_BARS];
	char driver[EGPU_NAME_LEN];
};

/**
 * struct egpu_accept - users that a detach may ignore
 * @kref: shared by a cable port and its children
 * @nr: entries
 * @who: pid in the initial pid namespace, and start time in ns
 */
struct egpu_accept {
	struct kref kref;
	u32 nr;
	struct {
		pid_t pid;
		u64 start_time;
	} who[] __counted_by(nr);
};

/**
 * struct egpu_limit - how fast a port's link may be
 * @speed: in tenths of GT/s; 0: no limit
 * @vendor: of the device that it is for; 0: for all
 * @device: its id
 */
struct egpu_limit {
	u32 speed;
	u16 vendor;
	u16 device;
};

/**
 * struct egpu_trained - what the gate's training of a device's link showed
 * @vendor: of the device; 0: none was trained yet
 * @device: its id
 * @serial: its Device Serial Number, or 0
 * @width: most lanes that came up, when they are fewer than both ends have: so
 *	many are wired; else 0
 * @slow: a training did not make it faster, or cost the device: no more of them
 */
struct egpu_trained {
	u16 vendor;
	u16 device;
	u64 serial;
	u32 width;
	bool slow;
};

/**
 * struct egpu_transaction - what a user asked for, until its end is told
 * @id: never used again, 0: none runs
 * @kind: EGPU_TRANSACTION_*
 * @force: unbind in spite of users
 * @deadline_ns: CLOCK_MONOTONIC, 0: none
 * @wait_ms: as asked
 * @accept: users to ignore, may be NULL
 * @parent: id of the cable port's transaction, 0: none
 * @seen_users: number that was told last
 * @children: the ports below were asked to detach
 * @hold: a detach that ends in HELD
 * @ready: LINK: the port was READY when it began
 * @empty: LINK: it was EMPTY, or DETACHED
 * @link_flags: LINK: EGPU_LINK_SET_*
 * @limit: LINK: the speed asked for, and for whom
 * @function: MANAGE: which, with a reference
 * @dma_bits: MANAGE: address width of its DMA; 0: back to its own driver
 * @begun: MANAGE: its job runs, which alone ends it
 */
struct egpu_transaction {
	u32 id;
	u32 kind;
	bool force;
	u64 deadline_ns;
	u32 wait_ms;
	struct egpu_accept *accept;
	u32 parent;
	u32 seen_users;
	bool children;
	bool hold;
	bool ready;
	bool empty;
	u32 link_flags;
	struct egpu_limit limit;
	struct pci_dev *function;
	u32 dma_bits;
	bool begun;
};

/**
 * struct egpu_port - a PCIe downstream port below which an eGPU can appear
 * @ref: held by the port list, queued work, and whoever looks
 * @node: in the port list; egpu_ports_lock
 * @id: never used again
 * @pdev: the port, with a reference for the object's whole life
 * @topology: EGPU_PORT_* that the hardware says; constant
 * @dpc_cap: offset of the DPC capability, or 0; constant
 * @domain: PCI domain, constant; kept since a bus can outlive its host bridge
 * @link_lock: protects @links and what follows until @lock; its own, so that
 *	nobody else waits for registers
 * @links: the way from the root, as read last
 * @nr_links: how many; 0: never read
 * @links_end: what was at its end; only compared
 * @links_generation: number of its arrival
 * @links_ns: when
 * @ends_ns: when the end was read, too
 * @best_ns: when the port's link was seen as fast as @best_speed last
 * @best_speed: the fastest it was seen at since the GPU came
 * @best_width: likewise
 * @lock: protects all that follows but @pending, the work items and @cancel
 * @state: enum egpu_state, changed by state.c alone
 * @reason: why
 * @since_ns: when it changed
 * @tracked: egpu looks after it
 * @by_topology: it was tracked without being asked to
 * @scanned: what was there when it became tracked is recorded
 * @tracks: how often it did
 * @replaced: another device came while the machine slept; nothing arrived since
 * @mend_tries: how often it was to be mended because of that
 * @backend: who has the slot, as seen at the last job
 * @policy: enum egpu_policy
 * @generation: number of the last arrival
 * @functions: list of struct egpu_fn
 * @nr_gated: how many of them are gated
 * @awake: the port's device is kept awake; follows from @nr_gated and @state
 * @window_size: of the port's memory and prefetchable memory windows when the
 *	first of them came; 0: it was closed
 * @admit: ATTACH admitted what is held, or will come
 * @came_back: arrived after a detach, without having been seen to go
 * @parked: unbound, waits for the cable port
 * @kept: unbound by a detach that holds, waits for ATTACH
 * @linking: the link is being trained
 * @dropped: it went down by that
 * @soft_wanted: its slot is to be egpu's own
 * @soft: that slot, while it is registered
 * @soft_memory: that slot, from the first time on
 * @removed: its pci_dev is being deleted
 * @watch_ms: time between two looks at the link of a soft slot
 * @no_retrain: arrivals are not retrained
 * @limit: how fast the link may be
 * @target_found: Target Link Speed before egpu changed it, tenths of GT/s
 * @target_set: what egpu changed it to; 0: it did not
 * @trained: what training showed last
 * @no_return: the point of no return is passed
 * @failed_checks: of the last check
 * @ignored_checks: of the last ATTACH
 * @nr_users: as last looked at, -1: never
 * @txn: the transaction that runs
 * @ended_id: the one that ended last ...
 * @ended_error: ... and how
 * @step: step of the job that runs
 * @step_since_ns: since when
 * @step_error: errno of the step that failed last
 * @absent: presence reads in a row that said absent
 * @secondary: bus number below, as seen at the last job
 * @quarantine_losses: so many losses ...
 * @quarantine_window_ms: ... in so long a time begin the quarantine; 0: never
 * @loss_ns: when the last losses were
 * @loss_next: where the next one goes
 * @counters: for PORT_INFO
 * @slot_name: below /sys/bus/pci/slots
 * @job_want: the job to run next
 * @job_seq: number of the job wanted last; results of older ones are dropped
 * @job_running: number of the job that runs, or ran last
 * @job_active: it runs
 * @job_pinned: the job work holds a reference to the module
 * @job_error: errno of the last result
 * @job_reason: its reason
 * @pending: bits of enum egpu_bit; atomic
 * @cancel: the job should turn back; atomic
 * @state_work: consumes @pending
 * @job_work: runs @job_want
 * @tick: timer of the states that wait
 * @watch: deferrable timer of READY
 */
struct egpu_port {
	struct kref ref;
	struct list_head node;
	u32 id;
	struct pci_dev *pdev;
	u32 topology;
	u16 dpc_cap;
	u32 domain;

	struct mutex link_lock;
	struct egpu_hop links[EGPU_LINKS_MAX];
	u32 nr_links;
	const void *links_end;
	u64 links_generation;
	u64 links_ns;
	u64 ends_ns;
	u64 best_ns;
	u32 best_speed;
	u32 best_width;

	struct mutex lock;
	enum egpu_state state;
	enum egpu_reason reason;
	u64 since_ns;
	bool tracked;
	bool by_topology;
	bool scanned;
	u32 tracks;
	bool replaced;
	u32 mend_tries;
	bool admit;
	bool came_back;
	bool parked;
	bool kept;
	bool linking;
	bool dropped;
	bool soft_wanted;
	struct egpu_soft *soft;
	struct egpu_soft *soft_memory;
	bool removed;
	u32 watch_ms;
	bool no_retrain;
	bool no_return;
	bool job_pinned;
	struct egpu_limit limit;
	u32 target_found;
	u32 target_set;
	struct egpu_trained trained;
	enum egpu_backend backend;
	enum egpu_policy policy;
	u64 generation;
	struct list_head functions;
	u32 nr_gated;
	bool awake;
	resource_size_t window_size[2];
	u32 failed_checks;
	u32 ignored_checks;
	int nr_users;
	struct egpu_transaction txn;
	u32 ended_id;
	int ended_error;
	enum egpu_step step;
	u64 step_since_ns;
	u32 step_error;
	u32 absent;
	u8 secondary;
	u32 quarantine_losses;
	u32 quarantine_window_ms;
	u64 loss_ns[EGPU_QUARANTINE_LOSSES_MAX];
	u32 loss_next;
	struct egpu_counters counters;
	char slot_name[EGPU_NAME_LEN];
	enum egpu_job job_want;
	u32 job_seq;
	u32 job_running;
	bool job_active;
	int job_error;
	enum egpu_reason job_reason;

	DECLARE_BITMAP(pending, EGPU_BIT_COUNT);
	atomic_t cancel;
	struct work_struct state_work;
	struct work_struct job_work;
	struct delayed_work tick;
	struct delayed_work watch;
};

/* main.c */
extern bool egpu_gate;
extern enum egpu_policy egpu_default_policy;
extern bool egpu_retrain;
extern bool egpu_make_room;
extern bool egpu_unsafe_dma;
extern unsigned int egpu_watch_ms;
bool egpu_track_wanted(struct pci_dev *pdev);
bool egpu_soft_wanted(struct pci_dev *pdev);

/* port.c */
extern struct mutex egpu_ports_lock;
int egpu_port_init(void);
void egpu_port_exit(void);
void egpu_port_discover(void);
struct egpu_port *egpu_port_create(struct pci_dev *pdev);
void egpu_port_gone(struct pci_dev *pdev);
struct egpu_port *egpu_port_get_by_id(u32 id);
struct egpu_port *egpu_port_get_by_pdev(struct pci_dev *pdev);
struct egpu_port *egpu_port_for(struct pci_dev *pdev);
struct egpu_port *egpu_port_next(u32 after);
struct egpu_port *egpu_port_next_below(struct egpu_port *port, u32 after);
bool egpu_port_is_below(const struct egpu_port *child,
			const struct egpu_port *port);
bool egpu_port_has_children(struct egpu_port *port);
bool egpu_port_is_occupied(struct egpu_port *port);
bool egpu_port_is_bound(struct egpu_port *port);
bool egpu_port_can_be_soft(const struct egpu_port *port);
long egpu_may_begin(struct egpu_port *port);
u32 egpu_port_cable_id(struct egpu_port *port);
u32 egpu_port_count(void);
u32 egpu_port_last_id(void);
void egpu_port_power(struct egpu_port *port);
void egpu_port_get(struct egpu_port *port);
void egpu_port_put(struct egpu_port *port);
DEFINE_FREE(egpu_port, struct egpu_port *, if (_T) egpu_port_put(_T))

struct egpu_fn *egpu_fn_find(struct egpu_port *port, struct pci_dev *pdev);
struct egpu_fn *egpu_fn_add(struct egpu_port *port, struct pci_dev *pdev);
void egpu_fn_del(struct egpu_port *port, struct egpu_fn *fn);
void egpu_fn_forget_all(struct egpu_port *port);
bool egpu_fn_is_gpu(struct pci_dev *pdev);

/**
 * struct egpu_pdevs - a snapshot of the functions below a port
 * @nr: entries of @pdev, each with a reference
 * @pdev: in order of arrival
 */
struct egpu_pdevs {
	u32 nr;
	struct pci_dev *pdev[] __counted_by(nr);
};

struct egpu_pdevs *egpu_fn_snapshot(struct egpu_port *port,
				    bool (*wanted)(struct egpu_fn *fn));
void egpu_pdevs_free(struct egpu_pdevs *pdevs);
DEFINE_FREE(egpu_pdevs, struct egpu_pdevs *,
	    if (!IS_ERR_OR_NULL(_T)) egpu_pdevs_free(_T))

/* bus.c */
int egpu_bus_init(void);
void egpu_bus_quiesce(void);
void egpu_bus_exit(void);
bool egpu_bus_is_ours(struct device_driver *drv);
bool egpu_fn_hold(struct egpu_port *port, struct pci_dev *pdev);
struct egpu_port *egpu_bus_lock(struct pci_dev *pdev, struct egpu_fn **fn);
void egpu_bus_unlock(struct egpu_port *port);
u32 egpu_bus_arrivals(void);
bool egpu_fn_is_absent(struct egpu_port *port, struct pci_dev *pdev);

/* state.c */
int egpu_state_init(void);
void egpu_state_exit(void);
void egpu_state_quiesce(struct egpu_port *port);
void egpu_state_setup(struct egpu_port *port);
void egpu_state_post(struct egpu_port *port, enum egpu_bit bit);
void egpu_state_post_now(struct egpu_port *port, enum egpu_bit bit);
void egpu_state_kick(struct egpu_port *port);
bool egpu_state_is_stopping(void);
void egpu_job_queue(struct egpu_port *port);
void egpu_timer_set(struct egpu_port *port, struct delayed_work *timer,
		    unsigned int ms);
void egpu_timer_stop(struct egpu_port *port, struct delayed_work *timer);

/* action.c */
void egpu_act(struct egpu_port *port, enum egpu_action act);

/* job.c */
void egpu_step_set(struct egpu_port *port, enum egpu_step step);
void egpu_job_start(struct egpu_port *port, enum egpu_job job);
void egpu_job_drop(struct egpu_port *port);
void egpu_job_work(struct work_struct *work);
void egpu_no_return_set(struct egpu_port *port, bool set);
bool egpu_job_commit(struct egpu_port *port);
bool egpu_job_is_current(struct egpu_port *port);
bool egpu_job_is_idle(struct egpu_port *port);
void egpu_job_again(struct egpu_port *port, unsigned int ms);
void egpu_job_result(struct egpu_port *port, int error,
		     enum egpu_reason reason);
u32 egpu_transaction_begin(struct egpu_port *port, u32 kind);
void egpu_transaction_end(struct egpu_port *port, int error,
			  enum egpu_reason reason);
void egpu_accept_put(struct egpu_accept *accept);
bool egpu_state_is_busy(void);
void egpu_state_stop(void);

/* attach.c, detach.c: a job each; they return the bit that tells the result */
void egpu_scan(struct egpu_port *port);
enum egpu_bit egpu_job_scan(struct egpu_port *port);
enum egpu_bit egpu_job_check(struct egpu_port *port);
enum egpu_bit egpu_job_release(struct egpu_port *port);
enum egpu_bit egpu_job_enable(struct egpu_port *port);
enum egpu_bit egpu_job_recovery(struct egpu_port *port);
enum egpu_bit egpu_job_users(struct egpu_port *port);
enum egpu_bit egpu_job_unbind(struct egpu_port *port);
enum egpu_bit egpu_job_presence(struct egpu_port *port);
enum egpu_bit egpu_job_clear(struct egpu_port *port);
bool egpu_config_is_sane(struct pci_dev *pdev);
bool egpu_bars_match(struct egpu_fn *fn);
u64 egpu_bar_read(struct pci_dev *pdev, int i, bool is_64bit);
bool egpu_fn_is_held(struct egpu_fn *fn);
void egpu_fn_release(struct egpu_port *port, struct pci_dev *pdev, bool attach);
bool egpu_boot_display_below(struct egpu_port *port);
int egpu_detach_precheck(struct egpu_port *port,
			 const struct egpu_accept *accept, bool force);

/* slot.c */
enum egpu_slot_op {
	EGPU_SLOT_ON,
	EGPU_SLOT_OFF,
	EGPU_SLOT_RESET,
};

struct device *egpu_service_get(struct pci_dev *port);
bool egpu_service_lock(struct device *service);
int egpu_slot_op(struct pci_bus *bus, enum egpu_slot_op op);
enum egpu_backend egpu_slot_backend(struct egpu_port *port);
void egpu_slot_look(struct egpu_port *port);
bool egpu_slot_is_occupied(struct egpu_port *port);
int egpu_slot_off(struct egpu_port *port);
int egpu_slot_on(struct egpu_port *port);
void egpu_slot_rescan(struct egpu_port *port);
int egpu_slot_remove_lost(struct egpu_port *port);
int egpu_slot_presence(struct egpu_port *port);
bool egpu_slot_dpc_triggered(struct egpu_port *port);
struct egpu_nested;
struct egpu_nested *egpu_slot_quiet_nested(struct egpu_port *port, bool lost);
void egpu_slot_wake_nested(struct egpu_nested *nested);
void egpu_slot_free_nested(struct egpu_nested *nested);

/* softslot.c, softlink.c, softwatch.c */
struct egpu_soft;
int egpu_soft_init(void);
void egpu_soft_exit(void);
bool egpu_soft_is_due(struct egpu_port *port);
void egpu_soft_begin(struct egpu_port *port);
void egpu_soft_forget(struct egpu_port *port);
void egpu_soft_gone(struct egpu_port *port);
void egpu_soft_release(struct egpu_port *port);
void egpu_soft_free(struct egpu_port *port);
void egpu_soft_wake(struct egpu_port *port);
void egpu_soft_hurry(struct egpu_port *port);
void egpu_soft_emptied(struct egpu_port *port);
void egpu_soft_woke(struct egpu_port *port);
void egpu_soft_off(struct egpu_port *port);
int egpu_soft_on(struct egpu_port *port);
void egpu_soft_listen(struct egpu_port *port);
int egpu_soft_presence(struct egpu_port *port);

/* reset.c */
struct egpu_pdevs *egpu_slot_below(struct egpu_port *port);
int egpu_slot_reset(struct egpu_port *port);

/* sleep.c */
/**
 * enum egpu_identity - is it the device that arrived?
 * @EGPU_SAME: it is, or the machine did not sleep since
 * @EGPU_UNSEEN: it sleeps, or does not answer
 * @EGPU_OTHER: no
 */
enum egpu_identity {
	EGPU_SAME = 0,
	EGPU_UNSEEN,
	EGPU_OTHER,
};

bool egpu_is_awake(struct pci_dev *pdev);
void egpu_sleep_note(struct egpu_fn *fn);
void egpu_sleep_begin(void);
void egpu_sleep_end(void);
bool egpu_sleep_asks(struct egpu_port *port);
bool egpu_is_sleeping(void);
enum egpu_identity egpu_sleep_review(struct egpu_port *port);
enum egpu_identity egpu_sleep_review_one(struct egpu_port *port,
					 struct pci_dev *pdev);
enum egpu_bit egpu_sleep_look(struct egpu_port *port);

/* space.c, windows.c */
int egpu_space_fit(struct egpu_port *port);

/* link.c */
/**
 * struct egpu_best - the best that a port's link was seen at
 * @ns: when, last
 * @speed: tenths of GT/s
 * @width: lanes
 */
struct egpu_best {
	u64 ns;
	u32 speed;
	u32 width;
};

u32 egpu_links_get(struct egpu_port *port, bool ends, struct egpu_hop *links,
		   struct egpu_best *best);
struct pci_dev *egpu_link_get(struct egpu_port *port, struct egpu_hop *link);
void egpu_links_forget(struct egpu_port *port);
u32 egpu_link_wired(struct egpu_port *port);

/* linkset.c */
enum egpu_bit egpu_job_link(struct egpu_port *port);
void egpu_train_release(struct egpu_port *port);
bool egpu_train_arrival(struct egpu_port *port);

/* manage.c */
enum egpu_bit egpu_job_manage(struct egpu_port *port);
u32 egpu_manage_wanted(struct pci_dev *pdev);
bool egpu_manages_any(struct egpu_port *port);
bool egpu_manage_has(struct egpu_port *port, struct pci_dev *pdev);
void egpu_manage_release(struct egpu_port *port);
void egpu_dma_tell(struct pci_dev *pdev, struct egpu_function *function);

/* drm.c */
int egpu_drm_init(void);
void egpu_drm_exit(void);
bool egpu_drm_has(struct pci_dev *pdev);
u32 egpu_drm_importers(struct pci_dev *pdev);
void egpu_drm_ledger(struct pci_dev *pdev, struct egpu_function *function);

/* users.c */
struct egpu_users;
struct egpu_users *egpu_users_find(struct egpu_port *port, bool only_own);
struct egpu_users *egpu_users_suspects(bool only_own);
void egpu_users_free(struct egpu_users *users);
DEFINE_FREE(egpu_users, struct egpu_users *,
	    if (!IS_ERR_OR_NULL(_T)) egpu_users_free(_T))
u32 egpu_users_entries(const struct egpu_users *users);
const struct egpu_user *egpu_users_at(const struct egpu_users *users, u32 i);
u32 egpu_users_unaccepted(const struct egpu_users *users,
			  const struct egpu_accept *accept);

/* event.c */
int egpu_event_init(void);
void egpu_event_exit(void);
struct egpu_reader;
struct egpu_reader *egpu_reader_create(bool privileged);
void egpu_reader_free(struct egpu_reader *reader);
int egpu_reader_subscribe(struct egpu_reader *reader, u64 mask, u32 port,
			  u64 *seq);
ssize_t egpu_reader_read(struct egpu_reader *reader, char __user *buf,
			 size_t count, bool nonblock);
struct wait_queue_head *egpu_reader_wait(struct egpu_reader *reader);
bool egpu_reader_has_events(struct egpu_reader *reader);
void egpu_event_prepare(struct egpu_event *event, struct egpu_port *port,
			enum egpu_event_type type);
void egpu_event_send(struct egpu_port *port, struct egpu_event *event);
void egpu_event_state(struct egpu_port *port, u32 from, u32 to);
void egpu_event_function(struct egpu_port *port, enum egpu_event_type type,
			 struct pci_dev *pdev, const char *name);
u32 egpu_event_queue_length(void);
const char *egpu_state_name(u32 state);
const char *egpu_reason_name(u32 reason);
const char *egpu_step_name(u32 step);

/* cdev.c */
int egpu_cdev_init(void);
void egpu_cdev_quiesce(void);
void egpu_cdev_exit(void);
struct kobject *egpu_cdev_kobj(void);

#endif /* EGPU_H */
