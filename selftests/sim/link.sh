# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# Links: what software can do to them, and what they do by themselves.

# shellcheck source=selftests/lib/sim.sh
. "$LIB/sim.sh"

setup() {
	sim_load
}

teardown() {
	sim_clear
}

# up PORT-ATTRIBUTE…: a live fabric; f/p/d, a plain device, is in its slot. No
# pciehp unless hotplug=native is said.
up() {
	sim_fabric f
	sim_port f/p hotplug=none "$@"
	sim_gpu f/p/d preset=plain present=1
	sim_live f
	sim_expect f/p link "L0 *"
	no_bwctrl
}

# no_bwctrl: newer kernels take LBMS and LABS away as soon as they are set
no_bwctrl() {
	local service
	for service in /sys/bus/pci_express/drivers/pcie_bwctrl/*:pcie*; do
		[ ! -e "$service" ] ||
			echo "${service##*/}" > "${service%/*}/unbind"
	done
}

# Link Status, bits; Link Control is CAP_EXP+10.w, Link Control 2 +30.w
LT=0x800 ACTIVE=0x2000 LBMS=0x4000 LABS=0x8000

# sta BITS: those of Link Status that are set
sta() {
	echo $((0x$(sim_reg f/p CAP_EXP+12.w) & $1))
}

# clear: LBMS and LABS
clear() {
	sim_reg f/p CAP_EXP+12.w=c000
}

retrain() {
	sim_reg f/p CAP_EXP+10.w=20:20
}

target() {
	sim_reg f/p CAP_EXP+30.w="$1":f
}

# stat KEY VALUE: a number of the port's, at once
stat() {
	is "$(sim_stat f/p "$1")" "$2" "$1"
}

prove boot "a link that firmware trained: up once, nothing else happened"
boot() {
	up
	stat ups 1
	stat downs 0
	stat recoveries 0
	is "$(sta $((LT | LBMS | LABS)))" 0
	is "$(sta $ACTIVE)" $((ACTIVE))
}

prove retrain_up "a retrain keeps the link up and sets LBMS, not LABS"
retrain_up() {
	up
	retrain
	sim_expect f/p stat:recoveries 1
	sim_expect f/p link "L0 16.0 GT/s x4"
	stat retrains 1
	stat downs 0
	is "$(sta $((LBMS | LABS)))" $((LBMS))
	is "$(sta $ACTIVE)" $((ACTIVE))
	clear
	is "$(sta $LBMS)" 0
}

prove training_held "Link Training is held meanwhile; a second retrain is a violation"
training_held() {
	up recovery_ms=$((2000 * ${VM_SLOW:-1}))
	retrain
	is "$(sta $LT)" $((LT))
	is "$(sta $ACTIVE)" $((ACTIVE)) "Recovery keeps it active"
	is "$(sim_get f/p link)" "Recovery 16.0 GT/s x4"
	stat violations 0
	retrain
	stat violations 1
	sim_expect f/p link "L0 *"
	is "$(sta $LT)" 0
	stat recoveries 1
}

prove target_speed "Target Link Speed: down and up again, both ends agree"
target_speed() {
	local code=1 gts
	up max_speed=16
	for gts in 2.5 5.0 8.0 16.0; do
		target $code
		retrain
		sim_expect f/p link "L0 $gts GT/s x4"
		sim_expect f/p/d pci:current_link_speed "$gts GT/s PCIe"
		code=$((code + 1))
	done
	stat downs 0
	stat recoveries 4
	is $((0x$(sim_reg f/p CAP_EXP+30.w) & 15)) 4
}

prove target_alone "a target alone changes nothing until the link is trained"
target_alone() {
	up
	target 1
	nap 0.2
	sim_expect f/p link "L0 16.0 GT/s x4"
	stat recoveries 0
}

prove disable "Link Disable: down, reset, and up again as soon as it is cleared"
disable() {
	up
	sim_reg f/p/d COMMAND=6
	sim_reg f/p CAP_EXP+10.w=10:10
	sim_expect f/p link "Disabled*"
	is "$(sta $ACTIVE)" 0
	is "$(sim_addr f/p/d || :)" ""
	stat downs 1
	sim_reg f/p CAP_EXP+10.w=0:10
	sim_expect f/p link "L0 *"
	is "$(sim_reg f/p/d COMMAND)" 0000 "Command"
	is "$(sta $LBMS)" 0 "not a retrain"
}

prove disable_native "below pciehp Link Disable is a removal, and it comes back"
disable_native() {
	local dev
	up hotplug=native
	dmesg_mark
	sim_reg f/p CAP_EXP+10.w=10:10
	sim_said 'Link Down'
	sim_reg f/p CAP_EXP+10.w=0:10
	wait_for 5 sim_added f/p/d
	sim_expect f/p link "L0 *"
}

prove bus_reset "a secondary bus reset: hot reset, registers are as at power up"
bus_reset() {
	up
	sim_reg f/p/d COMMAND=6
	sim_reg f/p BRIDGE_CONTROL=40:40
	sim_expect f/p link "Hot Reset*"
	is "$(sta $ACTIVE)" 0
	sim_reg f/p BRIDGE_CONTROL=0:40
	sim_expect f/p link "L0 *"
	is "$(sim_reg f/p/d COMMAND)" 0000
	stat resets 1
	stat downs 1
}

prove reset_file "the kernel's own reset of a slot: pciehp does not mind"
reset_file() {
	local dev
	up hotplug=native
	dev=$PCI/$(sim_addr f/p/d)
	like "$(< "$dev/reset_method")" bus
	dmesg_mark
	echo bus > "$dev/reset_method"
	echo 1 > "$dev/reset"
	stat resets 1
	sim_unsaid 'Link Down|Card not present'
	sim_added f/p/d
	sim_expect f/p link "L0 *"
}

prove flr "a function level reset resets its registers, not the link"
flr() {
	local dev
	sim_fabric f
	sim_port f/p hotplug=none
	sim_gpu f/p/d preset=plain flr=1 present=1
	sim_live f
	dev=$PCI/$(sim_addr f/p/d)
	echo flr > "$dev/reset_method"
	echo 1 > "$dev/reset"
	stat resets 0
	stat downs 0
}

prove autonomous "a speed change of the device's own: LABS, not LBMS"
autonomous() {
	up
	sim_set f/p/d autonomous_speed 5
	sim_expect f/p link "L0 5.0 GT/s x4"
	is "$(sta $((LBMS | LABS)))" $((LABS))
	clear
	sim_set f/p/d autonomous_speed 16
	sim_expect f/p link "L0 16.0 GT/s x4"
	stat downs 0
	sim_reg f/p/d CAP_EXP+30.w=20:20
	exits 1 sim_set f/p/d autonomous_speed 5
	like "$out" "not permitted"
	sim_expect f/p link "L0 16.0 GT/s x4"
	sim_pull f/p/d
	exits 1 sim_set f/p/d autonomous_speed 5
	like "$out" "not connected"
}

prove recovery_fails "a Recovery that fails goes through Detect; others do not"
recovery_fails() {
	up
	sim_set f/p/d recovery_failures 2
	retrain
	sim_expect f/p stat:downs 1
	sim_expect f/p link "L0 *"
	is "$(sim_get f/p/d recovery_failures)" 1
	retrain
	sim_expect f/p stat:downs 2
	sim_expect f/p link "L0 *"
	retrain
	sim_expect f/p stat:recoveries 3
	sim_expect f/p link "L0 *"
	stat downs 2
	stat ups 3
}

prove recovery_told "such a failure is told to pciehp, which removes and adds"
recovery_told() {
	up hotplug=native
	sim_set f/p/d recovery_failures 1
	dmesg_mark
	retrain
	sim_said 'Link Down'
	sim_said 'Link Up|Card present'
	wait_for 5 sim_added f/p/d
}

prove dead_lanes "lanes that are dead: width falls back to what begins at lane 0"
dead_lanes() {
	local mask width
	up max_width=16
	while read -r mask width; do
		sim_pull f/p/d
		sim_expect f/p link "Detect*"
		sim_set f/p/d dead_lanes "$mask"
		sim_put f/p/d
		sim_expect f/p link "L0 16.0 GT/s x$width"
	done <<< "0x8000 8
		0x80 4
		0x8 2
		0xfffe 1
		0 16"
	sim_set f/p/d dead_lanes 0xff00
	sim_expect f/p link "L0 16.0 GT/s x16"
	retrain
	sim_expect f/p link "L0 16.0 GT/s x8"
}

prove lane0 "without lane 0 there is no link, and it is tried on and on"
lane0() {
	up
	sim_pull f/p/d
	sim_set f/p/d dead_lanes 1
	sim_put f/p/d
	wait_for 5 eval '[ "$(sim_stat f/p attempts)" -ge 5 ]'
	stat ups 1
	sim_set f/p/d dead_lanes 0
	sim_expect f/p link "L0 *"
}

prove later_try "a link that comes up at the fourth try"
later_try() {
	local before
	up
	sim_pull f/p/d
	sim_set f/p/d link_up_try 4
	before=$(sim_stat f/p attempts)
	sim_put f/p/d
	sim_expect f/p stat:ups 2
	is $(($(sim_stat f/p attempts) - before)) 4
}

prove times "training takes as long as its steps are told to take"
times() {
	local start ms=$((300 * ${VM_SLOW:-1}))
	up detect_ms=$ms polling_ms=$ms configuration_ms=$ms \
		speed_change_ms=$ms
	sim_pull f/p/d
	sim_expect f/p link "Detect*"
	start=$(now_ms)
	sim_put f/p/d
	sim_expect f/p link "Polling*"
	sim_expect f/p link "Configuration*"
	is "$(sta $LT)" $((LT))
	sim_expect f/p link "Recovery.Speed*"
	sim_expect f/p link "L0 *"
	[ $(($(now_ms) - start)) -ge $((4 * ms - 10)) ]
	is "$(sta $LT)" 0
	sim_pull f/p/d
	sim_set f/p detect_ms=0 polling_ms=0 configuration_ms=0 \
		speed_change_ms=0
	sim_put f/p/d
	sim_expect f/p link "L0 *"
}

prove ready "a device that is not ready: Request Retry Status, then it is there"
ready() {
	local start
	up hotplug=native
	sim_yank f/p/d
	sim_set f/p/d ready_ms 900
	start=$(now_ms)
	sim_plug f/p/d
	[ $(($(now_ms) - start)) -ge 900 ]
}

prove untrainable "a link that only trains slowly: LBMS, and no link"
untrainable() {
	up
	sim_pull f/p/d
	clear
	sim_set f/p/d untrainable_above 2.5
	sim_put f/p/d
	wait_for 5 eval '[ "$(sta $LBMS)" != 0 ]'
	is "$(sta $ACTIVE)" 0
	stat ups 1
	target 1
	retrain
	sim_expect f/p link "L0 2.5 GT/s x4"
	target 4
	retrain
	sim_expect f/p link "L0 16.0 GT/s x4"
	stat downs 1
}

prove unrecoverable "a speed that Recovery does not reach, and training from Detect does"
unrecoverable() {
	up
	target 3
	retrain
	sim_expect f/p link "L0 8.0 GT/s x4"
	sim_set f/p/d unrecoverable_above 8
	target 4
	clear
	retrain
	sim_expect f/p stat:recoveries 2
	sim_expect f/p link "L0 8.0 GT/s x4"
	is "$(sta $LBMS)" $((LBMS))
	stat downs 0
	target 1
	retrain
	sim_expect f/p link "L0 2.5 GT/s x4"
	target 2
	retrain
	sim_expect f/p link "L0 5.0 GT/s x4"
	target 4
	retrain
	sim_expect f/p stat:recoveries 5
	sim_expect f/p link "L0 5.0 GT/s x4"
	sim_reg f/p BRIDGE_CONTROL=40:40
	sim_reg f/p BRIDGE_CONTROL=0:40
	sim_expect f/p link "L0 16.0 GT/s x4"
	retrain
	sim_expect f/p stat:recoveries 6
	sim_expect f/p link "L0 16.0 GT/s x4"
}

prove detect_speed "a link that is slow after Detect, and gets up by Recovery"
detect_speed() {
	up
	sim_set f/p/d detect_speed 5
	sim_pull f/p/d
	sim_put f/p/d
	sim_expect f/p link "L0 5.0 GT/s x4"
	retrain
	sim_expect f/p link "L0 16.0 GT/s x4"
	stat ups 2
}

prove dies "a Recovery that fails, and no lane that works: it is gone for good"
dies() {
	up
	sim_set f/p/d recovery_failures=1 dead_lanes=1
	retrain
	sim_expect f/p stat:downs 1
	wait_for 5 eval '[ "$(sim_stat f/p attempts)" -ge 5 ]'
	stat ups 1
}

# quirk CMD…: what the kernel makes of a link like that: 6.1 gives up, from 6.5
# on it is retrained at 2.5 GT/s
quirk() {
	dmesg_mark
	"$@"
	case $(uname -r) in
	6.1.*)	sim_said 'No link'
		not sim_added f/p/d
		;;
	*)	sim_said 'retraining non-functional downstream link at 2.5GT/s'
		wait_for 5 sim_added f/p/d
		sim_expect f/p link "L0 2.5 GT/s x4"
		sim_unsaid 'retraining failed'
		;;
	esac
}

prove quirk_plug "the kernel's own quirk recovers it when it is plugged (6.12)"
quirk_plug() {
	up hotplug=native
	sim_yank f/p/d
	sim_set f/p/d untrainable_above 2.5
	quirk sim_put f/p/d
}

prove quirk_boot "and when it was there from the beginning"
quirk_boot() {
	sim_fabric f
	sim_port f/p
	sim_gpu f/p/d preset=plain present=1 untrainable_above=5
	quirk sim_live f
}

prove ber "bit errors: as many as the rate says, counted by the kernel"
ber() {
	local errors counted
	up
	# 16 GT/s x4: 64 Gbit/s, so 32 a second
	sim_set f/p/d ber "16 5e-10"
	like "$(sim_get f/p/d ber)" "16.*5e-10"
	wait_for 10 eval '[ "$(sim_stat f/p errors)" -ge 16 ]'
	sim_set f/p/d ber "16 0"
	errors=$(sim_stat f/p errors)
	nap 0.3
	stat errors "$errors"
	[ "$errors" -lt 64 ]
	stat recoveries 0
	sim_expect f/p link "L0 16.0 GT/s x4"
	counted=$(awk '$1 == "TOTAL_ERR_COR" { print $2 }' \
		"$PCI/$(sim_addr f/p)/aer_dev_correctable")
	[ "$counted" -ge 1 ]
	[ "$counted" -le "$errors" ]
}

prove ber_other_speed "a rate for one speed does not touch the others"
ber_other_speed() {
	up
	sim_set f/p/d ber "8 5e-10"
	nap 0.3
	stat errors 0
	target 3
	retrain
	sim_expect f/p link "L0 8.0 GT/s x4"
	wait_for 5 eval '[ "$(sim_stat f/p errors)" -ge 1 ]'
}

prove ber_limit "above the limit the link falls back, with LBMS; and then down"
ber_limit() {
	up
	sim_set f/p/d error_limit 100
	sim_set f/p/d ber "16 1e-8"
	sim_expect f/p link "L0 8.0 GT/s x4"
	is "$(sta $LBMS)" $((LBMS))
	stat downs 0
	clear
	sim_set f/p/d ber "8 1e-7"
	sim_set f/p/d ber "5 1e-7"
	sim_expect f/p link "L0 2.5 GT/s x4"
	sim_set f/p/d ber "2.5 1e-7"
	wait_for 5 eval '[ "$(sim_stat f/p downs)" -ge 1 ]'
}

prove ber_burst "errors in bursts, with pauses between"
ber_burst() {
	local before after i pauses=0 slow=${VM_SLOW:-1}
	up
	sim_set f/p/d error_limit 0
	sim_set f/p/d ber "16 1e-9 $((100 * slow))/$((400 * slow))"
	wait_for 5 eval '[ "$(sim_stat f/p errors)" -ge 1 ]'
	for i in 1 2 3 4 5 6 7 8; do
		before=$(sim_stat f/p errors)
		nap "0.$slow"
		after=$(sim_stat f/p errors)
		[ "$before" != "$after" ] || pauses=$((pauses + 1))
	done
	[ "$pauses" -ge 2 ]
	wait_for 5 eval '[ "$(sim_stat f/p errors)" -gt "'"$after"'" ]'
}

prove ber_load "errors under load: one in so many accesses to what is below, none else"
ber_load() {
	local seen more errors _
	up
	sim_set f/p/d ber "16 0.02 load"
	is "$(sim_get f/p/d ber)" "16.0 GT/s 2e-2 load"
	sim_reg f/p CAP_EXP+12.w > /dev/null
	nap 0.3
	stat errors 0
	sim_set f/p/fault at=0 armed=1
	for _ in 1 2 3 4; do
		lspci -xxxx -s "$(sim_addr f/p/d)" > /dev/null
		seen=$(sim_get f/p/fault seen)
		errors=$(sim_stat f/p errors)
		more=$(sim_get f/p/fault seen)
		# Up to 49 went before, and the kernel may look at it any time.
		if [ "$errors" -lt $((seen / 50)) ] ||
			[ "$errors" -gt $((more / 50 + 1)) ]; then
			fail "$errors errors after $seen to $more accesses"
		fi
	done
	[ "$errors" -ge 4 ]
	stat recoveries 0
	nap 0.3
	stat errors "$errors"
	target 3
	retrain
	sim_expect f/p link "L0 8.0 GT/s x4"
	lspci -xxxx -s "$(sim_addr f/p/d)" > /dev/null
	stat errors "$errors"
}

prove usb4 "a port that firmware gives to a USB4 host"
usb4() {
	up usb4=1
	[ -d "$PCI/$(sim_addr f/p)/software_node" ]
	sim_dead f
	sim_set f/p usb4 0
	sim_live f
	not test -e "$PCI/$(sim_addr f/p)/software_node"
}

prove cxl "a CXL device's DVSEC; memory can be enabled, and a reset clears it"
cxl() {
	sim_fabric f
	sim_port f/p hotplug=none
	sim_gpu f/p/d preset=plain cxl=1 present=1
	sim_live f
	is "$(sim_reg f/p/d ECAP23+04.w)" 1e98
	is "$(sim_reg f/p/d ECAP23+08.w)" 0000
	sim_reg f/p/d ECAP23+0c.w=ffff
	is "$(sim_reg f/p/d ECAP23+0c.w)" 0004
	sim_reg f/p BRIDGE_CONTROL=40:40
	sim_reg f/p BRIDGE_CONTROL=0:40
	sim_expect f/p link "L0 *"
	is "$(sim_reg f/p/d ECAP23+0c.w)" 0000
}

prove events "the kernel's event of a link change: LBMS and LABS interrupt"
events() {
	local before
	up
	before=$(sim_stat f/p interrupts)
	# Link Bandwidth Management and Autonomous Bandwidth Interrupt Enable
	sim_reg f/p CAP_EXP+10.w=c00:c00
	host expect 'irq [0-9]+: nobody cared'
	sim_set f/p/d autonomous_speed 8
	wait_for 5 eval '[ "$(sim_stat f/p interrupts)" -gt "'"$before"'" ]'
	sim_reg f/p CAP_EXP+10.w=0:c00
	clear
}

prove tracepoints "config accesses, interrupts, links and slots can be traced"
tracepoints() {
	local t=/sys/kernel/tracing e
	up hotplug=native
	echo > $t/trace
	for e in sim_config_read sim_config_write sim_interrupt sim_link \
		sim_slot; do
		echo 1 > "$t/events/egpu_sim/$e/enable"
	done
	sim_yank f/p/d
	sim_plug f/p/d
	echo 0 > $t/events/egpu_sim/enable
	for e in sim_config_read sim_config_write sim_interrupt sim_link \
		sim_slot; do
		grep -q " $e:" $t/trace
	done
	echo > $t/trace
}
