// SPDX-License-Identifier: GPL-2.0
/*
 * How a detach ended: the last line says what may be unplugged, or why not.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "detach.h"

/* port "left" (0000:00:06.0) */
static void port_words(const struct plan *plan, char *buf, size_t size)
{
	const struct view *view = &plan->view;

	if (view->name)
		snprintf(buf, size, "port \"%s\" (%s)", view->name,
			 view->address);
	else
		snprintf(buf, size, "port %u (%s)", view->info.port,
			 view->address);
}

void plan_safe(const struct plan *plan)
{
	const struct egpu_port_info *info = &plan->view.info;
	struct ctl *ctl = plan->ctl;
	char where[128];

	port_words(plan, where, sizeof(where));
	if (info->cable_port && info->cable_port != info->port)
		say(ctl, "%sSAFE TO REMOVE%s: the card in %s.  The cable at port %u stays in: egpuctl detach %u\n",
		    paint(ctl, GREEN), paint(ctl, PLAIN), where,
		    info->cable_port, info->cable_port);
	else
		say(ctl, "%sSAFE TO UNPLUG%s: the cable at %s.\n",
		    paint(ctl, GREEN), paint(ctl, PLAIN), where);
}

static void not_safe(const struct plan *plan, const char *why)
{
	struct ctl *ctl = plan->ctl;

	if (ctl->json)
		return;
	fflush(stdout);
	fprintf(stderr, "%sNOT SAFE TO UNPLUG%s: %s.\n", paint(ctl, RED),
		paint(ctl, PLAIN), why);
}

static enum exit_code done(struct plan *plan)
{
	const char *off = plan->view.info.backend == EGPU_BACKEND_SOFT ?
			  "Link off." : plan->view.info.slot_name[0] ||
			  plan->view.info.backend == EGPU_BACKEND_PCIEHP ?
			  "Slot off." : "Removed.";

	if (*plan->follow.drivers)
		say(plan->ctl, "Unbound %s. %s\n", plan->follow.drivers, off);
	else
		say(plan->ctl, "%s\n", off);
	if (plan->view.info.backend == EGPU_BACKEND_SOFT)
		say(plan->ctl, "Plugged in again: egpuctl attach %s (the link stays off until then, or until the slot reports a card).\n",
		    view_label(&plan->view));
	plan_safe(plan);
	return EXIT_DONE;
}

static enum exit_code ended(struct plan *plan, enum exit_code code,
			    const char *text, const char *not)
{
	fail(plan->ctl, code, NULL, &plan->view.info, "%s", text);
	not_safe(plan, not);
	return code;
}

static enum exit_code deadline(struct plan *plan)
{
	enum exit_code code;

	plan_users(plan);
	code = plan_refuse_users(plan, EXIT_DEADLINE, "Deadline passed");
	not_safe(plan, "it is still used");
	return code;
}

static enum exit_code failed(struct plan *plan, int ret)
{
	struct egpu_port_info info = plan->view.info;
	char text[160];

	egpu_port(plan->ctl->egpu, info.port, &info);
	snprintf(text, sizeof(text), "detach failed: %s%s%s%s",
		 strerror(-ret), info.reason ? " (" : "",
		 info.reason ? egpu_reason_name(info.reason) : "",
		 info.reason ? ")" : "");
	return ended(plan, exit_of(ret), text,
		     ret == -EIO ? "the slot could not be switched off" :
		     "the detach failed");
}

/* @ret: 0, -errno as the transaction ended, FOLLOW_STUCK */
enum exit_code plan_end(struct plan *plan, int ret)
{
	switch (ret) {
	case 0:
		return done(plan);
	case FOLLOW_STUCK:
		return ended(plan, EXIT_FAILED, "stopped watching",
			     "a driver has not come back from remove(); see egpuctl show");
	case -EBUSY:
		if (!plan_users(plan) && plan->in_the_way)
			return plan_refuse_users(plan, EXIT_BUSY, "Refused");
		return ended(plan, EXIT_BUSY,
			     "refused: somebody opened the GPU meanwhile; nothing was changed",
			     "it is used");
	case -ETIMEDOUT:
		return deadline(plan);
	case -ECANCELED:
		return ended(plan, EXIT_CANCELLED,
			     "cancelled; nothing was changed",
			     "the GPU is still attached");
	case -ENODEV:
		return fail(plan->ctl, EXIT_NO_PORT, "egpuctl log",
			    &plan->view.info, "the GPU vanished meanwhile");
	case -EPERM:
		return ended(plan, EXIT_GUARD,
			     "refused: this machine booted on this display",
			     "it is the boot display");
	default:
		return failed(plan, ret);
	}
}

static struct json_object *guards_json(const struct plan *plan)
{
	static const char * const kinds[] = {
		[EGPU_GUARD_ROOT] = "root",
		[EGPU_GUARD_MOUNT] = "mount",
		[EGPU_GUARD_SWAP] = "swap",
		[EGPU_GUARD_HOLDER] = "holder",
		[EGPU_GUARD_NETWORK] = "network",
		[EGPU_GUARD_MEMORY] = "memory",
		[EGPU_GUARD_KEYBOARD] = "keyboard",
	};
	struct json_object *array = json_object_new_array(), *o;
	int i;

	for (i = 0; i < plan->nr_guards; i++) {
		o = json_object_new_object();
		put_text(o, "kind", kinds[plan->guards[i].kind]);
		put_text(o, "device", plan->guards[i].device);
		put_text(o, "text", plan->guards[i].text);
		put_text(o, "cure", *plan->guards[i].cure ?
			 plan->guards[i].cure : NULL);
		json_object_array_add(array, o);
	}
	return array;
}

static struct json_object *drivers_json(const char *drivers)
{
	struct json_object *array = json_object_new_array();
	char *copy = strdup(drivers), *save, *word;

	for (word = strtok_r(copy, ", ", &save); word;
	     word = strtok_r(NULL, ", ", &save))
		append_text(array, word);
	free(copy);
	return array;
}

/* One object in "results" for each port. */
void plan_json(struct plan *plan, bool done)
{
	struct json_object *o = json_object_new_object();
	struct json_object *others = json_object_new_array();
	struct json_object *users = json_object_new_array();
	struct json_object *results, *root = reply(plan->ctl);
	struct egpu_port_info *info = &plan->view.info;
	char address[EGPU_ADDRESS_LEN];
	int i;

	egpu_port(plan->ctl->egpu, info->port, info);
	put_int(o, "port", info->port);
	put_text(o, "name", plan->view.name);
	put_text(o, "address", plan->view.address);
	put_bool(o, "detached", done);
	put_text(o, "state", egpu_state_name(info->state));
	put_bool(o, "safe_to_unplug", info->flags & EGPU_PORT_SAFE_TO_UNPLUG);
	put(o, "unbound", drivers_json(plan->follow.drivers));
	for (i = 0; i < plan->nr_functions; i++) {
		struct egpu_address a =
			egpu_function_address(&plan->functions[i]);

		if (!may_go(&plan->functions[i]))
			append_text(others, egpu_address_format(&a, address));
	}
	for (i = 0; i < plan->nr_users && !done; i++)
		json_object_array_add(users, user_json(&plan->users[i],
						       plan->driver));
	put(o, "other_devices", others);
	put(o, "users", users);
	put(o, "guards", guards_json(plan));
	if (!json_object_object_get_ex(root, "results", &results)) {
		results = json_object_new_array();
		put(root, "results", results);
	}
	json_object_array_add(results, o);
}
