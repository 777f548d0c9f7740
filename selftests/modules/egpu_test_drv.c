// SPDX-License-Identifier: GPL-2.0-only
/*
 * A PCI driver that misbehaves when told to, in place of a vendor's.
 *
 * It binds to QEMU's VGA and edu devices, or to those that the parameter ids=
 * names, and gives each a character device, and on demand an i2c adapter, that
 * programs can hold open. Parameters below /sys/module say how probe() and
 * remove() behave; they are looked at when a call begins, so that a test can
 * arm one call and leave the next alone:
 *
 *	only		PCI address: the others behave well; empty: all misbehave
 *	probe_ms	probe() takes so long
 *	remove_ms	remove() takes so long
 *	probe_hang	1: probe() hangs until it is killed or released,
 *	remove_hang	2: ... until it is released, in D state
 *	probe_error	probe() fails with this errno (517: EPROBE_DEFER)
 *	remove_waits	remove() waits until nobody has the node open
 *	i2c		probe() adds an i2c adapter
 *	release		written: all that hang go on
 *
 * and what happened: probes and removes that were begun, probing and removing
 * those that have not ended, opens, and bound devices.
 *
 * There is no device table for udev: the test says when it is loaded.
 */
#include <linux/cdev.h>
#include <linux/cleanup.h>
#include <linux/delay.h>
#include <linux/device.h>
#include <linux/err.h>
#include <linux/fs.h>
#include <linux/i2c.h>
#include <linux/idr.h>
#include <linux/kref.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/moduleparam.h>
#include <linux/mutex.h>
#include <linux/pci.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/wait.h>

#define TEST_NAME	"egpu_test"
#define TEST_MINORS	64

enum test_hang {
	TEST_HANG_NOT = 0,
	TEST_HANG_KILLABLE,
	TEST_HANG_FOR_EVER,
};

/**
 * struct test_dev - one bound function
 * @kref: held by the binding and by each open file
 * @pdev: the function; not to be touched once @gone
 * @minor: of its node
 * @gone: remove() has begun to take it away
 * @opens: open files
 * @closed: woken when @opens becomes 0
 * @page: what mmap() gives
 * @adapter: i2c adapter, registered when @has_i2c
 * @has_i2c: see @adapter
 *
 * @gone and @opens are protected by test_lock, the rest is constant.
 */
struct test_dev {
	struct kref kref;
	struct pci_dev *pdev;
	int minor;
	bool gone;
	unsigned int opens;
	wait_queue_head_t closed;
	struct page *page;
	struct i2c_adapter adapter;
	bool has_i2c;
};

/* Protects test_minors, the counters, and what struct test_dev says. */
static DEFINE_MUTEX(test_lock);
static DEFINE_IDR(test_minors);
static DECLARE_WAIT_QUEUE_HEAD(test_released);
static unsigned int test_release_count;
static dev_t test_devt;
static struct cdev test_cdev;
static struct class test_class = { .name = TEST_NAME };

static char ids[128] = "1234:1111,1234:11e8";
module_param_string(ids, ids, sizeof(ids), 0444);
MODULE_PARM_DESC(ids, "VENDOR:DEVICE,... to bind to, empty: by new_id only");

static char only[32];
module_param_string(only, only, sizeof(only), 0644);
MODULE_PARM_DESC(only, "PCI address of the one that misbehaves");

static uint probe_ms, remove_ms, probe_hang, remove_hang, probe_error;
static bool remove_waits, i2c;
module_param(probe_ms, uint, 0644);
module_param(remove_ms, uint, 0644);
module_param(probe_hang, uint, 0644);
module_param(remove_hang, uint, 0644);
module_param(probe_error, uint, 0644);
module_param(remove_waits, bool, 0644);
module_param(i2c, bool, 0644);

static uint probes, removes, probing, removing, opens, bound;
module_param(probes, uint, 0444);
module_param(removes, uint, 0444);
module_param(probing, uint, 0444);
module_param(removing, uint, 0444);
module_param(opens, uint, 0444);
module_param(bound, uint, 0444);

static int test_release_set(const char *val, const struct kernel_param *kp)
{
	WRITE_ONCE(test_release_count, test_release_count + 1);
	wake_up_all(&test_released);
	return 0;
}

static int test_release_get(char *buf, const struct kernel_param *kp)
{
	return sysfs_emit(buf, "%u\n", READ_ONCE(test_release_count));
}

static const struct kernel_param_ops test_release_ops = {
	.set = test_release_set,
	.get = test_release_get,
};
module_param_cb(release, &test_release_ops, NULL, 0644);

static bool test_is_meant(struct pci_dev *pdev)
{
	bool meant;

	kernel_param_lock(THIS_MODULE);
	meant = !*only || *only == '\n' || sysfs_streq(only, pci_name(pdev));
	kernel_param_unlock(THIS_MODULE);
	return meant;
}

/* Return: 0 or, when killed, -EINTR. */
static int test_hang(struct pci_dev *pdev, const char *where, uint how)
{
	unsigned int seen = READ_ONCE(test_release_count);

	if (how == TEST_HANG_NOT)
		return 0;
	pci_info(pdev, "%s hangs\n", where);
	if (how == TEST_HANG_KILLABLE) {
		if (wait_event_killable(test_released, seen !=
					READ_ONCE(test_release_count)))
			return -EINTR;
	} else {
		wait_event(test_released, seen !=
			   READ_ONCE(test_release_count));
	}
	pci_info(pdev, "%s goes on\n", where);
	return 0;
}

static void test_count(uint *counter, int by)
{
	guard(mutex)(&test_lock);
	*counter += by;
}

/* --- the node --- */

static void test_free(struct kref *kref)
{
	struct test_dev *t = container_of(kref, struct test_dev, kref);

	__free_page(t->page);
	kfree(t);
}

static int test_open(struct inode *inode, struct file *file)
{
	struct test_dev *t;

	guard(mutex)(&test_lock);
	t = idr_find(&test_minors, iminor(inode));
	if (!t || t->gone)
		return -ENXIO;
	kref_get(&t->kref);
	t->opens++;
	opens++;
	file->private_data = t;
	return 0;
}

static int test_close(struct inode *inode, struct file *file)
{
	struct test_dev *t = file->private_data;

	scoped_guard(mutex, &test_lock) {
		opens--;
		if (!--t->opens)
			wake_up_all(&t->closed);
	}
	kref_put(&t->kref, test_free);
	return 0;
}

/* Says by ENODEV that the device is gone. */
static ssize_t test_read(struct file *file, char __user *buf, size_t count,
			 loff_t *pos)
{
	struct test_dev *t = file->private_data;

	guard(mutex)(&test_lock);
	return t->gone ? -ENODEV : 0;
}

/* One page, which outlives the device: a file can be held by this alone. */
static int test_mmap(struct file *file, struct vm_area_struct *vma)
{
	struct test_dev *t = file->private_data;

	if (vma->vm_end - vma->vm_start != PAGE_SIZE || vma->vm_pgoff)
		return -EINVAL;
	return vm_insert_page(vma, vma->vm_start, t->page);
}

static const struct file_operations test_fops = {
	.owner = THIS_MODULE,
	.open = test_open,
	.release = test_close,
	.read = test_read,
	.mmap = test_mmap,
};

static int test_node_add(struct test_dev *t)
{
	struct device *dev;

	scoped_guard(mutex, &test_lock)
		t->minor = idr_alloc(&test_minors, t, 0, TEST_MINORS,
				     GFP_KERNEL);
	if (t->minor < 0)
		return t->minor;
	dev = device_create(&test_class, &t->pdev->dev,
			    MKDEV(MAJOR(test_devt), t->minor), NULL,
			    TEST_NAME "%d", t->minor);
	if (!IS_ERR(dev))
		return 0;
	scoped_guard(mutex, &test_lock)
		idr_remove(&test_minors, t->minor);
	return PTR_ERR(dev);
}

static void test_node_remove(struct test_dev *t)
{
	scoped_guard(mutex, &test_lock) {
		t->gone = true;
		idr_remove(&test_minors, t->minor);
	}
	device_destroy(&test_class, MKDEV(MAJOR(test_devt), t->minor));
}

/* --- the i2c adapter: nothing answers on it --- */

static s32 test_smbus_xfer(struct i2c_adapter *adap, u16 addr,
			   unsigned short flags, char read_write, u8 command,
			   int size, union i2c_smbus_data *data)
{
	return -ENXIO;
}

static u32 test_functionality(struct i2c_adapter *adap)
{
	return I2C_FUNC_SMBUS_BYTE;
}

static const struct i2c_algorithm test_algorithm = {
	.smbus_xfer = test_smbus_xfer,
	.functionality = test_functionality,
};

static int test_i2c_add(struct test_dev *t)
{
	int ret;

	t->adapter.owner = THIS_MODULE;
	t->adapter.algo = &test_algorithm;
	t->adapter.dev.parent = &t->pdev->dev;
	strscpy(t->adapter.name, TEST_NAME, sizeof(t->adapter.name));
	ret = i2c_add_adapter(&t->adapter);
	t->has_i2c = !ret;
	return ret;
}

/* --- the driver --- */

static struct test_dev *test_alloc(struct pci_dev *pdev)
{
	struct test_dev *t = kzalloc(sizeof(*t), GFP_KERNEL);

	if (!t)
		return NULL;
	t->page = alloc_page(GFP_KERNEL | __GFP_ZERO);
	if (!t->page) {
		kfree(t);
		return NULL;
	}
	kref_init(&t->kref);
	init_waitqueue_head(&t->closed);
	t->pdev = pdev;
	return t;
}

static int test_bind(struct pci_dev *pdev)
{
	struct test_dev *t;
	int ret;

	ret = pci_enable_device(pdev);
	if (ret)
		return ret;
	t = test_alloc(pdev);
	if (!t) {
		pci_disable_device(pdev);
		return -ENOMEM;
	}
	ret = test_node_add(t);
	if (!ret && i2c) {
		ret = test_i2c_add(t);
		if (ret)
			test_node_remove(t);
	}
	if (ret) {
		kref_put(&t->kref, test_free);
		pci_disable_device(pdev);
		return ret;
	}
	pci_set_drvdata(pdev, t);
	test_count(&bound, 1);
	return 0;
}

static int test_probe_told(struct pci_dev *pdev)
{
	int ret;

	if (!test_is_meant(pdev))
		return 0;
	msleep(probe_ms);
	ret = test_hang(pdev, "probe", probe_hang);
	return ret ?: -(int)probe_error;
}

static int test_probe(struct pci_dev *pdev, const struct pci_device_id *id)
{
	int ret;

	test_count(&probes, 1);
	test_count(&probing, 1);
	ret = test_probe_told(pdev);
	if (!ret)
		ret = test_bind(pdev);
	test_count(&probing, -1);
	return ret;
}

static void test_remove_told(struct pci_dev *pdev, struct test_dev *t)
{
	if (!test_is_meant(pdev))
		return;
	msleep(remove_ms);
	test_hang(pdev, "remove", remove_hang);
	if (remove_waits)
		wait_event(t->closed, !READ_ONCE(t->opens));
}

static void test_remove(struct pci_dev *pdev)
{
	struct test_dev *t = pci_get_drvdata(pdev);

	test_count(&removes, 1);
	test_count(&removing, 1);
	test_remove_told(pdev, t);
	if (t->has_i2c)
		i2c_del_adapter(&t->adapter);
	test_node_remove(t);
	pci_disable_device(pdev);
	kref_put(&t->kref, test_free);
	test_count(&bound, -1);
	test_count(&removing, -1);
}

static struct pci_driver test_driver = {
	.name = TEST_NAME,
	.probe = test_probe,
	.remove = test_remove,
};

/* Binds at once what is there; so this can hang, too. */
static int test_add_ids(void)
{
	unsigned int vendor, device;
	char list[sizeof(ids)], *rest = list, *word;
	int ret;

	strscpy(list, ids, sizeof(list));
	while ((word = strsep(&rest, ","))) {
		if (!*word)
			continue;
		if (sscanf(word, "%x:%x", &vendor, &device) != 2)
			return -EINVAL;
		ret = pci_add_dynid(&test_driver, vendor, device, PCI_ANY_ID,
				    PCI_ANY_ID, 0, 0, 0);
		if (ret)
			return ret;
	}
	return 0;
}

static int __init test_init(void)
{
	int ret;

	ret = alloc_chrdev_region(&test_devt, 0, TEST_MINORS, TEST_NAME);
	if (ret)
		return ret;
	cdev_init(&test_cdev, &test_fops);
	test_cdev.owner = THIS_MODULE;
	ret = cdev_add(&test_cdev, test_devt, TEST_MINORS);
	if (ret)
		goto no_cdev;
	ret = class_register(&test_class);
	if (ret)
		goto no_class;
	ret = pci_register_driver(&test_driver);
	if (ret)
		goto no_driver;
	ret = test_add_ids();
	if (!ret)
		return 0;
	pci_unregister_driver(&test_driver);
no_driver:
	class_unregister(&test_class);
no_class:
	cdev_del(&test_cdev);
no_cdev:
	unregister_chrdev_region(test_devt, TEST_MINORS);
	return ret;
}

static void __exit test_exit(void)
{
	pci_unregister_driver(&test_driver);
	class_unregister(&test_class);
	cdev_del(&test_cdev);
	unregister_chrdev_region(test_devt, TEST_MINORS);
	idr_destroy(&test_minors);
}

module_init(test_init);
module_exit(test_exit);

MODULE_DESCRIPTION("PCI driver that misbehaves when told to, for egpu's tests");
MODULE_LICENSE("GPL");
