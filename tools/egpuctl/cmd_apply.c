// SPDX-License-Identifier: GPL-2.0
/*
 * apply: brings the module to what the configuration says. Started by udev when
 * the module, a port or a GPU comes, and by hand.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "space.h"

#define CHECKS_MS	10000

struct apply {
	struct ctl *ctl;
	struct json_object *changes;
	uint32_t only;		/* a port's id, 0 for all */
	int count;
	enum exit_code code;
};

static enum exit_code bad_lines(struct ctl *ctl)
{
	struct json_object *array = json_object_new_array();
	int i;

	for (i = 0; i < ctl->config.nr_errors; i++) {
		append_text(array, ctl->config.errors[i]);
		if (!ctl->json)
			fprintf(stderr, "%s\n", ctl->config.errors[i]);
	}
	if (ctl->json)
		put(reply(ctl), "bad_lines", array);
	else
		json_object_put(array);
	return ctl->config.nr_errors ? EXIT_FAILED : EXIT_DONE;
}

static void changed(struct apply *apply, const struct egpu_port_info *info,
		    const char *what)
{
	struct json_object *o;

	apply->count++;
	say(apply->ctl, "port %u (%04x:%02x:%02x.%x): %s\n", info->port,
	    info->domain, info->bus, info->devfn >> 3, info->devfn & 7, what);
	if (!apply->ctl->json)
		return;
	o = json_object_new_object();
	put_int(o, "port", info->port);
	put_text(o, "change", what);
	json_object_array_add(apply->changes, o);
}

static void change(struct apply *apply, const struct egpu_port_info *info,
		   const struct egpu_port_config *want, const char *what)
{
	struct egpu_port_config config = *want;
	int ret = 0;

	config.port = info->port;
	if (!given(apply->ctl, OPT_CHECK))
		ret = egpu_config(apply->ctl->egpu, &config);
	if (ret < 0) {
		apply->code = fail_errno(apply->ctl, ret, what, info);
		return;
	}
	changed(apply, info, what);
}

static bool grows(const struct config_port *port)
{
	return port && port->rebar_max;
}

static int wanted_policy(const struct ctl *ctl, const struct config_port *port)
{
	return port && port->policy != CONFIG_UNSET ? port->policy :
	       ctl->config.policy;
}

static void apply_policy(struct apply *apply, const struct egpu_port_info *info,
			 const struct config_port *port)
{
	struct egpu_port_config want = { .flags = EGPU_CONFIG_POLICY };
	int policy = wanted_policy(apply->ctl, port);
	char what[40];

	/* what comes waits until its BAR was made larger here */
	if (grows(port))
		policy = EGPU_POLICY_MANUAL;
	if (policy == CONFIG_UNSET || (uint32_t)policy == info->policy)
		return;
	want.policy = (uint32_t)policy;
	snprintf(what, sizeof(what), "policy %s%s",
		 egpu_policy_name(want.policy),
		 grows(port) ? " (rebar-max)" : "");
	change(apply, info, &want, what);
}

static void apply_quarantine(struct apply *apply,
			     const struct egpu_port_info *info,
			     const struct config_port *port)
{
	const struct config *config = &apply->ctl->config;
	struct egpu_port_config want = { .flags = EGPU_CONFIG_QUARANTINE };
	bool own = port && port->losses != CONFIG_UNSET;
	int losses = own ? port->losses : config->losses;
	int window = own ? port->window_ms : config->window_ms;
	char what[64];

	if (losses == CONFIG_UNSET ||
	    ((uint32_t)losses == info->quarantine_losses &&
	     (!losses || (uint32_t)window == info->quarantine_window_ms)))
		return;
	want.quarantine_losses = (uint32_t)losses;
	want.quarantine_window_ms = (uint32_t)window;
	snprintf(what, sizeof(what), "quarantine %d/%gs", losses,
		 window / 1000.0);
	change(apply, info, &want, what);
}

/* Return: 0, or the flag that brings the port to what is configured. */
static uint32_t retrain_flag(const struct ctl *ctl,
			     const struct egpu_port_info *info,
			     const struct config_port *port)
{
	bool now = !(info->flags & EGPU_PORT_NO_RETRAIN);
	int want = port && port->retrain != CONFIG_UNSET ? port->retrain :
		   ctl->config.retrain;

	if (want == CONFIG_UNSET || want == now)
		return 0;
	return want ? EGPU_CONFIG_RETRAIN : EGPU_CONFIG_NO_RETRAIN;
}

static void apply_retrain(struct apply *apply,
			  const struct egpu_port_info *info,
			  const struct config_port *port)
{
	struct egpu_port_config want = {
		.flags = retrain_flag(apply->ctl, info, port),
	};

	if (want.flags)
		change(apply, info, &want, want.flags & EGPU_CONFIG_RETRAIN ?
		       "retrain yes" : "retrain no");
}

/* Started by the GPU's arrival: its checks may still run. */
void wait_for_checks(struct ctl *ctl, struct egpu_port_info *info)
{
	int64_t end = now_ms() + CHECKS_MS;
	struct egpu_event event;

	if (egpu_subscribe(ctl->egpu, EGPU_EVENT_BIT(EGPU_EVENT_STATE),
			   info->port, NULL) < 0)
		return;
	while (!egpu_port(ctl->egpu, info->port, info) &&
	       info->state == EGPU_STATE_HELD &&
	       info->reason == EGPU_REASON_CHECKING && now_ms() < end)
		if (egpu_event_next(ctl->egpu, &event,
				    (int)(end - now_ms())) < 0)
			break;
}

/*
 * Before it is admitted. @lock: to be closed after that, or -1. Return: false: it
 * is not to be, somebody else did, or is at work.
 */
static bool apply_grow(struct apply *apply, struct egpu_port_info *info,
		       int *lock)
{
	bool check = given(apply->ctl, OPT_CHECK);
	enum exit_code code;
	char what[96];

	code = grow_held(apply->ctl, info, check, what, sizeof(what), lock);
	if (code != EXIT_DONE)
		apply->code = code;
	if (*what)
		changed(apply, info, what);
	if (code == EXIT_BUSY && *lock == -EBUSY)
		return false;
	return check || (!egpu_port(apply->ctl->egpu, info->port, info) &&
			 info->state == EGPU_STATE_HELD &&
			 !info->transaction);
}

static void admit(struct apply *apply, const struct egpu_port_info *info,
		  const struct config_device *device)
{
	uint32_t transaction;
	int ret = 0;

	if (!given(apply->ctl, OPT_CHECK))
		ret = egpu_attach(apply->ctl->egpu, info->port,
				  device ? device->ignore : 0, &transaction);
	if (ret < 0)
		apply->code = fail_errno(apply->ctl, ret, "attach", info);
	else if (device)
		say(apply->ctl, "port %u: attach [device %s]\n", info->port,
		    device->section);
	else
		say(apply->ctl, "port %u: attach\n", info->port);
	apply->count++;
}

/*
 * A device that was remembered is admitted where policy would hold it; and one
 * that waits for its BAR only.
 */
static void apply_device(struct apply *apply, struct egpu_port_info *info,
			 const struct config_port *port)
{
	struct ctl *ctl = apply->ctl;
	bool waits = grows(port) &&
		     wanted_policy(ctl, port) != EGPU_POLICY_MANUAL;
	const struct config_device *device;
	const struct egpu_function *gpu;
	struct egpu_function *functions;
	uint32_t ignore;
	int count, lock = -1;

	if (!ctl->config.nr_devices && !waits)
		return;
	wait_for_checks(ctl, info);
	if (info->state != EGPU_STATE_HELD ||
	    (info->reason != EGPU_REASON_MANUAL &&
	     info->reason != EGPU_REASON_CHECK_FAILED))
		return;
	count = egpu_functions(ctl->egpu, info->port, &functions);
	if (count < 0)
		return;
	gpu = pick_gpu(functions, count);
	device = gpu ? config_device_find(&ctl->config, gpu) : NULL;
	if (device && device->policy != EGPU_POLICY_AUTO)
		waits &= device->policy == CONFIG_UNSET;
	ignore = device ? device->ignore : 0;
	if (gpu && ((device && device->policy == EGPU_POLICY_AUTO) || waits) &&
	    !(info->failed_checks & ~(ignore | EGPU_CHECK_LINK)) &&
	    (!grows(port) || apply_grow(apply, info, &lock)))
		admit(apply, info, device);
	if (lock >= 0)
		close(lock);
	free(functions);
}

/* Adds to @want what the configuration says of a slot of egpu's own. */
static void add_soft(const struct egpu_port_info *info,
		     const struct config_port *port,
		     struct egpu_port_config *want)
{
	bool is = info->flags & EGPU_PORT_SOFT ||
		  info->backend == EGPU_BACKEND_SOFT;

	/* a slot that is there goes with untrack only: see egpu.conf(5) */
	if (port->soft == 1 && !is)
		want->flags |= EGPU_CONFIG_TRACK | EGPU_CONFIG_SOFT;
	if (port->watch_ms != CONFIG_UNSET && (is || port->soft == 1) &&
	    (uint32_t)port->watch_ms != info->watch_ms) {
		want->flags |= EGPU_CONFIG_WATCH;
		want->watch_ms = (uint32_t)port->watch_ms;
	}
}

/*
 * PORT_CONFIG where a soft slot may be part of it; then until it is there.
 * Return: false: that failed, and was told.
 */
static bool change_soft(struct apply *apply, struct egpu_port_info *info,
			const struct egpu_port_config *want, const char *what)
{
	struct egpu_port_config config = *want;
	enum exit_code code = EXIT_DONE;
	char text[80];
	int ret;

	snprintf(text, sizeof(text), "%s%s%s", what,
		 *what && want->flags & EGPU_CONFIG_SOFT ? ", " : "",
		 want->flags & EGPU_CONFIG_SOFT ? "soft slot" : "");
	if (!(want->flags & EGPU_CONFIG_SOFT)) {
		change(apply, info, want, text);
		return true;
	}
	config.port = info->port;
	if (!given(apply->ctl, OPT_CHECK)) {
		ret = egpu_config(apply->ctl->egpu, &config);
		code = ret < 0 ? soft_refused(apply->ctl, info, ret) :
				 soft_wait(apply->ctl, info);
	}
	if (code == EXIT_DONE)
		changed(apply, info, text);
	else
		apply->code = code;
	return code == EXIT_DONE;
}

static void apply_soft(struct apply *apply, struct egpu_port_info *info,
		       const struct config_port *port)
{
	struct egpu_port_config want = { .flags = 0 };
	char what[32] = "";

	if (!port)
		return;
	add_soft(info, port, &want);
	if (want.flags & EGPU_CONFIG_WATCH)
		snprintf(what, sizeof(what), "watch %u ms", want.watch_ms);
	if (want.flags)
		change_soft(apply, info, &want, what);
}

static void apply_port(struct apply *apply, struct egpu_port_info *info)
{
	struct egpu_port_config track = { .flags = EGPU_CONFIG_TRACK };
	struct egpu_port_config forget = { .flags = EGPU_CONFIG_FORGET };
	struct egpu_address address = egpu_port_address(info);
	struct config_port *port = NULL;
	struct limit_change limit;
	bool tracked = info->flags & EGPU_PORT_TRACKED, fresh = false;
	char path[160];

	if (!egpu_pci_path(&address, path, sizeof(path)))
		port = config_port_find(&apply->ctl->config, path);
	if (port && port->track == 0) {
		if (tracked)
			change(apply, info, &forget, "not tracked");
		return;
	}
	/* what comes next has to see the policy: set it in the same call */
	if (port && !tracked) {
		if (port->policy != CONFIG_UNSET || grows(port)) {
			track.flags |= EGPU_CONFIG_POLICY;
			track.policy = grows(port) ? EGPU_POLICY_MANUAL :
						     (uint32_t)port->policy;
		}
		track.flags |= retrain_flag(apply->ctl, info, port);
		add_soft(info, port, &track);
		change_soft(apply, info, &track, "tracked");
		if (given(apply->ctl, OPT_CHECK) ||
		    egpu_port(apply->ctl->egpu, info->port, info))
			return;
		tracked = info->flags & EGPU_PORT_TRACKED;
		fresh = true;
	}
	if (!tracked)
		return;
	apply_policy(apply, info, port);
	apply_quarantine(apply, info, port);
	apply_retrain(apply, info, port);
	if (!fresh)
		apply_soft(apply, info, port);
	apply_limit(apply->ctl, info, &limit);
	if (*limit.what)
		changed(apply, info, limit.what);
	if (limit.code != EXIT_DONE)
		apply->code = limit.code;
	apply_device(apply, info, port);
}

enum exit_code cmd_apply(struct ctl *ctl)
{
	struct apply apply = { .ctl = ctl, .code = bad_lines(ctl) };
	struct egpu_port_info one, *ports;
	enum exit_code code = EXIT_DONE;
	int i, count;

	if (ctl->nr_args && strcmp(ctl->arg[0], "all")) {
		code = find_port(ctl, ctl->arg[0], false, &one);
		if (code != EXIT_DONE)
			return code;
		apply.only = one.port;
	}
	count = egpu_ports(ctl->egpu, true, &ports);
	if (count < 0)
		return fail_errno(ctl, count, "list of ports", NULL);
	if (ctl->json)
		apply.changes = json_object_new_array();
	for (i = 0; i < count; i++)
		if (!apply.only || ports[i].port == apply.only)
			apply_port(&apply, &ports[i]);
	free(ports);
	if (!apply.count && apply.code == EXIT_DONE)
		say(ctl, "Nothing to change.\n");
	if (ctl->json)
		put(reply(ctl), "changes", apply.changes);
	return apply.code;
}
