// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Small files of the kernel's, below roots that a unit test can replace.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "internal.h"

struct egpu_roots egpu_roots = {
	.sysfs = "/sys",
	.proc = "/proc",
	.dev = "/dev",
	.modules = "/lib/modules",
	.containers = "/var/lib",
	.share = "/usr/share",
};

bool egpu_root_is_real(void)
{
	return !strcmp(egpu_roots.sysfs, "/sys");
}

static bool make_path(char path[PATH_MAX], const char *root,
		      const char *format, va_list args)
{
	size_t used = strlen(root);
	int len;

	if (used + 2 > PATH_MAX)
		return false;
	memcpy(path, root, used);
	path[used++] = '/';
	len = vsnprintf(path + used, PATH_MAX - used, format, args);
	return len >= 0 && (size_t)len < PATH_MAX - used;
}

#define MAKE_PATH(path, root, format)					\
	({								\
		va_list args;						\
		bool fits;						\
									\
		va_start(args, format);					\
		fits = make_path(path, root, format, args);		\
		va_end(args);						\
		fits;							\
	})

/* The whole file as a string, its last newline cut; NULL when not readable. */
static char *read_all(const char *path)
{
	size_t size = 0, room = 4096;
	char *text = malloc(room), *bigger;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t got = -1;

	while (text && fd >= 0) {
		got = read(fd, text + size, room - size - 1);
		if (got <= 0)
			break;
		size += (size_t)got;
		if (size + 1 < room)
			continue;
		bigger = realloc(text, room *= 2);
		if (!bigger)
			break;
		text = bigger;
	}
	if (fd >= 0)
		close(fd);
	if (!text || got != 0) {
		free(text);
		return NULL;
	}
	if (size && text[size - 1] == '\n')
		size--;
	text[size] = 0;
	return text;
}

char *egpu_read(const char *root, const char *format, ...)
{
	char path[PATH_MAX];

	return MAKE_PATH(path, root, format) ? read_all(path) : NULL;
}

bool egpu_read_u64(uint64_t *value, const char *root, const char *format, ...)
{
	char path[PATH_MAX], *text, *end;
	bool good;

	if (!MAKE_PATH(path, root, format))
		return false;
	text = read_all(path);
	if (!text)
		return false;
	errno = 0;
	*value = strtoull(text, &end, 0);
	good = end != text && !errno;
	free(text);
	return good;
}

bool egpu_exists(const char *root, const char *format, ...)
{
	char path[PATH_MAX];

	return MAKE_PATH(path, root, format) && !access(path, F_OK);
}

char *egpu_real(const char *root, const char *format, ...)
{
	char path[PATH_MAX];

	return MAKE_PATH(path, root, format) ? realpath(path, NULL) : NULL;
}

static bool read_link(const char *path, char target[PATH_MAX])
{
	ssize_t len = readlink(path, target, PATH_MAX - 1);

	if (len < 0)
		return false;
	target[len] = 0;
	return true;
}

char *egpu_link(const char *root, const char *format, ...)
{
	char path[PATH_MAX], target[PATH_MAX], *slash;

	if (!MAKE_PATH(path, root, format) || !read_link(path, target))
		return NULL;
	slash = strrchr(target, '/');
	return strdup(slash ? slash + 1 : target);
}

char *egpu_link_below(const char *root, const char *format, ...)
{
	char path[PATH_MAX], target[PATH_MAX], *rest = target, *whole;

	if (!MAKE_PATH(path, root, format) || !read_link(path, target))
		return NULL;
	while (!strncmp(rest, "../", 3))
		rest += 3;
	return asprintf(&whole, "%s/%s", root, rest) < 0 ? NULL : whole;
}

int egpu_scan(egpu_entry_fn fn, void *arg, const char *root,
	      const char *format, ...)
{
	char path[PATH_MAX];
	struct dirent *entry;
	int ret = 0;
	DIR *dir;

	if (!MAKE_PATH(path, root, format))
		return -ENAMETOOLONG;
	dir = opendir(path);
	if (!dir)
		return -errno;
	while (!ret && (entry = readdir(dir)))
		if (entry->d_name[0] != '.')
			ret = fn(entry->d_name, arg);
	closedir(dir);
	return ret;
}

int egpu_each(egpu_entry_fn fn, void *arg, const char *root,
	      const char *format, ...)
{
	char path[PATH_MAX];
	struct dirent **entries;
	int count, i, ret = 0;

	if (!MAKE_PATH(path, root, format))
		return -ENAMETOOLONG;
	count = scandir(path, &entries, NULL, versionsort);
	if (count < 0)
		return -errno;
	for (i = 0; i < count; i++) {
		if (!ret && entries[i]->d_name[0] != '.')
			ret = fn(entries[i]->d_name, arg);
		free(entries[i]);
	}
	free(entries);
	return ret;
}
