/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Attributes of the configfs tree: how one is read, checked and stored. Most
 * are a line each in attr_*.c, made by the macros below.
 */

#ifndef EGPU_SIM_ATTR_H
#define EGPU_SIM_ATTR_H

#include "sim.h"

/* --- the tree (tree.c) --------------------------------------------------- */

/* What kind of folder an item is; defined in tree.c. */
extern struct config_item_type sim_root_type, sim_fabric_type, sim_port_type;
extern struct config_item_type sim_fault_type, sim_dev_type, sim_driver_type;
extern struct config_item_type sim_func_type;

extern struct configfs_attribute *sim_fabric_attrs[], *sim_port_attrs[];
extern struct configfs_attribute *sim_fault_attrs[], *sim_dev_attrs[];
extern struct configfs_attribute *sim_driver_attrs[], *sim_func_attrs[];
extern struct configfs_bin_attribute *sim_func_bin_attrs[];
/* Those that ports have as well. */
extern struct configfs_attribute sim_address_attr, sim_error_attr;
extern struct configfs_attribute sim_poke_attr;

/**
 * struct sim_place - where in the tree an item is
 * @fabric: its fabric
 * @port: its port: itself, or the one whose slot the device is for
 * @dev: its device; NULL: it is a port's or the fabric's
 * @fn: its function: a port's own, or the device's
 */
struct sim_place {
	struct sim_fabric *fabric;
	struct sim_port *port;
	struct sim_dev *dev;
	struct sim_func *fn;
};

struct sim_place sim_place(struct config_item *item);

/* It is in its slot, and the fabric live; under the fabric's lock. */
static inline bool sim_is_there(const struct sim_place *at)
{
	return at->fn->regs && (!at->dev || at->port->card == at->dev) &&
	       (!at->port || sim_port_is_there(at->port));
}

/* --- values (attr_value.c) ----------------------------------------------- */

/* When an attribute can be written. */
enum sim_when {
	SIM_WHEN_ALWAYS,
	SIM_WHEN_DEAD,		/* the fabric is not live */
	SIM_WHEN_OUT,		/* … or the device is not in its slot */
};

/* How a value is written. */
enum sim_as {
	SIM_AS_SWITCH,		/* 0 or 1 */
	SIM_AS_NUMBER,
	SIM_AS_POWER,		/* a power of two, or 0 where that is allowed */
	SIM_AS_HEX,		/* with 0x */
	SIM_AS_DIGITS,		/* hexadecimal without */
	SIM_AS_SIZE,		/* bytes; a multiple of the minimum */
	SIM_AS_SPEED,		/* a code; 0: none, where that is allowed */
	SIM_AS_ERRNO,		/* 0 or negative */
	SIM_AS_WORD,		/* an index of words */
};

/**
 * struct sim_value - an attribute that is one value
 * @name: its file
 * @as: how it is written
 * @when: when it can be written
 * @size: of the field, in bytes
 * @min: least value; for sizes, what they are multiples of
 * @max: greatest value
 * @words: for SIM_AS_WORD, ended by NULL
 * @changed: told of the change, under both locks; or NULL
 */
struct sim_value {
	const char *name;
	enum sim_as as;
	enum sim_when when;
	size_t size;
	u64 min;
	u64 max;
	const char *const *words;
	void (*changed)(const struct sim_place *at);
};

ssize_t sim_value_show(const struct sim_value *value, const void *field,
		       char *buf);
ssize_t sim_value_store(struct config_item *item, const struct sim_value *value,
			void *field, const char *buf, size_t count);
int sim_switch_parse(struct config_item *item, const char *name,
		     const char *buf, size_t count, bool *on);

__printf(4, 5)
int sim_refuse(struct config_item *item, const char *name, int error,
	       const char *fmt, ...);
int sim_may_write(struct config_item *item, const char *name,
		  enum sim_when when);

#define SIM_TEXT_MAX		192	/* longest text that is taken apart */

bool sim_text(char *text, const char *buf, size_t count);
int sim_words(char *text, char **words, int max);
int sim_word_index(const char *const *words, const char *text);
int sim_number(const char *text, u64 *value);
int sim_number32(const char *text, u32 *value);
int sim_size(const char *text, u64 *value);
int sim_size_print(char *buf, size_t size, u64 value);

/*
 * SIM_VALUE(OBJECT, FILE, FIELD, WHEN, AS, MIN, MAX, WORDS, CHANGED) is the file
 * FILE, which is OBJECT->FIELD. OBJECT is a member of struct sim_place. The rest
 * are shorter forms.
 */
#define SIM_VALUE(_obj, _name, _field, _when, _as, _min, _max, _words, _changed) \
static const struct sim_value sim_value_##_name = {			\
	.name = #_name,							\
	.as = SIM_AS_##_as,						\
	.when = SIM_WHEN_##_when,					\
	.size = sizeof(((struct sim_place *)NULL)->_obj->_field),	\
	.min = _min,							\
	.max = _max,							\
	.words = _words,						\
	.changed = _changed,						\
};									\
									\
static ssize_t sim_##_name##_show(struct config_item *item, char *buf)	\
{									\
	return sim_value_show(&sim_value_##_name,			\
			      &sim_place(item)._obj->_field, buf);	\
}									\
									\
static ssize_t sim_##_name##_store(struct config_item *item,		\
				   const char *buf, size_t count)	\
{									\
	return sim_value_store(item, &sim_value_##_name,		\
			       &sim_place(item)._obj->_field, buf, count); \
}									\
CONFIGFS_ATTR(sim_, _name)

#define SIM_SWITCH(_obj, _name, _field, _when) \
	SIM_VALUE(_obj, _name, _field, _when, SWITCH, 0, 1, NULL, NULL)
#define SIM_NUMBER(_obj, _name, _field, _when, _min, _max) \
	SIM_VALUE(_obj, _name, _field, _when, NUMBER, _min, _max, NULL, NULL)
#define SIM_POWER(_obj, _name, _field, _when, _min, _max) \
	SIM_VALUE(_obj, _name, _field, _when, POWER, _min, _max, NULL, NULL)
#define SIM_HEX(_obj, _name, _field, _when, _max) \
	SIM_VALUE(_obj, _name, _field, _when, HEX, 0, _max, NULL, NULL)
#define SIM_SIZE(_obj, _name, _field, _when, _step, _max) \
	SIM_VALUE(_obj, _name, _field, _when, SIZE, _step, _max, NULL, NULL)
#define SIM_RATE(_obj, _name, _field, _when, _min) \
	SIM_VALUE(_obj, _name, _field, _when, SPEED, _min, SIM_SPEEDS - 1, \
		  NULL, NULL)
#define SIM_WORD(_obj, _name, _field, _when, _words) \
	SIM_VALUE(_obj, _name, _field, _when, WORD, 0, \
		  ARRAY_SIZE(_words) - 2, _words, NULL)
#define SIM_MS(_obj, _name, _field) \
	SIM_NUMBER(_obj, _name, _field, ALWAYS, 0, 3600000)

/* --- what several of them know ------------------------------------------- */

void sim_spec_preset(struct sim_spec *spec);
const char *sim_bar_fault(const struct sim_spec *spec, unsigned int nr,
			  const struct sim_bar *bar);

#endif
