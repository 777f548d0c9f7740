/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The uapi suite: raw ioctls on /dev/egpu, without libegpu in between.
 *
 * Each test is a function that runs in a process of its own, so that it may
 * drop privileges, be killed by a signal or leave files open; what it returns
 * to main is its exit status. EXPECT() notes a failure and goes on, ASSERT()
 * ends the test.
 */
#ifndef UAPI_TEST_H
#define UAPI_TEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <linux/egpu.h>

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))
#define NOBODY		65534
#define NO_PORT		0xfffffff0U	/* no module lives that long */

enum { TEST_PASS = 0, TEST_FAIL = 1, TEST_SKIP = 4 };

/* What a test needs; without it the test is skipped. */
#define NEED_GPU	(1U << 0)	/* the port is READY */
#define NEED_NODE	(1U << 1)	/* ... and its GPU has a device node */
#define NEED_SECOND	(1U << 2)	/* a second port, untracked */

/**
 * struct setup - what main() found, the same for all tests
 * @path: of the device node
 * @address: of the port, "0000:00:02.0"
 * @domain: taken apart from @address
 * @bus: likewise
 * @devfn: likewise
 * @port: its id
 * @second: id of another port that is not tracked, or 0
 * @gpu: the port is READY
 * @node: a device node that belongs to a GPU below the port, in a folder of
 *	ours, or empty
 * @query: the module's answer
 */
struct setup {
	const char *path;
	const char *address;
	uint32_t domain;
	uint8_t bus;
	uint8_t devfn;
	uint32_t port;
	uint32_t second;
	bool gpu;
	char node[64];
	struct egpu_query query;
};

extern struct setup su;

/* What a field of an ioctl's struct is. */
enum field_kind {
	FIELD_SIZE,
	FIELD_IN,
	FIELD_IN_OUT,
	FIELD_OUT,
	FIELD_FLAGS,	/* unknown bits are refused */
	FIELD_ZERO,	/* must be 0 */
	FIELD_ADDRESS,
};

/**
 * struct field - one field of an ioctl's struct
 * @name: as in the header
 * @offset: in bytes
 * @length: in bytes
 * @kind: see enum field_kind
 * @known: FIELD_FLAGS: the bits that exist
 */
struct field {
	const char *name;
	unsigned int offset;
	unsigned int length;
	enum field_kind kind;
	uint64_t known;
};

/**
 * struct ioctl_info - what the generic tests have to know of one ioctl
 * @name: for people
 * @cmd: EGPU_IOC_*
 * @size: sizeof() its struct
 * @abi1_size: what that was when the interface was published; it never shrinks
 * @must: end of the fields without which the call makes no sense: shorter is
 *	EINVAL
 * @enough: end of the last field that the call may demand: from here on
 *	every size is taken
 * @mutates: needs CAP_SYS_ADMIN
 * @any_port: port 0 is allowed and means all
 * @port_offset: where the port's id is, or 0
 * @fill: writes arguments that are right and change nothing
 * @fields: all of them, in order
 * @nr_fields: how many
 */
struct ioctl_info {
	const char *name;
	unsigned int cmd;
	unsigned int size;
	unsigned int abi1_size;
	unsigned int must;
	unsigned int enough;
	bool mutates;
	bool any_port;
	unsigned int port_offset;
	/* Return: what a privileged caller gets, 0 or an errno. */
	int (*fill)(void *arg);
	const struct field *fields;
	unsigned int nr_fields;
};

/* The largest struct and some room behind it. */
#define MAX_ARG		1024

extern const struct ioctl_info ioctl_table[];
extern const unsigned int nr_ioctls;

typedef int (*test_fn)(const void *arg);

void test_add(const char *group, const char *name, const char *proves,
	      unsigned int needs, test_fn fn, const void *arg);
/* One test for each ioctl; "%s" in the name becomes its name. */
void test_add_each(const char *group, const char *name, const char *proves,
		   test_fn fn, bool (*wanted)(const struct ioctl_info *info));

/* The groups of tests. */
void layout_tests(void);
void args_tests(void);
void array_tests(void);
void value_tests(void);
void privilege_tests(void);
void event_tests(void);
void queue_tests(void);
void fuzz_tests(void);

void test_fail(const char *file, int line, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
int test_result(void);
int test_skip(const char *why);

#define EXPECT(cond, ...) do {						\
	if (!(cond))							\
		test_fail(__FILE__, __LINE__, __VA_ARGS__);		\
} while (0)

#define ASSERT(cond, ...) do {						\
	if (!(cond)) {							\
		test_fail(__FILE__, __LINE__, __VA_ARGS__);		\
		return TEST_FAIL;					\
	}								\
} while (0)

/* For values that have a name for people: got, wanted. */
#define EXPECT_ERR(got, want, ...) do {					\
	int got_ = (got), want_ = (want);				\
									\
	if (got_ != want_) {						\
		test_fail(__FILE__, __LINE__, __VA_ARGS__);		\
		printf("#   got %s, wanted %s\n", err_name(got_),	\
		       err_name(want_));				\
	}								\
} while (0)

#define EXPECT_SAME(before, now, ...)					\
	EXPECT(snapshot_same(before, now), __VA_ARGS__)

const char *err_name(int err);

/* device.c: shorthands around the ioctls. Return: 0 or an errno. */
int dev_open(int flags);
int dev_call(int fd, unsigned int cmd, void *arg);
int dev_info(int fd, uint32_t port, struct egpu_port_info *info);
/* PORT_INFO without what changes by being looked at. */
struct egpu_port_info dev_snapshot(uint32_t port);
/* Says what differs. */
bool snapshot_same(const struct egpu_port_info *before,
		   const struct egpu_port_info *now);
int dev_set_policy(int fd, uint32_t port, uint32_t policy);
/* The time in which losses are counted; none are, so it is free to change. */
int dev_set_window(int fd, uint32_t port, uint32_t ms);
int dev_track(int fd, uint32_t flag, uint32_t port);
int dev_subscribe(int fd, uint64_t mask, uint32_t port, uint64_t *seq);
/* Waits until no transaction runs on the port; false after ten seconds. */
bool dev_settle(int fd, uint32_t port);
/* Back to what main() found: tracked, policy auto, READY where it was. */
bool dev_restore(void);

#define EVENT_BIT(type)	(1ULL << EGPU_EVENT_##type)
#define EVENT_ALL	((1ULL << EGPU_EVENT_COUNT) - 1)

/**
 * guard_alloc() - memory that ends where no memory is
 * @size: bytes
 *
 * Return: an address of @size bytes, the byte behind them faults.
 */
void *guard_alloc(size_t size);
void guard_free(void *p, size_t size);
/* An address in no mapping. */
void *bad_address(void);

/* Run fn in a child after changing who it is. Return: its exit status. */
int run_as(int (*become)(void), int (*fn)(void *), void *arg);
int become_nobody(void);
int become_capless(void);
int become_userns_root(void);
int send_fd(int sock, int fd);
int recv_fd(int sock);

#endif
