/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What egpu.h has of DMA beside egpu_functions(): whose memory a managed
 * function reaches, and which dma-bufs any function does.
 */
#ifndef LIBEGPU_EGPU_DMA_H
#define LIBEGPU_EGPU_DMA_H

#include "egpu.h"

/**
 * enum egpu_revocation - what takes memory away from a function
 * @EGPU_REVOKED_BY_NOBODY: it has no driver, and no memory
 * @EGPU_REVOKED_BY_DRIVER: its driver, as well as that does it
 * @EGPU_REVOKED_BY_BUS_MASTER: egpu, by bus mastering, if the function obeys
 * @EGPU_REVOKED_BY_IOMMU: egpu, by the IOMMU
 */
enum egpu_revocation {
	EGPU_REVOKED_BY_NOBODY = 0,
	EGPU_REVOKED_BY_DRIVER,
	EGPU_REVOKED_BY_BUS_MASTER,
	EGPU_REVOKED_BY_IOMMU,
};

enum egpu_revocation egpu_revocation(const struct egpu_function *function);
/* egpu_revocation_name() - NULL: by nobody */
const char *egpu_revocation_name(enum egpu_revocation revocation);

/**
 * egpu_iommu_kind() - what stands between a function and memory
 * @function: which
 *
 * What the module cannot tell, for want of a driver, is what the IOMMU group's
 * type says a driver would get; of VFIO's it is EGPU_IOMMU_OTHER.
 *
 * Return: enum egpu_iommu, EGPU_IOMMU_UNKNOWN.
 */
uint32_t egpu_iommu_kind(const struct egpu_function *function);

/* egpu_translated() - does it reach what is mapped, and nothing else */
bool egpu_translated(const struct egpu_function *function);

/* egpu_unsafe_dma() - the module's parameter: 1, 0, -1 not known */
int egpu_unsafe_dma(void);

/**
 * struct egpu_dma_user - a process with the DRM node of a managed function
 * @pid: in the caller's namespace
 * @uid: user id
 * @comm: its name
 * @place: container and unit
 * @bytes: in bos that it has handles of
 * @mapped_bytes: so much of it is mapped for the function
 * @segments: in so many segments
 */
struct egpu_dma_user {
	uint32_t pid;
	uint32_t uid;
	char comm[16];
	struct egpu_place place;
	uint64_t bytes;
	uint64_t mapped_bytes;
	uint64_t segments;
};

/**
 * egpu_dma_users() - who has memory that a managed function may reach
 * @address: of the function
 * @users: out: free() it
 * @hidden: out: the caller may not see other users' processes
 *
 * From /proc/PID/fdinfo. A file that is open twice in one process counts once.
 *
 * Return: how many, ascending by pid.
 */
int egpu_dma_users(const struct egpu_address *address,
		   struct egpu_dma_user **users, bool *hidden);

/**
 * struct egpu_dmabuf - a dma-buf that is attached to a function
 * @inode: its number
 * @bytes: its size
 * @exporter: who made it, as the kernel calls it
 * @name: that a process gave it, or empty; no control characters
 */
struct egpu_dmabuf {
	uint64_t inode;
	uint64_t bytes;
	char exporter[EGPU_NAME_LEN];
	char name[EGPU_NAME_LEN];
};

/**
 * egpu_dmabufs() - the dma-bufs that are attached to a function
 * @address: of the function
 * @bufs: out: free() it
 *
 * From debugfs, which is root's.
 *
 * Return: how many, -ENOENT the kernel does not tell.
 */
int egpu_dmabufs(const struct egpu_address *address, struct egpu_dmabuf **bufs);

#endif /* LIBEGPU_EGPU_DMA_H */
