// SPDX-License-Identifier: GPL-2.0
/*
 * Attributes of a fabric. Writing `live` starts and stops it.
 */

#include <linux/bits.h>
#include <linux/sizes.h>
#include <linux/sysfs.h>

#include "attr.h"

#define SIM_WINDOWS_MAX		BIT_ULL(44)

static ssize_t sim_live_show(struct config_item *item, char *buf)
{
	struct sim_fabric *fabric = sim_place(item).fabric;

	return sysfs_emit(buf, "%d\n", READ_ONCE(fabric->state) == SIM_LIVE);
}

/* Waits without sim_lock. */
static ssize_t sim_live_store(struct config_item *item, const char *buf,
			      size_t count)
{
	struct sim_fabric *fabric = sim_place(item).fabric;
	int error;
	bool on;

	error = sim_switch_parse(item, "live", buf, count, &on);
	if (error)
		return error;
	error = on ? sim_fabric_start(fabric) : sim_fabric_stop(fabric);
	return error ?: count;
}

static ssize_t sim_status_show(struct config_item *item, char *buf)
{
	return sim_fabric_status(sim_place(item).fabric, buf, PAGE_SIZE);
}

static ssize_t sim_domain_show(struct config_item *item, char *buf)
{
	int domain = READ_ONCE(sim_place(item).fabric->domain);

	return domain < 0 ? 0 : sysfs_emit(buf, "%04x\n", domain);
}

/* Their place is their bit in fabric->keeps. */
static const char *const sim_keeps[] = {
	"hotplug", "pme", "aer", "dpc", "ltr", NULL
};

static ssize_t sim_firmware_keeps_show(struct config_item *item, char *buf)
{
	u32 keeps = READ_ONCE(sim_place(item).fabric->keeps);
	int i, len = 0;

	for (i = 0; sim_keeps[i]; i++)
		if (keeps & BIT(i))
			len += sysfs_emit_at(buf, len, "%s%s", len ? " " : "",
					     sim_keeps[i]);
	return len + sysfs_emit_at(buf, len, "\n");
}

static int sim_keeps_parse(const char *buf, size_t count, u32 *keeps)
{
	char text[SIM_TEXT_MAX], *words[ARRAY_SIZE(sim_keeps)];
	int i, n, bit;

	if (!sim_text(text, buf, count))
		return -EINVAL;
	n = sim_words(text, words, ARRAY_SIZE(words));
	if (n < 0)
		return n;
	*keeps = 0;
	for (i = 0; i < n; i++) {
		bit = sim_word_index(sim_keeps, words[i]);
		if (bit < 0)
			return bit;
		*keeps |= BIT(bit);
	}
	return 0;
}

static ssize_t sim_firmware_keeps_store(struct config_item *item,
					const char *buf, size_t count)
{
	struct sim_fabric *fabric = sim_place(item).fabric;
	u32 keeps;
	int error;

	if (sim_keeps_parse(buf, count, &keeps))
		return sim_refuse(item, "firmware_keeps", -EINVAL,
				  "write words of: hotplug pme aer dpc ltr");
	guard(mutex)(&sim_lock);
	error = sim_may_write(item, "firmware_keeps", SIM_WHEN_DEAD);
	if (error)
		return error;
	fabric->keeps = keeps;
	return count;
}

static ssize_t sim_ram_show(struct config_item *item, char *buf)
{
	return sysfs_emit(buf, "%d\n", sim_place(item).fabric->ram);
}

static ssize_t sim_ram_store(struct config_item *item, const char *buf,
			     size_t count)
{
	struct sim_fabric *fabric = sim_place(item).fabric;
	int error;
	bool on;

	error = sim_switch_parse(item, "ram", buf, count, &on);
	if (error)
		return error;
	if (on && !sim_ram_given())
		return sim_refuse(item, "ram", -ENXIO,
				  "load the module with window=SIZE@START");
	guard(mutex)(&sim_lock);
	error = sim_may_write(item, "ram", SIM_WHEN_DEAD);
	if (error)
		return error;
	fabric->ram = on;
	return count;
}

SIM_SIZE(fabric, mem_spare, mem_spare, DEAD, 1, SZ_4G - 1);
SIM_SIZE(fabric, prefetch_spare, prefetch_spare, DEAD, 1, SIM_WINDOWS_MAX);
CONFIGFS_ATTR(sim_, live);
CONFIGFS_ATTR_RO(sim_, status);
CONFIGFS_ATTR_RO(sim_, domain);
CONFIGFS_ATTR(sim_, firmware_keeps);
CONFIGFS_ATTR(sim_, ram);

struct configfs_attribute *sim_fabric_attrs[] = {
	&sim_attr_live,
	&sim_attr_status,
	&sim_attr_domain,
	&sim_attr_firmware_keeps,
	&sim_attr_ram,
	&sim_attr_mem_spare,
	&sim_attr_prefetch_spare,
	NULL
};
