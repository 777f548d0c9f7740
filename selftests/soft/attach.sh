# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# What comes to a soft slot is found, checked and bound; what was there before is
# left alone.

# shellcheck source=selftests/soft/lib/soft.sh
. lib/soft.sh

setup() {
	load
}

teardown() {
	local step=$TRACE/events/egpu/egpu_step/enable
	[ ! -e "$step" ] || echo 0 > "$step"
	clear
	[ -e /sys/module/egpu ] || modprobe egpu
	[ ! -e /sys/module/egpu_test_slot ] || rmmod egpu_test_slot
}

prove arrives "a link that comes up is a device: scanned, held, bound, READY"
arrives() {
	one
	is "$(get f/p safe)" 1
	listen f/p
	sim_plug f/p/gpu
	await f/p READY
	like "$(states)" \
		"^EMPTY>(TRAINING TRAINING>)?HELD HELD>BINDING BINDING>READY$"
	is "$(get f/p arrivals) $(get f/p attaches)" "1 1"
	is "$(eg functions f/p)" "$(sim_addr f/p/gpu) egpu_sim_drm gated,bound,"
}

prove folders "the slot has the port's address for a name, power and adapter"
folders() {
	local dir
	one
	is "$(get f/p slot)" "$(sim_addr f/p)"
	dir=$(folder f/p)
	is "$(sim_slot f/p)" "$dir"
	is "$(< "$dir/power")$(< "$dir/adapter")" 10
	sim_plug f/p/gpu
	await f/p READY
	is "$(< "$dir/power")$(< "$dir/adapter")" 11
}

prove number "a port that has a slot gives it its number"
number() {
	local number
	sim_fabric f
	port f/first slot=1		# QEMU's port may have the same number
	port f/p slot=1
	sim_live f
	number=$(sim_lspci f/p | sed -n 's/.*Slot #\([0-9]*\),.*/\1/p')
	not test -e "$SLOTS/$number"
	soft f/p
	is "$(get f/p slot)" "$number"
	[ -e "$SLOTS/$number" ]
	not test -e "$SLOTS/$(sim_addr f/p)"
	eg forget f/p
	wait_for 5 not test -e "$SLOTS/$number"
}

prove number_taken "a number that is taken is not taken again"
number_taken() {
	local number bus
	sim_fabric f
	port f/other
	port f/p slot=1
	sim_live f
	number=$(sim_lspci f/p | sed -n 's/.*Slot #\([0-9]*\),.*/\1/p')
	bus=$(< "$PCI/$(sim_addr f/other)/secondary_bus_number")
	modprobe egpu_test_slot name="$number" \
		bus="$(printf '%s:%02x' "$(sim_get f domain)" "$bus")"
	[ -e "$SLOTS/$number" ]
	soft f/p
	is "$(get f/p slot)" "$(sim_addr f/p)"
	again f/p
}

prove adopted "a GPU with a driver is adopted as it is when its port becomes soft"
adopted() {
	local since
	sim_fabric f
	port f/p
	sim_set f/p/gpu present 1
	sim_live f
	wait_for 10 sim_bound f/p/gpu
	since=$(stat -c %Z "$(node "$(sim_addr f/p/gpu)" renderD)")
	soft f/p
	await f/p READY/adopted
	intervals 6
	is "$(stat -c %Z "$(node "$(sim_addr f/p/gpu)" renderD)")" "$since"
	is "$(get f/p state) $(get f/p losses)" "READY 0"
}

prove unbound "one without a driver is held and bound"
unbound() {
	local gpu
	sim_fabric f
	port f/p
	sim_set f/p/gpu present 1
	sim_live f
	wait_for 10 sim_bound f/p/gpu
	gpu=$(sim_addr f/p/gpu)
	echo "$gpu" > "$PCI/$gpu/driver/unbind"
	soft f/p
	await f/p READY/none
	sim_bound f/p/gpu
}

prove not_scanned "a link that was up before, with a device that nobody scanned"
not_scanned() {
	sim_fabric f
	port f/p
	sim_live f
	sim_put f/p/gpu
	sim_expect f/p link "L0 *"
	intervals 2
	not sim_added f/p/gpu
	soft f/p
	await f/p READY
}

prove parameter "soft= at load: what is there is adopted, what comes is found"
parameter() {
	egpu_unload
	sim_fabric f
	port f/p
	port f/q
	sim_set f/p/gpu present 1
	sim_live f
	wait_for 10 sim_bound f/p/gpu
	modprobe egpu soft="$(sim_addr f/p),$(sim_addr f/q)" watch_ms=100
	is_soft f/p
	is_soft f/q
	is "$(get f/p watch_ms) $(get f/q watch_ms)" "100 100"
	await f/p READY/adopted
	again f/q
	egpu_unload
	is "$(sim_slot f/p || :)$(sim_slot f/q || :)" ""
	sim_bound f/p/gpu
}

prove manual "policy manual: HELD until ATTACH"
manual() {
	one
	eg policy f/p manual
	sim_put f/p/gpu
	await f/p HELD/manual
	is "$(sim_driver f/p/gpu)" egpu
	result "^OK READY" eg attach f/p
	sim_bound f/p/gpu
}

prove no_card "ATTACH where nothing is: ENODEV within seconds, and what comes is found"
no_card() {
	one
	result "^ENODEV EMPTY" eg attach f/p
	is "$(disabled f/p)" 0
	again f/p
}

prove slow_link "a link that comes up at the fifth try, late"
slow_link() {
	one
	sim_set f/p detect_ms 60
	sim_set f/p/gpu link_up_try 5
	sim_put f/p/gpu
	await f/p READY
	is "$(get f/p losses)" 0
}

# looks: when it was looked for something, in ms, as the trace tells
looks() {
	awk '/egpu_step: .* step=9$/ { for (i = 1; i <= NF; i++)
		if ($i ~ /^[0-9]+\.[0-9]+:$/) printf "%d ", $i * 1000 }' \
		"$TRACE/trace"
}

looked() {
	[ "$(looks | wc -w)" -ge "$1" ]
}

prove -t 60 silent "a link behind which nothing answers: looked for ever more rarely, and found"
silent() {
	local at
	one
	sim_set f/p/fault kind=ones scope=below count=0 at=1 armed=1
	echo > "$TRACE/trace"
	echo mono > "$TRACE/trace_clock"
	echo 1 > "$TRACE/events/egpu/egpu_step/enable"
	echo 1 > "$TRACE/tracing_on"
	sim_put f/p/gpu
	wait_for 20 looked 4
	sim_set f/p/fault armed=0
	await f/p READY 20
	echo 0 > "$TRACE/events/egpu/egpu_step/enable"
	read -ra at < <(looks) || :
	tell "looked for at ${at[*]} ms"
	[ $((at[3] - at[2] - at[1] + at[0])) -ge 1000 ]
	is "$(get f/p losses)" 0
}

prove -l slow_card "a card that asks to be asked again for a second"
slow_card() {
	one
	sim_set f/p/gpu ready_ms 1000
	sim_put f/p/gpu
	await f/p READY
}

prove card_with_switch "a card of a switch and four functions"
card_with_switch() {
	sim_fabric f
	port f/p
	sim_switch f/p/box 1 hotplug=none detect_ms=0 polling_ms=0
	sim_gpu f/p/box/port0/gpu
	for i in 1 2 3; do
		sim_gpu "f/p/box/port0/gpu/function$i" preset=plain
	done
	sim_set f/p/box/port0/gpu present 1
	sim_live f
	soft f/p
	sim_put f/p/box
	await f/p READY
	is "$(get f/p functions)" 4
	result "^OK DETACHED" eg detach f/p
	not sim_added f/p/box
	result "^OK READY" eg attach f/p
	is "$(get f/p functions)" 4
	sim_pull f/p/box
	await f/p EMPTY/link-down
}

prove below_switch "a port of a switch can be soft, too"
below_switch() {
	sim_fabric f
	sim_port f/p hotplug=none
	sim_switch f/p/box 2 hotplug=none detect_ms=0 polling_ms=0
	sim_gpu f/p/box/port0/gpu
	sim_gpu f/p/box/port1/gpu
	sim_set f/p/box present 1
	sim_live f
	wait_for 5 sim_added f/p/box
	soft f/p/box/port0
	soft f/p/box/port1
	again f/p/box/port0
	again f/p/box/port1
	result "^OK DETACHED" eg detach f/p/box/port1
	is "$(get f/p/box/port0 state)" READY
	sim_pull f/p/box/port0/gpu
	await f/p/box/port0 EMPTY/link-down
	is "$(get f/p/box/port1 state)" DETACHED
}
