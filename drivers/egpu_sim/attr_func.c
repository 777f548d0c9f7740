// SPDX-License-Identifier: GPL-2.0
/*
 * Attributes of a function: those of function 0 stand in the device's folder,
 * and a port has `error` and `address` too. What is set here is turned into
 * registers when the device is put into its slot.
 */

#include <linux/log2.h>
#include <linux/sizes.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/sysfs.h>

#include "attr.h"

#define SIM_DUMP_MAX		SZ_64K	/* of text */
#define SIM_REBAR_SHIFT		16	/* PCI_REBAR_CAP's bit 4 is 1 MB */
#define SIM_REBAR_32BIT		16	/* from this bit on sizes need 64 bits */

static const char *const sim_corrupt_words[] = {
	"none", "cap-loop", "cap-range", "ext-loop", "ext-range", "header", NULL
};

SIM_HEX(fn, vendor, spec.vendor, OUT, U16_MAX);
SIM_HEX(fn, device, spec.device, OUT, U16_MAX);
SIM_HEX(fn, class, spec.class, OUT, 0xffffff);
SIM_HEX(fn, revision, spec.revision, OUT, U8_MAX);
SIM_HEX(fn, subsystem_vendor, spec.subsystem_vendor, OUT, U16_MAX);
SIM_HEX(fn, subsystem_device, spec.subsystem_device, OUT, U16_MAX);
SIM_VALUE(fn, serial, spec.serial, OUT, DIGITS, 0, U64_MAX, NULL, NULL);
SIM_NUMBER(fn, pcie_version, spec.pcie_version, OUT, 0, 2);
SIM_SWITCH(fn, aer, spec.aer, OUT);
SIM_SWITCH(fn, cxl, spec.cxl, OUT);
SIM_SWITCH(fn, pm, spec.pm, OUT);
SIM_SWITCH(fn, flr, spec.flr, OUT);
SIM_POWER(fn, msi, spec.msi, OUT, 0, 32);
SIM_NUMBER(fn, interrupt_pin, spec.pin, OUT, 0, 4);
SIM_WORD(fn, corrupt, spec.corrupt, OUT, sim_corrupt_words);

static void sim_interrupt_changed(const struct sim_place *at)
{
	if (sim_is_there(at))
		sim_irq_update(at->fn);
}

SIM_VALUE(fn, interrupt, interrupt, ALWAYS, SWITCH, 0, 1, NULL,
	  sim_interrupt_changed);

/* --- presets ------------------------------------------------------------- */

/**
 * struct sim_preset - a function of a well-known kind
 * @name: its name
 * @device: Device ID; the vendor is 1234
 * @class: Class Code
 * @bar: BARs 0 to 2
 */
struct sim_preset {
	const char *name;
	u16 device;
	u32 class;
	struct sim_bar bar[3];
};

static const struct sim_preset sim_presets[] = {
	{ "plain", 0xe602, 0x088000, { { .size = SZ_64K } } },
	{ "gpu", 0xe600, 0x030200,
	  { { .size = SZ_256M, .wide = true, .prefetch = true },
	    { }, { .size = SZ_64K } } },
	{ "accelerator", 0xe601, 0x120000,
	  { { .size = SZ_256M, .wide = true, .prefetch = true },
	    { }, { .size = SZ_64K } } },
};

static void sim_preset_apply(struct sim_spec *spec,
			     const struct sim_preset *preset)
{
	kvfree(spec->dump);
	*spec = (struct sim_spec) {
		.vendor = 0x1234,
		.device = preset->device,
		.class = preset->class,
		.subsystem_vendor = 0x1234,
		.subsystem_device = preset->device,
		.pcie_version = 2,
		.aer = true,
		.pm = true,
		.pin = 1,
	};
	memcpy(spec->bar, preset->bar, sizeof(preset->bar));
}

/* What a new function is. */
void sim_spec_preset(struct sim_spec *spec)
{
	sim_preset_apply(spec, &sim_presets[0]);
}

/* The one that the ids are of. */
static ssize_t sim_preset_show(struct config_item *item, char *buf)
{
	struct sim_spec *spec = &sim_place(item).fn->spec;
	int i;

	guard(mutex)(&sim_lock);
	for (i = 0; i < ARRAY_SIZE(sim_presets); i++)
		if (spec->vendor == 0x1234 &&
		    spec->device == sim_presets[i].device)
			return sysfs_emit(buf, "%s\n", sim_presets[i].name);
	return sysfs_emit(buf, "\n");
}

static const struct sim_preset *sim_preset_find(const char *buf, size_t count)
{
	char text[SIM_TEXT_MAX];
	int i;

	if (!sim_text(text, buf, count))
		return NULL;
	for (i = 0; i < ARRAY_SIZE(sim_presets); i++)
		if (!strcmp(text, sim_presets[i].name))
			return &sim_presets[i];
	return NULL;
}

static ssize_t sim_preset_store(struct config_item *item, const char *buf,
				size_t count)
{
	const struct sim_preset *preset = sim_preset_find(buf, count);
	int error;

	if (!preset)
		return sim_refuse(item, "preset", -EINVAL,
				  "write gpu, accelerator or plain");
	guard(mutex)(&sim_lock);
	error = sim_may_write(item, "preset", SIM_WHEN_OUT);
	if (error)
		return error;
	sim_preset_apply(&sim_place(item).fn->spec, preset);
	return count;
}

/* --- BARs ---------------------------------------------------------------- */

static const char *const sim_bar_names[] = {
	"bar0", "bar1", "bar2", "bar3", "bar4", "bar5", "rom"
};

static const char *sim_bar_size_fault(const struct sim_bar *bar, bool rom)
{
	if (!is_power_of_2(bar->size))
		return "the size must be a power of two";
	if (rom)
		return bar->io || bar->wide || bar->prefetch ||
		       bar->size < SZ_2K || bar->size > SZ_16M ?
		       "a ROM has a size from 2K to 16M and nothing else" :
		       NULL;
	if (bar->io)
		return bar->wide || bar->prefetch || bar->size < 4 ||
		       bar->size > SZ_64K ?
		       "I/O space has 4 to 64K bytes and nothing else" : NULL;
	if (bar->size < 16)
		return "memory has at least 16 bytes";
	if (!bar->wide && bar->size > SZ_2G)
		return "more than 2G needs 64 bits";
	return NULL;
}

/**
 * sim_bar_fault - what is wrong with a BAR
 * @spec: the function; its other BARs count as well
 * @nr: 0 to 5, or SIM_ROM
 * @bar: what this one is to be
 *
 * Return: NULL: nothing; else what to do about it.
 */
const char *sim_bar_fault(const struct sim_spec *spec, unsigned int nr,
			  const struct sim_bar *bar)
{
	const struct sim_bar *next;
	const char *fault;

	if (bar->size) {
		fault = sim_bar_size_fault(bar, nr == SIM_ROM);
		if (fault)
			return fault;
	}
	if (nr == SIM_ROM)
		return bar->raw ? "the ROM cannot be raw" : NULL;
	next = &spec->bar[nr + 1];
	if (bar->wide && (nr == SIM_BARS - 1 || next->size || next->raw))
		return "64 bits need the next BAR, which must be 0";
	if ((bar->size || bar->raw) && nr && spec->bar[nr - 1].wide)
		return "it is the upper half of the BAR before, which has 64 bits";
	if (spec->rebar_sizes && spec->rebar_bar == nr &&
	    (bar->io || !(bar->size >> SIM_REBAR_SHIFT & spec->rebar_sizes)))
		return "it is resizable, and this is none of its sizes; write none to rebar first";
	return NULL;
}

/* SIZE [64] [prefetch] [io], 0, or raw MASK. Return: 0 or -EINVAL. */
static int sim_bar_parse(struct sim_bar *bar, const char *buf, size_t count)
{
	char text[SIM_TEXT_MAX], *words[4];
	int i, n;

	memset(bar, 0, sizeof(*bar));
	if (!sim_text(text, buf, count))
		return -EINVAL;
	n = sim_words(text, words, ARRAY_SIZE(words));
	if (n == 2 && !strcmp(words[0], "raw")) {
		bar->raw = true;
		return sim_number32(words[1], &bar->mask);
	}
	if (n < 1 || sim_size(words[0], &bar->size))
		return -EINVAL;
	for (i = 1; i < n; i++) {
		if (!strcmp(words[i], "64"))
			bar->wide = true;
		else if (!strcmp(words[i], "prefetch"))
			bar->prefetch = true;
		else if (!strcmp(words[i], "io"))
			bar->io = true;
		else
			return -EINVAL;
	}
	return !bar->size && n > 1 ? -EINVAL : 0;
}

static ssize_t sim_bar_show(struct config_item *item, int nr, char *buf)
{
	const struct sim_bar *bar = &sim_place(item).fn->spec.bar[nr];
	int len;

	guard(mutex)(&sim_lock);
	if (bar->raw)
		return sysfs_emit(buf, "raw 0x%08x\n", bar->mask);
	len = sim_size_print(buf, PAGE_SIZE, bar->size);
	return len + sysfs_emit_at(buf, len, "%s%s%s\n",
				   bar->wide ? " 64" : "",
				   bar->prefetch ? " prefetch" : "",
				   bar->io ? " io" : "");
}

static ssize_t sim_bar_store(struct config_item *item, int nr, const char *buf,
			     size_t count)
{
	struct sim_spec *spec = &sim_place(item).fn->spec;
	const char *name = sim_bar_names[nr], *fault;
	struct sim_bar bar;
	int error;

	if (sim_bar_parse(&bar, buf, count))
		return sim_refuse(item, name, -EINVAL,
				  "write SIZE [64] [prefetch] [io], 0, or raw MASK");
	guard(mutex)(&sim_lock);
	error = sim_may_write(item, name, SIM_WHEN_OUT);
	if (error)
		return error;
	fault = sim_bar_fault(spec, nr, &bar);
	if (fault)
		return sim_refuse(item, name, -EINVAL, "%s", fault);
	spec->bar[nr] = bar;
	return count;
}

#define SIM_BAR(_name, _nr)						\
static ssize_t sim_##_name##_show(struct config_item *item, char *buf)	\
{									\
	return sim_bar_show(item, _nr, buf);				\
}									\
									\
static ssize_t sim_##_name##_store(struct config_item *item,		\
				   const char *buf, size_t count)	\
{									\
	return sim_bar_store(item, _nr, buf, count);			\
}									\
CONFIGFS_ATTR(sim_, _name)

SIM_BAR(bar0, 0);
SIM_BAR(bar1, 1);
SIM_BAR(bar2, 2);
SIM_BAR(bar3, 3);
SIM_BAR(bar4, 4);
SIM_BAR(bar5, 5);
SIM_BAR(rom, SIM_ROM);

/* BAR SIZE…, or none. Return: 0 or -EINVAL. */
static int sim_rebar_parse(const char *buf, size_t count, u32 *bar, u32 *sizes)
{
	char text[SIM_TEXT_MAX], *words[29];
	int i, n;
	u64 size;

	*bar = 0;
	*sizes = 0;
	if (!sim_text(text, buf, count))
		return -EINVAL;
	n = sim_words(text, words, ARRAY_SIZE(words));
	if (n == 1 && !strcmp(words[0], "none"))
		return 0;
	if (n < 2 || sim_number32(words[0], bar) || *bar >= SIM_BARS)
		return -EINVAL;
	for (i = 1; i < n; i++) {
		if (sim_size(words[i], &size) || size < SZ_1M ||
		    !is_power_of_2(size) || ilog2(size) > SIM_REBAR_SHIFT + 31)
			return -EINVAL;
		*sizes |= size >> SIM_REBAR_SHIFT;
	}
	return 0;
}

static ssize_t sim_rebar_show(struct config_item *item, char *buf)
{
	struct sim_spec *spec = &sim_place(item).fn->spec;
	int bit, len;

	guard(mutex)(&sim_lock);
	if (!spec->rebar_sizes)
		return sysfs_emit(buf, "none\n");
	len = sysfs_emit(buf, "%u", spec->rebar_bar);
	for (bit = 4; bit < 32; bit++) {
		if (!(spec->rebar_sizes & BIT(bit)))
			continue;
		len += sysfs_emit_at(buf, len, " ");
		len += sim_size_print(buf + len, PAGE_SIZE - len,
				      1ULL << (bit + SIM_REBAR_SHIFT));
	}
	return len + sysfs_emit_at(buf, len, "\n");
}

static ssize_t sim_rebar_store(struct config_item *item, const char *buf,
			       size_t count)
{
	struct sim_spec *spec = &sim_place(item).fn->spec;
	const struct sim_bar *bar;
	u32 nr, sizes;
	int error;

	if (sim_rebar_parse(buf, count, &nr, &sizes))
		return sim_refuse(item, "rebar", -EINVAL,
				  "write BAR SIZE…, as 0 256M 1G, or none; sizes are powers of two from 1M to 128T");
	guard(mutex)(&sim_lock);
	error = sim_may_write(item, "rebar", SIM_WHEN_OUT);
	if (error)
		return error;
	bar = &spec->bar[nr];
	if (sizes && (bar->io || !(bar->size >> SIM_REBAR_SHIFT & sizes)))
		return sim_refuse(item, "rebar", -EINVAL,
				  "bar%u must be memory and have one of these sizes",
				  nr);
	if (!bar->wide && sizes >> SIM_REBAR_32BIT)
		return sim_refuse(item, "rebar", -EINVAL,
				  "more than 2G needs 64 bits; see bar%u", nr);
	spec->rebar_bar = nr;
	spec->rebar_sizes = sizes;
	return count;
}

/* --- registers ----------------------------------------------------------- */

static ssize_t sim_config_read(struct config_item *item, void *buf, size_t size)
{
	struct sim_place at = sim_place(item);

	guard(mutex)(&sim_lock);
	return sim_dump_print(at.fn, buf, size);
}

/* configfs tells nobody what this returns, hence config_error. */
static ssize_t sim_config_write(struct config_item *item, const void *data,
				size_t size)
{
	struct sim_spec *spec = &sim_place(item).fn->spec;
	int error;

	guard(mutex)(&sim_lock);
	error = sim_may_write(item, "config", SIM_WHEN_OUT);
	if (error) {
		strscpy(spec->dump_error,
			"the device is in its slot; write 0 to its present first",
			sizeof(spec->dump_error));
		return error;
	}
	error = sim_dump_parse(spec, data, size);
	if (error)
		return sim_refuse(item, "config", error, "%s",
				  spec->dump_error);
	return size;
}

static ssize_t sim_config_error_show(struct config_item *item, char *buf)
{
	guard(mutex)(&sim_lock);
	return sysfs_emit(buf, "%s\n", sim_place(item).fn->spec.dump_error);
}

static int sim_poke_parse(const char *buf, size_t count, u32 *numbers)
{
	char text[SIM_TEXT_MAX], *words[3];
	int i;

	if (!sim_text(text, buf, count) || sim_words(text, words, 3) != 3)
		return -EINVAL;
	for (i = 0; i < 3; i++)
		if (sim_number32(words[i], &numbers[i]))
			return -EINVAL;
	return 0;
}

static ssize_t sim_poke_store(struct config_item *item, const char *buf,
			      size_t count)
{
	struct sim_place at = sim_place(item);
	u32 n[3];
	int error;

	error = sim_poke_parse(buf, count, n);
	if (!error && n[1] < 4 && n[2] >> (8 * n[1]))
		error = -EINVAL;
	if (!error) {
		guard(raw_spinlock_irqsave)(&at.fabric->lock);
		error = sim_is_there(&at) ?
			sim_func_poke(at.fn, n[0], n[1], n[2]) : -ENOTCONN;
	}
	if (error == -EINVAL)
		sim_refuse(item, "poke", error,
			   "write OFFSET SIZE VALUE; the size is 1, 2 or 4, and the offset a multiple of it");
	return error ?: count;
}

static ssize_t sim_error_store(struct config_item *item, const char *buf,
			       size_t count)
{
	struct sim_place at = sim_place(item);
	char text[SIM_TEXT_MAX];
	int error = -EINVAL;

	if (sim_text(text, buf, count)) {
		guard(raw_spinlock_irqsave)(&at.fabric->lock);
		error = sim_is_there(&at) ? sim_error_inject(at.fn, text) :
					    -ENOTCONN;
	}
	if (error == -EINVAL)
		sim_refuse(item, "error", error,
			   "write a name that aer-inject knows, as RCVR or COMP_TIME");
	return error ?: count;
}

static ssize_t sim_address_show(struct config_item *item, char *buf)
{
	struct sim_place at = sim_place(item);
	u16 id = 0xffff;
	int domain;

	scoped_guard(raw_spinlock_irqsave, &at.fabric->lock) {
		domain = at.fabric->domain;
		if (sim_is_there(&at))
			id = sim_func_id(at.fn);
	}
	if (domain < 0 || id == 0xffff)
		return 0;
	return sysfs_emit(buf, "%04x:%02x:%02x.%d\n", domain, id >> 8,
			  PCI_SLOT(id & 0xff), PCI_FUNC(id & 0xff));
}

struct configfs_attribute sim_error_attr = {
	.ca_name = "error",
	.ca_mode = 0200,
	.ca_owner = THIS_MODULE,
	.store = sim_error_store,
};

struct configfs_attribute sim_poke_attr = {
	.ca_name = "poke",
	.ca_mode = 0200,
	.ca_owner = THIS_MODULE,
	.store = sim_poke_store,
};

struct configfs_attribute sim_address_attr = {
	.ca_name = "address",
	.ca_mode = 0444,
	.ca_owner = THIS_MODULE,
	.show = sim_address_show,
};

CONFIGFS_ATTR(sim_, preset);
CONFIGFS_ATTR(sim_, rebar);
CONFIGFS_ATTR_RO(sim_, config_error);
CONFIGFS_BIN_ATTR(sim_, config, NULL, SIM_DUMP_MAX);

struct configfs_attribute *sim_func_attrs[] = {
	&sim_attr_preset,
	&sim_attr_vendor,
	&sim_attr_device,
	&sim_attr_class,
	&sim_attr_revision,
	&sim_attr_subsystem_vendor,
	&sim_attr_subsystem_device,
	&sim_attr_bar0,
	&sim_attr_bar1,
	&sim_attr_bar2,
	&sim_attr_bar3,
	&sim_attr_bar4,
	&sim_attr_bar5,
	&sim_attr_rom,
	&sim_attr_rebar,
	&sim_attr_serial,
	&sim_attr_pcie_version,
	&sim_attr_aer,
	&sim_attr_cxl,
	&sim_attr_pm,
	&sim_attr_flr,
	&sim_attr_msi,
	&sim_attr_interrupt_pin,
	&sim_attr_corrupt,
	&sim_attr_config_error,
	&sim_poke_attr,
	&sim_attr_interrupt,
	&sim_error_attr,
	&sim_address_attr,
	NULL
};

struct configfs_bin_attribute *sim_func_bin_attrs[] = {
	&sim_attr_config,
	NULL
};
