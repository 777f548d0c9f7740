// SPDX-License-Identifier: GPL-2.0
/*
 * The command line: a verb, its options and arguments in any order. Which
 * options a verb takes stands in the table.
 */
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "ctl.h"

static const enum option_id global[] = {
	OPT_JSON, OPT_HELP, OPT_VERSION, OPT_GENERATE
};

static bool takes(const struct verb *verb, enum option_id id)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(global); i++)
		if (global[i] == id)
			return true;
	for (i = 0; verb && verb->options[i]; i++)
		if (verb->options[i] == id)
			return true;
	return false;
}

static void print_option(FILE *file, const struct option_def *option)
{
	char left[40];

	if (!option->help)
		return;
	snprintf(left, sizeof(left), "--%s%s%s", option->name,
		 !option->arg ? "" : *option->arg == '[' ? "" : " ",
		 !option->arg ? "" : *option->arg == '[' ? "[=S]" : option->arg);
	fprintf(file, "  %-25s %s\n", left, option->help);
}

void usage_verb(FILE *file, const struct verb *verb)
{
	const struct sub_verb *sub;
	char left[40];
	unsigned int i;

	fprintf(file, "Usage: egpuctl %s%s%s%s\n", verb->name,
		verb->args ? " " : "", verb->args ? verb->args : "",
		verb->options[0] ? " [OPTION...]" : "");
	fprintf(file, "%c%s.\n", verb->help[0] & ~0x20, verb->help + 1);
	if (verb->alias)
		fprintf(file, "Also called %s.\n", verb->alias);
	for (sub = verb->subs; sub && sub->name; sub++) {
		snprintf(left, sizeof(left), "%s%s%s", sub->name,
			 sub->arg ? " " : "", sub->arg ? sub->arg : "");
		fprintf(file, "%s  %-25s %s\n", sub == verb->subs ? "\n" : "",
			left, sub->help);
	}
	if (verb->options[0])
		fputc('\n', file);
	for (i = 0; verb->options[i]; i++)
		print_option(file, option_def(verb->options[i]));
}

void usage(FILE *file)
{
	unsigned int i;

	fputs("Usage: egpuctl [--json] [VERB] [ARGUMENT...]\n\n", file);
	for (i = 0; i < nr_verbs; i++)
		fprintf(file, "  %-8s %-17s %s\n", verbs[i].name,
			verbs[i].args ? verbs[i].args : "", verbs[i].help);
	fputs("\nPORT is an id, a name, a PCI address of the port or of anything below it, or\n"
	      "a node such as card1. \"egpuctl VERB --help\" tells more; so does egpuctl(8).\n",
	      file);
}

static enum exit_code usage_error(struct ctl *ctl, const char *text,
				  const char *word)
{
	char hint[64];

	snprintf(hint, sizeof(hint), "egpuctl %s%s--help",
		 ctl->verb ? ctl->verb->name : "", ctl->verb ? " " : "");
	return fail(ctl, EXIT_USAGE, hint, NULL, text, word);
}

static enum exit_code unknown_verb(struct ctl *ctl, const char *word)
{
	const char *better = verb_suggest(word);
	char hint[64];

	if (!better)
		return fail(ctl, EXIT_USAGE, "egpuctl --help", NULL,
			    "there is no verb \"%s\"", word);
	snprintf(hint, sizeof(hint), "did you mean \"egpuctl %s\"?", better);
	return fail(ctl, EXIT_USAGE, hint, NULL, "there is no verb \"%s\"",
		    word);
}

/* The first word that is no option: found before options are understood. */
static const char *first_word(int argc, char **argv)
{
	int i;

	for (i = 1; i < argc; i++) {
		if (!strcmp(argv[i], "--generate"))
			return NULL;
		if (argv[i][0] != '-')
			return argv[i];
	}
	return NULL;
}

static bool wants_json(int argc, char **argv)
{
	int i;

	for (i = 1; i < argc && strcmp(argv[i], "--"); i++)
		if (!strcmp(argv[i], "--json") || !strcmp(argv[i], "-j"))
			return true;
	return false;
}

static void fill_getopt(struct option *longs)
{
	unsigned int i;

	for (i = 0; i < nr_options; i++)
		longs[i] = (struct option){
			.name = options[i].name,
			.has_arg = !options[i].arg ? no_argument :
				   *options[i].arg == '[' ? optional_argument :
				   required_argument,
			.val = 256 + (int)options[i].id,
		};
}

static enum exit_code parse_options(struct ctl *ctl, int argc, char **argv)
{
	struct option longs[nr_options + 1];
	int c;

	memset(longs, 0, sizeof(longs));
	fill_getopt(longs);
	opterr = 0;
	optind = 1;
	while ((c = getopt_long(argc, argv, ":hj", longs, NULL)) != -1) {
		if (c == 'h')
			c = 256 + OPT_HELP;
		if (c == 'j')
			c = 256 + OPT_JSON;
		if (c == ':')
			return usage_error(ctl, "%s needs an argument",
					   argv[optind - 1]);
		if (c < 256)
			return usage_error(ctl, "there is no option %s",
					   argv[optind - 1]);
		if (!takes(ctl->verb, (enum option_id)(c - 256)))
			return usage_error(ctl, "this verb takes no --%s",
					   option_def((enum option_id)(c - 256))->name);
		ctl->value[c - 256] = optarg ? optarg : "";
	}
	return EXIT_DONE;
}

static enum exit_code check_count(struct ctl *ctl)
{
	if (ctl->nr_args < ctl->verb->min)
		return usage_error(ctl, "missing: %s", ctl->verb->args);
	if (ctl->nr_args > ctl->verb->max)
		return usage_error(ctl, "one argument too many: %s",
				   ctl->arg[ctl->verb->max]);
	return EXIT_DONE;
}

static bool sub_takes(const struct sub_verb *sub, enum option_id id)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(global); i++)
		if (global[i] == id)
			return true;
	for (i = 0; sub && sub->options[i]; i++)
		if (sub->options[i] == id)
			return true;
	return false;
}

enum exit_code args_check_sub(struct ctl *ctl, const struct sub_verb *sub)
{
	int want = !sub ? 1 : sub->arg ? 3 : 2;
	unsigned int i;

	if (sub && ctl->nr_args < want)
		return usage_error(ctl, "missing: %s", sub->arg);
	if (ctl->nr_args > want)
		return usage_error(ctl, "one argument too many: %s",
				   ctl->arg[want]);
	for (i = 0; i < nr_options; i++)
		if (given(ctl, options[i].id) && !sub_takes(sub, options[i].id))
			return fail(ctl, EXIT_USAGE, "egpuctl link --help",
				    NULL, "%s %s takes no --%s",
				    ctl->verb->name, sub ? sub->name : "PORT",
				    options[i].name);
	return EXIT_DONE;
}

static bool answer_at_once(struct ctl *ctl, enum exit_code *code)
{
	*code = EXIT_DONE;
	if (given(ctl, OPT_GENERATE)) {
		*code = generate(ctl->value[OPT_GENERATE]);
	} else if (given(ctl, OPT_VERSION)) {
		puts("egpuctl " EGPUCTL_VERSION);
	} else if (given(ctl, OPT_HELP)) {
		if (ctl->verb)
			usage_verb(stdout, ctl->verb);
		else
			usage(stdout);
	} else {
		return false;
	}
	ctl->verb = NULL;
	return true;
}

enum exit_code args_parse(struct ctl *ctl, int argc, char **argv)
{
	const char *word = first_word(argc, argv);
	enum exit_code code;
	int i;

	ctl->json = wants_json(argc, argv);
	if (word) {
		ctl->verb = verb_find(word);
		if (!ctl->verb)
			return unknown_verb(ctl, word);
	} else {
		/* so that "egpuctl --all" is "egpuctl list --all" */
		ctl->verb = verb_find("list");
	}
	code = parse_options(ctl, argc, argv);
	if (code != EXIT_DONE)
		return code;
	if (!word && (given(ctl, OPT_HELP) || given(ctl, OPT_GENERATE)))
		ctl->verb = NULL;
	if (answer_at_once(ctl, &code))
		return code;
	for (i = optind + !!word; i < argc; i++) {
		if (ctl->nr_args < MAX_POSITIONAL)
			ctl->arg[ctl->nr_args] = argv[i];
		ctl->nr_args++;
	}
	return check_count(ctl);
}
