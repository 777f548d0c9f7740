# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# vm: own-boot --acpiphp
# Hotplug by ACPI (acpiphp): backend "other". The kernel part unbinds and
# removes, egpuctl writes the slot's power file.

# shellcheck source=selftests/hotplug/lib/hotplug.sh
. lib/hotplug.sh
ports 2

setup() {
	load
}

teardown() {
	users_kill
	policy rp0 auto
}

prove attach "a GPU that ACPI adds goes through the gate like any other"
attach() {
	empty rp0
	listen rp0
	arrive rp0
	heard "BINDING>READY"
	is "$(states)" "EMPTY>HELD HELD>BINDING BINDING>READY"
	is "$(get rp0 backend)" other
	is "$(get rp0 slot)" "$(basename "$(slot_of rp0)")"
	is "$(driver_of "$(gpu rp0)")" bochs-drm
	draws gpu0 rp0
}

prove held "policy manual holds it, attach admits it"
held() {
	empty rp0
	policy rp0 manual
	arrive rp0
	await rp0 HELD/manual
	is "$(driver_of "$(gpu rp0)")" egpu
	exits 0 egpuctl attach "${PORT[rp0]}"
	is "$(driver_of "$(gpu rp0)")" bochs-drm
}

prove kernel_part "the kernel's detach removes the functions; the slot is left on"
kernel_part() {
	ready rp0
	result "^OK DETACHED" eg detach rp0
	is_empty rp0
	is "$(cat "$(slot_of rp0)/power")" 1
	not host deleted gpu0
	result "^OK READY" eg attach rp0
	is_bound rp0
}

prove detach "egpuctl detach also ejects: the host has it back"
detach() {
	ready rp0
	exits 0 egpuctl detach "${PORT[rp0]}"
	host wait-deleted gpu0 5
	await rp0 EMPTY
	is "$(get rp0 losses)" 0
}

prove replug "the next one there is READY again"
replug() {
	empty rp0
	arrive rp0
	await rp0 READY
	draws gpu0 rp0
}

prove refuse "a user refuses here, too"
refuse() {
	ready rp0
	user hold "$(node "$GPU")"
	exits 4 egpuctl detach "${PORT[rp0]}"
	is "$(get rp0 state) $(driver_of "$GPU")" "READY bochs-drm"
	is "$(cat "$(slot_of rp0)/power")" 1
}

prove removed "device_del, which ACPI does without asking egpu, is a removal"
removed() {
	local before losses
	ready rp0
	before=$(get rp0 removals) losses=$(get rp0 losses)
	host unplug gpu0
	await rp0 EMPTY/removed
	is "$(get rp0 removals) $(get rp0 losses)" "$((before + 1)) $losses"
}
