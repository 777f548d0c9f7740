// SPDX-License-Identifier: GPL-2.0
/*
 * Which speed is kept after a qualification, and when guard slows a link down.
 */
#include <string.h>

#include "decide.h"

double trial_per_minute(const struct trial *trial)
{
	return trial->seconds > 0 ?
	       (double)trial->count[EGPU_AER_CORRECTABLE] * 60 /
	       trial->seconds : 0;
}

enum outcome trial_outcome(const struct trial *trial, double max)
{
	if (trial->dropped)
		return OUTCOME_DROPPED;
	if (!trial->reached)
		return OUTCOME_NOT_REACHED;
	if (trial->count[EGPU_AER_NONFATAL] || trial->count[EGPU_AER_FATAL])
		return OUTCOME_SERIOUS;
	if (trial->changed)
		return OUTCOME_CHANGED;
	return trial_per_minute(trial) > max ? OUTCOME_ERRORS : OUTCOME_CLEAN;
}

/* The worst that was seen at a speed. */
static enum outcome worst(const struct trial *trials, int count, double max,
			  uint32_t speed, double *per_minute)
{
	enum outcome outcome = OUTCOME_CLEAN, one;
	int i;

	*per_minute = 0;
	for (i = 0; i < count; i++) {
		if (trials[i].speed != speed)
			continue;
		one = trial_outcome(&trials[i], max);
		if (one > outcome)
			outcome = one;
		if (trial_per_minute(&trials[i]) > *per_minute)
			*per_minute = trial_per_minute(&trials[i]);
	}
	return outcome;
}

uint32_t trials_choose(const struct trial *trials, int count, double max,
		       bool *clean)
{
	enum outcome outcome, best = OUTCOME_DROPPED;
	double per_minute, fewest = 0;
	uint32_t chosen = 0;
	int i;

	*clean = false;
	for (i = 0; i < count; i++) {
		outcome = worst(trials, count, max, trials[i].speed,
				&per_minute);
		if (outcome == OUTCOME_CLEAN) {
			*clean = true;
			return trials[i].speed;
		}
		if (outcome > best || outcome >= OUTCOME_DROPPED ||
		    (outcome == best && per_minute >= fewest))
			continue;
		best = outcome;
		fewest = per_minute;
		chosen = trials[i].speed;
	}
	return chosen;
}

/* What becomes of a wish to slow down. */
static enum guard_act act(struct guarded *port, const struct guard_rule *rule,
			  int64_t now)
{
	enum guard_act what;

	if (now < port->hold_until || port->told || !port->speed)
		return GUARD_NOTHING;
	what = port->steps >= rule->steps ? GUARD_USED_UP :
	       !egpu_speed_below(port->speed) ? GUARD_SLOWEST : GUARD_STEP;
	port->told = what != GUARD_STEP;
	return what;
}

enum guard_act guard_errors(struct guarded *port,
			    const struct guard_rule *rule, double per_minute,
			    int64_t now)
{
	return per_minute > rule->max ? act(port, rule, now) : GUARD_NOTHING;
}

static void forget(struct guarded *port, int count)
{
	port->nr_losses -= count;
	memmove(port->loss, port->loss + count,
		(size_t)port->nr_losses * sizeof(port->loss[0]));
}

enum guard_act guard_losses(struct guarded *port,
			    const struct guard_rule *rule, int64_t now)
{
	int old = 0;

	while (old < port->nr_losses && port->loss[old] < now - rule->window_ms)
		old++;
	forget(port, old);
	return rule->drops && port->nr_losses >= rule->drops ?
	       act(port, rule, now) : GUARD_NOTHING;
}

void guard_lost(struct guarded *port, const struct guard_rule *rule,
		int count, int64_t now)
{
	guard_seen(port, rule, true, now);
	while (count--) {
		if (port->nr_losses == GUARD_LOSSES)
			forget(port, 1);
		port->loss[port->nr_losses++] = now;
	}
	port->away = true;
}

void guard_seen(struct guarded *port, const struct guard_rule *rule,
		bool present, int64_t now)
{
	bool late = port->away && port->nr_losses &&
		    now - port->loss[port->nr_losses - 1] > rule->away_ms;

	if (late)
		port->nr_losses--;
	if (present || late)
		port->away = false;
}

void guard_stepped(struct guarded *port, const struct guard_rule *rule,
		   uint32_t speed, int64_t now)
{
	port->speed = speed;
	port->limit = speed;
	port->steps++;
	port->hold_until = now + rule->hold_off_ms;
	port->nr_losses = 0;
	port->away = false;
}

void guard_limit(struct guarded *port, uint32_t ends, uint32_t best,
		 uint32_t limit)
{
	uint32_t speed = ends;

	if (best && best < speed)
		speed = best;
	if (limit && limit < speed)
		speed = limit;
	if (port->steps && (!limit || limit > port->limit)) {
		port->steps = 0;
		port->told = false;
	}
	port->speed = speed;
}

int guard_steps(uint32_t from, uint32_t to)
{
	int steps = 0;

	while (to && from > to) {
		from = egpu_speed_below(from);
		steps++;
	}
	return steps;
}
