// SPDX-License-Identifier: GPL-2.0
/*
 * What would go with a port, who uses it, and what forbids it.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "detach.h"

static int add_functions(struct plan *plan, uint32_t port)
{
	struct egpu_function *list, *bigger;
	int count = egpu_functions(plan->ctl->egpu, port, &list);

	if (count <= 0) {
		if (!count)
			free(list);
		return count == -ENOENT ? 0 : count;
	}
	bigger = realloc(plan->functions, (size_t)(plan->nr_functions + count) *
			 sizeof(*bigger));
	if (!bigger)
		abort();
	memcpy(bigger + plan->nr_functions, list,
	       (size_t)count * sizeof(*list));
	plan->functions = bigger;
	plan->nr_functions += count;
	free(list);
	return 0;
}

/* The port and, when it is a cable port, the slot ports below it. */
static int port_set(struct plan *plan, uint32_t ids[MAX_BELOW + 1])
{
	const struct egpu_port_info *info = &plan->view.info;

	ids[0] = info->port;
	return 1 + ports_below(plan->ctl, info, ids + 1);
}

static bool has_name(const char *list, const char *name)
{
	size_t len = strlen(name);
	const char *at = list;

	while (len && at && *at) {
		at += strspn(at, ", ");
		if (!strncmp(at, name, len) && (!at[len] ||
						strchr(", ", at[len])))
			return true;
		at += strcspn(at, ", ");
	}
	return false;
}

static bool is_named(const char *list, const struct egpu_process *process)
{
	char unit[160];
	char *dot;

	snprintf(unit, sizeof(unit), "%s", process->place.unit);
	if (has_name(list, process->comm) ||
	    has_name(list, process->place.name) || has_name(list, unit))
		return true;
	dot = strrchr(unit, '.');
	if (dot)
		*dot = 0;
	return has_name(list, unit);
}

static bool is_allowed(const struct plan *plan,
		       const struct egpu_process *process)
{
	const char *word = plan->ctl->value[OPT_ALLOW];
	const char *config = plan->ctl->config.allow;

	if (egpu_must_close(process, plan->driver))
		return false;
	return (word && is_named(word, process)) ||
	       (config && is_named(config, process));
}

static void sort_users(struct plan *plan)
{
	int i;

	free(plan->allowed);
	plan->allowed = calloc((size_t)plan->nr_users + 1, sizeof(bool));
	plan->nr_accepted = 0;
	plan->in_the_way = 0;
	for (i = 0; i < plan->nr_users; i++) {
		const struct egpu_process *process = &plan->users[i];

		plan->allowed[i] = !process->blocks || is_allowed(plan, process);
		if (!plan->allowed[i])
			plan->in_the_way++;
		else if (process->in_kernel &&
			 plan->nr_accepted < EGPU_MAX_ACCEPTED)
			plan->accepted[plan->nr_accepted++] =
				(struct egpu_accepted){
					.pid = process->pid,
					.start_time = process->start_time,
				};
	}
}

static void merge(struct plan *plan, struct egpu_process *list, int count)
{
	struct egpu_process *bigger;
	int i, j;

	bigger = realloc(plan->users, (size_t)(plan->nr_users + count + 1) *
			 sizeof(*bigger));
	if (!bigger)
		abort();
	plan->users = bigger;
	for (i = 0; i < count; i++) {
		for (j = 0; j < plan->nr_users; j++)
			if (list[i].pid && bigger[j].pid == list[i].pid)
				break;
		if (j < plan->nr_users) {
			bigger[j].kinds |= list[i].kinds;
			bigger[j].in_kernel |= list[i].in_kernel;
			free(list[i].nodes);
		} else {
			bigger[plan->nr_users++] = list[i];
		}
	}
	free(list);
}

/* Looks again who uses it. */
int plan_users(struct plan *plan)
{
	uint32_t ids[MAX_BELOW + 1];
	int i, n = port_set(plan, ids), count;
	struct egpu_process *list;
	bool hidden;

	egpu_processes_free(plan->users, plan->nr_users);
	plan->users = NULL;
	plan->nr_users = 0;
	plan->hidden = false;
	for (i = 0; i < n; i++) {
		count = egpu_processes(plan->ctl->egpu, ids[i], &list, &hidden);
		if (count == -ENOENT)
			continue;
		if (count < 0)
			return count;
		plan->hidden |= hidden;
		merge(plan, list, count);
	}
	sort_users(plan);
	return 0;
}

static int find_guards(struct plan *plan)
{
	struct egpu_address *addresses;
	int i, ret;

	addresses = calloc((size_t)plan->nr_functions + 1, sizeof(*addresses));
	if (!addresses)
		return -ENOMEM;
	for (i = 0; i < plan->nr_functions; i++)
		addresses[i] = egpu_function_address(&plan->functions[i]);
	ret = egpu_guards(addresses, plan->nr_functions, &plan->guards);
	plan->nr_guards = ret < 0 ? 0 : ret;
	free(addresses);
	return ret < 0 ? ret : 0;
}

int plan_make(struct ctl *ctl, const struct egpu_port_info *info,
	      struct plan *plan)
{
	const struct egpu_function *gpu;
	uint32_t ids[MAX_BELOW + 1];
	int i, n, ret;

	memset(plan, 0, sizeof(*plan));
	plan->ctl = ctl;
	view_name(ctl, info, &plan->view);
	n = port_set(plan, ids);
	for (i = 0; i < n; i++) {
		ret = add_functions(plan, ids[i]);
		if (ret < 0)
			return ret;
	}
	for (i = 0; i < plan->nr_functions; i++)
		plan->nr_others += !may_go(&plan->functions[i]);
	gpu = pick_gpu(plan->functions, plan->nr_functions);
	plan->driver = gpu ? gpu->driver : "";
	ret = plan_users(plan);
	return ret < 0 ? ret : find_guards(plan);
}

void plan_free(struct plan *plan)
{
	egpu_processes_free(plan->users, plan->nr_users);
	view_free(&plan->view);
	free(plan->functions);
	free(plan->allowed);
	free(plan->guards);
}

bool plan_boot_display(const struct plan *plan)
{
	int i;

	for (i = 0; i < plan->nr_functions; i++)
		if (plan->functions[i].flags & EGPU_FUNCTION_BOOT_DISPLAY)
			return true;
	return false;
}

bool plan_nothing(const struct plan *plan)
{
	/* a function that is no GPU, and was given to egpu, leaves it EMPTY */
	return (plan->view.info.state == EGPU_STATE_EMPTY &&
		plan->nr_others == plan->nr_functions) ||
	       plan->view.info.state == EGPU_STATE_DETACHED;
}
