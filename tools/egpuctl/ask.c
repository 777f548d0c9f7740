// SPDX-License-Identifier: GPL-2.0
/*
 * A question to the person at the terminal, where there is one.
 */
#include <string.h>
#include <unistd.h>

#include "ctl.h"

bool can_ask(const struct ctl *ctl)
{
	return !ctl->json && isatty(STDIN_FILENO) && ctl->terminal;
}

bool ask(const char *question, const char *wanted)
{
	char line[32] = "";

	printf("%s ", question);
	fflush(stdout);
	if (!fgets(line, sizeof(line), stdin))
		return false;
	line[strcspn(line, "\n")] = 0;
	return !strcasecmp(line, wanted) ||
	       (!strcmp(wanted, "y") && !strcasecmp(line, "yes"));
}
