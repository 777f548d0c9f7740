// SPDX-License-Identifier: GPL-2.0
/*
 * Times: the module counts CLOCK_MONOTONIC, people read clocks. And Ctrl-C.
 */
#include <stdlib.h>
#include <string.h>

#include "ctl.h"
#include "../lib/internal.h"	/* the clock that tests replace */

volatile sig_atomic_t interrupted;
volatile sig_atomic_t interrupts;

static uint64_t read_clock(clockid_t clock)
{
	struct timespec ts = { 0 };

	egpu_sys_clock(clock, &ts);
	return (uint64_t)ts.tv_sec * 1000000000ULL + (uint64_t)ts.tv_nsec;
}

uint64_t monotonic_ns(void)
{
	return read_clock(CLOCK_MONOTONIC);
}

int64_t now_ms(void)
{
	return (int64_t)(monotonic_ns() / 1000000);
}

/*
 * How far another clock is ahead, to a millisecond: both are read one after the
 * other, and again when something came between.
 */
static int64_t ahead_of_monotonic(clockid_t clock)
{
	uint64_t before, after;
	int64_t ahead;
	int tries = 10;

	do {
		before = monotonic_ns();
		ahead = (int64_t)(read_clock(clock) - before);
		after = monotonic_ns();
	} while (after - before > 200000 && --tries);
	return (ahead + 500000) / 1000000 * 1000000;
}

struct timespec wall_of(uint64_t monotonic)
{
	int64_t ns = (int64_t)monotonic + ahead_of_monotonic(CLOCK_REALTIME);

	return (struct timespec){ ns / 1000000000, ns % 1000000000 };
}

uint64_t monotonic_of_boottime(uint64_t boottime)
{
	return boottime - (uint64_t)ahead_of_monotonic(CLOCK_BOOTTIME);
}

/* The time, with the date when that is another day. */
const char *time_text(uint64_t monotonic, char buf[24])
{
	struct timespec then = wall_of(monotonic), now;
	struct tm tm, today;

	egpu_sys_clock(CLOCK_REALTIME, &now);
	localtime_r(&then.tv_sec, &tm);
	localtime_r(&now.tv_sec, &today);
	if (tm.tm_yday == today.tm_yday && tm.tm_year == today.tm_year)
		strftime(buf, 24, "%H:%M:%S", &tm);
	else
		strftime(buf, 24, "%Y-%m-%d %H:%M:%S", &tm);
	return buf;
}

const char *clock_text(uint64_t monotonic, char buf[24])
{
	struct timespec then = wall_of(monotonic);
	struct tm tm;

	localtime_r(&then.tv_sec, &tm);
	strftime(buf, 24, "%H:%M:%S", &tm);
	return buf;
}

const char *minute_text(uint64_t monotonic, char buf[24])
{
	time_text(monotonic, buf);
	buf[strlen(buf) - strlen(":00")] = 0;
	return buf;
}

const char *rfc3339(uint64_t monotonic, char buf[40])
{
	struct timespec then = wall_of(monotonic);
	struct tm tm;
	size_t len;

	gmtime_r(&then.tv_sec, &tm);
	len = strftime(buf, 40, "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(buf + len, 40 - len, ".%03ldZ", then.tv_nsec / 1000000);
	return buf;
}

static void on_interrupt(int signal)
{
	(void)signal;
	interrupted = 1;
	interrupts++;
}

/* Without SA_RESTART: poll() has to come back. */
void catch_interrupt(void)
{
	struct sigaction action = { .sa_handler = on_interrupt };

	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
}
