// SPDX-License-Identifier: GPL-2.0
/*
 * egpu_bench events COUNT READERS PORT-ADDRESS: BATCH events at once, until each
 * of READERS has them all. Ours: PORT_CONFIG, and a read() of /dev/egpu that
 * blocks. The peer: "change" written to the uevent file of the same device, and
 * a recv() of the kernel's uevents, which libudev's monitor is. Time an event:
 * "rate OURS PEER". The peer does not begin before the kernel's log has ours,
 * too: "log OURS" is the time until then.
 *
 * A reader ours finds out by the numbers whether one is missing that no overflow
 * record tells. At last the readers stand still while more come than their
 * queues hold.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bench.h"
#include "egpu.h"

#define BATCH		32
#define READERS		64
#define UEVENTS		1	/* multicast group: what the kernel sends */
#define UEVENT_FILE	"/sys/class/misc/egpu/uevent"

struct reader {
	pthread_t thread;
	int fd;
	uint64_t seq;		/* of the last event */
	uint64_t lost;
};

struct side {
	void (*send)(void);
	int (*open)(struct reader *reader);
	unsigned int (*receive)(struct reader *reader);
	struct reader readers[READERS];
	pthread_barrier_t go;	/* more are coming: read on */
	sem_t done;		/* a reader has all */
	unsigned int wanted;	/* each time */
};

static struct egpu *egpu;
static uint32_t port;
static int uevent;
static unsigned int nr_readers;

/* --- ours --- */

static void ours_send(void)
{
	struct egpu_port_config config = {
		.port = port,
		.flags = EGPU_CONFIG_RETRAIN,
	};

	if (egpu_config(egpu, &config))
		bench_die("PORT_CONFIG");
}

static int ours_open(struct reader *reader)
{
	struct egpu_event_subscribe subscribe = {
		.size = sizeof(subscribe),
		.mask = (1ULL << EGPU_EVENT_COUNT) - 1,
	};
	int fd = open("/dev/egpu", O_RDONLY | O_CLOEXEC);

	if (fd < 0 || ioctl(fd, EGPU_IOC_EVENT_SUBSCRIBE, &subscribe))
		bench_die("/dev/egpu");
	reader->seq = subscribe.seq;
	return fd;
}

static unsigned int ours_receive(struct reader *reader)
{
	struct egpu_event events[BATCH];
	ssize_t got = read(reader->fd, events, sizeof(events));
	unsigned int i, n = 0;

	if (got <= 0)
		bench_die("read");
	for (i = 0; i < got / sizeof(*events); i++) {
		bool overflow = events[i].type == EGPU_EVENT_OVERFLOW;

		n += overflow ? events[i].value : 1;
		reader->lost += overflow ? events[i].value : 0;
		errno = 0;
		if (reader->seq + (overflow ? events[i].value : 1) !=
		    events[i].seq)
			bench_die("an event was lost silently");
		reader->seq = events[i].seq;
	}
	return n;
}

/* --- the peer --- */

static void peer_send(void)
{
	if (pwrite(uevent, "change", 6, 0) != 6)
		bench_die(UEVENT_FILE);
}

static int peer_open(struct reader *reader)
{
	struct sockaddr_nl address = {
		.nl_family = AF_NETLINK,
		.nl_groups = UEVENTS,
	};
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC,
			NETLINK_KOBJECT_UEVENT);

	(void)reader;
	if (fd < 0 || bind(fd, (void *)&address, sizeof(address)))
		bench_die("uevents");
	return fd;
}

static unsigned int peer_receive(struct reader *reader)
{
	char message[8192];

	/* ENOBUFS: some were lost, nobody knows how many */
	if (recv(reader->fd, message, sizeof(message), 0) <= 0)
		bench_die("recv");
	return 1;
}

static struct side ours = {
	.send = ours_send, .open = ours_open, .receive = ours_receive,
};

static struct side peer = {
	.send = peer_send, .open = peer_open, .receive = peer_receive,
};

/* --- both --- */

struct job {
	struct side *side;
	struct reader *reader;
};

static void *reader_main(void *arg)
{
	struct job job = *(struct job *)arg;
	unsigned int got = 0;

	free(arg);
	for (;;) {
		got += job.side->receive(job.reader);
		while (got >= job.side->wanted) {
			got -= job.side->wanted;
			sem_post(&job.side->done);
			pthread_barrier_wait(&job.side->go);
		}
	}
	return NULL;
}

static void side_begin(struct side *side)
{
	unsigned int i;

	pthread_barrier_init(&side->go, NULL, nr_readers + 1);
	sem_init(&side->done, 0, 0);
	side->wanted = BATCH;
	for (i = 0; i < nr_readers; i++)
		side->readers[i].fd = side->open(&side->readers[i]);
	for (i = 0; i < nr_readers; i++) {
		struct job *job = malloc(sizeof(*job));

		if (!job)
			bench_die("malloc");
		*job = (struct job){ side, &side->readers[i] };
		errno = pthread_create(&side->readers[i].thread, NULL,
				       reader_main, job);
		if (errno)
			bench_die("pthread_create");
	}
}

/* Returns when that was. */
static uint64_t batch(struct side *side)
{
	unsigned int i;

	for (i = 0; i < BATCH; i++)
		side->send();
	for (i = 0; i < nr_readers; i++)
		while (sem_wait(&side->done))
			;
	return bench_ns();
}

/* Returns when the kernel's log had the event of this number. */
static uint64_t logged(int kmsg, uint64_t seq)
{
	struct pollfd pollfd = { .fd = kmsg, .events = POLLIN };
	char line[8192], want[32];
	ssize_t got;

	snprintf(want, sizeof(want), " seq=%llu ", (unsigned long long)seq);
	do {
		poll(&pollfd, 1, -1);
		got = read(kmsg, line, sizeof(line) - 1);
		/* EPIPE: it was overwritten */
		if (got < 0 && errno != EPIPE)
			bench_die("/dev/kmsg");
		line[got < 0 ? 0 : got] = 0;
	} while (!strstr(line, want));
	return bench_ns();
}

static double us_each(uint64_t ns)
{
	return ns / 1000.0 / BATCH;
}

static void measure(int kmsg)
{
	uint64_t start = bench_ns(), rate, log, peers;

	rate = batch(&ours) - start;
	log = logged(kmsg, ours.readers[0].seq) - start;
	start = bench_ns();
	peers = batch(&peer) - start;
	printf("rate %.3f %.3f\nlog %.3f\n", us_each(rate), us_each(peers),
	       us_each(log));
}

/* More than a queue holds, while nobody reads. */
static void overflow(void)
{
	unsigned int i, many = 2 * egpu_about(egpu)->event_queue;

	ours.wanted = many;
	for (i = 0; i < many; i++)
		ours_send();
	pthread_barrier_wait(&ours.go);
	for (i = 0; i < nr_readers; i++)
		while (sem_wait(&ours.done))
			;
	errno = 0;
	for (i = 0; i < nr_readers; i++)
		if (!ours.readers[i].lost)
			bench_die("a full queue was not told");
}

int bench_events(int argc, char **argv)
{
	struct egpu_port_info info;
	unsigned long count;
	int kmsg;

	if (argc != 4)
		bench_die("events COUNT READERS PORT-ADDRESS");
	count = strtoul(argv[1], NULL, 10);
	nr_readers = strtoul(argv[2], NULL, 10);
	errno = -egpu_open(&egpu);
	if (errno || nr_readers > READERS)
		bench_die("/dev/egpu, or too many readers");
	errno = -egpu_resolve(egpu, argv[3], NULL, &info);
	if (errno)
		bench_die(argv[3]);
	port = info.port;
	uevent = open(UEVENT_FILE, O_WRONLY | O_CLOEXEC);
	if (uevent < 0)
		bench_die(UEVENT_FILE);
	kmsg = open("/dev/kmsg", O_RDONLY | O_CLOEXEC);
	if (kmsg < 0 || lseek(kmsg, 0, SEEK_END) < 0)
		bench_die("/dev/kmsg");
	side_begin(&ours);
	side_begin(&peer);
	while (count--) {
		measure(kmsg);
		if (!count)
			break;
		pthread_barrier_wait(&ours.go);
		pthread_barrier_wait(&peer.go);
	}
	overflow();
	return 0;
}
