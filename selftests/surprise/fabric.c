// SPDX-License-Identifier: GPL-2.0
/* See fabric.h. */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "fabric.h"

#define ROOT "/sys/kernel/config/egpu_sim"
#define MAX_FABRICS 64

struct slot slots[MAX_PORTS];
unsigned int nr_slots;
struct egpu *egpu;
unsigned int soft_ms;

static char fabrics[MAX_FABRICS][64];
static unsigned int nr_fabrics;
static enum shape made;

void die(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	putchar('\n');
	exit(1);
}

long long now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000LL + t.tv_nsec / 1000000;
}

long long patient(long long ms)
{
	const char *slow = getenv("VM_SLOW");

	return ms * (slow && *slow ? atoi(slow) : 1);
}

/* --- attributes --- */

int try_put(const char *dir, const char *name, const char *text)
{
	char path[160];
	ssize_t n;
	int fd, ret;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	fd = open(path, O_WRONLY);
	if (fd < 0)
		return -errno;
	n = write(fd, text, strlen(text));
	ret = n < 0 ? -errno : 0;
	close(fd);
	return ret;
}

void put(const char *dir, const char *name, const char *fmt, ...)
{
	char text[160];
	va_list ap;
	int ret;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	ret = try_put(dir, name, text);
	if (ret)
		die("%s/%s: cannot write '%s': %s", dir, name, text,
		    strerror(-ret));
}

void get(const char *dir, const char *name, char *text, int size)
{
	char path[160];
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	fd = open(path, O_RDONLY);
	n = fd < 0 ? -1 : read(fd, text, size - 1);
	if (n < 0)
		die("%s: %s", path, strerror(errno));
	close(fd);
	text[n] = '\0';
	text[strcspn(text, "\n")] = '\0';
}

unsigned long long get_number(const char *dir, const char *name)
{
	char text[64];

	get(dir, name, text, sizeof(text));
	return strtoull(text, NULL, 0);
}

static void folder(const char *path)
{
	if (mkdir(path, 0755))
		die("mkdir %s: %s", path, strerror(errno));
}

/* --- the fabric --- */

/*
 * A link that trains at once: it is the accesses that matter, and nobody waits
 * for the one within a card.
 */
static void link_quick(const char *port)
{
	static const char * const times[] = {
		"detect_ms", "polling_ms", "configuration_ms",
		"speed_change_ms", "recovery_ms",
	};
	unsigned int i;

	for (i = 0; i < sizeof(times) / sizeof(*times); i++)
		put(port, times[i], "0");
}

static void card_one(struct slot *s)
{
	snprintf(s->card, sizeof(s->card), "%s/gpu", s->dir);
	folder(s->card);
	put(s->card, "preset", "gpu");
}

/* A switch with one port, which is no slot, and a GPU of four functions. */
static void card_switch(struct slot *s)
{
	char path[112], gpu[128], name[144];
	int i;

	snprintf(s->card, sizeof(s->card), "%s/sw", s->dir);
	folder(s->card);
	snprintf(path, sizeof(path), "%s/port0", s->card);
	folder(path);
	put(path, "hotplug", "none");
	link_quick(path);
	snprintf(gpu, sizeof(gpu), "%s/gpu", path);
	folder(gpu);
	put(gpu, "preset", "gpu");
	for (i = 1; i < 4; i++) {
		snprintf(name, sizeof(name), "%s/function%d", gpu, i);
		folder(name);
		put(name, "preset", i == 1 ? "accelerator" : "plain");
	}
	put(gpu, "present", "1");
}

static void port_make(struct slot *s, const char *fabric, unsigned int nr,
		      enum shape shape)
{
	snprintf(s->dir, sizeof(s->dir), "%s/port%u", fabric, nr);
	folder(s->dir);
	snprintf(s->fault, sizeof(s->fault), "%s/fault", s->dir);
	if (soft_ms) {
		put(s->dir, "hotplug", "none");
		put(s->dir, "slot", "1");	/* that it was pulled is seen */
	} else {
		put(s->dir, "external_facing", "1");
	}
	link_quick(s->dir);
	if (shape == SHAPE_ONE)
		card_one(s);
	else
		card_switch(s);
}

static void port_number(struct slot *s)
{
	struct egpu_port_config config = { .flags = EGPU_CONFIG_QUARANTINE };
	struct egpu_address at, want;
	struct egpu_port_info *ports;
	char address[32];
	int i, n;

	get(s->dir, "address", address, sizeof(address));
	if (!egpu_address_parse(address, &want))
		die("%s: its address is '%s'", s->dir, address);
	n = egpu_ports(egpu, true, &ports);
	for (i = 0; i < n; i++) {
		at = egpu_port_address(&ports[i]);
		if (egpu_address_equal(&at, &want))
			s->id = ports[i].port;
	}
	free(ports);
	if (!s->id)
		die("%s: egpu does not know %s", s->dir, address);
	config.port = s->id;	/* never quarantined */
	if (soft_ms)
		config.flags |= EGPU_CONFIG_TRACK | EGPU_CONFIG_SOFT |
				EGPU_CONFIG_WATCH;
	config.watch_ms = soft_ms;
	if (egpu_config(egpu, &config))
		die("%s: PORT_CONFIG", address);
}

/* Numbers are known when the scan below an external port has been. */
static void port_learn(struct slot *s)
{
	long long end = now_ms() + patient(10000);
	struct egpu_address at;

	port_number(s);
	do {
		if (now_ms() > end)
			die("%s: egpu has not scanned it, or is not soft",
			    s->dir);
		slot_refresh(s);
	} while ((!s->info.secondary ||
		  (soft_ms && s->info.backend != EGPU_BACKEND_SOFT)) &&
		 !usleep(10000));
	if (!(s->info.flags & EGPU_PORT_TRACKED))
		die("%s: external, and not tracked", s->dir);
	at = egpu_port_address(&s->info);
	snprintf(s->below, sizeof(s->below),
		 "/sys/bus/pci/devices/%04x:%02x:00.0", at.domain,
		 s->info.secondary);
}

void fabric_make(const char *name, unsigned int ports, enum shape shape)
{
	struct slot *first = &slots[nr_slots];
	char *dir = fabrics[nr_fabrics];
	unsigned int i;

	if (nr_slots + ports > MAX_PORTS || nr_fabrics++ == MAX_FABRICS)
		die("more than %d ports or %d fabrics", MAX_PORTS,
		    MAX_FABRICS);
	made = shape;
	snprintf(dir, sizeof(fabrics[0]), ROOT "/%s", name);
	folder(dir);
	for (i = 0; i < ports; i++)
		port_make(&first[i], dir, i, shape);
	put(dir, "live", "1");
	if (!egpu && egpu_open(&egpu))
		die("no /dev/egpu");
	for (i = 0; i < ports; i++)
		port_learn(&first[i]);
	nr_slots += ports;
	if (egpu_subscribe(egpu, EGPU_EVENT_BIT(EGPU_EVENT_STATE) |
			   EGPU_EVENT_BIT(EGPU_EVENT_FUNCTION_ADDED) |
			   EGPU_EVENT_BIT(EGPU_EVENT_FUNCTION_REMOVED) |
			   EGPU_EVENT_BIT(EGPU_EVENT_TRANSACTION), 0, NULL))
		die("EVENT_SUBSCRIBE");
}

static void card_drop(const struct slot *s)
{
	char path[144];
	int i;

	if (made == SHAPE_SWITCH) {
		for (i = 1; i < 4; i++) {
			snprintf(path, sizeof(path), "%s/port0/gpu/function%d",
				 s->card, i);
			rmdir(path);
		}
		snprintf(path, sizeof(path), "%s/port0/gpu", s->card);
		rmdir(path);
		snprintf(path, sizeof(path), "%s/port0", s->card);
		rmdir(path);
	}
	if (rmdir(s->card) || rmdir(s->dir))
		die("%s: rmdir: %s", s->dir, strerror(errno));
}

void fabrics_drop(void)
{
	unsigned int i;

	for (i = 0; i < nr_fabrics; i++)
		put(fabrics[i], "live", "0");
	for (i = 0; i < nr_slots; i++)
		card_drop(&slots[i]);
	for (i = 0; i < nr_fabrics; i++)
		if (rmdir(fabrics[i]))
			die("rmdir %s: %s", fabrics[i], strerror(errno));
	nr_slots = 0;
	nr_fabrics = 0;
}

/* --- egpu's view --- */

void slot_refresh(struct slot *s)
{
	uint64_t since = s->info.since_ns;
	int ret = egpu_port(egpu, s->id, &s->info);

	if (ret)
		die("%s: PORT_INFO: %s", s->dir, strerror(-ret));
	s->dirty = false;
	/* Its end may be among the events that were lost. */
	if (s->missed && s->transaction && !s->ended &&
	    s->info.transaction != s->transaction) {
		s->ended = true;
		s->error = s->info.state == EGPU_STATE_READY ||
			   s->info.state == EGPU_STATE_FAULT ? -EIO : 0;
	}
	s->missed = false;
	if (s->info.since_ns != since)
		s->changed_ms = now_ms();
}

static void event_take(const struct egpu_event *event)
{
	unsigned int i;

	for (i = 0; i < nr_slots; i++) {
		if (event->type == EGPU_EVENT_OVERFLOW) {
			slots[i].dirty = true;
			slots[i].missed = true;
		} else if (slots[i].id == event->port) {
			slots[i].dirty = true;
			if (event->type != EGPU_EVENT_TRANSACTION ||
			    event->transaction != slots[i].transaction)
				continue;
			slots[i].ended = true;
			slots[i].error = -(int)event->error;
		}
	}
}

void slots_look(int ms)
{
	struct egpu_event event;
	unsigned int i;

	while (egpu_event_next(egpu, &event, ms) == 1) {
		event_take(&event);
		ms = 0;
	}
	for (i = 0; i < nr_slots; i++)
		if (slots[i].dirty)
			slot_refresh(&slots[i]);
}

void slot_plug(struct slot *s)
{
	put(s->card, "present", "1");
}

void slot_pull(struct slot *s)
{
	if (get_number(s->card, "present"))
		put(s->card, "present", "0");
}

bool slot_is_ready(const struct slot *s)
{
	return s->info.state == EGPU_STATE_READY &&
	       s->info.nr_functions == (made == SHAPE_SWITCH ? 4 : 1);
}

/* For egpu and for the kernel. */
bool slot_is_empty(const struct slot *s)
{
	return s->info.state == EGPU_STATE_EMPTY && !s->info.nr_functions &&
	       access(s->below, F_OK);
}

/* An attach has come to an end, good or bad. */
bool slot_is_settled(const struct slot *s)
{
	switch (s->info.state) {
	case EGPU_STATE_READY:
	case EGPU_STATE_FAULT:
	case EGPU_STATE_QUARANTINED:
		return true;
	case EGPU_STATE_HELD:
		return s->info.reason != EGPU_REASON_CHECKING;
	default:
		return false;
	}
}

uint64_t slot_windows(const struct slot *s)
{
	struct egpu_address at = egpu_port_address(&s->info);
	uint64_t sum = 0xcbf29ce484222325ULL;	/* FNV-1a */
	char path[80], address[EGPU_ADDRESS_LEN];
	FILE *f;
	int c;

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/resource",
		 egpu_address_format(&at, address));
	f = fopen(path, "r");
	if (!f)
		die("%s: %s", path, strerror(errno));
	while ((c = getc(f)) != EOF)
		sum = (sum ^ (unsigned int)c) * 0x100000001b3ULL;
	fclose(f);
	return sum;
}

int slot_detach(struct slot *s)
{
	s->ended = false;
	return egpu_detach(egpu, s->id, 0, 0, NULL, 0, &s->transaction);
}

void slot_give_up(struct slot *s, const char *why)
{
	struct egpu_port_info *i = &s->info;

	slot_refresh(s);
	printf("%s: %s after %lld ms: %s %s, %u functions, %s below, failed checks %#x, step %s %s, blocked by '%s'\n",
	       s->dir, why, now_ms() - s->begun_ms, egpu_state_name(i->state),
	       egpu_reason_name(i->reason), i->nr_functions,
	       access(s->below, F_OK) ? "nothing" : "something",
	       i->failed_checks, egpu_step_name(i->step), i->step_driver,
	       i->blocked_driver);
	fflush(stdout);
	s->broken = true;
}
