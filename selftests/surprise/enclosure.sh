# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# Two GPUs below one cable: an external port, a switch below it whose two ports
# are slots.
# vm: own-boot

# shellcheck source=selftests/surprise/lib/surprise.sh
. lib/surprise.sh

CABLE=f/cable
BOX=f/cable/box
A=$BOX/port0
B=$BOX/port1

setup() {
	load
	if [ ! -d "$SIM/f" ]; then
		sim_fabric f
		sim_port "$CABLE" external_facing=1 buses=8 mem_window=8M \
			prefetch_window=2G
		sim_switch "$BOX" 2
		sim_gpu "$A/gpu" present=1
		sim_gpu "$B/gpu" present=1
		sim_live f
	fi
	sim_put "$A/gpu"
	sim_put "$B/gpu"
	sim_put "$BOX"
	both_ready
}

teardown() {
	users_kill
	sim_free
	# One after the other: from 6.12 on the kernel deadlocks when it removes
	# a hotplug port whose interrupt thread is removing something.
	sim_yank "$A/gpu" 20
	sim_yank "$B/gpu" 20
	sim_yank "$BOX" 20
	wait_for 20 cable_is EMPTY
}

both_ready() {
	wait_for 10 known "$A"
	wait_for 10 known "$B"
	eg quarantine "$A" 0 0
	eg quarantine "$B" 0 0
	await "$A" READY 15
	await "$B" READY 15
	wait_for 5 sim_bound "$A/gpu"
	wait_for 5 sim_bound "$B/gpu"
}

# cable_is STATE: it is that of the ports below, and changes without an event
cable_is() {
	[ "$(get "$CABLE" state)" = "$1" ]
}

# known PORT: egpu has an object for it
known() {
	[ -n "$(sim_addr "$1")" ] && eg info "$1"
}

# holder PORT: somebody uses its GPU
holder() {
	user hold "$(node "$(sim_addr "$1/gpu")" renderD)"
}

prove -t 60 two_below "each GPU is its own slot port's, the cable port's state theirs"
two_below() {
	is "$(get "$A" cable_port) $(get "$B" cable_port)" \
		"$(get "$CABLE" port) $(get "$CABLE" port)"
	is "$(get "$A" functions) $(get "$B" functions) $(get "$CABLE" functions)" \
		"1 1 0"
	is "$(get "$CABLE" cable) $(get "$CABLE" state)" "1 READY"
}

prove -t 60 one_lost "one is lost: the other does not notice"
one_lost() {
	local was
	was=$(get "$B" generation)
	sim_pull "$A/gpu"
	await "$A" EMPTY/link-down
	is "$(get "$B" state) $(get "$B" generation) $(get "$B" losses)" \
		"READY $was 0"
	is "$(get "$CABLE" state)" READY
	sim_put "$A/gpu"
	both_ready
}

prove -t 60 lost_and_binding "one is lost while the other's probe() hangs"
lost_and_binding() {
	sim_pull "$B/gpu"
	await "$B" EMPTY
	sim_set "$B/gpu/driver" hang probe
	sim_put "$B/gpu"
	await "$B" BINDING
	sim_pull "$A/gpu"
	await "$A" EMPTY/link-down
	is "$(get "$B" state) $(get "$B" step)" "BINDING probe"
	sim_put "$A/gpu"
	await "$A" READY
	sim_free
	both_ready
}

prove -t 60 one_refuses "one is in use and refuses a cable detach: both stay"
one_refuses() {
	holder "$B"
	result "^EBUSY" eg detach "$CABLE"
	both_ready
	sim_bound "$A/gpu"
	users_kill
	result "^OK DETACHED" eg detach "$CABLE"
	is "$(get "$CABLE" safe)" 1
	not sim_added "$BOX"
}

prove -t 60 lost_while_refusing "one is lost while the other keeps a cable detach waiting"
lost_while_refusing() {
	holder "$B"
	start eg detach "$CABLE" -w 30000
	await "$CABLE" DRAINING
	sim_pull "$A/gpu"
	await "$A" EMPTY/link-down
	is "$(get "$CABLE" state) $(get "$B" state)" "DRAINING READY"
	users_kill
	finish "^OK DETACHED"
	not sim_added "$BOX"
}

prove -t 60 binding_refuses "one is binding when the cable is to be detached: it is waited for"
binding_refuses() {
	sim_pull "$B/gpu"
	await "$B" EMPTY
	sim_set "$B/gpu/driver" hang probe
	sim_put "$B/gpu"
	await "$B" BINDING
	start eg detach "$CABLE" -w 30000
	wait_for 5 eval '[ "$(get "$CABLE" transaction)" != 0 ]'
	nap 0.3
	is "$(get "$B" state)" BINDING
	sim_free
	finish "^OK DETACHED"
}

prove -t 60 cable_cancel "a cable detach that is cancelled: both stay READY"
cable_cancel() {
	holder "$B"
	start eg detach "$CABLE" -w 30000
	await "$CABLE" DRAINING
	eg cancel "$CABLE"
	finish "^ECANCELED"
	both_ready
}

prove -t 90 cable_pulled "the cable is pulled: both are lost, and both come back"
cable_pulled() {
	sim_pull "$BOX"
	wait_for 20 cable_is EMPTY
	wait_for 10 not sim_added "$BOX"
	sim_put "$BOX"
	both_ready
}

prove -t 90 cable_pulled_in_use "the same with clients on both"
cable_pulled_in_use() {
	holder "$A"
	holder "$B"
	sim_pull "$BOX"
	wait_for 20 cable_is EMPTY
	wait_for 10 not sim_added "$BOX"
	users_kill
	sim_put "$BOX"
	both_ready
}

prove -t 90 cable_pulled_detaching "the cable is pulled while both are detached"
cable_pulled_detaching() {
	sim_set "$A/gpu/driver" remove_ms 500
	sim_set "$B/gpu/driver" remove_ms 500
	start eg detach "$CABLE"
	await "$A" DETACHING
	sim_pull "$BOX"
	finish "."
	wait_for 20 cable_is EMPTY
	wait_for 10 not sim_added "$BOX"
	sim_set "$A/gpu/driver" remove_ms 0
	sim_set "$B/gpu/driver" remove_ms 0
	sim_put "$BOX"
	both_ready
}
