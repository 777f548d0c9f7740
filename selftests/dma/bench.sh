# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# vm: own-boot --qemu "-device intel-iommu,intremap=off" --memory 3G --append "intel_iommu=on iommu.strict=1 vfio_iommu_type1.allow_unsafe_interrupts=1" --device edu,id=edu0,bus=rp0 --device edu,id=edu1,bus=rp1 --have vfio-pci --have vfio_iommu_type1
# What mapping costs beside VFIO; figures, and no test but that it works.

# shellcheck source=selftests/dma/lib/edu.sh
. lib/edu.sh

prove -l -t 900 costs "map, unmap and revoke of 4 KiB to 1 GiB, beside VFIO type 1"
costs() {
	local other group
	load
	other=$(function_of rp1)
	group=$(basename "$(readlink "$PCI/$other/iommu_group")")
	modprobe vfio-pci
	echo vfio-pci > "$PCI/$other/driver_override"
	echo "$other" > /sys/bus/pci/drivers_probe
	is "$(driver_of "$other")" vfio-pci
	egpu_dma_bench "$(function_of rp0)" "/dev/vfio/$group" 20 \
		> "$KTAP_TMP/table" || fail "$(cat "$KTAP_TMP/table")"
	sed 's/^/# /' "$KTAP_TMP/table" > /dev/ttyS1
}
