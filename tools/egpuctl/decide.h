/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The decisions of qualify and guard, as functions of numbers: which speed is
 * clean, and when a link is slowed down. Nothing here asks the module.
 */
#ifndef EGPUCTL_DECIDE_H
#define EGPUCTL_DECIDE_H

#include <stdbool.h>
#include <stdint.h>

#include "../lib/egpu.h"

/**
 * struct trial - one speed, tried
 * @speed: tenths of GT/s
 * @reached: the link came up at it
 * @run: with a driver bound and the user's command, not by reads
 * @seconds: how long it was measured
 * @count: errors meanwhile, by severity
 * @changed: speed that the link fell to by itself; 0: it stayed
 * @dropped: the device was lost
 */
struct trial {
	uint32_t speed;
	bool reached;
	bool run;
	double seconds;
	uint64_t count[EGPU_AER_COUNT];
	uint32_t changed;
	bool dropped;
};

/* From the best to the worst. */
enum outcome {
	OUTCOME_CLEAN = 0,
	OUTCOME_ERRORS,		/* more correctable ones than allowed */
	OUTCOME_CHANGED,	/* the link fell to another speed by itself */
	OUTCOME_SERIOUS,	/* nonfatal or fatal ones */
	OUTCOME_DROPPED,
	OUTCOME_NOT_REACHED,
};

/* Correctable errors a minute; 0 when nothing was measured. */
double trial_per_minute(const struct trial *trial);
/* @max: correctable errors a minute that are still clean */
enum outcome trial_outcome(const struct trial *trial, double max);

/**
 * trials_choose() - the speed to keep
 * @trials: each speed once or more often, fastest first
 * @count: how many
 * @max: correctable errors a minute that are still clean
 * @clean: out: it is; else it is the one with the fewest errors
 *
 * A speed is as good as its worst trial; of two that are as good, the faster.
 *
 * Return: tenths of GT/s; 0: none was reached without losing the device.
 */
uint32_t trials_choose(const struct trial *trials, int count, double max,
		       bool *clean);

/**
 * struct guard_rule - when a link is slowed down
 * @max: correctable errors a minute; more are too many
 * @drops: losses within @window_ms that are too many; 0: they do not count
 * @window_ms: how long a loss counts
 * @away_ms: one that is not back by then was unplugged: that is no drop
 * @hold_off_ms: nothing is done for so long after a step
 * @steps: speeds down at most
 */
struct guard_rule {
	double max;
	int drops;
	int64_t window_ms;
	int64_t away_ms;
	int64_t hold_off_ms;
	int steps;
};

#define GUARD_LOSSES	16

/**
 * struct guarded - one port and the device at it
 * @speed: what its link may run at now, tenths of GT/s; 0: not known
 * @steps: speeds down so far
 * @limit: that the last of them set
 * @hold_until: nothing is done before, ms
 * @loss: when it was lost, oldest first, ms
 * @nr_losses: how many of them
 * @away: it has not come back from the last one
 * @told: that nothing is left to do
 */
struct guarded {
	uint32_t speed;
	int steps;
	uint32_t limit;
	int64_t hold_until;
	int64_t loss[GUARD_LOSSES];
	int nr_losses;
	bool away;
	bool told;
};

enum guard_act {
	GUARD_NOTHING = 0,
	GUARD_STEP,		/* one speed down, now */
	GUARD_USED_UP,		/* would, but the steps are; said once */
	GUARD_SLOWEST,		/* would, but there is no slower one; likewise */
};

enum guard_act guard_errors(struct guarded *port,
			    const struct guard_rule *rule, double per_minute,
			    int64_t now);
enum guard_act guard_losses(struct guarded *port,
			    const struct guard_rule *rule, int64_t now);
/* It was lost; more losses at once are as many. */
void guard_lost(struct guarded *port, const struct guard_rule *rule,
		int count, int64_t now);
/* It is there (again), or it is not: looked at often enough. */
void guard_seen(struct guarded *port, const struct guard_rule *rule,
		bool present, int64_t now);
/* A step was taken: the link may run at @speed now. */
void guard_stepped(struct guarded *port, const struct guard_rule *rule,
		   uint32_t speed, int64_t now);

/*
 * The limit as it is found, when a watch begins and whenever it is looked at.
 * One that is higher than the last step's was raised by somebody: steps count
 * anew. @ends: what both ends can do; @best: seen since it came, 0: not known;
 * @limit: 0: none.
 */
void guard_limit(struct guarded *port, uint32_t ends, uint32_t best,
		 uint32_t limit);
/* Steps from one speed down to another. */
int guard_steps(uint32_t from, uint32_t to);

#endif /* EGPUCTL_DECIDE_H */
