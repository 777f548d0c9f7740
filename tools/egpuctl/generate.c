// SPDX-License-Identifier: GPL-2.0
/*
 * egpuctl --generate completion | man: what is kept beside the code and has to
 * be in step with the table.
 */
#include <string.h>

#include "ctl.h"

static void words_of_options(const struct verb *verb)
{
	unsigned int i;

	printf("--json --help");
	for (i = 0; verb->options[i]; i++)
		printf(" --%s", option_def(verb->options[i])->name);
}

static void completion(void)
{
	unsigned int i;

	puts("# bash completion for egpuctl(8)                    -*- shell-script -*-");
	puts("# Made by \"egpuctl --generate completion\"; do not edit.\n");
	puts("_egpuctl_ports()\n{\n"
	     "\tegpuctl list --all 2>/dev/null |\n"
	     "\t\tLC_ALL=C awk 'NR > 1 && $1 ~ /^[0-9]+$/ { print $1; if ($2 != \"-\") print $2 }'\n}\n");
	puts("_egpuctl_words()\n{\n\tcase $1 in\n"
	     "\tport) _egpuctl_ports ;;\n"
	     "\tport-all) _egpuctl_ports; echo all ;;\n"
	     "\t*) echo \"$1\" ;;\n\tesac\n}\n");
	puts("# $1 verb: its options; $1 verb, $2 place: words for that argument");
	puts("_egpuctl_verb()\n{\n\tlocal options=--json words=\n\tcase $1 in");
	for (i = 0; i < nr_verbs; i++) {
		printf("\t%s%s%s)\n\t\toptions=\"", verbs[i].name,
		       verbs[i].alias ? " | " : "",
		       verbs[i].alias ? verbs[i].alias : "");
		words_of_options(&verbs[i]);
		printf("\"\n\t\twords=\"%s\"\n\t\t;;\n",
		       verbs[i].words ? verbs[i].words : "");
	}
	puts("\tesac\n"
	     "\tif [[ $2 == options ]]; then\n\t\techo \"$options\"\n\t\treturn\n\tfi\n"
	     "\tlocal -a place\n\tIFS=';' read -r -a place <<<\"$words\"\n"
	     "\t_egpuctl_words \"${place[$2]}\"\n}\n");
	puts("_egpuctl()\n{\n\tlocal current=${COMP_WORDS[COMP_CWORD]}\n"
	     "\tlocal before=${COMP_WORDS[COMP_CWORD - 1]}\n"
	     "\tlocal verb='' choice='' nth=0 i\n"
	     "\tCOMPREPLY=()\n"
	     "\tfor ((i = 1; i < COMP_CWORD; i++)); do\n"
	     "\t\t[[ ${COMP_WORDS[i]} == -* ]] && continue\n"
	     "\t\tif [[ -z $verb ]]; then\n\t\t\tverb=${COMP_WORDS[i]}\n"
	     "\t\telse\n\t\t\tnth=$((nth + 1))\n\t\tfi\n\tdone");
	puts("\tcase $before in");
	for (i = 0; i < nr_options; i++)
		if (options[i].words)
			printf("\t--%s) choice=$(_egpuctl_words \"%s\") ;;\n",
			       options[i].name, options[i].words);
	printf("\t*)\n\t\tif [[ -z $verb ]]; then\n\t\t\tchoice=\"");
	for (i = 0; i < nr_verbs; i++)
		printf("%s%s", i ? " " : "", verbs[i].name);
	puts(" --json --help --version\"\n"
	     "\t\telif [[ $current == -* ]]; then\n"
	     "\t\t\tchoice=$(_egpuctl_verb \"$verb\" options)\n"
	     "\t\telse\n"
	     "\t\t\tchoice=$(_egpuctl_verb \"$verb\" \"$nth\")\n\t\tfi\n\t\t;;\n\tesac");
	puts("\tmapfile -t COMPREPLY < <(compgen -W \"$choice\" -- \"$current\")\n}\n"
	     "complete -F _egpuctl egpuctl");
}

/* roff: a - that is to be typed is written \- */
static void print_roff(const char *text)
{
	for (; *text; text++)
		if (*text == '-')
			fputs("\\-", stdout);
		else
			putchar(*text);
}

static void man_option(const struct option_def *option)
{
	printf(".RS\n.TP\n.B \\-\\-");
	print_roff(option->name);
	if (option->arg && *option->arg == '[')
		printf("\\fR[\\fB=\\fIS\\fR]");
	else if (option->arg)
		printf(" \\fI%s\\fR", option->arg);
	printf("\n%c", option->help[0] & ~0x20);
	print_roff(option->help + 1);
	puts(".\n.RE");
}

/* What can stand behind PORT, with the options that it takes. */
static void man_subs(const struct verb *verb)
{
	const struct sub_verb *sub;
	unsigned int i;

	for (sub = verb->subs; sub && sub->name; sub++) {
		printf(".RS\n.TP\n.B egpuctl %s \\fIPORT\\fB %s", verb->name,
		       sub->name);
		if (sub->arg)
			printf(" \\fI%s", sub->arg);
		printf("\\fR\n%c", sub->help[0] & ~0x20);
		print_roff(sub->help + 1);
		for (i = 0; sub->options[i]; i++) {
			printf("%s\\fB\\-\\-", i ? ", " : " (");
			print_roff(option_def(sub->options[i])->name);
			printf("\\fR");
		}
		puts(i ? ").\n.RE" : ".\n.RE");
	}
}

static void man_arguments(const struct verb *verb)
{
	unsigned int i;

	printf(".B egpuctl %s", verb->name);
	if (verb->args)
		printf(" \\fI%s\\fR", verb->args);
	for (i = 0; verb->options[i]; i++) {
		const struct option_def *o = option_def(verb->options[i]);

		printf(" [\\fB\\-\\-");
		print_roff(o->name);
		if (o->arg && *o->arg == '[')
			printf("\\fR[=\\fIS\\fR]");
		else
			printf("\\fR%s\\fI%s\\fR", o->arg ? " " : "",
			       o->arg ? o->arg : "");
		putchar(']');
	}
	putchar('\n');
}

static void man(void)
{
	unsigned int i, k;

	puts(".\\\" Made by \"egpuctl --generate man\"; do not edit up to the end mark.");
	puts(".SH SYNOPSIS\n.nh\n.ad l");
	for (i = 0; i < nr_verbs; i++) {
		if (i)
			puts(".br");
		man_arguments(&verbs[i]);
	}
	puts(".ad b\n.hy");
	puts(".SH VERBS");
	for (i = 0; i < nr_verbs; i++) {
		printf(".TP\n.B %s%s%s\n", verbs[i].name,
		       verbs[i].alias ? ", " : "",
		       verbs[i].alias ? verbs[i].alias : "");
		printf("%c", verbs[i].help[0] & ~0x20);
		print_roff(verbs[i].help + 1);
		puts(".");
		if (verbs[i].more)
			puts(verbs[i].more);
		man_subs(&verbs[i]);
		for (k = 0; verbs[i].options[k]; k++)
			man_option(option_def(verbs[i].options[k]));
	}
	puts(".\\\" End of the part that is made.");
}

enum exit_code generate(const char *what)
{
	if (!strcmp(what, "completion"))
		completion();
	else if (!strcmp(what, "man"))
		man();
	else
		return EXIT_USAGE;
	return EXIT_DONE;
}
