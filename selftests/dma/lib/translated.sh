# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# Tests for functions behind an IOMMU that translates. That it keeps a function
# off is seen in two places: memory stays as it was, and the kernel reports the
# fault.

# shellcheck source=selftests/dma/lib/edu.sh
. lib/edu.sh

# faults FUNCTION NAME WORD…: what the client is asked to do meets the IOMMU. Of
# faults that follow each other quickly the kernel tells some only.
faults() {
	dmesg_mark
	for _ in 1 2 3; do
		ask "${@:2}"
		if within 3 _sim_said "$(_fault Write "$1")"; then return; fi
	done
	fail "$2 ${*:3}: no fault was told"
}

# _fault Read|Write FUNCTION: a line like this
_fault() {
	echo "DMAR: \[DMA $1.*Request device \[(0000:)?${2#0000:}\]"
}

# by_hand FUNCTION: bus mastering on: nothing but the IOMMU is in its way
by_hand() {
	setpci -s "$1" COMMAND=4:4
}

known() {
	FN=$(function_of rp0)
	take "$FN"
	tells "$FN" managed=1 "iommu=$1" bits=64 bounces=0
	unlike "$out" "group=-1 "
	opened a "$FN"
	ask a create "$PAGE"
	info_is a 0 flags=0 segments=0 revocation=$BY_IOMMU bits=64
	ask a map 0
	info_is a 0 flags=$MAPPED segments=1 revocation=$BY_IOMMU
	tells "$FN" bos=$PAGE mapped=$PAGE segments=1 master=1
}

# Another bo stays mapped, so that bus mastering stays on.
after_unmap() {
	two_bos
	ask a store "$first" $PAGE 2048
	ask a compare "$first" $PAGE 2048 7
	ask a unmap "$first"
	master "$FN" on
	ask a fill "$first" 0x5a
	faults "$FN" a store "$first" $((2 * PAGE)) 2048
	ask a same "$first" 0x5a
	ask a store "$second" 1000 2048
	ask a compare "$second" 1000 2048 7
}

# It cannot read it, either: what it had read before is what it writes.
no_reading() {
	two_bos
	ask a unmap "$first"
	ask a write "$first" 0 2048 9
	ask a read "$first" 0 2048
	ask a store "$second" 0 2048
	refused EILSEQ a compare "$second" 0 2048 9
}

# Handle and mapping are what kept it.
after_close() {
	two_bos
	ask a address "$first" 0
	address=$out
	ask a munmap "$first"
	ask a close "$first"
	tells "$FN" bos=$((2 * PAGE)) mapped=$((2 * PAGE)) segments=1
	faults "$FN" a poke "$address" 2048
}

after_kill() {
	two_bos
	ask a address "$first" 0
	address=$out
	shot a
	bare "$FN"
	master "$FN" off
	client b
	ask b edu "$FN"
	by_hand "$FN"
	faults "$FN" b poke "$address" 2048
	setpci -s "$FN" COMMAND=0:4
}

# Who had it open keeps memory, and nothing else.
after_return() {
	two_bos
	give_back "$FN"
	not is_managed "$FN"
	master "$FN" off
	refused ENODEV a info "$first"
	by_hand "$FN"
	ask a fill "$first" 0x5a
	faults "$FN" a store "$first" 0 2048
	ask a same "$first" 0x5a
	setpci -s "$FN" COMMAND=0:4
}

# ecam FUNCTION: where its configuration space is in memory
ecam() {
	local bus slot function base
	IFS=':.' read -r _ bus slot function <<< "$1"
	base=$(awk '/: PCI (ECAM|MMCONFIG) 0000 / { print $1; exit }' /proc/iomem)
	[ -n "$base" ] || return
	printf '0x%x\n' $((0x${base%%-*} + (0x$bus << 20) + (0x$slot << 15) +
		(0x$function << 12)))
}

# The port has no power controller: the device stays in its slot, where it can
# be told to go on by who does not ask the kernel. By its command register's
# address, for not every kernel lets setpci at I/O ports.
after_detach() {
	local fn at
	fn=$(function_of rp1)
	at=$(ecam "$fn") || skip "no configuration space in memory here"
	take "$fn"
	opened a "$fn"
	ask a edu "$fn"
	filled a
	out=$(eg detach rp1 -f)
	like "$out" "^OK DETACHED"
	not test -e "$PCI/$fn"
	refused ENODEV a info "$bo"
	is "$(devmem "$at" 16)" 0x1234
	devmem $((at + 4)) 16 6
	ask a fill "$bo" 0x5a
	faults "$fn" a store "$bo" 0 2048
	ask a same "$bo" 0x5a
}

# An access that has begun when BO_UNMAP is called, and lands when it has
# returned. A flush that waits in a queue would let it through for some ms.
in_flight() {
	local lead late=0
	two_bos
	for lead in 2000 4000 6000 8000 10000 3000 5000 7000 9000 12000 15000 \
		20000 25000 30000; do
		ask a map "$first"
		ask a fill "$first" 0x5a
		# The IOMMU's cache knows it.
		ask a store "$first" $PAGE 16
		ask a fill "$first" 0x5a
		ask a late "$first" $PAGE 2048 $lead
		[ "$out" != missed ] || continue
		ask a same "$first" 0x5a
		[ "$out" -gt 9000 ] || late=$((late + 1))
	done
	[ "$late" -ge 2 ] || fail "only $late landed within 9 ms of an unmap"
}

# The mask ends where the function's addresses do.
of_28_bits() {
	local fn
	fn=$(function_of rp2)
	take "$fn" 28
	opened a "$fn"
	ask a edu "$fn"
	info_bits a 28
	mapped a $((8 * PAGE))
	ask a address "$bo" 0
	[ $((out >> 28)) = 0 ]
	there_and_back a 0 $((3 * PAGE - 100)) 2048
	info_is a "$bo" flags=$MAPPED bits=28
	tells "$fn" bits=28 bounces=0
}

# More than a function of 24 bits can address is refused, and leaves nothing.
too_high() {
	local fn
	fn=$(function_of rp2)
	take "$fn" 24
	opened a "$fn"
	ask a create $((32 << 20))
	refused EIO a map 0
	tells "$fn" bos=$((32 << 20)) mapped=0 segments=0
	master "$fn" off
	ask a close 0
	mapped a $((4 << 20))
}

info_bits() {
	ask "$1" create 4096
	info_is "$1" "$out" "bits=$2"
}
