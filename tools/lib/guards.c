// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * What forbids taking devices out: disks in use, network, memory, the last
 * keyboard. Found by where a device lies in sysfs, so that it does not matter
 * how many hubs, switches and controllers lie between.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "guards.h"

void egpu_guard_add(struct guards *guards, enum egpu_guard_kind kind,
		    const char *device, const char *cure, const char *format,
		    ...)
{
	struct egpu_guard *bigger;
	va_list args;

	bigger = realloc(guards->list,
			 (size_t)(guards->count + 1) * sizeof(*bigger));
	if (!bigger) {
		guards->error = -ENOMEM;
		return;
	}
	guards->list = bigger;
	bigger += guards->count++;
	memset(bigger, 0, sizeof(*bigger));
	bigger->kind = kind;
	snprintf(bigger->device, sizeof(bigger->device), "%s", device);
	snprintf(bigger->cure, sizeof(bigger->cure), "%s", cure);
	va_start(args, format);
	vsnprintf(bigger->text, sizeof(bigger->text), format, args);
	va_end(args);
}

/* Does a device in sysfs lie below one of the functions? */
bool egpu_guard_is_below(const struct guards *guards, const char *class,
			 const char *name)
{
	char *real = egpu_real(egpu_roots.sysfs, "class/%s/%s", class, name);
	bool below = false;
	int i;

	for (i = 0; real && i < guards->nr_functions && !below; i++)
		below = egpu_sysfs_is_below(real, &guards->functions[i]);
	free(real);
	return below;
}

static int upper_with_address(const char *name, void *arg)
{
	return !strncmp(name, "upper_", 6) && egpu_sys_has_address(name + 6) ?
	       (snprintf(arg, 64, "%.63s", name + 6), 1) : 0;
}

static int one_interface(const char *name, void *arg)
{
	struct guards *guards = arg;
	char upper[64] = "", cure[128];

	if (!egpu_guard_is_below(guards, "net", name))
		return 0;
	snprintf(cure, sizeof(cure), "ip link set %s down", name);
	if (egpu_sys_has_address(name))
		egpu_guard_add(guards, EGPU_GUARD_NETWORK, name, cure,
			       "network interface %s has an address", name);
	else if (egpu_each(upper_with_address, upper, egpu_roots.sysfs,
			   "class/net/%s", name) == 1)
		egpu_guard_add(guards, EGPU_GUARD_NETWORK, name, cure,
			       "network interface %s belongs to %s, which has an address",
			       name, upper);
	return guards->error;
}

struct keyboards {
	struct guards *guards;
	int below;
	int elsewhere;
	char name[64];
};

/*
 * A keyboard by udev's rule (ID_INPUT_KEYBOARD): keys 1 to 31 are there. The
 * last word of capabilities/key has the lowest bits.
 */
static int one_input(const char *name, void *arg)
{
	struct keyboards *keyboards = arg;
	char *keys, *last;

	if (strncmp(name, "input", 5))
		return 0;
	keys = egpu_read(egpu_roots.sysfs, "class/input/%s/capabilities/key",
			 name);
	last = keys ? strrchr(keys, ' ') : NULL;
	if (!keys || (strtoul(last ? last : keys, NULL, 16) & 0xfffffffeUL) !=
		     0xfffffffeUL) {
		free(keys);
		return 0;
	}
	free(keys);
	if (!egpu_guard_is_below(keyboards->guards, "input", name)) {
		keyboards->elsewhere++;
		return 0;
	}
	keyboards->below++;
	snprintf(keyboards->name, sizeof(keyboards->name), "%s", name);
	return 0;
}

static void find_keyboard(struct guards *guards)
{
	struct keyboards keyboards = { .guards = guards };

	egpu_each(one_input, &keyboards, egpu_roots.sysfs, "class/input");
	if (keyboards.below && !keyboards.elsewhere)
		egpu_guard_add(guards, EGPU_GUARD_KEYBOARD, keyboards.name, "",
			       "the last keyboard is on it");
}

static int by_kind(const void *a, const void *b)
{
	const struct egpu_guard *x = a, *y = b;

	return (int)x->kind - (int)y->kind;
}

int egpu_guards(const struct egpu_address *functions, int count,
		struct egpu_guard **out)
{
	struct guards guards = {
		.functions = functions,
		.nr_functions = count,
	};

	egpu_guard_disks(&guards);
	egpu_each(one_interface, &guards, egpu_roots.sysfs, "class/net");
	egpu_guard_memory(&guards);
	find_keyboard(&guards);
	if (guards.error) {
		free(guards.list);
		return guards.error;
	}
	if (guards.count)
		qsort(guards.list, (size_t)guards.count, sizeof(*guards.list),
		      by_kind);
	*out = guards.list;
	return guards.count;
}
