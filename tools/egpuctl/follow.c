// SPDX-License-Identifier: GPL-2.0
/*
 * Follows a transaction until it ends: progress on one line of a terminal, as
 * plain lines elsewhere; Ctrl-C cancels it; a driver that hangs is told.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ctl.h"

#define TELL_STUCK_NS	10000000000ULL
#define GIVE_UP_NS	30000000000ULL

static void add_driver(struct follow *follow, const char *driver)
{
	size_t len = strlen(follow->drivers);

	if (!*driver || strstr(follow->drivers, driver) ||
	    len + strlen(driver) + 3 > sizeof(follow->drivers))
		return;
	snprintf(follow->drivers + len, sizeof(follow->drivers) - len, "%s%s",
		 len ? ", " : "", driver);
}

/* "1 user left (4711 python3)" */
static void users_text(struct follow *follow, char *buf, size_t size)
{
	struct egpu_process *list;
	bool hidden;
	int count = egpu_processes(follow->ctl->egpu, follow->port->port, &list,
				   &hidden);

	snprintf(buf, size, "%d user%s left", follow->users,
		 follow->users == 1 ? "" : "s");
	if (count < 0)
		return;
	if (count && follow->users) {
		size_t len = strlen(buf);

		snprintf(buf + len, size - len, " (%u %s%s)", list[0].pid,
			 list[0].comm, count > 1 ? ", ..." : "");
	}
	egpu_processes_free(list, count);
}

static void show_drain(struct follow *follow, bool changed)
{
	struct ctl *ctl = follow->ctl;
	char users[128], left[32] = "";
	int64_t seconds;

	if (ctl->json || follow->users <= 0 || (!ctl->terminal && !changed))
		return;
	users_text(follow, users, sizeof(users));
	if (follow->deadline_ms) {
		seconds = (follow->deadline_ms - now_ms() + 999) / 1000;
		snprintf(left, sizeof(left), ", %lld s",
			 (long long)(seconds > 0 ? seconds : 0));
	}
	if (ctl->terminal)
		printf("\r\033[K%sDraining:%s %s%s, Ctrl-C cancels",
		       paint(ctl, YELLOW), paint(ctl, PLAIN), users, left);
	else
		printf("Draining: %s%s\n", users, left);
	follow->shown = true;
	follow->drained = true;
	fflush(stdout);
}

/* Ends the line that is rewritten. */
static void end_line(struct follow *follow, const char *text)
{
	if (follow->shown && follow->ctl->terminal)
		say(follow->ctl, "%s\n", text);
	follow->shown = false;
}

static void on_interrupt(struct follow *follow)
{
	int ret;

	interrupted = 0;
	ret = egpu_cancel(follow->ctl->egpu, follow->port->port,
			  follow->transaction);
	if (ret >= 0) {
		follow->cancelled = true;
	} else if (ret == -EBUSY) {
		end_line(follow, "");
		say(follow->ctl,
		    "Too late to cancel: unbinding has begun.  Ctrl-C again stops watching.\n");
		follow->too_late = true;
	}
}

static void tell_stuck(struct follow *follow, const struct egpu_port_info *info)
{
	struct ctl *ctl = follow->ctl;
	unsigned long long s = (monotonic_ns() - info->step_since_ns) /
			       1000000000ULL;

	end_line(follow, "");
	if (info->step == EGPU_STEP_REMOVE)
		say(ctl, "%s stuck in remove() for %llu s. %s%sDo not pull the cable%s: all PCI hotplug would stop. Other GPUs are fine. Only a reboot frees this one.\n",
		    info->step_driver, s, paint(ctl, BOLD), paint(ctl, RED),
		    paint(ctl, PLAIN));
	else
		say(ctl, "%s stuck in probe() for %llu s. Other GPUs are fine.\n",
		    info->step_driver, s);
	fflush(stdout);
}

static int look_for_stuck(struct follow *follow)
{
	struct egpu_port_info info;
	uint64_t stuck;

	if (egpu_port(follow->ctl->egpu, follow->port->port, &info) ||
	    !info.step_driver[0] || !info.step_since_ns ||
	    (info.step != EGPU_STEP_REMOVE && info.step != EGPU_STEP_PROBE &&
	     info.step != EGPU_STEP_MANAGE))
		return 0;
	stuck = monotonic_ns() - info.step_since_ns;
	if (stuck > TELL_STUCK_NS && !follow->stuck) {
		tell_stuck(follow, &info);
		follow->stuck = true;
	}
	return stuck > GIVE_UP_NS ? FOLLOW_STUCK : 0;
}

static int on_progress(const struct egpu_event *event, void *arg)
{
	struct follow *follow = arg;

	if (interrupted && follow->too_late)
		return FOLLOW_STUCK;
	if (interrupted)
		on_interrupt(follow);
	if (!event) {
		show_drain(follow, false);
		return look_for_stuck(follow);
	}
	if (follow->tell)
		follow->tell(event, follow->arg);
	if (event->type == EGPU_EVENT_UNBOUND &&
	    (event->port == follow->port->port ||
	     event->transaction == follow->transaction))
		add_driver(follow, event->name);
	if (event->type == EGPU_EVENT_USERS &&
	    event->port == follow->port->port) {
		bool changed = follow->users != (int)event->value;

		follow->users = (int)event->value;
		show_drain(follow, changed);
		if (!follow->users)
			end_line(follow, " ... none");
	}
	return 0;
}

/* Return: 0, -errno as the transaction ended, FOLLOW_STUCK */
int follow(struct follow *follow)
{
	int ret;

	follow->users = -1;
	follow->began_ms = now_ms();
	ret = egpu_transaction_wait(follow->ctl->egpu, follow->port->port,
				    follow->transaction, on_progress, follow);
	end_line(follow, ret == 0 ? " ... none" : "");
	return ret;
}
