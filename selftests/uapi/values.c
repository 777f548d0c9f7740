// SPDX-License-Identifier: GPL-2.0
/*
 * Values that only one ioctl knows, and what must not happen when one of
 * several is wrong.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "uapi.h"

struct config_case {
	const char *what;
	struct egpu_port_config c;
	int want;
};

static const struct config_case config_cases[] = {
	{ "no flag", { .flags = 0 }, EINVAL },
	{ "BY_ADDRESS alone", { .flags = EGPU_CONFIG_BY_ADDRESS }, EINVAL },
	{ "TRACK and FORGET",
	  { .flags = EGPU_CONFIG_TRACK | EGPU_CONFIG_FORGET }, EINVAL },
	{ "policy 2", { .flags = EGPU_CONFIG_POLICY, .policy = 2 }, EINVAL },
	{ "policy ~0",
	  { .flags = EGPU_CONFIG_POLICY, .policy = 0xffffffff }, EINVAL },
	{ "policy without its flag",
	  { .flags = EGPU_CONFIG_TRACK, .policy = 1 }, EINVAL },
	{ "losses without their flag",
	  { .flags = EGPU_CONFIG_TRACK, .quarantine_losses = 1 }, EINVAL },
	{ "window without its flag",
	  { .flags = EGPU_CONFIG_TRACK, .quarantine_window_ms = 1 }, EINVAL },
	{ "~0 losses",
	  { .flags = EGPU_CONFIG_QUARANTINE, .quarantine_losses = 0xffffffff,
	    .quarantine_window_ms = 1000 }, EINVAL },
	{ "window too long",
	  { .flags = EGPU_CONFIG_QUARANTINE, .quarantine_losses = 2,
	    .quarantine_window_ms = EGPU_QUARANTINE_WINDOW_MAX + 1 }, EINVAL },
	{ "a good policy, a bad window",
	  { .flags = EGPU_CONFIG_POLICY | EGPU_CONFIG_QUARANTINE,
	    .policy = EGPU_POLICY_MANUAL, .quarantine_losses = 2,
	    .quarantine_window_ms = 0xffffffff }, EINVAL },
	{ "a good quarantine, a bad policy",
	  { .flags = EGPU_CONFIG_POLICY | EGPU_CONFIG_QUARANTINE,
	    .policy = 7, .quarantine_losses = 3,
	    .quarantine_window_ms = 1000 }, EINVAL },
	{ "domain without BY_ADDRESS",
	  { .flags = EGPU_CONFIG_TRACK, .domain = 1 }, EINVAL },
	{ "bus without BY_ADDRESS",
	  { .flags = EGPU_CONFIG_TRACK, .bus = 1 }, EINVAL },
	{ "devfn without BY_ADDRESS",
	  { .flags = EGPU_CONFIG_TRACK, .devfn = 8 }, EINVAL },
	{ "an address where nothing is",
	  { .flags = EGPU_CONFIG_TRACK | EGPU_CONFIG_BY_ADDRESS,
	    .domain = 0xffff, .bus = 0xee, .devfn = 0xff }, ENOENT },
	{ "the address of the host bridge",
	  { .flags = EGPU_CONFIG_TRACK | EGPU_CONFIG_BY_ADDRESS }, ENOENT },
};

struct manage_case {
	const char *what;
	struct egpu_function_manage m;
};

static const struct manage_case manage_cases[] = {
	{ "neither TAKE nor RETURN", { .dma_bits = 64 } },
	{ "TAKE and RETURN",
	  { .flags = EGPU_MANAGE_TAKE | EGPU_MANAGE_RETURN, .dma_bits = 64 } },
	{ "TAKE without a width", { .flags = EGPU_MANAGE_TAKE } },
	{ "23 bits",
	  { .flags = EGPU_MANAGE_TAKE, .dma_bits = EGPU_DMA_BITS_MIN - 1 } },
	{ "65 bits",
	  { .flags = EGPU_MANAGE_TAKE, .dma_bits = EGPU_DMA_BITS_MAX + 1 } },
	{ "~0 bits", { .flags = EGPU_MANAGE_TAKE, .dma_bits = 0xffffffff } },
	{ "RETURN with a width",
	  { .flags = EGPU_MANAGE_RETURN, .dma_bits = 64 } },
};

static int test_manage(const void *arg)
{
	int fd = dev_open(O_RDWR);
	unsigned int i;

	(void)arg;
	for (i = 0; i < ARRAY_SIZE(manage_cases); i++) {
		struct egpu_function_manage m = manage_cases[i].m;

		m.size = sizeof(m);
		EXPECT_ERR(dev_call(fd, EGPU_IOC_FUNCTION_MANAGE, &m), EINVAL,
			   "%s", manage_cases[i].what);
	}
	return test_result();
}

/* Whatever the address, none of them is a function below a tracked port. */
static int test_manage_where(const void *arg)
{
	struct egpu_function_manage m = {
		.flags = EGPU_MANAGE_TAKE, .dma_bits = 64,
	};
	int fd = dev_open(O_RDWR);

	(void)arg;
	m.size = sizeof(m);
	EXPECT_ERR(dev_call(fd, EGPU_IOC_FUNCTION_MANAGE, &m), ENOENT,
		   "the host bridge");
	m.domain = su.domain;
	m.bus = su.bus;
	m.devfn = su.devfn;
	EXPECT_ERR(dev_call(fd, EGPU_IOC_FUNCTION_MANAGE, &m), ENOENT,
		   "the tracked port itself");
	m.domain = 0xffffffff;
	EXPECT_ERR(dev_call(fd, EGPU_IOC_FUNCTION_MANAGE, &m), ENOENT,
		   "a domain that nobody has");
	return test_result();
}

static int test_config(const void *arg)
{
	struct egpu_port_info before = dev_snapshot(su.port), now;
	int fd = dev_open(O_RDWR);
	struct egpu_port_config c;
	unsigned int i;

	(void)arg;
	for (i = 0; i < ARRAY_SIZE(config_cases); i++) {
		c = config_cases[i].c;
		c.size = sizeof(c);
		c.port = su.port;
		EXPECT_ERR(dev_call(fd, EGPU_IOC_PORT_CONFIG, &c),
			   config_cases[i].want, "%s", config_cases[i].what);
		now = dev_snapshot(su.port);
		EXPECT_SAME(&before, &now, "%s changed the port",
			    config_cases[i].what);
	}
	dev_restore();
	return test_result();
}

static int test_config_by_address(const void *arg)
{
	struct egpu_port_config c = {
		.size = sizeof(c), .port = 0xffffffff, .domain = su.domain,
		.bus = su.bus, .devfn = su.devfn, .policy = EGPU_POLICY_AUTO,
		.flags = EGPU_CONFIG_BY_ADDRESS | EGPU_CONFIG_POLICY,
	};
	int fd = dev_open(O_RDWR);

	(void)arg;
	EXPECT_ERR(dev_call(fd, EGPU_IOC_PORT_CONFIG, &c), 0, "by address");
	EXPECT(c.port == su.port, "answered port %u, wanted %u", c.port,
	       su.port);
	EXPECT(c.domain == su.domain && c.bus == su.bus &&
	       c.devfn == su.devfn, "the address was changed");
	return test_result();
}

static int test_config_takes(const void *arg)
{
	struct egpu_port_config c = {
		.size = sizeof(c), .port = su.port,
		.flags = EGPU_CONFIG_POLICY | EGPU_CONFIG_QUARANTINE |
			 EGPU_CONFIG_QUARANTINE_RESET | EGPU_CONFIG_TRACK,
		.policy = EGPU_POLICY_MANUAL, .quarantine_losses = 7,
		.quarantine_window_ms = EGPU_QUARANTINE_WINDOW_MAX,
	};
	struct egpu_port_info info;
	int fd = dev_open(O_RDWR);
	uint32_t state;

	(void)arg;
	dev_info(fd, su.port, &info);
	state = info.state;
	EXPECT_ERR(dev_call(fd, EGPU_IOC_PORT_CONFIG, &c), 0, "all at once");
	dev_info(fd, su.port, &info);
	EXPECT(info.policy == EGPU_POLICY_MANUAL, "policy %u", info.policy);
	EXPECT(info.quarantine_losses == 7 && info.quarantine_window_ms ==
	       EGPU_QUARANTINE_WINDOW_MAX, "quarantine %u in %u",
	       info.quarantine_losses, info.quarantine_window_ms);
	EXPECT(info.state == state, "the state went from %u to %u", state,
	       info.state);
	EXPECT(dev_restore(), "the port did not come back");
	return test_result();
}

static uint32_t nr_adopted(int fd)
{
	struct egpu_function fn[16];
	struct egpu_function_list list = {
		.size = sizeof(list), .port = su.port,
		.count = ARRAY_SIZE(fn), .element_size = sizeof(fn[0]),
		.functions = (uintptr_t)fn,
	};
	uint32_t i, n = 0;

	dev_call(fd, EGPU_IOC_FUNCTION_LIST, &list);
	for (i = 0; i < list.count && i < ARRAY_SIZE(fn); i++)
		n += fn[i].flags & EGPU_FUNCTION_ADOPTED &&
		     fn[i].flags & EGPU_FUNCTION_BOUND && fn[i].driver[0];
	return n;
}

/* FORGET leaves a bound GPU bound; TRACK adopts it again under the same id. */
static int test_forget(const void *arg)
{
	struct egpu_attach attach = { .size = sizeof(attach), .port = su.port };
	struct egpu_detach detach = { .size = sizeof(detach), .port = su.port,
				      .flags = EGPU_DETACH_CHECK };
	struct egpu_port_info info;
	unsigned int i;
	int fd = dev_open(O_RDWR);

	(void)arg;
	EXPECT_ERR(dev_track(fd, EGPU_CONFIG_FORGET, su.port), 0, "FORGET");
	dev_settle(fd, su.port);
	EXPECT_ERR(dev_info(fd, su.port, &info), 0, "PORT_INFO");
	EXPECT(info.state == EGPU_STATE_UNTRACKED &&
	       !(info.flags & EGPU_PORT_TRACKED), "state %u flags %#x",
	       info.state, info.flags);
	EXPECT_ERR(dev_call(fd, EGPU_IOC_ATTACH, &attach), EOPNOTSUPP,
		   "ATTACH of an untracked port");
	EXPECT_ERR(dev_call(fd, EGPU_IOC_DETACH, &detach), EOPNOTSUPP,
		   "DETACH of an untracked port");
	EXPECT_ERR(dev_track(fd, EGPU_CONFIG_TRACK, su.port), 0, "TRACK");
	/* It is EMPTY until what is there was looked at. */
	for (i = 0; su.gpu && i < 500; i++) {
		if (dev_info(fd, su.port, &info) ||
		    info.state != EGPU_STATE_EMPTY)
			break;
		usleep(10000);
	}
	dev_settle(fd, su.port);
	EXPECT_ERR(dev_info(fd, su.port, &info), 0, "PORT_INFO");
	EXPECT(info.state == (su.gpu ? EGPU_STATE_READY : EGPU_STATE_EMPTY),
	       "state %u", info.state);
	EXPECT(!su.gpu || nr_adopted(fd), "no function was adopted");
	return test_result();
}

/* Before the port has been looked at, nobody knows that it is empty. */
static int test_track_safe(const void *arg)
{
	struct egpu_port_info info;
	int fd = dev_open(O_RDWR), i;

	(void)arg;
	for (i = 0; i < 20; i++) {
		dev_track(fd, EGPU_CONFIG_FORGET, su.port);
		dev_settle(fd, su.port);
		dev_track(fd, EGPU_CONFIG_TRACK, su.port);
		dev_info(fd, su.port, &info);
		EXPECT(!(info.flags & EGPU_PORT_SAFE_TO_UNPLUG),
		       "safe to unplug, says round %d in state %u, step %u", i,
		       info.state, info.step);
		EXPECT(dev_restore(), "round %d: the port did not come back",
		       i);
	}
	return test_result();
}

static int test_track_attach(const void *arg)
{
	struct egpu_attach attach = { .size = sizeof(attach), .port = su.port };
	struct egpu_port_info info;
	int fd = dev_open(O_RDWR), i;

	(void)arg;
	for (i = 0; i < 20; i++) {
		dev_track(fd, EGPU_CONFIG_FORGET, su.port);
		dev_settle(fd, su.port);
		dev_track(fd, EGPU_CONFIG_TRACK, su.port);
		EXPECT_ERR(dev_call(fd, EGPU_IOC_ATTACH, &attach), 0, "ATTACH");
		usleep(50000);
		dev_settle(fd, su.port);
		dev_info(fd, su.port, &info);
		EXPECT(info.state == EGPU_STATE_READY, "round %d: state %u", i,
		       info.state);
		EXPECT(dev_restore(), "round %d: the port did not come back",
		       i);
	}
	return test_result();
}

static int test_detach_values(const void *arg)
{
	struct egpu_port_info before = dev_snapshot(su.port), now;
	struct egpu_accepted users[EGPU_MAX_ACCEPTED + 1] = { 0 };
	int fd = dev_open(O_RDWR), b;
	struct egpu_detach d;

	(void)arg;
#define DETACH(want, what, ...) do {					\
	d = (struct egpu_detach){ .size = sizeof(d), .port = su.port,	\
				  __VA_ARGS__ };			\
	EXPECT_ERR(dev_call(fd, EGPU_IOC_DETACH, &d), want, what);	\
	EXPECT(!d.transaction, what " began transaction %u",		\
	       d.transaction);						\
} while (0)

	DETACH(EINVAL, "one accepted user too many",
	       .nr_accepted = EGPU_MAX_ACCEPTED + 1,
	       .accepted = (uintptr_t)users);
	DETACH(EINVAL, "~0 accepted users", .nr_accepted = 0xffffffff,
	       .accepted = (uintptr_t)users);
	DETACH(EFAULT, "accepted users at NULL", .nr_accepted = 1);
	DETACH(EFAULT, "accepted users nowhere", .nr_accepted = 1,
	       .accepted = (uintptr_t)bad_address());
	DETACH(EFAULT, "accepted users beyond user space", .nr_accepted = 1,
	       .accepted = ~0ULL << 40);
	DETACH(EFAULT, "accepted users half in memory", .nr_accepted = 2,
	       .accepted = (uintptr_t)guard_alloc(sizeof(users[0])));
	for (b = 0; b < 4; b++) {
		((char *)&users[3].reserved)[b] = 1;
		DETACH(EINVAL, "an accepted user's dirty reserved byte",
		       .nr_accepted = 4, .accepted = (uintptr_t)users);
		users[3].reserved = 0;
	}
	DETACH(su.gpu ? 0 : ENODEV, "a check that accepts the most users",
	       .flags = EGPU_DETACH_CHECK, .nr_accepted = EGPU_MAX_ACCEPTED,
	       .accepted = (uintptr_t)users);
	usleep(100000);
	now = dev_snapshot(su.port);
	EXPECT_SAME(&before, &now, "the port changed");
	dev_restore();
	return test_result();
}

static int test_detach_busy(const void *arg)
{
	struct egpu_port_info before = dev_snapshot(su.port), now;
	struct egpu_detach d = {
		.size = sizeof(d), .port = su.port, .flags = EGPU_DETACH_CHECK,
	};
	int fd = dev_open(O_RDWR), held = open(su.node, O_RDWR | O_NONBLOCK);

	(void)arg;
	ASSERT(held >= 0, "cannot open %s", su.node);
	EXPECT_ERR(dev_call(fd, EGPU_IOC_DETACH, &d), EBUSY, "a user is there");
	close(held);
	EXPECT_ERR(dev_call(fd, EGPU_IOC_DETACH, &d), 0, "no user is there");
	EXPECT(!d.transaction, "a check began transaction %u", d.transaction);
	now = dev_snapshot(su.port);
	EXPECT_SAME(&before, &now, "the port changed");
	return test_result();
}

/* A drain that is cancelled: ids, EBUSY, PORT_INFO, everything as before. */
static int test_drain_cancel(const void *arg)
{
	struct egpu_port_info before = dev_snapshot(su.port), now;
	struct egpu_detach d = {
		.size = sizeof(d), .port = su.port, .wait_ms = 20000,
	};
	struct egpu_attach a = { .size = sizeof(a), .port = su.port };
	struct egpu_cancel c = { .size = sizeof(c), .port = su.port };
	int fd = dev_open(O_RDWR), held = open(su.node, O_RDWR | O_NONBLOCK);
	uint32_t id;

	(void)arg;
	ASSERT(held >= 0, "cannot open %s", su.node);
	EXPECT_ERR(dev_call(fd, EGPU_IOC_DETACH, &d), 0, "DETACH");
	id = d.transaction;
	EXPECT(id, "no id");
	dev_info(fd, su.port, &now);
	EXPECT(now.transaction == id && now.transaction_kind ==
	       EGPU_TRANSACTION_DETACH, "PORT_INFO: transaction %u kind %u",
	       now.transaction, now.transaction_kind);
	EXPECT(now.deadline_ns, "no deadline");
	EXPECT_ERR(dev_call(fd, EGPU_IOC_DETACH, &d), EBUSY, "second DETACH");
	EXPECT_ERR(dev_call(fd, EGPU_IOC_ATTACH, &a), EBUSY, "ATTACH meanwhile");
	EXPECT_ERR(dev_track(fd, EGPU_CONFIG_FORGET, su.port), EBUSY,
		   "FORGET meanwhile");
	c.transaction = id + 1;
	EXPECT_ERR(dev_call(fd, EGPU_IOC_CANCEL, &c), ENOENT,
		   "CANCEL of another transaction");
	c.transaction = id;
	EXPECT_ERR(dev_call(fd, EGPU_IOC_CANCEL, &c), 0, "CANCEL");
	EXPECT(dev_settle(fd, su.port), "no end");
	EXPECT_ERR(dev_call(fd, EGPU_IOC_CANCEL, &c), ENOENT,
		   "CANCEL of what is over");
	dev_info(fd, su.port, &now);
	EXPECT(now.state == before.state && !now.transaction &&
	       now.generation == before.generation, "state %u", now.state);
	close(held);
	return test_result();
}

static int test_node_calls(const void *arg)
{
	int fd = dev_open(O_RDWR);
	char byte = 0;

	(void)arg;
	EXPECT(lseek(fd, 0, SEEK_SET) < 0 && errno == ESPIPE, "lseek: %s",
	       err_name(errno));
	EXPECT(lseek(fd, 0, SEEK_END) < 0 && errno == ESPIPE, "lseek: %s",
	       err_name(errno));
	EXPECT(pread(fd, &byte, 1, 0) < 0 && errno == ESPIPE, "pread: %s",
	       err_name(errno));
	EXPECT(write(fd, &byte, 1) < 0 && errno == EINVAL, "write: %s",
	       err_name(errno));
	return test_result();
}

void value_tests(void)
{
	test_add("values", "FUNCTION_MANAGE refuses what makes no sense",
		 "a width without a function to take, or none, is a mistake",
		 0, test_manage, NULL);
	test_add("values", "FUNCTION_MANAGE is for functions below tracked ports",
		 "no bridge and no stranger can be given to egpu",
		 0, test_manage_where, NULL);
	test_add("values", "PORT_CONFIG refuses what does not fit together",
		 "one wrong field leaves all others without effect", 0,
		 test_config, NULL);
	test_add("values", "PORT_CONFIG finds a port by its address",
		 "the id comes back, what stood there is ignored", 0,
		 test_config_by_address, NULL);
	test_add("values", "PORT_CONFIG sets several things at once",
		 "PORT_INFO tells what was set, a READY port stays READY", 0,
		 test_config_takes, NULL);
	test_add("values", "FORGET and TRACK leave what is bound bound",
		 "an untracked port takes no transaction; its id stays", 0,
		 test_forget, NULL);
	test_add("values", "TRACK never says that a port with a GPU is safe to unplug",
		 "a port that was not looked at yet is not taken for empty",
		 NEED_GPU, test_track_safe, NULL);
	test_add("values", "ATTACH right after TRACK finds the GPU",
		 "one job must not make another's result be forgotten",
		 NEED_GPU, test_track_attach, NULL);
	test_add("values", "DETACH refuses wrong lists of users",
		 "a list that cannot be read begins no transaction", 0,
		 test_detach_values, NULL);
	test_add("values", "DETACH_CHECK tells whether users are there",
		 "a check is EBUSY or 0 and changes nothing", NEED_NODE,
		 test_detach_busy, NULL);
	test_add("values", "a drain can be cancelled by its id only",
		 "one transaction at a time, ENOENT for others, back to READY",
		 NEED_NODE, test_drain_cancel, NULL);
	test_add("values", "lseek, pread and write are refused",
		 "the node is a stream to read", 0, test_node_calls, NULL);
}
