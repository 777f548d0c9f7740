# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# vm: own-boot
# The machine sleeps and wakes up with the same GPU, another one or none, on
# each state of a port. The kernel compares from 6.12 on; before, egpu alone.

# shellcheck source=selftests/surprise/lib/surprise.sh
. lib/surprise.sh

setup() {
	load
	if [ ! -d "$SIM/f" ]; then
		sim_fabric f
		sim_port f/p external_facing=1 power_controller=1
		sim_gpu f/p/gpu serial=1
		sim_gpu f/p/twin serial=2
		sim_gpu f/p/other preset=accelerator serial=3
		sim_gpu f/p/pair serial=4
		sim_gpu f/p/pair/function1
		sim_live f
		eg quarantine f/p 0 0
	fi
	eg policy f/p "${POLICY:-auto}"
	sim_put f/p/gpu
	await f/p READY,HELD/manual
}

teardown() {
	local d
	users_kill
	echo none > /sys/power/pm_test
	echo N > /sys/module/egpu_sim_drm/parameters/runtime_pm
	load
	eg policy f/p auto
	eg quarantine f/p 0 0
	eg reset f/p
	for d in gpu twin other pair; do sim_set "f/p/$d" sleep=same present=0; done
	await f/p EMPTY 20
}

# sleeps STATE: all devices are suspended and resumed, by the kernel's test
sleeps() {
	grep -q platform /sys/power/pm_test || skip "no pm_test in this kernel"
	grep -qw "$1" /sys/power/state || skip "this kernel has no '$1'"
	irq_gone
	echo 0 > /sys/module/suspend/parameters/pm_test_delay
	echo platform > /sys/power/pm_test
	echo "$1" > /sys/power/state
	echo none > /sys/power/pm_test
}

# held: the GPU is there, and waits for attach
held() {
	sim_pull f/p/gpu
	await f/p EMPTY
	eg policy f/p manual
	sim_put f/p/gpu
	await f/p HELD/manual
}

# newer GENERATION: something arrived since
newer() {
	[ "$(get f/p generation)" != "$1" ]
}

# noticed STATE DEVICE ID: f/p/DEVICE came instead of what was there
noticed() {
	wait_for 20 newer "$was"
	await f/p "$1" 20
	wait_for 10 sim_added "f/p/$2"
	is "$(sim_value "f/p/$2" pci:device)" "$3"
}

# still_ready: as it was before, so far as egpu knows
still_ready() {
	[ "$(get f/p state) $(get f/p generation)" = "READY $was" ]
}

# unseen: nobody has looked at it
unseen() {
	[ "$(sim_get f/p/fault seen)" = 0 ]
}

# note: what there is, before the machine sleeps
note() {
	was=$(get f/p generation)
	listen f/p
}

prove -t 60 ready_same "bound, and left alone: nobody is disturbed"
ready_same() {
	local before
	before=$(sim_stat f/p resets)
	wait_for 5 sim_bound f/p/gpu
	user hold "$(node "$(sim_addr f/p/gpu)" renderD)"
	note
	sleeps freeze
	nap 1.2
	is "$(get f/p state) $(get f/p generation) $(states)" "READY $was "
	is "$(sim_stat f/p resets)" "$before"
	sim_bound f/p/gpu
}

prove -t 60 ready_twin "bound: another one of the same kind, told by its serial number"
ready_twin() {
	note
	sim_set f/p/gpu sleep twin
	sleeps freeze
	noticed READY twin 0xe600
	wait_for 10 sim_bound f/p/twin
}

prove -t 60 ready_hibernated "bound: another one while the machine hibernates"
ready_hibernated() {
	note
	sim_set f/p/gpu sleep other
	sleeps disk
	noticed READY other 0xe601
}

prove -t 60 ready_used "bound and in use: when its user has gone the new one comes"
ready_used() {
	wait_for 5 sim_bound f/p/gpu
	user hold "$(node "$(sim_addr f/p/gpu)" renderD)"
	note
	sim_set f/p/gpu sleep other
	sleeps freeze
	wait_for 20 not still_ready
	kill "$user"
	noticed READY other 0xe601
}

prove -t 60 ready_manual "bound: what came instead is not admitted where that is asked for"
ready_manual() {
	eg policy f/p manual
	note
	sim_set f/p/gpu sleep other
	sleeps freeze
	noticed HELD/manual other 0xe601
	is "$(sim_driver f/p/other)" egpu
}

prove -t 60 held_same "held, and left alone: it is held"
held_same() {
	held
	note
	sleeps freeze
	await f/p HELD/manual
	is "$(get f/p generation) $(sim_driver f/p/gpu)" "$was egpu"
	result "^OK READY" eg attach f/p
}

prove -t 60 held_other "held: what came instead is held, and no driver had the old one"
held_other() {
	held
	note
	sim_set f/p/gpu sleep other
	sleeps freeze
	noticed HELD/manual other 0xe601
	is "$(sim_driver f/p/other)" egpu
	unheard "bound.*egpu_sim_drm"
	result "^OK READY" eg attach f/p
	wait_for 5 sim_bound f/p/other
}

prove -t 60 held_attach "held: attach right after sleep gives nobody the old one"
held_attach() {
	held
	note
	sim_set f/p/gpu sleep twin
	sleeps freeze
	eg attach f/p > "$KTAP_TMP/attach" 2>&1 || :
	noticed HELD,READY twin 0xe600
	heard "state" 5
	# The one that is bound, if any, came by an arrival of its own.
	is "$(get f/p generation)" $((was + 1))
}

prove -t 60 held_manage "held: to manage it right after sleep is not to manage the new one"
held_manage() {
	held
	note
	sim_set f/p/gpu sleep twin
	sleeps freeze
	exits 1 egpu_dma manage "$(sim_addr f/p/gpu)" 64
	noticed HELD/manual twin 0xe600
	unheard "bound.*egpu-dma"
}

prove -t 60 held_unload "held: to unload egpu after sleep gives nobody the old one"
held_unload() {
	held
	sim_set f/p/gpu sleep twin
	note
	sleeps freeze
	pkill egpu_client
	wait_for 10 rmmod egpu
	load
	await f/p HELD,READY 20
	sim_added f/p/twin
	# Whoever has it now, no driver had it under the old one's name.
	unheard "bound.*egpu_sim_drm"
}

prove -t 60 held_nothing "held: nothing is there any more"
held_nothing() {
	held
	sim_set f/p/gpu sleep nothing
	sleeps freeze
	await f/p EMPTY
}

prove -t 60 quarantined "in quarantine: it stays so, and what came instead is what is admitted"
quarantined() {
	eg quarantine f/p 1 60000
	sim_pull f/p/gpu
	await f/p EMPTY
	sim_put f/p/gpu
	await f/p QUARANTINED
	note
	sleeps freeze
	nap 0.5
	is "$(get f/p state)" QUARANTINED
	sim_set f/p/gpu sleep other
	sleeps freeze
	eg reset f/p
	eg quarantine f/p 0 0
	noticed READY other 0xe601
	wait_for 10 sim_bound f/p/other
}

prove -t 90 dozing_beside "one function sleeps, another comes after sleep: that is given to its driver"
dozing_beside() {
	local gpu beside losses
	sim_pull f/p/gpu
	await f/p EMPTY
	echo Y > /sys/module/egpu_sim_drm/parameters/runtime_pm
	sim_put f/p/pair
	await f/p READY
	gpu=$PCI/$(sim_addr f/p/pair)
	losses=$(get f/p losses)
	beside=$PCI/$(sim_addr f/p/pair/function1)
	echo auto > "$gpu/power/control"
	wait_for 5 grep -q suspended "$gpu/power/runtime_status"
	sleeps freeze
	wait_for 5 grep -q suspended "$gpu/power/runtime_status"
	echo 1 > "$beside/remove"
	echo 1 > "$PCI/$(sim_addr f/p)/rescan"
	wait_for 10 sim_bound f/p/pair/function1
	await f/p READY
	is "$(get f/p losses)" "$losses"
	grep -q suspended "$gpu/power/runtime_status"
}

prove -t 90 dozing "a GPU that slept before is not woken up, and compared when it wakes"
dozing() {
	local gpu
	echo Y > /sys/module/egpu_sim_drm/parameters/runtime_pm
	sim_pull f/p/gpu
	await f/p EMPTY
	sim_put f/p/gpu
	await f/p READY
	gpu=$PCI/$(sim_addr f/p/gpu)/power
	echo auto > "$gpu/control"
	wait_for 5 grep -q suspended "$gpu/runtime_status"
	note
	sleeps freeze
	wait_for 5 grep -q suspended "$gpu/runtime_status"
	# The kernel's own look for wakeup events is made by another kind of worker.
	sim_set f/p/fault at=0 scope=below task='kworker/u*' armed=1
	nap 1.5
	unseen
	user hold "$(node "$(sim_addr f/p/gpu)" renderD)"
	wait_for 10 not unseen
	sim_set f/p/fault armed 0
	is "$(get f/p state) $(get f/p generation)" "READY $was"
}
