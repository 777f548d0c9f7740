# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# A link that goes: the cable, a bounce, a reset, DPC, another card; which of them
# is a loss.

# shellcheck source=selftests/soft/lib/soft.sh
. lib/soft.sh

setup() {
	load
}

teardown() {
	clear
}

# settled: nothing of it is left, and what is next is READY
settled() {
	await f/p EMPTY 20
	not sim_added f/p/gpu
	again f/p
	is "$(get f/p step) $(get f/p transaction)" "none 0"
}

prove yank "the cable is pulled: LOST, unbound, removed, EMPTY"
yank() {
	ready_one
	listen f/p
	sim_pull f/p/gpu
	await f/p EMPTY/link-down
	is "$(states)" "READY>LOST LOST>EMPTY"
	is "$(counted f/p)" "1 0"
	heard " unbound .*egpu_sim_drm"
	settled
}

prove -l yank_held "pulled while it is held"
yank_held() {
	one
	eg policy f/p manual
	sim_put f/p/gpu
	await f/p HELD/manual
	sim_pull f/p/gpu
	await f/p EMPTY/link-down
}

prove yank_probing "pulled in its driver's probe()"
yank_probing() {
	one
	eg quarantine f/p 0 0
	sim_set f/p/gpu/driver hang probe
	sim_put f/p/gpu
	wait_for 5 hangs probe
	sim_pull f/p/gpu
	intervals 8
	sim_free
	await f/p EMPTY/link-down
	settled
}

prove yank_drawing "pulled while somebody has it open; its file is dead"
yank_drawing() {
	ready_one
	exec {file}<> "$(node "$(sim_addr f/p/gpu)" renderD)"
	sim_pull f/p/gpu
	await f/p EMPTY/link-down
	exits 1 egpu_client drm "$file"
	like "$out" "ENODEV"
	settled
	exec {file}>&-
}

prove hang_remove "its driver hangs in remove(): another soft port lives, and comes back after"
hang_remove() {
	ready_one
	sim_set f/p/gpu/driver hang remove
	sim_pull f/p/gpu
	wait_for 5 hangs remove
	is "$(get f/p state) $(get f/p step_driver)" "LOST egpu_sim_drm"
	# Marked as disconnected: nobody waits for an answer.
	like "$(eg functions f/p)" "failed"
	sim_put f/p/gpu
	intervals 4
	sim_free
	await f/p READY
	wait_for 5 sim_bound f/p/gpu
	is "$(get f/p losses)" 1
}

prove -l quarantine "lost too often: quarantine"
quarantine() {
	ready_one
	eg quarantine f/p 2 60000
	for _ in 1 2; do
		sim_pull f/p/gpu
		await f/p EMPTY
		sim_put f/p/gpu
		await f/p READY,QUARANTINED
	done
	is "$(get f/p state)" QUARANTINED
	is "$(sim_driver f/p/gpu)" egpu
	eg reset f/p
	await f/p READY
}

prove swap "another card takes its place"
swap() {
	local generation
	ready_one
	sim_gpu f/p/other preset=accelerator serial=2
	generation=$(get f/p generation)
	sim_pull f/p/gpu
	await f/p EMPTY/link-down
	sim_put f/p/other
	await f/p READY
	sim_bound f/p/other
	is "$(sim_value f/p/other pci:device)" 0xe601
	[ "$(get f/p generation)" -gt "$generation" ]
}

prove swap_quick "another card within an interval: nothing of the old one stays"
swap_quick() {
	local generation
	ready_one
	sim_gpu f/p/other preset=accelerator serial=2
	generation=$(get f/p generation)
	# So long that a look falls between the two, and most likely the second
	# finds the link up again.
	eg watch f/p 20
	sim_set f/p detect_ms 70
	sim_pull f/p/gpu
	sim_put f/p/other
	wait_for 10 newer "$generation"
	await f/p READY 20
	wait_for 5 sim_bound f/p/other
	is "$(sim_value f/p/other pci:device)" 0xe601
}

newer() {
	[ "$(get f/p generation)" -gt "$1" ]
}

# configured: the device is as its driver left it
configured() {
	local command bar
	# It may be gone at any moment; what is no number would end the shell.
	command=$(sim_reg f/p/gpu COMMAND) && bar=$(sim_reg f/p/gpu \
		BASE_ADDRESS_2) && [ -n "$command" ] && [ -n "$bar" ] &&
		[ $((0x$command & 6)) = 6 ] && [ $((0x$bar)) != 0 ]
}

prove bounce "contacts that open for 40 ms: no loss, or one; it works afterwards"
bounce() {
	WATCH=20 ready_one
	sim_set f/p/gpu flap "80000 1 link"
	sim_expect f/p stat:downs "[1-9]*"
	# Its registers are lost with the link; that is found and mended.
	wait_for 10 recovered
	is "$(get f/p removals)" 0
	sim_bound f/p/gpu
}

recovered() {
	has f/p state READY && configured &&
		[ $(($(get f/p mends) + $(get f/p losses))) -ge 1 ]
}

prove bounce_used "the same while it is used: FAULT(recovery-failed), or LOST"
bounce_used() {
	WATCH=20 ready_one
	user hold "$(node "$(sim_addr f/p/gpu)" renderD)"
	sim_set f/p/gpu flap "80000 1 link"
	wait_for 10 noticed
	users_kill
	wait_for 15 recovered
}

noticed() {
	has f/p state FAULT || has f/p losses 1
}

prove -l -t 60 flap "contacts that open and close ten times a second: it ends"
flap() {
	ready_one
	eg quarantine f/p 5 60000
	sim_set f/p/gpu flap "100000 0 both"
	nap 3
	sim_set f/p/gpu flap 0
	nap 2
	await f/p READY,QUARANTINED,HELD/check-failed 20
	eg reset f/p
	await f/p READY,HELD/check-failed
	# Reset while it was held, by a bounce that no look saw.
	if has f/p state HELD; then
		result "^OK DETACHED" eg detach f/p
		result "^OK READY" eg attach f/p
	fi
	wait_for 5 sim_bound f/p/gpu
	wait_for 5 configured
}

prove -t 60 bounce_held "a held one that is reset by a bounce comes anew, and passes its checks"
bounce_held() {
	local generation
	one
	eg watch f/p 20
	eg quarantine f/p 0 0
	eg policy f/p manual
	sim_put f/p/gpu
	await f/p HELD/manual
	generation=$(get f/p generation)
	sim_set f/p/gpu flap "120000 1 link"
	wait_for 10 newer "$generation"
	await f/p HELD/manual
	result "^OK READY" eg attach f/p
	configured
}

prove -t 60 bounce_shared "one function is held, another is used, by a bounce: nothing is torn down"
bounce_shared() {
	local used since
	sim_fabric f
	port f/p
	sim_gpu f/p/gpu/function1
	sim_live f
	soft f/p 20
	eg policy f/p manual
	sim_put f/p/gpu
	await f/p HELD/manual
	used=$(sim_addr f/p/gpu/function1)
	echo egpu_sim_drm > "$PCI/$used/driver_override"
	echo "$used" > "$PCI/$used/driver/unbind"
	echo "$used" > /sys/bus/pci/drivers_probe
	wait_for 5 sim_bound f/p/gpu/function1
	await f/p HELD/manual
	since=$(stat -c %Z "$(node "$used" renderD)")
	sim_set f/p/gpu flap "120000 1 link"
	sim_expect f/p stat:downs "[1-9]*"
	sim_expect f/p link "L0 *"
	intervals 10
	is "$(get f/p state) $(counted f/p)" "HELD 0 0"
	is "$(stat -c %Z "$(node "$used" renderD)")" "$since"
}

prove -t 60 lost_alive "taken for lost, and there: it alone comes anew, what is used beside it stays"
lost_alive() {
	local gpu=f/p/box/port0/gpu used=f/p/box/port1/used since
	sim_fabric f
	port f/p
	sim_switch f/p/box 2 hotplug=none detect_ms=0 polling_ms=0
	sim_gpu $gpu present=1
	sim_gpu $used preset=accelerator class=0x088000 present=1
	sim_live f
	soft f/p
	eg quarantine f/p 0 0
	sim_put f/p/box
	await f/p READY
	wait_for 5 sim_bound $used
	since=$(stat -c %Z "$(node "$(sim_addr $used)" renderD)")
	lose f/p $gpu
	await f/p READY
	wait_for 5 sim_bound $gpu
	is "$(get f/p losses)" 1
	is "$(stat -c %Z "$(node "$(sim_addr $used)" renderD)")" "$since"
}

prove reset "a bus reset through sysfs, with a link that takes long: no loss"
reset() {
	local dev
	ready_one
	dev=$PCI/$(sim_addr f/p/gpu)
	sim_set f/p detect_ms 400
	like "$(< "$dev/reset_method")" bus
	echo bus > "$dev/reset_method"
	echo 1 > "$dev/reset"
	sim_expect f/p stat:resets 1
	intervals 8
	is "$(get f/p state) $(counted f/p)" "READY 0 0"
	configured
	# And what comes after is seen again.
	sim_pull f/p/gpu
	await f/p EMPTY/link-down
}

prove -t 60 reset_by_hand "Secondary Bus Reset for a second, by somebody else: no loss; it is mended"
reset_by_hand() {
	ready_one
	sim_reg f/p BRIDGE_CONTROL=40:40
	sim_expect f/p link "Hot Reset*"
	nap 1
	is "$(get f/p state) $(counted f/p)" "READY 0 0"
	sim_reg f/p BRIDGE_CONTROL=0:40
	wait_for 10 recovered
	is "$(counted f/p)" "0 0"
	is "$(get f/p mends)" 1
}

prove -t 60 reset_for_ever "Secondary Bus Reset that nobody ends: lost after five seconds, not before"
reset_for_ever() {
	local start
	ready_one
	start=$(now_ms)
	sim_reg f/p BRIDGE_CONTROL=40:40
	await f/p EMPTY/link-down 15
	[ $(($(now_ms) - start)) -ge 4500 ]
	sim_reg f/p BRIDGE_CONTROL=0:40
	await f/p READY
}

prove -l -t 60 reset_pulled "pulled in a reset: a loss, when its excuse is over"
reset_pulled() {
	ready_one
	sim_reg f/p BRIDGE_CONTROL=40:40
	sim_pull f/p/gpu
	nap 0.5
	is "$(get f/p state)" READY
	sim_reg f/p BRIDGE_CONTROL=0:40
	await f/p EMPTY/link-down 15
	is "$(counted f/p)" "1 0"
}

prove -t 60 dpc "DPC contains an error and the kernel recovers: no loss"
dpc() {
	ready_one dpc=1
	sim_set f/p/gpu error DLP
	sim_expect f/p stat:dpc 1
	sim_expect f/p link "L0 *"
	wait_for 10 configured
	nap 1.5
	is "$(get f/p state) $(counted f/p)" "READY 0 0"
	sim_bound f/p/gpu
}

prove -l -t 60 dpc_pulled "pulled while DPC recovers: a loss"
dpc_pulled() {
	ready_one dpc=1
	sim_set f/p/gpu error DLP
	sim_pull f/p/gpu
	await f/p EMPTY 20
	settled
}

prove -t 60 aer "a fatal error, and the reset by which the kernel recovers: no loss"
aer() {
	ready_one
	sim_set f/p/gpu error MALF_TLP
	sim_expect f/p stat:resets "[1-9]"
	wait_for 15 configured
	nap 1.5
	is "$(get f/p state) $(counted f/p)" "READY 0 0"
}

prove ones "the port answers all ones for a while: nothing is concluded"
ones() {
	ready_one
	sim_set f/p/fault kind=ones scope=port count=8 at=1 armed=1
	wait_for 5 sim_is f/p/fault seen "[1-9]*"
	intervals 10
	sim_set f/p/fault armed=0
	is "$(get f/p state) $(counted f/p)" "READY 0 0"
}

prove disabled_by_hand "Link Disable by somebody else is a loss, and no way back but his"
disabled_by_hand() {
	ready_one
	sim_reg f/p CAP_EXP+10.w=10:10
	await f/p EMPTY/link-down
	intervals 4
	is "$(get f/p state)" EMPTY
	sim_reg f/p CAP_EXP+10.w=0:10
	await f/p READY
}

prove -l same_time "sixteen at once"
same_time() {
	local i
	sim_fabric f
	for i in {0..15}; do
		port "f/p$i"
		sim_set "f/p$i/gpu" present 1
	done
	sim_live f
	for i in {0..15}; do eg soft "f/p$i" $WATCH; done
	for i in {0..15}; do await "f/p$i" READY; done
	for i in {0..15}; do sim_pull "f/p$i/gpu"; done
	for i in {0..15}; do await "f/p$i" EMPTY/link-down; done
	for i in {0..15}; do sim_put "f/p$i/gpu"; done
	for i in {0..15}; do await "f/p$i" READY; done
}
