/* SPDX-License-Identifier: GPL-2.0 */
/* copy_struct_to_user() is 6.13's. */

#ifndef EGPU_COMPAT_UACCESS_H
#define EGPU_COMPAT_UACCESS_H

#include_next <linux/uaccess.h>

#ifndef EGPU_HAVE_COPY_STRUCT_TO_USER
/**
 * copy_struct_to_user() - copy a struct to user space
 * @dst: destination in user space
 * @usize: size of the struct there, as the caller said
 * @src: source
 * @ksize: size of the struct here
 * @ignored_trailing: where to say that bytes that are not zero were left out,
 *		      because @usize is the smaller; may be NULL
 *
 * What @dst has beyond @ksize is filled with zeroes.
 *
 * Return: 0, or -EFAULT.
 */
static inline int copy_struct_to_user(void __user *dst, size_t usize,
				      const void *src, size_t ksize,
				      bool *ignored_trailing)
{
	size_t size = min(ksize, usize);

	if (usize > size && clear_user(dst + size, usize - size))
		return -EFAULT;
	if (ignored_trailing)
		*ignored_trailing = memchr_inv(src + size, 0, ksize - size);
	return copy_to_user(dst, src, size) ? -EFAULT : 0;
}
#endif

#endif
