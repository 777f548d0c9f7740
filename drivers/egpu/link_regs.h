/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the link registers of a port and of its partner say (PCIe 6.0.1 sections
 * 7.5.3.6 to 7.5.3.20). Plain C without a device, so that a test can call it;
 * older kernels' headers do not name all of the bits.
 */
#ifndef EGPU_LINK_REGS_H
#define EGPU_LINK_REGS_H

#include <linux/egpu.h>
#include <linux/types.h>

/* Link Capabilities */
#define EGPU_LNKCAP_SPEED	0x0000000f
#define EGPU_LNKCAP_WIDTH	0x000003f0
#define EGPU_LNKCAP_REPORTS	0x00100000 /* Link Active is reported */
/* Link Control */
#define EGPU_LNKCTL_ASPM_L0S	0x0001
#define EGPU_LNKCTL_ASPM_L1	0x0002
#define EGPU_LNKCTL_DISABLE	0x0010
#define EGPU_LNKCTL_COMMON	0x0040
/* Link Status */
#define EGPU_LNKSTA_SPEED	0x000f
#define EGPU_LNKSTA_WIDTH	0x03f0
#define EGPU_LNKSTA_TRAINING	0x0800
#define EGPU_LNKSTA_ACTIVE	0x2000
#define EGPU_LNKSTA_LBMS	0x4000
#define EGPU_LNKSTA_LABS	0x8000
/* Link Capabilities 2: Supported Link Speeds Vector, bit 1 is 2.5 GT/s */
#define EGPU_LNKCAP2_SPEEDS	0x000000fe
/* Link Control 2 */
#define EGPU_LNKCTL2_TARGET	0x000f
#define EGPU_LNKCTL2_HASD	0x0020
/* Link Status 2 */
#define EGPU_LNKSTA2_EQUALIZED	0x0002
#define EGPU_LNKSTA2_EQ_REQUEST	0x0020
#define EGPU_LNKSTA2_RETIMER	0x0040
#define EGPU_LNKSTA2_RETIMERS	0x0080
#define EGPU_LNKSTA2_FLIT	0x0400

/**
 * struct egpu_link_regs - the link registers of one end
 * @cap: Link Capabilities
 * @cap2: Link Capabilities 2; 0 when there are none
 * @ctl: Link Control
 * @sta: Link Status
 * @ctl2: Link Control 2
 * @sta2: Link Status 2
 */
struct egpu_link_regs {
	__u32 cap;
	__u32 cap2;
	__u16 ctl;
	__u16 sta;
	__u16 ctl2;
	__u16 sta2;
};

/* Tenths of GT/s of a speed's code; 0: a code nobody knows. */
static inline __u32 egpu_link_speed(__u32 code)
{
	static const __u32 tenths[16] = {
		0, 25, 50, 80, 160, 320, 640, 1280,
	};

	return code < 16 ? tenths[code] : 0;
}

/* The fastest speed an end can do; before PCIe 3.0 there was no vector. */
static inline __u32 egpu_link_max_speed(const struct egpu_link_regs *regs)
{
	__u32 vector = regs->cap2 & EGPU_LNKCAP2_SPEEDS, code = 0;

	if (!vector)
		return egpu_link_speed(regs->cap & EGPU_LNKCAP_SPEED);
	while (vector >>= 1)
		code++;
	return egpu_link_speed(code);
}

static inline __u32 egpu_link_max_width(const struct egpu_link_regs *regs)
{
	return (regs->cap & EGPU_LNKCAP_WIDTH) >> 4;
}

static inline __u32 egpu_link_flag(__u32 reg, __u32 bit, __u32 flag)
{
	return reg & bit ? flag : 0;
}

static inline __u32 egpu_link_flags(const struct egpu_link_regs *regs)
{
	return egpu_link_flag(regs->sta, EGPU_LNKSTA_ACTIVE,
			      EGPU_LINK_ACTIVE) |
	       egpu_link_flag(regs->sta, EGPU_LNKSTA_TRAINING,
			      EGPU_LINK_TRAINING) |
	       egpu_link_flag(regs->sta, EGPU_LNKSTA_LBMS, EGPU_LINK_LBMS) |
	       egpu_link_flag(regs->sta, EGPU_LNKSTA_LABS, EGPU_LINK_LABS) |
	       egpu_link_flag(regs->ctl, EGPU_LNKCTL_DISABLE,
			      EGPU_LINK_DISABLED) |
	       egpu_link_flag(regs->ctl, EGPU_LNKCTL_COMMON,
			      EGPU_LINK_COMMON_CLOCK) |
	       egpu_link_flag(regs->ctl, EGPU_LNKCTL_ASPM_L0S,
			      EGPU_LINK_ASPM_L0S) |
	       egpu_link_flag(regs->ctl, EGPU_LNKCTL_ASPM_L1,
			      EGPU_LINK_ASPM_L1) |
	       egpu_link_flag(regs->ctl2, EGPU_LNKCTL2_HASD,
			      EGPU_LINK_HASD) |
	       egpu_link_flag(regs->sta2, EGPU_LNKSTA2_FLIT, EGPU_LINK_FLIT) |
	       egpu_link_flag(regs->sta2, EGPU_LNKSTA2_EQUALIZED,
			      EGPU_LINK_EQUALIZED) |
	       egpu_link_flag(regs->sta2, EGPU_LNKSTA2_EQ_REQUEST,
			      EGPU_LINK_EQ_REQUEST) |
	       egpu_link_flag(regs->sta2, EGPU_LNKSTA2_RETIMER,
			      EGPU_LINK_RETIMER) |
	       egpu_link_flag(regs->sta2, EGPU_LNKSTA2_RETIMERS,
			      EGPU_LINK_RETIMERS);
}

/* Where Data Link Layer Link Active is not reported, a width says so. */
static inline bool egpu_link_is_up(const struct egpu_link_regs *regs)
{
	if (regs->cap & EGPU_LNKCAP_REPORTS && !(regs->sta & EGPU_LNKSTA_ACTIVE))
		return false;
	return regs->sta & EGPU_LNKSTA_WIDTH;
}

/* The Downstream Port's end. Speed and width mean nothing while it is down. */
static inline void egpu_link_decode(struct egpu_hop *link,
				    const struct egpu_link_regs *regs)
{
	link->flags |= egpu_link_flags(regs);
	link->max_speed = egpu_link_max_speed(regs);
	link->max_width = egpu_link_max_width(regs);
	link->target_speed =
		egpu_link_speed(regs->ctl2 & EGPU_LNKCTL2_TARGET);
	if (!egpu_link_is_up(regs))
		return;
	link->width = (regs->sta & EGPU_LNKSTA_WIDTH) >> 4;
	link->speed = egpu_link_speed(regs->sta & EGPU_LNKSTA_SPEED);
}

/* The far end's. */
static inline void egpu_link_decode_partner(struct egpu_hop *link,
					    const struct egpu_link_regs *regs)
{
	link->flags |= EGPU_LINK_PARTNER;
	link->partner_max_speed = egpu_link_max_speed(regs);
	link->partner_max_width = egpu_link_max_width(regs);
	link->flags |= egpu_link_flag(regs->ctl2, EGPU_LNKCTL2_HASD,
				      EGPU_LINK_PARTNER_HASD);
}

/**
 * egpu_link_wanted() - the speed that a link should have
 * @link: the link, decoded
 * @limit: tenths of GT/s that it should not exceed; 0: none
 */
static inline __u32 egpu_link_wanted(const struct egpu_hop *link, __u32 limit)
{
	__u32 speed = link->max_speed;

	if (link->flags & EGPU_LINK_PARTNER && link->partner_max_speed < speed)
		speed = link->partner_max_speed;
	return limit && limit < speed ? limit : speed;
}

/*
 * Is a link between a port and a Thunderbolt bridge a tunnel? Between two
 * Thunderbolt bridges it is. Below a root port it is one when it claims no more
 * than 2.5 GT/s (USB4 v2 section 11.2.1): a discrete host controller hangs at
 * its root port by a real link.
 */
static inline bool egpu_link_is_tunnel(bool port_is_thunderbolt,
				       const struct egpu_hop *link)
{
	return port_is_thunderbolt || link->max_speed == egpu_link_speed(1);
}

#endif
