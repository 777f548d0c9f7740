# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# shellcheck disable=SC2034 # $first and others are for the tests
# Tests on real DMA, with QEMU's edu device: rp0 has one of 64 bits, rp1, which
# has no power controller, another, rp2 one of 28 bits and two functions. What
# is written here is run by files that differ in the IOMMU's mode.

# shellcheck source=selftests/dma/lib/dma.sh
. lib/dma.sh

PAGE=4096

load() {
	[ -e /sys/module/egpu ] || modprobe egpu \
		"track=$(port_addr rp0),$(port_addr rp1),$(port_addr rp2)" "$@"
	wait_for 5 test -c /dev/egpu
}

# function PORT [N]: the N-th below it
function_of() {
	functions "$1" | sed -n "$((${2:-0} + 1))p"
}

# with_edu NAME [BITS]: a client with rp0's edu, managed; in $FN
with_edu() {
	FN=$(function_of rp0)
	is_managed "$FN" || take "$FN" "${2:-64}"
	opened "$1" "$FN"
	ask "$1" edu "$FN"
}

# filled NAME: a bo of 8 pages in $bo, whose first page edu has read; it is full
# of 0x5a, but for that
filled() {
	mapped "$1" $((8 * PAGE))
	ask "$1" fill "$bo" 0x5a
	ask "$1" write "$bo" 0 2048 7
	ask "$1" sync "$bo" device
	ask "$1" read "$bo" 0 2048
}

# --- it arrives ---

# there_and_back NAME FROM TO LENGTH: edu reads there and writes here, and
# neither before nor behind
there_and_back() {
	ask "$1" fill "$bo" 0x5a
	ask "$1" write "$bo" "$2" "$4" "$3"
	ask "$1" sync "$bo" device
	ask "$1" read "$bo" "$2" "$4"
	ask "$1" store "$bo" "$3" "$4"
	ask "$1" sync "$bo" cpu
	ask "$1" compare "$bo" "$3" "$4" "$3"
	[ "$3" = 0 ] || ask "$1" same "$bo" 0x5a $(($3 - 1)) 1
	[ $(($3 + $4)) = $((8 * PAGE)) ] ||
		ask "$1" same "$bo" 0x5a $(($3 + $4)) 1
}

# Each class of offset is once where it comes from, once where it goes to.
arrives() {
	with_edu a
	mapped a $((8 * PAGE))
	there_and_back a 0 $((8 * PAGE - 2048)) 2048
	there_and_back a $((8 * PAGE - 1)) 0 1
	there_and_back a 100 $((3 * PAGE - 100)) 200
	there_and_back a $((2 * PAGE - 1)) $((4 * PAGE + 1)) 2
	there_and_back a $((5 * PAGE - 2000)) $PAGE 4095
	there_and_back a $PAGE $((6 * PAGE - 2047)) 4095
	bye a
}

# --- what is the same everywhere ---

# It is a bo of the file that was closed, and of the process that was shot.
two_bos() {
	with_edu a
	filled a
	first=$bo
	mapped a $((2 * PAGE))
	second=$bo
	ask a fill "$second" 0x33
}

# suspended STATE LEVEL: and the function works as before
suspended() {
	grep -q "$2" /sys/power/pm_test || skip "no pm_test in this kernel"
	with_edu a
	mapped a $((8 * PAGE))
	echo 0 > /sys/module/suspend/parameters/pm_test_delay
	echo "$2" > /sys/power/pm_test
	echo "$1" > /sys/power/state
	echo none > /sys/power/pm_test
	there_and_back a 0 $((3 * PAGE - 100)) 2048
	master "$FN" on
}
