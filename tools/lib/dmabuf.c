// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * dma-bufs and who has them attached, from debugfs: dma_buf_debug_show() in
 * drivers/dma-buf/dma-buf.c prints an object a line, then, behind a tab, its
 * fences and its devices.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "egpu_dma.h"
#include "internal.h"

struct bufs {
	struct egpu_dmabuf *list;
	int count;
};

/* Processes choose the names, terminals would obey them. */
static void make_plain(char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text < ' ' || *text == 0x7f)
			*text = '?';
}

/* size flags mode count exp_name ino name, separated by tabs */
static bool parse_object(char *line, struct egpu_dmabuf *buf)
{
	char *field[7], *end;
	int i;

	for (i = 0; i < 7; i++) {
		field[i] = line;
		line = i < 6 && line ? strchr(line, '\t') : NULL;
		if (i < 6 && !line)
			return false;
		if (line)
			*line++ = 0;
	}
	memset(buf, 0, sizeof(*buf));
	buf->bytes = strtoull(field[0], &end, 10);
	if (end == field[0] || *end)
		return false;
	buf->inode = strtoull(field[5], NULL, 10);
	snprintf(buf->exporter, sizeof(buf->exporter), "%s", field[4]);
	if (strcmp(field[6], "<none>"))
		snprintf(buf->name, sizeof(buf->name), "%s", field[6]);
	make_plain(buf->exporter);
	make_plain(buf->name);
	return true;
}

static int add(struct bufs *bufs, const struct egpu_dmabuf *buf)
{
	struct egpu_dmabuf *bigger;

	/* attached more than once */
	if (bufs->count && bufs->list[bufs->count - 1].inode == buf->inode)
		return 0;
	bigger = realloc(bufs->list,
			 (size_t)(bufs->count + 1) * sizeof(*bigger));
	if (!bigger)
		return -ENOMEM;
	bufs->list = bigger;
	bigger[bufs->count++] = *buf;
	return 0;
}

static int parse(char *text, const char *device, struct bufs *bufs)
{
	bool object = false, devices = false;
	struct egpu_dmabuf buf;
	char *line, *save;
	int ret = 0;

	for (line = strtok_r(text, "\n", &save); line && !ret;
	     line = strtok_r(NULL, "\n", &save)) {
		if (*line != '\t') {
			object = parse_object(line, &buf);
			devices = false;
		} else if (!strcmp(line, "\tAttached Devices:")) {
			devices = object;
		} else if (devices && !strcmp(line + 1, device)) {
			ret = add(bufs, &buf);
		}
	}
	return ret;
}

int egpu_dmabufs(const struct egpu_address *address, struct egpu_dmabuf **bufs)
{
	char *text = egpu_read(egpu_roots.sysfs,
			       "kernel/debug/dma_buf/bufinfo");
	char device[EGPU_ADDRESS_LEN];
	struct bufs found = { 0 };
	int ret;

	if (!text)
		return -ENOENT;
	ret = parse(text, egpu_address_format(address, device), &found);
	free(text);
	if (ret < 0) {
		free(found.list);
		return ret;
	}
	*bufs = found.list;
	return found.count;
}
