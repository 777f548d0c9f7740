// SPDX-License-Identifier: GPL-2.0
/*
 * The ioctls of /dev/egpu for shell scripts, through libegpu and without
 * anything that a tool for people adds: no guards, no questions, one call.
 *
 *	egpu_client info PORT			KEY=VALUE, one a line
 *	egpu_client functions PORT		ADDRESS DRIVER FLAG,… one a line
 *	egpu_client users PORT			PID COMM NODE OPENS KIND
 *	egpu_client attach PORT [IGNORE]	IGNORE: EGPU_CHECK_* as a number
 *	egpu_client detach [-fcb] [-w MS] [-a PID]… [-s] PORT
 *	egpu_client cancel PORT
 *	egpu_client track|forget|reset PORT
 *	egpu_client soft PORT [MS]		TRACK with SOFT, and WATCH
 *	egpu_client anew PORT [N]		FORGET, and soft again, N times (1)
 *	egpu_client watch PORT MS
 *	egpu_client config PORT FLAGS [MS]	EGPU_CONFIG_* as a number, watch_ms
 *	egpu_client policy PORT auto|manual
 *	egpu_client quarantine PORT LOSSES MS
 *	egpu_client wait PORT STATE[/REASON],… [MS]
 *	egpu_client events [PORT]		one a line, until it is killed
 *	egpu_client drm FD			DRM_IOCTL_VERSION on its file
 *
 * PORT is an id or a PCI address. attach and detach wait for the transaction's
 * end, but with -b; -f is force, -c check, -w how long to drain, -a a user to
 * accept, -s with a start time that is not its own. What did not work is one
 * line "ERRNO…" and exit status 1; 2 is usage, 3 that there is no module.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>
#include <drm.h>

#include "../../tools/lib/egpu.h"

#define MAX_ACCEPT 16

static struct egpu *egpu;
static uint32_t port;

__attribute__((noreturn, format(printf, 2, 3)))
static void die(int status, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	putchar('\n');
	exit(status);
}

static int check(int ret)
{
	if (ret < 0)
		die(1, "%s", strerrorname_np(-ret));
	return ret;
}

static struct egpu_port_info info_get(void)
{
	struct egpu_port_info info;

	check(egpu_port(egpu, port, &info));
	return info;
}

static void port_find(const char *word)
{
	struct egpu_address want, at;
	struct egpu_port_info *ports;
	int i, n;

	if (!egpu_address_parse(word, &want)) {
		port = strtoul(word, NULL, 0);
		return;
	}
	n = check(egpu_ports(egpu, true, &ports));
	for (i = 0; i < n; i++) {
		at = egpu_port_address(&ports[i]);
		if (egpu_address_equal(&at, &want))
			port = ports[i].port;
	}
	free(ports);
	if (!port)
		die(1, "ENOENT %s", word);
}

static long long now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000LL + t.tv_nsec / 1000000;
}

/* --- what is --- */

static int cmd_info(char **args)
{
	struct egpu_port_info i;

	(void)args;
	i = info_get();
	printf("port=%u\nstate=%s\nreason=%s\nbackend=%s\npolicy=%s\n", i.port,
	       egpu_state_name(i.state), egpu_reason_name(i.reason),
	       egpu_backend_name(i.backend), egpu_policy_name(i.policy));
	printf("generation=%llu\ncable_port=%u\nslot=%s\nfunctions=%u\n",
	       (unsigned long long)i.generation, i.cable_port, i.slot_name,
	       i.nr_functions);
	printf("step=%s\nstep_driver=%s\nstep_error=%u\nstep_ms=%lld\n",
	       egpu_step_name(i.step), i.step_driver, i.step_error,
	       i.step_since_ns ?
	       now_ms() - (long long)(i.step_since_ns / 1000000) : -1);
	printf("blocked_driver=%s\nblocked_port=%u\n", i.blocked_driver,
	       i.blocked_port);
	printf("transaction=%u\nkind=%u\nusers=%d\n", i.transaction,
	       i.transaction_kind, i.nr_users);
	printf("failed_checks=%u\nignored_checks=%u\n", i.failed_checks,
	       i.ignored_checks);
	printf("soft=%d\nlink_reporting=%d\nwatch_ms=%u\n",
	       !!(i.flags & EGPU_PORT_SOFT),
	       !!(i.flags & EGPU_PORT_LINK_REPORTING), i.watch_ms);
	printf("tracked=%d\nsafe=%d\nno_return=%d\ncable=%d\nobserved=%d\n",
	       !!(i.flags & EGPU_PORT_TRACKED),
	       !!(i.flags & EGPU_PORT_SAFE_TO_UNPLUG),
	       !!(i.flags & EGPU_PORT_NO_RETURN),
	       !!(i.flags & EGPU_PORT_CABLE),
	       !!(i.flags & EGPU_PORT_OBSERVED));
	printf("arrivals=%u\nattaches=%u\ndetaches=%u\nlosses=%u\nremovals=%u\n"
	       "recoveries=%u\nfailed_recoveries=%u\nmends=%u\n",
	       i.counters.arrivals, i.counters.attaches, i.counters.detaches,
	       i.counters.losses, i.counters.removals, i.counters.recoveries,
	       i.counters.failed_recoveries, i.counters.mends);
	return 0;
}

static int cmd_functions(char **args)
{
	static const char * const flags[] = {
		"gated", "held", "bound", "deferred", "virtual", "boot",
		"override", "frozen", "failed", "adopted", "untrusted",
	};
	struct egpu_function *f;
	struct egpu_address at;
	char buf[EGPU_ADDRESS_LEN];
	int i, n = check(egpu_functions(egpu, port, &f));
	unsigned int bit;

	(void)args;
	for (i = 0; i < n; i++) {
		at = egpu_function_address(&f[i]);
		printf("%s %s ", egpu_address_format(&at, buf),
		       *f[i].driver ? f[i].driver : "-");
		for (bit = 0; bit < sizeof(flags) / sizeof(*flags); bit++)
			if (f[i].flags & (1U << bit))
				printf("%s,", flags[bit]);
		putchar('\n');
	}
	return 0;
}

static int cmd_users(char **args)
{
	struct egpu_user *u;
	bool hidden;
	int i, n = check(egpu_users(egpu, port, &u, &hidden));

	(void)args;
	for (i = 0; i < n; i++)
		printf("%u %s %s %u %s\n", u[i].pid, u[i].comm, u[i].node,
		       u[i].opens, egpu_user_kind_name(u[i].kind));
	return 0;
}

/* --- what is asked for --- */

static int transaction_end(uint32_t transaction)
{
	int ret = egpu_transaction_wait(egpu, port, transaction, NULL, NULL);
	struct egpu_port_info info;

	if (egpu_port(egpu, port, &info))
		memset(&info, 0, sizeof(info));
	printf("%s %s %s\n", ret ? strerrorname_np(-ret) : "OK",
	       egpu_state_name(info.state), egpu_reason_name(info.reason));
	return ret ? 1 : 0;
}

static int cmd_attach(char **args)
{
	uint32_t transaction;

	check(egpu_subscribe(egpu, EGPU_EVENTS_ALL, port, NULL));
	check(egpu_attach(egpu, port, *args ? strtoul(*args, NULL, 0) : 0,
			  &transaction));
	return transaction_end(transaction);
}

static struct {
	uint32_t flags, wait_ms, nr;
	bool begin_only;
	struct egpu_accepted accepted[MAX_ACCEPT];
	bool other_start;
	uint32_t pids[MAX_ACCEPT];
} detach;

/* The users that may stay are named by pid; the kernel wants more. */
static void detach_accept(void)
{
	struct egpu_user *u;
	bool hidden;
	uint32_t i;
	int j, n = check(egpu_users(egpu, port, &u, &hidden));

	for (i = 0; i < detach.nr; i++) {
		for (j = 0; j < n && u[j].pid != detach.pids[i]; j++)
			;
		if (j == n)
			die(1, "ESRCH %u is no user", detach.pids[i]);
		detach.accepted[i].pid = u[j].pid;
		detach.accepted[i].start_time = u[j].start_time +
						detach.other_start;
	}
	free(u);
}

static int cmd_detach(char **args)
{
	uint32_t transaction;

	(void)args;
	detach_accept();
	check(egpu_subscribe(egpu, EGPU_EVENTS_ALL, port, NULL));
	check(egpu_detach(egpu, port, detach.flags, detach.wait_ms,
			  detach.accepted, detach.nr, &transaction));
	if (detach.flags & EGPU_DETACH_CHECK || detach.begin_only)
		die(0, "OK");
	return transaction_end(transaction);
}

static int cmd_cancel(char **args)
{
	(void)args;
	check(egpu_cancel(egpu, port, 0));
	return 0;
}

static int config_set(struct egpu_port_config c)
{
	c.port = port;
	check(egpu_config(egpu, &c));
	return 0;
}

static int config(uint32_t flags, uint32_t policy, uint32_t losses, uint32_t ms)
{
	return config_set((struct egpu_port_config){
		.flags = flags, .policy = policy,
		.quarantine_losses = losses, .quarantine_window_ms = ms,
	});
}

static int cmd_track(char **args)
{
	(void)args;
	return config(EGPU_CONFIG_TRACK, 0, 0, 0);
}

static int cmd_soft(char **args)
{
	return config_set((struct egpu_port_config){
		.flags = EGPU_CONFIG_TRACK | EGPU_CONFIG_SOFT |
			 (*args ? EGPU_CONFIG_WATCH : 0),
		.watch_ms = *args ? strtoul(*args, NULL, 0) : 0,
	});
}

static int cmd_anew(char **args)
{
	unsigned long i, n = *args ? strtoul(*args, NULL, 0) : 1;

	for (i = 0; i < n; i++) {
		config(EGPU_CONFIG_FORGET, 0, 0, 0);
		config(EGPU_CONFIG_TRACK | EGPU_CONFIG_SOFT, 0, 0, 0);
	}
	return 0;
}

static int cmd_watch(char **args)
{
	return config_set((struct egpu_port_config){
		.flags = EGPU_CONFIG_WATCH,
		.watch_ms = *args ? strtoul(*args, NULL, 0) : 0,
	});
}

static int cmd_config(char **args)
{
	if (!args[0])
		return 2;
	return config_set((struct egpu_port_config){
		.flags = strtoul(args[0], NULL, 0),
		.watch_ms = args[1] ? strtoul(args[1], NULL, 0) : 0,
	});
}

static int cmd_forget(char **args)
{
	(void)args;
	return config(EGPU_CONFIG_FORGET, 0, 0, 0);
}

static int cmd_reset(char **args)
{
	(void)args;
	return config(EGPU_CONFIG_QUARANTINE_RESET, 0, 0, 0);
}

static int cmd_policy(char **args)
{
	bool manual = *args && !strcmp(*args, "manual");

	return config(EGPU_CONFIG_POLICY,
		      manual ? EGPU_POLICY_MANUAL : EGPU_POLICY_AUTO, 0, 0);
}

static int cmd_quarantine(char **args)
{
	if (!args[0] || !args[1])
		return 2;
	return config(EGPU_CONFIG_QUARANTINE, 0, atoi(args[0]), atoi(args[1]));
}

/* --- what happens --- */

/* Is the port in one of STATE or STATE/REASON, separated by commas? */
static bool is_wanted(const struct egpu_port_info *info, const char *wanted)
{
	const char *state = egpu_state_name(info->state);
	const char *reason = egpu_reason_name(info->reason);
	char one[96];
	size_t len;

	for (; *wanted; wanted += len + !!wanted[len]) {
		len = strcspn(wanted, ",");
		snprintf(one, sizeof(one), "%s/%s", state, reason);
		if (memchr(wanted, '/', len) ? strlen(one) == len &&
		    !strncmp(one, wanted, len) : strlen(state) == len &&
		    !strncmp(state, wanted, len))
			return true;
	}
	return false;
}

static int cmd_wait(char **args)
{
	long long end = now_ms() + (args[0] && args[1] ? atoi(args[1]) : 10000);
	struct egpu_port_info info;
	struct egpu_event event;
	long long left;

	if (!args[0])
		return 2;
	check(egpu_subscribe(egpu, EGPU_EVENTS_ALL, port, NULL));
	while (info = info_get(), !is_wanted(&info, args[0])) {
		left = end - now_ms();
		if (left <= 0)
			die(1, "ETIMEDOUT %s %s, not %s",
			    egpu_state_name(info.state),
			    egpu_reason_name(info.reason), args[0]);
		check(egpu_event_next(egpu, &event, left));
	}
	return 0;
}

static void event_print(const struct egpu_event *e)
{
	bool state = e->type == EGPU_EVENT_STATE;
	bool step = e->type == EGPU_EVENT_STEP;

	printf("%llu port=%u gen=%llu txn=%u %s", (unsigned long long)e->seq,
	       e->port, (unsigned long long)e->generation, e->transaction,
	       egpu_event_name(e->type));
	if (state)
		printf(" %s>%s", egpu_state_name(e->from),
		       egpu_state_name(e->to));
	else if (step)
		printf(" %s", egpu_step_name(e->to));
	else
		printf(" to=%u value=%u", e->to, e->value);
	printf(" %s error=%s %04x:%02x:%02x.%x %s\n",
	       egpu_reason_name(e->reason),
	       e->error ? strerrorname_np(e->error) : "0", e->domain, e->bus,
	       e->devfn >> 3, e->devfn & 7, e->name);
	fflush(stdout);
}

static int cmd_events(char **args)
{
	struct egpu_event event;

	(void)args;
	check(egpu_subscribe(egpu, EGPU_EVENTS_ALL, port, NULL));
	printf("subscribed\n");
	fflush(stdout);
	while (check(egpu_event_next(egpu, &event, -1)) == 1)
		event_print(&event);
	return 0;
}

/* Asks a file that the caller's shell opened, maybe long ago. */
static int cmd_drm(char **args)
{
	struct drm_version version = { 0 };

	if (!*args)
		return 2;
	check(ioctl(atoi(*args), DRM_IOCTL_VERSION, &version) ? -errno : 0);
	return 0;
}

static const struct {
	const char *name;
	bool port;
	int (*run)(char **args);
} commands[] = {
	{ "info", true, cmd_info },
	{ "functions", true, cmd_functions },
	{ "users", true, cmd_users },
	{ "attach", true, cmd_attach },
	{ "detach", true, cmd_detach },
	{ "cancel", true, cmd_cancel },
	{ "track", true, cmd_track },
	{ "soft", true, cmd_soft },
	{ "anew", true, cmd_anew },
	{ "watch", true, cmd_watch },
	{ "config", true, cmd_config },
	{ "forget", true, cmd_forget },
	{ "reset", true, cmd_reset },
	{ "policy", true, cmd_policy },
	{ "quarantine", true, cmd_quarantine },
	{ "wait", true, cmd_wait },
	{ "events", false, cmd_events },
	{ "drm", false, cmd_drm },
};

/* Return: how many words of @args were options of detach. */
static int detach_options(int argc, char **argv)
{
	int c;

	optind = 1;
	while ((c = getopt(argc, argv, "fcbsw:a:")) != -1) {
		if (c == 'f')
			detach.flags |= EGPU_DETACH_FORCE;
		else if (c == 'c')
			detach.flags |= EGPU_DETACH_CHECK;
		else if (c == 'b')
			detach.begin_only = true;
		else if (c == 's')
			detach.other_start = true;
		else if (c == 'w')
			detach.wait_ms = strtoul(optarg, NULL, 0);
		else if (c == 'a' && detach.nr < MAX_ACCEPT)
			detach.pids[detach.nr++] = strtoul(optarg, NULL, 0);
		else
			exit(2);
	}
	return optind;
}

static int run(unsigned int i, int argc, char **argv)
{
	int ret;

	if (commands[i].run == cmd_drm)
		return cmd_drm(argv + 1);
	argv += detach_options(argc, argv);
	ret = egpu_open(&egpu);
	if (ret)
		die(3, "%s", strerrorname_np(-ret));
	if (*argv)
		port_find(*argv++);
	else if (commands[i].port)
		die(2, "which port?");
	ret = commands[i].run(argv);
	egpu_close(egpu);
	return ret;
}

int main(int argc, char **argv)
{
	unsigned int i;

	for (i = 0; argc > 1 && i < sizeof(commands) / sizeof(*commands); i++)
		if (!strcmp(argv[1], commands[i].name))
			return run(i, argc - 1, argv + 1);
	die(2, "see egpu_client.c");
}
