// SPDX-License-Identifier: GPL-2.0
/*
 * Links and their errors as JSON, in link and in show.
 */
#include "ctl.h"

static void put_speed(struct json_object *o, const char *key, uint32_t tenths)
{
	if (tenths)
		put_number(o, key, tenths / 10.0);
	else
		put_null(o, key);
}

static void put_count(struct json_object *o, const char *key, uint64_t value)
{
	if (value)
		put_int(o, key, (int64_t)value);
	else
		put_null(o, key);
}

static struct json_object *flags_json(uint32_t flags)
{
	struct json_object *array = json_object_new_array();
	unsigned int bit;

	/* these have keys of their own */
	flags &= ~(EGPU_LINK_TUNNELLED | EGPU_LINK_PARTNER | EGPU_LINK_KNOWN);
	for (bit = 0; egpu_hop_flag_name(bit); bit++)
		if (flags & (1U << bit))
			append_text(array, egpu_hop_flag_name(bit));
	return array;
}

static struct json_object *lanes_json(uint32_t lanes)
{
	struct json_object *array = json_object_new_array();
	int lane;

	for (lane = 0; lane < 32; lane++)
		if (lanes & (1U << lane))
			json_object_array_add(array,
					      json_object_new_int64(lane));
	return array;
}

static struct json_object *hop_json(const struct egpu_hop *hop, bool narrowest)
{
	struct json_object *o = json_object_new_object();
	bool known = hop->flags & EGPU_LINK_KNOWN;
	char text[EGPU_ADDRESS_LEN];

	put_text(o, "address", hop_address(hop, text));
	put_text(o, "partner", hop_partner(hop, text));
	put_bool(o, "known", known);
	put_bool(o, "tunnelled", hop->flags & EGPU_LINK_TUNNELLED);
	put_bool(o, "narrowest", narrowest);
	put_speed(o, "speed_gts", hop->speed);
	put_count(o, "width", hop->width);
	put_speed(o, "max_speed_gts", hop->max_speed);
	put_count(o, "max_width", hop->max_width);
	put_speed(o, "target_speed_gts", hop->target_speed);
	put_speed(o, "partner_max_speed_gts", hop->partner_max_speed);
	put_count(o, "partner_max_width", hop->partner_max_width);
	put_count(o, "bytes_per_second", egpu_hop_bandwidth(hop));
	put_count(o, "payload_128_bytes_per_second",
		  egpu_hop_payload(hop, 128));
	put_count(o, "payload_256_bytes_per_second",
		  egpu_hop_payload(hop, 256));
	put(o, "flags", flags_json(hop->flags));
	put(o, "lane_errors", lanes_json(hop->lane_errors));
	put(o, "dpc_status", known ?
	    json_object_new_int64(hop->dpc_status) : NULL);
	return o;
}

struct json_object *hops_json(const struct view *view)
{
	struct json_object *array = json_object_new_array();
	int i, narrowest = egpu_narrowest(view->hops, view->nr_hops);

	for (i = 0; i < view->nr_hops; i++)
		json_object_array_add(array, hop_json(&view->hops[i],
						      i == narrowest));
	return array;
}

static struct json_object *severity_json(const struct egpu_aer *aer)
{
	struct json_object *kinds = json_object_new_object();
	struct json_object *o = json_object_new_object();
	int i;

	for (i = 0; i < aer->nr_kinds; i++)
		put_int(kinds, aer->kinds[i].name,
			(int64_t)aer->kinds[i].count);
	put_int(o, "total", (int64_t)aer->total);
	put(o, "kinds", kinds);
	return o;
}

/* Return: NULL, which is null, when nothing counts the GPU's errors. */
struct json_object *aer_json(const struct view *view)
{
	struct egpu_aer aer[EGPU_AER_COUNT];
	struct egpu_address a;
	struct json_object *o;

	if (!view->gpu)
		return NULL;
	a = egpu_function_address(view->gpu);
	if (egpu_aer(&a, aer))
		return NULL;
	o = json_object_new_object();
	put(o, "correctable", severity_json(&aer[EGPU_AER_CORRECTABLE]));
	put(o, "nonfatal", severity_json(&aer[EGPU_AER_NONFATAL]));
	put(o, "fatal", severity_json(&aer[EGPU_AER_FATAL]));
	return o;
}
