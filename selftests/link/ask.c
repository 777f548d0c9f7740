// SPDX-License-Identifier: GPL-2.0
/*
 * egpu_ask COUNT ADDRESS...: LINK_INFO with both ends, COUNT times for each
 * port, as quickly as it goes: a guest starts few programs a second. Prints
 * how many links the last answer of each port had.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../tools/lib/egpu.h"

static void die(const char *what, int error)
{
	fprintf(stderr, "egpu_ask: %s: %s\n", what, strerror(-error));
	exit(1);
}

int main(int argc, char **argv)
{
	long i, count = argc > 1 ? atol(argv[1]) : 0;
	struct egpu_port_info info;
	struct egpu_hop *hops;
	struct egpu *egpu;
	int p, ret;

	ret = egpu_open(&egpu);
	if (ret)
		die("open", ret);
	for (p = 2; p < argc; p++) {
		ret = egpu_resolve(egpu, argv[p], NULL, &info);
		if (ret)
			die(argv[p], ret);
		for (i = 0; i < count; i++) {
			ret = egpu_hops(egpu, info.port, true, &hops);
			if (ret < 0)
				die(argv[p], ret);
			free(hops);
		}
		printf("%d\n", ret);
	}
	egpu_close(egpu);
	return 0;
}
