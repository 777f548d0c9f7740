# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# vm: own-boot --append pcie_port_pm=force
# Ports that sleep are left alone, and so is what lies below them.

# shellcheck source=selftests/link/lib/links.sh
. lib/links.sh

setup() {
	load
}

teardown() {
	sim_clear
}

asleep() {
	[ "$(sim_value "$1" pci:power/runtime_status)" = suspended ]
}

# sleeps PORT: and nothing that egpuctl asks changes that, or makes an access
sleeps() {
	local dev
	dev=$PCI/$(sim_addr "$1")
	echo 0 > "$dev/power/autosuspend_delay_ms" || :
	echo auto > "$dev/power/control"
	wait_for 5 asleep "$1"
	is $((0x$(sim_pmcsr "$1") & 3)) 3 "D3hot"
	rested
	sim_set "$1/fault" at=0 scope=all task=egpuctl armed=1
	look "$1"
	is "$(sim_get "$1/fault" seen)" 0 "accesses"
	hop 0 known=false speed_gts=null max_speed_gts=null
	like "$(egpuctl link "$(sim_addr "$1")")" "--asleep--"
	egpuctl list > /dev/null
	is "$(sim_get "$1/fault" seen)" 0 "accesses"
	sim_set "$1/fault" armed 0
	asleep "$1"
}

# sim_pmcsr PORT: without waking it, as reading its sysfs file would
sim_pmcsr() {
	sim_reg "$1" CAP_PM+4.w
}

prove port "a port that sleeps"
port() {
	sim_fabric f
	# shellcheck disable=SC2086 # words
	sim_port f/p $FAST hotplug=none
	sim_live f
	sleeps f/p
}

prove below "a device without a driver below a port that sleeps"
below() {
	sim_fabric f
	# shellcheck disable=SC2086 # words
	sim_port f/p $FAST hotplug=none
	sim_gpu f/p/d preset=plain present=1
	sim_live f
	egpuctl link "$(sim_addr f/p)" > /dev/null
	echo auto > "$PCI/$(sim_addr f/p/d)/power/control"
	sleeps f/p
	hop 0 partner_max_speed_gts=32 partner_max_width=16
}
