// SPDX-License-Identifier: GPL-2.0
/*
 * link PORT qualify: the fastest speed that stays clean. The GPU is taken from
 * its driver and held, speeds are tried from the top down, the first clean one
 * becomes the limit for this device at this port, and the GPU goes back. What
 * ends early leaves the old limit, and the GPU with its driver.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "detach.h"
#include "load.h"
#include "qualify.h"

#define SECONDS_MS	60000
#define MAX_ERRORS	1.0
#define BACK_MS		30000

int qualify_look(struct qualify *q)
{
	struct egpu_port_info info;
	int ret = egpu_port(q->ctl->egpu, q->info.port, &info);

	if (ret < 0)
		return ret;
	q->info = info;
	view_free(&q->view);
	return view_get(q->ctl, &q->info, 0, &q->view);
}

bool qualify_stopped(const struct qualify *q)
{
	return interrupts != q->signals;
}

static enum exit_code read_options(struct qualify *q)
{
	struct ctl *ctl = q->ctl;
	const char *text = ctl->value[OPT_SECONDS];
	char *end;

	q->ms = SECONDS_MS;
	if (text && (!parse_duration(text, &q->ms) || !q->ms))
		return fail(ctl, EXIT_USAGE, NULL, NULL,
			    "--seconds %s is no time", text);
	text = ctl->value[OPT_MAX_ERRORS];
	q->max = text ? strtod(text, &end) : MAX_ERRORS;
	if (text && (end == text || *end || !(q->max >= 0)))
		return fail(ctl, EXIT_USAGE, NULL, NULL,
			    "--max-errors-per-minute %s is no number", text);
	q->command = ctl->value[OPT_RUN];
	return EXIT_DONE;
}

static enum exit_code check_state(struct qualify *q)
{
	const struct egpu_port_info *info = &q->info;

	if (!(info->flags & EGPU_PORT_TRACKED))
		return fail_errno(q->ctl, -EOPNOTSUPP, "qualify", info);
	if (info->transaction || (info->state == EGPU_STATE_HELD &&
				  info->reason == EGPU_REASON_CHECKING))
		return fail_errno(q->ctl, -EBUSY, "qualify", info);
	if (info->state != EGPU_STATE_READY && info->state != EGPU_STATE_HELD)
		return fail(q->ctl, view_is_occupied(info) ? EXIT_FAILED :
			    EXIT_NO_PORT, NULL, info,
			    "port %s is %s: there is no link to qualify",
			    q->label, egpu_state_name(info->state));
	if (!q->view.gpu)
		return fail(q->ctl, EXIT_NO_PORT, NULL, info,
			    "there is no GPU at port %s", q->label);
	return EXIT_DONE;
}

/* Without counters every speed would seem clean. */
static enum exit_code check_counters(struct qualify *q)
{
	struct egpu_address address = egpu_port_address(&q->info);
	struct egpu_rates rates = { 0 };
	int ret;

	if (q->view.link.missing)
		return fail_errno(q->ctl, -ENOTTY, "qualify", &q->info);
	if (q->view.link.tunnelled)
		return fail(q->ctl, EXIT_UNSUPPORTED, NULL, &q->info,
			    "a tunnelled link has no speed of its own");
	ret = errors_read(q->ctl, &q->info, &rates);
	if (ret < 0)
		return fail_errno(q->ctl, ret, "errors", &q->info);
	if (!rates.counting)
		return fail(q->ctl, EXIT_UNSUPPORTED, NULL, &q->info,
			    "neither end of the link counts errors (no AER)");
	if (!egpu_errors_heard(&address))
		return fail(q->ctl, EXIT_UNSUPPORTED,
			    "firmware keeps them for itself, or pci=noaer",
			    &q->info,
			    "the kernel does not hear of errors at this port");
	return EXIT_DONE;
}

static enum exit_code check(struct qualify *q)
{
	enum exit_code code;

	qualify_look(q);
	snprintf(q->label, sizeof(q->label), "%s", view_label(&q->view));
	code = check_state(q);
	if (code == EXIT_DONE)
		code = check_counters(q);
	if (code != EXIT_DONE)
		return code;
	view_key(&q->view, &q->key);
	q->was_ready = q->info.state == EGPU_STATE_READY;
	q->old = q->view.about.limit_speed;
	q->old_vendor = q->view.about.limit_vendor;
	q->old_device = q->view.about.limit_device;
	return EXIT_DONE;
}

enum exit_code qualify_hold(struct qualify *q)
{
	enum exit_code code = hold_port(q->ctl, &q->info, q->label);

	qualify_look(q);
	return code;
}

/* It is there again, and nothing goes on. */
static bool is_back(const struct qualify *q, uint64_t generation)
{
	return q->info.generation != generation && !q->info.transaction &&
	       (q->info.state == EGPU_STATE_READY ||
		(q->info.state == EGPU_STATE_HELD &&
		 q->info.reason != EGPU_REASON_CHECKING));
}

static bool wait_back(struct qualify *q, uint64_t generation)
{
	int64_t end = now_ms() + BACK_MS;
	struct egpu_event event;

	while (!is_back(q, generation) && now_ms() < end &&
	       !qualify_stopped(q)) {
		if (egpu_event_next(q->ctl->egpu, &event, 500) == -ENODEV)
			return false;
		qualify_look(q);
	}
	return is_back(q, generation);
}

/* The limit that holds from the next arrival on, whatever state it is in. */
static int limit_later(struct qualify *q, uint32_t speed, uint16_t vendor,
		       uint16_t device)
{
	uint32_t transaction;

	return egpu_link_set(q->ctl->egpu, q->info.port,
			     EGPU_LINK_SET_SPEED | EGPU_LINK_SET_LATER, speed,
			     vendor, device, &transaction);
}

enum exit_code qualify_recover(struct qualify *q, uint32_t speed, bool hold)
{
	struct learned_key key;

	if (speed)
		limit_later(q, speed, q->key.vendor, q->key.device);
	say(q->ctl, "The GPU was lost; waiting until it is back.\n");
	fflush(stdout);
	if (!wait_back(q, q->lost_generation)) {
		if (qualify_stopped(q))
			return EXIT_CANCELLED;
		return fail(q->ctl, EXIT_NO_PORT, "egpuctl log", &q->info,
			    "the GPU has not come back: port %s is %s",
			    q->label, egpu_state_name(q->info.state));
	}
	if (!view_key(&q->view, &key) || key.vendor != q->key.vendor ||
	    key.device != q->key.device)
		return fail(q->ctl, EXIT_NO_PORT, NULL, &q->info,
			    "another device came");
	return hold ? qualify_hold(q) : EXIT_DONE;
}

static struct trial *last(struct qualify *q)
{
	return &q->trials[q->nr_trials - 1];
}

/* Held: down to the first speed that stays clean while it is read. */
static enum exit_code search(struct qualify *q, uint32_t *found)
{
	enum exit_code code = EXIT_DONE;
	uint32_t speed = q->top;

	for (*found = 0; speed && !*found && code == EXIT_DONE;
	     speed = egpu_speed_below(speed)) {
		q->lost_generation = q->info.generation;
		code = trial_reads(q, speed);
		if (code != EXIT_DONE)
			break;
		if (trial_outcome(last(q), q->max) == OUTCOME_CLEAN)
			*found = speed;
		else if (last(q)->dropped)
			code = qualify_recover(q, egpu_speed_below(speed),
					       true);
	}
	return code;
}

static enum exit_code attach(struct qualify *q)
{
	int ret = attach_port(q->ctl, &q->info, EGPU_CHECK_LINK);

	qualify_look(q);
	if (q->info.state == EGPU_STATE_READY) {
		wait_for_driver(q->ctl, &q->info);
		qualify_look(q);
		return EXIT_DONE;
	}
	if (ret >= 0 && q->info.state != EGPU_STATE_HELD)
		ret = -EIO;
	return fail(q->ctl, ret < 0 ? exit_of(ret) : EXIT_FAILED, NULL,
		    &q->info, "port %s is left %s: egpuctl attach %u", q->label,
		    egpu_state_name(q->info.state), q->info.port);
}

/* With its driver: from @speed down until the user's command is clean. */
static enum exit_code search_live(struct qualify *q, uint32_t speed)
{
	enum exit_code code = attach(q);
	bool set = false;

	for (; speed && code == EXIT_DONE; speed = egpu_speed_below(speed)) {
		q->lost_generation = q->info.generation;
		code = trial_command(q, speed, set);
		if (code != EXIT_DONE ||
		    trial_outcome(last(q), q->max) == OUTCOME_CLEAN)
			break;
		set = true;
		if (!last(q)->dropped)
			continue;
		/* what comes back has the lower limit already */
		code = qualify_recover(q, egpu_speed_below(speed), false);
		if (code == EXIT_DONE && q->info.state == EGPU_STATE_HELD)
			code = attach(q);
	}
	return code;
}

static bool any_dropped(const struct qualify *q)
{
	int i;

	for (i = 0; i < q->nr_trials; i++)
		if (q->trials[i].dropped)
			return true;
	return false;
}

/*
 * The limit, and the link at it: now, when that costs nothing; with a driver
 * bound only where no speed lost the device.
 */
static int set_limit(struct qualify *q, uint32_t limit, uint16_t vendor,
		     uint16_t device)
{
	struct link_change change = {
		.flags = EGPU_LINK_SET_SPEED, .speed = limit,
		.vendor = vendor, .device = device, .quiet = true,
	};
	uint32_t now = q->view.link.known ? q->view.link.speed : 0;
	uint32_t wanted = limit && limit < q->top ? limit : q->top;
	int ret = -EBUSY;

	if (q->info.state == EGPU_STATE_READY)
		change.flags |= EGPU_LINK_SET_LIVE;
	if (now != wanted && (q->info.state == EGPU_STATE_HELD ||
			      (q->info.state == EGPU_STATE_READY &&
			       !any_dropped(q))))
		ret = link_train(q->ctl, &q->info, &change);
	if (ret)
		ret = limit_later(q, limit, vendor, device);
	qualify_look(q);
	return ret < 0 ? ret : 0;
}

static enum exit_code remember(struct qualify *q, uint32_t limit)
{
	struct learned learned;
	int ret = learned_load(&learned, true);

	if (!ret) {
		learned_set_limit(&learned, &q->key, limit, "qualify");
		ret = learned_save(&learned);
		learned_free(&learned);
	}
	q->remembered = !ret;
	return ret ? fail(q->ctl, exit_of(ret), NULL, &q->info,
			  "the limit holds until reboot: it cannot be remembered")
		   : EXIT_DONE;
}

static void tell_limit(struct qualify *q)
{
	if (q->clean && q->chosen == q->top)
		say(q->ctl, "%gGT/s is clean, the fastest that %s: %s.\n",
		    q->chosen / 10.0, q->own ? "max-speed allows" :
		    "both ends can do", q->own ? "nothing to remember" :
		    "no limit");
	else
		say(q->ctl, "%gGT/s %s: it is the limit for %04x:%04x at port %s now%s.\n",
		    q->chosen / 10.0, q->clean ? "is the fastest clean speed" :
		    "had the fewest errors", q->key.vendor, q->key.device,
		    q->label, q->remembered ? ", and remembered" : "");
}

/* What was found is set, told and remembered. */
static enum exit_code keep(struct qualify *q)
{
	enum exit_code code;
	uint32_t limit;
	int ret;

	q->chosen = trials_choose(q->trials, q->nr_trials, q->max, &q->clean);
	if (!q->chosen)
		return fail(q->ctl, EXIT_FAILED, NULL, &q->info,
			    "no speed was reached; the old limit stays");
	limit = q->clean && q->chosen == q->top ? 0 : q->chosen;
	/* one limit a port: where the configuration has one it is for all */
	if (q->own || !limit)
		ret = set_limit(q, limit ? limit : q->own, 0, 0);
	else
		ret = set_limit(q, limit, q->key.vendor, q->key.device);
	if (ret)
		return fail_errno(q->ctl, ret, "limit", &q->info);
	q->touched = false;
	code = remember(q, limit);
	tell_limit(q);
	if (!q->clean && code == EXIT_DONE)
		code = fail(q->ctl, EXIT_FAILED, NULL, &q->info,
			    "no speed is clean at port %s", q->label);
	return code;
}

/* Whatever happened: the limit is one that was meant, the GPU has its driver. */
static enum exit_code give_back(struct qualify *q, enum exit_code code)
{
	enum exit_code again = EXIT_DONE;
	bool stopped = qualify_stopped(q);

	/* from now on a Ctrl-C is for what runs here */
	interrupted = 0;
	q->signals = interrupts;
	qualify_clear_line(q);
	qualify_look(q);
	if (q->touched && set_limit(q, q->old, q->old_vendor, q->old_device))
		fprintf(stderr, "egpuctl: the old limit could not be set: egpuctl link %u speed\n",
			q->info.port);
	if (q->was_ready && q->info.state == EGPU_STATE_HELD)
		again = attach(q);
	if (stopped && (code == EXIT_DONE || code == EXIT_CANCELLED))
		code = fail(q->ctl, EXIT_CANCELLED, NULL, &q->info,
			    "cancelled; the limit is as it was");
	return code == EXIT_DONE ? again : code;
}

/* What both ends can do, as far as the configuration allows. */
static enum exit_code find_top(struct qualify *q)
{
	const struct config_port *port;

	qualify_look(q);
	q->top = q->view.link.ends_speed;
	port = config_port_find(&q->ctl->config, q->view.path);
	if (port && port->max_speed > 0 && (uint32_t)port->max_speed < q->top)
		q->own = (uint32_t)port->max_speed;
	if (q->own)
		q->top = q->own;
	return q->top ? EXIT_DONE :
	       fail(q->ctl, EXIT_FAILED, NULL, &q->info,
		    "it is not known what the link of port %s can do",
		    q->label);
}

static enum exit_code run(struct qualify *q)
{
	enum exit_code code = qualify_hold(q);
	uint32_t found = 0;

	if (code == EXIT_DONE)
		code = find_top(q);
	if (code == EXIT_DONE)
		code = search(q, &found);
	if (code == EXIT_DONE && q->command && found)
		code = search_live(q, found);
	if (code == EXIT_DONE && !qualify_stopped(q))
		code = keep(q);
	return give_back(q, code);
}

enum exit_code link_qualify(struct ctl *ctl, const struct egpu_port_info *port)
{
	struct qualify q = { .ctl = ctl, .info = *port };
	enum exit_code code = read_options(&q);

	if (code != EXIT_DONE)
		return code;
	catch_interrupt();
	q.signals = interrupts;
	view_get(ctl, &q.info, 0, &q.view);
	code = check(&q);
	if (code == EXIT_DONE)
		code = run(&q);
	if (ctl->json)
		qualify_json(&q);
	view_free(&q.view);
	return code;
}
