/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * /dev/egpu: external GPUs, their ports and their life.
 *
 * One file descriptor, one table of ioctls, and a stream of events by read()
 * and poll(). libegpu (tools/lib) wraps all of it.
 */
#ifndef _UAPI_LINUX_EGPU_H
#define _UAPI_LINUX_EGPU_H

#include <linux/ioctl.h>
#include <linux/types.h>

/**
 * DOC: General ioctl format
 *
 * Every argument is a struct that begins with __u32 size, set by the caller
 * to the sizeof() that it was compiled with. Structs grow at their end only.
 * A shorter struct than the module knows is filled up with zeros, which always
 * mean the old behaviour; a longer one is taken when the tail that the module
 * does not know is zero. On return as many bytes as the caller's size holds
 * are written. Arrays are passed by address with a count and, where their
 * elements can grow, with the size of an element, at most EGPU_ELEMENT_MAX; a
 * count that is too small is answered with the real one and what fits.
 *
 * Every error means one thing, and a call that fails changes nothing; privilege
 * is checked before anything else:
 *
 *  - ENOTTY: there is no such ioctl in this module
 *  - EINVAL: a field is wrong, a flag is unknown, a reserved field is not zero
 *  - E2BIG: the tail that this module does not know is not zero
 *  - EFAULT: an address is wrong
 *  - ENOENT: there is no such port or transaction
 *  - ENODEV: it was there, and is gone
 *  - EBUSY: users or another transaction are in the way
 *  - EPERM: the caller lacks CAP_SYS_ADMIN in the initial user namespace
 *  - EOPNOTSUPP: the hardware, the port or this kernel cannot do it
 *  - ETIMEDOUT: a deadline passed, or the hardware did not answer in time
 *  - ECANCELED: it was cancelled
 *
 * No call waits for a driver, a slot or a device: ATTACH and DETACH begin a
 * transaction and return; its progress and its end come as events.
 */

#define EGPU_ABI_VERSION	1
#define EGPU_DEVICE_PATH	"/dev/egpu"
#define EGPU_NAME_LEN		32
#define EGPU_ELEMENT_MAX	4096 /* bytes, in all element_size fields */
#define EGPU_IOC_TYPE		0xe9

enum {
	EGPU_CMD_QUERY = 0,
	EGPU_CMD_PORT_LIST,
	EGPU_CMD_PORT_INFO,
	EGPU_CMD_FUNCTION_LIST,
	EGPU_CMD_USER_LIST,
	EGPU_CMD_ATTACH,
	EGPU_CMD_DETACH,
	EGPU_CMD_CANCEL,
	EGPU_CMD_PORT_CONFIG,
	EGPU_CMD_EVENT_SUBSCRIBE,
	EGPU_CMD_LINK_INFO,
	EGPU_CMD_LINK_SET,
	EGPU_CMD_FUNCTION_MANAGE,
};

/**
 * enum egpu_state - where a port is in its life
 * @EGPU_STATE_UNTRACKED: egpu leaves this port exactly as the kernel treats it
 * @EGPU_STATE_EMPTY: tracked, no GPU below
 * @EGPU_STATE_TRAINING: the link comes up, or a link operation runs
 * @EGPU_STATE_HELD: a GPU is there and held back: being checked, or waiting
 *	for admission; the reason says which
 * @EGPU_STATE_BINDING: its functions are being given to their drivers
 * @EGPU_STATE_READY: every function was given to the driver that wants it
 * @EGPU_STATE_DRAINING: a detach waits until nobody uses the GPU; can be
 *	cancelled
 * @EGPU_STATE_DETACHING: unbinding, removing, slot off
 * @EGPU_STATE_DETACHED: safe to unplug
 * @EGPU_STATE_LOST: the device vanished; what is left is being removed
 * @EGPU_STATE_QUARANTINED: lost too often; held until the time is over, or
 *	PORT_CONFIG resets it
 * @EGPU_STATE_FAULT: a step failed, see the reason; ATTACH tries again, DETACH
 *	works
 * @EGPU_STATE_GONE: the port itself was removed
 */
enum egpu_state {
	EGPU_STATE_UNTRACKED = 0,
	EGPU_STATE_EMPTY,
	EGPU_STATE_TRAINING,
	EGPU_STATE_HELD,
	EGPU_STATE_BINDING,
	EGPU_STATE_READY,
	EGPU_STATE_DRAINING,
	EGPU_STATE_DETACHING,
	EGPU_STATE_DETACHED,
	EGPU_STATE_LOST,
	EGPU_STATE_QUARANTINED,
	EGPU_STATE_FAULT,
	EGPU_STATE_GONE,
	/* private: */
	EGPU_STATE_COUNT
};

/**
 * enum egpu_reason - why a port is in its state
 * @EGPU_REASON_NONE: nothing to add
 * @EGPU_REASON_CHECKING: HELD: being checked
 * @EGPU_REASON_MANUAL: HELD: policy manual, waits for ATTACH
 * @EGPU_REASON_CHECK_FAILED: HELD: a check failed, see @failed_checks
 * @EGPU_REASON_NOT_REMOVED: HELD: it came back without having been seen to go
 *	after a detach; waits for ATTACH
 * @EGPU_REASON_ADOPTED: READY: found with its drivers bound, left untouched
 * @EGPU_REASON_OVERRIDE: READY: bound by a driver override that was a user's
 * @EGPU_REASON_BUSY: users are in the way
 * @EGPU_REASON_CANCELLED: the transaction was cancelled
 * @EGPU_REASON_DEADLINE: the transaction's deadline passed
 * @EGPU_REASON_BOOT_DISPLAY: refused: it is the display this machine booted on
 * @EGPU_REASON_LINK_DOWN: LOST: the device vanished without being asked to
 * @EGPU_REASON_REMOVED: EMPTY: somebody else removed it (slot power file,
 *	attention button, sysfs)
 * @EGPU_REASON_DETACHED: removed by egpu's own transaction
 * @EGPU_REASON_SLOT_FAILED: FAULT: the slot operation failed, see @error
 * @EGPU_REASON_BIND_FAILED: FAULT: the kernel could not start binding
 * @EGPU_REASON_RECOVERY_FAILED: FAULT: after an error the kernel's recovery
 *	left the device unusable; is mended when nobody uses it
 * @EGPU_REASON_LOST_TOO_OFTEN: QUARANTINED
 * @EGPU_REASON_CHILD: a port below refused, failed or was cancelled
 * @EGPU_REASON_UNBOUND: HELD: by DETACH with EGPU_DETACH_HOLD; waits for ATTACH
 * @EGPU_REASON_LINK_SET: LOST: the link did not survive a link operation
 * @EGPU_REASON_LINK_SPEED: a link operation did not reach its speed; the link
 *	runs at another one, as before where that was possible
 * @EGPU_REASON_TUNNELLED: refused: a tunnelled link has no speed of its own
 * @EGPU_REASON_NOT_MANAGED: a function could not be given to egpu, or back; the
 *	error says why
 * @EGPU_REASON_CXL: refused: the device gives memory to the machine over CXL
 */
enum egpu_reason {
	EGPU_REASON_NONE = 0,
	EGPU_REASON_CHECKING,
	EGPU_REASON_MANUAL,
	EGPU_REASON_CHECK_FAILED,
	EGPU_REASON_NOT_REMOVED,
	EGPU_REASON_ADOPTED,
	EGPU_REASON_OVERRIDE,
	EGPU_REASON_BUSY,
	EGPU_REASON_CANCELLED,
	EGPU_REASON_DEADLINE,
	EGPU_REASON_BOOT_DISPLAY,
	EGPU_REASON_LINK_DOWN,
	EGPU_REASON_REMOVED,
	EGPU_REASON_DETACHED,
	EGPU_REASON_SLOT_FAILED,
	EGPU_REASON_BIND_FAILED,
	EGPU_REASON_RECOVERY_FAILED,
	EGPU_REASON_LOST_TOO_OFTEN,
	EGPU_REASON_CHILD,
	EGPU_REASON_UNBOUND,
	EGPU_REASON_LINK_SET,
	EGPU_REASON_LINK_SPEED,
	EGPU_REASON_TUNNELLED,
	EGPU_REASON_CXL,
	EGPU_REASON_NOT_MANAGED,
	/* private: */
	EGPU_REASON_COUNT
};

/**
 * enum egpu_step - the blocking step that a port's job is in
 * @EGPU_STEP_NONE: no job runs
 * @EGPU_STEP_SCAN: waiting for, or walking, what lies below the port
 * @EGPU_STEP_CHECK: checking configuration space, BARs, link
 * @EGPU_STEP_PROBE: in the probe() of the driver named
 * @EGPU_STEP_USERS: looking who uses the GPU
 * @EGPU_STEP_HOLD: putting the hold back
 * @EGPU_STEP_REMOVE: in the remove() of the driver named
 * @EGPU_STEP_CHILDREN: waiting for the ports below
 * @EGPU_STEP_SLOT_OFF: slot operation off, or removing the device
 * @EGPU_STEP_SLOT_ON: slot operation on, or rescanning
 * @EGPU_STEP_PRESENCE: reading presence
 * @EGPU_STEP_LINK: training the link: Target Link Speed, Retrain Link
 * @EGPU_STEP_LINK_RESET: training it by a secondary bus reset
 * @EGPU_STEP_LINK_RESTORE: going back to the speed it had before
 * @EGPU_STEP_MANAGE: giving a function to egpu's DRM driver, or back
 * @EGPU_STEP_SPACE: making room for the BARs of what is held
 */
enum egpu_step {
	EGPU_STEP_NONE = 0,
	EGPU_STEP_SCAN,
	EGPU_STEP_CHECK,
	EGPU_STEP_PROBE,
	EGPU_STEP_USERS,
	EGPU_STEP_HOLD,
	EGPU_STEP_REMOVE,
	EGPU_STEP_CHILDREN,
	EGPU_STEP_SLOT_OFF,
	EGPU_STEP_SLOT_ON,
	EGPU_STEP_PRESENCE,
	EGPU_STEP_LINK,
	EGPU_STEP_LINK_RESET,
	EGPU_STEP_LINK_RESTORE,
	EGPU_STEP_MANAGE,
	EGPU_STEP_SPACE,
	/* private: */
	EGPU_STEP_COUNT
};

/**
 * enum egpu_backend - who operates the slot
 * @EGPU_BACKEND_NONE: not known yet
 * @EGPU_BACKEND_PCIEHP: the kernel's pciehp
 * @EGPU_BACKEND_SOFT: egpu's own slot on a port without hotplug capability
 * @EGPU_BACKEND_OTHER: another hotplug driver (acpiphp, ...) or none: egpu
 *	unbinds and removes, user space then writes the slot's power file, if
 *	there is one (see @slot_name)
 */
enum egpu_backend {
	EGPU_BACKEND_NONE = 0,
	EGPU_BACKEND_PCIEHP,
	EGPU_BACKEND_SOFT,
	EGPU_BACKEND_OTHER,
};

/**
 * enum egpu_policy - what happens to a GPU that passed its checks
 * @EGPU_POLICY_AUTO: it is admitted
 * @EGPU_POLICY_MANUAL: it stays HELD until ATTACH
 */
enum egpu_policy {
	EGPU_POLICY_AUTO = 0,
	EGPU_POLICY_MANUAL,
};

/* What is checked in HELD: bits of failed_checks and of ATTACH's ignore. */
#define EGPU_CHECK_CONFIG	(1U << 0) /* configuration space sane */
#define EGPU_CHECK_BAR		(1U << 1) /* memory BARs assigned and written */
#define EGPU_CHECK_LINK		(1U << 2) /* link as good as both ends allow */
#define EGPU_CHECK_ALL		(EGPU_CHECK_CONFIG | EGPU_CHECK_BAR | \
				 EGPU_CHECK_LINK)

/* Bits of egpu_port_info.flags. */
#define EGPU_PORT_TRACKED		(1U << 0)
#define EGPU_PORT_AUTO_TRACKED		(1U << 1) /* by topology, not by hand */
#define EGPU_PORT_HOTPLUG		(1U << 2) /* Hot-Plug Capable (PCIe 6.0.1 7.5.3.9) */
#define EGPU_PORT_EXTERNAL_FACING	(1U << 3) /* says firmware */
#define EGPU_PORT_REMOVABLE		(1U << 4)
#define EGPU_PORT_THUNDERBOLT		(1U << 5)
#define EGPU_PORT_CABLE			(1U << 6) /* tracked ports lie below it */
#define EGPU_PORT_POWER_CONTROLLER	(1U << 7)
#define EGPU_PORT_SAFE_TO_UNPLUG	(1U << 8) /* DETACHED, or EMPTY */
#define EGPU_PORT_OBSERVED		(1U << 9) /* gate=0: nothing is held */
#define EGPU_PORT_NO_RETURN		(1U << 10) /* too late to cancel */
#define EGPU_PORT_NO_RETRAIN		(1U << 11) /* arrivals are not retrained */
#define EGPU_PORT_SOFT			(1U << 12) /* its slot is to be egpu's own */
#define EGPU_PORT_LINK_REPORTING	(1U << 13) /* Link Active (PCIe 6.0.1 7.5.3.6) */

/* Kinds of transaction. */
#define EGPU_TRANSACTION_NONE		0
#define EGPU_TRANSACTION_ATTACH		1
#define EGPU_TRANSACTION_DETACH		2
#define EGPU_TRANSACTION_MEND		3 /* egpu's own, after a failed recovery */
#define EGPU_TRANSACTION_LINK		4
#define EGPU_TRANSACTION_MANAGE		5

/**
 * struct egpu_query - EGPU_IOC_QUERY: what this module is and can do
 * @size: sizeof(struct egpu_query)
 * @flags: must be 0
 * @abi_version: out: EGPU_ABI_VERSION of the module
 * @nr_ports: out: ports known, tracked or not
 * @ioctls: out: bit N is set when the ioctl with EGPU_CMD number N exists
 * @max_accepted: out: most users that one DETACH may accept
 * @event_queue: out: events that a reader's queue holds before it overflows
 * @module_version: out: NUL-terminated
 *
 * Anyone may call it.
 */
struct egpu_query {
	__u32 size;
	__u32 flags;
	__u32 abi_version;
	__u32 nr_ports;
	__aligned_u64 ioctls;
	__u32 max_accepted;
	__u32 event_queue;
	char module_version[EGPU_NAME_LEN];
};

/* egpu_port_list.flags: untracked ports, too. */
#define EGPU_PORT_LIST_ALL	(1U << 0)

/**
 * struct egpu_port_list - EGPU_IOC_PORT_LIST: the ids of the ports
 * @size: sizeof(struct egpu_port_list)
 * @flags: 0 or EGPU_PORT_LIST_ALL
 * @count: in: room in @ids, out: how many ports there are
 * @reserved: must be 0
 * @ids: address of an array of __u32, in ascending order; may be 0 when @count
 *	is 0
 *
 * An id is never used again while the module is loaded. Anyone may call it.
 */
struct egpu_port_list {
	__u32 size;
	__u32 flags;
	__u32 count;
	__u32 reserved;
	__aligned_u64 ids;
};

/**
 * struct egpu_counters - what happened to a port since it was tracked
 * @arrivals: GPUs that came
 * @attaches: times it became READY
 * @detaches: detach transactions that ended in DETACHED
 * @losses: times the GPU vanished without being asked to
 * @removals: times somebody else removed it
 * @recoveries: errors that the kernel recovered from
 * @failed_recoveries: errors after which the device was left unusable
 * @mends: failed recoveries mended by slot off and on
 */
struct egpu_counters {
	__u32 arrivals;
	__u32 attaches;
	__u32 detaches;
	__u32 losses;
	__u32 removals;
	__u32 recoveries;
	__u32 failed_recoveries;
	__u32 mends;
};

/**
 * struct egpu_port_info - EGPU_IOC_PORT_INFO: everything about one port
 * @size: sizeof(struct egpu_port_info)
 * @port: in: the port's id
 * @flags: out: EGPU_PORT_*
 * @state: out: enum egpu_state
 * @reason: out: enum egpu_reason
 * @backend: out: enum egpu_backend
 * @policy: out: enum egpu_policy
 * @cable_port: out: id of the outermost tracked port above, or its own
 * @domain: out: PCI domain of the port
 * @bus: out: bus number of the port
 * @devfn: out: device and function number, as PCI_DEVFN()
 * @secondary: out: bus number below the port, 0 when there is none
 * @reserved: out: 0
 * @generation: out: number of the arrival, 0 before the first
 * @since_ns: out: CLOCK_MONOTONIC of the last change of state
 * @step: out: enum egpu_step of the job that runs
 * @step_error: out: errno of the step that failed last, positive, or 0
 * @step_since_ns: out: when that step began, 0 when none runs
 * @step_driver: out: the driver whose probe() or remove() the step is in
 * @blocked_driver: out: the driver, on another port, that this one waits for
 * @blocked_port: out: that port, 0 when it waits for none
 * @nr_functions: out: functions below, gated or not
 * @blocked_since_ns: out: since when
 * @transaction: out: id of the running transaction, 0 for none
 * @transaction_kind: out: EGPU_TRANSACTION_*
 * @deadline_ns: out: CLOCK_MONOTONIC of its deadline, 0 for none
 * @nr_users: out: processes that use the GPU, as last looked at, for callers
 *	with CAP_SYS_ADMIN; for others -1
 * @failed_checks: out: EGPU_CHECK_* that failed
 * @ignored_checks: out: EGPU_CHECK_* that ATTACH was told to ignore
 * @quarantine_losses: out: so many losses ...
 * @quarantine_window_ms: out: ... in so many ms put the port in quarantine
 * @watch_ms: out: time between two looks at the link of a soft slot, in ms
 * @counters: out: see struct egpu_counters
 * @slot_name: out: name below /sys/bus/pci/slots, empty when there is none
 *
 * Answered from memory, never waits for hardware, a job or a driver. Anyone
 * may call it.
 *
 * Errors: ENOENT no such port, ENODEV it is gone.
 */
struct egpu_port_info {
	__u32 size;
	__u32 port;
	__u32 flags;
	__u32 state;
	__u32 reason;
	__u32 backend;
	__u32 policy;
	__u32 cable_port;
	__u32 domain;
	__u8 bus;
	__u8 devfn;
	__u8 secondary;
	__u8 reserved;
	__aligned_u64 generation;
	__aligned_u64 since_ns;
	__u32 step;
	__u32 step_error;
	__aligned_u64 step_since_ns;
	char step_driver[EGPU_NAME_LEN];
	char blocked_driver[EGPU_NAME_LEN];
	__u32 blocked_port;
	__u32 nr_functions;
	__aligned_u64 blocked_since_ns;
	__u32 transaction;
	__u32 transaction_kind;
	__aligned_u64 deadline_ns;
	__s32 nr_users;
	__u32 failed_checks;
	__u32 ignored_checks;
	__u32 quarantine_losses;
	__u32 quarantine_window_ms;
	__u32 watch_ms;
	struct egpu_counters counters;
	char slot_name[EGPU_NAME_LEN];
};

/* Bits of egpu_function.flags. */
#define EGPU_FUNCTION_GATED		(1U << 0) /* display, accelerator, sibling */
#define EGPU_FUNCTION_HELD		(1U << 1) /* kept from its driver */
#define EGPU_FUNCTION_BOUND		(1U << 2) /* has a driver, not egpu's hold */
#define EGPU_FUNCTION_DEFERRED		(1U << 3) /* a driver tried: deferred, failed */
#define EGPU_FUNCTION_VIRTUAL		(1U << 4) /* SR-IOV virtual function */
#define EGPU_FUNCTION_BOOT_DISPLAY	(1U << 5)
#define EGPU_FUNCTION_OVERRIDE		(1U << 6) /* a user's driver override */
#define EGPU_FUNCTION_FROZEN		(1U << 7) /* error_state: I/O frozen */
#define EGPU_FUNCTION_FAILED		(1U << 8) /* error_state: permanent */
#define EGPU_FUNCTION_ADOPTED		(1U << 9) /* was bound before egpu came */
#define EGPU_FUNCTION_UNTRUSTED		(1U << 10)

/**
 * struct egpu_bar - one base address register
 * @start: bus address; 0 without CAP_SYS_ADMIN, or unassigned
 * @length: bytes, 0 when there is no such BAR
 * @flags: EGPU_BAR_*
 * @reserved: 0
 */
struct egpu_bar {
	__aligned_u64 start;
	__aligned_u64 length;
	__u32 flags;
	__u32 reserved;
};

#define EGPU_BAR_MEMORY		(1U << 0)
#define EGPU_BAR_IO		(1U << 1)
#define EGPU_BAR_64BIT		(1U << 2)
#define EGPU_BAR_PREFETCHABLE	(1U << 3)
#define EGPU_BAR_ASSIGNED	(1U << 4)

/**
 * enum egpu_iommu - what stands between a function and memory
 * @EGPU_IOMMU_NONE: nothing: it reaches all that its address width allows
 * @EGPU_IOMMU_IDENTITY: an IOMMU that lets it through (passthrough)
 * @EGPU_IOMMU_STRICT: translation; what is unmapped is out of reach at once
 * @EGPU_IOMMU_LAZY: translation; what is unmapped stays in reach for some ms,
 *	but for bos, whose unmapping waits
 * @EGPU_IOMMU_OTHER: a domain of another kind
 * @EGPU_IOMMU_UNKNOWN: it has no driver, one that makes its own domain (VFIO), or
 *	is being bound; the group's type in sysfs says more
 */
enum egpu_iommu {
	EGPU_IOMMU_NONE = 0,
	EGPU_IOMMU_IDENTITY,
	EGPU_IOMMU_STRICT,
	EGPU_IOMMU_LAZY,
	EGPU_IOMMU_OTHER,
	EGPU_IOMMU_UNKNOWN,
};

#define EGPU_NO_IOMMU_GROUP	0xffffffffU

/* Bits of egpu_function.dma_flags. */
#define EGPU_DMA_MANAGED	(1U << 0) /* by egpu's DRM driver */
#define EGPU_DMA_BOUNCES	(1U << 1) /* memory above its reach is copied */
#define EGPU_DMA_MASTER		(1U << 2) /* bus mastering is on, as last set */

/**
 * struct egpu_function - a PCI function below a port
 * @domain: PCI domain
 * @bus: bus number
 * @devfn: device and function number, as PCI_DEVFN()
 * @reserved: 0
 * @vendor: vendor id
 * @device: device id
 * @subsystem_vendor: subsystem vendor id
 * @subsystem_device: subsystem id
 * @class: class code, 24 bits
 * @revision: revision id
 * @flags: EGPU_FUNCTION_*
 * @reserved2: 0
 * @generation: number of its arrival
 * @driver: name of the bound driver, empty when none
 * @bars: BARs 0 to 5, and the expansion ROM
 * @iommu_group: number of its IOMMU group, or EGPU_NO_IOMMU_GROUP
 * @iommu: enum egpu_iommu
 * @dma_bits: address width of its DMA; 0: none was set
 * @dma_flags: EGPU_DMA_*
 * @bo_bytes: of a managed function: memory in bos
 * @mapped_bytes: so much of it is mapped for the function
 * @mapped_segments: in so many segments
 */
struct egpu_function {
	__u32 domain;
	__u8 bus;
	__u8 devfn;
	__u16 reserved;
	__u16 vendor;
	__u16 device;
	__u16 subsystem_vendor;
	__u16 subsystem_device;
	__u32 class;
	__u32 revision;
	__u32 flags;
	__u32 reserved2;
	__aligned_u64 generation;
	char driver[EGPU_NAME_LEN];
	struct egpu_bar bars[7];
	__u32 iommu_group;
	__u32 iommu;
	__u32 dma_bits;
	__u32 dma_flags;
	__aligned_u64 bo_bytes;
	__aligned_u64 mapped_bytes;
	__aligned_u64 mapped_segments;
};

/**
 * struct egpu_function_list - EGPU_IOC_FUNCTION_LIST: what lies below a port
 * @size: sizeof(struct egpu_function_list)
 * @flags: must be 0
 * @port: the port's id
 * @count: in: room in @functions, out: how many there are
 * @element_size: sizeof(struct egpu_function) of the caller; smaller and
 *	larger ones are cut or filled with zeros
 * @reserved: must be 0
 * @functions: address of the array; may be 0 when @count is 0
 *
 * All PCI functions below a tracked port, gated or not, in order of address;
 * those below a nested tracked port are that port's. Bridges are not listed.
 * Anyone may call it; addresses of BARs are for CAP_SYS_ADMIN.
 *
 * Errors: ENOENT no such port, ENODEV it is gone.
 */
struct egpu_function_list {
	__u32 size;
	__u32 flags;
	__u32 port;
	__u32 count;
	__u32 element_size;
	__u32 reserved;
	__aligned_u64 functions;
};

/**
 * enum egpu_user_kind - the kind of node that a process has open
 * @EGPU_USER_OTHER: any other class of device
 * @EGPU_USER_DRM: /dev/dri/card*, renderD*
 * @EGPU_USER_ACCEL: /dev/accel/accel*
 * @EGPU_USER_SOUND: /dev/snd/...
 * @EGPU_USER_I2C: /dev/i2c-*
 * @EGPU_USER_AUX: /dev/drm_dp_aux*, /dev/cec*
 * @EGPU_USER_FB: /dev/fb*
 * @EGPU_USER_BLOCK: a block device
 * @EGPU_USER_IMPORTER: no process, with pid 0: @opens devices have imported a
 *	dma-buf of a managed function
 */
enum egpu_user_kind {
	EGPU_USER_OTHER = 0,
	EGPU_USER_DRM,
	EGPU_USER_ACCEL,
	EGPU_USER_SOUND,
	EGPU_USER_I2C,
	EGPU_USER_AUX,
	EGPU_USER_FB,
	EGPU_USER_BLOCK,
	EGPU_USER_IMPORTER,
	/* private: */
	EGPU_USER_KIND_COUNT
};

/**
 * struct egpu_user - one process that has one node open
 * @pid: process id in the caller's pid namespace, 0 when it has none there
 * @uid: user id in the caller's user namespace
 * @start_time: when the process began, ns of CLOCK_BOOTTIME; with @pid it
 *	names one process for ever
 * @kind: enum egpu_user_kind
 * @opens: how many open files of this process lead to the node
 * @major: device number of the node
 * @minor: device number of the node
 * @block: 1 when it is a block device
 * @reserved: 0
 * @comm: name of the process, NUL-terminated
 * @node: name of the device, such as card1, NUL-terminated
 */
struct egpu_user {
	__u32 pid;
	__u32 uid;
	__aligned_u64 start_time;
	__u32 kind;
	__u32 opens;
	__u32 major;
	__u32 minor;
	__u32 block;
	__u32 reserved;
	char comm[16];
	char node[EGPU_NAME_LEN];
};

/* egpu_user_list.flags: those of whom only user space can say what they use. */
#define EGPU_USER_LIST_SUSPECTS	(1U << 0)

/**
 * struct egpu_user_list - EGPU_IOC_USER_LIST: who has nodes of the GPU open
 * @size: sizeof(struct egpu_user_list)
 * @flags: 0 or EGPU_USER_LIST_SUSPECTS
 * @port: the port's id; 0 with EGPU_USER_LIST_SUSPECTS
 * @count: in: room in @users, out: how many there are
 * @element_size: sizeof(struct egpu_user) of the caller
 * @hidden: out: 1 when the caller sees only its own processes
 * @users: address of the array; may be 0 when @count is 0
 *
 * Processes that hold a character or block device open whose device lies in
 * the sysfs subtree of a gated or managed function. A file kept open by a mapping alone
 * and a dma-buf are not seen here; libegpu looks for those. Callers without
 * CAP_SYS_ADMIN see the processes of their own user id. The answer is already
 * old when it arrives: opening cannot be prevented.
 *
 * With EGPU_USER_LIST_SUSPECTS instead all processes that have a file open, or
 * mapped, which may lead to some GPU: a file of sysfs (a BAR), a dma-buf, a
 * character device other than memory and terminals (VFIO, a vendor's own); and
 * those whose mappings change at this moment. Nobody else holds such a file, so
 * nobody else has to be looked at. A process can stand there more than once, all
 * its elements together; of these @pid, @uid, @start_time, @comm and @opens, the
 * number of such files, mean something.
 *
 * Errors: ENOENT no such port, ENODEV it is gone.
 */
struct egpu_user_list {
	__u32 size;
	__u32 flags;
	__u32 port;
	__u32 count;
	__u32 element_size;
	__u32 hidden;
	__aligned_u64 users;
};

/* egpu_hop.flags; PCIe 6.0.1 sections 7.5.3.7, .8, .19 and .20. */
#define EGPU_LINK_ACTIVE	(1U << 0) /* Data Link Layer Link Active */
#define EGPU_LINK_TRAINING	(1U << 1)
#define EGPU_LINK_DISABLED	(1U << 2)
#define EGPU_LINK_FLIT		(1U << 3) /* in Flit mode */
#define EGPU_LINK_COMMON_CLOCK	(1U << 4)
#define EGPU_LINK_ASPM_L0S	(1U << 5) /* enabled */
#define EGPU_LINK_ASPM_L1	(1U << 6) /* enabled */
#define EGPU_LINK_LBMS		(1U << 7) /* bandwidth management status */
#define EGPU_LINK_LABS		(1U << 8) /* autonomous bandwidth status */
#define EGPU_LINK_HASD		(1U << 9) /* autonomous speed change is off */
#define EGPU_LINK_PARTNER_HASD	(1U << 10) /* ... at the far end */
#define EGPU_LINK_EQUALIZED	(1U << 11) /* equalization at 8 GT/s is done */
#define EGPU_LINK_EQ_REQUEST	(1U << 12) /* and is asked for again */
#define EGPU_LINK_RETIMER	(1U << 13)
#define EGPU_LINK_RETIMERS	(1U << 14) /* two of them */
#define EGPU_LINK_TUNNELLED	(1U << 15) /* over Thunderbolt or USB4 */
#define EGPU_LINK_DPC		(1U << 16) /* DPC keeps it down */
#define EGPU_LINK_PORT		(1U << 17) /* it is the port asked about */
#define EGPU_LINK_PARTNER	(1U << 18) /* partner_* are valid */
#define EGPU_LINK_KNOWN		(1U << 19) /* its registers could be read */

/**
 * struct egpu_hop - one link on the way from the root to the GPU
 * @domain: PCI domain
 * @bus: bus number of the Downstream Port
 * @devfn: its device and function number
 * @partner_bus: bus number of what is at the far end, 0: nothing
 * @partner_devfn: its device and function number, likewise
 * @flags: EGPU_LINK_*; without EGPU_LINK_KNOWN the port sleeps or is gone, and
 *	nothing is known of its own registers
 * @speed: current speed in tenths of GT/s; 0: the link is down, or unknown
 * @width: current lanes; 0: the link is down
 * @max_speed: the fastest the Downstream Port can do, tenths of GT/s
 * @max_width: lanes it has
 * @target_speed: its Target Link Speed, tenths of GT/s; 0: it has none
 * @partner_max_speed: with EGPU_LINK_PARTNER: the fastest the far end can do,
 *	tenths of GT/s; stays known while it sleeps
 * @partner_max_width: lanes it has
 * @lane_errors: Lane Error Status, a bit for each lane (7.7.3.3)
 * @dpc_status: DPC Status (7.9.14.4), 0 without DPC
 * @reserved: 0
 *
 * What Thunderbolt and USB4 tunnel always claims 2.5 GT/s (USB4 v2 section
 * 11.2.1); such links have EGPU_LINK_TUNNELLED.
 */
struct egpu_hop {
	__u32 domain;
	__u8 bus;
	__u8 devfn;
	__u8 partner_bus;
	__u8 partner_devfn;
	__u32 flags;
	__u32 speed;
	__u32 width;
	__u32 max_speed;
	__u32 max_width;
	__u32 target_speed;
	__u32 partner_max_speed;
	__u32 partner_max_width;
	__u32 lane_errors;
	__u32 dpc_status;
	__u32 reserved;
};

/* egpu_link_info.flags: read the GPU's end of its link, too. */
#define EGPU_LINK_INFO_ENDS	(1U << 0)

/**
 * struct egpu_link_info - EGPU_IOC_LINK_INFO: the links from the root to a GPU
 * @size: sizeof(struct egpu_link_info)
 * @flags: 0 or EGPU_LINK_INFO_ENDS
 * @port: the port's id
 * @count: in: room in @links, out: how many there are
 * @element_size: sizeof(struct egpu_hop) of the caller; smaller and larger
 *	ones are cut or filled with zeros
 * @reserved: must be 0
 * @links: address of the array; may be 0 when @count is 0
 * @best_ns: out: CLOCK_MONOTONIC, when @best_speed was seen last; 0: never
 * @best_speed: out: the fastest that the port's link was seen at since the GPU
 *	came, tenths of GT/s; a GPU that idles lowers its link
 * @best_width: out: the most lanes, likewise
 * @limit_speed: out: the limit that LINK_SET gave the port, tenths of GT/s; 0:
 *	none
 * @limit_vendor: out: vendor of the device that the limit is for; 0: for all
 * @limit_device: out: its device id
 * @wired_width: out: lanes that are connected, as training showed; 0: as many
 *	as both ends have, or not known
 * @reserved2: out: 0
 *
 * The first is the root port's, the last leads to the GPU, or, when there is
 * none, to the port's empty slot. Registers of ports are read at most four
 * times a second, and only while they are awake. The GPU is not accessed unless
 * EGPU_LINK_INFO_ENDS asks for it, then as seldom, and it is never woken; what
 * its end can do is else told as it was read last, which is when it came.
 * Anyone may call it.
 *
 * Errors: ENOENT no such port, ENODEV it is gone.
 */
struct egpu_link_info {
	__u32 size;
	__u32 flags;
	__u32 port;
	__u32 count;
	__u32 element_size;
	__u32 reserved;
	__aligned_u64 links;
	__aligned_u64 best_ns;
	__u32 best_speed;
	__u32 best_width;
	__u32 limit_speed;
	__u16 limit_vendor;
	__u16 limit_device;
	__u32 wired_width;
	__u32 reserved2;
};

/* egpu_link_set.flags: train the link to @speed, which limits it from now on. */
#define EGPU_LINK_SET_SPEED	(1U << 0)
/* Train the link, also when it seems as good as it gets. */
#define EGPU_LINK_SET_RETRAIN	(1U << 1)
/* Set Hardware Autonomous Speed Disable at both ends, ... */
#define EGPU_LINK_SET_FIXED	(1U << 2)
/* ... or clear it: the device may change the speed by itself. */
#define EGPU_LINK_SET_AUTONOMOUS (1U << 3)
/* Although a driver is bound. The worst case is the device's loss. */
#define EGPU_LINK_SET_LIVE	(1U << 4)
/* Only remember the limit: it holds from the next check of an arrival on. */
#define EGPU_LINK_SET_LATER	(1U << 5)
#define EGPU_LINK_SET_FLAGS \
	(EGPU_LINK_SET_SPEED | EGPU_LINK_SET_RETRAIN | EGPU_LINK_SET_FIXED | \
	 EGPU_LINK_SET_AUTONOMOUS | EGPU_LINK_SET_LIVE | EGPU_LINK_SET_LATER)

/**
 * struct egpu_link_set - EGPU_IOC_LINK_SET: speed and training of a port's link
 * @size: sizeof(struct egpu_link_set)
 * @flags: EGPU_LINK_SET_*: at least one of SPEED, RETRAIN, FIXED, AUTONOMOUS;
 *	not FIXED with AUTONOMOUS; LATER with SPEED alone
 * @port: the port's id
 * @speed: with SPEED: 25, 50, 80, 160, 320, 640 or 1280 tenths of GT/s, or 0:
 *	no limit, as fast as both ends can; else 0
 * @vendor: with SPEED: the limit is for arrivals of this vendor and device
 *	only; 0: for all
 * @device: likewise
 * @transaction: out: id of the transaction; 0 with LATER
 *
 * Sets Target Link Speed and Retrain Link at the Downstream Port (PCIe 6.0.1
 * sections 7.5.3.7 and 7.5.3.19), as a transaction of kind
 * EGPU_TRANSACTION_LINK; its steps, and an EGPU_EVENT_LINK after each, tell the
 * time that each took and what came of it.
 *
 * HELD: when Recovery does not reach the speed, the bus below is reset; when
 * that does not either, the old speed is restored, and the result is EIO with
 * EGPU_REASON_LINK_SPEED. READY: wants EGPU_LINK_SET_LIVE, and does without the
 * reset. A link that goes down costs the device: pciehp removes it, and the
 * port is LOST with EGPU_REASON_LINK_SET. EMPTY, DETACHED: only the target is
 * set. The limit is kept when the transaction succeeds, and holds for each
 * arrival until it is set again, the port is forgotten or the module is
 * unloaded; then the port has the Target Link Speed again that it had before. A
 * target that somebody else lowered (firmware, the kernel's bandwidth
 * controller) is exceeded by SPEED alone, not by RETRAIN, nor for an arrival.
 *
 * Results: 0, EIO (another speed than asked for), ETIMEDOUT (training did not
 * end in the second that the specification gives), ENODEV (lost), ECANCELED,
 * EBUSY (a driver is bound below, CXL memory is in use, or the kernel recovers
 * from an error), EOPNOTSUPP (a tunnelled
 * link; a speed that an end cannot do; before PCIe 2.0). Needs CAP_SYS_ADMIN.
 *
 * Errors: ENOENT, EBUSY a transaction runs, or a driver is bound and LIVE is
 * not given, ENODEV the port is gone, EOPNOTSUPP not tracked, EPERM also: the
 * kernel is locked down.
 */
struct egpu_link_set {
	__u32 size;
	__u32 flags;
	__u32 port;
	__u32 speed;
	__u16 vendor;
	__u16 device;
	__u32 transaction;
};

/**
 * struct egpu_attach - EGPU_IOC_ATTACH: admit, or bring back, a GPU
 * @size: sizeof(struct egpu_attach)
 * @flags: must be 0
 * @port: the port's id
 * @ignore: EGPU_CHECK_* to ignore if they fail
 * @transaction: out: id of the transaction
 * @reserved: must be 0
 *
 * HELD: admits it. DETACHED: slot on; what comes is admitted. EMPTY: slot on or
 * rescan. FAULT: tries again. READY: nothing to do, the transaction ends at
 * once. QUARANTINED: admits it, the quarantine ends. Needs CAP_SYS_ADMIN.
 *
 * Errors: ENOENT, EBUSY another transaction runs, ENODEV the port is gone,
 * EOPNOTSUPP the port is not tracked.
 */
struct egpu_attach {
	__u32 size;
	__u32 flags;
	__u32 port;
	__u32 ignore;
	__u32 transaction;
	__u32 reserved;
};

/**
 * struct egpu_accepted - a user that DETACH may ignore
 * @pid: as in struct egpu_user
 * @reserved: must be 0
 * @start_time: as in struct egpu_user
 */
struct egpu_accepted {
	__u32 pid;
	__u32 reserved;
	__aligned_u64 start_time;
};

#define EGPU_MAX_ACCEPTED	256

/* egpu_detach.flags: unbind although it is used. May hang in remove(). */
#define EGPU_DETACH_FORCE	(1U << 0)
/* egpu_detach.flags: only check; nothing is changed, no transaction begins. */
#define EGPU_DETACH_CHECK	(1U << 1)
/*
 * egpu_detach.flags: end in HELD: drivers unbound, slot left on. Not on a port
 * with tracked ports below it.
 */
#define EGPU_DETACH_HOLD	(1U << 2)
#define EGPU_DETACH_FLAGS \
	(EGPU_DETACH_FORCE | EGPU_DETACH_CHECK | EGPU_DETACH_HOLD)

/**
 * struct egpu_detach - EGPU_IOC_DETACH: take a GPU out, as a transaction
 * @size: sizeof(struct egpu_detach)
 * @flags: EGPU_DETACH_*
 * @port: the port's id
 * @wait_ms: how long to wait for users to go, 0: refuse at once when there are
 *	any, EGPU_WAIT_FOREVER: no deadline
 * @transaction: out: id of the transaction, 0 with EGPU_DETACH_CHECK
 * @nr_accepted: how many entries @accepted has, at most EGPU_MAX_ACCEPTED
 * @accepted: address of an array of struct egpu_accepted: users that do not
 *	hold the detach back, also not at its second look
 *
 * Looks who uses the GPU, waits, puts the hold back, looks again, unbinds every
 * function below, switches the slot off. Until unbinding begins it can be
 * cancelled and everything is as before. The end comes as an event of type
 * EGPU_EVENT_TRANSACTION with the result: 0, EBUSY, ETIMEDOUT, ECANCELED,
 * ENODEV (lost meanwhile), EPERM (boot display), EIO (slot operation).
 * On a cable port all ports below are detached; one that refuses releases all.
 * Needs CAP_SYS_ADMIN.
 *
 * Errors: ENOENT, EBUSY another transaction runs (or, with EGPU_DETACH_CHECK,
 * users), ENODEV nothing is there to detach, EOPNOTSUPP not tracked, EPERM
 * boot display. With EGPU_DETACH_HOLD EOPNOTSUPP also: there are ports below;
 * ENODEV also: there is no GPU to hold.
 */
struct egpu_detach {
	__u32 size;
	__u32 flags;
	__u32 port;
	__u32 wait_ms;
	__u32 transaction;
	__u32 nr_accepted;
	__aligned_u64 accepted;
};

#define EGPU_WAIT_FOREVER	0xffffffffU

/**
 * struct egpu_cancel - EGPU_IOC_CANCEL: stop a transaction
 * @size: sizeof(struct egpu_cancel)
 * @flags: must be 0
 * @port: the port's id
 * @transaction: its id, or 0 for whichever runs
 *
 * Needs CAP_SYS_ADMIN.
 *
 * Errors: ENOENT no such port, or the transaction does not run (any more),
 * EBUSY it is past the point of no return.
 */
struct egpu_cancel {
	__u32 size;
	__u32 flags;
	__u32 port;
	__u32 transaction;
};

/* egpu_port_config.flags: what to do; more than one may be given. */
#define EGPU_CONFIG_TRACK		(1U << 0)
#define EGPU_CONFIG_FORGET		(1U << 1)
#define EGPU_CONFIG_POLICY		(1U << 2)
#define EGPU_CONFIG_QUARANTINE		(1U << 3) /* set the limits */
#define EGPU_CONFIG_QUARANTINE_RESET	(1U << 4) /* end it now */
#define EGPU_CONFIG_BY_ADDRESS		(1U << 5) /* @port is out, not in */
#define EGPU_CONFIG_RETRAIN		(1U << 6) /* arrivals with a poor link */
#define EGPU_CONFIG_NO_RETRAIN		(1U << 7) /* ... or take them as they are */
#define EGPU_CONFIG_SOFT		(1U << 8) /* with TRACK: its slot is egpu's own */
#define EGPU_CONFIG_WATCH		(1U << 9) /* set @watch_ms */
#define EGPU_CONFIG_FLAGS \
	(EGPU_CONFIG_TRACK | EGPU_CONFIG_FORGET | EGPU_CONFIG_POLICY | \
	 EGPU_CONFIG_QUARANTINE | EGPU_CONFIG_QUARANTINE_RESET | \
	 EGPU_CONFIG_BY_ADDRESS | EGPU_CONFIG_RETRAIN | \
	 EGPU_CONFIG_NO_RETRAIN | EGPU_CONFIG_SOFT | EGPU_CONFIG_WATCH)

#define EGPU_WATCH_MS_MIN	20U
#define EGPU_WATCH_MS_MAX	60000U
#define EGPU_WATCH_MS_DEFAULT	250U

/**
 * struct egpu_port_config - EGPU_IOC_PORT_CONFIG: how a port is treated
 * @size: sizeof(struct egpu_port_config)
 * @flags: EGPU_CONFIG_*, at least one that does something
 * @port: the port's id; with EGPU_CONFIG_BY_ADDRESS it is written
 * @domain: PCI domain of the port, with EGPU_CONFIG_BY_ADDRESS; else 0
 * @bus: its bus number, likewise
 * @devfn: its device and function number, likewise
 * @reserved: must be 0
 * @policy: enum egpu_policy, with EGPU_CONFIG_POLICY; else 0
 * @quarantine_losses: so many losses, at most EGPU_QUARANTINE_LOSSES_MAX, with
 *	EGPU_CONFIG_QUARANTINE; 0: never
 * @quarantine_window_ms: in so many ms, at most EGPU_QUARANTINE_WINDOW_MAX
 * @watch_ms: time between two looks at the link of a soft slot, with
 *	EGPU_CONFIG_WATCH: EGPU_WATCH_MS_MIN to EGPU_WATCH_MS_MAX; else 0
 *
 * SOFT is for a port without hotplug capability that reports Data Link Layer
 * Link Active (most OCuLink and M.2 links): egpu registers a hotplug slot of its
 * own and watches the link. It is registered a moment later: then the port's
 * backend is EGPU_BACKEND_SOFT. Where that fails, as when another hotplug driver
 * has the slot, EGPU_PORT_SOFT is cleared and @step_error says why.
 *
 * FORGET lets a held GPU go to its driver and then leaves the port alone; what
 * is bound stays bound. A port that is tracked by topology can be forgotten,
 * too. Needs CAP_SYS_ADMIN.
 *
 * Errors: ENOENT no such port (or no PCIe downstream port at that address),
 * EBUSY a transaction runs, EOPNOTSUPP (SOFT) it has a hotplug capability, or
 * does not report its link.
 */
struct egpu_port_config {
	__u32 size;
	__u32 flags;
	__u32 port;
	__u32 domain;
	__u8 bus;
	__u8 devfn;
	__u16 reserved;
	__u32 policy;
	__u32 quarantine_losses;
	__u32 quarantine_window_ms;
	__u32 watch_ms;
};

/* egpu_function_manage.flags: give it to egpu's DRM driver, ... */
#define EGPU_MANAGE_TAKE	(1U << 0)
/* ... or back to the driver that wants it. */
#define EGPU_MANAGE_RETURN	(1U << 1)
#define EGPU_MANAGE_FLAGS	(EGPU_MANAGE_TAKE | EGPU_MANAGE_RETURN)

#define EGPU_DMA_BITS_MIN	24U
#define EGPU_DMA_BITS_MAX	64U

/**
 * struct egpu_function_manage - EGPU_IOC_FUNCTION_MANAGE: who drives a function
 * @size: sizeof(struct egpu_function_manage)
 * @flags: EGPU_MANAGE_TAKE or EGPU_MANAGE_RETURN
 * @domain: PCI domain of the function
 * @bus: its bus number
 * @devfn: its device and function number, as PCI_DEVFN()
 * @reserved: must be 0
 * @dma_bits: with TAKE: address width of its DMA, EGPU_DMA_BITS_MIN to
 *	EGPU_DMA_BITS_MAX; else 0
 * @port: out: the port that it is below
 * @transaction: out: id of the transaction, of kind EGPU_TRANSACTION_MANAGE
 * @reserved2: must be 0
 *
 * TAKE: a function of any class below a tracked port, which is held or has no
 * driver and is no virtual function, is bound to egpu and has a DRM device from
 * then on: see include/uapi/drm/egpu_drm.h. RETURN: what it could reach is taken
 * away, who has the DRM device open gets ENODEV, and its own driver is bound.
 * Needs CAP_SYS_ADMIN.
 *
 * Results: 0, EBUSY it has a driver, or a driver override that is a user's;
 * ENODEV it is gone, or (RETURN) not egpu's; EIO it does not take the width;
 * ENOMEM.
 *
 * Errors: EINVAL, EBUSY a transaction runs, ENOENT no such function below a
 * tracked port, ENODEV the port is gone, EPERM also: the kernel is locked down.
 */
struct egpu_function_manage {
	__u32 size;
	__u32 flags;
	__u32 domain;
	__u8 bus;
	__u8 devfn;
	__u16 reserved;
	__u32 dma_bits;
	__u32 port;
	__u32 transaction;
	__u32 reserved2;
};

#define EGPU_QUARANTINE_LOSSES_MAX	16U
#define EGPU_QUARANTINE_WINDOW_MAX	3600000U

/**
 * enum egpu_event_type - what an event tells
 * @EGPU_EVENT_OVERFLOW: the reader was too slow; @value events were lost here
 * @EGPU_EVENT_PORT_ADDED: a port appeared, or is tracked now
 * @EGPU_EVENT_PORT_REMOVED: a port is gone, or is not tracked any more
 * @EGPU_EVENT_STATE: the state went from @from to @to, see @reason; when both
 *	are the same, the reason is new
 * @EGPU_EVENT_FUNCTION_ADDED: a function arrived, see its address
 * @EGPU_EVENT_FUNCTION_REMOVED: a function went
 * @EGPU_EVENT_BOUND: a driver, see @name, was bound to a function
 * @EGPU_EVENT_UNBOUND: a driver was unbound
 * @EGPU_EVENT_STEP: a transaction's step @to began; PORT_INFO names its driver
 * @EGPU_EVENT_USERS: a drain saw @value users
 * @EGPU_EVENT_TRANSACTION: @transaction of kind @from ended with @error
 * @EGPU_EVENT_CHECK: a check failed: bit @value of EGPU_CHECK_*
 * @EGPU_EVENT_ERROR: a function's error state changed: @to is 1 normal, 2
 *	frozen, 3 permanent failure, as in pci_channel_state_t
 * @EGPU_EVENT_CONFIG: the port's configuration changed
 * @EGPU_EVENT_LINK: the link was trained: from speed @from to @to, tenths of
 *	GT/s, 0: down; @value lanes now; @error: ETIMEDOUT, EIO (another speed
 *	than asked for), ENODEV (down) or 0. By the gate, or by LINK_SET
 */
enum egpu_event_type {
	EGPU_EVENT_OVERFLOW = 0,
	EGPU_EVENT_PORT_ADDED,
	EGPU_EVENT_PORT_REMOVED,
	EGPU_EVENT_STATE,
	EGPU_EVENT_FUNCTION_ADDED,
	EGPU_EVENT_FUNCTION_REMOVED,
	EGPU_EVENT_BOUND,
	EGPU_EVENT_UNBOUND,
	EGPU_EVENT_STEP,
	EGPU_EVENT_USERS,
	EGPU_EVENT_TRANSACTION,
	EGPU_EVENT_CHECK,
	EGPU_EVENT_ERROR,
	EGPU_EVENT_CONFIG,
	EGPU_EVENT_LINK,
	/* private: */
	EGPU_EVENT_COUNT
};

/**
 * struct egpu_event - a record as read() gives it
 * @size: bytes of this record; the next begins behind it
 * @type: enum egpu_event_type
 * @seq: number of the event, counted over all ports since load; the numbers
 *	that a reader sees rise, and a gap is what its filter left out or what
 *	an overflow record accounts for
 * @time_ns: CLOCK_MONOTONIC
 * @generation: of the port's GPU
 * @port: the port's id
 * @transaction: the transaction it belongs to, or 0
 * @from: by type, see enum egpu_event_type
 * @to: by type
 * @reason: enum egpu_reason
 * @error: errno, positive, or 0
 * @value: by type
 * @domain: PCI domain of the function meant, or of the port
 * @bus: bus number
 * @devfn: device and function number
 * @reserved: 0
 * @reserved2: 0
 * @name: driver, by type; NUL-terminated
 *
 * read() gives whole records only, as many as fit; it is EINVAL when not even
 * one fits, and EAGAIN when there is none and the file is non-blocking.
 */
struct egpu_event {
	__u32 size;
	__u32 type;
	__aligned_u64 seq;
	__aligned_u64 time_ns;
	__aligned_u64 generation;
	__u32 port;
	__u32 transaction;
	__u32 from;
	__u32 to;
	__u32 reason;
	__u32 error;
	__u32 value;
	__u32 domain;
	__u8 bus;
	__u8 devfn;
	__u16 reserved;
	__u32 reserved2;
	char name[EGPU_NAME_LEN];
};

/**
 * struct egpu_event_subscribe - EGPU_IOC_EVENT_SUBSCRIBE: which events to read
 * @size: sizeof(struct egpu_event_subscribe)
 * @flags: must be 0
 * @mask: bit N: events of type N; overflow records always come; 0 ends it
 * @port: only this port's, or 0 for all
 * @reserved: must be 0
 * @seq: out: number of the last event before this subscription; what PORT_INFO
 *	says afterwards is at least as new
 *
 * A file has no events before it has subscribed. Subscribing again replaces
 * the filter; what is queued stays. Anyone may call it. EGPU_EVENT_USERS comes
 * only to files that were opened with CAP_SYS_ADMIN.
 *
 * Errors: ENOENT no such port, ENODEV it is gone.
 */
struct egpu_event_subscribe {
	__u32 size;
	__u32 flags;
	__aligned_u64 mask;
	__u32 port;
	__u32 reserved;
	__aligned_u64 seq;
};

#define EGPU_IOC_QUERY		_IO(EGPU_IOC_TYPE, EGPU_CMD_QUERY)
#define EGPU_IOC_PORT_LIST	_IO(EGPU_IOC_TYPE, EGPU_CMD_PORT_LIST)
#define EGPU_IOC_PORT_INFO	_IO(EGPU_IOC_TYPE, EGPU_CMD_PORT_INFO)
#define EGPU_IOC_FUNCTION_LIST	_IO(EGPU_IOC_TYPE, EGPU_CMD_FUNCTION_LIST)
#define EGPU_IOC_USER_LIST	_IO(EGPU_IOC_TYPE, EGPU_CMD_USER_LIST)
#define EGPU_IOC_ATTACH		_IO(EGPU_IOC_TYPE, EGPU_CMD_ATTACH)
#define EGPU_IOC_DETACH		_IO(EGPU_IOC_TYPE, EGPU_CMD_DETACH)
#define EGPU_IOC_CANCEL		_IO(EGPU_IOC_TYPE, EGPU_CMD_CANCEL)
#define EGPU_IOC_PORT_CONFIG	_IO(EGPU_IOC_TYPE, EGPU_CMD_PORT_CONFIG)
#define EGPU_IOC_EVENT_SUBSCRIBE _IO(EGPU_IOC_TYPE, EGPU_CMD_EVENT_SUBSCRIBE)
#define EGPU_IOC_LINK_INFO	_IO(EGPU_IOC_TYPE, EGPU_CMD_LINK_INFO)
#define EGPU_IOC_LINK_SET	_IO(EGPU_IOC_TYPE, EGPU_CMD_LINK_SET)
#define EGPU_IOC_FUNCTION_MANAGE _IO(EGPU_IOC_TYPE, EGPU_CMD_FUNCTION_MANAGE)

#endif /* _UAPI_LINUX_EGPU_H */
