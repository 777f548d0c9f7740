// SPDX-License-Identifier: GPL-2.0
/*
 * dma: which memory each function below a port may reach, who gave it that, and
 * what takes it away.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "dma.h"

#define MAX_EXPORTERS	8

/**
 * struct ledger - what is known of one function's memory besides its own struct
 * @users: of its DRM node, when it is managed
 * @nr_users: how many
 * @hidden: there may be others
 * @bufs: dma-bufs that are attached to it
 * @nr_bufs: how many, < 0: the kernel does not tell
 */
struct ledger {
	struct egpu_dma_user *users;
	int nr_users;
	bool hidden;
	struct egpu_dmabuf *bufs;
	int nr_bufs;
};

static void ledger_get(const struct egpu_function *f, struct ledger *ledger)
{
	struct egpu_address address = egpu_function_address(f);

	memset(ledger, 0, sizeof(*ledger));
	if (f->dma_flags & EGPU_DMA_MANAGED)
		ledger->nr_users = egpu_dma_users(&address, &ledger->users,
						  &ledger->hidden);
	if (ledger->nr_users < 0) {
		ledger->nr_users = 0;
		ledger->hidden = true;
	}
	ledger->nr_bufs = egpu_dmabufs(&address, &ledger->bufs);
}

static void ledger_free(struct ledger *ledger)
{
	free(ledger->users);
	free(ledger->bufs);
}

static struct json_object *users_json(const struct ledger *ledger)
{
	struct json_object *array = json_object_new_array();
	int i;

	for (i = 0; i < ledger->nr_users; i++) {
		const struct egpu_dma_user *user = &ledger->users[i];
		struct json_object *o = json_object_new_object();

		put_int(o, "pid", user->pid);
		put_int(o, "uid", user->uid);
		put_text(o, "comm", user->comm);
		put_int(o, "bo_bytes", (int64_t)user->bytes);
		put_int(o, "mapped_bytes", (int64_t)user->mapped_bytes);
		put_int(o, "mapped_segments", (int64_t)user->segments);
		put(o, "container", container_json(&user->place));
		put_text(o, "unit", *user->place.unit ? user->place.unit :
							NULL);
		json_object_array_add(array, o);
	}
	return array;
}

static struct json_object *bufs_json(const struct ledger *ledger)
{
	struct json_object *array, *o;
	int i;

	if (ledger->nr_bufs < 0)
		return NULL;
	array = json_object_new_array();
	for (i = 0; i < ledger->nr_bufs; i++) {
		const struct egpu_dmabuf *buf = &ledger->bufs[i];

		o = json_object_new_object();
		put_int(o, "inode", (int64_t)buf->inode);
		put_int(o, "bytes", (int64_t)buf->bytes);
		put_text(o, "exporter", buf->exporter);
		put_text(o, "name", *buf->name ? buf->name : NULL);
		json_object_array_add(array, o);
	}
	return array;
}

static struct json_object *one_json(const struct egpu_function *f)
{
	struct json_object *o = function_json(f, true);
	struct ledger ledger;
	char text[320];

	ledger_get(f, &ledger);
	put(o, "processes", users_json(&ledger));
	put_bool(o, "processes_hidden", ledger.hidden);
	put(o, "dma_bufs", bufs_json(&ledger));
	dma_safety(f, text, sizeof(text));
	put_text(o, "safety", text);
	dma_speed(f, text, sizeof(text));
	put_text(o, "speed", text);
	ledger_free(&ledger);
	return o;
}

static void print_head(const struct ctl *ctl, const struct egpu_function *f)
{
	struct egpu_address a = egpu_function_address(f);
	char address[EGPU_ADDRESS_LEN], name[128];
	struct egpu_node *nodes;
	int i, count = egpu_nodes(&a, &nodes);

	device_name(f->vendor, f->device, false, name, sizeof(name));
	printf("%s%s%s %s, %s", paint(ctl, BOLD),
	       egpu_address_format(&a, address), paint(ctl, PLAIN), name,
	       f->dma_flags & EGPU_DMA_MANAGED ? "given to egpu" :
	       f->flags & EGPU_FUNCTION_HELD ? "held" :
	       *f->driver ? f->driver : "no driver");
	for (i = 0; i < count; i++)
		printf("%s%s", i ? " " : ", ", nodes[i].name);
	if (count >= 0)
		free(nodes);
	putchar('\n');
}

/* "8.0 MiB, 4.0 MiB mapped in 3 segments" */
static void amount_text(uint64_t bytes, uint64_t mapped, uint64_t segments,
			char *buf, size_t size)
{
	char all[16], part[16];

	if (!bytes)
		snprintf(buf, size, "none");
	else if (!mapped)
		snprintf(buf, size, "%s, not mapped", size_text(bytes, all));
	else
		snprintf(buf, size, "%s, %s mapped in %llu segment%s",
			 size_text(bytes, all), size_text(mapped, part),
			 (unsigned long long)segments,
			 segments == 1 ? "" : "s");
}

static void print_memory(const struct egpu_function *f,
			 const struct ledger *ledger)
{
	char text[96];
	int i;

	amount_text(f->bo_bytes, f->mapped_bytes, f->mapped_segments, text,
		    sizeof(text));
	printf("  Memory   %s\n", text);
	for (i = 0; i < ledger->nr_users; i++) {
		const struct egpu_dma_user *user = &ledger->users[i];

		amount_text(user->bytes, user->mapped_bytes, user->segments,
			    text, sizeof(text));
		printf("           %u %s: %s\n", user->pid, user->comm, text);
	}
	if (ledger->hidden)
		puts("           (other users' processes: sudo)");
}

/* How much of it is whose: several have one exporter. */
static void print_bufs(const struct ledger *ledger)
{
	uint64_t bytes[MAX_EXPORTERS] = { 0 }, total = 0;
	const char *exporter[MAX_EXPORTERS];
	int i, k, count = 0;
	char size[16];

	for (i = 0; i < ledger->nr_bufs; i++) {
		const struct egpu_dmabuf *buf = &ledger->bufs[i];

		for (k = 0; k < count; k++)
			if (!strcmp(exporter[k], buf->exporter))
				break;
		if (k == count && count < MAX_EXPORTERS)
			exporter[count++] = buf->exporter;
		if (k < MAX_EXPORTERS)
			bytes[k] += buf->bytes;
		total += buf->bytes;
	}
	printf("  dma-bufs %d attached, %s:", ledger->nr_bufs,
	       size_text(total, size));
	for (k = 0; k < count; k++)
		printf("%s %s of %s", k ? "," : "", size_text(bytes[k], size),
		       exporter[k]);
	putchar('\n');
}

static void print_function(const struct ctl *ctl,
			   const struct egpu_function *f)
{
	const char *revoked = dma_revoked_text(f);
	struct ledger ledger;
	char text[320];

	ledger_get(f, &ledger);
	print_head(ctl, f);
	dma_iommu_text(f, text, sizeof(text));
	printf("  IOMMU    %s\n", text);
	dma_width_text(f, text, sizeof(text));
	printf("  DMA      %s\n", text);
	if (f->dma_flags & EGPU_DMA_MANAGED)
		print_memory(f, &ledger);
	if (ledger.nr_bufs > 0)
		print_bufs(&ledger);
	if (revoked)
		printf("  Revoked  %s\n", revoked);
	dma_safety(f, text, sizeof(text));
	printf("  Safety   %s\n", text);
	dma_speed(f, text, sizeof(text));
	printf("  Speed    %s\n", text);
	ledger_free(&ledger);
}

static void print_all(const struct ctl *ctl, const struct view *view)
{
	int unsafe = egpu_unsafe_dma(), i;

	for (i = 0; i < view->nr_functions; i++)
		print_function(ctl, &view->functions[i]);
	if (!view->nr_functions)
		printf("Nothing is below port %s.\n", view_label(view));
	else if (unsafe == 1)
		puts("unsafe_dma is on: egpu maps memory also where no IOMMU translates.");
}

static void reply_all(struct ctl *ctl, const struct view *view)
{
	struct json_object *array = json_object_new_array();
	int unsafe = egpu_unsafe_dma(), i;

	for (i = 0; i < view->nr_functions; i++)
		json_object_array_add(array, one_json(&view->functions[i]));
	put_int(reply(ctl), "port", view->info.port);
	put(reply(ctl), "unsafe_dma", unsafe < 0 ? NULL :
	    json_object_new_boolean(unsafe));
	put(reply(ctl), "functions", array);
}

enum exit_code cmd_dma(struct ctl *ctl)
{
	struct egpu_port_info info;
	enum exit_code code = find_port(ctl, ctl->arg[0], true, &info);
	struct view view;

	if (code != EXIT_DONE)
		return code;
	if (!(info.flags & EGPU_PORT_TRACKED))
		return fail_errno(ctl, -EOPNOTSUPP, "dma", &info);
	if (!egpu_has(ctl->egpu, EGPU_CMD_FUNCTION_MANAGE))
		return fail(ctl, EXIT_UNSUPPORTED, "egpuctl version", &info,
			    "the module is older than dma");
	view_get(ctl, &info, 0, &view);
	if (ctl->json)
		reply_all(ctl, &view);
	else
		print_all(ctl, &view);
	view_free(&view);
	return EXIT_DONE;
}
