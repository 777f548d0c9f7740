// SPDX-License-Identifier: GPL-2.0
/*
 * link PORT watch: the port's link and its errors, a line now and then, until
 * Ctrl-C.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "load.h"

#define INTERVAL_MS	2000

/**
 * struct watch - what was seen so far
 * @ctl: the session
 * @interval_ms: between two lines
 * @count: lines, 0: for ever
 * @rates: errors of both ends
 * @before: @rates.sum at the last line
 * @began_ms: the first reading
 * @last_ms: the last line
 * @lines: printed
 * @slowest: speed seen, tenths of GT/s; 0: it was down
 * @fastest: likewise
 */
struct watch {
	struct ctl *ctl;
	int interval_ms;
	long count;
	struct egpu_rates rates;
	uint64_t before[EGPU_AER_COUNT];
	int64_t began_ms;
	int64_t last_ms;
	long lines;
	uint32_t slowest;
	uint32_t fastest;
};

static const char * const kinds[EGPU_AER_COUNT] = {
	[EGPU_AER_CORRECTABLE] = "correctable",
	[EGPU_AER_NONFATAL] = "nonfatal",
	[EGPU_AER_FATAL] = "fatal",
};

static double per_minute(uint64_t errors, int64_t ms)
{
	return ms > 0 ? (double)errors * 60000 / (double)ms : 0;
}

static void line_json(const struct watch *watch, const struct view *view,
		      uint32_t flags, const double rate[EGPU_AER_COUNT])
{
	const struct egpu_link *link = &view->link;
	struct json_object *o = json_object_new_object();
	char key[40];
	int i;

	put_int(o, "schema", JSON_SCHEMA);
	put_text(o, "event", "sample");
	put_time(o, "time", monotonic_ns());
	put_int(o, "mono_ns", (int64_t)monotonic_ns());
	put_int(o, "port", view->info.port);
	put_text(o, "state", egpu_state_name(view->info.state));
	put(o, "speed_gts", link->known ? json_number(link->speed / 10.0) :
					  NULL);
	put(o, "width", link->known ? json_object_new_int64(link->width) :
				      NULL);
	put_bool(o, "lbms", flags & EGPU_LINK_LBMS);
	put_bool(o, "labs", flags & EGPU_LINK_LABS);
	for (i = 0; i < EGPU_AER_COUNT; i++) {
		snprintf(key, sizeof(key), "%s_per_minute", kinds[i]);
		put(o, key, watch->rates.counting ? json_number(rate[i]) :
						    NULL);
	}
	print_json(o, false);
	json_object_put(o);
}

static void line_text(const struct watch *watch, const struct view *view,
		      uint32_t flags, const double rate[EGPU_AER_COUNT])
{
	char link[48], now[24];

	if (!watch->lines)
		printf("%-8s  %-11s  %-9s  %11s  %8s  %5s\n", "TIME", "LINK",
		       "SEEN", "CORRECTABLE", "NONFATAL", "FATAL");
	link_text(&view->link, link, sizeof(link));
	printf("%-8s  %-11s  %-9s  ", clock_text(monotonic_ns(), now),
	       view->link.known || view->link.asleep ? link : "down",
	       flags & EGPU_LINK_LBMS ? flags & EGPU_LINK_LABS ? "LBMS LABS" :
	       "LBMS" : flags & EGPU_LINK_LABS ? "LABS" : "-");
	if (watch->rates.counting)
		printf("%7.4g/min  %8.4g  %5.4g\n", rate[0], rate[1], rate[2]);
	else
		printf("%11s  %8s  %5s\n", "not counted", "-", "-");
	fflush(stdout);
}

static uint32_t port_flags(const struct view *view)
{
	int i;

	for (i = 0; i < view->nr_hops; i++)
		if (view->hops[i].flags & EGPU_LINK_PORT)
			return view->hops[i].flags;
	return 0;
}

static int line(struct watch *watch, struct egpu_port_info *info)
{
	int ret = egpu_port(watch->ctl->egpu, info->port, info);
	double rate[EGPU_AER_COUNT];
	int64_t now = now_ms();
	struct view view;
	int i;

	if (ret < 0)
		return ret;
	errors_read(watch->ctl, info, &watch->rates);
	for (i = 0; i < EGPU_AER_COUNT; i++) {
		rate[i] = per_minute(watch->rates.sum[i] - watch->before[i],
				     now - watch->last_ms);
		watch->before[i] = watch->rates.sum[i];
	}
	watch->last_ms = now;
	view_get(watch->ctl, info, 0, &view);
	if (!watch->lines || view.link.speed < watch->slowest)
		watch->slowest = view.link.speed;
	if (view.link.speed > watch->fastest)
		watch->fastest = view.link.speed;
	(watch->ctl->json ? line_json : line_text)(watch, &view,
						   port_flags(&view), rate);
	watch->lines++;
	view_free(&view);
	return 0;
}

static void summary_json(const struct watch *watch, double seconds)
{
	struct json_object *o = json_object_new_object();
	int i;

	put_int(o, "schema", JSON_SCHEMA);
	put_text(o, "event", "summary");
	put_time(o, "time", monotonic_ns());
	put_number(o, "seconds", seconds);
	put(o, "slowest_gts", watch->slowest ?
	    json_number(watch->slowest / 10.0) : NULL);
	put(o, "fastest_gts", watch->fastest ?
	    json_number(watch->fastest / 10.0) : NULL);
	for (i = 0; i < EGPU_AER_COUNT; i++)
		put(o, kinds[i], watch->rates.counting ?
		    json_object_new_int64((int64_t)watch->rates.sum[i]) :
		    NULL);
	print_json(o, false);
	json_object_put(o);
}

static void summary(const struct watch *watch)
{
	int64_t ms = watch->last_ms - watch->began_ms;
	char slow[24], fast[24];
	int i;

	if (watch->ctl->json) {
		summary_json(watch, (double)ms / 1000);
		return;
	}
	speed_text(watch->slowest, slow);
	speed_text(watch->fastest, fast);
	printf("In %.0f s: ", (double)ms / 1000);
	for (i = 0; i < EGPU_AER_COUNT; i++)
		printf("%llu %s, ", (unsigned long long)watch->rates.sum[i],
		       kinds[i]);
	if (watch->slowest == watch->fastest)
		printf("%s all the time.\n", fast);
	else
		printf("between %s and %s.\n", slow, fast);
}

static enum exit_code read_options(struct watch *watch)
{
	struct ctl *ctl = watch->ctl;
	const char *text = ctl->value[OPT_INTERVAL];
	char *rest;

	watch->interval_ms = INTERVAL_MS;
	if (text && (!parse_duration(text, &watch->interval_ms) ||
		     watch->interval_ms < 100))
		return fail(ctl, EXIT_USAGE, "100ms or more", NULL,
			    "--interval %s", text);
	text = ctl->value[OPT_COUNT];
	watch->count = text ? strtol(text, &rest, 10) : 0;
	if (text && (*rest || watch->count <= 0))
		return fail(ctl, EXIT_USAGE, NULL, NULL,
			    "--count %s is no number", text);
	return EXIT_DONE;
}

/* Until the next line is due, or Ctrl-C. */
static void rest(const struct watch *watch)
{
	int64_t due = watch->last_ms + watch->interval_ms, left;

	while (!interrupted && (left = due - now_ms()) > 0) {
		struct timespec ts = { left / 1000, left % 1000 * 1000000 };

		nanosleep(&ts, NULL);
	}
}

enum exit_code link_watch(struct ctl *ctl, const struct egpu_port_info *port)
{
	struct watch watch = { .ctl = ctl };
	struct egpu_port_info info = *port;
	enum exit_code code = read_options(&watch);
	int ret = 0;

	if (code != EXIT_DONE)
		return code;
	catch_interrupt();
	errors_read(ctl, &info, &watch.rates);
	watch.began_ms = now_ms();
	watch.last_ms = watch.began_ms;
	while (!ret && (!watch.count || watch.lines < watch.count)) {
		rest(&watch);
		if (interrupted)
			break;
		ret = line(&watch, &info);
		if (ferror(stdout))
			return EXIT_FAILED;
	}
	if (ret)
		return fail_errno(ctl, ret, "watch", &info);
	summary(&watch);
	return EXIT_DONE;
}
