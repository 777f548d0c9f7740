// SPDX-License-Identifier: GPL-2.0
/*
 * The configfs tree: folders are made and removed, and with them the objects
 * that they stand for. What stands in them is in attr_*.c.
 *
 * A folder's object is freed when its last reference is dropped; a live fabric
 * holds one of its own.
 */

#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/configfs.h>
#include <linux/kernel.h>
#include <linux/module.h>
#include <linux/sizes.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "attr.h"

#define SIM_SWITCH_PORTS	32
#define SIM_DEV_ATTRS		64

/* --- what an item is ------------------------------------------------------ */

static struct sim_fabric *to_fabric(struct config_group *group)
{
	return container_of(group, struct sim_fabric, group);
}

static struct sim_port *to_port(struct config_group *group)
{
	return container_of(group, struct sim_port, group);
}

static struct sim_dev *to_dev(struct config_group *group)
{
	return container_of(group, struct sim_dev, group);
}

static struct sim_func *to_func(struct config_group *group)
{
	return container_of(group, struct sim_func, group);
}

static struct sim_place sim_place_port(struct sim_port *port)
{
	return (struct sim_place) {
		.fabric = port->fabric,
		.port = port,
		.fn = &port->fn,
	};
}

static struct sim_place sim_place_func(struct sim_func *fn)
{
	return (struct sim_place) {
		.fabric = fn->fabric,
		.port = fn->dev->port,
		.dev = fn->dev,
		.fn = fn,
	};
}

/**
 * sim_place - where in the tree an item is
 * @item: any folder but the topmost
 *
 * Return: the objects around it.
 */
struct sim_place sim_place(struct config_item *item)
{
	struct config_group *group = to_config_group(item);

	if (item->ci_type == &sim_port_type)
		return sim_place_port(to_port(group));
	if (item->ci_type == &sim_fault_type)
		return sim_place_port(container_of(group, struct sim_port,
						   fault.group));
	if (item->ci_type == &sim_dev_type)
		return sim_place_func(&to_dev(group)->fn);
	if (item->ci_type == &sim_driver_type)
		return sim_place_func(&container_of(group, struct sim_dev,
						    driver_group)->fn);
	if (item->ci_type == &sim_func_type)
		return sim_place_func(to_func(group));
	return (struct sim_place) { .fabric = to_fabric(group) };
}

/* --- names ---------------------------------------------------------------- */

/* "port7" is number 7 of "port"; "port07" is nothing. Return: or -EINVAL. */
static int sim_name_nr(const char *name, const char *stem, u32 max)
{
	size_t len = str_has_prefix(name, stem);
	char plain[16];
	u32 nr;

	if (!len || kstrtou32(name + len, 10, &nr) || nr > max)
		return -EINVAL;
	scnprintf(plain, sizeof(plain), "%s%u", stem, nr);
	return strcmp(name, plain) ? -EINVAL : nr;
}

/* --- functions ------------------------------------------------------------ */

static void sim_func_init(struct sim_func *fn, struct sim_fabric *fabric)
{
	INIT_LIST_HEAD(&fn->link);
	fn->fabric = fabric;
	sim_msi_init(fn);
	sim_spec_preset(&fn->spec);
}

static void sim_func_release(struct config_item *item)
{
	struct sim_func *fn = to_func(to_config_group(item));

	kvfree(fn->spec.dump);
	kfree(fn);
}

static struct config_group *sim_func_make(struct sim_dev *dev, const char *name,
					  int nr)
{
	struct sim_func *fn;

	if (!sim_fabric_is_dead(dev->fabric) &&
	    (dev->present || READ_ONCE(dev->port->card) == dev))
		return ERR_PTR(sim_refuse(&dev->group.cg_item, name, -EBUSY,
					  "write 0 to present first"));
	fn = kzalloc_obj(*fn);
	if (!fn)
		return ERR_PTR(-ENOMEM);
	config_group_init_type_name(&fn->group, name, &sim_func_type);
	sim_func_init(fn, dev->fabric);
	fn->dev = dev;
	fn->nr = nr;
	guard(raw_spinlock_irqsave)(&dev->fabric->lock);
	list_add_tail(&fn->link, &dev->functions);
	dev->by_nr[nr] = fn;
	return &fn->group;
}

static void sim_func_drop(struct sim_func *fn)
{
	guard(mutex)(&sim_lock);
	sim_func_gone(fn);
	guard(raw_spinlock_irqsave)(&fn->fabric->lock);
	fn->dev->by_nr[fn->nr] = NULL;
	list_del_init(&fn->link);
}

/* --- ports ---------------------------------------------------------------- */

static void sim_port_defaults(struct sim_port *port)
{
	port->native = true;
	port->surprise = true;
	port->command_completed = true;
	port->dll_active_reporting = true;
	port->msi = true;
	port->max_speed = 4;
	port->max_width = 4;
	port->mem_window = SZ_1M;
	port->prefetch_window = SZ_512M;
	port->detect_ms = 12;
	port->polling_ms = 24;
	port->configuration_ms = 24;
	port->speed_change_ms = 48;
	port->recovery_ms = 24;
	port->fault.count = 1;
}

static struct sim_port *sim_port_new(struct sim_fabric *fabric,
				     const char *name)
{
	struct sim_port *port = kzalloc_obj(*port);

	if (!port)
		return NULL;
	config_group_init_type_name(&port->group, name, &sim_port_type);
	config_group_init_type_name(&port->fault.group, "fault",
				    &sim_fault_type);
	configfs_add_default_group(&port->fault.group, &port->group);
	INIT_LIST_HEAD(&port->devs);
	port->fabric = fabric;
	sim_func_init(&port->fn, fabric);
	port->fn.port = port;
	sim_port_defaults(port);
	sim_link_init(port);
	sim_slot_init(port);
	return port;
}

static void sim_port_release(struct config_item *item)
{
	kfree(to_port(to_config_group(item)));
}

/* @group is the fabric's or the device's; @up the latter or NULL. */
static struct config_group *sim_port_make(struct config_group *group,
					  struct sim_fabric *fabric,
					  struct sim_dev *up, const char *name,
					  u32 nr)
{
	struct sim_port *port;

	if (!sim_fabric_is_dead(fabric))
		return ERR_PTR(sim_refuse(&group->cg_item, name, -EBUSY,
					  "the fabric is live; write 0 to its live first"));
	port = sim_port_new(fabric, name);
	if (!port)
		return ERR_PTR(-ENOMEM);
	port->up = up;
	port->nr = nr;
	fabric->nports++;
	guard(raw_spinlock_irqsave)(&fabric->lock);
	list_add_tail(&port->link, up ? &up->ports : &fabric->ports);
	return &port->group;
}

static void sim_port_drop(struct sim_port *port)
{
	struct sim_fabric *fabric = port->fabric;

	guard(mutex)(&sim_lock);
	sim_port_gone(port);
	scoped_guard(raw_spinlock_irqsave, &fabric->lock)
		list_del_init(&port->link);
	fabric->nports--;
}

/* --- devices -------------------------------------------------------------- */

static struct sim_dev *sim_dev_new(struct sim_port *port, const char *name)
{
	struct sim_dev *dev = kzalloc_obj(*dev);

	if (!dev)
		return NULL;
	config_group_init_type_name(&dev->group, name, &sim_dev_type);
	config_group_init_type_name(&dev->driver_group, "driver",
				    &sim_driver_type);
	configfs_add_default_group(&dev->driver_group, &dev->group);
	INIT_LIST_HEAD(&dev->functions);
	INIT_LIST_HEAD(&dev->ports);
	init_waitqueue_head(&dev->point_wait);
	dev->fabric = port->fabric;
	dev->port = port;
	sim_func_init(&dev->fn, port->fabric);
	dev->fn.dev = dev;
	dev->by_nr[0] = &dev->fn;
	dev->max_speed = 5;
	dev->max_width = 16;
	dev->link_up_try = 1;
	dev->error_limit = 1000;
	return dev;
}

static void sim_dev_release(struct config_item *item)
{
	struct sim_dev *dev = to_dev(to_config_group(item));

	kvfree(dev->fn.spec.dump);
	kfree(dev);
}

/* `sleep` of another device knows two words that are no names. */
static struct config_group *sim_dev_make(struct config_group *group,
					 const char *name)
{
	struct sim_port *port = to_port(group);
	struct sim_dev *dev;

	if (!strcmp(name, "same") || !strcmp(name, "nothing"))
		return ERR_PTR(sim_refuse(&group->cg_item, name, -EINVAL,
					  "choose another name"));
	dev = sim_dev_new(port, name);
	if (!dev)
		return ERR_PTR(-ENOMEM);
	guard(mutex)(&sim_lock);
	guard(raw_spinlock_irqsave)(&port->fabric->lock);
	list_add_tail(&dev->link, &port->devs);
	return &dev->group;
}

/* Nobody is to be replaced by it, or to hang in its driver, any more. */
static void sim_dev_forget(struct sim_dev *dev)
{
	struct sim_dev *other;

	guard(raw_spinlock_irqsave)(&dev->fabric->lock);
	list_del_init(&dev->link);
	list_for_each_entry(other, &dev->port->devs, link)
		if (other->replacement == dev) {
			other->replacement = NULL;
			other->replace = false;
		}
	memset(dev->point_hang, 0, sizeof(dev->point_hang));
}

static void sim_dev_drop(struct config_group *group, struct config_item *item)
{
	struct sim_dev *dev = to_dev(to_config_group(item));

	scoped_guard(mutex, &sim_lock) {
		sim_dev_gone(dev);
		sim_dev_forget(dev);
	}
	wake_up_all(&dev->point_wait);
	config_item_put(item);
}

/* Ports in a row from the root on, down to what is in @dev's slots. */
static int sim_dev_depth(const struct sim_dev *dev)
{
	int depth = 1;

	for (; dev; dev = dev->port->up)
		depth++;
	return depth;
}

/* functionN or portN */
static struct config_group *sim_dev_make_child(struct config_group *group,
					       const char *name)
{
	struct sim_dev *dev = to_dev(group);
	int nr;

	guard(mutex)(&sim_lock);
	nr = sim_name_nr(name, "function", SIM_FUNCTIONS - 1);
	if (nr > 0)
		return sim_func_make(dev, name, nr);
	nr = sim_name_nr(name, "port", SIM_SWITCH_PORTS - 1);
	if (nr < 0)
		return ERR_PTR(sim_refuse(&group->cg_item, name, -EINVAL,
					  "make function1 to function7 or port0 to port31"));
	if (sim_dev_depth(dev) > SIM_DEPTH)
		return ERR_PTR(sim_refuse(&group->cg_item, name, -EINVAL,
					  "at most %d ports in a row",
					  SIM_DEPTH));
	return sim_port_make(group, dev->fabric, dev, name, nr);
}

static void sim_dev_drop_child(struct config_group *group,
			       struct config_item *item)
{
	if (item->ci_type == &sim_port_type)
		sim_port_drop(to_port(to_config_group(item)));
	else
		sim_func_drop(to_func(to_config_group(item)));
	config_item_put(item);
}

/* --- fabrics -------------------------------------------------------------- */

static void sim_fabric_release(struct config_item *item)
{
	kfree(to_fabric(to_config_group(item)));
}

static struct config_group *sim_fabric_make(struct config_group *group,
					    const char *name)
{
	struct sim_fabric *fabric = kzalloc_obj(*fabric);

	if (!fabric)
		return ERR_PTR(-ENOMEM);
	config_group_init_type_name(&fabric->group, name, &sim_fabric_type);
	sim_fabric_setup(fabric);
	return &fabric->group;
}

static void sim_fabric_drop(struct config_group *group,
			    struct config_item *item)
{
	sim_fabric_abandon(to_fabric(to_config_group(item)));
	config_item_put(item);
}

/* Any name will do: a root port. sim_fabric_plan() numbers it. */
static struct config_group *sim_fabric_make_child(struct config_group *group,
						  const char *name)
{
	guard(mutex)(&sim_lock);
	return sim_port_make(group, to_fabric(group), NULL, name, 0);
}

static void sim_fabric_drop_child(struct config_group *group,
				  struct config_item *item)
{
	sim_port_drop(to_port(to_config_group(item)));
	config_item_put(item);
}

/* --- types ---------------------------------------------------------------- */

/* Filled by sim_tree_init(): those of a device, then those of function 0. */
static struct configfs_attribute *sim_dev_all_attrs[SIM_DEV_ATTRS];

static struct configfs_item_operations sim_fabric_item_ops = {
	.release = sim_fabric_release,
};

static struct configfs_item_operations sim_port_item_ops = {
	.release = sim_port_release,
};

static struct configfs_item_operations sim_dev_item_ops = {
	.release = sim_dev_release,
};

static struct configfs_item_operations sim_func_item_ops = {
	.release = sim_func_release,
};

static struct configfs_group_operations sim_root_group_ops = {
	.make_group = sim_fabric_make,
	.drop_item = sim_fabric_drop,
};

static struct configfs_group_operations sim_fabric_group_ops = {
	.make_group = sim_fabric_make_child,
	.drop_item = sim_fabric_drop_child,
};

static struct configfs_group_operations sim_port_group_ops = {
	.make_group = sim_dev_make,
	.drop_item = sim_dev_drop,
};

static struct configfs_group_operations sim_dev_group_ops = {
	.make_group = sim_dev_make_child,
	.drop_item = sim_dev_drop_child,
};

struct config_item_type sim_root_type = {
	.ct_owner = THIS_MODULE,
	.ct_group_ops = &sim_root_group_ops,
};

struct config_item_type sim_fabric_type = {
	.ct_owner = THIS_MODULE,
	.ct_item_ops = &sim_fabric_item_ops,
	.ct_group_ops = &sim_fabric_group_ops,
	.ct_attrs = sim_fabric_attrs,
};

struct config_item_type sim_port_type = {
	.ct_owner = THIS_MODULE,
	.ct_item_ops = &sim_port_item_ops,
	.ct_group_ops = &sim_port_group_ops,
	.ct_attrs = sim_port_attrs,
};

struct config_item_type sim_fault_type = {
	.ct_owner = THIS_MODULE,
	.ct_attrs = sim_fault_attrs,
};

struct config_item_type sim_dev_type = {
	.ct_owner = THIS_MODULE,
	.ct_item_ops = &sim_dev_item_ops,
	.ct_group_ops = &sim_dev_group_ops,
	.ct_attrs = sim_dev_all_attrs,
	.ct_bin_attrs = sim_func_bin_attrs,
};

struct config_item_type sim_driver_type = {
	.ct_owner = THIS_MODULE,
	.ct_attrs = sim_driver_attrs,
};

struct config_item_type sim_func_type = {
	.ct_owner = THIS_MODULE,
	.ct_item_ops = &sim_func_item_ops,
	.ct_attrs = sim_func_attrs,
	.ct_bin_attrs = sim_func_bin_attrs,
};

static struct configfs_subsystem sim_subsystem = {
	.su_group = {
		.cg_item = {
			.ci_namebuf = "egpu_sim",
			.ci_type = &sim_root_type,
		},
	},
};

/* Return: 0, or -E2BIG: make SIM_DEV_ATTRS larger. */
static int sim_attrs_join(void)
{
	struct configfs_attribute **attr;
	int n = 0;

	for (attr = sim_dev_attrs; *attr && n < SIM_DEV_ATTRS; attr++)
		sim_dev_all_attrs[n++] = *attr;
	for (attr = sim_func_attrs; *attr && n < SIM_DEV_ATTRS; attr++)
		sim_dev_all_attrs[n++] = *attr;
	return n == SIM_DEV_ATTRS ? -E2BIG : 0;
}

int sim_tree_init(void)
{
	int error = sim_attrs_join();

	if (error)
		return error;
	config_group_init(&sim_subsystem.su_group);
	mutex_init(&sim_subsystem.su_mutex);
	return configfs_register_subsystem(&sim_subsystem);
}

void sim_tree_exit(void)
{
	configfs_unregister_subsystem(&sim_subsystem);
}
