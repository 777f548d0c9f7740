// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * What fits into windows, and what would help: numbers only, no machine.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "egpu_space.h"
#include "internal.h"

#define MIB		(1ULL << 20)
#define FOUR_GIB	(1ULL << 32)
#define MAX_BARS	(2 * EGPU_FIT_MAX)
#define LARGEST_BIT	47	/* resizable BARs end at 2^47, 128 TiB */

enum egpu_space_kind egpu_space_kind(uint32_t flags)
{
	uint32_t wide = EGPU_BAR_PREFETCHABLE | EGPU_BAR_64BIT;

	if (flags & EGPU_BAR_IO)
		return EGPU_SPACE_IO;
	return (flags & wide) == wide ? EGPU_SPACE_PREFETCHABLE :
					EGPU_SPACE_MEMORY;
}

static int by_start(const void *a, const void *b)
{
	const struct egpu_taken *x = a, *y = b;

	return x->start < y->start ? -1 : x->start > y->start;
}

uint64_t egpu_window_used(const struct egpu_window *window)
{
	struct egpu_taken *copy;
	uint64_t used = 0, end = window->start;
	int i;

	if (!window->nr_taken)
		return 0;
	copy = malloc((size_t)window->nr_taken * sizeof(*copy));
	if (!copy)
		return 0;
	memcpy(copy, window->taken, (size_t)window->nr_taken * sizeof(*copy));
	qsort(copy, (size_t)window->nr_taken, sizeof(*copy), by_start);
	for (i = 0; i < window->nr_taken; i++) {
		uint64_t from = copy[i].start, to = from + copy[i].size;

		if (from < end)
			from = end;
		if (to > from) {
			used += to - from;
			end = to;
		}
	}
	free(copy);
	return used;
}

/**
 * struct room - where something is to be placed
 * @start: of it
 * @end: first address behind it
 * @stays: what is in it and stays there
 * @nr: how many
 */
struct room {
	uint64_t start;
	uint64_t end;
	struct egpu_taken *stays;
	int nr;
};

static uint64_t align_up(uint64_t value, uint64_t align)
{
	return (value + align - 1) / align * align;
}

/* Finds the lowest place, and takes it. Return: false: there is none. */
static bool place(struct room *room, uint64_t size, uint64_t align)
{
	uint64_t at = align_up(room->start, align);
	bool moved = true;
	int i;

	while (moved) {
		moved = false;
		for (i = 0; i < room->nr; i++) {
			uint64_t end = room->stays[i].start +
				       room->stays[i].size;

			if (room->stays[i].start < at + size && at < end) {
				at = align_up(end, align);
				moved = true;
			}
		}
	}
	if (at + size > room->end)
		return false;
	room->stays[room->nr++] = (struct egpu_taken){
		.start = at, .size = size,
	};
	return true;
}

typedef bool (*stays_fn)(const struct egpu_taken *taken);

static bool all_stay(const struct egpu_taken *taken)
{
	return !taken->gone;
}

/* Beside the window on the way nothing is moved: as the kernel does it. */
static bool others_stay(const struct egpu_taken *taken)
{
	return !taken->gone && !taken->on_way;
}

static bool users_stay(const struct egpu_taken *taken)
{
	return !taken->gone && taken->in_use;
}

static bool room_make(struct room *room, const struct egpu_window *window,
		      stays_fn stays, bool low)
{
	int i;

	*room = (struct room){
		.start = window->start,
		.end = window->start + window->size,
		.stays = calloc((size_t)window->nr_taken + MAX_BARS,
				sizeof(*room->stays)),
	};
	if (low && room->end > FOUR_GIB)
		room->end = FOUR_GIB;
	/* address 0 is no address */
	if (!room->start)
		room->start = 1;
	if (!room->stays)
		return false;
	for (i = 0; i < window->nr_taken; i++)
		if (stays(&window->taken[i]))
			room->stays[room->nr++] = window->taken[i];
	return true;
}

static bool fits_one(const struct egpu_window *window, stays_fn stays,
		     bool low, uint64_t size, uint64_t align)
{
	struct room room;
	bool fits = room_make(&room, window, stays, low) &&
		    place(&room, size, align);

	free(room.stays);
	return fits;
}

/* @sizes: largest first */
static bool fits_each(const struct egpu_window *window, stays_fn stays,
		      const uint64_t *sizes, int count)
{
	struct room room;
	bool fits = room_make(&room, window, stays, false);
	int i;

	for (i = 0; i < count && fits; i++)
		fits = place(&room, sizes[i], sizes[i]);
	free(room.stays);
	return fits;
}

uint64_t egpu_window_largest(const struct egpu_window *window)
{
	int bit;

	for (bit = LARGEST_BIT; bit >= 4 && window->size; bit--)
		if (fits_one(window, all_stay, false, 1ULL << bit, 1ULL << bit))
			return 1ULL << bit;
	return 0;
}

/* BARs that have to be placed together: largest first. */
struct bars {
	uint64_t size[MAX_BARS];
	int count;
};

static void add(struct bars *bars, uint64_t size)
{
	int i;

	if (bars->count == MAX_BARS)
		return;
	for (i = bars->count++; i && bars->size[i - 1] < size; i--)
		bars->size[i] = bars->size[i - 1];
	bars->size[i] = size;
}

static const struct egpu_taken *blocker(const struct egpu_window *window,
					stays_fn stays)
{
	int i;

	for (i = 0; i < window->nr_taken; i++)
		if (stays(&window->taken[i]))
			return &window->taken[i];
	return NULL;
}

/* All that is on the way can be made anew: what does the root bus have? */
static enum egpu_fits fits_root(const struct egpu_space *space,
				enum egpu_space_kind kind, uint64_t need,
				uint64_t align)
{
	bool low = kind != EGPU_SPACE_PREFETCHABLE;
	int i;

	for (i = 0; i < space->nr_bridges; i++)
		low |= !space->bridges[i].window[kind].wide;
	for (i = 0; i < space->nr_root; i++)
		if (fits_one(&space->root[i], others_stay, low, need, align))
			return EGPU_FITS_REGROWN;
	return space->nr_root && kind != EGPU_SPACE_IO ? EGPU_FITS_ROOT :
							 EGPU_FITS_UNKNOWN;
}

/* From the inside out, up to the first window that has to stay as it is. */
static void regrow(const struct egpu_space *space, enum egpu_space_kind kind,
		   const struct bars *bars, struct egpu_fit *fit)
{
	int i, inner = space->nr_bridges - 1;
	uint64_t align = bars->size[0] > MIB ? bars->size[0] : MIB;
	bool fits;

	for (i = inner; i >= 0; i--) {
		const struct egpu_window *w = &space->bridges[i].window[kind];
		stays_fn stays = i == inner ? users_stay : others_stay;
		const struct egpu_taken *held = blocker(w, stays);

		if (!held)
			continue;
		fits = i == inner ?
		       fits_each(w, stays, bars->size, bars->count) :
		       fits_one(w, stays, false, fit->need, align);
		fit->fits = fits ? EGPU_FITS_REGROWN : EGPU_FITS_BLOCKED;
		if (!fits) {
			fit->bridge = i;
			memcpy(fit->what, held->what, sizeof(fit->what));
		}
		return;
	}
	fit->fits = fits_root(space, kind, fit->need, align);
}

void egpu_space_fit(const struct egpu_space *space, enum egpu_space_kind kind,
		    const uint64_t *sizes, int count, struct egpu_fit *fit)
{
	const struct egpu_window *inner =
		&space->bridges[space->nr_bridges - 1].window[kind];
	struct bars bars = { .count = 0 };
	int i;

	*fit = (struct egpu_fit){ .fits = EGPU_FITS_NOW, .bridge = -1 };
	for (i = 0; i < count; i++) {
		add(&bars, sizes[i]);
		fit->need += sizes[i];
	}
	if (!count || (inner->size && fits_each(inner, all_stay, bars.size,
						bars.count)))
		return;
	for (i = 0; i < inner->nr_taken; i++)
		if (all_stay(&inner->taken[i]) && !inner->taken[i].in_use)
			add(&bars, inner->taken[i].size);
	for (fit->need = 0, i = 0; i < bars.count; i++)
		fit->need += bars.size[i];
	fit->need = align_up(fit->need, MIB);
	regrow(space, kind, &bars, fit);
	/* what stays there now would be in another window, too */
	for (i = 0; fit->fits == EGPU_FITS_BLOCKED && i < inner->nr_taken; i++)
		if (users_stay(&inner->taken[i]))
			fit->need += inner->taken[i].size;
	fit->need = align_up(fit->need, MIB);
}

uint64_t egpu_space_regrown(const struct egpu_space *space,
			    enum egpu_space_kind kind)
{
	struct egpu_fit fit;
	uint64_t size;
	int bit;

	for (bit = LARGEST_BIT; bit >= 12; bit--) {
		size = 1ULL << bit;
		egpu_space_fit(space, kind, &size, 1, &fit);
		if (fit.fits == EGPU_FITS_NOW || fit.fits == EGPU_FITS_REGROWN)
			return size;
	}
	return 0;
}

/* ------------------------------------------------------------ what helps */

static uint64_t power_of_two(uint64_t size)
{
	uint64_t power = MIB;

	while (power < size)
		power <<= 1;
	return power;
}

static int order_of(uint64_t power)
{
	int order = 0;

	while (power >>= 1)
		order++;
	return order;
}

/* What a parameter of the form KEY=16G was given; 0: it was not. */
static uint64_t parameter_of(const char *cmdline, const char *key)
{
	const char *at = cmdline ? strstr(cmdline, key) : NULL;
	uint64_t value;
	char *end;

	if (!at)
		return 0;
	value = strtoull(at + strlen(key), &end, 0);
	switch (*end) {
	case 'G':
	case 'g':
		return value << 30;
	case 'M':
	case 'm':
		return value << 20;
	case 'K':
	case 'k':
		return value << 10;
	default:
		return value;
	}
}

/* Is there so much at all, whoever has it now? */
static bool root_has(const struct egpu_space *space, enum egpu_space_kind kind,
		     uint64_t size)
{
	bool low = kind != EGPU_SPACE_PREFETCHABLE;
	int i;

	for (i = 0; i < space->nr_root; i++) {
		uint64_t start = space->root[i].start;
		uint64_t end = start + space->root[i].size;

		if (low && end > FOUR_GIB)
			end = FOUR_GIB;
		if (end > start && end - start >= size)
			return true;
	}
	return !space->nr_root;
}

static bool root_is_low(const struct egpu_space *space)
{
	int i;

	for (i = 0; i < space->nr_root; i++)
		if (space->root[i].start + space->root[i].size > FOUR_GIB)
			return false;
	return space->nr_root;
}

/* 1536M, 32G */
static void size_words(uint64_t size, char buf[24])
{
	if (size % (1ULL << 30))
		snprintf(buf, 24, "%lluM", (unsigned long long)(size >> 20));
	else
		snprintf(buf, 24, "%lluG", (unsigned long long)(size >> 30));
}

/* For a hotplug port the kernel keeps what it is told to, from boot on. */
static bool keep_space(enum egpu_space_kind kind, uint64_t size,
		       const char *cmdline, struct egpu_space_cure *cure)
{
	const char *key = kind == EGPU_SPACE_PREFETCHABLE ? "hpmmioprefsize=" :
							    "hpmmiosize=";
	char words[24];

	if (parameter_of(cmdline, key) >= size &&
	    cmdline && strstr(cmdline, "realloc"))
		return false;
	size_words(size, words);
	cure->kind = EGPU_CURE_PARAMETER;
	snprintf(cure->parameter, sizeof(cure->parameter),
		 "pci=realloc=on,%s%s", key, words);
	return true;
}

/* For another one it makes windows to what is plugged in at boot. */
static bool make_anew(const struct egpu_space *space, int bridge, uint64_t size,
		      const char *cmdline, struct egpu_space_cure *cure)
{
	char name[EGPU_ADDRESS_LEN], path[160];
	const struct egpu_address *address =
		&space->bridges[bridge < 0 ? 0 : bridge].address;

	cure->kind = EGPU_CURE_PARAMETER;
	if (!cmdline || !strstr(cmdline, "realloc")) {
		snprintf(cure->parameter, sizeof(cure->parameter),
			 "pci=realloc=on");
		return true;
	}
	if (strstr(cmdline, "resource_alignment="))
		return false;
	if (egpu_pci_path(address, path, sizeof(path)))
		snprintf(path, sizeof(path), "%s",
			 egpu_address_format(address, name));
	snprintf(cure->parameter, sizeof(cure->parameter),
		 "pci=realloc=on,resource_alignment=%d@%s", order_of(size),
		 path);
	return true;
}

void egpu_space_cure(const struct egpu_space *space, enum egpu_space_kind kind,
		     const struct egpu_fit *fit, bool hotplug,
		     const char *cmdline, struct egpu_space_cure *cure)
{
	uint64_t size = power_of_two(fit->need);
	bool helps;

	*cure = (struct egpu_space_cure){ .kind = EGPU_CURE_NONE };
	if (!fit->need)
		return;
	switch (fit->fits) {
	case EGPU_FITS_NOW:
	case EGPU_FITS_REGROWN:
		cure->kind = EGPU_CURE_ATTACH;
		return;
	case EGPU_FITS_UNKNOWN:
		cure->kind = EGPU_CURE_ROOT;
		return;
	default:
		break;
	}
	if (!root_has(space, kind, fit->need)) {
		cure->kind = kind == EGPU_SPACE_PREFETCHABLE &&
			     root_is_low(space) ? EGPU_CURE_ABOVE_4G :
						  EGPU_CURE_FIRMWARE;
		return;
	}
	helps = hotplug ? keep_space(kind, size, cmdline, cure) :
			  make_anew(space, fit->bridge, size, cmdline, cure);
	if (!helps)
		cure->kind = kind == EGPU_SPACE_PREFETCHABLE &&
			     root_is_low(space) ? EGPU_CURE_ABOVE_4G :
						  EGPU_CURE_FIRMWARE;
}
