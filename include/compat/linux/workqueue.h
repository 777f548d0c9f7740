/* SPDX-License-Identifier: GPL-2.0 */
/* system_dfl_wq is 6.17's name for system_unbound_wq. */

#ifndef EGPU_COMPAT_WORKQUEUE_H
#define EGPU_COMPAT_WORKQUEUE_H

#include_next <linux/workqueue.h>

#ifndef EGPU_HAVE_SYSTEM_DFL_WQ
#define system_dfl_wq	system_unbound_wq
#endif

#endif
