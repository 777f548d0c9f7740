# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# What a look at one port costs.

# shellcheck source=selftests/bench/lib/bench.sh
. lib/bench.sh

setup() {
	egpu_load
	plug_gpu gpu0
	track rp0
	wait_state rp0 READY
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
