# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# The machine sleeps: what is in a soft slot afterwards.

# shellcheck source=selftests/soft/lib/soft.sh
. lib/soft.sh

setup() {
	load
	grep -q platform /sys/power/pm_test || skip "no pm_test in this kernel"
}

teardown() {
	echo none > /sys/power/pm_test
	clear
}

# asleep WORD: suspended; meanwhile in the slot: nothing, other, same
asleep() {
	[ "$1" = nothing-in ] || sim_set f/p/gpu sleep "$1"
	echo 0 > /sys/module/suspend/parameters/pm_test_delay
	echo platform > /sys/power/pm_test
	echo freeze > /sys/power/state
	echo none > /sys/power/pm_test
}

prove -t 60 same "left alone: READY, and nothing was lost"
same() {
	local generation
	ready_one
	generation=$(get f/p generation)
	asleep same
	intervals 6
	await f/p READY
	is "$(counted f/p) $(get f/p generation)" "0 0 $generation"
	sim_bound f/p/gpu
}

prove -t 60 pulled "pulled meanwhile: a loss"
pulled() {
	ready_one
	asleep nothing
	await f/p EMPTY/link-down
	is "$(counted f/p)" "1 0"
	again f/p
}

prove -t 60 other "another card: a new arrival, not the old"
other() {
	local generation
	ready_one
	sim_gpu f/p/other preset=accelerator serial=1
	generation=$(get f/p generation)
	asleep other
	wait_for 10 newer "$generation"
	await f/p READY
	wait_for 5 sim_bound f/p/other
	is "$(sim_value f/p/other pci:device)" 0xe601
}

newer() {
	[ "$(get f/p generation)" -gt "$1" ]
}

prove -t 60 detached "detached: stays so"
detached() {
	ready_one
	result "^OK DETACHED" eg detach f/p
	asleep nothing-in
	intervals 6
	is "$(get f/p state) $(disabled f/p)" "DETACHED 16"
	result "^OK READY" eg attach f/p
}

prove -t 60 empty "empty: what is plugged afterwards is found"
empty() {
	one
	asleep nothing-in
	again f/p
}
