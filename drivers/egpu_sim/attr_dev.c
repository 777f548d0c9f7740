// SPDX-License-Identifier: GPL-2.0
/*
 * Attributes of a device as a whole: its presence, contacts and link.
 */

#include <linux/string.h>
#include <linux/sysfs.h>

#include "attr.h"

#define SIM_BOUNCE_US		20	/* shorter ones would be an interrupt storm */
#define SIM_BOUNCE_US_MAX	10000000
#define SIM_BOUNCES_MAX		1000000
#define SIM_BER_MANTISSA	9999
#define SIM_BER_EXPONENT	18
#define SIM_BER_MS_MAX		3600000

/* The error timer goes by what was changed. */
static void sim_ber_changed(const struct sim_place *at)
{
	if (sim_is_there(at))
		sim_link_errors(at->port);
}

SIM_RATE(dev, max_speed, max_speed, OUT, 1);
SIM_POWER(dev, max_width, max_width, OUT, 1, 32);
SIM_HEX(dev, dead_lanes, dead_lanes, ALWAYS, U32_MAX);
SIM_RATE(dev, untrainable_above, untrainable_above, ALWAYS, 0);
SIM_RATE(dev, unrecoverable_above, unrecoverable_above, ALWAYS, 0);
SIM_RATE(dev, detect_speed, detect_speed, ALWAYS, 0);
SIM_NUMBER(dev, link_up_try, link_up_try, ALWAYS, 1, U32_MAX);
SIM_NUMBER(dev, recovery_failures, recovery_failures, ALWAYS, 0, U32_MAX);
SIM_VALUE(dev, error_limit, error_limit, ALWAYS, NUMBER, 0, U32_MAX, NULL,
	  sim_ber_changed);
SIM_MS(dev, ready_ms, ready_ms);

/* --- presence ------------------------------------------------------------ */

static ssize_t sim_present_show(struct config_item *item, char *buf)
{
	return sysfs_emit(buf, "%d\n",
			  READ_ONCE(sim_place(item).dev->present));
}

/* Which device will be there when the fabric goes live. */
static int sim_present_dead(struct sim_dev *dev, bool on)
{
	struct sim_dev *other;

	if (on)
		list_for_each_entry(other, &dev->port->devs, link)
			if (other != dev && other->present)
				return -EBUSY;
	dev->present = on;
	return 0;
}

static ssize_t sim_present_store(struct config_item *item, const char *buf,
				 size_t count)
{
	struct sim_place at = sim_place(item);
	int error;
	bool on;

	error = sim_switch_parse(item, "present", buf, count, &on);
	if (error)
		return error;
	guard(mutex)(&sim_lock);
	if (sim_fabric_is_dead(at.fabric))
		error = sim_present_dead(at.dev, on);
	else
		error = on ? sim_slot_plug(at.port, at.dev) :
			     sim_slot_pull(at.port, at.dev);
	if (error == -EBUSY)
		sim_refuse(item, "present", error,
			   "another device is in the slot; take it out first");
	return error ?: count;
}

/* --- contacts ------------------------------------------------------------ */

/* In the order of enum sim_contact. */
static const char *const sim_contacts[] = { "both", "presence", "link", NULL };

/* PERIOD_US COUNT [CONTACT], or 0 */
static int sim_bounce_parse(struct sim_bounce *bounce, u32 least,
			    const char *buf, size_t count)
{
	char text[SIM_TEXT_MAX], *words[3];
	int n, what = SIM_CONTACT_BOTH;

	memset(bounce, 0, sizeof(*bounce));
	if (!sim_text(text, buf, count))
		return -EINVAL;
	n = sim_words(text, words, ARRAY_SIZE(words));
	if (n < 1 || sim_number32(words[0], &bounce->period_us))
		return -EINVAL;
	if (n == 1)
		return bounce->period_us ? -EINVAL : 0;
	if (n == 3)
		what = sim_word_index(sim_contacts, words[2]);
	if (sim_number32(words[1], &bounce->count) || what < 0 ||
	    bounce->period_us < SIM_BOUNCE_US ||
	    bounce->period_us > SIM_BOUNCE_US_MAX ||
	    bounce->count < least || bounce->count > SIM_BOUNCES_MAX)
		return -EINVAL;
	bounce->what = what;
	return 0;
}

static int sim_bounce_refuse(struct config_item *item, const char *name)
{
	return sim_refuse(item, name, -EINVAL,
			  "write PERIOD_US COUNT [both|presence|link], or 0; the period is %u to %u",
			  SIM_BOUNCE_US, SIM_BOUNCE_US_MAX);
}

static ssize_t sim_bounce_show(struct config_item *item, char *buf)
{
	struct sim_bounce *bounce = &sim_place(item).dev->bounce;

	guard(mutex)(&sim_lock);
	if (!bounce->period_us)
		return sysfs_emit(buf, "0\n");
	return sysfs_emit(buf, "%u %u %s\n", bounce->period_us, bounce->count,
			  sim_contacts[bounce->what]);
}

static ssize_t sim_bounce_store(struct config_item *item, const char *buf,
				size_t count)
{
	struct sim_place at = sim_place(item);
	struct sim_bounce bounce;

	if (sim_bounce_parse(&bounce, 1, buf, count))
		return sim_bounce_refuse(item, "bounce");
	guard(mutex)(&sim_lock);
	guard(raw_spinlock_irqsave)(&at.fabric->lock);
	at.dev->bounce = bounce;
	return count;
}

static ssize_t sim_flap_store(struct config_item *item, const char *buf,
			      size_t count)
{
	struct sim_place at = sim_place(item);
	struct sim_bounce bounce;

	if (sim_bounce_parse(&bounce, 0, buf, count))
		return sim_bounce_refuse(item, "flap");
	guard(mutex)(&sim_lock);
	guard(raw_spinlock_irqsave)(&at.fabric->lock);
	if (!sim_is_there(&at))
		return -ENOTCONN;
	sim_slot_flap(at.port, &bounce);
	return count;
}

/* --- the link ------------------------------------------------------------ */

/* "5e-10", "2.5e-9" or "0.001"; less than 1. */
static int sim_rate_parse(const char *text, struct sim_ber *ber)
{
	int exponent = 0, digits = 0;
	u32 mantissa = 0;
	bool point = false;

	for (; *text && *text != 'e' && *text != 'E'; text++) {
		if (*text == '.' && !point) {
			point = true;
			continue;
		}
		if (*text < '0' || *text > '9' || mantissa > SIM_BER_MANTISSA)
			return -EINVAL;
		mantissa = 10 * mantissa + *text - '0';
		exponent += point;
		digits++;
	}
	if (*text) {
		int e;

		if (kstrtoint(text + 1, 10, &e) || abs(e) > 99)
			return -EINVAL;
		exponent -= e;
	}
	while (mantissa && !(mantissa % 10)) {
		mantissa /= 10;
		exponent--;
	}
	if (!digits || mantissa > SIM_BER_MANTISSA)
		return -EINVAL;
	if (mantissa && (exponent < 1 || exponent > SIM_BER_EXPONENT))
		return -EINVAL;
	ber->mantissa = mantissa;
	ber->exponent = mantissa ? exponent : 0;
	return 0;
}

/* BURST_MS/EVERY_MS */
static int sim_burst_parse(char *text, struct sim_ber *ber)
{
	char *burst = strsep(&text, "/");

	if (!text || sim_number32(burst, &ber->burst_ms) ||
	    sim_number32(text, &ber->every_ms) || !ber->burst_ms ||
	    ber->burst_ms > ber->every_ms || ber->every_ms > SIM_BER_MS_MAX)
		return -EINVAL;
	return 0;
}

/* SPEED RATE [BURST_MS/EVERY_MS] [load]. Return: the speed's code or -EINVAL. */
static int sim_ber_parse(struct sim_ber *ber, const char *buf, size_t count)
{
	char text[SIM_TEXT_MAX], *words[5];
	int n, next = 1, code;

	memset(ber, 0, sizeof(*ber));
	if (!sim_text(text, buf, count))
		return -EINVAL;
	n = sim_words(text, words, ARRAY_SIZE(words));
	if (n < 2)
		return -EINVAL;
	code = sim_speed_parse(words[0]);
	if (!strcmp(words[1], "GT/s"))
		next++;
	if (code < 1 || next >= n || sim_rate_parse(words[next], ber))
		return -EINVAL;
	if (++next < n && !strcmp(words[n - 1], "load")) {
		ber->load = true;
		n--;
	}
	if (next < n && sim_burst_parse(words[next++], ber))
		return -EINVAL;
	return next < n ? -EINVAL : code;
}

static ssize_t sim_ber_show(struct config_item *item, char *buf)
{
	struct sim_dev *dev = sim_place(item).dev;
	const struct sim_ber *ber;
	int code, len = 0;

	guard(mutex)(&sim_lock);
	for (code = 1; code < SIM_SPEEDS; code++) {
		ber = &dev->ber[code];
		if (!ber->mantissa)
			continue;
		len += sysfs_emit_at(buf, len, "%s GT/s %ue-%u",
				     sim_speed_name(code), ber->mantissa,
				     ber->exponent);
		if (ber->every_ms)
			len += sysfs_emit_at(buf, len, " %u/%u", ber->burst_ms,
					     ber->every_ms);
		len += sysfs_emit_at(buf, len, "%s\n",
				     ber->load ? " load" : "");
	}
	return len;
}

static ssize_t sim_ber_store(struct config_item *item, const char *buf,
			     size_t count)
{
	struct sim_place at = sim_place(item);
	struct sim_ber ber;
	int code = sim_ber_parse(&ber, buf, count);

	if (code < 0)
		return sim_refuse(item, "ber", -EINVAL,
				  "write SPEED RATE [BURST_MS/EVERY_MS] [load], as 16 5e-10 50/1000; rates have %d digits and exponents to %d",
				  4, -SIM_BER_EXPONENT);
	guard(mutex)(&sim_lock);
	guard(raw_spinlock_irqsave)(&at.fabric->lock);
	at.dev->ber[code] = ber;
	sim_ber_changed(&at);
	return count;
}

static int sim_autonomous(const struct sim_place *at, u32 speed)
{
	guard(raw_spinlock_irqsave)(&at->fabric->lock);
	if (!sim_is_there(at))
		return -ENOTCONN;
	return sim_link_autonomous(at->port, speed);
}

static ssize_t sim_autonomous_speed_store(struct config_item *item,
					  const char *buf, size_t count)
{
	struct sim_place at = sim_place(item);
	char text[SIM_TEXT_MAX];
	int speed, error;

	speed = sim_text(text, buf, count) ? sim_speed_parse(text) : -EINVAL;
	if (speed < 0)
		return sim_refuse(item, "autonomous_speed", -EINVAL,
				  "write 2.5, 5, 8, 16, 32, 64 or 128");
	guard(mutex)(&sim_lock);
	error = sim_autonomous(&at, speed);
	return error ?: count;
}

/* --- sleep --------------------------------------------------------------- */

static ssize_t sim_sleep_show(struct config_item *item, char *buf)
{
	struct sim_dev *dev = sim_place(item).dev;
	const char *name = "same";

	guard(mutex)(&sim_lock);
	if (dev->replace)
		name = dev->replacement ?
		       config_item_name(&dev->replacement->group.cg_item) :
		       "nothing";
	return sysfs_emit(buf, "%s\n", name);
}

static struct sim_dev *sim_dev_named(struct sim_port *port, const char *name)
{
	struct sim_dev *dev;

	list_for_each_entry(dev, &port->devs, link)
		if (!strcmp(config_item_name(&dev->group.cg_item), name))
			return dev;
	return NULL;
}

static ssize_t sim_sleep_store(struct config_item *item, const char *buf,
			       size_t count)
{
	struct sim_place at = sim_place(item);
	struct sim_dev *dev = NULL;
	char text[SIM_TEXT_MAX];
	bool replace;

	if (!sim_text(text, buf, count))
		*text = '\0';
	guard(mutex)(&sim_lock);
	replace = strcmp(text, "same");
	if (replace && strcmp(text, "nothing")) {
		dev = sim_dev_named(at.port, text);
		if (!dev)
			return sim_refuse(item, "sleep", -EINVAL,
					  "write same, nothing, or the name of another device of this port");
	}
	guard(raw_spinlock_irqsave)(&at.fabric->lock);
	at.dev->replace = replace && dev != at.dev;
	at.dev->replacement = at.dev->replace ? dev : NULL;
	return count;
}

CONFIGFS_ATTR(sim_, present);
CONFIGFS_ATTR(sim_, bounce);
CONFIGFS_ATTR_WO(sim_, flap);
CONFIGFS_ATTR(sim_, ber);
CONFIGFS_ATTR_WO(sim_, autonomous_speed);
CONFIGFS_ATTR(sim_, sleep);

struct configfs_attribute *sim_dev_attrs[] = {
	&sim_attr_present,
	&sim_attr_max_speed,
	&sim_attr_max_width,
	&sim_attr_dead_lanes,
	&sim_attr_untrainable_above,
	&sim_attr_unrecoverable_above,
	&sim_attr_detect_speed,
	&sim_attr_link_up_try,
	&sim_attr_recovery_failures,
	&sim_attr_ber,
	&sim_attr_error_limit,
	&sim_attr_autonomous_speed,
	&sim_attr_ready_ms,
	&sim_attr_bounce,
	&sim_attr_flap,
	&sim_attr_sleep,
	NULL
};
