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
#define ORDER_MEMORY	24	/* what windows are rounded to: 16 MiB */
#define ORDER_LARGE	28	/* 256 MiB */

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

typedef bool (*stays_fn)(const struct egpu_taken *taken,
			 enum egpu_space_kind kind);

static bool all_stay(const struct egpu_taken *taken, enum egpu_space_kind kind)
{
	(void)kind;
	return !taken->gone;
}

/* Beside the window on the way nothing is moved: as the kernel does it. */
static bool others_stay(const struct egpu_taken *taken,
			enum egpu_space_kind kind)
{
	return !taken->gone && !(taken->on_way && taken->kind == kind);
}

static bool users_stay(const struct egpu_taken *taken,
		       enum egpu_space_kind kind)
{
	(void)kind;
	return !taken->gone && taken->in_use;
}

static bool room_make(struct room *room, const struct egpu_window *window,
		      stays_fn stays, enum egpu_space_kind kind, bool low)
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
		if (stays(&window->taken[i], kind))
			room->stays[room->nr++] = window->taken[i];
	return true;
}

static bool fits_one(const struct egpu_window *window, stays_fn stays,
		     enum egpu_space_kind kind, bool low, uint64_t size,
		     uint64_t align)
{
	struct room room;
	bool fits = room_make(&room, window, stays, kind, low) &&
		    place(&room, size, align);

	free(room.stays);
	return fits;
}

/* @sizes: largest first */
static bool fits_each(const struct egpu_window *window, stays_fn stays,
		      enum egpu_space_kind kind, const uint64_t *sizes,
		      int count)
{
	struct room room;
	bool fits = room_make(&room, window, stays, kind, false);
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
		if (fits_one(window, all_stay, EGPU_SPACE_IO, false,
			     1ULL << bit, 1ULL << bit))
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
					stays_fn stays,
					enum egpu_space_kind kind)
{
	int i;

	for (i = 0; i < window->nr_taken; i++)
		if (stays(&window->taken[i], kind))
			return &window->taken[i];
	return NULL;
}

/* All that is on the way can be made anew: what does the root bus have? */
static enum egpu_fits fits_root(const struct egpu_space *space,
				enum egpu_space_kind kind, uint64_t need,
				uint64_t align)
{
	bool low = kind != EGPU_SPACE_PREFETCHABLE, known = false;
	int i;

	for (i = 0; i < space->nr_bridges; i++)
		low |= !space->bridges[i].window[kind].wide;
	for (i = 0; i < space->nr_root; i++)
		if (fits_one(&space->root[i], others_stay, kind, low, need,
			     align))
			return EGPU_FITS_REGROWN;
	/* each root bus has something below 4 GiB */
	for (i = 0; i < space->nr_root; i++)
		known |= !low || space->root[i].start < FOUR_GIB;
	return known && kind != EGPU_SPACE_IO ? EGPU_FITS_ROOT :
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
		const struct egpu_taken *held = blocker(w, stays, kind);

		if (!held)
			continue;
		fits = i == inner ?
		       fits_each(w, stays, kind, bars->size, bars->count) :
		       fits_one(w, stays, kind, false, fit->need, align);
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
	struct bars bars = { .size = { 0 } };
	int i;

	*fit = (struct egpu_fit){ .fits = EGPU_FITS_NOW, .bridge = -1 };
	for (i = 0; i < count; i++) {
		add(&bars, sizes[i]);
		fit->need += sizes[i];
	}
	fit->align = bars.size[0];
	if (!count || (inner->size && fits_each(inner, all_stay, kind,
						bars.size, bars.count)))
		return;
	for (i = 0; i < inner->nr_taken; i++)
		if (all_stay(&inner->taken[i], kind) && !inner->taken[i].in_use)
			add(&bars, inner->taken[i].size);
	for (fit->need = 0, i = 0; i < bars.count; i++)
		fit->need += bars.size[i];
	fit->need = align_up(fit->need, MIB);
	fit->align = bars.size[0];
	regrow(space, kind, &bars, fit);
	/* what stays there now would be in another window, too */
	for (i = 0; fit->fits == EGPU_FITS_BLOCKED && i < inner->nr_taken; i++)
		if (users_stay(&inner->taken[i], kind))
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

/**
 * struct options - what pci= says on a kernel's command line, the last one wins
 * @realloc: windows may be made anew at boot
 * @keep: bytes for each hotplug port, by kind of window
 * @alignment: resource_alignment=, or ""
 */
struct options {
	bool realloc;
	uint64_t keep[EGPU_SPACE_KINDS];
	char alignment[160];
};

/* 16G, 1536M, 0x1000 */
static uint64_t size_of(const char *text)
{
	char *end;
	uint64_t value = strtoull(text, &end, 0);

	switch (*end) {
	case 'T':
	case 't':
		return value << 40;
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

/* Return: what stands behind @key, or NULL: it is another option. */
static const char *value_of(const char *option, const char *key)
{
	size_t len = strlen(key);

	return strncmp(option, key, len) ? NULL : option + len;
}

static void read_option(const char *option, struct options *options)
{
	const char *memory = value_of(option, "hpmmiosize=");
	const char *prefetchable = value_of(option, "hpmmioprefsize=");
	const char *both = value_of(option, "hpmemsize=");
	const char *alignment = value_of(option, "resource_alignment=");

	if (!strcmp(option, "realloc") || !strcmp(option, "realloc=on"))
		options->realloc = true;
	if (!strcmp(option, "realloc=off"))
		options->realloc = false;
	if (memory || both)
		options->keep[EGPU_SPACE_MEMORY] =
			size_of(memory ? memory : both);
	if (prefetchable || both)
		options->keep[EGPU_SPACE_PREFETCHABLE] =
			size_of(prefetchable ? prefetchable : both);
	if (alignment)
		snprintf(options->alignment, sizeof(options->alignment), "%s",
			 alignment);
}

static void read_options(const char *cmdline, struct options *options)
{
	char *copy = strdup(cmdline ? cmdline : ""), *word, *words, *option;
	char *list;
	size_t from, to;

	memset(options, 0, sizeof(*options));
	if (!copy)
		return;
	for (from = to = 0; copy[from]; from++)
		if (copy[from] != '"')
			copy[to++] = copy[from];
	copy[to] = 0;
	for (word = strtok_r(copy, " ", &words); word && strcmp(word, "--");
	     word = strtok_r(NULL, " ", &words)) {
		if (strncmp(word, "pci=", 4))
			continue;
		for (option = strtok_r(word + 4, ",", &list); option;
		     option = strtok_r(NULL, ",", &list))
			read_option(option, options);
	}
	free(copy);
}

/* Are the windows of the bridge at @path made anew already? */
static bool is_listed(const struct options *options, const char *path)
{
	char copy[sizeof(options->alignment)], *one, *save, *at;

	memcpy(copy, options->alignment, sizeof(copy));
	for (one = strtok_r(copy, ";", &save); one;
	     one = strtok_r(NULL, ";", &save)) {
		at = strchr(one, '@');
		one = at ? at + 1 : one;
		if (!strcmp(one, path) ||
		    (!strncmp(path, "0000:", 5) && !strcmp(one, path + 5)))
			return true;
	}
	return false;
}

/*
 * ",resource_alignment=PATH" behind what it says already: without an order it
 * changes no BAR, but has a bridge's windows made anew, whoever made them.
 */
static void add_alignment(const struct options *options, const char *path,
			  char *buf, size_t size)
{
	bool listed = is_listed(options, path);
	size_t used = strlen(buf);

	snprintf(buf + used, size - used, ",resource_alignment=%s%s%s",
		 options->alignment, listed || !*options->alignment ? "" : ";",
		 listed ? "" : path);
}

static void path_of(const struct egpu_address *address, char *buf, size_t size)
{
	char name[EGPU_ADDRESS_LEN];

	if (egpu_pci_path(address, buf, size))
		snprintf(buf, size, "%s", egpu_address_format(address, name));
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
	return false;
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

/*
 * A window in which @fit's BARs find their places wherever it begins; where the
 * root bus has less, one that they just fill. Return: 0: not even that.
 */
static uint64_t window_size(const struct egpu_space *space,
			    enum egpu_space_kind kind,
			    const struct egpu_fit *fit)
{
	uint64_t unit = 1ULL << (kind == EGPU_SPACE_PREFETCHABLE ?
				 ORDER_LARGE : ORDER_MEMORY);
	uint64_t size = fit->need + (fit->align > MIB ? fit->align - MIB : 0);

	size = align_up(size, unit);
	if (root_has(space, kind, size))
		return size;
	size = align_up(fit->need, unit);
	return root_has(space, kind, size) ? size : 0;
}

/* For a hotplug port the kernel keeps what it is told to, from boot on. */
static bool keep_space(enum egpu_space_kind kind, uint64_t size,
		       const struct egpu_boot *boot,
		       struct egpu_space_cure *cure)
{
	const char *key = kind == EGPU_SPACE_PREFETCHABLE ? "hpmmioprefsize=" :
							    "hpmmiosize=";
	struct options options;
	char words[24], path[160];

	read_options(boot->cmdline, &options);
	path_of(boot->port, path, sizeof(path));
	if (options.realloc && options.keep[kind] >= size &&
	    is_listed(&options, path))
		return false;
	size_words(size, words);
	cure->kind = EGPU_CURE_PARAMETER;
	snprintf(cure->parameter, sizeof(cure->parameter),
		 "pci=realloc=on,%s%s", key, words);
	/* firmware's window would stay as it is */
	add_alignment(&options, path, cure->parameter,
		      sizeof(cure->parameter));
	return true;
}

/* For another one it makes windows to what is plugged in at boot. */
static bool make_anew(const struct egpu_space *space, int bridge,
		      const struct egpu_boot *boot,
		      struct egpu_space_cure *cure)
{
	struct options options;
	char path[160];

	read_options(boot->cmdline, &options);
	path_of(&space->bridges[bridge < 0 ? 0 : bridge].address, path,
		sizeof(path));
	if (options.realloc && is_listed(&options, path))
		return false;
	cure->kind = EGPU_CURE_PARAMETER;
	snprintf(cure->parameter, sizeof(cure->parameter), "pci=realloc=on");
	if (options.realloc)
		add_alignment(&options, path, cure->parameter,
			      sizeof(cure->parameter));
	return true;
}

void egpu_space_cure(const struct egpu_space *space, enum egpu_space_kind kind,
		     const struct egpu_fit *fit, const struct egpu_boot *boot,
		     struct egpu_space_cure *cure)
{
	uint64_t size;
	bool helps = false;

	*cure = (struct egpu_space_cure){ .kind = EGPU_CURE_NONE };
	/* no window is a BAR's own because it is larger */
	if (!fit->need || fit->shared)
		return;
	if (fit->fits == EGPU_FITS_NOW || fit->fits == EGPU_FITS_REGROWN) {
		cure->kind = EGPU_CURE_ATTACH;
		return;
	}
	if (fit->fits == EGPU_FITS_UNKNOWN || !space->nr_root) {
		cure->kind = EGPU_CURE_ROOT;
		return;
	}
	size = window_size(space, kind, fit);
	if (size && boot->hotplug)
		helps = keep_space(kind, size, boot, cure);
	/* what is to grow is small when the kernel makes windows for it */
	else if (size && !fit->grows)
		helps = make_anew(space, fit->bridge, boot, cure);
	if (helps)
		return;
	if (size && fit->fits == EGPU_FITS_BLOCKED)
		cure->kind = EGPU_CURE_DETACH;
	else
		cure->kind = kind == EGPU_SPACE_PREFETCHABLE &&
			     root_is_low(space) ? EGPU_CURE_ABOVE_4G :
						  EGPU_CURE_FIRMWARE;
}
