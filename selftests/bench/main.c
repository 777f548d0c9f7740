// SPDX-License-Identifier: GPL-2.0
/*
 * egpu_bench WHAT ARG…: one table of what can be measured.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "bench.h"

static const struct {
	const char *name;
	int (*run)(int argc, char **argv);
} benches[] = {
	{ "lost", bench_lost },
	{ "removed", bench_removed },
	{ "link", bench_link },
	{ "dma", bench_dma },
	{ "load", bench_load },
	{ "readers", bench_readers },
	{ "scale", bench_scale },
	{ "crowd", bench_crowd },
	{ "events", bench_events },
	{ "exec", bench_exec },
	{ "query", bench_query },
	{ NULL, NULL }
};

uint64_t bench_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000ULL + t.tv_nsec;
}

void bench_die(const char *what)
{
	fprintf(stderr, "egpu_bench: %s%s%s\n", what, errno ? ": " : "",
		errno ? strerror(errno) : "");
	exit(1);
}

void bench_pair(uint64_t ours, uint64_t peer)
{
	printf("%.3f %.3f\n", ours / 1000.0, peer / 1000.0);
	fflush(stdout);
}

int main(int argc, char **argv)
{
	unsigned int i;

	for (i = 0; argc > 1 && benches[i].name; i++)
		if (!strcmp(benches[i].name, argv[1]))
			return benches[i].run(argc - 1, argv + 1);
	fprintf(stderr, "usage: egpu_bench WHAT ARG…\n");
	return 2;
}
