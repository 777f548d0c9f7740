# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# Removal by somebody else is told from loss; drivers that hang in a surprise
# removal, which happens under the kernel's own lock.
# vm: own-boot

# shellcheck source=selftests/surprise/lib/surprise.sh
. lib/surprise.sh

setup() {
	local p
	load
	if [ ! -d "$SIM/f" ]; then
		sim_fabric f
		for p in f/a f/b; do
			sim_port "$p" external_facing=1 power_controller=1
			sim_gpu "$p/gpu"
		done
		# While one function's probe() hangs the other goes.
		sim_gpu f/a/gpu/function1 preset=plain
		# A button and power control: pciehp would wait for the button.
		sim_port f/button external_facing=1 attention_button=1 \
			indicators=1
		sim_gpu f/button/gpu
		sim_live f
		for p in f/a f/b; do eg quarantine "$p" 0 0; done
	fi
	ready f/a
}

teardown() {
	users_kill
	sim_free
	local p
	for p in f/a f/b f/button; do sim_set "$p/gpu" present 0; done
	for p in f/a f/b f/button; do await "$p" EMPTY 20; done
}

# ready PORT: a GPU is there
ready() {
	sim_put "$1/gpu"
	await "$1" READY
	wait_for 5 sim_bound "$1/gpu"
}

# told REASON LOSSES REMOVALS: so many more than before, for this reason
told() {
	await f/a "EMPTY/$1"
	is "$(counted f/a)" "$((losses + $2)) $((removals + $3))"
}

note() {
	read -r losses removals <<< "$(counted f/a)"
	listen f/a
}

prove pulled "the cable is pulled: a loss"
pulled() {
	note
	sim_pull f/a/gpu
	told link-down 1 0
	is "$(states)" "READY>LOST LOST>EMPTY"
}

prove link_lost "the link goes for good: a loss"
link_lost() {
	note
	sim_set f/a/fault kind=link scope=all at=1 armed=1
	sim_set f/a/gpu link_up_try 1000
	setpci -s "$(sim_addr f/a)" VENDOR_ID > /dev/null
	told link-down 1 0
	sim_set f/a/fault armed 0
	sim_set f/a/gpu link_up_try=1 present=0
}

prove slot_power "slot power written by hand: a removal"
slot_power() {
	note
	echo 0 > "$(sim_slot f/a)/power"
	told removed 0 1
	is "$(states)" "READY>EMPTY"
	sim_pull f/a/gpu
	ready f/a
}

prove sysfs_remove "sysfs remove: a removal; a rescan brings it back"
sysfs_remove() {
	note
	echo 1 > "$PCI/$(sim_addr f/a/gpu/function1)/remove"
	echo 1 > "$PCI/$(sim_addr f/a/gpu)/remove"
	told removed 0 1
	echo 1 > /sys/bus/pci/rescan
	await f/a READY
}

prove button "the attention button: a removal, five seconds later"
button() {
	ready f/button
	sim_set f/button button 1
	await f/button EMPTY/removed 15
	is "$(counted f/button)" "0 1"
}

prove dpc_apart "a slot that is switched off and pulled afterwards: one removal"
dpc_apart() {
	note
	echo 0 > "$(sim_slot f/a)/power"
	sim_pull f/a/gpu
	told removed 0 1
	ready f/a
	told_nothing_more
}

told_nothing_more() {
	is "$(counted f/a)" "$losses $((removals + 1))"
}

# hangs WORD: the driver of f/a hangs there
hangs() {
	case " $(sim_get f/a/gpu/driver hanging) " in
	*" $1 "*) ;;
	*) return 1 ;;
	esac
}

# alive: queries and events work, quickly, for both ports
alive() {
	local start
	start=$(now_ms)
	get f/a state > /dev/null
	get f/b state > /dev/null
	eg functions f/a > /dev/null
	eg users f/a > /dev/null
	egpuctl list --json > /dev/null
	[ $(($(now_ms) - start)) -lt $((2000 * ${VM_SLOW:-1})) ]
}

prove -t 60 hang_remove "a driver hangs in a surprise removal: who blocks whom is told, all else goes on"
hang_remove() {
	sim_set f/a/gpu/driver hang remove
	listen f/a
	sim_pull f/a/gpu
	wait_for 5 hangs remove
	heard " state READY>LOST"
	is "$(get f/a state) $(get f/a step) $(get f/a step_driver)" \
		"LOST remove egpu_sim_drm"
	alive
	sim_put f/b/gpu
	start eg attach f/b
	wait_for 10 blocked f/b
	is "$(get f/b blocked_driver) $(get f/b blocked_port)" \
		"egpu_sim_drm $(get f/a port)"
	exits 0 egpuctl show "$(sim_addr f/b)"
	like "$out" "blocked by.*egpu_sim_drm"
	alive
	sim_free
	await f/a EMPTY
	await f/b READY
	finish "^OK READY"
	is "$(get f/b blocked_port)" 0
}

blocked() {
	[ "$(get "$1" blocked_port)" != 0 ]
}

prove -t 60 hang_open "an open i2c node keeps a lost GPU's remove() waiting; it ends with the close"
hang_open() {
	local adapter
	modprobe i2c-dev
	adapter=$(basename "$(echo "$PCI/$(sim_addr f/a/gpu)"/i2c-*)")
	wait_for 5 test -c "/dev/$adapter"
	user hold "/dev/$adapter"
	sim_pull f/a/gpu
	await f/a LOST
	is "$(get f/a step) $(get f/a step_driver)" "remove egpu_sim_drm"
	alive
	kill "$user"
	await f/a EMPTY/link-down
	ready f/a
}

# blocks_b WORD STATE END: f/a is pulled while its driver hangs there; so the kernel
# waits for it with its lock held, and f/b says whom it waits for
blocks_b() {
	wait_for 5 hangs "$1"
	sim_pull f/a/gpu
	alive
	is "$(get f/a state) $(get f/a step) $(get f/a step_driver)" \
		"$2 $1 egpu_sim_drm"
	sim_put f/b/gpu
	start eg attach f/b
	wait_for 10 blocked f/b
	is "$(get f/b blocked_driver) $(get f/b blocked_port)" \
		"egpu_sim_drm $(get f/a port)"
	sim_free
	await f/a "$3"
	await f/b READY
	finish "^OK READY"
}

prove -t 60 hang_probe "pulled while probe() hangs: LOST as soon as it returns"
hang_probe() {
	sim_pull f/a/gpu
	await f/a EMPTY
	sim_set f/a/gpu/driver hang probe
	sim_put f/a/gpu
	blocks_b probe BINDING EMPTY/link-down
	ready f/a
}

prove -t 60 hang_detach "pulled while a detach hangs in remove(): ends when it returns"
hang_detach() {
	sim_set f/a/gpu/driver hang remove
	eg detach f/a > "$KTAP_TMP/detach" 2>&1 &
	blocks_b remove DETACHING EMPTY
	wait_for 5 grep -Eq '^(OK|ENODEV) ' "$KTAP_TMP/detach"
	ready f/a
}

prove -t 60 hang_apart "a probe() that hangs keeps no other port waiting"
hang_apart() {
	sim_pull f/a/gpu
	await f/a EMPTY
	sim_set f/a/gpu/driver hang probe
	sim_put f/a/gpu
	wait_for 5 hangs probe
	ready f/b
	result "^OK DETACHED" eg detach f/b
	is "$(get f/a state)" BINDING
	sim_free
	await f/a READY
}
