// SPDX-License-Identifier: GPL-2.0
/*
 * Many simulated ports at once:
 *
 *	egpu_many crowd FABRICS PORTS
 *		attach and detach a GPU on each of FABRICS × PORTS ports, first
 *		on all at once, then on one after the other
 *	egpu_many soft FABRICS PORTS
 *		the same on ports without hotplug capability, made soft
 *	egpu_many losses PORTS REMOVALS SEED
 *		so many surprise removals spread over the ports: every other when
 *		the GPU is READY, the others at any moment of its attach
 *
 * Prints what it took; exit status 1 when a port did not do as it should.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fabric.h"

#define LIMIT_MS	60000

static uint64_t seed;

static uint32_t random_below(uint32_t n)
{
	seed = seed * 6364136223846793005ULL + 1442695040888963407ULL;
	return (seed >> 33) % n;
}

/* Wait until all ports from @from to before @to are as @is says. */
static void wait_all(unsigned int from, unsigned int to,
		     bool (*is)(const struct slot *s), const char *what)
{
	long long start = now_ms();
	unsigned int i = from;

	while (i < to) {
		if (is(&slots[i])) {
			i++;
			continue;
		}
		slots_look(TICK_MS);
		if (now_ms() - start < patient(LIMIT_MS))
			continue;
		slots[i].begun_ms = start;
		slot_give_up(&slots[i], what);
		die("%u of %u ports got there", i - from, to - from);
	}
}

static bool is_detached(const struct slot *s)
{
	if (s->ended && s->error)
		die("%s: detach: %s", s->dir, strerror(-s->error));
	return s->ended;
}

static void print_time(const char *what, unsigned int n, long long ms)
{
	printf("%s: %u in %lld.%02lld s, %lld.%lld ms each\n", what, n,
	       ms / 1000, ms % 1000 / 10, ms / n, ms * 10 / n % 10);
}

static void attach(unsigned int from, unsigned int to)
{
	unsigned int i;

	for (i = from; i < to; i++)
		slot_plug(&slots[i]);
	wait_all(from, to, slot_is_ready, "did not become READY");
}

static void detach(unsigned int from, unsigned int to)
{
	unsigned int i;
	int ret;

	for (i = from; i < to; i++) {
		ret = slot_detach(&slots[i]);
		if (ret)
			die("%s: DETACH: %s", slots[i].dir, strerror(-ret));
	}
	wait_all(from, to, is_detached, "was not detached");
}

static void pull(unsigned int from, unsigned int to)
{
	unsigned int i;

	for (i = from; i < to; i++)
		slot_pull(&slots[i]);
	wait_all(from, to, slot_is_empty, "did not become EMPTY");
}

static void check_counters(unsigned int losses)
{
	struct egpu_counters *c;
	unsigned int i;

	for (i = 0; i < nr_slots; i++) {
		slot_refresh(&slots[i]);
		c = &slots[i].info.counters;
		if (c->losses != losses || c->removals || c->attaches != 2 ||
		    c->detaches != 2)
			die("%s: %u losses, %u removals, %u attaches, %u detaches",
			    slots[i].dir, c->losses, c->removals, c->attaches,
			    c->detaches);
	}
}

static int crowd(unsigned int nr_fabrics, unsigned int ports)
{
	long long start = now_ms(), in = 0, out = 0;
	unsigned int i;
	char name[16];

	for (i = 0; i < nr_fabrics; i++) {
		snprintf(name, sizeof(name), "crowd%u", i);
		fabric_make(name, ports, SHAPE_ONE);
	}
	print_time("ports live", nr_slots, now_ms() - start);
	start = now_ms();
	attach(0, nr_slots);
	print_time("attached at once", nr_slots, now_ms() - start);
	start = now_ms();
	detach(0, nr_slots);
	print_time("detached at once", nr_slots, now_ms() - start);
	pull(0, nr_slots);
	for (i = 0; i < nr_slots; i++) {
		start = now_ms();
		attach(i, i + 1);
		in += now_ms() - start;
		start = now_ms();
		detach(i, i + 1);
		out += now_ms() - start;
		slot_pull(&slots[i]);
	}
	print_time("attached one by one", nr_slots, in);
	print_time("detached one by one", nr_slots, out);
	pull(0, nr_slots);
	check_counters(0);
	start = now_ms();
	fabrics_drop();
	print_time("ports dropped", ports * nr_fabrics, now_ms() - start);
	return 0;
}

/* --- losses --- */

enum phase { IN, OUT };

/* Return: it was pulled. */
static bool loss_step(struct slot *s)
{
	if (s->phase == OUT) {
		if (!slot_is_empty(s))
			return false;
		s->phase = IN;
		s->point = random_below(2) ? 1 + random_below(300) : 0;
		s->begun_ms = now_ms();
		slot_plug(s);
		return false;
	}
	if (s->point ? now_ms() - s->begun_ms < s->point : !slot_is_ready(s))
		return false;
	slot_pull(s);
	s->phase = OUT;
	s->begun_ms = now_ms();
	return true;
}

static unsigned int sum_losses(unsigned int *attaches)
{
	unsigned int i, n = 0;

	*attaches = 0;
	for (i = 0; i < nr_slots; i++) {
		slot_refresh(&slots[i]);
		n += slots[i].info.counters.losses;
		*attaches += slots[i].info.counters.attaches;
	}
	return n;
}

static int losses(unsigned int ports, unsigned int removals)
{
	unsigned int i, n = 0, attaches, lost;
	long long start;

	fabric_make("losses", ports, SHAPE_ONE);
	start = now_ms();
	for (i = 0; i < nr_slots; i++) {
		slots[i].phase = OUT;
		slots[i].begun_ms = start;
	}
	while (n < removals) {
		slots_look(TICK_MS);
		for (i = 0; i < nr_slots && n < removals; i++) {
			n += loss_step(&slots[i]);
			if (now_ms() - slots[i].begun_ms < patient(LIMIT_MS))
				continue;
			slot_give_up(&slots[i], slots[i].phase == IN ?
				     "did not become READY" :
				     "did not become EMPTY");
			return 1;
		}
	}
	print_time("surprise removals", n, now_ms() - start);
	pull(0, nr_slots);
	lost = sum_losses(&attaches);
	printf("of %u removals %u were of a GPU that egpu knew, %u of one that was READY\n",
	       n, lost, attaches);
	attach(0, nr_slots);
	fabrics_drop();
	return 0;
}

int main(int argc, char **argv)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (argc == 4 && !strcmp(argv[1], "crowd"))
		return crowd(atoi(argv[2]), atoi(argv[3]));
	if (argc == 4 && !strcmp(argv[1], "soft")) {
		soft_ms = 50;
		return crowd(atoi(argv[2]), atoi(argv[3]));
	}
	if (argc == 5 && !strcmp(argv[1], "losses")) {
		seed = strtoull(argv[4], NULL, 0);
		return losses(atoi(argv[2]), atoi(argv[3]));
	}
	printf("usage: egpu_many crowd|soft FABRICS PORTS | losses PORTS REMOVALS SEED\n");
	return 2;
}
