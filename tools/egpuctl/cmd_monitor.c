// SPDX-License-Identifier: GPL-2.0
/*
 * monitor: first what is, then what happens, as it happens.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ctl.h"

enum kind { KIND_STATE, KIND_USER, KIND_LINK, KIND_ERROR, KIND_PROGRESS, KINDS };

static const char * const kind_names[KINDS] = {
	"state", "user", "link", "error", "progress"
};

static const enum kind kind_of[EGPU_EVENT_COUNT] = {
	[EGPU_EVENT_PORT_ADDED] = KIND_STATE,
	[EGPU_EVENT_PORT_REMOVED] = KIND_STATE,
	[EGPU_EVENT_STATE] = KIND_STATE,
	[EGPU_EVENT_FUNCTION_ADDED] = KIND_PROGRESS,
	[EGPU_EVENT_FUNCTION_REMOVED] = KIND_PROGRESS,
	[EGPU_EVENT_BOUND] = KIND_PROGRESS,
	[EGPU_EVENT_UNBOUND] = KIND_PROGRESS,
	[EGPU_EVENT_STEP] = KIND_PROGRESS,
	[EGPU_EVENT_USERS] = KIND_USER,
	[EGPU_EVENT_TRANSACTION] = KIND_PROGRESS,
	[EGPU_EVENT_CHECK] = KIND_ERROR,
	[EGPU_EVENT_ERROR] = KIND_ERROR,
	[EGPU_EVENT_CONFIG] = KIND_PROGRESS,
	[EGPU_EVENT_LINK] = KIND_LINK,
};

static const char *kind_name(uint32_t type)
{
	if (type == EGPU_EVENT_OVERFLOW)
		return "overflow";
	return type < EGPU_EVENT_COUNT ? kind_names[kind_of[type]] : "progress";
}

static bool parse_kinds(const char *text, uint64_t *mask)
{
	char *copy = strdup(text), *save, *word;
	unsigned int kind, type;
	bool good = copy;

	*mask = 0;
	for (word = good ? strtok_r(copy, ",", &save) : NULL; word && good;
	     word = strtok_r(NULL, ",", &save)) {
		for (kind = 0; kind < KINDS; kind++)
			if (!strcmp(word, kind_names[kind]))
				break;
		good = kind < KINDS;
		for (type = 1; type < EGPU_EVENT_COUNT; type++)
			if (good && kind_of[type] == kind)
				*mask |= EGPU_EVENT_BIT(type);
	}
	free(copy);
	return good;
}

/**
 * struct monitor - what goes on from one event to the next
 * @ctl: the session
 * @port: only this one's events, or 0
 * @all: steps were asked for, too
 * @ready: the port that became READY last, and has not left that state
 */
struct monitor {
	struct ctl *ctl;
	uint32_t port;
	bool all;
	uint32_t ready;
};

static void snapshot_json(struct monitor *monitor, uint64_t seq,
			  const struct egpu_port_info *ports, int count)
{
	struct json_object *o = json_object_new_object();
	struct json_object *array = json_object_new_array();
	struct view *views = calloc((size_t)count + 1, sizeof(*views));
	int i, n = 0;

	if (!views)
		abort();
	for (i = 0; i < count; i++)
		if (!monitor->port || ports[i].port == monitor->port)
			view_get(monitor->ctl, &ports[i], 0, &views[n++]);
	view_users(monitor->ctl, views, n, 0);
	for (i = 0; i < n; i++) {
		json_object_array_add(array, view_json(&views[i], false));
		view_free(&views[i]);
	}
	free(views);
	put_int(o, "schema", JSON_SCHEMA);
	put_text(o, "module_version",
		 egpu_about(monitor->ctl->egpu)->module_version);
	put_text(o, "event", "snapshot");
	put_int(o, "seq", (int64_t)seq);
	put_time(o, "time", monotonic_ns());
	put_int(o, "mono_ns", (int64_t)monotonic_ns());
	put(o, "ports", array);
	print_json(o, false);
	json_object_put(o);
}

static void snapshot_text(struct monitor *monitor,
			  const struct egpu_port_info *ports, int count)
{
	char now[24];
	struct view view;
	int i, n = 0;

	printf("%s  --    snapshot: ", clock_text(monotonic_ns(), now));
	for (i = 0; i < count; i++) {
		if (monitor->port && ports[i].port != monitor->port)
			continue;
		view_get(monitor->ctl, &ports[i], 0, &view);
		printf("%s%s %s", n++ ? ", " : "", view_label(&view),
		       egpu_state_name(ports[i].state));
		view_free(&view);
	}
	puts(n ? "" : "no port is tracked");
	fflush(stdout);
}

static int snapshot(struct monitor *monitor, uint64_t seq)
{
	struct egpu_port_info *ports;
	int count = egpu_ports(monitor->ctl->egpu, false, &ports);

	if (count < 0)
		return count;
	if (monitor->ctl->json)
		snapshot_json(monitor, seq, ports, count);
	else
		snapshot_text(monitor, ports, count);
	free(ports);
	return 0;
}

static const char *error_state(uint32_t state)
{
	return state == 1 ? "normal" : state == 2 ? "frozen" :
	       state == 3 ? "permanent-failure" : "unknown";
}

static const char *transaction_name(uint32_t kind)
{
	return kind == EGPU_TRANSACTION_ATTACH ? "attach" :
	       kind == EGPU_TRANSACTION_DETACH ? "detach" :
	       kind == EGPU_TRANSACTION_MEND ? "mend" :
	       kind == EGPU_TRANSACTION_LINK ? "link" :
	       kind == EGPU_TRANSACTION_MANAGE ? "manage" : "transaction";
}

/* Speeds as keys of their own: from and to are words. */
static void put_link(struct json_object *o, const struct egpu_event *event)
{
	bool link = event->type == EGPU_EVENT_LINK;

	put(o, "from_gts", link && event->from ?
	    json_number(event->from / 10.0) : NULL);
	put(o, "to_gts", link && event->to ?
	    json_number(event->to / 10.0) : NULL);
	put(o, "width", link && event->to ?
	    json_object_new_int64(event->value) : NULL);
}

static void put_from_to(struct json_object *o, const struct egpu_event *event)
{
	const char *from = NULL, *to = NULL;

	switch (event->type) {
	case EGPU_EVENT_STATE:
		from = egpu_state_name(event->from);
		to = egpu_state_name(event->to);
		break;
	case EGPU_EVENT_STEP:
		to = egpu_step_name(event->to);
		break;
	case EGPU_EVENT_ERROR:
		to = error_state(event->to);
		break;
	case EGPU_EVENT_TRANSACTION:
		from = transaction_name(event->from);
		break;
	default:
		break;
	}
	put_text(o, "from", from);
	put_text(o, "to", to);
}

static void event_json(const struct egpu_event *event)
{
	struct egpu_address a = { event->domain, event->bus, event->devfn };
	struct json_object *o = json_object_new_object();
	bool overflow = event->type == EGPU_EVENT_OVERFLOW;
	char address[EGPU_ADDRESS_LEN];

	put_int(o, "seq", (int64_t)event->seq);
	put_time(o, "time", event->time_ns);
	put_int(o, "mono_ns", (int64_t)event->time_ns);
	if (event->port)
		put_int(o, "port", event->port);
	else
		put_null(o, "port");
	put_int(o, "generation", (int64_t)event->generation);
	put_text(o, "event", kind_name(event->type));
	put_text(o, "type", egpu_event_name(event->type));
	put_from_to(o, event);
	put_text(o, "reason", event->reason ? egpu_reason_name(event->reason)
					    : NULL);
	put(o, "lost", overflow ? json_object_new_int64(event->value) : NULL);
	put_text(o, "address", overflow ? NULL : egpu_address_format(&a,
								     address));
	put_text(o, "driver", event->name[0] ? event->name : NULL);
	if (event->transaction)
		put_int(o, "transaction", event->transaction);
	else
		put_null(o, "transaction");
	put(o, "users", event->type == EGPU_EVENT_USERS ?
	    json_object_new_int64(event->value) : NULL);
	put_text(o, "check", event->type == EGPU_EVENT_CHECK ?
		 egpu_check_name((unsigned int)
				 __builtin_ffs((int)event->value) - 1) : NULL);
	put_link(o, event);
	put_text(o, "error", event->error ? strerrorname_np((int)event->error)
					  : NULL);
	print_json(o, false);
	json_object_put(o);
}

/* What a person wants to know about the new state. */
static void state_detail(struct monitor *monitor,
			 const struct egpu_event *event, char *buf, size_t size)
{
	struct egpu_port_info info;
	struct view view;
	char link[48];

	snprintf(buf, size, "%s", event->reason ?
		 egpu_reason_name(event->reason) : "");
	if ((event->to != EGPU_STATE_HELD && event->to != EGPU_STATE_READY) ||
	    egpu_port(monitor->ctl->egpu, event->port, &info))
		return;
	view_get(monitor->ctl, &info, 0, &view);
	if (view.gpu && event->to == EGPU_STATE_HELD) {
		char name[64];

		device_name(view.gpu->vendor, view.gpu->device, true, name,
			    sizeof(name));
		snprintf(buf, size, "%s (generation %llu)%s%s", name,
			 (unsigned long long)event->generation,
			 event->reason > EGPU_REASON_CHECKING ? ", " : "",
			 event->reason > EGPU_REASON_CHECKING ?
			 egpu_reason_name(event->reason) : "");
	} else if (view.gpu) {
		link_text(&view.link, link, sizeof(link));
		snprintf(buf, size, "%s, %s", view.gpu->driver[0] ?
			 view.gpu->driver : "no driver", link);
	}
	view_free(&view);
}

/* "link 2.5GT/s -> 16GT/s x4", "link 16GT/s -> down" */
static void link_words(const struct egpu_event *event, char *buf, size_t size)
{
	char from[24], to[24], lanes[16] = "";

	speed_text(event->from, from);
	speed_text(event->to, to);
	if (event->to)
		snprintf(lanes, sizeof(lanes), " x%u", event->value);
	snprintf(buf, size, "link %s -> %s%s%s", from, to, lanes,
		 event->error == EIO ? ", slower than asked for" :
		 event->error == ETIMEDOUT ? ", training did not end" : "");
}

static void event_words(struct monitor *monitor, const struct egpu_event *event,
			char *buf, size_t size)
{
	char detail[128], move[40];
	const char *check;

	switch (event->type) {
	case EGPU_EVENT_OVERFLOW:
		snprintf(buf, size, "! %u events lost, reader too slow",
			 event->value);
		break;
	case EGPU_EVENT_STATE:
		state_detail(monitor, event, detail, sizeof(detail));
		snprintf(move, sizeof(move), "%s -> %s",
			 egpu_state_name(event->from),
			 egpu_state_name(event->to));
		snprintf(buf, size, *detail ? "%-22s  %s" : "%s", move, detail);
		break;
	case EGPU_EVENT_STEP:
		snprintf(buf, size, "step %s%s%s", egpu_step_name(event->to),
			 event->name[0] ? " " : "", event->name);
		break;
	case EGPU_EVENT_USERS:
		snprintf(buf, size, "%u user%s", event->value,
			 event->value == 1 ? "" : "s");
		break;
	case EGPU_EVENT_TRANSACTION:
		snprintf(buf, size, "%s %s%s",
			 transaction_name(event->from),
			 event->error ? "failed: " : "done",
			 event->error ? strerror((int)event->error) : "");
		break;
	case EGPU_EVENT_CHECK:
		check = egpu_check_name((unsigned int)
					__builtin_ffs((int)event->value) - 1);
		snprintf(buf, size, "check %s failed", check ? check : "?");
		break;
	case EGPU_EVENT_LINK:
		link_words(event, buf, size);
		break;
	case EGPU_EVENT_ERROR:
		snprintf(buf, size, "error state %s", error_state(event->to));
		break;
	default:
		snprintf(buf, size, "%s %02x:%02x.%x%s%s",
			 egpu_event_name(event->type), event->bus,
			 event->devfn >> 3, event->devfn & 7,
			 event->name[0] ? " " : "", event->name);
		break;
	}
}

/*
 * A driver that is a module binds after READY, when udev has loaded it: people
 * want to know. One that binds before is told with READY.
 */
static bool is_for_people(struct monitor *monitor,
			  const struct egpu_event *event)
{
	if (event->type == EGPU_EVENT_STATE)
		monitor->ready = event->to == EGPU_STATE_READY ? event->port :
				 monitor->ready == event->port ? 0 :
				 monitor->ready;
	return monitor->all || event->type != EGPU_EVENT_BOUND ||
	       event->port == monitor->ready;
}

static void event_text(struct monitor *monitor, const struct egpu_event *event)
{
	struct egpu_port_info info;
	char when[24], words[192], label[40] = "--";
	struct view view;

	if (event->port) {
		snprintf(label, sizeof(label), "%u", event->port);
		if (!egpu_port(monitor->ctl->egpu, event->port, &info)) {
			view_get(monitor->ctl, &info, 0, &view);
			snprintf(label, sizeof(label), "%s", view_label(&view));
			view_free(&view);
		}
	}
	event_words(monitor, event, words, sizeof(words));
	printf("%s  %-4s  %s\n", clock_text(event->time_ns, when), label,
	       words);
	fflush(stdout);
}

static enum exit_code watch(struct monitor *monitor, long count, int64_t end)
{
	struct ctl *ctl = monitor->ctl;
	struct egpu_event event;
	long seen = 0;
	int ret;

	while (!count || seen < count) {
		int64_t left = end ? end - now_ms() : -1;

		if (end && left <= 0)
			return count ? EXIT_DEADLINE : EXIT_DONE;
		ret = egpu_event_next(ctl->egpu, &event, (int)left);
		if (interrupted)
			return EXIT_DONE;
		if (ret < 0 && ret != -EINTR)
			return fail_errno(ctl, ret, "events", NULL);
		if (ret != 1)
			continue;
		if (!ctl->json && !is_for_people(monitor, &event))
			continue;
		if (ctl->json)
			event_json(&event);
		else
			event_text(monitor, &event);
		if (ferror(stdout))
			return EXIT_FAILED;
		seen++;
	}
	return EXIT_DONE;
}

static enum exit_code read_options(struct ctl *ctl, uint64_t *mask, long *count,
				   int64_t *end)
{
	const char *text;
	char *rest;
	int ms;

	*mask = EGPU_EVENTS_ALL;
	/* people get the steps only when they ask for them */
	if (!ctl->json) {
		parse_kinds("state,user,link,error", mask);
		*mask |= EGPU_EVENT_BIT(EGPU_EVENT_BOUND);
	}
	text = ctl->value[OPT_EVENT];
	if (text && !parse_kinds(text, mask))
		return fail(ctl, EXIT_USAGE,
			    "state, user, link, error or progress", NULL,
			    "--event %s: no such kind", text);
	text = ctl->value[OPT_COUNT];
	*count = text ? strtol(text, &rest, 10) : 0;
	if (text && (*rest || *count <= 0))
		return fail(ctl, EXIT_USAGE, NULL, NULL,
			    "--count %s is no number", text);
	text = ctl->value[OPT_TIMEOUT];
	if (text && !parse_duration(text, &ms))
		return fail(ctl, EXIT_USAGE, NULL, NULL,
			    "--timeout %s is no time", text);
	*end = text ? now_ms() + ms : 0;
	return EXIT_DONE;
}

enum exit_code cmd_monitor(struct ctl *ctl)
{
	struct monitor monitor = { .ctl = ctl, .all = given(ctl, OPT_EVENT) };
	struct egpu_port_info info;
	enum exit_code code;
	uint64_t mask = 0, seq = 0;
	int64_t end = 0;
	long count = 0;
	int ret;

	code = read_options(ctl, &mask, &count, &end);
	if (code == EXIT_DONE && given(ctl, OPT_PORT)) {
		code = find_port(ctl, ctl->value[OPT_PORT], false, &info);
		monitor.port = info.port;
	}
	if (code != EXIT_DONE)
		return code;
	catch_interrupt();
	ret = egpu_subscribe(ctl->egpu, mask ? mask :
			     EGPU_EVENT_BIT(EGPU_EVENT_OVERFLOW),
			     monitor.port, &seq);
	if (ret >= 0)
		ret = snapshot(&monitor, seq);
	if (ret < 0)
		return fail_errno(ctl, ret, "events", NULL);
	return watch(&monitor, count, end);
}
