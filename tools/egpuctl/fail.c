// SPDX-License-Identifier: GPL-2.0
/*
 * Errors: one sentence, what to do about it, and an exit code that means one
 * thing.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ctl.h"

const char *exit_name(enum exit_code code)
{
	static const char * const names[] = {
		[EXIT_DONE] = "ok",
		[EXIT_FAILED] = "failed",
		[EXIT_USAGE] = "usage",
		[EXIT_NO_MODULE] = "no-module",
		[EXIT_BUSY] = "busy",
		[EXIT_PERMISSION] = "permission",
		[EXIT_NO_PORT] = "no-port",
		[EXIT_DEADLINE] = "deadline",
		[EXIT_CANCELLED] = "cancelled",
		[EXIT_GUARD] = "guard",
		[EXIT_UNSUPPORTED] = "unsupported",
	};

	return names[code];
}

enum exit_code exit_of(int error)
{
	switch (error < 0 ? -error : error) {
	case 0:
		return EXIT_DONE;
	case EBUSY:
		return EXIT_BUSY;
	case EPERM:
	case EACCES:
		return EXIT_PERMISSION;
	case ENOENT:
	case ENODEV:
		return EXIT_NO_PORT;
	case ETIMEDOUT:
		return EXIT_DEADLINE;
	case ECANCELED:
	case EINTR:
		return EXIT_CANCELLED;
	case EOPNOTSUPP:
	case ENOTTY:
		return EXIT_UNSUPPORTED;
	default:
		return EXIT_FAILED;
	}
}

static void fail_json(struct ctl *ctl, enum exit_code code, const char *text,
		      const char *hint, const struct egpu_port_info *port)
{
	struct json_object *error = json_object_new_object();

	put_text(error, "code", exit_name(code));
	put_int(error, "exit", code);
	put_text(error, "message", text);
	put_text(error, "hint", hint && *hint ? hint : NULL);
	if (port)
		put_int(error, "port", port->port);
	else
		put_null(error, "port");
	put(reply(ctl), "error", error);
}

enum exit_code fail(struct ctl *ctl, enum exit_code code, const char *hint,
		    const struct egpu_port_info *port, const char *format, ...)
{
	char text[512];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	if (ctl->json) {
		fail_json(ctl, code, text, hint, port);
		return code;
	}
	fflush(stdout);
	fprintf(stderr, "egpuctl: %s%s%s\n", text, hint && *hint ? ": " : "",
		hint ? hint : "");
	return code;
}

enum exit_code fail_errno(struct ctl *ctl, int error, const char *what,
			  const struct egpu_port_info *port)
{
	enum exit_code code = exit_of(error);
	const char *hint = NULL, *text = strerror(error < 0 ? -error : error);

	switch (code) {
	case EXIT_PERMISSION:
		text = "this needs root (CAP_SYS_ADMIN)";
		hint = geteuid() ? "sudo egpuctl ..." : NULL;
		break;
	case EXIT_BUSY:
		text = "another transaction runs on this port";
		hint = "egpuctl show, egpuctl cancel";
		break;
	case EXIT_NO_PORT:
		text = abs(error) == ENODEV ? "there is nothing below this port"
					    : "there is no such port any more";
		break;
	case EXIT_UNSUPPORTED:
		text = "this port, kernel or module cannot do it";
		if (port && !(port->flags & EGPU_PORT_TRACKED)) {
			text = "the port is not tracked";
			hint = "egpuctl track PORT";
		}
		break;
	default:
		break;
	}
	return fail(ctl, code, hint, port, "%s: %s", what, text);
}
