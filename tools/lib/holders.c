// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Who holds a GPU in a way that the module cannot see by device number: a
 * mapping without an open file, a BAR file, VFIO, a dma-buf, KFD, NVIDIA's own
 * nodes. One look at /proc for all of them, and there at those only of whom the
 * module says that they may hold one.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "internal.h"

/* One thing that, when held, makes a process a user of a port. */
struct target {
	uint32_t kind;
	struct egpu_port_users *port;
	char *path;	/* as readlink of the descriptor shows it */
	size_t len;
	char node[EGPU_NAME_LEN];
};

/* A driver whose dma-bufs are the memory of one port's GPU. */
struct exporter {
	struct egpu_port_users *port;
	char name[EGPU_NAME_LEN];
};

struct walk {
	struct egpu_port_users *ports;
	int nr_ports;
	bool has_targets;	/* they were collected */
	struct target *targets;
	int nr_targets;
	struct exporter *exporters;
	int nr_exporters;
	char shared[EGPU_NAME_LEN];	/* a driver of several functions */
	bool kfd;
	uint32_t pid;
	int error;
};

static void add_target(struct walk *walk, struct egpu_port_users *port,
		       uint32_t kind, const char *node, const char *format, ...)
	egpu_printf(5, 6);

static void add_target(struct walk *walk, struct egpu_port_users *port,
		       uint32_t kind, const char *node, const char *format, ...)
{
	struct target *target;
	va_list args;
	int len;

	target = realloc(walk->targets, (size_t)(walk->nr_targets + 1) *
			 sizeof(*target));
	if (!target) {
		walk->error = -ENOMEM;
		return;
	}
	walk->targets = target;
	target += walk->nr_targets;
	target->kind = kind;
	target->port = port;
	snprintf(target->node, sizeof(target->node), "%s", node);
	va_start(args, format);
	len = vasprintf(&target->path, format, args);
	va_end(args);
	if (len < 0) {
		walk->error = -ENOMEM;
		return;
	}
	target->len = (size_t)len;
	walk->nr_targets++;
}

static void add_nodes(struct walk *walk, struct egpu_port_users *port,
		      const struct egpu_address *address)
{
	struct egpu_node *nodes;
	int i, count = egpu_nodes(address, &nodes);

	for (i = 0; i < count; i++) {
		bool nvidia = !strncmp(nodes[i].name, "nvidia", 6);
		bool accel = !strncmp(nodes[i].name, "accel", 5);

		/* open DRM and accel nodes are the module's to find */
		add_target(walk, port, nvidia ? EGPU_HOLDS_NVIDIA :
			   EGPU_HOLDS_MAPPING, nodes[i].name, "/dev/%s%s",
			   nvidia ? "" : accel ? "accel/" : "dri/",
			   nodes[i].name);
	}
	if (count > 0)
		free(nodes);
}

static void add_vfio(struct walk *walk, struct egpu_port_users *port,
		     const char *name)
{
	char *group = egpu_link(egpu_roots.sysfs,
				"bus/pci/devices/%s/iommu_group", name);
	char node[EGPU_NAME_LEN];

	if (!group)
		return;
	snprintf(node, sizeof(node), "vfio/%.20s", group);
	add_target(walk, port, EGPU_HOLDS_VFIO, node, "/dev/vfio/%s", group);
	add_target(walk, port, EGPU_HOLDS_VFIO, node, "/dev/vfio/noiommu-%s",
		   group);
	free(group);
}

static void add_function(struct walk *walk, struct egpu_port_users *port,
			 const struct egpu_function *function)
{
	struct egpu_address address = egpu_function_address(function);
	char *dir = egpu_device_dir(&address);
	char name[EGPU_ADDRESS_LEN];

	add_nodes(walk, port, &address);
	if (dir)
		add_target(walk, port, EGPU_HOLDS_BAR, "", "%s/resource", dir);
	if (!strncmp(function->driver, "vfio", 4))
		add_vfio(walk, port, egpu_address_format(&address, name));
	free(dir);
}

static bool is_gated(const struct egpu_function *function)
{
	return (function->flags & EGPU_FUNCTION_GATED) ||
	       (function->dma_flags & EGPU_DMA_MANAGED);
}

/* Not before somebody holds what can be one: mostly it is nobody. */
static void add_targets(struct walk *walk)
{
	struct egpu_port_users *port;
	int i;

	walk->has_targets = true;
	for (port = walk->ports; port < walk->ports + walk->nr_ports; port++)
		for (i = 0; i < port->nr_functions; i++)
			if (is_gated(&port->functions[i]))
				add_function(walk, port, &port->functions[i]);
}

static bool can_be_target(const char *path)
{
	return !strncmp(path, "/dev/dri/", 9) ||
	       !strncmp(path, "/dev/accel/", 11) ||
	       !strncmp(path, "/dev/nvidia", 11) ||
	       !strncmp(path, "/dev/vfio/", 10) || strstr(path, "/resource");
}

static void hold(struct walk *walk, struct egpu_port_users *port, uint32_t kind,
		 const char *node)
{
	struct egpu_process *process;

	if (port->count < 0)
		return;
	process = egpu_process_get(&port->users, &port->count, walk->pid);
	if (!process)
		walk->error = -ENOMEM;
	else if (kind != EGPU_HOLDS_MAPPING || !process->in_kernel)
		egpu_process_node(process, kind, node);
}

static bool is_end(const char *rest)
{
	return !*rest || !strcmp(rest, " (deleted)");
}

/* resource0 to resource5, and their write-combining twins */
static void match_bar(struct walk *walk, const struct target *target,
		      const char *rest)
{
	char node[EGPU_NAME_LEN];

	if (*rest < '0' || *rest > '5')
		return;
	snprintf(node, sizeof(node), "resource%c", *rest++);
	if (!strncmp(rest, "_wc", 3))
		rest += 3;
	if (is_end(rest))
		hold(walk, target->port, EGPU_HOLDS_BAR, node);
}

static void match(struct walk *walk, const char *path, bool mapped)
{
	int i;

	if (!can_be_target(path))
		return;
	if (!walk->has_targets)
		add_targets(walk);
	for (i = 0; i < walk->nr_targets; i++) {
		const struct target *target = &walk->targets[i];
		const char *rest = path + target->len;

		if ((target->kind == EGPU_HOLDS_MAPPING && !mapped) ||
		    strncmp(path, target->path, target->len))
			continue;
		if (target->kind == EGPU_HOLDS_BAR)
			match_bar(walk, target, rest);
		else if (is_end(rest))
			hold(walk, target->port, target->kind, target->node);
	}
}

/*
 * A dma-buf's exporter is known by its driver's name only, so it is told only
 * when no other function has that driver.
 */
static void match_dmabuf(struct walk *walk, const char *fd)
{
	char *info, *at, exporter[EGPU_NAME_LEN] = "";
	int i;

	if (!walk->nr_exporters)
		return;
	info = egpu_read(egpu_roots.proc, "%u/fdinfo/%s", walk->pid, fd);
	at = info ? strstr(info, "exp_name:") : NULL;
	if (at)
		sscanf(at, "exp_name: %31s", exporter);
	for (i = 0; i < walk->nr_exporters; i++)
		if (!strcmp(exporter, walk->exporters[i].name))
			hold(walk, walk->exporters[i].port, EGPU_HOLDS_DMABUF,
			     "dma-buf");
	free(info);
}

static int one_fd(const char *fd, void *arg)
{
	struct walk *walk = arg;
	char path[PATH_MAX], target[PATH_MAX];
	ssize_t len;

	snprintf(path, sizeof(path), "%s/%u/fd/%s", egpu_roots.proc, walk->pid,
		 fd);
	len = readlink(path, target, sizeof(target) - 1);
	if (len <= 0)
		return 0;
	target[len] = 0;
	if (!strncmp(target, "/dmabuf:", 8))
		match_dmabuf(walk, fd);
	else if (*target == '/')
		match(walk, target, false);
	return walk->error;
}

/* Only what is mapped from a file has a '/' in its line, before its path. */
static void walk_maps(struct walk *walk)
{
	char *maps = egpu_read(egpu_roots.proc, "%u/maps", walk->pid);
	char *path = maps ? strchr(maps, '/') : NULL, *end;

	while (path) {
		end = strchr(path, '\n');
		if (end)
			*end = 0;
		match(walk, path, true);
		path = end ? strchr(end + 1, '/') : NULL;
	}
	free(maps);
}

static void walk_process(struct walk *walk, uint32_t pid)
{
	walk->pid = pid;
	egpu_scan(one_fd, walk, egpu_roots.proc, "%u/fd", pid);
	walk_maps(walk);
}

static int one_process(const char *name, void *arg)
{
	struct walk *walk = arg;

	if (*name >= '0' && *name <= '9')
		walk_process(walk, (uint32_t)strtoul(name, NULL, 10));
	return walk->error;
}

/* The elements of a process follow each other; pid 0 is in another namespace. */
static void walk_suspects(struct walk *walk, const struct egpu_user *suspects,
			  int count)
{
	uint32_t last = 0;
	int i;

	for (i = 0; i < count && !walk->error; i++) {
		if (suspects[i].pid != last)
			walk_process(walk, suspects[i].pid);
		last = suspects[i].pid;
	}
}

/* A module that is too old to name suspects: everybody is one. */
static void walk_processes(struct walk *walk, struct egpu *egpu)
{
	struct egpu_user *suspects;
	int count = egpu_suspects(egpu, &suspects);

	if (count < 0) {
		egpu_scan(one_process, walk, egpu_roots.proc, "%s", "");
		return;
	}
	walk_suspects(walk, suspects, count);
	free(suspects);
}

struct kfd {
	struct walk *walk;
	struct egpu_port_users *port;
	const struct egpu_address *address;
	char gpu_id[24];
};

/* domain and location_id (bus and devfn) of a node of KFD's topology */
static int kfd_node(const char *name, void *arg)
{
	struct kfd *kfd = arg;
	char *text = egpu_read(egpu_roots.sysfs,
			       "class/kfd/kfd/topology/nodes/%s/properties",
			       name);
	char *location = text ? strstr(text, "location_id ") : NULL;
	char *domain = text ? strstr(text, "domain ") : NULL;
	bool is = location && domain &&
		  strtoul(location + 12, NULL, 10) ==
		  (unsigned long)(kfd->address->bus << 8 | kfd->address->devfn) &&
		  strtoul(domain + 7, NULL, 10) == kfd->address->domain;

	free(text);
	if (!is)
		return 0;
	text = egpu_read(egpu_roots.sysfs,
			 "class/kfd/kfd/topology/nodes/%s/gpu_id", name);
	if (text)
		snprintf(kfd->gpu_id, sizeof(kfd->gpu_id), "%s", text);
	free(text);
	return 1;
}

/* Every KFD process has a file for each GPU; memory on it tells which it uses. */
static int kfd_process(const char *name, void *arg)
{
	struct kfd *kfd = arg;
	uint64_t bytes;

	if (!egpu_read_u64(&bytes, egpu_roots.sysfs,
			   "class/kfd/kfd/proc/%s/vram_%s", name,
			   kfd->gpu_id) || !bytes)
		return 0;
	kfd->walk->pid = (uint32_t)strtoul(name, NULL, 10);
	hold(kfd->walk, kfd->port, EGPU_HOLDS_KFD, "kfd");
	return kfd->walk->error;
}

static void walk_kfd(struct walk *walk, struct egpu_port_users *port,
		     const struct egpu_address *address)
{
	struct kfd kfd = { .walk = walk, .port = port, .address = address };

	if (egpu_each(kfd_node, &kfd, egpu_roots.sysfs,
		      "class/kfd/kfd/topology/nodes") == 1 && *kfd.gpu_id)
		egpu_each(kfd_process, &kfd, egpu_roots.sysfs,
			  "class/kfd/kfd/proc");
}

/* The second ends it: then nobody can tell whose a dma-buf is. */
static int count_function(const char *name, void *arg)
{
	struct egpu_address address;

	return egpu_address_parse(name, &address) && ++*(int *)arg == 2;
}

static void add_exporter(struct walk *walk, struct egpu_port_users *port,
			 const char *driver)
{
	struct exporter *bigger;
	int functions = 0;

	if (!strcmp(walk->shared, driver))
		return;
	egpu_scan(count_function, &functions, egpu_roots.sysfs,
		  "bus/pci/drivers/%s", driver);
	if (functions > 1)
		snprintf(walk->shared, sizeof(walk->shared), "%s", driver);
	if (functions != 1)
		return;
	bigger = realloc(walk->exporters, (size_t)(walk->nr_exporters + 1) *
			 sizeof(*bigger));
	if (!bigger) {
		walk->error = -ENOMEM;
		return;
	}
	walk->exporters = bigger;
	bigger += walk->nr_exporters++;
	bigger->port = port;
	snprintf(bigger->name, sizeof(bigger->name), "%s", driver);
}

/* Return: there is something to look for. */
static bool add_port(struct walk *walk, struct egpu_port_users *port)
{
	bool gated = false;
	int i;

	for (i = 0; i < port->nr_functions; i++) {
		const struct egpu_function *f = &port->functions[i];
		struct egpu_address a = egpu_function_address(f);

		if (!is_gated(f))
			continue;
		gated = true;
		if (walk->kfd)
			walk_kfd(walk, port, &a);
		if (f->class >> 16 == 3 && f->driver[0])
			add_exporter(walk, port, f->driver);
	}
	return gated;
}

int egpu_holders(struct egpu *egpu, struct egpu_port_users *ports, int count)
{
	struct walk walk = {
		.ports = ports,
		.nr_ports = count,
		.kfd = egpu_exists(egpu_roots.sysfs, "class/kfd/kfd"),
	};
	bool any = false;
	int i;

	for (i = 0; i < count; i++)
		any |= add_port(&walk, &ports[i]);
	if (any && !walk.error)
		walk_processes(&walk, egpu);
	for (i = 0; i < walk.nr_targets; i++)
		free(walk.targets[i].path);
	free(walk.targets);
	free(walk.exporters);
	return walk.error;
}
