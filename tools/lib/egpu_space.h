/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Address space on the way from a root bus to a port: what is there, what is
 * taken, what would fit, and what would help. Reading is apart from reckoning,
 * which needs no machine.
 */
#ifndef LIBEGPU_EGPU_SPACE_H
#define LIBEGPU_EGPU_SPACE_H

#include "egpu.h"

enum egpu_space_kind {
	EGPU_SPACE_IO = 0,
	EGPU_SPACE_MEMORY,		/* below 4 GiB */
	EGPU_SPACE_PREFETCHABLE,
	EGPU_SPACE_KINDS,
};

#define EGPU_TAKEN_LEN	48

/**
 * struct egpu_taken - something in a window
 * @start: bus address
 * @size: bytes
 * @in_use: it has to stay where it is
 * @on_way: the window of the next bridge on the way
 * @kind: which of its windows that is
 * @gone: as if it were not there
 * @what: "0000:04:00.0 BAR 1", "0000:05:00.0 window", ...
 */
struct egpu_taken {
	uint64_t start;
	uint64_t size;
	bool in_use;
	bool on_way;
	enum egpu_space_kind kind;
	bool gone;
	char what[EGPU_TAKEN_LEN];
};

/**
 * struct egpu_window - what a bridge passes on, or a root bus has
 * @start: bus address
 * @size: bytes, 0: none
 * @wide: of a prefetchable one: it can lie above 4 GiB
 * @taken: what lies in it
 * @nr_taken: how many
 */
struct egpu_window {
	uint64_t start;
	uint64_t size;
	bool wide;
	struct egpu_taken *taken;
	int nr_taken;
};

/**
 * struct egpu_space_bridge - a bridge on the way
 * @address: of the bridge
 * @window: by enum egpu_space_kind
 */
struct egpu_space_bridge {
	struct egpu_address address;
	struct egpu_window window[EGPU_SPACE_KINDS];
};

/**
 * struct egpu_space - the way from a root bus down
 * @bridges: outermost first
 * @nr_bridges: how many, at least one
 * @root: memory that the root bus has
 * @nr_root: how many of it; 0: not known (without CAP_SYS_ADMIN, for one)
 */
struct egpu_space {
	struct egpu_space_bridge *bridges;
	int nr_bridges;
	struct egpu_window *root;
	int nr_root;
};

/**
 * egpu_space_read() - the way to a device, from sysfs and /proc/iomem
 * @device: the port, or a function below it
 * @movable: functions whose driver does not keep their BARs where they are
 * @nr_movable: how many
 * @space: out: egpu_space_free() it
 *
 * The device itself is on the way when it is a bridge. No device is accessed but
 * a bridge that is awake and has no prefetchable window.
 *
 * Return: 0, -ENOENT no such device, or it is on a root bus and no bridge.
 */
int egpu_space_read(const struct egpu_address *device,
		    const struct egpu_address *movable, int nr_movable,
		    struct egpu_space *space);
void egpu_space_free(struct egpu_space *space);

/* egpu_space_kind() - that a BAR has to be in, by its EGPU_BAR_* */
enum egpu_space_kind egpu_space_kind(uint32_t flags);
/* egpu_space_taken() - a function's BAR in its window; NULL: it has no place. */
struct egpu_taken *egpu_space_taken(struct egpu_space *space,
				    const struct egpu_address *function,
				    int bar);

/* egpu_window_used() - bytes of it that are taken, each counted once */
uint64_t egpu_window_used(const struct egpu_window *window);
/* egpu_window_largest() - largest BAR that fits beside what is there; or 0 */
uint64_t egpu_window_largest(const struct egpu_window *window);

/**
 * enum egpu_fits - how some BARs could get their place
 * @EGPU_FITS_NOW: the innermost window has room
 * @EGPU_FITS_REGROWN: when windows that hold nothing in use are made anew
 * @EGPU_FITS_BLOCKED: not so: a window holds something in use, and is too small
 * @EGPU_FITS_ROOT: not even the root bus has room
 * @EGPU_FITS_UNKNOWN: windows could be made anew; what the root bus has is not
 *	known
 */
enum egpu_fits {
	EGPU_FITS_NOW = 0,
	EGPU_FITS_REGROWN,
	EGPU_FITS_BLOCKED,
	EGPU_FITS_ROOT,
	EGPU_FITS_UNKNOWN,
};

/**
 * struct egpu_fit - and where it ends
 * @fits: as above
 * @bridge: with BLOCKED: which window is in the way, an index; else -1
 * @what: with BLOCKED: what it holds
 * @need: bytes that a window for all of it has to have
 * @align: of the largest BAR in that window
 * @grows: of a BAR that is to be resized
 * @shared: then: its window also holds @what, which the kernel leaves there, or
 *	is of another type; with UNKNOWN: not every kernel can do it
 */
struct egpu_fit {
	enum egpu_fits fits;
	int bridge;
	char what[EGPU_TAKEN_LEN];
	uint64_t need;
	uint64_t align;
	bool grows;
	bool shared;
};

/**
 * egpu_space_fit() - do BARs fit below the innermost bridge
 * @space: the way
 * @kind: of window
 * @sizes: of the BARs, powers of two
 * @count: how many, at most EGPU_FIT_MAX
 * @fit: out
 */
#define EGPU_FIT_MAX	32
void egpu_space_fit(const struct egpu_space *space, enum egpu_space_kind kind,
		    const uint64_t *sizes, int count, struct egpu_fit *fit);

/* egpu_space_regrown() - the largest BAR that would fit, windows made anew; or 0 */
uint64_t egpu_space_regrown(const struct egpu_space *space,
			    enum egpu_space_kind kind);

/**
 * enum egpu_cure_kind - what helps BARs to a place
 * @EGPU_CURE_NONE: nothing is wrong
 * @EGPU_CURE_ATTACH: they fit; attach places them
 * @EGPU_CURE_PARAMETER: a parameter of the kernel
 * @EGPU_CURE_ABOVE_4G: the firmware's setting for addresses above 4 GiB
 * @EGPU_CURE_FIRMWARE: the firmware gives the root bus too little
 * @EGPU_CURE_ROOT: root is told more
 * @EGPU_CURE_DETACH: only what is in the way has to go: nothing given at boot
 *	helps, or it is given already
 */
enum egpu_cure_kind {
	EGPU_CURE_NONE = 0,
	EGPU_CURE_ATTACH,
	EGPU_CURE_PARAMETER,
	EGPU_CURE_ABOVE_4G,
	EGPU_CURE_FIRMWARE,
	EGPU_CURE_ROOT,
	EGPU_CURE_DETACH,
};

struct egpu_space_cure {
	enum egpu_cure_kind kind;
	char parameter[400];
};

/**
 * struct egpu_boot - what is known of the next boot
 * @port: the port
 * @hotplug: it is hotplug capable: the kernel keeps space for it
 * @cmdline: what the kernel was given, may be NULL
 */
struct egpu_boot {
	const struct egpu_address *port;
	bool hotplug;
	const char *cmdline;
};

/**
 * egpu_space_cure() - what would help
 * @space: the way
 * @kind: of window
 * @fit: from egpu_space_fit()
 * @boot: the port, and what the kernel was given
 * @cure: out
 */
void egpu_space_cure(const struct egpu_space *space, enum egpu_space_kind kind,
		     const struct egpu_fit *fit, const struct egpu_boot *boot,
		     struct egpu_space_cure *cure);

/* --------------------------------------------------------- resizable BARs */

#define EGPU_REBAR_BITS	28	/* 1 MiB to 128 TiB */

/*
 * egpu_rebar_sizes() - sizes that a BAR can have: bit N is 2^(N + 20) bytes. The
 * device is asked; one that sleeps only to @wake it.
 * Return: 0; -ENOENT it is not resizable; -EAGAIN it sleeps.
 */
int egpu_rebar_sizes(const struct egpu_address *function, int bar, bool wake,
		     uint64_t *sizes);
/* egpu_rebar_bit() - the bit of a size; -1: no BAR can have that size */
int egpu_rebar_bit(uint64_t size);
/*
 * egpu_rebar_set() - resize a BAR of a function without driver. When it fails
 * the kernel has tried to put the old size back. Return: 0; -EBUSY it has a
 * driver, virtual functions, or no place; -ENOSPC it does not fit, or no window
 * could be made anew for it; -EOPNOTSUPP the kernel keeps what firmware did;
 * other -errno.
 */
int egpu_rebar_set(const struct egpu_address *function, int bar, uint64_t size);
/* egpu_bar_size() - as sysfs shows it; 0: it has no place */
uint64_t egpu_bar_size(const struct egpu_address *function, int bar);
/* egpu_stub() - bind the module's stub to a held function, or unbind it */
int egpu_stub(const struct egpu_address *function, bool bind);
/*
 * egpu_function_lock() - nobody else of us changes it
 * @dir: where the file is that is locked; made, when it is not there
 * @ms: to wait at most
 *
 * Return: close() it; -EBUSY somebody else has it, -EACCES, other -errno.
 */
int egpu_function_lock(const struct egpu_address *function, const char *dir,
		       int ms);

#endif /* LIBEGPU_EGPU_SPACE_H */
