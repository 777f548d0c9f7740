# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# What a look at one port costs.

# shellcheck source=selftests/bench/lib/bench.sh
. lib/bench.sh

setup() {
	bench_gpu
}

teardown() {
	pull gpu0
	egpu_unload
}

prove -t 60 query "the full state of a port with a GPU"
query() {
	pairs query 100 "$(port_addr rp0)"
	record query us 'libpci: sysfs and configuration space' \
		'real pciehp and bochs-drm'
}
