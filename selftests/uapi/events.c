// SPDX-License-Identifier: GPL-2.0
/*
 * EVENT_SUBSCRIBE, read() and poll(): who is told what, when a reader waits,
 * what wakes it and what interrupts it.
 *
 * Events are produced by PORT_CONFIG: each change of a limit is one of type
 * CONFIG, and the limit stands in PORT_INFO.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "uapi.h"

static volatile sig_atomic_t signals;

static void count_signal(int nr)
{
	(void)nr;
	signals++;
}

static void catch_signal(int nr, int flags)
{
	struct sigaction act = { .sa_handler = count_signal, .sa_flags = flags };

	sigaction(nr, &act, NULL);
}

/* Return: bytes, or a negative errno. */
static int get(int fd, void *buf, size_t size)
{
	ssize_t n = read(fd, buf, size);

	return n < 0 ? -errno : n;
}

static bool readable(int fd, int ms)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	return poll(&p, 1, ms) == 1 && p.revents & POLLIN;
}

/* Produces n CONFIG events. */
static void produce(int fd, uint32_t port, unsigned int n)
{
	static uint32_t window = 1000;

	while (n--)
		EXPECT_ERR(dev_set_window(fd, port, ++window), 0, "PORT_CONFIG");
}

static int subscribed(uint64_t mask, uint32_t port, int flags)
{
	int fd = dev_open(O_RDWR | flags);

	EXPECT_ERR(dev_subscribe(fd, mask, port, NULL), 0, "SUBSCRIBE");
	return fd;
}

static int test_record(const void *arg)
{
	int root = dev_open(O_RDWR);
	int fd = subscribed(EVENT_BIT(CONFIG), su.port, O_NONBLOCK);
	struct egpu_port_info info;
	struct timespec now;
	struct egpu_event e[3];
	uint64_t seq, ns;

	(void)arg;
	EXPECT_ERR(dev_subscribe(fd, EVENT_BIT(CONFIG), su.port, &seq), 0,
		   "SUBSCRIBE");
	memset(e, 0xa5, sizeof(e));
	clock_gettime(CLOCK_MONOTONIC, &now);
	ns = now.tv_sec * 1000000000ULL + now.tv_nsec;
	produce(root, su.port, 1);
	dev_info(root, su.port, &info);
	EXPECT(readable(fd, 1000), "nothing to read");
	EXPECT(get(fd, e, sizeof(e)) == sizeof(e[0]), "not one record");
	EXPECT(e[0].size == sizeof(e[0]), "size %u", e[0].size);
	EXPECT(e[0].type == EGPU_EVENT_CONFIG, "type %u", e[0].type);
	EXPECT(e[0].seq > seq, "seq %llu after %llu",
	       (unsigned long long)e[0].seq, (unsigned long long)seq);
	EXPECT(e[0].time_ns >= ns && e[0].time_ns < ns + 10000000000ULL,
	       "time %llu, now %llu", (unsigned long long)e[0].time_ns,
	       (unsigned long long)ns);
	EXPECT(e[0].port == su.port && e[0].domain == su.domain &&
	       e[0].bus == su.bus && e[0].devfn == su.devfn, "port");
	EXPECT(e[0].generation == info.generation, "generation");
	EXPECT(!e[0].reserved && !e[0].reserved2, "reserved is not 0");
	EXPECT(strnlen(e[0].name, EGPU_NAME_LEN) < EGPU_NAME_LEN, "name");
	EXPECT(e[1].size == 0xa5a5a5a5, "wrote behind the record");
	return test_result();
}

static int test_not_subscribed(const void *arg)
{
	int root = dev_open(O_RDWR), fd = dev_open(O_RDWR | O_NONBLOCK);
	struct egpu_event e;

	(void)arg;
	produce(root, su.port, 2);
	EXPECT(get(fd, &e, sizeof(e)) == -EAGAIN, "read before subscribing");
	EXPECT(!readable(fd, 0), "poll before subscribing");
	EXPECT_ERR(dev_subscribe(fd, EVENT_BIT(CONFIG), 0, NULL), 0,
		   "SUBSCRIBE");
	EXPECT(get(fd, &e, sizeof(e)) == -EAGAIN, "an event from before");
	produce(root, su.port, 1);
	EXPECT(get(fd, &e, sizeof(e)) == sizeof(e), "no event");
	EXPECT_ERR(dev_subscribe(fd, 0, 0, NULL), 0, "mask 0");
	produce(root, su.port, 1);
	EXPECT(get(fd, &e, sizeof(e)) == -EAGAIN, "an event after the end");
	return test_result();
}

static int test_resubscribe(const void *arg)
{
	int root = dev_open(O_RDWR);
	int fd = subscribed(EVENT_BIT(CONFIG), su.port, O_NONBLOCK);
	struct egpu_event e[8];

	(void)arg;
	produce(root, su.port, 3);
	EXPECT_ERR(dev_subscribe(fd, EVENT_BIT(STATE), su.port, NULL), 0,
		   "another filter");
	produce(root, su.port, 2);
	EXPECT(get(fd, e, sizeof(e)) == 3 * sizeof(e[0]),
	       "what was queued did not stay");
	EXPECT_ERR(dev_subscribe(fd, EVENT_BIT(CONFIG), NO_PORT, NULL), ENOENT,
		   "no such port");
	produce(root, su.port, 1);
	EXPECT(get(fd, e, sizeof(e)) == -EAGAIN,
	       "a refused subscription had an effect");
	return test_result();
}

static int test_mask(const void *arg)
{
	int root = dev_open(O_RDWR);
	int config = subscribed(EVENT_BIT(CONFIG), su.port, O_NONBLOCK);
	int others = subscribed(EVENT_ALL & ~EVENT_BIT(CONFIG), su.port,
				O_NONBLOCK);
	struct egpu_event e[16];
	int i, n;

	(void)arg;
	produce(root, su.port, 5);
	EXPECT(get(config, e, sizeof(e)) == 5 * sizeof(e[0]), "not 5 records");
	EXPECT(get(others, e, sizeof(e)) == -EAGAIN, "types not asked for");
	/* These two change the state, too. */
	dev_track(root, EGPU_CONFIG_FORGET, su.port);
	dev_settle(root, su.port);
	dev_track(root, EGPU_CONFIG_TRACK, su.port);
	dev_settle(root, su.port);
	n = get(config, e, sizeof(e));
	for (i = 0; i < n / (int)sizeof(e[0]); i++)
		EXPECT(e[i].type == EGPU_EVENT_CONFIG, "type %u", e[i].type);
	n = get(others, e, sizeof(e));
	EXPECT(n > 0, "no event of FORGET and TRACK");
	for (i = 0; i < n / (int)sizeof(e[0]); i++)
		EXPECT(e[i].type != EGPU_EVENT_CONFIG, "type %u", e[i].type);
	dev_restore();
	return test_result();
}

static int test_port_filter(const void *arg)
{
	int root = dev_open(O_RDWR), one, all;
	struct egpu_event e[16];
	int i, n, seen = 0;

	(void)arg;
	dev_track(root, EGPU_CONFIG_TRACK, su.second);
	dev_settle(root, su.second);
	one = subscribed(EVENT_BIT(CONFIG), su.port, O_NONBLOCK);
	all = subscribed(EVENT_BIT(CONFIG), 0, O_NONBLOCK);
	produce(root, su.second, 3);
	produce(root, su.port, 2);
	produce(root, su.second, 1);
	n = get(one, e, sizeof(e));
	EXPECT(n == 2 * (int)sizeof(e[0]), "%d bytes for one port", n);
	for (i = 0; i < n / (int)sizeof(e[0]); i++)
		EXPECT(e[i].port == su.port, "port %u", e[i].port);
	n = get(all, e, sizeof(e));
	EXPECT(n == 6 * (int)sizeof(e[0]), "%d bytes for all ports", n);
	for (i = 0; i < n / (int)sizeof(e[0]); i++)
		seen += e[i].port == su.second;
	EXPECT(seen == 4, "%d events of the other port", seen);
	dev_track(root, EGPU_CONFIG_FORGET, su.second);
	return test_result();
}

static int test_short_buffer(const void *arg)
{
	int root = dev_open(O_RDWR);
	int fd = subscribed(EVENT_BIT(CONFIG), su.port, O_NONBLOCK);
	char buf[3 * sizeof(struct egpu_event)], *p;
	size_t size;
	int n;

	(void)arg;
	n = get(fd, buf, 1);
	EXPECT(n == -EINVAL || n == -EAGAIN, "empty and short: %d", n);
	EXPECT(get(fd, buf, sizeof(buf)) == -EAGAIN, "empty");
	produce(root, su.port, 2);
	for (size = 0; size < sizeof(struct egpu_event); size++) {
		n = get(fd, buf, size);
		EXPECT(n == -EINVAL || (!n && !size), "%zu bytes: %d", size, n);
	}
	/* One and a half: one is given, the other stays. */
	size = sizeof(struct egpu_event) * 3 / 2;
	p = guard_alloc(size);
	memset(p, 0xa5, size);
	n = get(fd, p, size);
	EXPECT(n == sizeof(struct egpu_event), "room for 1.5: %d", n);
	EXPECT((p[sizeof(struct egpu_event)] & 0xff) == 0xa5,
	       "part of a record was written");
	n = get(fd, buf, sizeof(buf));
	EXPECT(n == sizeof(struct egpu_event), "the other: %d", n);
	EXPECT(get(fd, buf, sizeof(buf)) == -EAGAIN, "and no more");
	return test_result();
}

/* --- waiting --- */

struct later {
	unsigned int ms;
	int fd;
};

static void *produce_later(void *arg)
{
	struct later *l = arg;

	usleep(l->ms * 1000);
	produce(l->fd, su.port, 1);
	return NULL;
}

static int test_wakeup(const void *arg)
{
	struct later l = { .ms = 200, .fd = dev_open(O_RDWR) };
	int fd = subscribed(EVENT_BIT(CONFIG), su.port, 0);
	struct egpu_event e;
	pthread_t thread;

	(void)arg;
	EXPECT(!readable(fd, 100), "readable with nothing there");
	pthread_create(&thread, NULL, produce_later, &l);
	EXPECT(readable(fd, 10000), "poll was not woken");
	pthread_join(thread, NULL);
	EXPECT(readable(fd, 0), "not readable any more, though unread");
	EXPECT(get(fd, &e, sizeof(e)) == sizeof(e), "read");
	EXPECT(!readable(fd, 0), "readable with nothing left");
	pthread_create(&thread, NULL, produce_later, &l);
	EXPECT(get(fd, &e, sizeof(e)) == sizeof(e), "read was not woken");
	pthread_join(thread, NULL);
	/* O_NONBLOCK set later counts, too. */
	fcntl(fd, F_SETFL, O_NONBLOCK);
	EXPECT(get(fd, &e, sizeof(e)) == -EAGAIN, "F_SETFL O_NONBLOCK");
	return test_result();
}

static int test_other_type(const void *arg)
{
	struct later l = { .ms = 100, .fd = dev_open(O_RDWR) };
	int fd = subscribed(EVENT_BIT(TRANSACTION), su.port, 0);
	pthread_t thread;

	(void)arg;
	pthread_create(&thread, NULL, produce_later, &l);
	EXPECT(!readable(fd, 500), "woken by a type that was not asked for");
	pthread_join(thread, NULL);
	return test_result();
}

/* Signals this process' main thread after a while, again and again. */
static pid_t alarm_child(int nr, unsigned int ms, unsigned int times)
{
	pid_t parent = getpid(), pid = fork();

	if (pid)
		return pid;
	while (times--) {
		usleep(ms * 1000);
		kill(parent, nr);
	}
	_exit(0);
}

static int test_eintr(const void *arg)
{
	int fd = subscribed(EVENT_BIT(CONFIG), su.port, 0);
	struct egpu_event e;
	pid_t pid;
	int n;

	(void)arg;
	catch_signal(SIGUSR1, 0);
	pid = alarm_child(SIGUSR1, 200, 1);
	n = get(fd, &e, sizeof(e));
	EXPECT(n == -EINTR && signals == 1, "read: %d after %d signals", n,
	       signals);
	waitpid(pid, NULL, 0);
	pid = alarm_child(SIGUSR1, 200, 1);
	EXPECT(!readable(fd, 10000) && errno == EINTR, "poll: %s",
	       err_name(errno));
	waitpid(pid, NULL, 0);
	return test_result();
}

static int test_restart(const void *arg)
{
	struct later l = { .ms = 1000, .fd = dev_open(O_RDWR) };
	int fd = subscribed(EVENT_BIT(CONFIG), su.port, 0), n;
	struct egpu_event e;
	pthread_t thread;
	sigset_t set;
	pid_t pid;

	(void)arg;
	catch_signal(SIGUSR1, SA_RESTART);
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	pthread_create(&thread, NULL, produce_later, &l);
	pthread_sigmask(SIG_UNBLOCK, &set, NULL);
	pid = alarm_child(SIGUSR1, 100, 5);
	n = get(fd, &e, sizeof(e));
	EXPECT(n == sizeof(e) && signals >= 3, "read: %d after %d signals", n,
	       signals);
	waitpid(pid, NULL, 0);
	pthread_join(thread, NULL);
	return test_result();
}

/* Ioctls never sleep for long, so a storm of signals is never seen. */
static int test_signal_storm(const void *arg)
{
	int fd = dev_open(O_RDWR), want, err;
	struct itimerspec often = { .it_interval.tv_nsec = 300000,
				    .it_value.tv_nsec = 300000 };
	char image[MAX_ARG];
	unsigned int round, i;
	timer_t timer;

	(void)arg;
	catch_signal(SIGALRM, 0);
	timer_create(CLOCK_MONOTONIC, NULL, &timer);
	timer_settime(timer, 0, &often, NULL);
	for (round = 0; round < 200; round++) {
		for (i = 0; i < nr_ioctls; i++) {
			if (ioctl_table[i].cmd == EGPU_IOC_ATTACH)
				continue;
			memset(image, 0, sizeof(image));
			want = ioctl_table[i].fill(image);
			err = dev_call(fd, ioctl_table[i].cmd, image);
			EXPECT_ERR(err, want, "%s", ioctl_table[i].name);
		}
	}
	timer_delete(timer);
	EXPECT(signals > 10, "only %d signals came", signals);
	return test_result();
}

static int test_killed_reader(const void *arg)
{
	int root = dev_open(O_RDWR), fd, status;
	struct egpu_event e;
	pid_t pid = fork();

	(void)arg;
	if (!pid) {
		fd = subscribed(EVENT_BIT(CONFIG), su.port, 0);
		_exit(get(fd, &e, sizeof(e)) != -EINTR);
	}
	usleep(300000);
	kill(pid, SIGKILL);
	EXPECT(waitpid(pid, &status, 0) == pid && WIFSIGNALED(status),
	       "status %#x", status);
	produce(root, su.port, 3);
	return test_result();
}

/* --- USERS events --- */

static int drain_as(void *arg)
{
	struct egpu_detach d = {
		.size = sizeof(d), .port = su.port, .wait_ms = 700,
	};
	uint64_t mask = EVENT_BIT(USERS) | EVENT_BIT(TRANSACTION);
	int *fds = arg, root = dev_open(O_RDWR), users[2] = { 0, 0 }, i, done;
	struct egpu_event e;

	EXPECT_ERR(dev_call(root, EGPU_IOC_DETACH, &d), 0, "DETACH");
	for (i = 0; i < 2; i++) {
		for (done = 0; !done && readable(fds[i], 10000);) {
			if (get(fds[i], &e, sizeof(e)) != sizeof(e))
				break;
			EXPECT(mask >> e.type & 1, "type %u", e.type);
			users[i] += e.type == EGPU_EVENT_USERS;
			done = e.type == EGPU_EVENT_TRANSACTION;
		}
		EXPECT(done, "no end of the transaction");
		EXPECT(e.transaction == d.transaction &&
		       e.from == EGPU_TRANSACTION_DETACH &&
		       e.error == ETIMEDOUT, "transaction %u of %u, error %u",
		       e.transaction, d.transaction, e.error);
	}
	EXPECT(users[0] >= 1, "the privileged file saw no USERS event");
	EXPECT(!users[1], "the other file saw %d USERS events", users[1]);
	return test_result();
}

static int test_users_events(const void *arg)
{
	uint64_t mask = EVENT_BIT(USERS) | EVENT_BIT(TRANSACTION);
	int held = open(su.node, O_RDWR | O_NONBLOCK), fds[2], result;

	(void)arg;
	ASSERT(held >= 0, "cannot open %s", su.node);
	fds[0] = subscribed(mask, su.port, O_NONBLOCK);
	EXPECT(!seteuid(NOBODY), "seteuid");
	fds[1] = subscribed(mask, su.port, O_NONBLOCK);
	EXPECT(!seteuid(0), "seteuid");
	result = drain_as(fds);
	close(held);
	EXPECT(dev_restore(), "the port did not come back");
	return result ? result : test_result();
}

void event_tests(void)
{
	static const struct {
		const char *name, *proves;
		test_fn fn;
		unsigned int needs;
	} t[] = {
		{ "a record is complete", "size, time, port, zeros",
		  test_record, 0 },
		{ "no events before SUBSCRIBE and after mask 0",
		  "a file hears what it asked for", test_not_subscribed, 0 },
		{ "subscribing again replaces the filter",
		  "what is queued stays; a refusal changes nothing",
		  test_resubscribe, 0 },
		{ "the mask selects types", "a type not asked for never comes",
		  test_mask, 0 },
		{ "the port selects events", "0 means all ports",
		  test_port_filter, NEED_SECOND },
		{ "read gives whole records only",
		  "EINVAL when none fits, and nothing is lost by it",
		  test_short_buffer, 0 },
		{ "poll and read are woken", "blocking and non-blocking readers",
		  test_wakeup, 0 },
		{ "other types wake nobody", "a filter saves wakeups",
		  test_other_type, 0 },
		{ "a signal ends a waiting read and poll with EINTR",
		  "signals in the middle", test_eintr, 0 },
		{ "SA_RESTART makes read go on", "signals in the middle",
		  test_restart, 0 },
		{ "a storm of signals disturbs no ioctl",
		  "every call is restartable or never sleeps",
		  test_signal_storm, 0 },
		{ "a waiting reader can be killed",
		  "a dead reader leaves nothing behind", test_killed_reader,
		  0 },
		{ "USERS events are for privileged files",
		  "a drain's deadline is told to both, the users to one",
		  test_users_events, NEED_NODE },
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(t); i++)
		test_add("events", t[i].name, t[i].proves, t[i].needs, t[i].fn,
			 NULL);
}
