// SPDX-License-Identifier: GPL-2.0
/*
 * One speed, tried: the link is trained to it, loaded, and the kernel's
 * counters of errors are compared before and after.
 */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "load.h"
#include "qualify.h"

#define BURST_MS	15
#define PAUSE_MS	5
#define LOOK_MS		300
/* for errors that are on their way; and registers are told anew after 250 */
#define SETTLE_MS	300
#define QUIT_MS		5000

/* A measurement that goes on. */
struct measure {
	struct qualify *q;
	struct trial *trial;
	struct egpu_rates rates;
	uint64_t generation;
	int64_t began;
	int64_t end;		/* 0: not known */
	int64_t looked;
};

/* Sleeps, but not through events: they tell when the device goes. */
static void pause_ms(struct qualify *q, int ms)
{
	int64_t end = now_ms() + ms, left;
	struct egpu_event event;

	while ((left = end - now_ms()) > 0 && !qualify_stopped(q))
		if (egpu_event_next(q->ctl->egpu, &event, (int)left) < 0)
			usleep((useconds_t)left * 1000);
}

static void show_progress(struct measure *m)
{
	struct qualify *q = m->q;
	uint64_t errors = 0;
	int i;

	if (q->ctl->json || !q->ctl->terminal || !m->end)
		return;
	for (i = 0; i < EGPU_AER_COUNT; i++)
		errors += m->rates.sum[i];
	say(q->ctl, "\r\033[K%gGT/s: %lld s left, %llu error%s, Ctrl-C cancels",
	    m->trial->speed / 10.0, (long long)(m->end - now_ms() + 999) / 1000,
	    (unsigned long long)errors, errors == 1 ? "" : "s");
	q->line = true;
	fflush(stdout);
}

/* Is it still there, and at its speed? Return: false: no use to go on. */
static bool look(struct measure *m)
{
	struct qualify *q = m->q;
	struct trial *t = m->trial;
	const struct egpu_link *link = &q->view.link;
	uint32_t state;

	m->looked = now_ms();
	if (qualify_look(q)) {
		t->dropped = true;
		return false;
	}
	state = q->info.state;
	t->dropped = q->info.generation != m->generation ||
		     state != (t->run ? EGPU_STATE_READY : EGPU_STATE_HELD);
	if (t->dropped)
		return false;
	errors_read(q->ctl, &q->info, &m->rates);
	memcpy(t->count, m->rates.sum, sizeof(t->count));
	show_progress(m);
	/* a driver lets its link idle; nobody else changes it */
	if (!t->run && link->known && link->speed != t->speed)
		t->changed = link->speed;
	return !t->changed && !t->count[EGPU_AER_NONFATAL] &&
	       !t->count[EGPU_AER_FATAL];
}

static void begin(struct measure *m)
{
	struct qualify *q = m->q;

	pause_ms(q, SETTLE_MS);
	memset(&m->rates, 0, sizeof(m->rates));
	m->generation = q->info.generation;
	m->began = now_ms();
	look(m);
}

static void end(struct measure *m)
{
	if (!m->trial->dropped) {
		pause_ms(m->q, SETTLE_MS);
		look(m);
	}
	m->trial->seconds = (double)(now_ms() - m->began) / 1000;
}

/* All ones: give the module time to notice that the device is gone. */
static void wait_gone(struct measure *m)
{
	int64_t until = now_ms() + 2000;

	while (look(m) && now_ms() < until && !qualify_stopped(m->q))
		pause_ms(m->q, 50);
	m->trial->dropped = true;
}

/*
 * A GPU whose firmware did not run may answer reads of its memory with errors:
 * what only shows that is no error of the link.
 */
static void probe(struct measure *m, struct load *load)
{
	if (m->q->probed || !load->memory || m->trial->dropped)
		return;
	m->q->probed = true;
	if (load_burst(load, BURST_MS))
		return;
	pause_ms(m->q, SETTLE_MS);
	look(m);
	if (!m->rates.sum[EGPU_AER_NONFATAL] && !m->rates.sum[EGPU_AER_FATAL])
		return;
	m->q->config_only = true;
	load_without_memory(load);
	begin(m);
}

static void put_load(struct measure *m, struct load *load)
{
	struct qualify *q = m->q;

	while (now_ms() < m->end && !qualify_stopped(q)) {
		if (load_burst(load, BURST_MS)) {
			wait_gone(m);
			return;
		}
		pause_ms(q, PAUSE_MS);
		if (now_ms() - m->looked >= LOOK_MS && !look(m))
			return;
	}
}

static enum exit_code measure_reads(struct qualify *q, struct trial *t)
{
	struct measure m = { .q = q, .trial = t };
	struct load load;
	int ret;

	begin(&m);
	if (!q->view.gpu)
		return EXIT_DONE;
	ret = load_open(&load, q->view.gpu);
	if (ret)
		return ret == -EBUSY ?
		       fail(q->ctl, EXIT_BUSY, NULL, &q->info,
			    "a driver took the GPU meanwhile") :
		       fail_errno(q->ctl, ret, "configuration space", &q->info);
	if (q->config_only)
		load_without_memory(&load);
	else
		probe(&m, &load);
	m.end = now_ms() + q->ms;
	put_load(&m, &load);
	load_close(&load);
	end(&m);
	return EXIT_DONE;
}

static struct trial *new_trial(struct qualify *q, uint32_t speed, bool run)
{
	struct trial *t = &q->trials[q->nr_trials++];

	*t = (struct trial){ .speed = speed, .run = run, .reached = true };
	return t;
}

/* EXIT_DONE: the trial says what came of it. */
static enum exit_code set_speed(struct qualify *q, struct trial *t, bool live)
{
	struct link_change change = {
		.flags = EGPU_LINK_SET_SPEED | (live ? EGPU_LINK_SET_LIVE : 0),
		.speed = t->speed,
		.vendor = q->key.vendor,
		.device = q->key.device,
		.quiet = true,
	};
	int ret;

	q->touched = true;
	ret = link_train(q->ctl, &q->info, &change);
	qualify_look(q);
	switch (ret) {
	case 0:
		return EXIT_DONE;
	case -EIO:
	case -ETIMEDOUT:
	case -EOPNOTSUPP:
		t->reached = false;
		return EXIT_DONE;
	case -ENODEV:
		t->reached = false;
		t->dropped = true;
		return EXIT_DONE;
	case -ECANCELED:
		return EXIT_CANCELLED;
	default:
		return fail_errno(q->ctl, ret, "link speed", &q->info);
	}
}

enum exit_code trial_reads(struct qualify *q, uint32_t speed)
{
	struct trial *t = new_trial(q, speed, false);
	enum exit_code code = set_speed(q, t, false);

	if (code == EXIT_DONE && t->reached)
		code = measure_reads(q, t);
	if (qualify_stopped(q))
		code = EXIT_CANCELLED;
	if (code == EXIT_DONE)
		qualify_row(q, t);
	else
		q->nr_trials--;
	return code;
}

static pid_t spawn(struct qualify *q)
{
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (pid)
		return pid;
	/* what it prints is no part of a reply */
	if (q->ctl->json)
		dup2(STDERR_FILENO, STDOUT_FILENO);
	signal(SIGINT, SIG_DFL);
	signal(SIGTERM, SIG_DFL);
	execl("/bin/sh", "sh", "-c", q->command, (char *)NULL);
	_exit(127);
}

static void end_command(struct qualify *q, pid_t pid)
{
	int64_t until = now_ms() + QUIT_MS;

	kill(pid, SIGTERM);
	while (now_ms() < until && !waitpid(pid, NULL, WNOHANG))
		usleep(20000);
	if (now_ms() < until)
		return;
	say(q->ctl, "The command does not end and is killed.\n");
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

static enum exit_code run_command(struct qualify *q, struct trial *t)
{
	struct measure m = { .q = q, .trial = t };
	int status = 0;
	pid_t pid, ended = 0;

	begin(&m);
	say(q->ctl, "Running at %gGT/s: %s\n", t->speed / 10.0, q->command);
	pid = spawn(q);
	if (pid < 0)
		return fail_errno(q->ctl, -errno, "sh", &q->info);
	while (!ended && !t->dropped && !qualify_stopped(q)) {
		pause_ms(q, 50);
		ended = waitpid(pid, &status, WNOHANG);
		if (now_ms() - m.looked >= LOOK_MS)
			look(&m);
	}
	if (!ended)
		end_command(q, pid);
	end(&m);
	if (t->dropped || qualify_stopped(q))
		return EXIT_DONE;
	if (WIFEXITED(status) && (WEXITSTATUS(status) == 127 ||
				  WEXITSTATUS(status) == 126))
		return fail(q->ctl, EXIT_USAGE, NULL, &q->info,
			    "--run: the command cannot be run");
	if (status && !q->ctl->json)
		fprintf(stderr, "egpuctl: the command failed (%s %d)\n",
			WIFEXITED(status) ? "exit" : "signal",
			WIFEXITED(status) ? WEXITSTATUS(status) :
			WTERMSIG(status));
	return EXIT_DONE;
}

/* @set: train the link first; else it runs at that speed already */
enum exit_code trial_command(struct qualify *q, uint32_t speed, bool set)
{
	struct trial *t = new_trial(q, speed, true);
	enum exit_code code = set ? set_speed(q, t, true) : EXIT_DONE;

	if (code == EXIT_DONE && t->reached)
		code = run_command(q, t);
	if (qualify_stopped(q))
		code = EXIT_CANCELLED;
	if (code == EXIT_DONE)
		qualify_row(q, t);
	else
		q->nr_trials--;
	return code;
}
