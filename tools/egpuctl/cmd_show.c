// SPDX-License-Identifier: GPL-2.0
/*
 * show and users: one port in full, and who uses it.
 */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "dma.h"

static void print_head(const struct ctl *ctl, const struct view *view)
{
	const struct egpu_port_info *info = &view->info;

	printf("%s%s%s (port %u, %s", paint(ctl, BOLD), view_label(view),
	       paint(ctl, PLAIN), info->port, view->path);
	if (strcmp(view->path, view->address))
		printf(", %s", view->address);
	printf(", %s, policy %s%s)\n", info->backend ?
	       egpu_backend_name(info->backend) : "no slot driver",
	       egpu_policy_name(info->policy), view->saved ? ", saved" : "");
}

static void print_state(const struct ctl *ctl, const struct view *view)
{
	const struct egpu_port_info *info = &view->info;
	char reason[192], since[24];

	view_reason(view, reason, sizeof(reason));
	printf("  State    %s%s%s", state_paint(ctl, info->state),
	       egpu_state_name(info->state), paint(ctl, PLAIN));
	if (info->since_ns)
		printf(" since %s", time_text(info->since_ns, since));
	if (info->generation)
		printf(" (generation %llu)",
		       (unsigned long long)info->generation);
	printf("%s%s\n", *reason ? ", " : "", reason);
	if (view_is_stuck(view) && info->step == EGPU_STEP_REMOVE)
		printf("           %s%sDo not pull the cable%s: all PCI hotplug would stop. Other GPUs are fine. Only a reboot frees this one.\n",
		       paint(ctl, BOLD), paint(ctl, RED), paint(ctl, PLAIN));
}

static void print_slot(const struct view *view)
{
	const struct egpu_port_info *info = &view->info;

	if (info->backend == EGPU_BACKEND_SOFT)
		printf("  Slot     %s, egpu's own; it looks at the link every %u ms\n",
		       info->slot_name, info->watch_ms);
	else if (info->flags & EGPU_PORT_SOFT)
		puts("  Slot     egpu's own is being registered");
}

static void print_gpu(const struct view *view)
{
	struct egpu_address a;
	char address[EGPU_ADDRESS_LEN];
	char name[GPU_NAME_LEN];
	int i;

	if (!view->gpu)
		return;
	a = egpu_function_address(view->gpu);
	view_gpu_name(view, name);
	printf("  GPU      %s %s, %s", egpu_address_format(&a, address),
	       name, view->gpu->flags & EGPU_FUNCTION_HELD ?
	       "held" : view->gpu->driver[0] ? view->gpu->driver : "no driver");
	for (i = 0; i < view->nr_nodes; i++)
		printf("%s%s", i ? " " : ", ", view->nodes[i].name);
	if (view->gpu->flags & EGPU_FUNCTION_DEFERRED)
		printf(", its driver waits for something (deferred)");
	if (view->gpu->flags & EGPU_FUNCTION_BOOT_DISPLAY)
		printf(", boot display");
	if (view->gpu->flags & EGPU_FUNCTION_FAILED)
		printf(", failed");
	else if (view->gpu->flags & EGPU_FUNCTION_FROZEN)
		printf(", frozen by an error");
	putchar('\n');
}

static void print_also(const struct view *view)
{
	const char *label = "Also";
	char address[EGPU_ADDRESS_LEN], class[80];
	int i;

	for (i = 0; i < view->nr_functions; i++) {
		const struct egpu_function *f = &view->functions[i];
		struct egpu_address a = egpu_function_address(f);

		if (f == view->gpu)
			continue;
		class_name(f->class, class, sizeof(class));
		printf("  %-8s %s %s (%s)\n", label,
		       egpu_address_format(&a, address), class,
		       f->flags & EGPU_FUNCTION_HELD ? "held" :
		       f->driver[0] ? f->driver : "no driver");
		label = "";
	}
}

static void print_below(const struct view *view)
{
	int i;

	for (i = 0; i < view->nr_below; i++)
		printf("%sport %u", i ? ", " : "  Below    ",
		       view->below[i]);
	if (view->nr_below)
		puts(" (they go together with this one)");
}

static void print_verdict(const struct view *view)
{
	const struct egpu_link *link = &view->link;
	struct link_verdict verdict;

	view_verdict(view, &verdict);
	if (verdict.kind != WORTH_FULL)
		printf(", %s", verdict.text);
	else if (link->speed >= link->max_speed && link->width >= link->max_width)
		printf(", as good as this port allows");
	else
		printf(", as good as the GPU allows (the port: %gGT/s x%u)",
		       link->max_speed / 10.0, link->max_width);
}

static void print_link(const struct view *view)
{
	const struct egpu_link *link = &view->link;
	char text[48], rate[24];

	if (!view->gpu)
		return;
	link_text(link, text, sizeof(text));
	printf("  Link     %s", text);
	if (link->missing) {
		puts(" (the module is too old to tell)");
		return;
	}
	if (link->asleep) {
		puts(" (the port sleeps and was left alone)");
		return;
	}
	if (link->bytes_per_second) {
		rate_text(link->bytes_per_second, rate);
		printf(", %s each way", rate);
	}
	if (link->known && !link->tunnelled)
		print_verdict(view);
	putchar('\n');
}

static void print_bars(const struct view *view)
{
	char size[16];
	bool io = false;
	int i, n = 0;

	for (i = 0; view->gpu && i < 6; i++) {
		const struct egpu_bar *bar = &view->gpu->bars[i];
		bool assigned = bar->flags & EGPU_BAR_ASSIGNED;

		if (!bar->length)
			continue;
		if ((bar->flags & EGPU_BAR_IO) && !assigned) {
			io = true;
			continue;
		}
		printf("%s%d: %s%s", n++ ? "  " : "  BARs     ", i,
		       bar_text(bar->length, size), assigned ?
		       bar->flags & EGPU_BAR_IO ? " (I/O)" : "" :
		       " (no space)");
	}
	if (io)
		printf("%sI/O unassigned (harmless)", n++ ? "   " :
		       "  BARs     ");
	if (n)
		putchar('\n');
}

static void print_dma(const struct view *view)
{
	char iommu[80], width[80];

	if (!view->gpu || !view->dma)
		return;
	dma_iommu_text(view->gpu, iommu, sizeof(iommu));
	dma_width_text(view->gpu, width, sizeof(width));
	printf("  DMA      %s; IOMMU: %s\n", width, iommu);
}

static void place_text(const struct egpu_place *place, char *buf, size_t size)
{
	*buf = 0;
	if (*place->engine)
		snprintf(buf, size, "container %s:%.60s", place->engine,
			 *place->name ? place->name : place->id);
	else if (*place->unit)
		snprintf(buf, size, "%s", place->unit);
}

static void print_trimmed(const char *format, ...) print_like(1, 2);

/* A line whose last columns may be empty. */
static void print_trimmed(const char *format, ...)
{
	char line[512];
	size_t len;
	va_list args;

	va_start(args, format);
	vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	for (len = strlen(line); len && line[len - 1] == ' '; len--)
		line[len - 1] = 0;
	puts(line);
}

/* One line a process, the columns as wide as they have to be. */
void print_users(const struct view *view, const char *indent)
{
	int i, width = 0, wide = 0;
	char where[160], memory[16];

	for (i = 0; i < view->nr_listed; i++) {
		place_text(&view->users[i].place, where, sizeof(where));
		if ((int)strlen(where) > wide)
			wide = (int)strlen(where);
		if ((int)strlen(view->users[i].comm) > width)
			width = (int)strlen(view->users[i].comm);
	}
	for (i = 0; i < view->nr_listed; i++) {
		const struct egpu_process *user = &view->users[i];

		place_text(&user->place, where, sizeof(where));
		*memory = 0;
		if (user->memory >= 0)
			size_text((uint64_t)user->memory, memory);
		print_trimmed("%s%-6u %-*s  %-*s  %9s  %s",
			      i ? "           " : indent, user->pid, width,
			      user->comm, wide, where, memory,
			      user->active < 0 ? "" :
			      user->active ? "active" : "idle");
	}
}

static void print_counters(const struct egpu_counters *c)
{
	if (!c->losses && !c->recoveries && !c->failed_recoveries &&
	    !c->removals)
		return;
	printf("  History  %u arrival%s, %u lost, %u removed by others, %u error%s recovered, %u not\n",
	       c->arrivals, c->arrivals == 1 ? "" : "s", c->losses,
	       c->removals, c->recoveries, c->recoveries == 1 ? "" : "s",
	       c->failed_recoveries);
}

enum exit_code cmd_show(struct ctl *ctl)
{
	struct egpu_port_info info;
	enum exit_code code = find_port(ctl, ctl->arg[0], true, &info);
	char command[64];
	struct view view;

	if (code != EXIT_DONE)
		return code;
	view_get(ctl, &info, VIEW_USERS | VIEW_MEASURE, &view);
	if (ctl->json) {
		put(reply(ctl), "port", view_json(&view, true));
	} else {
		print_head(ctl, &view);
		print_state(ctl, &view);
		print_slot(&view);
		print_gpu(&view);
		print_also(&view);
		print_below(&view);
		print_link(&view);
		print_bars(&view);
		print_dma(&view);
		print_users(&view, "  Users    ");
		if (!view.nr_listed && view.nr_users >= 0 && view.gpu)
			puts("  Users    none");
		if (view.nr_users < 0 && view.gpu)
			printf("  %-8s (other users' processes: sudo)\n",
			       view.nr_listed ? "" : "Users");
		print_counters(&info.counters);
		track_command(&info, command, sizeof(command));
		if (!(info.flags & EGPU_PORT_TRACKED))
			printf("  Track    %s\n", command);
	}
	view_free(&view);
	return EXIT_DONE;
}

static void print_cures(const struct view *view)
{
	const char *driver = view->gpu ? view->gpu->driver : "";
	char cure[256];
	unsigned int n;
	int i;

	for (i = 0; i < view->nr_listed; i++) {
		const struct egpu_process *user = &view->users[i];

		egpu_cure(user, driver, cure, sizeof(cure));
		printf("       %u: ", user->pid);
		for (n = 0; n < user->nr_nodes; n++)
			printf("%s%s", n ? " " : "", user->nodes[n]);
		printf("  ->  %s\n", cure);
	}
}

static struct json_object *users_json(const struct view *view)
{
	struct json_object *array = json_object_new_array();
	const char *driver = view->gpu ? view->gpu->driver : "";
	int i;

	for (i = 0; i < view->nr_listed; i++)
		json_object_array_add(array, user_json(&view->users[i],
						       driver));
	return array;
}

enum exit_code cmd_users(struct ctl *ctl)
{
	struct egpu_port_info info;
	enum exit_code code = find_port(ctl, ctl->arg[0], true, &info);
	struct view view;

	if (code != EXIT_DONE)
		return code;
	view_get(ctl, &info, VIEW_USERS | VIEW_MEASURE, &view);
	if (ctl->json) {
		put_int(reply(ctl), "port", info.port);
		put(reply(ctl), "users", users_json(&view));
		put_bool(reply(ctl), "users_hidden", view.nr_users < 0);
	} else if (!view.nr_listed) {
		puts(view.nr_users < 0 ?
		     "None of yours; other users' processes: sudo egpuctl users"
		     : "Nobody uses it.");
	} else {
		print_users(&view, "           ");
		print_cures(&view);
		if (view.nr_users < 0)
			puts("Other users' processes: sudo egpuctl users");
	}
	view_free(&view);
	return EXIT_DONE;
}
