/* SPDX-License-Identifier: GPL-2.0 */
/*
 * space: what fits at a port (cmd_space.c), and making a resizable BAR larger
 * (grow.c).
 */
#ifndef EGPUCTL_SPACE_H
#define EGPUCTL_SPACE_H

#include "../lib/egpu_space.h"
#include "ctl.h"

/**
 * struct port_space - a port and the way to it
 * @ctl: the session
 * @view: the port
 * @space: the way to its GPU, or to itself
 * @known: @space is valid
 * @max: rebar-max of the configuration, bytes; 0: none
 */
struct port_space {
	struct ctl *ctl;
	struct view view;
	struct egpu_space space;
	bool known;
	uint64_t max;
};

/**
 * struct bar_room - a BAR, and what it could be
 * @f: its function
 * @address: of the function
 * @bar: its number
 * @size: now
 * @assigned: it has a place
 * @kind: of window that it is in
 * @resizable: it is
 * @sizes: that it can have, as egpu_rebar_sizes(); 0: it sleeps
 */
struct bar_room {
	const struct egpu_function *f;
	struct egpu_address address;
	int bar;
	uint64_t size;
	bool assigned;
	enum egpu_space_kind kind;
	bool resizable;
	uint64_t sizes;
};

int port_space_get(struct ctl *ctl, const struct egpu_port_info *info,
		   struct port_space *ps);
void port_space_free(struct port_space *ps);
/* Return: false: there is no such BAR. */
bool bar_room(const struct egpu_function *f, int bar, struct bar_room *room);
/* barfit.c: could it be resized to this size, in place of what it is now? */
void bar_fit(struct port_space *ps, const struct bar_room *room, uint64_t size,
	     struct egpu_fit *fit);
/* The largest size up to @limit that it can have; 0: none, or not known. */
uint64_t bar_largest(const struct bar_room *room, uint64_t limit);
/*
 * The largest size below @limit that it can have and that fits, as far as that is
 * known; 0: none. No limit: UINT64_MAX.
 */
uint64_t bar_best(struct port_space *ps, const struct bar_room *room,
		  uint64_t limit);
/* The GPU's BAR that growing is about. Return: false: none is resizable. */
bool bar_pick(const struct port_space *ps, struct bar_room *room);
/* "in the way: ...; kernel parameter: ..." */
void space_why(const struct port_space *ps, enum egpu_space_kind kind,
	       const struct egpu_fit *fit, char *buf, size_t size);

/* grow.c */
enum exit_code space_grow(struct ctl *ctl);
/*
 * Makes the BAR of a held GPU as large as it fits, up to rebar-max; with @check
 * only says so. @what: what was done, empty: nothing. @lock: out: to be closed
 * when the GPU is admitted, or -1. EXIT_DONE also when nothing larger fits;
 * EXIT_BUSY: it is somebody else's turn.
 */
enum exit_code grow_held(struct ctl *ctl, const struct egpu_port_info *info,
			 bool check, char *what, size_t size, int *lock);

#endif /* EGPUCTL_SPACE_H */
