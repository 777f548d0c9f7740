/* SPDX-License-Identifier: GPL-2.0 */
/*
 * egpu_sim: a simulated PCIe fabric. Its objects, their locks, and what its
 * files offer each other. Documentation/egpu_sim.rst has the user's view.
 *
 * A fabric is a host bridge in a PCI domain of its own. Its registers are the
 * only thing that the kernel sees: the port driver, pciehp, AER and DPC bind to
 * the simulated ports as they do to real ones.
 *
 * Locks, in this order:
 *	sim_lock	the tree as configfs shows it: lists, attributes that
 *			matter when a fabric goes live, the state of a fabric.
 *			Never held while a fabric is scanned or taken down.
 *	fabric->lock	the hardware: registers, links, what sits in a slot.
 *			Raw and with interrupts off, since configuration
 *			accessors run under the kernel's raw pci_lock.
 * Writers of what both paths read (lists of devices, port->card) hold both.
 */

#ifndef EGPU_SIM_H
#define EGPU_SIM_H

#include <linux/bitmap.h>
#include <linux/cleanup.h>
#include <linux/configfs.h>
#include <linux/hrtimer.h>
#include <linux/irq_work.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/pci.h>
#include <linux/spinlock.h>
#include <linux/types.h>
#include <linux/wait.h>
#include <linux/workqueue.h>
#include <linux/xarray.h>

#include "func.h"

#define SIM_PORTS_PER_FABRIC	250
#define SIM_PORTS		256
#define SIM_FUNCTIONS		8
#define SIM_DEPTH		8	/* ports in a row; lockdep knows no more */
#define SIM_SPEEDS		8	/* codes 1 (2.5 GT/s) to 7 (128 GT/s) */

/* Slot Status: events, cleared by writing 1. */
#define SIM_SLOT_EVENTS		(PCI_EXP_SLTSTA_ABP | PCI_EXP_SLTSTA_PFD | \
				 PCI_EXP_SLTSTA_MRLSC | PCI_EXP_SLTSTA_PDC | \
				 PCI_EXP_SLTSTA_CC | PCI_EXP_SLTSTA_DLLSC)
/* Errors that AER knows (PCIe 6.0.1 section 7.8.4). */
#define SIM_UNCORRECTABLE	0x0ffff031
#define SIM_CORRECTABLE		0x0000f1c1
#define SIM_STICKY		0x28	/* bytes from AER's status on */
/* PCIe 6.0.1's bits that older headers do not name. */
#define SIM_LNKCTL_FLIT_DISABLE	0x2000
#define SIM_LNKSTA2_FLIT	0x0400
#define SIM_FLAGS_FLIT		0x8000
/* CXL's DVSEC of devices (CXL 3.0 section 8.1.3); the bit for memory in both. */
#define SIM_CXL_VENDOR		0x1e98
#define SIM_CXL_CAP		0x0a	/* Capability */
#define SIM_CXL_CTRL		0x0c	/* Control */
#define SIM_CXL_MEM		0x0004

/* --- devices ------------------------------------------------------------ */

/* What toggles while contacts bounce. */
enum sim_contact {
	SIM_CONTACT_BOTH,
	SIM_CONTACT_PRESENCE,
	SIM_CONTACT_LINK,
};

/**
 * struct sim_bounce - contacts that open and close
 * @period_us: one opening and closing takes this long; 0: no bounce
 * @count: how often; 0: until it is told to stop (flap only)
 * @what: what opens and closes
 */
struct sim_bounce {
	u32 period_us;
	u32 count;
	enum sim_contact what;
};

/**
 * struct sim_ber - a bit error rate at one speed
 * @mantissa: the rate is @mantissa × 10^-@exponent; 0: no errors
 * @exponent: see @mantissa
 * @load: it is errors an access to what is below, and none without
 * @burst_ms: errors come during the first @burst_ms of every
 * @every_ms: … this many; 0: steadily
 */
struct sim_ber {
	u32 mantissa;
	u32 exponent;
	bool load;
	u32 burst_ms;
	u32 every_ms;
};

/* Points at which a simulated driver asks what to do; see egpu_sim_point(). */
#define SIM_POINTS	4	/* probe, remove, suspend, resume */

/**
 * struct sim_dev - a device that can sit in a port's slot: what lies at the
 *	far end of the link
 * @group: its folder
 * @driver_group: its folder driver/
 * @link: in @port's devices
 * @fabric: where it is
 * @port: whose slot it is for
 * @functions: its functions 1 to 7 (struct sim_func.link)
 * @ports: its Downstream Ports (struct sim_port.link): then it is a switch, and
 *	@fn the Upstream Port
 * @fn: function 0
 * @by_nr: its functions by number; both locks
 * @present: it is in the slot, or about to be when the fabric goes live
 * @max_speed: code of its link's fastest speed
 * @max_width: its link's lanes
 * @dead_lanes: lanes that do not work
 * @untrainable_above: code; when the target speed is higher, training from
 *	Detect fails; 0: no such trouble
 * @unrecoverable_above: code; Recovery does not change to a higher speed; 0: it
 *	does
 * @detect_speed: code; training from Detect ends there at most; 0: no limit
 * @link_up_try: the link comes up at the Nth try
 * @recovery_failures: so many of the next Recoveries fail
 * @ber: by speed code
 * @error_limit: errors a second that make a link fall back to a lower speed
 * @ready_ms: so long after a reset it answers with Request Retry Status
 * @bounce: what contacts do at plug and pull
 * @replacement: device that is in the slot instead after the next suspend
 * @replace: there is such an order (with @replacement NULL: nothing is)
 * @ready_at: when that is over; under fabric->lock
 * @point_ms: how long its driver takes in probe, remove, suspend, resume
 * @point_error: what it returns there
 * @point_hang: it hangs there
 * @point_waiting: tasks that do hang there
 * @point_wait: for those
 */
struct sim_dev {
	struct config_group group;
	struct config_group driver_group;
	struct list_head link;
	struct sim_fabric *fabric;
	struct sim_port *port;
	struct list_head functions;
	struct list_head ports;
	struct sim_func fn;
	struct sim_func *by_nr[SIM_FUNCTIONS];

	bool present;
	u32 max_speed, max_width;
	u32 dead_lanes;
	u32 untrainable_above;
	u32 unrecoverable_above;
	u32 detect_speed;
	u32 link_up_try;
	u32 recovery_failures;
	struct sim_ber ber[SIM_SPEEDS];
	u32 error_limit;
	u32 ready_ms;
	struct sim_bounce bounce;
	struct sim_dev *replacement;
	bool replace;

	ktime_t ready_at;

	u32 point_ms[SIM_POINTS];
	int point_error[SIM_POINTS];
	bool point_hang[SIM_POINTS];
	u32 point_waiting[SIM_POINTS];
	wait_queue_head_t point_wait;
};

/* --- ports -------------------------------------------------------------- */

/* The LTSSM's states that make a difference (PCIe 6.0.1 section 4.2.6). */
enum sim_ltssm {
	SIM_DETECT,		/* nobody there, or quiet before a try */
	SIM_POLLING,
	SIM_CONFIGURATION,
	SIM_SPEED,		/* Recovery.Speed on the way up from Detect */
	SIM_L0,
	SIM_RECOVERY,		/* Data Link Layer stays active */
	SIM_DISABLED,
	SIM_HOT_RESET,
};

enum sim_fault_kind {
	SIM_FAULT_YANK,		/* the device is gone with this access */
	SIM_FAULT_ONES,		/* all ones for `count` accesses */
	SIM_FAULT_RETRY,	/* Request Retry Status for `count` accesses */
	SIM_FAULT_LINK,		/* the link goes down with this access */
};

enum sim_fault_scope {
	SIM_SCOPE_BELOW,	/* accesses to what is below the port */
	SIM_SCOPE_PORT,		/* to the port's own registers */
	SIM_SCOPE_ALL,
};

/**
 * struct sim_fault - something that happens at the Nth access
 * @group: the folder fault/
 * @kind: what
 * @scope: which accesses count
 * @at: the access, from 1 on, at which it happens; 0: only count
 * @count: for how many accesses it lasts; 0: until disarmed
 * @pid: only accesses by this thread group count; 0: by any
 * @task: … and only by tasks whose name matches this glob; empty: by any
 * @armed: it is counted
 * @seen: accesses since it was armed
 * @hit: accesses that the fault changed
 */
struct sim_fault {
	struct config_group group;
	enum sim_fault_kind kind;
	enum sim_fault_scope scope;
	u32 at;
	u32 count;
	u32 pid;
	char task[TASK_COMM_LEN + 8];
	bool armed;
	u32 seen;
	u32 hit;
};

enum sim_presence {
	SIM_PRESENCE_AUTO,	/* as the slot is */
	SIM_PRESENCE_ABSENT,	/* the pins say no, whatever is there */
	SIM_PRESENCE_PRESENT,
};

/* What a port tells of, each by an interrupt of its own. */
#define SIM_TELLS_SLOT		BIT(0)
#define SIM_TELLS_LINK		BIT(1)
#define SIM_TELLS_DPC		BIT(2)
#define SIM_TELLS_PME		BIT(3)
#define SIM_TELLS_AER		BIT(4)
#define SIM_TELLS_DEVICE	BIT(5)	/* configfs says so */

enum sim_irq_mode {
	SIM_IRQ_NORMAL,
	SIM_IRQ_STUCK,		/* asserted, and nothing clears it */
	SIM_IRQ_LOST,		/* never asserted */
};

/**
 * struct sim_share - a port's share of its fabric's numbers and addresses
 * @secondary: first bus number below it
 * @subordinate: last one
 * @mem: offset of its window in the fabric's 32-bit memory
 * @mem_size: bytes
 * @prefetch: offset of its window in the fabric's prefetchable memory
 * @prefetch_size: bytes
 */
struct sim_share {
	u32 secondary, subordinate;
	u64 mem, mem_size;
	u64 prefetch, prefetch_size;
};

/**
 * struct sim_stats - what a port counts; under fabric->lock
 * @reads: configuration reads of it and of what is below
 * @writes: configuration writes
 * @mmio: accesses to memory that simulated drivers told of
 * @attempts: tries to train the link from Detect
 * @ups: … that ended in L0
 * @downs: times that the link went down
 * @retrains: Retrain Link written
 * @recoveries: times in Recovery
 * @violations: Retrain Link written while Link Training was set
 * @errors: errors told by bit error rates
 * @interrupts: times that the port raised its interrupt
 * @dpc: times that DPC was triggered
 * @resets: secondary bus resets
 */
struct sim_stats {
	u64 reads, writes, mmio;
	u64 attempts, ups, downs, retrains, recoveries, violations;
	u64 errors, interrupts, dpc, resets;
};

/**
 * struct sim_port - a Downstream Port: a root port, or one of a switch
 * @group: its folder
 * @link: in the fabric's or @up's ports
 * @fabric: where it is
 * @up: the switch that it belongs to; NULL: a root port
 * @nr: root ports: counted from 0 (device × 8 + function); switches: device
 * @devs: devices that have a folder below (struct sim_dev.link)
 * @fn: the port's own registers
 *
 * @line: which of the fabric's pairs of interrupt lines it has
 * @slot_number: Physical Slot Number, unique among all fabrics
 * @share: what firmware gives it: bus numbers and windows, from the fabric's first
 *
 * As configured (sim_lock; what is used while live is read once):
 * @native: it has the Hot-Plug Capable bit
 * @bare_slot: without it there are slot registers all the same
 * @power_controller: Power Controller Present
 * @attention_button: Attention Button Present
 * @indicators: Attention and Power Indicator Present
 * @surprise: Hot-Plug Surprise
 * @command_completed: command completed events are told
 * @inband_presence_disable: In-Band PD Disable Supported
 * @external_facing: the firmware says that its slot is outside the machine
 * @usb4: … that it is a port of a USB4 host
 * @dll_active_reporting: Data Link Layer Link Active Reporting Capable
 * @surprise_down: Surprise Down Error Reporting Capable
 * @max_speed: code of the fastest speed
 * @max_width: lanes
 * @dpc: has Downstream Port Containment
 * @msi: tells its interrupts by messages, where the kernel lets a module do it
 * @buses: bus numbers kept below it; 0: as many as what is configured needs
 * @mem_window: bytes of 32-bit memory kept below it
 * @prefetch_window: bytes of prefetchable memory kept below it
 * @detect_ms: how long the LTSSM stays where its name says
 * @polling_ms: same
 * @configuration_ms: same
 * @recovery_ms: same
 * @speed_change_ms: same
 * @command_ms: how long a slot command takes
 *
 * The hardware (fabric->lock):
 * @presence: what the presence pins say
 * @irq_mode: what is wrong with its interrupt
 * @card: the device in its slot
 * @contact_presence: the presence pins touch
 * @contact_link: the lanes touch
 * @state: of the link
 * @speed: code of the current (or last) speed
 * @width: current width
 * @target: code of the speed that Recovery is on the way to
 * @ceiling: code of the speed that bit errors left; 0: none
 * @tries: failed ones since Detect was last entered with a new card or power
 * @retraining: Retrain Link was written
 * @autonomous: this Recovery was the device's wish
 * @unreliable: this Recovery is to correct unreliable operation
 * @due: when the timer is to act; KTIME_MAX: it is not
 * @timer: for the LTSSM's next step
 * @error_timer: for bit errors
 * @error_next: which kind of error comes next
 * @load: what accesses have added up to, in parts of the next error
 * @bounce_timer: for contacts
 * @bounce_left: half periods that are left; 0: none
 * @bounce_on: which are the contacts' last state
 * @bounce_forever: until told
 * @bounce_gone: it ends with the device being gone
 * @bounce_now: what bounces
 * @command_timer: for Command Completed
 * @stats: counters
 * @fault: what happens at the Nth access
 */
struct sim_port {
	struct config_group group;
	struct list_head link;
	struct sim_fabric *fabric;
	struct sim_dev *up;
	u32 nr;
	struct list_head devs;
	struct sim_func fn;
	u32 line;
	u32 slot_number;
	struct sim_share share;

	bool native, bare_slot, power_controller, attention_button, indicators, surprise;
	bool command_completed, inband_presence_disable, external_facing;
	bool usb4;
	bool dll_active_reporting, surprise_down, dpc, msi;
	u32 max_speed, max_width;
	u32 buses;
	u64 mem_window, prefetch_window;
	u32 detect_ms, polling_ms, configuration_ms, recovery_ms;
	u32 speed_change_ms, command_ms;

	enum sim_presence presence;
	enum sim_irq_mode irq_mode;
	struct sim_dev *card;
	bool contact_presence, contact_link;
	enum sim_ltssm state;
	u32 speed, width, target, ceiling, tries;
	bool retraining, autonomous, unreliable;
	ktime_t due;
	struct hrtimer timer;
	struct hrtimer error_timer;
	u32 error_next;
	u64 load;
	struct hrtimer bounce_timer;
	u32 bounce_left;
	bool bounce_on, bounce_forever, bounce_gone;
	struct sim_bounce bounce_now;
	struct hrtimer command_timer;
	struct sim_stats stats;
	struct sim_fault fault;
};

/* --- fabrics ------------------------------------------------------------ */

/**
 * struct sim_irq - an interrupt line: of a port, or of the device below it
 * @fabric: whose
 * @virq: Linux's number; 0: none
 * @msi: where messages that a port sends instead went last
 * @work: delivers it, in hard interrupt context
 * @asserted: functions that assert it; under fabric->lock
 * @level: the line, for readers without a lock
 * @masked: by the kernel
 */
struct sim_irq {
	struct sim_fabric *fabric;
	int virq;
	unsigned int msi;
	struct irq_work work;
	unsigned int asserted;
	bool level;
	bool masked;
};

enum sim_state {
	SIM_DEAD,
	SIM_STARTING,
	SIM_LIVE,
	SIM_STOPPING,
};

/* Arguments of fabric->keeps: what firmware does not hand over (_OSC). */
#define SIM_KEEPS_HOTPLUG	BIT(0)
#define SIM_KEEPS_PME		BIT(1)
#define SIM_KEEPS_AER		BIT(2)
#define SIM_KEEPS_DPC		BIT(3)
#define SIM_KEEPS_LTR		BIT(4)

/**
 * struct sim_fabric - a host bridge and what is below it
 * @group: its folder
 * @ports: root ports (struct sim_port.link); both locks to change
 * @nports: how many ports there are in all
 * @counted: how many of them count for the limit while it is not dead
 * @keeps: what firmware keeps for itself, SIM_KEEPS_*
 * @ram: 32-bit memory windows have RAM behind them
 * @mem_spare: bytes of 32-bit memory that no port's window has
 * @prefetch_spare: same, of prefetchable memory
 *
 * @state: under sim_lock; READ_ONCE() for waiters
 * @stop: live=0 was asked for while starting
 * @ends: how often it became dead, for waiters that a new start overtakes
 * @error: why the last start failed; 0
 * @work: starts and stops it
 * @waiters: for a state
 *
 * @lock: the hardware's
 * @root: root ports by devfn
 * @root_of: the root port by bus number below it
 * @quiet: interrupts are no longer delivered
 * @irqs: two for each port: its own, and its device's
 * @nlines: how many ports that is
 * @msi: domain of its message signalled interrupts; NULL: there are none
 *
 * @mem_size: bytes of 32-bit memory that its plan needs
 * @prefetch_size: same, of prefetchable memory
 * @index: small number of its own while not dead
 * @domain: PCI domain while live, else -1
 * @sysdata: what the architecture wants to find in a bus
 * @pdev: the platform device it hangs below; its resume comes before theirs
 * @bridge: the host bridge; NULL: not there
 * @busn: bus numbers
 * @mem: 32-bit memory
 * @prefetch: prefetchable memory
 * @bus_name: of these in /proc/iomem, as other host bridges' are called
 * @known: devices (struct sim_dev) by struct pci_dev, with a reference each, so
 *	that a driver finds its device's folder when the device is gone
 * @busy: drivers that are just binding or unbinding (struct sim_busy), for
 *	`status`
 * @busy_lock: protects @busy
 */
struct sim_fabric {
	struct config_group group;
	struct list_head ports;
	unsigned int nports, counted;
	u32 keeps;
	bool ram;
	u64 mem_spare, prefetch_spare;

	enum sim_state state;
	bool stop;
	unsigned int ends;
	int error;
	struct work_struct work;
	wait_queue_head_t waiters;

	raw_spinlock_t lock;
	struct sim_port *root[256];
	struct sim_port *root_of[256];
	bool quiet;
	struct sim_irq *irqs;
	unsigned int nlines;
	struct irq_domain *msi;

	u64 mem_size, prefetch_size;
	unsigned int index;
	int domain;
#ifdef CONFIG_X86
	struct pci_sysdata sysdata;
#endif
	struct platform_device *pdev;
	struct pci_host_bridge *bridge;
	struct resource busn, mem, prefetch;
	char bus_name[20];
	struct xarray known;
	struct list_head busy;
	spinlock_t busy_lock;
};

extern struct mutex sim_lock;

static inline bool sim_fabric_is_dead(const struct sim_fabric *fabric)
{
	return READ_ONCE(fabric->state) == SIM_DEAD;
}

/* main.c */
extern struct workqueue_struct *sim_wq;
bool sim_ram_given(void);
int sim_ram_take(struct resource *res, resource_size_t size,
		 resource_size_t align);

/* tree.c: the configfs tree */
int sim_tree_init(void);
void sim_tree_exit(void);

/* dump.c: one dump's text into registers, and back; see `config`. sim_lock */
int sim_dump_parse(struct sim_spec *spec, const char *text, size_t size);
ssize_t sim_dump_print(struct sim_func *fn, char *buf, size_t size);

/* watch.c: who binds, who sleeps */
int sim_fabric_init(void);
void sim_fabric_exit(void);
ssize_t sim_fabric_status(struct sim_fabric *fabric, char *buf, size_t size);

/* fabric.c: a host bridge comes and goes */
void sim_fabric_setup(struct sim_fabric *fabric);
int sim_fabric_start(struct sim_fabric *fabric);
int sim_fabric_stop(struct sim_fabric *fabric);
void sim_fabric_abandon(struct sim_fabric *fabric);
int sim_fabric_plan(struct sim_fabric *fabric);
void sim_fabric_firmware(struct sim_fabric *fabric);
struct sim_fabric *sim_fabric_of_bus(struct pci_bus *bus);
struct sim_fabric *sim_fabric_of_sim(struct pci_bus *bus);

/* config.c: configuration accesses */
extern struct pci_ops sim_pci_ops;
struct sim_func *sim_route(struct sim_fabric *fabric, u8 bus, u8 devfn);
void sim_route_update(struct sim_fabric *fabric);
struct sim_port *sim_func_above(struct sim_func *fn);
struct sim_port *sim_func_root(struct sim_func *fn);
u16 sim_func_id(struct sim_func *fn);

/* build.c: the registers that a function begins with */
int sim_func_build(struct sim_func *fn);
void sim_func_free(struct sim_func *fn);

/* regs.c: its registers read, written, reset */
void sim_func_mask(struct sim_func *fn);
void sim_func_reset(struct sim_func *fn);
u32 sim_func_read(struct sim_func *fn, int where, int size);
void sim_func_write(struct sim_func *fn, int where, int size, u32 val);
u8 sim_get8(const struct sim_func *fn, int where);
u16 sim_get16(const struct sim_func *fn, int where);
u32 sim_get32(const struct sim_func *fn, int where);
void sim_put8(struct sim_func *fn, int where, u8 val);
void sim_put16(struct sim_func *fn, int where, u16 val);
void sim_put32(struct sim_func *fn, int where, u32 val);
void sim_set16(struct sim_func *fn, int where, u16 clear, u16 set);
int sim_func_poke(struct sim_func *fn, u32 where, u32 size, u32 val);

/* link.c: the LTSSM */
void sim_link_init(struct sim_port *port);
void sim_link_exit(struct sim_port *port);
void sim_link_update(struct sim_port *port);
void sim_link_boot(struct sim_port *port);
void sim_link_drop(struct sim_port *port);
void sim_link_reset(struct sim_port *port);
void sim_link_retell(struct sim_port *port);
void sim_link_retrain(struct sim_port *port);
void sim_link_errors(struct sim_port *port);
void sim_link_load(struct sim_func *fn);
int sim_link_autonomous(struct sim_port *port, u32 speed);
bool sim_link_is_up(const struct sim_port *port);
u32 sim_link_width(const struct sim_port *port, const struct sim_dev *dev);
const char *sim_link_state_name(enum sim_ltssm state);
u64 sim_ber_rate(const struct sim_ber *ber, u32 speed, u32 width);
const char *sim_speed_name(u32 code);
int sim_speed_parse(const char *text);

/* slot.c: presence, power, commands, contacts */
void sim_slot_init(struct sim_port *port);
void sim_slot_exit(struct sim_port *port);
int sim_slot_plug(struct sim_port *port, struct sim_dev *dev);
int sim_slot_pull(struct sim_port *port, struct sim_dev *dev);
void sim_slot_yank(struct sim_port *port);
void sim_slot_flap(struct sim_port *port, const struct sim_bounce *bounce);
void sim_slot_presence(struct sim_port *port, bool tell);
void sim_slot_press(struct sim_port *port);
void sim_slot_control(struct sim_port *port, u16 old, u16 new);
void sim_slot_status(struct sim_port *port, u16 events);
bool sim_slot_powered(const struct sim_port *port);
bool sim_port_is_there(const struct sim_port *port);
void sim_card_reset(struct sim_dev *dev);
void sim_switch_reset(struct sim_dev *dev, bool on);
struct sim_dev *sim_slot_wants(struct sim_port *port);
int sim_dev_build(struct sim_dev *dev);
void sim_card_silence(struct sim_dev *dev);

/* life.c: the hardware begins, sleeps, ends */
void sim_dev_gone(struct sim_dev *dev);
void sim_port_gone(struct sim_port *port);
void sim_func_gone(struct sim_func *fn);
int sim_fabric_prepare_sleep(struct sim_fabric *fabric);
void sim_fabric_sleep(struct sim_fabric *fabric, bool power_lost);
int sim_fabric_build(struct sim_fabric *fabric);
void sim_fabric_boot(struct sim_fabric *fabric);
void sim_fabric_raze(struct sim_fabric *fabric);

/* irq.c: interrupt lines */
int sim_irq_alloc(struct sim_fabric *fabric);
void sim_irq_quiet(struct sim_fabric *fabric);
void sim_irq_free(struct sim_fabric *fabric);
void sim_irq_update(struct sim_func *fn);
void sim_irq_forget(struct sim_func *fn);
int sim_irq_map(const struct pci_dev *pdev, u8 slot, u8 pin);

/* msi.c: message signalled interrupts */
int sim_msi_alloc(struct sim_fabric *fabric);
void sim_msi_free(struct sim_fabric *fabric);
void sim_msi_init(struct sim_func *fn);
unsigned int sim_msi_number(struct sim_func *fn);
bool sim_msi_takes(struct sim_func *fn, u32 wanted);

/* error.c: AER and DPC */
int sim_error_inject(struct sim_func *fn, const char *name);
void sim_error_correctable(struct sim_func *fn, u32 bit);
void sim_error_uncorrectable(struct sim_func *fn, u32 bit);
void sim_dpc_control(struct sim_port *port, u16 control);
bool sim_dpc_contains(const struct sim_port *port);

/* fault.c: what happens at the Nth access */
enum sim_outcome { SIM_PASS, SIM_ONES, SIM_RETRY };
enum sim_outcome sim_fault_access(struct sim_func *fn);
void sim_fault_arm(struct sim_port *port, bool on);

#endif
