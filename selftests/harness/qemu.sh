# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# What QEMU and the stock kernel do with no module of ours.

teardown() {
	pull gpu0 rp0
	pull gpu1 rp1
}

prove plug_binds "a plugged GPU is bound by udev and the stock driver, and draws"
plug_binds() {
	plug_gpu gpu0 rp0
	is "$(driver_of "$(gpu rp0)")" bochs-drm
	draws gpu0 rp0
	[ -c "$(node "$(gpu rp0)")" ]
}

prove two_ports "the second port's GPU lies below the second port"
two_ports() {
	plug_gpu gpu1 rp1
	is_empty rp0
	is "$(basename "$(realpath "$PCI/$(gpu rp1)/..")")" "$(port_addr rp1)"
}

prove power_off "0 to the slot's power takes a GPU out in 0.9 to 3 s"
power_off() {
	local start took
	plug_gpu gpu0
	start=$(now_ms)
	slot_power rp0 0
	took=$(($(now_ms) - start))
	wait_empty rp0
	[ "$took" -ge 900 ] && quick "$took" 3000
	host wait-deleted gpu0 5
}

prove button "device_del is the attention button: five seconds, then gone"
button() {
	local start
	plug_gpu gpu0
	start=$(now_ms)
	host unplug gpu0
	wait_for 10 is_empty rp0
	[ $(($(now_ms) - start)) -ge 4900 ]
	host wait-deleted gpu0 5
}

prove aer_fatal "after a fatal error the stock driver's GPU draws no more"
aer_fatal() {
	plug_gpu gpu0
	draws gpu0 rp0
	dmesg_mark
	like "$(host aer rp0 SDN)" "^OK"
	wait_for 5 _recovery_failed
	not draws gpu0 rp0
	pull gpu0
	plug_gpu gpu0
	draws gpu0 rp0
}

_recovery_failed() {
	dmesg_since | grep -q "AER: device recovery failed"
}

prove open_node "hold() opens a node, and its pid is where it says"
open_node() {
	local card
	plug_gpu gpu0
	card=$(node "$(gpu rp0)")
	hold "$card"
	like "$(ls -l "/proc/$holder/fd")" "$card"
}

prove refused "the host says what it refuses"
refused() {
	exits 1 host plug gpu9 --port nowhere
	like "$out" "nowhere"
	exits 2 host dance
	like "$out" "host plug"
}
