// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The real side of the seam in internal.h: system calls, nothing else.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <netinet/in.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "internal.h"

int egpu_sys_open(const char *path, int flags)
{
	int fd = open(path, flags);

	return fd < 0 ? -errno : fd;
}

int egpu_sys_ioctl(int fd, unsigned long request, void *arg)
{
	int ret;

	do {
		ret = ioctl(fd, request, arg);
	} while (ret < 0 && errno == EINTR);
	return ret < 0 ? -errno : ret;
}

int egpu_sys_write(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC), ret = 0;

	if (fd < 0)
		return -errno;
	if (write(fd, text, strlen(text)) < 0)
		ret = -errno;
	close(fd);
	return ret;
}

int egpu_sys_clock(clockid_t clock, struct timespec *ts)
{
	return clock_gettime(clock, ts);
}

static bool is_global(const struct sockaddr *address)
{
	if (address->sa_family == AF_INET)
		return true;
	if (address->sa_family == AF_INET6) {
		const struct sockaddr_in6 *in6 = (const void *)address;

		return !IN6_IS_ADDR_LINKLOCAL(&in6->sin6_addr);
	}
	return false;
}

bool egpu_sys_has_address(const char *interface)
{
	struct ifaddrs *list, *i;
	bool found = false;

	if (getifaddrs(&list))
		return false;
	for (i = list; i && !found; i = i->ifa_next)
		found = i->ifa_addr && !strcmp(i->ifa_name, interface) &&
			is_global(i->ifa_addr);
	freeifaddrs(list);
	return found;
}

/*
 * The pidfd is opened first and the start time compared afterwards: from then
 * on it means this process and no later one with the same number.
 */
int egpu_sys_terminate(uint32_t pid, uint64_t start_time)
{
	int fd = (int)syscall(SYS_pidfd_open, (pid_t)pid, 0);
	uint64_t began;
	int ret = 0;

	if (fd < 0)
		return -errno;
	began = egpu_process_start(pid);
	/* /proc counts in ticks, cut down */
	if (!began || start_time / 10000000 != began / 10000000)
		ret = -ESRCH;
	else if (syscall(SYS_pidfd_send_signal, fd, SIGTERM, NULL, 0) < 0)
		ret = -errno;
	close(fd);
	return ret;
}
