// SPDX-License-Identifier: GPL-2.0
/*
 * LINK_SET for shell scripts, one call and what came of it:
 *
 *	egpu_set PORT set WORD...	speed=160 (tenths of GT/s; 0: no limit),
 *					for=1234:e600, retrain, fixed,
 *					autonomous, live, later
 *	egpu_set PORT hold		DETACH that ends in HELD
 *	egpu_set PORT config WORD...	retrain, no-retrain, manual, auto, calm
 *					(never in quarantine)
 *	egpu_set PORT show		KEY=VALUE of what is remembered
 *
 * PORT is a PCI address. set and hold print a line for each event until the
 * transaction has ended, with the milliseconds since the call:
 *
 *	3 step train
 *	41 link 80>160 x4 0
 *	42 end OK HELD manual
 *
 * With "bare" as a further word they do not wait. What was refused is one line
 * "ERRNO" and exit status 1, as is the end of a transaction that failed.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "../../tools/lib/egpu.h"

static struct egpu *egpu;
static uint32_t port;
static long long start;
static bool bare;

static int check(int ret)
{
	if (ret < 0) {
		puts(strerrorname_np(-ret));
		exit(1);
	}
	return ret;
}

static long long now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000LL + t.tv_nsec / 1000000;
}

static const char *error_name(uint32_t error)
{
	return error ? strerrorname_np(error) : "0";
}

static void event_print(const struct egpu_event *e)
{
	long long ms = (long long)(e->time_ns / 1000000) - start;

	if (e->type == EGPU_EVENT_STEP)
		printf("%lld step %s\n", ms, egpu_step_name(e->to));
	else if (e->type == EGPU_EVENT_LINK)
		printf("%lld link %u>%u x%u %s\n", ms, e->from, e->to,
		       e->value, error_name(e->error));
	else if (e->type == EGPU_EVENT_STATE)
		printf("%lld state %s>%s %s\n", ms, egpu_state_name(e->from),
		       egpu_state_name(e->to), egpu_reason_name(e->reason));
}

/* Where the port is when the event has come, which may be later still. */
static int end_print(const struct egpu_event *e)
{
	struct egpu_port_info info;

	memset(&info, 0, sizeof(info));
	egpu_port(egpu, port, &info);
	printf("%lld end %s %s\n", (long long)(e->time_ns / 1000000) - start,
	       e->error ? error_name(e->error) : "OK",
	       egpu_reason_name(e->reason));
	printf("now %s %s\n", egpu_state_name(info.state),
	       egpu_reason_name(info.reason));
	return e->error ? 1 : 0;
}

static int follow(uint32_t transaction)
{
	struct egpu_event event;

	if (bare || !transaction) {
		printf("began %u\n", transaction);
		return 0;
	}
	while (check(egpu_event_next(egpu, &event, -1)) == 1) {
		if (event.type == EGPU_EVENT_TRANSACTION &&
		    event.transaction == transaction)
			return end_print(&event);
		event_print(&event);
		fflush(stdout);
	}
	return 1;
}

static int set(char **words)
{
	uint32_t flags = 0, speed = 0, transaction;
	unsigned int vendor = 0, device = 0;

	for (; *words; words++) {
		if (sscanf(*words, "speed=%u", &speed) == 1)
			flags |= EGPU_LINK_SET_SPEED;
		else if (sscanf(*words, "flags=%x", &flags) == 1)
			continue;
		else if (sscanf(*words, "for=%x:%x", &vendor, &device) == 2)
			continue;
		else if (!strcmp(*words, "retrain"))
			flags |= EGPU_LINK_SET_RETRAIN;
		else if (!strcmp(*words, "fixed"))
			flags |= EGPU_LINK_SET_FIXED;
		else if (!strcmp(*words, "autonomous"))
			flags |= EGPU_LINK_SET_AUTONOMOUS;
		else if (!strcmp(*words, "live"))
			flags |= EGPU_LINK_SET_LIVE;
		else if (!strcmp(*words, "later"))
			flags |= EGPU_LINK_SET_LATER;
		else if (!strcmp(*words, "bare"))
			bare = true;
		else
			return 2;
	}
	check(egpu_subscribe(egpu, EGPU_EVENTS_ALL, port, NULL));
	start = now_ms();
	check(egpu_link_set(egpu, port, flags, speed, vendor, device,
			    &transaction));
	return follow(transaction);
}

static int hold(char **words)
{
	uint32_t transaction;

	bare = *words && !strcmp(*words, "bare");
	check(egpu_subscribe(egpu, EGPU_EVENTS_ALL, port, NULL));
	start = now_ms();
	check(egpu_detach(egpu, port, EGPU_DETACH_HOLD, 0, NULL, 0,
			  &transaction));
	return follow(transaction);
}

static int config(char **words)
{
	struct egpu_port_config c = { .port = port };

	for (; *words; words++) {
		if (!strcmp(*words, "retrain")) {
			c.flags |= EGPU_CONFIG_RETRAIN;
		} else if (!strcmp(*words, "no-retrain")) {
			c.flags |= EGPU_CONFIG_NO_RETRAIN;
		} else if (!strcmp(*words, "calm")) {
			c.flags |= EGPU_CONFIG_QUARANTINE;
		} else if (!strcmp(*words, "manual")) {
			c.flags |= EGPU_CONFIG_POLICY;
			c.policy = EGPU_POLICY_MANUAL;
		} else if (!strcmp(*words, "auto")) {
			c.flags |= EGPU_CONFIG_POLICY;
		} else {
			return 2;
		}
	}
	check(egpu_config(egpu, &c));
	return 0;
}

static int show(char **words)
{
	struct egpu_port_info info;
	struct egpu_link_info link;
	struct egpu_hop *hops;

	(void)words;
	check(egpu_port(egpu, port, &info));
	check(egpu_links(egpu, port, false, &link, &hops));
	free(hops);
	printf("state=%s\nreason=%s\nfailed=%u\n", egpu_state_name(info.state),
	       egpu_reason_name(info.reason), info.failed_checks);
	printf("no_retrain=%d\nlosses=%u\nremovals=%u\narrivals=%u\n",
	       !!(info.flags & EGPU_PORT_NO_RETRAIN), info.counters.losses,
	       info.counters.removals, info.counters.arrivals);
	printf("best=%u x%u\nlimit=%u %04x:%04x\nwired=%u\n", link.best_speed,
	       link.best_width, link.limit_speed, link.limit_vendor,
	       link.limit_device, link.wired_width);
	return 0;
}

static const struct {
	const char *name;
	int (*run)(char **words);
} verbs[] = {
	{ "set", set },
	{ "hold", hold },
	{ "config", config },
	{ "show", show },
};

int main(int argc, char **argv)
{
	struct egpu_port_info info;
	unsigned int i;

	if (argc < 3)
		return 2;
	check(egpu_open(&egpu));
	check(egpu_resolve(egpu, argv[1], NULL, &info));
	port = info.port;
	for (i = 0; i < sizeof(verbs) / sizeof(*verbs); i++)
		if (!strcmp(argv[2], verbs[i].name))
			return verbs[i].run(argv + 3);
	return 2;
}
