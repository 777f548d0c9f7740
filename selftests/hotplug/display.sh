# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# vm: own-boot --device VGA,id=gpu0,bus=rp0
# The display that the machine booted on; and tracepoints.

# shellcheck source=selftests/hotplug/lib/hotplug.sh
. lib/hotplug.sh
ports 2

prove boot_display "the boot display is never detached, not even by force"
boot_display() {
	local gpu
	load
	await rp0 READY/adopted
	gpu=$(gpu rp0)
	is "$(< "$PCI/$gpu/boot_vga")" 1
	like "$(eg functions rp0)" ",boot,"
	result "^EPERM" eg detach rp0
	result "^EPERM" eg detach rp0 -f
	exits 9 egpuctl detach "${PORT[rp0]}" --force --yes
	is "$(get rp0 state) $(driver_of "$gpu")" "READY bochs-drm"
	is "$(override_of "$gpu")" ""
}

prove tracepoints "each event and each step of a job is a tracepoint, too"
tracepoints() {
	local trace=/sys/kernel/tracing
	load
	echo 1 > "$trace/events/egpu/enable"
	arrive rp1
	await rp1 READY
	wait_bound rp1
	result "^OK DETACHED" eg detach rp1
	echo 0 > "$trace/events/egpu/enable"
	like "$(< "$trace/trace")" "egpu_event: seq=[0-9]* port=$(get rp1 port) "
	like "$(< "$trace/trace")" "egpu_step: port=$(get rp1 port) step=8"
}
