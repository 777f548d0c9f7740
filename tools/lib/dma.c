// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * What takes memory away from a function; whose memory a managed one reaches:
 * the files of its DRM node, by what /proc/PID/fdinfo tells of them.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "egpu_dma.h"
#include "internal.h"

#define MAX_CLIENTS	64

/* As Documentation/ABI/testing/sysfs-kernel-iommu_groups names them. */
static uint32_t kind_of_group(uint32_t group)
{
	static const struct {
		const char *type;
		uint32_t kind;
	} types[] = {
		{ "identity", EGPU_IOMMU_IDENTITY },
		{ "DMA", EGPU_IOMMU_STRICT }, { "DMA-FQ", EGPU_IOMMU_LAZY },
	};
	char *text = egpu_read(egpu_roots.sysfs, "kernel/iommu_groups/%u/type",
			       group);
	uint32_t kind = EGPU_IOMMU_UNKNOWN;
	size_t i;

	for (i = 0; text && i < sizeof(types) / sizeof(types[0]); i++)
		if (!strcmp(text, types[i].type))
			kind = types[i].kind;
	free(text);
	return kind;
}

uint32_t egpu_iommu_kind(const struct egpu_function *function)
{
	if (function->iommu != EGPU_IOMMU_UNKNOWN)
		return function->iommu;
	if (!strncmp(function->driver, "vfio", 4))
		return EGPU_IOMMU_OTHER;
	if (function->iommu_group == EGPU_NO_IOMMU_GROUP)
		return EGPU_IOMMU_NONE;
	return kind_of_group(function->iommu_group);
}

bool egpu_translated(const struct egpu_function *function)
{
	uint32_t kind = egpu_iommu_kind(function);

	return kind == EGPU_IOMMU_STRICT || kind == EGPU_IOMMU_LAZY ||
	       kind == EGPU_IOMMU_OTHER;
}

enum egpu_revocation egpu_revocation(const struct egpu_function *function)
{
	if (function->dma_flags & EGPU_DMA_MANAGED)
		return egpu_translated(function) ? EGPU_REVOKED_BY_IOMMU :
						   EGPU_REVOKED_BY_BUS_MASTER;
	return function->flags & EGPU_FUNCTION_BOUND ? EGPU_REVOKED_BY_DRIVER :
						       EGPU_REVOKED_BY_NOBODY;
}

const char *egpu_revocation_name(enum egpu_revocation revocation)
{
	static const char * const names[] = {
		[EGPU_REVOKED_BY_NOBODY] = NULL,
		[EGPU_REVOKED_BY_DRIVER] = "driver",
		[EGPU_REVOKED_BY_BUS_MASTER] = "bus-master",
		[EGPU_REVOKED_BY_IOMMU] = "iommu",
	};

	return names[revocation];
}

int egpu_unsafe_dma(void)
{
	char *text = egpu_read(egpu_roots.sysfs,
			       "module/egpu/parameters/unsafe_dma");
	int on = !text ? -1 : *text == 'Y' || *text == '1';

	free(text);
	return on;
}

struct walk {
	const struct egpu_address *address;
	struct egpu_dma_user *users;
	int count;
	bool hidden;
	uint32_t pid;
	/* of the process that is looked at: who was counted */
	unsigned long seen[MAX_CLIENTS];
	int nr_seen;
};

static struct egpu_dma_user *user_of(struct walk *walk)
{
	struct egpu_process process = { .pid = walk->pid };
	struct egpu_dma_user *user;

	if (walk->count && walk->users[walk->count - 1].pid == walk->pid)
		return &walk->users[walk->count - 1];
	user = realloc(walk->users, (size_t)(walk->count + 1) * sizeof(*user));
	if (!user)
		return NULL;
	walk->users = user;
	user += walk->count++;
	memset(user, 0, sizeof(*user));
	egpu_process_fill(&process);
	user->pid = process.pid;
	user->uid = process.uid;
	memcpy(user->comm, process.comm, sizeof(user->comm));
	user->place = process.place;
	return user;
}

static bool is_new(struct walk *walk, const char *id)
{
	unsigned long number;
	int i;

	if (!id)
		return true;
	number = strtoul(id, NULL, 10);
	for (i = 0; i < walk->nr_seen; i++)
		if (walk->seen[i] == number)
			return false;
	if (walk->nr_seen < MAX_CLIENTS)
		walk->seen[walk->nr_seen++] = number;
	return true;
}

static bool is_ours(const struct walk *walk, const char *text)
{
	const char *driver = egpu_fdinfo_value(text, "drm-driver:");
	const char *pdev = egpu_fdinfo_value(text, "drm-pdev:");
	struct egpu_address address;
	char word[32] = "";

	if (!driver || sscanf(driver, "%31s", word) != 1 ||
	    strcmp(word, "egpu"))
		return false;
	return pdev && sscanf(pdev, "%31s", word) == 1 &&
	       egpu_address_parse(word, &address) &&
	       egpu_address_equal(&address, walk->address);
}

static int add_file(struct walk *walk, const char *text)
{
	const char *bytes = egpu_fdinfo_value(text, "drm-total-system:");
	const char *mapped = egpu_fdinfo_value(text, "egpu-mapped:");
	const char *segments = egpu_fdinfo_value(text, "egpu-segments:");
	struct egpu_dma_user *user;

	if (!is_ours(walk, text) ||
	    !is_new(walk, egpu_fdinfo_value(text, "drm-client-id:")))
		return 0;
	user = user_of(walk);
	if (!user)
		return -ENOMEM;
	user->bytes += bytes ? egpu_fdinfo_bytes(bytes) : 0;
	user->mapped_bytes += mapped ? egpu_fdinfo_bytes(mapped) : 0;
	user->segments += segments ? strtoull(segments, NULL, 10) : 0;
	return 0;
}

/* Only DRM nodes are looked into: there may be very many files. */
static bool is_node(const struct walk *walk, const char *fd)
{
	char path[PATH_MAX], target[PATH_MAX], *base;
	ssize_t len;

	snprintf(path, sizeof(path), "%s/%u/fd/%s", egpu_roots.proc, walk->pid,
		 fd);
	len = readlink(path, target, sizeof(target) - 1);
	if (len <= 0)
		return false;
	target[len] = 0;
	base = strrchr(target, '/');
	return base && (!strncmp(base, "/renderD", 8) ||
			!strncmp(base, "/card", 5));
}

static int one_fd(const char *fd, void *arg)
{
	struct walk *walk = arg;
	char *text;
	int ret = 0;

	if (!is_node(walk, fd))
		return 0;
	text = egpu_read(egpu_roots.proc, "%u/fdinfo/%s", walk->pid, fd);
	if (text)
		ret = add_file(walk, text);
	free(text);
	return ret;
}

static int one_process(const char *name, void *arg)
{
	struct walk *walk = arg;
	int ret;

	if (strspn(name, "0123456789") != strlen(name))
		return 0;
	walk->pid = (uint32_t)strtoul(name, NULL, 10);
	walk->nr_seen = 0;
	ret = egpu_each(one_fd, walk, egpu_roots.proc, "%s/fd", name);
	if (ret == -EACCES || ret == -EPERM)
		walk->hidden = true;
	return ret == -ENOMEM ? ret : 0;
}

int egpu_dma_users(const struct egpu_address *address,
		   struct egpu_dma_user **users, bool *hidden)
{
	struct walk walk = { .address = address };
	int ret = egpu_each(one_process, &walk, egpu_roots.proc, "%s", "");

	*hidden = walk.hidden;
	if (ret < 0) {
		free(walk.users);
		return ret;
	}
	*users = walk.users;
	return walk.count;
}
