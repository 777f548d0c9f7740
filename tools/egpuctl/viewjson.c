// SPDX-License-Identifier: GPL-2.0
/*
 * A port as JSON; Documentation/egpuctl.schema.json describes it.
 */
#include <stdlib.h>
#include <string.h>

#include "dma.h"

static void put_hex(struct json_object *o, const char *key, uint32_t value)
{
	char text[12];

	snprintf(text, sizeof(text), "%04x", value);
	put_text(o, key, text);
}

static struct json_object *blocked_json(const struct view *view)
{
	const struct egpu_port_info *info = &view->info;
	struct json_object *o;

	if (!view_is_stuck(view) && !info->blocked_port)
		return NULL;
	o = json_object_new_object();
	if (info->blocked_port) {
		put_text(o, "driver", info->blocked_driver);
		put_null(o, "step");
		put_int(o, "port", info->blocked_port);
		put_time(o, "since", info->blocked_since_ns);
	} else {
		put_text(o, "driver", info->step_driver);
		put_text(o, "step", egpu_step_name(info->step));
		put_int(o, "port", info->port);
		put_time(o, "since", info->step_since_ns);
	}
	return o;
}

static struct json_object *nodes_json(const struct egpu_node *nodes, int count)
{
	struct json_object *array = json_object_new_array();
	int i;

	for (i = 0; i < count; i++)
		append_text(array, nodes[i].name);
	return array;
}

static struct json_object *gpu_json(const struct view *view)
{
	const struct egpu_function *gpu = view->gpu;
	struct egpu_address a;
	struct json_object *o;
	char text[EGPU_ADDRESS_LEN];
	char name[GPU_NAME_LEN];

	if (!gpu)
		return NULL;
	a = egpu_function_address(gpu);
	o = json_object_new_object();
	put_text(o, "address", egpu_address_format(&a, text));
	put_hex(o, "vendor_id", gpu->vendor);
	put_hex(o, "device_id", gpu->device);
	put_text(o, "name", view_gpu_name(view, name) ? name : NULL);
	put_text(o, "driver", gpu->driver[0] ? gpu->driver : NULL);
	put(o, "nodes", nodes_json(view->nodes, view->nr_nodes));
	return o;
}

struct json_object *container_json(const struct egpu_place *place)
{
	struct json_object *o;

	if (!*place->engine)
		return NULL;
	o = json_object_new_object();
	put_text(o, "engine", place->engine);
	put_text(o, "id", *place->id ? place->id : NULL);
	put_text(o, "name", *place->name ? place->name : NULL);
	return o;
}

/* The first of: what the kernel calls it, then what user space found. */
static const char *kind_name(uint32_t kinds)
{
	static const struct {
		uint32_t bit;
		const char *name;
	} others[] = {
		{ EGPU_HOLDS_NVIDIA, "nvidia" }, { EGPU_HOLDS_KFD, "kfd" },
		{ EGPU_HOLDS_VFIO, "vfio" }, { EGPU_HOLDS_BAR, "bar" },
		{ EGPU_HOLDS_MAPPING, "mapping" },
		{ EGPU_HOLDS_DMABUF, "dma-buf" },
	};
	unsigned int i;

	for (i = EGPU_USER_KIND_COUNT - 1; i; i--)
		if (kinds & EGPU_HOLDS_NODE(i))
			break;
	/* drm before sound, when it has both */
	if (kinds & EGPU_HOLDS_NODE(EGPU_USER_DRM))
		i = EGPU_USER_DRM;
	if (i)
		return egpu_user_kind_name(i);
	for (i = 0; i < ARRAY_SIZE(others); i++)
		if (kinds & others[i].bit)
			return others[i].name;
	return egpu_user_kind_name(EGPU_USER_OTHER);
}

struct json_object *user_json(const struct egpu_process *process,
			      const char *driver)
{
	struct json_object *o = json_object_new_object();
	struct json_object *nodes = json_object_new_array();
	char cure[256];
	unsigned int i;

	if (process->pid)
		put_int(o, "pid", process->pid);
	else
		put_null(o, "pid");
	put_time(o, "start_time", monotonic_of_boottime(process->start_time));
	put_int(o, "uid", process->uid);
	put_text(o, "comm", process->comm);
	put_text(o, "kind", kind_name(process->kinds));
	for (i = 0; i < process->nr_nodes; i++)
		append_text(nodes, process->nodes[i]);
	put(o, "nodes", nodes);
	put(o, "active", process->active < 0 ? NULL :
	    json_object_new_boolean(process->active));
	if (process->memory >= 0)
		put_int(o, "memory_bytes", process->memory);
	else
		put_null(o, "memory_bytes");
	put(o, "container", container_json(&process->place));
	put_text(o, "unit", *process->place.unit ? process->place.unit : NULL);
	put_bool(o, "blocks", process->blocks);
	egpu_cure(process, driver, cure, sizeof(cure));
	put_text(o, "cure", cure);
	return o;
}

struct json_object *function_json(const struct egpu_function *f, bool dma)
{
	struct json_object *o = json_object_new_object();
	struct egpu_address a = egpu_function_address(f);
	struct egpu_node *nodes;
	char text[128];
	int count;

	put_text(o, "address", egpu_address_format(&a, text));
	put_hex(o, "vendor_id", f->vendor);
	put_hex(o, "device_id", f->device);
	put_text(o, "name", device_name(f->vendor, f->device, false, text,
					sizeof(text)) ? text : NULL);
	snprintf(text, sizeof(text), "%06x", f->class);
	put_text(o, "class", text);
	put_text(o, "driver", f->driver[0] ? f->driver : NULL);
	put_int(o, "generation", (int64_t)f->generation);
	put_bool(o, "gated", f->flags & EGPU_FUNCTION_GATED);
	put_bool(o, "held", f->flags & EGPU_FUNCTION_HELD);
	put_bool(o, "bound", f->flags & EGPU_FUNCTION_BOUND);
	put_bool(o, "deferred", f->flags & EGPU_FUNCTION_DEFERRED);
	put_bool(o, "virtual", f->flags & EGPU_FUNCTION_VIRTUAL);
	put_bool(o, "boot_display", f->flags & EGPU_FUNCTION_BOOT_DISPLAY);
	put_bool(o, "override", f->flags & EGPU_FUNCTION_OVERRIDE);
	put_bool(o, "untrusted", f->flags & EGPU_FUNCTION_UNTRUSTED);
	put_text(o, "error_state", f->flags & EGPU_FUNCTION_FAILED ? "failed" :
		 f->flags & EGPU_FUNCTION_FROZEN ? "frozen" : "normal");
	count = egpu_nodes(&a, &nodes);
	put(o, "nodes", nodes_json(nodes, count));
	if (count > 0)
		free(nodes);
	put(o, "dma", dma ? dma_json(f) : NULL);
	return o;
}

static struct json_object *bars_json(const struct view *view)
{
	struct json_object *array = json_object_new_array();
	int i;

	for (i = 0; view->gpu && i < 7; i++) {
		const struct egpu_bar *bar = &view->gpu->bars[i];
		struct json_object *o;

		if (!bar->length)
			continue;
		o = json_object_new_object();
		put_int(o, "index", i);
		put_text(o, "kind", bar->flags & EGPU_BAR_IO ? "io" :
			 i == 6 ? "rom" : "memory");
		put_int(o, "length", (int64_t)bar->length);
		if (bar->start)
			put_int(o, "start", (int64_t)bar->start);
		else
			put_null(o, "start");
		put_bool(o, "assigned", bar->flags & EGPU_BAR_ASSIGNED);
		put_bool(o, "prefetchable", bar->flags & EGPU_BAR_PREFETCHABLE);
		put_bool(o, "is_64bit", bar->flags & EGPU_BAR_64BIT);
		json_object_array_add(array, o);
	}
	return array;
}

static struct json_object *counters_json(const struct egpu_counters *c)
{
	struct json_object *o = json_object_new_object();

	put_int(o, "arrivals", c->arrivals);
	put_int(o, "attaches", c->attaches);
	put_int(o, "detaches", c->detaches);
	put_int(o, "losses", c->losses);
	put_int(o, "removals", c->removals);
	put_int(o, "recoveries", c->recoveries);
	put_int(o, "failed_recoveries", c->failed_recoveries);
	put_int(o, "mends", c->mends);
	return o;
}

static struct json_object *transaction_json(const struct egpu_port_info *info)
{
	static const char * const kinds[] = {
		[EGPU_TRANSACTION_NONE] = NULL,
		[EGPU_TRANSACTION_ATTACH] = "attach",
		[EGPU_TRANSACTION_DETACH] = "detach",
		[EGPU_TRANSACTION_MEND] = "mend",
		[EGPU_TRANSACTION_LINK] = "link",
		[EGPU_TRANSACTION_MANAGE] = "manage",
	};
	struct json_object *o;
	int64_t left;

	if (!info->transaction)
		return NULL;
	o = json_object_new_object();
	put_int(o, "id", info->transaction);
	put_text(o, "kind", info->transaction_kind < ARRAY_SIZE(kinds) ?
		 kinds[info->transaction_kind] : NULL);
	put_time(o, "deadline", info->deadline_ns);
	left = (int64_t)(info->deadline_ns - monotonic_ns());
	if (info->deadline_ns)
		put_int(o, "seconds_left", left > 0 ? left / 1000000000 : 0);
	else
		put_null(o, "seconds_left");
	return o;
}

static void put_full(struct json_object *o, const struct view *view)
{
	struct json_object *functions = json_object_new_array();
	struct json_object *others = json_object_new_array();
	struct json_object *users = json_object_new_array();
	const char *driver = view->gpu ? view->gpu->driver : "";
	struct json_object *below = json_object_new_array();
	int i;

	for (i = 0; i < view->nr_below; i++) {
		struct json_object *id = json_object_new_int64(view->below[i]);

		json_object_array_add(below, id);
	}
	put(o, "ports_below", below);
	for (i = 0; i < view->nr_functions; i++)
		json_object_array_add(may_go(&view->functions[i]) ?
				      functions : others,
				      function_json(&view->functions[i],
						    view->dma));
	for (i = 0; i < view->nr_listed; i++)
		json_object_array_add(users, user_json(&view->users[i],
						       driver));
	put(o, "functions", functions);
	put(o, "other_devices", others);
	put(o, "bars", bars_json(view));
	put(o, "hops", hops_json(view));
	put(o, "aer", aer_json(view));
	put(o, "iommu", view->gpu && view->dma ? dma_json(view->gpu) : NULL);
	put(o, "counters", counters_json(&view->info.counters));
	put(o, "transaction", transaction_json(&view->info));
	put(o, "users", users);
	put_bool(o, "users_hidden", view->nr_users < 0);
}

struct json_object *view_json(const struct view *view, bool full)
{
	const struct egpu_port_info *info = &view->info;
	struct json_object *o = json_object_new_object();
	char hint[192];

	put_int(o, "id", info->port);
	put_text(o, "name", view->name);
	put_text(o, "address", view->address);
	put_text(o, "path", view->path);
	put_text(o, "backend", info->backend ?
		 egpu_backend_name(info->backend) : NULL);
	put_bool(o, "soft", info->flags & EGPU_PORT_SOFT);
	if (info->backend == EGPU_BACKEND_SOFT)
		put_int(o, "watch_ms", info->watch_ms);
	else
		put_null(o, "watch_ms");
	put_bool(o, "hotplug_capable", info->flags & EGPU_PORT_HOTPLUG);
	put_bool(o, "link_reporting", info->flags & EGPU_PORT_LINK_REPORTING);
	put_text(o, "state", egpu_state_name(info->state));
	put_text(o, "reason", info->reason ?
		 egpu_reason_name(info->reason) : NULL);
	put_time(o, "since", info->since_ns);
	put_int(o, "generation", (int64_t)info->generation);
	put_text(o, "policy", egpu_policy_name(info->policy));
	put_bool(o, "saved", view->saved);
	put_bool(o, "tracked", info->flags & EGPU_PORT_TRACKED);
	put_bool(o, "cable", info->flags & EGPU_PORT_CABLE);
	put_int(o, "cable_port", info->cable_port);
	put_bool(o, "safe_to_unplug",
		 info->flags & EGPU_PORT_SAFE_TO_UNPLUG);
	if (view->nr_users >= 0)
		put_int(o, "users", view->nr_users);
	else
		put_null(o, "users");
	put(o, "blocked", blocked_json(view));
	put(o, "gpu", gpu_json(view));
	put(o, "link", link_json(view));
	view_reason(view, hint, sizeof(hint));
	if (!(info->flags & EGPU_PORT_TRACKED))
		track_command(info, hint, sizeof(hint));
	put_text(o, "hint", *hint ? hint : NULL);
	if (full)
		put_full(o, view);
	return o;
}
