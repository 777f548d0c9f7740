/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libegpu: what /dev/egpu can do, as C functions.
 *
 * The structs of <linux/egpu.h> are used as they are. What is added here is
 * what only user space can tell: paths, links, nodes, processes that hold a
 * GPU by other means than an open node, and what forbids taking it out.
 *
 * Unless a comment says otherwise a function returns 0 or a count, and a
 * negative errno when it fails; then nothing was changed and nothing has to be
 * freed. Arrays come from malloc() and are freed by the caller, with the
 * function named where the elements own memory. The library is not
 * thread-safe for one struct egpu; different ones are independent.
 */
#ifndef LIBEGPU_EGPU_H
#define LIBEGPU_EGPU_H

#include <linux/egpu.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* ---------------------------------------------------------------- open */

struct egpu;
struct egpu_address;

/**
 * enum egpu_absence - why there is no usable /dev/egpu
 * @EGPU_PRESENT: there is one
 * @EGPU_NOT_LOADED: the module exists for this kernel and is not loaded
 * @EGPU_NOT_BUILT: there is no module for this kernel
 * @EGPU_NOT_SIGNED: this kernel takes signed modules only, and it is not
 * @EGPU_WRONG_ABI: the module's interface is another version
 * @EGPU_NO_NODE: the module is loaded, the node is missing (a container?)
 * @EGPU_NO_PERMISSION: the node may not be opened
 * @EGPU_BROKEN: another error
 */
enum egpu_absence {
	EGPU_PRESENT = 0,
	EGPU_NOT_LOADED,
	EGPU_NOT_BUILT,
	EGPU_NOT_SIGNED,
	EGPU_WRONG_ABI,
	EGPU_NO_NODE,
	EGPU_NO_PERMISSION,
	EGPU_BROKEN,
};

/**
 * egpu_open() - open /dev/egpu and check that its interface is ours
 * @egpu: out
 *
 * Return: 0; -EPROTO the module speaks another version; else what open() says.
 */
int egpu_open(struct egpu **egpu);

/* egpu_close() - NULL is fine. */
void egpu_close(struct egpu *egpu);

/* egpu_fd() - for poll(): readable when egpu_event_next() would not wait. */
int egpu_fd(const struct egpu *egpu);

/* egpu_about() - what QUERY said when it was opened. */
const struct egpu_query *egpu_about(const struct egpu *egpu);

/* egpu_has() - does the module have this ioctl (EGPU_CMD_*) */
bool egpu_has(const struct egpu *egpu, unsigned int command);

/**
 * egpu_diagnose() - why did egpu_open() fail
 * @error: what it returned
 * @text: out: one sentence, without a full stop
 * @hint: out: what to do about it, may be empty
 * @size: bytes that each of both holds
 *
 * Return: which of them it is; EGPU_PRESENT for @error 0.
 */
enum egpu_absence egpu_diagnose(int error, char *text, char *hint, size_t size);

/* ---------------------------------------------------------------- ports */

/**
 * egpu_ports() - all ports and what is known about them
 * @egpu: from egpu_open()
 * @all: untracked ones, too
 * @ports: out: array, ascending by id, free() it
 *
 * Return: how many. A port that goes meanwhile is left out.
 */
int egpu_ports(struct egpu *egpu, bool all, struct egpu_port_info **ports);

/* egpu_port() - one port. Return: 0, -ENOENT no such port. */
int egpu_port(struct egpu *egpu, uint32_t port, struct egpu_port_info *info);

/*
 * egpu_functions() - PCI functions below a port. A module without
 * FUNCTION_MANAGE tells nothing of their DMA: no IOMMU group, the rest 0.
 * Return: how many.
 */
int egpu_functions(struct egpu *egpu, uint32_t port,
		   struct egpu_function **functions);

/**
 * egpu_users() - who has nodes open, as the kernel sees it
 * @egpu: from egpu_open()
 * @port: its id
 * @users: out: one element a process and node
 * @hidden: out: only the caller's own processes are listed
 *
 * Return: how many. See egpu_processes() for the whole truth.
 */
int egpu_users(struct egpu *egpu, uint32_t port, struct egpu_user **users,
	       bool *hidden);

/* egpu_attach() - begin to attach; @ignore is EGPU_CHECK_*. */
int egpu_attach(struct egpu *egpu, uint32_t port, uint32_t ignore,
		uint32_t *transaction);

/**
 * egpu_detach() - begin to detach, or only check (EGPU_DETACH_CHECK)
 * @egpu: from egpu_open()
 * @port: its id
 * @flags: EGPU_DETACH_*
 * @wait_ms: for users to go; 0 none, EGPU_WAIT_FOREVER
 * @accepted: users that do not matter, may be NULL
 * @nr_accepted: how many
 * @transaction: out: its id, for egpu_transaction_wait()
 *
 * Return: 0, or -errno as struct egpu_detach says.
 */
int egpu_detach(struct egpu *egpu, uint32_t port, uint32_t flags,
		uint32_t wait_ms, const struct egpu_accepted *accepted,
		uint32_t nr_accepted, uint32_t *transaction);

/**
 * egpu_function_manage() - begin to give a function to egpu, or back
 * @egpu: from egpu_open()
 * @address: of the function
 * @bits: address width of its DMA, EGPU_DMA_BITS_*; 0: give it back
 * @port: out: the port that it is below
 * @transaction: out: its id, for egpu_transaction_wait()
 *
 * Return: 0, or -errno as struct egpu_function_manage says; -ENOTTY: the module
 * is older than this.
 */
int egpu_function_manage(struct egpu *egpu, const struct egpu_address *address,
			 uint32_t bits, uint32_t *port, uint32_t *transaction);

/* egpu_cancel() - @transaction 0: whichever runs. */
int egpu_cancel(struct egpu *egpu, uint32_t port, uint32_t transaction);

/* egpu_config() - the struct's size is set here; see PORT_CONFIG. */
int egpu_config(struct egpu *egpu, struct egpu_port_config *config);

/* ---------------------------------------------------------------- events */

#define EGPU_EVENT_BIT(type)	(1ULL << (type))
#define EGPU_EVENTS_ALL		((1ULL << EGPU_EVENT_COUNT) - 1)

/**
 * egpu_subscribe() - have events queued from now on
 * @egpu: from egpu_open()
 * @mask: EGPU_EVENT_BIT()s, 0 ends it
 * @port: 0 for all
 * @seq: out: number of the last event before; may be NULL
 *
 * Return: 0, -ENOENT no such port, -ENOMEM.
 */
int egpu_subscribe(struct egpu *egpu, uint64_t mask, uint32_t port,
		   uint64_t *seq);

/**
 * egpu_event_next() - the next event
 * @egpu: from egpu_open()
 * @event: out
 * @timeout_ms: -1 waits for ever, 0 not at all
 *
 * Return: 1 with an event, 0 deadline, -EINTR a signal came, other -errno.
 */
int egpu_event_next(struct egpu *egpu, struct egpu_event *event,
		    int timeout_ms);

/*
 * Is told how a transaction goes on: each event, and NULL about once a second
 * and after a signal. Anything but 0 ends the wait with that value.
 */
typedef int (*egpu_progress_fn)(const struct egpu_event *event, void *arg);

/**
 * egpu_transaction_wait() - until a transaction ends
 * @egpu: from egpu_open()
 * @port: its id
 * @transaction: its id
 * @progress: may be NULL
 * @arg: for @progress
 *
 * Events must have been subscribed before the transaction began. When they
 * were lost it looks at the port: a transaction that does not run any more
 * ended somehow, and the port's state says how.
 *
 * Return: 0 it succeeded, -errno as it ended, or what @progress said.
 */
int egpu_transaction_wait(struct egpu *egpu, uint32_t port,
			  uint32_t transaction, egpu_progress_fn progress,
			  void *arg);

/* Names, all lower case but the states'; never NULL. */
const char *egpu_state_name(uint32_t state);
const char *egpu_reason_name(uint32_t reason);
const char *egpu_step_name(uint32_t step);
const char *egpu_backend_name(uint32_t backend);
const char *egpu_policy_name(uint32_t policy);
const char *egpu_event_name(uint32_t type);
const char *egpu_user_kind_name(uint32_t kind);
const char *egpu_iommu_name(uint32_t iommu);
/* egpu_check_name() - @bit is a number, not a mask; NULL past the last. */
const char *egpu_check_name(unsigned int bit);

/* ------------------------------------------------------------- PCI, sysfs */

/* Where the kernel shows itself. Unit tests put a tree of theirs here. */
struct egpu_roots {
	const char *sysfs;	/* /sys */
	const char *proc;	/* /proc */
	const char *dev;	/* /dev */
	const char *modules;	/* /lib/modules */
	const char *containers;	/* /var/lib */
	const char *share;	/* /usr/share */
};

extern struct egpu_roots egpu_roots;

struct egpu_address {
	uint32_t domain;
	uint8_t bus;
	uint8_t devfn;
};

#define EGPU_ADDRESS_LEN	24

/* egpu_address_parse() - [dddd:]bb:dd.f, nothing behind it. */
bool egpu_address_parse(const char *text, struct egpu_address *address);
/* egpu_address_format() - always with the domain. Return: @buf. */
char *egpu_address_format(const struct egpu_address *address,
			  char buf[EGPU_ADDRESS_LEN]);
bool egpu_address_equal(const struct egpu_address *a,
			const struct egpu_address *b);
struct egpu_address egpu_port_address(const struct egpu_port_info *info);
struct egpu_address egpu_function_address(const struct egpu_function *f);

/**
 * egpu_pci_path() - a device's place in the kernel's pci= syntax
 * @address: of the device
 * @buf: out
 * @size: of @buf; 160 is enough for any depth that PCI allows in practice
 *
 * [domain:]bus:dev.fn[/dev.fn]*, from the root bus down; it stays when bus
 * numbers move (Documentation/admin-guide/kernel-parameters.txt, pci=).
 * Return: 0, -ENOENT, -ENAMETOOLONG.
 */
int egpu_pci_path(const struct egpu_address *address, char *buf, size_t size);

/* egpu_pci_find() - the device at such a path. Return: 0, -EINVAL, -ENOENT. */
int egpu_pci_find(const char *path, struct egpu_address *address);

/**
 * egpu_pci_chain() - a device and the bridges above it, outermost first
 * @address: of the device
 * @chain: out
 * @max: room in @chain
 *
 * Return: how many, -ENOENT no such device.
 */
int egpu_pci_chain(const struct egpu_address *address,
		   struct egpu_address *chain, int max);

/* What sysfs says a function is. */
struct egpu_pci_id {
	struct egpu_address address;
	uint32_t class;
	uint16_t vendor;
	uint16_t device;
};

/**
 * egpu_pci_below() - functions below a bridge, as sysfs shows them
 * @bridge: its address
 * @ids: out: everything that is not a bridge, free() it
 *
 * Reads sysfs only, no configuration space.
 *
 * Return: how many.
 */
int egpu_pci_below(const struct egpu_address *bridge, struct egpu_pci_id **ids);

/* egpu_pci_serial() - Device Serial Number as sysfs shows it, else -ENOENT. */
int egpu_pci_serial(const struct egpu_address *address, char *buf, size_t size);

/* --------------------------------------------------------------- links */

/**
 * egpu_hops() - the links from the root to a port's GPU
 * @egpu: from egpu_open()
 * @port: its id
 * @ends: the GPU's own end is read, too, unless it sleeps; else the GPU is not
 *	accessed, and its end told as it was when it came
 * @hops: out: the root's first, free() it
 *
 * Nothing is woken.
 *
 * Return: how many; -ENOTTY: the module is older than this.
 */
int egpu_hops(struct egpu *egpu, uint32_t port, bool ends,
	      struct egpu_hop **hops);

/*
 * egpu_links() - the same, with what is remembered of the port's link: @info's
 * best_*, limit_* and wired_width; 0 from a module that does not know them.
 */
int egpu_links(struct egpu *egpu, uint32_t port, bool ends,
	       struct egpu_link_info *info, struct egpu_hop **hops);

/**
 * egpu_link_set() - begin to train a port's link, or limit its speed
 * @egpu: from egpu_open()
 * @port: its id
 * @flags: EGPU_LINK_SET_*
 * @speed: tenths of GT/s; 0: no limit
 * @vendor: the limit is for arrivals of this device; 0: for all
 * @device: likewise
 * @transaction: out: its id, for egpu_transaction_wait(); 0: it is done
 *
 * Return: 0, or -errno as struct egpu_link_set says; -ENOTTY: the module is
 * older than this.
 */
int egpu_link_set(struct egpu *egpu, uint32_t port, uint32_t flags,
		  uint32_t speed, uint16_t vendor, uint16_t device,
		  uint32_t *transaction);

/*
 * egpu_speed_parse() - 16GT/s, 16, 2.5, gen4, as tenths of GT/s; max: 0.
 * Return: false: no such speed.
 */
bool egpu_speed_parse(const char *text, uint32_t *speed);
/* egpu_speed_below() - the next slower one, tenths of GT/s; 0: none. */
uint32_t egpu_speed_below(uint32_t speed);

/**
 * egpu_bandwidth() - what a link carries in each direction
 * @speed: tenths of GT/s
 * @width: lanes
 * @flit: it is in Flit mode; from 64 GT/s on it always is
 *
 * After encoding (8b/10b, 128b/130b) and, in Flit mode, the 20 of 256 bytes that
 * are not TLPs (PCIe 6.0.1 sections 4.2.1, 4.2.2, 4.2.3).
 *
 * Return: bytes per second; 0: no such speed.
 */
uint64_t egpu_bandwidth(uint32_t speed, unsigned int width, bool flit);

/**
 * egpu_payload() - what is left of it for data in TLPs of one size
 * @speed: tenths of GT/s
 * @width: lanes
 * @flit: as above
 * @bytes: data in a TLP: 128 or 256 is what most root ports allow
 *
 * Each TLP has a header of 16 bytes (four DW: a memory write to a 64-bit address,
 * section 2.2.1) and, unless in Flit mode, 8 more: framing and sequence number
 * 4 and LCRC 4 (sections 3.6.2 and 4.2.2.3; with 8b/10b 2 + 2 + 4, section
 * 4.2.1.2). DLLPs are not counted, they are few.
 *
 * Return: bytes per second; 0: no such speed.
 */
uint64_t egpu_payload(uint32_t speed, unsigned int width, bool flit,
		      unsigned int bytes);

/* The same for a hop; 0 while it is down or not known, and for tunnels. */
uint64_t egpu_hop_bandwidth(const struct egpu_hop *hop);
uint64_t egpu_hop_payload(const struct egpu_hop *hop, unsigned int bytes);

/* egpu_hop_ends() - what both ends allow, as far as they are known; else 0. */
void egpu_hop_ends(const struct egpu_hop *hop, uint32_t *speed,
		   unsigned int *width);

/**
 * egpu_narrowest() - the hop that carries least
 * @hops: from egpu_hops()
 * @count: how many
 *
 * Tunnels are not compared, since nothing true is known of them.
 *
 * Return: its index, the first of those; -1: none can be compared.
 */
int egpu_narrowest(const struct egpu_hop *hops, int count);

/* egpu_hop_flag_name() - @bit is a number, not a mask; NULL past the last. */
const char *egpu_hop_flag_name(unsigned int bit);

/**
 * struct egpu_link - the link below a port, out of its hops
 * @missing: the module is too old to tell
 * @known: speed and width are valid; not so when the link is down
 * @asleep: the port sleeps and was not asked
 * @tunnelled: a hop on the way is carried by Thunderbolt or USB4, so the numbers
 *	are not what the GPU gets
 * @speed: tenths of GT/s per lane, now
 * @width: lanes, now
 * @max_speed: tenths of GT/s that the port allows
 * @max_width: lanes that the port has
 * @target_speed: Target Link Speed of the port; 0: not known
 * @ends_speed: tenths of GT/s that both ends allow, as far as known
 * @ends_width: lanes that both ends have, likewise
 * @bytes_per_second: per direction, after encoding and Flit overhead; 0 when
 *	not known
 */
struct egpu_link {
	bool missing;
	bool known;
	bool asleep;
	bool tunnelled;
	uint32_t speed;
	unsigned int width;
	uint32_t max_speed;
	unsigned int max_width;
	uint32_t target_speed;
	uint32_t ends_speed;
	unsigned int ends_width;
	uint64_t bytes_per_second;
};

/* egpu_port_link() - @count may be what egpu_hops() failed with. */
void egpu_port_link(const struct egpu_hop *hops, int count,
		    struct egpu_link *link);

/**
 * struct egpu_cooling - the cooling device of the kernel's bandwidth controller
 * @name: cooling_device0, ...; below /sys/class/thermal
 * @state: how many speeds the link is below the port's fastest one now, whatever
 *	the cause
 * @max_state: how many it can be
 */
struct egpu_cooling {
	char name[EGPU_NAME_LEN];
	unsigned int state;
	unsigned int max_state;
};

/* egpu_cooling() - a port's. Return: 0, -ENOENT the kernel has none for it. */
int egpu_cooling(const struct egpu_address *port, struct egpu_cooling *cooling);

enum egpu_aer_severity {
	EGPU_AER_CORRECTABLE = 0,
	EGPU_AER_NONFATAL,
	EGPU_AER_FATAL,
	EGPU_AER_COUNT,
};

#define EGPU_AER_KINDS	32

/**
 * struct egpu_aer - errors of one severity that the kernel counted
 * @total: of them
 * @kinds: what the kernel calls those that happened, and how often each did
 * @nr_kinds: how many
 */
struct egpu_aer {
	uint64_t total;
	struct {
		char name[EGPU_NAME_LEN];
		uint64_t count;
	} kinds[EGPU_AER_KINDS];
	int nr_kinds;
};

/**
 * egpu_aer() - the AER counters of a device, from sysfs; it is not accessed
 * @address: of the device
 * @aer: out
 *
 * Return: 0, -ENOENT the device or the kernel has none.
 */
int egpu_aer(const struct egpu_address *address,
	     struct egpu_aer aer[EGPU_AER_COUNT]);

/* ---------------------------------------------------- errors over time */

/* The port, and the functions of the device at the other end. */
#define EGPU_RATE_SOURCES	9

/**
 * struct egpu_rate_source - one device that counts errors
 * @address: of the device
 * @counted: @last is valid
 * @last: its counters as read last
 */
struct egpu_rate_source {
	struct egpu_address address;
	bool counted;
	uint64_t last[EGPU_AER_COUNT];
};

/**
 * struct egpu_rates - errors at both ends of a link, from a moment on
 * @sum: since the first reading, by severity
 * @counting: devices that had counters at the last reading; 0: nobody counts
 * @begun: there was a reading
 * @generation: of the last reading
 * @source: the devices
 * @nr_sources: how many
 *
 * All 0 before the first reading, which is where counting starts.
 */
struct egpu_rates {
	uint64_t sum[EGPU_AER_COUNT];
	int counting;
	bool begun;
	uint64_t generation;
	struct egpu_rate_source source[EGPU_RATE_SOURCES];
	int nr_sources;
};

/*
 * egpu_counted() - how far a counter got from one reading to the next. One that
 * became smaller began anew with its device.
 */
uint64_t egpu_counted(uint64_t before, uint64_t now);

/**
 * egpu_rates_read() - count what came since the last reading
 * @rates: what was counted so far
 * @ends: the port, then the functions of the device below it
 * @count: how many
 * @generation: of the device below; another one began to count at 0
 *
 * Reads sysfs, no device is accessed. One that cannot be read now counts on
 * when it can. Each error is counted by the kernel once for each time that it
 * looked, so a storm has more errors than this.
 */
void egpu_rates_read(struct egpu_rates *rates, const struct egpu_address *ends,
		     int count, uint64_t generation);

/**
 * egpu_errors_heard() - does the kernel hear of a device's errors
 * @address: of the device
 *
 * Return: false: the root port's errors are the firmware's, or nobody's, and
 * the counters say nothing.
 */
bool egpu_errors_heard(const struct egpu_address *address);

/* ------------------------------------------------------- nodes, drivers */

/**
 * struct egpu_node - a device node of a function
 * @name: below /dev/dri, /dev/accel or /dev: card1, renderD128, nvidia0
 */
struct egpu_node {
	char name[EGPU_NAME_LEN];
};

/* egpu_nodes() - DRM, accel and NVIDIA nodes. Return: how many. */
int egpu_nodes(const struct egpu_address *address, struct egpu_node **nodes);

/* egpu_device_driver() - as sysfs shows it; NULL none. free() it. */
char *egpu_device_driver(const struct egpu_address *address);

/**
 * egpu_device_address() - the PCI function that a node belongs to
 * @word: card1, renderD129, nvidia0, /dev/..., with or without a directory
 * @address: out
 *
 * Never opens the node: that would wake the GPU.
 *
 * Return: 0, -ENOENT.
 */
int egpu_device_address(const char *word, struct egpu_address *address);

/* A port's name as the configuration gives it. */
struct egpu_alias {
	const char *name;
	const char *path;
};

/**
 * egpu_resolve() - find the port that a word means
 * @egpu: from egpu_open()
 * @word: id, name, PCI address or path of the port or of anything below it,
 *	or a node
 * @aliases: names, ends with {NULL, NULL}; may be NULL
 * @info: out
 *
 * Return: 0, -ENOENT.
 */
int egpu_resolve(struct egpu *egpu, const char *word,
		 const struct egpu_alias *aliases, struct egpu_port_info *info);

/*
 * egpu_slot_owner() - the slot that another hotplug driver has below a port
 * @slot: out: its name below /sys/bus/pci/slots
 * @driver: out: the module that registered it, empty when it does not say
 * @size: of each of both
 *
 * Return: 0, -ENOENT: sysfs shows none.
 */
int egpu_slot_owner(const struct egpu_port_info *info, char *slot, char *driver,
		    size_t size);
/* egpu_slot_power() - write a slot's power file. Return: 0, -errno. */
int egpu_slot_power(const char *slot_name, bool on);
/* egpu_slot_needed() - true when the slot is ours to switch (backend other) */
bool egpu_slot_needed(const struct egpu_port_info *info);

/* ----------------------------------------------------------- processes */

/* How a process holds the GPU; bits of egpu_process.kinds. */
#define EGPU_HOLDS_NODE(kind)	(1U << (kind)) /* enum egpu_user_kind */
#define EGPU_HOLDS_MAPPING	(1U << 16) /* a node, by a mapping alone */
#define EGPU_HOLDS_BAR		(1U << 17) /* resourceN in sysfs */
#define EGPU_HOLDS_VFIO		(1U << 18)
#define EGPU_HOLDS_DMABUF	(1U << 19)
#define EGPU_HOLDS_KFD		(1U << 20)
#define EGPU_HOLDS_NVIDIA	(1U << 21) /* /dev/nvidiaN */

/**
 * struct egpu_place - where a process lives, from its cgroup
 * @engine: podman, docker, containerd, crio, lxc, nspawn, libvirt, or empty
 * @id: of the container
 * @name: of the container when it can be found out, else empty
 * @unit: systemd unit (service or scope), or empty
 * @user_unit: it is a unit of the user @owner's systemd
 * @owner: that user, or the one who owns a rootless container; else 0
 */
struct egpu_place {
	char engine[16];
	char id[80];
	char name[80];
	char unit[160];
	bool user_unit;
	uint32_t owner;
};

/**
 * struct egpu_process - a process that uses a port's GPU
 * @pid: in the caller's namespace, 0 when it has none there
 * @uid: user id
 * @start_time: ns of CLOCK_BOOTTIME; exact when @in_kernel, else in ticks
 * @comm: its name; of other devices that have its memory, which is one entry
 *	with pid 0 and of kind EGPU_USER_IMPORTER: "importers"
 * @kinds: EGPU_HOLDS_*
 * @nodes: what it holds, names
 * @nr_nodes: how many
 * @in_kernel: the kernel's list has it: DETACH waits for it
 * @active: 1 its engines run, 0 they do not, -1 the driver does not tell
 * @memory: bytes of device memory, -1 unknown
 * @engine_ns: sum over its engines' busy time when looked at last
 * @engines_known: @engine_ns is valid
 * @display_server: must never be told to terminate
 * @blocks: it stands in the way of a detach
 * @place: container and unit
 */
struct egpu_process {
	uint32_t pid;
	uint32_t uid;
	uint64_t start_time;
	char comm[16];
	uint32_t kinds;
	char (*nodes)[EGPU_NAME_LEN];
	unsigned int nr_nodes;
	bool in_kernel;
	int active;
	int64_t memory;
	uint64_t engine_ns;
	bool engines_known;
	bool display_server;
	bool blocks;
	struct egpu_place place;
};

/**
 * egpu_processes() - everybody who uses the GPU below a port
 * @egpu: from egpu_open()
 * @port: its id
 * @processes: out: egpu_processes_free() it
 * @hidden: out: the caller may not see other users' processes
 *
 * What the kernel lists plus mappings, BAR files, VFIO groups, dma-bufs, KFD
 * and NVIDIA nodes. A node that all GPUs share (/dev/kfd, /dev/nvidiactl,
 * /dev/nvidia-uvm) makes nobody a user.
 *
 * Return: how many, ascending by pid.
 */
int egpu_processes(struct egpu *egpu, uint32_t port,
		   struct egpu_process **processes, bool *hidden);
void egpu_processes_free(struct egpu_process *processes, int count);

/**
 * struct egpu_port_users - a port that egpu_processes_all() is asked about
 * @port: its id
 * @functions: from egpu_functions()
 * @nr_functions: how many
 * @users: out: egpu_processes_free() it
 * @count: out: how many, ascending by pid, or a negative errno
 * @hidden: out: the caller may not see other users' processes
 */
struct egpu_port_users {
	uint32_t port;
	const struct egpu_function *functions;
	int nr_functions;
	struct egpu_process *users;
	int count;
	bool hidden;
};

/* egpu_processes_all() - the same for many ports, in one look at all processes */
int egpu_processes_all(struct egpu *egpu, struct egpu_port_users *ports,
		       int count);

/**
 * egpu_processes_measure() - sets @active and @memory, by looking twice
 * @processes: from egpu_processes()
 * @count: how many
 * @gpus: the functions that count
 * @nr_gpus: how many
 * @ms: time between both looks; none when no driver tells engine times
 */
void egpu_processes_measure(struct egpu_process *processes, int count,
			    const struct egpu_address *gpus, int nr_gpus,
			    unsigned int ms);

/* egpu_place_parse() - the contents of /proc/PID/cgroup. */
void egpu_place_parse(const char *cgroup, struct egpu_place *place);

/**
 * egpu_cure() - what ends a process's use of the GPU, as a command or sentence
 * @process: which
 * @driver: of the GPU
 * @buf: out
 * @size: of @buf
 */
void egpu_cure(const struct egpu_process *process, const char *driver,
	       char *buf, size_t size);

/**
 * egpu_must_close() - can this use be gone past by force or --allow
 * @process: which
 * @driver: of the GPU, NULL none
 *
 * Return: NULL, or the name of what hangs in remove() while it lasts.
 */
const char *egpu_must_close(const struct egpu_process *process,
			    const char *driver);

/**
 * egpu_terminate() - SIGTERM by pidfd, never to another process with that pid
 * @process: which
 *
 * Return: 0, -ESRCH it is gone already, -EPERM pid 1, a display server, the
 * caller itself or no permission.
 */
int egpu_terminate(const struct egpu_process *process);

/* -------------------------------------------------------------- guards */

/**
 * enum egpu_guard_kind - what forbids taking a device out
 * @EGPU_GUARD_ROOT: the root file system is on it; also not when forced
 * @EGPU_GUARD_MOUNT: a mounted file system
 * @EGPU_GUARD_SWAP: swap
 * @EGPU_GUARD_HOLDER: dm, md or LVM uses a disk of it
 * @EGPU_GUARD_NETWORK: a network interface with an address
 * @EGPU_GUARD_MEMORY: online CXL memory
 * @EGPU_GUARD_KEYBOARD: the last keyboard
 */
enum egpu_guard_kind {
	EGPU_GUARD_ROOT = 0,
	EGPU_GUARD_MOUNT,
	EGPU_GUARD_SWAP,
	EGPU_GUARD_HOLDER,
	EGPU_GUARD_NETWORK,
	EGPU_GUARD_MEMORY,
	EGPU_GUARD_KEYBOARD,
};

/**
 * struct egpu_guard - one thing in the way
 * @kind: what
 * @device: sda1, eth0, ...
 * @text: one phrase: "/dev/nvme0n1p1 is mounted on /mnt"
 * @cure: the command that ends it, or empty
 */
struct egpu_guard {
	enum egpu_guard_kind kind;
	char device[64];
	char text[256];
	char cure[192];
};

/* egpu_guards() - for all functions that would go. Return: how many. */
int egpu_guards(const struct egpu_address *functions, int count,
		struct egpu_guard **guards);

#endif /* LIBEGPU_EGPU_H */
