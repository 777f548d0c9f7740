// SPDX-License-Identifier: GPL-2.0
/*
 * Names of PCI devices from the pci.ids file. It is sorted and little of it is
 * looked at: libpci would read all its 1.3 MB to find one name, which takes
 * longer than everything else that a list does.
 */
#define _GNU_SOURCE
#include <ctype.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ctl.h"

#define CLASSES	0x10000		/* they stand behind all vendors */
#define NEAR	4096

/* The file: vendors and, behind them, classes; what is theirs is indented. */
static struct {
	const char *text;
	const char *end;	/* behind the last whole line */
	size_t size;
	bool tried;
} ids;

static void map_file(int fd)
{
	struct stat st;
	void *text;

	if (fstat(fd, &st) || st.st_size <= 0)
		return;
	text = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (text == MAP_FAILED)
		return;
	ids.text = text;
	ids.size = (size_t)st.st_size;
	ids.end = memrchr(text, '\n', ids.size);
	ids.end = ids.end ? ids.end + 1 : ids.text;
}

static void load_names(void)
{
	static const char * const files[] = { "misc", "hwdata" };
	char path[256];
	size_t i;
	int fd;

	for (i = 0; !ids.tried && !ids.text && i < ARRAY_SIZE(files); i++) {
		snprintf(path, sizeof(path), "%s/%s/pci.ids", egpu_roots.share,
			 files[i]);
		fd = open(path, O_RDONLY | O_CLOEXEC);
		if (fd < 0)
			continue;
		map_file(fd);
		close(fd);
	}
	ids.tried = true;
}

void names_free(void)
{
	if (ids.text)
		munmap((void *)ids.text, ids.size);
	memset(&ids, 0, sizeof(ids));
}

static const char *next_line(const char *line)
{
	line = memchr(line, '\n', (size_t)(ids.end - line));
	return line ? line + 1 : ids.end;
}

/* The number that a line which is not indented begins with; -1: none. */
static long head_of(const char *line)
{
	if (*line == 'C')
		return CLASSES + strtol(line + 1, NULL, 16);
	return isxdigit((unsigned char)*line) ? strtol(line, NULL, 16) : -1;
}

static const char *next_head(const char *line)
{
	do {
		line = next_line(line);
	} while (line < ids.end && head_of(line) < 0);
	return line;
}

static const char *find_head(long wanted)
{
	/* it begins from low on and before high */
	const char *low = ids.text, *high = ids.end, *middle, *line;

	while (high - low > NEAR) {
		middle = low + (high - low) / 2;
		line = next_head(middle);
		if (line < high && head_of(line) <= wanted)
			low = line;
		else
			high = middle + 1;
	}
	for (line = low; line < high; line = next_head(line))
		if (head_of(line) == wanted)
			return line;
	return NULL;
}

/* @key: the number, as it stands there */
static const char *find_below(const char *line, const char *key)
{
	size_t len = strlen(key);

	while ((line = next_line(line)) < ids.end &&
	       (*line == '\t' || *line == '#'))
		if (*line == '\t' && !strncmp(line + 1, key, len))
			return line;
	return NULL;
}

/* What stands behind two spaces. */
static bool copy_name(const char *line, char *buf, size_t size)
{
	const char *end = line ? next_line(line) - 1 : NULL;
	const char *name = line ? memmem(line, (size_t)(end - line), "  ", 2) :
				  NULL;

	if (!name)
		return false;
	name += 2;
	snprintf(buf, size, "%.*s", (int)(end - name), name);
	return true;
}

/* Return: a vendor's or class's line, NULL */
static const char *look_up(long head, const char *key, char *buf, size_t size,
			   const char **below)
{
	const char *line;

	load_names();
	line = ids.text ? find_head(head) : NULL;
	*below = line ? find_below(line, key) : NULL;
	return copy_name(line, buf, size) ? line : NULL;
}

static const struct {
	const char *full;
	const char *brief;
} vendors[] = {
	{ "NVIDIA", "NVIDIA" },
	{ "Advanced Micro Devices", "AMD" },
	{ "Intel", "Intel" },
	{ "Red Hat", "Red Hat" },
};

static void brief_vendor(char *vendor)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(vendors); i++)
		if (!strncmp(vendor, vendors[i].full, strlen(vendors[i].full)))
			strcpy(vendor, vendors[i].brief);
}

/* AD102 [GeForce RTX 4090] -> GeForce RTX 4090 */
static void bracketed(char *name)
{
	char *open = strrchr(name, '['), *close = strrchr(name, ']');

	if (!open || !close || close < open)
		return;
	*close = 0;
	memmove(name, open + 1, (size_t)(close - open));
}

static const char *without_brand(const char *name)
{
	static const char * const brands[] = { "GeForce ", "Radeon " };
	size_t i;

	for (i = 0; i < ARRAY_SIZE(brands); i++)
		if (!strncmp(name, brands[i], strlen(brands[i])) &&
		    name[strlen(brands[i])] == 'R')
			return name + strlen(brands[i]);
	return name;
}

/* brief: for a column. Return: false when its numbers have to do */
bool device_name(uint16_t vendor, uint16_t device, bool brief, char *buf,
		 size_t size)
{
	char v[128], d[128], key[8];
	const char *line;
	bool has_vendor, has_device;

	snprintf(key, sizeof(key), "%04x ", device);
	has_vendor = look_up(vendor, key, v, sizeof(v), &line);
	has_device = copy_name(line, d, sizeof(d));
	if (!has_device) {
		snprintf(buf, size, "%s%s%04x:%04x",
			 has_vendor && !brief ? v : "",
			 has_vendor && !brief ? " " : "", vendor, device);
		return false;
	}
	bracketed(d);
	if (brief) {
		snprintf(buf, size, "%.22s", without_brand(d));
		return true;
	}
	brief_vendor(v);
	snprintf(buf, size, "%s%s%s", has_vendor ? v : "", has_vendor ? " " : "",
		 d);
	return true;
}

void class_name(uint32_t class, char *buf, size_t size)
{
	static const struct {
		uint16_t class;
		const char *name;
	} brief[] = {
		{ 0x0403, "audio" }, { 0x0401, "audio" }, { 0x0c03, "USB" },
		{ 0x0200, "network" }, { 0x0280, "network" },
		{ 0x0108, "NVMe" }, { 0x0106, "SATA" }, { 0x0300, "display" },
		{ 0x0302, "3D" }, { 0x0380, "display" },
		{ 0x1200, "accelerator" }, { 0x0c80, "serial bus" },
		{ 0x0c0c, "USB-C" },
	};
	const char *line;
	char key[8];
	size_t i;

	for (i = 0; i < ARRAY_SIZE(brief); i++)
		if (brief[i].class == class >> 8) {
			snprintf(buf, size, "%s", brief[i].name);
			return;
		}
	snprintf(key, sizeof(key), "%02x ", class >> 8 & 0xff);
	if (!look_up(CLASSES + (class >> 16), key, buf, size, &line))
		snprintf(buf, size, "class %06x", class);
	copy_name(line, buf, size);
}
