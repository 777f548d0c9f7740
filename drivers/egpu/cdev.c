// SPDX-License-Identifier: GPL-2.0-only
/*
 * /dev/egpu: one table of ioctls, the rules for their arguments, privilege; and
 * the reading of events. Nothing here waits for a job, a driver or hardware.
 */
#include <linux/capability.h>
#include <linux/fs.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/pci.h>
#include <linux/pid.h>
#include <linux/poll.h>
#include <linux/slab.h>
#include <linux/sort.h>
#include <linux/timekeeping.h>
#include <linux/uaccess.h>
#include <linux/vgaarb.h>

#include "egpu.h"

union egpu_args {
	u32 size;
	struct egpu_query query;
	struct egpu_port_list port_list;
	struct egpu_port_info port_info;
	struct egpu_function_list function_list;
	struct egpu_user_list user_list;
	struct egpu_attach attach;
	struct egpu_detach detach;
	struct egpu_cancel cancel;
	struct egpu_port_config port_config;
	struct egpu_event_subscribe subscribe;
};

/**
 * struct egpu_ioctl - an entry of the table
 * @size: of the struct
 * @min: the shortest one that has what must be given
 * @admin: needs CAP_SYS_ADMIN
 * @fn: does it; @args is zero behind what the caller gave
 */
struct egpu_ioctl {
	u32 size;
	u32 min;
	bool admin;
	long (*fn)(struct egpu_reader *reader, union egpu_args *args);
};

static const struct egpu_ioctl egpu_ioctls[];
static u64 egpu_ioctl_mask(void);

/* For what only shows more: no denial goes to the audit log. */
static bool egpu_may_admin(void)
{
	return ns_capable_noaudit(&init_user_ns, CAP_SYS_ADMIN);
}

static struct egpu_port *egpu_cdev_port(u32 id, long *err)
{
	struct egpu_port *port = id ? egpu_port_get_by_id(id) : NULL;

	if (!port)
		*err = id && id <= egpu_port_last_id() ? -ENODEV : -ENOENT;
	return port;
}

static long egpu_ioctl_query(struct egpu_reader *reader, union egpu_args *args)
{
	struct egpu_query *query = &args->query;

	if (query->flags)
		return -EINVAL;
	query->abi_version = EGPU_ABI_VERSION;
	query->nr_ports = egpu_port_count();
	query->ioctls = egpu_ioctl_mask();
	query->max_accepted = EGPU_MAX_ACCEPTED;
	query->event_queue = egpu_event_queue_length();
	memset(query->module_version, 0, sizeof(query->module_version));
	strscpy(query->module_version, EGPU_VERSION,
		sizeof(query->module_version));
	return 0;
}

static long egpu_ioctl_port_list(struct egpu_reader *reader,
				 union egpu_args *args)
{
	struct egpu_port_list *list = &args->port_list;
	u32 __user *ids = u64_to_user_ptr(list->ids);
	struct egpu_port *port;
	u32 total = 0;
	long ret = 0;
	u32 id = 0;

	if (list->flags & ~EGPU_PORT_LIST_ALL || list->reserved)
		return -EINVAL;
	while (!ret && (port = egpu_port_next(id))) {
		id = port->id;
		if (READ_ONCE(port->tracked) ||
		    list->flags & EGPU_PORT_LIST_ALL) {
			if (total < list->count && put_user(id, ids + total))
				ret = -EFAULT;
			total++;
		}
		egpu_port_put(port);
	}
	list->count = total;
	return ret;
}

/*
 * The state of a cable port without a GPU of its own is that of the ports
 * below; when they differ, the one that needs attention most.
 */
static u32 egpu_port_derived_state(struct egpu_port *port)
{
	static const u8 rank[EGPU_STATE_COUNT] = {
		[EGPU_STATE_EMPTY] = 1, [EGPU_STATE_DETACHED] = 2,
		[EGPU_STATE_READY] = 3, [EGPU_STATE_TRAINING] = 4,
		[EGPU_STATE_HELD] = 5, [EGPU_STATE_QUARANTINED] = 6,
		[EGPU_STATE_BINDING] = 7, [EGPU_STATE_DRAINING] = 8,
		[EGPU_STATE_DETACHING] = 9, [EGPU_STATE_LOST] = 10,
		[EGPU_STATE_FAULT] = 11,
	};
	u32 state = EGPU_STATE_EMPTY;
	struct egpu_port *child;
	u32 id = 0;

	while ((child = egpu_port_next_below(port, id))) {
		id = child->id;
		if (rank[READ_ONCE(child->state)] > rank[state])
			state = READ_ONCE(child->state);
		egpu_port_put(child);
	}
	return state;
}

/* A driver that the driver core is in, whether by a job of ours or not. */
static void egpu_info_busy(struct egpu_port_info *info, struct egpu_port *port)
{
	struct egpu_fn *fn;

	list_for_each_entry(fn, &port->functions, node) {
		if (!fn->busy_since)
			continue;
		strscpy(info->step_driver, fn->driver,
			sizeof(info->step_driver));
		if (port->step != EGPU_STEP_NONE)
			return;
		info->step = fn->removing ? EGPU_STEP_REMOVE : EGPU_STEP_PROBE;
		info->step_since_ns = fn->busy_since;
		return;
	}
}

static void egpu_info_fill(struct egpu_port_info *info, struct egpu_port *port)
{
	struct pci_dev *pdev = port->pdev;
	struct egpu_fn *fn;

	lockdep_assert_held(&port->lock);
	info->flags = port->topology;
	if (port->tracked)
		info->flags |= EGPU_PORT_TRACKED;
	if (port->by_topology)
		info->flags |= EGPU_PORT_AUTO_TRACKED;
	if (port->no_return)
		info->flags |= EGPU_PORT_NO_RETURN;
	if (!egpu_gate)
		info->flags |= EGPU_PORT_OBSERVED;
	info->state = port->state;
	info->reason = port->reason;
	info->backend = port->backend;
	info->policy = port->policy;
	info->domain = port->domain;
	info->bus = pdev->bus->number;
	info->devfn = pdev->devfn;
	info->secondary = port->secondary;
	info->generation = port->generation;
	info->since_ns = port->since_ns;
	info->step = port->step;
	info->step_error = port->step_error;
	info->step_since_ns = port->step_since_ns;
	strscpy(info->step_driver, port->step_driver,
		sizeof(info->step_driver));
	egpu_info_busy(info, port);
	list_for_each_entry(fn, &port->functions, node)
		info->nr_functions++;
	info->transaction = port->txn.id;
	info->transaction_kind = port->txn.kind;
	info->deadline_ns = port->txn.deadline_ns;
	info->nr_users = port->nr_users;
	info->failed_checks = port->failed_checks;
	info->ignored_checks = port->ignored_checks;
	info->quarantine_losses = port->quarantine_losses;
	info->quarantine_window_ms = port->quarantine_window_ms;
	info->counters = port->counters;
	strscpy(info->slot_name, port->slot_name, sizeof(info->slot_name));
}

static bool egpu_step_wants_rescan_lock(u32 step)
{
	return step == EGPU_STEP_SCAN || step == EGPU_STEP_CHECK ||
	       step == EGPU_STEP_SLOT_OFF || step == EGPU_STEP_SLOT_ON;
}

/*
 * A job that waits for the rescan lock longer than any scan takes: whose driver
 * has been in remove() since before? Nobody can cure it, but it can be named.
 */
static void egpu_info_blocked(struct egpu_port_info *info)
{
	u64 now = ktime_get_ns();
	struct egpu_port *other;
	struct egpu_fn *fn;
	u32 id = 0;

	if (!egpu_step_wants_rescan_lock(info->step) ||
	    now - info->step_since_ns < EGPU_BLOCKED_MS * NSEC_PER_MSEC)
		return;
	while ((other = egpu_port_next(id))) {
		id = other->id;
		mutex_lock(&other->lock);
		list_for_each_entry(fn, &other->functions, node) {
			if (id == info->port || !fn->busy_since ||
			    now - fn->busy_since <
			    EGPU_BLOCKED_MS * NSEC_PER_MSEC)
				continue;
			info->blocked_port = id;
			info->blocked_since_ns = info->step_since_ns;
			strscpy(info->blocked_driver, fn->driver,
				sizeof(info->blocked_driver));
		}
		mutex_unlock(&other->lock);
		egpu_port_put(other);
	}
}

static long egpu_ioctl_port_info(struct egpu_reader *reader,
				 union egpu_args *args)
{
	struct egpu_port_info *info = &args->port_info;
	u32 size = info->size, id = info->port;
	struct egpu_port *port;
	bool children;
	long ret = 0;

	port = egpu_cdev_port(id, &ret);
	if (!port)
		return ret;
	memset(info, 0, sizeof(*info));
	info->size = size;
	info->port = id;
	info->cable_port = egpu_port_cable_id(port);
	children = egpu_port_has_children(port);
	mutex_lock(&port->lock);
	egpu_info_fill(info, port);
	mutex_unlock(&port->lock);
	if (children) {
		info->flags |= EGPU_PORT_CABLE;
		if (info->state == EGPU_STATE_EMPTY)
			info->state = egpu_port_derived_state(port);
	}
	if (!egpu_may_admin())
		info->nr_users = -1;
	if ((info->state == EGPU_STATE_EMPTY ||
	     info->state == EGPU_STATE_DETACHED) &&
	    !egpu_port_is_occupied(port))
		info->flags |= EGPU_PORT_SAFE_TO_UNPLUG;
	egpu_info_blocked(info);
	egpu_port_put(port);
	return 0;
}

static bool egpu_element_size_ok(u32 count, u32 element_size)
{
	return !count || (element_size && element_size <= EGPU_ELEMENT_MAX);
}

/* Hand out elements of our size where the caller's may differ. */
static long egpu_copy_element(u64 array, u32 element_size, u32 i,
			      const void *element, u32 size)
{
	void __user *to = u64_to_user_ptr(array + (u64)i * element_size);

	if (copy_to_user(to, element, min(size, element_size)))
		return -EFAULT;
	if (element_size > size && clear_user(to + size, element_size - size))
		return -EFAULT;
	return 0;
}

static void egpu_bar_fill(struct egpu_bar *bar, const struct egpu_fn *fn,
			  int i, bool privileged)
{
	struct pci_dev *pdev = fn->pdev;
	const struct resource *res = &pdev->resource[i];

	if (!(res->flags & (IORESOURCE_MEM | IORESOURCE_IO)) ||
	    !resource_size(res) || !res->end) {
		/* The kernel found no space for it, and forgot it. */
		if (i < PCI_STD_NUM_BARS && fn->bar_size[i]) {
			bar->length = fn->bar_size[i];
			bar->flags = EGPU_BAR_MEMORY;
		}
		return;
	}
	bar->length = resource_size(res);
	bar->flags = res->flags & IORESOURCE_IO ? EGPU_BAR_IO : EGPU_BAR_MEMORY;
	if (res->flags & IORESOURCE_MEM_64)
		bar->flags |= EGPU_BAR_64BIT;
	if (res->flags & IORESOURCE_PREFETCH)
		bar->flags |= EGPU_BAR_PREFETCHABLE;
	if (!res->parent || res->flags & IORESOURCE_UNSET)
		return;
	bar->flags |= EGPU_BAR_ASSIGNED;
	if (privileged)
		bar->start = pci_bus_address(pdev, i);
}

static u32 egpu_function_flags(const struct egpu_fn *fn)
{
	pci_channel_state_t error = READ_ONCE(fn->pdev->error_state);
	u32 flags = 0;

	flags |= fn->gated ? EGPU_FUNCTION_GATED : 0;
	flags |= fn->hold ? EGPU_FUNCTION_HELD : 0;
	flags |= fn->bound ? EGPU_FUNCTION_BOUND : 0;
	flags |= fn->probe_failed && !fn->bound ? EGPU_FUNCTION_DEFERRED : 0;
	flags |= fn->override ? EGPU_FUNCTION_OVERRIDE : 0;
	flags |= fn->adopted ? EGPU_FUNCTION_ADOPTED : 0;
	flags |= fn->pdev->is_virtfn ? EGPU_FUNCTION_VIRTUAL : 0;
	flags |= fn->pdev->untrusted ? EGPU_FUNCTION_UNTRUSTED : 0;
	if (fn->found && vga_default_device() == fn->pdev)
		flags |= EGPU_FUNCTION_BOOT_DISPLAY;
	if (error == pci_channel_io_frozen)
		flags |= EGPU_FUNCTION_FROZEN;
	if (error == pci_channel_io_perm_failure)
		flags |= EGPU_FUNCTION_FAILED;
	return flags;
}

static void egpu_function_fill(struct egpu_function *out,
			       const struct egpu_fn *fn, u32 domain,
			       bool privileged)
{
	struct pci_dev *pdev = fn->pdev;
	int i;

	out->domain = domain;
	out->bus = pdev->bus->number;
	out->devfn = pdev->devfn;
	out->vendor = pdev->vendor;
	out->device = pdev->device;
	out->subsystem_vendor = pdev->subsystem_vendor;
	out->subsystem_device = pdev->subsystem_device;
	out->class = pdev->class;
	out->revision = pdev->revision;
	out->flags = egpu_function_flags(fn);
	out->generation = fn->generation;
	if (fn->bound || fn->busy_since)
		strscpy(out->driver, fn->driver, sizeof(out->driver));
	for (i = 0; i <= PCI_ROM_RESOURCE; i++)
		egpu_bar_fill(&out->bars[i], fn, i, privileged);
}

static int egpu_function_order(const void *a, const void *b)
{
	const struct egpu_function *x = a, *y = b;

	if (x->domain != y->domain)
		return x->domain < y->domain ? -1 : 1;
	if (x->bus != y->bus)
		return x->bus - y->bus;
	return x->devfn - y->devfn;
}

/* Return: an array of *@nr elements to kvfree(), or NULL without memory. */
static struct egpu_function *egpu_functions_get(struct egpu_port *port, u32 *nr)
{
	bool privileged = egpu_may_admin();
	struct egpu_function *functions;
	struct egpu_fn *fn;
	u32 count = 0;

	guard(mutex)(&port->lock);
	list_for_each_entry(fn, &port->functions, node)
		count++;
	functions = kvcalloc(max(count, 1U), sizeof(*functions), GFP_KERNEL);
	if (!functions)
		return NULL;
	*nr = 0;
	list_for_each_entry(fn, &port->functions, node)
		egpu_function_fill(&functions[(*nr)++], fn, port->domain,
				   privileged);
	sort(functions, *nr, sizeof(*functions), egpu_function_order, NULL);
	return functions;
}

static long egpu_ioctl_function_list(struct egpu_reader *reader,
				     union egpu_args *args)
{
	struct egpu_function_list *list = &args->function_list;
	struct egpu_function *functions;
	struct egpu_port *port;
	long ret = 0;
	u32 nr, i;

	if (list->flags || list->reserved ||
	    !egpu_element_size_ok(list->count, list->element_size))
		return -EINVAL;
	port = egpu_cdev_port(list->port, &ret);
	if (!port)
		return ret;
	functions = egpu_functions_get(port, &nr);
	egpu_port_put(port);
	if (!functions)
		return -ENOMEM;
	for (i = 0; !ret && i < min(nr, list->count); i++)
		ret = egpu_copy_element(list->functions, list->element_size, i,
					&functions[i], sizeof(*functions));
	kvfree(functions);
	list->count = nr;
	return ret;
}

static long egpu_ioctl_user_list(struct egpu_reader *reader,
				 union egpu_args *args)
{
	struct egpu_user_list *list = &args->user_list;
	bool privileged = egpu_may_admin();
	struct egpu_users *users;
	struct egpu_port *port;
	long ret = 0;
	u32 nr, i;

	if (list->flags ||
	    !egpu_element_size_ok(list->count, list->element_size))
		return -EINVAL;
	port = egpu_cdev_port(list->port, &ret);
	if (!port)
		return ret;
	users = egpu_users_find(port, !privileged);
	egpu_port_put(port);
	if (IS_ERR(users))
		return PTR_ERR(users);
	nr = egpu_users_entries(users);
	for (i = 0; !ret && i < min(nr, list->count); i++)
		ret = egpu_copy_element(list->users, list->element_size, i,
					egpu_users_at(users, i),
					sizeof(struct egpu_user));
	egpu_users_free(users);
	list->count = nr;
	list->hidden = !privileged;
	return ret;
}

/* May a transaction begin? The port is locked. */
static long egpu_may_begin(struct egpu_port *port)
{
	lockdep_assert_held(&port->lock);
	if (port->state == EGPU_STATE_GONE)
		return -ENODEV;
	if (!port->tracked || port->state == EGPU_STATE_UNTRACKED)
		return -EOPNOTSUPP;
	return port->txn.id ? -EBUSY : 0;
}

static long egpu_ioctl_attach(struct egpu_reader *reader, union egpu_args *args)
{
	struct egpu_attach *attach = &args->attach;
	struct egpu_port *port;
	long ret = 0;

	if (attach->flags || attach->reserved ||
	    attach->ignore & ~EGPU_CHECK_ALL)
		return -EINVAL;
	port = egpu_cdev_port(attach->port, &ret);
	if (!port)
		return ret;
	mutex_lock(&port->lock);
	ret = egpu_may_begin(port);
	if (!ret && !egpu_transaction_begin(port, EGPU_TRANSACTION_ATTACH))
		ret = -ENODEV;
	if (!ret) {
		port->admit = true;
		port->ignored_checks = attach->ignore;
		attach->transaction = port->txn.id;
		egpu_state_post(port, EGPU_BIT_ATTACH);
	}
	mutex_unlock(&port->lock);
	egpu_port_put(port);
	return ret;
}

static struct egpu_accept *egpu_accept_read(const struct egpu_detach *detach)
{
	struct egpu_accepted __user *from = u64_to_user_ptr(detach->accepted);
	struct egpu_accepted one;
	struct egpu_accept *accept;
	struct pid *pid;
	long ret = 0;
	u32 i;

	accept = kzalloc(struct_size(accept, who, detach->nr_accepted),
			 GFP_KERNEL);
	if (!accept)
		return ERR_PTR(-ENOMEM);
	kref_init(&accept->kref);
	accept->nr = detach->nr_accepted;
	for (i = 0; !ret && i < accept->nr; i++) {
		if (copy_from_user(&one, from + i, sizeof(one))) {
			ret = -EFAULT;
			break;
		}
		if (one.reserved)
			ret = -EINVAL;
		pid = find_get_pid(one.pid);
		accept->who[i].pid = pid_nr(pid);
		accept->who[i].start_time = one.start_time;
		put_pid(pid);
	}
	if (!ret)
		return accept;
	egpu_accept_put(accept);
	return ERR_PTR(ret);
}

/* Takes over *@accept when it succeeds. The port is locked. */
static long egpu_detach_begin(struct egpu_port *port,
			      struct egpu_detach *detach,
			      struct egpu_accept **accept, bool children)
{
	bool empty = port->state == EGPU_STATE_EMPTY;
	long ret = egpu_may_begin(port);

	if (ret)
		return ret;
	if (empty && !children && list_empty(&port->functions))
		return -ENODEV;
	if (!egpu_transaction_begin(port, EGPU_TRANSACTION_DETACH))
		return -ENODEV;
	port->txn.force = detach->flags & EGPU_DETACH_FORCE;
	port->txn.wait_ms = detach->wait_ms;
	if (detach->wait_ms != EGPU_WAIT_FOREVER)
		port->txn.deadline_ns = ktime_get_ns() +
			(u64)detach->wait_ms * NSEC_PER_MSEC;
	swap(port->txn.accept, *accept);
	detach->transaction = port->txn.id;
	egpu_state_post(port, empty ? EGPU_BIT_CABLE : EGPU_BIT_DETACH);
	return 0;
}

static long egpu_detach_port(struct egpu_port *port, struct egpu_detach *detach)
{
	struct egpu_accept *accept = NULL;
	bool children;
	long ret;

	if (detach->nr_accepted) {
		accept = egpu_accept_read(detach);
		if (IS_ERR(accept))
			return PTR_ERR(accept);
	}
	detach->transaction = 0;
	children = egpu_port_has_children(port);
	ret = egpu_detach_precheck(port, accept, true);
	if (!ret && detach->flags & EGPU_DETACH_CHECK) {
		mutex_lock(&port->lock);
		ret = egpu_may_begin(port);
		if (!ret && port->state == EGPU_STATE_EMPTY && !children &&
		    list_empty(&port->functions))
			ret = -ENODEV;
		mutex_unlock(&port->lock);
		if (!ret)
			ret = egpu_detach_precheck(port, accept, detach->flags &
						   EGPU_DETACH_FORCE);
	} else if (!ret) {
		mutex_lock(&port->lock);
		ret = egpu_detach_begin(port, detach, &accept, children);
		mutex_unlock(&port->lock);
	}
	egpu_accept_put(accept);
	return ret;
}

static long egpu_ioctl_detach(struct egpu_reader *reader, union egpu_args *args)
{
	struct egpu_detach *detach = &args->detach;
	struct egpu_port *port;
	long ret = 0;

	if (detach->flags & ~EGPU_DETACH_FLAGS ||
	    detach->nr_accepted > EGPU_MAX_ACCEPTED)
		return -EINVAL;
	port = egpu_cdev_port(detach->port, &ret);
	if (!port)
		return ret;
	ret = egpu_detach_port(port, detach);
	egpu_port_put(port);
	return ret;
}

static long egpu_ioctl_cancel(struct egpu_reader *reader, union egpu_args *args)
{
	struct egpu_cancel *cancel = &args->cancel;
	struct egpu_port *port;
	long ret = 0;

	if (cancel->flags)
		return -EINVAL;
	port = egpu_cdev_port(cancel->port, &ret);
	if (!port)
		return ret;
	mutex_lock(&port->lock);
	if (!port->txn.id || (cancel->transaction &&
			      cancel->transaction != port->txn.id)) {
		ret = -ENOENT;
	} else if (port->no_return) {
		ret = -EBUSY;
	} else {
		/* At once, so that the job cannot pass that point any more. */
		if (port->state == EGPU_STATE_DETACHING)
			atomic_set(&port->cancel, 1);
		egpu_state_post(port, EGPU_BIT_CANCEL);
	}
	mutex_unlock(&port->lock);
	egpu_port_put(port);
	return ret;
}

static long egpu_config_check(const struct egpu_port_config *config)
{
	u32 flags = config->flags;

	if (flags & ~EGPU_CONFIG_FLAGS || !(flags & ~EGPU_CONFIG_BY_ADDRESS) ||
	    config->reserved)
		return -EINVAL;
	if (flags & EGPU_CONFIG_TRACK && flags & EGPU_CONFIG_FORGET)
		return -EINVAL;
	if (!(flags & EGPU_CONFIG_BY_ADDRESS) &&
	    (config->domain || config->bus || config->devfn))
		return -EINVAL;
	if (config->policy > EGPU_POLICY_MANUAL ||
	    (config->policy && !(flags & EGPU_CONFIG_POLICY)))
		return -EINVAL;
	if (config->quarantine_losses > EGPU_QUARANTINE_LOSSES_MAX ||
	    config->quarantine_window_ms > EGPU_QUARANTINE_WINDOW_MAX)
		return -EINVAL;
	if (!(flags & EGPU_CONFIG_QUARANTINE) &&
	    (config->quarantine_losses || config->quarantine_window_ms))
		return -EINVAL;
	return 0;
}

static struct egpu_port *egpu_config_port(const struct egpu_port_config *config,
					  long *err)
{
	struct pci_dev *pdev __free(pci_dev_put) = NULL;
	struct egpu_port *port;

	if (!(config->flags & EGPU_CONFIG_BY_ADDRESS))
		return egpu_cdev_port(config->port, err);
	pdev = pci_get_domain_bus_and_slot(config->domain, config->bus,
					   config->devfn);
	port = pdev ? egpu_port_get_by_pdev(pdev) : NULL;
	if (!port)
		*err = -ENOENT;
	return port;
}

static void egpu_config_track(struct egpu_port *port)
{
	struct egpu_port *below;
	u32 id = 0;

	egpu_state_post(port, EGPU_BIT_TRACK);
	/* So that list right after shows it; the state work never blocks. */
	flush_work(&port->state_work);
	while ((below = egpu_port_next(id))) {
		id = below->id;
		if (!READ_ONCE(below->tracked) &&
		    below->topology & EGPU_PORT_HOTPLUG &&
		    egpu_port_is_below(below, port))
			egpu_state_post(below, EGPU_BIT_TRACK);
		egpu_port_put(below);
	}
}

/* The port is locked. */
static long egpu_config_apply(struct egpu_port *port,
			      const struct egpu_port_config *config)
{
	struct egpu_event event;

	if (port->state == EGPU_STATE_GONE)
		return -ENODEV;
	if (config->flags & EGPU_CONFIG_FORGET && port->txn.id)
		return -EBUSY;
	if (config->flags & EGPU_CONFIG_POLICY) {
		port->policy = config->policy;
		egpu_state_post(port, EGPU_BIT_POLICY);
	}
	if (config->flags & EGPU_CONFIG_QUARANTINE) {
		port->quarantine_losses = config->quarantine_losses;
		port->quarantine_window_ms = config->quarantine_window_ms;
	}
	if (config->flags & EGPU_CONFIG_QUARANTINE_RESET) {
		memset(port->loss_ns, 0, sizeof(port->loss_ns));
		egpu_state_post(port, EGPU_BIT_RESET);
	}
	if (config->flags & EGPU_CONFIG_FORGET)
		egpu_state_post(port, EGPU_BIT_FORGET);
	if (config->flags & EGPU_CONFIG_TRACK)
		clear_bit(EGPU_BIT_FORGET, &port->pending);
	egpu_event_prepare(&event, port, EGPU_EVENT_CONFIG);
	egpu_event_send(port, &event);
	return 0;
}

static long egpu_ioctl_port_config(struct egpu_reader *reader,
				   union egpu_args *args)
{
	struct egpu_port_config *config = &args->port_config;
	struct egpu_port *port;
	long ret;

	ret = egpu_config_check(config);
	if (ret)
		return ret;
	port = egpu_config_port(config, &ret);
	if (!port)
		return ret;
	mutex_lock(&port->lock);
	ret = egpu_config_apply(port, config);
	mutex_unlock(&port->lock);
	config->port = port->id;
	if (!ret && config->flags & EGPU_CONFIG_TRACK)
		egpu_config_track(port);
	else if (!ret)
		flush_work(&port->state_work);
	egpu_port_put(port);
	return ret;
}

static long egpu_ioctl_subscribe(struct egpu_reader *reader,
				 union egpu_args *args)
{
	struct egpu_event_subscribe *subscribe = &args->subscribe;
	struct egpu_port *port;
	long ret = 0;

	if (subscribe->flags || subscribe->reserved ||
	    subscribe->mask & ~(BIT_ULL(EGPU_EVENT_COUNT) - 1))
		return -EINVAL;
	if (subscribe->port) {
		port = egpu_cdev_port(subscribe->port, &ret);
		if (!port)
			return ret;
		egpu_port_put(port);
	}
	return egpu_reader_subscribe(reader, subscribe->mask, subscribe->port,
				     &subscribe->seq);
}

#define EGPU_IOCTL(cmd, type, last, privileged, function) \
	[EGPU_CMD_##cmd] = { \
		.size = sizeof(struct type), \
		.min = offsetofend(struct type, last), \
		.admin = privileged, \
		.fn = function, \
	}

static const struct egpu_ioctl egpu_ioctls[] = {
	EGPU_IOCTL(QUERY, egpu_query, flags, false, egpu_ioctl_query),
	EGPU_IOCTL(PORT_LIST, egpu_port_list, ids, false, egpu_ioctl_port_list),
	EGPU_IOCTL(PORT_INFO, egpu_port_info, port, false,
		   egpu_ioctl_port_info),
	EGPU_IOCTL(FUNCTION_LIST, egpu_function_list, functions, false,
		   egpu_ioctl_function_list),
	EGPU_IOCTL(USER_LIST, egpu_user_list, users, false,
		   egpu_ioctl_user_list),
	EGPU_IOCTL(ATTACH, egpu_attach, port, true, egpu_ioctl_attach),
	EGPU_IOCTL(DETACH, egpu_detach, port, true, egpu_ioctl_detach),
	EGPU_IOCTL(CANCEL, egpu_cancel, port, true, egpu_ioctl_cancel),
	EGPU_IOCTL(PORT_CONFIG, egpu_port_config, port, true,
		   egpu_ioctl_port_config),
	EGPU_IOCTL(EVENT_SUBSCRIBE, egpu_event_subscribe, mask, false,
		   egpu_ioctl_subscribe),
};

static u64 egpu_ioctl_mask(void)
{
	u64 mask = 0;
	u32 i;

	for (i = 0; i < ARRAY_SIZE(egpu_ioctls); i++)
		if (egpu_ioctls[i].fn)
			mask |= BIT_ULL(i);
	return mask;
}

static const struct egpu_ioctl *egpu_ioctl_find(unsigned int cmd)
{
	u32 nr = _IOC_NR(cmd);

	if (cmd != _IO(EGPU_IOC_TYPE, nr) || nr >= ARRAY_SIZE(egpu_ioctls) ||
	    !egpu_ioctls[nr].fn)
		return NULL;
	return &egpu_ioctls[nr];
}

static long egpu_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	const struct egpu_ioctl *entry = egpu_ioctl_find(cmd);
	void __user *user = (void __user *)arg;
	union egpu_args args = {};
	u32 size;
	long ret;

	if (!entry)
		return -ENOTTY;
	if (entry->admin && !capable(CAP_SYS_ADMIN))
		return -EPERM;
	if (get_user(size, (u32 __user *)user))
		return -EFAULT;
	if (size < entry->min)
		return -EINVAL;
	if (size > PAGE_SIZE)
		return -E2BIG;
	ret = copy_struct_from_user(&args, entry->size, user, size);
	if (ret)
		return ret;
	/* What cannot be answered must not happen. */
	if (copy_to_user(user, &args, min(size, entry->size)))
		return -EFAULT;
	ret = entry->fn(file->private_data, &args);
	if (ret)
		return ret;
	return copy_to_user(user, &args, min(size, entry->size)) ? -EFAULT : 0;
}

static int egpu_open(struct inode *inode, struct file *file)
{
	struct egpu_reader *reader =
		egpu_reader_create(egpu_may_admin());

	if (!reader)
		return -ENOMEM;
	file->private_data = reader;
	return stream_open(inode, file);
}

static int egpu_release(struct inode *inode, struct file *file)
{
	egpu_reader_free(file->private_data);
	return 0;
}

static ssize_t egpu_read(struct file *file, char __user *buf, size_t count,
			 loff_t *pos)
{
	return egpu_reader_read(file->private_data, buf, count,
				file->f_flags & O_NONBLOCK);
}

static __poll_t egpu_poll(struct file *file, poll_table *wait)
{
	struct egpu_reader *reader = file->private_data;

	poll_wait(file, egpu_reader_wait(reader), wait);
	return egpu_reader_has_events(reader) ? EPOLLIN | EPOLLRDNORM : 0;
}

static const struct file_operations egpu_fops = {
	.owner = THIS_MODULE,
	.open = egpu_open,
	.release = egpu_release,
	.read = egpu_read,
	.poll = egpu_poll,
	.unlocked_ioctl = egpu_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
};

static struct miscdevice egpu_misc = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = EGPU_NAME,
	.fops = &egpu_fops,
	.mode = 0644,
};

static bool egpu_misc_registered;

/* Whose uevents tell the events; NULL when there is no node. */
struct kobject *egpu_cdev_kobj(void)
{
	return READ_ONCE(egpu_misc_registered) ?
	       &egpu_misc.this_device->kobj : NULL;
}

int egpu_cdev_init(void)
{
	int ret = misc_register(&egpu_misc);

	WRITE_ONCE(egpu_misc_registered, !ret);
	return ret;
}

void egpu_cdev_exit(void)
{
	misc_deregister(&egpu_misc);
}

/* Before the node goes: work that runs still must not send uevents of it. */
void egpu_cdev_quiesce(void)
{
	WRITE_ONCE(egpu_misc_registered, false);
}
