// SPDX-License-Identifier: GPL-2.0
/*
 * The queue behind read(): no event is lost silently, whoever reads how.
 *
 * A second reader that keeps up, the reference, says what there was to read.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fuzz.h"
#include "uapi.h"

#define MAX_EVENTS	8192

struct log {
	struct egpu_event e[MAX_EVENTS];
	unsigned int n;
};

static struct log reference, seen;

static int reader(void)
{
	int fd = dev_open(O_RDWR | O_NONBLOCK);

	EXPECT_ERR(dev_subscribe(fd, EVENT_BIT(CONFIG), su.port, NULL), 0,
		   "SUBSCRIBE");
	return fd;
}

/* Reads up to max records, as many as there are. */
static unsigned int drain(int fd, struct log *log, unsigned int max)
{
	unsigned int got = 0;
	ssize_t n;

	while (got < max && log->n < MAX_EVENTS) {
		n = max - got < MAX_EVENTS - log->n ? max - got :
						      MAX_EVENTS - log->n;
		n = read(fd, &log->e[log->n], n * sizeof(log->e[0]));
		if (n <= 0)
			break;
		EXPECT(n % sizeof(log->e[0]) == 0, "%zd bytes", n);
		got += n / sizeof(log->e[0]);
		log->n += n / sizeof(log->e[0]);
	}
	return got;
}

static uint32_t change(int root)
{
	static uint32_t window = 5000;

	EXPECT_ERR(dev_set_window(root, su.port, ++window), 0, "PORT_CONFIG");
	return window;
}

/*
 * Every event of the reference was either seen, or is counted by an overflow
 * record at the very place where it is missing.
 */
static void expect_accounted(void)
{
	unsigned int i, r = 0;
	uint64_t before = 0;

	for (i = 0; i < seen.n; i++) {
		const struct egpu_event *e = &seen.e[i];

		EXPECT(e->size == sizeof(*e), "record %u has size %u", i,
		       e->size);
		EXPECT(e->seq > before, "seq %llu after %llu",
		       (unsigned long long)e->seq, (unsigned long long)before);
		before = e->seq;
		if (e->type == EGPU_EVENT_OVERFLOW) {
			EXPECT(e->value, "an overflow of nothing");
			r += e->value;
			EXPECT(r <= reference.n && reference.e[r - 1].seq <=
			       e->seq, "overflow of %u at %u is too many",
			       e->value, i);
			continue;
		}
		EXPECT(r < reference.n && e->seq == reference.e[r].seq,
		       "record %u has seq %llu, the reference's has %llu", i,
		       (unsigned long long)e->seq, (unsigned long long)
		       (r < reference.n ? reference.e[r].seq : 0));
		EXPECT(r >= reference.n ||
		       !memcmp(e, &reference.e[r], sizeof(*e)),
		       "record %u differs", i);
		r++;
	}
	EXPECT(r == reference.n, "%u accounted for of %u", r, reference.n);
}

static int test_overflow(const void *arg)
{
	unsigned int room = su.query.event_queue, i, n = room + 50;
	int root = dev_open(O_RDWR), ref = reader(), slow = reader();

	(void)arg;
	ASSERT(n < MAX_EVENTS, "the queue is larger than this test");
	for (i = 0; i < n; i++) {
		change(root);
		drain(ref, &reference, MAX_EVENTS);
	}
	EXPECT(reference.n == n, "%u events of %u changes", reference.n, n);
	drain(slow, &seen, MAX_EVENTS);
	ASSERT(seen.n, "nothing to read");
	EXPECT(seen.n <= room, "%u records from a queue of %u", seen.n, room);
	EXPECT(seen.n >= room - 1, "only %u records from a queue of %u",
	       seen.n, room);
	EXPECT(seen.e[seen.n - 1].type == EGPU_EVENT_OVERFLOW &&
	       seen.e[seen.n - 1].value == n - (seen.n - 1),
	       "the last record: type %u, value %u", seen.e[seen.n - 1].type,
	       seen.e[seen.n - 1].value);
	/* And then everything comes again. */
	for (i = 0; i < 10; i++)
		change(root);
	drain(ref, &reference, MAX_EVENTS);
	EXPECT(drain(slow, &seen, MAX_EVENTS) == 10, "not 10 after that");
	expect_accounted();
	dev_restore();
	return test_result();
}

static int test_just_full(const void *arg)
{
	unsigned int room = su.query.event_queue, i;
	int root = dev_open(O_RDWR), ref = reader(), slow = reader();

	(void)arg;
	for (i = 0; i < room - 1; i++)
		change(root);
	drain(ref, &reference, MAX_EVENTS);
	drain(slow, &seen, MAX_EVENTS);
	EXPECT(seen.n == room - 1, "%u records", seen.n);
	for (i = 0; i < seen.n; i++)
		EXPECT(seen.e[i].type != EGPU_EVENT_OVERFLOW,
		       "an overflow, though all fit");
	expect_accounted();
	dev_restore();
	return test_result();
}

static int test_overflow_random(const void *arg)
{
	unsigned int seed = fuzz_seed, step, burst;
	int root = dev_open(O_RDWR), ref = reader(), slow = reader();

	(void)arg;
	printf("# seed %u\n", seed);
	for (step = 0; step < 60 && reference.n < MAX_EVENTS - 1024; step++) {
		burst = rand_r(&seed) % 4 ? rand_r(&seed) % 60 :
					    rand_r(&seed) % 400;
		while (burst--) {
			change(root);
			drain(ref, &reference, MAX_EVENTS);
		}
		drain(slow, &seen, rand_r(&seed) % 100);
	}
	drain(slow, &seen, MAX_EVENTS);
	expect_accounted();
	dev_restore();
	return test_result();
}

static int test_overflow_unasked(const void *arg)
{
	unsigned int i, n = su.query.event_queue + 20, overflows = 0;
	int root = dev_open(O_RDWR), fd = reader(), other;

	(void)arg;
	other = dev_open(O_RDWR | O_NONBLOCK);
	dev_subscribe(other, EVENT_BIT(TRANSACTION), su.port, NULL);
	for (i = 0; i < n; i++)
		change(root);
	drain(fd, &seen, MAX_EVENTS);
	for (i = 0; i < seen.n; i++)
		overflows += seen.e[i].type == EGPU_EVENT_OVERFLOW;
	EXPECT(overflows == 1, "%u overflow records", overflows);
	EXPECT(drain(other, &seen, MAX_EVENTS) == 0,
	       "events that a filter left out filled the queue");
	dev_restore();
	return test_result();
}

/* A reader that cannot be given a record keeps it. */
static int test_fault(const void *arg)
{
	const size_t one = sizeof(struct egpu_event);
	int root = dev_open(O_RDWR), ref = reader(), fd = reader();
	char *p;
	int i, n;

	(void)arg;
	for (i = 0; i < 6; i++)
		change(root);
	drain(ref, &reference, MAX_EVENTS);
	n = read(fd, bad_address(), 4 * one);
	EXPECT(n < 0 && errno == EFAULT, "nowhere: %d", n);
	/* Room for two and a half, though four were asked for. */
	p = guard_alloc(one * 5 / 2);
	n = read(fd, p, 4 * one);
	EXPECT(n == 2 * (int)one || (n < 0 && errno == EFAULT),
	       "half in memory: %d", n);
	if (n > 0) {
		memcpy(seen.e, p, n);
		seen.n = n / one;
	}
	drain(fd, &seen, MAX_EVENTS);
	expect_accounted();
	return test_result();
}

static int test_many_readers(const void *arg)
{
	int root = dev_open(O_RDWR), ref = reader(), fds[32];
	unsigned int i;

	(void)arg;
	for (i = 0; i < ARRAY_SIZE(fds); i++)
		fds[i] = reader();
	for (i = 0; i < 40; i++)
		change(root);
	drain(ref, &reference, MAX_EVENTS);
	for (i = 0; i < ARRAY_SIZE(fds); i++) {
		seen.n = 0;
		drain(fds[i], &seen, 1 + i);
		drain(fds[i], &seen, MAX_EVENTS);
		expect_accounted();
		close(fds[i]);
	}
	return test_result();
}

static int by_seq(const void *a, const void *b)
{
	const struct egpu_event *x = a, *y = b;

	return x->seq < y->seq ? -1 : x->seq > y->seq;
}

/* Two processes share one file: each event goes to one of them. */
static int test_fork(const void *arg)
{
	int root = dev_open(O_RDWR), ref = reader(), fd = reader(), i;
	struct log *theirs;
	unsigned int n;
	pid_t pid;

	(void)arg;
	theirs = mmap(NULL, sizeof(*theirs), PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	for (i = 0; i < 200; i++)
		change(root);
	drain(ref, &reference, MAX_EVENTS);
	fflush(stdout);
	pid = fork();
	for (n = 1; n;)
		n = drain(fd, pid ? &seen : theirs, 1);
	if (!pid)
		_exit(0);
	waitpid(pid, NULL, 0);
	printf("# %u here, %u there\n", seen.n, theirs->n);
	ASSERT(seen.n + theirs->n <= MAX_EVENTS, "too many");
	memcpy(&seen.e[seen.n], theirs->e, theirs->n * sizeof(seen.e[0]));
	seen.n += theirs->n;
	qsort(seen.e, seen.n, sizeof(seen.e[0]), by_seq);
	expect_accounted();
	return test_result();
}

/* The last close is the child's: the file lives until then. */
static int test_inherited(const void *arg)
{
	int root = dev_open(O_RDWR), fd = reader(), status;
	pid_t pid;

	(void)arg;
	pid = fork();
	if (!pid) {
		usleep(300000);
		_exit(drain(fd, &seen, MAX_EVENTS) != 3);
	}
	close(fd);
	change(root);
	change(root);
	change(root);
	EXPECT(waitpid(pid, &status, 0) == pid && !status,
	       "the child did not read 3 events");
	return test_result();
}

struct waiter {
	int fd;
	ssize_t result;
	struct egpu_event event;
};

static void *wait_for_one(void *arg)
{
	struct waiter *w = arg;

	w->result = read(w->fd, &w->event, sizeof(w->event));
	return NULL;
}

static int test_close_while_reading(const void *arg)
{
	int root = dev_open(O_RDWR), i;
	struct waiter w;
	pthread_t thread;

	(void)arg;
	for (i = 0; i < 5; i++) {
		w.fd = reader();
		fcntl(w.fd, F_SETFL, 0);
		pthread_create(&thread, NULL, wait_for_one, &w);
		usleep(100000);
		close(w.fd);
		usleep(20000);
		change(root);
		pthread_join(thread, NULL);
		EXPECT(w.result == sizeof(w.event) &&
		       w.event.type == EGPU_EVENT_CONFIG, "read: %zd",
		       w.result);
	}
	return test_result();
}

/* --- the state is never older than the subscription --- */

static volatile bool stop;
static uint32_t first_window;

static void *change_always(void *arg)
{
	int root = dev_open(O_RDWR);

	(void)arg;
	while (!stop) {
		change(root);
		usleep(500);
	}
	close(root);
	return NULL;
}

static int test_seq(const void *arg)
{
	struct {
		uint64_t seq;
		uint32_t window;
	} look[100];
	int root = dev_open(O_RDWR), ref = reader(), fd;
	struct egpu_port_info info;
	unsigned int i, r, seed = fuzz_seed;
	struct egpu_event e;
	pthread_t thread;

	(void)arg;
	first_window = change(root);
	drain(ref, &reference, MAX_EVENTS);
	reference.n = 0;
	pthread_create(&thread, NULL, change_always, NULL);
	for (i = 0; i < ARRAY_SIZE(look); i++) {
		fd = dev_open(O_RDWR | O_NONBLOCK);
		dev_subscribe(fd, EVENT_BIT(CONFIG), su.port, &look[i].seq);
		dev_info(fd, su.port, &info);
		look[i].window = info.quarantine_window_ms;
		if (read(fd, &e, sizeof(e)) == sizeof(e))
			EXPECT(e.seq > look[i].seq, "seq %llu after %llu",
			       (unsigned long long)e.seq,
			       (unsigned long long)look[i].seq);
		close(fd);
		drain(ref, &reference, MAX_EVENTS);
		usleep(rand_r(&seed) % 5000);
	}
	stop = true;
	pthread_join(thread, NULL);
	drain(ref, &reference, MAX_EVENTS);
	for (i = 0; i < ARRAY_SIZE(look); i++) {
		for (r = 0; r < reference.n; r++)
			if (reference.e[r].seq > look[i].seq)
				break;
		/* r changes were told before: PORT_INFO must know them. */
		EXPECT(look[i].window >= first_window + r,
		       "subscribed after change %u, PORT_INFO knew %u", r,
		       look[i].window - first_window);
	}
	printf("# %u changes meanwhile\n", reference.n);
	EXPECT(reference.n > 20, "too few changes to prove anything");
	dev_restore();
	return test_result();
}

/* --- many threads do everything to one file --- */

static void *abuse(void *arg)
{
	struct log *mine = calloc(1, sizeof(*mine));
	int fd = *(int *)arg, root = dev_open(O_RDWR), i;

	for (i = 0; i < 300; i++) {
		dev_subscribe(fd, i % 7 ? EVENT_ALL : 0, i % 3 ? 0 : su.port,
			      NULL);
		dev_set_policy(root, su.port, i & 1);
		mine->n = 0;
		drain(fd, mine, 5);
	}
	free(mine);
	close(root);
	return NULL;
}

static int test_threads(const void *arg)
{
	int fd = dev_open(O_RDWR | O_NONBLOCK), i;
	pthread_t thread[6];

	(void)arg;
	for (i = 0; i < (int)ARRAY_SIZE(thread); i++)
		pthread_create(&thread[i], NULL, abuse, &fd);
	for (i = 0; i < (int)ARRAY_SIZE(thread); i++)
		pthread_join(thread[i], NULL);
	EXPECT(dev_restore(), "the port did not come back");
	return test_result();
}

void queue_tests(void)
{
	static const struct {
		const char *name, *proves;
		test_fn fn;
	} t[] = {
		{ "a full queue says how many events did not fit",
		  "one overflow record with the exact count, then all goes on",
		  test_overflow },
		{ "a queue that is just full lost nothing",
		  "the place kept for the overflow record is the only price",
		  test_just_full },
		{ "bursts and reads at random lose nothing silently",
		  "every event is seen or counted at its place",
		  test_overflow_random },
		{ "overflow records come unasked, filtered events never count",
		  "a filter keeps the queue free", test_overflow_unasked },
		{ "a read that faults loses nothing",
		  "a call that fails changes nothing", test_fault },
		{ "many readers each get everything", "queues are per file",
		  test_many_readers },
		{ "two processes share a file", "each event is given once",
		  test_fork },
		{ "a file lives until its last close",
		  "fork, close, read in the child", test_inherited },
		{ "close while another thread reads",
		  "the reader still gets its event", test_close_while_reading },
		{ "PORT_INFO is as new as the subscription",
		  "subscribe, then look, misses nothing", test_seq },
		{ "threads read and subscribe on one file at once",
		  "nothing breaks", test_threads },
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(t); i++)
		test_add("queue", t[i].name, t[i].proves, 0, t[i].fn, NULL);
}
