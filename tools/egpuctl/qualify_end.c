// SPDX-License-Identifier: GPL-2.0
/*
 * What qualify found: a row for each trial, and all of it as JSON.
 */
#include <string.h>

#include "qualify.h"

void qualify_clear_line(struct qualify *q)
{
	if (q->line)
		say(q->ctl, "\r\033[K");
	q->line = false;
	fflush(stdout);
}

static const char *outcome_name(enum outcome what)
{
	static const char * const names[] = {
		[OUTCOME_CLEAN] = "clean",
		[OUTCOME_ERRORS] = "errors",
		[OUTCOME_CHANGED] = "changed",
		[OUTCOME_SERIOUS] = "serious",
		[OUTCOME_DROPPED] = "dropped",
		[OUTCOME_NOT_REACHED] = "not-reached",
	};

	return names[what];
}

/* "312 correctable, 1 fatal in 60 s" */
static void count_text(const struct trial *t, char *buf, size_t size)
{
	size_t used;

	used = (size_t)snprintf(buf, size, "%llu correctable",
		(unsigned long long)t->count[EGPU_AER_CORRECTABLE]);
	if (t->count[EGPU_AER_NONFATAL])
		used += (size_t)snprintf(buf + used, size - used,
			", %llu nonfatal",
			(unsigned long long)t->count[EGPU_AER_NONFATAL]);
	if (t->count[EGPU_AER_FATAL])
		used += (size_t)snprintf(buf + used, size - used, ", %llu fatal",
			(unsigned long long)t->count[EGPU_AER_FATAL]);
	snprintf(buf + used, size - used, " in %.*f s", t->seconds < 10,
		 t->seconds);
}

static void outcome_text(const struct trial *t, enum outcome what,
			 char *buf, size_t size)
{
	char counts[96];

	count_text(t, counts, sizeof(counts));
	switch (what) {
	case OUTCOME_CLEAN:
		snprintf(buf, size, t->count[EGPU_AER_CORRECTABLE] ?
			 "clean: %s" : "clean", counts);
		break;
	case OUTCOME_CHANGED:
		snprintf(buf, size, "fell to %gGT/s by itself: %s",
			 t->changed / 10.0, counts);
		break;
	case OUTCOME_DROPPED:
		snprintf(buf, size, t->seconds > 0 ? "the link went down: %s" :
			 "the link went down", counts);
		break;
	case OUTCOME_NOT_REACHED:
		snprintf(buf, size, "not reached");
		break;
	default:
		snprintf(buf, size, "not clean: %s", counts);
		break;
	}
}

void qualify_row(struct qualify *q, const struct trial *t)
{
	enum outcome outcome = trial_outcome(t, q->max);
	char speed[24], rate[24] = "-", text[160];

	qualify_clear_line(q);
	if (!q->head)
		say(q->ctl, "%s%-10s  %10s  VERDICT%s\n", paint(q->ctl, BOLD),
		    "SPEED", "ERRORS/MIN", paint(q->ctl, PLAIN));
	q->head = true;
	snprintf(speed, sizeof(speed), "%gGT/s%s", t->speed / 10.0,
		 t->run ? " run" : "");
	if (t->seconds > 0)
		snprintf(rate, sizeof(rate), "%.4g", trial_per_minute(t));
	outcome_text(t, outcome, text, sizeof(text));
	say(q->ctl, "%-10s  %10s  %s%s%s\n", speed, rate,
	    paint(q->ctl, outcome == OUTCOME_CLEAN ? GREEN :
		  outcome == OUTCOME_NOT_REACHED ? DIM : RED), text,
	    paint(q->ctl, PLAIN));
	fflush(stdout);
}

static struct json_object *trial_json(const struct qualify *q,
				      const struct trial *t)
{
	struct json_object *o = json_object_new_object();
	enum outcome outcome = trial_outcome(t, q->max);
	bool measured = t->seconds > 0;

	put_number(o, "speed_gts", t->speed / 10.0);
	put_text(o, "load", t->run ? "command" : "reads");
	put_bool(o, "reached", t->reached);
	put_number(o, "seconds", t->seconds);
	put_int(o, "correctable", (int64_t)t->count[EGPU_AER_CORRECTABLE]);
	put_int(o, "nonfatal", (int64_t)t->count[EGPU_AER_NONFATAL]);
	put_int(o, "fatal", (int64_t)t->count[EGPU_AER_FATAL]);
	if (measured)
		put_number(o, "per_minute", trial_per_minute(t));
	else
		put_null(o, "per_minute");
	put_bool(o, "clean", outcome == OUTCOME_CLEAN);
	put_text(o, "verdict", outcome_name(outcome));
	return o;
}

static void put_speed(struct json_object *o, const char *key, uint32_t speed)
{
	if (speed)
		put_number(o, key, speed / 10.0);
	else
		put_null(o, key);
}

void qualify_json(const struct qualify *q)
{
	struct json_object *o = reply(q->ctl), *speeds;
	char device[16];
	int i;

	speeds = json_object_new_array();
	for (i = 0; i < q->nr_trials; i++)
		json_object_array_add(speeds, trial_json(q, &q->trials[i]));
	snprintf(device, sizeof(device), "%04x:%04x", q->key.vendor,
		 q->key.device);
	put_int(o, "port", q->info.port);
	put_text(o, "device", *q->key.path ? device : NULL);
	put(o, "speeds", speeds);
	put_number(o, "max_errors_per_minute", q->max);
	put_speed(o, "fastest_gts", q->top);
	put_speed(o, "chosen_gts", q->chosen);
	put_speed(o, "limit_gts", q->chosen != q->top || !q->clean ?
		  q->chosen : q->own);
	put_bool(o, "clean", q->clean);
	put_bool(o, "remembered", q->remembered);
	put_text(o, "state", egpu_state_name(q->info.state));
}
