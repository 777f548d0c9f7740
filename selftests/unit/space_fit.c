// SPDX-License-Identifier: GPL-2.0
/*
 * What fits into windows, and what would help, without a machine. Prints KTAP.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../tools/lib/egpu_space.h"

#define KIB	(1ULL << 10)
#define MIB	(1ULL << 20)
#define GIB	(1ULL << 30)
#define MEM	EGPU_SPACE_MEMORY
#define PREF	EGPU_SPACE_PREFETCHABLE

static int test_nr;
static int wrong;
static int failures;

#define EXPECT(cond, ...) do {						\
	if (!(cond)) {							\
		printf("# line %d: ", __LINE__);			\
		printf(__VA_ARGS__);					\
		putchar('\n');						\
		wrong++;						\
	}								\
} while (0)

#define COUNT(a)	((int)(sizeof(a) / sizeof((a)[0])))

/* A root port 00:06.0 and a switch's 02:00.0 below it; 03:00.0 is the GPU. */
static struct egpu_taken gpu[4], way[4], bus[4];
static struct egpu_space_bridge bridges[2];
static struct egpu_window root[2];
static struct egpu_space space;

static struct egpu_taken bar(uint64_t start, uint64_t size, bool in_use,
			     const char *what)
{
	struct egpu_taken taken = { .start = start, .size = size,
				    .in_use = in_use };

	snprintf(taken.what, sizeof(taken.what), "%s", what);
	return taken;
}

/* All prefetchable: 64 GiB at the root, 512 MiB on the way, 256 + 32 taken. */
static void begin(void)
{
	memset(bridges, 0, sizeof(bridges));
	memset(root, 0, sizeof(root));
	bridges[0].address.devfn = 0x30;
	bridges[1].address.bus = 2;
	gpu[0] = bar(64 * GIB, 256 * MIB, false, "0000:03:00.0 BAR 1");
	gpu[1] = bar(64 * GIB + 256 * MIB, 32 * MIB, false,
		     "0000:03:00.0 BAR 3");
	way[0] = bar(64 * GIB, 512 * MIB, false, "0000:02:00.0 window");
	way[0].on_way = true;
	way[0].kind = PREF;
	bus[0] = way[0];
	bridges[1].window[PREF] = (struct egpu_window){
		64 * GIB, 512 * MIB, true, gpu, 2
	};
	bridges[0].window[PREF] = (struct egpu_window){
		64 * GIB, 512 * MIB, true, way, 1
	};
	root[0] = (struct egpu_window){ 3 * GIB, GIB, true, NULL, 0 };
	root[1] = (struct egpu_window){ 64 * GIB, 64 * GIB, true, bus, 1 };
	space = (struct egpu_space){ bridges, 2, root, 2 };
}

static struct egpu_fit fit(enum egpu_space_kind kind, uint64_t size)
{
	struct egpu_fit f;

	egpu_space_fit(&space, kind, &size, 1, &f);
	return f;
}

static void test_window(void)
{
	struct egpu_window *w = &bridges[1].window[PREF];

	begin();
	EXPECT(egpu_window_used(w) == 288 * MIB, "used");
	EXPECT(egpu_window_largest(w) == 128 * MIB, "aligned: %llu MiB",
	       (unsigned long long)(egpu_window_largest(w) / MIB));
	gpu[1].start = 64 * GIB + 128 * MIB;
	EXPECT(egpu_window_used(w) == 256 * MIB, "counted once");
	EXPECT(egpu_window_largest(w) == 256 * MIB, "all the rest");
	w->size = 256 * MIB;
	EXPECT(!egpu_window_largest(w), "full");
	w->size = 0;
	w->nr_taken = 0;
	EXPECT(!egpu_window_largest(w) && !egpu_window_used(w), "none");
}

static void test_alignment(void)
{
	struct egpu_window w = { GIB + 128 * MIB, 640 * MIB, false, NULL, 0 };

	/* 512 MiB would fit, were it not to lie at a multiple of itself */
	EXPECT(egpu_window_largest(&w) == 256 * MIB, "%llu MiB",
	       (unsigned long long)(egpu_window_largest(&w) / MIB));
}

static void test_now_and_regrown(void)
{
	begin();
	EXPECT(fit(PREF, 128 * MIB).fits == EGPU_FITS_NOW, "now");
	EXPECT(fit(PREF, 256 * MIB).fits == EGPU_FITS_REGROWN, "regrown");
	EXPECT(fit(PREF, 16 * GIB).fits == EGPU_FITS_REGROWN, "16 GiB");
	EXPECT(fit(PREF, 16 * GIB).need == 16 * GIB + 288 * MIB, "with all");
	EXPECT(egpu_space_regrown(&space, PREF) == 32 * GIB, "the largest");
	EXPECT(fit(PREF, 64 * GIB).fits == EGPU_FITS_ROOT, "not 64 GiB");
	gpu[0].gone = true;
	gpu[1].gone = true;
	EXPECT(fit(PREF, 64 * GIB).fits == EGPU_FITS_REGROWN,
	       "64 GiB in place of all that is there");
}

static void test_several(void)
{
	uint64_t sizes[] = { 32 * MIB, 128 * MIB, 64 * MIB };
	struct egpu_fit f;

	begin();
	egpu_space_fit(&space, PREF, sizes, 3, &f);
	EXPECT(f.fits == EGPU_FITS_NOW && f.need == 224 * MIB,
	       "together: %d", f.fits);
	sizes[0] = 128 * MIB;
	egpu_space_fit(&space, PREF, sizes, 3, &f);
	EXPECT(f.fits == EGPU_FITS_REGROWN && f.need == 608 * MIB,
	       "each alone would fit, not all");
	egpu_space_fit(&space, PREF, sizes, 0, &f);
	EXPECT(f.fits == EGPU_FITS_NOW && !f.need, "nothing");
}

static void test_blocked(void)
{
	struct egpu_fit f;

	begin();
	/* a driver keeps a BAR in the innermost window */
	gpu[1].in_use = true;
	f = fit(PREF, GIB);
	EXPECT(f.fits == EGPU_FITS_BLOCKED && f.bridge == 1 &&
	       !strcmp(f.what, gpu[1].what), "%d %d %s", f.fits, f.bridge,
	       f.what);
	/* what is held moves aside in it */
	gpu[1].start = 64 * GIB + 480 * MIB;
	gpu[0].start = 64 * GIB + 128 * MIB;
	gpu[0].size = 128 * MIB;
	EXPECT(fit(PREF, 256 * MIB).fits == EGPU_FITS_REGROWN, "moved aside");
	/* beside the way, one bridge further out */
	begin();
	way[1] = bar(64 * GIB, MIB, false, "0000:01:00.0 BAR 0");
	way[0].start = 64 * GIB + 64 * MIB;
	bridges[0].window[PREF].nr_taken = 2;
	f = fit(PREF, GIB);
	EXPECT(f.fits == EGPU_FITS_BLOCKED && !f.bridge &&
	       !strcmp(f.what, way[1].what), "%d %d %s", f.fits, f.bridge,
	       f.what);
}

static void test_root(void)
{
	begin();
	bus[1] = bar(90 * GIB, GIB, true, "0000:00:02.0");
	root[1].nr_taken = 2;
	EXPECT(egpu_space_regrown(&space, PREF) == 16 * GIB,
	       "around what is there: %llu",
	       (unsigned long long)egpu_space_regrown(&space, PREF));
	bridges[0].window[PREF].wide = false;
	EXPECT(egpu_space_regrown(&space, PREF) == 512 * MIB,
	       "32-bit windows stay below 4 GiB");
	space.nr_root = 0;
	EXPECT(fit(PREF, GIB).fits == EGPU_FITS_UNKNOWN, "not known");
	EXPECT(egpu_space_regrown(&space, PREF) == 128 * MIB, "what is sure");
}

/* Both windows on the way lie below 4 GiB: one of them is made anew. */
static void test_other_kind(void)
{
	begin();
	bridges[0].window[PREF].wide = false;
	root[0].taken = way + 2;
	root[0].nr_taken = 2;
	way[2] = bar(3 * GIB, 256 * MIB, false, "0000:02:00.0 window");
	way[2].on_way = true;
	way[2].kind = MEM;
	way[3] = bar(3 * GIB + 512 * MIB, 256 * MIB, false,
		     "0000:02:00.0 window");
	way[3].on_way = true;
	way[3].kind = PREF;
	space.nr_root = 1;
	bridges[0].window[PREF].size = 256 * MIB;
	bridges[1].window[PREF].size = 256 * MIB;
	gpu[0].gone = true;
	gpu[1].gone = true;
	EXPECT(fit(PREF, 512 * MIB).fits == EGPU_FITS_REGROWN,
	       "in place of its own window");
	way[2].start = 3 * GIB + 400 * MIB;
	EXPECT(fit(PREF, 512 * MIB).fits == EGPU_FITS_ROOT,
	       "not in place of the other kind's");
	EXPECT(fit(MEM, 512 * MIB).fits == EGPU_FITS_REGROWN, "that one can");
}

static void test_no_window(void)
{
	begin();
	EXPECT(fit(MEM, 16 * MIB).fits == EGPU_FITS_REGROWN, "one is made");
	EXPECT(egpu_space_regrown(&space, MEM) == GIB, "below 4 GiB");
	EXPECT(fit(MEM, 2 * GIB).fits == EGPU_FITS_ROOT, "not above");
	EXPECT(fit(MEM, 16 * KIB).need == MIB, "windows have 1 MiB at least");
}

static void cure_of(enum egpu_space_kind kind, struct egpu_fit *f, bool hotplug,
		    const char *cmdline, enum egpu_cure_kind want,
		    const char *parameter)
{
	struct egpu_address port = { .bus = 2 };
	struct egpu_boot boot = { &port, hotplug, cmdline };
	struct egpu_space_cure c;

	egpu_space_cure(&space, kind, f, &boot, &c);
	EXPECT(c.kind == want && !strcmp(c.parameter, parameter),
	       "%llu MiB, %s: %d \"%s\"", (unsigned long long)(f->need / MIB),
	       cmdline ? cmdline : "", c.kind, c.parameter);
}

static void cure(enum egpu_space_kind kind, uint64_t size, bool hotplug,
		 const char *cmdline, enum egpu_cure_kind want,
		 const char *parameter)
{
	struct egpu_fit f = fit(kind, size);

	cure_of(kind, &f, hotplug, cmdline, want, parameter);
}

#define AT	",resource_alignment=0000:02:00.0"

static void test_cures(void)
{
	begin();
	cure(PREF, 128 * MIB, true, NULL, EGPU_CURE_ATTACH, "");
	cure(PREF, GIB, true, NULL, EGPU_CURE_ATTACH, "");
	gpu[1].in_use = true;
	/* 288 MiB beside it, and what an unlucky begin costs */
	cure(PREF, 16 * GIB, true, "quiet", EGPU_CURE_PARAMETER,
	     "pci=realloc=on,hpmmioprefsize=33280M" AT);
	cure(PREF, GIB, true, "quiet pci=hpmmioprefsize=1G",
	     EGPU_CURE_PARAMETER, "pci=realloc=on,hpmmioprefsize=2560M" AT);
	/* the root bus has no more */
	cure(PREF, 32 * GIB, true, NULL, EGPU_CURE_PARAMETER,
	     "pci=realloc=on,hpmmioprefsize=33280M" AT);
	cure(PREF, GIB, false, "quiet", EGPU_CURE_PARAMETER, "pci=realloc=on");
	cure(PREF, GIB, false, "pci=realloc=on", EGPU_CURE_PARAMETER,
	     "pci=realloc=on" AT);
	cure(PREF, GIB, false, "pci=realloc=on,resource_alignment=02:00.0",
	     EGPU_CURE_DETACH, "");
	cure(PREF, 128 * GIB, true, NULL, EGPU_CURE_FIRMWARE, "");
	space.nr_root = 1;
	cure(PREF, 2 * GIB, true, NULL, EGPU_CURE_ABOVE_4G, "");
	cure(PREF, GIB, true, "pci=realloc=on,hpmmioprefsize=2G",
	     EGPU_CURE_ABOVE_4G, "");
	begin();
	gpu[2] = bar(3 * GIB, MIB, true, "0000:03:00.1 BAR 0");
	bridges[1].window[MEM] = (struct egpu_window){
		3 * GIB, MIB, false, gpu + 2, 1
	};
	cure(MEM, 16 * MIB, true, NULL, EGPU_CURE_PARAMETER,
	     "pci=realloc=on,hpmmiosize=32M" AT);
}

static void test_given(void)
{
	begin();
	gpu[1].in_use = true;
	/* what is given has to be all of it; the last one of each counts */
	cure(PREF, GIB, true, "pci=realloc=on,hpmmioprefsize=4096M",
	     EGPU_CURE_PARAMETER, "pci=realloc=on,hpmmioprefsize=2560M" AT);
	cure(PREF, GIB, true, "pci=realloc,hpmmioprefsize=4096M" AT,
	     EGPU_CURE_DETACH, "");
	cure(PREF, GIB, true, "pci=realloc=off,hpmmioprefsize=4G" AT,
	     EGPU_CURE_PARAMETER, "pci=realloc=on,hpmmioprefsize=2560M" AT);
	cure(PREF, GIB, false, "quiet pci=realloc=off norealloc",
	     EGPU_CURE_PARAMETER, "pci=realloc=on");
	cure(PREF, GIB, true,
	     "pci=realloc,hpmmioprefsize=4G" AT " pci=hpmmioprefsize=1G",
	     EGPU_CURE_PARAMETER, "pci=realloc=on,hpmmioprefsize=2560M" AT);
	cure(PREF, GIB, true, "pci=realloc,hpmemsize=4G" AT, EGPU_CURE_DETACH,
	     "");
	cure(PREF, GIB, true, "quiet -- pci=realloc,hpmemsize=4G" AT,
	     EGPU_CURE_PARAMETER, "pci=realloc=on,hpmmioprefsize=2560M" AT);
	/* others' are kept */
	cure(PREF, GIB, false,
	     "pci=realloc=on,resource_alignment=12@0000:05:00.0",
	     EGPU_CURE_PARAMETER,
	     "pci=realloc=on,resource_alignment=12@0000:05:00.0;0000:02:00.0");
}

static void test_no_promise(void)
{
	struct egpu_fit f;

	begin();
	/* without root rights nothing is made up */
	space.nr_root = 0;
	cure(PREF, GIB, true, NULL, EGPU_CURE_ROOT, "");
	gpu[1].in_use = true;
	cure(PREF, GIB, true, NULL, EGPU_CURE_ROOT, "");
	/* at boot a BAR that is to grow is small */
	begin();
	gpu[1].in_use = true;
	f = fit(PREF, GIB);
	f.grows = true;
	cure_of(PREF, &f, false, "quiet", EGPU_CURE_DETACH, "");
	cure_of(PREF, &f, true, "quiet", EGPU_CURE_PARAMETER,
		"pci=realloc=on,hpmmioprefsize=2560M" AT);
	/* and no window is its own */
	f.shared = true;
	cure_of(PREF, &f, true, "quiet", EGPU_CURE_NONE, "");
}

static void test_kinds(void)
{
	EXPECT(egpu_space_kind(EGPU_BAR_MEMORY | EGPU_BAR_64BIT) == MEM,
	       "not prefetchable");
	EXPECT(egpu_space_kind(EGPU_BAR_MEMORY | EGPU_BAR_PREFETCHABLE) == MEM,
	       "32 bits");
	EXPECT(egpu_space_kind(EGPU_BAR_MEMORY | EGPU_BAR_PREFETCHABLE |
			       EGPU_BAR_64BIT) == PREF, "both");
	EXPECT(egpu_space_kind(EGPU_BAR_IO) == EGPU_SPACE_IO, "I/O");
	EXPECT(egpu_rebar_bit(256 * MIB) == 8 && !egpu_rebar_bit(MIB), "bits");
	EXPECT(egpu_rebar_bit(3 * MIB) < 0 && egpu_rebar_bit(KIB) < 0 &&
	       egpu_rebar_bit(0) < 0, "no sizes of BARs");
}

static const struct {
	const char *name;
	const char *proves;
	void (*run)(void);
} tests[] = {
	{ "window", "what is used is counted once, what is free is aligned",
	  test_window },
	{ "alignment", "a BAR lies at a multiple of its size", test_alignment },
	{ "now_and_regrown", "now, in windows made anew, or not at all",
	  test_now_and_regrown },
	{ "several", "several BARs have to fit together", test_several },
	{ "blocked", "what is in use stays, and is named with its bridge",
	  test_blocked },
	{ "root", "the root bus is what there is; 32-bit windows end at 4 GiB",
	  test_root },
	{ "other_kind", "a window of another kind stays where it is",
	  test_other_kind },
	{ "no_window", "a window that is not there is made", test_no_window },
	{ "cures", "what helps, with its value, and not what is there already",
	  test_cures },
	{ "given", "what the kernel was given is read as it reads it",
	  test_given },
	{ "no_promise", "what is not known, or cannot help, is not advised",
	  test_no_promise },
	{ "kinds", "which window a BAR needs, which size has which bit",
	  test_kinds },
};

int main(void)
{
	int i;

	egpu_roots.sysfs = "/nonexistent";
	printf("KTAP version 1\n1..%d\n", COUNT(tests));
	for (i = 0; i < COUNT(tests); i++) {
		wrong = 0;
		printf("# proves: %s\n", tests[i].proves);
		tests[i].run();
		printf("%sok %d - space_fit_%s\n", wrong ? "not " : "",
		       ++test_nr, tests[i].name);
		failures += !!wrong;
	}
	return !!failures;
}
