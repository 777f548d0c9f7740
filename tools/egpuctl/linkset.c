// SPDX-License-Identifier: GPL-2.0
/*
 * LINK_SET: asked for, and followed until its end.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ctl.h"
#include "../lib/internal.h"	/* files below a root */

struct training {
	struct ctl *ctl;
	const struct egpu_port_info *port;
	struct link_change *change;
	uint64_t step_ns;
	uint32_t number;
	const char *step;
};

static const char *step_words(uint32_t step)
{
	switch (step) {
	case EGPU_STEP_LINK:
		return "train";
	case EGPU_STEP_LINK_RESET:
		return "reset the bus";
	case EGPU_STEP_LINK_RESTORE:
		return "back to the old speed";
	default:
		return egpu_step_name(step);
	}
}

/* "  train: 2.5GT/s -> 16GT/s x4, 34 ms" */
static void tell_link(const struct training *training,
		      const struct egpu_event *event)
{
	char from[24], to[40];

	speed_text(event->from, from);
	if (event->to)
		snprintf(to, sizeof(to), "%gGT/s x%u", event->to / 10.0,
			 event->value);
	else
		snprintf(to, sizeof(to), "down");
	say(training->ctl, "  %s: %s -> %s", training->step ? training->step :
	    "train", from, to);
	if (training->step)
		say(training->ctl, ", %.0f ms",
		    (double)(event->time_ns - training->step_ns) / 1e6);
	say(training->ctl, event->error ? " (%s)\n" : "\n",
	    event->error == EIO ? "another speed than asked for" :
	    event->error == ETIMEDOUT ? "training did not end" :
	    strerror((int)event->error));
	fflush(stdout);
}

static struct json_object *step_json(const struct training *training,
				     const struct egpu_event *event)
{
	struct json_object *o = json_object_new_object();

	put_text(o, "step", training->step ?
		 egpu_step_name(training->number) : NULL);
	put(o, "from_gts", event->from ? json_number(event->from / 10.0) :
					 NULL);
	put(o, "to_gts", event->to ? json_number(event->to / 10.0) : NULL);
	put(o, "width", event->to ? json_object_new_int64(event->value) : NULL);
	put(o, "seconds", training->step ?
	    json_number((double)(event->time_ns - training->step_ns) / 1e9) :
	    NULL);
	put_text(o, "error", event->error ?
		 strerrorname_np((int)event->error) : NULL);
	return o;
}

static void on_event(const struct egpu_event *event, void *arg)
{
	struct training *training = arg;
	struct link_change *change = training->change;

	if (event->port != training->port->port)
		return;
	if (event->type == EGPU_EVENT_TRANSACTION)
		change->reason = event->reason;
	if (event->type == EGPU_EVENT_STEP) {
		training->number = event->to;
		training->step = step_words(event->to);
		training->step_ns = event->time_ns;
	}
	if (event->type != EGPU_EVENT_LINK)
		return;
	if (!change->from)
		change->from = event->from;
	change->to = event->to;
	change->width = event->value;
	if (change->steps)
		json_object_array_add(change->steps,
				      step_json(training, event));
	if (!change->quiet)
		tell_link(training, event);
}

/* Only root hears EPERM for this reason; it may also lack the capability. */
static bool is_locked_down(void)
{
	char *text = egpu_read(egpu_roots.sysfs, "kernel/security/lockdown");
	bool locked = text && !strstr(text, "[none]");

	free(text);
	return locked && !geteuid();
}

enum exit_code link_forbidden(struct ctl *ctl,
			      const struct egpu_port_info *port,
			      const char *what)
{
	if (!is_locked_down())
		return fail_errno(ctl, -EPERM, what, port);
	return fail(ctl, EXIT_PERMISSION, NULL, port,
		    "%s: the kernel is locked down (Secure Boot)", what);
}

int link_train(struct ctl *ctl, const struct egpu_port_info *port,
	       struct link_change *change)
{
	struct training training = {
		.ctl = ctl, .port = port, .change = change,
	};
	struct follow f = {
		.ctl = ctl, .port = port, .tell = on_event, .arg = &training,
	};
	int64_t began = now_ms();
	int ret = egpu_subscribe(ctl->egpu, EGPU_EVENTS_ALL, 0, NULL);

	change->from = 0;
	change->to = 0;
	change->width = 0;
	change->reason = 0;
	if (ret >= 0)
		ret = egpu_link_set(ctl->egpu, port->port, change->flags,
				    change->speed, change->vendor,
				    change->device, &f.transaction);
	if (ret >= 0 && f.transaction)
		ret = follow(&f);
	change->ms = now_ms() - began;
	return ret;
}
