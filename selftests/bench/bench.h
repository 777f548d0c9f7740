/* SPDX-License-Identifier: GPL-2.0 */
/*
 * egpu_bench: measurements that a shell is too slow for, one file a subject.
 * Each prints "OURS PEER" a line, for pair() of lib/bench.sh, or with a word
 * before that, for pairs_of().
 */
#ifndef EGPU_BENCH_H
#define EGPU_BENCH_H

#include <stdint.h>

/* bench_ns() - CLOCK_MONOTONIC */
uint64_t bench_ns(void);

/* bench_die() - say what failed (errno, unless it is 0), exit 1 */
void __attribute__((noreturn)) bench_die(const char *what);

/* bench_pair() - print a pair in microseconds, from nanoseconds */
void bench_pair(uint64_t ours, uint64_t peer);

/* hotplug.c */
int bench_lost(int argc, char **argv);
int bench_removed(int argc, char **argv);
int bench_link(int argc, char **argv);

/* crowd.c */
int bench_load(int argc, char **argv);
int bench_readers(int argc, char **argv);
int bench_scale(int argc, char **argv);

/* dma.c */
int bench_dma(int argc, char **argv);

/* one of main.c's table a file */
int bench_crowd(int argc, char **argv);
int bench_events(int argc, char **argv);
int bench_exec(int argc, char **argv);
int bench_query(int argc, char **argv);

#endif /* EGPU_BENCH_H */
