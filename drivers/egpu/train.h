/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A link that is being trained: what train.c does, and linkset.c decides.
 */
#ifndef EGPU_TRAIN_H
#define EGPU_TRAIN_H

#include "egpu.h"

/**
 * struct egpu_train - a link that is being trained
 * @port: its port
 * @pdev: the Downstream Port
 * @below: what is at the far end, with a reference; NULL: nothing
 * @link: what was known of it before
 * @target: Target Link Speed that it shall have, tenths of GT/s
 * @changed: what was known of the link is old
 * @down: it went down where it should not have
 * @speed: tenths of GT/s after the last step; 0: down
 * @width: lanes
 */
struct egpu_train {
	struct egpu_port *port;
	struct pci_dev *pdev;
	struct pci_dev *below;
	struct egpu_hop link;
	u32 target;
	bool changed;
	bool down;
	u32 speed;
	u32 width;
};

bool egpu_train_begin(struct egpu_train *train, struct egpu_port *port);
void egpu_train_end(struct egpu_train *train);
u32 egpu_train_base(struct egpu_train *train);
bool egpu_train_recovers(struct egpu_train *train);
bool egpu_train_is_cxl(struct egpu_train *train);
bool egpu_target_write(struct pci_dev *pdev, u32 speed);
void egpu_train_set_target(struct egpu_train *train, u32 speed);
void egpu_train_set_fixed(struct egpu_train *train, u32 flags);
int egpu_train_run(struct egpu_train *train, u32 speed, bool may_reset);

#endif /* EGPU_TRAIN_H */
