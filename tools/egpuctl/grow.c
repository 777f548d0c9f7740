// SPDX-License-Identifier: GPL-2.0
/*
 * space PORT --grow: another size for the resizable BAR of a GPU. The kernel does
 * it for a function without driver only: the GPU is held, the module's stub
 * unbound from the function, the size written, the stub bound again, and the GPU
 * attached. Whatever fails: the old size is put back as far as the kernel does
 * it, what came of that is told, and the GPU attached. Nobody else of us does
 * this to the function meanwhile: a file is locked from before it is looked at
 * until the attach was sent.
 */
#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "detach.h"
#include "space.h"

#define MAX_SIZES	EGPU_REBAR_BITS
#define BARS		6
#define LOCK_MS		10000

/**
 * struct grow - one BAR that is to be resized
 * @ctl: the session
 * @info: the port as seen last
 * @ps: likewise, with the way to it
 * @room: the BAR
 * @label: the port's name or id
 * @address: the function's
 * @fixed: this size and no other; 0: as large as it fits
 * @sizes: to try, largest first
 * @nr_sizes: how many
 * @from: size before
 * @to: size now
 * @known: there is a BAR to resize: @room and @from are valid
 * @lock: of the function, or -1
 * @had: sizes of the function's BARs before, 0: no place
 * @lost: of a BAR that has not what it had: a sentence, or ""
 * @driver: that was bound to it where the stub should be
 * @was_ready: it was in use by its driver, and gets it back
 * @quiet: steps are not told
 * @steps: JSON, or NULL
 */
struct grow {
	struct ctl *ctl;
	struct egpu_port_info info;
	struct port_space ps;
	struct bar_room room;
	char label[80];
	char address[EGPU_ADDRESS_LEN];
	uint64_t fixed;
	uint64_t sizes[MAX_SIZES];
	int nr_sizes;
	uint64_t from;
	uint64_t to;
	bool known;
	int lock;
	uint64_t had[BARS];
	char lost[160];
	char driver[EGPU_NAME_LEN];
	bool was_ready;
	bool quiet;
	struct json_object *steps;
};

static void step(struct grow *grow, const char *format, ...) print_like(2, 3);

static void step(struct grow *grow, const char *format, ...)
{
	char text[256];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	if (grow->steps)
		append_text(grow->steps, text);
	else if (!grow->quiet)
		say(grow->ctl, "  %s\n", text);
	fflush(stdout);
}

static bool can_have(const struct grow *grow, uint64_t size)
{
	int bit = egpu_rebar_bit(size);

	return bit >= 0 && (grow->room.sizes >> bit & 1);
}

static enum exit_code check_fixed(struct grow *grow)
{
	struct egpu_fit fit;
	char text[24], why[800];

	if (!can_have(grow, grow->fixed))
		return fail(grow->ctl, EXIT_UNSUPPORTED, "egpuctl space",
			    &grow->info, "BAR %d of %s cannot have %s",
			    grow->room.bar, grow->address,
			    space_text(grow->fixed, text));
	if (grow->fixed != grow->room.size || !grow->room.assigned)
		grow->sizes[grow->nr_sizes++] = grow->fixed;
	bar_fit(&grow->ps, &grow->room, grow->fixed, &fit);
	if (!grow->nr_sizes || (fit.fits != EGPU_FITS_BLOCKED &&
				fit.fits != EGPU_FITS_ROOT))
		return EXIT_DONE;
	space_why(&grow->ps, grow->room.kind, &fit, why, sizeof(why));
	return fail(grow->ctl, EXIT_UNSUPPORTED, why, &grow->info,
		    "%s do not fit", space_text(grow->fixed, text));
}

/* What is worth a try: the kernel has the last word. */
static enum exit_code choose(struct grow *grow)
{
	uint64_t limit = grow->ps.max ? grow->ps.max : UINT64_MAX, size;
	struct egpu_fit fit;
	int bit;

	grow->nr_sizes = 0;
	if (grow->fixed)
		return check_fixed(grow);
	for (bit = MAX_SIZES - 1; bit >= 0; bit--) {
		size = 1ULL << (bit + 20);
		if (!can_have(grow, size) || size > limit ||
		    size <= grow->room.size)
			continue;
		bar_fit(&grow->ps, &grow->room, size, &fit);
		if (fit.fits != EGPU_FITS_BLOCKED &&
		    fit.fits != EGPU_FITS_ROOT)
			grow->sizes[grow->nr_sizes++] = size;
	}
	return EXIT_DONE;
}

/* The port as it is now. Return: false: there is no BAR to resize. */
static bool look(struct grow *grow)
{
	port_space_free(&grow->ps);
	egpu_port(grow->ctl->egpu, grow->info.port, &grow->info);
	port_space_get(grow->ctl, &grow->info, &grow->ps);
	if (!grow->ps.known || !bar_pick(&grow->ps, &grow->room))
		return false;
	egpu_address_format(&grow->room.address, grow->address);
	grow->from = grow->room.size;
	grow->to = grow->room.size;
	grow->known = true;
	return true;
}

static enum exit_code lock_function(struct grow *grow)
{
	grow->lock = egpu_function_lock(&grow->room.address, run_dir(),
					LOCK_MS);
	if (grow->lock >= 0)
		return EXIT_DONE;
	if (grow->lock == -EBUSY)
		return fail(grow->ctl, EXIT_BUSY, NULL, &grow->info,
			    "another egpuctl is at work on %s", grow->address);
	if (grow->lock == -EACCES || grow->lock == -EPERM)
		return fail_errno(grow->ctl, grow->lock, "grow", &grow->info);
	return fail(grow->ctl, EXIT_FAILED, NULL, &grow->info,
		    "no file could be locked in %s: %s", run_dir(),
		    strerror(-grow->lock));
}

/* Tries the sizes. Return: 0, -errno of the last one. */
static int try_sizes(struct grow *grow)
{
	const struct bar_room *room = &grow->room;
	int i, ret = -ENOSPC;
	char text[24];

	for (i = 0; i < grow->nr_sizes; i++) {
		uint64_t size = grow->sizes[i];

		ret = egpu_rebar_set(&room->address, room->bar, size);
		if (!ret && egpu_bar_size(&room->address, room->bar) != size)
			ret = -ENOSPC;
		step(grow, "BAR %d of %s to %s: %s", room->bar, grow->address,
		     space_text(size, text), ret ? strerror(-ret) : "done");
		if (!ret)
			grow->to = size;
		if (ret != -ENOSPC)
			break;
	}
	return ret;
}

/* The kernel puts the old size back; here, where it did not. */
static int put_back(struct grow *grow)
{
	const struct bar_room *room = &grow->room;
	char text[24];
	int ret;

	if (!room->assigned ||
	    egpu_bar_size(&room->address, room->bar) == grow->from)
		return 0;
	ret = egpu_rebar_set(&room->address, room->bar, grow->from);
	step(grow, "BAR %d of %s back to %s: %s", room->bar, grow->address,
	     space_text(grow->from, text), ret ? strerror(-ret) : "done");
	return ret;
}

static void note_bars(struct grow *grow)
{
	int i;

	for (i = 0; i < BARS; i++)
		grow->had[i] = egpu_bar_size(&grow->room.address, i);
}

/* Has each BAR what it had, and the resized one what it should? */
static int check_bars(struct grow *grow)
{
	char now_text[24], text[24];
	uint64_t now, want;
	int i;

	for (i = 0; i < BARS; i++) {
		want = i == grow->room.bar ? grow->to : grow->had[i];
		now = egpu_bar_size(&grow->room.address, i);
		if (!grow->had[i] || now == want)
			continue;
		if (now)
			snprintf(grow->lost, sizeof(grow->lost),
				 "BAR %d of %s has %s, not %s", i,
				 grow->address, space_text(now, now_text),
				 space_text(want, text));
		else
			snprintf(grow->lost, sizeof(grow->lost),
				 "BAR %d of %s has no space any more", i,
				 grow->address);
		return -EIO;
	}
	return 0;
}

/* Nothing is bound to it. Return: 0, -errno. */
static int resize_bare(struct grow *grow)
{
	int ret, back = 0, lost;

	note_bars(grow);
	ret = try_sizes(grow);
	if (ret)
		back = put_back(grow);
	lost = check_bars(grow);
	return ret ? ret : back ? back : lost;
}

/* Held, and locked. Return: 0, -EBUSY it has a driver, other -errno. */
static int resize(struct grow *grow)
{
	char *driver = egpu_device_driver(&grow->room.address);
	bool stub = driver && !strcmp(driver, "egpu");
	sigset_t stop, before;
	int ret = 0, again;

	if (driver && !stub) {
		snprintf(grow->driver, sizeof(grow->driver), "%s", driver);
		ret = -EBUSY;
	}
	free(driver);
	/* half of it is worse than a late end */
	sigemptyset(&stop);
	sigaddset(&stop, SIGINT);
	sigaddset(&stop, SIGTERM);
	sigaddset(&stop, SIGHUP);
	sigprocmask(SIG_BLOCK, &stop, &before);
	if (!ret && stub) {
		ret = egpu_stub(&grow->room.address, false);
		step(grow, "Unbind egpu's stub from %s: %s", grow->address,
		     ret ? strerror(-ret) : "done");
		stub = !ret;
	}
	if (!ret)
		ret = resize_bare(grow);
	if (stub) {
		again = egpu_stub(&grow->room.address, true);
		step(grow, "Bind egpu's stub again: %s",
		     again ? strerror(-again) : "done");
	}
	sigprocmask(SIG_SETMASK, &before, NULL);
	return ret;
}

static enum exit_code check_state(struct grow *grow)
{
	const struct egpu_port_info *info = &grow->info;
	struct ctl *ctl = grow->ctl;

	if (!(info->flags & EGPU_PORT_TRACKED))
		return fail_errno(ctl, -EOPNOTSUPP, "grow", info);
	if (info->transaction || (info->state == EGPU_STATE_HELD &&
				  info->reason == EGPU_REASON_CHECKING))
		return fail_errno(ctl, -EBUSY, "grow", info);
	if (info->state != EGPU_STATE_READY && info->state != EGPU_STATE_HELD)
		return fail(ctl, view_is_occupied(info) ? EXIT_FAILED :
			    EXIT_NO_PORT, NULL, info,
			    "port %s is %s: there is no BAR to resize",
			    grow->label, egpu_state_name(info->state));
	return EXIT_DONE;
}

static enum exit_code read_size(struct grow *grow)
{
	struct ctl *ctl = grow->ctl;
	const char *text = ctl->value[OPT_GROW];

	if (ctl->nr_args > 1 && *text)
		return fail(ctl, EXIT_USAGE, NULL, NULL, "two sizes: %s and %s",
			    text, ctl->arg[1]);
	if (ctl->nr_args > 1)
		text = ctl->arg[1];
	if (*text && (!parse_size(text, &grow->fixed) ||
		      egpu_rebar_bit(grow->fixed) < 0))
		return fail(ctl, EXIT_USAGE, "256M, 16G, ...", NULL,
			    "%s is no size of a BAR", text);
	if (!ctl->nr_args)
		return fail(ctl, EXIT_USAGE, "egpuctl list", NULL,
			    "--grow needs a port");
	return EXIT_DONE;
}

/* Nothing larger: why, and what would help. */
static void tell_nothing(struct grow *grow)
{
	uint64_t size = grow->room.size;
	struct egpu_fit fit;
	char text[24], why[800];

	/* the next one */
	do {
		size <<= 1;
	} while (size < bar_largest(&grow->room, UINT64_MAX) &&
		 !can_have(grow, size));
	say(grow->ctl, "BAR %d of %s has %s: ", grow->room.bar, grow->address,
	    space_text(grow->room.size, text));
	if (grow->fixed) {
		say(grow->ctl, "nothing to do.\n");
	} else if (grow->room.sizes &&
		   bar_largest(&grow->room, UINT64_MAX) <= grow->room.size) {
		say(grow->ctl, "all that it can have.\n");
	} else if (grow->ps.max && size > grow->ps.max) {
		say(grow->ctl, "all that rebar-max allows.\n");
	} else {
		bar_fit(&grow->ps, &grow->room, size, &fit);
		space_why(&grow->ps, grow->room.kind, &fit, why, sizeof(why));
		say(grow->ctl, "%s do not fit: %s.\n", space_text(size, text),
		    why);
	}
}

/* Its driver again, whatever came of it. */
static enum exit_code give_back(struct grow *grow, enum exit_code code)
{
	int ret;

	interrupted = 0;
	egpu_port(grow->ctl->egpu, grow->info.port, &grow->info);
	if (!grow->was_ready || grow->info.state != EGPU_STATE_HELD)
		return code;
	ret = attach_port(grow->ctl, &grow->info, EGPU_CHECK_LINK);
	egpu_port(grow->ctl->egpu, grow->info.port, &grow->info);
	if (grow->info.state == EGPU_STATE_READY) {
		wait_for_driver(grow->ctl, &grow->info);
		step(grow, "Attach: READY");
		return code;
	}
	/* what failed first decides how it ends */
	if (code == EXIT_DONE)
		code = ret < 0 ? exit_of(ret) : EXIT_FAILED;
	return fail(grow->ctl, code, NULL, &grow->info,
		    "port %s is left %s: egpuctl attach %u", grow->label,
		    egpu_state_name(grow->info.state), grow->info.port);
}

static enum exit_code busy(struct grow *grow)
{
	if (*grow->driver)
		return fail(grow->ctl, EXIT_BUSY, NULL, &grow->info,
			    "%s is driven by %s", grow->address, grow->driver);
	if (!grow->room.assigned)
		return fail(grow->ctl, EXIT_BUSY, "egpuctl space", &grow->info,
			    "BAR %d of %s has no space, and is not resized before it has",
			    grow->room.bar, grow->address);
	return fail(grow->ctl, EXIT_BUSY, "egpuctl log", &grow->info,
		    "BAR %d of %s is in use, by virtual functions or the kernel itself",
		    grow->room.bar, grow->address);
}

static enum exit_code resize_failed(struct grow *grow, int ret)
{
	char text[24], hint[40];

	if (*grow->lost) {
		snprintf(hint, sizeof(hint), "egpuctl attach %u",
			 grow->info.port);
		return fail(grow->ctl, EXIT_FAILED, hint, &grow->info, "%s",
			    grow->lost);
	}
	if (ret == -EBUSY)
		return busy(grow);
	if (ret != -ENOSPC)
		return fail_errno(grow->ctl, ret, "grow", &grow->info);
	return fail(grow->ctl, EXIT_FAILED, "egpuctl log", &grow->info,
		    "BAR %d of %s keeps %s: the kernel found no room",
		    grow->room.bar, grow->address,
		    space_text(grow->from, text));
}

static enum exit_code run(struct grow *grow)
{
	enum exit_code code;
	int ret;

	step(grow, "Take it from its driver");
	code = hold_port(grow->ctl, &grow->info, grow->label);
	if (code == EXIT_CANCELLED)
		return fail(grow->ctl, code, NULL, &grow->info,
			    "cancelled; nothing was changed");
	if (code != EXIT_DONE)
		return code;
	/* what sleeps tells no sizes before it is held */
	if (!look(grow))
		code = fail(grow->ctl, EXIT_NO_PORT, "egpuctl show",
			    &grow->info, "the BAR is gone");
	if (code == EXIT_DONE && !grow->room.sizes &&
	    egpu_rebar_sizes(&grow->room.address, grow->room.bar, true,
			     &grow->room.sizes))
		code = fail(grow->ctl, EXIT_FAILED, NULL, &grow->info,
			    "BAR %d of %s does not tell its sizes",
			    grow->room.bar, grow->address);
	if (code == EXIT_DONE)
		code = choose(grow);
	if (code == EXIT_DONE && grow->nr_sizes) {
		ret = resize(grow);
		if (ret)
			code = resize_failed(grow, ret);
	} else if (code == EXIT_DONE) {
		tell_nothing(grow);
	}
	return give_back(grow, code);
}

static void put_bytes(struct json_object *o, const char *key, uint64_t bytes)
{
	if (bytes)
		put_int(o, key, (int64_t)bytes);
	else
		put_null(o, key);
}

static void grow_reply(struct grow *grow)
{
	struct json_object *o = json_object_new_object();

	put_int(o, "port", grow->info.port);
	put_text(o, "address", *grow->address ? grow->address : NULL);
	if (grow->known)
		put_int(o, "bar", grow->room.bar);
	else
		put_null(o, "bar");
	put_bytes(o, "from", grow->known ? grow->from : 0);
	put_bytes(o, "to", grow->known ? egpu_bar_size(&grow->room.address,
						       grow->room.bar) : 0);
	put_text(o, "state", egpu_state_name(grow->info.state));
	put(o, "steps", grow->steps);
	put(reply(grow->ctl), "grow", o);
}

static enum exit_code grow_port(struct grow *grow)
{
	struct ctl *ctl = grow->ctl;
	char text[24], before[24];
	enum exit_code code = check_state(grow);

	if (code != EXIT_DONE)
		return code;
	if (!look(grow))
		return fail(ctl, EXIT_UNSUPPORTED, "egpuctl space", &grow->info,
			    "no BAR at port %s is resizable, or the kernel has no resourceN_resize",
			    grow->label);
	if (grow->fixed && grow->ps.max && grow->fixed > grow->ps.max)
		return fail(ctl, EXIT_GUARD, NULL, &grow->info,
			    "refused: rebar-max of port %s is %s", grow->label,
			    space_text(grow->ps.max, text));
	if (grow->room.sizes) {
		code = choose(grow);
		if (code == EXIT_DONE && !grow->nr_sizes)
			tell_nothing(grow);
		if (code != EXIT_DONE || !grow->nr_sizes)
			return code;
	}
	grow->was_ready = grow->info.state == EGPU_STATE_READY;
	catch_interrupt();
	code = lock_function(grow);
	if (code != EXIT_DONE)
		return code;
	code = run(grow);
	if (code == EXIT_DONE && grow->to != grow->from)
		say(ctl, "BAR %d of %s: %s -> %s.\n", grow->room.bar,
		    grow->address, space_text(grow->from, before),
		    space_text(grow->to, text));
	return code;
}

enum exit_code space_grow(struct ctl *ctl)
{
	struct grow grow = { .ctl = ctl, .lock = -1 };
	enum exit_code code = read_size(&grow);

	if (code == EXIT_DONE)
		code = find_port(ctl, ctl->arg[0], false, &grow.info);
	if (code != EXIT_DONE)
		return code;
	if (ctl->json)
		grow.steps = json_object_new_array();
	port_space_get(ctl, &grow.info, &grow.ps);
	snprintf(grow.label, sizeof(grow.label), "%s",
		 view_label(&grow.ps.view));
	code = grow_port(&grow);
	if (grow.lock >= 0)
		close(grow.lock);
	if (ctl->json)
		grow_reply(&grow);
	port_space_free(&grow.ps);
	return code;
}

/* With the lock: is it still to be made larger? */
static enum exit_code grow_locked(struct grow *grow)
{
	int ret;

	if (!look(grow) || grow->info.state != EGPU_STATE_HELD ||
	    grow->info.transaction)
		return EXIT_DONE;
	choose(grow);
	if (!grow->nr_sizes)
		return EXIT_DONE;
	ret = resize(grow);
	return ret ? resize_failed(grow, ret) : EXIT_DONE;
}

enum exit_code grow_held(struct ctl *ctl, const struct egpu_port_info *info,
			 bool check, char *what, size_t size, int *lock)
{
	struct grow grow = {
		.ctl = ctl, .info = *info, .quiet = true, .lock = -1,
	};
	enum exit_code code = EXIT_DONE;
	char from[24], to[24];

	*what = 0;
	port_space_get(ctl, info, &grow.ps);
	snprintf(grow.label, sizeof(grow.label), "%s",
		 view_label(&grow.ps.view));
	if (look(&grow) && grow.room.sizes)
		choose(&grow);
	if (grow.nr_sizes && check)
		grow.to = grow.sizes[0];
	/* also when there is nothing left to do: it may be half done */
	if (grow.known && !check) {
		code = lock_function(&grow);
		if (code == EXIT_DONE)
			code = grow_locked(&grow);
	}
	if (grow.to != grow.from)
		snprintf(what, size, "BAR %d of %s %s -> %s", grow.room.bar,
			 grow.address, bar_text(grow.from, from),
			 bar_text(grow.to, to));
	*lock = grow.lock;
	port_space_free(&grow.ps);
	return code;
}
