// SPDX-License-Identifier: GPL-2.0
/*
 * A program that uses a GPU, for tests.
 *
 *	egpu_test_user hold [OPTION…] NODE…
 *
 * opens the nodes, says "ready PID" and waits. SIGUSR1 makes it close them
 * ("closed") and go on living, SIGTERM and SIGINT make it end.
 *
 *	-n N	open each node N times
 *	-f N	N children inherit the files and wait, too ("child PID")
 *	-m	map a page of each node and close its files: the mapping alone
 *		keeps them
 *	-p	pass the files to a child by SCM_RIGHTS and close them here
 *	-q	leave the files in a socket's queue: no process has them
 *	-t	a thread with a file table of its own has them, no other thread
 *	-i	ignore SIGTERM and SIGINT
 *	-d MS	take so long to close
 *	-c NAME	be called NAME
 *
 *	egpu_test_user draw [-b] [-k] CARD
 *
 * shows a pattern on the card's first connected output and reads it back. With
 * -b it must be found in the device's own memory, its BAR 0 (the kernel then
 * needs iomem=relaxed); without, where the driver maps the framebuffer, which
 * with drivers that keep a shadow of it is not the device. With -k it goes on
 * drawing, one frame a line, until a signal or an error.
 *
 * Exit status: 0, 1 something did not work (it says what), 2 usage.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>
#include <drm.h>
#include <drm_mode.h>

#define MAX_FILES	1024
#define PAGE		4096

static struct {
	unsigned int times, forks, delay_ms;
	bool map, pass, queue, thread, stubborn, bar, keep;
} opt = { .times = 1 };

static int files[MAX_FILES];
static unsigned int nr_files;

__attribute__((noreturn, format(printf, 1, 2)))
static void die(const char *fmt, ...)
{
	int err = errno;
	va_list ap;

	va_start(ap, fmt);
	fprintf(stderr, "egpu_test_user: ");
	vfprintf(stderr, fmt, ap);
	fprintf(stderr, "%s%s\n", err ? ": " : "", err ? strerror(err) : "");
	va_end(ap);
	exit(1);
}

static void say(const char *what, long number)
{
	printf("%s %ld\n", what, number);
	fflush(stdout);
}

/* --- hold --- */

static void files_open(char **nodes)
{
	unsigned int i;
	int fd;

	for (; *nodes; nodes++) {
		for (i = 0; i < opt.times; i++) {
			fd = open(*nodes, O_RDWR | O_NONBLOCK);
			if (fd < 0)
				fd = open(*nodes, O_RDONLY | O_NONBLOCK);
			if (fd < 0)
				die("%s", *nodes);
			if (nr_files == MAX_FILES)
				die("more than %d files", MAX_FILES);
			files[nr_files++] = fd;
		}
	}
}

static void files_close(void)
{
	usleep(opt.delay_ms * 1000);
	while (nr_files)
		close(files[--nr_files]);
}

/* A page of a DRM card can only be mapped through a buffer. */
static uint64_t dumb_offset(int fd)
{
	struct drm_mode_create_dumb create = {
		.width = 32, .height = 32, .bpp = 32,
	};
	struct drm_mode_map_dumb map = { 0 };

	if (ioctl(fd, DRM_IOCTL_MODE_CREATE_DUMB, &create))
		return 0;
	map.handle = create.handle;
	if (ioctl(fd, DRM_IOCTL_MODE_MAP_DUMB, &map))
		return 0;
	return map.offset;
}

static void files_map(void)
{
	unsigned int i;
	void *p;

	for (i = 0; i < nr_files; i++) {
		p = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, files[i],
			 dumb_offset(files[i]));
		if (p == MAP_FAILED)
			die("mmap");
	}
	files_close();
}

static void send_files(int sock)
{
	char control[CMSG_SPACE(sizeof(int))]
		__attribute__((aligned(8))) = "";
	char byte = 0;
	struct iovec iov = { .iov_base = &byte, .iov_len = 1 };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = control, .msg_controllen = sizeof(control),
	};
	struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
	unsigned int i;

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int));
	for (i = 0; i < nr_files; i++) {
		memcpy(CMSG_DATA(c), &files[i], sizeof(int));
		if (sendmsg(sock, &msg, 0) != 1)
			die("SCM_RIGHTS");
	}
}

static void receive_files(int sock, unsigned int n)
{
	char control[CMSG_SPACE(sizeof(int))] __attribute__((aligned(8)));
	char byte;
	struct iovec iov = { .iov_base = &byte, .iov_len = 1 };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };

	while (nr_files < n) {
		msg.msg_control = control;
		msg.msg_controllen = sizeof(control);
		if (recvmsg(sock, &msg, 0) != 1 || !CMSG_FIRSTHDR(&msg))
			die("receiving a file");
		memcpy(&files[nr_files++], CMSG_DATA(CMSG_FIRSTHDR(&msg)),
		       sizeof(int));
	}
}

static void on_signal(int nr)
{
	(void)nr;	/* sigwait() takes them */
}

/* Until told to end: what SIGUSR1 and SIGTERM do. */
static int wait_for_signals(void)
{
	sigset_t set;
	int nr;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	for (;;) {
		if (sigwait(&set, &nr))
			continue;
		if (nr == SIGUSR1) {
			files_close();
			say("closed", getpid());
		} else if (!opt.stubborn) {
			files_close();
			return 0;
		}
	}
}

/* Before the files are open, so that the child cannot inherit them. */
static pid_t fork_receiver(int *sock, unsigned int n)
{
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, sock))
		die("socketpair");
	pid = fork();
	if (pid)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	receive_files(sock[1], n);
	say("child", getpid());
	close(sock[1]);
	exit(wait_for_signals());
}

static void fork_heirs(void)
{
	unsigned int i;
	pid_t pid;

	for (i = 0; i < opt.forks; i++) {
		pid = fork();
		if (!pid) {
			prctl(PR_SET_PDEATHSIG, SIGTERM);
			exit(wait_for_signals());
		}
		say("child", pid);
	}
}

static volatile bool thread_has_files;

static void *thread_main(void *nodes)
{
	if (unshare(CLONE_FILES))
		die("unshare");
	files_open(nodes);
	thread_has_files = true;
	for (;;)
		pause();
	return NULL;
}

static void thread_open(char **nodes)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, thread_main, nodes))
		die("pthread_create");
	while (!thread_has_files)
		usleep(1000);
}

static int hold(char **nodes)
{
	int sock[2] = { -1, -1 };
	unsigned int n = 0;
	sigset_t set;
	char byte;

	while (nodes[n])
		n++;
	sigfillset(&set);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signal(SIGUSR1, on_signal);
	if (opt.pass)
		fork_receiver(sock, n * opt.times);
	if (opt.queue && socketpair(AF_UNIX, SOCK_STREAM, 0, sock))
		die("socketpair");
	if (opt.thread)
		thread_open(nodes);
	else
		files_open(nodes);
	if (opt.pass || opt.queue) {
		send_files(sock[0]);
		files_close();
	}
	if (opt.pass) {
		/* End of file here says that the child has them all. */
		close(sock[1]);
		if (read(sock[0], &byte, 1) < 0)
			die("the child");
	}
	if (opt.map)
		files_map();
	fork_heirs();
	say("ready", getpid());
	return wait_for_signals();
}

/* --- draw --- */

/**
 * struct output - what is shown where
 * @fd: the card
 * @connector: id of a connected connector
 * @crtc: id of the CRTC to use
 * @mode: the connector's first
 * @pitch: bytes a line
 * @size: bytes
 * @fb: id of the framebuffer
 * @pixels: its mapping
 */
struct output {
	int fd;
	uint32_t connector;
	uint32_t crtc;
	struct drm_mode_modeinfo mode;
	uint32_t pitch;
	uint64_t size;
	uint32_t fb;
	volatile uint32_t *pixels;
};

static bool find_connector(struct output *o, uint32_t id)
{
	struct drm_mode_modeinfo modes[128];
	struct drm_mode_get_connector c = { .connector_id = id };

	/* The first call probes, the second reads. */
	if (ioctl(o->fd, DRM_IOCTL_MODE_GETCONNECTOR, &c))
		die("GETCONNECTOR");
	if (c.connection != 1 || !c.count_modes)
		return false;
	if (c.count_modes > 128)
		c.count_modes = 128;
	c.modes_ptr = (uintptr_t)modes;
	c.count_props = 0;
	c.count_encoders = 0;
	if (ioctl(o->fd, DRM_IOCTL_MODE_GETCONNECTOR, &c))
		die("GETCONNECTOR");
	o->connector = id;
	o->mode = modes[0];
	return true;
}

static void find_output(struct output *o)
{
	uint32_t connectors[32], crtcs[32], i;
	struct drm_mode_card_res res = {
		.connector_id_ptr = (uintptr_t)connectors,
		.count_connectors = 32,
		.crtc_id_ptr = (uintptr_t)crtcs, .count_crtcs = 32,
	};

	if (ioctl(o->fd, DRM_IOCTL_MODE_GETRESOURCES, &res))
		die("GETRESOURCES");
	for (i = 0; i < res.count_connectors && i < 32; i++)
		if (find_connector(o, connectors[i]))
			break;
	errno = 0;
	if (!o->connector || !res.count_crtcs)
		die("no connected output");
	o->crtc = crtcs[0];
}

static void make_framebuffer(struct output *o)
{
	struct drm_mode_create_dumb create = {
		.width = o->mode.hdisplay, .height = o->mode.vdisplay,
		.bpp = 32,
	};
	struct drm_mode_fb_cmd fb = {
		.width = create.width, .height = create.height, .bpp = 32,
		.depth = 24,
	};
	struct drm_mode_map_dumb map = { 0 };

	if (ioctl(o->fd, DRM_IOCTL_MODE_CREATE_DUMB, &create))
		die("CREATE_DUMB");
	fb.pitch = create.pitch;
	fb.handle = create.handle;
	map.handle = create.handle;
	if (ioctl(o->fd, DRM_IOCTL_MODE_ADDFB, &fb))
		die("ADDFB");
	if (ioctl(o->fd, DRM_IOCTL_MODE_MAP_DUMB, &map))
		die("MAP_DUMB");
	o->pitch = create.pitch;
	o->size = create.size;
	o->fb = fb.fb_id;
	o->pixels = mmap(NULL, o->size, PROT_READ | PROT_WRITE, MAP_SHARED,
			 o->fd, map.offset);
	if (o->pixels == MAP_FAILED)
		die("mmap");
}

static void show(struct output *o)
{
	struct drm_mode_crtc crtc = {
		.crtc_id = o->crtc, .fb_id = o->fb, .mode_valid = 1,
		.mode = o->mode, .count_connectors = 1,
		.set_connectors_ptr = (uintptr_t)&o->connector,
	};

	if (ioctl(o->fd, DRM_IOCTL_MODE_SETCRTC, &crtc))
		die("SETCRTC");
}

/* Looks like nothing else in memory, and like no other frame. */
static uint32_t pixel(uint32_t frame, uint32_t i)
{
	return ((i + 1) * 2654435761U ^ frame * 40503U) & 0xffffff;
}

static void paint(struct output *o, uint32_t frame)
{
	struct drm_mode_fb_dirty_cmd dirty = { .fb_id = o->fb };
	uint32_t i;

	for (i = 0; i < o->size / 4; i++)
		o->pixels[i] = pixel(frame, i);
	/* Drivers without a shadow refuse this, and need no telling. */
	ioctl(o->fd, DRM_IOCTL_MODE_DIRTYFB, &dirty);
}

/* Compares the visible part with what was painted. */
static void compare(const struct output *o, volatile uint32_t *p,
		    uint32_t frame, const char *where)
{
	uint32_t x, y, i, bad = 0;

	errno = 0;
	for (y = 0; y < o->mode.vdisplay; y++) {
		for (x = 0; x < o->mode.hdisplay; x++) {
			i = y * (o->pitch / 4) + x;
			bad += (p[i] & 0xffffff) != pixel(frame, i);
		}
	}
	if (bad)
		die("%s: %u of %u pixels are wrong, the first is %#x, not %#x",
		    where, bad, (uint32_t)o->mode.hdisplay * o->mode.vdisplay,
		    p[0], pixel(frame, 0));
}

static volatile uint32_t *map_bar(const struct output *o, uint64_t *size)
{
	char path[128];
	struct stat st;
	void *p;
	int fd;

	if (fstat(o->fd, &st))
		die("fstat");
	snprintf(path, sizeof(path), "/sys/dev/char/%u:%u/device/resource0",
		 major(st.st_rdev), minor(st.st_rdev));
	fd = open(path, O_RDWR);
	if (fd < 0 || fstat(fd, &st))
		die("%s", path);
	*size = st.st_size;
	p = mmap(NULL, *size, PROT_READ, MAP_SHARED, fd, 0);
	close(fd);
	if (p == MAP_FAILED)
		die("%s (does the kernel run with iomem=relaxed?)", path);
	return p;
}

static void compare_bar(const struct output *o, uint32_t frame)
{
	uint64_t size, at;
	volatile uint32_t *p = map_bar(o, &size);

	for (at = 0; at + o->size <= size; at += PAGE)
		if ((p[at / 4] & 0xffffff) == pixel(frame, 0) &&
		    (p[at / 4 + 1] & 0xffffff) == pixel(frame, 1))
			break;
	errno = 0;
	if (at + o->size > size)
		die("the picture is nowhere in BAR 0, which begins with %#x",
		    p[0]);
	compare(o, p + at / 4, frame, "BAR 0");
	munmap((void *)p, size);
}

static int draw(char **nodes)
{
	struct output o = { .fd = open(nodes[0], O_RDWR | O_CLOEXEC) };
	uint32_t frame = getpid();

	if (o.fd < 0)
		die("%s", nodes[0]);
	find_output(&o);
	make_framebuffer(&o);
	show(&o);
	do {
		paint(&o, ++frame);
		compare(&o, o.pixels, frame, "framebuffer");
		if (opt.bar)
			compare_bar(&o, frame);
		printf("drew %ux%u\n", o.mode.hdisplay, o.mode.vdisplay);
		fflush(stdout);
		usleep(opt.keep ? 100000 : 0);
	} while (opt.keep);
	return 0;
}

static int usage(void)
{
	fprintf(stderr,
		"usage: egpu_test_user hold [-mpqti] [-n N] [-f N] [-d MS] [-c NAME] NODE...\n"
		"       egpu_test_user draw [-b] [-k] CARD\n");
	return 2;
}

int main(int argc, char **argv)
{
	const char *verb = argv[1];
	int c;

	if (argc < 3)
		return usage();
	while ((c = getopt(argc - 1, argv + 1, "n:f:d:c:mpqtibk")) != -1) {
		switch (c) {
		case 'n':
			opt.times = strtoul(optarg, NULL, 0);
			break;
		case 'f':
			opt.forks = strtoul(optarg, NULL, 0);
			break;
		case 'd':
			opt.delay_ms = strtoul(optarg, NULL, 0);
			break;
		case 'c':
			prctl(PR_SET_NAME, optarg);
			break;
		case 'm':
			opt.map = true;
			break;
		case 'p':
			opt.pass = true;
			break;
		case 'q':
			opt.queue = true;
			break;
		case 't':
			opt.thread = true;
			break;
		case 'i':
			opt.stubborn = true;
			break;
		case 'b':
			opt.bar = true;
			break;
		case 'k':
			opt.keep = true;
			break;
		default:
			return usage();
		}
	}
	argv += 1 + optind;
	if (!argv[0])
		return usage();
	if (!strcmp(verb, "hold"))
		return hold(argv);
	if (!strcmp(verb, "draw"))
		return draw(argv);
	return usage();
}
