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

static struct json_object *expected_json(const struct view *view)
{
	struct json_object *o;

	if (!view->learned.speed)
		return NULL;
	o = json_object_new_object();
	put_speed(o, "speed_gts", view->learned.speed);
	put_count(o, "width", view->learned.width);
	return o;
}

/* What is remembered; registers and verdict stand beside it. */
static void put_about(struct json_object *o, const struct view *view)
{
	const struct egpu_link_info *about = &view->about;
	char device[16];

	put_speed(o, "best_seen_gts", about->best_speed);
	put_count(o, "best_seen_width", about->best_width);
	put_time(o, "best_seen_at", about->best_ns);
	put_count(o, "wired_width", about->wired_width);
	put_speed(o, "limit_gts", about->limit_speed);
	snprintf(device, sizeof(device), "%04x:%04x", about->limit_vendor,
		 about->limit_device);
	put_text(o, "limit_device", about->limit_vendor ? device : NULL);
	put_text(o, "limit_why", view_limit_why(view));
	put(o, "expected", expected_json(view));
}

struct json_object *link_json(const struct view *view)
{
	const struct egpu_link *link = &view->link;
	struct json_object *o = json_object_new_object();
	struct link_verdict verdict;

	view_verdict(view, &verdict);
	put_speed(o, "speed_gts", link->speed);
	put_count(o, "width", link->width);
	put_speed(o, "max_speed_gts", link->max_speed);
	put_count(o, "max_width", link->max_width);
	put_about(o, view);
	put_bool(o, "tunnelled", link->tunnelled);
	put_text(o, "verdict", worth_name(verdict.kind));
	put_text(o, "verdict_text", *verdict.text ? verdict.text : NULL);
	put_count(o, "bytes_per_second", link->bytes_per_second);
	return o;
}

/* Return: NULL, which is null, when the kernel has no controller. */
struct json_object *cooling_json(const struct view *view)
{
	const struct egpu_cooling *cooling = &view->cooling;
	struct json_object *o;

	if (!*cooling->name)
		return NULL;
	o = json_object_new_object();
	put_text(o, "device", cooling->name);
	put_int(o, "state", cooling->state);
	put_int(o, "max_state", cooling->max_state);
	put_speed(o, "limit_gts", view_kernel_limit(view));
	return o;
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

/* Of the port's link that of the link; of others as far as registers tell. */
static enum worth hop_worth(const struct view *view, const struct egpu_hop *hop)
{
	struct link_verdict verdict;
	unsigned int width;
	uint32_t speed;

	if (hop->flags & EGPU_LINK_TUNNELLED)
		return WORTH_TUNNELLED;
	if (!(hop->flags & EGPU_LINK_KNOWN))
		return WORTH_ASLEEP;
	if (!hop->speed || !hop->width)
		return WORTH_NONE;
	egpu_hop_ends(hop, &speed, &width);
	if (hop->speed >= speed && hop->width >= width)
		return WORTH_FULL;
	view_verdict(view, &verdict);
	return !(hop->flags & EGPU_LINK_PORT) || view->link.tunnelled ?
	       WORTH_BELOW : verdict.kind;
}

static struct json_object *hop_json(const struct view *view,
				    const struct egpu_hop *hop, bool narrowest)
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
	put_text(o, "verdict", worth_name(hop_worth(view, hop)));
	return o;
}

struct json_object *hops_json(const struct view *view)
{
	struct json_object *array = json_object_new_array();
	int i, narrowest = egpu_narrowest(view->hops, view->nr_hops);

	for (i = 0; i < view->nr_hops; i++)
		json_object_array_add(array, hop_json(view, &view->hops[i],
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
