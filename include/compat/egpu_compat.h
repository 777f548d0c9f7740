/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What kernels do differently and no common name covers.
 *
 * Everything that has a name in the newest kernel is in linux/ beside this
 * file instead: a header there reads the kernel's own and adds what is missing.
 * EGPU_HAVE_* come from compile probes (probes, tools/kernel/build).
 */

#ifndef EGPU_COMPAT_H
#define EGPU_COMPAT_H

#include <linux/cleanup.h>
#include <linux/device.h>
#include <linux/pci.h>
#include <linux/slab.h>
#include <linux/string.h>

/* In a tracepoint's TP_fast_assign(): 6.10 dropped the second argument. */
#ifdef EGPU_HAVE_ASSIGN_STR_1
#define egpu_assign_str(dst, src)	__assign_str(dst)
#else
#define egpu_assign_str(dst, src)	__assign_str(dst, src)
#endif

/*
 * A PCI device's driver override.
 *
 * 6.1 keeps it in struct pci_dev, protected by device_lock; newer kernels (and
 * Debian's 6.12) in struct device, protected by a spinlock of its own. So:
 *
 * - without _locked: the caller must not hold the device_lock, and may sleep;
 * - with _locked: the caller holds it, as in probe() or a bind notification.
 */
#ifdef EGPU_HAVE_DEVICE_OVERRIDE

static inline int __egpu_override_set(struct pci_dev *pdev, const char *name)
{
	return device_set_driver_override(&pdev->dev, name);
}

static inline bool __egpu_override_is_set(struct pci_dev *pdev)
{
	guard(spinlock)(&pdev->dev.driver_override.lock);
	return pdev->dev.driver_override.name;
}

static inline bool __egpu_override_matches(struct pci_dev *pdev,
					   const char *name)
{
	guard(spinlock)(&pdev->dev.driver_override.lock);
	return pdev->dev.driver_override.name &&
	       !strcmp(pdev->dev.driver_override.name, name);
}

/* @old NULL stands for none; @new NULL clears. Owns and returns a string. */
static inline bool __egpu_override_swap(struct pci_dev *pdev, const char *old,
					const char **new)
{
	const char *name;

	guard(spinlock)(&pdev->dev.driver_override.lock);
	name = pdev->dev.driver_override.name;
	if (old ? !name || strcmp(name, old) : !!name)
		return false;
	pdev->dev.driver_override.name = *new;
	*new = name;
	return true;
}

#define egpu_override_guard(pdev)	((void)(pdev))

#else /* the override is struct pci_dev's */

static inline int __egpu_override_set(struct pci_dev *pdev, const char *name)
{
	return driver_set_override(&pdev->dev, &pdev->driver_override, name,
				   strlen(name));
}

static inline bool __egpu_override_is_set(struct pci_dev *pdev)
{
	return pdev->driver_override;
}

static inline bool __egpu_override_matches(struct pci_dev *pdev,
					   const char *name)
{
	return pdev->driver_override && !strcmp(pdev->driver_override, name);
}

static inline bool __egpu_override_swap(struct pci_dev *pdev, const char *old,
					const char **new)
{
	const char *name = pdev->driver_override;

	if (old ? !name || strcmp(name, old) : !!name)
		return false;
	pdev->driver_override = *new;
	*new = name;
	return true;
}

#define egpu_override_guard(pdev)	guard(device)(&(pdev)->dev)

#endif

/**
 * egpu_override_set() - set or clear a device's driver override
 * @pdev: the device; its device_lock must not be held
 * @name: the driver's name; an empty string clears
 *
 * Whatever stood there is gone. See egpu_override_claim().
 *
 * Return: 0, -ENOMEM, or -EINVAL when @name is too long or has a newline.
 */
static inline int egpu_override_set(struct pci_dev *pdev, const char *name)
{
	return __egpu_override_set(pdev, name);
}

/**
 * egpu_override_is_set() - does a device have a driver override
 * @pdev: the device; its device_lock must not be held
 *
 * Return: true when it has one, whatever its value.
 */
static inline bool egpu_override_is_set(struct pci_dev *pdev)
{
	egpu_override_guard(pdev);
	return __egpu_override_is_set(pdev);
}

/**
 * egpu_override_matches() - is a device's driver override this one
 * @pdev: the device; its device_lock must not be held
 * @name: the driver's name
 *
 * Return: true when the override is set and equals @name.
 */
static inline bool egpu_override_matches(struct pci_dev *pdev, const char *name)
{
	egpu_override_guard(pdev);
	return __egpu_override_matches(pdev, name);
}

/**
 * egpu_override_matches_locked() - is a device's driver override this one
 * @pdev: the device; the caller holds its device_lock
 * @name: the driver's name
 *
 * Return: true when the override is set and equals @name.
 */
static inline bool egpu_override_matches_locked(struct pci_dev *pdev,
						const char *name)
{
	device_lock_assert(&pdev->dev);
	return __egpu_override_matches(pdev, name);
}

/**
 * egpu_override_claim() - set a device's driver override if it has none
 * @pdev: the device; its device_lock must not be held
 * @name: the driver's name
 *
 * Looks and sets in one step, so that no one else's override is lost.
 *
 * Return: 0; -EBUSY when there was one; -ENOMEM.
 */
static inline int egpu_override_claim(struct pci_dev *pdev, const char *name)
{
	const char *own __free(kfree) = kstrdup(name, GFP_KERNEL);

	if (!own)
		return -ENOMEM;
	egpu_override_guard(pdev);
	return __egpu_override_swap(pdev, NULL, &own) ? 0 : -EBUSY;
}

/**
 * egpu_override_clear_if() - clear a device's driver override if it is this one
 * @pdev: the device; its device_lock must not be held
 * @name: the driver's name
 *
 * Compares and clears in one step; any other value is someone else's and stays.
 *
 * Return: true when it was @name and is cleared.
 */
static inline bool egpu_override_clear_if(struct pci_dev *pdev,
					  const char *name)
{
	const char *old __free(kfree) = NULL;

	egpu_override_guard(pdev);
	return __egpu_override_swap(pdev, name, &old);
}

#endif
