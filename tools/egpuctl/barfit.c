// SPDX-License-Identifier: GPL-2.0
/*
 * The BARs of a GPU, and whether one would fit with another size. The kernel
 * resizes a BAR by itself: it releases the function's BARs with the same flags,
 * then each window on the way that is empty without them, and makes those anew.
 * What else is in the innermost one stays; older kernels then give up, even where
 * there is room, and where the window is not of just the BAR's type.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "space.h"

bool bar_room(const struct egpu_function *f, int bar, struct bar_room *room)
{
	const struct egpu_bar *b = &f->bars[bar];

	if (!b->length)
		return false;
	*room = (struct bar_room){
		.f = f, .address = egpu_function_address(f), .bar = bar,
		.size = b->length, .assigned = b->flags & EGPU_BAR_ASSIGNED,
		.kind = egpu_space_kind(b->flags),
	};
	/* the expansion ROM is no BAR of this kind */
	if (bar < 6)
		room->resizable = egpu_rebar_sizes(&room->address, bar,
						   false, &room->sizes) !=
				  -ENOENT;
	return true;
}

/* Is it one of the function's BARs that are released with this one? */
static bool is_released(const struct bar_room *room,
			const struct egpu_taken *taken)
{
	char name[EGPU_ADDRESS_LEN], what[EGPU_TAKEN_LEN];
	uint32_t flags = room->f->bars[room->bar].flags;
	int i;

	egpu_address_format(&room->address, name);
	snprintf(what, sizeof(what), "%s (SR-IOV)", name);
	if (!strcmp(taken->what, what))
		return true;
	for (i = 0; i < 6; i++) {
		snprintf(what, sizeof(what), "%s BAR %d", name, i);
		if (!strcmp(taken->what, what))
			return !((room->f->bars[i].flags ^ flags) &
				 ~EGPU_BAR_ASSIGNED);
	}
	return false;
}

static bool is_of_type(const struct bar_room *room,
		       const struct egpu_window *window)
{
	uint32_t flags = room->f->bars[room->bar].flags;

	if (room->kind == EGPU_SPACE_PREFETCHABLE)
		return window->wide;
	return !(flags & (EGPU_BAR_64BIT | EGPU_BAR_PREFETCHABLE));
}

void bar_fit(struct port_space *ps, const struct bar_room *room, uint64_t size,
	     struct egpu_fit *fit)
{
	struct egpu_window *inner =
		&ps->space.bridges[ps->space.nr_bridges - 1].window[room->kind];
	struct egpu_taken *now = egpu_space_taken(&ps->space, &room->address,
						  room->bar);
	bool *was = calloc((size_t)inner->nr_taken + 1, sizeof(*was));
	const struct egpu_taken *other = NULL;
	int i;

	if (!was)
		abort();
	if (now)
		now->gone = true;
	for (i = 0; i < inner->nr_taken; i++) {
		struct egpu_taken *taken = &inner->taken[i];

		was[i] = taken->in_use;
		if (taken->gone || is_released(room, taken))
			continue;
		taken->in_use = true;
		other = other ? other : taken;
	}
	egpu_space_fit(&ps->space, room->kind, &size, 1, fit);
	for (i = 0; i < inner->nr_taken; i++)
		inner->taken[i].in_use = was[i];
	free(was);
	if (now)
		now->gone = false;
	fit->grows = true;
	fit->shared = other || !is_of_type(room, inner);
	if (!fit->shared || fit->fits == EGPU_FITS_BLOCKED ||
	    fit->fits == EGPU_FITS_ROOT)
		return;
	fit->fits = EGPU_FITS_UNKNOWN;
	if (other)
		memcpy(fit->what, other->what, sizeof(fit->what));
}

uint64_t bar_largest(const struct bar_room *room, uint64_t limit)
{
	int bit;

	for (bit = EGPU_REBAR_BITS - 1; bit >= 0; bit--)
		if (room->sizes >> bit & 1 && 1ULL << (bit + 20) <= limit)
			return 1ULL << (bit + 20);
	return 0;
}

uint64_t bar_best(struct port_space *ps, const struct bar_room *room,
		  uint64_t limit)
{
	struct egpu_fit fit;
	int bit;

	for (bit = EGPU_REBAR_BITS - 1; bit >= 0 && ps->known; bit--) {
		uint64_t size = 1ULL << (bit + 20);

		if (!(room->sizes >> bit & 1) || size > limit)
			continue;
		if (room->assigned && size == room->size)
			return size;
		bar_fit(ps, room, size, &fit);
		if (fit.fits == EGPU_FITS_NOW ||
		    fit.fits == EGPU_FITS_REGROWN)
			return size;
	}
	return 0;
}

static uint64_t largest(const struct bar_room *room)
{
	return bar_largest(room, UINT64_MAX);
}

bool bar_pick(const struct port_space *ps, struct bar_room *room)
{
	struct bar_room one;
	bool found = false;
	int i;

	for (i = 0; ps->view.gpu && i < 6; i++)
		if (bar_room(ps->view.gpu, i, &one) && one.resizable &&
		    (!found || largest(&one) > largest(room) ||
		     (largest(&one) == largest(room) &&
		      one.size > room->size))) {
			*room = one;
			found = true;
		}
	return found;
}
