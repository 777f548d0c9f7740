// SPDX-License-Identifier: GPL-2.0
/*
 * link: the way from the root to the GPU, hop by hop: how fast each is, what it
 * could be, and where errors were seen.
 */
#include <stdarg.h>
#include <string.h>

#include "ctl.h"

char *hop_address(const struct egpu_hop *hop, char buf[EGPU_ADDRESS_LEN])
{
	struct egpu_address a = { hop->domain, hop->bus, hop->devfn };

	return egpu_address_format(&a, buf);
}

/* Return: NULL when nothing is there. */
char *hop_partner(const struct egpu_hop *hop, char buf[EGPU_ADDRESS_LEN])
{
	struct egpu_address a = { hop->domain, hop->partner_bus,
				  hop->partner_devfn };

	return hop->partner_bus ? egpu_address_format(&a, buf) : NULL;
}

/* Where a list of remarks stands. */
struct remarks {
	int count;
};

static void remark(struct remarks *remarks, const char *format, ...)
	print_like(2, 3);

static void remark(struct remarks *remarks, const char *format, ...)
{
	va_list args;

	printf("%s", remarks->count++ ? ", " : "  ");
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
}

static void now_text(const struct egpu_hop *hop, char *buf, size_t size)
{
	char rate[24];

	rate_text(egpu_hop_bandwidth(hop), rate);
	if (hop->flags & EGPU_LINK_TUNNELLED)
		snprintf(buf, size, "tunnelled");
	else if (!(hop->flags & EGPU_LINK_KNOWN))
		snprintf(buf, size, "asleep");
	else if (hop->flags & EGPU_LINK_DPC)
		snprintf(buf, size, "down (DPC)");
	else if (!hop->width)
		snprintf(buf, size, hop->flags & EGPU_LINK_DISABLED ?
			 "disabled" : "down");
	else if (!hop->speed)
		snprintf(buf, size, "unknown speed x%u", hop->width);
	else
		snprintf(buf, size, "%gGT/s x%u, %s", hop->speed / 10.0,
			 hop->width, rate);
}

/* root 00:06.0 --16GT/s x4, 7.9 GB/s-- GPU 04:00.0   <- narrowest */
static void print_way(struct ctl *ctl, const struct view *view, int i,
		      bool narrowest)
{
	const struct egpu_hop *hop = &view->hops[i];
	char address[EGPU_ADDRESS_LEN], from[EGPU_ADDRESS_LEN];
	char partner[EGPU_ADDRESS_LEN], to[EGPU_ADDRESS_LEN] = "";
	const char *what = "nothing";
	char now[64];

	short_address(hop_address(hop, address), from, sizeof(from));
	now_text(hop, now, sizeof(now));
	if (hop_partner(hop, partner)) {
		short_address(partner, to, sizeof(to));
		what = i < view->nr_hops - 1 ? "switch " :
		       view->gpu ? "GPU " : "device ";
	}
	printf("%s %s --%s%s%s-- %s%s%s\n", i ? "switch" : "root", from,
	       paint(ctl, BOLD), now, paint(ctl, PLAIN), what, to,
	       narrowest ? "   <- narrowest" : "");
}

/* Who of both ends allows less than the other, and how much each. */
static void limit_text(const struct egpu_hop *hop, char *buf, size_t size)
{
	*buf = 0;
	if ((hop->flags & EGPU_LINK_PARTNER) &&
	    (hop->max_speed != hop->partner_max_speed ||
	     hop->max_width != hop->partner_max_width))
		snprintf(buf, size, " (the port %gGT/s x%u, the far end %gGT/s x%u)",
			 hop->max_speed / 10.0, hop->max_width,
			 hop->partner_max_speed / 10.0,
			 hop->partner_max_width);
}

/*
 * The verdict is on the port's link only. Another that is slower may be idle:
 * what its ends allow is all it says.
 */
static void print_ends(const struct egpu_hop *hop,
		       const struct link_verdict *verdict)
{
	bool ends = hop->flags & EGPU_LINK_PARTNER;
	unsigned int width;
	uint32_t speed;
	char who[96];

	egpu_hop_ends(hop, &speed, &width);
	limit_text(hop, who, sizeof(who));
	printf("  %s %gGT/s x%u", ends ? "ends allow" : "the port allows",
	       speed / 10.0, width);
	if (hop->speed >= speed && hop->width >= width)
		printf(": full speed");
	else if (verdict && *verdict->best_text)
		printf("; %s", verdict->best_text);
	printf("%s", who);
	if (hop->target_speed && hop->target_speed < speed)
		printf(", Target Link Speed is %gGT/s",
		       hop->target_speed / 10.0);
	putchar('\n');
}

static void print_payload(const struct egpu_hop *hop)
{
	char small[24], large[24];

	if (!egpu_hop_bandwidth(hop))
		return;
	rate_text(egpu_hop_payload(hop, 128), small);
	rate_text(egpu_hop_payload(hop, 256), large);
	printf("  leaves %s for data with payloads of 128 bytes, %s with 256\n",
	       small, large);
}

static void remark_modes(struct remarks *remarks, uint32_t flags)
{
	bool port = flags & EGPU_LINK_HASD;
	bool far = flags & EGPU_LINK_PARTNER_HASD;

	if (flags & EGPU_LINK_FLIT)
		remark(remarks, "Flit mode");
	if (flags & (EGPU_LINK_ASPM_L0S | EGPU_LINK_ASPM_L1))
		remark(remarks, "ASPM%s%s",
		       flags & EGPU_LINK_ASPM_L0S ? " L0s" : "",
		       flags & EGPU_LINK_ASPM_L1 ? " L1" : "");
	if (flags & EGPU_LINK_RETIMERS)
		remark(remarks, "two retimers");
	else if (flags & EGPU_LINK_RETIMER)
		remark(remarks, "a retimer");
	if (port || far)
		remark(remarks, "autonomous speed changes off at %s",
		       !far ? "the port" : !port ? "the far end" : "both ends");
}

static void remark_events(struct remarks *remarks, uint32_t flags)
{
	if (flags & EGPU_LINK_TRAINING)
		remark(remarks, "being trained");
	if (flags & EGPU_LINK_LBMS)
		remark(remarks, "retrained or changed to stay reliable (LBMS)");
	if (flags & EGPU_LINK_LABS)
		remark(remarks, "changed by itself (LABS)");
	if (flags & EGPU_LINK_EQ_REQUEST)
		remark(remarks, "asks for equalization");
}

static void print_remarks(const struct egpu_hop *hop)
{
	struct remarks remarks = { 0 };
	int lane;

	remark_modes(&remarks, hop->flags);
	remark_events(&remarks, hop->flags);
	if (hop->lane_errors)
		remark(&remarks, "errors on lane");
	for (lane = 0; lane < 32; lane++)
		if (hop->lane_errors & (1U << lane))
			printf(" %d", lane);
	if (hop->flags & EGPU_LINK_DPC)
		remark(&remarks, "DPC triggered (status %#x)", hop->dpc_status);
	if (remarks.count)
		putchar('\n');
}

static void print_now(const struct view *view,
		      const struct link_verdict *verdict)
{
	if (verdict->kind == WORTH_IDLE)
		printf("  now %gGT/s x%u (idle; %s)\n", view->link.speed / 10.0,
		       view->link.width, verdict->seen);
}

static void print_limits(const struct view *view,
			 const struct link_verdict *verdict)
{
	const struct egpu_cooling *cooling = &view->cooling;
	uint32_t kernel = view_kernel_limit(view);
	uint32_t limit = view->about.limit_speed;

	if (limit && view_limit_why(view) && verdict->speed > limit)
		printf("  from the next attach on: at most %gGT/s (%s)\n",
		       limit / 10.0, view_limit_why(view));
	if (kernel)
		printf("  the kernel's bandwidth controller limits it to %gGT/s (%s, state %u of %u)\n",
		       kernel / 10.0, cooling->name, cooling->state,
		       cooling->max_state);
}

static void print_hop(struct ctl *ctl, const struct view *view, int i,
		      bool narrowest, const struct link_verdict *verdict)
{
	const struct egpu_hop *hop = &view->hops[i];

	print_way(ctl, view, i, narrowest);
	if (!(hop->flags & (EGPU_LINK_TUNNELLED | EGPU_LINK_KNOWN))) {
		puts("  the port sleeps and was left alone");
		return;
	}
	if (hop->flags & EGPU_LINK_TUNNELLED) {
		puts("  over Thunderbolt or USB4: what its registers claim says nothing, and the cable is shared");
	} else {
		if (verdict)
			print_now(view, verdict);
		print_ends(hop, verdict);
		if (verdict)
			print_limits(view, verdict);
		print_payload(hop);
	}
	print_remarks(hop);
}

static void print_severity(const char *name, const struct egpu_aer *aer)
{
	int i;

	printf("%s %llu", name, (unsigned long long)aer->total);
	for (i = 0; i < aer->nr_kinds; i++)
		printf("%s%s %llu", i ? ", " : " (", aer->kinds[i].name,
		       (unsigned long long)aer->kinds[i].count);
	if (aer->nr_kinds)
		putchar(')');
}

static void print_errors(const struct view *view)
{
	static const char * const names[EGPU_AER_COUNT] = {
		[EGPU_AER_CORRECTABLE] = "correctable",
		[EGPU_AER_NONFATAL] = "nonfatal",
		[EGPU_AER_FATAL] = "fatal",
	};
	struct egpu_aer aer[EGPU_AER_COUNT];
	struct egpu_address a;
	int i, n = 0;

	if (!view->gpu)
		return;
	a = egpu_function_address(view->gpu);
	if (egpu_aer(&a, aer)) {
		puts("Errors of the GPU are not counted: it, or the kernel, has no AER.");
		return;
	}
	printf("Errors of the GPU: ");
	for (i = 0; i < EGPU_AER_COUNT; i++)
		if (aer[i].total || aer[i].nr_kinds) {
			printf("%s", n++ ? "; " : "");
			print_severity(names[i], &aer[i]);
		}
	puts(n ? "" : "none");
}

static void link_json_reply(struct ctl *ctl, const struct view *view)
{
	put_int(reply(ctl), "port", view->info.port);
	put(reply(ctl), "link", link_json(view));
	put(reply(ctl), "bandwidth_controller", cooling_json(view));
	put(reply(ctl), "hops", hops_json(view));
	put(reply(ctl), "aer", aer_json(view));
}

/* What an idle GPU's link carries is what it was seen at. */
static void link_text_reply(struct ctl *ctl, struct view *view)
{
	struct link_verdict verdict;
	int i, narrowest;

	view_verdict(view, &verdict);
	for (i = 0; i < view->nr_hops; i++)
		if (verdict.kind == WORTH_IDLE &&
		    (view->hops[i].flags & EGPU_LINK_PORT)) {
			view->hops[i].speed = verdict.speed;
			view->hops[i].width = (uint32_t)verdict.width;
		}
	narrowest = egpu_narrowest(view->hops, view->nr_hops);
	for (i = 0; i < view->nr_hops; i++)
		print_hop(ctl, view, i, i == narrowest,
			  view->hops[i].flags & EGPU_LINK_PORT ? &verdict :
								 NULL);
	print_errors(view);
}

static enum exit_code link_show(struct ctl *ctl,
				const struct egpu_port_info *info)
{
	enum exit_code code = EXIT_DONE;
	struct view view;

	view_get(ctl, info, VIEW_ENDS, &view);
	if (view.nr_hops < 0)
		code = view.link.missing ?
		       fail(ctl, EXIT_UNSUPPORTED,
			    "load the module that belongs to this egpuctl",
			    info, "this module cannot tell links") :
		       fail_errno(ctl, view.nr_hops, "links", info);
	else if (ctl->json)
		link_json_reply(ctl, &view);
	else
		link_text_reply(ctl, &view);
	view_free(&view);
	return code;
}

enum exit_code cmd_link(struct ctl *ctl)
{
	const struct sub_verb *sub = NULL;
	struct egpu_port_info info;
	enum exit_code code;

	if (ctl->nr_args > 1) {
		for (sub = ctl->verb->subs; sub->name; sub++)
			if (!strcmp(ctl->arg[1], sub->name))
				break;
		if (!sub->name)
			return fail(ctl, EXIT_USAGE, "egpuctl link --help",
				    NULL, "there is no \"link PORT %s\"",
				    ctl->arg[1]);
	}
	code = args_check_sub(ctl, sub);
	if (code == EXIT_DONE)
		code = find_port(ctl, ctl->arg[0], !sub, &info);
	if (code != EXIT_DONE)
		return code;
	return sub ? sub->run(ctl, &info) : link_show(ctl, &info);
}
