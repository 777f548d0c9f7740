// SPDX-License-Identifier: GPL-2.0
/*
 * JSON: keys are never missing, what is not known is null.
 */
#include "ctl.h"

void put(struct json_object *o, const char *key, struct json_object *value)
{
	json_object_object_add(o, key, value);
}

void put_text(struct json_object *o, const char *key, const char *value)
{
	put(o, key, value ? json_object_new_string(value) : NULL);
}

void append_text(struct json_object *array, const char *text)
{
	json_object_array_add(array, json_object_new_string(text));
}

void put_int(struct json_object *o, const char *key, int64_t value)
{
	put(o, key, json_object_new_int64(value));
}

struct json_object *json_number(double value)
{
	char text[32];

	/* 2.5, not 2.4999999999999999; 16, not 16.0 */
	snprintf(text, sizeof(text), "%g", value);
	return json_object_new_double_s(value, text);
}

void put_number(struct json_object *o, const char *key, double value)
{
	put(o, key, json_number(value));
}

void put_bool(struct json_object *o, const char *key, bool value)
{
	put(o, key, json_object_new_boolean(value));
}

void put_null(struct json_object *o, const char *key)
{
	put(o, key, NULL);
}

void put_time(struct json_object *o, const char *key, uint64_t monotonic)
{
	char text[40];

	put_text(o, key, monotonic ? rfc3339(monotonic, text) : NULL);
}

/* The reply that main() prints at the end. */
struct json_object *reply(struct ctl *ctl)
{
	if (!ctl->reply) {
		ctl->reply = json_object_new_object();
		put_int(ctl->reply, "schema", JSON_SCHEMA);
		put_text(ctl->reply, "module_version", ctl->egpu ?
			 egpu_about(ctl->egpu)->module_version : NULL);
	}
	return ctl->reply;
}

void print_json(struct json_object *o, bool pretty)
{
	int flags = pretty ? JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED
			   : JSON_C_TO_STRING_PLAIN;

	flags |= JSON_C_TO_STRING_NOSLASHESCAPE;
	puts(json_object_to_json_string_ext(o, flags));
	fflush(stdout);
}
