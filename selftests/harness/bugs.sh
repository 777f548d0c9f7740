# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# vm: only debug
# vm: own-boot --module build/debug/egpu_test_bug.ko
# vm: must-fail ubsan kernel: UBSAN: shift-out-of-bounds
# vm: must-fail sleep kernel: BUG: sleeping function called
# vm: must-fail odebug kernel: ODEBUG: free active
# vm: must-fail dma kernel: DMA-API: .*device driver tries to free DMA memory
# vm: must-fail lockdep kernel: WARNING: possible circular locking
# vm: must-fail lockdep_off at the end: lockdep is off
# vm: must-fail kasan kernel: BUG: KASAN: slab-out-of-bounds in bug_kasan
# vm: must-fail leak at the end: kmemleak: [0-9]+ leaked, .* from bug_leak
# One bug of each kind. The run has to fail for each of them.

for bug in leak ubsan sleep odebug dma lockdep kasan; do
	echo "$bug" > /sys/module/egpu_test_bug/parameters/make
	sleep 2			# the next second's report is a new one
done
