// SPDX-License-Identifier: GPL-2.0
/*
 * The argument rules that all ioctls share, tried on each: sizes, tails,
 * reserved fields, flags, addresses, ports, numbers.
 *
 * Arguments lie at the end of a page with nothing behind it, so that a byte
 * read or written beyond the caller's size is an EFAULT. A call that failed
 * must have left the caller's struct and the port as they were.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "uapi.h"

#define TAIL	64

static uint32_t get32(const void *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

static void put32(void *p, uint32_t v)
{
	memcpy(p, &v, sizeof(v));
}

/* A call that began a transaction: let it end before the next. */
static void after(const struct ioctl_info *info, int fd, int err)
{
	if (!err && info->cmd == EGPU_IOC_ATTACH)
		dev_settle(fd, su.port);
}

/*
 * Call with @room bytes of @image at the edge of memory; the size field says
 * @size. What comes back replaces @image.
 */
static int call_sized(const struct ioctl_info *info, int fd, void *image,
		      uint32_t size, size_t room)
{
	size_t have = room < 4 ? 4 : room;
	char *p = guard_alloc(have);
	int err;

	memcpy(p, image, room);
	put32(p, size);
	err = dev_call(fd, info->cmd, p);
	memcpy(image, p, room);
	guard_free(p, have);
	after(info, fd, err);
	return err;
}

static int call_whole(const struct ioctl_info *info, int fd, void *image)
{
	return call_sized(info, fd, image, info->size, info->size);
}

/* A failing call: the errno, the struct as it was. */
static void expect_refused(const struct ioctl_info *info, int fd,
			   const void *image, size_t size, int want,
			   const char *what, unsigned int at)
{
	char copy[MAX_ARG];
	int err;

	memcpy(copy, image, size);
	put32(copy, size);
	err = call_sized(info, fd, copy, size, size);
	EXPECT_ERR(err, want, "%s %s (%u)", info->name, what, at);
	if (err)
		EXPECT(!memcmp(copy + 4, (char *)image + 4, size - 4),
		       "%s %s (%u): failed, but changed the struct",
		       info->name, what, at);
}

static int test_shorter(const void *arg)
{
	const struct ioctl_info *info = arg;
	unsigned int size, first = 0, i;
	int fd = dev_open(O_RDWR), want, err;
	char image[MAX_ARG];

	for (size = 0; size <= info->size; size++) {
		memset(image, 0xa5, sizeof(image));
		want = info->fill(image);
		err = call_sized(info, fd, image, size, size);
		if (err != EINVAL && !first)
			first = size;
		EXPECT_ERR(err, first ? want : EINVAL, "%s with %u of %u bytes",
			   info->name, size, info->size);
		for (i = info->size; i < sizeof(image); i++)
			EXPECT((image[i] & 0xff) == 0xa5, "wrote byte %u", i);
	}
	printf("# smallest size taken: %u\n", first);
	EXPECT(first >= info->must, "%s needs %u bytes to mean anything, took %u",
	       info->name, info->must, first);
	EXPECT(first && first <= info->enough,
	       "%s demands %u bytes, %u are enough", info->name, first,
	       info->enough);
	return test_result();
}

static int test_longer(const void *arg)
{
	const struct ioctl_info *info = arg;
	char image[MAX_ARG];
	unsigned int size, i;
	int fd = dev_open(O_RDWR), want;

	for (size = info->size + 1; size <= info->size + TAIL; size++) {
		memset(image, 0, sizeof(image));
		want = info->fill(image);
		EXPECT_ERR(call_sized(info, fd, image, size, size), want,
			   "%s with %u bytes", info->name, size);
		for (i = info->size; i < size; i++)
			EXPECT(!image[i], "byte %u of the tail was written", i);
	}
	return test_result();
}

static int test_dirty_tail(const void *arg)
{
	const struct ioctl_info *info = arg;
	struct egpu_port_info before = dev_snapshot(su.port), now;
	int fd = dev_open(O_RDWR);
	char image[MAX_ARG];
	unsigned int i;

	for (i = 0; i < TAIL; i++) {
		memset(image, 0, sizeof(image));
		info->fill(image);
		image[info->size + i] = i & 1 ? 0x80 : 1;
		expect_refused(info, fd, image, info->size + TAIL, E2BIG,
			       "dirty byte in the tail", i);
		expect_refused(info, fd, image, info->size + i + 1, E2BIG,
			       "dirty last byte", i);
	}
	now = dev_snapshot(su.port);
	EXPECT_SAME(&before, &now, "the port changed");
	return test_result();
}

static int test_absurd_size(const void *arg)
{
	static const uint32_t sizes[] = {
		4096, 65536, 0x7fffffff, 0x80000000, 0xfffffffc, 0xffffffff,
	};
	const struct ioctl_info *info = arg;
	struct egpu_port_info before = dev_snapshot(su.port), now;
	int fd = dev_open(O_RDWR), err;
	char image[MAX_ARG];
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		memset(image, 0, sizeof(image));
		info->fill(image);
		err = call_sized(info, fd, image, sizes[i], info->size);
		EXPECT(err == EFAULT || err == E2BIG || err == EINVAL,
		       "%s with size %#x: %s", info->name, sizes[i],
		       err_name(err));
	}
	now = dev_snapshot(su.port);
	EXPECT_SAME(&before, &now, "the port changed");
	return test_result();
}

static int test_reserved(const void *arg)
{
	static const uint8_t dirt[] = { 0x01, 0x80, 0xff };
	const struct ioctl_info *info = arg;
	struct egpu_port_info before = dev_snapshot(su.port), now;
	int fd = dev_open(O_RDWR);
	char image[MAX_ARG];
	unsigned int i, b, d;

	for (i = 0; i < info->nr_fields; i++) {
		const struct field *f = &info->fields[i];

		if (f->kind != FIELD_ZERO)
			continue;
		for (b = 0; b < f->length * ARRAY_SIZE(dirt); b++) {
			d = b % ARRAY_SIZE(dirt);
			memset(image, 0, sizeof(image));
			info->fill(image);
			put32(image + info->port_offset,
			      info->port_offset ? su.port : info->size);
			image[f->offset + b / ARRAY_SIZE(dirt)] = dirt[d];
			expect_refused(info, fd, image, info->size, EINVAL,
				       f->name, b / ARRAY_SIZE(dirt));
		}
	}
	now = dev_snapshot(su.port);
	EXPECT_SAME(&before, &now, "the port changed");
	return test_result();
}

static int test_flags(const void *arg)
{
	const struct ioctl_info *info = arg;
	struct egpu_port_info before = dev_snapshot(su.port), now;
	int fd = dev_open(O_RDWR);
	char image[MAX_ARG];
	unsigned int i, bit;

	for (i = 0; i < info->nr_fields; i++) {
		const struct field *f = &info->fields[i];

		for (bit = 0; f->kind == FIELD_FLAGS && bit < 8 * f->length;
		     bit++) {
			if (f->known >> bit & 1)
				continue;
			memset(image, 0, sizeof(image));
			info->fill(image);
			put32(image + info->port_offset,
			      info->port_offset ? su.port : info->size);
			image[f->offset + bit / 8] |= 1 << bit % 8;
			expect_refused(info, fd, image, info->size, EINVAL,
				       f->name, bit);
		}
	}
	now = dev_snapshot(su.port);
	EXPECT_SAME(&before, &now, "the port changed");
	return test_result();
}

static int test_out_fields(const void *arg)
{
	const struct ioctl_info *info = arg;
	int fd = dev_open(O_RDWR), want;
	char clean[MAX_ARG] = "", image[MAX_ARG] = "";
	unsigned int i;

	want = info->fill(image);
	info->fill(clean);
	for (i = 0; i < info->nr_fields; i++) {
		if (info->fields[i].kind == FIELD_OUT)
			memset(image + info->fields[i].offset, 0xff,
			       info->fields[i].length);
	}
	EXPECT_ERR(call_whole(info, fd, image), want, "%s", info->name);
	EXPECT_ERR(call_whole(info, fd, clean), want, "%s", info->name);
	for (i = 0; !want && i < info->nr_fields; i++) {
		const struct field *f = &info->fields[i];

		/* Numbers that count up differ from call to call. */
		if (f->kind != FIELD_OUT || !strcmp(f->name, "transaction") ||
		    !strcmp(f->name, "seq") || !strcmp(f->name, "since_ns") ||
		    !strcmp(f->name, "counters"))
			continue;
		EXPECT(!memcmp(clean + f->offset, image + f->offset, f->length),
		       "%s kept what the caller had there", f->name);
	}
	return test_result();
}

static int test_addresses(const void *arg)
{
	const struct ioctl_info *info = arg;
	struct egpu_port_info before = dev_snapshot(su.port), now;
	char *bad[] = {
		NULL, (char *)1, bad_address(), (char *)~0UL, (char *)~3UL,
		(char *)(1UL << (8 * sizeof(long) - 1)),
	};
	int fd = dev_open(O_RDWR);
	char image[MAX_ARG] = "";
	unsigned int i;
	char *p;

	for (i = 0; i < ARRAY_SIZE(bad); i++)
		EXPECT_ERR(dev_call(fd, info->cmd, bad[i]), EFAULT,
			   "%s at %p", info->name, bad[i]);
	/* The size can be read, the last byte cannot. */
	info->fill(image);
	for (i = 4; i < info->size; i++) {
		p = guard_alloc(i);
		memcpy(p, image, i);
		EXPECT_ERR(dev_call(fd, info->cmd, p), EFAULT,
			   "%s with %u bytes of %u in memory", info->name, i,
			   info->size);
		guard_free(p, i);
	}
	now = dev_snapshot(su.port);
	EXPECT_SAME(&before, &now, "the port changed");
	return test_result();
}

/* The answer cannot be written: then the call must not have acted. */
static int test_read_only(const void *arg)
{
	const struct ioctl_info *info = arg;
	struct egpu_port_info before, now;
	struct egpu_event event;
	int fd = dev_open(O_RDWR), events = dev_open(O_RDWR | O_NONBLOCK);
	char image[MAX_ARG] = "", *p;
	int err, want;

	dev_subscribe(events, EVENT_ALL, su.port, NULL);
	before = dev_snapshot(su.port);
	p = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	want = info->fill(image);
	if (info->cmd == EGPU_IOC_PORT_CONFIG)
		put32(image + offsetof(struct egpu_port_config, policy),
		      EGPU_POLICY_MANUAL);
	memcpy(p, image, info->size);
	mprotect(p, 4096, PROT_READ);
	err = dev_call(fd, info->cmd, p);
	EXPECT(err == want || err == EFAULT, "%s: %s", info->name,
	       err_name(err));
	usleep(100000);
	if (err) {
		now = dev_snapshot(su.port);
		EXPECT_SAME(&before, &now, "%s failed, but changed the port",
			    info->name);
		EXPECT(read(events, &event, sizeof(event)) < 0,
		       "%s failed, but caused an event of type %u",
		       info->name, event.type);
	}
	/* A subscription that failed is none. */
	if (err && info->cmd == EGPU_IOC_EVENT_SUBSCRIBE) {
		fcntl(fd, F_SETFL, O_NONBLOCK);
		dev_track(fd, EGPU_CONFIG_FORGET, su.port);
		dev_track(fd, EGPU_CONFIG_TRACK, su.port);
		EXPECT(read(fd, &event, sizeof(event)) < 0,
		       "SUBSCRIBE failed, but an event came");
	}
	EXPECT(dev_restore(), "the port did not come back");
	return test_result();
}

static int test_unknown_port(const void *arg)
{
	static const uint32_t ports[] = {
		0, NO_PORT, 0xffffffff, 0x7fffffff, 0x80000000,
	};
	const struct ioctl_info *info = arg;
	struct egpu_port_info before = dev_snapshot(su.port), now;
	int fd = dev_open(O_RDWR);
	char image[MAX_ARG];
	unsigned int i;

	for (i = info->any_port; i < ARRAY_SIZE(ports); i++) {
		memset(image, 0, sizeof(image));
		info->fill(image);
		put32(image + info->port_offset, ports[i]);
		expect_refused(info, fd, image, info->size, ENOENT, "port",
			       ports[i]);
	}
	now = dev_snapshot(su.port);
	EXPECT_SAME(&before, &now, "the port changed");
	return test_result();
}

static int test_numbers(const void *arg)
{
	int fd = dev_open(O_RDWR);
	char image[MAX_ARG] = "";
	unsigned int i, type;

	(void)arg;
	put32(image, 64);
	for (i = nr_ioctls; i < 256; i++)
		EXPECT_ERR(dev_call(fd, _IO(EGPU_IOC_TYPE, i), image), ENOTTY,
			   "number %u", i);
	for (type = 0; type < 256; type++) {
		if (type == EGPU_IOC_TYPE)
			continue;
		EXPECT_ERR(dev_call(fd, _IO(type, 0), image), ENOTTY,
			   "type %#x number 0", type);
		EXPECT_ERR(dev_call(fd, _IO(type, 9), image), ENOTTY,
			   "type %#x number 9", type);
	}
	EXPECT(get32(image) == 64, "the argument was written");
	return test_result();
}

/* The same number with a direction or a size is another ioctl. */
static int test_encodings(const void *arg)
{
	const struct ioctl_info *info = arg;
	unsigned int nr = _IOC_NR(info->cmd), i;
	unsigned int cmds[] = {
		_IOC(_IOC_READ, EGPU_IOC_TYPE, nr, 0),
		_IOC(_IOC_WRITE, EGPU_IOC_TYPE, nr, 0),
		_IOC(_IOC_READ | _IOC_WRITE, EGPU_IOC_TYPE, nr, info->size),
		_IOC(_IOC_NONE, EGPU_IOC_TYPE, nr, info->size),
	};
	int fd = dev_open(O_RDWR);
	char image[MAX_ARG] = "";

	for (i = 0; i < ARRAY_SIZE(cmds); i++) {
		info->fill(image);
		EXPECT_ERR(dev_call(fd, cmds[i], image), ENOTTY, "%s as %#x",
			   info->name, cmds[i]);
	}
	return test_result();
}

static int test_later(const void *arg)
{
	static const unsigned int cmds[] = {
		EGPU_IOC_LINK_INFO, EGPU_IOC_LINK_SET, EGPU_IOC_FUNCTION_MANAGE,
	};
	int fd = dev_open(O_RDWR);
	char image[MAX_ARG] = "";
	unsigned int i;

	(void)arg;
	put32(image, 64);
	for (i = 0; i < ARRAY_SIZE(cmds); i++) {
		if (su.query.ioctls >> _IOC_NR(cmds[i]) & 1)
			continue;
		EXPECT_ERR(dev_call(fd, cmds[i], image), ENOTTY, "number %u",
			   _IOC_NR(cmds[i]));
	}
	return test_result();
}

static bool has_port(const struct ioctl_info *info)
{
	return info->port_offset;
}

static bool has_zero(const struct ioctl_info *info)
{
	unsigned int i;

	for (i = 0; i < info->nr_fields; i++)
		if (info->fields[i].kind == FIELD_ZERO)
			return true;
	return false;
}

static bool has_flags(const struct ioctl_info *info)
{
	unsigned int i;

	for (i = 0; i < info->nr_fields; i++)
		if (info->fields[i].kind == FIELD_FLAGS)
			return true;
	return false;
}

static bool has_out(const struct ioctl_info *info)
{
	unsigned int i;

	for (i = 0; i < info->nr_fields; i++)
		if (info->fields[i].kind == FIELD_OUT)
			return true;
	return false;
}

void args_tests(void)
{
	test_add_each("args", "takes every shorter size that means something",
		      "shorter is zero-filled, too short is EINVAL, nothing is read or written beyond the caller's size",
		      test_shorter, NULL);
	test_add_each("args", "takes longer structs with a clean tail",
		      "a program built for a newer module works",
		      test_longer, NULL);
	test_add_each("args", "refuses a dirty tail",
		      "what this module does not know is E2BIG, wherever it stands, and nothing happens",
		      test_dirty_tail, NULL);
	test_add_each("args", "refuses absurd sizes",
		      "a size of gigabytes is an error, not an allocation",
		      test_absurd_size, NULL);
	test_add_each("args", "refuses every dirty reserved byte",
		      "reserved fields can get a meaning later",
		      test_reserved, has_zero);
	test_add_each("args", "refuses every unknown flag",
		      "flags can get a meaning later", test_flags, has_flags);
	test_add_each("args", "ignores what output fields held",
		      "output fields need no preparation", test_out_fields,
		      has_out);
	test_add_each("args", "refuses bad addresses",
		      "EFAULT for a struct that cannot be read, and nothing happens",
		      test_addresses, NULL);
	test_add_each("args", "does nothing when it cannot answer",
		      "EFAULT for a struct that cannot be written means that nothing happened",
		      test_read_only, NULL);
	test_add_each("args", "knows no such port",
		      "ENOENT for ids that never were", test_unknown_port,
		      has_port);
	test_add_each("args", "exists in one encoding only",
		      "direction and size bits do not alias", test_encodings,
		      NULL);
	test_add("args", "other ioctl numbers and types are ENOTTY",
		 "what is not there is told from what is wrong", 0,
		 test_numbers, NULL);
	test_add("args", "ioctls of later versions are ENOTTY",
		 "QUERY's bits and ENOTTY agree", 0, test_later, NULL);
}
