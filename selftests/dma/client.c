// SPDX-License-Identifier: GPL-2.0
/*
 * egpu_dma: a program with bos, which a test tells what to do: a line in, a
 * line out: "ok …" or an errno. With arguments it does that one thing, prints
 * what it says and exits with 1 when it failed.
 *
 *	manage ADDRESS BITS|return	FUNCTION_MANAGE
 *	function ADDRESS		KEY=VALUE… of FUNCTION_LIST
 *	open ADDRESS			the render node of a managed function
 *	shut				close it
 *	second DRIVER			a node of another DRM driver
 *	create SIZE [FLAGS]		→ N; N names it below
 *	close N, mmap N, munmap N, map N → SEGMENTS, unmap N, sync N cpu|device
 *	info N				KEY=VALUE…
 *	fill M BYTE [AT LENGTH]		M is N, its mapping, or dN, its dma-buf's
 *	same M BYTE [AT LENGTH]		else where it is not
 *	write M AT LENGTH SEED, compare M AT LENGTH SEED
 *	export N, import N, unimport N	import by the second node
 *	closebuf N			its dma-buf and the mapping of that
 *	address N AT			→ what the function has to use
 *	edu ADDRESS			this is the device for what follows
 *	read N AT LENGTH		edu reads the bo; write back with
 *	store N AT LENGTH		edu writes what it has read
 *	poke ADDRESS LENGTH		the same to any address
 *	start N AT LENGTH, wait		as store, in two steps
 *	late N AT LENGTH LEAD		unmap while a store is under way, LEAD us
 *					before it lands → how long after the
 *					unmap it did, or "missed"
 *	give PATH N|node, take PATH N|node	by a socket, to another egpu_dma
 *	vfio NODE			claim a VFIO group
 *	fork				→ pid of a child that has all and sleeps
 *	userns				all privilege, in a user namespace
 *	drop UID [CAPABILITY…]		become that user and keep only these
 *	memlock BYTES			RLIMIT_MEMLOCK
 *	room				→ pages that can still be charged
 *	pid, exit
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/vfio.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include "../../tools/lib/egpu.h"
#include "dma.h"

#define MAX_BOS		64
#define ROOM_MOST	4096
#define SPACE		"\n "
#define EDU_US		100000	/* from command to transfer */

static struct bo bos[MAX_BOS];
static int node = -1, second = -1;
static char answer[4096];

__attribute__((format(printf, 1, 2)))
static int say(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(answer, sizeof(answer), fmt, ap);
	va_end(ap);
	return 0;
}

__attribute__((format(printf, 1, 2)))
static int say_more(const char *fmt, ...)
{
	size_t n = strlen(answer);
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(answer + n, sizeof(answer) - n, fmt, ap);
	va_end(ap);
	return 0;
}

static uint64_t number(const char *word)
{
	return strtoull(word, NULL, 0);
}

static struct bo *bo_of(const char *word)
{
	return &bos[number(word) % MAX_BOS];
}

/* --- the node and its bos --- */

static int cmd_manage(char **a)
{
	if (!strcmp(a[1], "return"))
		return manage(a[0], EGPU_MANAGE_RETURN, 0);
	return manage(a[0], EGPU_MANAGE_TAKE, number(a[1]));
}

static int function_tell(const struct egpu_function *f)
{
	static const char * const iommus[] = {
		"none", "identity", "strict", "lazy", "other",
	};

	say("managed=%d bounces=%d master=%d iommu=%s group=%d bits=%u ",
	    !!(f->dma_flags & EGPU_DMA_MANAGED),
	    !!(f->dma_flags & EGPU_DMA_BOUNCES),
	    !!(f->dma_flags & EGPU_DMA_MASTER), iommus[f->iommu % 5],
	    f->iommu_group, f->dma_bits);
	return say_more("bos=%llu mapped=%llu segments=%llu",
			(unsigned long long)f->bo_bytes,
			(unsigned long long)f->mapped_bytes,
			(unsigned long long)f->mapped_segments);
}

static int cmd_function(char **a)
{
	struct egpu_port_info *ports = NULL;
	struct egpu_function *f;
	int i, j, n, ret = -ENOENT;
	uint32_t domain, bus, devfn;
	struct egpu *egpu;

	if (address_parse(a[0], &domain, &bus, &devfn))
		return -EINVAL;
	if (egpu_open(&egpu))
		return -ENODEV;
	n = egpu_ports(egpu, false, &ports);
	for (i = 0; i < n; i++) {
		f = NULL;
		for (j = egpu_functions(egpu, ports[i].port, &f); j-- > 0;)
			if (f[j].domain == domain && f[j].bus == bus &&
			    f[j].devfn == devfn)
				ret = function_tell(&f[j]);
		free(f);
	}
	free(ports);
	egpu_close(egpu);
	return ret;
}

static int cmd_open(char **a)
{
	node = node_open(a[0]);
	return node < 0 ? node : 0;
}

static int cmd_shut(char **a)
{
	(void)a;
	return close(node) ? -errno : 0;
}

static int cmd_second(char **a)
{
	second = node_named(a[0]);
	return second < 0 ? second : 0;
}

static int cmd_create(char **a)
{
	int i, ret;

	for (i = 0; i < MAX_BOS - 1 &&
	     (bos[i].handle || bos[i].p || bos[i].d); i++)
		;
	ret = bo_create(node, &bos[i], number(a[0]), a[1] ? number(a[1]) : 0);
	return ret ? ret : say("%d", i);
}

static int cmd_close(char **a)
{
	return bo_close(node, bo_of(a[0]));
}

static int cmd_mmap(char **a)
{
	return bo_mmap(node, bo_of(a[0]));
}

static int cmd_munmap(char **a)
{
	struct bo *bo = bo_of(a[0]);
	int ret = munmap(bo->p, bo->size) ? -errno : 0;

	bo->p = NULL;
	return ret;
}

static int cmd_map(char **a)
{
	int ret = bo_map(node, bo_of(a[0]));

	return ret ? ret : say("%u", bo_of(a[0])->nr_segments);
}

static int cmd_unmap(char **a)
{
	return bo_unmap(node, bo_of(a[0]));
}

static int cmd_sync(char **a)
{
	return bo_sync(node, bo_of(a[0]), strcmp(a[1], "cpu") ?
		       DRM_EGPU_SYNC_TO_DEVICE : DRM_EGPU_SYNC_TO_CPU);
}

static int cmd_info(char **a)
{
	struct drm_egpu_bo_info i;
	int ret = bo_info(node, bo_of(a[0]), &i);

	if (ret)
		return ret;
	say("flags=%u size=%llu segments=%u revocation=%u ", i.flags,
	    (unsigned long long)i.size, i.segments, i.revocation);
	return say_more("charged=%llu importers=%u bits=%u",
			(unsigned long long)i.charged, i.importers,
			i.dma_bits);
}

static int cmd_address(char **a)
{
	uint64_t left, address = bo_address(bo_of(a[0]), number(a[1]), &left);

	return left ? say("%#llx", (unsigned long long)address) : -ERANGE;
}

/* --- memory --- */

static uint8_t *memory(const char *word, uint64_t *size)
{
	struct bo *bo = bo_of(word + (*word == 'd'));

	*size = bo->size;
	return *word == 'd' ? bo->d : bo->p;
}

static int range(char **a, uint8_t **p, uint64_t *length)
{
	uint64_t at = a[0] ? number(a[0]) : 0;

	if (!*p)
		return -ENXIO;
	*p += at;
	*length = a[0] ? number(a[1]) : *length;
	return 0;
}

static int cmd_fill(char **a)
{
	uint64_t length;
	uint8_t *p = memory(a[0], &length);
	int ret = range(a + 2, &p, &length);

	if (!ret)
		memset(p, number(a[1]), length);
	return ret;
}

static int differs(const uint8_t *p, uint64_t i, uint8_t want)
{
	return say("at %llu is %#x, not %#x", (unsigned long long)i, p[i],
		   want) - EILSEQ;
}

static int cmd_same(char **a)
{
	uint64_t length, i;
	uint8_t *p = memory(a[0], &length), want = number(a[1]);
	int ret = range(a + 2, &p, &length);

	for (i = 0; !ret && i < length; i++)
		if (p[i] != want)
			return differs(p, i, want);
	return ret;
}

/* Looks like nothing else, and nowhere the same. */
static uint8_t pattern(uint32_t seed, uint64_t i)
{
	return (((uint32_t)i + 1) * 2654435761U ^ seed * 40503U) >> 13;
}

static int cmd_write(char **a)
{
	uint64_t length, i;
	uint8_t *p = memory(a[0], &length);
	int ret = range(a + 1, &p, &length);

	for (i = 0; !ret && i < length; i++)
		p[i] = pattern(number(a[3]), i);
	return ret;
}

static int cmd_compare(char **a)
{
	uint64_t length, i;
	uint8_t *p = memory(a[0], &length);
	int ret = range(a + 1, &p, &length);

	for (i = 0; !ret && i < length; i++)
		if (p[i] != pattern(number(a[3]), i))
			return differs(p, i, pattern(number(a[3]), i));
	return ret;
}

/* --- dma-bufs --- */

static int cmd_export(char **a)
{
	return bo_export(node, bo_of(a[0]));
}

static int cmd_import(char **a)
{
	return bo_import(second, bo_of(a[0]));
}

static int cmd_unimport(char **a)
{
	struct drm_gem_close close = { .handle = bo_of(a[0])->imported };

	return call(second, DRM_IOCTL_GEM_CLOSE, &close);
}

static int cmd_closebuf(char **a)
{
	struct bo *bo = bo_of(a[0]);

	if (bo->d)
		munmap(bo->d, bo->size);
	bo->d = NULL;
	return close(bo->dmabuf) ? -errno : 0;
}

/* --- edu --- */

static int cmd_edu(char **a)
{
	return edu_open(a[0]);
}

static int cmd_read(char **a)
{
	return edu_move(bo_of(a[0]), number(a[1]), number(a[2]), false);
}

static int cmd_store(char **a)
{
	return edu_move(bo_of(a[0]), number(a[1]), number(a[2]), true);
}

static int cmd_poke(char **a)
{
	edu_start(number(a[0]), 0, number(a[1]), true);
	return edu_wait();
}

static int cmd_start(char **a)
{
	uint64_t piece, length = number(a[2]);
	uint64_t address = bo_address(bo_of(a[0]), number(a[1]), &piece);

	if (piece < length || length > EDU_MOST)
		return -ERANGE;
	edu_start(address, 0, length, true);
	return 0;
}

static int cmd_wait(char **a)
{
	(void)a;
	return edu_wait();
}

static int cmd_late(char **a)
{
	long long began = now_us(), unmapped;
	int ret = cmd_start(a);

	while (!ret && now_us() - began < EDU_US - (long long)number(a[3]))
		;
	if (!ret)
		ret = bo_unmap(node, bo_of(a[0]));
	unmapped = now_us();
	if (ret)
		return ret;
	if (!edu_is_busy())
		return say("missed");
	while (edu_is_busy())
		;
	return say("%lld", now_us() - unmapped);
}

/* --- processes --- */

static int *file_of(const char *word)
{
	return strcmp(word, "node") ? &bo_of(word)->dmabuf : &node;
}

static int socket_at(const char *path, bool listening)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), tries = 500;

	snprintf(at.sun_path, sizeof(at.sun_path), "%s", path);
	if (listening) {
		if (bind(fd, (void *)&at, sizeof(at)) || listen(fd, 1))
			return -errno;
		return accept(fd, NULL, NULL);
	}
	while (connect(fd, (void *)&at, sizeof(at))) {
		if (!tries--)
			return -errno;
		usleep(10000);
	}
	return fd;
}

/* Sends @send, or receives a file when it is negative. */
static int pass(int fd, int send)
{
	union {
		char buf[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} u = { 0 };
	char byte = 0;
	struct iovec iov = { .iov_base = &byte, .iov_len = 1 };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1, .msg_control = u.buf,
		.msg_controllen = sizeof(u.buf),
	};
	struct cmsghdr *c = CMSG_FIRSTHDR(&msg);

	if (send < 0) {
		if (recvmsg(fd, &msg, MSG_CMSG_CLOEXEC) != 1 ||
		    !CMSG_FIRSTHDR(&msg))
			return -EIO;
		memcpy(&send, CMSG_DATA(CMSG_FIRSTHDR(&msg)), sizeof(send));
		return send;
	}
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(c), &send, sizeof(send));
	return sendmsg(fd, &msg, 0) == 1 ? 0 : -errno;
}

static int cmd_give(char **a)
{
	int fd = socket_at(a[0], false), ret;

	if (fd < 0)
		return fd;
	ret = pass(fd, *file_of(a[1]));
	close(fd);
	return ret;
}

static int cmd_take(char **a)
{
	int fd = socket_at(a[0], true), ret;

	if (fd < 0)
		return fd;
	ret = pass(fd, -1);
	close(fd);
	if (ret < 0)
		return ret;
	*file_of(a[1]) = ret;
	return 0;
}

/* The group is ours from then on, until we end. */
static int cmd_vfio(char **a)
{
	int container = open("/dev/vfio/vfio", O_RDWR | O_CLOEXEC);
	int group = open(a[0], O_RDWR | O_CLOEXEC);

	if (container < 0 || group < 0)
		return -errno;
	if (ioctl(group, VFIO_GROUP_SET_CONTAINER, &container) ||
	    ioctl(container, VFIO_SET_IOMMU, VFIO_TYPE1_IOMMU))
		return -errno;
	return 0;
}

static int cmd_fork(char **a)
{
	int pid = fork();

	(void)a;
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, 0);
		for (;;)
			pause();
	}
	return pid < 0 ? -errno : say("%d", pid);
}

static int cmd_userns(char **a)
{
	(void)a;
	return unshare(CLONE_NEWUSER) ? -errno : 0;
}

/* Of capabilities, which are numbers, only these are left. */
static int keep_only(char **a)
{
	struct __user_cap_header_struct head = {
		.version = _LINUX_CAPABILITY_VERSION_3,
	};
	struct __user_cap_data_struct data[2] = { 0 };
	uint32_t cap;

	for (; *a; a++) {
		cap = number(*a);
		data[cap / 32].effective |= 1U << cap % 32;
		data[cap / 32].permitted |= 1U << cap % 32;
	}
	return syscall(SYS_capset, &head, data) ? -errno : 0;
}

static int cmd_drop(char **a)
{
	uid_t uid = number(a[0]);

	if (prctl(PR_SET_KEEPCAPS, 1) || setgroups(0, NULL) ||
	    setresgid(uid, uid, uid) || setresuid(uid, uid, uid))
		return -errno;
	return keep_only(a + 1);
}

static int cmd_memlock(char **a)
{
	struct rlimit limit = { number(a[0]), number(a[0]) };

	return setrlimit(RLIMIT_MEMLOCK, &limit) ? -errno : 0;
}

static int cmd_room(char **a)
{
	static struct bo some[ROOM_MOST];
	int n = 0, i, ret = 0;

	(void)a;
	while (n < ROOM_MOST && !ret) {
		ret = bo_create(node, &some[n], 4096, 0);
		n += !ret;
	}
	for (i = 0; i < n; i++)
		bo_close(node, &some[i]);
	return ret == -ENOMEM ? say("%d", n) : ret ? ret : -ENOSPC;
}

static int cmd_pid(char **a)
{
	(void)a;
	return say("%d", getpid());
}

static int cmd_exit(char **a)
{
	(void)a;
	exit(0);
}

static const struct {
	const char *name;
	int words;
	int (*fn)(char **words);
} commands[] = {
	{ "manage", 2, cmd_manage }, { "function", 1, cmd_function },
	{ "open", 1, cmd_open },
	{ "shut", 0, cmd_shut }, { "second", 1, cmd_second },
	{ "create", 1, cmd_create }, { "close", 1, cmd_close },
	{ "mmap", 1, cmd_mmap }, { "munmap", 1, cmd_munmap },
	{ "map", 1, cmd_map }, { "unmap", 1, cmd_unmap },
	{ "sync", 2, cmd_sync }, { "info", 1, cmd_info },
	{ "address", 2, cmd_address }, { "fill", 2, cmd_fill },
	{ "same", 2, cmd_same }, { "write", 4, cmd_write },
	{ "compare", 4, cmd_compare }, { "export", 1, cmd_export },
	{ "import", 1, cmd_import }, { "unimport", 1, cmd_unimport },
	{ "closebuf", 1, cmd_closebuf }, { "edu", 1, cmd_edu },
	{ "read", 3, cmd_read }, { "store", 3, cmd_store },
	{ "poke", 2, cmd_poke }, { "start", 3, cmd_start },
	{ "wait", 0, cmd_wait }, { "late", 4, cmd_late },
	{ "give", 2, cmd_give }, { "take", 2, cmd_take },
	{ "vfio", 1, cmd_vfio }, { "fork", 0, cmd_fork }, { "userns", 0, cmd_userns },
	{ "drop", 1, cmd_drop }, { "memlock", 1, cmd_memlock },
	{ "room", 0, cmd_room }, { "pid", 0, cmd_pid },
	{ "exit", 0, cmd_exit },
};

static int perform(char **words)
{
	unsigned int i;
	int n = 0;

	while (words[n])
		n++;
	for (i = 0; n && i < ARRAY_SIZE(commands); i++)
		if (!strcmp(words[0], commands[i].name) &&
		    n > commands[i].words)
			return commands[i].fn(words + 1);
	return -ENOTSUP;
}

static int answer_one(char **words)
{
	int ret;

	answer[0] = '\0';
	ret = perform(words);
	printf("%s%s%s\n", ret ? strerrorname_np(-ret) : "ok",
	       *answer ? " " : "", answer);
	fflush(stdout);
	return ret;
}

int main(int argc, char **argv)
{
	char line[512], *words[17], *save;
	int n;

	if (argc > 1)
		return !!answer_one(argv + 1);
	while (fgets(line, sizeof(line), stdin)) {
		n = 0;
		words[0] = strtok_r(line, SPACE, &save);
		while (words[n] && n < 16)
			words[++n] = strtok_r(NULL, SPACE, &save);
		words[n] = NULL;
		answer_one(words);
	}
	return 0;
}
