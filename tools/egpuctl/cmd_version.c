// SPDX-License-Identifier: GPL-2.0
/*
 * version: of program, interface and module; says why there is no module.
 */
#include "ctl.h"

enum exit_code cmd_version(struct ctl *ctl)
{
	char text[256], hint[256];
	enum egpu_absence why;
	int ret = egpu_open(&ctl->egpu);

	why = egpu_diagnose(ret, text, hint, sizeof(text));
	if (ctl->json) {
		put_text(reply(ctl), "tool_version", EGPUCTL_VERSION);
		put_int(reply(ctl), "abi_version", EGPU_ABI_VERSION);
	} else {
		printf("egpuctl %s, interface %d\n", EGPUCTL_VERSION,
		       EGPU_ABI_VERSION);
	}
	if (why == EGPU_PRESENT) {
		say(ctl, "egpu.ko %s, interface %u, %u ports known\n",
		    egpu_about(ctl->egpu)->module_version,
		    egpu_about(ctl->egpu)->abi_version,
		    egpu_about(ctl->egpu)->nr_ports);
		return EXIT_DONE;
	}
	return fail(ctl, why == EGPU_NO_PERMISSION ? EXIT_PERMISSION :
		    why == EGPU_BROKEN ? EXIT_FAILED : EXIT_NO_MODULE,
		    hint, NULL, "%s", text);
}
