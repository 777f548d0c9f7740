/* SPDX-License-Identifier: GPL-2.0 */
/* 6.1 reaches the file of a struct fd by its member. */

#ifndef EGPU_COMPAT_FILE_H
#define EGPU_COMPAT_FILE_H

#include_next <linux/file.h>

#ifndef EGPU_HAVE_FD_FILE
#define fd_file(f)	((f).file)
#define fd_empty(f)	(!fd_file(f))
#endif

#endif
