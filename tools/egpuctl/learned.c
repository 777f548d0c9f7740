// SPDX-License-Identifier: GPL-2.0
/*
 * What the tool learned by itself about links: a file of one entry per port and
 * device. Keys that are not known here stay. Only one egpuctl at a time changes
 * it, and it is replaced whole.
 *
 *	{ "schema": 1, "links": [ { "path": "0000:00:06.0",
 *	  "device": "10de:2684", "serial": null, "limit_gts": 8,
 *	  "why": "qualify", "expected": { "speed_gts": 8, "width": 4 },
 *	  "since": "2026-11-23T12:10:00.000Z" } ] }
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ctl.h"

static struct json_object *get(struct json_object *o, const char *key)
{
	struct json_object *value = NULL;

	json_object_object_get_ex(o, key, &value);
	return value;
}

static struct json_object *links_of(const struct learned *learned)
{
	return get(learned->root, "links");
}

static const char *text_of(struct json_object *o, const char *key)
{
	struct json_object *value = get(o, key);

	return json_object_is_type(value, json_type_string) ?
	       json_object_get_string(value) : "";
}

/* Tenths of GT/s; 0 for what is no speed. */
static uint32_t speed_of(struct json_object *o, const char *key)
{
	double tenths = json_object_get_double(get(o, key)) * 10;
	uint32_t speed = tenths > 0 && tenths < 9999 ? (uint32_t)tenths : 0;

	return egpu_bandwidth(speed, 1, false) ? speed : 0;
}

static bool is_ours(struct json_object *root)
{
	struct json_object *links = get(root, "links");
	size_t i;

	if (!json_object_is_type(root, json_type_object) ||
	    !json_object_is_type(links, json_type_array))
		return false;
	for (i = 0; i < json_object_array_length(links); i++)
		if (!json_object_is_type(json_object_array_get_idx(links, i),
					 json_type_object))
			return false;
	return true;
}

static struct json_object *empty_file(void)
{
	struct json_object *root = json_object_new_object();

	put_int(root, "schema", JSON_SCHEMA);
	put(root, "links", json_object_new_array());
	return root;
}

/* Damaged: what is to be changed is moved aside, so that nothing is lost. */
static int set_aside(const struct learned *learned, bool change)
{
	char *aside;
	int ret = 0;

	fprintf(stderr, "egpuctl: %s is damaged and not used\n", learned->file);
	if (!change)
		return 0;
	if (asprintf(&aside, "%s.damaged-%lld", learned->file,
		     (long long)wall_of(monotonic_ns()).tv_sec) < 0)
		abort();
	if (rename(learned->file, aside)) {
		ret = -errno;
		fprintf(stderr, "egpuctl: it cannot be moved to %s: %s\n",
			aside, strerror(-ret));
	} else {
		fprintf(stderr, "egpuctl: it is kept as %s\n", aside);
	}
	free(aside);
	return ret;
}

static int read_file(struct learned *learned, bool change)
{
	if (access(learned->file, R_OK)) {
		if (errno == ENOENT || errno == ENOTDIR)
			return 0;
		fprintf(stderr, "egpuctl: %s: %s\n", learned->file,
			strerror(errno));
		return -errno;
	}
	learned->root = json_object_from_file(learned->file);
	if (is_ours(learned->root))
		return 0;
	json_object_put(learned->root);
	learned->root = NULL;
	return set_aside(learned, change);
}

int learned_load(struct learned *learned, bool change)
{
	int ret;

	memset(learned, 0, sizeof(*learned));
	learned->lock = -1;
	if (asprintf(&learned->file, "%s/links.json", state_dir()) < 0)
		abort();
	if (change) {
		learned->lock = lock_dir(learned->file);
		if (learned->lock < 0) {
			ret = learned->lock;
			fprintf(stderr, "egpuctl: %s: %s\n", state_dir(),
				strerror(-ret));
			learned_free(learned);
			return ret;
		}
	}
	ret = read_file(learned, change);
	if (!learned->root)
		learned->root = empty_file();
	if (ret && change)
		learned_free(learned);
	return change ? ret : 0;
}

void learned_free(struct learned *learned)
{
	if (learned->lock >= 0)
		close(learned->lock);
	json_object_put(learned->root);
	free(learned->file);
	memset(learned, 0, sizeof(*learned));
	learned->lock = -1;
}

static bool is_for(struct json_object *o, const struct learned_key *key,
		   const char *serial)
{
	char device[16];

	snprintf(device, sizeof(device), "%04x:%04x", key->vendor, key->device);
	return !strcmp(text_of(o, "path"), key->path) &&
	       !strcasecmp(text_of(o, "device"), device) &&
	       !strcmp(text_of(o, "serial"), serial);
}

static struct json_object *find(const struct learned *learned,
				const struct learned_key *key,
				const char *serial, size_t *at)
{
	struct json_object *links = links_of(learned), *o;

	for (*at = 0; *at < json_object_array_length(links); ++*at) {
		o = json_object_array_get_idx(links, *at);
		if (is_for(o, key, serial))
			return o;
	}
	return NULL;
}

bool learned_any(const struct learned *learned)
{
	return json_object_array_length(links_of(learned));
}

bool learned_find(const struct learned *learned, const struct learned_key *key,
		  struct learned_link *link)
{
	struct json_object *o, *expected;
	size_t at;

	memset(link, 0, sizeof(*link));
	o = find(learned, key, key->serial, &at);
	/* older kernels do not tell serial numbers: what was learned there */
	if (!o)
		o = find(learned, key, "", &at);
	if (!o)
		return false;
	link->limit = speed_of(o, "limit_gts");
	snprintf(link->why, sizeof(link->why), "%s", text_of(o, "why"));
	snprintf(link->since, sizeof(link->since), "%s", text_of(o, "since"));
	expected = get(o, "expected");
	link->speed = speed_of(expected, "speed_gts");
	link->width = (unsigned int)json_object_get_int(get(expected, "width"));
	if (!link->speed || link->width > 32)
		link->width = 0;
	if (!link->width)
		link->speed = 0;
	return true;
}

bool learned_newest(const struct learned *learned, struct learned_key *key,
		    struct learned_link *link)
{
	struct json_object *links = links_of(learned), *o;
	struct learned_link one;
	struct learned_key found = *key;
	unsigned int vendor, device;
	size_t i;

	memset(link, 0, sizeof(*link));
	for (i = 0; i < json_object_array_length(links); i++) {
		o = json_object_array_get_idx(links, i);
		if (strcmp(text_of(o, "path"), key->path) ||
		    sscanf(text_of(o, "device"), "%4x:%4x", &vendor,
			   &device) != 2)
			continue;
		found.vendor = (uint16_t)vendor;
		found.device = (uint16_t)device;
		snprintf(found.serial, sizeof(found.serial), "%s",
			 text_of(o, "serial"));
		/* RFC 3339 sorts as text */
		if (learned_find(learned, &found, &one) && one.limit &&
		    strcmp(one.since, link->since) >= 0) {
			*link = one;
			*key = found;
		}
	}
	return link->limit;
}

static struct json_object *get_entry(struct learned *learned,
				     const struct learned_key *key)
{
	struct json_object *o;
	char device[16];
	size_t at;

	o = find(learned, key, key->serial, &at);
	if (o)
		return o;
	snprintf(device, sizeof(device), "%04x:%04x", key->vendor, key->device);
	o = json_object_new_object();
	put_text(o, "path", key->path);
	put_text(o, "device", device);
	put_text(o, "serial", *key->serial ? key->serial : NULL);
	put_null(o, "limit_gts");
	put_null(o, "why");
	put_null(o, "expected");
	json_object_array_add(links_of(learned), o);
	return o;
}

/* Dates the entry, or takes it away when it says nothing any more. */
static void finish(struct learned *learned, const struct learned_key *key,
		   struct json_object *o)
{
	size_t at;

	put_time(o, "since", monotonic_ns());
	if (!get(o, "limit_gts") && !get(o, "expected") &&
	    find(learned, key, key->serial, &at))
		json_object_array_del_idx(links_of(learned), at, 1);
}

void learned_set_limit(struct learned *learned, const struct learned_key *key,
		       uint32_t speed, const char *why)
{
	struct json_object *o = get_entry(learned, key);

	if (speed)
		put_number(o, "limit_gts", speed / 10.0);
	else
		put_null(o, "limit_gts");
	put_text(o, "why", speed ? why : NULL);
	finish(learned, key, o);
}

void learned_set_expected(struct learned *learned,
			  const struct learned_key *key, uint32_t speed,
			  unsigned int width)
{
	struct json_object *o = get_entry(learned, key), *expected = NULL;

	if (speed && width) {
		expected = json_object_new_object();
		put_number(expected, "speed_gts", speed / 10.0);
		put_int(expected, "width", width);
	}
	put(o, "expected", expected);
	finish(learned, key, o);
}

int learned_save(struct learned *learned)
{
	const char *text = json_object_to_json_string_ext(learned->root,
		JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED |
		JSON_C_TO_STRING_NOSLASHESCAPE);
	char *whole;
	int ret;

	if (asprintf(&whole, "%s\n", text) < 0)
		abort();
	ret = file_replace(learned->file, whole);
	if (ret)
		fprintf(stderr, "egpuctl: %s: %s\n", learned->file,
			strerror(-ret));
	free(whole);
	return ret;
}
