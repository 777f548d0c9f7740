# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# Who holds one GPU among many processes that do not.

# shellcheck source=selftests/bench/lib/bench.sh
. lib/bench.sh

setup() {
	bench_gpu
	egpu_bench crowd 500 200 > "$KTAP_TMP/crowd" &
	wait_for 60 grep -q ready "$KTAP_TMP/crowd"
	hold "$(node "$(gpu rp0)")"
}

teardown() {
	pull gpu0
	egpu_unload
}

prove -t 240 users "one among 500 processes with 200 files each"
users() {
	local nodes=(/dev/dri/*[0-9]) ours peer
	ours=(egpuctl users "$(port_addr rp0)")
	peer=(fuser -v "${nodes[@]}")
	like "$("${ours[@]}")" "$holder .*kill $holder"
	like "$("${peer[@]}" 2>&1)" " $holder "
	pairs exec 10 "${ours[@]}" -- "${peer[@]}"
	record users us 'fuser -v' 'real pciehp and bochs-drm'
	pair "$(syscalls "${ours[@]}")" "$(syscalls "${peer[@]}")"
	record users_syscalls 'system calls' 'fuser -v' \
		'real pciehp and bochs-drm'
}
