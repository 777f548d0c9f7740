// SPDX-License-Identifier: GPL-2.0-only
/*
 * The hands of space.c: functions are woken, locked and quieted, resources taken
 * out of the tree and put into it, registers written, and all of it put back.
 */
#include <linux/pci.h>
#include <linux/pm_runtime.h>
#include <linux/slab.h>

#include "space.h"

/* With lockdep a task can hold 48 locks. */
#define EGPU_SPACE_LOCKS	(IS_ENABLED(CONFIG_LOCKDEP) ? 40 : 256)
#define EGPU_SPACE_CLOSED	0x0000fff0	/* base above limit */
#define EGPU_SPACE_ADDRESS	0xfff0fff0	/* the rest is type */

int egpu_space_busy(struct egpu_space *space, struct pci_dev *pdev)
{
	space->in_the_way = pdev;
	return -EBUSY;
}

/* --- functions ---------------------------------------------------------- */

static struct egpu_space_fn *egpu_space_fn(struct egpu_space *space,
					   struct pci_dev *pdev)
{
	struct egpu_space_fn *fn;

	list_for_each_entry(fn, &space->fns, node)
		if (fn->pdev == pdev)
			return fn;
	return NULL;
}

static bool egpu_space_is_foreign(struct pci_dev *pdev)
{
	struct device_driver *drv = READ_ONCE(pdev->dev.driver);

	return drv && !egpu_bus_is_ours(drv);
}

static int egpu_space_list(struct pci_dev *pdev, void *data)
{
	struct egpu_space_fn *fn = kzalloc(sizeof(*fn), GFP_KERNEL);
	struct egpu_space *space = data;

	if (!fn) {
		space->error = -ENOMEM;
		return -ENOMEM;
	}
	fn->pdev = pci_dev_get(pdev);
	list_add_tail(&fn->node, &space->fns);
	return 0;
}

/**
 * egpu_space_begin() - begin a try, and wake what may have to change
 * @port: the port; no lock is held
 *
 * A bridge that sleeps would have its old windows when it wakes. What is in use
 * by a driver does not change, and may sleep on.
 *
 * Return: what egpu_space_free() ends, or an ERR_PTR().
 */
struct egpu_space *egpu_space_begin(struct egpu_port *port)
{
	struct egpu_space *space = kzalloc(sizeof(*space), GFP_KERNEL);
	struct pci_dev *root = port->pdev;
	struct egpu_space_fn *fn;

	if (!space)
		return ERR_PTR(-ENOMEM);
	space->port = port;
	INIT_LIST_HEAD(&space->fns);
	INIT_LIST_HEAD(&space->items);
	pci_lock_rescan_remove();
	space->error = port->pdev->subordinate ? 0 : -ENODEV;
	while (!space->error && root->bus->self)
		root = root->bus->self;
	if (!space->error && !egpu_space_list(root, space))
		pci_walk_bus(root->subordinate, egpu_space_list, space);
	pci_unlock_rescan_remove();
	list_for_each_entry(fn, &space->fns, node) {
		fn->awake = pci_is_bridge(fn->pdev) ||
			    !egpu_space_is_foreign(fn->pdev);
		if (fn->awake)
			pm_runtime_get_sync(&fn->pdev->dev);
	}
	return space;
}

/* A driver that resizes a BAR of its device takes it out of the tree first. */
static bool egpu_space_is_resizing(struct pci_dev *pdev)
{
	struct resource *res;
	int i;

	for (i = 0; i < PCI_STD_NUM_BARS; i++) {
		res = &pdev->resource[i];
		if (res->flags & IORESOURCE_MEM && resource_size(res) &&
		    !res->parent)
			return true;
	}
	return false;
}

/**
 * egpu_space_take() - lock a function or bridge until egpu_space_end()
 * @space: the try
 * @pdev: which
 *
 * Only tried, so that nobody waits for a device_lock under the rescan lock.
 *
 * Return: 0, -EAGAIN when somebody else holds it, -EBUSY.
 */
int egpu_space_take(struct egpu_space *space, struct pci_dev *pdev)
{
	struct egpu_space_fn *fn = egpu_space_fn(space, pdev);

	/* Came since, or a driver has let go of what sleeps. */
	if (!fn || (!fn->awake && !egpu_space_is_foreign(pdev)))
		return -EAGAIN;
	if (fn->locked)
		return 0;
	if (space->nr_locked == EGPU_SPACE_LOCKS)
		return egpu_space_busy(space, pdev);
	if (!pci_dev_trylock(pdev))
		return -EAGAIN;
	fn->locked = true;
	space->nr_locked++;
	if (!pci_is_bridge(pdev) && egpu_space_is_foreign(pdev) &&
	    egpu_space_is_resizing(pdev))
		return egpu_space_busy(space, pdev);
	return 0;
}

static int egpu_space_take_next(struct pci_dev *pdev, void *data)
{
	struct egpu_space *space = data;

	space->error = egpu_space_take(space, pdev);
	return space->error;
}

/* Whose BARs are resized makes windows above change, unless it is locked. */
int egpu_space_take_below(struct egpu_space *space, struct pci_dev *bridge)
{
	if (!egpu_space_take_next(bridge, space))
		pci_walk_bus(bridge->subordinate, egpu_space_take_next, space);
	return space->error;
}

static bool egpu_space_is_used(struct pci_dev *pdev)
{
	int i;

	if (pdev->hdr_type != PCI_HEADER_TYPE_NORMAL || pci_num_vf(pdev) ||
	    egpu_space_is_foreign(pdev))
		return true;
	for (i = 0; i < PCI_NUM_RESOURCES; i++)
		if (pdev->resource[i].parent && pdev->resource[i].child)
			return true;
	return false;
}

/**
 * egpu_space_quiet() - switch off a function's memory until egpu_space_end()
 * @space: the try
 * @pdev: which; it is locked
 *
 * Return: 0, -EBUSY when it is in use, -ENODEV.
 */
int egpu_space_quiet(struct egpu_space *space, struct pci_dev *pdev)
{
	struct egpu_space_fn *fn = egpu_space_fn(space, pdev);
	u16 command;

	if (fn->quiet)
		return 0;
	if (egpu_space_is_used(pdev))
		return egpu_space_busy(space, pdev);
	pci_read_config_word(pdev, PCI_COMMAND, &command);
	if (PCI_POSSIBLE_ERROR(command) || pci_dev_is_disconnected(pdev))
		return -ENODEV;
	/* Without a driver of any kind: user space's. */
	if (!pdev->dev.driver && command & PCI_COMMAND_MEMORY)
		return egpu_space_busy(space, pdev);
	fn->command = command;
	fn->quiet = true;
	if (command & PCI_COMMAND_MEMORY)
		pci_write_config_word(pdev, PCI_COMMAND,
				      command & ~PCI_COMMAND_MEMORY);
	return 0;
}

/* A bridge passes memory; what a reset restores says so, too. */
static int egpu_space_open(struct egpu_space *space, struct pci_dev *bridge)
{
	struct egpu_space_fn *fn = egpu_space_fn(space, bridge);
	u16 command;

	pci_read_config_word(bridge, PCI_COMMAND, &command);
	if (PCI_POSSIBLE_ERROR(command))
		return -ENODEV;
	if (command & PCI_COMMAND_MEMORY)
		return 0;
	fn->command = command;
	fn->opened = true;
	pci_write_config_word(bridge, PCI_COMMAND,
			      command | PCI_COMMAND_MEMORY);
	bridge->saved_config_space[PCI_COMMAND / 4] |= PCI_COMMAND_MEMORY;
	return 0;
}

static void egpu_space_close(struct egpu_space_fn *fn)
{
	if (!fn->opened)
		return;
	pci_write_config_word(fn->pdev, PCI_COMMAND, fn->command);
	fn->pdev->saved_config_space[PCI_COMMAND / 4] &= ~PCI_COMMAND_MEMORY;
	fn->opened = false;
}

/* The rescan lock is held; what is below goes on. */
void egpu_space_end(struct egpu_space *space)
{
	struct egpu_space_fn *fn;

	list_for_each_entry(fn, &space->fns, node) {
		if (fn->quiet && fn->command & PCI_COMMAND_MEMORY)
			pci_write_config_word(fn->pdev, PCI_COMMAND,
					      fn->command);
		if (fn->locked)
			pci_dev_unlock(fn->pdev);
	}
}

void egpu_space_forget(struct egpu_space *space)
{
	struct egpu_space_item *item, *next;

	list_for_each_entry_safe(item, next, &space->items, node)
		kfree(item);
	INIT_LIST_HEAD(&space->items);
}

/* No lock is held. */
void egpu_space_free(struct egpu_space *space)
{
	struct egpu_space_fn *fn, *next;

	egpu_space_forget(space);
	list_for_each_entry_safe(fn, next, &space->fns, node) {
		if (fn->awake)
			pm_runtime_put(&fn->pdev->dev);
		pci_dev_put(fn->pdev);
		kfree(fn);
	}
	kfree(space);
}

/* --- registers ---------------------------------------------------------- */

/* 0: none that is known. */
static int egpu_space_reg(struct pci_dev *pdev, int i)
{
	if (i < PCI_STD_NUM_BARS)
		return PCI_BASE_ADDRESS_0 + 4 * i;
	if (i == PCI_ROM_RESOURCE)
		return pdev->rom_base_reg;
#ifdef CONFIG_PCI_IOV
	if (i >= PCI_IOV_RESOURCES && i <= PCI_IOV_RESOURCE_END) {
		int pos = pci_find_ext_capability(pdev, PCI_EXT_CAP_ID_SRIOV);

		if (pos)
			return pos + PCI_SRIOV_BAR + 4 * (i - PCI_IOV_RESOURCES);
	}
#endif
	return 0;
}

/* Return: -ENODEV: the device does not answer. */
static int egpu_space_read(struct egpu_space_item *item, u32 *regs)
{
	int i;

	for (i = 0; i < item->nr_regs; i++)
		pci_read_config_dword(item->pdev, item->reg + 4 * i, &regs[i]);
	return item->nr_regs && (PCI_POSSIBLE_ERROR(regs[0]) ||
				 pci_dev_is_disconnected(item->pdev)) ?
	       -ENODEV : 0;
}

/* What a reset or sleep restores is what was saved. */
static void egpu_space_note(struct egpu_space_item *item, const u32 *regs)
{
	size_t size = item->nr_regs * sizeof(*regs);

	if (item->reg + size <= sizeof(item->pdev->saved_config_space))
		memcpy(item->pdev->saved_config_space + item->reg / 4, regs,
		       size);
}

static void egpu_space_recall(struct egpu_space_item *item)
{
	size_t size = item->nr_regs * sizeof(*item->noted);

	if (item->reg + size <= sizeof(item->pdev->saved_config_space))
		memcpy(item->noted,
		       item->pdev->saved_config_space + item->reg / 4, size);
}

/*
 * A prefetchable window is closed first, and opened by the last write: half
 * written it passes nothing that it will not pass.
 */
static void egpu_space_write(struct egpu_space_item *item, const u32 *regs)
{
	int i, n;

	if (item->window && item->nr_regs == EGPU_SPACE_REGS) {
		pci_write_config_dword(item->pdev, PCI_PREF_LIMIT_UPPER32, 0);
		pci_write_config_dword(item->pdev, PCI_PREF_MEMORY_BASE,
				       EGPU_SPACE_CLOSED);
	}
	for (n = 1; n <= item->nr_regs; n++) {
		i = n % item->nr_regs;
		pci_write_config_dword(item->pdev, item->reg + 4 * i, regs[i]);
	}
}

/* What a window's registers have to be; the bus's addresses, not the CPU's. */
static void egpu_space_window_regs(struct egpu_space_item *item, u32 *regs)
{
	struct resource *res = egpu_space_res(item);
	struct pci_bus_region region;

	pcibios_resource_to_bus(item->pdev->bus, &region, res);
	regs[0] = (lower_32_bits(region.start) >> 16 & 0xfff0) |
		  (lower_32_bits(region.end) & 0xfff00000);
	regs[1] = upper_32_bits(region.start);
	regs[2] = upper_32_bits(region.end);
}

static int egpu_space_write_window(struct egpu_space *space,
				   struct egpu_space_item *item)
{
	u32 want[EGPU_SPACE_REGS], regs[EGPU_SPACE_REGS] = {};

	egpu_space_window_regs(item, want);
	egpu_space_write(item, want);
	egpu_space_note(item, want);
	item->written = true;
	if (egpu_space_read(item, regs))
		return -ENODEV;
	if ((regs[0] ^ want[0]) & EGPU_SPACE_ADDRESS || regs[1] != want[1] ||
	    regs[2] != want[2]) {
		pci_warn(item->pdev, "egpu: its window does not take an address\n");
		return -EIO;
	}
	pci_info(item->pdev, "egpu: bridge window %pR\n", egpu_space_res(item));
	return egpu_space_open(space, item->pdev);
}

bool egpu_space_bar_is_right(struct pci_dev *pdev, int i)
{
	struct resource *res = &pdev->resource[i];
	struct pci_bus_region region;

	pcibios_resource_to_bus(pdev->bus, &region, res);
	return egpu_bar_read(pdev, i, res->flags & IORESOURCE_MEM_64) ==
	       region.start;
}

/* --- resources ---------------------------------------------------------- */

struct egpu_space_item *egpu_space_find(struct egpu_space *space,
					struct pci_dev *pdev, int i)
{
	struct egpu_space_item *item;

	list_for_each_entry(item, &space->items, node)
		if (item->pdev == pdev && item->index == i)
			return item;
	return NULL;
}

static void egpu_space_insert(struct egpu_space *space,
			      struct egpu_space_item *item)
{
	if (!item->window)
		list_add_tail(&item->node, &space->items);
	else if (item->owner)
		list_add(&item->node, &item->owner->node);
	else
		list_add(&item->node, &space->items);
}

/**
 * egpu_space_add() - a resource that may change, as it is
 * @space: the try
 * @pdev: whose; locked, and quiet if it is no bridge
 * @i: which; a window of a bridge, or a BAR of whatever kind
 * @kind: with what it will be placed
 * @owner: the window that it is in, or NULL
 *
 * Return: it, or an ERR_PTR(): -ENOMEM, -ENODEV.
 */
struct egpu_space_item *egpu_space_add(struct egpu_space *space,
				       struct pci_dev *pdev, int i, int kind,
				       struct egpu_space_item *owner)
{
	struct egpu_space_item *item = kzalloc(sizeof(*item), GFP_KERNEL);
	struct resource *res = &pdev->resource[i];

	if (!item)
		return ERR_PTR(-ENOMEM);
	item->pdev = pdev;
	item->index = i;
	item->kind = kind;
	item->owner = owner;
	item->window = egpu_space_is_window(pdev, i);
	item->saved = *res;
	item->parent = res->parent;
	if (item->window) {
		item->reg = i == PCI_BRIDGE_MEM_WINDOW ? PCI_MEMORY_BASE :
							 PCI_PREF_MEMORY_BASE;
		item->nr_regs = i == PCI_BRIDGE_MEM_WINDOW ? 1 :
							     EGPU_SPACE_REGS;
	} else {
		item->reg = egpu_space_reg(pdev, i);
		item->nr_regs = !item->reg ? 0 :
				res->flags & IORESOURCE_MEM_64 ? 2 : 1;
	}
	if (egpu_space_read(item, item->regs)) {
		kfree(item);
		return ERR_PTR(-ENODEV);
	}
	egpu_space_recall(item);
	egpu_space_insert(space, item);
	return item;
}

/*
 * The kernel leaves windows that it closed on their bus, out of the resource
 * tree: an address in one of them leads nowhere.
 */
static bool egpu_space_is_rooted(struct resource *res)
{
	while (res->parent)
		res = res->parent;
	return res == &iomem_resource;
}

/* As when a driver comes: user space's mappings of a resourceN file end. */
static bool egpu_space_unmap(struct resource *res)
{
	if (!egpu_space_is_rooted(res))
		return true;
	if (!request_mem_region(res->start, resource_size(res), EGPU_NAME))
		return false;
	release_mem_region(res->start, resource_size(res));
	return true;
}

/* Out of the resource tree. */
int egpu_space_release_one(struct egpu_space *space,
			   struct egpu_space_item *item)
{
	struct resource *res = egpu_space_res(item);

	if (!res->parent)
		return 0;
	if (res->child || res->flags & IORESOURCE_PCI_FIXED ||
	    (!item->window && !egpu_space_unmap(res)) || release_resource(res))
		return egpu_space_busy(space, item->pdev);
	item->released = true;
	return 0;
}

/* All; what is in windows first. */
int egpu_space_release(struct egpu_space *space, int kind)
{
	struct egpu_space_item *item;
	int ret;

	list_for_each_entry_reverse(item, &space->items, node) {
		ret = item->kind == kind ? egpu_space_release_one(space, item) :
					   0;
		if (ret)
			return ret;
	}
	return 0;
}

static void egpu_space_form_window(struct egpu_space_item *item)
{
	struct resource *res = egpu_space_res(item);

	res->flags = IORESOURCE_MEM | IORESOURCE_STARTALIGN;
	if (item->index == PCI_BRIDGE_PREF_MEM_WINDOW)
		res->flags |= IORESOURCE_PREFETCH;
	if (item->wide)
		res->flags |= IORESOURCE_MEM_64 | PCI_PREF_RANGE_TYPE_64;
	res->start = item->align;
	res->end = item->align + item->size - 1;
}

/* Find an address in the window that it belongs into, and write it to a BAR. */
int egpu_space_put(struct egpu_space_item *item)
{
	struct resource *res = egpu_space_res(item);
	int ret;

	if (item->window)
		egpu_space_form_window(item);
	ret = pci_assign_resource(item->pdev, item->index);
	if (ret || !res->parent)
		return ret ?: -EBUSY;
	if (egpu_space_is_rooted(res) &&
	    (!item->owner || res->parent == egpu_space_res(item->owner)))
		return 0;
	release_resource(res);
	return -ENOSPC;
}

/* --- the end ------------------------------------------------------------ */

/* Expansion ROMs and BARs of virtual functions may do without. */
static void egpu_space_forgo(struct egpu_space_item *item)
{
	struct resource *res = egpu_space_res(item);

	if (item->index == PCI_ROM_RESOURCE && item->reg)
		pci_write_config_dword(item->pdev, item->reg, 0);
	res->flags &= ~IORESOURCE_ROM_ENABLE;
	res->flags |= IORESOURCE_UNSET;
	res->end = resource_size(res) - 1;
	res->start = 0;
}

static int egpu_space_commit_bar(struct egpu_space_item *item)
{
	struct resource *res = egpu_space_res(item);
	u32 regs[EGPU_SPACE_REGS];

	if (item->index >= PCI_STD_NUM_BARS) {
		if (!res->parent)
			egpu_space_forgo(item);
		return 0;
	}
	if (egpu_space_read(item, regs))
		return -ENODEV;
	if (!res->parent || !egpu_space_bar_is_right(item->pdev, item->index)) {
		pci_warn(item->pdev, "egpu: BAR %d does not take an address\n",
			 item->index);
		return -EIO;
	}
	egpu_space_note(item, regs);
	return 0;
}

/**
 * egpu_space_commit() - write windows, from the root on, and see that all is right
 * @space: the try; BARs are written already
 *
 * Return: 0, -EIO when registers do not take what they should, -ENODEV.
 */
int egpu_space_commit(struct egpu_space *space)
{
	struct egpu_space_item *item;
	u32 regs[EGPU_SPACE_REGS];
	int ret;

	list_for_each_entry(item, &space->items, node)
		if (egpu_space_read(item, regs))
			return -ENODEV;
	list_for_each_entry(item, &space->items, node) {
		if (!item->window)
			ret = egpu_space_commit_bar(item);
		else
			ret = item->size ? egpu_space_write_window(space, item) :
					   0;
		if (ret)
			return ret;
	}
	return 0;
}

static void egpu_space_restore(struct egpu_space_item *item)
{
	struct resource *res = egpu_space_res(item);

	res->start = item->saved.start;
	res->end = item->saved.end;
	res->flags = item->saved.flags;
	if (item->parent && request_resource(item->parent, res)) {
		pci_err(item->pdev, "egpu: lost %pR\n", res);
		res->flags |= IORESOURCE_UNSET;
	}
}

/* Everything as it was, resources and registers. */
void egpu_space_undo(struct egpu_space *space)
{
	struct egpu_space_item *item;
	struct egpu_space_fn *fn;
	struct resource *res;

	list_for_each_entry_reverse(item, &space->items, node) {
		res = egpu_space_res(item);
		if (res->parent && (item->released || !item->parent))
			release_resource(res);
	}
	list_for_each_entry(item, &space->items, node) {
		if (!egpu_space_res(item)->parent)
			egpu_space_restore(item);
		if (item->window && !item->written)
			continue;
		egpu_space_write(item, item->regs);
		egpu_space_note(item, item->noted);
	}
	list_for_each_entry(fn, &space->fns, node)
		egpu_space_close(fn);
}
