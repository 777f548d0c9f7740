// SPDX-License-Identifier: GPL-2.0
/*
 * Who may do what: CAP_SYS_ADMIN in the initial user namespace, at the time of
 * the call; and what those see who lack it.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "uapi.h"

struct who {
	const char *name;
	int (*become)(void);
};

static const struct who whos[] = {
	{ "nobody", become_nobody },
	{ "root without CAP_SYS_ADMIN", become_capless },
	{ "root of another user namespace", become_userns_root },
};

/* What must be EPERM, whatever else is wrong with it. */
static void expect_eperm(int fd)
{
	char image[MAX_ARG];
	unsigned int i, j;

	for (i = 0; i < nr_ioctls; i++) {
		const struct ioctl_info *info = &ioctl_table[i];

		if (!info->mutates)
			continue;
		memset(image, 0, sizeof(image));
		info->fill(image);
		EXPECT_ERR(dev_call(fd, info->cmd, image), EPERM, "%s",
			   info->name);
		/* Privilege comes before fields, so nothing can be probed. */
		memset(image + 4, 0xff, info->size - 4);
		EXPECT_ERR(dev_call(fd, info->cmd, image), EPERM,
			   "%s with nonsense", info->name);
		memset(image + 4, 0, info->size - 4);
		EXPECT_ERR(dev_call(fd, info->cmd, image), EPERM,
			   "%s with nothing", info->name);
		for (j = 0; j < info->must; j++) {
			memcpy(image, &j, sizeof(j));
			EXPECT_ERR(dev_call(fd, info->cmd, image), EPERM,
				   "%s with size %u", info->name, j);
		}
		EXPECT_ERR(dev_call(fd, info->cmd, bad_address()), EPERM,
			   "%s nowhere", info->name);
	}
}

static void expect_readers_work(int fd)
{
	char image[MAX_ARG];
	unsigned int i;
	int want;

	for (i = 0; i < nr_ioctls; i++) {
		const struct ioctl_info *info = &ioctl_table[i];

		if (info->mutates)
			continue;
		memset(image, 0, sizeof(image));
		want = info->fill(image);
		EXPECT_ERR(dev_call(fd, info->cmd, image), want, "%s",
			   info->name);
	}
}

static void expect_no_addresses(int fd)
{
	struct egpu_function fn[32];
	struct egpu_function_list list = {
		.size = sizeof(list), .port = su.port,
		.count = ARRAY_SIZE(fn), .element_size = sizeof(fn[0]),
		.functions = (uintptr_t)fn,
	};
	struct egpu_port_info info;
	unsigned int i;
	int b;

	EXPECT_ERR(dev_call(fd, EGPU_IOC_FUNCTION_LIST, &list), 0,
		   "FUNCTION_LIST");
	for (i = 0; i < list.count && i < ARRAY_SIZE(fn); i++)
		for (b = 0; b < 7; b++)
			EXPECT(!fn[i].bars[b].start, "BAR %d has an address",
			       b);
	EXPECT_ERR(dev_info(fd, su.port, &info), 0, "PORT_INFO");
	EXPECT(info.nr_users == -1, "nr_users is %d", info.nr_users);
}

static int as_unprivileged(void *arg)
{
	int passed = *(int *)arg;
	int fd = dev_open(O_RDONLY);

	ASSERT(fd >= 0, "cannot open: %s", err_name(errno));
	expect_eperm(fd);
	expect_readers_work(fd);
	expect_no_addresses(fd);
	/* An inherited file, opened by root, gives nothing more. */
	expect_eperm(passed);
	expect_no_addresses(passed);
	return test_result();
}

static int test_who(const void *arg)
{
	const struct who *who = arg;
	struct egpu_port_info before = dev_snapshot(su.port), now;
	int fd = dev_open(O_RDWR), result;

	result = run_as(who->become, as_unprivileged, &fd);
	now = dev_snapshot(su.port);
	EXPECT_SAME(&before, &now, "the port changed");
	return result == TEST_PASS ? test_result() : result;
}

static int test_mode(const void *arg)
{
	struct stat st;

	(void)arg;
	ASSERT(!stat(su.path, &st), "stat: %s", err_name(errno));
	EXPECT(S_ISCHR(st.st_mode) && (st.st_mode & 0777) == 0644 &&
	       !st.st_uid, "mode %o, uid %d", st.st_mode, st.st_uid);
	return test_result();
}

static int test_read_only_file(const void *arg)
{
	int fd = dev_open(O_RDONLY);

	(void)arg;
	EXPECT_ERR(dev_set_policy(fd, su.port, EGPU_POLICY_AUTO), 0,
		   "PORT_CONFIG by root on a file opened for reading");
	return test_result();
}

static int receive_and_try(void *arg)
{
	int *sock = arg;
	int fd = recv_fd(sock[1]);

	ASSERT(fd >= 0, "no file came");
	expect_eperm(fd);
	expect_no_addresses(fd);
	return test_result();
}

static int test_passed_down(const void *arg)
{
	struct egpu_port_info before = dev_snapshot(su.port), now;
	int fd = dev_open(O_RDWR), sock[2], result;

	(void)arg;
	ASSERT(!socketpair(AF_UNIX, SOCK_STREAM, 0, sock), "socketpair");
	EXPECT_ERR(dev_set_policy(fd, su.port, EGPU_POLICY_AUTO), 0, "root");
	EXPECT_ERR(send_fd(sock[0], fd), 0, "SCM_RIGHTS");
	result = run_as(become_nobody, receive_and_try, sock);
	now = dev_snapshot(su.port);
	EXPECT_SAME(&before, &now, "the port changed");
	return result == TEST_PASS ? test_result() : result;
}

static int open_and_send(void *arg)
{
	int fd = dev_open(O_RDONLY);

	ASSERT(fd >= 0, "cannot open: %s", err_name(errno));
	EXPECT_ERR(send_fd(((int *)arg)[1], fd), 0, "SCM_RIGHTS");
	return test_result();
}

static int test_passed_up(const void *arg)
{
	struct egpu_detach look = {
		.size = sizeof(look), .port = su.port,
		.flags = EGPU_DETACH_CHECK,
	};
	struct egpu_port_info info;
	int sock[2], result, fd;

	(void)arg;
	ASSERT(!socketpair(AF_UNIX, SOCK_STREAM, 0, sock), "socketpair");
	result = run_as(become_nobody, open_and_send, sock);
	ASSERT(result == TEST_PASS, "the sender failed");
	fd = recv_fd(sock[0]);
	ASSERT(fd >= 0, "no file came");
	EXPECT_ERR(dev_set_policy(fd, su.port, EGPU_POLICY_AUTO), 0,
		   "PORT_CONFIG by root on nobody's file");
	/* Whatever it answers, somebody has looked for users then. */
	dev_call(fd, EGPU_IOC_DETACH, &look);
	EXPECT_ERR(dev_info(fd, su.port, &info), 0, "PORT_INFO");
	EXPECT(info.nr_users >= 0, "root sees %d users", info.nr_users);
	return test_result();
}

/* --- what USER_LIST shows to whom --- */

static uint32_t list_users(int fd, struct egpu_user *users, uint32_t room,
			   uint32_t *hidden)
{
	struct egpu_user_list list = {
		.size = sizeof(list), .port = su.port, .count = room,
		.element_size = sizeof(*users), .users = (uintptr_t)users,
	};

	EXPECT_ERR(dev_call(fd, EGPU_IOC_USER_LIST, &list), 0, "USER_LIST");
	*hidden = list.hidden;
	return list.count;
}

static int see_only_own(void *arg)
{
	int fd = dev_open(O_RDONLY), held;
	struct egpu_user users[8];
	uint32_t hidden, n;

	(void)arg;
	n = list_users(fd, users, ARRAY_SIZE(users), &hidden);
	EXPECT(!n && hidden == 1, "%u users, hidden %u", n, hidden);
	held = open(su.node, O_RDWR | O_NONBLOCK);
	if (held < 0)
		return test_skip("nobody cannot open the node");
	n = list_users(fd, users, ARRAY_SIZE(users), &hidden);
	EXPECT(n == 1 && hidden == 1, "%u users, hidden %u", n, hidden);
	EXPECT(users[0].pid == (uint32_t)getpid() && users[0].uid == NOBODY,
	       "pid %u uid %u", users[0].pid, users[0].uid);
	return test_result();
}

static int hold_for_ever(void *arg)
{
	int held = open(su.node, O_RDWR | O_NONBLOCK);
	int *ready = arg;

	if (write(ready[1], held < 0 ? "n" : "y", 1) == 1)
		pause();
	return TEST_FAIL;
}

static int test_hidden_users(const void *arg)
{
	int ready[2], result, status;
	char byte = 0;
	pid_t pid;

	(void)arg;
	ASSERT(!pipe(ready), "pipe");
	pid = fork();
	if (!pid)
		_exit(hold_for_ever(ready));
	ASSERT(read(ready[0], &byte, 1) == 1 && byte == 'y',
	       "the other process cannot open %s", su.node);
	result = run_as(become_nobody, see_only_own, NULL);
	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
	return result;
}

/* A process with nothing else open; its pid. */
static pid_t hold_only(const char *path)
{
	int ready[2];
	char byte;
	pid_t pid;

	if (pipe(ready))
		return -1;
	pid = fork();
	if (!pid) {
		dup2(ready[1], 3);
		close_range(4, ~0U, 0);
		byte = open(path, O_RDONLY | O_NOCTTY) < 0 ? 'n' : 'y';
		if (write(3, &byte, 1) == 1)
			pause();
		_exit(1);
	}
	if (read(ready[0], &byte, 1) != 1 || byte != 'y') {
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
		pid = -1;
	}
	close(ready[0]);
	close(ready[1]);
	return pid;
}

/* How many such files the process has open, as far as the caller may know. */
static uint32_t suspected(int fd, pid_t pid)
{
	struct egpu_user users[128];
	struct egpu_user_list list = {
		.size = sizeof(list), .flags = EGPU_USER_LIST_SUSPECTS,
		.count = ARRAY_SIZE(users), .element_size = sizeof(*users),
		.users = (uintptr_t)users,
	};
	uint32_t i;

	EXPECT_ERR(dev_call(fd, EGPU_IOC_USER_LIST, &list), 0, "SUSPECTS");
	EXPECT(list.count <= ARRAY_SIZE(users), "%u suspects", list.count);
	for (i = 0; i < list.count && i < ARRAY_SIZE(users); i++)
		if (users[i].pid == (uint32_t)pid)
			return users[i].opens;
	return 0;
}

static int suspects_as_nobody(void *arg)
{
	int fd = dev_open(O_RDONLY);

	EXPECT(!suspected(fd, *(pid_t *)arg), "nobody sees root's process");
	EXPECT(suspected(fd, getpid()), "nobody does not see itself");
	return test_result();
}

static int test_suspects(const void *arg)
{
	static const struct {
		const char *path;
		bool suspect;
	} files[] = {
		{ "/dev/null", false }, { "/dev/ptmx", false },
		{ "/proc/self/maps", false }, { "/sys", false },
		{ "/dev/egpu", true }, { "/sys/kernel/uevent_seqnum", true },
	};
	int fd = dev_open(O_RDONLY), result = TEST_PASS;
	unsigned int i;
	pid_t pid;

	(void)arg;
	for (i = 0; i < ARRAY_SIZE(files); i++) {
		pid = hold_only(files[i].path);
		ASSERT(pid > 0, "nobody can open %s", files[i].path);
		EXPECT(suspected(fd, pid) == files[i].suspect, "%s: not %d",
		       files[i].path, files[i].suspect);
		if (files[i].suspect && !result)
			result = run_as(become_nobody, suspects_as_nobody, &pid);
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
	}
	return result ? result : test_result();
}

static int in_pid_namespace(void *arg)
{
	int fd = dev_open(O_RDONLY), held = open(su.node, O_RDWR | O_NONBLOCK);
	uint32_t hidden, n, i, mine = 0, foreign = 0;
	struct egpu_user users[32];

	(void)arg;
	EXPECT(getpid() == 1, "pid %d", getpid());
	EXPECT(held >= 0, "cannot open: %s", err_name(errno));
	n = list_users(fd, users, ARRAY_SIZE(users), &hidden);
	for (i = 0; i < n && i < ARRAY_SIZE(users); i++) {
		mine += users[i].pid == 1;
		foreign += users[i].pid == 0;
	}
	EXPECT(mine == 1, "this process is listed %u times", mine);
	EXPECT(foreign >= 1, "the one outside is not listed with pid 0");
	return test_result();
}

static int enter_pid_namespace(void)
{
	return unshare(CLONE_NEWPID) ? errno : 0;
}

static int fork_in_namespace(void *arg)
{
	return run_as(NULL, in_pid_namespace, arg);
}

static int test_pid_namespace(const void *arg)
{
	int held = open(su.node, O_RDWR | O_NONBLOCK | O_CLOEXEC);

	(void)arg;
	ASSERT(held >= 0, "cannot open %s: %s", su.node, err_name(errno));
	return run_as(enter_pid_namespace, fork_in_namespace, NULL);
}

void privilege_tests(void)
{
	static char names[ARRAY_SIZE(whos)][64];
	unsigned int i;

	test_add("privilege", "the node is 0644 and root's",
		 "anyone can look", 0, test_mode, NULL);
	for (i = 0; i < ARRAY_SIZE(whos); i++) {
		snprintf(names[i], sizeof(names[i]), "%s can look, not touch",
			 whos[i].name);
		test_add("privilege", names[i],
			 "EPERM before any look at the arguments, no address, no count of users, also through root's file",
			 0, test_who, &whos[i]);
	}
	test_add("privilege", "root may act on a file opened for reading",
		 "privilege is the caller's, not the file's", 0,
		 test_read_only_file, NULL);
	test_add("privilege", "root's file passed to nobody gives no privilege",
		 "privilege is asked for at each call", 0, test_passed_down,
		 NULL);
	test_add("privilege", "nobody's file passed to root does not take any",
		 "privilege is asked for at each call", 0, test_passed_up,
		 NULL);
	test_add("privilege", "USER_LIST hides other users' processes",
		 "who lacks privilege sees the processes of its own user id",
		 NEED_NODE, test_hidden_users, NULL);
	test_add("privilege", "USER_LIST names suspects",
		 "who has a file of sysfs or a device open that is neither memory nor a terminal; of other users' to root only",
		 0, test_suspects, NULL);
	test_add("privilege", "USER_LIST translates pids",
		 "a pid is one of the caller's pid namespace, or 0", NEED_NODE,
		 test_pid_namespace, NULL);
}
