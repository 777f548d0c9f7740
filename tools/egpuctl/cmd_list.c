// SPDX-License-Identifier: GPL-2.0
/*
 * list: tracked ports, one a line; with --all those that could be tracked, too.
 */
#include <stdlib.h>
#include <string.h>

#include "ctl.h"

/* What is below an untracked port, from sysfs. */
static bool has_gpu(const struct egpu_port_info *info, struct egpu_pci_id *gpu)
{
	struct egpu_address address = egpu_port_address(info);
	struct egpu_pci_id *ids = NULL;
	int i, count = egpu_pci_below(&address, &ids);
	bool found = false;

	for (i = 0; i < count && !found; i++)
		if (ids[i].class >> 16 == 0x03 || ids[i].class >> 16 == 0x12) {
			*gpu = ids[i];
			found = true;
		}
	free(ids);
	return found;
}

static bool is_empty(const struct egpu_port_info *info)
{
	struct egpu_address address = egpu_port_address(info);
	struct egpu_pci_id *ids = NULL;
	int count = egpu_pci_below(&address, &ids);

	free(ids);
	return count <= 0;
}

static bool is_candidate(const struct egpu_port_info *info)
{
	struct egpu_pci_id gpu;

	if (info->flags & EGPU_PORT_TRACKED)
		return false;
	return has_gpu(info, &gpu) ||
	       (((info->flags & EGPU_PORT_HOTPLUG) || soft_possible(info)) &&
		is_empty(info));
}

static void users_cell(const struct view *view, char *buf, size_t size)
{
	int idle = view_idle(view);

	if (view->nr_users < 0)
		snprintf(buf, size, "?");
	else if (!view->nr_users)
		snprintf(buf, size, "none");
	else if (idle)
		snprintf(buf, size, "%d (%d idle)", view->nr_users, idle);
	else
		snprintf(buf, size, "%d", view->nr_users);
}

static void last_cell(struct table *table, const struct view *view)
{
	char text[192], users[32];

	view_reason(view, text, sizeof(text));
	if (view->info.state == EGPU_STATE_READY) {
		users_cell(view, users, sizeof(users));
		if (!view_is_stuck(view) && !view->info.blocked_port)
			snprintf(text, sizeof(text), "%s", users);
	}
	if (!*text && view->info.backend == EGPU_BACKEND_SOFT &&
	    view->info.state == EGPU_STATE_EMPTY)
		snprintf(text, sizeof(text), "soft slot");
	table_row(table, view_is_stuck(view) ? RED : PLAIN, 6, "%s",
		  *text ? text : "-");
}

static void gpu_cells(struct table *table, const struct view *view)
{
	const struct egpu_function *gpu = view->gpu;
	struct egpu_address a;
	char address[EGPU_ADDRESS_LEN], brief[EGPU_ADDRESS_LEN], name[64];

	if (!gpu)
		return;
	a = egpu_function_address(gpu);
	short_address(egpu_address_format(&a, address), brief, sizeof(brief));
	device_name(gpu->vendor, gpu->device, true, name, sizeof(name));
	table_row(table, PLAIN, 3, "%s %s", brief, name);
	table_row(table, PLAIN, 4, "%s", gpu->flags & EGPU_FUNCTION_HELD ?
		  "(held)" : gpu->driver[0] ? gpu->driver : "-");
}

/* With the verdict, where the numbers alone raise questions. */
static void link_cell(const struct view *view, char *buf, size_t size)
{
	struct link_verdict verdict;
	size_t len;

	link_text(&view->link, buf, size);
	view_verdict(view, &verdict);
	len = strlen(buf);
	if (verdict.kind == WORTH_IDLE || verdict.kind == WORTH_LIMITED ||
	    verdict.kind == WORTH_DEGRADED)
		snprintf(buf + len, size - len, " (%s)",
			 worth_name(verdict.kind));
}

static void port_row(struct table *table, const struct view *view)
{
	static const enum colour colours[EGPU_STATE_COUNT] = {
		[EGPU_STATE_READY] = GREEN,
		[EGPU_STATE_DETACHED] = GREEN,
		[EGPU_STATE_FAULT] = RED,
		[EGPU_STATE_LOST] = RED,
		[EGPU_STATE_QUARANTINED] = RED,
		[EGPU_STATE_HELD] = YELLOW,
		[EGPU_STATE_DRAINING] = YELLOW,
		[EGPU_STATE_DETACHING] = YELLOW,
	};
	uint32_t state = view->info.state;
	char link[80];

	table_row(table, PLAIN, 0, "%u", view->info.port);
	table_row(table, PLAIN, 1, "%s", view->name ? view->name : "-");
	table_row(table, state < EGPU_STATE_COUNT ? colours[state] : PLAIN, 2,
		  "%s", egpu_state_name(state));
	gpu_cells(table, view);
	link_cell(view, link, sizeof(link));
	table_row(table, PLAIN, 5, "%s", view->gpu ? link : "-");
	last_cell(table, view);
}

static void untracked_row(struct ctl *ctl, struct table *table,
			  const struct egpu_port_info *info)
{
	struct egpu_address a = egpu_port_address(info);
	char path[160], name[64];
	const char *label = NULL;
	struct egpu_pci_id gpu;

	if (!egpu_pci_path(&a, path, sizeof(path)))
		label = config_name(&ctl->config, path);
	table_row(table, PLAIN, 0, "%u", info->port);
	table_row(table, PLAIN, 1, "%s", label ? label : "-");
	table_row(table, DIM, 2, "UNTRACKED");
	if (has_gpu(info, &gpu)) {
		char where[EGPU_ADDRESS_LEN], brief[EGPU_ADDRESS_LEN], *driver;

		egpu_address_format(&gpu.address, where);
		short_address(where, brief, sizeof(brief));
		device_name(gpu.vendor, gpu.device, true, name, sizeof(name));
		table_row(table, PLAIN, 3, "%s %s", brief, name);
		driver = egpu_device_driver(&gpu.address);
		table_row(table, PLAIN, 4, "%s", driver ? driver : "-");
		free(driver);
	}
	track_command(info, name, sizeof(name));
	table_row(table, PLAIN, 6, "%s", name);
}

static int count_untracked(const struct egpu_port_info *ports, int count)
{
	struct egpu_pci_id gpu;
	int i, n = 0;

	for (i = 0; i < count; i++)
		n += !(ports[i].flags & EGPU_PORT_TRACKED) &&
		     has_gpu(&ports[i], &gpu);
	return n;
}

static void explain(struct ctl *ctl, int tracked, int behind, int candidates)
{
	bool all = given(ctl, OPT_ALL);

	if (!tracked && !(all && candidates))
		puts("No port is tracked: no port of this machine is external facing, removable or\n"
		     "Thunderbolt. An internal or OCuLink port is tracked by hand:");
	if (!tracked && !all)
		puts("  egpuctl list --all         shows the ports that could have an external GPU\n"
		     "  sudo egpuctl track PORT    has egpu look after one");
	else if (!tracked && !candidates)
		puts("  none here has a GPU below it, and none is empty and hotplug capable, or reports its link");
	if (behind && !all)
		printf("%d GPU%s behind %s untracked port%s: egpuctl list --all\n",
		       behind, behind == 1 ? "" : "s", behind == 1 ? "an" : "",
		       behind == 1 ? "" : "s");
}

/* Return: how many are listed, in ascending order. */
static int get_views(struct ctl *ctl, const struct egpu_port_info *ports,
		     int count, unsigned int what, struct view **views)
{
	int i, n = 0;

	*views = calloc((size_t)count + 1, sizeof(**views));
	if (!*views)
		abort();
	for (i = 0; i < count; i++)
		if (ports[i].flags & EGPU_PORT_TRACKED ||
		    (given(ctl, OPT_ALL) && is_candidate(&ports[i])))
			view_get(ctl, &ports[i], 0, &(*views)[n++]);
	view_users(ctl, *views, n, what);
	return n;
}

static void free_views(struct view *views, int count)
{
	int i;

	for (i = 0; i < count; i++)
		view_free(&views[i]);
	free(views);
}

static void list_text(struct ctl *ctl, struct egpu_port_info *ports, int count)
{
	struct table *table =
		table_new("PORT|NAME|STATE|GPU|DRIVER|LINK|USERS");
	int i, n, tracked = 0, candidates = 0;
	struct view *views;

	n = get_views(ctl, ports, count, VIEW_MEASURE, &views);
	for (i = 0; i < n; i++) {
		if (views[i].info.flags & EGPU_PORT_TRACKED) {
			port_row(table, &views[i]);
			tracked++;
		} else {
			untracked_row(ctl, table, &views[i].info);
			candidates++;
		}
	}
	free_views(views, n);
	if (tracked || candidates)
		table_print(table, ctl);
	table_free(table);
	explain(ctl, tracked, count_untracked(ports, count), candidates);
}

static void list_json(struct ctl *ctl, struct egpu_port_info *ports, int count)
{
	struct json_object *array = json_object_new_array();
	struct view *views;
	int i, n = get_views(ctl, ports, count, 0, &views);

	for (i = 0; i < n; i++)
		json_object_array_add(array, view_json(&views[i], false));
	free_views(views, n);
	put(reply(ctl), "ports", array);
	put_int(reply(ctl), "untracked_gpus", count_untracked(ports, count));
}

enum exit_code cmd_list(struct ctl *ctl)
{
	struct egpu_port_info *ports;
	int count = egpu_ports(ctl->egpu, true, &ports);

	if (count < 0)
		return fail_errno(ctl, count, "list of ports", NULL);
	if (ctl->json)
		list_json(ctl, ports, count);
	else
		list_text(ctl, ports, count);
	free(ports);
	return EXIT_DONE;
}
