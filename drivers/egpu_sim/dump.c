// SPDX-License-Identifier: GPL-2.0
/*
 * Registers as `lspci -xxxx` prints them: read, and printed. A dump comes from
 * anywhere, so nothing in it is believed, and a bad one changes nothing.
 */

#include <linux/ctype.h>
#include <linux/hex.h>
#include <linux/kernel.h>
#include <linux/sizes.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/unaligned.h>

#include "attr.h"

#define SIM_LINE		16		/* bytes in a line */
#define SIM_PRINT_MAX		SZ_16K		/* 256 lines of 54 and a few more */

/**
 * struct sim_dump - a dump in the making
 * @line: number of the line that is read
 * @size: bytes that were read so far
 * @regions: the text tells of regions
 * @bar: those
 * @regs: the registers
 */
struct sim_dump {
	unsigned int line;
	u32 size;
	bool regions;
	struct sim_bar bar[SIM_BARS + 1];
	u8 regs[SIM_CFG_SIZE];
};

/* --- reading ------------------------------------------------------------- */

__printf(2, 3)
static int sim_dump_fault(struct sim_spec *spec, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vscnprintf(spec->dump_error, sizeof(spec->dump_error), fmt, args);
	va_end(args);
	return -EINVAL;
}

/* "f0: ", "ff0: ": an offset, and at column 0. */
static bool sim_is_hex_line(const char *line)
{
	int digits = 0;

	while (isxdigit(line[digits]))
		digits++;
	return (digits == 2 || digits == 3) && line[digits] == ':' &&
	       line[digits + 1] == ' ';
}

static int sim_hex_line(struct sim_spec *spec, struct sim_dump *dump,
			const char *line)
{
	unsigned int offset = 0;
	int i, high, low;

	for (; *line != ':'; line++)
		offset = 16 * offset + hex_to_bin(*line);
	if (!offset && dump->size)
		return sim_dump_fault(spec, "line %u: a second function begins",
				      dump->line);
	if (offset != dump->size || offset >= SIM_CFG_SIZE)
		return sim_dump_fault(spec, "line %u: not the offset after %x",
				      dump->line, dump->size);
	line++;
	for (i = 0; i < SIM_LINE; i++, line += 3) {
		high = *line == ' ' ? hex_to_bin(line[1]) : -1;
		low = high < 0 ? -1 : hex_to_bin(line[2]);
		if (low < 0)
			break;
		dump->regs[offset + i] = high << 4 | low;
	}
	if (i < SIM_LINE || *skip_spaces(line))
		return sim_dump_fault(spec, "line %u: not 16 bytes", dump->line);
	dump->size += SIM_LINE;
	return 0;
}

/* "[size=256M]". Return: 0, or -EINVAL: it is not there. */
static int sim_region_size(const char *line, u64 *size)
{
	char text[24];
	size_t len;

	line = strstr(line, "[size=");
	if (!line)
		return -EINVAL;
	line += strlen("[size=");
	len = strcspn(line, "]");
	if (!line[len] || len >= sizeof(text))
		return -EINVAL;
	memcpy(text, line, len);
	text[len] = '\0';
	return sim_size(text, size);
}

/*
 * "Region 0: Memory at 6000000000 (64-bit, prefetchable) [size=256M]", "Region
 * 5: I/O ports at e000 [size=128]", "Expansion ROM at fd000000 [size=512K]". One
 * without a size is somebody else's, as those of SR-IOV.
 */
static int sim_region_line(struct sim_spec *spec, struct sim_dump *dump,
			   const char *line)
{
	struct sim_bar bar = { };
	unsigned int nr = SIM_ROM;

	if (!str_has_prefix(line, "Expansion ROM at ")) {
		nr = line[strlen("Region ")] - '0';
		if (nr >= SIM_BARS || line[strlen("Region 0")] != ':')
			return sim_dump_fault(spec, "line %u: no such region",
					      dump->line);
	}
	if (sim_region_size(line, &bar.size))
		return 0;
	bar.io = strstr(line, "I/O ports at ");
	bar.wide = strstr(line, "(64-bit");
	bar.prefetch = strstr(line, " prefetchable)");
	if (dump->bar[nr].size)
		return sim_dump_fault(spec, "line %u: the same region again",
				      dump->line);
	dump->bar[nr] = bar;
	dump->regions = true;
	return 0;
}

static int sim_dump_line(struct sim_spec *spec, struct sim_dump *dump,
			 const char *line)
{
	const char *text = skip_spaces(line);

	dump->line++;
	if (sim_is_hex_line(line))
		return sim_hex_line(spec, dump, line);
	if (str_has_prefix(text, "Region ") ||
	    str_has_prefix(text, "Expansion ROM at "))
		return sim_region_line(spec, dump, text);
	return 0;
}

/* They must make sense, also together. */
static int sim_dump_bars(struct sim_spec *spec, const struct sim_dump *dump)
{
	struct sim_spec *all __free(kfree) = kzalloc_obj(*all);
	const char *fault;
	int i;

	if (!all)
		return -ENOMEM;
	memcpy(all->bar, dump->bar, sizeof(all->bar));
	for (i = 0; i <= SIM_ROM; i++) {
		fault = sim_bar_fault(all, i, &all->bar[i]);
		if (fault)
			return sim_dump_fault(spec, "region %d: %s", i, fault);
	}
	return 0;
}

static int sim_dump_check(struct sim_spec *spec, const struct sim_dump *dump)
{
	int type = dump->regs[PCI_HEADER_TYPE] & 0x7f;

	if (dump->size != 64 && dump->size != PCI_CFG_SPACE_SIZE &&
	    dump->size != SIM_CFG_SIZE)
		return sim_dump_fault(spec,
				      "%u bytes where 64, 256 or 4096 are due",
				      dump->size);
	if (type != PCI_HEADER_TYPE_NORMAL)
		return sim_dump_fault(spec,
				      "header type %d; only devices (0) can be loaded",
				      type);
	return dump->regions ? sim_dump_bars(spec, dump) : 0;
}

/* What the registers say, the attributes say too. */
static void sim_dump_adopt(struct sim_spec *spec, const struct sim_dump *dump)
{
	const u8 *regs = dump->regs;

	spec->vendor = get_unaligned_le16(regs + PCI_VENDOR_ID);
	spec->device = get_unaligned_le16(regs + PCI_DEVICE_ID);
	spec->class = get_unaligned_le32(regs + PCI_CLASS_REVISION) >> 8;
	spec->revision = regs[PCI_REVISION_ID];
	spec->subsystem_vendor = get_unaligned_le16(regs +
						    PCI_SUBSYSTEM_VENDOR_ID);
	spec->subsystem_device = get_unaligned_le16(regs + PCI_SUBSYSTEM_ID);
	spec->pin = regs[PCI_INTERRUPT_PIN];
	spec->rebar_sizes = 0;
	if (dump->regions)
		memcpy(spec->bar, dump->bar, sizeof(spec->bar));
}

static int sim_dump_read(struct sim_spec *spec, struct sim_dump *dump,
			 char *text)
{
	char *line;
	int error;

	while ((line = strsep(&text, "\n"))) {
		error = sim_dump_line(spec, dump, line);
		if (error)
			return error;
	}
	return dump->size ? sim_dump_check(spec, dump) : 0;
}

/**
 * sim_dump_parse - take a dump as a function's registers
 * @spec: the function; sim_lock is held
 * @text: what `lspci -x`, `-xxx` or `-xxxx` printed, with or without -vv. A
 *	text without registers drops an earlier dump.
 * @size: of @text, which nothing ends
 *
 * Return: 0; -EINVAL: spec->dump_error says why, and nothing is changed; -ENOMEM.
 */
int sim_dump_parse(struct sim_spec *spec, const char *text, size_t size)
{
	struct sim_dump *dump __free(kvfree) = NULL;
	char *copy __free(kvfree) = NULL;
	u8 *regs = NULL;
	int error;

	lockdep_assert_held(&sim_lock);
	strscpy(spec->dump_error, "out of memory", sizeof(spec->dump_error));
	if (memchr(text, '\0', size))
		return sim_dump_fault(spec, "not a text");
	dump = kvzalloc(sizeof(*dump), GFP_KERNEL);
	copy = kvmalloc(size + 1, GFP_KERNEL);
	if (!dump || !copy)
		return -ENOMEM;
	memcpy(copy, text, size);
	copy[size] = '\0';
	error = sim_dump_read(spec, dump, copy);
	if (error)
		return error;
	if (dump->size) {
		regs = kmemdup(dump->regs, dump->size, GFP_KERNEL);
		if (!regs)
			return -ENOMEM;
		sim_dump_adopt(spec, dump);
	}
	kvfree(spec->dump);
	spec->dump = regs;
	spec->dump_size = dump->size;
	spec->dump_error[0] = '\0';
	return 0;
}

/* --- printing ------------------------------------------------------------ */

/* Its registers as they are, or as they were loaded; how many bytes. */
static u32 sim_dump_take(struct sim_func *fn, u8 *regs)
{
	scoped_guard(raw_spinlock_irqsave, &fn->fabric->lock)
		if (fn->regs && (!fn->dev || fn->dev->port->card == fn->dev)) {
			memcpy(regs, fn->regs->value, SIM_CFG_SIZE);
			return fn->pcie ? SIM_CFG_SIZE : PCI_CFG_SPACE_SIZE;
		}
	if (!fn->spec.dump)
		return 0;
	memcpy(regs, fn->spec.dump, fn->spec.dump_size);
	return fn->spec.dump_size;
}

static int sim_print_region(const struct sim_func *fn, const u8 *regs, int nr,
			    char *buf, size_t size)
{
	const struct sim_bar *bar = &fn->spec.bar[nr];
	int where = nr == SIM_ROM ? PCI_ROM_ADDRESS :
				    PCI_BASE_ADDRESS_0 + 4 * nr;
	u64 addr = get_unaligned_le32(regs + where);
	char len[24];

	if (!bar->size)
		return 0;
	if (bar->wide)
		addr |= (u64)get_unaligned_le32(regs + where + 4) << 32;
	addr &= ~(bar->size - 1);
	sim_size_print(len, sizeof(len), bar->size);
	if (nr == SIM_ROM)
		return scnprintf(buf, size, "\tExpansion ROM at %08llx [size=%s]\n",
				 addr, len);
	if (bar->io)
		return scnprintf(buf, size,
				 "\tRegion %d: I/O ports at %04llx [size=%s]\n",
				 nr, addr, len);
	return scnprintf(buf, size,
			 "\tRegion %d: Memory at %08llx (%d-bit, %sprefetchable) [size=%s]\n",
			 nr, addr, bar->wide ? 64 : 32,
			 bar->prefetch ? "" : "non-", len);
}

static int sim_print(const struct sim_func *fn, const u8 *regs, u32 bytes,
		     char *buf, size_t size)
{
	int i, len;

	len = scnprintf(buf, size, "00:00.%u %04x: %04x:%04x (rev %02x)\n",
			fn->nr, get_unaligned_le16(regs + PCI_CLASS_DEVICE),
			get_unaligned_le16(regs + PCI_VENDOR_ID),
			get_unaligned_le16(regs + PCI_DEVICE_ID),
			regs[PCI_REVISION_ID]);
	for (i = 0; !fn->bridge && i <= SIM_ROM; i++)
		len += sim_print_region(fn, regs, i, buf + len, size - len);
	for (i = 0; i < bytes; i += SIM_LINE)
		len += scnprintf(buf + len, size - len, "%02x: %*ph\n", i,
				 SIM_LINE, regs + i);
	return len;
}

/**
 * sim_dump_print - print a function's registers
 * @fn: the function; sim_lock is held
 * @buf: where to; NULL: only say how much it is
 * @size: of @buf; all of it is filled
 *
 * Return: how much it is, or -ENOMEM.
 */
ssize_t sim_dump_print(struct sim_func *fn, char *buf, size_t size)
{
	char *text __free(kvfree) = kvmalloc(SIM_PRINT_MAX, GFP_KERNEL);
	u8 *regs __free(kvfree) = kvzalloc(SIM_CFG_SIZE, GFP_KERNEL);
	u32 bytes;
	size_t len = 0;

	lockdep_assert_held(&sim_lock);
	if (!text || !regs)
		return -ENOMEM;
	bytes = sim_dump_take(fn, regs);
	if (bytes)
		len = sim_print(fn, regs, bytes, text, SIM_PRINT_MAX);
	if (!buf)
		return len;
	/* configfs shows all of what it allocated, which nobody cleared. */
	memset(buf, '\n', size);
	memcpy(buf, text, min(len, size));
	return size;
}
