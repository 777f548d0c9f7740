// SPDX-License-Identifier: GPL-2.0
/*
 * egpu_bench exec COUNT OURS… -- PEER…: whole processes, in turns, from before
 * the fork to their end; what they print is thrown away. The peer may exit with 1:
 * fuser does when nobody is found.
 */
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"

static uint64_t run(char **argv, int most)
{
	posix_spawn_file_actions_t actions;
	uint64_t start;
	int status;
	pid_t pid;

	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
	posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0);
	start = bench_ns();
	errno = posix_spawnp(&pid, argv[0], &actions, NULL, argv, environ);
	if (errno || waitpid(pid, &status, 0) < 0)
		bench_die(argv[0]);
	start = bench_ns() - start;
	posix_spawn_file_actions_destroy(&actions);
	if (!WIFEXITED(status) || WEXITSTATUS(status) > most)
		bench_die(argv[0]);
	return start;
}

int bench_exec(int argc, char **argv)
{
	unsigned long count;
	char **peer;
	uint64_t ours;

	if (argc < 3)
		bench_die("exec COUNT OURS… -- PEER…");
	count = strtoul(argv[1], NULL, 10);
	argv += 2;
	for (peer = argv; *peer && strcmp(*peer, "--"); peer++)
		;
	if (!*peer || !peer[1])
		bench_die("exec COUNT OURS… -- PEER…");
	*peer++ = NULL;
	/* not counted: what is read for the first time */
	run(argv, 0);
	run(peer, 1);
	while (count--) {
		ours = run(argv, 0);
		bench_pair(ours, run(peer, 1));
	}
	return 0;
}
