// SPDX-License-Identifier: GPL-2.0
/*
 * Takes a GPU from its driver and leaves it held, with all that stands against
 * a detach.
 */
#include <errno.h>

#include "detach.h"

static enum exit_code unbind(struct plan *plan, struct egpu_port_info *info,
			     const char *label)
{
	struct ctl *ctl = plan->ctl;
	struct follow f = { .ctl = ctl, .port = info, .cancellable = true };
	int before = interrupts;
	int ret = egpu_subscribe(ctl->egpu, EGPU_EVENTS_ALL, 0, NULL);

	if (ret >= 0)
		ret = egpu_detach(ctl->egpu, info->port, EGPU_DETACH_HOLD, 0,
				  plan->accepted, plan->nr_accepted,
				  &f.transaction);
	if (ret == -EOPNOTSUPP)
		return fail(ctl, EXIT_UNSUPPORTED, NULL, info,
			    "other ports lie below port %s", label);
	if (ret < 0)
		return fail_errno(ctl, ret, "unbinding", info);
	ret = follow(&f);
	egpu_port(ctl->egpu, info->port, info);
	/* also when the end of it was not seen */
	if (info->state == EGPU_STATE_HELD)
		return EXIT_DONE;
	if (ret == -EBUSY && !plan_users(plan) && plan->in_the_way)
		return plan_refuse_users(plan, EXIT_BUSY, "Refused");
	if (ret == FOLLOW_STUCK)
		return fail(ctl, EXIT_FAILED, "egpuctl show", info,
			    "a driver has not come back from remove()");
	if (ret == -ECANCELED || interrupts != before)
		return EXIT_CANCELLED;
	return fail(ctl, ret ? exit_of(ret) : EXIT_FAILED, NULL, info,
		    "unbinding failed: port %s is %s", label,
		    egpu_state_name(info->state));
}

enum exit_code hold_port(struct ctl *ctl, struct egpu_port_info *info,
			 const char *label)
{
	struct plan plan = { .ctl = ctl };
	enum exit_code code;
	int ret;

	if (info->state == EGPU_STATE_HELD)
		return EXIT_DONE;
	ret = plan_make(ctl, info, &plan);
	if (ret < 0)
		code = fail_errno(ctl, ret, "users", info);
	else
		code = plan_consent(&plan);
	if (code == EXIT_DONE && plan.in_the_way)
		code = plan_refuse_users(&plan, EXIT_BUSY, "Refused");
	if (code == EXIT_DONE)
		code = unbind(&plan, info, label);
	plan_free(&plan);
	return code;
}
