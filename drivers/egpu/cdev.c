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
#include <linux/security.h>
#include <linux/slab.h>
#include <linux/timekeeping.h>
#include <linux/uaccess.h>

#include "cdev.h"
#include "link_regs.h"

/* May a transaction begin? The port is locked. */
long egpu_may_begin(struct egpu_port *port)
{
	lockdep_assert_held(&port->lock);
	if (port->state == EGPU_STATE_GONE)
		return -ENODEV;
	if (!port->tracked || port->state == EGPU_STATE_UNTRACKED)
		return -EOPNOTSUPP;
	if (test_bit(EGPU_BIT_FORGET, port->pending))
		return -EBUSY;
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

/* Is there a GPU that can be held? The port is locked. */
static bool egpu_may_hold(struct egpu_port *port)
{
	return port->nr_gated && !egpu_manages_any(port) &&
	       (port->state == EGPU_STATE_HELD ||
		port->state == EGPU_STATE_BINDING ||
		port->state == EGPU_STATE_READY ||
		port->state == EGPU_STATE_FAULT);
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
	if (detach->flags & EGPU_DETACH_HOLD && !egpu_may_hold(port))
		return -ENODEV;
	if (!egpu_transaction_begin(port, EGPU_TRANSACTION_DETACH))
		return -ENODEV;
	port->txn.force = detach->flags & EGPU_DETACH_FORCE;
	port->txn.hold = detach->flags & EGPU_DETACH_HOLD;
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
	if (children && detach->flags & EGPU_DETACH_HOLD)
		ret = -EOPNOTSUPP;
	else
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

static bool egpu_speed_is_known(u32 speed)
{
	u32 code;

	for (code = 1; egpu_link_speed(code); code++)
		if (egpu_link_speed(code) == speed)
			return true;
	return !speed;
}

static long egpu_link_set_check(const struct egpu_link_set *set)
{
	const u32 what = EGPU_LINK_SET_SPEED | EGPU_LINK_SET_RETRAIN |
			 EGPU_LINK_SET_FIXED | EGPU_LINK_SET_AUTONOMOUS;
	const u32 both = EGPU_LINK_SET_FIXED | EGPU_LINK_SET_AUTONOMOUS;

	if (set->flags & ~EGPU_LINK_SET_FLAGS || !(set->flags & what) ||
	    (set->flags & both) == both || !egpu_speed_is_known(set->speed))
		return -EINVAL;
	if (set->flags & EGPU_LINK_SET_LATER &&
	    set->flags != (EGPU_LINK_SET_LATER | EGPU_LINK_SET_SPEED))
		return -EINVAL;
	if (!(set->flags & EGPU_LINK_SET_SPEED) &&
	    (set->speed || set->vendor || set->device))
		return -EINVAL;
	return set->device && !set->vendor ? -EINVAL : 0;
}

/* The port is locked. */
static long egpu_link_set_begin(struct egpu_port *port,
				struct egpu_link_set *set)
{
	struct egpu_limit limit = { set->speed, set->vendor, set->device };
	long ret = egpu_may_begin(port);

	set->transaction = 0;
	if (ret == -EBUSY && set->flags & EGPU_LINK_SET_LATER)
		ret = 0;
	if (ret)
		return ret;
	if (set->flags & EGPU_LINK_SET_LATER) {
		port->limit = limit;
		return 0;
	}
	if ((port->state == EGPU_STATE_READY ||
	     port->state == EGPU_STATE_BINDING) &&
	    !(set->flags & EGPU_LINK_SET_LIVE))
		return -EBUSY;
	if (!egpu_transaction_begin(port, EGPU_TRANSACTION_LINK))
		return -ENODEV;
	port->txn.link_flags = set->flags;
	port->txn.limit = limit;
	set->transaction = port->txn.id;
	egpu_state_post(port, EGPU_BIT_LINK);
	return 0;
}

static long egpu_ioctl_link_set(struct egpu_reader *reader,
				union egpu_args *args)
{
	struct egpu_link_set *set = &args->link_set;
	struct egpu_port *port;
	long ret;

	ret = egpu_link_set_check(set);
	if (ret)
		return ret;
	if (security_locked_down(LOCKDOWN_PCI_ACCESS))
		return -EPERM;
	port = egpu_cdev_port(set->port, &ret);
	if (!port)
		return ret;
	mutex_lock(&port->lock);
	ret = egpu_link_set_begin(port, set);
	mutex_unlock(&port->lock);
	egpu_port_put(port);
	return ret;
}

static long egpu_manage_check(const struct egpu_function_manage *manage)
{
	bool take = manage->flags == EGPU_MANAGE_TAKE;

	if (!take && manage->flags != EGPU_MANAGE_RETURN)
		return -EINVAL;
	if (manage->reserved || manage->reserved2)
		return -EINVAL;
	if (!take)
		return manage->dma_bits ? -EINVAL : 0;
	return manage->dma_bits < EGPU_DMA_BITS_MIN ||
	       manage->dma_bits > EGPU_DMA_BITS_MAX ? -EINVAL : 0;
}

/* Takes over the reference to @pdev when it succeeds. The port is locked. */
static long egpu_manage_begin(struct egpu_port *port, struct pci_dev *pdev,
			      struct egpu_function_manage *manage)
{
	long ret = egpu_may_begin(port);

	if (ret)
		return ret;
	if (!egpu_transaction_begin(port, EGPU_TRANSACTION_MANAGE))
		return -ENODEV;
	port->txn.function = pdev;
	port->txn.dma_bits = manage->dma_bits;
	manage->port = port->id;
	manage->transaction = port->txn.id;
	egpu_state_post(port, EGPU_BIT_MANAGE);
	return 0;
}

static long egpu_ioctl_manage(struct egpu_reader *reader, union egpu_args *args)
{
	struct egpu_function_manage *manage = &args->manage;
	struct egpu_port *port = NULL;
	struct pci_dev *pdev;
	struct egpu_fn *fn;
	long ret;

	ret = egpu_manage_check(manage);
	if (ret)
		return ret;
	if (manage->flags == EGPU_MANAGE_TAKE &&
	    security_locked_down(LOCKDOWN_PCI_ACCESS))
		return -EPERM;
	pdev = pci_get_domain_bus_and_slot(manage->domain, manage->bus,
					   manage->devfn);
	if (pdev)
		port = egpu_bus_lock(pdev, &fn);
	ret = -ENOENT;
	if (port) {
		ret = egpu_manage_begin(port, pdev, manage);
		egpu_bus_unlock(port);
	}
	if (ret)
		pci_dev_put(pdev);
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
		if (port->state == EGPU_STATE_DETACHING ||
		    port->state == EGPU_STATE_TRAINING)
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
	if (flags & EGPU_CONFIG_RETRAIN && flags & EGPU_CONFIG_NO_RETRAIN)
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
	if (flags & EGPU_CONFIG_SOFT && !(flags & EGPU_CONFIG_TRACK))
		return -EINVAL;
	if (flags & EGPU_CONFIG_WATCH ?
	    config->watch_ms < EGPU_WATCH_MS_MIN ||
	    config->watch_ms > EGPU_WATCH_MS_MAX : config->watch_ms)
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
	if (config->flags & EGPU_CONFIG_FORGET &&
	    (port->txn.id || egpu_manages_any(port)))
		return -EBUSY;
	if (config->flags & EGPU_CONFIG_SOFT && !egpu_port_can_be_soft(port))
		return -EOPNOTSUPP;
	if (config->flags & EGPU_CONFIG_SOFT && !port->soft) {
		port->soft_wanted = true;
		/* What it says next is how that went. */
		if (port->state != EGPU_STATE_FAULT)
			port->step_error = 0;
		/* What was another port's may be its own now. */
		egpu_state_post(port, EGPU_BIT_APPEARED);
	}
	if (config->flags & EGPU_CONFIG_WATCH) {
		port->watch_ms = config->watch_ms;
		egpu_soft_hurry(port);
	}
	if (config->flags & EGPU_CONFIG_POLICY) {
		port->policy = config->policy;
		egpu_state_post(port, EGPU_BIT_POLICY);
	}
	if (config->flags & EGPU_CONFIG_QUARANTINE) {
		port->quarantine_losses = config->quarantine_losses;
		port->quarantine_window_ms = config->quarantine_window_ms;
	}
	if (config->flags & (EGPU_CONFIG_RETRAIN | EGPU_CONFIG_NO_RETRAIN))
		port->no_retrain = config->flags & EGPU_CONFIG_NO_RETRAIN;
	if (config->flags & EGPU_CONFIG_QUARANTINE_RESET) {
		memset(port->loss_ns, 0, sizeof(port->loss_ns));
		egpu_state_post(port, EGPU_BIT_RESET);
	}
	if (config->flags & EGPU_CONFIG_FORGET)
		egpu_state_post(port, EGPU_BIT_FORGET);
	if (config->flags & EGPU_CONFIG_TRACK)
		clear_bit(EGPU_BIT_FORGET, port->pending);
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
	EGPU_IOCTL(LINK_INFO, egpu_link_info, links, false,
		   egpu_ioctl_link_info),
	EGPU_IOCTL(ATTACH, egpu_attach, port, true, egpu_ioctl_attach),
	EGPU_IOCTL(DETACH, egpu_detach, port, true, egpu_ioctl_detach),
	EGPU_IOCTL(CANCEL, egpu_cancel, port, true, egpu_ioctl_cancel),
	EGPU_IOCTL(LINK_SET, egpu_link_set, speed, true, egpu_ioctl_link_set),
	EGPU_IOCTL(FUNCTION_MANAGE, egpu_function_manage, dma_bits, true,
		   egpu_ioctl_manage),
	EGPU_IOCTL(PORT_CONFIG, egpu_port_config, port, true,
		   egpu_ioctl_port_config),
	EGPU_IOCTL(EVENT_SUBSCRIBE, egpu_event_subscribe, mask, false,
		   egpu_ioctl_subscribe),
};

u64 egpu_ioctl_mask(void)
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
