# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# What the gate does about the link of what arrives: one retrain, before a driver
# binds, when it is slower or narrower than both ends can do.

# shellcheck source=selftests/link/lib/set.sh
. lib/set.sh

PARAM=/sys/module/egpu/parameters/retrain

setup() {
	load
}

teardown() {
	echo Y > $PARAM
	sound
	sim_clear
}

# again: out and in, READY
again() {
	sim_yank f/p/gpu
	await f/p EMPTY
	sim_plug f/p/gpu
	await f/p READY
}

prove full "a link at its best is not trained"
full() {
	ready_one
	again
	stat retrains 0
	stat ups 2
	is "$(get f/p failed)" 0
	is "$(get f/p best)" "160 x4"
}

prove slow "slower than both ends can: one retrain, before the driver binds, then READY"
slow() {
	GPU=(detect_speed=2.5)
	slot
	listen f/p
	sim_plug f/p/gpu
	await f/p READY
	sim_expect f/p link "L0 16.0 GT/s x4"
	stat retrains 1
	stat resets 0
	is "$(get f/p failed)" 0
	heard " link to=160 value=4 .* error=0"
	is "$(awk '/ link to=/ { l = NR } / bound / { b = NR } \
		END { print l && b && l < b }' "$KTAP_TMP/events")" 1
	unheard " check "
	# It worked: so it does each time.
	again
	stat retrains 2
	sim_expect f/p link "L0 16.0 GT/s x4"
}

prove degraded "it stays slow: READY all the same, a check tells, and it is not tried again"
degraded() {
	GPU=(detect_speed=8 unrecoverable_above=8)
	slot
	listen f/p
	sim_plug f/p/gpu
	await f/p READY
	sim_expect f/p link "L0 8.0 GT/s x4"
	stat retrains 1
	stat downs 0
	is "$(get f/p failed)" 4
	heard " check .*value=4 "
	again
	stat retrains 1
	is "$(get f/p failed)" 4
	# A user may ask; what worked is forgotten as a failure.
	sim_set f/p/gpu unrecoverable_above none
	result "OK none" f/p retrain live
	is "$(get f/p failed)" 0
	again
	sim_expect f/p link "L0 16.0 GT/s x4"
}

prove other_device "another device in the same port gets a retrain of its own"
other_device() {
	GPU=(detect_speed=8 unrecoverable_above=8)
	slot
	sim_gpu f/p/other serial=1122334455667788 detect_speed=8
	sim_plug f/p/gpu
	await f/p READY
	stat retrains 1
	sim_yank f/p/gpu
	sim_plug f/p/other
	await f/p READY
	stat retrains 2
	sim_expect f/p link "L0 16.0 GT/s x4"
}

prove narrow "narrower than both ends: one retrain per port and device, then it is wired so"
narrow() {
	GPU=(dead_lanes=0xfff0)
	slot max_width=16
	listen f/p
	sim_plug f/p/gpu
	await f/p READY
	sim_expect f/p link "L0 16.0 GT/s x4"
	stat retrains 1
	is "$(get f/p wired)" 4
	is "$(get f/p failed)" 0
	unheard " check "
	again
	again
	stat retrains 1
	is "$(get f/p wired)" 4
	# Narrower than that is worth another.
	sim_yank f/p/gpu
	sim_set f/p/gpu dead_lanes 0xfffe
	sim_plug f/p/gpu
	await f/p READY
	stat retrains 2
}

prove narrow_mended "lanes that a retrain brings back are not taken for missing"
narrow_mended() {
	slot max_width=16 recovery_ms=400
	sim_set f/p/gpu dead_lanes 0xff00
	sim_put f/p/gpu
	sim_expect f/p link "L0 16.0 GT/s x8"
	sim_set f/p/gpu dead_lanes 0
	await f/p READY
	sim_expect f/p link "L0 16.0 GT/s x16"
	stat retrains 1
	is "$(get f/p wired)" 0
}

prove both "slower and narrower: one retrain does for both"
both() {
	GPU=(dead_lanes=0xff00 detect_speed=2.5)
	ready_one max_width=16
	sim_expect f/p link "L0 16.0 GT/s x8"
	stat retrains 1
	is "$(get f/p wired)" 8
	is "$(get f/p failed)" 0
}

prove parameter "retrain=0: taken as it is, and told"
parameter() {
	echo N > $PARAM
	GPU=(detect_speed=8)
	ready_one
	stat retrains 0
	sim_expect f/p link "L0 8.0 GT/s x4"
	is "$(get f/p failed)" 4
	echo Y > $PARAM
	again
	stat retrains 1
	is "$(get f/p failed)" 0
}

prove port_setting "NO_RETRAIN: the same for one port"
port_setting() {
	GPU=(detect_speed=8)
	slot
	es f/p config no-retrain
	is "$(get f/p no_retrain)" 1
	sim_plug f/p/gpu
	await f/p READY
	stat retrains 0
	is "$(get f/p failed)" 4
	es f/p config retrain
	is "$(get f/p no_retrain)" 0
	again
	stat retrains 1
	is "$(get f/p failed)" 0
}

prove limit "a limit holds for arrivals, also where none are retrained"
limit() {
	GPU=(detect_speed=5)
	slot
	is "$(es f/p set speed=80 later)" "began 0"
	sim_plug f/p/gpu
	await f/p READY
	sim_expect f/p link "L0 8.0 GT/s x4"
	stat retrains 1
	is "$(get f/p failed)" 0
	sim_set f/p/gpu detect_speed none
	echo N > $PARAM
	again
	sim_expect f/p link "L0 8.0 GT/s x4"
	is "$(get f/p failed)" 0
}

prove others_limit "a target that others set is the best there is"
others_limit() {
	slot
	limited f/p 3
	sim_plug f/p/gpu
	await f/p READY
	stat retrains 0
	sim_expect f/p link "L0 8.0 GT/s x4"
	is "$(get f/p failed)" 0
	is "$(target f/p)" 3
}

prove later_try "links that come up at the Nth try are as good as others"
later_try() {
	GPU=(link_up_try=3)
	ready_one
	stat retrains 0
	sim_expect f/p link "L0 16.0 GT/s x4"
	sim_yank f/p/gpu
	sim_set f/p/gpu link_up_try=5 detect_speed=5
	sim_plug f/p/gpu
	await f/p READY
	stat retrains 1
	sim_expect f/p link "L0 16.0 GT/s x4"
}

prove lost "the gate's retrain costs the link: lost, and what comes back is attached"
lost() {
	GPU=(detect_speed=5 recovery_failures=1)
	slot
	sim_put f/p/gpu
	sim_expect f/p stat:downs 1
	await f/p READY 15
	wait_for 5 sim_bound f/p/gpu
	[ "$(sim_stat f/p retrains)" -le 2 ]
	is "$(sim_get f/p/gpu recovery_failures)" 0
}

prove adopted "what was bound before egpu came is left alone"
adopted() {
	egpu_unload
	sim_fabric f
	# shellcheck disable=SC2086 # words
	sim_port f/p $FAST
	sim_gpu f/p/gpu present=1 detect_speed=5
	sim_live f
	wait_for 10 sim_bound f/p/gpu
	egpu_load
	await f/p READY/adopted
	stat retrains 0
	sim_expect f/p link "L0 5.0 GT/s x4"
}

prove idle "a GPU that idles is not degraded: the best that was seen stays known"
idle() {
	ready_one
	is "$(get f/p best)" "160 x4"
	sim_set f/p/gpu autonomous_speed 2.5
	sim_expect f/p link "L0 2.5 GT/s x4"
	rested
	is "$(get f/p best)" "160 x4"
	is "$(get f/p failed)" 0
	again
	sim_reg f/p CAP_EXP+12.w=c000
}

prove quirk "with the kernel's own quirk for links that fail (6.12): its 2.5 GT/s, until a user asks"
quirk() {
	case $(uname -r) in
	6.1.*) skip "6.1 has no such quirk" ;;
	esac
	# Its quirk asks the controller, who forgets what was before a removal.
	[ ! -d /sys/bus/pci_express/drivers/pcie_bwctrl ] ||
		skip "this kernel's quirk is its bandwidth controller's"
	ready_one
	sim_yank f/p/gpu
	await f/p EMPTY
	sim_set f/p/gpu untrainable_above 2.5
	dmesg_mark
	sim_plug f/p/gpu
	await f/p READY
	sim_said 'retraining non-functional downstream link at 2.5GT/s'
	sim_expect f/p link "L0 2.5 GT/s x4"
	is "$(get f/p failed)" 0
	result "OK none" f/p speed=160 live
	sim_expect f/p link "L0 16.0 GT/s x4"
	# LBMS that is left would have the quirk at work again, for a good link.
	wait_for 3 no_lbms f/p
	sim_set f/p/gpu untrainable_above none
	dmesg_mark
	again
	sim_unsaid 'retraining non-functional'
	sim_expect f/p link "L0 16.0 GT/s x4"
}

prove bwctrl "with the kernel's bandwidth controller (7.2): its interrupt, its bit, its target"
bwctrl() {
	slot
	sim_service f/p pcie_bwctrl || skip "this kernel has none"
	sim_set f/p/gpu detect_speed 2.5
	sim_plug f/p/gpu
	await f/p READY
	sim_expect f/p link "L0 16.0 GT/s x4"
	result "OK none" f/p speed=80 live
	result "OK none" f/p speed=0 live
	sim_expect f/p link "L0 16.0 GT/s x4"
	wait_for 3 no_lbms f/p
	sim_service f/p pcie_bwctrl
	[ $((0x$(sim_reg f/p CAP_EXP+10.w) & 0xc00)) != 0 ]
}
