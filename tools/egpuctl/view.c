// SPDX-License-Identifier: GPL-2.0
/*
 * A port with everything that is said about it, gathered once.
 */
#include <stdlib.h>
#include <string.h>

#include "ctl.h"

/* Time that a driver may spend in probe() or remove() before it is told. */
#define STUCK_NS	3000000000ULL
#define MEASURE_MS	80

bool may_go(const struct egpu_function *function)
{
	return (function->flags & EGPU_FUNCTION_GATED) ||
	       (function->dma_flags & EGPU_DMA_MANAGED);
}

/* The function that is the GPU: display before accelerator before the rest. */
const struct egpu_function *pick_gpu(const struct egpu_function *functions,
				     int count)
{
	const struct egpu_function *found = NULL;
	int i;

	for (i = 0; i < count; i++) {
		const struct egpu_function *f = &functions[i];

		if (f->flags & EGPU_FUNCTION_VIRTUAL)
			continue;
		if (f->class >> 16 == 0x03)
			return f;
		if (f->class >> 16 == 0x12 && !found)
			found = f;
	}
	for (i = 0; i < count && !found; i++)
		if (may_go(&functions[i]))
			found = &functions[i];
	return found;
}

static void measure_users(struct view *view)
{
	struct egpu_address gpus[16];
	int i, n = 0;

	for (i = 0; i < view->nr_functions && n < 16; i++)
		if (may_go(&view->functions[i]))
			gpus[n++] = egpu_function_address(&view->functions[i]);
	egpu_processes_measure(view->users, view->nr_listed, gpus, n,
			       MEASURE_MS);
}

void view_users(struct ctl *ctl, struct view *views, int count,
		unsigned int what)
{
	struct egpu_port_users *ports = calloc((size_t)count + 1,
					       sizeof(*ports));
	struct view *view;
	int i, n = 0;

	if (!ports)
		abort();
	for (view = views; view < views + count; view++)
		if (view->info.flags & EGPU_PORT_TRACKED)
			ports[n++] = (struct egpu_port_users){
				.port = view->info.port,
				.functions = view->functions,
				.nr_functions = view->nr_functions,
			};
	egpu_processes_all(ctl->egpu, ports, n);
	for (view = views, i = 0; i < n; view++) {
		if (view->info.port != ports[i].port)
			continue;
		if (ports[i].count >= 0) {
			view->users = ports[i].users;
			view->nr_listed = ports[i].count;
			view->nr_users = ports[i].hidden ? -1 : ports[i].count;
		}
		if (what & VIEW_MEASURE)
			measure_users(view);
		i++;
	}
	free(ports);
}

static void get_gpu(struct view *view)
{
	struct egpu_address address;

	view->gpu = pick_gpu(view->functions, view->nr_functions);
	if (!view->gpu)
		return;
	address = egpu_function_address(view->gpu);
	view->nr_nodes = egpu_nodes(&address, &view->nodes);
}

/*
 * Its name, or its numbers. Looked up only where it is said: without udev's index
 * all of pci.ids is read. Return: it is a name.
 */
bool view_gpu_name(const struct view *view, char buf[GPU_NAME_LEN])
{
	return device_name(view->gpu->vendor, view->gpu->device, false, buf,
			   GPU_NAME_LEN);
}

/* Slot ports below a cable port. Return: how many. */
int ports_below(struct ctl *ctl, const struct egpu_port_info *info,
		uint32_t ids[MAX_BELOW])
{
	struct egpu_port_info *ports;
	int i, count, n = 0;

	if (!(info->flags & EGPU_PORT_CABLE))
		return 0;
	count = egpu_ports(ctl->egpu, false, &ports);
	for (i = 0; i < count && n < MAX_BELOW; i++)
		if (ports[i].cable_port == info->port &&
		    ports[i].port != info->port)
			ids[n++] = ports[i].port;
	if (count >= 0)
		free(ports);
	return n;
}

/* The file is read when it is asked for first. */
static const struct learned *learned_of(struct ctl *ctl)
{
	if (!ctl->learned) {
		ctl->learned = calloc(1, sizeof(*ctl->learned));
		if (!ctl->learned)
			abort();
		learned_load(ctl->learned, false);
	}
	return ctl->learned;
}

/* What else is known about the link. The scan of sysfs is not for nothing. */
static void get_link(struct ctl *ctl, struct view *view, unsigned int what)
{
	struct egpu_address address = egpu_port_address(&view->info);
	const struct config_port *port = config_port_find(&ctl->config,
							  view->path);
	struct learned_key key;

	if (port && port->max_speed > 0)
		view->max_speed = (uint32_t)port->max_speed;
	if (learned_any(learned_of(ctl)) && view_key(view, &key))
		learned_find(learned_of(ctl), &key, &view->learned);
	if ((what & VIEW_ENDS) ||
	    (view->link.target_speed &&
	     view->link.target_speed < view->link.ends_speed))
		egpu_cooling(&address, &view->cooling);
}

void view_name(struct ctl *ctl, const struct egpu_port_info *info,
	       struct view *view)
{
	struct egpu_address address = egpu_port_address(info);

	memset(view, 0, sizeof(*view));
	view->info = *info;
	view->nr_users = -1;
	egpu_address_format(&address, view->address);
	if (egpu_pci_path(&address, view->path, sizeof(view->path)))
		strcpy(view->path, view->address);
	view->name = config_name(&ctl->config, view->path);
	view->saved = config_port_find(&ctl->config, view->path);
}

int view_get(struct ctl *ctl, const struct egpu_port_info *info,
	     unsigned int what, struct view *view)
{
	int ret;

	view_name(ctl, info, view);
	ret = egpu_functions(ctl->egpu, info->port, &view->functions);
	view->nr_functions = ret < 0 ? 0 : ret;
	view->dma = egpu_has(ctl->egpu, EGPU_CMD_FUNCTION_MANAGE);
	get_gpu(view);
	view->nr_hops = egpu_links(ctl->egpu, info->port, what & VIEW_ENDS,
				   &view->about, &view->hops);
	egpu_port_link(view->hops, view->nr_hops, &view->link);
	/* what the registers say of a link that leads nowhere means nothing */
	if (!view->nr_functions) {
		view->link.known = false;
		view->link.speed = 0;
		view->link.width = 0;
		view->link.bytes_per_second = 0;
	}
	get_link(ctl, view, what);
	view->nr_below = ports_below(ctl, info, view->below);
	if (what & VIEW_USERS)
		view_users(ctl, view, 1, what);
	return 0;
}

bool view_key(const struct view *view, struct learned_key *key)
{
	struct egpu_address address;

	memset(key, 0, sizeof(*key));
	if (!view->gpu)
		return false;
	address = egpu_function_address(view->gpu);
	snprintf(key->path, sizeof(key->path), "%s", view->path);
	key->vendor = view->gpu->vendor;
	key->device = view->gpu->device;
	if (egpu_pci_serial(&address, key->serial, sizeof(key->serial)))
		*key->serial = 0;
	return true;
}

void view_free(struct view *view)
{
	egpu_processes_free(view->users, view->nr_listed);
	if (view->nr_hops >= 0)
		free(view->hops);
	free(view->nodes);
	free(view->functions);
}

/* What a person calls the port. */
const char *view_label(const struct view *view)
{
	static char id[16];

	if (view->name)
		return view->name;
	snprintf(id, sizeof(id), "%u", view->info.port);
	return id;
}

int view_idle(const struct view *view)
{
	int i, idle = 0;

	for (i = 0; i < view->nr_listed; i++)
		idle += view->users[i].active == 0;
	return idle;
}

bool view_is_stuck(const struct view *view)
{
	const struct egpu_port_info *info = &view->info;

	return info->step_driver[0] && info->step_since_ns &&
	       (info->step == EGPU_STEP_PROBE ||
		info->step == EGPU_STEP_REMOVE ||
		info->step == EGPU_STEP_MANAGE) &&
	       monotonic_ns() - info->step_since_ns > STUCK_NS;
}

void view_stuck(const struct view *view, char *buf, size_t size)
{
	const struct egpu_port_info *info = &view->info;
	unsigned long long seconds = (monotonic_ns() - info->step_since_ns) /
				     1000000000ULL;

	if (info->step == EGPU_STEP_REMOVE)
		snprintf(buf, size, "%s stuck in remove() for %llu s",
			 info->step_driver, seconds);
	else
		snprintf(buf, size, "%s stuck in probe() for %llu s",
			 info->step_driver, seconds);
}

static void failed_checks(const struct egpu_port_info *info, char *buf,
			  size_t size)
{
	unsigned int bit;
	size_t used = 0;

	*buf = 0;
	for (bit = 0; egpu_check_name(bit) && used < size; bit++)
		if (info->failed_checks & (1U << bit))
			used += (size_t)snprintf(buf + used, size - used, "%s%s",
						 used ? "," : "",
						 egpu_check_name(bit));
}

/* "BAR 1 (16 GiB): no space". Return: false: all have some. */
static bool no_space(const struct view *view, char *buf, size_t size)
{
	char text[24];
	int i, bar;

	for (i = 0; i < view->nr_functions; i++)
		for (bar = 0; bar < 6; bar++) {
			const struct egpu_bar *b =
				&view->functions[i].bars[bar];

			if (!b->length || (b->flags & EGPU_BAR_IO) ||
			    (b->flags & EGPU_BAR_ASSIGNED))
				continue;
			snprintf(buf, size, "BAR %d (%s): no space", bar,
				 space_text(b->length, text));
			return true;
		}
	return false;
}

static void held_reason(const struct view *view, char *buf, size_t size)
{
	const struct egpu_port_info *info = &view->info;
	const char *label = view_label(view);
	char checks[32], space[64];

	switch (info->reason) {
	case EGPU_REASON_CHECKING:
		snprintf(buf, size, "being checked");
		break;
	case EGPU_REASON_MANUAL:
		snprintf(buf, size, "policy manual; egpuctl attach %s", label);
		break;
	case EGPU_REASON_CHECK_FAILED:
		failed_checks(info, checks, sizeof(checks));
		if ((info->failed_checks & EGPU_CHECK_BAR) &&
		    no_space(view, space, sizeof(space))) {
			snprintf(buf, size, "%s; egpuctl space %s", space,
				 label);
			break;
		}
		snprintf(buf, size, "check %s failed; egpuctl attach %s --ignore %s",
			 checks, label, checks);
		break;
	case EGPU_REASON_NOT_REMOVED:
		snprintf(buf, size, "was not unplugged; egpuctl attach %s",
			 label);
		break;
	default:
		snprintf(buf, size, "%s; egpuctl attach %s",
			 egpu_reason_name(info->reason), label);
		break;
	}
}

static void fault_reason(const struct view *view, char *buf, size_t size)
{
	const struct egpu_port_info *info = &view->info;
	const char *label = view_label(view), *why;
	char checks[32], text[64];

	switch (info->reason) {
	case EGPU_REASON_CHECK_FAILED:
		held_reason(view, buf, size);
		return;
	case EGPU_REASON_SLOT_FAILED:
		why = "the slot operation failed";
		break;
	case EGPU_REASON_BIND_FAILED:
		why = "binding failed";
		break;
	case EGPU_REASON_RECOVERY_FAILED:
		why = "unusable after an error";
		break;
	default:
		why = egpu_reason_name(info->reason);
		break;
	}
	failed_checks(info, checks, sizeof(checks));
	*text = 0;
	if (info->step_error)
		snprintf(text, sizeof(text), " (%s)",
			 strerror((int)info->step_error));
	snprintf(buf, size, "%s%s; egpuctl attach %s", why, text, label);
}

static void draining_reason(const struct view *view, char *buf, size_t size)
{
	const struct egpu_port_info *info = &view->info;
	char users[32] = "waits for its users", left[32] = "";

	if (info->nr_users >= 0)
		snprintf(users, sizeof(users), "%d user%s left",
			 info->nr_users, info->nr_users == 1 ? "" : "s");
	if (info->deadline_ns > monotonic_ns())
		snprintf(left, sizeof(left), ", %llu s", (unsigned long long)
			 ((info->deadline_ns - monotonic_ns()) / 1000000000));
	snprintf(buf, size, "%s%s", users, left);
}

/* Why it is in its state, and what to do about that; may be empty. */
void view_reason(const struct view *view, char *buf, size_t size)
{
	const struct egpu_port_info *info = &view->info;

	*buf = 0;
	if (view_is_stuck(view)) {
		view_stuck(view, buf, size);
		return;
	}
	if (info->blocked_port) {
		snprintf(buf, size, "blocked by %s on port %u",
			 info->blocked_driver, info->blocked_port);
		return;
	}
	switch (info->state) {
	case EGPU_STATE_DETACHED:
		snprintf(buf, size, "safe to unplug%s%s",
			 info->backend == EGPU_BACKEND_SOFT ?
			 "; plugged in again: egpuctl attach " : "",
			 info->backend == EGPU_BACKEND_SOFT ?
			 view_label(view) : "");
		break;
	case EGPU_STATE_HELD:
		held_reason(view, buf, size);
		break;
	case EGPU_STATE_FAULT:
		fault_reason(view, buf, size);
		break;
	case EGPU_STATE_DRAINING:
		draining_reason(view, buf, size);
		break;
	case EGPU_STATE_QUARANTINED:
		snprintf(buf, size, "lost too often; egpuctl attach %s",
			 view_label(view));
		break;
	case EGPU_STATE_LOST:
		snprintf(buf, size, "vanished, being removed");
		break;
	case EGPU_STATE_DETACHING:
	case EGPU_STATE_BINDING:
		if (info->step)
			snprintf(buf, size, "%s%s%s",
				 egpu_step_name(info->step),
				 info->step_driver[0] ? " " : "",
				 info->step_driver);
		break;
	case EGPU_STATE_READY:
		if (info->reason == EGPU_REASON_ADOPTED)
			snprintf(buf, size, "found bound, left untouched");
		else if (info->reason == EGPU_REASON_OVERRIDE)
			snprintf(buf, size, "bound by a driver override");
		break;
	default:
		break;
	}
}
