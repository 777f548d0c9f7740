# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# DETACH of a soft slot ends with a link that is disabled; what ends DETACHED.

# shellcheck source=selftests/soft/lib/soft.sh
. lib/soft.sh

setup() {
	load
}

teardown() {
	clear
}

prove detach "unbound, removed, Link Disable: DETACHED; it stays so; ATTACH brings it back"
detach() {
	ready_one
	listen f/p
	result "^OK DETACHED" eg detach f/p
	is "$(disabled f/p)" 16
	sim_expect f/p link "Disabled*"
	not sim_added f/p/gpu
	is "$(get f/p safe) $(< "$(folder f/p)/power")" "1 0"
	intervals 8
	is "$(get f/p state) $(get f/p detaches)" "DETACHED 1"
	result "^OK READY" eg attach f/p
	is "$(disabled f/p) $(get f/p losses)" "0 0"
	sim_bound f/p/gpu
	like "$(states)" "DRAINING>DETACHING DETACHING>DETACHED DETACHED>.*READY$"
	unheard " state .*LOST"
}

prove not_seen "without presence DETACHED stays, whatever is pulled and put in"
not_seen() {
	ready_one
	result "^OK DETACHED" eg detach f/p
	sim_pull f/p/gpu
	nap 1.2
	is "$(get f/p state)" DETACHED
	sim_put f/p/gpu
	intervals 8
	is "$(get f/p state) $(disabled f/p)" "DETACHED 16"
	result "^OK READY" eg attach f/p
}

prove -l other_card "another card may be what ATTACH finds"
other_card() {
	ready_one
	sim_gpu f/p/other preset=accelerator serial=1
	result "^OK DETACHED" eg detach f/p
	sim_pull f/p/gpu
	sim_put f/p/other
	result "^OK READY" eg attach f/p
	sim_bound f/p/other
}

prove nothing_back "ATTACH when it was pulled: ENODEV, EMPTY, and the link listens again"
nothing_back() {
	ready_one
	result "^OK DETACHED" eg detach f/p
	sim_pull f/p/gpu
	result "^ENODEV (DETACHED|EMPTY)" eg attach f/p
	await f/p EMPTY
	is "$(disabled f/p) $(get f/p losses)" "0 0"
	again f/p
}

prove stranger "detached, and another brings something else: EMPTY, and the link listens"
stranger() {
	ready_one
	sim_gpu f/p/other preset=plain
	result "^OK DETACHED" eg detach f/p
	sim_pull f/p/gpu
	sim_put f/p/other
	sim_reg f/p CAP_EXP+10.w=0:10
	sim_expect f/p link "L0 *"
	echo 1 > "$PCI/$(sim_addr f/p)/rescan"
	await f/p EMPTY
	sim_yank f/p/other
	again f/p
}

prove bounce "a bounce while a driver hangs in remove(): unbound once, DETACHED"
bounce() {
	ready_one
	eg watch f/p 20
	sim_set f/p/gpu/driver hang remove
	listen f/p
	start eg detach f/p
	wait_for 5 hangs remove
	sim_set f/p/gpu flap "120000 1 link"
	# A flap ends with a last touch, which a slow kernel sees as well.
	sim_expect f/p stat:downs "[12]"
	sim_expect f/p link "L0 *"
	intervals 6
	sim_free
	finish "^OK DETACHED"
	is "$(grep -c " step .*hold" "$KTAP_TMP/events")" 1
	is "$(disabled f/p)" 16
}

prove presence "a slot that tells presence: pulled ends DETACHED, the next is found"
presence() {
	ready_one slot=1
	result "^OK DETACHED" eg detach f/p
	is "$(disabled f/p)" 16
	intervals 8
	is "$(get f/p state)" DETACHED
	sim_pull f/p/gpu
	await f/p EMPTY/detached
	wait_for 5 link_listens
	is "$(get f/p losses)" 0
	again f/p
}

link_listens() {
	[ "$(disabled f/p)" = 0 ]
}

prove presence_lies "presence that says absent with the card in it says nothing"
presence_lies() {
	one slot=1 inband_presence_disable=1
	sim_set f/p presence absent
	sim_reg f/p CAP_EXP+18.w=4000:4000
	again f/p
	result "^OK DETACHED" eg detach f/p
	nap 1.2
	is "$(get f/p state) $(disabled f/p)" "DETACHED 16"
	result "^OK READY" eg attach f/p
}

prove -l presence_sticks "presence that is stuck at present: DETACHED until ATTACH"
presence_sticks() {
	ready_one slot=1
	sim_set f/p presence present
	result "^OK DETACHED" eg detach f/p
	sim_pull f/p/gpu
	nap 1.2
	is "$(get f/p state)" DETACHED
	sim_put f/p/gpu
	result "^OK READY" eg attach f/p
}

prove users "refused while there are users: the link is left alone"
users() {
	ready_one
	user hold "$(node "$(sim_addr f/p/gpu)" renderD)"
	result "^EBUSY READY" eg detach f/p
	sim_bound f/p/gpu
	is "$(disabled f/p) $(sim_stat f/p downs)" "0 0"
	start eg detach f/p -w 60000
	await f/p DRAINING
	eg cancel f/p
	finish "^ECANCELED READY"
	start eg detach f/p -w 60000
	await f/p DRAINING
	kill "$user"
	finish "^OK DETACHED"
}

prove pulled_draining "pulled while it waits for users: ENODEV, a loss"
pulled_draining() {
	ready_one
	user hold "$(node "$(sim_addr f/p/gpu)" renderD)"
	start eg detach f/p -w 60000
	await f/p DRAINING
	sim_pull f/p/gpu
	finish "^ENODEV "
	await f/p EMPTY/link-down
	users_kill
	again f/p
}

prove hangs_remove "a driver that hangs in remove() holds up no other port"
hangs_remove() {
	sim_fabric f
	port f/p
	port f/q
	sim_live f
	soft f/p
	soft f/q
	again f/p
	sim_set f/p/gpu/driver hang remove
	start eg detach f/p
	wait_for 5 hangs remove
	is "$(get f/p step) $(get f/p step_driver)" "remove egpu_sim_drm"
	again f/q
	result "^OK DETACHED" eg detach f/q
	result "^OK READY" eg attach f/q
	is "$(get f/p state) $(disabled f/p)" "DETACHING 0"
	sim_free
	finish "^OK DETACHED"
	is "$(disabled f/p)" 16
}

prove hangs_lost "pulled while it hangs there: done when it returns"
hangs_lost() {
	ready_one
	sim_set f/p/gpu/driver hang remove
	start eg detach f/p
	wait_for 5 hangs remove
	sim_pull f/p/gpu
	intervals 8
	sim_free
	finish "^(OK|ENODEV) "
	# The link was down when it would have been disabled.
	await f/p EMPTY
	is "$(disabled f/p)" 0
	again f/p
}

prove removed "removed by sysfs: no loss; ATTACH finds it again"
removed() {
	ready_one
	echo 1 > "$PCI/$(sim_addr f/p/gpu)/remove"
	await f/p EMPTY/removed
	intervals 8
	is "$(get f/p state) $(counted f/p)" "EMPTY 0 1"
	result "^OK READY" eg attach f/p
	echo 1 > "$PCI/$(sim_addr f/p/gpu)/remove"
	await f/p EMPTY/removed
	sim_pull f/p/gpu
	intervals 4
	again f/p
	is "$(counted f/p)" "0 2"
}

prove forgotten "FORGET of a detached one enables the link"
forgotten() {
	ready_one
	result "^OK DETACHED" eg detach f/p
	eg forget f/p
	not_soft f/p
	sim_expect f/p link "L0 *"
	is "$(disabled f/p)" 0
	is "$(sim_slot f/p || :)" ""
	echo 1 > /sys/bus/pci/rescan
	wait_for 5 sim_bound f/p/gpu
	is "$(get f/p tracked) $(get f/p soft)" "0 0"
}
