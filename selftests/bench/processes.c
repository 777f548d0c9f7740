// SPDX-License-Identifier: GPL-2.0
/*
 * egpu_bench crowd PROCESSES FILES: so many processes that have nothing to do
 * with a GPU, each with so many files open: regular files, sockets, event
 * counters and /dev/null, a quarter each. Says "ready"; they end with it.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bench.h"

static int open_one(unsigned long i)
{
	switch (i % 4) {
	case 0:
		return open("/proc/self/exe", O_RDONLY);
	case 1:
		return socket(AF_UNIX, SOCK_STREAM, 0);
	case 2:
		return eventfd(0, 0);
	default:
		return open("/dev/null", O_RDWR);
	}
}

__attribute__((noreturn))
static void member(unsigned long files, int ready)
{
	unsigned long i;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (i = 0; i < files; i++)
		if (open_one(i) < 0)
			bench_die("a file of the crowd");
	if (write(ready, "", 1) != 1)
		bench_die("write");
	for (;;)
		pause();
}

int bench_crowd(int argc, char **argv)
{
	unsigned long processes, files, i;
	int ready[2];
	char byte;
	pid_t pid;

	if (argc != 3)
		bench_die("crowd PROCESSES FILES");
	processes = strtoul(argv[1], NULL, 10);
	files = strtoul(argv[2], NULL, 10);
	if (pipe2(ready, O_CLOEXEC))
		bench_die("pipe");
	for (i = 0; i < processes; i++) {
		pid = fork();
		if (pid < 0)
			bench_die("fork");
		if (!pid)
			member(files, ready[1]);
		if (read(ready[0], &byte, 1) != 1)
			bench_die("one of the crowd");
	}
	puts("ready");
	fflush(stdout);
	for (;;)
		pause();
}
