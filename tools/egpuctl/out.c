// SPDX-License-Identifier: GPL-2.0
/*
 * Text for people: colours, columns, sizes. Nothing here knows a port.
 */
#define _GNU_SOURCE
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "ctl.h"

const char *paint(const struct ctl *ctl, enum colour colour)
{
	static const char * const codes[] = {
		[PLAIN] = "\033[0m",
		[BOLD] = "\033[1m",
		[RED] = "\033[31m",
		[GREEN] = "\033[32m",
		[YELLOW] = "\033[33m",
		[DIM] = "\033[2m",
	};

	return ctl->colour ? codes[colour] : "";
}

static enum colour state_colour(uint32_t state)
{
	switch (state) {
	case EGPU_STATE_READY:
	case EGPU_STATE_DETACHED:
		return GREEN;
	case EGPU_STATE_LOST:
	case EGPU_STATE_QUARANTINED:
	case EGPU_STATE_FAULT:
		return RED;
	case EGPU_STATE_EMPTY:
	case EGPU_STATE_UNTRACKED:
		return DIM;
	default:
		return YELLOW;
	}
}

const char *state_paint(const struct ctl *ctl, uint32_t state)
{
	return paint(ctl, state_colour(state));
}

/* Text of a verb that did something; JSON says it in its own way. */
void say(const struct ctl *ctl, const char *format, ...)
{
	va_list args;

	if (ctl->json)
		return;
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
}

#define COLUMNS	8

struct row {
	char *cell[COLUMNS];
	enum colour colour[COLUMNS];
};

struct table {
	struct row *rows;
	size_t count;
	int columns;
};

static void new_row(struct table *table)
{
	struct row *rows = realloc(table->rows,
				   (table->count + 1) * sizeof(*rows));

	if (!rows)
		abort();
	memset(&rows[table->count++], 0, sizeof(*rows));
	table->rows = rows;
}

/* @head: the columns' titles, separated by '|' */
struct table *table_new(const char *head)
{
	struct table *table = calloc(1, sizeof(*table));
	char *copy = strdup(head), *save, *word;

	if (!table || !copy)
		abort();
	new_row(table);
	for (word = strtok_r(copy, "|", &save); word;
	     word = strtok_r(NULL, "|", &save))
		table->rows[0].cell[table->columns++] = strdup(word);
	free(copy);
	return table;
}

/* Sets a cell; column 0 begins a row. */
void table_row(struct table *table, enum colour colour, int column,
	       const char *format, ...)
{
	struct row *row;
	va_list args;

	if (!column)
		new_row(table);
	row = &table->rows[table->count - 1];
	va_start(args, format);
	if (vasprintf(&row->cell[column], format, args) < 0)
		abort();
	va_end(args);
	row->colour[column] = colour;
}

/* Characters as a terminal counts them: UTF-8 continuations are none. */
static int width_of(const char *text)
{
	int width = 0;

	for (; text && *text; text++)
		width += (*text & 0xc0) != 0x80;
	return width;
}

void table_print(const struct table *table, const struct ctl *ctl)
{
	int width[COLUMNS] = { 0 };
	size_t r;
	int c;

	for (r = 0; r < table->count; r++)
		for (c = 0; c < table->columns; c++)
			if (width_of(table->rows[r].cell[c]) > width[c])
				width[c] = width_of(table->rows[r].cell[c]);
	for (r = 0; r < table->count; r++) {
		const struct row *row = &table->rows[r];

		for (c = 0; c < table->columns; c++) {
			const char *cell = row->cell[c] ? row->cell[c] : "-";
			bool last = c == table->columns - 1;
			bool painted = row->colour[c] != PLAIN;

			printf("%s%s%s%*s", painted ?
			       paint(ctl, row->colour[c]) : r ? "" :
			       paint(ctl, BOLD), cell,
			       painted || !r ? paint(ctl, PLAIN) : "",
			       last ? 0 : width[c] - width_of(cell) + 2, "");
		}
		putchar('\n');
	}
}

void table_free(struct table *table)
{
	size_t r;
	int c;

	for (r = 0; r < table->count; r++)
		for (c = 0; c < COLUMNS; c++)
			free(table->rows[r].cell[c]);
	free(table->rows);
	free(table);
}

const char *size_text(uint64_t bytes, char buf[16])
{
	static const char * const units[] = { "KiB", "MiB", "GiB", "TiB" };
	double value = (double)bytes / 1024;
	int unit = 0;

	while (value >= 100 && unit < 3) {
		value /= 1024;
		unit++;
	}
	snprintf(buf, 16, "%.1f %s", value, units[unit]);
	return buf;
}

/* BARs are powers of two: 256M, 16G */
const char *bar_text(uint64_t bytes, char buf[16])
{
	static const char units[] = " KMGTP";
	int unit = 0;

	while (bytes >= 1024 && !(bytes % 1024) && unit < 5) {
		bytes /= 1024;
		unit++;
	}
	snprintf(buf, 16, "%llu%.*s", (unsigned long long)bytes, !!unit,
		 &units[unit]);
	return buf;
}

/* 16 GiB; 1.5 GiB when it is not a whole number of something */
const char *space_text(uint64_t bytes, char buf[24])
{
	static const char * const units[] = {
		"B", "KiB", "MiB", "GiB", "TiB", "PiB"
	};
	uint64_t whole = bytes;
	double value = (double)bytes;
	int unit = 0;

	while (whole >= 1024 && !(whole % 1024) && unit < 5) {
		whole /= 1024;
		unit++;
	}
	if (whole < 10000) {
		snprintf(buf, 24, "%llu %s", (unsigned long long)whole,
			 units[unit]);
		return buf;
	}
	for (unit = 0; value >= 1024 && unit < 5; unit++)
		value /= 1024;
	snprintf(buf, 24, "%.1f %s", value, units[unit]);
	return buf;
}

void rate_text(uint64_t bytes_per_second, char buf[24])
{
	snprintf(buf, 24, "%.1f GB/s", (double)bytes_per_second / 1e9);
}

void speed_text(uint32_t tenths, char buf[24])
{
	if (tenths)
		snprintf(buf, 24, "%gGT/s", tenths / 10.0);
	else
		snprintf(buf, 24, "down");
}

/* 16GT/s x4 */
void link_text(const struct egpu_link *link, char *buf, size_t size)
{
	if (link->asleep)
		snprintf(buf, size, "asleep");
	else if (link->tunnelled && link->known)
		snprintf(buf, size, "tunnelled");
	else if (link->known)
		snprintf(buf, size, "%gGT/s x%u", link->speed / 10.0,
			 link->width);
	else
		snprintf(buf, size, "-");
}

/* Without the domain when that is 0. */
void short_address(const char *address, char *buf, size_t size)
{
	snprintf(buf, size, "%s", !strncmp(address, "0000:", 5) ? address + 5
								 : address);
}
