// SPDX-License-Identifier: GPL-2.0
/*
 * What stands against a detach, and what the caller accepts of it.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "detach.h"

static void list_others(const struct plan *plan, FILE *file)
{
	char address[EGPU_ADDRESS_LEN], class[80];
	int i;

	for (i = 0; i < plan->nr_functions; i++) {
		const struct egpu_function *f = &plan->functions[i];
		struct egpu_address a = egpu_function_address(f);

		if (may_go(f))
			continue;
		class_name(f->class, class, sizeof(class));
		fprintf(file, "  %s %s%s%s%s\n",
			egpu_address_format(&a, address), class,
			f->driver[0] ? " (" : "", f->driver,
			f->driver[0] ? ")" : "");
	}
}

static enum exit_code others(struct plan *plan)
{
	struct ctl *ctl = plan->ctl;
	FILE *file = can_ask(plan->ctl) ? stdout : stderr;

	if (!plan->nr_others || given(ctl, OPT_ALL_BELOW))
		return EXIT_DONE;
	if (!ctl->json) {
		fprintf(file, "%d other device%s would go as well:\n",
			plan->nr_others, plan->nr_others == 1 ? "" : "s");
		list_others(plan, file);
	}
	if (given(ctl, OPT_GPU_ONLY))
		return fail(ctl, EXIT_GUARD, "without --gpu-only they go, too",
			    &plan->view.info,
			    "refused: more than the GPU is below this port");
	if (given(ctl, OPT_CHECK))
		return EXIT_DONE;
	if (can_ask(plan->ctl))
		return ask("Detach them all? [y/N]", "y") ? EXIT_DONE :
		       fail(ctl, EXIT_CANCELLED, NULL, &plan->view.info,
			    "nothing was changed");
	return fail(ctl, EXIT_GUARD, "--all-below takes them all",
		    &plan->view.info,
		    "refused: more than the GPU is below this port");
}

static enum exit_code guards(struct plan *plan)
{
	struct ctl *ctl = plan->ctl;
	bool forced = given(ctl, OPT_FORCE), root = false;
	int i;

	for (i = 0; i < plan->nr_guards; i++)
		root |= plan->guards[i].kind == EGPU_GUARD_ROOT;
	if (!plan->nr_guards)
		return EXIT_DONE;
	if (!ctl->json) {
		fflush(stdout);
		fprintf(stderr, "%s\n", forced && !root ? "In use:" :
			"Refused: in use; nothing was changed.");
		for (i = 0; i < plan->nr_guards; i++)
			fprintf(stderr, "  %s%s%s\n", plan->guards[i].text,
				*plan->guards[i].cure ? "  ->  " : "",
				plan->guards[i].cure);
	}
	if (forced && !root)
		return EXIT_DONE;
	return fail(ctl, EXIT_GUARD, root ? "not even --force does" : NULL,
		    &plan->view.info,
		    root ? "the root file system is on it"
			 : "refused: %s", plan->guards[0].text);
}

static enum exit_code boot_display(struct plan *plan)
{
	if (!plan_boot_display(plan))
		return EXIT_DONE;
	return fail(plan->ctl, EXIT_GUARD, NULL, &plan->view.info,
		    "refused: this machine booted on this display");
}

/* What --force will run into, told before it does. */
static void warn_force(struct plan *plan)
{
	const char *what;
	int i;

	for (i = 0; i < plan->nr_users; i++) {
		what = egpu_must_close(&plan->users[i], plan->driver);
		if (what)
			fprintf(stderr,
				"%s will hang in remove() until %u %s closes it; only a reboot would help then.\n",
				what, plan->users[i].pid, plan->users[i].comm);
		else
			fprintf(stderr, "%u %s will lose the GPU.\n",
				plan->users[i].pid, plan->users[i].comm);
	}
}

static enum exit_code force(struct plan *plan)
{
	struct ctl *ctl = plan->ctl;

	if (!given(ctl, OPT_FORCE) || given(ctl, OPT_CHECK))
		return EXIT_DONE;
	if (!ctl->json)
		warn_force(plan);
	if (given(ctl, OPT_YES))
		return EXIT_DONE;
	if (!can_ask(plan->ctl))
		return fail(ctl, EXIT_USAGE, NULL, &plan->view.info,
			    "--force needs --yes where nobody can be asked");
	return ask("Unbind although it is used? Type yes:", "yes") ?
	       EXIT_DONE : fail(ctl, EXIT_CANCELLED, NULL, &plan->view.info,
				"nothing was changed");
}

/* Prints one user as the refusal lists it. */
static void list_user(const struct plan *plan,
		      const struct egpu_process *process)
{
	const struct egpu_place *place = &process->place;
	char cure[256], where[128] = "";

	egpu_cure(process, plan->driver, cure, sizeof(cure));
	if (*place->engine)
		snprintf(where, sizeof(where), "%s:%s", place->engine,
			 *place->name ? place->name : place->id);
	fprintf(stderr, "  %-5u %-15s  %-13.40s  ->  %s\n", process->pid,
		process->comm, where, cure);
}

enum exit_code plan_refuse_users(struct plan *plan, enum exit_code code,
				 const char *why)
{
	struct ctl *ctl = plan->ctl;
	bool detach = ctl->verb->run == cmd_detach;
	int i, n = plan->in_the_way;

	if (ctl->json)
		return fail(ctl, code, detach ? "--wait S, --terminate" : NULL,
			    &plan->view.info, "%s: %d user%s", why, n,
			    n == 1 ? "" : "s");
	fflush(stdout);
	if (!strcmp(ctl->arg[0], "all"))
		fprintf(stderr, "Port %s: ", view_label(&plan->view));
	fprintf(stderr, "%s: %d user%s; nothing was changed.\n", why, n,
		n == 1 ? "" : "s");
	for (i = 0; i < plan->nr_users; i++) {
		const char *what;

		if (plan->allowed[i])
			continue;
		list_user(plan, &plan->users[i]);
		what = egpu_must_close(&plan->users[i], plan->driver);
		if (what && given(ctl, OPT_ALLOW) &&
		    !plan->users[i].display_server)
			fprintf(stderr,
				"        --allow does not help: %s cannot unbind while it is open\n",
				what);
	}
	if (plan->hidden)
		fprintf(stderr, "  Processes of other users are not shown.\n");
	if (code == EXIT_BUSY && detach)
		fprintf(stderr,
			"Wait: --wait 60.  Ask them to quit: --terminate\n");
	return code;
}

/* Everything but the users, who may still go. */
enum exit_code plan_consent(struct plan *plan)
{
	enum exit_code code = boot_display(plan);

	if (code == EXIT_DONE)
		code = guards(plan);
	if (code == EXIT_DONE)
		code = others(plan);
	return code == EXIT_DONE ? force(plan) : code;
}
