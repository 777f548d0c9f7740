/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A simulated fabric of many equal ports, and egpu's view of them, for programs
 * that do the same to all of them at once. Anything that must not fail ends the
 * program with a line that says what.
 */
#ifndef FABRIC_H
#define FABRIC_H

#include <stdbool.h>
#include <stdint.h>

#include "../../tools/lib/egpu.h"

#define MAX_PORTS	256
#define TICK_MS		10

/* What sits in a slot: one function, or a switch above a GPU of four. */
enum shape {
	SHAPE_ONE,
	SHAPE_SWITCH,
};

/**
 * struct slot - a root port and what can be plugged into it
 * @dir: its folder in configfs
 * @fault: its folder fault/
 * @card: folder of the device that goes into its slot
 * @below: sysfs folder of the first function below, when there is one
 * @windows: of the port, when an operation began; see slot_windows()
 * @id: egpu's
 * @info: as read last
 * @dirty: there was an event since
 * @missed: events were lost since
 * @transaction: that began last
 * @ended: it has ended
 * @error: of its end, negative
 * @phase: for the program
 * @point: for the program
 * @begun_ms: when the phase began
 * @changed_ms: when the port's state was last seen to change
 * @broken: a wait for it failed, it is left alone
 */
struct slot {
	char dir[80];
	char fault[96];
	char card[96];
	char below[64];
	uint64_t windows;
	uint32_t id;
	struct egpu_port_info info;
	bool dirty;
	bool missed;
	uint32_t transaction;
	bool ended;
	int error;
	int phase;
	uint32_t point;
	long long begun_ms;
	long long changed_ms;
	bool broken;
};

extern struct slot slots[MAX_PORTS];
extern unsigned int nr_slots;
extern struct egpu *egpu;
/* Ports without hotplug capability, made soft with this WATCH; 0: native ones. */
extern unsigned int soft_ms;

__attribute__((noreturn, format(printf, 1, 2)))
void die(const char *fmt, ...);
long long now_ms(void);
/* patient() - a time limit for Debian's kernels; more on slower ones. */
long long patient(long long ms);

/* put() - write an attribute; try_put() returns -errno instead of dying. */
__attribute__((format(printf, 3, 4)))
void put(const char *dir, const char *name, const char *fmt, ...);
int try_put(const char *dir, const char *name, const char *text);
void get(const char *dir, const char *name, char *text, int size);
unsigned long long get_number(const char *dir, const char *name);

/*
 * fabric_make() - one more fabric of @ports ports, live and known to egpu;
 * appended to slots[]. fabrics_drop() removes all.
 */
void fabric_make(const char *name, unsigned int ports, enum shape shape);
void fabrics_drop(void);

/* Wait for events up to @ms, then have all infos fresh. */
void slots_look(int ms);
void slot_refresh(struct slot *s);
void slot_plug(struct slot *s);
void slot_pull(struct slot *s);
bool slot_is_ready(const struct slot *s);
bool slot_is_empty(const struct slot *s);
bool slot_is_settled(const struct slot *s);
/* All windows that the kernel has for the port, as one number. */
uint64_t slot_windows(const struct slot *s);
int slot_detach(struct slot *s);
/* Say in one line what is wrong with it; it is left alone from now on. */
void slot_give_up(struct slot *s, const char *why);

#endif
