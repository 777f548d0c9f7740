# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# Tests for functions that nothing translates for: what keeps such a function
# off is its Bus Master Enable bit. QEMU's devices obey it.

# shellcheck source=selftests/dma/lib/edu.sh
. lib/edu.sh

unsafe() {
	echo "$1" > "$UNSAFE"
}

# known IOMMU: as FUNCTION_LIST names it
known() {
	unsafe 0
	FN=$(function_of rp0)
	take "$FN"
	tells "$FN" managed=1 "iommu=$1" bits=64 bounces=0 master=0
	opened a "$FN"
	ask a create "$PAGE"
	info_is a 0 flags=0 segments=0 revocation=$BY_BUSMASTER bits=64
}

refused_without() {
	unsafe 0
	FN=$(function_of rp0)
	take "$FN"
	opened a "$FN"
	ask a create "$PAGE"
	refused EPERM a map 0
	master "$FN" off
	tells "$FN" mapped=0 segments=0
	unsafe 1
	ask a map 0
	master "$FN" on
	unsafe 0
	ask a unmap 0
	refused EPERM a map 0
	unsafe 1
}

# A store that is under way when the last bo is unmapped finds bus mastering
# off.
after_unmap() {
	with_edu a
	filled a
	ask a store "$bo" $PAGE 2048
	ask a compare "$bo" $PAGE 2048 7
	ask a fill "$bo" 0x5a
	ask a start "$bo" $PAGE 2048
	ask a unmap "$bo"
	master "$FN" off
	ask a wait
	ask a same "$bo" 0x5a
}

others_work_on() {
	two_bos
	ask a unmap "$first"
	master "$FN" on
	ask a store "$second" 1000 2048
	ask a compare "$second" 1000 2048 7
	ask a unmap "$second"
	master "$FN" off
	ask a map "$first"
	master "$FN" on
	ask a fill "$first" 0x5a
	ask a store "$first" $PAGE 2048
	ask a compare "$first" $PAGE 2048 7
}

after_close() {
	with_edu a
	filled a
	ask a munmap "$bo"
	ask a close "$bo"
	master "$FN" off
	bare "$FN"
}

after_kill() {
	two_bos
	shot a
	master "$FN" off
	bare "$FN"
}

after_return() {
	two_bos
	ask a fill "$first" 0x5a
	ask a start "$first" 0 2048
	give_back "$FN"
	master "$FN" off
	refused ENODEV a info "$first"
	ask a wait
	ask a same "$first" 0x5a 4096 4096
	ask a store "$first" 4096 2048
	ask a same "$first" 0x5a 4096 4096
}
