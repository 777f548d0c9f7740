// SPDX-License-Identifier: GPL-2.0
/*
 * log: what the kernel said about egpu and PCIe errors, in this boot or an
 * earlier one: the journal when there is one, else the kernel's own buffer.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ctl.h"

static bool is_ours(const char *line)
{
	return strstr(line, "egpu") || strstr(line, "AER:") ||
	       strstr(line, "DPC:") || strstr(line, "PCIe Bus Error");
}

static void add_line(struct ctl *ctl, struct json_object *array,
		     const char *time, const char *text)
{
	struct json_object *o;

	if (!ctl->json) {
		printf("%s%s%s\n", time ? time : "", time ? "  " : "", text);
		return;
	}
	o = json_object_new_object();
	put_text(o, "time", time);
	put_text(o, "message", text);
	json_object_array_add(array, o);
}

/* journalctl -k -b N -o short-iso: "TIME HOST kernel: TEXT" */
static int read_journal(struct ctl *ctl, struct json_object *array,
			const char *boot)
{
	int fds[2], status = 0, lines = 0;
	char *line = NULL, *text, *space;
	size_t size = 0;
	FILE *stream;
	pid_t pid;

	if (pipe2(fds, O_CLOEXEC))
		return -errno;
	pid = fork();
	if (!pid) {
		int null = open("/dev/null", O_RDWR);

		dup2(fds[1], STDOUT_FILENO);
		dup2(null, STDERR_FILENO);
		execlp("journalctl", "journalctl", "-k", "-b", boot, "-o",
		       "short-iso", "--no-pager", "-q", NULL);
		_exit(127);
	}
	close(fds[1]);
	stream = fdopen(fds[0], "r");
	while (pid > 0 && stream && getline(&line, &size, stream) >= 0) {
		lines++;
		line[strcspn(line, "\n")] = 0;
		text = strstr(line, "kernel: ");
		space = strchr(line, ' ');
		if (!text || !space || !is_ours(text + 8))
			continue;
		*space = 0;
		add_line(ctl, array, line, text + 8);
	}
	free(line);
	if (stream)
		fclose(stream);
	if (pid < 0 || waitpid(pid, &status, 0) < 0)
		return -ECHILD;
	return WIFEXITED(status) && !WEXITSTATUS(status) && lines ? 0 : -ENOENT;
}

/* A record of /dev/kmsg: "PRIO,SEQ,USEC,FLAGS;TEXT\n KEY=VALUE..." */
static int read_kmsg(struct ctl *ctl, struct json_object *array)
{
	char record[8192], time[40], *text;
	unsigned long long usec;
	ssize_t got;
	int fd = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	/* EPIPE: the buffer went on under us; the next read finds its place */
	while ((got = read(fd, record, sizeof(record) - 1)) > 0 ||
	       (got < 0 && errno == EPIPE)) {
		if (got <= 0)
			continue;
		record[got] = 0;
		text = strchr(record, ';');
		if (!text || sscanf(record, "%*u,%*u,%llu", &usec) != 1)
			continue;
		text++;
		text[strcspn(text, "\n")] = 0;
		if (!is_ours(text))
			continue;
		if (ctl->json)
			rfc3339(usec * 1000, time);
		else
			time_text(usec * 1000, time);
		add_line(ctl, array, time, text);
	}
	close(fd);
	return 0;
}

enum exit_code cmd_log(struct ctl *ctl)
{
	const char *boot = given(ctl, OPT_BOOT) ? ctl->value[OPT_BOOT] : "0";
	struct json_object *array = ctl->json ? json_object_new_array() : NULL;
	bool now = !strcmp(boot, "0") || !strcmp(boot, "-0");
	char *end;
	int ret;

	strtol(boot, &end, 10);
	if (end == boot || *end)
		return fail(ctl, EXIT_USAGE, "0, -1, -2, ...", NULL,
			    "--boot %s is no number", boot);
	ret = read_journal(ctl, array, boot);
	if (ret && now)
		ret = read_kmsg(ctl, array);
	if (ctl->json)
		put(reply(ctl), "lines", array);
	if (!ret)
		return EXIT_DONE;
	if (!now)
		return fail(ctl, EXIT_UNSUPPORTED,
			    "a journal that lasts needs /var/log/journal", NULL,
			    "there is no journal of boot %s", boot);
	return fail_errno(ctl, ret, "/dev/kmsg", NULL);
}
