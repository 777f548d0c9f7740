// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Why is there no /dev/egpu? The answer a person needs is rarely ENOENT.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "internal.h"

#define SIGNATURE	"~Module signature appended~\n"
#define SECURE_BOOT	\
	"firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c"

/* modules.dep names every module that depmod found: "updates/egpu.ko: ..." */
static char *find_module(const char *release)
{
	char *dep = egpu_read(egpu_roots.modules, "%s/modules.dep", release);
	char *save, *line, *colon, *base, *found = NULL;

	for (line = dep ? strtok_r(dep, "\n", &save) : NULL; line && !found;
	     line = strtok_r(NULL, "\n", &save)) {
		colon = strchr(line, ':');
		if (colon)
			*colon = 0;
		base = strrchr(line, '/');
		base = base ? base + 1 : line;
		if (!strncmp(base, "egpu.ko", 7))
			found = strdup(line);
	}
	free(dep);
	return found;
}

static int other_kernel(const char *release, void *arg)
{
	char *module = find_module(release);

	if (!module)
		return 0;
	free(module);
	snprintf(arg, 65, "%s", release);
	return 1;
}

static bool must_be_signed(void)
{
	char *enforce = egpu_read(egpu_roots.sysfs,
				  "module/module/parameters/sig_enforce");
	bool must = enforce && *enforce == 'Y';
	unsigned char boot[5];
	char path[PATH_MAX];
	int fd;

	free(enforce);
	snprintf(path, sizeof(path), "%s/" SECURE_BOOT, egpu_roots.sysfs);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd >= 0) {
		/* four bytes of attributes, then the value */
		if (read(fd, boot, 5) == 5 && boot[4] == 1)
			must = true;
		close(fd);
	}
	return must;
}

/* A compressed module cannot be looked into here: taken as signed. */
static bool is_signed(const char *release, const char *module)
{
	char path[PATH_MAX], tail[sizeof(SIGNATURE) - 1];
	bool yes = true;
	FILE *file;

	if (strcmp(module + strlen(module) - 3, ".ko"))
		return true;
	snprintf(path, sizeof(path), "%s/%s/%s", egpu_roots.modules, release,
		 module);
	file = fopen(path, "re");
	if (!file)
		return true;
	if (!fseek(file, -(long)sizeof(tail), SEEK_END) &&
	    fread(tail, sizeof(tail), 1, file) == 1)
		yes = !memcmp(tail, SIGNATURE, sizeof(tail));
	fclose(file);
	return yes;
}

static enum egpu_absence why_missing(char *text, char *hint, size_t size)
{
	char other[65] = "", *module;
	enum egpu_absence why;
	struct utsname uts;

	if (egpu_exists(egpu_roots.sysfs, "module/egpu")) {
		snprintf(text, size, "the module is loaded, but %s/egpu is missing",
			 egpu_roots.dev);
		snprintf(hint, size, "in a container: pass the node in");
		return EGPU_NO_NODE;
	}
	uname(&uts);
	module = find_module(uts.release);
	if (!module) {
		egpu_each(other_kernel, other, egpu_roots.modules, "%s", "");
		snprintf(text, size, "egpu is not built for this kernel (%s)%s%s",
			 uts.release, *other ? ", only for " : "", other);
		snprintf(hint, size,
			 "build and install it: make && sudo make install");
		why = EGPU_NOT_BUILT;
	} else if (must_be_signed() && !is_signed(uts.release, module)) {
		snprintf(text, size,
			 "the module is not signed, and Secure Boot refuses it");
		snprintf(hint, size,
			 "sign it with a key enrolled by mokutil --import");
		why = EGPU_NOT_SIGNED;
	} else {
		snprintf(text, size, "the egpu module is not loaded");
		snprintf(hint, size, "sudo modprobe egpu");
		why = EGPU_NOT_LOADED;
	}
	free(module);
	return why;
}

enum egpu_absence egpu_diagnose(int error, char *text, char *hint, size_t size)
{
	*hint = 0;
	switch (error < 0 ? -error : error) {
	case 0:
		*text = 0;
		return EGPU_PRESENT;
	case ENOENT:
	case ENXIO:
	case ENODEV:
		return why_missing(text, hint, size);
	case EPROTO:
		snprintf(text, size,
			 "the loaded egpu module is another version than this program (interface %d)",
			 EGPU_ABI_VERSION);
		snprintf(hint, size, "install both from the same source");
		return EGPU_WRONG_ABI;
	case EPERM:
	case EACCES:
		snprintf(text, size, "no permission to open %s/egpu",
			 egpu_roots.dev);
		snprintf(hint, size, "sudo");
		return EGPU_NO_PERMISSION;
	default:
		snprintf(text, size, "cannot open %s/egpu: %s", egpu_roots.dev,
			 strerror(error < 0 ? -error : error));
		return EGPU_BROKEN;
	}
}
