# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# LINK_SET: what it does to a link, what it refuses, and what becomes of the GPU.

# shellcheck source=selftests/link/lib/set.sh
. lib/set.sh

setup() {
	load
}

teardown() {
	users_gone
	sound
	sim_clear
}

users_gone() {
	pkill -KILL -x sleep || :
}

# Times as the specification has them: a link that goes down is down for a while.
SPEC="detect_ms=12 polling_ms=24 configuration_ms=24 speed_change_ms=48
	recovery_ms=24"

# --- it works ---

# Port, GPU, speed in tenths that comes of it.
PAIRS="16 32 160
32 8 80
64 64 640
128 128 1280
5 16 50
2.5 8 25
32 64 320"

prove -t 60 best "from 2.5 GT/s to the best that both ends can do, for several pairs"
best() {
	local i=0 a b speed
	sim_fabric f
	while read -r a b _; do
		# shellcheck disable=SC2086 # words
		sim_port "f/p$i" $FAST max_speed="$a" prefetch_window=1M
		sim_gpu "f/p$i/d" bar0=0 max_speed="$b"
		i=$((i + 1))
	done <<< "$PAIRS"
	sim_live f
	i=0
	while read -r _ _ speed; do
		es "f/p$i" config manual
		limited "f/p$i" 1
		sim_put "f/p$i/d"
		await "f/p$i" HELD/manual
		sim_expect "f/p$i" link "L0 2.5 GT/s x4"
		result "OK none" "f/p$i" speed=0 retrain
		like "$out" "link 25>$speed x4 0"
		sim_expect "f/p$i" link "L0 $((speed / 10)).* GT/s x4"
		stat downs 0 "f/p$i"
		stat retrains 1 "f/p$i"
		i=$((i + 1))
	done <<< "$PAIRS"
}

prove up_and_down "each speed, down and up again; a speed that it has costs nothing"
up_and_down() {
	local speed gts last=160
	held_one
	while read -r speed gts; do
		result "OK none" f/p speed="$speed"
		like "$out" "link $last>$speed x4 0"
		like "$out" "now HELD manual"
		sim_expect f/p link "L0 $gts GT/s x4"
		is "$(get f/p limit)" "$speed 0000:0000"
		last=$speed
	done <<< "25 2.5
		50 5.0
		80 8.0
		160 16.0
		80 8.0"
	stat retrains 5
	result "OK none" f/p speed=80
	stat retrains 5
	result "OK none" f/p speed=80 retrain
	stat retrains 6
	result "OK none" f/p speed=0
	sim_expect f/p link "L0 16.0 GT/s x4"
	stat downs 0
	stat resets 0
	egpu_client attach "$(sim_addr f/p)"
	await f/p READY
}

prove spec_times "with the times of the specification it takes no longer than these"
spec_times() {
	# shellcheck disable=SC2086 # words
	held_one $SPEC
	result "OK none" f/p speed=25
	quick "$(took)" 500
	result "OK none" f/p speed=0
	quick "$(took)" 500
	sim_expect f/p link "L0 16.0 GT/s x4"
}

prove busy_link "while Link Training is set it waits, and then retrains"
busy_link() {
	held_one recovery_ms=500
	sim_set f/p/gpu autonomous_speed 2.5
	runs f/p
	result "OK none" f/p retrain
	[ "$(took)" -ge 400 ]
	stat retrains 1
	sim_expect f/p link "L0 16.0 GT/s x4"
	sim_reg f/p CAP_EXP+12.w=8000
}

prove others_target "a retrain alone does not exceed the target that others set; a speed does"
others_target() {
	slot
	es f/p config manual
	limited f/p 2
	sim_put f/p/gpu
	await f/p HELD/manual
	result "OK none" f/p retrain
	sim_expect f/p link "L0 5.0 GT/s x4"
	result "OK none" f/p speed=160
	sim_expect f/p link "L0 16.0 GT/s x4"
}

prove aspm "ASPM and common clock stay as they were"
aspm() {
	held_one
	sim_reg f/p CAP_EXP+10.w=43:43
	sim_reg f/p/gpu CAP_EXP+10.w=43:43
	result "OK none" f/p speed=80
	is $((0x$(sim_reg f/p CAP_EXP+10.w) & 0x43)) $((0x43))
	is $((0x$(sim_reg f/p/gpu CAP_EXP+10.w) & 0x43)) $((0x43))
	sim_expect f/p link "L0 8.0 GT/s x4"
}

prove fixed "Hardware Autonomous Speed Disable, set and cleared at both ends"
fixed() {
	held_one
	result "OK none" f/p fixed
	is "$(hasd f/p)$(hasd f/p/gpu)" 11
	exits 1 sim_set f/p/gpu autonomous_speed 5
	stat retrains 0
	result "OK none" f/p speed=80 autonomous
	is "$(hasd f/p)$(hasd f/p/gpu)" 00
	sim_expect f/p link "L0 8.0 GT/s x4"
	sim_set f/p/gpu autonomous_speed 5
	sim_expect f/p link "L0 5.0 GT/s x4"
}

# --- what does not work ---

prove unreached "a speed that does not come up: the old one, in HELD, EIO, within two seconds"
unreached() {
	# shellcheck disable=SC2086 # words
	held_one $SPEC
	result "OK none" f/p speed=80
	# So bad that neither way gets there.
	sim_set f/p/gpu ber "16 1e-6"
	result "EIO link-speed" f/p speed=160
	like "$out" "link 80>80 x4 EIO.*step link-reset.*link 80>80 x4 EIO"
	like "$out" "now HELD manual"
	quick "$(took)" 3000
	is "$(target f/p)" 3
	is "$(get f/p limit)" "80 0000:0000"
	is "$(get f/p losses)" 0
	sim_added f/p/gpu
	sim_set f/p/gpu ber "16 0"
	egpu_client attach "$(sim_addr f/p)"
	await f/p READY
	sim_bound f/p/gpu
	sim_expect f/p link "L0 8.0 GT/s x4"
}

prove slower "what comes up is slower still: trained back to what it was"
slower() {
	held_one
	result "OK none" f/p speed=80
	sim_set f/p/gpu ber "16 1e-6"
	sim_set f/p/gpu unrecoverable_above 5
	sim_set f/p/gpu detect_speed 2.5
	result "EIO link-speed" f/p speed=160
	like "$out" "step link-reset.*link 80>25 x4 EIO.*step link-restore"
	like "$out" "now HELD manual"
	is "$(target f/p)" 3
	sim_set f/p/gpu unrecoverable_above none
	sim_set f/p/gpu ber "16 0"
	result "OK none" f/p retrain
	sim_expect f/p link "L0 8.0 GT/s x4"
}

prove by_reset "a speed that Recovery does not reach: by a reset of the bus, and the GPU is whole"
by_reset() {
	local bar
	held_one
	result "OK none" f/p speed=80
	bar=$(sim_reg f/p/gpu BASE_ADDRESS_0)
	sim_set f/p/gpu unrecoverable_above 8
	result "OK none" f/p speed=160
	like "$out" "link 80>80 x4 EIO.*step link-reset.*link 80>160 x4 0"
	stat resets 1
	is "$(sim_reg f/p/gpu BASE_ADDRESS_0)" "$bar"
	is "$(get f/p losses)" 0
	egpu_client attach "$(sim_addr f/p)"
	await f/p READY
	sim_bound f/p/gpu
}

prove timeout "training that does not end: ETIMEDOUT in about a second, and it is still there"
timeout() {
	held_one recovery_ms=1800
	result "ETIMEDOUT" f/p retrain
	[ "$(took)" -ge 900 ]
	quick "$(took)" 1700
	like "$out" "now HELD manual"
	sim_expect f/p link "L0 16.0 GT/s x4"
	# Of training that ended when nobody waited for it any more.
	sim_reg f/p CAP_EXP+12.w=4000
	sim_set f/p recovery_ms 0
	result "OK none" f/p retrain
}

prove drops "a link that drops: LOST(link-set), and what comes back is held"
drops() {
	# shellcheck disable=SC2086 # words
	held_one $SPEC
	sim_set f/p/gpu recovery_failures 1
	listen f/p
	result "ENODEV link-set" f/p retrain
	heard "state [A-Z]*>LOST link-set"
	await f/p HELD/manual
	is "$(get f/p losses) $(get f/p removals) $(get f/p arrivals)" "1 0 2"
	egpu_client attach "$(sim_addr f/p)"
	await f/p READY
	stat ups 2
}

prove dies "a link that dies: LOST(link-set), then EMPTY; mended, it attaches again"
dies() {
	# shellcheck disable=SC2086 # words
	held_one $SPEC
	sim_set f/p/gpu recovery_failures=1 dead_lanes=1
	listen f/p
	result "ENODEV link-set" f/p retrain
	heard "state [A-Z]*>LOST link-set"
	await f/p EMPTY
	sim_yank f/p/gpu
	sim_set f/p/gpu dead_lanes 0
	es f/p config auto
	sim_plug f/p/gpu
	await f/p READY
	sim_expect f/p link "L0 16.0 GT/s x4"
}

# --- with a driver ---

prove live "LIVE: under its driver, which does not notice"
live() {
	ready_one
	dmesg_mark
	result "OK none" f/p speed=80 live
	like "$out" "state READY>TRAINING.*link 160>80 x4 0.*now READY"
	sim_expect f/p link "L0 8.0 GT/s x4"
	result "OK none" f/p speed=0 live
	sim_expect f/p link "L0 16.0 GT/s x4"
	sim_bound f/p/gpu
	is "$(get f/p arrivals)" 1
	stat retrains 2
	stat downs 0
	sim_unsaid 'egpu_sim_drm|Link Down'
}

prove live_unreached "LIVE: a speed that Recovery does not reach is not tried by a reset"
live_unreached() {
	ready_one
	result "OK none" f/p speed=80 live
	sim_set f/p/gpu unrecoverable_above 8
	result "EIO link-speed" f/p speed=160 live
	like "$out" "now READY"
	stat resets 0
	is "$(target f/p)" 3
	sim_bound f/p/gpu
}

prove live_drops "LIVE: a link that drops is LOST(link-set), and attached again by itself"
live_drops() {
	# shellcheck disable=SC2086 # words
	ready_one $SPEC
	sim_set f/p/gpu recovery_failures 1
	listen f/p
	result "ENODEV link-set" f/p retrain live
	heard "state [A-Z]*>LOST link-set"
	await f/p READY
	wait_for 5 sim_bound f/p/gpu
	is "$(get f/p losses) $(get f/p removals) $(get f/p arrivals)" "1 0 2"
	stat downs 1
}

prove not_live "READY without LIVE: EBUSY, and nothing is written"
not_live() {
	local writes
	ready_one
	rested
	writes=$(sim_stat f/p writes)
	refused EBUSY f/p retrain
	refused EBUSY f/p speed=80
	refused EBUSY f/p fixed
	stat writes "$writes"
	stat retrains 0
	is "$(get f/p limit)" "0 0000:0000"
}

prove holds "DETACH that holds: HELD, unbound; trained without LIVE; ATTACH brings it back"
holds() {
	local at
	ready_one
	at=$(sim_addr f/p/gpu)
	like "$(es f/p hold)" "end OK unbound"
	await f/p HELD/unbound
	is "$(sim_driver f/p/gpu)" egpu
	sim_expect f/p link "L0 16.0 GT/s x4"
	result "OK none" f/p speed=80
	like "$out" "now HELD unbound"
	nap 0.3
	await f/p HELD/unbound
	egpu_client attach "$(sim_addr f/p)"
	await f/p READY
	sim_bound f/p/gpu
	is "$(sim_addr f/p/gpu)" "$at"
	is "$(get f/p arrivals)" 1
	stat downs 0
	sim_expect f/p link "L0 8.0 GT/s x4"
	# Once is once: the next one is not held.
	sim_yank f/p/gpu
	sim_plug f/p/gpu
	await f/p READY
}

prove holds_busy "a GPU that is used is not held: EBUSY"
holds_busy() {
	local node
	ready_one
	node=$(node "$(sim_addr f/p/gpu)" renderD)
	hold "$node"
	like "$(es f/p hold || :)" "end EBUSY"
	await f/p READY
	sim_bound f/p/gpu
}

prove holds_cable "a cable port holds nothing: EOPNOTSUPP"
holds_cable() {
	sim_fabric f
	# shellcheck disable=SC2086 # words
	sim_port f/p $FAST buses=8 mem_window=8M prefetch_window=2G
	sim_switch f/p/box 1 detect_ms=0 polling_ms=0
	sim_gpu f/p/box/port0/gpu present=1
	sim_live f
	sim_put f/p/box
	wait_for 10 sim_bound f/p/box/port0/gpu
	await f/p/box/port0 READY
	is "$(es f/p hold || :)" EOPNOTSUPP
	like "$(es f/p/box/port0 hold)" "end OK unbound"
	await f/p/box/port0 HELD/unbound
	egpu_client attach "$(sim_addr f/p/box/port0)"
	await f/p/box/port0 READY
}

# --- nothing there ---

prove empty_port "EMPTY, DETACHED: only the target is set, and what comes begins with it"
empty_port() {
	slot
	result "ENODEV" f/p retrain
	result "OK none" f/p speed=80
	is "$(target f/p)" 3
	stat retrains 0
	sim_plug f/p/gpu
	await f/p READY
	sim_expect f/p link "L0 8.0 GT/s x4"
	stat retrains 0
	egpu_client detach "$(sim_addr f/p)"
	await f/p DETACHED
	result "OK none" f/p speed=0
	like "$out" "now DETACHED"
	is "$(target f/p)" 4
	egpu_client attach "$(sim_addr f/p)"
	await f/p READY
	sim_expect f/p link "L0 16.0 GT/s x4"
}

prove later "LATER: nothing now, not even a transaction; the next arrival keeps to it"
later() {
	local writes
	ready_one
	rested
	writes=$(sim_stat f/p writes)
	is "$(es f/p set speed=80 later)" "began 0"
	stat writes "$writes"
	sim_expect f/p link "L0 16.0 GT/s x4"
	is "$(get f/p limit)" "80 0000:0000"
	sim_yank f/p/gpu
	sim_plug f/p/gpu
	await f/p READY
	sim_expect f/p link "L0 8.0 GT/s x4"
}

prove per_device "a limit for one device: another is trained up, and the first down again"
per_device() {
	slot
	sim_gpu f/p/other preset=accelerator
	sim_plug f/p/gpu
	await f/p READY
	result "OK none" f/p speed=80 for=1234:e600 live
	is "$(get f/p limit)" "80 1234:e600"
	sim_expect f/p link "L0 8.0 GT/s x4"
	sim_yank f/p/gpu
	sim_plug f/p/other
	await f/p READY
	sim_expect f/p link "L0 16.0 GT/s x4"
	sim_yank f/p/other
	sim_plug f/p/gpu
	await f/p READY
	sim_expect f/p link "L0 8.0 GT/s x4"
	result "OK none" f/p speed=50 for=1234:e601 live
	sim_expect f/p link "L0 8.0 GT/s x4"
}

# --- refused ---

prove above "more than an end can do: EOPNOTSUPP, and nothing is changed"
above() {
	GPU=(max_speed=8)
	held_one max_speed=16
	result EOPNOTSUPP f/p speed=320
	result EOPNOTSUPP f/p speed=160
	stat retrains 0
	is "$(target f/p)" 4
	is "$(get f/p limit)" "0 0000:0000"
}

prove tunnelled "a tunnelled link has no speed of its own: EOPNOTSUPP, and the gate leaves it alone"
tunnelled() {
	GPU=(detect_speed=2.5)
	held_one usb4=1
	sim_expect f/p link "L0 2.5 GT/s x4"
	result "EOPNOTSUPP tunnelled" f/p retrain
	result "EOPNOTSUPP tunnelled" f/p speed=80
	stat retrains 0
	egpu_client attach "$(sim_addr f/p)"
	await f/p READY
	stat retrains 0
}

prove cxl "memory that the machine uses over CXL: EBUSY; when it is off, it works"
cxl() {
	GPU=(cxl=1)
	held_one
	sim_reg f/p/gpu ECAP23+0c.w=4
	result "EBUSY cxl" f/p retrain
	result "EBUSY cxl" f/p speed=80
	stat retrains 0
	sim_reg f/p/gpu ECAP23+0c.w=0
	result "OK none" f/p speed=80
	sim_expect f/p link "L0 8.0 GT/s x4"
}

prove nonsense "flags and speeds that make no sense: EINVAL"
nonsense() {
	local words
	held_one
	while read -r words; do
		# shellcheck disable=SC2086 # words
		refused EINVAL f/p $words
	done <<< "live
		flags=0
		flags=40
		fixed autonomous
		later
		later retrain
		speed=80 later live
		speed=81
		for=1234:e600 retrain
		speed=80 for=0:e600"
	stat retrains 0
}

prove unprivileged "who is nobody: EPERM"
unprivileged() {
	local set=(egpu_set "$(sim_addr f/p || :)" set retrain)
	held_one
	set[1]=$(sim_addr f/p)
	is "$(setpriv --reuid=1000 --regid=1000 --clear-groups "${set[@]}" || :)" \
		EPERM
	is "$(setpriv --bounding-set=-sys_admin --inh-caps=-sys_admin \
		"${set[@]}" || :)" EPERM
	stat retrains 0
}

# --- meanwhile ---

prove two "two callers at once: one of them gets EBUSY, and the link is trained once"
two() {
	held_one recovery_ms=700
	start f/p retrain
	started
	refused EBUSY f/p retrain
	finish "OK none"
	stat retrains 1
	sim_set f/p recovery_ms 0
	result "OK none" f/p retrain
}

prove cancel "cancelled: no reset after a Recovery that did not get there"
cancel() {
	held_one
	result "OK none" f/p speed=80
	sim_set f/p/gpu unrecoverable_above 8
	sim_set f/p recovery_ms 700
	start f/p speed=160
	started
	egpu_client cancel "$(sim_addr f/p)"
	finish "ECANCELED cancelled"
	like "$out" "now HELD manual"
	stat resets 0
	is "$(target f/p)" 3
	sim_expect f/p link "L0 8.0 GT/s x4"
}

prove pulled "pulled while it trains: a loss, and the next one is attached"
pulled() {
	ready_one recovery_ms=700
	start f/p retrain live
	started
	sim_yank f/p/gpu
	finish "ENODEV"
	await f/p EMPTY
	is "$(get f/p losses) $(get f/p removals)" "1 0"
	sim_set f/p recovery_ms 0
	sim_plug f/p/gpu
	await f/p READY
}

prove removed "removed by hand while it trains: nobody hangs"
removed() {
	ready_one recovery_ms=700
	start f/p retrain live
	started
	echo 0 > "$(sim_slot f/p)/power"
	finish "(OK|ENODEV|EIO)"
	wait_for 5 not sim_added f/p/gpu
	await f/p EMPTY,DETACHED
	sim_expect f/p link "L0 *"
	echo 1 > "$(sim_slot f/p)/power"
	await f/p READY
}

prove unload "the module goes as soon as training has ended, and leaves the target that it found"
unload() {
	held_one recovery_ms=700
	start f/p speed=80 bare
	started
	wait_for 5 rmmod egpu
	is "$(target f/p)" 4
	sim_expect f/p link "L0 *"
	load
}
