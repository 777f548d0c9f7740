# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# Loading and unloading, in the middle of everything. What is left behind is a
# driver bound as policy admits, and no override.

# shellcheck source=selftests/hotplug/lib/hotplug.sh
. lib/hotplug.sh
ports 4

setup() {
	load
}

teardown() {
	users_kill
	drv_release
	load
	[ ! -e "$DRV" ] || empty rp0
	drv_unload
	modprobe bochs
	policy rp0 auto
}

# left DRIVER: what rmmod left of the GPU at rp0
left() {
	not test -e /sys/module/egpu
	not test -e /dev/egpu
	is "$(driver_of "$GPU") $(override_of "$GPU")" "$1 "
	not test -e /sys/bus/pci/drivers/egpu
}

prove in_ready "rmmod in READY: the driver stays bound, its files stay open"
in_ready() {
	ready rp0
	user hold "$(node "$GPU")"
	rmmod egpu
	left bochs-drm
	is "$(user_has "$user" "$(node "$GPU")")" 1
}

prove in_held_manual "rmmod in HELD, policy manual: let go, and left without a driver"
in_held_manual() {
	held rp0
	rmmod egpu
	left ""
	echo "$GPU" > /sys/bus/pci/drivers_probe
	is "$(driver_of "$GPU")" bochs-drm
}

prove in_detached "rmmod in DETACHED: the slot stays off, and works as ever"
in_detached() {
	ready rp0
	result "^OK DETACHED" eg detach rp0
	rmmod egpu
	is_empty rp0
	host wait-deleted gpu0 2
	plug gpu0 rp0
	wait_bound rp0
	load
	await rp0 READY/adopted
}

prove in_empty "rmmod with nothing there, and a plug afterwards is the kernel's alone"
in_empty() {
	empty rp0
	rmmod egpu
	plug gpu0 rp0
	wait_bound rp0
	is "$(override_of "$(gpu rp0)")" ""
	pull gpu0 rp0
}

prove in_binding "rmmod while a driver is in probe(): in use; afterwards it goes"
in_binding() {
	empty rp0
	drv_load
	drv_put probe_hang 2
	arrive rp0
	wait_for 5 drv_is probing 1
	exits 1 rmmod egpu
	like "$out" "in use"
	drv_put probe_hang 0
	drv_put release 1
	await rp0 READY
	GPU=$(gpu rp0)
	wait_for 5 rmmod egpu
	left egpu_test
}

prove in_draining "rmmod while a detach drains: in use; cancelled, it goes"
in_draining() {
	ready rp0
	user hold "$(node "$GPU")"
	result "^OK" eg detach rp0 -b -w 20000
	await rp0 DRAINING
	exits 1 rmmod egpu
	like "$out" "in use"
	eg cancel rp0
	await rp0 READY
	wait_for 5 rmmod egpu
	left bochs-drm
}

prove in_detaching "rmmod while a driver is in remove(): in use; afterwards it goes"
in_detaching() {
	empty rp0
	drv_load
	arrive rp0
	await rp0 READY
	drv_put remove_hang 2
	result "^OK" eg detach rp0 -b
	wait_for 5 drv_is removing 1
	exits 1 rmmod egpu
	like "$out" "in use"
	drv_put release 1
	await rp0 DETACHED,EMPTY
	wait_for 5 rmmod egpu
}

prove open_file "rmmod is refused while /dev/egpu is open"
open_file() {
	local file
	exec {file}< /dev/egpu
	exits 1 rmmod egpu
	like "$out" "in use"
	exec {file}<&-
	rmmod egpu
	not test -e /dev/egpu
}

prove arriving "rmmod right after a plug, at different moments, leaves no hold"
arriving() {
	local ms
	for ms in 0 40 80 120 200; do
		load
		empty rp0
		arrive rp0
		nap "0.$(printf '%03d' "$ms")"
		wait_for 5 rmmod egpu
		wait_bound rp0
		is "$(override_of "$(gpu rp0)")" "" "override after $ms ms"
	done
}

prove parameters "a wrong parameter is refused, and says what to write"
parameters() {
	rmmod egpu
	dmesg_mark
	exits 1 modprobe egpu track=nonsense
	exits 1 modprobe egpu policy=maybe
	like "$(dmesg_since)" "track=nonsense: say a PCI address"
	like "$(dmesg_since)" "policy=maybe: say auto or manual"
}

prove policy_parameter "policy=manual is what ports begin with"
policy_parameter() {
	rmmod egpu
	load policy=manual
	is "$(get rp0 policy) $(get rp1 policy)" "manual manual"
	rmmod egpu
}
