# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# vm: only debug
# What KERNEL=debug adds to a guest, and that it is awake when the tests end.

prove lockdep_on "lockdep watches, and has room for more than it saw"
lockdep_on() {
	local name used most
	# pciehp's own first hot-add switches it off on a kernel as released.
	plug_gpu gpu0 rp0
	pull gpu0 rp0
	grep -q 'debug_locks: *1' /proc/lockdep_stats
	for name in lock-classes 'direct dependencies' 'dependency chains' \
		'stack-trace entries'; do
		read -r used most <<< "$(sed -n \
			"s/^ *$name: *\([0-9]*\) \[max: *\([0-9]*\)\].*/\1 \2/p" \
			/proc/lockdep_stats)"
		tell "$name: $used of $most"
		[ "$used" -lt $((most / 2)) ]
	done
}

prove watchers "kmemleak, KASAN, KCOV, fault injection, the DMA-API's debugging are there"
watchers() {
	local name
	[ -w /sys/kernel/debug/kmemleak ]
	[ -w /sys/kernel/debug/kcov ]
	[ -w /proc/self/fail-nth ]
	[ -d /sys/kernel/debug/failslab ]
	is "$(cat /sys/kernel/debug/dma-api/disabled)" N
	for name in KASAN_VMALLOC UBSAN_SHIFT DEBUG_OBJECTS_WORK PROVE_RCU; do
		zcat /proc/config.gz | grep -qx "CONFIG_$name=y"
	done
}

prove quiet_end "the check at a guest's end finds nothing wrong"
quiet_end() {
	is "$(bash /lib/vm/check)" ""
	unlike "$(host splats || :)" "."
}

# tell TEXT: into the log of a test that passes, too
tell() {
	echo "# $*" > /dev/ttyS1
}
