// SPDX-License-Identifier: GPL-2.0
/*
 * What qualify and guard decide, and how errors are counted, without a module.
 * Prints KTAP.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "../../tools/egpuctl/decide.h"

static int test_nr;
static int wrong;
static int failures;

#define EXPECT(cond, ...) do {						\
	if (!(cond)) {							\
		printf("# line %d: ", __LINE__);			\
		printf(__VA_ARGS__);					\
		putchar('\n');						\
		wrong++;						\
	}								\
} while (0)

#define COUNT(a)	(sizeof(a) / sizeof((a)[0]))

/* ------------------------------------------------------------- qualify */

/* A minute at a speed. */
static struct trial minute(uint32_t speed, uint64_t correctable)
{
	return (struct trial){ .speed = speed, .reached = true, .seconds = 60,
			       .count[EGPU_AER_CORRECTABLE] = correctable };
}

static void choose(const struct trial *trials, int count, uint32_t want,
		   bool want_clean, const char *what)
{
	bool clean;
	uint32_t got = trials_choose(trials, count, 1, &clean);

	EXPECT(got == want && clean == want_clean, "%s: %u, %s", what, got,
	       clean ? "clean" : "not clean");
}

static void test_clean(void)
{
	struct trial none[] = { minute(160, 0) };
	struct trial one[] = { minute(160, 312), minute(80, 0) };
	struct trial few[] = { minute(160, 2), minute(80, 1) };

	choose(none, 1, 160, true, "no errors");
	choose(one, 2, 80, true, "at one speed");
	choose(few, 2, 80, true, "as many as are allowed");
}

static void test_dirty(void)
{
	struct trial all[] = { minute(160, 900), minute(80, 30),
			       minute(50, 30), minute(25, 31) };
	struct trial bad[] = { minute(160, 2), minute(80, 500) };
	struct trial gone[] = { minute(160, 0), minute(80, 0) };

	choose(all, 4, 80, false, "fewest errors, the faster of two");
	bad[0].count[EGPU_AER_NONFATAL] = 1;
	choose(bad, 2, 80, false, "a nonfatal one is worse than many");
	gone[0].dropped = true;
	gone[1].reached = false;
	choose(gone, 2, 0, false, "nothing to keep");
	choose(gone, 0, 0, false, "nothing tried");
}

static void test_outcomes(void)
{
	struct trial t = minute(160, 0);

	t.changed = 80;
	EXPECT(trial_outcome(&t, 1) == OUTCOME_CHANGED, "fell by itself");
	t.count[EGPU_AER_FATAL] = 1;
	EXPECT(trial_outcome(&t, 1) == OUTCOME_SERIOUS, "fatal");
	t.dropped = true;
	EXPECT(trial_outcome(&t, 1) == OUTCOME_DROPPED, "dropped");
	t = minute(160, 0);
	t.reached = false;
	EXPECT(trial_outcome(&t, 1) == OUTCOME_NOT_REACHED, "not reached");
	t = minute(160, 5);
	t.seconds = 300;
	EXPECT(trial_outcome(&t, 1) == OUTCOME_CLEAN, "a rate, no number");
	t.seconds = 1;
	EXPECT(trial_per_minute(&t) == 300, "%g", trial_per_minute(&t));
	t.seconds = 0;
	EXPECT(trial_per_minute(&t) == 0, "not measured");
}

/* A command that finds errors where reads did not. */
static void test_command(void)
{
	struct trial t[] = { minute(160, 400), minute(80, 0), minute(80, 90),
			     minute(50, 0) };

	t[2].run = true;
	t[3].run = true;
	choose(t, 4, 50, true, "clean by reads, not by the command");
	choose(t, 3, 80, false, "and nothing slower was tried");
}

/* --------------------------------------------------------------- guard */

static const struct guard_rule rule = {
	.max = 60, .drops = 2, .window_ms = 600000, .away_ms = 10000,
	.hold_off_ms = 60000, .steps = 2,
};

static struct guarded at(uint32_t speed)
{
	struct guarded port = { 0 };

	guard_limit(&port, speed, 0, 0);
	return port;
}

/* Errors every ten seconds; Return: how often it stepped in an hour. */
static int storm(struct guarded *port, const struct guard_rule *r)
{
	int64_t now, last = -1000000;
	int steps = 0, said = 0;

	for (now = 0; now < 3600000; now += 10000) {
		enum guard_act what = guard_errors(port, r, 300, now);

		if (what == GUARD_STEP) {
			EXPECT(now - last >= r->hold_off_ms, "%lld ms after",
			       (long long)(now - last));
			guard_stepped(port, r, egpu_speed_below(port->speed),
				      now);
			last = now;
			steps++;
		}
		said += what == GUARD_USED_UP || what == GUARD_SLOWEST;
	}
	EXPECT(said == 1, "said %d times that nothing is left to do", said);
	return steps;
}

static void test_storm(void)
{
	struct guarded port = at(320), slow = at(50);
	struct guard_rule none = rule;

	EXPECT(storm(&port, &rule) == 2 && port.speed == 80, "%u", port.speed);
	EXPECT(storm(&slow, &rule) == 1 && slow.speed == 25,
	       "below 2.5GT/s there is nothing");
	none.steps = 0;
	port = at(160);
	EXPECT(storm(&port, &none) == 0, "no step is allowed");
}

static void test_rate(void)
{
	struct guarded port = at(160), unknown = { 0 };

	EXPECT(guard_errors(&port, &rule, 60, 0) == GUARD_NOTHING,
	       "as many as are allowed");
	EXPECT(guard_errors(&port, &rule, 60.1, 0) == GUARD_STEP, "more");
	EXPECT(guard_errors(&unknown, &rule, 1000, 0) == GUARD_NOTHING,
	       "its speed is not known");
}

static void lost(struct guarded *port, int64_t when, int64_t back)
{
	guard_lost(port, &rule, 1, when);
	guard_seen(port, &rule, true, back);
}

static void test_drops(void)
{
	struct guarded port = at(160);

	lost(&port, 0, 2000);
	EXPECT(guard_losses(&port, &rule, 2000) == GUARD_NOTHING, "one");
	lost(&port, 700000, 701000);
	EXPECT(guard_losses(&port, &rule, 701000) == GUARD_NOTHING,
	       "the other is forgotten");
	guard_lost(&port, &rule, 1, 900000);
	EXPECT(guard_losses(&port, &rule, 900000) == GUARD_STEP,
	       "two, while it is away");
	guard_stepped(&port, &rule, 80, 900000);
	EXPECT(guard_losses(&port, &rule, 970000) == GUARD_NOTHING,
	       "a step forgets them");
	lost(&port, 980000, 981000);
	guard_lost(&port, &rule, 20, 985000);
	EXPECT(port.nr_losses == GUARD_LOSSES, "%d", port.nr_losses);
	EXPECT(guard_losses(&port, &rule, 985000) == GUARD_STEP, "many");
}

/* Somebody pulls the cable, and again. */
static void test_unplugged(void)
{
	struct guarded port = at(160);
	struct guard_rule never = rule;
	int64_t now = 0;
	int i;

	for (i = 0; i < 8; i++, now += 60000) {
		guard_lost(&port, &rule, 1, now);
		EXPECT(guard_losses(&port, &rule, now) == GUARD_NOTHING,
		       "pull %d", i);
		guard_seen(&port, &rule, false, now + 9000);
		guard_seen(&port, &rule, i % 2, now + 11000);
	}
	never.drops = 0;
	lost(&port, now, now + 1);
	lost(&port, now + 2, now + 3);
	EXPECT(guard_losses(&port, &never, now + 4) == GUARD_NOTHING,
	       "drops do not count");
}

static void test_hold_off(void)
{
	struct guarded port = at(160);

	guard_stepped(&port, &rule, 80, 1000);
	EXPECT(guard_errors(&port, &rule, 900, 60999) == GUARD_NOTHING,
	       "too early");
	lost(&port, 20000, 21000);
	lost(&port, 30000, 31000);
	EXPECT(guard_losses(&port, &rule, 31000) == GUARD_NOTHING,
	       "drops wait, too");
	EXPECT(guard_losses(&port, &rule, 61000) == GUARD_STEP,
	       "and count when it is over");
}

static void test_limits(void)
{
	struct guarded port = { 0 };

	guard_limit(&port, 320, 0, 0);
	EXPECT(port.speed == 320, "both ends: %u", port.speed);
	guard_limit(&port, 320, 80, 0);
	EXPECT(port.speed == 80, "never seen faster: %u", port.speed);
	guard_limit(&port, 320, 320, 160);
	EXPECT(port.speed == 160, "limited: %u", port.speed);
	guard_stepped(&port, &rule, 80, 0);
	guard_stepped(&port, &rule, 50, 0);
	port.told = true;
	guard_limit(&port, 320, 320, 50);
	EXPECT(port.steps == 2 && port.told && port.speed == 50, "unchanged");
	guard_limit(&port, 320, 25, 50);
	guard_limit(&port, 320, 25, 50);
	EXPECT(port.steps == 2 && port.speed == 25, "it came up slower");
	guard_limit(&port, 320, 320, 0);
	EXPECT(!port.steps && !port.told && port.speed == 320, "lifted");
	EXPECT(guard_steps(320, 80) == 2 && !guard_steps(80, 80) &&
	       !guard_steps(80, 0) && !guard_steps(50, 80), "steps between");
}

/* --------------------------------------------------------------- rates */

static char root[] = "/tmp/egpu-decide-XXXXXX";
static const struct egpu_address ends[] = { { 0, 0, 6 << 3 }, { 0, 4, 0 },
					    { 0, 4, 1 } };

static void counters(int end, uint64_t correctable, uint64_t fatal)
{
	static const char * const names[] = { "correctable", "nonfatal",
					      "fatal" };
	static const char * const totals[] = { "COR", "NONFATAL", "FATAL" };
	uint64_t count[] = { correctable, 0, fatal };
	char name[EGPU_ADDRESS_LEN], path[200];
	FILE *file;
	int i;

	egpu_address_format(&ends[end], name);
	snprintf(path, sizeof(path), "%s/bus/pci/devices/%s", root, name);
	mkdir(path, 0700);
	for (i = 0; i < 3; i++) {
		snprintf(path, sizeof(path), "%s/bus/pci/devices/%s/aer_dev_%s",
			 root, name, names[i]);
		file = fopen(path, "w");
		if (!file)
			abort();
		fprintf(file, "RxErr %llu\nTOTAL_ERR_%s %llu\n",
			(unsigned long long)count[i], totals[i],
			(unsigned long long)count[i]);
		fclose(file);
	}
}

static void away(int end)
{
	char name[EGPU_ADDRESS_LEN], command[200];

	snprintf(command, sizeof(command), "rm -r %s/bus/pci/devices/%s", root,
		 egpu_address_format(&ends[end], name));
	if (system(command))
		abort();
}

static void begin(void)
{
	char command[200];

	snprintf(command, sizeof(command),
		 "rm -rf %s && mkdir -p %s/bus/pci/devices", root, root);
	if (system(command))
		abort();
}

/* Counts, as seen at generation. */
static void counts(struct egpu_rates *rates, uint64_t generation, uint64_t want,
		   const char *what)
{
	egpu_rates_read(rates, ends, COUNT(ends), generation);
	EXPECT(rates->sum[EGPU_AER_CORRECTABLE] == want, "%s: %llu", what,
	       (unsigned long long)rates->sum[EGPU_AER_CORRECTABLE]);
}

static void test_rates(void)
{
	struct egpu_rates rates = { 0 };

	begin();
	counters(0, 100, 0);
	counters(1, 7, 0);
	counts(&rates, 4, 0, "what was before does not count");
	EXPECT(rates.counting == 2, "%d count", rates.counting);
	counters(0, 110, 1);
	counters(1, 8, 0);
	counts(&rates, 4, 11, "both ends");
	EXPECT(rates.sum[EGPU_AER_FATAL] == 1 &&
	       !rates.sum[EGPU_AER_NONFATAL], "by severity");
	counters(2, 50, 0);
	counts(&rates, 4, 11, "one that was not read before");
	counters(2, 51, 0);
	counts(&rates, 4, 12, "and then is");
}

static void test_restart(void)
{
	struct egpu_rates rates = { 0 };

	begin();
	counters(0, 100, 0);
	counters(1, 1000, 0);
	counts(&rates, 4, 0, "first");
	away(1);
	counters(0, 103, 0);
	counts(&rates, 4, 3, "it is away");
	counters(1, 2, 0);
	counts(&rates, 5, 5, "it came back and began at 0");
	counters(1, 2000, 0);
	counts(&rates, 6, 2005, "another one, that counted more");
	counters(0, 1, 0);
	counts(&rates, 6, 2006, "the port itself came anew");
	EXPECT(egpu_counted(5, 3) == 3 && egpu_counted(3, 5) == 2, "counted");
	begin();
	counts(&rates, 6, 2006, "nobody there");
	EXPECT(!rates.counting, "%d count", rates.counting);
}

static void test_many(void)
{
	struct egpu_address many[20] = { 0 };
	struct egpu_rates rates = { 0 };
	unsigned int i;

	begin();
	for (i = 0; i < COUNT(many); i++)
		many[i].devfn = (uint8_t)i;
	egpu_rates_read(&rates, many, COUNT(many), 1);
	EXPECT(rates.nr_sources == EGPU_RATE_SOURCES, "%d", rates.nr_sources);
}

static const struct {
	const char *name;
	const char *proves;
	void (*run)(void);
} tests[] = {
	{ "clean", "the fastest clean speed is kept", test_clean },
	{ "dirty", "none is clean: the fewest errors, never a lost device",
	  test_dirty },
	{ "outcomes", "what a trial shows, from clean to not reached",
	  test_outcomes },
	{ "command", "a speed is as good as its worst trial", test_command },
	{ "storm", "guard steps down, waits in between, stops, says so once",
	  test_storm },
	{ "rate", "more errors than allowed, no fewer", test_rate },
	{ "drops", "losses within the time count, older ones do not",
	  test_drops },
	{ "unplugged", "a cable that is pulled is no drop", test_unplugged },
	{ "hold_off", "nothing is done for a while after a step",
	  test_hold_off },
	{ "limits", "what a link may run at; a lifted limit: steps anew",
	  test_limits },
	{ "rates", "errors are what came since the first reading", test_rates },
	{ "restart", "counters that begin anew are never negative or huge",
	  test_restart },
	{ "many", "more functions than there is room for", test_many },
};

int main(void)
{
	char command[100];
	unsigned int i;

	if (!mkdtemp(root))
		return 1;
	egpu_roots.sysfs = root;
	printf("KTAP version 1\n1..%zu\n", COUNT(tests));
	for (i = 0; i < COUNT(tests); i++) {
		wrong = 0;
		printf("# proves: %s\n", tests[i].proves);
		tests[i].run();
		printf("%sok %d - link_decide_%s\n", wrong ? "not " : "",
		       ++test_nr, tests[i].name);
		failures += !!wrong;
	}
	snprintf(command, sizeof(command), "rm -rf %s", root);
	return system(command) || failures;
}
