# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# Room for BARs on the simulated fabric: an enclosure (f/p, a switch with two or
# more slots) whose windows are too small for what is plugged into it.

# shellcheck source=selftests/space/lib/fit.sh
. lib/fit.sh
# shellcheck source=selftests/space/lib/ea.sh
. lib/ea.sh

A=f/p/sw/port0
B=f/p/sw/port1

setup() {
	load
}

teardown() {
	echo Y > "$SPACE"
	sim_clear
}

# box SPARE [PORTS]: an enclosure whose slots have 16M each, and so much is free
# at the root; another root port with a GPU in use
box() {
	local i
	sim_fabric f prefetch_spare="$1" mem_spare=64M
	sim_port f/p external_facing=1 mem_window=1M prefetch_window=16M
	sim_switch f/p/sw "${2:-2}" mem_window=1M prefetch_window=16M
	sim_set f/p/sw present=1
	sim_port f/q external_facing=1 prefetch_window=32M
	sim_gpu f/q/gpu 'bar0=16M 64 prefetch' present=1
	for ((i = 0; i < ${2:-2}; i++)); do
		sim_gpu "f/p/sw/port$i/gpu" 'bar0=256M 64 prefetch'
	done
	sim_live f
	wait_for 10 known $A
	eg quarantine $A 0 0
	await f/q READY
	wait_for 5 sim_bound f/q/gpu
}

addresses() {
	local p
	for p; do sim_addr "$p"; done
}

# others: what must not change
others() {
	addresses f/q f/q/gpu
}

prove fits "no window on the way is large enough: they grow up to the root port"
fits() {
	box 1G
	mapfile -t keep < <(others)
	layout "${keep[@]}" > "$KTAP_TMP/before"
	sim_plug $A/gpu
	await $A READY
	in_windows "$(sim_addr $A/gpu)" 0
	in_windows "$(sim_addr $A/gpu)" 2
	same "$KTAP_TMP/before" "${keep[@]}"
}

prove off "space=0: it stays HELD and says bar; attach with space=1 makes room"
off() {
	echo N > "$SPACE"
	box 1G
	sim_put $A/gpu
	await $A HELD/check-failed
	is "$(get $A failed_checks)" 2
	echo Y > "$SPACE"
	result "^OK READY" eg attach $A
	in_windows "$(sim_addr $A/gpu)" 0
}

prove closed "firmware left all windows closed: the kernel's are too small, egpu's are not"
closed() {
	echo N > "$SPACE"
	closed_box
	sim_put $A/gpu
	await $A HELD/check-failed
	echo Y > "$SPACE"
	result "^OK READY" eg attach $A
	in_windows "$(sim_addr $A/gpu)" 0
}

prove no_room "no room, not even at the root: HELD, bar; the neighbours are untouched, also by the next arrival"
no_room() {
	local i
	box 0
	mapfile -t keep < <(others; addresses f/p f/p/sw $B)
	layout "${keep[@]}" > "$KTAP_TMP/before"
	for i in 1 2 3; do
		dmesg_mark
		sim_put $A/gpu
		await $A HELD/check-failed
		is "$(get $A failed_checks)" 2
		is "$(sim_driver $A/gpu)" egpu
		sim_said "egpu: no room for the BARs below"
		same "$KTAP_TMP/before" "${keep[@]}"
		layout "$(sim_addr $A/gpu)" > "$KTAP_TMP/gpu"
		result "^EIO HELD check-failed" eg attach $A
		same "$KTAP_TMP/gpu" "$(sim_addr $A/gpu)"
		sim_yank $A/gpu
		await $A EMPTY
	done
	is "$(get f/q state) $(sim_driver f/q/gpu)" "READY egpu_sim_drm"
}

prove in_use "a GPU in use at the same switch does not move, also not by the next arrival; when it is out, there is room"
in_use() {
	local i
	box 1G
	sim_set $B/gpu 'bar0=8M 64 prefetch'
	sim_plug $B/gpu
	await $B READY
	mapfile -t keep < <(others; addresses f/p f/p/sw $B $B/gpu)
	layout "${keep[@]}" > "$KTAP_TMP/before"
	for i in 1 2 3; do
		dmesg_mark
		sim_put $A/gpu
		await $A HELD/check-failed
		sim_said "no room .* unless $(sim_addr $B/gpu) moves"
		same "$KTAP_TMP/before" "${keep[@]}"
		[ "$i" = 3 ] || sim_yank $A/gpu
		[ "$i" = 3 ] || await $A EMPTY
	done
	bound_b=$(sim_driver $B/gpu)
	is "$bound_b" egpu_sim_drm
	sim_yank $B/gpu
	await $B EMPTY
	result "^OK READY" eg attach $A
	in_windows "$(sim_addr $A/gpu)" 0
}

prove -t 60 many "eight slots of one enclosure get a GPU of 256 MiB each, at once"
many() {
	local i
	box 8G 8
	for ((i = 0; i < 8; i++)); do
		eg policy "f/p/sw/port$i" manual
		sim_put "f/p/sw/port$i/gpu"
	done
	for ((i = 0; i < 8; i++)); do
		await "f/p/sw/port$i" HELD/manual,HELD/check-failed 20
	done
	for ((i = 0; i < 8; i++)); do
		result "^OK READY" eg attach "f/p/sw/port$i"
		in_windows "$(sim_addr "f/p/sw/port$i/gpu")" 0
	done
}

prove functions "four functions, with BARs of every kind, behind one more switch"
functions() {
	sim_fabric f prefetch_spare=4G mem_spare=256M
	sim_port f/p external_facing=1 mem_window=1M prefetch_window=16M buses=16
	sim_switch f/p/sw 1 mem_window=1M prefetch_window=16M buses=8
	sim_set f/p/sw present=1
	sim_switch $A/card 1 hotplug=none
	sim_gpu $A/card/port0/gpu 'bar0=1G 64 prefetch' bar2=32M 'bar3=4M prefetch' present=1
	sim_gpu $A/card/port0/gpu/function1 preset=plain bar0=16K 'bar2=64M 64 prefetch'
	sim_gpu $A/card/port0/gpu/function2 preset=plain 'bar0=8M 64'
	sim_live f
	sim_put $A/card
	await $A READY
	wait_for 10 sim_bound $A/card/port0/gpu
	for i in 0 2 3; do in_windows "$(sim_addr $A/card/port0/gpu)" $i; done
	for i in 0 2; do
		in_windows "$(sim_addr $A/card/port0/gpu/function1)" $i
	done
	in_windows "$(sim_addr $A/card/port0/gpu/function2)" 0
}

prove mismatch "a BAR whose register was changed behind the kernel's back gets its address again"
mismatch() {
	local was
	box 1G
	eg policy $A manual
	sim_put $A/gpu
	await $A HELD/manual
	was=$(bar "$(sim_addr $A/gpu)" 0)
	sim_set $A/gpu poke='0x10 4 0xd000000c'
	result "^OK READY" eg attach $A
	in_windows "$(sim_addr $A/gpu)" 0
	is "$(bar "$(sim_addr $A/gpu)" 0)" "$was"
	is "$((0x$(sim_reg $A/gpu BASE_ADDRESS_0) & ~15))" \
		"$((${was%% *} & 0xffffffff))"
}

prove spread "an empty neighbour that was given most of the room gives it back"
spread() {
	sim_fabric f mem_spare=64M
	sim_port f/p external_facing=1 mem_window=4M prefetch_window=528M
	sim_switch f/p/sw 2 mem_window=1M prefetch_window=16M
	sim_set $A prefetch_window=512M
	sim_set f/p/sw present=1
	sim_gpu $B/gpu 'bar0=512M 64 prefetch'
	sim_live f
	wait_for 10 known $B
	layout "$(sim_addr f/p)" "$(sim_addr f/p/sw)" > "$KTAP_TMP/before"
	is "$(window $A)" $((512 << 20))
	dmesg_mark
	sim_plug $B/gpu
	await $B READY
	sim_said "made room"
	in_windows "$(sim_addr $B/gpu)" 0
	is "$(window $A)" $((1 << 20))
	same "$KTAP_TMP/before" "$(sim_addr f/p)" "$(sim_addr f/p/sw)"
}

# ea_gpu START SIZE: the GPU at A is put in again, its BAR fixed there
ea_gpu() {
	sim_yank $A/gpu
	await $A EMPTY
	ea_fixed $A/gpu "$1" "$2" "$dump"
	dmesg_mark
	sim_put $A/gpu
}

# window PORT: size of its prefetchable window, as its registers say
window() {
	local addr pref
	addr=$(sim_addr "$1")
	pref=0x$(setpci -s "$addr" PREF_MEMORY_BASE.l)
	echo $(((0x$(setpci -s "$addr" 2c.l) - 0x$(setpci -s "$addr" 28.l) << 32) +
		(pref & 0xfff00000) + (1 << 20) - ((pref & 0xfff0) << 16)))
}

prove fixed "a BAR of Enhanced Allocation that lies outside all windows: HELD, nothing breaks"
fixed() {
	local dump
	box 1G
	sim_set $A/gpu bar0=0 bar2=0
	eg policy $A manual
	sim_put $A/gpu
	await $A HELD/manual
	dump=$(sim_get $A/gpu config)
	ea_gpu 0xf0000000 $((16 << 20))
	await $A HELD/check-failed
	is "$(get $A failed_checks)" 2
	sim_said "no room .* unless $(sim_addr $A/gpu) moves"
	like "$(bar "$(sim_addr $A/gpu)" 0)" "^$((0xf0000000)) $((16 << 20)) "
	# Where it can be reached it is right, though it has no register.
	ea_gpu "$((0x$(setpci -s "$(sim_addr $A)" MEMORY_BASE.w) << 16))" $((1 << 20))
	await $A HELD/manual
	is "$(get $A failed_checks)" 0
}

prove nonsense "BARs that make no sense: HELD or READY, nothing breaks, neighbours are untouched"
nonsense() {
	local mask
	box 64M
	mapfile -t keep < <(others)
	layout "${keep[@]}" > "$KTAP_TMP/before"
	for mask in 0x10101010 0xfffffff7 0x80000000 0xf00ff00f 0x7fffffff; do
		sim_set $A/gpu preset=gpu "bar0=raw $mask" bar2=0 bar4="raw $mask"
		sim_put $A/gpu
		await $A HELD/check-failed,READY
		same "$KTAP_TMP/before" "${keep[@]}"
		sim_yank $A/gpu
		await $A EMPTY
	done
	sim_set $A/gpu preset=gpu bar2=0 'bar0=16T 64 prefetch'
	sim_put $A/gpu
	await $A HELD/check-failed
	sim_yank $A/gpu
	await $A EMPTY
	is "$(get f/q state)" READY
	# And one that makes sense again.
	sim_set $A/gpu preset=gpu bar2=0 'bar0=32M 64 prefetch'
	sim_plug $A/gpu
	await $A READY
}

# points KIND: how many accesses an attach makes that has to make room, and
# something happens at some of them
points() {
	local n at
	unfit
	sim_set $A/fault kind="$1" at=0 scope=all armed=1
	result "^OK READY" eg attach $A
	n=$(sim_get $A/fault seen)
	tell "$n accesses"
	[ "$n" -gt 20 ]
	for at in 2 5 $((n / 8)) $((n / 4)) $((n / 3)) $((n / 2)) \
		$((n * 2 / 3)) $((n * 5 / 6)); do
		unfit
		layout "$(sim_addr f/q)" "$(sim_addr f/q/gpu)" \
			> "$KTAP_TMP/before"
		sim_set $A/fault kind="$1" at="$at" count=1 scope=all armed=1
		eg attach $A > /dev/null || :
		sim_set $A/fault armed=0
		"after_$1" "$at"
		same "$KTAP_TMP/before" "$(sim_addr f/q)" "$(sim_addr f/q/gpu)"
	done
}

# unfit: a fabric with a GPU that is held, since it found no room
unfit() {
	sim_clear
	echo N > "$SPACE"
	box 1G
	sim_put $A/gpu
	await $A HELD/check-failed
	echo Y > "$SPACE"
}

after_ones() {
	await $A READY,HELD,FAULT
	[ "$(get $A state)" = READY ] || result "^OK READY" eg attach $A
	in_windows "$(sim_addr $A/gpu)" 0
}

after_yank() {
	await $A EMPTY 20
	sim_plug $A/gpu
	await $A READY
	in_windows "$(sim_addr $A/gpu)" 0
}

prove -t 120 ones "all ones at points of making room: the next attach fits"
ones() {
	points ones
}

prove -t 120 yank "pulled at points of making room: EMPTY, and the next plug fits"
yank() {
	points yank
}
