// SPDX-License-Identifier: GPL-2.0-only
/*
 * The ioctls that only tell: what this module is, which ports there are, all
 * about one of them, what lies below it, who uses it. Answered from memory;
 * nothing here waits for a job, a driver or hardware.
 */
#include <linux/capability.h>
#include <linux/pci.h>
#include <linux/slab.h>
#include <linux/sort.h>
#include <linux/timekeeping.h>
#include <linux/uaccess.h>
#include <linux/vgaarb.h>

#include "cdev.h"

/* For what only shows more: no denial goes to the audit log. */
bool egpu_may_admin(void)
{
	return ns_capable_noaudit(&init_user_ns, CAP_SYS_ADMIN);
}

struct egpu_port *egpu_cdev_port(u32 id, long *err)
{
	struct egpu_port *port = id ? egpu_port_get_by_id(id) : NULL;

	if (!port)
		*err = id && id <= egpu_port_last_id() ? -ENODEV : -ENOENT;
	return port;
}

long egpu_ioctl_query(struct egpu_reader *reader, union egpu_args *args)
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

long egpu_ioctl_port_list(struct egpu_reader *reader,
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
	if (port->no_retrain)
		info->flags |= EGPU_PORT_NO_RETRAIN;
	if (port->soft_wanted)
		info->flags |= EGPU_PORT_SOFT;
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
	info->watch_ms = port->watch_ms;
	info->counters = port->counters;
	strscpy(info->slot_name, port->slot_name, sizeof(info->slot_name));
}

static bool egpu_step_wants_rescan_lock(u32 step)
{
	return step == EGPU_STEP_SCAN || step == EGPU_STEP_CHECK ||
	       step == EGPU_STEP_SPACE || step == EGPU_STEP_SLOT_OFF ||
	       step == EGPU_STEP_SLOT_ON;
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

long egpu_ioctl_port_info(struct egpu_reader *reader,
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

static u32 egpu_bar_flags(unsigned long flags)
{
	u32 out = flags & IORESOURCE_IO ? EGPU_BAR_IO : EGPU_BAR_MEMORY;

	if (flags & IORESOURCE_MEM_64)
		out |= EGPU_BAR_64BIT;
	if (flags & IORESOURCE_PREFETCH)
		out |= EGPU_BAR_PREFETCHABLE;
	return out;
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
			bar->flags = egpu_bar_flags(fn->bar_flags[i]);
		}
		return;
	}
	bar->length = resource_size(res);
	bar->flags = egpu_bar_flags(res->flags);
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
	egpu_dma_tell(pdev, out);
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

long egpu_ioctl_function_list(struct egpu_reader *reader,
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

static void egpu_link_info_limits(struct egpu_port *port,
				  struct egpu_link_info *list)
{
	guard(mutex)(&port->lock);
	list->limit_speed = port->limit.speed;
	list->limit_vendor = port->limit.vendor;
	list->limit_device = port->limit.device;
	list->wired_width = egpu_link_wired(port);
	list->reserved2 = 0;
}

long egpu_ioctl_link_info(struct egpu_reader *reader,
			  union egpu_args *args)
{
	struct egpu_link_info *list = &args->link_info;
	struct egpu_hop links[EGPU_LINKS_MAX];
	struct egpu_port *port;
	struct egpu_best best;
	long ret = 0;
	u32 nr, i;

	if (list->flags & ~EGPU_LINK_INFO_ENDS || list->reserved ||
	    !egpu_element_size_ok(list->count, list->element_size))
		return -EINVAL;
	port = egpu_cdev_port(list->port, &ret);
	if (!port)
		return ret;
	nr = egpu_links_get(port, list->flags & EGPU_LINK_INFO_ENDS, links,
			    &best);
	list->best_ns = best.ns;
	list->best_speed = best.speed;
	list->best_width = best.width;
	egpu_link_info_limits(port, list);
	egpu_port_put(port);
	for (i = 0; !ret && i < min(nr, list->count); i++)
		ret = egpu_copy_element(list->links, list->element_size, i,
					&links[i], sizeof(links[i]));
	list->count = nr;
	return ret;
}

static struct egpu_users *egpu_user_list_find(const struct egpu_user_list *list,
					      bool only_own)
{
	struct egpu_users *users;
	struct egpu_port *port;
	long ret = 0;

	if (list->flags & EGPU_USER_LIST_SUSPECTS)
		return egpu_users_suspects(only_own);
	port = egpu_cdev_port(list->port, &ret);
	if (!port)
		return ERR_PTR(ret);
	users = egpu_users_find(port, only_own);
	egpu_port_put(port);
	return users;
}

long egpu_ioctl_user_list(struct egpu_reader *reader,
			  union egpu_args *args)
{
	struct egpu_user_list *list = &args->user_list;
	bool privileged = egpu_may_admin();
	struct egpu_users *users;
	long ret = 0;
	u32 nr, i;

	if (list->flags & ~EGPU_USER_LIST_SUSPECTS ||
	    (list->flags && list->port) ||
	    !egpu_element_size_ok(list->count, list->element_size))
		return -EINVAL;
	users = egpu_user_list_find(list, !privileged);
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
