/* SPDX-License-Identifier: GPL-2.0 */
/*
 * link PORT qualify, in the order in which it goes: the port is held, speeds
 * are tried from the top down, the one to keep is set, told and remembered.
 */
#ifndef EGPUCTL_QUALIFY_H
#define EGPUCTL_QUALIFY_H

#include "ctl.h"
#include "decide.h"

/* seven speeds, each by reads and by a command */
#define MAX_TRIALS	16

/**
 * struct qualify - one qualification
 * @ctl: the session
 * @info: the port as seen last
 * @view: likewise; all of it is @info's
 * @key: the port and the device that this is about
 * @label: the port's name or id
 * @max: correctable errors a minute that are still clean
 * @ms: how long each speed is measured
 * @command: to run with the driver bound, NULL
 * @was_ready: it was in use by its driver and gets it back
 * @top: the fastest to try, tenths of GT/s
 * @own: likewise, when that is the configuration's max-speed; else 0
 * @old: the limit before
 * @old_vendor: whom it was for
 * @old_device: likewise
 * @touched: the limit or the speed was changed
 * @probed: it was found out whether its memory may be read
 * @config_only: its memory must not be read: it makes errors of its own
 * @lost_generation: of the device that the trial began with
 * @signals: interrupts that came before; more of them end it
 * @trials: what was tried
 * @nr_trials: how many
 * @chosen: speed to keep, tenths of GT/s; 0: none
 * @clean: it is
 * @remembered: it stands in the file
 * @line: a progress line stands on the terminal
 * @head: the table's head was printed
 */
struct qualify {
	struct ctl *ctl;
	struct egpu_port_info info;
	struct view view;
	struct learned_key key;
	char label[80];
	double max;
	int ms;
	const char *command;
	bool was_ready;
	uint32_t top;
	uint32_t own;
	uint32_t old;
	uint16_t old_vendor;
	uint16_t old_device;
	bool touched;
	bool probed;
	bool config_only;
	uint64_t lost_generation;
	int signals;
	struct trial trials[MAX_TRIALS];
	int nr_trials;
	uint32_t chosen;
	bool clean;
	bool remembered;
	bool line;
	bool head;
};

/* Looks at the port again. Return: 0, -errno. */
int qualify_look(struct qualify *q);
bool qualify_stopped(const struct qualify *q);
/* Takes it from its driver; EXIT_DONE: it is held. */
enum exit_code qualify_hold(struct qualify *q);
/* Waits for what was lost and holds it again (or lets it be READY). */
enum exit_code qualify_recover(struct qualify *q, uint32_t speed, bool hold);

/* qualify_trial.c: EXIT_DONE with a trial more, whatever came of it */
enum exit_code trial_reads(struct qualify *q, uint32_t speed);
enum exit_code trial_command(struct qualify *q, uint32_t speed, bool set);

/* qualify_end.c */
void qualify_clear_line(struct qualify *q);
void qualify_row(struct qualify *q, const struct trial *trial);
void qualify_json(const struct qualify *q);

#endif /* EGPUCTL_QUALIFY_H */
