/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What egpu_sim offers drivers of simulated devices. Both functions may be
 * called for any PCI device; one that is not simulated is left alone.
 */

#ifndef EGPU_SIM_DRIVER_H
#define EGPU_SIM_DRIVER_H

#include <linux/types.h>

struct pci_dev;

/**
 * enum egpu_sim_point - where a driver asks what to do
 * @EGPU_SIM_PROBE: in probe()
 * @EGPU_SIM_REMOVE: in remove()
 * @EGPU_SIM_SUSPEND: in suspend()
 * @EGPU_SIM_RESUME: in resume()
 */
enum egpu_sim_point {
	EGPU_SIM_PROBE,
	EGPU_SIM_REMOVE,
	EGPU_SIM_SUSPEND,
	EGPU_SIM_RESUME,
};

int egpu_sim_point(struct pci_dev *pdev, enum egpu_sim_point point);
bool egpu_sim_mmio(struct pci_dev *pdev);

#endif
