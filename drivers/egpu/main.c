// SPDX-License-Identifier: GPL-2.0-only
/*
 * egpu: the life of an external GPU, from plug to safe to unplug. Module load
 * and unload, parameters, and the refusal to suspend in the middle of a detach.
 */
#include <linux/module.h>
#include <linux/pci.h>
#include <linux/suspend.h>

#include "egpu.h"

#define CREATE_TRACE_POINTS
#include "trace.h"

#define EGPU_TRACK_MAX 32

static char *track[EGPU_TRACK_MAX];
static unsigned int nr_track;
module_param_array(track, charp, &nr_track, 0444);
MODULE_PARM_DESC(track, "PCI addresses of ports to track, such as 0000:00:02.0; external ports are tracked without");

static char *soft[EGPU_TRACK_MAX];
static unsigned int nr_soft;
module_param_array(soft, charp, &nr_soft, 0444);
MODULE_PARM_DESC(soft, "PCI addresses of ports without hotplug capability to track with a slot of egpu's own (OCuLink, M.2)");

unsigned int egpu_watch_ms = EGPU_WATCH_MS_DEFAULT;
module_param_named(watch_ms, egpu_watch_ms, uint, 0444);
MODULE_PARM_DESC(watch_ms, "time between two looks at the link of such a port, 20 to 60000 ms (default: 250)");

bool egpu_gate = true;
module_param_named(gate, egpu_gate, bool, 0444);
MODULE_PARM_DESC(gate, "hold what arrives until it is checked and admitted (default: Y); N only observes");

bool egpu_retrain = true;
module_param_named(retrain, egpu_retrain, bool, 0644);
MODULE_PARM_DESC(retrain, "train the link of an arrival once more when it is slower or narrower than both ends can do (default: Y)");

bool egpu_make_room = true;
module_param_named(space, egpu_make_room, bool, 0644);
MODULE_PARM_DESC(space, "make bridge windows larger for a held GPU's BARs that found no room (default: Y)");

bool egpu_unsafe_dma;
module_param_named(unsafe_dma, egpu_unsafe_dma, bool, 0644);
MODULE_PARM_DESC(unsafe_dma, "let managed functions map memory where no IOMMU keeps them off afterwards (default: N)");

static char *policy = "auto";
module_param(policy, charp, 0444);
MODULE_PARM_DESC(policy, "what happens to a GPU that passed its checks: auto (default) or manual");

enum egpu_policy egpu_default_policy = EGPU_POLICY_AUTO;

/* Return: 0, or -EINVAL when @text is no PCI address. */
static int egpu_address_parse(const char *text, u32 *domain, u32 *bus,
			      u32 *devfn)
{
	u32 device, function;
	int end = 0;

	*domain = 0;
	if (sscanf(text, "%x:%x:%x.%x%n", domain, bus, &device, &function,
		   &end) < 4 &&
	    sscanf(text, "%x:%x.%x%n", bus, &device, &function, &end) < 3)
		return -EINVAL;
	if (text[end] || *bus > 0xff || device > 0x1f || function > 7)
		return -EINVAL;
	*devfn = PCI_DEVFN(device, function);
	return 0;
}

static bool egpu_address_listed(char **list, unsigned int nr,
				struct pci_dev *pdev)
{
	u32 domain, bus, devfn;
	unsigned int i;

	for (i = 0; i < nr; i++)
		if (!egpu_address_parse(list[i], &domain, &bus, &devfn) &&
		    domain == pci_domain_nr(pdev->bus) &&
		    bus == pdev->bus->number && devfn == pdev->devfn)
			return true;
	return false;
}

/* Did the parameter @track name this port? */
bool egpu_track_wanted(struct pci_dev *pdev)
{
	return egpu_address_listed(track, nr_track, pdev);
}

/* Did the parameter @soft? */
bool egpu_soft_wanted(struct pci_dev *pdev)
{
	return egpu_address_listed(soft, nr_soft, pdev);
}

static int egpu_addresses_check(const char *name, char **list, unsigned int nr)
{
	u32 domain, bus, devfn;
	unsigned int i;

	for (i = 0; i < nr; i++) {
		if (!egpu_address_parse(list[i], &domain, &bus, &devfn))
			continue;
		pr_err("%s=%s: say a PCI address, such as 0000:00:02.0\n",
		       name, list[i]);
		return -EINVAL;
	}
	return 0;
}

static int egpu_parameters_check(void)
{
	int ret;

	if (!strcmp(policy, "manual")) {
		egpu_default_policy = EGPU_POLICY_MANUAL;
	} else if (strcmp(policy, "auto")) {
		pr_err("policy=%s: say auto or manual\n", policy);
		return -EINVAL;
	}
	if (egpu_watch_ms < EGPU_WATCH_MS_MIN ||
	    egpu_watch_ms > EGPU_WATCH_MS_MAX) {
		pr_err("watch_ms=%u: say %u to %u\n", egpu_watch_ms,
		       EGPU_WATCH_MS_MIN, EGPU_WATCH_MS_MAX);
		return -EINVAL;
	}
	ret = egpu_addresses_check("track", track, nr_track);
	return ret ?: egpu_addresses_check("soft", soft, nr_soft);
}

/* Never waits: a detach past the point of no return keeps the machine awake. */
static int egpu_pm_notify(struct notifier_block *nb, unsigned long action,
			  void *data)
{
	switch (action) {
	case PM_SUSPEND_PREPARE:
	case PM_HIBERNATION_PREPARE:
		if (egpu_state_is_busy())
			return notifier_from_errno(-EBUSY);
		egpu_sleep_begin();
		break;
	case PM_POST_SUSPEND:
	case PM_POST_HIBERNATION:
		egpu_sleep_end();
		break;
	}
	return NOTIFY_DONE;
}

static struct notifier_block egpu_pm_nb = {
	.notifier_call = egpu_pm_notify,
};

static bool egpu_admits_held(struct egpu_port *port)
{
	return port->policy == EGPU_POLICY_AUTO && !port->kept &&
	       !(port->failed_checks & ~EGPU_CHECK_LINK) &&
	       port->state != EGPU_STATE_QUARANTINED &&
	       egpu_sleep_review(port) == EGPU_SAME;
}

/*
 * What is held goes to its driver, or, by policy, at least is free again. The
 * one place that waits for a vendor's probe().
 */
static void egpu_release_held(struct egpu_port *port)
{
	struct egpu_pdevs *held __free(egpu_pdevs) =
		egpu_fn_snapshot(port, egpu_fn_is_held);
	bool attach;
	u32 i;

	if (!held || !held->nr)
		return;
	attach = egpu_admits_held(port);
	for (i = 0; i < held->nr; i++)
		egpu_fn_release(port, held->pdev[i], attach);
}

static void egpu_stop(void)
{
	struct egpu_port *port;
	u32 id;

	for (id = 0; (port = egpu_port_next(id)); egpu_port_put(port)) {
		id = port->id;
		egpu_soft_release(port);
	}
	egpu_bus_quiesce();
	egpu_state_stop();
	for (id = 0; (port = egpu_port_next(id)); egpu_port_put(port)) {
		id = port->id;
		egpu_state_quiesce(port);
	}
	for (id = 0; (port = egpu_port_next(id)); egpu_port_put(port)) {
		id = port->id;
		egpu_soft_release(port);
		egpu_train_release(port);
		egpu_manage_release(port);
		egpu_release_held(port);
	}
	egpu_bus_exit();
}

static int __init egpu_init(void)
{
	int ret;

	ret = egpu_parameters_check();
	if (ret)
		return ret;
	ret = egpu_port_init();
	if (ret)
		return ret;
	ret = egpu_event_init();
	if (ret)
		goto err_port;
	ret = egpu_state_init();
	if (ret)
		goto err_event;
	ret = register_pm_notifier(&egpu_pm_nb);
	if (ret)
		goto err_state;
	ret = egpu_soft_init();
	if (ret)
		goto err_pm;
	ret = egpu_drm_init();
	if (ret)
		goto err_soft;
	ret = egpu_bus_init();
	if (ret)
		goto err_drm;
	egpu_port_discover();
	/* Last: an open file must not outlive a load that fails. */
	ret = egpu_cdev_init();
	if (ret)
		goto err_stop;
	return 0;

err_stop:
	egpu_stop();
err_drm:
	egpu_drm_exit();
err_soft:
	egpu_soft_exit();
err_pm:
	unregister_pm_notifier(&egpu_pm_nb);
err_state:
	egpu_state_exit();
err_event:
	egpu_event_exit();
err_port:
	egpu_port_exit();
	return ret;
}

static void __exit egpu_exit(void)
{
	unregister_pm_notifier(&egpu_pm_nb);
	egpu_stop();
	egpu_soft_exit();
	egpu_drm_exit();
	egpu_state_exit();
	egpu_event_exit();
	egpu_cdev_quiesce();
	egpu_cdev_exit();
	egpu_port_exit();
}

module_init(egpu_init);
module_exit(egpu_exit);

MODULE_DESCRIPTION("External GPUs: attach, detach, survive");
MODULE_AUTHOR("The egpu developers");
MODULE_IMPORT_NS("DMA_BUF");
MODULE_LICENSE("GPL");
MODULE_VERSION(EGPU_VERSION);
