/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Room for BARs: what space.c (what has to move, and where) and windows.c
 * (resources, registers, locks) share.
 */
#ifndef EGPU_SPACE_H
#define EGPU_SPACE_H

#include <linux/list.h>
#include <linux/pci.h>

#include "egpu.h"

#define EGPU_SPACE_REGS		3

/**
 * struct egpu_space_fn - a function or bridge below the same root port
 * @node: in egpu_space.fns
 * @pdev: it, with a reference
 * @awake: it is kept awake
 * @locked: nobody binds a driver to it, or resizes its BARs
 * @quiet: nobody uses it, and its memory decoding is off
 * @opened: a bridge that passes memory since
 * @command: as it was before @quiet or @opened
 */
struct egpu_space_fn {
	struct list_head node;
	struct pci_dev *pdev;
	bool awake;
	bool locked;
	bool quiet;
	bool opened;
	u16 command;
};

/**
 * struct egpu_space_item - a resource that may change
 * @node: in egpu_space.items
 * @pdev: whose
 * @index: which
 * @kind: with what it is placed: PCI_BRIDGE_MEM_WINDOW or _PREF_MEM_WINDOW
 * @owner: the window that it is in or shall be in, NULL: the topmost
 * @window: it is a bridge's window
 * @want: a BAR that has no address, or another one than its register
 * @empty: a window without BARs
 * @wide: it can lie above 4 GiB
 * @released: it was taken out of the resource tree
 * @written: its registers were; a window
 * @saved: as it was found
 * @parent: likewise
 * @reg: its first register, 0: it has none
 * @nr_regs: how many it has
 * @regs: what they read
 * @noted: what a reset would restore
 * @size: that it needs
 * @align: likewise; a power of two
 */
struct egpu_space_item {
	struct list_head node;
	struct pci_dev *pdev;
	int index;
	int kind;
	struct egpu_space_item *owner;
	bool window;
	bool want;
	bool empty;
	bool wide;
	bool released;
	bool written;
	struct resource saved;
	struct resource *parent;
	int reg;
	int nr_regs;
	u32 regs[EGPU_SPACE_REGS];
	u32 noted[EGPU_SPACE_REGS];
	u64 size;
	u64 align;
};

/**
 * struct egpu_space - one try to make room
 * @port: for what is below it
 * @fns: list of struct egpu_space_fn
 * @nr_locked: how many of them are
 * @items: list of struct egpu_space_item: windows, then BARs; what holds
 *	something comes before it
 * @in_the_way: what cannot move, for -EBUSY
 * @error: of a walk
 * @shrink: windows without BARs give away what they have
 * @spare: some have more than they need
 */
struct egpu_space {
	struct egpu_port *port;
	struct list_head fns;
	u32 nr_locked;
	struct list_head items;
	struct pci_dev *in_the_way;
	int error;
	bool shrink;
	bool spare;
};

static inline struct resource *egpu_space_res(const struct egpu_space_item *item)
{
	return &item->pdev->resource[item->index];
}

static inline bool egpu_space_is_window(struct pci_dev *pdev, int i)
{
	return pdev->hdr_type == PCI_HEADER_TYPE_BRIDGE &&
	       (i == PCI_BRIDGE_MEM_WINDOW || i == PCI_BRIDGE_PREF_MEM_WINDOW);
}

/* windows.c */
struct egpu_space *egpu_space_begin(struct egpu_port *port);
void egpu_space_end(struct egpu_space *space);
void egpu_space_forget(struct egpu_space *space);
void egpu_space_free(struct egpu_space *space);
int egpu_space_busy(struct egpu_space *space, struct pci_dev *pdev);
int egpu_space_take(struct egpu_space *space, struct pci_dev *pdev);
int egpu_space_take_below(struct egpu_space *space, struct pci_dev *bridge);
int egpu_space_quiet(struct egpu_space *space, struct pci_dev *pdev);
struct egpu_space_item *egpu_space_find(struct egpu_space *space,
					struct pci_dev *pdev, int i);
struct egpu_space_item *egpu_space_add(struct egpu_space *space,
				       struct pci_dev *pdev, int i, int kind,
				       struct egpu_space_item *owner);
bool egpu_space_bar_is_right(struct pci_dev *pdev, int i);
int egpu_space_release_one(struct egpu_space *space,
			   struct egpu_space_item *item);
int egpu_space_release(struct egpu_space *space, int kind);
int egpu_space_put(struct egpu_space_item *item);
int egpu_space_commit(struct egpu_space *space);
void egpu_space_undo(struct egpu_space *space);

#endif /* EGPU_SPACE_H */
