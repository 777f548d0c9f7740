// SPDX-License-Identifier: GPL-2.0
/*
 * space: the windows on the way to a port, what would fit, what is in the way of
 * what does not, and what would help. Nothing is changed, nothing is woken.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "../lib/internal.h"	/* files below a root */
#include "space.h"

static const char * const kinds[] = {
	[EGPU_SPACE_IO] = "I/O",
	[EGPU_SPACE_MEMORY] = "32-bit memory",
	[EGPU_SPACE_PREFETCHABLE] = "prefetchable",
};

static const char * const json_kinds[] = {
	[EGPU_SPACE_IO] = "io",
	[EGPU_SPACE_MEMORY] = "memory",
	[EGPU_SPACE_PREFETCHABLE] = "prefetchable",
};

int port_space_get(struct ctl *ctl, const struct egpu_port_info *info,
		   struct port_space *ps)
{
	struct egpu_address device = egpu_port_address(info), *movable;
	const struct config_port *port;
	int i, n = 0, ret;

	memset(ps, 0, sizeof(*ps));
	ps->ctl = ctl;
	view_get(ctl, info, 0, &ps->view);
	port = config_port_find(&ctl->config, ps->view.path);
	ps->max = port ? port->rebar_max : 0;
	movable = calloc((size_t)ps->view.nr_functions + 1, sizeof(*movable));
	if (!movable)
		abort();
	for (i = 0; i < ps->view.nr_functions; i++)
		if (may_go(&ps->view.functions[i]))
			movable[n++] =
				egpu_function_address(&ps->view.functions[i]);
	if (ps->view.gpu)
		device = egpu_function_address(ps->view.gpu);
	ret = egpu_space_read(&device, movable, n, &ps->space);
	ps->known = !ret;
	free(movable);
	return ret;
}

void port_space_free(struct port_space *ps)
{
	egpu_space_free(&ps->space);
	view_free(&ps->view);
}

static void find_cure(const struct port_space *ps, enum egpu_space_kind kind,
		      const struct egpu_fit *fit, struct egpu_space_cure *cure)
{
	struct egpu_address port = egpu_port_address(&ps->view.info);
	char *cmdline = egpu_read(egpu_roots.proc, "cmdline");
	struct egpu_boot boot = {
		.port = &port,
		.hotplug = ps->view.info.flags & EGPU_PORT_HOTPLUG,
		.cmdline = cmdline,
	};

	egpu_space_cure(&ps->space, kind, fit, &boot, cure);
	free(cmdline);
}

static void cure_text(const struct port_space *ps, const struct egpu_fit *fit,
		      const struct egpu_space_cure *cure, char *buf,
		      size_t size)
{
	const char *label = view_label(&ps->view);

	switch (cure->kind) {
	case EGPU_CURE_ATTACH:
		if (ps->view.info.state == EGPU_STATE_READY)
			snprintf(buf, size, "egpuctl detach %s, then egpuctl attach %s",
				 label, label);
		else
			snprintf(buf, size, "egpuctl attach %s", label);
		break;
	case EGPU_CURE_PARAMETER:
		snprintf(buf, size, "boot with %s%s", cure->parameter,
			 ps->view.info.flags & EGPU_PORT_HOTPLUG ? "" :
			 " and the GPU plugged in");
		break;
	case EGPU_CURE_ABOVE_4G:
		snprintf(buf, size, "turn on \"Above 4G decoding\" in the firmware's setup");
		break;
	case EGPU_CURE_FIRMWARE:
		snprintf(buf, size, "the firmware gives too little: look for an MMIO size in its setup");
		break;
	case EGPU_CURE_ROOT:
		snprintf(buf, size, "sudo egpuctl space %s tells more", label);
		break;
	case EGPU_CURE_DETACH:
		snprintf(buf, size, "detach that, then egpuctl %s %s%s",
			 fit->grows ? "space" : "attach", label,
			 fit->grows ? " --grow" : "");
		break;
	default:
		*buf = 0;
		break;
	}
}

/* What a resize does not move is in its window. */
static void shared_why(const struct port_space *ps, const struct egpu_fit *fit,
		       char *buf, size_t size)
{
	snprintf(buf, size, "%s%s: not every kernel can resize it there; egpuctl space %s --grow tries",
		 *fit->what ? "its window also holds " :
			      "its window is of another type",
		 fit->what, view_label(&ps->view));
}

void space_why(const struct port_space *ps, enum egpu_space_kind kind,
	       const struct egpu_fit *fit, char *buf, size_t size)
{
	struct egpu_space_cure cure;
	char help[480], bridge[EGPU_ADDRESS_LEN];

	find_cure(ps, kind, fit, &cure);
	cure_text(ps, fit, &cure, help, sizeof(help));
	switch (fit->fits) {
	case EGPU_FITS_BLOCKED:
		egpu_address_format(&ps->space.bridges[fit->bridge].address,
				    bridge);
		snprintf(buf, size, "in the way is %s, whose %s window is too small and holds %s%s%s",
			 bridge, kinds[kind], fit->what, *help ? "; " : "",
			 help);
		break;
	case EGPU_FITS_ROOT:
		snprintf(buf, size, "the root bus has no room%s%s",
			 *help ? "; " : "", help);
		break;
	case EGPU_FITS_UNKNOWN:
		if (fit->shared) {
			shared_why(ps, fit, buf, size);
			break;
		}
		snprintf(buf, size, "what the root bus has is not known%s%s",
			 *help ? "; " : "", help);
		break;
	default:
		snprintf(buf, size, "there is room: %s", help);
		break;
	}
}

/* ------------------------------------------- what has no place, or could */

/**
 * struct obstacle - BARs that do not have what they could
 * @kind: of window
 * @what: "0000:04:00.0 BAR 1", or how many
 * @size: of all of them
 * @fit: how they could
 */
struct obstacle {
	enum egpu_space_kind kind;
	char what[64];
	uint64_t size;
	struct egpu_fit fit;
};

/* All BARs of a kind without a place. Return: false: there is none. */
static bool unassigned(struct port_space *ps, enum egpu_space_kind kind,
		       struct obstacle *obstacle)
{
	uint64_t sizes[EGPU_FIT_MAX];
	char address[EGPU_ADDRESS_LEN];
	struct bar_room room;
	int i, bar, n = 0;

	*obstacle = (struct obstacle){ .kind = kind };
	for (i = 0; i < ps->view.nr_functions; i++)
		for (bar = 0; bar < 6 && n < EGPU_FIT_MAX; bar++) {
			if (!bar_room(&ps->view.functions[i], bar, &room) ||
			    room.assigned || room.kind != kind)
				continue;
			egpu_address_format(&room.address, address);
			snprintf(obstacle->what, sizeof(obstacle->what),
				 "%s BAR %d", address, bar);
			obstacle->size += room.size;
			sizes[n++] = room.size;
		}
	if (n > 1)
		snprintf(obstacle->what, sizeof(obstacle->what), "%d BARs", n);
	if (n && ps->known)
		egpu_space_fit(&ps->space, kind, sizes, n, &obstacle->fit);
	return n && ps->known;
}

/* A resizable BAR that cannot have all that it could. */
static bool stunted(struct port_space *ps, struct obstacle *obstacle)
{
	uint64_t limit = ps->max ? ps->max : UINT64_MAX, most;
	struct bar_room room;
	char address[EGPU_ADDRESS_LEN];

	if (!ps->known || !bar_pick(ps, &room) || !room.sizes)
		return false;
	most = bar_largest(&room, limit);
	if (room.assigned && room.size >= most)
		return false;
	if (bar_best(ps, &room, limit) >= most)
		return false;
	*obstacle = (struct obstacle){ .kind = room.kind, .size = most };
	snprintf(obstacle->what, sizeof(obstacle->what), "%s BAR %d",
		 egpu_address_format(&room.address, address), room.bar);
	bar_fit(ps, &room, most, &obstacle->fit);
	return true;
}

/*
 * What would be in the way of a GPU where none is: of a BAR as large as
 * rebar-max, or as most are when they arrive.
 */
static bool waiting(struct port_space *ps, struct obstacle *obstacle)
{
	uint64_t size = 1ULL << 20, limit = ps->max ? ps->max : 256ULL << 20;

	if (!ps->known || view_is_occupied(&ps->view.info) ||
	    ps->view.nr_functions)
		return false;
	while (size << 1 <= limit)
		size <<= 1;
	*obstacle = (struct obstacle){
		.kind = EGPU_SPACE_PREFETCHABLE,
		.what = "a GPU's BAR",
		.size = size,
	};
	egpu_space_fit(&ps->space, obstacle->kind, &size, 1, &obstacle->fit);
	return obstacle->fit.fits == EGPU_FITS_BLOCKED ||
	       obstacle->fit.fits == EGPU_FITS_ROOT;
}

/* Return: how many. */
static int obstacles_get(struct port_space *ps,
			 struct obstacle obstacles[EGPU_SPACE_KINDS + 1])
{
	int kind, n = 0;

	for (kind = EGPU_SPACE_MEMORY; kind < EGPU_SPACE_KINDS; kind++)
		n += unassigned(ps, kind, &obstacles[n]);
	n += stunted(ps, &obstacles[n]);
	n += waiting(ps, &obstacles[n]);
	return n;
}

/* ------------------------------------------------------------------ text */

static void size_cell(struct table *table, int column, uint64_t size)
{
	char text[24];

	table_row(table, PLAIN, column, "%s", size ? space_text(size, text) :
		  "-");
}

static void window_row(struct table *table, const struct egpu_window *window,
		       const char *kind, bool root)
{
	char text[24];

	table_row(table, PLAIN, 1, "%s", kind);
	size_cell(table, 2, window->size);
	table_row(table, PLAIN, 3, "%s", window->size ?
		  space_text(egpu_window_used(window), text) : "-");
	size_cell(table, 4, egpu_window_largest(window));
	if (root && window->size)
		table_row(table, PLAIN, 6, "0x%llx",
			  (unsigned long long)window->start);
}

static bool is_port(const struct port_space *ps, int bridge)
{
	struct egpu_address a = egpu_port_address(&ps->view.info);

	return egpu_address_equal(&a, &ps->space.bridges[bridge].address);
}

static void print_windows(struct port_space *ps)
{
	struct table *table =
		table_new("BRIDGE|WINDOW|SIZE|USED|FITS|REGROWN|AT");
	bool root = ps->space.nr_root;
	char address[EGPU_ADDRESS_LEN];
	int i, kind;

	for (i = 0; i < ps->space.nr_root; i++) {
		table_row(table, PLAIN, 0, "root bus");
		window_row(table, &ps->space.root[i], "memory", true);
	}
	for (i = 0; i < ps->space.nr_bridges; i++)
		for (kind = EGPU_SPACE_KINDS - 1; kind >= 0; kind--) {
			const struct egpu_space_bridge *b =
				&ps->space.bridges[i];

			table_row(table, is_port(ps, i) ? BOLD : PLAIN, 0, "%s",
				  egpu_address_format(&b->address, address));
			window_row(table, &b->window[kind], kinds[kind], root);
			if (i == ps->space.nr_bridges - 1 &&
			    kind != EGPU_SPACE_IO && root)
				size_cell(table, 5,
					  egpu_space_regrown(&ps->space,
							     kind));
		}
	table_print(table, ps->ctl);
	table_free(table);
}

static void print_sizes(struct port_space *ps, const struct bar_room *room)
{
	uint64_t best, limit = ps->max ? ps->max : UINT64_MAX;
	char text[24];
	int bit;

	if (!room->sizes) {
		printf(", resizable (it sleeps, and was not asked)");
		return;
	}
	printf(", resizable:");
	for (bit = 0; bit < EGPU_REBAR_BITS; bit++)
		if (room->sizes >> bit & 1)
			printf(" %s", bar_text(1ULL << (bit + 20), text));
	best = bar_best(ps, room, limit);
	if (room->assigned && best > room->size)
		printf("; %s fits: egpuctl space %s --grow",
		       space_text(best, text), view_label(&ps->view));
}

static void print_bars(struct port_space *ps)
{
	char address[EGPU_ADDRESS_LEN], text[24];
	struct bar_room room;
	int i, bar;

	for (i = 0; i < ps->view.nr_functions; i++)
		for (bar = 0; bar < 6; bar++) {
			if (!bar_room(&ps->view.functions[i], bar, &room))
				continue;
			egpu_address_format(&room.address, address);
			printf("%s BAR %d  %s%s", address, bar,
			       space_text(room.size, text),
			       room.kind == EGPU_SPACE_IO ? ", I/O" : "");
			if (!room.assigned)
				printf(room.kind == EGPU_SPACE_IO ?
				       ", no space (harmless)" : ", no space");
			if (room.resizable)
				print_sizes(ps, &room);
			putchar('\n');
		}
}

static void print_obstacle(const struct port_space *ps,
			   const struct obstacle *obstacle)
{
	char why[800], text[24];

	space_why(ps, obstacle->kind, &obstacle->fit, why, sizeof(why));
	printf("%s, %s: %s.\n", obstacle->what,
	       space_text(obstacle->size, text), why);
}

static void print_space(struct port_space *ps)
{
	struct obstacle obstacles[EGPU_SPACE_KINDS + 1];
	const struct ctl *ctl = ps->ctl;
	int i, count;

	printf("%s%s%s (port %u, %s), %s\n", paint(ctl, BOLD),
	       view_label(&ps->view), paint(ctl, PLAIN), ps->view.info.port,
	       ps->view.address, egpu_state_name(ps->view.info.state));
	if (!ps->known) {
		puts("The way to it is not known: sysfs does not show it.");
		return;
	}
	print_windows(ps);
	print_bars(ps);
	count = obstacles_get(ps, obstacles);
	for (i = 0; i < count; i++)
		print_obstacle(ps, &obstacles[i]);
	if (!ps->space.nr_root)
		printf("What the root bus has, and what would fit in windows made anew: sudo egpuctl space %s\n",
		       view_label(&ps->view));
}

/* ------------------------------------------------------------------ JSON */

static struct json_object *window_json(const struct egpu_window *window,
				       const char *kind, bool root)
{
	struct json_object *o = json_object_new_object();

	put_text(o, "kind", kind);
	if (root && window->size)
		put_int(o, "start", (int64_t)window->start);
	else
		put_null(o, "start");
	put_int(o, "size", (int64_t)window->size);
	put_int(o, "used", (int64_t)egpu_window_used(window));
	put_int(o, "largest_bar", (int64_t)egpu_window_largest(window));
	return o;
}

static struct json_object *bridges_json(const struct port_space *ps)
{
	struct json_object *array = json_object_new_array();
	struct json_object *o, *windows, *window;
	char address[EGPU_ADDRESS_LEN];
	int i, kind;

	for (i = 0; i < ps->space.nr_bridges; i++) {
		const struct egpu_space_bridge *b = &ps->space.bridges[i];

		o = json_object_new_object();
		windows = json_object_new_array();
		put_text(o, "address", egpu_address_format(&b->address,
							   address));
		for (kind = 0; kind < EGPU_SPACE_KINDS; kind++) {
			window = window_json(&b->window[kind],
					     json_kinds[kind],
					     ps->space.nr_root);
			json_object_array_add(windows, window);
		}
		put(o, "windows", windows);
		json_object_array_add(array, o);
	}
	return array;
}

static struct json_object *root_json(const struct port_space *ps)
{
	struct json_object *array;
	int i;

	if (!ps->space.nr_root)
		return NULL;
	array = json_object_new_array();
	for (i = 0; i < ps->space.nr_root; i++)
		json_object_array_add(array, window_json(&ps->space.root[i],
							 "memory", true));
	return array;
}

static struct json_object *regrown_json(const struct port_space *ps)
{
	struct json_object *o;
	int kind;

	if (!ps->space.nr_root)
		return NULL;
	o = json_object_new_object();
	for (kind = EGPU_SPACE_MEMORY; kind < EGPU_SPACE_KINDS; kind++)
		put_int(o, json_kinds[kind],
			(int64_t)egpu_space_regrown(&ps->space, kind));
	return o;
}

static struct json_object *bar_json(struct port_space *ps,
				    const struct bar_room *room)
{
	struct json_object *o = json_object_new_object();
	struct json_object *sizes = NULL, *one;
	char address[EGPU_ADDRESS_LEN];
	uint64_t best;
	int bit;

	put_text(o, "address", egpu_address_format(&room->address, address));
	put_int(o, "index", room->bar);
	put_text(o, "kind", json_kinds[room->kind]);
	put_int(o, "size", (int64_t)room->size);
	put_bool(o, "assigned", room->assigned);
	put_bool(o, "resizable", room->resizable);
	for (bit = 0; room->sizes && bit < EGPU_REBAR_BITS; bit++) {
		if (!sizes)
			sizes = json_object_new_array();
		if (!(room->sizes >> bit & 1))
			continue;
		one = json_object_new_int64((int64_t)1 << (bit + 20));
		json_object_array_add(sizes, one);
	}
	put(o, "sizes", sizes);
	best = room->sizes ? bar_best(ps, room, UINT64_MAX) : 0;
	if (best)
		put_int(o, "best", (int64_t)best);
	else
		put_null(o, "best");
	return o;
}

static struct json_object *obstacle_json(const struct port_space *ps,
					 const struct obstacle *obstacle)
{
	static const char * const fits[] = {
		[EGPU_FITS_NOW] = "now",
		[EGPU_FITS_REGROWN] = "regrown",
		[EGPU_FITS_BLOCKED] = "blocked",
		[EGPU_FITS_ROOT] = "root",
		[EGPU_FITS_UNKNOWN] = "unknown",
	};
	static const char * const cures[] = {
		[EGPU_CURE_NONE] = NULL,
		[EGPU_CURE_ATTACH] = "attach",
		[EGPU_CURE_PARAMETER] = "parameter",
		[EGPU_CURE_ABOVE_4G] = "above-4g",
		[EGPU_CURE_FIRMWARE] = "firmware",
		[EGPU_CURE_ROOT] = "root",
		[EGPU_CURE_DETACH] = "detach",
	};
	struct json_object *o = json_object_new_object();
	const struct egpu_fit *fit = &obstacle->fit;
	char address[EGPU_ADDRESS_LEN] = "";
	struct egpu_space_cure cure;

	find_cure(ps, obstacle->kind, fit, &cure);
	if (fit->fits == EGPU_FITS_BLOCKED)
		egpu_address_format(&ps->space.bridges[fit->bridge].address,
				    address);
	put_text(o, "what", obstacle->what);
	put_text(o, "kind", json_kinds[obstacle->kind]);
	put_int(o, "size", (int64_t)obstacle->size);
	put_text(o, "fits", fits[fit->fits]);
	put_text(o, "bridge", *address ? address : NULL);
	put_text(o, "holds", *fit->what ? fit->what : NULL);
	put_int(o, "need", (int64_t)fit->need);
	put_text(o, "cure", cures[cure.kind]);
	put_text(o, "parameter", *cure.parameter ? cure.parameter : NULL);
	return o;
}

static struct json_object *space_json(struct port_space *ps)
{
	struct json_object *o = json_object_new_object();
	struct json_object *bars = json_object_new_array();
	struct json_object *array = json_object_new_array();
	struct obstacle obstacles[EGPU_SPACE_KINDS + 1];
	struct bar_room room;
	int i, bar, count;

	put_int(o, "port", ps->view.info.port);
	put_text(o, "name", ps->view.name);
	put_text(o, "address", ps->view.address);
	put_text(o, "path", ps->view.path);
	put_text(o, "state", egpu_state_name(ps->view.info.state));
	if (ps->max)
		put_int(o, "rebar_max", (int64_t)ps->max);
	else
		put_null(o, "rebar_max");
	put(o, "bridges", bridges_json(ps));
	put(o, "root", root_json(ps));
	put(o, "regrown", regrown_json(ps));
	for (i = 0; i < ps->view.nr_functions; i++)
		for (bar = 0; bar < 6; bar++)
			if (bar_room(&ps->view.functions[i], bar, &room))
				json_object_array_add(bars,
						      bar_json(ps, &room));
	count = obstacles_get(ps, obstacles);
	for (i = 0; i < count; i++)
		json_object_array_add(array, obstacle_json(ps, &obstacles[i]));
	put(o, "bars", bars);
	put(o, "obstacles", array);
	return o;
}

static void show_port(struct ctl *ctl, const struct egpu_port_info *info,
		      struct json_object *array)
{
	struct port_space ps;

	port_space_get(ctl, info, &ps);
	if (array)
		json_object_array_add(array, space_json(&ps));
	else
		print_space(&ps);
	port_space_free(&ps);
}

enum exit_code cmd_space(struct ctl *ctl)
{
	struct egpu_port_info *ports, one;
	struct json_object *array = NULL;
	enum exit_code code;
	int i, count;

	if (given(ctl, OPT_GROW))
		return space_grow(ctl);
	if (ctl->nr_args > 1)
		return fail(ctl, EXIT_USAGE, NULL, NULL,
			    "a size is for --grow: %s", ctl->arg[1]);
	if (ctl->nr_args) {
		code = find_port(ctl, ctl->arg[0], false, &one);
		if (code != EXIT_DONE)
			return code;
	}
	count = egpu_ports(ctl->egpu, false, &ports);
	if (count < 0)
		return fail_errno(ctl, count, "list of ports", NULL);
	if (ctl->json)
		array = json_object_new_array();
	if (ctl->nr_args)
		show_port(ctl, &one, array);
	for (i = 0; i < count && !ctl->nr_args; i++) {
		if (i && !array)
			putchar('\n');
		show_port(ctl, &ports[i], array);
	}
	if (!count && !ctl->nr_args)
		say(ctl, "No port is tracked: egpuctl list --all\n");
	if (array)
		put(reply(ctl), "ports", array);
	free(ports);
	return EXIT_DONE;
}
