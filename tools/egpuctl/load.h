/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Traffic on the link of a device that no driver has, and who counts the errors
 * of it.
 */
#ifndef EGPUCTL_LOAD_H
#define EGPUCTL_LOAD_H

#include "ctl.h"

/**
 * struct load - reads of a device
 * @config: its configuration space
 * @memory: a prefetchable BAR, NULL: none
 * @size: bytes of it that are read
 * @at: where the next read of it goes
 * @answers: it was more than all ones
 * @command: its Command register as it was; < 0: unchanged
 */
struct load {
	int config;
	volatile const uint64_t *memory;
	size_t size;
	size_t at;
	bool answers;
	int command;
};

/*
 * Memory decoding is on until load_close(). Return: 0; -EBUSY: a driver has the
 * device; else why its configuration space cannot be opened.
 */
int load_open(struct load *load, const struct egpu_function *function);
/*
 * Reads for @ms, no longer. Return: 0; -ENODEV: the device is gone.
 */
int load_burst(struct load *load, int ms);
/* Reads configuration space only from now on. */
void load_without_memory(struct load *load);
void load_close(struct load *load);

/*
 * errors.c: counts the errors at both ends of a port's link. The GPU is not
 * accessed. Return: 0, -errno.
 */
int errors_read(struct ctl *ctl, const struct egpu_port_info *info,
		struct egpu_rates *rates);

#endif /* EGPUCTL_LOAD_H */
