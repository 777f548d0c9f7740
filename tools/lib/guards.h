/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the files that look for guards share.
 */
#ifndef LIBEGPU_GUARDS_H
#define LIBEGPU_GUARDS_H

#include "internal.h"

struct guards {
	const struct egpu_address *functions;
	int nr_functions;
	struct egpu_guard *list;
	int count;
	int error;
};

void egpu_guard_add(struct guards *guards, enum egpu_guard_kind kind,
		    const char *device, const char *cure, const char *format,
		    ...) egpu_printf(5, 6);
bool egpu_guard_is_below(const struct guards *guards, const char *class,
			 const char *name);
void egpu_guard_disks(struct guards *guards);
void egpu_guard_memory(struct guards *guards);

#endif /* LIBEGPU_GUARDS_H */
