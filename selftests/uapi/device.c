// SPDX-License-Identifier: GPL-2.0
/*
 * What all tests use: the device's calls, memory with an edge, other users.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <linux/capability.h>
#include <unistd.h>

#include "uapi.h"

const char *err_name(int err)
{
	static char text[2][64];
	static unsigned int i;

	i ^= 1;
	if (!err)
		return "success";
	snprintf(text[i], sizeof(text[i]), "%d (%s)", err, strerror(err));
	return text[i];
}

int dev_open(int flags)
{
	int fd = open(su.path, flags | O_CLOEXEC);

	if (fd < 0 && errno == EACCES && (flags & O_ACCMODE) == O_RDWR)
		fd = open(su.path, (flags & ~O_ACCMODE) | O_CLOEXEC);
	return fd;
}

int dev_call(int fd, unsigned int cmd, void *arg)
{
	return ioctl(fd, cmd, arg) < 0 ? errno : 0;
}

int dev_info(int fd, uint32_t port, struct egpu_port_info *info)
{
	memset(info, 0, sizeof(*info));
	info->size = sizeof(*info);
	info->port = port;
	return dev_call(fd, EGPU_IOC_PORT_INFO, info);
}

struct egpu_port_info dev_snapshot(uint32_t port)
{
	struct egpu_port_info info;
	int fd = dev_open(O_RDONLY);

	dev_info(fd, port, &info);
	info.nr_users = 0;
	close(fd);
	return info;
}

bool snapshot_same(const struct egpu_port_info *before,
		   const struct egpu_port_info *now)
{
	const unsigned char *a = (const void *)before, *b = (const void *)now;
	size_t i;

	for (i = 0; i < sizeof(*before); i++)
		if (a[i] != b[i])
			printf("#   byte %zu of PORT_INFO: %u, now %u\n", i,
			       a[i], b[i]);
	return !memcmp(a, b, sizeof(*before));
}

int dev_set_policy(int fd, uint32_t port, uint32_t policy)
{
	struct egpu_port_config config = {
		.size = sizeof(config), .flags = EGPU_CONFIG_POLICY,
		.port = port, .policy = policy,
	};

	return dev_call(fd, EGPU_IOC_PORT_CONFIG, &config);
}

int dev_set_window(int fd, uint32_t port, uint32_t ms)
{
	struct egpu_port_config config = {
		.size = sizeof(config), .flags = EGPU_CONFIG_QUARANTINE,
		.port = port, .quarantine_window_ms = ms,
	};

	return dev_call(fd, EGPU_IOC_PORT_CONFIG, &config);
}

int dev_track(int fd, uint32_t flag, uint32_t port)
{
	struct egpu_port_config config = {
		.size = sizeof(config), .flags = flag, .port = port,
	};

	return dev_call(fd, EGPU_IOC_PORT_CONFIG, &config);
}

int dev_subscribe(int fd, uint64_t mask, uint32_t port, uint64_t *seq)
{
	struct egpu_event_subscribe sub = {
		.size = sizeof(sub), .mask = mask, .port = port,
	};
	int err = dev_call(fd, EGPU_IOC_EVENT_SUBSCRIBE, &sub);

	if (seq)
		*seq = sub.seq;
	return err;
}

/* States in which something is about to happen by itself. */
static bool is_moving(const struct egpu_port_info *info)
{
	switch (info->state) {
	case EGPU_STATE_TRAINING:
	case EGPU_STATE_BINDING:
	case EGPU_STATE_DRAINING:
	case EGPU_STATE_DETACHING:
	case EGPU_STATE_LOST:
		return true;
	case EGPU_STATE_HELD:
		return info->reason == EGPU_REASON_CHECKING;
	default:
		return info->transaction || info->step;
	}
}

bool dev_settle(int fd, uint32_t port)
{
	struct egpu_port_info info;
	unsigned int i;

	for (i = 0; i < 1000; i++) {
		if (dev_info(fd, port, &info))
			return false;
		if (!is_moving(&info))
			return true;
		usleep(10000);
	}
	printf("# port %u does not come to rest: state %u step %u\n", port,
	       info.state, info.step);
	return false;
}

bool dev_restore(void)
{
	struct egpu_attach attach = { .size = sizeof(attach), .port = su.port };
	struct egpu_port_info info;
	int fd = dev_open(O_RDWR);
	bool good;

	dev_settle(fd, su.port);
	dev_track(fd, EGPU_CONFIG_TRACK, su.port);
	dev_set_policy(fd, su.port, EGPU_POLICY_AUTO);
	dev_set_window(fd, su.port, 60000);
	dev_track(fd, EGPU_CONFIG_QUARANTINE_RESET, su.port);
	good = dev_settle(fd, su.port) && !dev_info(fd, su.port, &info);
	if (good && su.gpu && info.state != EGPU_STATE_READY) {
		dev_call(fd, EGPU_IOC_ATTACH, &attach);
		usleep(100000);
		good = dev_settle(fd, su.port) &&
		       !dev_info(fd, su.port, &info) &&
		       info.state == EGPU_STATE_READY;
	}
	close(fd);
	return good;
}

static size_t guard_pages(size_t size)
{
	size_t page = sysconf(_SC_PAGESIZE);

	return (size + page - 1) / page * page;
}

void *guard_alloc(size_t size)
{
	size_t page = sysconf(_SC_PAGESIZE), room = guard_pages(size);
	char *p;

	p = mmap(NULL, room + page, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (p == MAP_FAILED || mprotect(p + room, page, PROT_NONE)) {
		perror("guard_alloc");
		exit(TEST_FAIL);
	}
	return p + room - size;
}

void guard_free(void *p, size_t size)
{
	size_t room = guard_pages(size);

	munmap((char *)p + size - room, room + sysconf(_SC_PAGESIZE));
}

void *bad_address(void)
{
	static void *p;

	if (!p) {
		p = mmap(NULL, 65536, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS,
			 -1, 0);
		p = (char *)p + 4096;
	}
	return p;
}

int run_as(int (*become)(void), int (*fn)(void *), void *arg)
{
	int status;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (!pid) {
		status = become ? become() : 0;
		if (status) {
			printf("# cannot become another user: %s\n",
			       strerror(status));
			fflush(stdout);
			_exit(TEST_SKIP);
		}
		status = fn(arg);
		fflush(stdout);
		_exit(status);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return TEST_FAIL;
	return WIFEXITED(status) ? WEXITSTATUS(status) : TEST_FAIL;
}

int become_nobody(void)
{
	if (setgroups(0, NULL) || setresgid(NOBODY, NOBODY, NOBODY) ||
	    setresuid(NOBODY, NOBODY, NOBODY))
		return errno;
	/* Else its /proc entries, such as uid_map, stay root's. */
	prctl(PR_SET_DUMPABLE, 1);
	return 0;
}

/* Still user 0, but without CAP_SYS_ADMIN. */
int become_capless(void)
{
	struct __user_cap_header_struct head = {
		.version = _LINUX_CAPABILITY_VERSION_3,
	};
	struct __user_cap_data_struct data[2];

	if (syscall(SYS_capget, &head, data))
		return errno;
	data[0].effective &= ~(1U << CAP_SYS_ADMIN);
	data[0].permitted &= ~(1U << CAP_SYS_ADMIN);
	return syscall(SYS_capset, &head, data) ? errno : 0;
}

static int write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY), err = 0;

	if (fd < 0)
		return errno;
	if (write(fd, text, strlen(text)) < 0)
		err = errno;
	close(fd);
	return err;
}

/* User 0 with every capability, but only in a namespace of its own. */
int become_userns_root(void)
{
	int err = become_nobody();

	if (err)
		return err;
	if (unshare(CLONE_NEWUSER))
		return errno;
	write_file("/proc/self/setgroups", "deny");
	err = write_file("/proc/self/uid_map", "0 65534 1");
	if (err)
		return err;
	return setresuid(0, 0, 0) ? errno : 0;
}

int send_fd(int sock, int fd)
{
	char control[CMSG_SPACE(sizeof(int))] __attribute__((aligned(8))) = "";
	char byte = 0;
	struct iovec iov = { .iov_base = &byte, .iov_len = 1 };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = control, .msg_controllen = sizeof(control),
	};
	struct cmsghdr *c = CMSG_FIRSTHDR(&msg);

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(c), &fd, sizeof(int));
	return sendmsg(sock, &msg, 0) == 1 ? 0 : errno;
}

int recv_fd(int sock)
{
	char control[CMSG_SPACE(sizeof(int))] __attribute__((aligned(8)));
	char byte;
	struct iovec iov = { .iov_base = &byte, .iov_len = 1 };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = control, .msg_controllen = sizeof(control),
	};
	struct cmsghdr *c;
	int fd = -1;

	if (recvmsg(sock, &msg, 0) != 1)
		return -1;
	c = CMSG_FIRSTHDR(&msg);
	if (c && c->cmsg_type == SCM_RIGHTS)
		memcpy(&fd, CMSG_DATA(c), sizeof(int));
	return fd;
}
