# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# Unloading, forgetting, and a port that goes, at any moment: no slot is left, no
# link is left disabled, and what is bound stays bound.

# shellcheck source=selftests/soft/lib/soft.sh
. lib/soft.sh

setup() {
	load
}

teardown() {
	clear
	[ -e /sys/module/egpu ] || modprobe egpu
}

# unloaded: nothing of egpu is left at f/p
unloaded() {
	rmmod egpu
	is "$(sim_slot f/p || :)" ""
	is "$(disabled f/p)" 0
}

prove empty "unloaded while it watches an empty port"
empty() {
	one
	unloaded
}

prove ready "with a GPU, which stays bound; loaded and soft again it is adopted"
ready() {
	local since
	ready_one
	since=$(stat -c %Z "$(node "$(sim_addr f/p/gpu)" renderD)")
	unloaded
	is "$(stat -c %Z "$(node "$(sim_addr f/p/gpu)" renderD)")" "$since"
	load
	soft f/p
	await f/p READY/adopted
}

prove held "with one that is held: it is given to its driver"
held() {
	one
	eg policy f/p manual
	sim_put f/p/gpu
	await f/p HELD/manual
	unloaded
	[ "$(sim_driver f/p/gpu)" != egpu ]
}

prove detached "detached: the link is enabled again"
detached() {
	ready_one
	result "^OK DETACHED" eg detach f/p
	unloaded
	sim_expect f/p link "L0 *"
}

prove -t 60 any_time "at any moment of an arrival and of a loss"
any_time() {
	local i
	sim_fabric f
	port f/p
	sim_live f
	for i in 0 2 4 8 13 17 22 30 45; do
		[ -e /sys/module/egpu ] || modprobe egpu
		soft f/p 20
		eg quarantine f/p 0 0
		sim_put f/p/gpu
		if [ $((i % 2)) = 1 ]; then
			await f/p READY
			sim_pull f/p/gpu
		fi
		nap "0.$(printf '%02d' "$i")"
		# A transaction or step may run for a moment.
		wait_for 10 rmmod egpu
		is "$(sim_slot f/p || :) $(disabled f/p)" " 0"
		sim_pull f/p/gpu
		if sim_added f/p/gpu; then
			echo 1 > "$PCI/$(sim_addr f/p)/remove"
			echo 1 > /sys/bus/pci/rescan
		fi
	done
}

prove was_disabled "Link Disable that was found is put back, but under no GPU"
was_disabled() {
	sim_fabric f
	port f/p
	port f/q
	sim_live f
	sim_reg f/p CAP_EXP+10.w=10:10
	sim_reg f/q CAP_EXP+10.w=10:10
	soft f/p
	soft f/q
	again f/p
	eg forget f/p
	eg forget f/q
	not_soft f/p
	not_soft f/q
	wait_for 5 not sim_slot f/p
	wait_for 5 not sim_slot f/q
	is "$(disabled f/p) $(disabled f/q)" "0 16"
	sim_expect f/p link "L0 *"
	sim_bound f/p/gpu
}

# port_goes: the port is removed by sysfs; a rescan brings it back, untracked
port_goes() {
	local port
	port=$(sim_addr f/p)
	echo 1 > "$PCI/$port/remove"
	is "$(sim_slot f/p 2> /dev/null || :)" ""
	not test -e "$SLOTS/$port"
	echo 1 > /sys/bus/pci/rescan
	wait_for 5 test -e "$PCI/$port"
	is "$(get f/p soft)" 0
}

prove port_empty "the port is removed: empty"
port_empty() {
	one
	port_goes
	soft f/p
	again f/p
}

prove port_ready "with a GPU"
port_ready() {
	ready_one
	port_goes
}

prove port_detached "detached; its link is left disabled, for nobody may touch it"
port_detached() {
	ready_one
	result "^OK DETACHED" eg detach f/p
	port_goes
	sim_reg f/p CAP_EXP+10.w=0:10
	soft f/p
	await f/p READY
}

prove port_losing "while a loss is noticed"
port_losing() {
	ready_one
	sim_pull f/p/gpu
	nap 0.08
	port_goes
}

prove fabric_goes "everything goes, with sixteen soft ports in all states"
fabric_goes() {
	local i
	sim_fabric f
	for i in {0..15}; do port "f/p$i"; done
	sim_live f
	for i in {0..15}; do eg soft "f/p$i" 20; done
	for i in {0..11}; do sim_put "f/p$i/gpu"; done
	for i in {0..7}; do await "f/p$i" READY; done
	for i in {0..3}; do eg detach "f/p$i" -b; done
	for i in {4..6}; do sim_pull "f/p$i/gpu"; done
	sim_dead f
	not compgen -G "$SLOTS/*:*:*.*"
}

prove forget_any "forgotten in every state that can be"
forget_any() {
	ready_one
	# A loss that is under way.
	sim_pull f/p/gpu
	wait_for 5 forgets
	not_soft f/p
	is "$(sim_slot f/p || :) $(disabled f/p)" " 0"
	[ ! -e "$PCI/$(sim_addr f/p)/$(sim_get f domain):01:00.0" ] ||
		echo 1 > "$PCI/$(sim_addr f/p)/$(sim_get f domain):01:00.0/remove"
	soft f/p
	again f/p
	eg policy f/p manual
	sim_yank f/p/gpu
	await f/p EMPTY
	sim_put f/p/gpu
	await f/p HELD/manual
	eg forget f/p
	not_soft f/p
	wait_for 5 sim_bound f/p/gpu
}

forgets() {
	eg forget f/p
}
