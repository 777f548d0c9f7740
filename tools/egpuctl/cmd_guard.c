// SPDX-License-Identifier: GPL-2.0
/*
 * guard: slows a link down that has too many errors.
 */
#include "ctl.h"

enum exit_code cmd_guard(struct ctl *ctl)
{
	return fail(ctl, EXIT_UNSUPPORTED, NULL, NULL, "not built yet");
}
