# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# For the tests about room on the simulated fabric.

# shellcheck source=selftests/lib/sim.sh
. "$LIB/sim.sh"
# shellcheck source=selftests/space/lib/space.sh
. lib/space.sh

# shellcheck disable=SC2034 # for the tests
SPACE=/sys/module/egpu/parameters/space

load() {
	sim_load
	[ -e /sys/module/egpu ] || modprobe egpu
	wait_for 5 test -c /dev/egpu
}

# eg VERB PORT …: egpu_client; get PORT KEY: of its info
eg() {
	egpu_client "$1" "$(sim_addr "$2")" "${@:3}"
}

get() {
	eg info "$1" | sed -n "s/^$2=//p"
}

# await PORT STATE[/REASON],… [SECONDS]
await() {
	local said
	said=$(eg wait "$1" "$2" $((${3:-10} * 1000 * ${VM_SLOW:-1}))) ||
		fail "$1: $said; step $(get "$1" step)"
}

# known PORT: egpu has an object for it
known() {
	[ -n "$(sim_addr "$1")" ] && eg info "$1"
}

# result REGEX CMD…: what egpu_client says about a transaction's end
result() {
	local want=$1
	shift
	out=$("$@" 2>&1) || :
	like "$out" "$want" "$*"
}

# tell TEXT: into the log of a test that passes, too
tell() {
	echo "# $*" > /dev/ttyS1
}

# closed_box: an enclosure whose windows the kernel sizes, since firmware left
# them closed
closed_box() {
	sim_fabric f prefetch_spare=4G mem_spare=64M
	sim_port f/p external_facing=1 mem_window=0 prefetch_window=0
	sim_switch f/p/sw 2 mem_window=0 prefetch_window=0
	sim_set f/p/sw present=1
	sim_gpu f/p/sw/port0/gpu 'bar0=256M 64 prefetch'
	sim_live f
	wait_for 10 known f/p/sw/port0
}
