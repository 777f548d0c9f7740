// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The windows of bridges and what lies in them, as the kernel keeps them: the
 * resource files of sysfs, and /proc/iomem for the root bus.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "egpu_space.h"
#include "internal.h"

/* <linux/ioport.h> of the kernel: what the third number of a line means */
#define IORESOURCE_IO		0x00000100ULL
#define IORESOURCE_MEM		0x00000200ULL
#define IORESOURCE_MEM_64	0x00100000ULL
#define IORESOURCE_UNSET	0x20000000ULL

/* A bridge's file has 11 lines, or 17 with SR-IOV; its windows are the last. */
#define MAX_LINES	24
#define BRIDGE_LINES	11
#define BRIDGE_WINDOWS	4

#define PREF_BASE	0x24	/* Prefetchable Memory Base */
#define PREF_64BIT	0x1

struct line {
	uint64_t start;
	uint64_t end;
	uint64_t flags;
};

struct device {
	struct egpu_address address;
	char name[EGPU_ADDRESS_LEN];
	struct line line[MAX_LINES];
	int count;
	bool bridge;
	bool bound;
};

static int read_lines(const char *name, struct line line[MAX_LINES])
{
	char *text = egpu_read(egpu_roots.sysfs, "bus/pci/devices/%s/resource",
			       name);
	char *save, *one;
	int count = 0;

	for (one = text ? strtok_r(text, "\n", &save) : NULL;
	     one && count < MAX_LINES; one = strtok_r(NULL, "\n", &save)) {
		unsigned long long start, end, flags;

		if (sscanf(one, "%llx %llx %llx", &start, &end, &flags) != 3)
			break;
		line[count++] = (struct line){ start, end, flags };
	}
	free(text);
	return count;
}

/* An address that counts; the first ones are the firmware's. */
static bool has_place(const struct line *line)
{
	return line->start && line->end > line->start &&
	       (line->flags & (IORESOURCE_MEM | IORESOURCE_IO)) &&
	       !(line->flags & IORESOURCE_UNSET);
}

static void get_device(const struct egpu_address *address,
		       struct device *device)
{
	uint64_t class = 0;
	char *driver;

	memset(device, 0, sizeof(*device));
	device->address = *address;
	egpu_address_format(address, device->name);
	device->count = read_lines(device->name, device->line);
	egpu_read_u64(&class, egpu_roots.sysfs, "bus/pci/devices/%s/class",
		      device->name);
	device->bridge = class >> 8 == 0x0604;
	driver = egpu_device_driver(address);
	/* the module's own stub moves whatever it is told to */
	device->bound = driver && strcmp(driver, "egpu");
	free(driver);
}

static const struct line *window_line(const struct device *device,
				      enum egpu_space_kind kind)
{
	if (device->count < BRIDGE_LINES)
		return NULL;
	return &device->line[device->count - BRIDGE_WINDOWS + (int)kind];
}

/* A window that is not there may become one above 4 GiB: the register knows. */
static bool may_be_wide(const char *name)
{
	char path[PATH_MAX], *status;
	uint8_t base = PREF_64BIT;
	bool sleeps;
	int fd;

	status = egpu_read(egpu_roots.sysfs,
			   "bus/pci/devices/%s/power/runtime_status", name);
	sleeps = status && strcmp(status, "active");
	free(status);
	if (sleeps)
		return true;
	snprintf(path, sizeof(path), "%s/bus/pci/devices/%s/config",
		 egpu_roots.sysfs, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return true;
	if (pread(fd, &base, 1, PREF_BASE) != 1)
		base = PREF_64BIT;
	close(fd);
	return (base & 0xf) == PREF_64BIT;
}

static void take(struct egpu_window *window, const struct egpu_taken *taken)
{
	struct egpu_taken *bigger;

	bigger = realloc(window->taken, (size_t)(window->nr_taken + 1) *
			 sizeof(*bigger));
	if (!bigger)
		abort();
	window->taken = bigger;
	bigger[window->nr_taken++] = *taken;
}

static bool is_inside(uint64_t start, uint64_t size,
		      const struct egpu_window *window)
{
	return window->size && start >= window->start &&
	       start + size <= window->start + window->size;
}

/**
 * struct reader - one bridge while what is behind it is read
 * @bridge: the bridge
 * @next: the next one on the way, NULL
 * @movable: functions that may move
 * @nr_movable: how many
 */
struct reader {
	struct egpu_space_bridge *bridge;
	const struct egpu_address *next;
	const struct egpu_address *movable;
	int nr_movable;
};

static bool may_move(const struct reader *reader, const struct device *device)
{
	int i;

	if (!device->bound)
		return true;
	for (i = 0; i < reader->nr_movable; i++)
		if (egpu_address_equal(&reader->movable[i], &device->address))
			return true;
	return false;
}

static void take_line(const struct reader *reader, const struct device *device,
		      int nr, bool window)
{
	const struct line *line = &device->line[nr];
	struct egpu_taken taken = {
		.start = line->start,
		.size = line->end - line->start + 1,
		.in_use = !may_move(reader, device),
	};
	bool io = line->flags & IORESOURCE_IO;
	int kind = io ? EGPU_SPACE_IO : EGPU_SPACE_MEMORY;
	int last = io ? EGPU_SPACE_IO : EGPU_SPACE_PREFETCHABLE;

	if (!has_place(line))
		return;
	taken.on_way = window && reader->next &&
		       egpu_address_equal(reader->next, &device->address);
	if (window) {
		taken.in_use = !taken.on_way;
		taken.kind = (enum egpu_space_kind)(nr - device->count +
						    BRIDGE_WINDOWS);
	}
	if (window)
		snprintf(taken.what, sizeof(taken.what), "%s window",
			 device->name);
	else
		snprintf(taken.what, sizeof(taken.what), "%s BAR %d",
			 device->name, nr);
	for (; kind <= last; kind++) {
		struct egpu_window *w = &reader->bridge->window[kind];

		if (is_inside(taken.start, taken.size, w)) {
			take(w, &taken);
			return;
		}
	}
}

static int take_device(const char *name, void *arg)
{
	struct reader *reader = arg;
	struct egpu_address address;
	struct device device;
	int i, bars;

	if (!egpu_address_parse(name, &address))
		return 0;
	get_device(&address, &device);
	bars = device.bridge ? 2 : 7;
	for (i = 0; i < bars && i < device.count; i++)
		take_line(reader, &device, i, false);
	for (i = 0; device.bridge && device.count >= BRIDGE_LINES &&
	     i < EGPU_SPACE_KINDS; i++)
		take_line(reader, &device, device.count - BRIDGE_WINDOWS + i,
			  true);
	return 0;
}

static void get_bridge(struct reader *reader)
{
	struct egpu_space_bridge *bridge = reader->bridge;
	struct device device;
	int kind;

	get_device(&bridge->address, &device);
	for (kind = 0; kind < EGPU_SPACE_KINDS; kind++) {
		const struct line *line = window_line(&device, kind);
		struct egpu_window *window = &bridge->window[kind];

		if (line && has_place(line)) {
			window->start = line->start;
			window->size = line->end - line->start + 1;
			window->wide = line->flags & IORESOURCE_MEM_64;
		} else if (kind == EGPU_SPACE_PREFETCHABLE) {
			window->wide = may_be_wide(device.name);
		}
	}
	egpu_each(take_device, reader, egpu_roots.sysfs, "bus/pci/devices/%s",
		  device.name);
}

/* ------------------------------------------------------------ /proc/iomem */

struct entry {
	int depth;
	unsigned long long start;
	unsigned long long end;
	const char *name;
};

static bool parse_entry(const char *line, struct entry *entry)
{
	const char *name = strstr(line, " : ");

	entry->depth = (int)strspn(line, " ") / 2;
	if (!name || sscanf(line, "%llx-%llx", &entry->start, &entry->end) != 2)
		return false;
	entry->name = name + 3;
	/* without CAP_SYS_ADMIN they are all 0 */
	return entry->end > entry->start;
}

/* "PCI Bus 0000:00", of the root bus that a device is below */
static bool root_name(const struct egpu_address *address, char *buf,
		      size_t size)
{
	char name[EGPU_ADDRESS_LEN], *dir;
	unsigned int domain, bus;
	bool found = false;
	const char *at;

	dir = egpu_real(egpu_roots.sysfs, "bus/pci/devices/%s",
			egpu_address_format(address, name));
	/* behind VMD there are two: the last one counts */
	for (at = dir ? strstr(dir, "/pci") : NULL; at;
	     at = strstr(at + 1, "/pci")) {
		if (sscanf(at, "/pci%x:%x/", &domain, &bus) != 2)
			continue;
		snprintf(buf, size, "PCI Bus %04x:%02x", domain, bus);
		found = true;
	}
	free(dir);
	return found;
}

/**
 * struct roots - which entries are windows of the root bus
 * @name: ACPI's are called so
 * @at: others are known by what they hold: windows of the outermost bridge
 * @count: how many of those
 */
struct roots {
	char name[32];
	struct entry at[EGPU_SPACE_KINDS];
	int count;
};

static bool is_way(const struct egpu_space *space, const struct entry *entry,
		   int kind)
{
	const struct egpu_window *way = &space->bridges[0].window[kind];

	return way->size && way->start == entry->start &&
	       way->size == entry->end - entry->start + 1;
}

#define MAX_DEPTH	16

/* By what they hold. @text: is taken apart */
static void find_roots(const struct egpu_space *space, char *text,
		       struct roots *roots)
{
	struct entry above[MAX_DEPTH], entry;
	char *save, *line;
	int kind;

	for (line = text ? strtok_r(text, "\n", &save) : NULL; line;
	     line = strtok_r(NULL, "\n", &save)) {
		if (!parse_entry(line, &entry) || entry.depth >= MAX_DEPTH)
			continue;
		above[entry.depth] = entry;
		for (kind = EGPU_SPACE_MEMORY; kind < EGPU_SPACE_KINDS; kind++)
			if (entry.depth && is_way(space, &entry, kind) &&
			    roots->count < EGPU_SPACE_KINDS)
				roots->at[roots->count++] =
					above[entry.depth - 1];
	}
}

static bool is_root(const struct roots *roots, const struct entry *entry)
{
	int i;

	if (!strcmp(entry->name, roots->name))
		return true;
	for (i = 0; i < roots->count; i++)
		if (entry->start == roots->at[i].start &&
		    entry->end == roots->at[i].end)
			return true;
	return false;
}

static struct egpu_window *add_root(struct egpu_space *space,
				    const struct entry *entry)
{
	struct egpu_window *bigger;

	bigger = realloc(space->root, (size_t)(space->nr_root + 1) *
			 sizeof(*bigger));
	if (!bigger)
		abort();
	space->root = bigger;
	bigger += space->nr_root++;
	*bigger = (struct egpu_window){
		.start = entry->start,
		.size = entry->end - entry->start + 1,
		.wide = true,
	};
	return bigger;
}

static void take_entry(const struct egpu_space *space,
		       struct egpu_window *window, const struct entry *entry)
{
	struct egpu_taken taken = {
		.start = entry->start,
		.size = entry->end - entry->start + 1,
		.in_use = true,
	};
	int kind;

	for (kind = EGPU_SPACE_MEMORY; kind < EGPU_SPACE_KINDS; kind++) {
		if (is_way(space, entry, kind)) {
			taken.on_way = true;
			taken.kind = (enum egpu_space_kind)kind;
			taken.in_use = false;
		}
	}
	snprintf(taken.what, sizeof(taken.what), "%s", entry->name);
	take(window, &taken);
}

/* What a device has beside its BARs (of virtual functions): its line tells. */
static void take_hidden(const struct reader *reader, struct egpu_space *space,
			const struct entry *entry)
{
	struct egpu_taken taken = {
		.start = entry->start,
		.size = entry->end - entry->start + 1,
	};
	struct egpu_address address;
	struct device device;
	int i, k, t;

	if (!egpu_address_parse(entry->name, &address))
		return;
	for (i = space->nr_bridges - 1; i >= 0; i--)
		for (k = EGPU_SPACE_MEMORY; k < EGPU_SPACE_KINDS; k++) {
			struct egpu_window *w = &space->bridges[i].window[k];

			if (!is_inside(taken.start, taken.size, w))
				continue;
			for (t = 0; t < w->nr_taken; t++)
				if (taken.start < w->taken[t].start +
				    w->taken[t].size && w->taken[t].start <
				    taken.start + taken.size)
					return;
			get_device(&address, &device);
			taken.in_use = !may_move(reader, &device);
			snprintf(taken.what, sizeof(taken.what),
				 "%s (SR-IOV)", device.name);
			take(w, &taken);
			return;
		}
}

static void get_root(const struct reader *reader, struct egpu_space *space)
{
	char *text = egpu_read(egpu_roots.proc, "iomem"), *save, *line;
	struct egpu_window *window = NULL;
	struct roots roots = { .count = 0 };
	struct entry entry;
	int depth = 0;

	if (!text || !root_name(&space->bridges[0].address, roots.name,
				sizeof(roots.name)))
		goto out;
	if (!strstr(text, roots.name)) {
		find_roots(space, text, &roots);
		free(text);
		text = egpu_read(egpu_roots.proc, "iomem");
		if (!text)
			return;
	}
	for (line = strtok_r(text, "\n", &save); line;
	     line = strtok_r(NULL, "\n", &save)) {
		if (!parse_entry(line, &entry))
			continue;
		if (window && entry.depth <= depth)
			window = NULL;
		if (!window && is_root(&roots, &entry)) {
			window = add_root(space, &entry);
			depth = entry.depth;
		} else if (window && entry.depth == depth + 1) {
			take_entry(space, window, &entry);
		}
		if (window)
			take_hidden(reader, space, &entry);
	}
out:
	free(text);
}

/*
 * The bridges of a chain, without the device at its end; VMD's is one, too, and
 * what is above it passes nothing on for what is below.
 */
static int keep_bridges(struct egpu_address *chain, int count)
{
	struct device device;
	int i, n = 0;

	for (i = 0; i < count; i++) {
		get_device(&chain[i], &device);
		if (device.bridge)
			chain[n++] = chain[i];
		else if (i + 1 < count)
			n = 0;
	}
	return n;
}

int egpu_space_read(const struct egpu_address *device,
		    const struct egpu_address *movable, int nr_movable,
		    struct egpu_space *space)
{
	struct reader reader = { .movable = movable, .nr_movable = nr_movable };
	struct egpu_address chain[32];
	int i, count = egpu_pci_chain(device, chain, 32);

	memset(space, 0, sizeof(*space));
	if (count < 0)
		return count;
	count = keep_bridges(chain, count);
	if (!count)
		return -ENOENT;
	space->bridges = calloc((size_t)count, sizeof(*space->bridges));
	if (!space->bridges)
		return -ENOMEM;
	space->nr_bridges = count;
	for (i = 0; i < count; i++) {
		space->bridges[i].address = chain[i];
		reader.bridge = &space->bridges[i];
		reader.next = i + 1 < count ? &chain[i + 1] : NULL;
		get_bridge(&reader);
	}
	get_root(&reader, space);
	return 0;
}

void egpu_space_free(struct egpu_space *space)
{
	int i, kind;

	for (i = 0; i < space->nr_bridges; i++)
		for (kind = 0; kind < EGPU_SPACE_KINDS; kind++)
			free(space->bridges[i].window[kind].taken);
	for (i = 0; i < space->nr_root; i++)
		free(space->root[i].taken);
	free(space->bridges);
	free(space->root);
	memset(space, 0, sizeof(*space));
}

struct egpu_taken *egpu_space_taken(struct egpu_space *space,
				    const struct egpu_address *function,
				    int bar)
{
	char what[EGPU_TAKEN_LEN], name[EGPU_ADDRESS_LEN];
	int i, k, t;

	snprintf(what, sizeof(what), "%s BAR %d",
		 egpu_address_format(function, name), bar);
	for (i = 0; i < space->nr_bridges; i++)
		for (k = 0; k < EGPU_SPACE_KINDS; k++) {
			struct egpu_window *w = &space->bridges[i].window[k];

			for (t = 0; t < w->nr_taken; t++)
				if (!strcmp(w->taken[t].what, what))
					return &w->taken[t];
		}
	return NULL;
}

uint64_t egpu_bar_size(const struct egpu_address *function, int bar)
{
	char name[EGPU_ADDRESS_LEN];
	struct line line[MAX_LINES];
	int count = read_lines(egpu_address_format(function, name), line);

	if (bar >= count || !has_place(&line[bar]))
		return 0;
	return line[bar].end - line[bar].start + 1;
}
