// SPDX-License-Identifier: GPL-2.0
/*
 * What is to be thought of a port's link. A GPU that idles lowers its link by
 * itself: with a driver bound, the best that was seen since it came counts, not
 * what is now.
 */
#include <string.h>

#include "ctl.h"

/* What counts, what it could be, and what is known to keep it from that. */
struct facts {
	bool bound;
	bool watched;		/* seen before a driver could lower it */
	bool capped;		/* it was faster, before the limit */
	uint32_t speed;
	unsigned int width;
	uint32_t limit;		/* 0: none */
	unsigned int wired;	/* 0: all */
	const char *why;
};

static bool is_bound(const struct egpu_function *gpu)
{
	return gpu && (gpu->flags & EGPU_FUNCTION_BOUND) &&
	       !(gpu->flags & EGPU_FUNCTION_HELD);
}

/* The limit that egpu holds the port's device to; 0: none. */
static uint32_t limit_of(const struct view *view)
{
	const struct egpu_link_info *about = &view->about;

	if (about->limit_vendor &&
	    (!view->gpu || about->limit_vendor != view->gpu->vendor ||
	     about->limit_device != view->gpu->device))
		return 0;
	return about->limit_speed;
}

/* A limit that is not egpu's: the kernel's bandwidth controller. 0: none. */
uint32_t view_kernel_limit(const struct view *view)
{
	const struct egpu_link *link = &view->link;
	uint32_t limit = limit_of(view);

	if (!*view->cooling.name || !view->cooling.state ||
	    !link->target_speed || link->target_speed >= link->ends_speed ||
	    (limit && link->target_speed >= limit))
		return 0;
	return link->target_speed;
}

const char *view_limit_why(const struct view *view)
{
	uint32_t limit = limit_of(view);

	if (!limit)
		return NULL;
	if (limit == view->learned.limit && *view->learned.why)
		return view->learned.why;
	return limit == view->max_speed ? "configuration" : "until reboot";
}

/* What was seen before the port was limited does not come back. */
static void cap(const struct egpu_link *link, struct facts *facts)
{
	if (!facts->limit || facts->speed <= facts->limit ||
	    !link->target_speed || link->target_speed > facts->limit)
		return;
	facts->capped = link->speed < facts->speed;
	facts->speed = link->speed > facts->limit ? link->speed : facts->limit;
}

static void find_facts(const struct view *view, struct facts *facts)
{
	const struct egpu_link *link = &view->link;
	const struct egpu_link_info *about = &view->about;
	uint32_t kernel = view_kernel_limit(view);

	facts->bound = is_bound(view->gpu);
	facts->watched = about->best_speed &&
			 view->info.reason != EGPU_REASON_ADOPTED;
	facts->speed = link->speed;
	facts->width = link->width;
	if (facts->bound && about->best_speed > link->speed)
		facts->speed = about->best_speed;
	if (facts->bound && about->best_width > link->width)
		facts->width = about->best_width;
	facts->limit = limit_of(view);
	facts->why = view_limit_why(view);
	facts->wired = about->wired_width;
	if (kernel) {
		facts->limit = kernel;
		facts->why = "the kernel's bandwidth controller";
	}
	cap(link, facts);
}

static enum worth judge(const struct view *view, const struct facts *facts)
{
	const struct egpu_link *link = &view->link;
	bool fast = facts->speed >= link->ends_speed;
	bool wide = facts->width >= link->ends_width;
	bool limited = !fast && facts->limit && facts->speed >= facts->limit;
	bool wired = !wide && facts->wired && facts->width >= facts->wired;

	if (fast && wide)
		return WORTH_FULL;
	if (view->learned.speed && facts->speed >= view->learned.speed &&
	    facts->width >= view->learned.width)
		return WORTH_ACCEPTED;
	if ((fast || limited) && (wide || wired))
		return limited ? WORTH_LIMITED : WORTH_WIRED;
	return facts->bound && !facts->watched ? WORTH_BELOW :
						 WORTH_DEGRADED;
}

/* "2.5GT/s of 16GT/s", "x1 of x4", both: "2.5GT/s x1 of 16GT/s x4" */
static void shortfall(const struct egpu_link *link, const struct facts *facts,
		      char *buf, size_t size)
{
	bool slow = facts->speed < link->ends_speed;
	bool narrow = facts->width < link->ends_width;
	double now = facts->speed / 10.0, ends = link->ends_speed / 10.0;

	if (slow && narrow)
		snprintf(buf, size, "%gGT/s x%u of %gGT/s x%u", now,
			 facts->width, ends, link->ends_width);
	else if (slow)
		snprintf(buf, size, "%gGT/s of %gGT/s", now, ends);
	else
		snprintf(buf, size, "x%u of x%u", facts->width,
			 link->ends_width);
}

static void describe(const struct view *view, const struct facts *facts,
		     enum worth kind, char *buf, size_t size)
{
	const struct egpu_link *link = &view->link;
	char of[64], wired[40] = "";

	shortfall(link, facts, of, sizeof(of));
	if (facts->width < link->ends_width)
		snprintf(wired, sizeof(wired), "wired x%u of x%u", facts->width,
			 link->ends_width);
	switch (kind) {
	case WORTH_FULL:
		snprintf(buf, size, "full speed");
		break;
	case WORTH_ACCEPTED:
		snprintf(buf, size, "as accepted");
		break;
	case WORTH_WIRED:
		snprintf(buf, size, "%s", wired);
		break;
	case WORTH_LIMITED:
		snprintf(buf, size, "limited to %gGT/s (%s)%s%s",
			 facts->limit / 10.0, facts->why, *wired ? ", " : "",
			 wired);
		break;
	case WORTH_BELOW:
		snprintf(buf, size, "%s: idle, or degraded", of);
		break;
	default:
		snprintf(buf, size, "degraded: %s", of);
		break;
	}
}

/* "16GT/s seen at 12:01", "limited to 8GT/s (guard)" */
static void seen_text(const struct view *view, const struct facts *facts,
		      char *buf, size_t size)
{
	const struct egpu_link *link = &view->link;
	char when[24];

	if (facts->capped) {
		snprintf(buf, size, "limited to %gGT/s (%s)",
			 facts->limit / 10.0, facts->why);
		return;
	}
	minute_text(view->about.best_ns, when);
	if (facts->speed == link->speed)
		snprintf(buf, size, "x%u seen at %s", facts->width, when);
	else if (facts->width == link->width)
		snprintf(buf, size, "%gGT/s seen at %s", facts->speed / 10.0,
			 when);
	else
		snprintf(buf, size, "%gGT/s x%u seen at %s",
			 facts->speed / 10.0, facts->width, when);
}

void view_verdict(const struct view *view, struct link_verdict *verdict)
{
	const struct egpu_link *link = &view->link;
	struct facts facts = { 0 };

	memset(verdict, 0, sizeof(*verdict));
	if (link->asleep || link->tunnelled) {
		verdict->kind = link->asleep ? WORTH_ASLEEP :
					       WORTH_TUNNELLED;
		snprintf(verdict->text, sizeof(verdict->text), "%s",
			 worth_name(verdict->kind));
		return;
	}
	if (!link->known)
		return;
	find_facts(view, &facts);
	verdict->speed = facts.speed;
	verdict->width = facts.width;
	verdict->best = judge(view, &facts);
	describe(view, &facts, verdict->best, verdict->best_text,
		 sizeof(verdict->best_text));
	verdict->kind = verdict->best;
	if (facts.speed == link->speed && facts.width == link->width) {
		snprintf(verdict->text, sizeof(verdict->text), "%s",
			 verdict->best_text);
		return;
	}
	verdict->kind = WORTH_IDLE;
	seen_text(view, &facts, verdict->seen, sizeof(verdict->seen));
	snprintf(verdict->text, sizeof(verdict->text), "idle, %s",
		 verdict->seen);
}

/* One word, for scripts; NULL: the link is down. */
const char *worth_name(enum worth kind)
{
	static const char * const names[] = {
		[WORTH_FULL] = "full",
		[WORTH_IDLE] = "idle",
		[WORTH_WIRED] = "wired",
		[WORTH_LIMITED] = "limited",
		[WORTH_ACCEPTED] = "accepted",
		[WORTH_BELOW] = "below-port",
		[WORTH_DEGRADED] = "degraded",
		[WORTH_TUNNELLED] = "tunnelled",
		[WORTH_ASLEEP] = "asleep",
	};

	return names[kind];
}
