// SPDX-License-Identifier: GPL-2.0
/*
 * Every ioctl and every field of its struct, and the layout that they have
 * had since the interface was published.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "uapi.h"

#define F(type, field, ...) { .name = #field,			\
	.offset = offsetof(struct type, field),			\
	.length = sizeof(((struct type *)0)->field), .kind = __VA_ARGS__ }
#define FLAGS(bits)	FIELD_FLAGS, .known = (bits)
#define END(type, field) (offsetof(struct type, field) + \
			  sizeof(((struct type *)0)->field))

static const struct field query_fields[] = {
	F(egpu_query, size, FIELD_SIZE),
	F(egpu_query, flags, FLAGS(0)),
	F(egpu_query, abi_version, FIELD_OUT),
	F(egpu_query, nr_ports, FIELD_OUT),
	F(egpu_query, ioctls, FIELD_OUT),
	F(egpu_query, max_accepted, FIELD_OUT),
	F(egpu_query, event_queue, FIELD_OUT),
	F(egpu_query, module_version, FIELD_OUT),
};

static const struct field port_list_fields[] = {
	F(egpu_port_list, size, FIELD_SIZE),
	F(egpu_port_list, flags, FLAGS(EGPU_PORT_LIST_ALL)),
	F(egpu_port_list, count, FIELD_IN_OUT),
	F(egpu_port_list, reserved, FIELD_ZERO),
	F(egpu_port_list, ids, FIELD_ADDRESS),
};

static const struct field port_info_fields[] = {
	F(egpu_port_info, size, FIELD_SIZE),
	F(egpu_port_info, port, FIELD_IN),
	F(egpu_port_info, flags, FIELD_OUT),
	F(egpu_port_info, state, FIELD_OUT),
	F(egpu_port_info, reason, FIELD_OUT),
	F(egpu_port_info, backend, FIELD_OUT),
	F(egpu_port_info, policy, FIELD_OUT),
	F(egpu_port_info, cable_port, FIELD_OUT),
	F(egpu_port_info, domain, FIELD_OUT),
	F(egpu_port_info, bus, FIELD_OUT),
	F(egpu_port_info, devfn, FIELD_OUT),
	F(egpu_port_info, secondary, FIELD_OUT),
	F(egpu_port_info, reserved, FIELD_OUT),
	F(egpu_port_info, generation, FIELD_OUT),
	F(egpu_port_info, since_ns, FIELD_OUT),
	F(egpu_port_info, step, FIELD_OUT),
	F(egpu_port_info, step_error, FIELD_OUT),
	F(egpu_port_info, step_since_ns, FIELD_OUT),
	F(egpu_port_info, step_driver, FIELD_OUT),
	F(egpu_port_info, blocked_driver, FIELD_OUT),
	F(egpu_port_info, blocked_port, FIELD_OUT),
	F(egpu_port_info, nr_functions, FIELD_OUT),
	F(egpu_port_info, blocked_since_ns, FIELD_OUT),
	F(egpu_port_info, transaction, FIELD_OUT),
	F(egpu_port_info, transaction_kind, FIELD_OUT),
	F(egpu_port_info, deadline_ns, FIELD_OUT),
	F(egpu_port_info, nr_users, FIELD_OUT),
	F(egpu_port_info, failed_checks, FIELD_OUT),
	F(egpu_port_info, ignored_checks, FIELD_OUT),
	F(egpu_port_info, quarantine_losses, FIELD_OUT),
	F(egpu_port_info, quarantine_window_ms, FIELD_OUT),
	F(egpu_port_info, watch_ms, FIELD_OUT),
	F(egpu_port_info, counters, FIELD_OUT),
	F(egpu_port_info, slot_name, FIELD_OUT),
};

static const struct field function_list_fields[] = {
	F(egpu_function_list, size, FIELD_SIZE),
	F(egpu_function_list, flags, FLAGS(0)),
	F(egpu_function_list, port, FIELD_IN),
	F(egpu_function_list, count, FIELD_IN_OUT),
	F(egpu_function_list, element_size, FIELD_IN),
	F(egpu_function_list, reserved, FIELD_ZERO),
	F(egpu_function_list, functions, FIELD_ADDRESS),
};

static const struct field user_list_fields[] = {
	F(egpu_user_list, size, FIELD_SIZE),
	F(egpu_user_list, flags, FLAGS(0)),
	F(egpu_user_list, port, FIELD_IN),
	F(egpu_user_list, count, FIELD_IN_OUT),
	F(egpu_user_list, element_size, FIELD_IN),
	F(egpu_user_list, hidden, FIELD_OUT),
	F(egpu_user_list, users, FIELD_ADDRESS),
};

static const struct field attach_fields[] = {
	F(egpu_attach, size, FIELD_SIZE),
	F(egpu_attach, flags, FLAGS(0)),
	F(egpu_attach, port, FIELD_IN),
	F(egpu_attach, ignore, FLAGS(EGPU_CHECK_ALL)),
	F(egpu_attach, transaction, FIELD_OUT),
	F(egpu_attach, reserved, FIELD_ZERO),
};

static const struct field detach_fields[] = {
	F(egpu_detach, size, FIELD_SIZE),
	F(egpu_detach, flags, FLAGS(EGPU_DETACH_FLAGS)),
	F(egpu_detach, port, FIELD_IN),
	F(egpu_detach, wait_ms, FIELD_IN),
	F(egpu_detach, transaction, FIELD_OUT),
	F(egpu_detach, nr_accepted, FIELD_IN),
	F(egpu_detach, accepted, FIELD_ADDRESS),
};

static const struct field cancel_fields[] = {
	F(egpu_cancel, size, FIELD_SIZE),
	F(egpu_cancel, flags, FLAGS(0)),
	F(egpu_cancel, port, FIELD_IN),
	F(egpu_cancel, transaction, FIELD_IN),
};

/* Without its flag each of these fields must be 0. */
static const struct field port_config_fields[] = {
	F(egpu_port_config, size, FIELD_SIZE),
	F(egpu_port_config, flags, FLAGS(EGPU_CONFIG_FLAGS)),
	F(egpu_port_config, port, FIELD_IN_OUT),
	F(egpu_port_config, domain, FIELD_ZERO),
	F(egpu_port_config, bus, FIELD_ZERO),
	F(egpu_port_config, devfn, FIELD_ZERO),
	F(egpu_port_config, reserved, FIELD_ZERO),
	F(egpu_port_config, policy, FIELD_IN),
	F(egpu_port_config, quarantine_losses, FIELD_ZERO),
	F(egpu_port_config, quarantine_window_ms, FIELD_ZERO),
	F(egpu_port_config, watch_ms, FIELD_ZERO),
};

static const struct field event_subscribe_fields[] = {
	F(egpu_event_subscribe, size, FIELD_SIZE),
	F(egpu_event_subscribe, flags, FLAGS(0)),
	F(egpu_event_subscribe, mask, FLAGS(EVENT_ALL)),
	F(egpu_event_subscribe, port, FIELD_IN),
	F(egpu_event_subscribe, reserved, FIELD_ZERO),
	F(egpu_event_subscribe, seq, FIELD_OUT),
};

static const struct field link_info_fields[] = {
	F(egpu_link_info, size, FIELD_SIZE),
	F(egpu_link_info, flags, FLAGS(EGPU_LINK_INFO_ENDS)),
	F(egpu_link_info, port, FIELD_IN),
	F(egpu_link_info, count, FIELD_IN_OUT),
	F(egpu_link_info, element_size, FIELD_IN),
	F(egpu_link_info, reserved, FIELD_ZERO),
	F(egpu_link_info, links, FIELD_ADDRESS),
	F(egpu_link_info, best_ns, FIELD_OUT),
	F(egpu_link_info, best_speed, FIELD_OUT),
	F(egpu_link_info, best_width, FIELD_OUT),
	F(egpu_link_info, limit_speed, FIELD_OUT),
	F(egpu_link_info, limit_vendor, FIELD_OUT),
	F(egpu_link_info, limit_device, FIELD_OUT),
	F(egpu_link_info, wired_width, FIELD_OUT),
	F(egpu_link_info, reserved2, FIELD_OUT),
};

static const struct field link_set_fields[] = {
	F(egpu_link_set, size, FIELD_SIZE),
	F(egpu_link_set, flags, FLAGS(EGPU_LINK_SET_FLAGS)),
	F(egpu_link_set, port, FIELD_IN),
	F(egpu_link_set, speed, FIELD_IN),
	F(egpu_link_set, vendor, FIELD_IN),
	F(egpu_link_set, device, FIELD_IN),
	F(egpu_link_set, transaction, FIELD_OUT),
};

static const struct field function_manage_fields[] = {
	F(egpu_function_manage, size, FIELD_SIZE),
	F(egpu_function_manage, flags, FLAGS(EGPU_MANAGE_FLAGS)),
	F(egpu_function_manage, domain, FIELD_IN),
	F(egpu_function_manage, bus, FIELD_IN),
	F(egpu_function_manage, devfn, FIELD_IN),
	F(egpu_function_manage, reserved, FIELD_ZERO),
	F(egpu_function_manage, dma_bits, FIELD_IN),
	F(egpu_function_manage, port, FIELD_OUT),
	F(egpu_function_manage, transaction, FIELD_OUT),
	F(egpu_function_manage, reserved2, FIELD_ZERO),
};

static int fill_query(void *arg)
{
	struct egpu_query a = { .size = sizeof(a) };

	memcpy(arg, &a, sizeof(a));
	return 0;
}

static int fill_port_list(void *arg)
{
	struct egpu_port_list a = { .size = sizeof(a) };

	memcpy(arg, &a, sizeof(a));
	return 0;
}

static int fill_port_info(void *arg)
{
	struct egpu_port_info a = { .size = sizeof(a), .port = su.port };

	memcpy(arg, &a, sizeof(a));
	return 0;
}

static int fill_function_list(void *arg)
{
	struct egpu_function_list a = {
		.size = sizeof(a), .port = su.port,
		.element_size = sizeof(struct egpu_function),
	};

	memcpy(arg, &a, sizeof(a));
	return 0;
}

static int fill_user_list(void *arg)
{
	struct egpu_user_list a = {
		.size = sizeof(a), .port = su.port,
		.element_size = sizeof(struct egpu_user),
	};

	memcpy(arg, &a, sizeof(a));
	return 0;
}

/* Of a READY port it changes nothing; on an empty one it would rescan. */
static int fill_attach(void *arg)
{
	struct egpu_attach a = {
		.size = sizeof(a), .port = su.gpu ? su.port : NO_PORT,
	};

	memcpy(arg, &a, sizeof(a));
	return su.gpu ? 0 : ENOENT;
}

static int fill_detach(void *arg)
{
	struct egpu_detach a = {
		.size = sizeof(a), .flags = EGPU_DETACH_CHECK, .port = su.port,
	};

	memcpy(arg, &a, sizeof(a));
	return su.gpu ? 0 : ENODEV;
}

static int fill_cancel(void *arg)
{
	struct egpu_cancel a = { .size = sizeof(a), .port = su.port };

	memcpy(arg, &a, sizeof(a));
	return ENOENT;
}

static int fill_port_config(void *arg)
{
	struct egpu_port_config a = {
		.size = sizeof(a), .flags = EGPU_CONFIG_POLICY,
		.port = su.port, .policy = EGPU_POLICY_AUTO,
	};

	memcpy(arg, &a, sizeof(a));
	return 0;
}

static int fill_event_subscribe(void *arg)
{
	struct egpu_event_subscribe a = {
		.size = sizeof(a), .mask = EVENT_BIT(STATE), .port = su.port,
	};

	memcpy(arg, &a, sizeof(a));
	return 0;
}

static int fill_link_info(void *arg)
{
	struct egpu_link_info a = {
		.size = sizeof(a), .port = su.port,
		.element_size = sizeof(struct egpu_hop),
	};

	memcpy(arg, &a, sizeof(a));
	return 0;
}

/* Nothing begins by it. */
static int fill_link_set(void *arg)
{
	struct egpu_link_set a = {
		.size = sizeof(a), .port = su.port,
		.flags = EGPU_LINK_SET_SPEED | EGPU_LINK_SET_LATER,
	};

	memcpy(arg, &a, sizeof(a));
	return 0;
}

/* Right but for the function, which is nowhere. */
static int fill_function_manage(void *arg)
{
	struct egpu_function_manage a = {
		.size = sizeof(a), .flags = EGPU_MANAGE_TAKE,
		.domain = 0xffff, .bus = 0xee, .devfn = 0xff, .dma_bits = 64,
	};

	memcpy(arg, &a, sizeof(a));
	return ENOENT;
}

#define INFO(NAME, type, bytes) .name = #NAME, .cmd = EGPU_IOC_##NAME,	\
	.size = sizeof(struct egpu_##type), .abi1_size = (bytes),	\
	.fill = fill_##type, .fields = type##_fields,			\
	.nr_fields = ARRAY_SIZE(type##_fields)

const struct ioctl_info ioctl_table[] = {
	{
		INFO(QUERY, query, 64),
		.must = END(egpu_query, size),
		.enough = END(egpu_query, flags),
	}, {
		INFO(PORT_LIST, port_list, 24),
		.must = END(egpu_port_list, size),
		.enough = END(egpu_port_list, ids),
	}, {
		INFO(PORT_INFO, port_info, 256),
		.must = END(egpu_port_info, port),
		.enough = END(egpu_port_info, port),
		.port_offset = offsetof(struct egpu_port_info, port),
	}, {
		INFO(FUNCTION_LIST, function_list, 32),
		.must = END(egpu_function_list, port),
		.enough = END(egpu_function_list, functions),
		.port_offset = offsetof(struct egpu_function_list, port),
	}, {
		INFO(USER_LIST, user_list, 32),
		.must = END(egpu_user_list, port),
		.enough = END(egpu_user_list, users),
		.port_offset = offsetof(struct egpu_user_list, port),
	}, {
		INFO(ATTACH, attach, 24),
		.must = END(egpu_attach, port),
		.enough = END(egpu_attach, transaction),
		.mutates = true,
		.port_offset = offsetof(struct egpu_attach, port),
	}, {
		INFO(DETACH, detach, 32),
		.must = END(egpu_detach, port),
		.enough = END(egpu_detach, transaction),
		.mutates = true,
		.port_offset = offsetof(struct egpu_detach, port),
	}, {
		INFO(CANCEL, cancel, 16),
		.must = END(egpu_cancel, port),
		.enough = END(egpu_cancel, transaction),
		.mutates = true,
		.port_offset = offsetof(struct egpu_cancel, port),
	}, {
		INFO(PORT_CONFIG, port_config, 32),
		.must = END(egpu_port_config, port),
		.enough = END(egpu_port_config, watch_ms),
		.mutates = true,
		.port_offset = offsetof(struct egpu_port_config, port),
	}, {
		INFO(EVENT_SUBSCRIBE, event_subscribe, 32),
		.must = END(egpu_event_subscribe, mask) - 7,
		.enough = END(egpu_event_subscribe, seq),
		.any_port = true,
		.port_offset = offsetof(struct egpu_event_subscribe, port),
	}, {
		INFO(LINK_INFO, link_info, 32),
		.must = END(egpu_link_info, port),
		.enough = END(egpu_link_info, links),
		.port_offset = offsetof(struct egpu_link_info, port),
	}, {
		INFO(LINK_SET, link_set, 24),
		.must = END(egpu_link_set, speed),
		.enough = END(egpu_link_set, transaction),
		.mutates = true,
		.port_offset = offsetof(struct egpu_link_set, port),
	}, {
		INFO(FUNCTION_MANAGE, function_manage, 32),
		.must = END(egpu_function_manage, dma_bits),
		.enough = END(egpu_function_manage, transaction),
		.mutates = true,
	},
};

const unsigned int nr_ioctls = ARRAY_SIZE(ioctl_table);

/* Elements and records: their sizes are as fixed as those of the structs. */
_Static_assert(sizeof(struct egpu_counters) == 32, "egpu_counters");
_Static_assert(sizeof(struct egpu_bar) == 24, "egpu_bar");
_Static_assert(sizeof(struct egpu_function) == 280, "egpu_function");
_Static_assert(offsetof(struct egpu_function, generation) == 32, "generation");
_Static_assert(offsetof(struct egpu_function, driver) == 40, "driver");
_Static_assert(offsetof(struct egpu_function, bars) == 72, "bars");
_Static_assert(offsetof(struct egpu_function, iommu_group) == 240, "group");
_Static_assert(offsetof(struct egpu_function, bo_bytes) == 256, "bo_bytes");
_Static_assert(sizeof(struct egpu_user) == 88, "egpu_user");
_Static_assert(offsetof(struct egpu_user, start_time) == 8, "start_time");
_Static_assert(offsetof(struct egpu_user, comm) == 40, "comm");
_Static_assert(sizeof(struct egpu_accepted) == 16, "egpu_accepted");
_Static_assert(sizeof(struct egpu_hop) == 52, "egpu_hop");
_Static_assert(offsetof(struct egpu_hop, flags) == 8, "flags");
_Static_assert(offsetof(struct egpu_hop, reserved) == 48, "reserved");
_Static_assert(sizeof(struct egpu_event) == 104, "egpu_event");
_Static_assert(offsetof(struct egpu_event, seq) == 8, "seq");
_Static_assert(offsetof(struct egpu_event, port) == 32, "port");
_Static_assert(offsetof(struct egpu_event, name) == 72, "name");

static int test_layout(const void *arg)
{
	const struct ioctl_info *info = arg;
	unsigned int i, at = 0;

	EXPECT(info->size >= info->abi1_size, "%u bytes, once %u", info->size,
	       info->abi1_size);
	for (i = 0; i < info->nr_fields; i++) {
		const struct field *f = &info->fields[i];

		EXPECT(f->offset == at, "%s at %u, wanted %u", f->name,
		       f->offset, at);
		at = f->offset + f->length;
	}
	EXPECT(at == info->size, "fields end at %u of %u", at, info->size);
	EXPECT(_IOC_SIZE(info->cmd) == 0 && _IOC_DIR(info->cmd) == 0,
	       "%#x is not an _IO number", info->cmd);
	EXPECT(info->cmd == _IO(EGPU_IOC_TYPE, (unsigned int)(info - ioctl_table)),
	       "%#x has another number than it was given", info->cmd);
	return test_result();
}

static int test_query(const void *arg)
{
	struct egpu_query q = { .size = sizeof(q) };
	unsigned int i, n = 0;
	int fd = dev_open(O_RDONLY);

	(void)arg;
	EXPECT_ERR(dev_call(fd, EGPU_IOC_QUERY, &q), 0, "QUERY");
	EXPECT(q.abi_version == EGPU_ABI_VERSION, "abi_version %u",
	       q.abi_version);
	EXPECT(q.ioctls == (1ULL << nr_ioctls) - 1, "ioctls %#llx",
	       (unsigned long long)q.ioctls);
	EXPECT(q.nr_ports >= 1, "nr_ports %u", q.nr_ports);
	EXPECT(q.max_accepted == EGPU_MAX_ACCEPTED, "max_accepted %u",
	       q.max_accepted);
	EXPECT(q.event_queue >= 2, "event_queue %u", q.event_queue);
	for (i = 0; i < sizeof(q.module_version); i++)
		n += !q.module_version[i];
	EXPECT(n && q.module_version[0], "module_version has no end or nothing");
	return test_result();
}

void layout_tests(void)
{
	test_add_each("layout", "has no padding and its published size",
		      "a program built for 32 or 64 bits, now or then, uses the same struct",
		      test_layout, NULL);
	test_add("layout", "QUERY says what there is",
		 "a program can learn version, limits and which ioctls exist",
		 0, test_query, NULL);
}
