// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Processes that use a GPU: what the kernel lists and what only user space can
 * tell, one entry a process, with what /proc knows about it.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "internal.h"

/* Compositors and X servers: without them nobody sees anything any more. */
static const char * const display_servers[] = {
	"Xorg", "X", "Xwayland", "gnome-shell", "kwin_wayland", "kwin_x11",
	"mutter", "weston", "sway", "wayfire", "labwc", "river", "niri",
	"Hyprland", "cosmic-comp", "gamescope", "gamescope-wl", "cage",
	"phoc", "muffin", "cinnamon", "enlightenment", "hikari", "miriway",
	"lomiri", "systemd-logind", "seatd",
};

static bool is_display_server(const char *comm)
{
	size_t i;

	for (i = 0; i < sizeof(display_servers) / sizeof(*display_servers); i++)
		/* comm is cut after 15 characters */
		if (!strncmp(comm, display_servers[i], 15))
			return true;
	return false;
}

/* Field 22 of /proc/PID/stat; the name in field 2 may hold anything. */
uint64_t egpu_process_start(uint32_t pid)
{
	char *stat = egpu_read(egpu_roots.proc, "%u/stat", pid);
	char *at = stat ? strrchr(stat, ')') : NULL;
	long ticks = sysconf(_SC_CLK_TCK);
	uint64_t start = 0;
	int field;

	for (field = 2; at && field < 22; field++)
		at = strchr(at + 1, ' ');
	if (at && ticks > 0)
		start = strtoull(at, NULL, 10) * (1000000000ULL / (uint64_t)ticks);
	free(stat);
	return start;
}

/* What /proc tells and the kernel's list does not. */
bool egpu_process_fill(struct egpu_process *process)
{
	char *text;
	char *uid;

	text = egpu_read(egpu_roots.proc, "%u/cgroup", process->pid);
	if (text)
		egpu_place_parse(text, &process->place);
	free(text);
	egpu_place_name(&process->place);
	if (!*process->comm) {
		text = egpu_read(egpu_roots.proc, "%u/comm", process->pid);
		if (text)
			snprintf(process->comm, sizeof(process->comm), "%s",
				 text);
		free(text);
		text = egpu_read(egpu_roots.proc, "%u/status", process->pid);
		uid = text ? strstr(text, "\nUid:") : NULL;
		if (uid)
			process->uid = (uint32_t)strtoul(uid + 5, NULL, 10);
		free(text);
	}
	if (!process->start_time)
		process->start_time = egpu_process_start(process->pid);
	process->display_server = is_display_server(process->comm);
	/* a dma-buf alone outlives its exporter and holds no driver back */
	process->blocks = process->kinds != EGPU_HOLDS_DMABUF;
	return process->start_time;
}

struct egpu_process *egpu_process_get(struct egpu_process **list, int *count,
				      uint32_t pid)
{
	struct egpu_process *one;
	int i;

	for (i = 0; i < *count; i++)
		if ((*list)[i].pid == pid && pid)
			return &(*list)[i];
	one = realloc(*list, (size_t)(*count + 1) * sizeof(*one));
	if (!one)
		return NULL;
	*list = one;
	one += (*count)++;
	memset(one, 0, sizeof(*one));
	one->pid = pid;
	one->active = -1;
	one->memory = -1;
	return one;
}

void egpu_process_node(struct egpu_process *process, uint32_t kind,
		       const char *node)
{
	char (*bigger)[EGPU_NAME_LEN];
	unsigned int i;

	process->kinds |= kind;
	for (i = 0; i < process->nr_nodes; i++)
		if (!strncmp(process->nodes[i], node, EGPU_NAME_LEN - 1))
			return;
	bigger = realloc(process->nodes,
			 (process->nr_nodes + 1) * sizeof(*bigger));
	if (!bigger)
		return;
	process->nodes = bigger;
	snprintf(bigger[process->nr_nodes++], EGPU_NAME_LEN, "%s", node);
}

static int from_kernel(struct egpu_process **list, int *count,
		       const struct egpu_user *users, int nr_users)
{
	struct egpu_process *process;
	char name[EGPU_NAME_LEN];
	int i;

	for (i = 0; i < nr_users; i++) {
		process = egpu_process_get(list, count, users[i].pid);
		if (!process)
			return -ENOMEM;
		process->in_kernel = true;
		process->uid = users[i].uid;
		process->start_time = users[i].start_time;
		snprintf(process->comm, sizeof(process->comm), "%.15s",
			 users[i].kind == EGPU_USER_IMPORTER ? "importers" :
			 users[i].comm);
		snprintf(name, sizeof(name), "%.31s", users[i].node);
		egpu_process_node(process, EGPU_HOLDS_NODE(users[i].kind),
				  name);
	}
	return 0;
}

static int by_pid(const void *a, const void *b)
{
	const struct egpu_process *x = a, *y = b;

	return (x->pid > y->pid) - (x->pid < y->pid);
}

static void finish(struct egpu_port_users *port)
{
	int i;

	for (i = 0; i < port->count; i++)
		egpu_process_fill(&port->users[i]);
	if (port->count > 0)
		qsort(port->users, (size_t)port->count, sizeof(*port->users),
		      by_pid);
}

static void ask_kernel(struct egpu *egpu, struct egpu_port_users *port)
{
	struct egpu_user *users;
	int nr_users = egpu_users(egpu, port->port, &users, &port->hidden);
	int ret = nr_users;

	port->users = NULL;
	port->count = 0;
	if (nr_users >= 0) {
		ret = from_kernel(&port->users, &port->count, users, nr_users);
		free(users);
	}
	if (ret < 0) {
		egpu_processes_free(port->users, port->count);
		port->users = NULL;
		port->count = ret;
	}
}

int egpu_processes_all(struct egpu *egpu, struct egpu_port_users *ports,
		       int count)
{
	int i, ret;

	for (i = 0; i < count; i++)
		ask_kernel(egpu, &ports[i]);
	ret = egpu_holders(egpu, ports, count);
	for (i = 0; i < count; i++) {
		if (!ret) {
			finish(&ports[i]);
		} else if (ports[i].count >= 0) {
			egpu_processes_free(ports[i].users, ports[i].count);
			ports[i].users = NULL;
			ports[i].count = ret;
		}
	}
	return ret;
}

int egpu_processes(struct egpu *egpu, uint32_t port,
		   struct egpu_process **processes, bool *hidden)
{
	struct egpu_port_users one = { .port = port };
	struct egpu_function *functions;

	one.nr_functions = egpu_functions(egpu, port, &functions);
	if (one.nr_functions < 0)
		return one.nr_functions;
	one.functions = functions;
	egpu_processes_all(egpu, &one, 1);
	free(functions);
	if (one.count >= 0) {
		*processes = one.users;
		*hidden = one.hidden;
	}
	return one.count;
}

void egpu_processes_free(struct egpu_process *processes, int count)
{
	int i;

	for (i = 0; i < count; i++)
		free(processes[i].nodes);
	free(processes);
}

int egpu_terminate(const struct egpu_process *process)
{
	if (process->pid <= 1 || process->display_server ||
	    process->pid == (uint32_t)getpid() ||
	    process->pid == (uint32_t)getppid())
		return -EPERM;
	return egpu_sys_terminate(process->pid, process->start_time);
}
