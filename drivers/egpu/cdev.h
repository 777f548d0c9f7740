/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The table of ioctls: what cdev.c, which has the node, shares with info.c,
 * which has the calls that only tell.
 */
#ifndef EGPU_CDEV_H
#define EGPU_CDEV_H

#include "egpu.h"

union egpu_args {
	u32 size;
	struct egpu_query query;
	struct egpu_port_list port_list;
	struct egpu_port_info port_info;
	struct egpu_function_list function_list;
	struct egpu_user_list user_list;
	struct egpu_link_info link_info;
	struct egpu_link_set link_set;
	struct egpu_function_manage manage;
	struct egpu_attach attach;
	struct egpu_detach detach;
	struct egpu_cancel cancel;
	struct egpu_port_config port_config;
	struct egpu_event_subscribe subscribe;
};

/**
 * struct egpu_ioctl - an entry of the table
 * @size: of the struct
 * @min: the shortest one that has what must be given
 * @admin: needs CAP_SYS_ADMIN
 * @fn: does it; @args is zero behind what the caller gave
 */
struct egpu_ioctl {
	u32 size;
	u32 min;
	bool admin;
	long (*fn)(struct egpu_reader *reader, union egpu_args *args);
};

bool egpu_may_admin(void);
struct egpu_port *egpu_cdev_port(u32 id, long *err);
u64 egpu_ioctl_mask(void);

long egpu_ioctl_query(struct egpu_reader *reader, union egpu_args *args);
long egpu_ioctl_port_list(struct egpu_reader *reader, union egpu_args *args);
long egpu_ioctl_port_info(struct egpu_reader *reader, union egpu_args *args);
long egpu_ioctl_function_list(struct egpu_reader *reader,
			      union egpu_args *args);
long egpu_ioctl_user_list(struct egpu_reader *reader, union egpu_args *args);
long egpu_ioctl_link_info(struct egpu_reader *reader, union egpu_args *args);

#endif /* EGPU_CDEV_H */
