// SPDX-License-Identifier: GPL-2.0
/*
 * The four calls that fill arrays: count, element size, addresses.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "uapi.h"

#define CANARY	0xa5

/* FUNCTION_LIST, USER_LIST and LINK_INFO have the same shape. */
struct list_info {
	const char *name;
	unsigned int cmd;
	uint32_t element;
};

static const struct list_info function_list = {
	"FUNCTION_LIST", EGPU_IOC_FUNCTION_LIST, sizeof(struct egpu_function),
};

static const struct list_info user_list = {
	"USER_LIST", EGPU_IOC_USER_LIST, sizeof(struct egpu_user),
};

static const struct list_info link_info = {
	"LINK_INFO", EGPU_IOC_LINK_INFO, sizeof(struct egpu_hop),
};

_Static_assert(offsetof(struct egpu_function_list, count) ==
	       offsetof(struct egpu_user_list, count), "count");
_Static_assert(offsetof(struct egpu_function_list, count) ==
	       offsetof(struct egpu_link_info, count), "count");
_Static_assert(offsetof(struct egpu_function_list, element_size) ==
	       offsetof(struct egpu_link_info, element_size), "element_size");
_Static_assert(offsetof(struct egpu_function_list, functions) ==
	       offsetof(struct egpu_link_info, links), "address");
_Static_assert(offsetof(struct egpu_function_list, element_size) ==
	       offsetof(struct egpu_user_list, element_size), "element_size");
_Static_assert(offsetof(struct egpu_function_list, functions) ==
	       offsetof(struct egpu_user_list, users), "address");

static int call_list(const struct list_info *l, int fd, uint32_t *count,
		     uint32_t element_size, void *array)
{
	struct egpu_function_list list = {
		.size = sizeof(list), .port = su.port, .count = *count,
		.element_size = element_size, .functions = (uintptr_t)array,
	};
	int err = dev_call(fd, l->cmd, &list);

	if (err)
		EXPECT(list.count == *count, "%s failed and wrote count",
		       l->name);
	*count = list.count;
	return err;
}

/* So that USER_LIST has something to say: two processes. */
static int hold_node(void)
{
	int fd = su.node[0] ? open(su.node, O_RDWR | O_NONBLOCK) : -1;

	if (fd >= 0 && !fork())
		for (;;)
			pause();
	return fd;
}

static int test_port_ids(const void *arg)
{
	uint32_t ids[256], all[256];
	struct egpu_port_list list = { .size = sizeof(list) };
	struct egpu_port_info info;
	int fd = dev_open(O_RDONLY);
	unsigned int i, j, n;

	(void)arg;
	list.count = ARRAY_SIZE(all);
	list.flags = EGPU_PORT_LIST_ALL;
	list.ids = (uintptr_t)all;
	EXPECT_ERR(dev_call(fd, EGPU_IOC_PORT_LIST, &list), 0, "all");
	n = list.count;
	ASSERT(n && n <= ARRAY_SIZE(all), "%u ports", n);
	list.count = ARRAY_SIZE(ids);
	list.flags = 0;
	list.ids = (uintptr_t)ids;
	EXPECT_ERR(dev_call(fd, EGPU_IOC_PORT_LIST, &list), 0, "tracked");
	ASSERT(list.count && list.count <= n, "%u of %u tracked", list.count,
	       n);
	for (i = j = 0; i < n; i++) {
		EXPECT(all[i] && (!i || all[i] > all[i - 1]),
		       "ids are not in ascending order");
		EXPECT_ERR(dev_info(fd, all[i], &info), 0, "port %u", all[i]);
		EXPECT(info.port == all[i], "PORT_INFO answers for another");
		if (!(info.flags & EGPU_PORT_TRACKED))
			continue;
		EXPECT(j < list.count && ids[j] == all[i],
		       "port %u is tracked and not listed", all[i]);
		j++;
	}
	EXPECT(j == list.count, "%u listed, %u tracked", list.count, j);
	return test_result();
}

static int test_port_count(const void *arg)
{
	struct egpu_port_list list = {
		.size = sizeof(list), .flags = EGPU_PORT_LIST_ALL,
	};
	uint32_t real, room, *ids;
	int fd = dev_open(O_RDONLY);
	unsigned int i;

	(void)arg;
	EXPECT_ERR(dev_call(fd, EGPU_IOC_PORT_LIST, &list), 0, "count 0");
	real = list.count;
	ASSERT(real, "no ports");
	for (room = 0; room <= real + 8; room++) {
		ids = guard_alloc(room * sizeof(*ids) + 4);
		memset(ids, CANARY, room * sizeof(*ids) + 4);
		list.count = room;
		list.ids = (uintptr_t)ids;
		EXPECT_ERR(dev_call(fd, EGPU_IOC_PORT_LIST, &list), 0,
			   "count %u", room);
		EXPECT(list.count == real, "count %u: says %u, there are %u",
		       room, list.count, real);
		for (i = 0; i <= room; i++)
			EXPECT((ids[i] == 0xa5a5a5a5) ==
			       (i >= room || i >= real),
			       "count %u: element %u is %#x", room, i, ids[i]);
		guard_free(ids, room * sizeof(*ids) + 4);
	}
	return test_result();
}

static int test_port_addresses(const void *arg)
{
	struct egpu_port_list list = {
		.size = sizeof(list), .flags = EGPU_PORT_LIST_ALL,
	};
	uint32_t real, *ids;
	int fd = dev_open(O_RDONLY);

	(void)arg;
	list.ids = (uintptr_t)bad_address();
	EXPECT_ERR(dev_call(fd, EGPU_IOC_PORT_LIST, &list), 0,
		   "count 0 needs no address");
	real = list.count;
	EXPECT_ERR(dev_call(fd, EGPU_IOC_PORT_LIST, &list), EFAULT,
		   "unmapped");
	list.ids = 0;
	EXPECT_ERR(dev_call(fd, EGPU_IOC_PORT_LIST, &list), EFAULT, "NULL");
	list.ids = ~0ULL << 40;
	EXPECT_ERR(dev_call(fd, EGPU_IOC_PORT_LIST, &list), EFAULT,
		   "%#llx", ~0ULL << 40);
	/* Room for more than there are: only the real ones are written. */
	ids = guard_alloc(real * sizeof(*ids));
	list.ids = (uintptr_t)ids;
	list.count = 0xffffffff;
	EXPECT_ERR(dev_call(fd, EGPU_IOC_PORT_LIST, &list), 0, "count ~0");
	/* One less fits in memory than the count says. */
	list.ids = (uintptr_t)(ids + 1);
	list.count = real;
	EXPECT_ERR(dev_call(fd, EGPU_IOC_PORT_LIST, &list), EFAULT,
		   "last one outside");
	return test_result();
}

static int test_list_count(const void *arg)
{
	const struct list_info *l = arg;
	int fd = dev_open(O_RDWR), held = hold_node();
	uint32_t real = 0, again, room, n;
	size_t size;
	int tries;
	char *p;

	EXPECT_ERR(call_list(l, fd, &real, l->element, NULL), 0, "count 0");
	EXPECT(real || held < 0, "%s is empty", l->name);
	for (room = 0; room <= real + 3; room++) {
		size = (room + 1) * l->element;
		p = guard_alloc(size);
		/* Counted again: udev may open a node of the GPU's any time. */
		for (tries = 0; tries < 1000; tries++) {
			memset(p, CANARY, size);
			real = 0;
			again = 0;
			n = room;
			call_list(l, fd, &real, l->element, NULL);
			EXPECT_ERR(call_list(l, fd, &n, l->element, p), 0,
				   "count %u", room);
			call_list(l, fd, &again, l->element, NULL);
			if (real == again)
				break;
		}
		EXPECT(n == real, "count %u: says %u, there are %u", room, n,
		       real);
		n = room < real ? room : real;
		EXPECT((p[n * l->element] & 0xff) == CANARY,
		       "count %u: wrote element %u", room, n);
		EXPECT(!n || (p[(n - 1) * l->element] & 0xff) != CANARY ||
		       (p[(n - 1) * l->element + 1] & 0xff) != CANARY,
		       "count %u: did not write element %u", room, n - 1);
		guard_free(p, size);
	}
	return test_result();
}

/*
 * The first element in two sizes, taken when nothing changed in between: udev
 * may open a node of the GPU's at any time.
 */
static void expect_same_element(const struct list_info *l, int fd,
				uint32_t size)
{
	char whole[2][512], *p = guard_alloc(size);
	uint32_t n, i, tries, part = size < l->element ? size : l->element;

	for (tries = 0; tries < 50; tries++) {
		n = 1;
		EXPECT_ERR(call_list(l, fd, &n, l->element, whole[0]), 0,
			   "whole");
		memset(p, CANARY, size);
		n = 1;
		EXPECT_ERR(call_list(l, fd, &n, size, p), 0, "element_size %u",
			   size);
		n = 1;
		call_list(l, fd, &n, l->element, whole[1]);
		if (!memcmp(whole[0], whole[1], l->element))
			break;
	}
	EXPECT(!memcmp(p, whole[0], part), "element_size %u: differs", size);
	for (i = part; i < size; i++)
		EXPECT(!p[i], "element_size %u: byte %u is %#x", size, i,
		       p[i] & 0xff);
	guard_free(p, size);
}

/* Smaller elements are cut, larger ones filled up, the step is the caller's. */
static int test_list_element(const void *arg)
{
	const struct list_info *l = arg;
	int fd = dev_open(O_RDWR), held = hold_node();
	uint32_t size, real = 0;

	(void)held;
	EXPECT_ERR(call_list(l, fd, &real, l->element, NULL), 0, "count 0");
	if (!real)
		return test_skip("the list is empty");
	for (size = 8; size <= l->element + 40; size += 8)
		expect_same_element(l, fd, size);
	return test_result();
}

static int test_list_step(const void *arg)
{
	const struct list_info *l = arg;
	const uint32_t sizes[] = { 16, l->element, l->element + 24 };
	int fd = dev_open(O_RDWR), held = hold_node();
	uint32_t n, real = 0, i, s, part;
	char *whole, *p;

	(void)held;
	usleep(100000);
	call_list(l, fd, &real, l->element, NULL);
	if (real < 2)
		return test_skip("the list has fewer than two entries");
	whole = calloc(real, l->element);
	n = real;
	call_list(l, fd, &n, l->element, whole);
	for (s = 0; s < ARRAY_SIZE(sizes); s++) {
		p = calloc(real, sizes[s]);
		n = real;
		EXPECT_ERR(call_list(l, fd, &n, sizes[s], p), 0, "size %u",
			   sizes[s]);
		part = sizes[s] < l->element ? sizes[s] : l->element;
		for (i = 0; i < real; i++)
			EXPECT(!memcmp(p + i * sizes[s], whole + i * l->element,
				       part), "size %u: element %u", sizes[s],
			       i);
		free(p);
	}
	return test_result();
}

static int test_list_absurd(const void *arg)
{
	static const struct { uint32_t count, size; } tries[] = {
		{ 1, 0 }, { 0xffffffff, 0 }, { 1, 0xffffffff },
		{ 0xffffffff, 0xffffffff }, { 0x10000, 0x10000 },
		{ 2, 0x80000000 },
	};
	const struct list_info *l = arg;
	int fd = dev_open(O_RDWR), held = hold_node(), err;
	uint32_t n, real = 0;
	unsigned int i;
	char *p;

	(void)held;
	call_list(l, fd, &real, l->element, NULL);
	p = guard_alloc(l->element);
	for (i = 0; i < ARRAY_SIZE(tries); i++) {
		n = tries[i].count;
		err = call_list(l, fd, &n, tries[i].size, p);
		if (!tries[i].size)
			EXPECT_ERR(err, EINVAL, "element_size 0, count %u",
				   tries[i].count);
		else if (real)
			EXPECT(err == EFAULT || err == EINVAL || err == E2BIG,
			       "count %#x element_size %#x: %s",
			       tries[i].count, tries[i].size, err_name(err));
	}
	if (!real)
		return test_result();
	n = 1;
	EXPECT_ERR(call_list(l, fd, &n, l->element, NULL), EFAULT, "NULL");
	EXPECT_ERR(call_list(l, fd, &n, l->element, bad_address()), EFAULT,
		   "unmapped");
	EXPECT_ERR(call_list(l, fd, &n, l->element, p + 8), EFAULT,
		   "the element's end outside");
	n = 0xffffffff;
	EXPECT_ERR(call_list(l, fd, &n, l->element,
			     guard_alloc(real * l->element)), 0,
		   "count ~0 with room for what there is");
	return test_result();
}

static int test_function_values(const void *arg)
{
	struct egpu_function fn[32];
	struct egpu_port_info info;
	int fd = dev_open(O_RDONLY);
	uint32_t n = ARRAY_SIZE(fn);
	unsigned int i, gated = 0;
	int b;

	(void)arg;
	memset(fn, CANARY, sizeof(fn));
	EXPECT_ERR(call_list(&function_list, fd, &n, sizeof(fn[0]), fn), 0,
		   "FUNCTION_LIST");
	dev_info(fd, su.port, &info);
	EXPECT(n == info.nr_functions, "%u listed, PORT_INFO says %u", n,
	       info.nr_functions);
	for (i = 0; i < n && i < ARRAY_SIZE(fn); i++) {
		EXPECT(fn[i].bus >= info.secondary && fn[i].domain ==
		       info.domain, "function %u is not below the port", i);
		EXPECT(!fn[i].reserved && !fn[i].reserved2,
		       "function %u: reserved is not 0", i);
		EXPECT(fn[i].vendor && fn[i].vendor != 0xffff, "vendor");
		EXPECT(strnlen(fn[i].driver, EGPU_NAME_LEN) < EGPU_NAME_LEN,
		       "driver has no end");
		EXPECT(fn[i].generation && fn[i].generation <= info.generation,
		       "generation");
		gated += !!(fn[i].flags & EGPU_FUNCTION_GATED);
		for (b = 0; b < 7; b++) {
			EXPECT(!fn[i].bars[b].reserved, "BAR %d: reserved", b);
			if (fn[i].bars[b].flags & EGPU_BAR_ASSIGNED)
				EXPECT(fn[i].bars[b].start &&
				       fn[i].bars[b].length,
				       "BAR %d is assigned and nowhere", b);
		}
	}
	EXPECT(gated, "no function is gated");
	return test_result();
}

static int test_link_values(const void *arg)
{
	struct egpu_hop hop[16];
	struct egpu_port_info info;
	int fd = dev_open(O_RDONLY);
	uint32_t n = ARRAY_SIZE(hop);
	unsigned int i, ports = 0;

	(void)arg;
	memset(hop, CANARY, sizeof(hop));
	EXPECT_ERR(call_list(&link_info, fd, &n, sizeof(hop[0]), hop), 0,
		   "LINK_INFO");
	ASSERT(n && n <= ARRAY_SIZE(hop), "%u links", n);
	dev_info(fd, su.port, &info);
	for (i = 0; i < n; i++) {
		EXPECT(!hop[i].reserved, "link %u: reserved is not 0", i);
		EXPECT(hop[i].domain == info.domain, "link %u: domain", i);
		EXPECT(hop[i].flags & EGPU_LINK_KNOWN, "link %u: unknown", i);
		EXPECT(hop[i].max_speed && hop[i].max_width,
		       "link %u: no maximum", i);
		EXPECT(hop[i].width <= 32 && hop[i].speed <= 1280,
		       "link %u: %u of %u lanes", i, hop[i].speed,
		       hop[i].width);
		if (!(hop[i].flags & EGPU_LINK_PORT))
			continue;
		ports++;
		EXPECT(hop[i].bus == info.bus && hop[i].devfn == info.devfn,
		       "link %u is the port's, says it", i);
	}
	EXPECT(ports == 1, "%u links are the port's", ports);
	return test_result();
}

static int test_user_values(const void *arg)
{
	struct egpu_user user[64];
	struct egpu_user_list list = {
		.size = sizeof(list), .port = su.port,
		.count = ARRAY_SIZE(user), .element_size = sizeof(user[0]),
		.users = (uintptr_t)user,
	};
	int fd = dev_open(O_RDONLY);
	int a = open(su.node, O_RDWR | O_NONBLOCK);
	int b = open(su.node, O_RDWR | O_NONBLOCK);
	unsigned int i, mine = 0;

	(void)arg;
	ASSERT(a >= 0 && b >= 0, "cannot open %s", su.node);
	EXPECT_ERR(dev_call(fd, EGPU_IOC_USER_LIST, &list), 0, "USER_LIST");
	EXPECT(!list.hidden, "hidden from root");
	for (i = 0; i < list.count && i < ARRAY_SIZE(user); i++) {
		if (user[i].pid != (uint32_t)getpid())
			continue;
		mine++;
		EXPECT(user[i].uid == 0, "uid %u", user[i].uid);
		EXPECT(user[i].opens == 2, "opens %u", user[i].opens);
		EXPECT(user[i].start_time, "no start time");
		EXPECT(!user[i].block && !user[i].reserved, "block, reserved");
		EXPECT(user[i].kind < EGPU_USER_KIND_COUNT, "kind");
		EXPECT(!strncmp(user[i].comm, "uapi", 4), "comm %.16s",
		       user[i].comm);
		EXPECT(user[i].node[0], "no name of the node");
	}
	EXPECT(mine == 1, "%u entries for this process", mine);
	close(a);
	close(b);
	list.count = ARRAY_SIZE(user);
	EXPECT_ERR(dev_call(fd, EGPU_IOC_USER_LIST, &list), 0, "USER_LIST");
	for (i = 0; i < list.count && i < ARRAY_SIZE(user); i++)
		EXPECT(user[i].pid != (uint32_t)getpid(), "listed after close");
	return test_result();
}

static void add_list(const struct list_info *l, unsigned int needs)
{
	static const struct {
		const char *name, *proves;
		test_fn fn;
	} t[] = {
		{ "answers every count",
		  "a count too small is answered with the real one and what fits",
		  test_list_count },
		{ "cuts and fills elements",
		  "older and newer programs get what they know",
		  test_list_element },
		{ "steps by the caller's element size",
		  "elements lie where the caller expects them",
		  test_list_step },
		{ "refuses absurd counts, sizes and addresses",
		  "no overflow and no endless loop in count * element_size",
		  test_list_absurd },
	};
	char name[160];
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(t); i++) {
		/* the way to a root port is one link */
		if (l == &link_info && t[i].fn == test_list_step)
			continue;
		snprintf(name, sizeof(name), "%s %s", l->name, t[i].name);
		test_add("arrays", name, t[i].proves, needs, t[i].fn, l);
	}
}

void array_tests(void)
{
	test_add("arrays", "PORT_LIST gives ascending ids that PORT_INFO knows",
		 "an id names a port, and the list is complete", 0,
		 test_port_ids, NULL);
	test_add("arrays", "PORT_LIST answers every count",
		 "a count too small is answered with the real one and what fits",
		 0, test_port_count, NULL);
	test_add("arrays", "PORT_LIST refuses bad addresses",
		 "EFAULT for an array that cannot be written", 0,
		 test_port_addresses, NULL);
	add_list(&function_list, NEED_GPU);
	add_list(&user_list, NEED_NODE);
	add_list(&link_info, 0);
	test_add("arrays", "FUNCTION_LIST says what is below the port",
		 "functions, generation and BARs are filled in",
		 NEED_GPU, test_function_values, NULL);
	test_add("arrays", "LINK_INFO says what the way to the port is",
		 "addresses and maxima are filled in, and one link is the port's",
		 0, test_link_values, NULL);
	test_add("arrays", "USER_LIST counts opens and forgets them",
		 "a process is one entry per node, gone with its last close",
		 NEED_NODE, test_user_values, NULL);
}
