# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# vm: own-boot --qemu "-device intel-iommu,intremap=off" --append "intel_iommu=on vfio_iommu_type1.allow_unsafe_interrupts=1" --have vfio-pci --have vfio_iommu_type1
# A GPU that a user gives to vfio-pci, with a real (emulated) IOMMU.

# shellcheck source=selftests/hotplug/lib/hotplug.sh
. lib/hotplug.sh
ports 2

setup() {
	load
	modprobe vfio-pci
}

teardown() {
	users_kill
	policy rp0 auto
}

# group FUNCTION: its VFIO node
group() {
	echo "/dev/vfio/$(basename "$(readlink "$PCI/$1/iommu_group")")"
}

# given: a held GPU that a user took for vfio-pci, as driverctl does
given() {
	held rp0
	echo vfio-pci > "$PCI/$GPU/driver_override"
	echo "$GPU" > /sys/bus/pci/drivers/egpu/unbind
	echo "$GPU" > /sys/bus/pci/drivers_probe
	await rp0 READY/override
}

prove held_back "what is held cannot be had by vfio-pci, and has no VFIO group node"
held_back() {
	held rp0
	exits 1 eval "echo $GPU > /sys/bus/pci/drivers/vfio-pci/bind"
	is "$(driver_of "$GPU")" egpu
	not test -e "$(group "$GPU")"
}

prove admitted "a user's override to vfio-pci counts as admission and stays"
admitted() {
	given
	is "$(driver_of "$GPU") $(override_of "$GPU")" "vfio-pci vfio-pci"
	like "$(eg functions rp0)" "vfio-pci gated,bound,override,"
	[ -c "$(group "$GPU")" ]
	result "^OK READY" eg attach rp0
	is "$(override_of "$GPU")" vfio-pci
}

prove user_found "who has its VFIO group open is found by egpuctl, and refuses"
user_found() {
	given
	user hold "$(group "$GPU")"
	exits 4 egpuctl detach "${PORT[rp0]}"
	like "$out" "$user"
	is "$(get rp0 state) $(driver_of "$GPU")" "READY vfio-pci"
	kill "$user"
	wait_for 5 not kill -0 "$user"
	exits 0 egpuctl detach "${PORT[rp0]}"
}

prove next "the next GPU there is no longer vfio-pci's"
next() {
	empty rp0
	arrive rp0
	await rp0 READY/none
	wait_bound rp0
	is "$(override_of "$(gpu rp0)")" ""
}
