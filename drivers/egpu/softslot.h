/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Soft slots: what softslot.c (the slot), softlink.c (its link, on and off) and
 * softwatch.c (who looks at it) share.
 */
#ifndef EGPU_SOFTSLOT_H
#define EGPU_SOFTSLOT_H

#include <linux/pci_hotplug.h>
#include <linux/wait.h>
#include "egpu.h"

#define EGPU_CONFIRM_MS		100	/* a link down for so long is down */
#define EGPU_BACKOFF_MIN_MS	500	/* between two looks for what ... */
#define EGPU_BACKOFF_MAX_MS	60000	/* ... does not answer */

/**
 * struct egpu_soft - a slot of our own
 * @slot: what the PCI hotplug core knows of it
 * @port: its port; with a reference while it is registered
 * @bus: the bus below, with a reference
 * @watch: looks at the link
 * @end: deregisters it
 * @wait: writers of the power file wait here
 * @stopped: it is not registered, or about to be no more
 * @ending: it is being deregistered, or about to be: not to be taken anew
 * @gone: its port is: no register may be touched
 * @found_disabled: Link Disable was set before
 * @disabled: Link Disable is set, by us
 * @present: with the link disabled, Presence Detect State told the truth
 * @up: the link, as seen last
 * @fresh: it came up, and what is there is still to be looked for
 * @listen: Link Disable is to be cleared, by the watch
 * @pauses: resets that run through the slot, and jobs that enable its link
 * @down_ns: when the link was found down, not confirmed yet; else 0
 * @grace_ns: until when a link that is down may be training after a reset
 * @next_ns: not before is looked for what does not answer
 * @wait_ms: how long after the next time
 * @lost_ms: to the next look at what is lost, and still to be cleared away
 *
 * Made when a port is soft for the first time, and there as long as the port:
 * the kernel's reset through a slot holds no reference. What follows @wait is
 * protected by egpu_port.lock, and so are accesses to registers, by @stopped.
 */
struct egpu_soft {
	struct hotplug_slot slot;
	struct egpu_port *port;
	struct pci_bus *bus;
	struct delayed_work watch;
	struct work_struct end;
	wait_queue_head_t wait;
	bool stopped;
	bool ending;
	bool gone;
	bool found_disabled;
	bool disabled;
	bool present;
	bool up;
	bool fresh;
	bool listen;
	u32 pauses;
	u64 down_ns;
	u64 grace_ns;
	u64 next_ns;
	u32 wait_ms;
	u32 lost_ms;
};

/* softslot.c */
extern struct workqueue_struct *egpu_soft_wq;

/* softlink.c */
bool egpu_soft_link_disable(struct egpu_soft *soft, bool disable);
void egpu_soft_quiet(struct egpu_soft *soft, bool quiet);
void egpu_soft_heed(struct egpu_soft *soft);

/* softwatch.c */
void egpu_soft_watch(struct work_struct *work);
void egpu_soft_look_in(struct egpu_soft *soft, u32 ms);
void egpu_soft_excuse(struct egpu_soft *soft);
int egpu_soft_link(struct egpu_soft *soft);
bool egpu_soft_is_vacant(struct egpu_soft *soft);

#endif /* EGPU_SOFTSLOT_H */
