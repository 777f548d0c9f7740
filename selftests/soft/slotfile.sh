# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# The files of a soft slot below /sys/bus/pci/slots: power and adapter, and who
# waits in them when things go.

# shellcheck source=selftests/soft/lib/soft.sh
. lib/soft.sh

setup() {
	load
}

teardown() {
	sim_free
	drop_writer
	clear
	[ -e /sys/module/egpu ] || modprobe egpu
	[ ! -e /sys/module/egpu_test_slot ] || rmmod egpu_test_slot
}

# power VALUE: what an administrator does; its error is in $out
power() {
	out=$({ echo "$1" > "$(folder f/p)/power"; } 2>&1) || :
}

# writer VALUE: one that waits; its error, if any, will be in $KTAP_TMP/writer
writer() {
	local file
	file=$(folder f/p)/power
	: > "$KTAP_TMP/writer"
	# A program of its own, so that it can be killed while it waits.
	bash -c "echo $1 > $file; echo \$?" > "$KTAP_TMP/writer" 2>&1 &
	writer=$!
}

drop_writer() {
	[ -z "${writer:-}" ] || kill -KILL "$writer" 2> /dev/null || :
}

# wrote REGEX: the writer has ended, like this
wrote() {
	within 10 not kill -0 "$writer" || fail "the writer still waits"
	like "$(< "$KTAP_TMP/writer")" "$1"
}

waits() {
	kill -0 "$writer"
}

prove off_on "0 is a detach, 1 an attach, and both wait for the end"
off_on() {
	local dir
	ready_one
	dir=$(folder f/p)
	is "$(< "$dir/power")$(< "$dir/adapter")" 11
	power 0
	is "$out" ""
	is "$(get f/p state) $(disabled f/p)" "DETACHED 16"
	is "$(< "$dir/power")" 0
	not sim_added f/p/gpu
	power 1
	is "$out" ""
	is "$(get f/p state) $(disabled f/p)" "READY 0"
	is "$(get f/p detaches) $(get f/p losses) $(get f/p removals)" "1 0 0"
	sim_bound f/p/gpu
}

prove used "0 is refused with EBUSY while there are users"
used() {
	ready_one
	user hold "$(node "$(sim_addr f/p/gpu)" renderD)"
	power 0
	like "$out" "Device or resource busy"
	is "$(get f/p state) $(disabled f/p)" "READY 0"
	sim_bound f/p/gpu
}

prove nothing "1 where nothing is gives ENODEV; 0, too"
nothing() {
	one
	power 1
	like "$out" "No such device"
	power 0
	like "$out" "No such device"
	is "$(get f/p state) $(disabled f/p)" "EMPTY 0"
	again f/p
}

prove nonsense "what is neither is refused"
nonsense() {
	ready_one
	power 2
	like "$out" "Invalid argument"
	is "$(get f/p state)" READY
}

prove busy "EBUSY while a transaction runs"
busy() {
	ready_one
	user hold "$(node "$(sim_addr f/p/gpu)" renderD)"
	start eg detach f/p -w 60000
	await f/p DRAINING
	power 0
	like "$out" "Device or resource busy"
	eg cancel f/p
	finish "^ECANCELED READY"
}

prove killed "a writer that waits for a driver that hangs can be killed"
killed() {
	ready_one
	sim_set f/p/gpu/driver hang remove
	writer 0
	wait_for 5 hangs remove
	waits
	kill -KILL "$writer"
	wait_for 5 not kill -0 "$writer"
	is "$(get f/p state)" DETACHING
	sim_free
	await f/p DETACHED
}

prove lost "pulled while a writer waits for it: it ends"
lost() {
	ready_one
	sim_set f/p/gpu/driver hang remove
	writer 0
	wait_for 5 hangs remove
	sim_pull f/p/gpu
	sim_free
	wrote "^0$|No such device"
	await f/p DETACHED,EMPTY
}

prove -t 60 forgotten "FORGET while a writer waits is EBUSY, as while any transaction runs"
forgotten() {
	ready_one
	sim_set f/p/gpu/driver hang remove
	writer 0
	wait_for 5 hangs remove
	exits 1 egpu_client forget "$(sim_addr f/p)"
	is "$out" EBUSY
	waits
	sim_free
	wrote "^0$"
	eg forget f/p
	not_soft f/p
	is "$(sim_slot f/p || :)" ""
	is "$(disabled f/p)" 0
}

prove -t 60 port_gone "the port itself is removed while a writer waits: ENODEV"
port_gone() {
	local port
	ready_one
	port=$(sim_addr f/p)
	sim_set f/p/gpu/driver hang remove
	writer 0
	wait_for 5 hangs remove
	echo 1 > "$PCI/$port/remove" &
	nap 0.3
	sim_free
	wrote "^0$|No such device"
	wait_for 10 not test -e "$PCI/$port"
	wait_for 5 not compgen -G "$SLOTS/$port"
	wait
}

prove -t 60 fabric_gone "everything is torn out while a writer waits"
fabric_gone() {
	local port
	ready_one
	port=$(sim_addr f/p)
	sim_set f/p/gpu/driver hang remove
	writer 0
	wait_for 5 hangs remove
	sim_set f live 0 &
	nap 0.3
	sim_free
	wrote "^0$|No such device"
	wait
	not test -e "$SLOTS/$port"
}

prove -t 60 forget_race "FORGET and writers at the same time, many times: nobody waits for ever"
forget_race() {
	local i
	ready_one
	for i in {1..6}; do
		writer $((i % 2 ? 0 : 1))
		nap "0.0$((i * 7 % 10))"
		eg forget f/p > /dev/null || :
		wrote "^0$|busy|No such device|No such file"
		eg forget f/p > /dev/null 2>&1 || :
		not_soft f/p
		is "$(sim_slot f/p || :)" ""
		soft f/p
		await f/p READY,EMPTY,HELD,DETACHED
		again f/p
	done
}

prove unload "the module stays while a writer waits, and goes afterwards"
unload() {
	ready_one
	sim_set f/p/gpu/driver hang remove
	writer 0
	wait_for 5 hangs remove
	exits 1 rmmod egpu
	like "$out" "in use"
	sim_free
	wrote "^0$"
	rmmod egpu
	is "$(sim_slot f/p || :)" ""
	sim_expect f/p link "L0 *"
}

prove others "the slot is another driver's: EBUSY, it is left alone, and is free later"
others() {
	local bus
	sim_fabric f
	port f/p
	sim_live f
	bus=$(printf '%s:%02x' "$(sim_get f domain)" \
		"$(< "$PCI/$(sim_addr f/p)/secondary_bus_number")")
	modprobe egpu_test_slot bus="$bus"
	eg soft f/p $WATCH
	wait_for 5 has f/p soft 0
	is "$(get f/p step_error) $(get f/p tracked)" "16 1"
	not has f/p backend soft
	echo 0 > "$SLOTS/egpu_test/power"
	is "$(< "$SLOTS/egpu_test/power")" 0
	# Nobody looks at its link, and nobody may.
	sim_put f/p/gpu
	intervals 8
	is "$(get f/p state)" EMPTY
	rmmod egpu_test_slot
	soft f/p
	is "$(get f/p step_error)" 0
	await f/p READY
	exits 1 modprobe egpu_test_slot bus="$bus" whole=1
	like "$out" "Device or resource busy"
	is "$(get f/p state)" READY
}
