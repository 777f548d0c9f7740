// SPDX-License-Identifier: GPL-2.0
/*
 * Attributes of a device's driver/: what egpu_sim_point() does for its driver.
 */

#include <linux/sysfs.h>

#include "attr.h"
#include "egpu_sim.h"

#define SIM_ERRNO(_name, _field) \
	SIM_VALUE(dev, _name, _field, ALWAYS, ERRNO, 0, MAX_ERRNO, NULL, NULL)

/* In the order of enum egpu_sim_point. */
static const char *const sim_points[] = {
	"probe", "remove", "suspend", "resume", NULL
};

SIM_MS(dev, probe_ms, point_ms[EGPU_SIM_PROBE]);
SIM_MS(dev, remove_ms, point_ms[EGPU_SIM_REMOVE]);
SIM_MS(dev, suspend_ms, point_ms[EGPU_SIM_SUSPEND]);
SIM_MS(dev, resume_ms, point_ms[EGPU_SIM_RESUME]);
SIM_ERRNO(probe_error, point_error[EGPU_SIM_PROBE]);
SIM_ERRNO(suspend_error, point_error[EGPU_SIM_SUSPEND]);
SIM_ERRNO(resume_error, point_error[EGPU_SIM_RESUME]);

/* Words of sim_points. */
static ssize_t sim_points_show(unsigned long points, char *buf)
{
	int i, len = 0;

	for (i = 0; i < SIM_POINTS; i++)
		if (points & BIT(i))
			len += sysfs_emit_at(buf, len, "%s%s", len ? " " : "",
					     sim_points[i]);
	return len + sysfs_emit_at(buf, len, "\n");
}

static int sim_points_parse(const char *buf, size_t count,
			    unsigned long *points)
{
	char text[SIM_TEXT_MAX], *words[SIM_POINTS];
	int i, n, point;

	*points = 0;
	if (!sim_text(text, buf, count))
		return -EINVAL;
	n = sim_words(text, words, ARRAY_SIZE(words));
	for (i = 0; i < n; i++) {
		point = sim_word_index(sim_points, words[i]);
		if (point < 0)
			return point;
		*points |= BIT(point);
	}
	return n < 0 ? n : 0;
}

static ssize_t sim_hang_show(struct config_item *item, char *buf)
{
	struct sim_dev *dev = sim_place(item).dev;
	unsigned long points = 0;
	int i;

	guard(mutex)(&sim_lock);
	for (i = 0; i < SIM_POINTS; i++)
		points |= (unsigned long)dev->point_hang[i] << i;
	return sim_points_show(points, buf);
}

static ssize_t sim_hang_store(struct config_item *item, const char *buf,
			      size_t count)
{
	struct sim_place at = sim_place(item);
	unsigned long points;
	int i;

	if (sim_points_parse(buf, count, &points))
		return sim_refuse(item, "hang", -EINVAL,
				  "write words of: probe remove suspend resume");
	guard(mutex)(&sim_lock);
	scoped_guard(raw_spinlock_irqsave, &at.fabric->lock)
		for (i = 0; i < SIM_POINTS; i++)
			WRITE_ONCE(at.dev->point_hang[i], points & BIT(i));
	wake_up_all(&at.dev->point_wait);
	return count;
}

static ssize_t sim_hanging_show(struct config_item *item, char *buf)
{
	struct sim_place at = sim_place(item);
	unsigned long points = 0;
	int i;

	scoped_guard(raw_spinlock_irqsave, &at.fabric->lock)
		for (i = 0; i < SIM_POINTS; i++)
			if (at.dev->point_waiting[i])
				points |= BIT(i);
	return sim_points_show(points, buf);
}

CONFIGFS_ATTR(sim_, hang);
CONFIGFS_ATTR_RO(sim_, hanging);

struct configfs_attribute *sim_driver_attrs[] = {
	&sim_attr_probe_ms,
	&sim_attr_remove_ms,
	&sim_attr_suspend_ms,
	&sim_attr_resume_ms,
	&sim_attr_probe_error,
	&sim_attr_suspend_error,
	&sim_attr_resume_error,
	&sim_attr_hang,
	&sim_attr_hanging,
	NULL
};
