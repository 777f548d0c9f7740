// SPDX-License-Identifier: GPL-2.0
/*
 * attach and cancel.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ctl.h"

#define DRIVER_MS	2000

/* [device vvvv:dddd SERIAL], so that two of one kind have a section each */
static enum exit_code remember(struct ctl *ctl, const struct view *view,
			       uint32_t ignore)
{
	const struct egpu_function *gpu = view->gpu;
	char section[160], serial[64] = "", value[64];
	struct egpu_address address;
	char *file = config_main_file();
	unsigned int bit;
	size_t used = 0;
	int ret;

	address = egpu_function_address(gpu);
	egpu_pci_serial(&address, serial, sizeof(serial));
	snprintf(section, sizeof(section), "device %04x:%04x%s%s", gpu->vendor,
		 gpu->device, *serial ? " " : "", serial);
	ret = config_set(file, section, "policy", "auto");
	if (!ret && gpu->subsystem_vendor) {
		snprintf(value, sizeof(value), "%04x:%04x",
			 gpu->subsystem_vendor, gpu->subsystem_device);
		ret = config_set(file, section, "subsystem", value);
	}
	if (!ret && *serial)
		ret = config_set(file, section, "serial", serial);
	*value = 0;
	for (bit = 0; egpu_check_name(bit); bit++)
		if (ignore & (1U << bit))
			used += (size_t)snprintf(value + used,
						 sizeof(value) - used, "%s%s",
						 used ? "," : "",
						 egpu_check_name(bit));
	if (!ret && *value)
		ret = config_set(file, section, "ignore", value);
	if (ret)
		fail_errno(ctl, ret, file, &view->info);
	else
		say(ctl, "Remembered in %s: [%s]\n", file, section);
	free(file);
	return ret ? exit_of(ret) : EXIT_DONE;
}

static enum exit_code report(struct ctl *ctl, const struct view *view)
{
	const struct egpu_port_info *info = &view->info;
	char reason[192], link[48];
	int i;

	if (info->state != EGPU_STATE_READY) {
		view_reason(view, reason, sizeof(reason));
		if (info->state == EGPU_STATE_EMPTY)
			return fail(ctl, EXIT_NO_PORT, NULL, info,
				    "nothing is plugged in at port %s; what comes is admitted",
				    view_label(view));
		return fail(ctl, EXIT_FAILED, *reason ? reason : NULL, info,
			    "port %s is %s", view_label(view),
			    egpu_state_name(info->state));
	}
	say(ctl, "%sREADY%s: ", paint(ctl, GREEN), paint(ctl, PLAIN));
	if (view->gpu) {
		struct egpu_address a = egpu_function_address(view->gpu);
		char address[EGPU_ADDRESS_LEN];
		char name[GPU_NAME_LEN];

		view_gpu_name(view, name);
		say(ctl, "%s %s, %s", egpu_address_format(&a, address),
		    name, view->gpu->driver[0] ? view->gpu->driver
					       : "no driver");
		for (i = 0; i < view->nr_nodes; i++)
			say(ctl, "%s%s", i ? " " : ", ", view->nodes[i].name);
	}
	link_text(&view->link, link, sizeof(link));
	say(ctl, ", %s.\n", link);
	return EXIT_DONE;
}

/*
 * A driver that is a module comes after READY: udev loads it when the GPU is
 * there, and it binds then.
 */
void wait_for_driver(struct ctl *ctl, const struct egpu_port_info *info)
{
	int64_t end = now_ms() + DRIVER_MS;
	struct egpu_event event;
	struct view view;
	bool bound;

	view_get(ctl, info, 0, &view);
	bound = !view.gpu || view.gpu->driver[0];
	view_free(&view);
	while (!bound && now_ms() < end && !interrupted) {
		int ret = egpu_event_next(ctl->egpu, &event,
					  (int)(end - now_ms()));

		if (ret < 0)
			break;
		bound = ret && event.type == EGPU_EVENT_BOUND &&
			event.port == info->port;
	}
}

/* How a transaction that did not succeed is told. */
static enum exit_code attach_failed(struct ctl *ctl, const struct view *view,
				    int ret)
{
	char reason[192];

	view_reason(view, reason, sizeof(reason));
	if (ret == FOLLOW_STUCK)
		return fail(ctl, EXIT_FAILED, "egpuctl show", &view->info,
			    "stopped watching; the attach goes on");
	if (ret == -ECANCELED)
		return fail(ctl, EXIT_CANCELLED, NULL, &view->info,
			    "cancelled");
	if (ret == -ENODEV)
		return fail(ctl, EXIT_NO_PORT, NULL, &view->info,
			    "nothing is plugged in at port %s",
			    view_label(view));
	return fail(ctl, exit_of(ret), *reason ? reason : NULL, &view->info,
		    "attach failed: %s", strerror(-ret));
}

int attach_port(struct ctl *ctl, const struct egpu_port_info *info,
		uint32_t ignore)
{
	struct follow f = { .ctl = ctl, .port = info };
	int ret = egpu_subscribe(ctl->egpu, EGPU_EVENTS_ALL, 0, NULL);

	/* the card has to have power before it can be found */
	if (ret >= 0 && egpu_slot_needed(info) &&
	    (info->state == EGPU_STATE_DETACHED ||
	     info->state == EGPU_STATE_EMPTY))
		egpu_slot_power(info->slot_name, true);
	if (ret >= 0)
		ret = egpu_attach(ctl->egpu, info->port, ignore,
				  &f.transaction);
	if (ret < 0)
		return ret;
	/* nothing to do: it ended before it began */
	if (!f.transaction)
		return 0;
	return follow(&f);
}

enum exit_code cmd_attach(struct ctl *ctl)
{
	struct egpu_port_info info;
	enum exit_code code = find_port(ctl, ctl->arg[0], false, &info);
	uint32_t ignore = 0;
	struct view view;
	int ret;

	if (code != EXIT_DONE)
		return code;
	if (given(ctl, OPT_IGNORE) &&
	    !parse_checks(ctl->value[OPT_IGNORE], &ignore))
		return fail(ctl, EXIT_USAGE, "config, bar or link", &info,
			    "--ignore %s: no such check",
			    ctl->value[OPT_IGNORE]);
	if (!(info.flags & EGPU_PORT_TRACKED))
		return fail_errno(ctl, -EOPNOTSUPP, "attach", &info);
	catch_interrupt();
	ret = attach_port(ctl, &info, ignore);
	egpu_port(ctl->egpu, info.port, &info);
	if (!ret && info.state == EGPU_STATE_READY)
		wait_for_driver(ctl, &info);
	view_get(ctl, &info, 0, &view);
	if (ret == -EPERM || ret == -EBUSY)
		code = fail_errno(ctl, ret, "attach", &info);
	else if (ret)
		code = attach_failed(ctl, &view, ret);
	else
		code = report(ctl, &view);
	if (code == EXIT_DONE && given(ctl, OPT_ALWAYS) && view.gpu)
		code = remember(ctl, &view, ignore);
	if (ctl->json)
		put(reply(ctl), "port", view_json(&view, false));
	view_free(&view);
	return code;
}

enum exit_code cmd_cancel(struct ctl *ctl)
{
	struct egpu_port_info info;
	enum exit_code code = find_port(ctl, ctl->arg[0], false, &info);
	int ret;

	if (code != EXIT_DONE)
		return code;
	ret = info.transaction ? egpu_cancel(ctl->egpu, info.port, 0) : -ENOENT;
	if (ctl->json) {
		put_int(reply(ctl), "port", info.port);
		put_bool(reply(ctl), "cancelled", ret >= 0);
	}
	if (ret == -ENOENT) {
		say(ctl, "Nothing runs on port %u: nothing to cancel.\n",
		    info.port);
		return EXIT_DONE;
	}
	if (ret == -EBUSY)
		return fail(ctl, EXIT_BUSY, NULL, &info,
			    "too late to cancel: unbinding has begun");
	if (ret < 0)
		return fail_errno(ctl, ret, "cancel", &info);
	say(ctl, "Cancelled.\n");
	return EXIT_DONE;
}
