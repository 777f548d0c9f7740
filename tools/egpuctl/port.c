// SPDX-License-Identifier: GPL-2.0
/*
 * The port that an argument means; left out: the only one it can be.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ctl.h"

bool view_is_occupied(const struct egpu_port_info *info)
{
	return (info->flags & EGPU_PORT_TRACKED) &&
	       info->state != EGPU_STATE_EMPTY &&
	       info->state != EGPU_STATE_DETACHED &&
	       info->state != EGPU_STATE_GONE;
}

static enum exit_code only_port(struct ctl *ctl, struct egpu_port_info *info)
{
	struct egpu_port_info *ports;
	int i, occupied = 0, which = 0;
	int count = egpu_ports(ctl->egpu, false, &ports);

	if (count < 0)
		return fail_errno(ctl, count, "list of ports", NULL);
	for (i = 0; i < count; i++)
		/* of a cable port and the slot below it, the slot is meant */
		if (view_is_occupied(&ports[i]) &&
		    !(ports[i].flags & EGPU_PORT_CABLE)) {
			occupied++;
			which = i;
		}
	if (occupied == 1 || count == 1)
		*info = ports[which];
	free(ports);
	if (occupied == 1 || count == 1)
		return EXIT_DONE;
	if (!count)
		return fail(ctl, EXIT_NO_PORT, "egpuctl list --all", NULL,
			    "no port is tracked");
	return fail(ctl, EXIT_USAGE, "egpuctl list", NULL,
		    "which port? %d of %d are occupied", occupied, count);
}

enum exit_code find_port(struct ctl *ctl, const char *word, bool reads,
			 struct egpu_port_info *info)
{
	int ret;

	if (!word && reads)
		return only_port(ctl, info);
	ret = egpu_resolve(ctl->egpu, word, ctl->config.aliases, info);
	if (ret == -ENOENT)
		return fail(ctl, EXIT_NO_PORT, "egpuctl list --all", NULL,
			    "there is no port \"%s\"", word);
	return ret < 0 ? fail_errno(ctl, ret, word, NULL) : EXIT_DONE;
}
