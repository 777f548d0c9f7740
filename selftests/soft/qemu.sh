# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# vm: own-boot --port-opt rp0:hotplug=off --device secondary-vga,id=gpu0,bus=rp0
# One of QEMU's root ports without hotplug capability, with a GPU that was there
# at boot. QEMU does not take Link Disable: the link stays up.

# shellcheck source=selftests/soft/lib/soft.sh
. lib/soft.sh

setup() {
	modprobe bochs
	egpu_load
	PORT=$(port_addr rp0)
	wait_bound rp0
}

teardown() {
	users_kill
	egpu_client forget "$PORT" || :
}

# info KEY; is_state STATE
info() {
	egpu_client info "$PORT" | sed -n "s/^$1=//p"
}

to() {
	egpu_client wait "$PORT" "$1" $((10000 * ${VM_SLOW:-1}))
}

made_soft() {
	egpu_client soft "$PORT" 100
	wait_for 5 backend_soft
	to READY
}

backend_soft() {
	[ "$(info backend)" = soft ]
}

prove adopted "adopted as it is; a slot of its number, or of its address"
adopted() {
	egpu_client soft "$PORT" 100
	wait_for 5 backend_soft
	to READY/adopted
	nap 0.5
	is "$(info state)" READY
	is_bound rp0
	[ -e "$SLOTS/$(info slot)/power" ]
}

prove detach "detached and attached by rescan, with its own driver"
detach() {
	made_soft
	result "^OK DETACHED" egpu_client detach "$PORT"
	is_empty rp0
	nap 1
	is "$(info state)" DETACHED
	is_empty rp0
	result "^OK READY" egpu_client attach "$PORT"
	wait_bound rp0
	is "$(info losses) $(info removals)" "0 0"
	draws gpu0 rp0
}

prove power "by the slot's power file; refused while it is used"
power() {
	local file
	made_soft
	file=$SLOTS/$(info slot)/power
	user hold "$(node "$(gpu rp0)")"
	out=$({ echo 0 > "$file"; } 2>&1) || :
	like "$out" "busy"
	users_kill
	echo 0 > "$file"
	is "$(info state)" DETACHED
	is_empty rp0
	echo 1 > "$file"
	is "$(info state)" READY
	wait_bound rp0
}

prove forgotten "forgotten after a detach: a rescan brings it back as ever"
forgotten() {
	made_soft
	result "^OK DETACHED" egpu_client detach "$PORT"
	egpu_client forget "$PORT"
	wait_for 5 not backend_soft
	is $((0x$(setpci -s "$PORT" CAP_EXP+10.w) & 0x10)) 0
	echo 1 > /sys/bus/pci/rescan
	wait_bound rp0
}
