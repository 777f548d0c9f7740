// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Who holds a GPU in a way that the module cannot see by device number: a
 * mapping without an open file, a BAR file, VFIO, a dma-buf, KFD, NVIDIA's own
 * nodes. One walk over /proc for all of them.
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

#define MAX_TARGETS	128

/* One thing that, when held, makes a process a user. */
struct target {
	uint32_t kind;
	char path[PATH_MAX];	/* as readlink of the descriptor shows it */
	char node[EGPU_NAME_LEN];
};

struct walk {
	struct egpu_process **list;
	int *count;
	struct target *targets;
	int nr_targets;
	char dmabuf[EGPU_NAME_LEN];	/* driver whose dma-bufs are this GPU's */
	uint32_t pid;
	int error;
};

static void add_target(struct walk *walk, uint32_t kind, const char *node,
		       const char *format, ...) egpu_printf(4, 5);

static void add_target(struct walk *walk, uint32_t kind, const char *node,
		       const char *format, ...)
{
	struct target *target;
	va_list args;

	if (walk->nr_targets == MAX_TARGETS)
		return;
	target = &walk->targets[walk->nr_targets++];
	target->kind = kind;
	snprintf(target->node, sizeof(target->node), "%s", node);
	va_start(args, format);
	vsnprintf(target->path, sizeof(target->path), format, args);
	va_end(args);
}

static void add_nodes(struct walk *walk, const struct egpu_address *address)
{
	struct egpu_node *nodes;
	int i, count = egpu_nodes(address, &nodes);

	for (i = 0; i < count; i++) {
		bool nvidia = !strncmp(nodes[i].name, "nvidia", 6);
		bool accel = !strncmp(nodes[i].name, "accel", 5);

		/* open DRM and accel nodes are the module's to find */
		add_target(walk, nvidia ? EGPU_HOLDS_NVIDIA : EGPU_HOLDS_MAPPING,
			   nodes[i].name, "/dev/%s%s",
			   nvidia ? "" : accel ? "accel/" : "dri/",
			   nodes[i].name);
	}
	if (count > 0)
		free(nodes);
}

static void add_function(struct walk *walk, const struct egpu_address *address)
{
	char name[EGPU_ADDRESS_LEN], node[EGPU_NAME_LEN], *text;
	int i;

	egpu_address_format(address, name);
	add_nodes(walk, address);
	text = egpu_real(egpu_roots.sysfs, "bus/pci/devices/%s", name);
	for (i = 0; text && i < 6; i++) {
		snprintf(node, sizeof(node), "resource%d", i);
		add_target(walk, EGPU_HOLDS_BAR, node, "%s/resource%d", text, i);
		add_target(walk, EGPU_HOLDS_BAR, node, "%s/resource%d_wc", text,
			   i);
	}
	free(text);
	text = egpu_link(egpu_roots.sysfs, "bus/pci/devices/%s/driver", name);
	if (text && !strncmp(text, "vfio", 4)) {
		free(text);
		text = egpu_link(egpu_roots.sysfs,
				 "bus/pci/devices/%s/iommu_group", name);
		if (text) {
			snprintf(node, sizeof(node), "vfio/%.20s", text);
			add_target(walk, EGPU_HOLDS_VFIO, node, "/dev/vfio/%s",
				   text);
			add_target(walk, EGPU_HOLDS_VFIO, node,
				   "/dev/vfio/noiommu-%s", text);
		}
	}
	free(text);
}

static void hold(struct walk *walk, uint32_t kind, const char *node)
{
	struct egpu_process *process;

	process = egpu_process_get(walk->list, walk->count, walk->pid);
	if (!process)
		walk->error = -ENOMEM;
	else if (kind != EGPU_HOLDS_MAPPING || !process->in_kernel)
		egpu_process_node(process, kind, node);
}

static bool is_deleted(const char *rest)
{
	return !*rest || !strcmp(rest, " (deleted)");
}

static void match(struct walk *walk, const char *path, bool mapped)
{
	int i;

	for (i = 0; i < walk->nr_targets; i++) {
		const struct target *target = &walk->targets[i];
		size_t len = strlen(target->path);

		if (target->kind == EGPU_HOLDS_MAPPING && !mapped)
			continue;
		if (!strncmp(path, target->path, len) && is_deleted(path + len))
			hold(walk, target->kind, target->node);
	}
}

/*
 * A dma-buf's exporter is known by its driver's name only, so it is told only
 * when no other function has that driver.
 */
static void match_dmabuf(struct walk *walk, const char *fd)
{
	char *info, *at, exporter[EGPU_NAME_LEN] = "";

	if (!*walk->dmabuf)
		return;
	info = egpu_read(egpu_roots.proc, "%u/fdinfo/%s", walk->pid, fd);
	at = info ? strstr(info, "exp_name:") : NULL;
	if (at)
		sscanf(at, "exp_name: %31s", exporter);
	if (!strcmp(exporter, walk->dmabuf))
		hold(walk, EGPU_HOLDS_DMABUF, "dma-buf");
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

static void walk_maps(struct walk *walk)
{
	char *maps = egpu_read(egpu_roots.proc, "%u/maps", walk->pid);
	char *line, *save, *path;

	for (line = maps ? strtok_r(maps, "\n", &save) : NULL; line;
	     line = strtok_r(NULL, "\n", &save)) {
		path = strchr(line, '/');
		if (path && (strstr(path, "/dev/") == path ||
			     strstr(path, "/resource")))
			match(walk, path, true);
	}
	free(maps);
}

static int one_process(const char *name, void *arg)
{
	struct walk *walk = arg;

	if (strspn(name, "0123456789") != strlen(name))
		return 0;
	walk->pid = (uint32_t)strtoul(name, NULL, 10);
	egpu_each(one_fd, walk, egpu_roots.proc, "%s/fd", name);
	walk_maps(walk);
	return walk->error;
}

struct kfd {
	struct walk *walk;
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
	hold(kfd->walk, EGPU_HOLDS_KFD, "kfd");
	return kfd->walk->error;
}

static void walk_kfd(struct walk *walk, const struct egpu_address *address)
{
	struct kfd kfd = { .walk = walk, .address = address };

	if (egpu_each(kfd_node, &kfd, egpu_roots.sysfs,
		      "class/kfd/kfd/topology/nodes") == 1 && *kfd.gpu_id)
		egpu_each(kfd_process, &kfd, egpu_roots.sysfs,
			  "class/kfd/kfd/proc");
}

static int count_function(const char *name, void *arg)
{
	struct egpu_address address;

	if (egpu_address_parse(name, &address))
		++*(int *)arg;
	return 0;
}

static void only_driver(struct walk *walk, const char *driver)
{
	int functions = 0;

	egpu_each(count_function, &functions, egpu_roots.sysfs,
		  "bus/pci/drivers/%s", driver);
	if (functions == 1)
		snprintf(walk->dmabuf, sizeof(walk->dmabuf), "%s", driver);
}

int egpu_holders(struct egpu_process **list, int *count,
		 const struct egpu_function *functions, int nr_functions)
{
	struct walk walk = { .list = list, .count = count };
	bool gated = false;
	int i;

	walk.targets = calloc(MAX_TARGETS, sizeof(*walk.targets));
	if (!walk.targets)
		return -ENOMEM;
	for (i = 0; i < nr_functions; i++) {
		struct egpu_address a = egpu_function_address(&functions[i]);

		if (!(functions[i].flags & EGPU_FUNCTION_GATED) &&
		    !(functions[i].dma_flags & EGPU_DMA_MANAGED))
			continue;
		gated = true;
		add_function(&walk, &a);
		walk_kfd(&walk, &a);
		if (functions[i].class >> 16 == 3 && functions[i].driver[0])
			only_driver(&walk, functions[i].driver);
	}
	if (gated)
		egpu_each(one_process, &walk, egpu_roots.proc, "%s", "");
	free(walk.targets);
	return walk.error;
}
