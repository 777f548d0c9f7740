// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Which port does a word mean: an id, a name, an address or path of the port
 * or of anything below it, or a node.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"

struct ports {
	struct egpu_port_info *list;
	int count;
};

static const struct egpu_port_info *port_at(const struct ports *ports,
					    const struct egpu_address *address)
{
	int i;

	for (i = 0; i < ports->count; i++) {
		struct egpu_address a = egpu_port_address(&ports->list[i]);

		if (egpu_address_equal(&a, address))
			return &ports->list[i];
	}
	return NULL;
}

/*
 * The port above a device: the innermost tracked one, else the innermost. A
 * device that is not there any more is looked for by its bus number.
 */
static const struct egpu_port_info *port_above(const struct ports *ports,
					       const struct egpu_address *a)
{
	const struct egpu_port_info *port, *found = NULL;
	struct egpu_address chain[32];
	int i, count = egpu_pci_chain(a, chain, 32);

	for (i = count - 1; i >= 0; i--) {
		port = port_at(ports, &chain[i]);
		if (port && (port->flags & EGPU_PORT_TRACKED))
			return port;
		if (port && !found)
			found = port;
	}
	for (i = 0; count < 0 && !found && i < ports->count; i++)
		if (ports->list[i].domain == a->domain && a->bus &&
		    ports->list[i].secondary == a->bus)
			found = &ports->list[i];
	return found;
}

static const struct egpu_port_info *by_address(const struct ports *ports,
					       const struct egpu_address *a)
{
	const struct egpu_port_info *port = port_at(ports, a);

	return port ? port : port_above(ports, a);
}

static const struct egpu_port_info *by_id(const struct ports *ports,
					  const char *word)
{
	char *end;
	unsigned long id = strtoul(word, &end, 10);
	int i;

	if (*end)
		return NULL;
	for (i = 0; i < ports->count; i++)
		if (ports->list[i].port == id)
			return &ports->list[i];
	return NULL;
}

static const struct egpu_port_info *find(const struct ports *ports,
					 const char *word,
					 const struct egpu_alias *alias)
{
	struct egpu_address address;

	if (*word && strspn(word, "0123456789") == strlen(word))
		return by_id(ports, word);
	for (; alias && alias->name; alias++)
		if (!strcmp(alias->name, word))
			return egpu_pci_find(alias->path, &address) ? NULL :
			       port_at(ports, &address);
	if (egpu_address_parse(word, &address))
		return by_address(ports, &address);
	if (*word != '/' && strchr(word, '/') && !egpu_pci_find(word, &address))
		return by_address(ports, &address);
	if (!egpu_device_address(word, &address))
		return by_address(ports, &address);
	return NULL;
}

int egpu_resolve(struct egpu *egpu, const char *word,
		 const struct egpu_alias *aliases, struct egpu_port_info *info)
{
	const struct egpu_port_info *port;
	struct ports ports;

	ports.count = egpu_ports(egpu, true, &ports.list);
	if (ports.count < 0)
		return ports.count;
	port = find(&ports, word, aliases);
	if (port)
		*info = *port;
	free(ports.list);
	return port ? 0 : -ENOENT;
}
