// SPDX-License-Identifier: GPL-2.0
/*
 * The speed that a port is limited to: max-speed of the configuration, for every
 * device, and what was learned about one; the lower of them. The module keeps
 * one limit a port, and its gate holds each arrival to it.
 */
#include <errno.h>
#include <string.h>

#include "ctl.h"

/* @speed 0: nobody wants a limit, or max-speed = max takes it away */
struct limit {
	bool wanted;
	uint32_t speed;
	uint16_t vendor;
	uint16_t device;
	const char *why;
};

/* Of the device that is there; of an empty port what was learned last. */
static bool find_learned(const struct view *view, struct learned_key *key,
			 struct learned_link *link)
{
	const struct egpu_link_info *about = &view->about;
	struct learned learned;
	bool found;

	if (view_key(view, key)) {
		*link = view->learned;
		return link->limit;
	}
	learned_load(&learned, false);
	snprintf(key->path, sizeof(key->path), "%s", view->path);
	/* the device that was there last may be the next */
	key->vendor = about->limit_vendor;
	key->device = about->limit_device;
	found = about->limit_vendor && learned_find(&learned, key, link) &&
		link->limit;
	if (!found)
		found = learned_newest(&learned, key, link);
	learned_free(&learned);
	return found;
}

static struct limit wanted(struct ctl *ctl, const struct view *view,
			   struct learned_link *link)
{
	const struct config_port *port = config_port_find(&ctl->config,
							  view->path);
	int max = port ? port->max_speed : CONFIG_UNSET;
	struct limit limit = { .wanted = max != CONFIG_UNSET };
	struct learned_key key;

	if (limit.wanted) {
		limit.speed = (uint32_t)max;
		limit.why = "max-speed";
	}
	if (!find_learned(view, &key, link) ||
	    (limit.speed && limit.speed <= link->limit))
		return limit;
	/* where the configuration limits all, no other device may be faster */
	if (!limit.speed) {
		limit.vendor = key.vendor;
		limit.device = key.device;
	}
	limit.wanted = true;
	limit.speed = link->limit;
	limit.why = *link->why ? link->why : "learned";
	return limit;
}

static bool is_so(const struct view *view, const struct limit *limit)
{
	const struct egpu_link_info *about = &view->about;

	if (about->limit_speed != limit->speed)
		return false;
	return !limit->speed || (about->limit_vendor == limit->vendor &&
				 about->limit_device == limit->device);
}

/* Held and faster than that: trained now. Else it is for the next arrival. */
static int set(struct ctl *ctl, const struct view *view,
	       const struct limit *limit)
{
	const struct egpu_port_info *info = &view->info;
	struct link_change change = {
		.flags = EGPU_LINK_SET_SPEED, .speed = limit->speed,
		.vendor = limit->vendor, .device = limit->device,
		.quiet = true,
	};
	int ret = -EBUSY;

	if (info->state == EGPU_STATE_HELD && !info->transaction &&
	    limit->speed && view->link.known &&
	    view->link.speed > limit->speed)
		ret = link_train(ctl, info, &change);
	if (ret != -EBUSY)
		return ret;
	change.flags |= EGPU_LINK_SET_LATER;
	return link_train(ctl, info, &change);
}

void apply_limit(struct ctl *ctl, struct egpu_port_info *info,
		 struct limit_change *change)
{
	struct learned_link link;
	struct limit limit;
	struct view view;
	char speed[24];
	int ret = 0;

	memset(change, 0, sizeof(*change));
	/* somebody has it in hand: qualify, which sets the limit at its end */
	if (info->state == EGPU_STATE_HELD &&
	    info->reason == EGPU_REASON_UNBOUND)
		return;
	view_get(ctl, info, 0, &view);
	limit = wanted(ctl, &view, &link);
	if (!limit.wanted || view.nr_hops < 0 || view.link.tunnelled ||
	    is_so(&view, &limit)) {
		view_free(&view);
		return;
	}
	if (!given(ctl, OPT_CHECK)) {
		wait_for_checks(ctl, info);
		view.info = *info;
		ret = set(ctl, &view, &limit);
	}
	speed_text(limit.speed, speed);
	if (ret)
		change->code = ret == -EPERM ?
			       link_forbidden(ctl, info, "limit") :
			       fail_errno(ctl, ret, "limit", info);
	else if (limit.speed)
		snprintf(change->what, sizeof(change->what), "limit %s (%s)",
			 speed, limit.why);
	else
		snprintf(change->what, sizeof(change->what), "no limit (%s)",
			 limit.why);
	view_free(&view);
}
