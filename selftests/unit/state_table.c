// SPDX-License-Identifier: GPL-2.0
/*
 * The life of a port, from the table that the module itself uses: --rst writes
 * the documentation, without an argument every (state, bit) is driven through
 * the transition function and KTAP is printed.
 */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "state_table.h"

#define NAME(name, text) #name,
#define TEXT(name, text) text,

static const char * const bit_names[] = { EGPU_BITS(NAME) };
static const char * const bit_texts[] = { EGPU_BITS(TEXT) };
static const char * const act_names[] = { EGPU_ACTIONS(NAME) };
static const char * const act_texts[] = { EGPU_ACTIONS(TEXT) };

static const char * const state_names[EGPU_STATE_COUNT] = {
	"UNTRACKED", "EMPTY", "TRAINING", "HELD", "BINDING", "READY",
	"DRAINING", "DETACHING", "DETACHED", "LOST", "QUARANTINED", "FAULT",
	"GONE",
};

static int test_nr;
static int failures;

#define STATES(s) for (unsigned int s = 0; s < EGPU_STATE_COUNT; s++)
#define BITS(b) for (unsigned int b = 0; b < EGPU_BIT_COUNT; b++)

static void rst_rule(void)
{
	printf("===========  ==========  ===========  ============\n");
}

static void rst_words(const char *title, const char * const *names,
		      const char * const *texts, int count)
{
	printf("\n%s\n", title);
	for (size_t i = 0; i < strlen(title); i++)
		putchar('-');
	printf("\n\n");
	for (int i = 0; i < count; i++)
		printf("%s\n    %s\n\n", names[i], texts[i]);
}

static void rst(void)
{
	printf(".. %s-License-Identifier: GPL-2.0\n"
	       ".. Generated from drivers/egpu/state_table.h by `make docs`.\n\n"
	       "The life of a port\n==================\n\n"
	       "A row for every state and every bit that may be pending. Bits are consumed\n"
	       "in this order, hardware first; LATCH keeps one until the state changes.\n\n",
	       "SPDX");
	rst_rule();
	printf("%-11s  %-10s  %-11s  %s\n", "State", "Bit", "Next state",
	       "Action");
	rst_rule();
	STATES(s) BITS(b) {
		const struct egpu_cell *cell = egpu_state_cell(s, b);

		printf("%-11s  %-10s  %-11s  %s\n", state_names[s],
		       bit_names[b], state_names[cell->next],
		       act_names[cell->act]);
	}
	rst_rule();
	rst_words("Bits", bit_names, bit_texts, EGPU_BIT_COUNT);
	rst_words("Actions", act_names, act_texts, EGPU_ACT_COUNT);
}

static void result(bool ok, const char *name, const char *proves)
{
	printf("# proves: %s\n%sok %d - %s\n", proves, ok ? "" : "not ",
	       ++test_nr, name);
	failures += !ok;
}

/* Says where, and is false, so that a test can go on and collect. */
static bool bad(unsigned int s, unsigned int b, const char *what)
{
	printf("# %s + %s: %s\n", state_names[s], bit_names[b], what);
	return false;
}

static void test_filled(void)
{
	bool ok = true;

	STATES(s) BITS(b) {
		const struct egpu_cell *cell = egpu_state_cell(s, b);

		if (cell->filled != 1)
			ok = bad(s, b, "empty cell");
		else if (cell->next >= EGPU_STATE_COUNT ||
			 cell->act >= EGPU_ACT_COUNT)
			ok = bad(s, b, "out of range");
	}
	result(ok, "state_no_empty_cell",
	       "every state says what every bit means");
}

static void test_latch(void)
{
	bool ok = true;

	STATES(s) BITS(b) {
		const struct egpu_cell *cell = egpu_state_cell(s, b);

		if (cell->act == EGPU_ACT_LATCH && cell->next != s)
			ok = bad(s, b, "latched, yet the state changes");
		if (cell->act == EGPU_ACT_LATCH && b < EGPU_BIT_ADMITTED &&
		    b != EGPU_BIT_LOST && b != EGPU_BIT_EMPTIED &&
		    b != EGPU_BIT_DOWN && b != EGPU_BIT_APPEARED &&
		    b != EGPU_BIT_ARRIVED)
			ok = bad(s, b, "a result cannot be latched");
	}
	result(ok, "state_latch_stays",
	       "a latched bit waits for a change, it makes none");
}

static void test_gone(void)
{
	bool ok = true;

	STATES(s) {
		if (egpu_state_cell(s, EGPU_BIT_GONE)->next != EGPU_STATE_GONE)
			ok = bad(s, EGPU_BIT_GONE, "does not go to GONE");
	}
	BITS(b) {
		const struct egpu_cell *cell = egpu_state_cell(EGPU_STATE_GONE,
							       b);

		if (cell->next != EGPU_STATE_GONE || cell->act != EGPU_ACT_NONE)
			ok = bad(EGPU_STATE_GONE, b, "GONE is not the end");
	}
	result(ok, "state_gone_is_the_end",
	       "a removed port ends everything, and nothing moves it again");
}

static bool has_device(unsigned int s)
{
	return s == EGPU_STATE_TRAINING || s == EGPU_STATE_HELD ||
	       s == EGPU_STATE_BINDING || s == EGPU_STATE_READY ||
	       s == EGPU_STATE_DRAINING || s == EGPU_STATE_DETACHING ||
	       s == EGPU_STATE_QUARANTINED || s == EGPU_STATE_FAULT;
}

static void test_lost(void)
{
	bool ok = true;

	STATES(s) {
		const struct egpu_cell *cell = egpu_state_cell(s,
							       EGPU_BIT_LOST);

		if (has_device(s) && cell->next != EGPU_STATE_LOST &&
		    cell->act != EGPU_ACT_LATCH)
			ok = bad(s, EGPU_BIT_LOST, "a loss is overlooked");
		if (!has_device(s) && cell->next != s)
			ok = bad(s, EGPU_BIT_LOST, "lost without a device");
	}
	result(ok, "state_loss_is_seen",
	       "a loss is applied, or latched, wherever there is a device");
}

static void test_users(void)
{
	bool ok = true;

	/* Nothing that a user asks for is dropped without an answer. */
	STATES(s) BITS(b) {
		if (b < EGPU_BIT_CANCEL || b > EGPU_BIT_MANAGE ||
		    b == EGPU_BIT_RELEASE || s == EGPU_STATE_GONE)
			continue;
		if (egpu_state_cell(s, b)->act == EGPU_ACT_NONE)
			ok = bad(s, b, "a request without an answer");
	}
	result(ok, "state_requests_are_answered",
	       "CANCEL, ATTACH, DETACH, LINK act, end or wait in every state");
}

static void test_unbind_guard(void)
{
	bool ok = true;

	/* READY must go through DRAINING: never straight to unbinding. */
	STATES(s) BITS(b) {
		const struct egpu_cell *cell = egpu_state_cell(s, b);

		if (cell->act != EGPU_ACT_UNBIND)
			continue;
		if (s == EGPU_STATE_READY || s == EGPU_STATE_BINDING)
			ok = bad(s, b, "unbinds without a look for users");
		if (cell->next != EGPU_STATE_DETACHING)
			ok = bad(s, b, "unbinds in a state that hides it");
	}
	result(ok, "state_no_unbind_without_drain",
	       "a bound driver is unbound only after a drain found no users");
}

/* Mark in @seen every state that some way leads to from @from. */
static void reach(unsigned int from, bool *seen)
{
	bool more = true;

	memset(seen, 0, EGPU_STATE_COUNT * sizeof(*seen));
	seen[from] = true;
	while (more) {
		more = false;
		STATES(s) BITS(b) {
			unsigned int next = egpu_state_cell(s, b)->next;

			if (seen[s] && !seen[next]) {
				more = true;
				seen[next] = true;
			}
		}
	}
}

static void test_reachable(void)
{
	bool seen[EGPU_STATE_COUNT];
	bool ok = true;

	reach(EGPU_STATE_UNTRACKED, seen);
	STATES(s) {
		if (seen[s])
			continue;
		printf("# %s cannot be reached\n", state_names[s]);
		ok = false;
	}
	result(ok, "state_all_reachable",
	       "every state can be reached");
}

static void test_ends(void)
{
	bool seen[EGPU_STATE_COUNT];
	bool ok = true;

	STATES(from) {
		reach(from, seen);
		if (from == EGPU_STATE_GONE || seen[EGPU_STATE_EMPTY])
			continue;
		printf("# %s never gets EMPTY\n", state_names[from]);
		ok = false;
	}
	result(ok, "state_no_dead_end", "no state but GONE is a dead end");
}

int main(int argc, char **argv)
{
	if (argc > 1 && !strcmp(argv[1], "--rst")) {
		rst();
		return 0;
	}
	printf("KTAP version 1\n1..8\n");
	test_filled();
	test_latch();
	test_gone();
	test_lost();
	test_users();
	test_unbind_guard();
	test_reachable();
	test_ends();
	return failures != 0;
}
