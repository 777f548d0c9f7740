// SPDX-License-Identifier: GPL-2.0-only
/*
 * Bugs on demand, one of each kind that the debug kernel finds: to prove that
 * it does, and that a run with one fails. Write the name of one to
 * /sys/module/egpu_test_bug/parameters/make; reading lists them. What is done
 * stays harmless without the debugging, too.
 */
#include <linux/device.h>
#include <linux/dma-mapping.h>
#include <linux/err.h>
#include <linux/module.h>
#include <linux/moduleparam.h>
#include <linux/mutex.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/string.h>
#include <linux/sysfs.h>
#include <linux/workqueue.h>

static DEFINE_MUTEX(bug_outer);
static DEFINE_MUTEX(bug_inner);
static DEFINE_SPINLOCK(bug_spin);

/* What the compiler must not see through. */
static int bug_number = 40;
module_param_named(number, bug_number, int, 0644);

/* Two locks in one order, then in the other. */
static int bug_lockdep(void)
{
	mutex_lock(&bug_outer);
	mutex_lock(&bug_inner);
	mutex_unlock(&bug_inner);
	mutex_unlock(&bug_outer);

	mutex_lock(&bug_inner);
	mutex_lock(&bug_outer);
	mutex_unlock(&bug_outer);
	mutex_unlock(&bug_inner);
	return 0;
}

/* Reads one byte behind the end. */
static int bug_kasan(void)
{
	int n = READ_ONCE(bug_number);
	u8 *p = kzalloc(n, GFP_KERNEL);

	if (!p)
		return -ENOMEM;
	OPTIMIZER_HIDE_VAR(p);
	pr_info("there is %d\n", READ_ONCE(p[n]));
	kfree(p);
	return 0;
}

/* Several, for one may be found on a stack where it lay. */
static int bug_leak(void)
{
	int i;
	u8 *p;

	for (i = 0; i < 10; i++) {
		p = kzalloc(READ_ONCE(bug_number), GFP_KERNEL);
		OPTIMIZER_HIDE_VAR(p);
	}
	return 0;
}

static int bug_ubsan(void)
{
	pr_info("1 << n is %d\n", 1 << READ_ONCE(bug_number));
	return 0;
}

static int bug_sleep(void)
{
	spin_lock(&bug_spin);
	might_sleep();
	spin_unlock(&bug_spin);
	return 0;
}

static void bug_work_run(struct work_struct *work)
{
}

/* Frees memory with a work item in it that waits for its time. */
static int bug_odebug(void)
{
	struct delayed_work *w = kzalloc(sizeof(*w), GFP_KERNEL);

	if (!w)
		return -ENOMEM;
	INIT_DELAYED_WORK(w, bug_work_run);
	schedule_delayed_work(w, HZ * 60);
	if (IS_ENABLED(CONFIG_DEBUG_OBJECTS_FREE)) {
		kfree(w);		/* which takes it off, after all */
		return 0;
	}
	cancel_delayed_work_sync(w);
	kfree(w);
	return 0;
}

/* Unmaps what was never mapped. */
static int bug_dma(void)
{
	struct device *dev = root_device_register("egpu_test_bug");

	if (IS_ERR(dev))
		return PTR_ERR(dev);
	dev->coherent_dma_mask = DMA_BIT_MASK(64);
	dev->dma_mask = &dev->coherent_dma_mask;
	if (IS_ENABLED(CONFIG_DMA_API_DEBUG))
		dma_unmap_page(dev, 0x1000, 64, DMA_TO_DEVICE);
	root_device_unregister(dev);
	return 0;
}

static const struct {
	const char *name;
	int (*make)(void);
} bugs[] = {
	{ "lockdep", bug_lockdep },
	{ "kasan", bug_kasan },
	{ "leak", bug_leak },
	{ "ubsan", bug_ubsan },
	{ "sleep", bug_sleep },
	{ "odebug", bug_odebug },
	{ "dma", bug_dma },
};

static int bug_make(const char *val, const struct kernel_param *kp)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(bugs); i++)
		if (sysfs_streq(val, bugs[i].name))
			return bugs[i].make();
	return -EINVAL;
}

static int bug_list(char *buf, const struct kernel_param *kp)
{
	unsigned int i;
	int at = 0;

	for (i = 0; i < ARRAY_SIZE(bugs); i++)
		at += sysfs_emit_at(buf, at, "%s\n", bugs[i].name);
	return at;
}

static const struct kernel_param_ops bug_ops = {
	.set = bug_make,
	.get = bug_list,
};
module_param_cb(make, &bug_ops, NULL, 0644);

static int __init bug_init(void)
{
	return 0;
}
module_init(bug_init);

static void __exit bug_exit(void)
{
}
module_exit(bug_exit);

MODULE_DESCRIPTION("Bugs on demand, for tests");
MODULE_LICENSE("GPL");
