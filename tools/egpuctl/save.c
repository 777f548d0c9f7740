// SPDX-License-Identifier: GPL-2.0
/*
 * Changes one key of the configuration and leaves every other byte as it is:
 * comments, order, sections that nobody here knows. The file is written beside
 * the old one and put in its place by rename().
 */
#define _GNU_SOURCE
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ctl.h"

struct text {
	char **lines;
	size_t count;
};

static void insert(struct text *text, size_t at, char *line)
{
	char **bigger = realloc(text->lines,
				(text->count + 1) * sizeof(*bigger));

	if (!bigger || !line)
		abort();
	text->lines = bigger;
	memmove(bigger + at + 1, bigger + at,
		(text->count - at) * sizeof(*bigger));
	bigger[at] = line;
	text->count++;
}

static void erase(struct text *text, size_t at)
{
	free(text->lines[at]);
	text->count--;
	memmove(text->lines + at, text->lines + at + 1,
		(text->count - at) * sizeof(*text->lines));
}

static int load(struct text *text, const char *file)
{
	FILE *stream = fopen(file, "re");
	char *line = NULL;
	size_t size = 0;
	ssize_t len;

	memset(text, 0, sizeof(*text));
	if (!stream)
		return errno == ENOENT ? 0 : -errno;
	while ((len = getline(&line, &size, stream)) >= 0) {
		if (len && line[len - 1] == '\n')
			line[len - 1] = 0;
		insert(text, text->count, strdup(line));
	}
	free(line);
	fclose(stream);
	return 0;
}

static void unload(struct text *text)
{
	while (text->count)
		erase(text, text->count - 1);
	free(text->lines);
}

static int write_all(FILE *stream, const char *text)
{
	if (fputs(text, stream) < 0)
		return -EIO;
	if (fflush(stream) || fsync(fileno(stream)))
		return -errno;
	return 0;
}

static void sync_dir(const char *file)
{
	char *copy = strdup(file);
	int fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd >= 0) {
		fsync(fd);
		close(fd);
	}
	free(copy);
}

int file_replace(const char *file, const char *text)
{
	/* a symbolic link stays one: what it leads to is replaced */
	char *real = realpath(file, NULL), *temp;
	struct stat st = { .st_mode = 0644 };
	FILE *stream;
	int fd, ret;

	if (!real)
		real = strdup(file);
	if (!real || asprintf(&temp, "%s.XXXXXX", real) < 0)
		abort();
	if (!stat(real, &st))
		st.st_mode &= 07777;
	fd = mkostemp(temp, O_CLOEXEC);
	ret = fd < 0 ? -errno : 0;
	if (!ret) {
		fchmod(fd, st.st_mode);
		stream = fdopen(fd, "w");
		ret = stream ? write_all(stream, text) : -errno;
		if (stream && fclose(stream) && !ret)
			ret = -errno;
		if (!ret && rename(temp, real))
			ret = -errno;
		if (ret)
			unlink(temp);
		else
			sync_dir(real);
	}
	free(temp);
	free(real);
	return ret;
}

static int replace(const char *file, const struct text *text)
{
	char *whole = NULL;
	size_t size, i;
	FILE *stream = open_memstream(&whole, &size);
	int ret;

	if (!stream)
		abort();
	for (i = 0; i < text->count; i++)
		fprintf(stream, "%s\n", text->lines[i]);
	if (fclose(stream))
		abort();
	ret = file_replace(file, whole);
	free(whole);
	return ret;
}

/* "[port left]", with any space around */
static bool is_section(const char *line, const char *section)
{
	size_t len = strlen(section);

	line += strspn(line, " \t");
	return *line == '[' && !strncmp(line + 1, section, len) &&
	       line[1 + len] == ']';
}

static bool is_any_section(const char *line)
{
	return line[strspn(line, " \t")] == '[';
}

static bool is_key(const char *line, const char *key)
{
	size_t len = strlen(key);

	line += strspn(line, " \t");
	if (strncmp(line, key, len))
		return false;
	line += len + strspn(line + len, " \t");
	return *line == '=' || *line == ':';
}

/* key = old   # comment  ->  key = new   # comment */
static char *with_value(const char *line, const char *value)
{
	size_t head = strcspn(line, "=:") + 1;
	const char *rest, *comment;
	char *made;

	head += strspn(line + head, " \t");
	rest = line + head;
	for (comment = rest; *comment; comment++)
		if ((*comment == '#' || *comment == ';') &&
		    (comment == rest || isspace((unsigned char)comment[-1])))
			break;
	while (comment > rest && isspace((unsigned char)comment[-1]))
		comment--;
	if (asprintf(&made, "%.*s%s%s", (int)head, line, value, comment) < 0)
		abort();
	return made;
}

static char *key_line(const char *key, const char *value)
{
	char *line;

	if (asprintf(&line, "%s = %s", key, value) < 0)
		abort();
	return line;
}

static void set_in_section(struct text *text, size_t header, const char *key,
			   const char *value)
{
	size_t i, last = header, found = 0;

	for (i = header + 1; i < text->count && !is_any_section(text->lines[i]);
	     i++) {
		const char *line = text->lines[i];
		char first = line[strspn(line, " \t")];

		if (is_key(line, key))
			found = i;
		/* behind the last key, before comments of what follows */
		if (first && !strchr("#;", first))
			last = i;
	}
	if (found && value) {
		char *line = with_value(text->lines[found], value);

		free(text->lines[found]);
		text->lines[found] = line;
	} else if (found) {
		erase(text, found);
	} else if (value) {
		insert(text, last + 1, key_line(key, value));
	}
}

static void append_section(struct text *text, const char *section,
			   const char *key, const char *value)
{
	char *line;

	if (asprintf(&line, "[%s]", section) < 0)
		abort();
	if (text->count && *text->lines[text->count - 1])
		insert(text, text->count, strdup(""));
	insert(text, text->count, line);
	if (key)
		insert(text, text->count, key_line(key, value));
}

/* Only one egpuctl at a time changes what is in a directory. */
int lock_dir(const char *file)
{
	char *copy = strdup(file);
	const char *dir = dirname(copy);
	int fd;

	if (mkdir(dir, 0755) && errno != EEXIST) {
		fd = -errno;
	} else {
		fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (fd < 0)
			fd = -errno;
		else
			flock(fd, LOCK_EX);
	}
	free(copy);
	return fd;
}

static bool find_section(const struct text *text, const char *section,
			 size_t *at)
{
	bool found = false;
	size_t i;

	for (i = 0; i < text->count; i++)
		if (is_section(text->lines[i], section)) {
			*at = i;
			found = true;
		}
	return found;
}

int config_set(const char *file, const char *section, const char *key,
	       const char *value)
{
	int lock = lock_dir(file), ret;
	struct text text;
	size_t at;

	if (lock < 0)
		return lock;
	ret = load(&text, file);
	if (!ret) {
		if (find_section(&text, section, &at))
			set_in_section(&text, at, key, value);
		else if (value)
			append_section(&text, section, key, value);
		ret = replace(file, &text);
		unload(&text);
	}
	close(lock);
	return ret;
}

int config_rename(const char *file, const char *from, const char *to)
{
	int lock = lock_dir(file), ret;
	struct text text;
	size_t at;

	if (lock < 0)
		return lock;
	ret = load(&text, file);
	if (!ret) {
		if (find_section(&text, from, &at)) {
			char *line;

			if (asprintf(&line, "[%s]", to) < 0)
				abort();
			free(text.lines[at]);
			text.lines[at] = line;
			ret = replace(file, &text);
		}
		unload(&text);
	}
	close(lock);
	return ret;
}

/* Takes a whole section away, with what stands in it. */
int config_drop(const char *file, const char *section)
{
	int lock = lock_dir(file), ret;
	struct text text;
	size_t at;

	if (lock < 0)
		return lock;
	ret = load(&text, file);
	if (!ret && find_section(&text, section, &at)) {
		do {
			erase(&text, at);
		} while (at < text.count && !is_any_section(text.lines[at]));
		ret = replace(file, &text);
	}
	unload(&text);
	close(lock);
	return ret;
}
