// SPDX-License-Identifier: GPL-2.0
/*
 * guard: for a systemd unit. Looks at the errors of every READY port now and
 * then, and at each loss; a link that has too many is slowed down one speed, a
 * few times at most, and never made faster. Each step is told and remembered.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "decide.h"
#include "load.h"

#define MAX_ERRORS	60.0
#define INTERVAL_MS	10000
#define DROPS		2
#define WINDOW_MS	600000
#define AWAY_MS		10000
#define STEPS		2
#define HOLD_OFF_MS	60000

/**
 * struct watched - a port that is looked after
 * @port: its id
 * @label: how it is called: name or id, and address
 * @off: it is not to be, and that was said
 * @generation: of the device that @key and @rates are of; 0: none was seen
 * @key: the port and the device
 * @guarded: what was decided about them so far
 * @losses: the port's counter, as seen last
 * @rates: errors, at the link's both ends
 * @seen: how many were correctable at the last look
 * @read_ms: when that was
 */
struct watched {
	uint32_t port;
	char label[80];
	bool off;
	uint64_t generation;
	struct learned_key key;
	struct guarded guarded;
	uint32_t losses;
	struct egpu_rates rates;
	uint64_t seen;
	int64_t read_ms;
};

struct guard {
	struct ctl *ctl;
	struct guard_rule rule;
	int interval_ms;
	uint32_t only;		/* a port's id; 0: all */
	int64_t end;		/* ms; 0: none */
	struct watched *ports;
	int count;
	enum exit_code code;
};

/* What one line says; numbers that do not apply are < 0 */
struct line {
	const char *event;
	uint32_t speed;
	uint32_t to;
	double per_minute;
	int drops;
	int error;
};

static void put_speed(struct json_object *o, const char *key, uint32_t speed)
{
	if (speed)
		put_number(o, key, speed / 10.0);
	else
		put_null(o, key);
}

static void tell_json(const struct guard *guard, const struct watched *w,
		      const struct line *line)
{
	struct json_object *o = json_object_new_object();
	char device[16];

	snprintf(device, sizeof(device), "%04x:%04x", w->key.vendor,
		 w->key.device);
	put_int(o, "schema", JSON_SCHEMA);
	put_time(o, "time", monotonic_ns());
	put_int(o, "mono_ns", (int64_t)monotonic_ns());
	put_text(o, "event", line->event);
	put_int(o, "port", w->port);
	put_text(o, "path", *w->key.path ? w->key.path : NULL);
	put_text(o, "device", w->generation ? device : NULL);
	put_speed(o, "speed_gts", line->speed);
	put_speed(o, "to_gts", line->to);
	if (line->per_minute >= 0)
		put_number(o, "errors_per_minute", line->per_minute);
	else
		put_null(o, "errors_per_minute");
	put(o, "drops", line->drops >= 0 ? json_object_new_int(line->drops)
					 : NULL);
	put_int(o, "steps", w->guarded.steps);
	put_int(o, "max_steps", guard->rule.steps);
	put_text(o, "error", line->error ? strerrorname_np(-line->error)
					 : NULL);
	print_json(o, false);
	json_object_put(o);
}

/* "312 correctable errors a minute (60 are allowed) at 16GT/s" */
static void cause_text(const struct guard *guard, const struct line *line,
		       char *buf, size_t size)
{
	if (line->drops >= 0)
		snprintf(buf, size, "%d drops in %lld minutes at %gGT/s",
			 line->drops,
			 (long long)guard->rule.window_ms / 60000,
			 line->speed / 10.0);
	else
		snprintf(buf, size, "%.4g correctable errors a minute (%g are allowed) at %gGT/s",
			 line->per_minute, guard->rule.max, line->speed / 10.0);
}

static void tell(const struct guard *guard, const struct watched *w,
		 const struct line *line)
{
	char cause[128];

	if (guard->ctl->json) {
		tell_json(guard, w, line);
		return;
	}
	cause_text(guard, line, cause, sizeof(cause));
	printf("port %s: ", w->label);
	if (!strcmp(line->event, "watch"))
		printf("%04x:%04x may run at %gGT/s, is looked after",
		       w->key.vendor, w->key.device, line->speed / 10.0);
	else if (!strcmp(line->event, "off"))
		printf("is not looked after: %s", line->error ?
		       "its link has no speed of its own, or cannot be set" :
		       "guard = no");
	else if (!strcmp(line->event, "used-up"))
		printf("%s; all %d steps are used up: nothing is done any more",
		       cause, guard->rule.steps);
	else if (!strcmp(line->event, "slowest"))
		printf("%s; there is no slower speed", cause);
	else
		printf("%s; limit %gGT/s, step %d of %d%s%s", cause,
		       line->to / 10.0, w->guarded.steps, guard->rule.steps,
		       line->error ? ", from the next arrival on: " : "",
		       line->error ? strerror(-line->error) : "");
	putchar('\n');
	fflush(stdout);
}

static void remember(const struct watched *w, uint32_t speed)
{
	struct learned learned;

	/* what goes wrong is told, and no reason to stop */
	if (learned_load(&learned, true))
		return;
	learned_set_limit(&learned, &w->key, speed, "guard");
	learned_save(&learned);
	learned_free(&learned);
}

static int subscribe(struct guard *guard)
{
	return egpu_subscribe(guard->ctl->egpu,
			      EGPU_EVENT_BIT(EGPU_EVENT_STATE) |
			      EGPU_EVENT_BIT(EGPU_EVENT_PORT_ADDED) |
			      EGPU_EVENT_BIT(EGPU_EVENT_PORT_REMOVED),
			      0, NULL);
}

/* Return: 0: the limit is set; then @live says whether the link has it. */
static int lower(struct guard *guard, const struct watched *w,
		 const struct egpu_port_info *info, uint32_t speed, int *live)
{
	struct link_change change = {
		.flags = EGPU_LINK_SET_SPEED | EGPU_LINK_SET_LIVE,
		.speed = speed,
		.vendor = w->key.vendor,
		.device = w->key.device,
		.quiet = true,
	};
	uint32_t transaction;

	*live = 0;
	if (info->state == EGPU_STATE_READY) {
		*live = link_train(guard->ctl, info, &change);
		subscribe(guard);
		if (*live != -EIO && *live != -ENODEV && *live != -ETIMEDOUT)
			return *live;
	}
	return egpu_link_set(guard->ctl->egpu, info->port,
			     EGPU_LINK_SET_SPEED | EGPU_LINK_SET_LATER, speed,
			     w->key.vendor, w->key.device, &transaction);
}

static void step(struct guard *guard, struct watched *w,
		 const struct egpu_port_info *info, struct line *line)
{
	struct egpu_port_info after;
	int ret;

	line->event = "step";
	line->to = egpu_speed_below(line->speed);
	ret = lower(guard, w, info, line->to, &line->error);
	switch (ret) {
	case 0:
		break;
	case -EBUSY:
	case -ECANCELED:
		/* somebody else is at it: the next look sees */
		return;
	case -EOPNOTSUPP:
		w->off = true;
		line->event = "off";
		line->error = ret;
		tell(guard, w, line);
		return;
	default:
		guard->code = fail_errno(guard->ctl, ret, w->label, info);
		return;
	}
	guard_stepped(&w->guarded, &guard->rule, line->to, now_ms());
	/* a device that this cost is no drop */
	if (!egpu_port(guard->ctl->egpu, w->port, &after))
		w->losses = after.counters.losses;
	remember(w, line->to);
	tell(guard, w, line);
}

static void act(struct guard *guard, struct watched *w,
		const struct egpu_port_info *info, enum guard_act what,
		struct line *line)
{
	line->speed = w->guarded.speed;
	switch (what) {
	case GUARD_NOTHING:
		return;
	case GUARD_STEP:
		step(guard, w, info, line);
		return;
	case GUARD_USED_UP:
		line->event = "used-up";
		break;
	case GUARD_SLOWEST:
		line->event = "slowest";
		break;
	}
	tell(guard, w, line);
}

static uint32_t limit_of(const struct view *view, const struct learned_key *key)
{
	const struct egpu_link_info *about = &view->about;

	if (about->limit_vendor && (about->limit_vendor != key->vendor ||
				    about->limit_device != key->device))
		return 0;
	return about->limit_speed;
}

static bool same_device(const struct learned_key *a, const struct learned_key *b)
{
	return a->vendor == b->vendor && a->device == b->device &&
	       !strcmp(a->path, b->path) && !strcmp(a->serial, b->serial);
}

/* Steps that were taken before: this program, or the machine, began anew. */
static void recall(struct watched *w, uint32_t ends)
{
	struct learned learned;
	struct learned_link link;

	learned_load(&learned, false);
	if (learned_find(&learned, &w->key, &link) &&
	    !strcmp(link.why, "guard")) {
		w->guarded.steps = guard_steps(ends, link.limit);
		w->guarded.limit = link.limit;
	}
	learned_free(&learned);
}

static void read_errors(struct guard *guard, struct watched *w,
			const struct egpu_port_info *info)
{
	errors_read(guard->ctl, info, &w->rates);
	w->seen = w->rates.sum[EGPU_AER_CORRECTABLE];
	w->read_ms = now_ms();
}

/* Limits as they are now: others may have changed them. */
static void read_limit(struct watched *w, const struct view *view)
{
	guard_limit(&w->guarded, view->link.ends_speed, view->about.best_speed,
		    limit_of(view, &w->key));
}

/* A device that was not seen before; errors of its coming do not count. */
static void begin(struct guard *guard, struct watched *w,
		  const struct egpu_port_info *info, const struct view *view,
		  const struct learned_key *key)
{
	struct line line = { .event = "watch", .per_minute = -1, .drops = -1 };
	bool told = w->generation && same_device(key, &w->key);

	w->generation = info->generation;
	if (!told) {
		memset(&w->guarded, 0, sizeof(w->guarded));
		w->key = *key;
		recall(w, view->link.ends_speed);
	}
	read_limit(w, view);
	memset(&w->rates, 0, sizeof(w->rates));
	read_errors(guard, w, info);
	line.speed = w->guarded.speed;
	if (view->link.tunnelled) {
		w->off = true;
		line.event = "off";
		line.error = -EOPNOTSUPP;
	}
	if (!told || w->off)
		tell(guard, w, &line);
}

static void look_errors(struct guard *guard, struct watched *w,
			const struct egpu_port_info *info,
			const struct view *view)
{
	struct line line = { .drops = -1 };
	uint64_t before = w->seen;
	int64_t since = w->read_ms, ms;

	read_limit(w, view);
	read_errors(guard, w, info);
	ms = w->read_ms - since;
	if (ms <= 0)
		return;
	line.per_minute = (double)(w->seen - before) * 60000 / (double)ms;
	act(guard, w, info, guard_errors(&w->guarded, &guard->rule,
					 line.per_minute, w->read_ms), &line);
}

static void look_ready(struct guard *guard, struct watched *w,
		       const struct egpu_port_info *info)
{
	struct learned_key key;
	struct view view;

	if (w->generation == info->generation &&
	    now_ms() - w->read_ms < guard->interval_ms)
		return;
	view_get(guard->ctl, info, 0, &view);
	if (view_key(&view, &key)) {
		if (w->generation != info->generation)
			begin(guard, w, info, &view, &key);
		else
			look_errors(guard, w, info, &view);
	}
	view_free(&view);
}

static bool is_there(const struct egpu_port_info *info)
{
	return info->state == EGPU_STATE_READY ||
	       info->state == EGPU_STATE_HELD ||
	       info->state == EGPU_STATE_BINDING ||
	       info->state == EGPU_STATE_TRAINING;
}

static void look_losses(struct guard *guard, struct watched *w,
			const struct egpu_port_info *info)
{
	struct line line = { .per_minute = -1 };
	uint64_t count = egpu_counted(w->losses, info->counters.losses);
	int64_t now = now_ms();

	w->losses = info->counters.losses;
	/* one that an operation on the link cost is no drop */
	if (count && info->reason != EGPU_REASON_LINK_SET)
		guard_lost(&w->guarded, &guard->rule,
			   count < GUARD_LOSSES ? (int)count : GUARD_LOSSES,
			   now);
	guard_seen(&w->guarded, &guard->rule, is_there(info), now);
	line.drops = w->guarded.nr_losses;
	act(guard, w, info, guard_losses(&w->guarded, &guard->rule, now),
	    &line);
}

static bool is_off(const struct guard *guard, const char *path)
{
	const struct config_port *port =
		config_port_find(&guard->ctl->config, path);

	return port && port->guard == 0;
}

static struct watched *get_watched(struct guard *guard,
				   const struct egpu_port_info *info)
{
	struct line line = { .event = "off", .per_minute = -1, .drops = -1 };
	struct watched *w;
	struct view view;
	int i;

	for (i = 0; i < guard->count; i++)
		if (guard->ports[i].port == info->port)
			return &guard->ports[i];
	w = realloc(guard->ports, (size_t)(guard->count + 1) * sizeof(*w));
	if (!w)
		abort();
	guard->ports = w;
	w += guard->count++;
	*w = (struct watched){ .port = info->port,
			       .losses = info->counters.losses };
	view_get(guard->ctl, info, 0, &view);
	snprintf(w->label, sizeof(w->label), "%s (%s)", view_label(&view),
		 view.address);
	snprintf(w->key.path, sizeof(w->key.path), "%s", view.path);
	w->off = is_off(guard, view.path);
	view_free(&view);
	if (w->off)
		tell(guard, w, &line);
	return w;
}

static void forget_gone(struct guard *guard,
			const struct egpu_port_info *infos, int count)
{
	int i, j, kept = 0;

	for (i = 0; i < guard->count; i++) {
		for (j = 0; j < count; j++)
			if (infos[j].port == guard->ports[i].port)
				break;
		if (j < count)
			guard->ports[kept++] = guard->ports[i];
	}
	guard->count = kept;
}

static void look(struct guard *guard)
{
	struct egpu_port_info *infos;
	int i, count = egpu_ports(guard->ctl->egpu, false, &infos);
	bool found = !guard->only;

	if (count < 0) {
		guard->code = fail_errno(guard->ctl, count, "ports", NULL);
		return;
	}
	forget_gone(guard, infos, count);
	for (i = 0; i < count && guard->code == EXIT_DONE; i++) {
		struct watched *w;

		if (guard->only && infos[i].port != guard->only)
			continue;
		found = true;
		w = get_watched(guard, &infos[i]);
		if (w->off)
			continue;
		look_losses(guard, w, &infos[i]);
		if (infos[i].state == EGPU_STATE_READY &&
		    !infos[i].transaction && guard->code == EXIT_DONE)
			look_ready(guard, w, &infos[i]);
	}
	free(infos);
	if (!found)
		guard->code = fail_errno(guard->ctl, -ENOENT, "port", NULL);
}

/* Until the next look is due. */
static int64_t patience(const struct guard *guard)
{
	int64_t now = now_ms(), next = now + guard->interval_ms;
	int i;

	for (i = 0; i < guard->count; i++) {
		const struct watched *w = &guard->ports[i];
		int64_t due = w->read_ms + guard->interval_ms;

		/* what is not READY now wakes us when it becomes that */
		if (!w->off && w->read_ms && due > now && due < next)
			next = due;
	}
	if (guard->end && guard->end < next)
		next = guard->end;
	return next > now ? next - now : 0;
}

/* Everything that came; it is looked at once for all of it. */
static int take_events(struct guard *guard, int64_t timeout)
{
	struct egpu_event event;
	int ret = egpu_event_next(guard->ctl->egpu, &event, (int)timeout);

	while (ret == 1)
		ret = egpu_event_next(guard->ctl->egpu, &event, 0);
	return ret == -EINTR ? 0 : ret;
}

static void watch(struct guard *guard)
{
	int ret;

	/* not interrupted: what follows an operation clears that */
	while (guard->code == EXIT_DONE && !interrupts) {
		look(guard);
		if (guard->code != EXIT_DONE || interrupts ||
		    (guard->end && now_ms() >= guard->end))
			return;
		ret = take_events(guard, patience(guard));
		if (ret < 0)
			guard->code = fail_errno(guard->ctl, ret, "events",
						 NULL);
	}
}

static bool parse_count(const char *text, int *value)
{
	char *end;
	long number;

	if (!text)
		return true;
	number = strtol(text, &end, 10);
	*value = (int)number;
	return end != text && !*end && number >= 0 && number <= INT_MAX;
}

static bool parse_time(const char *text, int *ms)
{
	return !text || (parse_duration(text, ms) && *ms);
}

static enum exit_code read_options(struct guard *guard)
{
	struct ctl *ctl = guard->ctl;
	const char *text = ctl->value[OPT_MAX_ERRORS];
	int hold_off = HOLD_OFF_MS, timeout = 0;
	char *end = NULL;

	guard->rule = (struct guard_rule){
		.max = text ? strtod(text, &end) : MAX_ERRORS,
		.drops = DROPS,
		.window_ms = WINDOW_MS,
		.away_ms = AWAY_MS,
		.steps = STEPS,
	};
	guard->interval_ms = INTERVAL_MS;
	if (text && (end == text || *end || !(guard->rule.max >= 0)))
		return fail(ctl, EXIT_USAGE, NULL, NULL,
			    "--max-errors-per-minute %s is no number", text);
	if (!parse_count(ctl->value[OPT_DROPS], &guard->rule.drops) ||
	    guard->rule.drops > GUARD_LOSSES)
		return fail(ctl, EXIT_USAGE, "0 to 16", NULL,
			    "--drops %s is no such number",
			    ctl->value[OPT_DROPS]);
	if (!parse_count(ctl->value[OPT_STEPS], &guard->rule.steps))
		return fail(ctl, EXIT_USAGE, NULL, NULL,
			    "--steps %s is no number", ctl->value[OPT_STEPS]);
	if (!parse_time(ctl->value[OPT_INTERVAL], &guard->interval_ms))
		return fail(ctl, EXIT_USAGE, NULL, NULL,
			    "--interval %s is no time",
			    ctl->value[OPT_INTERVAL]);
	if (ctl->value[OPT_HOLD_OFF] &&
	    !parse_duration(ctl->value[OPT_HOLD_OFF], &hold_off))
		return fail(ctl, EXIT_USAGE, NULL, NULL,
			    "--hold-off %s is no time",
			    ctl->value[OPT_HOLD_OFF]);
	if (!parse_time(ctl->value[OPT_TIMEOUT], &timeout))
		return fail(ctl, EXIT_USAGE, NULL, NULL,
			    "--timeout %s is no time",
			    ctl->value[OPT_TIMEOUT]);
	guard->rule.hold_off_ms = hold_off;
	guard->end = timeout ? now_ms() + timeout : 0;
	return EXIT_DONE;
}

/* Asked for nothing: who may not, is told now and not when it matters. */
static enum exit_code may_set(struct ctl *ctl)
{
	uint32_t transaction;
	int ret = egpu_link_set(ctl->egpu, 0, 0, 0, 0, 0, &transaction);

	return ret == -EPERM || ret == -ENOTTY ?
	       fail_errno(ctl, ret, "guard", NULL) : EXIT_DONE;
}

enum exit_code cmd_guard(struct ctl *ctl)
{
	struct guard guard = { .ctl = ctl };
	struct egpu_port_info info;
	int ret;

	guard.code = read_options(&guard);
	if (guard.code == EXIT_DONE && ctl->nr_args) {
		guard.code = find_port(ctl, ctl->arg[0], false, &info);
		guard.only = info.port;
	}
	if (guard.code == EXIT_DONE)
		guard.code = may_set(ctl);
	if (guard.code != EXIT_DONE)
		return guard.code;
	catch_interrupt();
	ret = subscribe(&guard);
	if (ret < 0)
		return fail_errno(ctl, ret, "events", NULL);
	watch(&guard);
	free(guard.ports);
	return guard.code;
}
