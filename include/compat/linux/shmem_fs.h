/* SPDX-License-Identifier: GPL-2.0 */
/* Before 7.0 a file's flags are those of old, in one word. */
#ifndef EGPU_COMPAT_SHMEM_FS_H
#define EGPU_COMPAT_SHMEM_FS_H

#include_next <linux/shmem_fs.h>
#include <linux/mm.h>

#ifndef mk_vma_flags
#define VMA_NORESERVE_BIT	VM_NORESERVE
#define mk_vma_flags(flag)	(flag)
#endif

#endif
