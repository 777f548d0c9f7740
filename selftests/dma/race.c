// SPDX-License-Identifier: GPL-2.0
/*
 * egpu_dma_race ADDRESS SECONDS THREADS [seed]: bos are made, mapped, unmapped,
 * written, exported and closed by many threads, while the function is given to
 * egpu and back all the time; others may pull it meanwhile. Every call ends
 * well or with an error that its documentation names, and memory that a thread
 * has mapped can be written to the end. Prints what was done; exits 1 when
 * something else came.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "dma.h"

#define MAX_THREADS	64
#define MOST_PAGES	64
#define LARGE		(4 << 20)

static const char *address;
static atomic_int shared = -1;	/* the node that all threads use */
static atomic_bool over;
static atomic_ulong rounds, maps, lost, takes, bad;

static void must(const char *what, int ret)
{
	/*
	 * So says GEM_CLOSE of no handle, and mmap() of another's offset, or of
	 * another's smaller dma-buf: the node is another, the handle is not.
	 */
	if (ret == -EINVAL && (!strcmp(what, "close") || !strcmp(what, "MMAP") ||
			       !strcmp(what, "export")))
		return;
	switch (-ret) {
	case 0:
	case ENODEV:	/* gone */
	case ENOENT:	/* another closed it, or the node is another */
	case ENOMEM:
	case EBADF:
	case EACCES:
		return;
	}
	bad++;
	printf("%s: %s\n", what, strerrorname_np(-ret));
}

static void touch(struct bo *bo, unsigned int *seed)
{
	uint64_t at = rand_r(seed) % bo->size;

	if (!bo->p)
		return;
	((volatile uint8_t *)bo->p)[at] = 0x5a;
	if (((volatile uint8_t *)bo->p)[at] != 0x5a) {
		bad++;
		printf("a byte is not what was written\n");
	}
}

static void use(int fd, struct bo *bo, unsigned int *seed)
{
	struct drm_egpu_bo_info info;
	int i, ret;

	for (i = rand_r(seed) % 6; i >= 0; i--) {
		ret = bo_map(fd, bo);
		must("MAP", ret);
		maps += !ret;
		lost += ret == -ENODEV;
		touch(bo, seed);
		if (rand_r(seed) & 1)
			must("UNMAP", bo_unmap(fd, bo));
		must("INFO", bo_info(fd, bo, &info));
	}
	if (rand_r(seed) % 4 == 0)
		must("export", bo_export(fd, bo));
}

static void one_round(int fd, unsigned int *seed)
{
	struct bo bo;
	int ret = bo_create(fd, &bo, (rand_r(seed) % MOST_PAGES + 1) * 4096, 0);

	must("CREATE", ret);
	lost += ret == -ENODEV;
	if (ret)
		return;
	/* What no process has mapped loses its pages with the function. */
	if (rand_r(seed) & 1)
		must("MMAP", bo_mmap(fd, &bo));
	use(fd, &bo, seed);
	if (rand_r(seed) & 1)
		must("close", bo_close(fd, &bo));
	touch(&bo, seed);
	if (bo.p)
		munmap(bo.p, bo.size);
	if (bo.d)
		munmap(bo.d, bo.size);
	if (bo.dmabuf >= 0)
		close(bo.dmabuf);
	if (bo.handle)
		must("close", bo_close(fd, &bo));
	free(bo.segments);
	rounds++;
}

/* A thread uses a file of its own, or all use one, and one closes it. */
static void *work(void *arg)
{
	unsigned int seed = (uintptr_t)arg;
	int fd, own, i;

	while (!over) {
		own = rand_r(&seed) % 4 ? node_open(address) : -1;
		fd = own >= 0 ? own : shared;
		if (fd < 0) {
			usleep(1000);
			continue;
		}
		for (i = rand_r(&seed) % 8; i >= 0; i--)
			one_round(fd, &seed);
		if (own >= 0)
			close(own);
	}
	return NULL;
}

/* Files must not be another's when their number comes again: dup2 it is. */
static void share_again(void)
{
	int fd = node_open(address);

	if (fd < 0)
		return;
	if (shared < 0) {
		shared = fd;
		return;
	}
	dup3(fd, shared, O_CLOEXEC);
	close(fd);
}

/* While it is taken away others queue up behind that. */
static void slow_down(void)
{
	struct bo large;

	if (bo_create(shared, &large, LARGE, 0))
		return;
	bo_map(shared, &large);
	free(large.segments);
}

static void give_and_take(unsigned int *seed)
{
	int ret = manage(address, EGPU_MANAGE_TAKE, 64);

	takes += !ret;
	if (!ret) {
		share_again();
		slow_down();
	} else {
		usleep(5000);
	}
	usleep(rand_r(seed) % 60000);
	ret = manage(address, EGPU_MANAGE_RETURN, 0);
	if (ret == -EIO || ret == -EINVAL)
		must("RETURN", ret);
}

int main(int argc, char **argv)
{
	pthread_t threads[MAX_THREADS];
	unsigned int seed = argc > 4 ? strtoul(argv[4], NULL, 0) : 1;
	long long end;
	int i, n;

	if (argc < 4)
		return 2;
	address = argv[1];
	end = now_us() + atoi(argv[2]) * 1000000LL;
	n = atoi(argv[3]) < MAX_THREADS ? atoi(argv[3]) : MAX_THREADS;
	for (i = 0; i < n; i++)
		pthread_create(&threads[i], NULL, work,
			       (void *)(uintptr_t)(seed + i));
	while (now_us() < end)
		give_and_take(&seed);
	over = true;
	for (i = 0; i < n; i++)
		pthread_join(threads[i], NULL);
	printf("%lu rounds, %lu maps, %lu met ENODEV, %lu times managed, %lu bad\n",
	       rounds, maps, lost, takes, bad);
	return bad || !maps || !takes;
}
