// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The ioctls of /dev/egpu as functions. Arrays are grown until they fit: what
 * is there can become more between two calls.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <stdio.h>
#include <unistd.h>

#include "internal.h"

/* No list that the kernel gives is longer than this by honest means. */
#define LIST_MAX	65536U

int egpu_open(struct egpu **out)
{
	struct egpu *egpu = calloc(1, sizeof(*egpu));
	char path[256];
	int ret;

	if (!egpu)
		return -ENOMEM;
	snprintf(path, sizeof(path), "%s/egpu", egpu_roots.dev);
	egpu->fd = egpu_sys_open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	ret = egpu->fd;
	if (ret >= 0) {
		egpu->query.size = sizeof(egpu->query);
		ret = egpu_sys_ioctl(egpu->fd, EGPU_IOC_QUERY, &egpu->query);
		if (ret == -ENOTTY || ret == -EINVAL || ret == -E2BIG ||
		    (ret >= 0 && egpu->query.abi_version != EGPU_ABI_VERSION))
			ret = -EPROTO;
	}
	if (ret < 0) {
		egpu_close(egpu);
		return ret;
	}
	egpu->query.module_version[EGPU_NAME_LEN - 1] = 0;
	*out = egpu;
	return 0;
}

void egpu_close(struct egpu *egpu)
{
	if (!egpu)
		return;
	if (egpu->fd >= 0)
		close(egpu->fd);
	free(egpu->buf);
	free(egpu);
}

int egpu_fd(const struct egpu *egpu)
{
	return egpu->fd;
}

const struct egpu_query *egpu_about(const struct egpu *egpu)
{
	return &egpu->query;
}

bool egpu_has(const struct egpu *egpu, unsigned int command)
{
	return egpu->query.ioctls >> command & 1;
}

static int port_ids(struct egpu *egpu, bool all, uint32_t **out)
{
	uint32_t *ids = NULL, room = 16;

	for (;;) {
		struct egpu_port_list list = {
			.size = sizeof(list),
			.flags = all ? EGPU_PORT_LIST_ALL : 0,
			.count = room,
		};
		uint32_t *bigger = realloc(ids, room * sizeof(*ids));
		int ret;

		if (!bigger) {
			free(ids);
			return -ENOMEM;
		}
		ids = bigger;
		list.ids = (uintptr_t)ids;
		ret = egpu_sys_ioctl(egpu->fd, EGPU_IOC_PORT_LIST, &list);
		if (ret < 0 || list.count > LIST_MAX) {
			free(ids);
			return ret < 0 ? ret : -EPROTO;
		}
		if (list.count <= room) {
			*out = ids;
			return (int)list.count;
		}
		room = list.count + 8;
	}
}

int egpu_port(struct egpu *egpu, uint32_t port, struct egpu_port_info *info)
{
	memset(info, 0, sizeof(*info));
	info->size = sizeof(*info);
	info->port = port;
	return egpu_sys_ioctl(egpu->fd, EGPU_IOC_PORT_INFO, info);
}

int egpu_ports(struct egpu *egpu, bool all, struct egpu_port_info **ports)
{
	uint32_t *ids;
	int count = port_ids(egpu, all, &ids);
	int i, ret, kept = 0;

	if (count < 0)
		return count;
	*ports = calloc((size_t)count + 1, sizeof(**ports));
	for (i = 0; *ports && i < count; i++) {
		ret = egpu_port(egpu, ids[i], &(*ports)[kept]);
		if (ret == -ENOENT || ret == -ENODEV)
			continue;
		if (ret < 0) {
			free(ids);
			free(*ports);
			return ret;
		}
		kept++;
	}
	free(ids);
	return *ports ? kept : -ENOMEM;
}

/* Group 0 is one that exists; a module that knows of none means no group. */
static void no_groups(struct egpu_function *functions, uint32_t count)
{
	uint32_t i;

	for (i = 0; i < count; i++)
		functions[i].iommu_group = EGPU_NO_IOMMU_GROUP;
}

int egpu_functions(struct egpu *egpu, uint32_t port,
		   struct egpu_function **functions)
{
	struct egpu_function *array = NULL, *bigger;
	uint32_t room = 8;

	for (;;) {
		struct egpu_function_list list = {
			.size = sizeof(list),
			.port = port,
			.count = room,
			.element_size = sizeof(*array),
		};
		int ret;

		bigger = realloc(array, room * sizeof(*array));
		if (!bigger) {
			free(array);
			return -ENOMEM;
		}
		array = bigger;
		memset(array, 0, room * sizeof(*array));
		list.functions = (uintptr_t)array;
		ret = egpu_sys_ioctl(egpu->fd, EGPU_IOC_FUNCTION_LIST, &list);
		if (ret < 0 || list.count > LIST_MAX) {
			free(array);
			return ret < 0 ? ret : -EPROTO;
		}
		if (list.count <= room) {
			if (!egpu_has(egpu, EGPU_CMD_FUNCTION_MANAGE))
				no_groups(array, list.count);
			*functions = array;
			return (int)list.count;
		}
		room = list.count + 4;
	}
}

int egpu_links(struct egpu *egpu, uint32_t port, bool ends,
	       struct egpu_link_info *info, struct egpu_hop **hops)
{
	struct egpu_hop *array = NULL, *bigger;
	uint32_t room = 8;

	for (;;) {
		struct egpu_link_info list = {
			.size = sizeof(list),
			.flags = ends ? EGPU_LINK_INFO_ENDS : 0,
			.port = port,
			.count = room,
			.element_size = sizeof(*array),
		};
		int ret;

		bigger = realloc(array, room * sizeof(*array));
		if (!bigger) {
			free(array);
			return -ENOMEM;
		}
		array = bigger;
		list.links = (uintptr_t)array;
		ret = egpu_sys_ioctl(egpu->fd, EGPU_IOC_LINK_INFO, &list);
		if (ret < 0 || list.count > LIST_MAX) {
			free(array);
			return ret < 0 ? ret : -EPROTO;
		}
		if (list.count <= room) {
			*info = list;
			*hops = array;
			return (int)list.count;
		}
		room = list.count + 4;
	}
}

int egpu_hops(struct egpu *egpu, uint32_t port, bool ends,
	      struct egpu_hop **hops)
{
	struct egpu_link_info info;

	return egpu_links(egpu, port, ends, &info, hops);
}

static int user_list(struct egpu *egpu, uint32_t flags, uint32_t port,
		     struct egpu_user **users, bool *hidden)
{
	struct egpu_user *array = NULL, *bigger;
	uint32_t room = 32;

	for (;;) {
		struct egpu_user_list list = {
			.size = sizeof(list),
			.flags = flags,
			.port = port,
			.count = room,
			.element_size = sizeof(*array),
		};
		int ret;

		bigger = realloc(array, room * sizeof(*array));
		if (!bigger) {
			free(array);
			return -ENOMEM;
		}
		array = bigger;
		list.users = (uintptr_t)array;
		ret = egpu_sys_ioctl(egpu->fd, EGPU_IOC_USER_LIST, &list);
		if (ret < 0 || list.count > LIST_MAX) {
			free(array);
			return ret < 0 ? ret : -EPROTO;
		}
		if (list.count <= room) {
			*users = array;
			*hidden = list.hidden;
			return (int)list.count;
		}
		room = list.count * 2;
	}
}

int egpu_users(struct egpu *egpu, uint32_t port, struct egpu_user **users,
	       bool *hidden)
{
	return user_list(egpu, 0, port, users, hidden);
}

int egpu_suspects(struct egpu *egpu, struct egpu_user **users)
{
	bool hidden;

	return user_list(egpu, EGPU_USER_LIST_SUSPECTS, 0, users, &hidden);
}

int egpu_attach(struct egpu *egpu, uint32_t port, uint32_t ignore,
		uint32_t *transaction)
{
	struct egpu_attach attach = {
		.size = sizeof(attach),
		.port = port,
		.ignore = ignore,
	};
	int ret = egpu_sys_ioctl(egpu->fd, EGPU_IOC_ATTACH, &attach);

	*transaction = attach.transaction;
	return ret;
}

int egpu_detach(struct egpu *egpu, uint32_t port, uint32_t flags,
		uint32_t wait_ms, const struct egpu_accepted *accepted,
		uint32_t nr_accepted, uint32_t *transaction)
{
	struct egpu_detach detach = {
		.size = sizeof(detach),
		.flags = flags,
		.port = port,
		.wait_ms = wait_ms,
		.nr_accepted = nr_accepted,
		.accepted = nr_accepted ? (uintptr_t)accepted : 0,
	};
	int ret = egpu_sys_ioctl(egpu->fd, EGPU_IOC_DETACH, &detach);

	*transaction = detach.transaction;
	return ret;
}

int egpu_link_set(struct egpu *egpu, uint32_t port, uint32_t flags,
		  uint32_t speed, uint16_t vendor, uint16_t device,
		  uint32_t *transaction)
{
	struct egpu_link_set set = {
		.size = sizeof(set),
		.flags = flags,
		.port = port,
		.speed = speed,
		.vendor = vendor,
		.device = device,
	};
	int ret = egpu_sys_ioctl(egpu->fd, EGPU_IOC_LINK_SET, &set);

	*transaction = set.transaction;
	return ret;
}

int egpu_function_manage(struct egpu *egpu, const struct egpu_address *address,
			 uint32_t bits, uint32_t *port, uint32_t *transaction)
{
	struct egpu_function_manage manage = {
		.size = sizeof(manage),
		.flags = bits ? EGPU_MANAGE_TAKE : EGPU_MANAGE_RETURN,
		.domain = address->domain,
		.bus = address->bus,
		.devfn = address->devfn,
		.dma_bits = bits,
	};
	int ret = egpu_sys_ioctl(egpu->fd, EGPU_IOC_FUNCTION_MANAGE, &manage);

	*port = manage.port;
	*transaction = manage.transaction;
	return ret;
}

int egpu_cancel(struct egpu *egpu, uint32_t port, uint32_t transaction)
{
	struct egpu_cancel cancel = {
		.size = sizeof(cancel),
		.port = port,
		.transaction = transaction,
	};

	return egpu_sys_ioctl(egpu->fd, EGPU_IOC_CANCEL, &cancel);
}

int egpu_config(struct egpu *egpu, struct egpu_port_config *config)
{
	config->size = sizeof(*config);
	return egpu_sys_ioctl(egpu->fd, EGPU_IOC_PORT_CONFIG, config);
}
