// SPDX-License-Identifier: GPL-2.0
/*
 * Link registers decoded by the module's own functions, and what libegpu makes
 * of speed and width. Prints KTAP.
 */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "../../drivers/egpu/link_regs.h"
#include "../../tools/lib/egpu.h"

static int test_nr;
static int wrong;
static int failures;

#define EXPECT(cond, ...) do {						\
	if (!(cond)) {							\
		printf("# line %d: ", __LINE__);			\
		printf(__VA_ARGS__);					\
		putchar('\n');						\
		wrong++;						\
	}								\
} while (0)

#define COUNT(a)	(sizeof(a) / sizeof((a)[0]))

/* Codes as the specification numbers them, tenths of GT/s. */
static const __u32 speeds[] = { 25, 50, 80, 160, 320, 640, 1280 };
static const __u32 widths[] = { 1, 2, 4, 8, 12, 16, 32 };

static struct egpu_hop decoded(const struct egpu_link_regs *regs)
{
	struct egpu_hop hop;

	memset(&hop, 0, sizeof(hop));
	egpu_link_decode(&hop, regs);
	return hop;
}

static void test_now(void)
{
	unsigned int s, w;

	for (s = 0; s < COUNT(speeds); s++)
		for (w = 0; w < COUNT(widths); w++) {
			struct egpu_link_regs regs = {
				.sta = (s + 1) | widths[w] << 4,
			};
			struct egpu_hop hop = decoded(&regs);

			EXPECT(hop.speed == speeds[s] && hop.width == widths[w],
			       "%u x%u is %u x%u", speeds[s], widths[w],
			       hop.speed, hop.width);
		}
}

static void test_maximum(void)
{
	unsigned int s, w;

	for (s = 0; s < COUNT(speeds); s++)
		for (w = 0; w < COUNT(widths); w++) {
			struct egpu_link_regs regs = {
				.cap = (s + 1) | widths[w] << 4 | 0xfffffc00,
				.cap2 = ((1U << (s + 1)) - 1) << 1 | 0xffffff01,
				.ctl2 = s + 1,
			};
			struct egpu_hop hop = { 0 };

			regs.cap &= ~0x00300000U;
			regs.cap2 &= ~(0xfeU & ~(((1U << (s + 1)) - 1) << 1));
			hop = decoded(&regs);
			EXPECT(hop.max_speed == speeds[s] &&
			       hop.max_width == widths[w] &&
			       hop.target_speed == speeds[s],
			       "%u x%u is %u x%u, target %u", speeds[s],
			       widths[w], hop.max_speed, hop.max_width,
			       hop.target_speed);
			memset(&hop, 0, sizeof(hop));
			egpu_link_decode_partner(&hop, &regs);
			EXPECT(hop.partner_max_speed == speeds[s] &&
			       hop.partner_max_width == widths[w] &&
			       hop.flags == EGPU_LINK_PARTNER,
			       "partner %u x%u is %u x%u", speeds[s], widths[w],
			       hop.partner_max_speed, hop.partner_max_width);
		}
}

/* Before PCIe 3.0; and a vector with holes, whose highest bit counts. */
static void test_vector(void)
{
	struct egpu_link_regs regs = { .cap = 2 };

	EXPECT(decoded(&regs).max_speed == 50, "no vector");
	regs.cap2 = 0x01;
	EXPECT(decoded(&regs).max_speed == 50, "only the reserved bit");
	regs.cap2 = 0x12;
	EXPECT(decoded(&regs).max_speed == 160, "with holes");
	regs.cap2 = 0x100;
	EXPECT(decoded(&regs).max_speed == 50, "crosslink is no speed");
}

static void test_unknown(void)
{
	__u32 code;

	for (code = 0; code < 16; code++) {
		struct egpu_link_regs regs = {
			.cap = code, .ctl2 = code, .sta = code | 4 << 4,
		};
		__u32 want = code >= 1 && code <= 7 ? speeds[code - 1] : 0;
		struct egpu_hop hop = decoded(&regs);

		EXPECT(hop.speed == want && hop.max_speed == want &&
		       hop.target_speed == want && hop.width == 4,
		       "code %u is %u, %u, %u", code, hop.speed,
		       hop.max_speed, hop.target_speed);
	}
}

static void test_down(void)
{
	struct egpu_link_regs regs = { .cap = 0x100000, .sta = 0x0043 };
	struct egpu_hop hop = decoded(&regs);

	EXPECT(!hop.speed && !hop.width, "%u x%u while it is down", hop.speed,
	       hop.width);
	regs.sta |= 0x2000;
	hop = decoded(&regs);
	EXPECT(hop.speed == 80 && hop.width == 4, "%u x%u", hop.speed,
	       hop.width);
	regs.cap = 0;
	regs.sta = 0x0003;
	hop = decoded(&regs);
	EXPECT(!hop.speed && !hop.width, "%u without lanes", hop.speed);
}

/* Each bit of each register alone: its flag, and no other. */
static void test_flags(void)
{
	static const struct {
		int bit;
		__u32 flag;
	} sta[] = {
		{ 11, EGPU_LINK_TRAINING }, { 13, EGPU_LINK_ACTIVE },
		{ 14, EGPU_LINK_LBMS }, { 15, EGPU_LINK_LABS },
	}, ctl[] = {
		{ 0, EGPU_LINK_ASPM_L0S }, { 1, EGPU_LINK_ASPM_L1 },
		{ 4, EGPU_LINK_DISABLED }, { 6, EGPU_LINK_COMMON_CLOCK },
	}, ctl2[] = {
		{ 5, EGPU_LINK_HASD },
	}, sta2[] = {
		{ 1, EGPU_LINK_EQUALIZED }, { 5, EGPU_LINK_EQ_REQUEST },
		{ 6, EGPU_LINK_RETIMER }, { 7, EGPU_LINK_RETIMERS },
		{ 10, EGPU_LINK_FLIT },
	};
	unsigned int i;
	int bit;

#define EACH_BIT(name)							\
	for (bit = 0; bit < 16; bit++) {				\
		struct egpu_link_regs regs = { .name = 1U << bit };	\
		__u32 want = 0, got = decoded(&regs).flags;		\
									\
		for (i = 0; i < COUNT(name); i++)			\
			want |= name[i].bit == bit ? name[i].flag : 0;	\
		EXPECT(got == want, #name " bit %d is %#x", bit, got);	\
	}
	EACH_BIT(sta)
	EACH_BIT(ctl)
	EACH_BIT(ctl2)
	EACH_BIT(sta2)
	for (bit = 0; bit < 16; bit++) {
		struct egpu_link_regs regs = { .ctl2 = 1U << bit };
		struct egpu_hop hop = { 0 };

		egpu_link_decode_partner(&hop, &regs);
		EXPECT(!(hop.flags & EGPU_LINK_PARTNER_HASD) == (bit != 5),
		       "partner ctl2 bit %d is %#x", bit, hop.flags);
	}
}

static void test_tunnel(void)
{
	struct egpu_hop slow = { .max_speed = 25 }, fast = { .max_speed = 80 };
	struct egpu_hop unknown = { 0 };

	EXPECT(egpu_link_is_tunnel(true, &unknown), "two of Thunderbolt's");
	EXPECT(egpu_link_is_tunnel(true, &slow), "two of Thunderbolt's");
	EXPECT(egpu_link_is_tunnel(false, &slow), "a host's own root port");
	EXPECT(!egpu_link_is_tunnel(false, &fast), "to a host controller");
	EXPECT(!egpu_link_is_tunnel(false, &unknown), "asleep");
}

/* MB/s of one lane and direction. */
static void test_bandwidth(void)
{
	static const struct {
		unsigned int speed, mb;
	} known[] = {
		{ 25, 250 }, { 50, 500 }, { 80, 985 }, { 160, 1969 },
		{ 320, 3938 }, { 640, 7375 }, { 1280, 14750 },
	};
	unsigned int i, w;

	for (i = 0; i < COUNT(known); i++)
		for (w = 0; w < COUNT(widths); w++) {
			double got = egpu_bandwidth(known[i].speed, widths[w],
						    false);
			double want = 1e6 * known[i].mb * widths[w];

			EXPECT(got > want * 0.9994 && got < want * 1.0006,
			       "%u x%u: %.0f", known[i].speed, widths[w], got);
		}
	EXPECT(egpu_bandwidth(160, 4, false) == 7876923076, "OCuLink");
	EXPECT(!egpu_bandwidth(0, 4, false), "no speed");
	EXPECT(!egpu_bandwidth(17, 4, false), "no such speed");
	EXPECT(egpu_bandwidth(25, 16, true) == 3687500000, "Flit, 2.5 GT/s");
	EXPECT(egpu_bandwidth(640, 1, true) == egpu_bandwidth(640, 1, false),
	       "64 GT/s is always in Flit mode");
}

static void test_payload(void)
{
	static const struct {
		bool flit;
		unsigned int bytes, permille;
	} known[] = {
		{ false, 128, 842 }, { false, 256, 914 }, { false, 512, 955 },
		{ true, 128, 889 }, { true, 256, 941 },
	};
	unsigned int i, s;

	for (i = 0; i < COUNT(known); i++)
		for (s = 0; s < COUNT(speeds); s++) {
			bool flit = known[i].flit || speeds[s] >= 640;
			double of = egpu_bandwidth(speeds[s], 4, flit);
			double got = egpu_payload(speeds[s], 4, known[i].flit,
						  known[i].bytes) / of * 1000;

			if (flit == known[i].flit)
				EXPECT(got > known[i].permille - 1 &&
				       got < known[i].permille + 1,
				       "%u, %u bytes: %.1f", speeds[s],
				       known[i].bytes, got);
		}
	/* OCuLink, Gen4 x4: 6.6 of 7.877 GB/s was measured with 128 bytes */
	EXPECT(egpu_payload(160, 4, false, 128) / 100000000 == 66, "OCuLink");
}

static void test_narrowest(void)
{
	struct egpu_hop hops[] = {
		{ .flags = EGPU_LINK_KNOWN, .speed = 160, .width = 4 },
		{ .flags = EGPU_LINK_KNOWN, .speed = 80, .width = 8 },
		{ .flags = EGPU_LINK_KNOWN, .speed = 320, .width = 1 },
		{ .flags = EGPU_LINK_KNOWN, .speed = 320, .width = 1 },
	};

	EXPECT(egpu_narrowest(hops, 0) == -1, "none");
	EXPECT(egpu_narrowest(hops, 2) == 0, "as much: the first");
	EXPECT(egpu_narrowest(hops, 4) == 2, "the third");
	hops[2].flags |= EGPU_LINK_TUNNELLED;
	EXPECT(egpu_narrowest(hops, 4) == 3, "tunnels do not count");
	hops[3].flags = 0;
	EXPECT(egpu_narrowest(hops, 4) == 0, "nor what is not known");
	hops[0].width = 0;
	EXPECT(egpu_narrowest(hops, 4) == 1, "nor what is down");
}

static void run(const char *name, const char *proves, void (*fn)(void))
{
	wrong = 0;
	fn();
	printf("# proves: %s\n%sok %d - link_regs_%s\n", proves,
	       wrong ? "not " : "", ++test_nr, name);
	failures += !!wrong;
}

int main(void)
{
	printf("KTAP version 1\n1..10\n");
	run("now", "every speed and width is decoded", test_now);
	run("maximum", "so are maximum and target, of both ends", test_maximum);
	run("vector", "without a vector of speeds the old field counts",
	    test_vector);
	run("unknown", "codes that nobody knows are no speed", test_unknown);
	run("down", "a link that is down has neither speed nor width",
	    test_down);
	run("flags", "each bit alone is its flag and no other", test_flags);
	run("tunnel", "a discrete controller's own link is no tunnel",
	    test_tunnel);
	run("bandwidth", "bytes per second, as the specification has them",
	    test_bandwidth);
	run("payload", "what TLPs leave: 84 and 91 %, in Flit mode 89 and 94",
	    test_payload);
	run("narrowest", "the hop that carries least, tunnels left out",
	    test_narrowest);
	return !!failures;
}
