// SPDX-License-Identifier: GPL-2.0
/*
 * Another hotplug driver: registers a slot with the PCI hotplug core on the bus
 * that `bus` names (DOMAIN:BUS), and keeps what is written to its power file.
 */

#include <linux/module.h>
#include <linux/pci.h>
#include <linux/pci_hotplug.h>

static char *bus;
module_param(bus, charp, 0444);
MODULE_PARM_DESC(bus, "bus of the slot, DOMAIN:BUS, hexadecimal");

static char *name = "egpu_test";
module_param(name, charp, 0444);
MODULE_PARM_DESC(name, "its name below /sys/bus/pci/slots");

static bool whole;
module_param(whole, bool, 0444);
MODULE_PARM_DESC(whole, "the slot of all devices of the bus, as pciehp's is; else of device 0");

#ifdef PCI_SLOT_ALL_DEVICES
#define TEST_WHOLE PCI_SLOT_ALL_DEVICES
#else
#define TEST_WHOLE 0
#endif

static struct pci_bus *test_bus;
static u8 test_power = 1;

static int test_enable(struct hotplug_slot *slot)
{
	test_power = 1;
	return 0;
}

static int test_disable(struct hotplug_slot *slot)
{
	test_power = 0;
	return 0;
}

static int test_power_status(struct hotplug_slot *slot, u8 *status)
{
	*status = test_power;
	return 0;
}

static const struct hotplug_slot_ops test_ops = {
	.enable_slot = test_enable,
	.disable_slot = test_disable,
	.get_power_status = test_power_status,
};

static struct hotplug_slot test_slot = { .ops = &test_ops };

static int __init test_init(void)
{
	unsigned int domain, number;
	int ret;

	if (!bus || sscanf(bus, "%x:%x", &domain, &number) != 2)
		return -EINVAL;
	test_bus = pci_find_bus(domain, number);
	if (!test_bus)
		return -ENODEV;
	get_device(&test_bus->dev);
	ret = pci_hp_register(&test_slot, test_bus, whole ? TEST_WHOLE : 0, name);
	if (ret)
		put_device(&test_bus->dev);
	return ret;
}

static void __exit test_exit(void)
{
	pci_hp_deregister(&test_slot);
	put_device(&test_bus->dev);
}

module_init(test_init);
module_exit(test_exit);

MODULE_DESCRIPTION("A hotplug slot of another driver, for egpu's tests");
MODULE_LICENSE("GPL");
