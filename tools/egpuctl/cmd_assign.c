// SPDX-License-Identifier: GPL-2.0
/*
 * assign: who drives a function, a driver in user space by egpu's DRM node, or
 * the host's own.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "dma.h"

#define DMA_BITS	32	/* what the kernel assumes, too */

/**
 * struct assign - one function and what is to become of it
 * @ctl: the session
 * @port: that it is below
 * @f: the function
 * @address: of it
 * @bits: address width, 0: back to the host
 */
struct assign {
	struct ctl *ctl;
	struct egpu_port_info port;
	struct egpu_function f;
	char address[EGPU_ADDRESS_LEN];
	uint32_t bits;
};

static bool parse_bits(const char *text, uint32_t *bits)
{
	char *end;
	unsigned long value = strtoul(text, &end, 10);

	*bits = (uint32_t)value;
	return *text >= '0' && *text <= '9' && !*end &&
	       value >= EGPU_DMA_BITS_MIN && value <= EGPU_DMA_BITS_MAX;
}

/* No port is known above it: because it is not there, or belongs to no port. */
static enum exit_code no_port_above(struct ctl *ctl, const char *word)
{
	struct egpu_address address, chain[1];

	if (!egpu_address_parse(word, &address))
		return fail(ctl, EXIT_NO_PORT, "egpuctl list --all", NULL,
			    "there is no function or port \"%s\"", word);
	if (egpu_pci_chain(&address, chain, 1) < 0)
		return fail(ctl, EXIT_NO_PORT, "lspci -D", NULL,
			    "there is no PCI function %s", word);
	return fail(ctl, EXIT_NO_PORT, "egpuctl list --all", NULL,
		    "%s is below no port that can be tracked", word);
}

static enum exit_code not_tracked(struct assign *assign)
{
	struct egpu_address a = egpu_port_address(&assign->port);
	char address[EGPU_ADDRESS_LEN], hint[64];

	snprintf(hint, sizeof(hint), "egpuctl track %s",
		 egpu_address_format(&a, address));
	return fail(assign->ctl, EXIT_UNSUPPORTED, hint, &assign->port,
		    "port %u is not tracked", assign->port.port);
}

/* Several functions, none of which was named. */
static enum exit_code which(struct assign *assign,
			    const struct egpu_function *functions, int count)
{
	char hint[160] = "", address[EGPU_ADDRESS_LEN];
	size_t used = 0;
	int i;

	for (i = 0; i < count && used < sizeof(hint); i++) {
		struct egpu_address a = egpu_function_address(&functions[i]);

		used += (size_t)snprintf(hint + used, sizeof(hint) - used,
					 "%s%s", i ? ", " : "",
					 egpu_address_format(&a, address));
	}
	return fail(assign->ctl, EXIT_USAGE, hint, &assign->port,
		    "which function? port %u has %d", assign->port.port, count);
}

static enum exit_code pick(struct assign *assign, const char *word,
			   const struct egpu_function *functions, int count)
{
	struct egpu_address own = egpu_port_address(&assign->port), wanted, a;
	bool named = egpu_address_parse(word, &wanted) &&
		     !egpu_address_equal(&wanted, &own);
	int i, found = named || count != 1 ? -1 : 0;

	for (i = 0; named && i < count; i++) {
		a = egpu_function_address(&functions[i]);
		if (egpu_address_equal(&a, &wanted))
			found = i;
	}
	if (found < 0 && !named && count)
		return which(assign, functions, count);
	if (found < 0)
		return fail(assign->ctl, EXIT_NO_PORT, "egpuctl show",
			    &assign->port, named ?
			    "%s is no function below port %u" :
			    "%s: nothing is below port %u", word,
			    assign->port.port);
	assign->f = functions[found];
	a = egpu_function_address(&assign->f);
	egpu_address_format(&a, assign->address);
	return EXIT_DONE;
}

static enum exit_code find_function(struct assign *assign, const char *word)
{
	struct ctl *ctl = assign->ctl;
	struct egpu_function *functions;
	enum exit_code code;
	int count, ret;

	ret = egpu_resolve(ctl->egpu, word, ctl->config.aliases, &assign->port);
	if (ret == -ENOENT)
		return no_port_above(ctl, word);
	if (ret < 0)
		return fail_errno(ctl, ret, word, NULL);
	if (!(assign->port.flags & EGPU_PORT_TRACKED))
		return not_tracked(assign);
	count = egpu_functions(ctl->egpu, assign->port.port, &functions);
	if (count < 0)
		return fail_errno(ctl, count, word, &assign->port);
	code = pick(assign, word, functions, count);
	free(functions);
	return code;
}

/* Who has it that will not let go by itself, and what would end that. */
static enum exit_code taken(struct assign *assign)
{
	const struct egpu_function *f = &assign->f;
	char hint[128];

	if ((f->flags & EGPU_FUNCTION_BOUND) || *f->driver) {
		snprintf(hint, sizeof(hint),
			 "when nobody uses it: echo %s | sudo tee /sys/bus/pci/drivers/%s/unbind",
			 assign->address, *f->driver ? f->driver : "DRIVER");
		return fail(assign->ctl, EXIT_BUSY, hint, &assign->port,
			    "%s is %s's", assign->address,
			    *f->driver ? f->driver : "another driver");
	}
	snprintf(hint, sizeof(hint),
		 "echo | sudo tee /sys/bus/pci/devices/%s/driver_override",
		 assign->address);
	return fail(assign->ctl, EXIT_BUSY, hint, &assign->port,
		    "%s has a driver override, or just got a driver",
		    assign->address);
}

/* Refusals that need no try. */
static enum exit_code check_take(struct assign *assign)
{
	const struct egpu_function *f = &assign->f;
	char hint[64];

	if (f->flags & EGPU_FUNCTION_VIRTUAL)
		return fail(assign->ctl, EXIT_UNSUPPORTED, NULL, &assign->port,
			    "%s is a virtual function: its physical function's driver decides",
			    assign->address);
	if (f->dma_flags & EGPU_DMA_MANAGED) {
		snprintf(hint, sizeof(hint), "egpuctl assign %s host",
			 assign->address);
		return fail(assign->ctl, EXIT_BUSY, hint, &assign->port,
			    "%s is egpu's, with another width of %u bits",
			    assign->address, f->dma_bits);
	}
	if ((f->flags & EGPU_FUNCTION_BOUND) ||
	    (f->flags & EGPU_FUNCTION_OVERRIDE))
		return taken(assign);
	return EXIT_DONE;
}

/* Is it already what it is to become? */
static bool nothing_to_do(const struct assign *assign)
{
	bool managed = assign->f.dma_flags & EGPU_DMA_MANAGED;

	if (!assign->bits)
		return !managed;
	return managed && (assign->bits == assign->f.dma_bits ||
			   !given(assign->ctl, OPT_DMA_BITS));
}

static enum exit_code assign_failed(struct assign *assign, int ret)
{
	struct ctl *ctl = assign->ctl;

	switch (ret) {
	case FOLLOW_STUCK:
		return fail(ctl, EXIT_FAILED, "egpuctl show", &assign->port,
			    "stopped watching; assign goes on");
	case -EPERM:
		return link_forbidden(ctl, &assign->port, "assign");
	case -ENOTTY:
		return fail(ctl, EXIT_UNSUPPORTED, "egpuctl version",
			    &assign->port, "the module is older than assign");
	case -ENOENT:
	case -ENODEV:
		return fail(ctl, EXIT_NO_PORT, "egpuctl show", &assign->port,
			    "%s is gone", assign->address);
	case -EOPNOTSUPP:
		return fail(ctl, EXIT_UNSUPPORTED, NULL, &assign->port,
			    "%s is a virtual function", assign->address);
	case -EIO:
		return fail(ctl, EXIT_FAILED, "--dma-bits", &assign->port,
			    "%s: a width of %u bits was not taken, or it could not be enabled",
			    assign->address, assign->bits);
	default:
		return fail_errno(ctl, ret, "assign", &assign->port);
	}
}

/* Asks and waits. Return: 0, -errno, FOLLOW_STUCK; @begun: it was granted */
static int assign_run(struct assign *assign, bool *begun)
{
	struct follow f = { .ctl = assign->ctl, .port = &assign->port };
	struct egpu_address a = egpu_function_address(&assign->f);
	uint32_t port;
	int ret = egpu_subscribe(assign->ctl->egpu, EGPU_EVENTS_ALL, 0, NULL);

	*begun = false;
	if (ret >= 0)
		ret = egpu_function_manage(assign->ctl->egpu, &a, assign->bits,
					   &port, &f.transaction);
	if (ret < 0)
		return ret;
	*begun = true;
	return follow(&f);
}

/* As it is now; what could not be found stays as it was. */
static void look_again(struct assign *assign)
{
	struct egpu_address a, own = egpu_function_address(&assign->f);
	struct egpu_function *functions;
	int i, count;

	count = egpu_functions(assign->ctl->egpu, assign->port.port,
			       &functions);
	for (i = 0; i < count; i++) {
		a = egpu_function_address(&functions[i]);
		if (egpu_address_equal(&a, &own))
			assign->f = functions[i];
	}
	if (count >= 0)
		free(functions);
}

static void tell_nodes(const struct assign *assign)
{
	struct egpu_address a = egpu_function_address(&assign->f);
	struct egpu_node *nodes;
	int i, count = egpu_nodes(&a, &nodes);

	for (i = 0; i < count; i++)
		say(assign->ctl, "%s %s", i ? "" : ":", nodes[i].name);
	if (count >= 0)
		free(nodes);
}

static enum exit_code report(const struct assign *assign)
{
	const struct egpu_function *f = &assign->f;

	if (assign->ctl->json) {
		put_int(reply(assign->ctl), "port", assign->port.port);
		put(reply(assign->ctl), "function", function_json(f, true));
	}
	if (!assign->bits) {
		say(assign->ctl, "%s is the host's: %s.\n", assign->address,
		    *f->driver ? f->driver : "no driver wants it");
		return EXIT_DONE;
	}
	say(assign->ctl, "%s is egpu's, for DMA of %u bits", assign->address,
	    f->dma_bits);
	tell_nodes(assign);
	say(assign->ctl, ".\n");
	if (!egpu_translated(f))
		say(assign->ctl, "No IOMMU keeps it off memory: %s.\n",
		    egpu_unsafe_dma() == 1 ? "unsafe_dma is on" :
		    "mapping needs the module parameter unsafe_dma");
	return EXIT_DONE;
}

static enum exit_code assign_function(struct assign *assign)
{
	enum exit_code code;
	bool begun;
	int ret;

	if (nothing_to_do(assign))
		return report(assign);
	code = assign->bits ? check_take(assign) : EXIT_DONE;
	if (code != EXIT_DONE)
		return code;
	catch_interrupt();
	ret = assign_run(assign, &begun);
	look_again(assign);
	if (ret == -EBUSY && begun)
		return taken(assign);
	return ret ? assign_failed(assign, ret) : report(assign);
}

enum exit_code cmd_assign(struct ctl *ctl)
{
	struct assign assign = { .ctl = ctl, .bits = DMA_BITS };
	const char *who = ctl->arg[1];
	enum exit_code code;

	if (strcmp(who, "egpu") && strcmp(who, "host"))
		return fail(ctl, EXIT_USAGE, "egpu or host", NULL,
			    "assign to whom? not to \"%s\"", who);
	if (given(ctl, OPT_DMA_BITS) && !strcmp(who, "host"))
		return fail(ctl, EXIT_USAGE, NULL, NULL,
			    "--dma-bits is for egpu, not for host");
	if (given(ctl, OPT_DMA_BITS) &&
	    !parse_bits(ctl->value[OPT_DMA_BITS], &assign.bits))
		return fail(ctl, EXIT_USAGE, NULL, NULL,
			    "--dma-bits: a number from %u to %u",
			    EGPU_DMA_BITS_MIN, EGPU_DMA_BITS_MAX);
	if (!strcmp(who, "host"))
		assign.bits = 0;
	code = find_function(&assign, ctl->arg[0]);
	return code == EXIT_DONE ? assign_function(&assign) : code;
}
