// SPDX-License-Identifier: GPL-2.0
/*
 * A slot of egpu's own on a port without hotplug capability: until the module
 * has registered it, or why it cannot.
 */
#include <errno.h>
#include <string.h>
#include <time.h>

#include "ctl.h"

#define WAIT_MS		10000
#define TELL_MS		1000
#define LOOK_NS		50000000L

/* Could it have a slot of egpu's own? As the module decides it. */
bool soft_possible(const struct egpu_port_info *info)
{
	return !(info->flags & EGPU_PORT_HOTPLUG) &&
	       (info->flags & EGPU_PORT_LINK_REPORTING);
}

void track_command(const struct egpu_port_info *info, char *buf, size_t size)
{
	struct egpu_address a = egpu_port_address(info);
	char address[EGPU_ADDRESS_LEN];

	snprintf(buf, size, "egpuctl track %s%s",
		 egpu_address_format(&a, address),
		 soft_possible(info) ? " --soft" : "");
}

enum exit_code soft_refused(struct ctl *ctl, const struct egpu_port_info *info,
			    int error)
{
	struct egpu_address a = egpu_port_address(info);
	char hint[64], address[EGPU_ADDRESS_LEN];

	snprintf(hint, sizeof(hint), "egpuctl track %s",
		 egpu_address_format(&a, address));
	if (error == -EINVAL)
		return fail(ctl, EXIT_UNSUPPORTED, "egpuctl version", info,
			    "the module is older than soft slots");
	if (error != -EOPNOTSUPP)
		return fail_errno(ctl, error, "soft slot", info);
	if (info->flags & EGPU_PORT_HOTPLUG)
		return fail(ctl, EXIT_UNSUPPORTED, hint, info,
			    "port %u has a hotplug capability, and needs no soft slot",
			    info->port);
	return fail(ctl, EXIT_UNSUPPORTED, hint, info,
		    "port %u does not report its link: what is plugged in could not be seen",
		    info->port);
}

/* The module gave it up. */
static enum exit_code failed(struct ctl *ctl, const struct egpu_port_info *info)
{
	char slot[64], driver[64];
	int error = (int)info->step_error;

	if (error != EBUSY)
		return fail(ctl, error ? exit_of(error) : EXIT_FAILED,
			    "egpuctl log", info,
			    "port %u has no soft slot: %s", info->port,
			    error ? strerror(error) : "the module gave it up");
	if (egpu_slot_owner(info, slot, driver, sizeof(slot)))
		return fail(ctl, EXIT_BUSY, NULL, info,
			    "port %u has no soft slot: another hotplug driver has the slot",
			    info->port);
	return fail(ctl, EXIT_BUSY, NULL, info,
		    "port %u has no soft slot: %s has the slot (%s)",
		    info->port, *driver ? driver : "another hotplug driver",
		    slot);
}

static void tell(struct ctl *ctl, const struct egpu_port_info *info)
{
	if (!ctl->terminal)
		return;
	if (info->step)
		say(ctl, "Waiting for the slot; the port is busy: %s%s%s.\n",
		    egpu_step_name(info->step), *info->step_driver ? " " : "",
		    info->step_driver);
	else
		say(ctl, "Waiting for the module to register the slot.\n");
	fflush(stdout);
}

/* @info: the port; as it is then. EXIT_DONE: it has the slot. */
enum exit_code soft_wait(struct ctl *ctl, struct egpu_port_info *info)
{
	struct timespec pause = { 0, LOOK_NS };
	int64_t begun = now_ms();
	bool told = false;
	int ret;

	for (;;) {
		ret = egpu_port(ctl->egpu, info->port, info);
		if (ret < 0)
			return fail_errno(ctl, ret, "soft slot", info);
		if (info->backend == EGPU_BACKEND_SOFT)
			return EXIT_DONE;
		if (!(info->flags & EGPU_PORT_SOFT))
			return failed(ctl, info);
		if (interrupted)
			return fail(ctl, EXIT_CANCELLED, "egpuctl show", info,
				    "stopped watching; the module goes on");
		if (now_ms() - begun >= WAIT_MS)
			return fail(ctl, EXIT_DEADLINE, "egpuctl show", info,
				    "port %u has no soft slot after %d s; the module goes on",
				    info->port, WAIT_MS / 1000);
		if (!told && now_ms() - begun >= TELL_MS) {
			tell(ctl, info);
			told = true;
		}
		nanosleep(&pause, NULL);
	}
}

/* Return: false: it is no time, or not one that the module takes. */
bool parse_watch(const char *text, int *ms)
{
	return parse_duration(text, ms) && *ms >= (int)EGPU_WATCH_MS_MIN &&
	       *ms <= (int)EGPU_WATCH_MS_MAX;
}
