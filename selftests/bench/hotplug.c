// SPDX-License-Identifier: GPL-2.0
/*
 * egpu_bench lost PORT: when a reader of /dev/egpu has the event that its GPU was
 * lost.
 *
 * egpu_bench removed kernel|udev ADDRESS: when a reader of uevents, as udevadm
 * monitor is one, has the one that this PCI function was removed.
 *
 * Both say "ready" when they listen, and the time: microseconds of
 * CLOCK_MONOTONIC. They have looked for something once before: who watches runs
 * for days, and what a program costs that does all for the first time is not
 * what a reader waits for.
 *
 * egpu_bench link PORT SPEED: how long LINK_SET takes, from the call until its
 * end is read, in microseconds.
 */
#include <errno.h>
#include <linux/netlink.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../../tools/lib/egpu.h"
#include "bench.h"

#define KERNEL	1	/* netlink groups: what the kernel says ... */
#define UDEV	2	/* ... and udevd when it is done with that */

static void say_ready(void)
{
	printf("ready\n");
	fflush(stdout);
}

static int say_time(uint64_t ns)
{
	printf("%llu\n", (unsigned long long)ns / 1000);
	return 0;
}

static int die_errno(const char *what, int ret)
{
	errno = -ret;
	bench_die(what);
}

static uint32_t port_open(struct egpu **egpu, const char *word)
{
	struct egpu_address want, at;
	struct egpu_port_info *ports;
	uint32_t port = 0;
	int i, n;

	n = egpu_open(egpu);
	if (n < 0)
		die_errno("/dev/egpu", n);
	if (!egpu_address_parse(word, &want))
		return strtoul(word, NULL, 0);
	n = egpu_ports(*egpu, true, &ports);
	for (i = 0; i < n; i++) {
		at = egpu_port_address(&ports[i]);
		if (egpu_address_equal(&at, &want))
			port = ports[i].port;
	}
	free(ports);
	return port;
}

int bench_lost(int argc, char **argv)
{
	struct egpu_event event;
	struct egpu *egpu;
	uint32_t port;
	int ret;

	if (argc != 2)
		return 2;
	port = port_open(&egpu, argv[1]);
	ret = egpu_subscribe(egpu, EGPU_EVENT_BIT(EGPU_EVENT_STATE), port, NULL);
	if (ret < 0)
		die_errno("subscribe", ret);
	bench_ns();
	egpu_event_next(egpu, &event, 0);
	say_ready();
	do {
		ret = egpu_event_next(egpu, &event, -1);
		if (ret < 0)
			die_errno("event", ret);
	} while (!ret || event.to != EGPU_STATE_LOST);
	return say_time(bench_ns());
}

static int uevents_open(unsigned int group)
{
	struct sockaddr_nl address = {
		.nl_family = AF_NETLINK, .nl_groups = group,
	};
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC,
			NETLINK_KOBJECT_UEVENT);

	if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)))
		bench_die("uevents");
	return fd;
}

/* One of NAME=VALUE, each ended by a zero; udevd puts a header before them. */
static bool has(const char *buf, size_t size, const char *name,
		const char *value)
{
	size_t len = strlen(name), total = len + strlen(value);
	const char *at = buf;

	while ((at = memmem(at, (size_t)(buf + size - at), name, len))) {
		size_t is = strnlen(at, (size_t)(buf + size - at));

		if (is >= total && !strcmp(at + is - strlen(value), value))
			return true;
		at += len;
	}
	return false;
}

static bool is_removal(int fd, const char *address)
{
	char buf[8192];
	ssize_t got = recv(fd, buf, sizeof(buf) - 1, MSG_DONTWAIT);

	if (got < 0 && errno != EAGAIN)
		bench_die("uevent");
	buf[got < 0 ? 0 : got] = 0;
	return has(buf, got < 0 ? 0 : (size_t)got, "ACTION=remove", "") &&
	       has(buf, (size_t)got, "DEVPATH=", address);
}

int bench_removed(int argc, char **argv)
{
	struct pollfd pollfd = { .events = POLLIN };

	if (argc != 3)
		return 2;
	pollfd.fd = uevents_open(strcmp(argv[1], "udev") ? KERNEL : UDEV);
	bench_ns();
	poll(&pollfd, 1, 0);
	is_removal(pollfd.fd, argv[2]);
	say_ready();
	do {
		poll(&pollfd, 1, -1);
	} while (!is_removal(pollfd.fd, argv[2]));
	return say_time(bench_ns());
}

int bench_link(int argc, char **argv)
{
	struct egpu *egpu;
	uint32_t port, speed, transaction;
	uint64_t start;
	int ret;

	if (argc != 3 || !egpu_speed_parse(argv[2], &speed))
		return 2;
	port = port_open(&egpu, argv[1]);
	ret = egpu_subscribe(egpu, EGPU_EVENTS_ALL, port, NULL);
	if (ret < 0)
		die_errno("subscribe", ret);
	start = bench_ns();
	ret = egpu_link_set(egpu, port, EGPU_LINK_SET_SPEED |
			    EGPU_LINK_SET_LIVE, speed, 0, 0, &transaction);
	if (!ret)
		ret = egpu_transaction_wait(egpu, port, transaction, NULL,
					    NULL);
	if (ret < 0)
		die_errno("LINK_SET", ret);
	return say_time(bench_ns() - start);
}
