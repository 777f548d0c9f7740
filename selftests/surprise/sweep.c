// SPDX-License-Identifier: GPL-2.0
/*
 * Exhaustive sweeps: an operation is done again and again, and each time
 * something happens at another of the accesses that it makes. Afterwards the
 * port has to become EMPTY, and the next plug READY. Many ports work on one
 * list of points at the same time.
 *
 *	egpu_sweep [-p PORTS] [-n POINTS] [-s SEED] [-k POINT] [-c COUNT]
 *		   [-a] [-f] [-o MS] OPERATION one|switch KIND
 *
 * OPERATION is attach, detach, query, suspend, retrain (under its driver) or
 * train (held, to a speed that it does not reach: by Recovery, by a reset, and
 * back), KIND what the fabric's fault/
 * takes: yank, link, ones or retry. Without -n every point is tried, until the
 * operation needs no more accesses; with it so many, chosen by SEED; with -k
 * this one, on every port. -c: how many accesses ones and retry last (1). -a: the
 * port's own registers count, too. -f: each port is a fabric of its own. Where one
 * port has no space, the kernel takes the windows of all that share a bus with
 * it, also of those that are in use. -o: the ports have no hotplug capability, and
 * are made soft, looked at every MS.
 *
 * Prints "OPERATION/SHAPE/KIND: N points, N covered, …", and a line for each
 * point that went wrong; exit status 1 when there are any.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "fabric.h"

#define MAX_POINTS	20000
#define MAX_TRIES	3	/* for a point that was not reached */
#define MAX_BROKEN	4	/* ports; then it makes no sense to go on */
#define LIMIT_MS	25000	/* for one phase: nothing takes so long, but ... */
#define RESET_LIMIT_MS	90000	/* ... the kernel's wait after a bus reset */
#define QUIET_MS	1500	/* an attach that ends nowhere has ended */

enum phase {
	PHASE_NEXT,	/* takes a point, and gets to where it begins */
	PHASE_BEGIN,	/* is where the operation begins */
	PHASE_SLEEP,	/* waits until all are ready to be suspended */
	PHASE_RUN,	/* the operation goes on */
	PHASE_OUT,	/* becomes EMPTY */
	PHASE_IN,	/* becomes READY */
	PHASE_DONE,	/* no points are left */
};

/**
 * struct operation - what is swept
 * @name: as on the command line
 * @attached: it begins with a GPU that is READY, else with an empty slot
 * @scope: whose accesses count
 * @own: only those of this process do
 * @resets: the kernel waits for a minute for what is pulled in its reset
 * @may_begin: it is where the operation begins, or is now on the way there;
 *	NULL: that is when it is READY
 */
struct operation {
	const char *name;
	bool attached;
	const char *scope;
	bool own;
	bool resets;
	void (*begin)(struct slot *s);
	bool (*is_over)(struct slot *s, bool hit);
	bool (*may_begin)(struct slot *s);
};

static const struct operation *op;
static const char *shape_name, *kind;
static unsigned int nr_ports = 32, nr_wanted, only, count = 1;
static uint64_t seed = 1;
static bool counting, all, apart;

static unsigned char tries[MAX_POINTS + 1];
static bool covered[MAX_POINTS + 1];
static uint32_t list[MAX_POINTS], nr_list, next_in_list;
static uint32_t again[MAX_POINTS], nr_again;
static uint32_t total;		/* accesses that the operation makes */
static uint32_t last;		/* point that was handed out */
static bool beyond;		/* a point behind all of them was not hit */
static unsigned int nr_done, nr_wrong, nr_sleeps, nr_awake;
static unsigned int nr_windows;	/* runs that left the port with others */
static long long slowest_ms;

/* --- operations --- */

static bool attach_is_over(struct slot *s, bool hit)
{
	bool gone = !strcmp(kind, "yank") || !strcmp(kind, "link");

	if (slot_is_settled(s) || (hit && gone))
		return true;
	return hit && now_ms() - s->begun_ms > patient(QUIET_MS) &&
	       now_ms() - s->changed_ms > patient(QUIET_MS);
}

static void detach_begin(struct slot *s)
{
	int ret = slot_detach(s);

	if (ret)
		die("%s: DETACH: %s", s->dir, strerror(-ret));
}

static bool detach_is_over(struct slot *s, bool hit)
{
	(void)hit;
	return s->ended;
}

/* The transaction that was begun last; what it comes to is not judged here. */
static bool transaction_is_over(struct slot *s, bool hit)
{
	(void)hit;
	return s->ended;
}

static void link_set(struct slot *s, uint32_t flags, uint32_t speed)
{
	int ret;

	s->ended = false;
	ret = egpu_link_set(egpu, s->id, flags, speed, 0, 0, &s->transaction);
	/* It may be gone by now. */
	if (ret == -EBUSY || ret == -ENODEV)
		s->ended = true;
	else if (ret)
		die("%s: LINK_SET: %s", s->dir, strerror(-ret));
}

static void retrain_begin(struct slot *s)
{
	link_set(s, EGPU_LINK_SET_RETRAIN | EGPU_LINK_SET_LIVE, 0);
}

static bool is_held(const struct slot *s)
{
	return s->info.state == EGPU_STATE_HELD &&
	       s->info.reason == EGPU_REASON_UNBOUND;
}

/* Held first, and that does not count. */
static bool train_may_begin(struct slot *s)
{
	int ret;

	if (is_held(s) || !slot_is_ready(s) || s->info.transaction)
		return is_held(s) && !s->info.transaction;
	s->ended = false;
	ret = egpu_detach(egpu, s->id, EGPU_DETACH_HOLD, 0, NULL, 0,
			  &s->transaction);
	if (ret && ret != -EBUSY)
		die("%s: DETACH: %s", s->dir, strerror(-ret));
	s->dirty = true;
	return false;
}

/* It is at 8 GT/s, and neither Recovery nor a reset gets it any further. */
static void train_begin(struct slot *s)
{
	link_set(s, EGPU_LINK_SET_RETRAIN | EGPU_LINK_SET_SPEED, 160);
}

/* The links were read when it came, and are again a quarter of a second later. */
static void wait_for_links(const struct slot *s)
{
	uint64_t then = s->info.since_ns + 300000000ULL;
	struct timespec until = {
		.tv_sec = (time_t)(then / 1000000000),
		.tv_nsec = (long)(then % 1000000000),
	};

	clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL);
}

/* All that egpu and libegpu tell about a port; no privilege is needed. */
static void query_begin(struct slot *s)
{
	struct egpu_function *functions;
	struct egpu_port_info *ports;
	struct egpu_hop *hops;
	struct egpu_user *users;
	bool hidden;

	if (egpu_ports(egpu, true, &ports) >= 0)
		free(ports);
	slot_refresh(s);
	if (egpu_functions(egpu, s->id, &functions) >= 0)
		free(functions);
	if (egpu_users(egpu, s->id, &users, &hidden) >= 0)
		free(users);
	wait_for_links(s);
	if (egpu_hops(egpu, s->id, true, &hops) >= 0)
		free(hops);
}

static bool query_is_over(struct slot *s, bool hit)
{
	(void)s;
	(void)hit;
	return true;
}

static const struct operation operations[] = {
	{ "attach", false, "below", false, false,
	  slot_plug, attach_is_over, NULL },
	{ "detach", true, "below", false, false,
	  detach_begin, detach_is_over, NULL },
	{ "query", true, "all", true, false,
	  query_begin, query_is_over, NULL },
	{ "suspend", true, "below", false, false,
	  NULL, query_is_over, NULL },
	{ "retrain", true, "all", false, false,
	  retrain_begin, transaction_is_over, NULL },
	{ "train", true, "all", false, true,
	  train_begin, transaction_is_over, train_may_begin },
};

/* One for all ports: through all of the kernel's phases, without sleeping. */
static void sleep_all(void)
{
	int ret;

	ret = try_put("/sys/power", "pm_test", "platform");
	if (!ret)
		ret = try_put("/sys/module/suspend/parameters",
			      "pm_test_delay", "0");
	if (ret)
		die("this kernel has no pm_test: %s", strerror(-ret));
	nr_sleeps++;
	if (!try_put("/sys/power", "state", "freeze"))
		nr_awake++;
	try_put("/sys/power", "pm_test", "none");
}

/* --- points --- */

static uint64_t random_next(void)
{
	/* splitmix64 */
	uint64_t z = seed += 0x9e3779b97f4a7c15ULL;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ z >> 27) * 0x94d049bb133111ebULL;
	return z ^ z >> 31;
}

/* So many of all points, each once, in any order. */
static void points_choose(void)
{
	uint32_t i, j, swap;

	nr_list = total < MAX_POINTS ? total : MAX_POINTS;
	last = nr_list;
	for (i = 0; i < nr_list; i++)
		list[i] = i + 1;
	if (!nr_wanted)
		return;
	for (i = 0; i < nr_list; i++) {
		j = i + random_next() % (nr_list - i);
		swap = list[i];
		list[i] = list[j];
		list[j] = swap;
	}
	if (nr_list > nr_wanted)
		nr_list = nr_wanted;
}

/* Return: false when there are none left. When counting it is point 0. */
static bool point_next(struct slot *s)
{
	s->point = 0;
	if (counting || only)
		s->point = only;
	else if (nr_again)
		s->point = again[--nr_again];
	else if (next_in_list < nr_list)
		s->point = list[next_in_list++];
	else if (!nr_wanted && !beyond && last < MAX_POINTS)
		s->point = ++last;
	else
		return false;
	return !((counting || only) && tries[0] >= nr_slots);
}

/* The operation is over: was the point reached? */
static void point_end(struct slot *s)
{
	uint32_t seen;

	put(s->fault, "armed", "0");
	if (!s->point) {
		seen = get_number(s->fault, "seen");
		total = seen > total ? seen : total;
	} else if (get_number(s->fault, "hit")) {
		covered[s->point] = true;
	} else if (s->point > total) {
		beyond = true;
	} else if (++tries[s->point] < MAX_TRIES && !only) {
		again[nr_again++] = s->point;
	}
}

static void point_arm(struct slot *s)
{
	put(s->fault, "kind", "%s", kind);
	put(s->fault, "scope", "%s", all ? "all" : op->scope);
	if (op->own)
		put(s->fault, "task", "pid %d", getpid());
	put(s->fault, "count", "%u", count);
	put(s->fault, "at", "%u", s->point);
	put(s->fault, "armed", "1");
}

static bool point_is_hit(struct slot *s)
{
	return s->point && get_number(s->fault, "hit");
}

/* --- the life of one port --- */

static void enter(struct slot *s, enum phase phase)
{
	s->phase = phase;
	s->begun_ms = now_ms();
}

static void run_begin(struct slot *s)
{
	point_arm(s);
	s->windows = slot_windows(s);
	enter(s, op->begin ? PHASE_RUN : PHASE_SLEEP);
	if (op->begin)
		op->begin(s);
}

static void take_next(struct slot *s)
{
	if (!point_next(s)) {
		enter(s, PHASE_DONE);
		return;
	}
	if (!s->point || only)
		tries[0]++;
	enter(s, PHASE_BEGIN);
	if (op->attached && !slot_is_ready(s))
		slot_plug(s);
	else if (!op->attached)
		slot_pull(s);
}

/* Pulled in the moment that the link was disabled: only ATTACH can tell. */
static void soft_ask(struct slot *s)
{
	uint32_t transaction;

	if (soft_ms && s->info.state == EGPU_STATE_DETACHED &&
	    !s->info.transaction &&
	    now_ms() - s->changed_ms > patient(QUIET_MS) &&
	    !egpu_attach(egpu, s->id, 0, &transaction))
		s->changed_ms = now_ms() + patient(QUIET_MS);
}

static void run_end(struct slot *s)
{
	point_end(s);
	enter(s, PHASE_OUT);
	slot_pull(s);
}

static void went_in(struct slot *s)
{
	long long took = now_ms() - s->begun_ms;

	slowest_ms = took > slowest_ms ? took : slowest_ms;
	nr_done++;
	enter(s, PHASE_NEXT);
}

static bool may_begin(struct slot *s)
{
	if (op->may_begin)
		return op->may_begin(s);
	return op->attached ? slot_is_ready(s) : slot_is_empty(s);
}

static void step(struct slot *s)
{
	switch ((enum phase)s->phase) {
	case PHASE_NEXT:
		take_next(s);
		break;
	case PHASE_BEGIN:
		if (may_begin(s))
			run_begin(s);
		break;
	case PHASE_RUN:
		if (op->is_over(s, point_is_hit(s)))
			run_end(s);
		break;
	case PHASE_OUT:
		if (!slot_is_empty(s)) {
			soft_ask(s);
			break;
		}
		nr_windows += slot_windows(s) != s->windows;
		enter(s, PHASE_IN);
		slot_plug(s);
		break;
	case PHASE_IN:
		if (slot_is_ready(s))
			went_in(s);
		break;
	case PHASE_SLEEP:
	case PHASE_DONE:
		break;
	}
}

static void watch(struct slot *s)
{
	static const char * const words[] = {
		"next", "not where it begins", "not suspended",
		"did not end", "did not become EMPTY", "did not become READY",
		"done",
	};
	int limit = patient(op->resets ? RESET_LIMIT_MS : LIMIT_MS);
	char why[128];

	if (s->phase == PHASE_DONE || s->phase == PHASE_SLEEP ||
	    now_ms() - s->begun_ms < limit)
		return;
	snprintf(why, sizeof(why), "%s/%s/%s at %u: %s", op->name, shape_name,
		 kind, s->point, words[s->phase]);
	slot_give_up(s, why);
	if (++nr_wrong >= MAX_BROKEN)
		die("%u ports went wrong, the rest is not tried", nr_wrong);
}

/* Everybody who is not done waits for it. */
static void sleep_when_all_wait(void)
{
	unsigned int i, waiting = 0;

	for (i = 0; i < nr_slots; i++) {
		if (slots[i].broken || slots[i].phase == PHASE_DONE)
			continue;
		if (slots[i].phase != PHASE_SLEEP)
			return;
		waiting++;
	}
	if (!waiting)
		return;
	sleep_all();
	for (i = 0; i < nr_slots; i++) {
		slots[i].dirty = true;
		if (slots[i].phase == PHASE_SLEEP)
			enter(&slots[i], PHASE_RUN);
	}
}

static void run_all(void)
{
	unsigned int i, busy;

	for (i = 0; i < nr_slots; i++)
		enter(&slots[i], PHASE_NEXT);
	do {
		busy = 0;
		slots_look(TICK_MS);
		for (i = 0; i < nr_slots; i++) {
			if (slots[i].broken)
				continue;
			step(&slots[i]);
			watch(&slots[i]);
			busy += slots[i].phase != PHASE_DONE;
		}
		sleep_when_all_wait();
	} while (busy);
}

static void tell(long long took)
{
	uint32_t i, n = 0;

	for (i = 1; i <= MAX_POINTS; i++)
		n += covered[i];
	/* How many there are is what was reached, not what was tried. */
	if (!nr_wanted && !only)
		for (total = last; total && !covered[total]; total--)
			;
	printf("%s/%s/%s%s: %u points, %u covered, %u wrong; ", op->name,
	       shape_name, kind, all ? "/all" : "", total, n, nr_wrong);
	printf("%u runs on %u ports in %lld.%lld s, READY in %lld ms or less\n",
	       nr_done, nr_slots, took / 1000, took % 1000 / 100, slowest_ms);
	if (nr_windows)
		printf("%u times the kernel took windows from a port or gave it others\n",
		       nr_windows);
	if (nr_sleeps)
		printf("%u times suspended, %u times to the end\n", nr_sleeps,
		       nr_awake);
}

static int usage(void)
{
	printf("usage: see sweep.c\n");
	return 2;
}

static void make(void)
{
	enum shape shape = strcmp(shape_name, "switch") ? SHAPE_ONE :
							  SHAPE_SWITCH;
	char name[16];
	unsigned int i;

	if (!apart)
		fabric_make("sweep", nr_ports, shape);
	for (i = 0; apart && i < nr_ports; i++) {
		snprintf(name, sizeof(name), "sweep%u", i);
		fabric_make(name, 1, shape);
	}
}

static int sweep(void)
{
	long long start = now_ms();
	unsigned int i;

	make();
	for (i = 0; op->may_begin && i < nr_slots; i++) {
		put(slots[i].card, "detect_speed", "8");
		put(slots[i].card, "unrecoverable_above", "8");
	}
	if (!only) {
		counting = true;
		run_all();
		counting = false;
		points_choose();
	}
	memset(tries, 0, sizeof(tries));
	run_all();
	tell(now_ms() - start);
	if (nr_wrong)
		return 1;
	fabrics_drop();
	return 0;
}

int main(int argc, char **argv)
{
	unsigned int i;
	int c;

	setvbuf(stdout, NULL, _IOLBF, 0);
	while ((c = getopt(argc, argv, "p:n:s:k:c:o:af")) != -1) {
		if (c == 'p')
			nr_ports = strtoul(optarg, NULL, 0);
		else if (c == 'n')
			nr_wanted = strtoul(optarg, NULL, 0);
		else if (c == 's')
			seed = strtoull(optarg, NULL, 0);
		else if (c == 'k')
			only = strtoul(optarg, NULL, 0);
		else if (c == 'c')
			count = strtoul(optarg, NULL, 0);
		else if (c == 'o')
			soft_ms = strtoul(optarg, NULL, 0);
		else if (c == 'a')
			all = true;
		else if (c == 'f')
			apart = true;
		else
			return usage();
	}
	if (argc - optind != 3 || only > MAX_POINTS)
		return usage();
	for (i = 0; i < sizeof(operations) / sizeof(*operations); i++)
		if (!strcmp(argv[optind], operations[i].name))
			op = &operations[i];
	shape_name = argv[optind + 1];
	kind = argv[optind + 2];
	return op ? sweep() : usage();
}
