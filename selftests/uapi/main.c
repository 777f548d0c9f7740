// SPDX-License-Identifier: GPL-2.0
/*
 * The uapi suite's frame: options, the list of tests, KTAP.
 *
 * uapi [-d NODE] [-t GROUP] [-n SEED] [-s SECONDS] PORT-ADDRESS
 */
#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <unistd.h>

#include "uapi.h"
#include "fuzz.h"

#define MAX_TESTS	256
#define TEST_SECONDS	20	/* times VM_SLOW */

struct test {
	const char *group;
	char name[160];
	const char *proves;
	unsigned int needs;
	test_fn fn;
	const void *arg;
};

struct setup su = { .path = EGPU_DEVICE_PATH };

static struct test tests[MAX_TESTS];
static unsigned int nr_tests;
static unsigned int failures;

void test_add(const char *group, const char *name, const char *proves,
	      unsigned int needs, test_fn fn, const void *arg)
{
	struct test *t = &tests[nr_tests];

	if (nr_tests++ == MAX_TESTS) {
		fprintf(stderr, "uapi: MAX_TESTS is too small\n");
		exit(2);
	}
	t->group = group;
	snprintf(t->name, sizeof(t->name), "%s", name);
	t->proves = proves;
	t->needs = needs;
	t->fn = fn;
	t->arg = arg;
}

void test_add_each(const char *group, const char *name, const char *proves,
		   test_fn fn, bool (*wanted)(const struct ioctl_info *info))
{
	char full[160];
	unsigned int i;

	for (i = 0; i < nr_ioctls; i++) {
		if (wanted && !wanted(&ioctl_table[i]))
			continue;
		snprintf(full, sizeof(full), "%s %s", ioctl_table[i].name,
			 name);
		test_add(group, full, proves, 0, fn, &ioctl_table[i]);
	}
}

void test_fail(const char *file, int line, const char *fmt, ...)
{
	va_list ap;

	if (++failures > 12)
		return;
	printf("# %s:%d: ", file, line);
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	printf("\n");
	fflush(stdout);
}

int test_result(void)
{
	return failures ? TEST_FAIL : TEST_PASS;
}

int test_skip(const char *why)
{
	printf("# %s\n", why);
	return failures ? TEST_FAIL : TEST_SKIP;
}

static const char *missing(unsigned int needs)
{
	if ((needs & NEED_GPU) && !su.gpu)
		return "no GPU is READY below the port";
	if ((needs & NEED_NODE) && !su.node[0])
		return "no device node belongs to the GPU";
	if ((needs & NEED_SECOND) && !su.second)
		return "there is no second port that is not tracked";
	return NULL;
}

static int test_run(const struct test *t)
{
	const char *slow = getenv("VM_SLOW");
	int status;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (pid < 0)
		return TEST_FAIL;
	if (!pid) {
		setpgid(0, 0);
		alarm(TEST_SECONDS * (slow ? atoi(slow) : 1));
		status = t->fn(t->arg);
		fflush(stdout);
		_exit(status);
	}
	if (waitpid(pid, &status, 0) != pid)
		return TEST_FAIL;
	kill(-pid, SIGKILL);		/* what it may have left behind */
	if (WIFSIGNALED(status)) {
		printf("# ended by signal %d (%s)\n", WTERMSIG(status),
		       WTERMSIG(status) == SIGALRM ? "it hung" :
		       strsignal(WTERMSIG(status)));
		return TEST_FAIL;
	}
	return WEXITSTATUS(status);
}

static bool tests_run(const char *only)
{
	unsigned int i, n = 0, bad = 0, wanted = 0;
	const char *why;
	int result;

	for (i = 0; i < nr_tests; i++)
		wanted += !only || !strcmp(only, tests[i].group);
	printf("KTAP version 1\n1..%u\n", wanted);
	for (i = 0; i < nr_tests; i++) {
		if (only && strcmp(only, tests[i].group))
			continue;
		n++;
		why = missing(tests[i].needs);
		if (why) {
			printf("ok %u - %s: %s # SKIP %s\n", n, tests[i].group,
			       tests[i].name, why);
			continue;
		}
		printf("# proves: %s\n", tests[i].proves);
		result = test_run(&tests[i]);
		bad += result != TEST_PASS && result != TEST_SKIP;
		printf("%s %u - %s: %s%s\n",
		       result == TEST_PASS || result == TEST_SKIP ?
		       "ok" : "not ok", n, tests[i].group, tests[i].name,
		       result == TEST_SKIP ? " # SKIP see above" : "");
		fflush(stdout);
	}
	return !bad;
}

/* The first "dev" file in a device's subtree makes a node of ours. */
static bool find_node(const char *dir, unsigned int depth)
{
	char path[PATH_MAX], text[32];
	unsigned int major, minor;
	struct dirent *entry;
	bool found = false;
	ssize_t n;
	int fd;
	DIR *d;

	snprintf(path, sizeof(path), "%s/dev", dir);
	fd = open(path, O_RDONLY);
	if (fd >= 0) {
		n = read(fd, text, sizeof(text) - 1);
		close(fd);
		text[n > 0 ? n : 0] = 0;
		if (sscanf(text, "%u:%u", &major, &minor) == 2) {
			snprintf(su.node, sizeof(su.node), "/tmp/uapi-node.%d",
				 getpid());
			return !mknod(su.node, S_IFCHR | 0666,
				      makedev(major, minor)) &&
			       !chmod(su.node, 0666);
		}
	}
	d = depth ? opendir(dir) : NULL;
	while (d && !found && (entry = readdir(d))) {
		if (entry->d_name[0] == '.' || entry->d_type != DT_DIR)
			continue;
		if (snprintf(path, sizeof(path), "%s/%s", dir,
			     entry->d_name) < (int)sizeof(path))
			found = find_node(path, depth - 1);
	}
	if (d)
		closedir(d);
	return found;
}

static void setup_node(int fd)
{
	struct egpu_function fn[16];
	struct egpu_function_list list = {
		.size = sizeof(list), .port = su.port,
		.count = ARRAY_SIZE(fn), .element_size = sizeof(fn[0]),
		.functions = (uintptr_t)fn,
	};
	char dir[PATH_MAX];
	unsigned int i;

	if (dev_call(fd, EGPU_IOC_FUNCTION_LIST, &list))
		return;
	for (i = 0; i < list.count && i < ARRAY_SIZE(fn); i++) {
		snprintf(dir, sizeof(dir),
			 "/sys/bus/pci/devices/%04x:%02x:%02x.%x",
			 fn[i].domain, fn[i].bus, fn[i].devfn >> 3,
			 fn[i].devfn & 7);
		if (find_node(dir, 3))
			return;
	}
	su.node[0] = 0;
}

static void setup_second(int fd)
{
	struct egpu_port_info info;
	uint32_t ids[64];
	struct egpu_port_list list = {
		.size = sizeof(list), .flags = EGPU_PORT_LIST_ALL,
		.count = ARRAY_SIZE(ids), .ids = (uintptr_t)ids,
	};
	unsigned int i;

	if (dev_call(fd, EGPU_IOC_PORT_LIST, &list))
		return;
	for (i = 0; i < list.count && i < ARRAY_SIZE(ids); i++) {
		if (ids[i] == su.port || dev_info(fd, ids[i], &info))
			continue;
		if (info.state == EGPU_STATE_UNTRACKED && !info.nr_functions)
			su.second = ids[i];
	}
}

/* A port that was tracked just now is still to be scanned, and says EMPTY. */
static void await_scan(int fd)
{
	struct egpu_port_info info;
	unsigned int looks;

	for (looks = 0; looks < 200; looks++) {
		if (dev_info(fd, su.port, &info) || info.nr_functions)
			return;
		usleep(10000);
	}
}

static int setup_port(int fd)
{
	struct egpu_port_config config = {
		.size = sizeof(config),
		.flags = EGPU_CONFIG_TRACK | EGPU_CONFIG_BY_ADDRESS |
			 EGPU_CONFIG_POLICY,
		.policy = EGPU_POLICY_AUTO,
	};
	unsigned int bus, dev, fn;
	struct egpu_port_info info;
	int err;

	if (sscanf(su.address, "%x:%x:%x.%x", &su.domain, &bus, &dev, &fn) != 4)
		return EINVAL;
	su.bus = bus;
	su.devfn = dev << 3 | fn;
	config.domain = su.domain;
	config.bus = su.bus;
	config.devfn = su.devfn;
	err = dev_call(fd, EGPU_IOC_PORT_CONFIG, &config);
	if (err)
		return err;
	su.port = config.port;
	await_scan(fd);
	dev_settle(fd, su.port);
	err = dev_info(fd, su.port, &info);
	su.gpu = !err && info.state == EGPU_STATE_READY;
	return err;
}

static int setup(void)
{
	int fd, err;

	fd = dev_open(O_RDWR);
	if (fd < 0) {
		printf("Bail out! cannot open %s: %s\n", su.path,
		       strerror(errno));
		return 1;
	}
	su.query.size = sizeof(su.query);
	err = dev_call(fd, EGPU_IOC_QUERY, &su.query);
	if (!err)
		err = setup_port(fd);
	if (err) {
		printf("Bail out! port %s: %s\n", su.address, strerror(err));
		return 1;
	}
	setup_second(fd);
	if (su.gpu)
		setup_node(fd);
	printf("# %u-bit, port %s has id %u, %s, second port %u, node %s\n",
	       (unsigned int)(8 * sizeof(long)), su.address, su.port,
	       su.gpu ? "READY" : "no GPU", su.second,
	       su.node[0] ? su.node : "none");
	close(fd);
	return 0;
}

static void usage(void)
{
	fprintf(stderr,
		"usage: uapi [-d NODE] [-t GROUP] [-n SEED] [-s SECONDS] PORT-ADDRESS\n");
	exit(2);
}

int main(int argc, char **argv)
{
	const char *only = NULL;
	bool good;
	int c;

	setvbuf(stdout, NULL, _IOLBF, 0);
	while ((c = getopt(argc, argv, "d:t:n:s:")) != -1) {
		switch (c) {
		case 'd':
			su.path = optarg;
			break;
		case 't':
			only = optarg;
			break;
		case 'n':
			fuzz_seed = strtoul(optarg, NULL, 0);
			break;
		case 's':
			fuzz_seconds = strtoul(optarg, NULL, 0);
			break;
		default:
			usage();
		}
	}
	if (optind != argc - 1)
		usage();
	su.address = argv[optind];
	if (setup())
		return 1;
	layout_tests();
	args_tests();
	array_tests();
	value_tests();
	privilege_tests();
	event_tests();
	queue_tests();
	fuzz_tests();
	good = tests_run(only);
	if (su.node[0])
		unlink(su.node);
	return !good;
}
