// SPDX-License-Identifier: GPL-2.0
/*
 * detach: takes a GPU out as a transaction that can be cancelled until
 * unbinding begins. The last line says what may be unplugged, or why not.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "detach.h"

#define TERMINATE_MS	10000

static enum exit_code read_times(struct plan *plan)
{
	struct ctl *ctl = plan->ctl;
	int ms;

	plan->wait_ms = ctl->config.drain_ms > 0 ? ctl->config.drain_ms : 0;
	if (given(ctl, OPT_WAIT) &&
	    !parse_duration(ctl->value[OPT_WAIT], &plan->wait_ms))
		return fail(ctl, EXIT_USAGE, NULL, NULL,
			    "--wait %s is no time", ctl->value[OPT_WAIT]);
	if (!given(ctl, OPT_TERMINATE))
		return EXIT_DONE;
	ms = TERMINATE_MS;
	if (*ctl->value[OPT_TERMINATE] &&
	    !parse_duration(ctl->value[OPT_TERMINATE], &ms))
		return fail(ctl, EXIT_USAGE, NULL, NULL,
			    "--terminate=%s is no time",
			    ctl->value[OPT_TERMINATE]);
	if (ms > plan->wait_ms)
		plan->wait_ms = ms;
	return EXIT_DONE;
}

static void terminate(struct plan *plan)
{
	int i, ret;

	for (i = 0; i < plan->nr_users; i++) {
		const struct egpu_process *process = &plan->users[i];

		if (plan->allowed[i])
			continue;
		ret = egpu_terminate(process);
		if (!ret)
			say(plan->ctl, "Asked %u %s to quit.\n", process->pid,
			    process->comm);
		else if (ret == -EPERM)
			say(plan->ctl, "%u %s is not told to quit.\n",
			    process->pid, process->comm);
	}
}

/* Users that the module does not see are waited for here. */
static int outside_users(const struct plan *plan)
{
	int i, count = 0;

	for (i = 0; i < plan->nr_users; i++)
		count += !plan->allowed[i] && !plan->users[i].in_kernel;
	return count;
}

static enum exit_code wait_outside(struct plan *plan)
{
	struct timespec pause = { 0, 500000000 };
	int64_t end = now_ms() + plan->wait_ms;
	bool told = false;

	if (given(plan->ctl, OPT_FORCE))
		return EXIT_DONE;
	while (outside_users(plan)) {
		if (interrupted)
			return fail(plan->ctl, EXIT_CANCELLED, NULL,
				    &plan->view.info, "cancelled; nothing was changed");
		if (now_ms() >= end)
			return plan->wait_ms ? plan_refuse_users(plan,
				EXIT_DEADLINE, "Deadline passed") :
				plan_refuse_users(plan, EXIT_BUSY, "Refused");
		if (!told)
			say(plan->ctl, "Waiting for %d user%s without an open node.\n",
			    outside_users(plan),
			    outside_users(plan) == 1 ? "" : "s");
		told = true;
		nanosleep(&pause, NULL);
		if (plan_users(plan) < 0)
			break;
	}
	plan->wait_ms = plan->wait_ms && end > now_ms() ?
			(int)(end - now_ms()) : 0;
	return EXIT_DONE;
}

static int slot_off(struct plan *plan)
{
	struct egpu_port_info info;

	/* the backend is certain when it has been used */
	if (egpu_port(plan->ctl->egpu, plan->view.info.port, &info))
		return 0;
	plan->view.info = info;
	if (!egpu_slot_needed(&info))
		return 0;
	return egpu_slot_power(info.slot_name, false);
}

static enum exit_code run_transaction(struct plan *plan)
{
	struct ctl *ctl = plan->ctl;
	struct follow *f = &plan->follow;
	int ret;

	*f = (struct follow){
		.ctl = ctl,
		.port = &plan->view.info,
		.cancellable = true,
		.deadline_ms = plan->wait_ms ? now_ms() + plan->wait_ms : 0,
	};
	ret = egpu_subscribe(ctl->egpu, EGPU_EVENTS_ALL, 0, NULL);
	if (ret >= 0)
		ret = egpu_detach(ctl->egpu, plan->view.info.port,
				  given(ctl, OPT_FORCE) ? EGPU_DETACH_FORCE : 0,
				  (uint32_t)plan->wait_ms, plan->accepted,
				  plan->nr_accepted, &f->transaction);
	if (ret < 0)
		return plan_boot_display(plan) && ret == -EPERM ?
		       plan_end(plan, ret) :
		       fail_errno(ctl, ret, "detach", &plan->view.info);
	ret = follow(f);
	if (!ret)
		ret = slot_off(plan);
	return plan_end(plan, ret);
}

static enum exit_code only_check(struct plan *plan)
{
	struct ctl *ctl = plan->ctl;
	uint32_t transaction;
	int ret;

	if (plan->in_the_way)
		return plan_refuse_users(plan, EXIT_BUSY, "Refused");
	ret = egpu_detach(ctl->egpu, plan->view.info.port, EGPU_DETACH_CHECK,
			  0, plan->accepted, plan->nr_accepted, &transaction);
	if (ret == -EBUSY && !plan_users(plan) && plan->in_the_way)
		return plan_refuse_users(plan, EXIT_BUSY, "Refused");
	if (ret < 0)
		return fail_errno(ctl, ret, "detach", &plan->view.info);
	say(ctl, "Port %s can be detached now; nothing was changed.\n",
	    view_label(&plan->view));
	return EXIT_DONE;
}

/* Everything that can refuse before anything is touched. */
static enum exit_code check(struct plan *plan, const struct egpu_port_info *info)
{
	struct ctl *ctl = plan->ctl;
	enum exit_code code;
	int ret;

	if (!(info->flags & EGPU_PORT_TRACKED))
		return fail_errno(ctl, -EOPNOTSUPP, "detach", info);
	ret = plan_make(ctl, info, plan);
	if (ret < 0)
		return fail_errno(ctl, ret, "detach", info);
	if (plan_nothing(plan))
		return EXIT_DONE;
	code = read_times(plan);
	if (code == EXIT_DONE)
		code = plan_consent(plan);
	if (code != EXIT_DONE || given(ctl, OPT_CHECK))
		return code;
	if (plan->in_the_way && !plan->wait_ms && !given(ctl, OPT_FORCE))
		return plan_refuse_users(plan, EXIT_BUSY, "Refused");
	return EXIT_DONE;
}

static enum exit_code carry_out(struct plan *plan)
{
	struct ctl *ctl = plan->ctl;
	enum exit_code code;

	if (plan_nothing(plan)) {
		if (plan->view.info.state == EGPU_STATE_EMPTY)
			say(ctl, "Port %s is empty: nothing to do.\n",
			    view_label(&plan->view));
		else
			plan_safe(plan);
		return EXIT_DONE;
	}
	if (given(ctl, OPT_CHECK))
		return only_check(plan);
	if (given(ctl, OPT_TERMINATE))
		terminate(plan);
	code = wait_outside(plan);
	return code == EXIT_DONE ? run_transaction(plan) : code;
}

static enum exit_code detach_one(struct ctl *ctl)
{
	struct egpu_port_info info;
	enum exit_code code = find_port(ctl, ctl->arg[0], false, &info);
	struct plan plan = { .ctl = ctl };

	if (code != EXIT_DONE)
		return code;
	code = check(&plan, &info);
	if (code == EXIT_DONE)
		code = carry_out(&plan);
	if (ctl->json)
		plan_json(&plan, code == EXIT_DONE && !given(ctl, OPT_CHECK));
	plan_free(&plan);
	return code;
}

/* Ports that go by themselves; a slot below a cable port goes with that. */
static int outermost(struct ctl *ctl, struct egpu_port_info **out)
{
	struct egpu_port_info *ports;
	int i, count = egpu_ports(ctl->egpu, false, &ports), n = 0;

	for (i = 0; i < count; i++)
		if (view_is_occupied(&ports[i]) &&
		    (!ports[i].cable_port ||
		     ports[i].cable_port == ports[i].port))
			ports[n++] = ports[i];
	if (count >= 0)
		*out = ports;
	return count < 0 ? count : n;
}

static enum exit_code detach_all(struct ctl *ctl)
{
	struct egpu_port_info *ports;
	enum exit_code code = EXIT_DONE;
	struct plan *plans;
	int i, count = outermost(ctl, &ports);

	if (count < 0)
		return fail_errno(ctl, count, "list of ports", NULL);
	if (!count)
		say(ctl, "No GPU is attached: nothing to do.\n");
	plans = calloc((size_t)count + 1, sizeof(*plans));
	if (!plans)
		abort();
	for (i = 0; i < count && code == EXIT_DONE; i++) {
		plans[i].ctl = ctl;
		code = check(&plans[i], &ports[i]);
	}
	for (i = 0; i < count && code == EXIT_DONE; i++)
		code = carry_out(&plans[i]);
	for (i = 0; i < count; i++) {
		if (plans[i].ctl && ctl->json)
			plan_json(&plans[i], code == EXIT_DONE &&
				  !given(ctl, OPT_CHECK));
		plan_free(&plans[i]);
	}
	free(plans);
	free(ports);
	return code;
}

enum exit_code cmd_detach(struct ctl *ctl)
{
	if (given(ctl, OPT_GPU_ONLY) && given(ctl, OPT_ALL_BELOW))
		return fail(ctl, EXIT_USAGE, NULL, NULL,
			    "--gpu-only and --all-below exclude each other");
	catch_interrupt();
	if (!strcmp(ctl->arg[0], "all"))
		return detach_all(ctl);
	return detach_one(ctl);
}
