// SPDX-License-Identifier: GPL-2.0
/*
 * wait: until a port is in a state. By events, never by polling; what is true
 * already is success.
 */
#include <errno.h>
#include <string.h>

#include "ctl.h"

static bool wanted_state(const char *word, uint32_t *state)
{
	static const struct {
		const char *word;
		uint32_t state;
	} states[] = {
		{ "ready", EGPU_STATE_READY },
		{ "detached", EGPU_STATE_DETACHED },
		{ "empty", EGPU_STATE_EMPTY },
		{ "lost", EGPU_STATE_LOST },
		{ "held", EGPU_STATE_HELD },
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(states); i++)
		if (!strcasecmp(states[i].word, word)) {
			*state = states[i].state;
			return true;
		}
	return false;
}

/* Return: 0 it is so, -errno */
static int wait_for(struct ctl *ctl, struct egpu_port_info *info,
		    uint32_t state, int64_t end)
{
	struct egpu_event event = { 0 };
	int ret;

	ret = egpu_subscribe(ctl->egpu, EGPU_EVENT_BIT(EGPU_EVENT_STATE) |
			     EGPU_EVENT_BIT(EGPU_EVENT_PORT_REMOVED),
			     info->port, NULL);
	for (;;) {
		int64_t left = end ? end - now_ms() : -1;

		if (ret < 0)
			return ret;
		/* a state may last shorter than it takes to look at the port */
		if (event.type == EGPU_EVENT_STATE && event.to == state)
			return 0;
		if (event.type != EGPU_EVENT_STATE) {
			ret = egpu_port(ctl->egpu, info->port, info);
			if (ret < 0)
				return ret;
			if (info->state == state)
				return 0;
		}
		if (event.type == EGPU_EVENT_PORT_REMOVED ||
		    info->state == EGPU_STATE_GONE)
			return -ENODEV;
		if (end && left <= 0)
			return -ETIMEDOUT;
		ret = egpu_event_next(ctl->egpu, &event, (int)left);
		if (!ret)
			event.type = EGPU_EVENT_STATE, event.to = ~0U;
		if (ret == -EINTR && interrupted)
			return -ECANCELED;
	}
}

enum exit_code cmd_wait(struct ctl *ctl)
{
	const char *word = ctl->value[OPT_FOR];
	struct egpu_port_info info;
	enum exit_code code;
	uint32_t state;
	int64_t end = 0;
	int ret, ms;

	if (!word || !wanted_state(word, &state))
		return fail(ctl, EXIT_USAGE, NULL, NULL,
			    "wait needs --for ready, detached, empty, held or lost");
	if (given(ctl, OPT_TIMEOUT)) {
		if (!parse_duration(ctl->value[OPT_TIMEOUT], &ms))
			return fail(ctl, EXIT_USAGE, NULL, NULL,
				    "--timeout %s is no time",
				    ctl->value[OPT_TIMEOUT]);
		end = now_ms() + ms;
	}
	code = find_port(ctl, ctl->arg[0], true, &info);
	if (code != EXIT_DONE)
		return code;
	catch_interrupt();
	ret = wait_for(ctl, &info, state, end);
	if (ctl->json) {
		put_int(reply(ctl), "port", info.port);
		put_text(reply(ctl), "state", ret ? egpu_state_name(info.state)
						  : egpu_state_name(state));
	}
	switch (ret) {
	case 0:
		return EXIT_DONE;
	case -ETIMEDOUT:
		egpu_port(ctl->egpu, info.port, &info);
		return fail(ctl, EXIT_DEADLINE, NULL, &info,
			    "port %u is %s, not %s, after %s s", info.port,
			    egpu_state_name(info.state), egpu_state_name(state),
			    ctl->value[OPT_TIMEOUT]);
	case -ECANCELED:
		return fail(ctl, EXIT_CANCELLED, NULL, &info, "interrupted");
	default:
		return fail_errno(ctl, ret, "wait", &info);
	}
}
