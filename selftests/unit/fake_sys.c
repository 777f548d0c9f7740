// SPDX-License-Identifier: GPL-2.0
/*
 * The test's side of libegpu's seam (tools/lib/internal.h): a module that plays
 * a scenario. Linked instead of sys.o, so that the program under test has no
 * way to be told about it but this.
 *
 * EGPU_FAKE names a folder: sys, proc, dev, modules, containers, share are the
 * roots; scenario.json says what the ioctls answer and what happens when a
 * transaction begins; addresses lists network interfaces that have one; what was
 * done is appended to "done".
 */
#define _GNU_SOURCE
#include <errno.h>
#include <json-c/json.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../../tools/lib/internal.h"

/* 2026-11-23 12:10:00.5 UTC; ten minutes after boot */
#define WALL_S	1795435800
#define BOOT_S	600

static struct json_object *scenario;
static char root[PATH_MAX];
static struct timespec began;
static int far_end = -1;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static struct json_object *get(struct json_object *o, const char *key)
{
	struct json_object *value = NULL;

	if (o)
		json_object_object_get_ex(o, key, &value);
	return value;
}

static int64_t number(struct json_object *o, const char *key)
{
	return json_object_get_int64(get(o, key));
}

static void set_number(struct json_object *o, const char *key, int64_t value)
{
	json_object_object_add(o, key, json_object_new_int64(value));
}

static const char *text(struct json_object *o, const char *key)
{
	struct json_object *value = get(o, key);

	return value ? json_object_get_string(value) : "";
}

static char *path(const char *name)
{
	char *made;

	if (asprintf(&made, "%s/%s", root, name) < 0)
		abort();
	return made;
}

__attribute__((constructor)) static void begin(void)
{
	const char *folder = getenv("EGPU_FAKE");
	char *file;

	if (!folder || !realpath(folder, root)) {
		fprintf(stderr, "EGPU_FAKE names no folder\n");
		exit(99);
	}
	egpu_roots.sysfs = path("sys");
	egpu_roots.proc = path("proc");
	egpu_roots.dev = path("dev");
	egpu_roots.modules = path("modules");
	egpu_roots.containers = path("containers");
	egpu_roots.share = path("share");
	file = path("scenario.json");
	scenario = json_object_from_file(file);
	free(file);
	clock_gettime(CLOCK_MONOTONIC, &began);
}

static void done(const char *format, ...)
{
	char *file = path("done");
	FILE *stream = fopen(file, "ae");
	va_list args;

	va_start(args, format);
	vfprintf(stream, format, args);
	va_end(args);
	fputc('\n', stream);
	fclose(stream);
	free(file);
}

/* An errno by its name or its number, or 0. */
static int error_of(struct json_object *o, const char *key)
{
	const char *name = text(o, key);
	int e;

	if (atoi(name))
		return -atoi(name);
	for (e = 1; *name && e < 140; e++)
		if (strerrorname_np(e) && !strcmp(strerrorname_np(e), name))
			return -e;
	return 0;
}

static uint32_t by_name(const char *(*name_of)(uint32_t), const char *name,
			uint32_t count)
{
	uint32_t i;

	for (i = 0; i < count; i++)
		if (!strcmp(name_of(i), name))
			return i;
	return 0;
}

static struct egpu_address address(struct json_object *o)
{
	struct egpu_address a = { 0 };

	egpu_address_parse(text(o, "address"), &a);
	return a;
}

static struct json_object *port_of(uint32_t id)
{
	struct json_object *ports = get(scenario, "ports");
	size_t i;

	for (i = 0; ports && i < json_object_array_length(ports); i++) {
		struct json_object *port = json_object_array_get_idx(ports, i);

		if (number(port, "id") == id)
			return port;
	}
	return NULL;
}

static int port_info(struct egpu_port_info *info)
{
	struct json_object *port = port_of(info->port);
	struct egpu_address a;

	if (!port)
		return -ENOENT;
	a = address(port);
	info->flags = (uint32_t)number(port, "flags");
	info->state = by_name(egpu_state_name, text(port, "state"),
			      EGPU_STATE_COUNT);
	info->reason = by_name(egpu_reason_name, text(port, "reason"),
			       EGPU_REASON_COUNT);
	info->backend = by_name(egpu_backend_name, text(port, "backend"), 4);
	info->policy = by_name(egpu_policy_name, text(port, "policy"), 2);
	info->step = by_name(egpu_step_name, text(port, "step"),
			     EGPU_STEP_COUNT);
	info->domain = a.domain;
	info->bus = a.bus;
	info->devfn = a.devfn;
	info->secondary = (uint8_t)number(port, "secondary");
	info->cable_port = (uint32_t)number(port, "cable_port");
	info->generation = (uint64_t)number(port, "generation");
	info->since_ns = (uint64_t)number(port, "since_s") * 1000000000;
	info->step_since_ns = (uint64_t)number(port, "step_since_s") *
			      1000000000;
	info->step_error = (uint32_t)-error_of(port, "step_error");
	info->failed_checks = (uint32_t)number(port, "failed_checks");
	info->transaction = (uint32_t)number(port, "transaction");
	info->transaction_kind = (uint32_t)number(port, "transaction_kind");
	info->blocked_port = (uint32_t)number(port, "blocked_port");
	info->quarantine_losses = 5;
	info->quarantine_window_ms = 60000;
	info->watch_ms = (uint32_t)number(port, "watch_ms");
	info->counters.losses = (uint32_t)number(port, "losses");
	snprintf(info->step_driver, EGPU_NAME_LEN, "%s",
		 text(port, "step_driver"));
	snprintf(info->blocked_driver, EGPU_NAME_LEN, "%s",
		 text(port, "blocked_driver"));
	snprintf(info->slot_name, EGPU_NAME_LEN, "%s", text(port, "slot_name"));
	return 0;
}

static int port_list(struct egpu_port_list *list)
{
	struct json_object *ports = get(scenario, "ports");
	uint32_t *ids = (uint32_t *)(uintptr_t)list->ids, n = 0;
	size_t i;

	for (i = 0; ports && i < json_object_array_length(ports); i++) {
		struct json_object *port = json_object_array_get_idx(ports, i);

		if (!(list->flags & EGPU_PORT_LIST_ALL) &&
		    !(number(port, "flags") & EGPU_PORT_TRACKED))
			continue;
		if (n < list->count)
			ids[n] = (uint32_t)number(port, "id");
		n++;
	}
	list->count = n;
	return 0;
}

static void function(struct json_object *o, struct egpu_function *f)
{
	struct egpu_address a = address(o);
	struct json_object *bars = get(o, "bars");
	size_t i;

	memset(f, 0, sizeof(*f));
	f->domain = a.domain;
	f->bus = a.bus;
	f->devfn = a.devfn;
	f->vendor = (uint16_t)number(o, "vendor");
	f->device = (uint16_t)number(o, "device");
	f->class = (uint32_t)number(o, "class");
	f->flags = (uint32_t)number(o, "flags");
	f->generation = 4;
	f->iommu = by_name(egpu_iommu_name, text(o, "iommu"), 6);
	f->iommu_group = get(o, "group") ? (uint32_t)number(o, "group") :
					   EGPU_NO_IOMMU_GROUP;
	f->dma_bits = (uint32_t)number(o, "dma_bits");
	f->dma_flags = (uint32_t)number(o, "dma_flags");
	f->bo_bytes = (uint64_t)number(o, "bo_bytes");
	f->mapped_bytes = (uint64_t)number(o, "mapped_bytes");
	f->mapped_segments = (uint64_t)number(o, "mapped_segments");
	snprintf(f->driver, EGPU_NAME_LEN, "%s", text(o, "driver"));
	for (i = 0; bars && i < json_object_array_length(bars); i++) {
		struct json_object *bar = json_object_array_get_idx(bars, i);

		f->bars[i].length = (uint64_t)number(bar, "length");
		f->bars[i].flags = (uint32_t)number(bar, "flags");
	}
}

/* A module of before FUNCTION_MANAGE: its elements ended before iommu_group. */
static int function_list(struct egpu_function_list *list)
{
	struct json_object *port = port_of(list->port);
	struct json_object *array = get(port, "functions");
	struct egpu_function *to = (void *)(uintptr_t)list->functions;
	size_t i, n = array ? json_object_array_length(array) : 0;
	size_t size = get(scenario, "old_module") ?
		      offsetof(struct egpu_function, iommu_group) : sizeof(*to);
	struct egpu_function f;

	if (!port)
		return -ENOENT;
	for (i = 0; i < n && i < list->count; i++) {
		function(json_object_array_get_idx(array, i), &f);
		memcpy(&to[i], &f, size);
	}
	list->count = (uint32_t)n;
	return 0;
}

/* scenario.suspects: pids; without, a module that is too old to tell them. */
static int suspects(struct egpu_user_list *list)
{
	struct json_object *array = get(scenario, "suspects");
	struct egpu_user *to = (void *)(uintptr_t)list->users;
	size_t i, n = array ? json_object_array_length(array) : 0;

	if (!array || list->port)
		return -EINVAL;
	for (i = 0; i < n && i < list->count; i++) {
		struct json_object *pid = json_object_array_get_idx(array, i);

		memset(&to[i], 0, sizeof(to[i]));
		to[i].pid = (uint32_t)json_object_get_int64(pid);
	}
	list->count = (uint32_t)n;
	return 0;
}

static int user_list(struct egpu_user_list *list)
{
	struct json_object *port = port_of(list->port);
	struct json_object *array = get(port, "users");
	struct egpu_user *to = (void *)(uintptr_t)list->users;
	size_t i, n = array ? json_object_array_length(array) : 0;

	if (!port)
		return -ENOENT;
	for (i = 0; i < n && i < list->count; i++) {
		struct json_object *o = json_object_array_get_idx(array, i);

		memset(&to[i], 0, sizeof(to[i]));
		to[i].pid = (uint32_t)number(o, "pid");
		to[i].uid = (uint32_t)number(o, "uid");
		to[i].start_time = (uint64_t)number(o, "start_s") * 1000000000;
		to[i].kind = by_name(egpu_user_kind_name, text(o, "kind"),
				     EGPU_USER_KIND_COUNT);
		snprintf(to[i].comm, sizeof(to[i].comm), "%s", text(o, "comm"));
		snprintf(to[i].node, sizeof(to[i].node), "%s", text(o, "node"));
	}
	list->count = (uint32_t)n;
	list->hidden = !!get(scenario, "hidden");
	return 0;
}

static void hop(struct json_object *o, struct egpu_hop *h)
{
	struct egpu_address a = address(o), partner = { 0 };

	memset(h, 0, sizeof(*h));
	egpu_address_parse(text(o, "partner"), &partner);
	h->domain = a.domain;
	h->bus = a.bus;
	h->devfn = a.devfn;
	h->partner_bus = partner.bus;
	h->partner_devfn = partner.devfn;
	h->flags = (uint32_t)number(o, "flags");
	h->speed = (uint32_t)number(o, "speed");
	h->width = (uint32_t)number(o, "width");
	h->max_speed = (uint32_t)number(o, "max_speed");
	h->max_width = (uint32_t)number(o, "max_width");
	h->target_speed = (uint32_t)number(o, "target_speed");
	h->partner_max_speed = (uint32_t)number(o, "partner_max_speed");
	h->partner_max_width = (uint32_t)number(o, "partner_max_width");
	h->lane_errors = (uint32_t)number(o, "lane_errors");
	h->dpc_status = (uint32_t)number(o, "dpc_status");
}

static struct json_object *speed_of(uint32_t speed)
{
	char key[16];

	snprintf(key, sizeof(key), "%u", speed);
	return get(get(scenario, "speeds"), key);
}

/*
 * "errors" of a speed: so many more whenever the link is looked at, of a "kind";
 * only while the looks at it are counted "from" and "to".
 */
static void count_errors(struct json_object *port)
{
	struct json_object *hops = get(port, "hops"), *o;
	const char *kind;
	int64_t looks, count;
	char *file;
	FILE *stream;

	o = hops ? speed_of((uint32_t)number(json_object_array_get_idx(hops, 0),
					     "speed")) : NULL;
	if (!number(o, "errors"))
		return;
	looks = number(o, "looks") + 1;
	set_number(o, "looks", looks);
	if (looks < number(o, "from") || (get(o, "to") &&
					  looks > number(o, "to")))
		return;
	kind = get(o, "kind") ? text(o, "kind") : "correctable";
	count = number(scenario, kind) + number(o, "errors");
	set_number(scenario, kind, count);
	if (asprintf(&file, "%s/bus/pci/devices/%s/aer_dev_%s",
		     egpu_roots.sysfs, text(port, "address"), kind) < 0)
		abort();
	stream = fopen(file, "we");
	if (stream) {
		fprintf(stream, "RxErr %lld\nTOTAL_ERR_X %lld\n",
			(long long)count, (long long)count);
		fclose(stream);
	}
	free(file);
}

static int link_info(struct egpu_link_info *list)
{
	struct json_object *port = port_of(list->port);
	struct json_object *array = get(port, "hops");
	struct egpu_hop *to = (void *)(uintptr_t)list->links;
	size_t i, n = array ? json_object_array_length(array) : 0;

	if (get(scenario, "no_link_info"))
		return -ENOTTY;
	if (!port)
		return -ENOENT;
	if (list->flags & EGPU_LINK_INFO_ENDS)
		done("ends port=%u", list->port);
	count_errors(port);
	for (i = 0; i < n && i < list->count; i++)
		hop(json_object_array_get_idx(array, i), &to[i]);
	list->count = (uint32_t)n;
	if (get(scenario, "short_link_info"))
		return 0;
	list->best_ns = (uint64_t)number(port, "best_s") * 1000000000;
	list->best_speed = (uint32_t)number(port, "best_speed");
	list->best_width = (uint32_t)number(port, "best_width");
	list->limit_speed = (uint32_t)number(port, "limit_speed");
	list->limit_vendor = (uint16_t)number(port, "limit_vendor");
	list->limit_device = (uint16_t)number(port, "limit_device");
	list->wired_width = (uint32_t)number(port, "wired_width");
	return 0;
}

static void send_event(struct json_object *o, uint64_t seq)
{
	struct egpu_address a = address(o);
	struct egpu_event e = {
		.size = sizeof(e),
		.seq = seq,
		.time_ns = (BOOT_S + seq) * 1000000000ULL,
		.type = by_name(egpu_event_name, text(o, "type"),
				EGPU_EVENT_COUNT),
		.port = (uint32_t)number(o, "port"),
		.generation = (uint64_t)number(o, "generation"),
		.transaction = (uint32_t)number(o, "transaction"),
		.from = by_name(egpu_state_name, text(o, "from"),
				EGPU_STATE_COUNT),
		.to = by_name(egpu_state_name, text(o, "to"),
			      EGPU_STATE_COUNT),
		.reason = by_name(egpu_reason_name, text(o, "reason"),
				  EGPU_REASON_COUNT),
		.error = (uint32_t)-error_of(o, "error"),
		.value = (uint32_t)number(o, "value"),
		.domain = a.domain,
		.bus = a.bus,
		.devfn = a.devfn,
	};

	if (get(o, "kind"))
		e.from = (uint32_t)number(o, "kind");
	if (get(o, "from_speed"))
		e.from = (uint32_t)number(o, "from_speed");
	if (get(o, "to_speed"))
		e.to = (uint32_t)number(o, "to_speed");
	if (get(o, "step"))
		e.to = by_name(egpu_step_name, text(o, "step"),
			       EGPU_STEP_COUNT);
	snprintf(e.name, sizeof(e.name), "%s", text(o, "name"));
	if (send(far_end, &e, sizeof(e), 0) < 0)
		done("send failed");
}

/* "events" of a part of the scenario: each may sleep first or change a port. */
static void *play(void *arg)
{
	struct json_object *array = get(arg, "events");
	size_t i;

	for (i = 0; array && i < json_object_array_length(array); i++) {
		struct json_object *o = json_object_array_get_idx(array, i);
		struct json_object *set = get(o, "set"), *port;

		usleep((useconds_t)number(o, "after_ms") * 1000);
		if (set) {
			pthread_mutex_lock(&lock);
			port = port_of((uint32_t)number(o, "port"));
			json_object_object_foreach(set, key, value)
				json_object_object_add(port, key,
						       json_object_get(value));
			pthread_mutex_unlock(&lock);
		}
		if (get(o, "type"))
			send_event(o, i + 1);
		if (get(o, "hang_up"))
			close(far_end);
	}
	return NULL;
}

static void start_play(struct json_object *o)
{
	pthread_t thread;

	if (o && !pthread_create(&thread, NULL, play, o))
		pthread_detach(thread);
}

static void start(const char *part)
{
	start_play(get(scenario, part));
}

static int detach(struct egpu_detach *detach)
{
	const struct egpu_accepted *who = (void *)(uintptr_t)detach->accepted;
	struct json_object *o = get(scenario, "detach");
	uint32_t i;

	done("detach port=%u flags=%u wait_ms=%u", detach->port, detach->flags,
	     detach->wait_ms / 1000 * 1000);
	for (i = 0; i < detach->nr_accepted; i++)
		done("accepted %u %llu", who[i].pid,
		     (unsigned long long)who[i].start_time);
	if (detach->flags & EGPU_DETACH_CHECK)
		return error_of(get(scenario, "check"), "error");
	if (error_of(o, "error"))
		return error_of(o, "error");
	detach->transaction = 7;
	start("detach");
	return 0;
}

static int attach(struct egpu_attach *attach)
{
	struct json_object *o = get(scenario, "attach");

	done("attach port=%u ignore=%u", attach->port, attach->ignore);
	if (error_of(o, "error"))
		return error_of(o, "error");
	attach->transaction = 8;
	start("attach");
	return 0;
}

static void put_end(struct json_object *o, struct json_object *port,
		    const char *error)
{
	json_object_object_add(o, "type", json_object_new_string("transaction"));
	json_object_object_add(o, "error", json_object_new_string(error));
	set_number(o, "port", number(port, "id"));
	set_number(o, "transaction", 9);
	set_number(o, "kind", EGPU_TRANSACTION_LINK);
}

/* With "speeds": what the training to this one comes to. */
static int train(struct json_object *port, uint32_t speed)
{
	struct json_object *hop = json_object_array_get_idx(get(port, "hops"),
							    0);
	struct json_object *o = speed_of(speed), *end;
	int error = error_of(o, "error");

	if (!error)
		set_number(hop, "speed", speed ? speed :
			   number(hop, "max_speed"));
	end = json_object_new_object();
	put_end(end, port, error ? text(o, "error") : "");
	send_event(end, 50);
	json_object_put(end);
	start_play(o);
	return error;
}

static void set_limit(struct json_object *port, const struct egpu_link_set *set)
{
	set_number(port, "limit_speed", set->speed);
	set_number(port, "limit_vendor", set->vendor);
	set_number(port, "limit_device", set->device);
}

static int link_set(struct egpu_link_set *set)
{
	struct json_object *port = port_of(set->port);
	struct json_object *o = get(scenario, "link_set");

	if (!set->flags)
		return get(scenario, "no_root") ? -EPERM : -EINVAL;
	done("link_set port=%u flags=%u speed=%u device=%04x:%04x", set->port,
	     set->flags, set->speed, set->vendor, set->device);
	if (error_of(o, "error"))
		return error_of(o, "error");
	if (get(scenario, "speeds") && !(set->flags & EGPU_LINK_SET_LATER)) {
		set->transaction = 9;
		if (!train(port, set->speed))
			set_limit(port, set);
		return 0;
	}
	if (port && (set->flags & EGPU_LINK_SET_SPEED))
		set_limit(port, set);
	if (set->flags & EGPU_LINK_SET_LATER)
		return 0;
	set->transaction = 9;
	start("link_set");
	return 0;
}

static int manage(struct egpu_function_manage *manage)
{
	struct json_object *o = get(scenario, "manage");

	done("manage flags=%u %04x:%02x:%02x.%x bits=%u", manage->flags,
	     manage->domain, manage->bus, manage->devfn >> 3,
	     manage->devfn & 7, manage->dma_bits);
	if (get(scenario, "old_module"))
		return -ENOTTY;
	if (error_of(o, "error"))
		return error_of(o, "error");
	manage->port = 1;
	manage->transaction = 10;
	start("manage");
	return 0;
}

static int cancel(struct egpu_cancel *cancel)
{
	int ret = error_of(get(scenario, "cancel"), "error");

	done("cancel port=%u", cancel->port);
	if (!ret)
		start("cancel");
	return ret;
}

static int config(struct egpu_port_config *config)
{
	struct json_object *port = port_of(config->port);
	int64_t flags = number(port, "flags");
	const char *policy;

	done("config port=%u flags=%u policy=%u quarantine=%u/%u",
	     config->port, config->flags, config->policy,
	     config->quarantine_losses, config->quarantine_window_ms);
	if (config->flags & EGPU_CONFIG_WATCH)
		done("watch_ms=%u", config->watch_ms);
	if (!port)
		return -ENOENT;
	if (config->flags & EGPU_CONFIG_SOFT) {
		if (error_of(get(scenario, "soft"), "error"))
			return error_of(get(scenario, "soft"), "error");
		flags |= EGPU_PORT_SOFT;
		start("soft");
	}
	if (config->flags & EGPU_CONFIG_WATCH)
		set_number(port, "watch_ms", config->watch_ms);
	policy = egpu_policy_name(config->policy);
	if (config->flags & EGPU_CONFIG_POLICY)
		json_object_object_add(port, "policy",
				       json_object_new_string(policy));
	if (config->flags & EGPU_CONFIG_TRACK)
		flags |= EGPU_PORT_TRACKED;
	if (config->flags & EGPU_CONFIG_FORGET)
		flags &= ~(int64_t)EGPU_PORT_TRACKED;
	if (config->flags & EGPU_CONFIG_RETRAIN)
		flags &= ~(int64_t)EGPU_PORT_NO_RETRAIN;
	if (config->flags & EGPU_CONFIG_NO_RETRAIN)
		flags |= EGPU_PORT_NO_RETRAIN;
	json_object_object_add(port, "flags", json_object_new_int64(flags));
	return error_of(get(scenario, "config"), "error");
}

static int query(struct egpu_query *query)
{
	struct json_object *ports = get(scenario, "ports");

	query->abi_version = EGPU_ABI_VERSION + (uint32_t)number(scenario,
								 "abi_more");
	query->nr_ports = ports ? (uint32_t)json_object_array_length(ports) : 0;
	query->max_accepted = EGPU_MAX_ACCEPTED;
	query->event_queue = 256;
	query->ioctls = get(scenario, "old_module") ?
			(1U << EGPU_CMD_FUNCTION_MANAGE) - 1 : ~0ULL;
	snprintf(query->module_version, EGPU_NAME_LEN, "9.9.9");
	return 0;
}

static int answer(unsigned long request, void *arg)
{
	switch (request) {
	case EGPU_IOC_QUERY:
		return query(arg);
	case EGPU_IOC_PORT_LIST:
		return port_list(arg);
	case EGPU_IOC_PORT_INFO:
		return port_info(arg);
	case EGPU_IOC_FUNCTION_LIST:
		return function_list(arg);
	case EGPU_IOC_USER_LIST:
		if (((struct egpu_user_list *)arg)->flags)
			return suspects(arg);
		return user_list(arg);
	case EGPU_IOC_LINK_INFO:
		return link_info(arg);
	case EGPU_IOC_ATTACH:
		return attach(arg);
	case EGPU_IOC_DETACH:
		return detach(arg);
	case EGPU_IOC_CANCEL:
		return cancel(arg);
	case EGPU_IOC_LINK_SET:
		return link_set(arg);
	case EGPU_IOC_FUNCTION_MANAGE:
		return manage(arg);
	case EGPU_IOC_PORT_CONFIG:
		return config(arg);
	case EGPU_IOC_EVENT_SUBSCRIBE:
		((struct egpu_event_subscribe *)arg)->seq = 100;
		start("subscribe");
		return 0;
	default:
		return -ENOTTY;
	}
}

int egpu_sys_open(const char *name, int flags)
{
	int fds[2];

	(void)name;
	(void)flags;
	if (!scenario)
		return -ENOENT;
	if (error_of(scenario, "open_error"))
		return error_of(scenario, "open_error");
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds))
		abort();
	far_end = fds[1];
	return fds[0];
}

int egpu_sys_ioctl(int fd, unsigned long request, void *arg)
{
	int ret;

	(void)fd;
	pthread_mutex_lock(&lock);
	ret = answer(request, arg);
	pthread_mutex_unlock(&lock);
	return ret;
}

static void replace(const char *file, const char *text)
{
	FILE *stream = fopen(file, "we");

	if (stream) {
		fputs(text, stream);
		fclose(stream);
	}
}

/* Line @bar of a resource file gets another length; 0: it has no place. */
static void resize_bar(const char *device, int bar, uint64_t size)
{
	char *old = egpu_read(device, "resource"), *save, *line, *file;
	char whole[4096] = "", *at = whole;
	unsigned long long start, end, flags;
	int i = 0;

	for (line = strtok_r(old, "\n", &save); line;
	     line = strtok_r(NULL, "\n", &save), i++) {
		if (sscanf(line, "%llx %llx %llx", &start, &end, &flags) != 3)
			abort();
		if (i == bar) {
			flags = size ? flags : 0;
			start = size ? start : 0;
			end = size ? start + size - 1 : 0;
		}
		at += sprintf(at, "0x%016llx 0x%016llx 0x%016llx\n", start,
			      end, flags);
	}
	free(old);
	if (asprintf(&file, "%s/resource", device) < 0)
		abort();
	replace(file, whole);
	free(file);
}

/* Sets the size that FUNCTION_LIST tells, too. */
static void resize_function(const char *name, int bar, uint64_t size)
{
	struct json_object *ports = get(scenario, "ports"), *list, *f;
	size_t i, k;

	for (i = 0; i < json_object_array_length(ports); i++) {
		list = get(json_object_array_get_idx(ports, i), "functions");
		for (k = 0; list && k < json_object_array_length(list); k++) {
			f = json_object_array_get_idx(list, k);
			if (strcmp(text(f, "address"), name))
				continue;
			f = json_object_array_get_idx(get(f, "bars"),
						      (size_t)bar);
			set_number(f, "length", (int64_t)size);
		}
	}
}

/*
 * .../devices/ADDRESS/resourceN_resize: the limit is "largest_bar". A failure
 * "breaks" it, down to 1 MiB, and takes the place of BAR "loses".
 */
static int write_resize(const char *path, const char *what)
{
	char *device = strdup(path), *file = strrchr(device, '/');
	int bar = file[strlen("/resource")] - '0', ret = 0;
	uint64_t size = 1ULL << (atoi(what) + 20);

	*file = 0;
	if (size > (uint64_t)number(scenario, "largest_bar"))
		ret = -ENOSPC;
	/* as if the kernel had failed half way */
	if (ret && get(scenario, "breaks"))
		resize_bar(device, bar, 1 << 20);
	if (ret && get(scenario, "loses"))
		resize_bar(device, (int)number(scenario, "loses"), 0);
	if (!ret) {
		resize_bar(device, bar, size);
		resize_function(strrchr(device, '/') + 1, bar, size);
	}
	free(device);
	return ret;
}

/* Binding to the module's stub, and unbinding. */
static int write_stub(const char *path, const char *what)
{
	bool bind = !strcmp(path + strlen(path) - 5, "/bind");
	char *link, *target;
	int ret = 0;

	if (asprintf(&link, "%s/bus/pci/devices/%s/driver", egpu_roots.sysfs,
		     what) < 0 ||
	    asprintf(&target, "%s/bus/pci/drivers/egpu", egpu_roots.sysfs) < 0)
		abort();
	if (bind ? symlink(target, link) : unlink(link))
		ret = -ENODEV;
	free(link);
	free(target);
	return ret;
}

int egpu_sys_write(const char *path, const char *what)
{
	const char *last = strrchr(path, '/') + 1;

	done("write %s %s", last, what);
	if (error_of(get(scenario, "write"), last))
		return error_of(get(scenario, "write"), last);
	if (strstr(last, "_resize"))
		return write_resize(path, what);
	return write_stub(path, what);
}

/* Begins at a fixed time and goes on with the real one. */
int egpu_sys_clock(clockid_t clock, struct timespec *ts)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	ts->tv_sec = now.tv_sec - began.tv_sec;
	ts->tv_nsec = now.tv_nsec - began.tv_nsec;
	if (ts->tv_nsec < 0) {
		ts->tv_nsec += 1000000000;
		ts->tv_sec--;
	}
	if (clock == CLOCK_REALTIME) {
		ts->tv_nsec += 500000000;
		ts->tv_sec += WALL_S + ts->tv_nsec / 1000000000;
		ts->tv_nsec %= 1000000000;
	} else {
		ts->tv_sec += BOOT_S;
	}
	return 0;
}

bool egpu_sys_has_address(const char *interface)
{
	char *list = egpu_read(root, "addresses");
	bool has = list && strstr(list, interface);

	free(list);
	return has;
}

int egpu_sys_terminate(uint32_t pid, uint64_t start_time)
{
	done("terminate %u %llu", pid, (unsigned long long)start_time);
	pthread_mutex_lock(&lock);
	start("terminate");
	pthread_mutex_unlock(&lock);
	return 0;
}
