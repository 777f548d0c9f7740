/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What a function's DMA is like.
 */
#ifndef EGPUCTL_DMA_H
#define EGPUCTL_DMA_H

#include "../lib/egpu_dma.h"
#include "ctl.h"

struct json_object *dma_json(const struct egpu_function *f);
/* "translates, strict, group 12" */
void dma_iommu_text(const struct egpu_function *f, char *buf, size_t size);
/* "40 bits, bus mastering on" */
void dma_width_text(const struct egpu_function *f, char *buf, size_t size);
/* NULL: nobody has memory that could be taken away */
const char *dma_revoked_text(const struct egpu_function *f);
/* One sentence each, at most with a second one. */
void dma_safety(const struct egpu_function *f, char *buf, size_t size);
void dma_speed(const struct egpu_function *f, char *buf, size_t size);

#endif /* EGPUCTL_DMA_H */
