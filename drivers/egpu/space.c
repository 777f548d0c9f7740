// SPDX-License-Identifier: GPL-2.0-only
/*
 * Room for the BARs of what is held, where the kernel found none: it makes the
 * windows of the one bridge larger below which something was plugged, never
 * those further up, and a BAR that does not fit is forgotten.
 *
 * The windows of that bridge are taken out of the resource tree with all that
 * is in them, measured, and put back larger; when the bridge above has no room
 * for that, its windows and all that is in them as well, and so on up to the
 * root port. Whatever is in use is left where it is, and so is every window
 * that has something in use in it. Nothing is changed when it does not work out.
 *
 * Not by pci_assign_unassigned_bridge_resources(), which closes the windows of
 * all ports of a root bus, GPUs in use or not, when one finds no room.
 */
#include <linux/bitops.h>
#include <linux/delay.h>
#include <linux/log2.h>
#include <linux/pci.h>
#include <linux/pm_runtime.h>
#include <linux/sizes.h>
#include <linux/slab.h>

#include "egpu.h"

#define EGPU_SPACE_TRIES	20	/* while others look at what is below */
#define EGPU_SPACE_FNS_MAX	32	/* locked at once; lockdep counts 48 */
#define EGPU_SPACE_BAR_MAX	BIT_ULL(50)	/* beyond any CPU */
#define EGPU_SPACE_WINDOW_MIN	SZ_1M	/* granularity of a bridge's windows */
#define EGPU_SPACE_REGS		3
#define EGPU_SPACE_CLOSED	0x0000fff0	/* base above limit */
#define EGPU_SPACE_ADDRESS	0xfff0fff0	/* the rest is type */

/**
 * struct egpu_space_item - a resource that may change
 * @node: in egpu_space.items
 * @depth: so many bridges are above it
 * @pdev: whose; it cannot go while the rescan lock is held
 * @index: which
 * @kind: index of the windows of the tree that it is in
 * @owner: the window that it is in or shall be in, NULL: the topmost
 * @window: it is a bridge's window
 * @want: a BAR that has no address, or another one than its register
 * @released: it was taken out of the resource tree
 * @written: its registers were
 * @wide: it can lie above 4 GiB
 * @saved: as it was found
 * @parent: likewise
 * @reg: its first register, 0: it has none
 * @nr_regs: how many it has
 * @regs: what they read
 * @size: that it needs
 * @align: likewise; a power of two
 */
struct egpu_space_item {
	struct list_head node;
	int depth;
	struct pci_dev *pdev;
	int index;
	int kind;
	struct egpu_space_item *owner;
	bool window;
	bool want;
	bool released;
	bool written;
	bool wide;
	struct resource saved;
	struct resource *parent;
	int reg;
	int nr_regs;
	u32 regs[EGPU_SPACE_REGS];
	u64 size;
	u64 align;
};

/**
 * struct egpu_space - one try to make room
 * @port: for what is below it
 * @items: list of struct egpu_space_item, sorted by depth: what holds something
 *	comes before it
 * @in_the_way: what could not be moved, or NULL
 * @nr_fns: how many functions are locked
 * @fns: these: nobody binds a driver, memory decoding is off
 */
struct egpu_space {
	struct egpu_port *port;
	struct list_head items;
	struct pci_dev *in_the_way;
	u32 nr_fns;
	struct {
		struct pci_dev *pdev;
		u16 command;
	} fns[EGPU_SPACE_FNS_MAX];
};

static struct resource *egpu_space_res(const struct egpu_space_item *item)
{
	return &item->pdev->resource[item->index];
}

static bool egpu_space_is_window(struct pci_dev *pdev, int i)
{
	return pdev->hdr_type == PCI_HEADER_TYPE_BRIDGE &&
	       (i == PCI_BRIDGE_MEM_WINDOW || i == PCI_BRIDGE_PREF_MEM_WINDOW);
}

/* --- registers ---------------------------------------------------------- */

/* Of a resource that is no window; 0: none that is known. */
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

static void egpu_space_read(struct egpu_space_item *item, u32 *regs)
{
	int i;

	for (i = 0; i < item->nr_regs; i++)
		pci_read_config_dword(item->pdev, item->reg + 4 * i, &regs[i]);
}

/* Half written, a prefetchable window is closed. */
static void egpu_space_write(struct egpu_space_item *item, const u32 *regs)
{
	int i;

	if (item->window && item->nr_regs == EGPU_SPACE_REGS)
		pci_write_config_dword(item->pdev, PCI_PREF_LIMIT_UPPER32, 0);
	for (i = 0; i < item->nr_regs; i++)
		pci_write_config_dword(item->pdev, item->reg + 4 * i, regs[i]);
}

/* What a window's registers have to be; the bus's addresses, not the CPU's. */
static void egpu_space_window_regs(struct egpu_space_item *item, u32 *regs)
{
	struct resource *res = egpu_space_res(item);
	struct pci_bus_region region;

	memset(regs, 0, EGPU_SPACE_REGS * sizeof(*regs));
	regs[0] = EGPU_SPACE_CLOSED;
	if (!res->parent)
		return;
	pcibios_resource_to_bus(item->pdev->bus, &region, res);
	regs[0] = (lower_32_bits(region.start) >> 16 & 0xfff0) |
		  (lower_32_bits(region.end) & 0xfff00000);
	if (res->flags & IORESOURCE_MEM_64) {
		regs[1] = upper_32_bits(region.start);
		regs[2] = upper_32_bits(region.end);
	}
}

static int egpu_space_write_window(struct egpu_space_item *item)
{
	u32 want[EGPU_SPACE_REGS], regs[EGPU_SPACE_REGS] = {};

	egpu_space_window_regs(item, want);
	egpu_space_write(item, want);
	item->written = true;
	egpu_space_read(item, regs);
	if ((regs[0] ^ want[0]) & EGPU_SPACE_ADDRESS ||
	    regs[1] != (item->nr_regs > 1 ? want[1] : 0) ||
	    regs[2] != (item->nr_regs > 2 ? want[2] : 0)) {
		pci_warn(item->pdev, "egpu: its window does not take an address\n");
		return -EIO;
	}
	pci_info(item->pdev, "egpu: bridge window %pR\n", egpu_space_res(item));
	return 0;
}

static bool egpu_space_bar_is_right(struct egpu_space_item *item)
{
	struct resource *res = egpu_space_res(item);
	struct pci_bus_region region;

	pcibios_resource_to_bus(item->pdev->bus, &region, res);
	return egpu_bar_read(item->pdev, item->index,
			     res->flags & IORESOURCE_MEM_64) == region.start;
}

/* --- what may change ---------------------------------------------------- */

static struct egpu_space_item *egpu_space_find(struct egpu_space *space,
					       struct pci_dev *pdev, int i)
{
	struct egpu_space_item *item;

	list_for_each_entry(item, &space->items, node)
		if (item->pdev == pdev && item->index == i)
			return item;
	return NULL;
}

static int egpu_space_depth(struct pci_dev *pdev)
{
	struct pci_bus *bus;
	int depth = 0;

	for (bus = pdev->bus; bus->self; bus = bus->self->bus)
		depth++;
	return depth;
}

static void egpu_space_insert(struct egpu_space *space,
			      struct egpu_space_item *item)
{
	struct egpu_space_item *before;

	list_for_each_entry_reverse(before, &space->items, node)
		if (before->depth <= item->depth)
			break;
	/* Without any it is the list's head. */
	list_add(&item->node, &before->node);
}

static struct egpu_space_item *egpu_space_add(struct egpu_space *space,
					      struct pci_dev *pdev, int i,
					      int kind)
{
	struct egpu_space_item *item = kzalloc(sizeof(*item), GFP_KERNEL);

	if (!item)
		return NULL;
	item->depth = egpu_space_depth(pdev);
	item->pdev = pdev;
	item->index = i;
	item->kind = kind;
	item->saved = pdev->resource[i];
	item->parent = pdev->resource[i].parent;
	egpu_space_insert(space, item);
	return item;
}

static void egpu_space_measure(struct egpu_space_item *item)
{
	const struct resource *res = egpu_space_res(item);

	item->wide = res->flags & IORESOURCE_MEM_64;
	item->size = resource_size(res);
	/* A BAR's is its size; those of virtual functions are several. */
	item->align = item->size & -item->size;
}

static struct egpu_space_item *egpu_space_add_bar(struct egpu_space *space,
						  struct pci_dev *pdev, int i,
						  int kind)
{
	struct egpu_space_item *item = egpu_space_add(space, pdev, i, kind);

	if (!item)
		return NULL;
	item->reg = egpu_space_reg(pdev, i);
	item->nr_regs = !item->reg ? 0 :
			item->saved.flags & IORESOURCE_MEM_64 ? 2 : 1;
	egpu_space_read(item, item->regs);
	egpu_space_measure(item);
	return item;
}

/* A bridge that sleeps would have its old windows when it wakes. */
static struct egpu_space_item *egpu_space_add_window(struct egpu_space *space,
						     struct pci_dev *pdev,
						     int i, int kind)
{
	struct egpu_space_item *item = egpu_space_add(space, pdev, i, kind);

	if (!item)
		return NULL;
	pm_runtime_get_sync(&pdev->dev);
	item->window = true;
	item->reg = i == PCI_BRIDGE_MEM_WINDOW ? PCI_MEMORY_BASE :
						 PCI_PREF_MEMORY_BASE;
	item->nr_regs = i == PCI_BRIDGE_MEM_WINDOW ? 1 : EGPU_SPACE_REGS;
	egpu_space_read(item, item->regs);
	return item;
}

/*
 * May a function's BARs change? Only tried, so that nobody waits for a
 * device_lock under the rescan lock. Who holds it binds no driver meanwhile.
 */
static int egpu_space_may_change(struct pci_dev *pdev, u16 *command)
{
	struct device_driver *drv = pdev->dev.driver;

	if (pdev->hdr_type != PCI_HEADER_TYPE_NORMAL ||
	    (drv && !egpu_bus_is_ours(drv)))
		return -EBUSY;
	pci_read_config_word(pdev, PCI_COMMAND, command);
	if (PCI_POSSIBLE_ERROR(*command) || pci_dev_is_disconnected(pdev))
		return -ENODEV;
	if (!drv && *command & PCI_COMMAND_MEMORY)
		return -EBUSY;
	return 0;
}

/* Lock a function, and switch its memory off, until egpu_space_end(). */
static int egpu_space_take(struct egpu_space *space, struct pci_dev *pdev)
{
	u16 command;
	u32 i;
	int ret;

	for (i = 0; i < space->nr_fns; i++)
		if (space->fns[i].pdev == pdev)
			return 0;
	space->in_the_way = pdev;
	if (space->nr_fns == EGPU_SPACE_FNS_MAX)
		return -EBUSY;
	if (!pci_dev_trylock(pdev))
		return pdev->dev.driver &&
		       !egpu_bus_is_ours(pdev->dev.driver) ? -EBUSY : -EAGAIN;
	ret = egpu_space_may_change(pdev, &command);
	if (ret) {
		pci_dev_unlock(pdev);
		return ret;
	}
	space->in_the_way = NULL;
	space->fns[space->nr_fns].pdev = pdev;
	space->fns[space->nr_fns++].command = command;
	if (command & PCI_COMMAND_MEMORY)
		pci_write_config_word(pdev, PCI_COMMAND,
				      command & ~PCI_COMMAND_MEMORY);
	return 0;
}

/* --- what is wanted ----------------------------------------------------- */

/* Which windows the kernel would put it in: 32-bit ones go with the others. */
static int egpu_space_kind(struct pci_dev *pdev, unsigned long flags)
{
	struct pci_dev *bridge = pdev->bus->self;

	if (!(flags & IORESOURCE_PREFETCH) || !bridge->pref_window)
		return PCI_BRIDGE_MEM_WINDOW;
	if (bridge->pref_64_window && !(flags & IORESOURCE_MEM_64))
		return PCI_BRIDGE_MEM_WINDOW;
	return PCI_BRIDGE_PREF_MEM_WINDOW;
}

/* Write all ones, see which stay, and put back what was there. */
static u32 egpu_space_probe_reg(struct pci_dev *pdev, int reg, u32 old)
{
	u32 mask;

	pci_write_config_dword(pdev, reg, ~0);
	pci_read_config_dword(pdev, reg, &mask);
	pci_write_config_dword(pdev, reg, old);
	return mask;
}

/*
 * The size of a BAR that the kernel has forgotten: what it was at the arrival,
 * or the device is not to be trusted.
 */
static int egpu_space_probe(struct egpu_space_item *item, u64 size)
{
	struct resource *res = egpu_space_res(item);
	u32 type = item->regs[0];
	u64 mask;

	if (PCI_POSSIBLE_ERROR(type) || type & PCI_BASE_ADDRESS_SPACE_IO)
		return -EIO;
	mask = egpu_space_probe_reg(item->pdev, item->reg, type) &
	       (u32)PCI_BASE_ADDRESS_MEM_MASK;
	if (type & PCI_BASE_ADDRESS_MEM_TYPE_64) {
		if (item->index + 1 >= PCI_STD_NUM_BARS)
			return -EIO;
		item->nr_regs = 2;
		egpu_space_read(item, item->regs);
		mask |= (u64)egpu_space_probe_reg(item->pdev, item->reg + 4,
						  item->regs[1]) << 32;
	}
	if ((mask & -mask) != size)
		return -EIO;
	res->flags = (type & ~(u32)PCI_BASE_ADDRESS_MEM_MASK) | IORESOURCE_MEM |
		     IORESOURCE_SIZEALIGN;
	if (type & PCI_BASE_ADDRESS_MEM_PREFETCH)
		res->flags |= IORESOURCE_PREFETCH;
	if (type & PCI_BASE_ADDRESS_MEM_TYPE_64)
		res->flags |= IORESOURCE_MEM_64;
	res->start = 0;
	res->end = size - 1;
	return 0;
}

static bool egpu_space_is_lost(struct pci_dev *pdev, int i, u64 size)
{
	struct resource *res = &pdev->resource[i];

	return size && (!(res->flags & IORESOURCE_MEM) || !resource_size(res));
}

static int egpu_space_want(struct egpu_space *space, struct pci_dev *pdev,
			   int i, u64 size)
{
	struct resource *res = &pdev->resource[i];
	bool lost = egpu_space_is_lost(pdev, i, size);
	struct egpu_space_item *item;

	if (!lost && !(res->flags & IORESOURCE_MEM && resource_size(res)))
		return 0;
	item = egpu_space_add_bar(space, pdev, i, 0);
	if (!item)
		return -ENOMEM;
	if (!lost && res->parent && egpu_space_bar_is_right(item)) {
		list_del(&item->node);
		kfree(item);
		return 0;
	}
	item->want = true;
	if (lost && egpu_space_probe(item, size)) {
		pci_warn(pdev, "egpu: BAR %d is not what it was\n", i);
		return -EIO;
	}
	if (res->parent && res->child)
		return -EBUSY;
	if (res->parent)
		item->released = !release_resource(res);
	egpu_space_measure(item);
	item->kind = egpu_space_kind(pdev, res->flags);
	return item->size > EGPU_SPACE_BAR_MAX ||
	       !is_power_of_2(item->size) ? -EIO : 0;
}

/* Sizes of a function's memory BARs. Return: is it held? */
static bool egpu_space_known(struct egpu_port *port, struct pci_dev *pdev,
			     resource_size_t *size)
{
	struct egpu_fn *fn;

	guard(mutex)(&port->lock);
	fn = egpu_fn_find(port, pdev);
	if (!fn)
		return false;
	memcpy(size, fn->bar_size, sizeof(fn->bar_size));
	return fn->hold;
}

/* All BARs of what is held that have no address, or a wrong one. */
static int egpu_space_collect(struct egpu_space *space)
{
	struct egpu_pdevs *held __free(egpu_pdevs) =
		egpu_fn_snapshot(space->port, egpu_fn_is_held);
	resource_size_t size[PCI_STD_NUM_BARS];
	int i, ret;
	u32 n;

	if (!held)
		return -ENOMEM;
	for (n = 0; n < held->nr; n++) {
		if (!egpu_space_known(space->port, held->pdev[n], size))
			continue;
		ret = egpu_space_take(space, held->pdev[n]);
		for (i = 0; !ret && i < PCI_STD_NUM_BARS; i++)
			ret = egpu_space_want(space, held->pdev[n], i, size[i]);
		if (ret)
			return ret;
	}
	return 0;
}

/* --- what has to move --------------------------------------------------- */

static bool egpu_space_is_below(struct pci_dev *pdev, struct pci_dev *bridge)
{
	struct pci_dev *above;

	for (above = pdev->bus->self; above; above = above->bus->self)
		if (above == bridge)
			return true;
	return false;
}

/* The lowest bridge above all that is wanted; NULL: nothing is. */
static struct pci_dev *egpu_space_lowest(struct egpu_space *space, int kind)
{
	struct pci_dev *bridge = NULL;
	struct egpu_space_item *item;

	list_for_each_entry(item, &space->items, node) {
		if (!item->want || item->kind != kind)
			continue;
		if (!bridge)
			bridge = item->pdev->bus->self;
		while (bridge && !egpu_space_is_below(item->pdev, bridge))
			bridge = bridge->bus->self;
	}
	return bridge;
}

static int egpu_space_gather_new(struct egpu_space *space,
				 struct egpu_space_item *window,
				 struct pci_dev *pdev, int i)
{
	struct resource *res = &pdev->resource[i];
	bool inside = res->parent && res->parent == egpu_space_res(window);
	struct egpu_space_item *item;
	int ret = 0;

	if (egpu_space_is_window(pdev, i)) {
		/* A window without an address may be needed further down. */
		if (!inside && (i != window->kind || res->parent))
			return 0;
		if (i == PCI_BRIDGE_PREF_MEM_WINDOW && !pdev->pref_window)
			return 0;
		item = egpu_space_add_window(space, pdev, i, window->kind);
	} else if (inside) {
		space->in_the_way = pdev;
		if (res->child)
			return -EBUSY;
		ret = egpu_space_take(space, pdev);
		if (ret)
			return ret;
		item = egpu_space_add_bar(space, pdev, i, window->kind);
	} else {
		return 0;
	}
	if (!item)
		return -ENOMEM;
	item->owner = window;
	return 0;
}

static int egpu_space_gather_one(struct egpu_space *space,
				 struct egpu_space_item *window,
				 struct pci_dev *pdev)
{
	struct egpu_space_item *item;
	int i, ret;

	for (i = 0; i < PCI_NUM_RESOURCES; i++) {
		item = egpu_space_find(space, pdev, i);
		if (!item) {
			ret = egpu_space_gather_new(space, window, pdev, i);
			if (ret)
				return ret;
		} else if (item->kind == window->kind) {
			item->owner = window;
		} else if (pdev->resource[i].parent == egpu_space_res(window)) {
			/* The other tree has put it here. */
			return -EBUSY;
		}
	}
	return 0;
}

/*
 * Add a bridge's window and all that is in it. Nothing is changed yet, but that
 * functions are locked.
 *
 * Return: 0, -EBUSY when something in it may not move, -EAGAIN, -ENOMEM.
 */
static int egpu_space_gather(struct egpu_space *space, struct pci_dev *bridge,
			     int kind)
{
	struct egpu_space_item *window;
	struct pci_dev *pdev;
	int ret;

	window = egpu_space_find(space, bridge, kind);
	if (!window)
		window = egpu_space_add_window(space, bridge, kind, kind);
	if (!window)
		return -ENOMEM;
	/* While it is walked the list grows, behind the window that is walked. */
	list_for_each_entry(window, &space->items, node) {
		if (!window->window || window->kind != kind ||
		    !window->pdev->subordinate)
			continue;
		list_for_each_entry(pdev, &window->pdev->subordinate->devices,
				    bus_list) {
			ret = egpu_space_gather_one(space, window, pdev);
			if (ret)
				return ret;
		}
	}
	return 0;
}

/* Out of the resource tree; what is in windows first. */
static int egpu_space_release(struct egpu_space *space, int kind)
{
	struct egpu_space_item *item;
	struct resource *res;

	list_for_each_entry_reverse(item, &space->items, node) {
		res = egpu_space_res(item);
		if (item->kind != kind || !res->parent)
			continue;
		space->in_the_way = item->pdev;
		if (res->child || release_resource(res))
			return -EBUSY;
		item->released = true;
		space->in_the_way = NULL;
	}
	return 0;
}

/* --- how much, and where ------------------------------------------------ */

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

/* As __pci_assign_resource() does, which knows BARs only. */
static int egpu_space_alloc(struct egpu_space_item *item, struct resource *res)
{
	static const unsigned long type[] = {
		IORESOURCE_PREFETCH | IORESOURCE_MEM_64, IORESOURCE_PREFETCH, 0,
	};
	int i;

	for (i = 0; i < ARRAY_SIZE(type); i++)
		if (!pci_bus_alloc_resource(item->pdev->bus, res, item->size,
					    item->align, PCIBIOS_MIN_MEM,
					    type[i], NULL, NULL))
			return 0;
	return -ENOSPC;
}

static int egpu_space_put_window(struct egpu_space_item *item)
{
	struct resource *res = egpu_space_res(item);

	res->flags = IORESOURCE_MEM;
	if (item->index == PCI_BRIDGE_PREF_MEM_WINDOW)
		res->flags |= IORESOURCE_PREFETCH;
	if (item->wide)
		res->flags |= IORESOURCE_MEM_64 | PCI_PREF_RANGE_TYPE_64;
	res->start = 0;
	res->end = item->size - 1;
	return egpu_space_alloc(item, res);
}

/* Expansion ROMs and BARs of virtual functions may do without. */
static int egpu_space_put(struct egpu_space_item *item)
{
	struct resource *res = egpu_space_res(item);
	int ret;

	if (item->window)
		ret = egpu_space_put_window(item);
	else
		ret = pci_assign_resource(item->pdev, item->index);
	if (!ret && !egpu_space_is_rooted(res)) {
		release_resource(res);
		ret = -ENOSPC;
	}
	return item->window || item->index < PCI_STD_NUM_BARS ? ret : 0;
}

/*
 * Go through what is in a window, the most aligned first, so that nothing is
 * lost in between; place it there, or count what it needs.
 */
static int egpu_space_pack(struct egpu_space *space,
			   struct egpu_space_item *window, bool place,
			   u64 *need)
{
	struct egpu_space_item *item;
	int bit, ret;

	*need = 0;
	for (bit = fls64(EGPU_SPACE_BAR_MAX) - 1; bit >= 0; bit--) {
		list_for_each_entry(item, &space->items, node) {
			if (item->owner != window || !item->size ||
			    item->align != BIT_ULL(bit))
				continue;
			*need = ALIGN(*need, item->align) + item->size;
			ret = place ? egpu_space_put(item) : 0;
			if (ret)
				return ret;
		}
	}
	return 0;
}

/* What a window had; the kernel keeps that when it closes one. */
static u64 egpu_space_old_size(struct egpu_space_item *window)
{
	const struct resource *saved = &window->saved;

	if (!(saved->flags & IORESOURCE_MEM) || saved->end <= saved->start)
		return 0;
	return resource_size(saved);
}

/* A window becomes no smaller: firmware may have left room for what comes. */
static void egpu_space_size_window(struct egpu_space *space,
				   struct egpu_space_item *window)
{
	u64 need, old = egpu_space_old_size(window);
	struct egpu_space_item *item;

	window->align = EGPU_SPACE_WINDOW_MIN;
	window->wide = window->index == PCI_BRIDGE_PREF_MEM_WINDOW &&
		       window->pdev->pref_64_window;
	list_for_each_entry(item, &space->items, node) {
		if (item->owner != window || !item->size)
			continue;
		window->align = max(window->align, item->align);
		window->wide &= item->wide;
	}
	egpu_space_pack(space, window, false, &need);
	window->size = ALIGN(max(need, old), EGPU_SPACE_WINDOW_MIN);
}

static int egpu_space_place(struct egpu_space *space, int kind)
{
	struct egpu_space_item *item;
	u64 need;
	int ret;

	list_for_each_entry_reverse(item, &space->items, node)
		if (item->window && item->kind == kind)
			egpu_space_size_window(space, item);
	list_for_each_entry(item, &space->items, node) {
		if (!item->window || item->kind != kind || !item->size)
			continue;
		ret = item->owner ? 0 : egpu_space_put(item);
		ret = ret ?: egpu_space_pack(space, item, true, &need);
		if (ret)
			return ret;
	}
	return 0;
}

/* Maybe there is room by now, or another device's BARs have left some. */
static int egpu_space_in_place(struct egpu_space *space, int kind)
{
	struct egpu_space_item *item;
	int ret;

	list_for_each_entry(item, &space->items, node) {
		if (!item->want || item->kind != kind)
			continue;
		ret = egpu_space_put(item);
		if (ret)
			return ret;
	}
	return 0;
}

/**
 * egpu_space_fit_kind() - find addresses for all that is wanted in such windows
 * @space: the try
 * @kind: index of the windows
 *
 * Return: 0, or
 *  * -ENOSPC	there is not enough, not even at the root
 *  * -EBUSY	something in use would have to move
 *  * -EAGAIN	others have hold of what would have to move
 */
static int egpu_space_fit_kind(struct egpu_space *space, int kind)
{
	struct pci_dev *bridge = egpu_space_lowest(space, kind);
	int ret;

	if (!bridge || !egpu_space_in_place(space, kind))
		return 0;
	for (; bridge; bridge = bridge->bus->self) {
		if (kind == PCI_BRIDGE_PREF_MEM_WINDOW && !bridge->pref_window)
			break;
		ret = egpu_space_gather(space, bridge, kind);
		ret = ret ?: egpu_space_release(space, kind);
		if (ret)
			return ret;
		if (!egpu_space_place(space, kind))
			return 0;
	}
	return -ENOSPC;
}

/* --- the end ------------------------------------------------------------ */

/* What a reset restores is what was saved. */
static void egpu_space_open(struct pci_dev *bridge)
{
	u16 command;

	pci_read_config_word(bridge, PCI_COMMAND, &command);
	if (!(command & PCI_COMMAND_MEMORY) && !PCI_POSSIBLE_ERROR(command))
		pci_write_config_word(bridge, PCI_COMMAND,
				      command | PCI_COMMAND_MEMORY);
	pci_save_state(bridge);
}

/* Windows are written from the root on; BARs have been already. */
static int egpu_space_commit(struct egpu_space *space)
{
	struct egpu_space_item *item;
	int ret;

	list_for_each_entry(item, &space->items, node) {
		if (!item->window || !(item->released || item->size))
			continue;
		ret = egpu_space_write_window(item);
		if (ret)
			return ret;
		egpu_space_open(item->pdev);
	}
	list_for_each_entry(item, &space->items, node) {
		if (item->window || item->index >= PCI_STD_NUM_BARS ||
		    (egpu_space_res(item)->parent &&
		     egpu_space_bar_is_right(item)))
			continue;
		pci_warn(item->pdev, "egpu: BAR %d does not take an address\n",
			 item->index);
		return -EIO;
	}
	return 0;
}

static void egpu_space_restore(struct egpu_space_item *item)
{
	struct resource *res = egpu_space_res(item);

	if (!item->released && !item->want && !item->size)
		return;
	res->start = item->saved.start;
	res->end = item->saved.end;
	res->flags = item->saved.flags;
	if (item->parent && request_resource(item->parent, res)) {
		pci_err(item->pdev, "egpu: lost %pR\n", res);
		res->flags |= IORESOURCE_UNSET;
	}
}

/* Everything as it was, resources and registers. */
static void egpu_space_undo(struct egpu_space *space)
{
	struct egpu_space_item *item;
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
		if (item->window)
			pci_save_state(item->pdev);
	}
}

/*
 * A port whose window the kernel has closed, since what it should hold found no
 * room, makes it close those of all its neighbours at the next arrival. Open it
 * again, as small as can be.
 */
static void egpu_space_reopen(struct egpu_space *space, int kind)
{
	struct pci_dev *port = space->port->pdev;
	struct resource *res = &port->resource[kind];
	struct egpu_space_item *window;

	if (res->parent || !port->subordinate ||
	    (kind == PCI_BRIDGE_PREF_MEM_WINDOW && !port->pref_window))
		return;
	window = egpu_space_find(space, port, kind);
	if (!window)
		window = egpu_space_add_window(space, port, kind, kind);
	if (!window)
		return;
	window->size = EGPU_SPACE_WINDOW_MIN;
	window->align = EGPU_SPACE_WINDOW_MIN;
	window->wide = kind == PCI_BRIDGE_PREF_MEM_WINDOW &&
		       port->pref_64_window;
	if (!egpu_space_put(window) && !egpu_space_write_window(window)) {
		egpu_space_open(port);
		return;
	}
	if (res->parent)
		release_resource(res);
	egpu_space_restore(window);
	egpu_space_write(window, window->regs);
}

static void egpu_space_end(struct egpu_space *space)
{
	struct egpu_space_item *item, *next;
	u32 i;

	for (i = 0; i < space->nr_fns; i++) {
		if (space->fns[i].command & PCI_COMMAND_MEMORY)
			pci_write_config_word(space->fns[i].pdev, PCI_COMMAND,
					      space->fns[i].command);
		pci_dev_unlock(space->fns[i].pdev);
	}
	list_for_each_entry_safe(item, next, &space->items, node) {
		if (item->window)
			pm_runtime_put(&item->pdev->dev);
		kfree(item);
	}
}

static void egpu_space_tell(struct egpu_space *space, int error)
{
	struct pci_dev *port = space->port->pdev;

	if (!error)
		pci_info(port, "egpu: made room for the BARs below\n");
	else if (error == -ENOSPC)
		pci_warn(port, "egpu: no room for the BARs below, not even at the root\n");
	else if (space->in_the_way)
		pci_warn(port, "egpu: no room for the BARs below unless %s moves (%d)\n",
			 pci_name(space->in_the_way), error);
	else
		pci_warn(port, "egpu: the BARs below get no addresses (%d)\n",
			 error);
}

static int egpu_space_try(struct egpu_port *port)
{
	struct egpu_space *space = kzalloc(sizeof(*space), GFP_KERNEL);
	int ret;

	if (!space)
		return -ENOMEM;
	space->port = port;
	INIT_LIST_HEAD(&space->items);
	pci_lock_rescan_remove();
	ret = port->pdev->subordinate ? egpu_space_collect(space) : -ENODEV;
	ret = ret ?: egpu_space_fit_kind(space, PCI_BRIDGE_MEM_WINDOW);
	ret = ret ?: egpu_space_fit_kind(space, PCI_BRIDGE_PREF_MEM_WINDOW);
	ret = ret ?: egpu_space_commit(space);
	if (ret)
		egpu_space_undo(space);
	if (ret && ret != -EAGAIN) {
		egpu_space_reopen(space, PCI_BRIDGE_MEM_WINDOW);
		egpu_space_reopen(space, PCI_BRIDGE_PREF_MEM_WINDOW);
	}
	if (ret != -EAGAIN)
		egpu_space_tell(space, ret);
	egpu_space_end(space);
	pci_unlock_rescan_remove();
	kfree(space);
	return ret;
}

/**
 * egpu_space_fit() - make room for the BARs of what a port holds
 * @port: the port; a job of its calls, without locks
 *
 * Return: 0, or an error; then everything is as it was, but for windows of the
 * port itself that the kernel had closed.
 */
int egpu_space_fit(struct egpu_port *port)
{
	int tries = EGPU_SPACE_TRIES;
	int ret;

	egpu_step_set(port, EGPU_STEP_SPACE);
	pm_runtime_get_sync(&port->pdev->dev);
	while ((ret = egpu_space_try(port)) == -EAGAIN && --tries)
		msleep(EGPU_TRYLOCK_MS);
	if (ret == -EAGAIN)
		pci_warn(port->pdev, "egpu: others have hold of what is below; no room is made\n");
	pm_runtime_put(&port->pdev->dev);
	return ret;
}
