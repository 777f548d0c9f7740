# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# vm: own-boot --qemu "-device intel-iommu,intremap=off" --memory 3G --append "intel_iommu=on iommu.strict=1 vfio_iommu_type1.allow_unsafe_interrupts=1" --device edu,id=edu0,bus=rp0 --device edu,id=edu1,bus=rp1 --have vfio-pci --have vfio_iommu_type1
# Memory that a function reaches, beside VFIO type 1, both behind an IOMMU that
# flushes with each unmapping: what it costs to give, and to take away.

# shellcheck source=selftests/bench/lib/bench.sh
. lib/bench.sh

WHERE='real DMA API, emulated Intel IOMMU, strict'

setup() {
	[ -e /sys/module/egpu ] || modprobe egpu \
		"track=$(port_addr rp0),$(port_addr rp1)"
	wait_for 5 test -c /dev/egpu
	modprobe vfio-pci
	other=$(functions rp1)
	echo vfio-pci > "$PCI/$other/driver_override"
	[ "$(driver_of "$other")" = vfio-pci ] ||
		echo "$other" > /sys/bus/pci/drivers_probe
	is "$(driver_of "$other")" vfio-pci
}

# measured NAME KIB [ROUNDS REVOKES]
measured() {
	egpu_bench dma "$(functions rp0)" "$other" "$2" "${3:-20}" "${4:-20}" \
		> "$KTAP_TMP/lines" || fail "$(cat "$KTAP_TMP/lines")"
	pairs_of map
	record "dma_map/$1" us 'VFIO type 1: MAP_DMA, which pins' "$WHERE"
	pairs_of unmap
	record "dma_unmap/$1" us 'VFIO type 1: UNMAP_DMA, which unpins' "$WHERE"
	pairs_of revoke
	record "dma_revoke/$1" us 'VFIO type 1: bus mastering off, UNMAP_DMA' \
		"$WHERE"
	pairs_of unset
	record "dma_revoke_unset/$1" us \
		'VFIO type 1: UNSET_CONTAINER, device never opened' "$WHERE"
	pairs_of return
	record "dma_revoke_return/$1" us 'RETURN without a bo' "$WHERE"
}

prove -t 60 size_4k "4 KiB"
size_4k() { measured 4K 4; }
prove -t 60 size_64k "64 KiB"
size_64k() { measured 64K 64; }
prove -t 60 size_2m "2 MiB"
size_2m() { measured 2M 2048; }
prove -t 90 size_64m "64 MiB"
size_64m() { measured 64M 65536; }
prove -t 200 size_1g "1 GiB; filling a bo anew takes most of the time, so fewer"
size_1g() { measured 1G 1048576 20 6; }
