// SPDX-License-Identifier: GPL-2.0
/*
 * Attributes of a port.
 */

#include <linux/bits.h>
#include <linux/sizes.h>
#include <linux/sysfs.h>

#include "attr.h"

#define SIM_BUSES_MAX		254
#define SIM_MEM_MAX		SZ_2G
#define SIM_PREFETCH_MAX	BIT_ULL(44)

static void sim_presence_changed(const struct sim_place *at)
{
	if (sim_is_there(at))
		sim_slot_presence(at->port, true);
}

static void sim_irq_mode_changed(const struct sim_place *at)
{
	if (sim_is_there(at))
		sim_irq_update(at->fn);
}

/* In the order of the field's values. */
static const char *const sim_hotplug_words[] = { "none", "native", NULL };
static const char *const sim_presence_words[] = {
	"auto", "absent", "present", NULL
};

static const char *const sim_interrupt_words[] = {
	"normal", "stuck", "lost", NULL
};

SIM_WORD(port, hotplug, native, DEAD, sim_hotplug_words);
SIM_SWITCH(port, slot, bare_slot, DEAD);
SIM_SWITCH(port, power_controller, power_controller, DEAD);
SIM_SWITCH(port, attention_button, attention_button, DEAD);
SIM_SWITCH(port, indicators, indicators, DEAD);
SIM_SWITCH(port, surprise, surprise, DEAD);
SIM_SWITCH(port, command_completed, command_completed, DEAD);
SIM_SWITCH(port, inband_presence_disable, inband_presence_disable, DEAD);
SIM_SWITCH(port, external_facing, external_facing, DEAD);
SIM_SWITCH(port, usb4, usb4, DEAD);
SIM_SWITCH(port, dll_active_reporting, dll_active_reporting, DEAD);
SIM_SWITCH(port, surprise_down, surprise_down, DEAD);
SIM_SWITCH(port, aer, fn.spec.aer, DEAD);
SIM_SWITCH(port, dpc, dpc, DEAD);
SIM_SWITCH(port, msi, msi, DEAD);
SIM_RATE(port, max_speed, max_speed, DEAD, 1);
SIM_POWER(port, max_width, max_width, DEAD, 1, 32);
SIM_NUMBER(port, buses, buses, DEAD, 0, SIM_BUSES_MAX);
SIM_SIZE(port, mem_window, mem_window, DEAD, SZ_1M, SIM_MEM_MAX);
SIM_SIZE(port, prefetch_window, prefetch_window, DEAD, SZ_1M, SIM_PREFETCH_MAX);

SIM_MS(port, detect_ms, detect_ms);
SIM_MS(port, polling_ms, polling_ms);
SIM_MS(port, configuration_ms, configuration_ms);
SIM_MS(port, speed_change_ms, speed_change_ms);
SIM_MS(port, recovery_ms, recovery_ms);
SIM_MS(port, command_ms, command_ms);
SIM_VALUE(port, presence, presence, ALWAYS, WORD, 0, 2, sim_presence_words,
	  sim_presence_changed);
SIM_VALUE(port, interrupt, irq_mode, ALWAYS, WORD, 0, 2, sim_interrupt_words,
	  sim_irq_mode_changed);

static ssize_t sim_button_store(struct config_item *item, const char *buf,
				size_t count)
{
	struct sim_place at = sim_place(item);
	int error;
	bool on;

	error = sim_switch_parse(item, "button", buf, count, &on);
	if (error)
		return error;
	guard(mutex)(&sim_lock);
	if (!at.port->attention_button)
		return sim_refuse(item, "button", -EOPNOTSUPP,
				  "the slot has none; set attention_button");
	guard(raw_spinlock_irqsave)(&at.fabric->lock);
	if (!sim_is_there(&at))
		return -ENOTCONN;
	if (on)
		sim_slot_press(at.port);
	return count;
}

static ssize_t sim_link_show(struct config_item *item, char *buf)
{
	struct sim_place at = sim_place(item);
	struct sim_port *port = at.port;
	enum sim_ltssm state;
	u32 speed, width;

	scoped_guard(raw_spinlock_irqsave, &at.fabric->lock) {
		state = port->state;
		speed = port->speed;
		width = port->width;
	}
	if (!speed)
		return sysfs_emit(buf, "%s\n", sim_link_state_name(state));
	return sysfs_emit(buf, "%s %s GT/s x%u\n",
			  sim_link_state_name(state), sim_speed_name(speed),
			  width);
}

static ssize_t sim_statistics_show(struct config_item *item, char *buf)
{
	struct sim_place at = sim_place(item);
	struct sim_stats now;
	int len = 0, i;
	const struct {
		const char *name;
		u64 *value;
	} counters[] = {
		{ "reads", &now.reads },
		{ "writes", &now.writes },
		{ "mmio", &now.mmio },
		{ "attempts", &now.attempts },
		{ "ups", &now.ups },
		{ "downs", &now.downs },
		{ "retrains", &now.retrains },
		{ "recoveries", &now.recoveries },
		{ "violations", &now.violations },
		{ "errors", &now.errors },
		{ "interrupts", &now.interrupts },
		{ "dpc", &now.dpc },
		{ "resets", &now.resets },
	};

	scoped_guard(raw_spinlock_irqsave, &at.fabric->lock)
		now = at.port->stats;
	for (i = 0; i < ARRAY_SIZE(counters); i++)
		len += sysfs_emit_at(buf, len, "%s=%llu\n", counters[i].name,
				     *counters[i].value);
	return len;
}

CONFIGFS_ATTR_WO(sim_, button);
CONFIGFS_ATTR_RO(sim_, link);
CONFIGFS_ATTR_RO(sim_, statistics);

struct configfs_attribute *sim_port_attrs[] = {
	&sim_attr_hotplug,
	&sim_attr_slot,
	&sim_attr_power_controller,
	&sim_attr_attention_button,
	&sim_attr_indicators,
	&sim_attr_surprise,
	&sim_attr_command_completed,
	&sim_attr_inband_presence_disable,
	&sim_attr_external_facing,
	&sim_attr_usb4,
	&sim_attr_dll_active_reporting,
	&sim_attr_surprise_down,
	&sim_attr_aer,
	&sim_attr_dpc,
	&sim_attr_msi,
	&sim_attr_max_speed,
	&sim_attr_max_width,
	&sim_attr_buses,
	&sim_attr_mem_window,
	&sim_attr_prefetch_window,
	&sim_attr_detect_ms,
	&sim_attr_polling_ms,
	&sim_attr_configuration_ms,
	&sim_attr_speed_change_ms,
	&sim_attr_recovery_ms,
	&sim_attr_command_ms,
	&sim_attr_presence,
	&sim_attr_button,
	&sim_attr_interrupt,
	&sim_poke_attr,
	&sim_error_attr,
	&sim_address_attr,
	&sim_attr_link,
	&sim_attr_statistics,
	NULL
};
