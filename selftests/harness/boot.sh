# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# vm: own-boot --acpiphp --device secondary-vga,id=gpu0,bus=rp0
# Devices that are there at boot, and hotplug by ACPI instead of pciehp.

prove cold_plugged "a GPU that is there at boot is bound before the tests begin"
cold_plugged() {
	is_bound rp0
}

prove acpi_unplug "ACPI's slot takes it out at once, and in again"
acpi_unplug() {
	like "$(cat "$(slot_of rp0)/address")" "0000:01:00"
	slot_power rp0 0
	wait_empty rp0
	host wait-deleted gpu0 10
	plug_gpu gpu0
	draws gpu0 rp0
}
