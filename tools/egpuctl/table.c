// SPDX-License-Identifier: GPL-2.0
/*
 * The one table: dispatch, usage, --help, completion and the man page's list of
 * verbs all come from here.
 */
#include <string.h>

#include "ctl.h"

const struct option_def options[] = {
	{ OPT_JSON, "json", NULL, NULL, "print JSON instead of text" },
	{ OPT_HELP, "help", NULL, NULL, "show this help, or a verb's" },
	{ OPT_VERSION, "version", NULL, NULL,
	  "show the version of this program" },
	{ OPT_ALL, "all", NULL, NULL,
	  "also untracked ports that could have an external GPU" },
	{ OPT_IGNORE, "ignore", "CHECK,...", "config bar link",
	  "admit in spite of these failed checks (config, bar, link)" },
	{ OPT_ALWAYS, "always", NULL, NULL,
	  "remember this device and admit it from now on" },
	{ OPT_CHECK, "check", NULL, NULL,
	  "only say what would happen; nothing is changed" },
	{ OPT_WAIT, "wait", "S", NULL,
	  "wait up to S seconds until nobody uses the GPU" },
	{ OPT_TERMINATE, "terminate", "[S]", NULL,
	  "ask its users to quit (SIGTERM) and wait S seconds (10)" },
	{ OPT_ALLOW, "allow", "NAME,...", NULL,
	  "go on although processes, containers or units of these names use it" },
	{ OPT_GPU_ONLY, "gpu-only", NULL, NULL,
	  "refuse when other devices would go as well" },
	{ OPT_ALL_BELOW, "all-below", NULL, NULL,
	  "other devices below the port may go as well" },
	{ OPT_FORCE, "force", NULL, NULL,
	  "unbind although it is used; may hang for ever" },
	{ OPT_YES, "yes", NULL, NULL, "do not ask" },
	{ OPT_FOR, "for", "STATE", "ready detached empty lost held",
	  "ready, detached, empty, held or lost" },
	{ OPT_TIMEOUT, "timeout", "S", NULL, "give up after S seconds" },
	{ OPT_SAVE, "save", NULL, NULL,
	  "also write it to the configuration file" },
	{ OPT_PORT, "port", "PORT", "port", "only this port's events" },
	{ OPT_EVENT, "event", "KIND,...",
	  "state user link error progress",
	  "only events of these kinds: state, user, link, error, progress" },
	{ OPT_COUNT, "count", "N", NULL, "end after N events, or lines" },
	{ OPT_BOOT, "boot", "N", "0 -1 -2",
	  "of another boot: -1 is the one before this" },
	{ OPT_LIVE, "live", NULL, NULL,
	  "although a driver is bound; at worst the device is lost" },
	{ OPT_SECONDS, "seconds", "N", NULL, "test each speed for N seconds" },
	{ OPT_MAX_ERRORS, "max-errors-per-minute", "N", NULL,
	  "correctable errors a minute that are still clean" },
	{ OPT_INTERVAL, "interval", "S", NULL, "look every S seconds" },
	{ OPT_STEPS, "steps", "N", NULL, "go at most N speeds down" },
	{ OPT_HOLD_OFF, "hold-off", "S", NULL,
	  "wait S seconds after a change before the next" },
	{ OPT_RUN, "run", "CMD", NULL,
	  "a command that puts load on the GPU, with its driver bound" },
	{ OPT_DROPS, "drops", "N", NULL,
	  "losses within ten minutes that are too many; 0: none are" },
	{ OPT_DMA_BITS, "dma-bits", "N", "32 40 48 64",
	  "address width of the function's DMA, 24 to 64 (32)" },
	{ OPT_SOFT, "soft", NULL, NULL,
	  "with a slot of egpu's own: for ports without hotplug capability" },
	{ OPT_WATCH, "watch", "TIME", NULL,
	  "look at a soft slot's link so often, 20ms to 60s (250ms)" },
	{ OPT_GROW, "grow", "[S]", NULL,
	  "make the resizable BAR S bytes (16G), or as large as fits" },
	/* hidden: makes completion.bash and the man page's part */
	{ OPT_GENERATE, "generate", "WHAT", NULL, NULL },
};

const unsigned int nr_options = ARRAY_SIZE(options);

#define OPTIONS(...)	((const enum option_id[]){ __VA_ARGS__, OPT_NONE })

static const struct sub_verb link_subs[] = {
	{
		.name = "retrain", .run = link_retrain,
		.options = OPTIONS(OPT_LIVE, OPT_YES),
		.help = "train the link again, to the best speed that it may have",
	}, {
		.name = "speed", .arg = "SPEED", .run = link_speed,
		.options = OPTIONS(OPT_LIVE, OPT_YES, OPT_SAVE),
		.help = "limit it to 16GT/s, gen4, ... or max, and train it",
	}, {
		.name = "accept", .run = link_accept, .options = OPTIONS(OPT_NONE),
		.help = "what it was seen at is what to expect of this device here",
	}, {
		.name = "watch", .run = link_watch,
		.options = OPTIONS(OPT_INTERVAL, OPT_COUNT),
		.help = "speed and errors at both ends, a line now and then",
	}, {
		.name = "qualify", .run = link_qualify,
		.options = OPTIONS(OPT_SECONDS, OPT_MAX_ERRORS, OPT_RUN,
				   OPT_ALL_BELOW, OPT_YES),
		.help = "find the fastest speed without errors, and keep to it",
	},
	{ }
};

const struct verb verbs[] = {
	{
		.name = "list", .run = cmd_list,
		.options = OPTIONS(OPT_ALL),
		.help = "tracked ports, one a line (the default)",
		.more = "An empty list says why it is empty.",
	}, {
		.name = "show", .alias = "info", .args = "[PORT]",
		.words = "port", .max = 1, .run = cmd_show,
		.options = OPTIONS(OPT_NONE),
		.help = "everything about one port",
		.more = "The GPU is never woken for it, nor asked.",
	}, {
		.name = "users", .args = "[PORT]", .words = "port", .max = 1,
		.run = cmd_users,
		.options = OPTIONS(OPT_NONE),
		.help = "who uses the GPU, and what would end it",
		.more = "Without root only the caller's own processes are "
			"listed. A node that all GPUs share (/dev/kfd, "
			"/dev/nvidiactl, /dev/nvidia-uvm) makes nobody a user.",
	}, {
		.name = "link", .args = "[PORT [VERB]]", .subs = link_subs,
		.words = "port;retrain speed accept watch qualify;"
			 "max 2.5GT/s 5GT/s 8GT/s 16GT/s 32GT/s 64GT/s",
		.max = 3, .run = cmd_link,
		.options = OPTIONS(OPT_LIVE, OPT_YES, OPT_SAVE, OPT_INTERVAL,
				   OPT_COUNT, OPT_SECONDS, OPT_MAX_ERRORS,
				   OPT_RUN, OPT_ALL_BELOW),
		.help = "the links from the root to the GPU, and their errors",
		.more = "Rates are per direction, after encoding. The hop that "
			"carries least is marked; tunnels are not compared, "
			"since their registers say nothing true. An idle GPU "
			"may lower its link by itself: then the best that was "
			"seen since it came counts. Nothing is woken.",
	}, {
		.name = "space", .args = "[PORT [SIZE]]", .words = "port",
		.max = 2, .run = cmd_space,
		.options = OPTIONS(OPT_GROW, OPT_ALL_BELOW),
		.help = "address space on the way to a port: what fits, what does not",
		.more = "Of all tracked ports, or one. With\n.B \\-\\-grow\n"
			"a GPU's resizable BAR gets SIZE, or all that fits; "
			"see SPACE below. Nothing is woken.",
	}, {
		.name = "guard", .args = "[PORT]", .words = "port", .max = 1,
		.run = cmd_guard,
		.options = OPTIONS(OPT_MAX_ERRORS, OPT_DROPS, OPT_INTERVAL,
				   OPT_STEPS, OPT_HOLD_OFF, OPT_TIMEOUT),
		.help = "slow a link down that has too many errors",
		.more = "Runs until it is ended; for a systemd unit, see GUARD "
			"below.",
	}, {
		.name = "attach", .args = "PORT", .words = "port",
		.min = 1, .max = 1, .run = cmd_attach,
		.options = OPTIONS(OPT_IGNORE, OPT_ALWAYS),
		.help = "admit a held GPU, or bring a detached one back",
	}, {
		.name = "detach", .alias = "eject", .args = "PORT|all",
		.words = "port-all", .min = 1, .max = 1, .run = cmd_detach,
		.options = OPTIONS(OPT_CHECK, OPT_WAIT, OPT_TERMINATE,
				   OPT_ALLOW, OPT_GPU_ONLY, OPT_ALL_BELOW,
				   OPT_FORCE, OPT_YES),
		.help = "take a GPU out, so that it can be unplugged",
		.more = "Refuses while somebody uses the GPU. The last line "
			"says what may be unplugged, or why not. Ctrl-C "
			"cancels as long as nothing was unbound.\n"
			".B all\nchecks every port before it starts any.",
	}, {
		.name = "assign", .args = "FUNCTION egpu|host",
		.words = "port;egpu host", .min = 2, .max = 2,
		.run = cmd_assign, .options = OPTIONS(OPT_DMA_BITS),
		.help = "give a PCI function to a driver of yours, or back",
		.more = "FUNCTION is a PCI address below a tracked port, or a "
			"port with one function below it. With\n.B egpu\n"
			"it has a DRM node, whose memory it may reach and can "
			"reach no longer when it leaves; with\n.B host\n"
			"its own driver is bound again. See DMA below.",
	}, {
		.name = "dma", .args = "[PORT]", .words = "port", .max = 1,
		.run = cmd_dma, .options = OPTIONS(OPT_NONE),
		.help = "which memory each function may reach, and whose that is",
		.more = "Also of functions under their vendor's driver. Root is "
			"told the processes of all users, and the dma-bufs that "
			"are attached (from debugfs). See DMA below.",
	}, {
		.name = "cancel", .args = "PORT", .words = "port",
		.min = 1, .max = 1, .run = cmd_cancel,
		.options = OPTIONS(OPT_NONE),
		.help = "stop a detach that still waits for users",
	}, {
		.name = "wait", .args = "[PORT]", .words = "port",
		.max = 1, .run = cmd_wait,
		.options = OPTIONS(OPT_FOR, OPT_TIMEOUT),
		.help = "until a port is ready, detached, empty, held or lost",
		.more = "When that is so already it succeeds at once.",
	}, {
		.name = "policy", .args = "PORT auto|manual",
		.words = "port;auto manual", .min = 2, .max = 2,
		.run = cmd_policy, .options = OPTIONS(OPT_SAVE),
		.help = "admit what arrives, or hold it until attach",
	}, {
		.name = "track", .args = "PORT", .words = "port",
		.min = 1, .max = 1, .run = cmd_track,
		.options = OPTIONS(OPT_SOFT, OPT_WATCH, OPT_SAVE),
		.help = "have egpu look after a port",
		.more = "With\n.B \\-\\-soft\nit returns when egpu has the "
			"slot, or says why it cannot have it; see SOFT SLOTS "
			"below.",
	}, {
		.name = "untrack", .args = "PORT", .words = "port",
		.min = 1, .max = 1, .run = cmd_untrack,
		.options = OPTIONS(OPT_SAVE),
		.help = "leave a port to the kernel again",
	}, {
		.name = "name", .args = "PORT NAME", .words = "port",
		.min = 2, .max = 2, .run = cmd_name,
		.options = OPTIONS(OPT_SAVE),
		.help = "give a port a name; - takes it away",
	}, {
		.name = "monitor", .run = cmd_monitor,
		.options = OPTIONS(OPT_PORT, OPT_EVENT, OPT_COUNT, OPT_TIMEOUT),
		.help = "what happens, as it happens",
		.more = "Text leaves the single steps (progress) out unless "
			"they are asked for; JSON is one object a line, the "
			"first of which is a snapshot.",
	}, {
		.name = "log", .alias = "blackbox", .no_module = true,
		.run = cmd_log, .options = OPTIONS(OPT_BOOT),
		.help = "the kernel log's lines about egpu and PCIe errors",
	}, {
		.name = "apply", .args = "[PORT]", .words = "port", .max = 1,
		.run = cmd_apply, .options = OPTIONS(OPT_CHECK),
		.help = "bring the module to what the configuration says",
	}, {
		.name = "version", .no_module = true, .run = cmd_version,
		.options = OPTIONS(OPT_NONE),
		.help = "versions of program, interface and module",
	},
};

const unsigned int nr_verbs = ARRAY_SIZE(verbs);

const struct option_def *option_def(enum option_id id)
{
	unsigned int i;

	for (i = 0; i < nr_options; i++)
		if (options[i].id == id)
			return &options[i];
	return NULL;
}

const struct verb *verb_find(const char *word)
{
	unsigned int i;

	for (i = 0; i < nr_verbs; i++)
		if (!strcmp(verbs[i].name, word) ||
		    (verbs[i].alias && !strcmp(verbs[i].alias, word)))
			return &verbs[i];
	return NULL;
}

/* Edit distance in which two neighbours that changed places count once. */
static unsigned int distance(const char *a, const char *b)
{
	unsigned int d[24][24];
	size_t i, j, n = strlen(a), m = strlen(b);

	if (n > 22 || m > 22)
		return 99;
	for (i = 0; i <= n; i++)
		for (j = 0; j <= m; j++) {
			unsigned int best;

			if (!i || !j) {
				d[i][j] = (unsigned int)(i + j);
				continue;
			}
			best = d[i - 1][j - 1] + (a[i - 1] != b[j - 1]);
			if (d[i - 1][j] + 1 < best)
				best = d[i - 1][j] + 1;
			if (d[i][j - 1] + 1 < best)
				best = d[i][j - 1] + 1;
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] &&
			    a[i - 2] == b[j - 1] && d[i - 2][j - 2] + 1 < best)
				best = d[i - 2][j - 2] + 1;
			d[i][j] = best;
		}
	return d[n][m];
}

/* Words that other tools use for the same. */
static const char * const synonyms[][2] = {
	{ "ls", "list" }, { "status", "list" }, { "remove", "detach" },
	{ "unplug", "detach" }, { "disconnect", "detach" },
	{ "add", "attach" }, { "connect", "attach" }, { "authorize", "attach" },
	{ "who", "users" }, { "ps", "users" }, { "events", "monitor" },
	{ "watch", "monitor" }, { "forget", "untrack" }, { "abort", "cancel" },
	{ "stop", "cancel" }, { "rename", "name" }, { "dmesg", "log" },
	{ "reload", "apply" }, { "describe", "show" },
};

const char *verb_suggest(const char *word)
{
	unsigned int i, best = 3, d;
	const char *found = NULL;

	for (i = 0; i < ARRAY_SIZE(synonyms); i++)
		if (!strcmp(synonyms[i][0], word))
			return synonyms[i][1];
	for (i = 0; i < nr_verbs; i++) {
		d = distance(word, verbs[i].name);
		if (d < best) {
			best = d;
			found = verbs[i].name;
		}
		d = verbs[i].alias ? distance(word, verbs[i].alias) : 99;
		if (d < best) {
			best = d;
			found = verbs[i].alias;
		}
	}
	return found;
}
