/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What libegpu's files share with each other and with nobody else.
 */
#ifndef LIBEGPU_INTERNAL_H
#define LIBEGPU_INTERNAL_H

#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

#include "egpu.h"

/*
 * The seam: every touch of the kernel that a unit test has to answer itself.
 * sys.c is the real one; a test program links its own object with the same
 * names, and then sys.o is not taken from the archive.
 */
int egpu_sys_open(const char *path, int flags);
int egpu_sys_ioctl(int fd, unsigned long request, void *arg);
/* a file of sysfs's */
int egpu_sys_write(const char *path, const char *text);
int egpu_sys_clock(clockid_t clock, struct timespec *ts);
/* true when the interface has an address that is more than link-local */
bool egpu_sys_has_address(const char *interface);
int egpu_sys_terminate(uint32_t pid, uint64_t start_time);

struct egpu {
	int fd;
	struct egpu_query query;
	char *buf;		/* events that were read and not yet given */
	size_t start;
	size_t end;
};

#define EGPU_EVENT_BUF	16384

/* root.c: files below a root; a format makes the rest of the path. */
#define egpu_printf(a, b)	__attribute__((format(printf, a, b)))
bool egpu_root_is_real(void);
char *egpu_read(const char *root, const char *format, ...) egpu_printf(2, 3);
bool egpu_read_u64(uint64_t *value, const char *root, const char *format, ...)
	egpu_printf(3, 4);
bool egpu_exists(const char *root, const char *format, ...) egpu_printf(2, 3);
char *egpu_real(const char *root, const char *format, ...) egpu_printf(2, 3);
/* the last component of where a symbolic link leads */
char *egpu_link(const char *root, const char *format, ...) egpu_printf(2, 3);
/* where one leads that climbs to the root: a device's folder in sysfs */
char *egpu_link_below(const char *root, const char *format, ...)
	egpu_printf(2, 3);
/* calls fn for each entry that is not hidden; stops when it returns non-zero */
typedef int (*egpu_entry_fn)(const char *name, void *arg);
int egpu_each(egpu_entry_fn fn, void *arg, const char *root,
	      const char *format, ...) egpu_printf(4, 5);
/* the same in no order, and without reading on when it stops */
int egpu_scan(egpu_entry_fn fn, void *arg, const char *root,
	      const char *format, ...) egpu_printf(4, 5);

/* egpu.c: processes whose files are worth a look, -EINVAL: it cannot tell */
int egpu_suspects(struct egpu *egpu, struct egpu_user **users);

/* pci.c: a device's folder */
char *egpu_device_dir(const struct egpu_address *address);
bool egpu_sysfs_is_below(const char *real, const struct egpu_address *address);

/* process.c */
bool egpu_process_fill(struct egpu_process *process);
uint64_t egpu_process_start(uint32_t pid);
struct egpu_process *egpu_process_get(struct egpu_process **list, int *count,
				      uint32_t pid);
void egpu_process_node(struct egpu_process *process, uint32_t kind,
		       const char *node);

/* holders.c */
int egpu_holders(struct egpu *egpu, struct egpu_port_users *ports, int count);

/* fdinfo.c: what stands behind a key, or NULL; a number with its unit */
const char *egpu_fdinfo_value(const char *text, const char *key);
uint64_t egpu_fdinfo_bytes(const char *value);

/* cgroup.c */
void egpu_place_name(struct egpu_place *place);

#endif /* LIBEGPU_INTERNAL_H */
