/* SPDX-License-Identifier: GPL-2.0 */
/*
 * detach, in the order in which it goes: what would go and who is in the way
 * (plan), what the caller accepts (consent), the words (words), doing it.
 */
#ifndef EGPUCTL_DETACH_H
#define EGPUCTL_DETACH_H

#include "ctl.h"

/**
 * struct plan - one port that is to be detached
 * @ctl: the session
 * @view: the port
 * @driver: of the GPU, may be empty
 * @functions: of the port and of the ports below it
 * @nr_functions: how many
 * @nr_others: functions that are not the GPU's own
 * @users: who uses them
 * @nr_users: how many
 * @hidden: other users' processes could not be seen
 * @allowed: for each of @users: does not hold the detach back
 * @accepted: those that --allow goes past, as the module wants them
 * @nr_accepted: how many
 * @in_the_way: users that are not allowed
 * @guards: what forbids it
 * @nr_guards: how many
 * @wait_ms: for users to go
 * @follow: the transaction
 */
struct plan {
	struct ctl *ctl;
	struct view view;
	const char *driver;
	struct egpu_function *functions;
	int nr_functions;
	int nr_others;
	struct egpu_process *users;
	int nr_users;
	bool hidden;
	bool *allowed;
	struct egpu_accepted accepted[EGPU_MAX_ACCEPTED];
	uint32_t nr_accepted;
	int in_the_way;
	struct egpu_guard *guards;
	int nr_guards;
	int wait_ms;
	struct follow follow;
};

int plan_make(struct ctl *ctl, const struct egpu_port_info *info,
	      struct plan *plan);
int plan_users(struct plan *plan);
void plan_free(struct plan *plan);
bool plan_boot_display(const struct plan *plan);
bool plan_nothing(const struct plan *plan);

enum exit_code plan_consent(struct plan *plan);
enum exit_code plan_refuse_users(struct plan *plan, enum exit_code code,
				 const char *why);
enum exit_code plan_end(struct plan *plan, int ret);
void plan_safe(const struct plan *plan);
void plan_json(struct plan *plan, bool done);

/*
 * hold.c: takes it from its driver, as detach does; EXIT_DONE: it is held;
 * EXIT_CANCELLED is for the caller to tell.
 */
enum exit_code hold_port(struct ctl *ctl, struct egpu_port_info *info,
			 const char *label);

#endif /* EGPUCTL_DETACH_H */
