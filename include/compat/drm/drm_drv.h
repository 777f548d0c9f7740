/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Up to 6.13 a DRM driver must have a date; up to 6.4 it says how a dma-buf of
 * its own is mapped.
 */

#ifndef EGPU_COMPAT_DRM_DRM_DRV_H
#define EGPU_COMPAT_DRM_DRM_DRV_H

#include_next <drm/drm_drv.h>

/* A line in a struct drm_driver's initializer. */
#ifdef EGPU_HAVE_DRM_DRIVER_DATE
#define EGPU_DRM_DRIVER_DATE	.date = "20260101",
#else
#define EGPU_DRM_DRIVER_DATE
#endif

#ifdef EGPU_HAVE_DRM_PRIME_MMAP
#define EGPU_DRM_DRIVER_PRIME_MMAP .gem_prime_mmap = drm_gem_prime_mmap,
#else
#define EGPU_DRM_DRIVER_PRIME_MMAP
#endif

#endif
