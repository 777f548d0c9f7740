# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# Errors: the kernel's AER and DPC drivers on the simulated ports.

# shellcheck source=selftests/lib/sim.sh
. "$LIB/sim.sh"

setup() {
	sim_load
}

teardown() {
	sim_clear
}

# What the kernel's counters call an error, by the name that aer-inject has.
declare -A COUNTER=(
	[RCVR]=RxErr [BAD_TLP]=BadTLP [BAD_DLLP]=BadDLLP [REP_ROLL]=Rollover
	[REP_TIMER]=Timeout [TRAIN]=Undefined [DLP]=DLP [SURPDN]=SDES
	[POISON_TLP]=TLP [FCP]=FCP [COMP_TIME]=CmpltTO [COMP_ABORT]=CmpltAbrt
	[UNX_COMP]=UnxCmplt [RX_OVER]=RxOF [MALF_TLP]=MalfTLP [ECRC]=ECRC
	[UNSUP]=UnsupReq
)
CORRECTABLE="RCVR BAD_TLP BAD_DLLP REP_ROLL REP_TIMER"
NONFATAL="TRAIN POISON_TLP COMP_TIME COMP_ABORT UNX_COMP ECRC UNSUP"
FATAL="DLP SURPDN FCP RX_OVER MALF_TLP"

# gpu [PORT-ATTRIBUTE…]: a live fabric with a GPU in its slot, bound
gpu() {
	sim_fabric f
	sim_port f/p "$@"
	sim_gpu f/p/gpu
	sim_live f
	sim_plug f/p/gpu
}

# counter PATH correctable|nonfatal|fatal NAME
counter() {
	awk -v n="${COUNTER[$3]:-$3}" '$1 == n { print $2 }' \
		"$PCI/$(sim_addr "$1")/aer_dev_$2"
}

counted() {
	[ "$(counter "$1" "$2" "$3")" -ge "$4" ]
}

prove correctable "correctable errors, of the device and of the port, are counted there"
correctable() {
	local name at
	gpu
	for at in f/p/gpu f/p; do
		for name in $CORRECTABLE; do
			sim_set $at error "$name"
			wait_for 5 counted $at correctable "$name" 1
			is "$(counter $at correctable "$name")" 1 "$at $name"
		done
		is "$(counter $at correctable TOTAL_ERR_COR)" 5
		is "$(counter $at nonfatal TOTAL_ERR_NONFATAL)" 0
	done
	sim_bound f/p/gpu
}

prove nonfatal "nonfatal errors are counted, and the driver recovers each"
nonfatal() {
	local name
	gpu
	for name in $NONFATAL; do
		dmesg_mark
		sim_set f/p/gpu error "$name"
		wait_for 5 counted f/p/gpu nonfatal "$name" 1
		sim_said 'egpu_sim_drm .*: recovered'
		sim_said 'device recovery successful'
	done
	is "$(counter f/p/gpu nonfatal TOTAL_ERR_NONFATAL)" 7
	is "$(counter f/p/gpu fatal TOTAL_ERR_FATAL)" 0
	is "$(sim_stat f/p resets)" 0
}

prove fatal "after a fatal error the link is reset, and the driver goes on"
fatal() {
	local dev
	gpu
	dev=$(readlink -f "$PCI/$(sim_addr f/p/gpu)")
	dmesg_mark
	sim_set f/p/gpu error DLP
	sim_said 'device recovery successful'
	is "$(sim_stat f/p resets)" 1
	sim_bound f/p/gpu
	is "$(readlink -f "$PCI/$(sim_addr f/p/gpu)")" "$dev"
	is $((0x$(sim_reg f/p/gpu COMMAND) & 6)) 6 "Command"
	sim_unsaid 'Link Down'
}

prove fatal_port "fatal errors that the port itself sees: each is counted"
fatal_port() {
	local name
	sim_fabric f
	sim_port f/p hotplug=none
	sim_gpu f/p/gpu present=1
	sim_live f
	wait_for 5 sim_bound f/p/gpu
	for name in $FATAL; do
		dmesg_mark
		sim_set f/p error "$name"
		wait_for 5 counted f/p fatal "$name" 1
		sim_said 'device recovery (successful|failed)'
	done
	is "$(counter f/p fatal TOTAL_ERR_FATAL)" 5
}

prove severity "a severity that software changes counts; a masked error does not"
severity() {
	gpu
	# Completion Time-out is fatal from now on.
	sim_reg f/p ECAP_AER+0c.l=4000:4000
	dmesg_mark
	sim_set f/p error COMP_TIME
	wait_for 5 counted f/p fatal COMP_TIME 1
	sim_said 'device recovery'
	# Receiver Error is masked.
	sim_reg f/p ECAP_AER+14.l=1:1
	sim_set f/p error RCVR
	nap 0.2
	is "$(counter f/p correctable RCVR)" 0
	is $((0x$(sim_reg f/p ECAP_AER+10.l) & 1)) 1 "status is set all the same"
}

prove status "status bits are cleared by writing 1, and by nothing else"
status() {
	gpu
	sim_reg f/p ECAP_AER+14.l=ffffffff
	sim_set f/p error BAD_TLP
	is $((0x$(sim_reg f/p ECAP_AER+10.l))) $((0x40))
	sim_reg f/p ECAP_AER+10.l=0
	is $((0x$(sim_reg f/p ECAP_AER+10.l))) $((0x40))
	sim_reg f/p ECAP_AER+10.l=40
	is $((0x$(sim_reg f/p ECAP_AER+10.l))) 0
}

prove no_aer "EOPNOTSUPP without AER, EINVAL for a name that is none"
no_aer() {
	sim_fabric f
	sim_port f/p aer=0
	sim_gpu f/p/gpu aer=0
	sim_live f
	sim_plug f/p/gpu
	exits 1 sim_set f/p error RCVR
	like "$out" "not supported"
	exits 1 sim_set f/p/gpu error DLP
	like "$out" "not supported"
	exits 1 sim_set f/p error NONSENSE
	like "$out" "Invalid argument"
}

prove firmware_aer "when firmware keeps AER the kernel does not count"
firmware_aer() {
	sim_fabric f firmware_keeps=aer
	sim_port f/p
	sim_gpu f/p/gpu
	sim_live f
	sim_plug f/p/gpu
	dmesg_mark
	sim_set f/p/gpu error RCVR
	nap 0.2
	sim_unsaid 'AER:'
	sim_bound f/p/gpu
}

prove function_1 "an error of another function is counted at that function"
function_1() {
	sim_fabric f
	sim_port f/p
	sim_gpu f/p/gpu
	sim_gpu f/p/gpu/function1 preset=plain
	sim_live f
	sim_plug f/p/gpu
	sim_set f/p/gpu/function1 error BAD_DLLP
	wait_for 5 counted f/p/gpu/function1 correctable BAD_DLLP 1
	is "$(counter f/p/gpu correctable BAD_DLLP)" 0
}

prove below_switch "an error below a switch goes up to the root port"
below_switch() {
	sim_fabric f
	sim_port f/p
	sim_switch f/p/box 2
	sim_gpu f/p/box/port1/gpu present=1
	sim_live f
	sim_put f/p/box
	wait_for 10 sim_bound f/p/box/port1/gpu
	sim_set f/p/box/port1/gpu error RCVR
	wait_for 5 counted f/p/box/port1/gpu correctable RCVR 1
	sim_set f/p/box/port1 error BAD_TLP
	wait_for 5 counted f/p/box/port1 correctable BAD_TLP 1
	sim_set f/p/box error REP_ROLL
	wait_for 5 counted f/p/box correctable REP_ROLL 1
}

prove dpc "DPC: contained, the link down and up, and the driver recovers"
dpc() {
	local dev
	gpu dpc=1
	dev=$(readlink -f "$PCI/$(sim_addr f/p/gpu)")
	dmesg_mark
	sim_set f/p/gpu error DLP
	sim_said 'containment event'
	sim_said 'device recovery successful'
	is "$(sim_stat f/p dpc)" 1
	is "$(sim_stat f/p resets)" 0
	sim_expect f/p link "L0 16.0 GT/s x4"
	sim_bound f/p/gpu
	is "$(readlink -f "$PCI/$(sim_addr f/p/gpu)")" "$dev"
	# pciehp knows that DPC was it.
	sim_unsaid 'Card not present'
	is $((0x$(sim_reg f/p ECAP_DPC+08.w) & 1)) 0 "not triggered any more"
	sim_set f/p/gpu error MALF_TLP
	sim_expect f/p stat:dpc 2
	sim_expect f/p link "L0 *"
}

prove dpc_held "while DPC is triggered the link stays down"
dpc_held() {
	sim_fabric f firmware_keeps="aer dpc"
	sim_port f/p dpc=1 hotplug=none
	sim_gpu f/p/gpu preset=plain present=1
	sim_live f
	# Fatal errors trigger it; the device may tell of them.
	sim_reg f/p ECAP_DPC+06.w=1:3
	sim_reg f/p/gpu CAP_EXP+08.w=f:f
	sim_set f/p/gpu error DLP
	sim_expect f/p stat:dpc 1
	sim_expect f/p link "Disabled*"
	is $((0x$(sim_reg f/p ECAP_DPC+08.w) & 7)) $((0x5)) "by ERR_FATAL"
	nap 0.3
	sim_expect f/p link "Disabled*"
	sim_reg f/p ECAP_DPC+08.w=1
	sim_expect f/p link "L0 *"
}

prove dpc_yank "a card that is pulled while DPC recovers is gone afterwards"
dpc_yank() {
	gpu dpc=1
	sim_set f/p/gpu error DLP
	sim_yank f/p/gpu 15
	sim_expect f/p link "Detect*"
	sim_plug f/p/gpu
}

prove surprise_down "Surprise Down is told when a link goes and nobody asked it to"
surprise_down() {
	sim_fabric f
	sim_port f/p surprise_down=1 surprise=0 hotplug=none
	sim_gpu f/p/gpu preset=plain present=1
	sim_live f
	sim_set f/p/gpu recovery_failures 1
	sim_reg f/p CAP_EXP+10.w=20:20
	wait_for 5 counted f/p fatal SURPDN 1
}
