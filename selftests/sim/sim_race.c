// SPDX-License-Identifier: GPL-2.0
/*
 * sim_race FABRIC: a fabric is made live again before who waits for its end has
 * had a chance to look. FABRIC is its folder; it is live, and takes a while to
 * stop. The waiter, a child, runs only when nobody else wants the processor, and
 * nobody sleeps between the fabric's end and its new start.
 *
 * Says "overtaken" when live=0 has returned although the fabric is live again.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *fabric;

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static int attribute(const char *name, int flags)
{
	char path[128];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", fabric, name);
	fd = open(path, flags);
	if (fd < 0)
		die(path);
	return fd;
}

static void live(const char *value)
{
	int fd = attribute("live", O_WRONLY);

	if (write(fd, value, 1) != 1)
		die("live");
	close(fd);
}

static int is(const char *state)
{
	char text[64] = "";
	int fd = attribute("status", O_RDONLY);

	if (read(fd, text, sizeof(text) - 1) < 0)
		die("status");
	close(fd);
	return !strncmp(text, state, strlen(state));
}

static void wait_for_end(void)
{
	const struct sched_param param = { 0 };

	if (sched_setscheduler(0, SCHED_IDLE, &param))
		die("SCHED_IDLE");
	live("0");
	exit(0);
}

int main(int argc, char **argv)
{
	cpu_set_t first;
	int status;
	pid_t child;

	if (argc != 2)
		return 2;
	fabric = argv[1];
	CPU_ZERO(&first);
	CPU_SET(0, &first);
	if (sched_setaffinity(0, sizeof(first), &first))
		die("affinity");
	child = fork();
	if (!child)
		wait_for_end();
	while (!is("stopping"))
		usleep(1000);
	while (is("stopping"))
		;
	live("1");
	alarm(10);
	signal(SIGALRM, SIG_DFL);
	if (waitpid(child, &status, 0) != child || status)
		die("child");
	puts(is("live") ? "overtaken" : "not live");
	return 0;
}
