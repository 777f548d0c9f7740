// SPDX-License-Identifier: GPL-2.0-only
/*
 * Room for the BARs of what is held, where the kernel found none: it makes the
 * windows of the one bridge larger below which something was plugged, never
 * those further up, and a BAR that does not fit is forgotten.
 *
 * The window of the bridge above a BAR is taken out of the resource tree with all
 * that is in it, measured, and put back larger; when the bridge above has no room
 * for that, its window and all that is in it as well, and so on up to the root
 * port. Whatever is in use is left where it is, and so is every window that has
 * something in use in it. Nothing is changed when it does not work out.
 *
 * Not by pci_assign_unassigned_bridge_resources(), which closes the windows of
 * all ports of a root bus, GPUs in use or not, when one finds no room.
 */
#include <linux/delay.h>
#include <linux/log2.h>
#include <linux/pci.h>
#include <linux/sizes.h>
#include <linux/slab.h>

#include "space.h"

#define EGPU_SPACE_TRIES	20	/* while others have hold of what is below */
#define EGPU_SPACE_WAIT_MS	250	/* between two of them */
#define EGPU_SPACE_BAR_MAX	BIT_ULL(50)	/* beyond any CPU */
#define EGPU_SPACE_WINDOW_MIN	SZ_1M	/* granularity of a bridge's windows */

/**
 * struct egpu_space_bars - a function's memory BARs when it arrived
 * @size: of each, 0: it has no such
 * @flags: IORESOURCE_*
 */
struct egpu_space_bars {
	resource_size_t size[PCI_STD_NUM_BARS];
	unsigned long flags[PCI_STD_NUM_BARS];
};

/* --- what is wanted ----------------------------------------------------- */

/* Where the kernel would put it: 32-bit ones do not go into a 64-bit window. */
static int egpu_space_kind(struct pci_dev *bridge, unsigned long flags)
{
	if (!(flags & IORESOURCE_PREFETCH) || !bridge->pref_window ||
	    (bridge->pref_64_window && !(flags & IORESOURCE_MEM_64)))
		return PCI_BRIDGE_MEM_WINDOW;
	return PCI_BRIDGE_PREF_MEM_WINDOW;
}

/*
 * Which window of the bridge above a resource is in, or should be in. -1: none;
 * it is none of those that egpu places.
 */
static int egpu_space_above(struct egpu_space *space, struct pci_dev *pdev,
			    int i)
{
	struct egpu_space_item *item = egpu_space_find(space, pdev, i);
	struct pci_dev *bridge = pdev->bus->self;
	struct resource *parent;

	if (!bridge)
		return -1;
	parent = item ? item->parent : pdev->resource[i].parent;
	if (parent == &bridge->resource[PCI_BRIDGE_MEM_WINDOW])
		return PCI_BRIDGE_MEM_WINDOW;
	if (parent == &bridge->resource[PCI_BRIDGE_PREF_MEM_WINDOW])
		return PCI_BRIDGE_PREF_MEM_WINDOW;
	if (parent)
		return -1;
	if (item && item->want)
		return egpu_space_kind(bridge, pdev->resource[i].flags);
	/* A window without an address may be needed further down. */
	if (!egpu_space_is_window(pdev, i))
		return -1;
	if (i == PCI_BRIDGE_MEM_WINDOW)
		return PCI_BRIDGE_MEM_WINDOW;
	if (!pdev->pref_window)
		return -1;
	return egpu_space_kind(bridge, IORESOURCE_PREFETCH |
			       (pdev->pref_64_window ? IORESOURCE_MEM_64 : 0));
}

/* What a BAR says of its size: write all ones, see which stay. */
static u64 egpu_space_asked_size(struct egpu_space_item *item)
{
	u64 mask;

	pci_write_config_dword(item->pdev, item->reg, ~0);
	if (item->wide)
		pci_write_config_dword(item->pdev, item->reg + 4, ~0);
	mask = egpu_bar_read(item->pdev, item->index, item->wide);
	return mask & -mask;
}

/* A BAR that the kernel has forgotten is what it was when it arrived. */
static void egpu_space_remember(struct resource *res,
				const struct egpu_space_bars *known, int i)
{
	res->flags = known->flags[i];
	res->start = 0;
	res->end = known->size[i] - 1;
}

static void egpu_space_measure(struct egpu_space_item *item)
{
	const struct resource *res = egpu_space_res(item);

	item->wide = res->flags & IORESOURCE_MEM_64;
	item->size = resource_size(res);
	/* A BAR's is its size; those of virtual functions are several. */
	item->align = item->size & -item->size;
}

static int egpu_space_want(struct egpu_space *space, struct pci_dev *pdev,
			   int i, const struct egpu_space_bars *known)
{
	struct resource *res = &pdev->resource[i], found = *res;
	bool lost = !(res->flags & IORESOURCE_MEM) || !resource_size(res);
	struct egpu_space_item *item;
	int ret;

	if (lost && !known->size[i])
		return 0;
	if ((lost ? known->flags[i] : res->flags) & IORESOURCE_PCI_FIXED)
		return res->parent ? 0 : egpu_space_busy(space, pdev);
	if (!lost && res->parent && egpu_space_bar_is_right(pdev, i))
		return 0;
	ret = egpu_space_quiet(space, pdev);
	if (ret)
		return ret;
	if (lost)
		egpu_space_remember(res, known, i);
	item = egpu_space_add(space, pdev, i, 0, NULL);
	if (IS_ERR(item)) {
		*res = found;
		return PTR_ERR(item);
	}
	item->saved = found;
	item->want = true;
	egpu_space_measure(item);
	if (item->size > EGPU_SPACE_BAR_MAX || !is_power_of_2(item->size) ||
	    (item->wide && i == PCI_STD_NUM_BARS - 1))
		return -EIO;
	if (lost && egpu_space_asked_size(item) != item->size) {
		pci_warn(pdev, "egpu: BAR %d is not what it was\n", i);
		return -EIO;
	}
	item->kind = egpu_space_above(space, pdev, i);
	if (item->kind < 0)
		return egpu_space_busy(space, pdev);
	return egpu_space_release_one(space, item);
}

/* A function's memory BARs when it arrived. Return: is it held? */
static bool egpu_space_known(struct egpu_port *port, struct pci_dev *pdev,
			     struct egpu_space_bars *known)
{
	struct egpu_fn *fn;

	guard(mutex)(&port->lock);
	fn = egpu_fn_find(port, pdev);
	if (!fn)
		return false;
	memcpy(known->size, fn->bar_size, sizeof(fn->bar_size));
	memcpy(known->flags, fn->bar_flags, sizeof(fn->bar_flags));
	return fn->hold;
}

/* All BARs of what is held that have no address, or a wrong one. */
static int egpu_space_collect(struct egpu_space *space)
{
	struct egpu_pdevs *held __free(egpu_pdevs) =
		egpu_fn_snapshot(space->port, egpu_fn_is_held);
	struct egpu_space_bars known;
	int i, ret;
	u32 n;

	if (!held)
		return -ENOMEM;
	for (n = 0; n < held->nr; n++) {
		if (!egpu_space_known(space->port, held->pdev[n], &known))
			continue;
		ret = egpu_space_take(space, held->pdev[n]);
		for (i = 0; !ret && i < PCI_STD_NUM_BARS; i++)
			ret = egpu_space_want(space, held->pdev[n], i, &known);
		if (ret)
			return ret;
	}
	return 0;
}

/* --- what has to move --------------------------------------------------- */

/* Windows of one kind may lie in those of the other: place all at once. */
static void egpu_space_join(struct egpu_space *space, int kind)
{
	struct egpu_space_item *item;

	list_for_each_entry(item, &space->items, node)
		item->kind = kind;
}

static int egpu_space_gather_one(struct egpu_space *space,
				 struct egpu_space_item *window,
				 struct pci_dev *pdev, int i)
{
	struct egpu_space_item *item;
	int ret;

	if (egpu_space_above(space, pdev, i) != window->index)
		return 0;
	item = egpu_space_find(space, pdev, i);
	if (!item) {
		ret = egpu_space_is_window(pdev, i) ? 0 :
		      egpu_space_quiet(space, pdev);
		if (ret)
			return ret;
		item = egpu_space_add(space, pdev, i, window->kind, window);
		if (IS_ERR(item))
			return PTR_ERR(item);
		if (!item->window)
			egpu_space_measure(item);
	}
	item->owner = window;
	if (item->kind != window->kind)
		egpu_space_join(space, window->kind);
	return 0;
}

static int egpu_space_gather_bus(struct egpu_space *space,
				 struct egpu_space_item *window)
{
	struct egpu_space_fn *fn;
	int i, ret;

	list_for_each_entry(fn, &space->fns, node) {
		if (!fn->locked || fn->pdev->bus != window->pdev->subordinate)
			continue;
		for (i = 0; i < PCI_NUM_RESOURCES; i++) {
			ret = egpu_space_gather_one(space, window, fn->pdev, i);
			if (ret)
				return ret;
		}
	}
	return 0;
}

/*
 * Add a bridge's window and all that is in it, or shall be. Nothing is changed
 * yet, but that functions are locked, and their memory is off.
 *
 * Return: 0, -EBUSY when something in it may not move, -EAGAIN, -ENOMEM, -ENODEV.
 */
static int egpu_space_gather(struct egpu_space *space, struct pci_dev *bridge,
			     int i, int kind)
{
	struct egpu_space_item *window;
	int ret;

	/* A window without anything in it goes when a BAR below is resized. */
	ret = egpu_space_take_below(space, bridge->bus->self ?: bridge);
	if (ret)
		return ret;
	window = egpu_space_find(space, bridge, i);
	if (!window)
		window = egpu_space_add(space, bridge, i, kind, NULL);
	if (IS_ERR(window))
		return PTR_ERR(window);
	if (window->kind != kind)
		egpu_space_join(space, kind);
	/* While it is walked the list grows, behind the window that is walked. */
	list_for_each_entry(window, &space->items, node) {
		if (!window->window || window->kind != kind ||
		    !window->pdev->subordinate)
			continue;
		ret = egpu_space_gather_bus(space, window);
		if (ret)
			return ret;
	}
	return 0;
}

/* --- how much, and where ------------------------------------------------ */

/*
 * Go through what is in a window, the most aligned first, so that nothing is
 * lost in between; place it there, or count what it needs.
 */
static int egpu_space_pack(struct egpu_space *space,
			   struct egpu_space_item *window, bool place,
			   u64 *need)
{
	struct egpu_space_item *item;
	u64 align;
	int ret;

	*need = 0;
	for (align = EGPU_SPACE_BAR_MAX; align; align >>= 1) {
		list_for_each_entry(item, &space->items, node) {
			if (item->owner != window || !item->size ||
			    item->align != align)
				continue;
			*need = ALIGN(*need, align) + item->size;
			ret = place ? egpu_space_put(item) : 0;
			/* Not for expansion ROMs and virtual functions. */
			if (ret && (item->window ||
				    item->index < PCI_STD_NUM_BARS))
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

/*
 * A window becomes no smaller: firmware may have left room for what comes. Only
 * when there is no other way, and nothing is in it, it keeps the least.
 */
static void egpu_space_size_window(struct egpu_space *space,
				   struct egpu_space_item *window)
{
	u64 need, old = egpu_space_old_size(window);
	struct egpu_space_item *item;

	window->empty = true;
	window->align = EGPU_SPACE_WINDOW_MIN;
	window->wide = window->index == PCI_BRIDGE_PREF_MEM_WINDOW &&
		       window->pdev->pref_64_window;
	list_for_each_entry(item, &space->items, node) {
		if (item->owner != window || !item->size)
			continue;
		window->empty &= item->window && item->empty;
		window->align = max(window->align, item->align);
		window->wide &= item->wide;
	}
	egpu_space_pack(space, window, false, &need);
	if (window->empty && old > EGPU_SPACE_WINDOW_MIN) {
		space->spare = true;
		if (space->shrink)
			old = EGPU_SPACE_WINDOW_MIN;
	}
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

/* A BAR that still has no address. */
static struct egpu_space_item *egpu_space_unplaced(struct egpu_space *space,
						   int kind)
{
	struct egpu_space_item *item;

	list_for_each_entry(item, &space->items, node)
		if (item->want && item->kind == kind &&
		    !egpu_space_res(item)->parent)
			return item;
	return NULL;
}

/* Maybe there is room by now, or another device's BARs have left some. */
static struct egpu_space_item *egpu_space_in_place(struct egpu_space *space,
						   int kind)
{
	struct egpu_space_item *item;

	while ((item = egpu_space_unplaced(space, kind)))
		if (egpu_space_put(item))
			break;
	return item;
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
	struct egpu_space_item *want = egpu_space_in_place(space, kind);
	struct pci_dev *pdev, *bridge;
	int i, ret;

	if (!want)
		return 0;
	pdev = want->pdev;
	i = want->index;
	while ((bridge = pdev->bus->self)) {
		i = egpu_space_above(space, pdev, i);
		if (i < 0)
			break;
		ret = egpu_space_gather(space, bridge, i, kind);
		ret = ret ?: egpu_space_release(space, kind);
		if (ret)
			return ret;
		if (!egpu_space_place(space, kind) &&
		    !egpu_space_unplaced(space, kind))
			return 0;
		pdev = bridge;
	}
	return -ENOSPC;
}

/* --- the end ------------------------------------------------------------ */

/*
 * A port whose window the kernel has closed, since what it should hold found no
 * room, makes it close those of all its neighbours at the next arrival. Open it
 * again, as it was or as small as can be.
 */
static void egpu_space_reopen(struct egpu_space *space, int kind)
{
	struct pci_dev *port = space->port->pdev;
	struct egpu_space_item *window;
	u64 size;

	scoped_guard(mutex, &space->port->lock)
		size = space->port->window_size[kind - PCI_BRIDGE_MEM_WINDOW];
	if (!size || port->resource[kind].parent ||
	    egpu_space_take(space, port))
		return;
	egpu_space_forget(space);
	window = egpu_space_add(space, port, kind, kind, NULL);
	if (IS_ERR(window))
		return;
	window->align = EGPU_SPACE_WINDOW_MIN;
	window->wide = kind == PCI_BRIDGE_PREF_MEM_WINDOW &&
		       port->pref_64_window;
	window->size = size;
	if (egpu_space_put(window)) {
		window->size = EGPU_SPACE_WINDOW_MIN;
		egpu_space_put(window);
	}
	if (!port->resource[kind].parent || egpu_space_commit(space))
		egpu_space_undo(space);
}

static void egpu_space_tell(struct egpu_space *space, int error)
{
	struct pci_dev *port = space->port->pdev;

	if (!error)
		pci_info(port, "egpu: made room for the BARs below\n");
	else if (error == -ENOSPC)
		pci_warn(port, "egpu: no room for the BARs below, not even at the root\n");
	else if (error == -EBUSY)
		pci_warn(port, "egpu: no room for the BARs below unless %s moves\n",
			 pci_name(space->in_the_way));
	else
		pci_warn(port, "egpu: the BARs below get no addresses (%d)\n",
			 error);
}

/* Nothing is changed when it fails. */
static int egpu_space_place_all(struct egpu_space *space)
{
	int ret = egpu_space_collect(space);

	ret = ret ?: egpu_space_fit_kind(space, PCI_BRIDGE_MEM_WINDOW);
	ret = ret ?: egpu_space_fit_kind(space, PCI_BRIDGE_PREF_MEM_WINDOW);
	ret = ret ?: egpu_space_commit(space);
	if (ret)
		egpu_space_undo(space);
	return ret;
}

/* The rescan lock is held. */
static int egpu_space_run(struct egpu_space *space)
{
	int ret;

	if (space->error || !space->port->pdev->subordinate)
		return space->error ?: -ENODEV;
	ret = egpu_space_place_all(space);
	if ((ret == -ENOSPC || ret == -EBUSY) && space->spare) {
		egpu_space_forget(space);
		space->shrink = true;
		ret = egpu_space_place_all(space);
	}
	if (ret == -ENOSPC || ret == -EBUSY) {
		egpu_space_reopen(space, PCI_BRIDGE_MEM_WINDOW);
		egpu_space_reopen(space, PCI_BRIDGE_PREF_MEM_WINDOW);
	}
	return ret;
}

static int egpu_space_try(struct egpu_port *port)
{
	struct egpu_space *space = egpu_space_begin(port);
	int ret;

	if (IS_ERR(space))
		return PTR_ERR(space);
	pci_lock_rescan_remove();
	ret = egpu_space_run(space);
	egpu_space_end(space);
	pci_unlock_rescan_remove();
	if (ret != -EAGAIN)
		egpu_space_tell(space, ret);
	egpu_space_free(space);
	return ret;
}

static bool egpu_space_is_wanted(struct egpu_port *port)
{
	guard(mutex)(&port->lock);
	return egpu_job_is_current(port);
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
	while ((ret = egpu_space_try(port)) == -EAGAIN && --tries &&
	       egpu_space_is_wanted(port))
		msleep(EGPU_SPACE_WAIT_MS);
	if (ret == -EAGAIN)
		pci_warn(port->pdev, "egpu: others have hold of what is below; no room is made\n");
	return ret;
}
