/* SPDX-License-Identifier: GPL-2.0 */
/* 6.1 lacks __free(kvfree); kzalloc_obj() is 7.0's. */

#ifndef EGPU_COMPAT_SLAB_H
#define EGPU_COMPAT_SLAB_H

#include_next <linux/slab.h>

#ifndef EGPU_HAVE_FREE_KVFREE
#include <linux/cleanup.h>

DEFINE_FREE(kvfree, void *, if (!IS_ERR_OR_NULL(_T)) kvfree(_T))
#endif

#ifndef EGPU_HAVE_KZALLOC_OBJ
#define __egpu_gfp(a, b, ...)	b
#define kzalloc_obj(obj, ...) \
	((typeof(obj) *)kzalloc(sizeof(obj), \
				__egpu_gfp(0, ##__VA_ARGS__, GFP_KERNEL)))
#endif

#endif
