# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# vm: own-boot --append "iomem=relaxed" --device edu,id=edu0,bus=rp0,dma_mask=0xffffffffffffffff
# Real DMA, and no IOMMU.

# shellcheck source=selftests/dma/lib/untranslated.sh
. lib/untranslated.sh

setup() {
	load unsafe_dma=1
}

teardown() {
	all_back
	unsafe 1
}

prove known_here "FUNCTION_LIST and BO_INFO say that nothing translates"
known_here() { known none; }

prove refused_without "mapping is EPERM without unsafe_dma, at any time"
prove -t 60 arrives "what the function writes arrives, from and to every class of offset"

prove after_unmap "after the last BO_UNMAP bus mastering is off: nothing lands"
prove others_work_on "after another BO_UNMAP bus mastering is on again, and bos work on"
prove after_close "after the last handle is closed bus mastering is off"
prove after_kill "after the owner was killed bus mastering is off, and nothing is left"
prove after_return "after assign host bus mastering is off: nothing lands"

prove devices "all devices were suspended: mappings work on"
devices() { suspended freeze devices; }
