# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# vm: own-boot --qemu "-device intel-iommu,intremap=off" --append "iomem=relaxed intel_iommu=on iommu.strict=0" --device edu,id=edu0,bus=rp0,dma_mask=0xffffffffffffffff --device edu,id=edu1,bus=rp1,dma_mask=0xffffffffffffffff --device edu,id=edu2,bus=rp2
# Real DMA, and an IOMMU that would go on translating for some milliseconds.

# shellcheck source=selftests/dma/lib/translated.sh
. lib/translated.sh

setup() {
	load
}

teardown() {
	all_back
}

prove known_here "FUNCTION_LIST and BO_INFO say that the IOMMU translates, lazily"
known_here() { known lazy; }

prove after_unmap "after BO_UNMAP an access faults, memory is as it was, other bos work on"
prove -t 60 in_flight "an access that was under way during BO_UNMAP does not land after it"
prove after_close "after the last handle is closed an access faults"
prove after_kill "after the owner was killed an access faults, and nothing is left"
prove after_return "after assign host an access faults; the mapping of who had it open stays"
prove -t 60 after_detach "after a detach an access faults, in a slot that cannot be switched off"
