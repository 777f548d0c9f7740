// SPDX-License-Identifier: GPL-2.0
/*
 * Attributes that are one value: read, checked, stored. What is refused is
 * explained in the kernel log, with what to do instead.
 */

#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/ctype.h>
#include <linux/kernel.h>
#include <linux/log2.h>
#include <linux/string.h>
#include <linux/sysfs.h>

#include "attr.h"

/* --- refusals ------------------------------------------------------------ */

/* "/f/port0/gpu", written from its end on; what does not fit is left out. */
static const char *sim_path(struct config_item *item, char *buf, size_t size)
{
	char *at = buf + size - 1;
	const char *name;
	size_t len;

	*at = '\0';
	for (; item && item->ci_type != &sim_root_type; item = item->ci_parent) {
		name = config_item_name(item);
		len = strlen(name);
		if (len + 1 > at - buf)
			break;
		at -= len;
		memcpy(at, name, len);
		*--at = '/';
	}
	return at;
}

/**
 * sim_refuse - say in the log why something is refused
 * @item: the folder
 * @name: the file or folder in it
 * @error: what is returned
 * @fmt: why, or what to write instead
 *
 * Return: @error.
 */
int sim_refuse(struct config_item *item, const char *name, int error,
	       const char *fmt, ...)
{
	struct va_format why = { .fmt = fmt };
	char path[96];
	va_list args;

	va_start(args, fmt);
	why.va = &args;
	pr_err("%s/%s: %pV\n", sim_path(item, path, sizeof(path)), name, &why);
	va_end(args);
	return error;
}

/**
 * sim_may_write - can an attribute be written now
 * @item: the folder
 * @name: the file
 * @when: when it can be
 *
 * Return: 0 or -EBUSY.
 */
int sim_may_write(struct config_item *item, const char *name,
		  enum sim_when when)
{
	struct sim_place at = sim_place(item);

	lockdep_assert_held(&sim_lock);
	if (when == SIM_WHEN_ALWAYS || sim_fabric_is_dead(at.fabric))
		return 0;
	if (when == SIM_WHEN_DEAD)
		return sim_refuse(item, name, -EBUSY,
				  "the fabric is live; write 0 to its live first");
	if (!at.dev->present && READ_ONCE(at.port->card) != at.dev)
		return 0;
	return sim_refuse(item, name, -EBUSY,
			  "the device is in its slot; write 0 to its present first");
}

/* --- text ---------------------------------------------------------------- */

/**
 * sim_text - what was written, without blanks around it
 * @text: SIM_TEXT_MAX bytes for it
 * @buf: what was written
 * @count: how much
 *
 * Return: false: it is too long, or no text.
 */
bool sim_text(char *text, const char *buf, size_t count)
{
	if (memchr(buf, '\0', count))
		return false;
	while (count && isspace(*buf)) {
		buf++;
		count--;
	}
	while (count && isspace(buf[count - 1]))
		count--;
	if (count >= SIM_TEXT_MAX)
		return false;
	memcpy(text, buf, count);
	text[count] = '\0';
	return true;
}

/**
 * sim_words - take a text apart
 * @text: it; changed
 * @words: where its words are
 * @max: room for so many
 *
 * Return: how many there are, or -EINVAL: more than @max.
 */
int sim_words(char *text, char **words, int max)
{
	char *word;
	int n = 0;

	while ((word = strsep(&text, " \t\n"))) {
		if (!*word)
			continue;
		if (n == max)
			return -EINVAL;
		words[n++] = word;
	}
	return n;
}

/* Return: where @text stands in @words, which NULL ends, or -EINVAL. */
int sim_word_index(const char *const *words, const char *text)
{
	int i;

	for (i = 0; words[i]; i++)
		if (!strcmp(words[i], text))
			return i;
	return -EINVAL;
}

/* A leading zero does not mean octal. Return: 0 or -EINVAL. */
int sim_number(const char *text, u64 *value)
{
	bool hex = text[0] == '0' && tolower(text[1]) == 'x';

	if (!isdigit(*text) || kstrtou64(text, hex ? 16 : 10, value))
		return -EINVAL;
	return 0;
}

/* Return: 0 or -EINVAL. */
int sim_number32(const char *text, u32 *value)
{
	u64 wide;

	if (sim_number(text, &wide) || wide > U32_MAX)
		return -EINVAL;
	*value = wide;
	return 0;
}

static const char sim_suffixes[] = "KMGT";

/* Return: 0 or -EINVAL. */
int sim_size(const char *text, u64 *value)
{
	size_t len = strlen(text);
	unsigned int shift = 0;
	const char *suffix;
	char digits[24];

	if (!len || len >= sizeof(digits))
		return -EINVAL;
	memcpy(digits, text, len + 1);
	suffix = strchr(sim_suffixes, toupper(digits[len - 1]));
	if (suffix) {
		shift = 10 * (suffix - sim_suffixes + 1);
		digits[len - 1] = '\0';
	}
	if (sim_number(digits, value) || *value > U64_MAX >> shift)
		return -EINVAL;
	*value <<= shift;
	return 0;
}

/* Return: how many characters were written, as scnprintf(). */
int sim_size_print(char *buf, size_t size, u64 value)
{
	int i = -1;

	while (value && !(value & 1023) && i < 3) {
		value >>= 10;
		i++;
	}
	return i < 0 ? scnprintf(buf, size, "%llu", value) :
		       scnprintf(buf, size, "%llu%c", value, sim_suffixes[i]);
}

/* --- values -------------------------------------------------------------- */

static u64 sim_field_get(const struct sim_value *value, const void *field)
{
	switch (value->size) {
	case 1:
		return READ_ONCE(*(const u8 *)field);
	case 4:
		return READ_ONCE(*(const u32 *)field);
	default:
		return READ_ONCE(*(const u64 *)field);
	}
}

static void sim_field_put(const struct sim_value *value, void *field, u64 val)
{
	switch (value->size) {
	case 1:
		WRITE_ONCE(*(u8 *)field, val);
		break;
	case 4:
		WRITE_ONCE(*(u32 *)field, val);
		break;
	default:
		WRITE_ONCE(*(u64 *)field, val);
		break;
	}
}

/**
 * sim_value_show - print a value
 * @value: the attribute
 * @field: where it stands
 * @buf: a page
 *
 * Return: how much was printed.
 */
ssize_t sim_value_show(const struct sim_value *value, const void *field,
		       char *buf)
{
	u64 val = sim_field_get(value, field);
	int len;

	switch (value->as) {
	case SIM_AS_HEX:
		return sysfs_emit(buf, "0x%0*llx\n",
				  (fls64(value->max) + 3) / 4, val);
	case SIM_AS_DIGITS:
		return sysfs_emit(buf, val ? "%016llx\n" : "%llx\n", val);
	case SIM_AS_SIZE:
		len = sim_size_print(buf, PAGE_SIZE, val);
		return len + sysfs_emit_at(buf, len, "\n");
	case SIM_AS_SPEED:
		return sysfs_emit(buf, "%s%s\n", sim_speed_name(val),
				  val ? " GT/s" : "");
	case SIM_AS_ERRNO:
		return sysfs_emit(buf, "%d\n", (int)val);
	case SIM_AS_WORD:
		return sysfs_emit(buf, "%s\n", value->words[val]);
	default:
		return sysfs_emit(buf, "%llu\n", val);
	}
}

/* Return: 0 or -EINVAL. */
static int sim_value_read(const struct sim_value *value, const char *text,
			  u64 *val)
{
	int n;

	switch (value->as) {
	case SIM_AS_DIGITS:
		return kstrtou64(text, 16, val) ? -EINVAL : 0;
	case SIM_AS_SIZE:
		return sim_size(text, val);
	case SIM_AS_SPEED:
		n = !value->min && !strcmp(text, "none") ? 0 :
		    sim_speed_parse(text);
		break;
	case SIM_AS_ERRNO:
		if (kstrtoint(text, 10, &n) || n > 0 || n < -MAX_ERRNO)
			return -EINVAL;
		*val = -n;
		return 0;
	case SIM_AS_WORD:
		n = sim_word_index(value->words, text);
		break;
	default:
		return sim_number(text, val);
	}
	*val = n;
	return n < 0 ? -EINVAL : 0;
}

static bool sim_value_fits(const struct sim_value *value, u64 val)
{
	if (val > value->max)
		return false;
	if (value->as == SIM_AS_SIZE)
		return !(val & (value->min - 1));
	if (value->as == SIM_AS_POWER && val && !is_power_of_2(val))
		return false;
	return val >= value->min;
}

/* Says what would have been right. */
static int sim_value_refuse(struct config_item *item,
			    const struct sim_value *value)
{
	char words[SIM_TEXT_MAX] = "";
	char max[24];
	int i, len = 0;

	sim_size_print(max, sizeof(max), value->max);
	switch (value->as) {
	case SIM_AS_SWITCH:
		return sim_refuse(item, value->name, -EINVAL, "write 0 or 1");
	case SIM_AS_HEX:
		return sim_refuse(item, value->name, -EINVAL,
				  "write a number up to 0x%llx", value->max);
	case SIM_AS_DIGITS:
		return sim_refuse(item, value->name, -EINVAL,
				  "write up to 16 hexadecimal digits");
	case SIM_AS_SIZE:
		return sim_refuse(item, value->name, -EINVAL,
				  "write a multiple of %llu bytes, at most %s",
				  value->min, max);
	case SIM_AS_SPEED:
		return sim_refuse(item, value->name, -EINVAL,
				  "write 2.5, 5, 8, 16, 32, 64 or 128%s",
				  value->min ? "" : ", or none");
	case SIM_AS_ERRNO:
		return sim_refuse(item, value->name, -EINVAL,
				  "write a negative error number, or 0");
	case SIM_AS_WORD:
		for (i = 0; value->words[i]; i++)
			len += scnprintf(words + len, sizeof(words) - len,
					 " %s", value->words[i]);
		return sim_refuse(item, value->name, -EINVAL,
				  "write one of:%s", words);
	default:
		return sim_refuse(item, value->name, -EINVAL,
				  "write %s from %llu to %llu",
				  value->as == SIM_AS_POWER ?
				  "a power of two" : "a number",
				  value->min, value->max);
	}
}

/**
 * sim_value_store - check what was written and store it
 * @item: the folder
 * @value: the attribute
 * @field: where it stands
 * @buf: what was written
 * @count: how much
 *
 * Return: @count, -EINVAL or -EBUSY; see sim_may_write().
 */
ssize_t sim_value_store(struct config_item *item, const struct sim_value *value,
			void *field, const char *buf, size_t count)
{
	struct sim_place at = sim_place(item);
	char text[SIM_TEXT_MAX];
	u64 val;
	int error;

	if (!sim_text(text, buf, count) || sim_value_read(value, text, &val) ||
	    !sim_value_fits(value, val))
		return sim_value_refuse(item, value);
	if (value->as == SIM_AS_ERRNO)
		val = -val;
	guard(mutex)(&sim_lock);
	error = sim_may_write(item, value->name, value->when);
	if (error)
		return error;
	scoped_guard(raw_spinlock_irqsave, &at.fabric->lock) {
		sim_field_put(value, field, val);
		if (value->changed)
			value->changed(&at);
	}
	return count;
}

/**
 * sim_switch_parse - 0 or 1, for attributes that do something
 * @item: the folder
 * @name: the file
 * @buf: what was written
 * @count: how much
 * @on: what it says
 *
 * Return: 0 or -EINVAL.
 */
int sim_switch_parse(struct config_item *item, const char *name,
		     const char *buf, size_t count, bool *on)
{
	const struct sim_value value = {
		.name = name,
		.as = SIM_AS_SWITCH,
		.max = 1,
	};
	char text[SIM_TEXT_MAX];
	u64 val;

	if (!sim_text(text, buf, count) || sim_value_read(&value, text, &val) ||
	    !sim_value_fits(&value, val))
		return sim_value_refuse(item, &value);
	*on = val;
	return 0;
}
