# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# vm: own-boot
# The machine sleeps and wakes up, with the same device, another one or none.

# shellcheck source=selftests/lib/sim.sh
. "$LIB/sim.sh"


setup() {
	sim_load
	sim_fabric f
	sim_port f/p
	sim_gpu f/p/gpu serial=1
	sim_gpu f/p/other preset=accelerator serial=2
	sim_live f
	sim_plug f/p/gpu
}

teardown() {
	echo none > /sys/power/pm_test
	sim_clear
}

# to STATE: all devices are suspended and resumed, by the kernel's test of that;
# the machine itself stays awake. The fabric does as if it slept.
to() {
	# 6.12 starts an interrupt again whose device pciehp removed meanwhile.
	host expect 'WARNING: .* __irq_startup'
	echo 0 > /sys/module/suspend/parameters/pm_test_delay
	echo platform > /sys/power/pm_test
	echo "$1" > /sys/power/state
}

# can STATE: this machine does
can() {
	grep -qw "$1" /sys/power/state || skip "this kernel has no '$1'"
	[ "$1" != mem ] || echo deep > /sys/power/mem_sleep ||
		skip "this machine has no suspend to RAM"
}

# stays: the same device, with its driver, which works
stays() {
	local dev regs
	dev=$(readlink -f "$PCI/$(sim_addr f/p/gpu)/drm/"card*)
	regs=$(sim_reg f/p/gpu BASE_ADDRESS_0)
	hold "$(node "$(sim_addr f/p/gpu)" renderD)"
	to "$1"
	sim_bound f/p/gpu
	is "$(readlink -f "$PCI/$(sim_addr f/p/gpu)/drm/"card*)" "$dev"
	is "$(sim_reg f/p/gpu BASE_ADDRESS_0)" "$regs"
	is $((0x$(sim_reg f/p/gpu COMMAND) & 6)) 6
	kill "$holder"
	sim_yank f/p/gpu
	sim_plug f/p/gpu
}

prove freeze_same "suspend to idle with the same device: it works as before"
freeze_same() {
	can freeze
	stays freeze
	is "$(sim_stat f/p resets)" 0
}

prove mem_same "suspend to RAM: all registers are lost, and written again"
mem_same() {
	local window
	can mem
	window=$(sim_reg f/p PREF_MEMORY_BASE)
	stays mem
	is "$(sim_reg f/p PREF_MEMORY_BASE)" "$window"
}

prove nothing "nothing in the slot when it wakes up: it is removed"
nothing() {
	local addr
	can freeze
	addr=$(sim_addr f/p/gpu)
	sim_set f/p/gpu sleep nothing
	to freeze
	wait_for 10 not test -e "$PCI/$addr"
	is "$(sim_get f/p/gpu present) $(sim_get f/p/gpu sleep)" "0 same"
	sim_plug f/p/gpu
}

prove other "another device in the slot: it is the one that is there"
other() {
	can freeze
	sim_set f/p/gpu sleep other
	is "$(sim_get f/p/gpu sleep)" other
	to freeze
	is "$(sim_get f/p/gpu present) $(sim_get f/p/other present)" "0 1"
	sim_expect f/p/other reg:DEVICE_ID e601
	case $(uname -r) in
	6.1.*)	;;	# it does not notice
	*)	wait_for 10 sim_bound f/p/other
		sim_expect f/p/other pci:device 0xe601 ;;
	esac
	sim_yank f/p/other
	sim_plug f/p/gpu
}

prove other_mem "the same with suspend to RAM"
other_mem() {
	can mem
	sim_set f/p/gpu sleep other
	to mem
	sim_expect f/p/other reg:DEVICE_ID e601
	case $(uname -r) in
	6.1.*)	;;
	*)	wait_for 10 sim_bound f/p/other ;;
	esac
	sim_yank f/p/other
	sim_plug f/p/gpu
}

prove refused "a driver that refuses: the machine stays awake, with its error"
refused() {
	can freeze
	sim_set f/p/gpu/driver suspend_error -16
	exits 1 to freeze
	like "$out" "busy"
	sim_set f/p/gpu/driver suspend_error 0
	sim_bound f/p/gpu
}

prove slow "drivers that take their time to suspend and to resume"
slow() {
	can freeze
	dmesg_mark
	sim_set f/p/gpu/driver suspend_ms=700 resume_ms=700 resume_error=-5
	to freeze
	sim_said 'egpu_sim_drm|sim_gpu_resume.* returns -5|failed to resume.*-5'
	sim_set f/p/gpu/driver suspend_ms=0 resume_ms=0 resume_error=0
}
