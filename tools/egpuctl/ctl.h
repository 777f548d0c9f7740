/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the files of egpuctl share: the verb table's types, a port as it is
 * shown, the configuration, output and errors.
 */
#ifndef EGPUCTL_CTL_H
#define EGPUCTL_CTL_H

#include <json-c/json.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>
#include <time.h>

#include "../lib/egpu.h"

#ifndef EGPUCTL_VERSION
#define EGPUCTL_VERSION	"0.1.0"
#endif

#define JSON_SCHEMA	1
#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))
#define print_like(a, b)	__attribute__((format(printf, a, b)))

enum exit_code {
	EXIT_DONE = 0,
	EXIT_FAILED,
	EXIT_USAGE,
	EXIT_NO_MODULE,
	EXIT_BUSY,
	EXIT_PERMISSION,
	EXIT_NO_PORT,
	EXIT_DEADLINE,
	EXIT_CANCELLED,
	EXIT_GUARD,
	EXIT_UNSUPPORTED,
};

/* ------------------------------------------------ verbs and options: table.c */

enum option_id {
	OPT_NONE = 0,
	OPT_JSON,
	OPT_HELP,
	OPT_VERSION,
	OPT_ALL,
	OPT_IGNORE,
	OPT_ALWAYS,
	OPT_CHECK,
	OPT_WAIT,
	OPT_TERMINATE,
	OPT_ALLOW,
	OPT_GPU_ONLY,
	OPT_ALL_BELOW,
	OPT_FORCE,
	OPT_YES,
	OPT_FOR,
	OPT_TIMEOUT,
	OPT_SAVE,
	OPT_PORT,
	OPT_EVENT,
	OPT_COUNT,
	OPT_BOOT,
	OPT_LIVE,
	OPT_SECONDS,
	OPT_MAX_ERRORS,
	OPT_INTERVAL,
	OPT_STEPS,
	OPT_HOLD_OFF,
	OPT_RUN,
	OPT_DROPS,
	OPT_DMA_BITS,
	OPT_SOFT,
	OPT_WATCH,
	OPT_GROW,
	OPT_GENERATE,
	OPT_MAX
};

/**
 * struct option_def - one option, whichever verbs take it
 * @id: index of its value in struct ctl
 * @name: without the dashes
 * @arg: what the argument is called; NULL: none; "[S]": may be left out
 * @words: for completion: the arguments that exist, "port" for ports
 * @help: half a sentence
 */
struct option_def {
	enum option_id id;
	const char *name;
	const char *arg;
	const char *words;
	const char *help;
};

struct ctl;

/**
 * struct sub_verb - a word behind PORT that does something else with it
 * @name: as it is typed
 * @arg: what comes behind it, or NULL
 * @options: those of its verb that it takes
 * @help: half a sentence
 * @run: does it
 */
struct sub_verb {
	const char *name;
	const char *arg;
	const enum option_id *options;
	const char *help;
	enum exit_code (*run)(struct ctl *ctl,
			      const struct egpu_port_info *port);
};

/**
 * struct verb - one verb
 * @name: as it is typed
 * @alias: another name, or NULL
 * @args: positional arguments as the usage shows them; in brackets: optional
 * @words: for completion: a word list per position, separated by ';'
 * @options: OPT_NONE ends it
 * @min: positional arguments at least
 * @max: and at most
 * @no_module: works without /dev/egpu
 * @help: half a sentence
 * @more: for the man page, roff
 * @subs: ended by one without a name, or NULL
 * @run: does it
 */
struct verb {
	const char *name;
	const char *alias;
	const char *args;
	const char *words;
	const enum option_id *options;
	int min;
	int max;
	bool no_module;
	const char *help;
	const char *more;
	const struct sub_verb *subs;
	enum exit_code (*run)(struct ctl *ctl);
};

extern const struct verb verbs[];
extern const unsigned int nr_verbs;
extern const struct option_def options[];
extern const unsigned int nr_options;

const struct verb *verb_find(const char *word);
const char *verb_suggest(const char *word);
const struct option_def *option_def(enum option_id id);

/* --------------------------------------------------------- configuration */

#define CONFIG_UNSET	(-1)

/**
 * struct config_port - a [port ...] section
 * @section: what stands behind "port"
 * @name: the port's name, NULL when the section is called by its path
 * @path: PCI path, NULL when the section has none (a bad one)
 * @file: where the section stands
 * @runtime: holds until reboot only
 * @policy: enum egpu_policy or CONFIG_UNSET
 * @track: 0, 1 or CONFIG_UNSET, which means 1
 * @losses: quarantine, or CONFIG_UNSET
 * @window_ms: quarantine
 * @max_speed: tenths of GT/s, 0: no limit, or CONFIG_UNSET
 * @retrain: 0, 1 or CONFIG_UNSET
 * @guard: 0, 1 or CONFIG_UNSET, which means 1
 * @soft: 0, 1 or CONFIG_UNSET
 * @watch_ms: of a soft slot, or CONFIG_UNSET
 * @rebar_max: largest resizable BAR, bytes; 0: not given
 */
struct config_port {
	char *section;
	char *name;
	char *path;
	char *file;
	bool runtime;
	int policy;
	int track;
	int losses;
	int window_ms;
	int max_speed;
	int retrain;
	int guard;
	int soft;
	int watch_ms;
	uint64_t rebar_max;
};

/**
 * struct config_device - a [device vvvv:dddd] section
 * @section: what stands behind "device"
 * @file: where the section stands
 * @vendor: vendor id
 * @device: device id
 * @subsystem: subsystem vendor << 16 | subsystem id, 0 for any
 * @serial: serial number, NULL for any
 * @policy: enum egpu_policy or CONFIG_UNSET
 * @ignore: EGPU_CHECK_* that do not keep it out
 */
struct config_device {
	char *section;
	char *file;
	uint16_t vendor;
	uint16_t device;
	uint32_t subsystem;
	char *serial;
	int policy;
	uint32_t ignore;
};

struct config {
	int policy;
	int drain_ms;
	char *allow;
	int losses;
	int window_ms;
	int retrain;
	struct config_port *ports;
	int nr_ports;
	struct config_device *devices;
	int nr_devices;
	char **errors;		/* "FILE:LINE: what" */
	int nr_errors;
	struct egpu_alias *aliases;
};

const char *config_dir(void);
const char *run_dir(void);
void config_load(struct config *config);
void config_free(struct config *config);
struct config_port *config_port_find(const struct config *config,
				     const char *path);
const char *config_name(const struct config *config, const char *path);
const struct config_device *config_device_find(const struct config *config,
					       const struct egpu_function *f);
bool parse_duration(const char *text, int *ms);
bool parse_policy(const char *text, int *policy);
bool parse_checks(const char *text, uint32_t *checks);
bool parse_size(const char *text, uint64_t *bytes);
bool parse_quarantine(const char *text, int *losses, int *window_ms);

/*
 * Sets a key (value NULL: takes it away) in a section, in the file that has the
 * section already, else in @file; everything else stays as it is, the file is
 * replaced atomically. Return: 0, -errno.
 */
int config_set(const char *file, const char *section, const char *key,
	       const char *value);
int config_rename(const char *file, const char *from, const char *to);
int config_drop(const char *file, const char *section);
char *config_main_file(void);
char *config_runtime_file(void);

/*
 * Writes a file beside @file and puts it in its place; a symbolic link stays
 * one. Return: 0, -errno.
 */
int file_replace(const char *file, const char *text);
/* Makes and locks the directory of @file. Return: close() it, -errno. */
int lock_dir(const char *file);

/* ------------------------------------------- what was learned: learned.c */

/**
 * struct learned_key - what something was learned about
 * @path: of the port, in the kernel's pci= syntax
 * @vendor: of the device
 * @device: its id
 * @serial: its serial number, empty when it tells none
 */
struct learned_key {
	char path[160];
	uint16_t vendor;
	uint16_t device;
	char serial[64];
};

/**
 * struct learned_link - what is known about a device's link at a port
 * @limit: fastest clean speed, tenths of GT/s; 0: none
 * @why: who found that: qualify, guard or user
 * @speed: accepted with `link PORT accept`, tenths of GT/s; 0: nothing is
 * @width: lanes, likewise
 * @since: of the last change, RFC 3339
 */
struct learned_link {
	uint32_t limit;
	char why[16];
	uint32_t speed;
	unsigned int width;
	char since[40];
};

/* The file; between load() and free() for a change nobody else changes it. */
struct learned {
	char *file;
	struct json_object *root;
	int lock;
};

const char *state_dir(void);
/*
 * A damaged file is told on standard error, and counts as empty; one that is to
 * be changed is moved aside first. Return: 0; else -errno, and it was told.
 */
int learned_load(struct learned *learned, bool change);
void learned_free(struct learned *learned);
/* Return: false: nothing was ever learned. */
bool learned_any(const struct learned *learned);
/* Return: false: nothing is known. */
bool learned_find(const struct learned *learned, const struct learned_key *key,
		  struct learned_link *link);
/* 0 takes away what was known; an entry that says nothing goes. */
void learned_set_limit(struct learned *learned, const struct learned_key *key,
		       uint32_t speed, const char *why);
void learned_set_expected(struct learned *learned,
			  const struct learned_key *key, uint32_t speed,
			  unsigned int width);
int learned_save(struct learned *learned);
/*
 * learned_newest() - what was learned last about any device at a port
 * @learned: from learned_load()
 * @key: @path in; the rest out
 * @link: out: has a limit
 *
 * Return: false: no device is limited there.
 */
bool learned_newest(const struct learned *learned, struct learned_key *key,
		    struct learned_link *link);

/* ------------------------------------------------------------ a port shown */

#define MAX_BELOW	32

/**
 * struct view - a port with everything that is said about it
 * @info: what the module says
 * @address: of the port
 * @path: of the port, in the kernel's pci= syntax
 * @name: of the port, NULL
 * @functions: below it
 * @nr_functions: how many
 * @dma: the module tells what their DMA is like
 * @gpu: the function that is the GPU, NULL
 * @saved: it is in the configuration
 * @nodes: the GPU's device nodes
 * @nr_nodes: how many
 * @hops: the links from the root to the GPU
 * @nr_hops: how many, or the error
 * @link: the port's
 * @about: what is remembered of the port's link; all 0: nothing
 * @learned: what was learned about this device at this port; all 0: nothing
 * @max_speed: what the configuration allows the port, tenths of GT/s; 0: all
 * @cooling: the kernel's bandwidth controller, when it was asked; else no name
 * @users: who uses the GPU, as far as the caller may see
 * @nr_users: how many, -1 when the caller may not see them all
 * @nr_listed: how many are in @users
 * @below: of a cable port: ids of the slot ports below it
 * @nr_below: how many
 */
struct view {
	struct egpu_port_info info;
	char address[EGPU_ADDRESS_LEN];
	char path[160];
	const char *name;
	bool saved;
	struct egpu_function *functions;
	int nr_functions;
	bool dma;
	const struct egpu_function *gpu;
	struct egpu_node *nodes;
	int nr_nodes;
	struct egpu_hop *hops;
	int nr_hops;
	struct egpu_link link;
	struct egpu_link_info about;
	struct learned_link learned;
	uint32_t max_speed;
	struct egpu_cooling cooling;
	struct egpu_process *users;
	int nr_users;
	int nr_listed;
	uint32_t below[MAX_BELOW];
	int nr_below;
};

#define GPU_NAME_LEN	128

bool view_gpu_name(const struct view *view, char buf[GPU_NAME_LEN]);
int ports_below(struct ctl *ctl, const struct egpu_port_info *info,
		uint32_t ids[MAX_BELOW]);

#define VIEW_USERS	(1U << 0)	/* ask for users */
#define VIEW_MEASURE	(1U << 1)	/* and whether they are idle */
#define VIEW_ENDS	(1U << 2)	/* the GPU's end of its link */

/* Only which port it is, and what it is called; the rest is empty. */
void view_name(struct ctl *ctl, const struct egpu_port_info *info,
	       struct view *view);
int view_get(struct ctl *ctl, const struct egpu_port_info *info,
	     unsigned int what, struct view *view);
/* Of several at once: one look at all processes, however many ports. */
void view_users(struct ctl *ctl, struct view *views, int count,
		unsigned int what);
void view_free(struct view *view);
const char *view_label(const struct view *view);
void view_reason(const struct view *view, char *buf, size_t size);
void view_stuck(const struct view *view, char *buf, size_t size);
bool view_is_stuck(const struct view *view);
int view_idle(const struct view *view);
bool view_is_occupied(const struct egpu_port_info *info);
/* Return: false: there is no GPU. */
bool view_key(const struct view *view, struct learned_key *key);
/* A GPU, what belongs to it, or what was given to egpu: not another device. */
bool may_go(const struct egpu_function *function);
const struct egpu_function *pick_gpu(const struct egpu_function *functions,
				     int count);
struct json_object *view_json(const struct view *view, bool full);
struct json_object *function_json(const struct egpu_function *f, bool dma);
struct json_object *container_json(const struct egpu_place *place);
struct json_object *link_json(const struct view *view);
struct json_object *cooling_json(const struct view *view);
struct json_object *hops_json(const struct view *view);
struct json_object *aer_json(const struct view *view);
char *hop_address(const struct egpu_hop *hop, char buf[EGPU_ADDRESS_LEN]);
char *hop_partner(const struct egpu_hop *hop, char buf[EGPU_ADDRESS_LEN]);
struct json_object *user_json(const struct egpu_process *process,
			      const char *driver);
void print_users(const struct view *view, const char *indent);

/* ----------------------------------------- what a link is worth: verdict.c */

/**
 * enum worth - on a link
 * @WORTH_NONE: it is down
 * @WORTH_FULL: as fast and wide as both ends can
 * @WORTH_IDLE: below what was seen since the GPU came, with a driver bound
 * @WORTH_WIRED: as fast as both ends can, on the lanes that are connected
 * @WORTH_LIMITED: as fast as it may, by egpu or the kernel
 * @WORTH_ACCEPTED: as `link PORT accept` recorded it, or better
 * @WORTH_BELOW: slow with a driver bound, and never seen without: idle or
 *	degraded
 * @WORTH_DEGRADED: slower or narrower than both ends can
 * @WORTH_TUNNELLED: its registers say nothing
 * @WORTH_ASLEEP: the port was not asked
 */
enum worth {
	WORTH_NONE = 0,
	WORTH_FULL,
	WORTH_IDLE,
	WORTH_WIRED,
	WORTH_LIMITED,
	WORTH_ACCEPTED,
	WORTH_BELOW,
	WORTH_DEGRADED,
	WORTH_TUNNELLED,
	WORTH_ASLEEP,
};

/**
 * struct link_verdict - and in words
 * @kind: as above
 * @best: the same without regard to idleness
 * @speed: the best that counts, tenths of GT/s
 * @width: likewise
 * @text: @kind in words; empty: none
 * @best_text: @best in words
 * @seen: with WORTH_IDLE: "16GT/s seen at 12:01", or its limit
 */
struct link_verdict {
	enum worth kind;
	enum worth best;
	uint32_t speed;
	unsigned int width;
	char text[128];
	char best_text[128];
	char seen[96];
};

void view_verdict(const struct view *view, struct link_verdict *verdict);
const char *worth_name(enum worth kind);
uint32_t view_kernel_limit(const struct view *view);
/* Return: why egpu limits the port's speed; NULL: it does not. */
const char *view_limit_why(const struct view *view);

bool device_name(uint16_t vendor, uint16_t device, bool brief, char *buf,
		 size_t size);
void class_name(uint32_t class, char *buf, size_t size);
void names_free(void);

/* -------------------------------------------------------------- the session */

#define MAX_POSITIONAL	4

struct ctl {
	const struct verb *verb;
	const char *value[OPT_MAX];	/* NULL: not given; "": no argument */
	const char *arg[MAX_POSITIONAL];
	int nr_args;
	struct egpu *egpu;
	struct config config;
	struct learned *learned;	/* NULL: not read yet */
	struct json_object *reply;
	bool json;
	bool terminal;			/* standard output is one */
	bool colour;
};

static inline bool given(const struct ctl *ctl, enum option_id id)
{
	return ctl->value[id];
}

/* args.c */
enum exit_code args_parse(struct ctl *ctl, int argc, char **argv);
void usage(FILE *file);
void usage_verb(FILE *file, const struct verb *verb);
/* A sub-verb's arguments and options. Return: EXIT_DONE, or it was told. */
enum exit_code args_check_sub(struct ctl *ctl, const struct sub_verb *sub);
enum exit_code generate(const char *what);

/* port.c: the port that an argument means */
enum exit_code find_port(struct ctl *ctl, const char *word, bool reads,
			 struct egpu_port_info *info);

/* fail.c: says what went wrong; gives the exit code back */
enum exit_code fail(struct ctl *ctl, enum exit_code code, const char *hint,
		    const struct egpu_port_info *port, const char *format, ...)
	print_like(5, 6);
enum exit_code fail_errno(struct ctl *ctl, int error, const char *what,
			  const struct egpu_port_info *port);
enum exit_code exit_of(int error);
const char *exit_name(enum exit_code code);

/* out.c */
enum colour { PLAIN, BOLD, RED, GREEN, YELLOW, DIM };
const char *paint(const struct ctl *ctl, enum colour colour);
const char *state_paint(const struct ctl *ctl, uint32_t state);
void say(const struct ctl *ctl, const char *format, ...) print_like(2, 3);
struct table;
struct table *table_new(const char *head);
void table_row(struct table *table, enum colour colour, int column,
	       const char *format, ...) print_like(4, 5);
void table_print(const struct table *table, const struct ctl *ctl);
void table_free(struct table *table);
const char *size_text(uint64_t bytes, char buf[16]);
const char *bar_text(uint64_t bytes, char buf[16]);
/* 16 GiB, 1.5 GiB, 128 B */
const char *space_text(uint64_t bytes, char buf[24]);
void rate_text(uint64_t bytes_per_second, char buf[24]);
/* 16GT/s; 0: down */
void speed_text(uint32_t tenths, char buf[24]);
void link_text(const struct egpu_link *link, char *buf, size_t size);
void short_address(const char *address, char *buf, size_t size);

/* clock.c */
int64_t now_ms(void);
uint64_t monotonic_ns(void);
uint64_t monotonic_of_boottime(uint64_t boottime);
struct timespec wall_of(uint64_t monotonic);
const char *time_text(uint64_t monotonic, char buf[24]);
const char *clock_text(uint64_t monotonic, char buf[24]);
/* hours and minutes, with the date when that is another day */
const char *minute_text(uint64_t monotonic, char buf[24]);
const char *rfc3339(uint64_t monotonic, char buf[40]);
extern volatile sig_atomic_t interrupted;	/* who acts on it clears it */
extern volatile sig_atomic_t interrupts;	/* how many came */
void catch_interrupt(void);

/* json.c: small helpers; a NULL string is null */
void put_text(struct json_object *o, const char *key, const char *value);
void put_int(struct json_object *o, const char *key, int64_t value);
struct json_object *json_number(double value);
void put_number(struct json_object *o, const char *key, double value);
void put_bool(struct json_object *o, const char *key, bool value);
void put_null(struct json_object *o, const char *key);
void put(struct json_object *o, const char *key, struct json_object *value);
void append_text(struct json_object *array, const char *text);
void put_time(struct json_object *o, const char *key, uint64_t monotonic);
struct json_object *reply(struct ctl *ctl);
void print_json(struct json_object *o, bool pretty);

/* follow.c: a transaction until its end */
struct follow {
	struct ctl *ctl;
	const struct egpu_port_info *port;
	uint32_t transaction;
	const char *doing;
	bool cancellable;
	bool cancelled;		/* asked for */
	bool too_late;
	bool shown;		/* a progress line stands on the terminal */
	bool drained;		/* somebody was waited for */
	bool stuck;
	int users;		/* as seen last, -1 */
	int64_t deadline_ms;	/* 0: none */
	int64_t began_ms;
	char drivers[256];	/* that were unbound */
	/* is told each event; may be NULL */
	void (*tell)(const struct egpu_event *event, void *arg);
	void *arg;
};

#define FOLLOW_STUCK	1	/* given up: a driver hangs */

int follow(struct follow *follow);

/* cmd_attach.c: until it ends. Return: as follow(). */
int attach_port(struct ctl *ctl, const struct egpu_port_info *info,
		uint32_t ignore);
/* One that is a module comes after READY; not for ever. */
void wait_for_driver(struct ctl *ctl, const struct egpu_port_info *info);

/* cmd_config.c: writes a key of the port's section, and says so */
enum exit_code config_save(struct ctl *ctl, const struct egpu_port_info *info,
			   const char *key, const char *value);
/**
 * struct limit_change - how apply changed a port's limit
 * @code: EXIT_DONE, or what it failed with; that was told
 * @what: "limit 8GT/s (qualify)"; empty: nothing
 */
struct limit_change {
	enum exit_code code;
	char what[96];
};

/* apply_limit.c: the limit that configuration and experience want */
void apply_limit(struct ctl *ctl, struct egpu_port_info *info,
		 struct limit_change *change);
/* cmd_apply.c: until the checks of what arrived are over; not for ever */
void wait_for_checks(struct ctl *ctl, struct egpu_port_info *info);
/* soft.c: a slot of egpu's own */
bool soft_possible(const struct egpu_port_info *info);
/* "egpuctl track 0000:00:06.0 --soft": how an untracked port is tracked */
void track_command(const struct egpu_port_info *info, char *buf, size_t size);
/* -errno of PORT_CONFIG with EGPU_CONFIG_SOFT in words */
enum exit_code soft_refused(struct ctl *ctl, const struct egpu_port_info *info,
			    int error);
/* @info: the port; as it is then. EXIT_DONE: it has the slot. */
enum exit_code soft_wait(struct ctl *ctl, struct egpu_port_info *info);
bool parse_watch(const char *text, int *ms);
/* ask.c */
bool can_ask(const struct ctl *ctl);
bool ask(const char *question, const char *wanted);

/* linkset.c: LINK_SET, until its end */

/**
 * struct link_change - a LINK_SET and what came of it
 * @flags: EGPU_LINK_SET_*
 * @speed: tenths of GT/s; 0: no limit
 * @vendor: the limit is for arrivals of this device; 0: for all
 * @device: likewise
 * @quiet: steps are not printed
 * @from: out: speed before, tenths of GT/s; 0: not known, or down
 * @to: out: speed now; 0: down, or there was nothing to train
 * @width: out: lanes now
 * @reason: out: enum egpu_reason, as it ended
 * @ms: out: how long it took
 * @steps: JSON array that each training is added to, or NULL
 */
struct link_change {
	uint32_t flags;
	uint32_t speed;
	uint16_t vendor;
	uint16_t device;
	bool quiet;
	uint32_t from;
	uint32_t to;
	unsigned int width;
	uint32_t reason;
	int64_t ms;
	struct json_object *steps;
};

/*
 * Subscribes to all events, asks and follows. Return: 0, -errno as it was
 * refused or as it ended, FOLLOW_STUCK.
 */
int link_train(struct ctl *ctl, const struct egpu_port_info *port,
	       struct link_change *change);
/* -EPERM in words: no root, or a kernel that is locked down. */
enum exit_code link_forbidden(struct ctl *ctl,
			      const struct egpu_port_info *port,
			      const char *what);
enum exit_code link_retrain(struct ctl *ctl,
			    const struct egpu_port_info *port);
enum exit_code link_speed(struct ctl *ctl, const struct egpu_port_info *port);
enum exit_code link_accept(struct ctl *ctl, const struct egpu_port_info *port);
enum exit_code link_watch(struct ctl *ctl, const struct egpu_port_info *port);
enum exit_code link_qualify(struct ctl *ctl,
			    const struct egpu_port_info *port);

/* The verbs. */
enum exit_code cmd_list(struct ctl *ctl);
enum exit_code cmd_show(struct ctl *ctl);
enum exit_code cmd_users(struct ctl *ctl);
enum exit_code cmd_link(struct ctl *ctl);
enum exit_code cmd_space(struct ctl *ctl);
enum exit_code cmd_guard(struct ctl *ctl);
enum exit_code cmd_assign(struct ctl *ctl);
enum exit_code cmd_dma(struct ctl *ctl);
enum exit_code cmd_attach(struct ctl *ctl);
enum exit_code cmd_detach(struct ctl *ctl);
enum exit_code cmd_cancel(struct ctl *ctl);
enum exit_code cmd_wait(struct ctl *ctl);
enum exit_code cmd_policy(struct ctl *ctl);
enum exit_code cmd_track(struct ctl *ctl);
enum exit_code cmd_untrack(struct ctl *ctl);
enum exit_code cmd_name(struct ctl *ctl);
enum exit_code cmd_monitor(struct ctl *ctl);
enum exit_code cmd_log(struct ctl *ctl);
enum exit_code cmd_apply(struct ctl *ctl);
enum exit_code cmd_version(struct ctl *ctl);

#endif /* EGPUCTL_CTL_H */
