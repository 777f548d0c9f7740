# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# vm: own-boot --qemu "-device intel-iommu,intremap=off" --append "iomem=relaxed intel_iommu=on iommu.strict=1 vfio_iommu_type1.allow_unsafe_interrupts=1" --device edu,id=edu0,bus=rp0,dma_mask=0xffffffffffffffff --device edu,id=edu1,bus=rp1,dma_mask=0xffffffffffffffff --device edu,id=edu2,bus=rp2,addr=0.0,multifunction=on --device edu,id=edu3,bus=rp2,addr=0.1 --have vfio-pci --have vfio_iommu_type1
# Real DMA, and an IOMMU whose translation ends with each unmapping.

# shellcheck source=selftests/dma/lib/translated.sh
. lib/translated.sh

setup() {
	load
}

teardown() {
	all_back
}

prove known_here "FUNCTION_LIST and BO_INFO say that the IOMMU translates, strictly"
known_here() { known strict; }

prove -t 60 arrives "what the function writes arrives, from and to every class of offset"

prove after_unmap "after BO_UNMAP an access faults, memory is as it was, other bos work on"
prove no_reading "nor can it read any more"
prove after_close "after the last handle is closed an access faults"
prove after_kill "after the owner was killed an access faults, and nothing is left"
prove after_return "after assign host an access faults; the mapping of who had it open stays"
prove -t 60 in_flight "an access that was under way during BO_UNMAP does not land after it"

prove of_28_bits "a function of 28 bits gets addresses that it can use"
prove too_high "what does not fit into a function's addresses is EIO, and leaves nothing"

prove freezer "user space was frozen: mappings work on"
freezer() { suspended freeze freezer; }
prove devices "all devices were suspended: mappings work on"
devices() { suspended freeze devices; }

# group FUNCTION: its VFIO node
group() {
	echo "/dev/vfio/$(basename "$(readlink "$PCI/$1/iommu_group")")"
}

prove sibling "VFIO cannot have a sibling while one function is managed, and then can"
sibling() {
	local fn other
	modprobe vfio-pci
	fn=$(function_of rp2)
	other=$(function_of rp2 1)
	is "$(group "$fn")" "$(group "$other")"
	take "$fn" 28
	opened a "$fn"
	ask a edu "$fn"
	filled a
	echo vfio-pci > "$PCI/$other/driver_override"
	echo "$other" > /sys/bus/pci/drivers_probe
	is "$(driver_of "$other")" vfio-pci
	exits 1 egpu_dma vfio "$(group "$other")"
	like "$out" "^(EBUSY|EPERM)"
	ask a store "$bo" $PAGE 2048
	ask a compare "$bo" $PAGE 2048 7
	give_back "$fn"
	exits 0 egpu_dma vfio "$(group "$other")"
}

prove vfio_first "a function whose sibling VFIO has cannot be managed"
vfio_first() {
	local fn other
	fn=$(function_of rp2)
	other=$(function_of rp2 1)
	is "$(driver_of "$other")" vfio-pci
	client v
	ask v vfio "$(group "$other")"
	if out=$(egpu_dma manage "$fn" 28); then fail "it was managed"; fi
	not is_managed "$fn"
	is "$(driver_of "$fn")" ""
	bye v
	take "$fn" 28
}

prove several "three functions are managed at once, and none reaches what is another's"
several() {
	local f one address
	with_edu a
	filled a
	one=$bo
	ask a address "$one" 0
	address=$out
	for f in rp1 rp2; do take "$(function_of $f)" 28; done
	opened b "$(function_of rp2)"
	ask b edu "$(function_of rp2)"
	mapped b $((8 * PAGE))
	mapped b $((8 * PAGE))
	ask a fill "$one" 0x5a
	ask b address "$bo" 0
	if [ $((out & 0xfffffff)) != $((address & 0xfffffff)) ]; then
		dmesg_mark
		ask b poke $((address & 0xfffffff)) 16
	fi
	ask a same "$one" 0x5a
	give_back "$(function_of rp2)"
	ask a store "$one" 0 2048
	ask a compare "$one" 0 2048 7
}

prove -t 60 after_detach "after a detach an access faults, in a slot that cannot be switched off"
