// SPDX-License-Identifier: GPL-2.0
/*
 * egpu_bench load FILE PORTS ROUNDS: load the module and unload it, with so many
 * ports that it tracks.
 *
 * egpu_bench scale CARD ROUNDS: attach a simulated device (its folder in configfs)
 * while 1, 16 and all ports are tracked; the rest is forgotten meanwhile.
 *
 * egpu_bench readers COUNT: as many readers of events, until the input ends.
 *
 * They print "WHAT VALUE" or "WHAT OURS PEER" a line.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "../../tools/lib/egpu.h"
#include "bench.h"

#define STATISTICS	"/sys/kernel/config/egpu_sim/*/*/statistics"
#define LOOK_US		5000
#define LOOKS_MAX	4000
#define SETTLE_US	200000

static void put(const char *dir, const char *name, const char *text)
{
	char path[PATH_MAX];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		bench_die(path);
	close(fd);
}

/* For loops that wait; it dies when it was to look too often. */
static void look_again(int looks, const char *what)
{
	errno = 0;
	if (looks > LOOKS_MAX)
		bench_die(what);
	usleep(LOOK_US);
}

static struct egpu *open_egpu(void)
{
	struct egpu *egpu;
	int ret = egpu_open(&egpu);

	errno = -ret;
	if (ret)
		bench_die("/dev/egpu");
	return egpu;
}

/* --- load --- */

/* Are so many ports tracked, and was looked at what is below each? */
static bool all_known(struct egpu *egpu, int want)
{
	struct egpu_port_info *ports;
	int n = egpu_ports(egpu, false, &ports), i, known = 0;

	for (i = 0; i < n; i++)
		known += ports[i].secondary && (ports[i].state ==
			EGPU_STATE_EMPTY || ports[i].state == EGPU_STATE_READY);
	free(ports);
	return n == want && known == want;
}

static void load_once(const char *path, int ports)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	uint64_t began = bench_ns(), loaded;
	struct egpu *egpu;
	int i;

	if (fd < 0 || syscall(SYS_finit_module, fd, "", 0))
		bench_die(path);
	loaded = bench_ns() - began;
	close(fd);
	egpu = open_egpu();
	for (i = 0; !all_known(egpu, ports); i++)
		look_again(i, "ports were not looked at");
	printf("insmod %.3f\nready %.3f\n", loaded / 1e6,
	       (bench_ns() - began) / 1e6);
	egpu_close(egpu);
}

int bench_load(int argc, char **argv)
{
	int rounds = argc == 4 ? atoi(argv[3]) : 0;
	uint64_t began;

	while (rounds--) {
		load_once(argv[1], atoi(argv[2]));
		began = bench_ns();
		if (syscall(SYS_delete_module, "egpu", O_NONBLOCK))
			bench_die("rmmod");
		printf("rmmod %.3f\n", (bench_ns() - began) / 1e6);
	}
	return argc == 4 ? 0 : 2;
}

/* --- scale --- */

static glob_t statistics;
static struct egpu_port_info *ports;
static int nr_ports, tracked;

/* Configuration accesses to all ports and what is below them. */
static double accesses(void)
{
	char line[64];
	double sum = 0;
	size_t i;
	FILE *f;

	for (i = 0; i < statistics.gl_pathc; i++) {
		f = fopen(statistics.gl_pathv[i], "r");
		if (!f)
			bench_die(statistics.gl_pathv[i]);
		while (fgets(line, sizeof(line), f))
			if (!strncmp(line, "reads=", 6) ||
			    !strncmp(line, "writes=", 7))
				sum += atof(strchr(line, '=') + 1);
		fclose(f);
	}
	return sum;
}

/* Milliseconds that all other tasks have run; the kernel's have no threads. */
static double cpu_time(void)
{
	DIR *proc = opendir("/proc");
	struct dirent *e;
	char path[300];
	double ns, sum = 0;
	FILE *f;

	while ((e = readdir(proc))) {
		if (atoi(e->d_name) <= 0 || atoi(e->d_name) == getpid())
			continue;
		snprintf(path, sizeof(path), "/proc/%s/schedstat", e->d_name);
		f = fopen(path, "r");
		if (f && fscanf(f, "%lf", &ns) == 1)
			sum += ns;
		if (f)
			fclose(f);
	}
	closedir(proc);
	return sum / 1e6;
}

/* The first of them, and others: so many are tracked. */
static void track(struct egpu *egpu, int want)
{
	struct egpu_port_config config = { 0 };
	int i, ret;

	for (i = want < tracked ? want : tracked;
	     i < (want < tracked ? tracked : want); i++) {
		config.flags = want < tracked ? EGPU_CONFIG_FORGET :
						EGPU_CONFIG_TRACK;
		config.port = ports[i].port;
		ret = egpu_config(egpu, &config);
		errno = -ret;
		if (ret)
			bench_die("PORT_CONFIG");
	}
	tracked = want;
	for (i = 0; !all_known(egpu, want); i++)
		look_again(i, "ports are not tracked");
	usleep(SETTLE_US);
}

static void wait_state(struct egpu *egpu, enum egpu_state state)
{
	struct egpu_port_info info;
	int i;

	for (i = 0; !egpu_port(egpu, ports[0].port, &info) &&
	     info.state != state; i++)
		look_again(i, egpu_state_name(info.state));
	usleep(SETTLE_US);
}

static void attach(struct egpu *egpu, const char *card, double *cpu,
		   double *made)
{
	double cpu_was, made_was = accesses();

	cpu_was = cpu_time();
	put(card, "present", "1");
	wait_state(egpu, EGPU_STATE_READY);
	*cpu = cpu_time() - cpu_was;
	*made = accesses() - made_was;
	put(card, "present", "0");
	wait_state(egpu, EGPU_STATE_EMPTY);
}

/* The port of a card is the first of all. */
static void ports_learn(struct egpu *egpu, const char *card)
{
	struct egpu_address want, at;
	struct egpu_port_info swap;
	char path[PATH_MAX], text[32] = "";
	int i, fd;

	snprintf(path, sizeof(path), "%s/../address", card);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || read(fd, text, sizeof(text) - 1) < 0)
		bench_die(path);
	close(fd);
	text[strcspn(text, "\n")] = '\0';
	nr_ports = egpu_ports(egpu, false, &ports);
	tracked = nr_ports;
	for (i = 0; i < nr_ports && egpu_address_parse(text, &want); i++) {
		at = egpu_port_address(&ports[i]);
		if (!egpu_address_equal(&at, &want))
			continue;
		swap = ports[0];
		ports[0] = ports[i];
		ports[i] = swap;
		return;
	}
	errno = 0;
	bench_die("whose card is it");
}

int bench_scale(int argc, char **argv)
{
	struct egpu_port_config config = { .flags = EGPU_CONFIG_QUARANTINE };
	double cpu[3], made[3];
	struct egpu *egpu;
	int rounds, i, n;

	if (argc != 3)
		return 2;
	egpu = open_egpu();
	if (glob(STATISTICS, 0, NULL, &statistics))
		bench_die(STATISTICS);
	ports_learn(egpu, argv[1]);
	config.port = ports[0].port;	/* is lost often on purpose */
	if (egpu_config(egpu, &config))
		bench_die("PORT_CONFIG");
	for (rounds = atoi(argv[2]); rounds > 0; rounds--) {
		const int counts[] = { 1, 16, nr_ports };

		/* Up and down by turns, so that none always comes first. */
		for (n = 0; n < 3; n++) {
			i = rounds % 2 ? n : 2 - n;
			track(egpu, counts[i]);
			attach(egpu, argv[1], &cpu[i], &made[i]);
		}
		for (i = 1; i < 3; i++) {
			printf("cpu_%d %.3f %.3f\n", counts[i], cpu[i], cpu[0]);
			printf("accesses_%d %.0f %.0f\n", counts[i], made[i],
			       made[0]);
		}
	}
	egpu_close(egpu);
	return 0;
}

/* --- readers --- */

int bench_readers(int argc, char **argv)
{
	int i, count = argc == 2 ? atoi(argv[1]) : 0;
	char byte;

	for (i = 0; i < count; i++)
		if (egpu_subscribe(open_egpu(), EGPU_EVENTS_ALL, 0, NULL))
			bench_die("EVENT_SUBSCRIBE");
	puts("open");
	fflush(stdout);
	return read(STDIN_FILENO, &byte, 1) < 0;
}
