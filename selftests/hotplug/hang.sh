# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# A driver that hangs in probe() or remove(): everything else goes on, and the
# port says who hangs where, since when.

# shellcheck source=selftests/hotplug/lib/hotplug.sh
. lib/hotplug.sh
ports 4

setup() {
	load
	empty rp0
	drv_load
}

teardown() {
	users_kill
	drv_release
	await rp0 READY,EMPTY,DETACHED,HELD
	empty rp0
	empty rp1
	drv_unload
	modprobe bochs
}

# stuck KEY: the driver at rp0 hangs in this; $since is when
stuck() {
	drv_put "$1_hang" 2
	drv_put only "0000:01:00.0"
}

# alive: queries, events and the other port work, in their usual time
alive() {
	local start
	start=$(now_ms)
	eg info rp0 > "$KTAP_TMP/info"
	eg functions rp0 > /dev/null
	eg users rp0 > /dev/null
	egpu_client info "$(get rp1 port)" > /dev/null
	quick $(($(now_ms) - start)) 1000
	exits 0 egpuctl list --json
	drv_put only "0000:01:00.0"
	listen rp1
	arrive rp1
	heard "BINDING>READY"
	result "^OK DETACHED" eg detach rp1
	heard "DETACHED>EMPTY"
}

prove probe "a driver hanging in probe() is named with its step and time"
probe() {
	stuck probe
	arrive rp0
	wait_for 5 drv_is probing 1
	nap 0.5
	is "$(get rp0 state) $(get rp0 step) $(get rp0 step_driver)" \
		"BINDING probe egpu_test"
	[ "$(get rp0 step_ms)" -ge 500 ]
	exits 0 egpuctl show "${PORT[rp0]}"
	like "$out" "egpu_test"
	drv_put probe_hang 0
	drv_put release 1
	await rp0 READY
	is "$(driver_of "$(gpu rp0)") $(get rp0 step)" "egpu_test none"
}

prove probe_alive "meanwhile queries, events and the other port's life go on"
probe_alive() {
	stuck probe
	arrive rp0
	wait_for 5 drv_is probing 1
	alive
	is "$(get rp0 state)" BINDING
}

prove probe_detach "a detach is latched, and applied when probe() returns"
probe_detach() {
	stuck probe
	arrive rp0
	wait_for 5 drv_is probing 1
	start eg detach rp0
	wait_for 5 eval '[ "$(get rp0 transaction)" != 0 ]'
	is "$(get rp0 state)" BINDING
	drv_put probe_hang 0
	drv_put release 1
	finish
	like "$out" "^OK DETACHED"
}

prove probe_cancel "and can be cancelled while probe() still hangs"
probe_cancel() {
	stuck probe
	arrive rp0
	wait_for 5 drv_is probing 1
	start eg detach rp0
	wait_for 5 eval '[ "$(get rp0 transaction)" != 0 ]'
	eg cancel rp0
	finish 1
	like "$out" "^ECANCELED"
	drv_put probe_hang 0
	drv_put release 1
	await rp0 READY
	nap 0.3
	is "$(get rp0 state)" READY "state after the cancelled detach"
}

prove remove "a driver hanging in remove() is named; past return, no cancel"
remove() {
	arrive rp0
	await rp0 READY
	stuck remove
	start eg detach rp0
	wait_for 5 drv_is removing 1
	nap 0.3
	is "$(get rp0 state) $(get rp0 step) $(get rp0 step_driver)" \
		"DETACHING remove egpu_test"
	[ "$(get rp0 step_ms)" -ge 300 ]
	is "$(get rp0 no_return) $(get rp0 safe)" "1 0"
	result "^EBUSY" eg cancel rp0
	exits 0 egpuctl show "${PORT[rp0]}"
	like "$out" "egpu_test"
	drv_put release 1
	finish
	like "$out" "^OK DETACHED"
}

prove remove_slot "a slot that others switch off meanwhile: safe is said when it is off"
remove_slot() {
	arrive rp0
	await rp0 READY
	stuck remove
	slot_power rp0 0 &
	wait_for 5 drv_is removing 1
	start eg detach rp0 -f
	await rp0 DETACHING
	drv_put release 1
	finish
	# pciehp switches the indicator off last, a second after the power.
	is $((0x$(setpci -s "${PORT[rp0]}" CAP_EXP+0x18.w) & 0x300)) $((0x300))
	like "$out" "^OK DETACHED"
	is "$(get rp0 safe)" 1
	wait
}

prove remove_alive "meanwhile queries, events and the other port's life go on"
remove_alive() {
	arrive rp0
	await rp0 READY
	stuck remove
	start eg detach rp0
	wait_for 5 drv_is removing 1
	alive
	is "$(get rp0 state)" DETACHING
	drv_put release 1
	finish
}

prove remove_open "open i2c node, forced: remove() waits for the close, the port says so"
remove_open() {
	local adapter
	drv_put i2c 1
	modprobe i2c-dev
	arrive rp0
	await rp0 READY
	adapter=$(basename "$(echo "$PCI/$(gpu rp0)"/i2c-*)")
	wait_for 5 test -c "/dev/$adapter"
	user hold "/dev/$adapter"
	start eg detach rp0 -f
	wait_for 5 drv_is removing 1
	nap 0.3
	is "$(get rp0 state) $(get rp0 step_driver)" "DETACHING egpu_test"
	kill "$user"
	finish
}

prove lost_removing "a card pulled while remove() hangs: LOST or gone when it returns"
lost_removing() {
	arrive rp0
	await rp0 READY
	stuck remove
	start eg detach rp0
	wait_for 5 drv_is removing 1
	setpci -s "${PORT[rp0]}" CAP_EXP+0x18.w=0700:0700
	host wait-deleted gpu0 2
	is "$(get rp0 state)" DETACHING
	drv_put release 1
	wait "$job" || :
	await rp0 EMPTY
	is_empty rp0
	arrive rp0
	await rp0 READY
}

prove blocked "a removal by others that hangs names the port that it blocks"
blocked() {
	arrive rp0
	await rp0 READY
	arrive rp1
	await rp1 READY
	stuck remove
	echo 1 > "$PCI/$(gpu rp0)/remove" &
	wait_for 5 drv_is removing 1
	is "$(get rp0 step) $(get rp0 step_driver)" "remove egpu_test"
	start eg detach rp1
	wait_for 5 eval '[ "$(get rp1 blocked_port)" = "$(get rp0 port)" ]'
	is "$(get rp1 blocked_driver)" egpu_test
	is "$(get rp1 state)" DETACHING
	drv_put release 1
	finish
	like "$out" "^OK DETACHED"
	await rp0 EMPTY
}
