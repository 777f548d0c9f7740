# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# vm: own-boot --append pcie_port_pm=force
# A port stays awake while a GPU is there, whatever the GPU does; it sleeps
# again when the GPU has gone, or egpu has.

# shellcheck source=selftests/surprise/lib/surprise.sh
. lib/surprise.sh

setup() {
	load
	sim_fabric f
	sim_port f/p external_facing=1 power_controller=1
	sim_gpu f/p/gpu
	sim_live f
	wait_for 5 asleep f/p
	usage0=$(usage f/p)
}

teardown() {
	users_kill
	sim_clear
	egpu_unload
	echo N > /sys/module/egpu_sim_drm/parameters/runtime_pm
}

# power PATH FILE: of its device
power() {
	sim_value "$1" "pci:power/$2"
}

asleep() {
	[ "$(power "$1" runtime_status)" = suspended ]
}

awake() {
	[ "$(power "$1" runtime_status)" = active ]
}

usage() {
	power "$1" runtime_usage
}

uses() {
	[ "$(usage "$1")" = "$2" ]
}

# arrive: the GPU comes; pciehp does not hear of it while its port sleeps
arrive() {
	echo on > "$PCI/$(sim_addr f/p)/power/control"
	sim_put f/p/gpu
	wait_for 10 sim_added f/p/gpu
	await f/p "${1:-READY}"
	echo auto > "$PCI/$(sim_addr f/p)/power/control"
}

# dozes: the GPU may sleep, and does. Below a port that sleeps the fabric does not
# know its address.
dozes() {
	local power
	power=$PCI/$(sim_addr f/p/gpu)/power
	echo auto > "$power/control"
	wait_for 5 grep -q suspended "$power/runtime_status"
}

# stays_awake: for ten times as long as it would need to fall asleep
stays_awake() {
	local slept delay
	slept=$(power f/p runtime_suspended_time)
	delay=$(power f/p autosuspend_delay_ms)
	nap $((delay / 100 + 1))
	is "$(power f/p runtime_suspended_time) $(power f/p runtime_status)" \
		"$slept active" "time asleep, and now"
}

# let_go: without egpu it sleeps; egpu wakes it up again
let_go() {
	rmmod egpu
	wait_for 5 asleep f/p
	is "$(usage f/p)" "$usage0"
	load
	await f/p "$1"
	wait_for 5 awake f/p
	stays_awake
}

prove -t 60 unbound "a GPU without a driver"
unbound() {
	local gpu
	arrive
	gpu=$(sim_addr f/p/gpu)
	wait_for 5 sim_bound f/p/gpu
	echo "$gpu" > /sys/bus/pci/drivers/egpu_sim_drm/unbind
	dozes
	stays_awake
	is "$(usage f/p)" $((usage0 + 1))
	sim_yank f/p/gpu
	await f/p EMPTY
	wait_for 5 asleep f/p
	is "$(usage f/p)" "$usage0"
}

prove -t 60 idle "a GPU whose driver lets it sleep; to query it wakes nobody"
idle() {
	echo Y > /sys/module/egpu_sim_drm/parameters/runtime_pm
	arrive
	dozes
	stays_awake
	is "$(power f/p/gpu runtime_status)" suspended
	eg info f/p > /dev/null
	eg functions f/p > /dev/null
	egpuctl list > /dev/null
	egpuctl link "$(sim_addr f/p)" > /dev/null
	is "$(power f/p/gpu runtime_status)" suspended
	let_go READY/adopted
	is "$(power f/p/gpu runtime_status)" suspended
	is "$(sim_driver f/p/gpu)" egpu_sim_drm
	user hold "$(node "$(sim_addr f/p/gpu)" renderD)"
	is "$(power f/p/gpu runtime_status)" active
	kill "$user"
	wait_for 5 asleep f/p/gpu
	stays_awake
	sim_yank f/p/gpu
	await f/p EMPTY
	wait_for 5 asleep f/p
}

prove -t 60 held "a GPU that is held"
held() {
	eg policy f/p manual
	arrive HELD/manual
	echo auto > "$PCI/$(sim_addr f/p/gpu)/power/control"
	stays_awake
	is "$(usage f/p)" $((usage0 + 1))
	let_go HELD,READY
	is "$(usage f/p)" $((usage0 + 1))
}

prove -t 60 asleep_before "a port that sleeps when egpu comes: the GPU is known for what it is"
asleep_before() {
	rmmod egpu
	sim_set f/p/gpu serial 0x77
	echo Y > /sys/module/egpu_sim_drm/parameters/runtime_pm
	echo on > "$PCI/$(sim_addr f/p)/power/control"
	sim_plug f/p/gpu
	echo auto > "$PCI/$(sim_addr f/p)/power/control"
	dozes
	wait_for 5 asleep f/p
	load
	await f/p READY/adopted
	wait_for 5 awake f/p
	asleep f/p/gpu
	is "$(power f/p/gpu control)" auto
	dmesg_mark
	echo 0 > /sys/module/suspend/parameters/pm_test_delay
	echo devices > /sys/power/pm_test
	echo freeze > /sys/power/state
	echo none > /sys/power/pm_test
	user hold "$(node "$(sim_addr f/p/gpu)" renderD)"
	nap 1.5
	await f/p READY
	sim_unsaid "replaced while"
}

prove -t 60 detached "detached, and left in: the port stays awake, else pciehp took the card in again"
detached() {
	arrive
	result "^OK DETACHED" eg detach f/p
	stays_awake
	is "$(get f/p state)" DETACHED
	not sim_added f/p/gpu
	sim_pull f/p/gpu
	await f/p EMPTY
	wait_for 5 asleep f/p
}

prove -t 90 balance "as it was: after loss, detach, forget, quarantine and with the port itself"
balance() {
	arrive
	is "$(usage f/p)" $((usage0 + 1))
	result "^OK DETACHED" eg detach f/p
	wait_for 5 not sim_added f/p/gpu
	is "$(usage f/p)" $((usage0 + 1))
	sim_pull f/p/gpu
	await f/p EMPTY
	wait_for 5 uses f/p "$usage0"

	arrive
	result "^OK DETACHED" eg detach f/p
	rmmod egpu
	wait_for 5 uses f/p "$usage0"
	sim_pull f/p/gpu
	load
	await f/p EMPTY

	arrive
	eg forget f/p
	wait_for 5 uses f/p "$usage0"
	is "$(sim_driver f/p/gpu)" egpu_sim_drm
	eg track f/p
	await f/p READY
	is "$(usage f/p)" $((usage0 + 1))
	eg forget f/p
	eg track f/p
	sim_yank f/p/gpu
	wait_for 5 uses f/p "$usage0"
	await f/p EMPTY

	# It was lost just now.
	eg quarantine f/p 1 60000
	arrive QUARANTINED
	is "$(usage f/p)" $((usage0 + 1))
	eg reset f/p
	await f/p READY
	rmmod egpu
	is "$(usage f/p) $(power f/p control)" "$usage0 auto"
	load
	await f/p READY
	sim_dead f
	sim_live f
	await f/p READY
	is "$(usage f/p)" $((usage0 + 1))
}
