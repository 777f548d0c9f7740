# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# vm: own-boot --append "iomem=relaxed" --memory 5G --device edu,id=edu0,bus=rp0,dma_mask=0xffffffff --device edu,id=edu1,bus=rp1
# Real DMA without an IOMMU, in a guest with memory that functions of 32 and of
# 28 bits cannot reach: it is copied.

# shellcheck source=selftests/dma/lib/untranslated.sh
. lib/untranslated.sh

setup() {
	load unsafe_dma=1
}

teardown() {
	all_back
}

# bounced NAME: a bo in $bo that is copied: of some MiB one page is high
bounced() {
	local i
	for i in 1 2 3 4 5 6 7 8; do
		mapped "$1" $((4 << 20))
		info "$1" "$bo" flags
		[ $((out & BOUNCED)) = 0 ] || return 0
	done
	fail "nothing lies above 4 GiB"
}

prove report "what is copied is reported, for the function and for the bo"
report() {
	FN=$(function_of rp0)
	take "$FN" 32
	tells "$FN" bits=32 bounces=1 iommu=none
	opened a "$FN"
	bounced a
	info_is a "$bo" bits=32 revocation=$BY_BUSMASTER
}

prove -t 60 copied "copies are made by BO_SYNC, and by nothing else, in both directions"
copied() {
	with_edu a 32
	bounced a
	ask a fill "$bo" 0x5a
	ask a write "$bo" 0 2048 7
	# Not handed over yet.
	ask a read "$bo" 0 2048
	ask a store "$bo" $PAGE 2048
	ask a same "$bo" 0x5a $PAGE 2048
	ask a sync "$bo" device
	ask a read "$bo" 0 2048
	ask a store "$bo" $PAGE 2048
	ask a same "$bo" 0x5a $PAGE 2048
	ask a sync "$bo" cpu
	ask a compare "$bo" $PAGE 2048 7
	ask a same "$bo" 0x5a $((PAGE + 2048)) 2048
}

prove last_words "what the function wrote last is there after BO_UNMAP"
last_words() {
	with_edu a 32
	bounced a
	ask a fill "$bo" 0x5a
	ask a write "$bo" 0 2048 9
	ask a sync "$bo" device
	ask a read "$bo" 0 2048
	ask a store "$bo" $PAGE 2048
	ask a unmap "$bo"
	ask a compare "$bo" $PAGE 2048 9
}

prove coherent "a coherent bo that would be copied is refused, and leaves nothing"
coherent() {
	local refusals=0 i
	FN=$(function_of rp0)
	take "$FN" 32
	opened a "$FN"
	for i in 1 2 3 4 5 6 7 8; do
		ask a create $((4 << 20)) 1
		_answer a map "$out"
		case $out in
		EOPNOTSUPP*) refusals=$((refusals + 1)) ;;
		ok*) ;;
		*) fail "$out" ;;
		esac
	done
	[ "$refusals" -gt 0 ]
	ask a info 0
	bye a
	bare "$FN"
	master "$FN" off
}

prove coherent_64 "of 64 bits it is not copied, and coherent bos work"
coherent_64() {
	FN=$(function_of rp0)
	take "$FN"
	tells "$FN" bounces=0 bits=64
	opened a "$FN"
	ask a create $((4 << 20)) 1
	ask a map 0
	info_is a 0 flags=$((MAPPED | 1))
}

prove of_28_bits "what 28 bits cannot reach, and nobody copies, is EIO, without a warning"
of_28_bits() {
	FN=$(function_of rp1)
	take "$FN" 28
	tells "$FN" bits=28 bounces=1
	opened a "$FN"
	ask a create $((4 << 20))
	refused EIO a map 0
	tells "$FN" mapped=0 segments=0
	master "$FN" off
}

prove -l -t 240 big "1 GiB can be had, mapped, and given back"
big() {
	FN=$(function_of rp0)
	take "$FN"
	opened a "$FN"
	pinned_now
	ask a create $((1 << 30))
	ask a map 0
	tells "$FN" bos=$((1 << 30)) mapped=$((1 << 30))
	pinned_is $((1 << 20))
	give_back "$FN"
	pinned_is 0
}
