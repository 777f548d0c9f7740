// SPDX-License-Identifier: GPL-2.0
/*
 * link PORT qualify: the fastest speed that stays clean.
 */
#include "ctl.h"

enum exit_code link_qualify(struct ctl *ctl, const struct egpu_port_info *port)
{
	return fail(ctl, EXIT_UNSUPPORTED, NULL, port, "not built yet");
}
