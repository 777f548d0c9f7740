// SPDX-License-Identifier: GPL-2.0
/*
 * link PORT retrain, speed and accept: what can be done about a link.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ctl.h"

/* Who would lose a device: the GPU's driver before those of others. NULL: none */
static const char *bound_driver(const struct view *view)
{
	const char *found = NULL;
	int i;

	for (i = 0; i < view->nr_functions; i++) {
		const struct egpu_function *f = &view->functions[i];

		if ((f->flags & EGPU_FUNCTION_BOUND) &&
		    !(f->flags & EGPU_FUNCTION_HELD) &&
		    (!found || f == view->gpu))
			found = *f->driver ? f->driver : "a driver";
	}
	if (!found && (view->info.state == EGPU_STATE_READY ||
		       view->info.state == EGPU_STATE_BINDING))
		return "a driver, or soon one,";
	return found;
}

/* Refusals that need no try. */
static enum exit_code check_link(struct ctl *ctl, const struct view *view,
				 uint32_t speed)
{
	const struct egpu_link *link = &view->link;

	if (!(view->info.flags & EGPU_PORT_TRACKED))
		return fail_errno(ctl, -EOPNOTSUPP, ctl->arg[1], &view->info);
	if (link->tunnelled)
		return fail(ctl, EXIT_UNSUPPORTED, NULL, &view->info,
			    "Thunderbolt or USB4 carries this link: it has no speed of its own");
	if (speed && link->ends_speed && speed > link->ends_speed)
		return fail(ctl, EXIT_UNSUPPORTED, NULL, &view->info,
			    "%gGT/s is more than both ends can do, which is %gGT/s",
			    speed / 10.0, link->ends_speed / 10.0);
	return EXIT_DONE;
}

/* A driver is bound: the worst case is told before it can happen. */
static enum exit_code consent(struct ctl *ctl, const struct view *view)
{
	const char *driver = bound_driver(view);
	char hint[160];

	if (!driver)
		return EXIT_DONE;
	if (!given(ctl, OPT_LIVE)) {
		snprintf(hint, sizeof(hint), "egpuctl link %s %s%s%s --live",
			 ctl->arg[0], ctl->arg[1], ctl->arg[2] ? " " : "",
			 ctl->arg[2] ? ctl->arg[2] : "");
		return fail(ctl, EXIT_GUARD, hint, &view->info,
			    "%s is bound. If the link does not come back, the device is lost under it; it returns by itself when the link does",
			    driver);
	}
	if (given(ctl, OPT_YES))
		return EXIT_DONE;
	if (!can_ask(ctl))
		return fail(ctl, EXIT_USAGE, NULL, &view->info,
			    "--live needs --yes where nobody can be asked");
	say(ctl, "%s is bound. If the link does not come back, the device is lost under it, and\n"
	    "whatever uses it fails; it returns by itself when the link does.\n",
	    driver);
	return ask("Train the link? Type yes:", "yes") ? EXIT_DONE :
	       fail(ctl, EXIT_CANCELLED, NULL, &view->info,
		    "nothing was changed");
}

static enum exit_code busy(struct ctl *ctl, const struct egpu_port_info *info,
			   const struct link_change *change)
{
	if (change->reason == EGPU_REASON_CXL)
		return fail(ctl, EXIT_GUARD, NULL, info,
			    "the device gives memory to this machine over CXL");
	return fail_errno(ctl, -EBUSY, ctl->arg[1], info);
}

/* How a LINK_SET that did not succeed is told. */
static enum exit_code training_failed(struct ctl *ctl,
				      const struct egpu_port_info *info,
				      const struct link_change *change, int ret)
{
	char now[32] = "it is down";

	if (change->to)
		snprintf(now, sizeof(now), "it runs at %gGT/s",
			 change->to / 10.0);
	switch (ret) {
	case FOLLOW_STUCK:
		return fail(ctl, EXIT_FAILED, "egpuctl show", info,
			    "stopped watching; the training goes on");
	case -EPERM:
		return link_forbidden(ctl, info, ctl->arg[1]);
	case -EIO:
		return fail(ctl, EXIT_FAILED, NULL, info,
			    "the link did not reach the speed; %s", now);
	case -ETIMEDOUT:
		return fail(ctl, EXIT_DEADLINE, "egpuctl link", info,
			    "training of the link did not end; %s", now);
	case -ENODEV:
		return fail(ctl, EXIT_NO_PORT, "egpuctl monitor", info,
			    "the link did not come back: the device is lost; it returns by itself when the link does");
	case -ECANCELED:
		return fail(ctl, EXIT_CANCELLED, NULL, info, "cancelled");
	case -EBUSY:
		return busy(ctl, info, change);
	case -EOPNOTSUPP:
		return fail(ctl, EXIT_UNSUPPORTED, NULL, info, "%s",
			    change->reason == EGPU_REASON_TUNNELLED ?
			    "Thunderbolt or USB4 carries this link: it has no speed of its own" :
			    "this link cannot do that, or is older than PCIe 2.0");
	default:
		return fail_errno(ctl, ret, ctl->arg[1], info);
	}
}

static void change_json(struct ctl *ctl, const struct egpu_port_info *info,
			const struct link_change *change)
{
	struct json_object *o = reply(ctl);
	struct egpu_port_info now = *info;
	struct view view;

	put_int(o, "port", info->port);
	put(o, "from_gts", change->from ? json_number(change->from / 10.0) :
					  NULL);
	put(o, "to_gts", change->to ? json_number(change->to / 10.0) : NULL);
	put(o, "width", change->to ? json_object_new_int64(change->width) :
				     NULL);
	put_number(o, "seconds", (double)change->ms / 1000);
	put(o, "steps", change->steps);
	egpu_port(ctl->egpu, info->port, &now);
	view_get(ctl, &now, VIEW_ENDS, &view);
	put(o, "link", link_json(&view));
	view_free(&view);
}

/* Checks, trains and tells; the caller says what the new limit is. */
static enum exit_code train(struct ctl *ctl, const struct egpu_port_info *info,
			    struct link_change *change)
{
	enum exit_code code;
	struct view view;
	int ret;

	view_get(ctl, info, VIEW_ENDS, &view);
	code = check_link(ctl, &view, change->speed);
	if (code == EXIT_DONE)
		code = consent(ctl, &view);
	view_free(&view);
	if (code != EXIT_DONE)
		return code;
	if (given(ctl, OPT_LIVE))
		change->flags |= EGPU_LINK_SET_LIVE;
	catch_interrupt();
	if (ctl->json)
		change->steps = json_object_new_array();
	ret = link_train(ctl, info, change);
	if (ctl->json)
		change_json(ctl, info, change);
	if (ret)
		return training_failed(ctl, info, change, ret);
	if (change->to)
		say(ctl, "Link: %gGT/s x%u, in %lld ms.\n", change->to / 10.0,
		    change->width, (long long)change->ms);
	return EXIT_DONE;
}

enum exit_code link_retrain(struct ctl *ctl, const struct egpu_port_info *port)
{
	struct link_change change = { .flags = EGPU_LINK_SET_RETRAIN };
	enum exit_code code;

	code = train(ctl, port, &change);
	if (code == EXIT_DONE && !change.to)
		say(ctl, "Nothing is there to train.\n");
	return code;
}

/* A learned limit below the new one would come back: it goes, or that is said. */
static enum exit_code beat_learned(struct ctl *ctl,
				   const struct egpu_port_info *port,
				   uint32_t speed)
{
	struct learned learned;
	struct learned_key key;
	struct view view;
	int ret = 0;

	/* the view before the training has read it */
	if (!learned_any(ctl->learned))
		return EXIT_DONE;
	view_get(ctl, port, 0, &view);
	if (view_key(&view, &key) && view.learned.limit &&
	    (!speed || view.learned.limit < speed)) {
		if (!given(ctl, OPT_SAVE)) {
			say(ctl, "%gGT/s (%s) comes back with the next arrival; --save forgets that.\n",
			    view.learned.limit / 10.0, view.learned.why);
		} else {
			ret = learned_load(&learned, true);
			if (!ret) {
				learned_set_limit(&learned, &key, 0, NULL);
				ret = learned_save(&learned);
				learned_free(&learned);
			}
			say(ctl, ret ? "" : "Forgotten: %gGT/s (%s).\n",
			    view.learned.limit / 10.0, view.learned.why);
		}
	}
	view_free(&view);
	return ret ? exit_of(ret) : EXIT_DONE;
}

enum exit_code link_speed(struct ctl *ctl, const struct egpu_port_info *port)
{
	struct link_change change = { .flags = EGPU_LINK_SET_SPEED };
	enum exit_code code;
	char speed[24] = "max";

	if (!egpu_speed_parse(ctl->arg[2], &change.speed))
		return fail(ctl, EXIT_USAGE, "16GT/s, 2.5, gen4 or max", port,
			    "there is no speed \"%s\"", ctl->arg[2]);
	code = train(ctl, port, &change);
	if (code != EXIT_DONE)
		return code;
	if (change.speed)
		speed_text(change.speed, speed);
	if (change.speed)
		say(ctl, "Port %u: at most %s%s.\n", port->port, speed,
		    given(ctl, OPT_SAVE) ? "" : " until reboot; add --save");
	else
		say(ctl, "Port %u: as fast as both ends can%s.\n", port->port,
		    given(ctl, OPT_SAVE) ? "" : " until reboot; add --save");
	if (given(ctl, OPT_SAVE))
		code = config_save(ctl, port, "max-speed", speed);
	return code == EXIT_DONE ? beat_learned(ctl, port, change.speed) : code;
}

static enum exit_code accept_verdict(struct ctl *ctl, const struct view *view,
				     const struct link_verdict *verdict)
{
	struct learned learned;
	struct learned_key key;
	int ret;

	view_key(view, &key);
	ret = learned_load(&learned, true);
	if (ret)
		return fail_errno(ctl, ret, "accept", &view->info);
	learned_set_expected(&learned, &key, verdict->speed, verdict->width);
	ret = learned_save(&learned);
	learned_free(&learned);
	if (ret)
		return fail_errno(ctl, ret, "accept", &view->info);
	say(ctl, "Accepted: %gGT/s x%u is what to expect of %04x:%04x at port %s.\n",
	    verdict->speed / 10.0, verdict->width, key.vendor, key.device,
	    view_label(view));
	return EXIT_DONE;
}

enum exit_code link_accept(struct ctl *ctl, const struct egpu_port_info *port)
{
	struct link_verdict verdict;
	enum exit_code code;
	struct view view;

	view_get(ctl, port, VIEW_ENDS, &view);
	view_verdict(&view, &verdict);
	if (!view.gpu)
		code = fail_errno(ctl, -ENODEV, "accept", port);
	else if (!verdict.speed)
		code = fail(ctl, EXIT_UNSUPPORTED, NULL, port,
			    "accept: the link is %s", *verdict.text ?
			    verdict.text : "down");
	else
		code = accept_verdict(ctl, &view, &verdict);
	if (code == EXIT_DONE && ctl->json) {
		struct learned_key key;

		learned_free(ctl->learned);
		learned_load(ctl->learned, false);
		view_key(&view, &key);
		learned_find(ctl->learned, &key, &view.learned);
		put_int(reply(ctl), "port", port->port);
		put(reply(ctl), "link", link_json(&view));
	}
	view_free(&view);
	return code;
}
