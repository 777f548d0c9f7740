// SPDX-License-Identifier: GPL-2.0
/*
 * Puts traffic on the link of a held device: reads of its configuration header,
 * and of a prefetchable memory BAR, which has no side effects (PCIe 6.0.1
 * section 7.5.1.2.1). Other memory is never touched. In bursts, so that the
 * caller can look around between them.
 */
#define _GNU_SOURCE
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "load.h"

#define HEADER_BYTES	64
#define COMMAND_OFFSET	4
#define COMMAND_MEMORY	2
#define CHUNK_WORDS	512
/* enough to leave every cache and buffer behind, and little to map */
#define MEMORY_BYTES	(16UL << 20)

/* A mapping of a device that goes faults; there is one load at a time. */
static sigjmp_buf fault;
static volatile sig_atomic_t reading;

static void on_fault(int signal)
{
	if (reading)
		siglongjmp(fault, 1);
	/* not ours: the default action, when the instruction is tried again */
	sigaction(signal, &(struct sigaction){ .sa_handler = SIG_DFL }, NULL);
}

static bool is_free(const struct egpu_address *address)
{
	char *driver = egpu_device_driver(address);
	bool free_ = !driver || !strcmp(driver, "egpu");

	free(driver);
	return free_;
}

static int open_file(const struct egpu_address *address, const char *file,
		     int flags)
{
	char name[EGPU_ADDRESS_LEN], *path;
	int fd;

	if (asprintf(&path, "%s/bus/pci/devices/%s/%s", egpu_roots.sysfs,
		     egpu_address_format(address, name), file) < 0)
		abort();
	fd = open(path, flags | O_CLOEXEC);
	free(path);
	return fd < 0 ? -errno : fd;
}

/* The largest BAR that may be read; -1: none. */
static int pick_bar(const struct egpu_function *function)
{
	const uint32_t wanted = EGPU_BAR_MEMORY | EGPU_BAR_PREFETCHABLE |
				EGPU_BAR_ASSIGNED;
	int i, best = -1;

	for (i = 0; i < 6; i++) {
		const struct egpu_bar *bar = &function->bars[i];

		if ((bar->flags & wanted) == wanted && bar->length >= 4096 &&
		    (best < 0 || bar->length > function->bars[best].length))
			best = i;
	}
	return best;
}

/* Return: false: memory cannot be decoded, and nothing was changed. */
static bool decode(struct load *load)
{
	uint16_t command;

	if (pread(load->config, &command, 2, COMMAND_OFFSET) != 2 ||
	    command == 0xffff)
		return false;
	if (le16toh(command) & COMMAND_MEMORY)
		return true;
	load->command = command;
	command |= htole16(COMMAND_MEMORY);
	if (pwrite(load->config, &command, 2, COMMAND_OFFSET) == 2)
		return true;
	load->command = -1;
	return false;
}

static void map_memory(struct load *load, const struct egpu_function *function)
{
	struct egpu_address address = egpu_function_address(function);
	int bar = pick_bar(function), fd;
	char file[24];
	void *memory;

	if (bar < 0 || !decode(load))
		return;
	snprintf(file, sizeof(file), "resource%d", bar);
	fd = open_file(&address, file, O_RDONLY);
	if (fd < 0)
		return;
	load->size = function->bars[bar].length < MEMORY_BYTES ?
		     function->bars[bar].length : MEMORY_BYTES;
	memory = mmap(NULL, load->size, PROT_READ, MAP_SHARED, fd, 0);
	close(fd);
	if (memory != MAP_FAILED)
		load->memory = memory;
}

int load_open(struct load *load, const struct egpu_function *function)
{
	struct egpu_address address = egpu_function_address(function);
	struct sigaction action = { .sa_handler = on_fault,
				    .sa_flags = SA_NODEFER };

	*load = (struct load){ .config = -1, .command = -1 };
	if (!is_free(&address))
		return -EBUSY;
	load->config = open_file(&address, "config", O_RDWR);
	if (load->config < 0)
		return load->config;
	sigaction(SIGBUS, &action, NULL);
	map_memory(load, function);
	return 0;
}

/* Return: 1 it answers, 0 all ones, -ENODEV. */
static int read_config(const struct load *load)
{
	uint32_t header[HEADER_BYTES / 4];

	if (pread(load->config, header, sizeof(header), 0) !=
	    sizeof(header))
		return -ENODEV;
	return header[0] != 0xffffffff;
}

/* Return: likewise. */
static int read_memory(struct load *load)
{
	size_t words = load->size / sizeof(uint64_t), i;
	uint64_t all = ~0ULL;

	if (sigsetjmp(fault, 1)) {
		reading = 0;
		return -ENODEV;
	}
	reading = 1;
	for (i = 0; i < CHUNK_WORDS; i++)
		all &= load->memory[(load->at + i) % words];
	reading = 0;
	load->at = (load->at + CHUNK_WORDS) % words;
	return all != ~0ULL;
}

int load_burst(struct load *load, int ms)
{
	int64_t end = now_ms() + ms;
	int config, memory;

	do {
		config = read_config(load);
		if (config <= 0)
			return -ENODEV;
		if (!load->memory)
			continue;
		memory = read_memory(load);
		if (memory < 0)
			return memory;
		load->answers |= memory;
		/* it may not answer before its firmware ran: no use */
		if (!load->answers)
			load_without_memory(load);
	} while (now_ms() < end && !interrupted);
	return 0;
}

void load_without_memory(struct load *load)
{
	if (load->memory)
		munmap((void *)(uintptr_t)load->memory, load->size);
	load->memory = NULL;
	if (load->command >= 0 &&
	    pwrite(load->config, &(uint16_t){ (uint16_t)load->command }, 2,
		   COMMAND_OFFSET) != 2)
		/* gone; or reset, which cleared it */
		load->command = -1;
	load->command = -1;
}

void load_close(struct load *load)
{
	load_without_memory(load);
	if (load->config >= 0)
		close(load->config);
	load->config = -1;
}
