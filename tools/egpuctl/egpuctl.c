// SPDX-License-Identifier: GPL-2.0
/*
 * egpuctl: asks the egpu module, by libegpu. What it can do stands in table.c.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ctl.h"

static enum exit_code open_module(struct ctl *ctl)
{
	char text[256], hint[256];
	int ret = egpu_open(&ctl->egpu);

	switch (egpu_diagnose(ret, text, hint, sizeof(text))) {
	case EGPU_PRESENT:
		return EXIT_DONE;
	case EGPU_NO_PERMISSION:
		return fail(ctl, EXIT_PERMISSION, hint, NULL, "%s", text);
	case EGPU_BROKEN:
		return fail(ctl, EXIT_FAILED, hint, NULL, "%s", text);
	default:
		return fail(ctl, EXIT_NO_MODULE, hint, NULL, "%s", text);
	}
}

static void warn_config(const struct ctl *ctl)
{
	int i;

	/* apply tells about them itself, and fails */
	if (ctl->verb->run == cmd_apply)
		return;
	for (i = 0; i < ctl->config.nr_errors; i++)
		fprintf(stderr, "egpuctl: ignored: %s\n", ctl->config.errors[i]);
}

int main(int argc, char **argv)
{
	struct ctl ctl = { 0 };
	enum exit_code code;

	ctl.terminal = isatty(STDOUT_FILENO);
	ctl.colour = ctl.terminal && !getenv("NO_COLOR") && getenv("TERM") &&
		     strcmp(getenv("TERM"), "dumb");
	code = args_parse(&ctl, argc, argv);
	if (code != EXIT_DONE || !ctl.verb)
		goto out;
	config_load(&ctl.config);
	warn_config(&ctl);
	if (!ctl.verb->no_module)
		code = open_module(&ctl);
	if (code == EXIT_DONE)
		code = ctl.verb->run(&ctl);
out:
	if (ctl.reply) {
		print_json(ctl.reply, true);
		json_object_put(ctl.reply);
	}
	egpu_close(ctl.egpu);
	config_free(&ctl.config);
	if (ctl.learned)
		learned_free(ctl.learned);
	free(ctl.learned);
	names_free();
	/* a full disk or a closed pipe is no success */
	if (fflush(stdout) && code == EXIT_DONE)
		code = EXIT_FAILED;
	return (int)code;
}
