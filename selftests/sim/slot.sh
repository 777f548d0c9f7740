# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# Slots: the kernel's pciehp on the simulated ones.

# shellcheck source=selftests/lib/sim.sh
. "$LIB/sim.sh"

setup() {
	sim_load
}

teardown() {
	sim_clear
}

# slot PORT-ATTRIBUTE…: a live fabric with a port and a GPU for it, f/p/gpu
slot() {
	sim_fabric f
	sim_port f/p "$@"
	sim_gpu f/p/gpu
	sim_live f
}

# power PORT 0|1: what an administrator does by hand
power() {
	echo "$2" > "$(sim_slot "$1")/power"
}

# sltctl, sltsta PORT: Slot Control, Slot Status
sltctl() {
	echo $((0x$(sim_reg "$1" CAP_EXP+18.w)))
}

sltsta() {
	echo $((0x$(sim_reg "$1" CAP_EXP+1a.w)))
}

prove plug "a card is seen, gets its driver, and is gone when it is pulled"
plug() {
	local start
	slot
	is "$(< "$(sim_slot f/p)/adapter")" 0
	dmesg_mark
	sim_plug f/p/gpu
	sim_said 'Card present'
	is "$(< "$(sim_slot f/p)/adapter")$(< "$(sim_slot f/p)/power")" 11
	start=$(now_ms)
	sim_yank f/p/gpu
	quick $(($(now_ms) - start)) 1000
	sim_said 'Link Down|Card not present'
	is "$(< "$(sim_slot f/p)/adapter")" 0
	is "$(sim_addr f/p/gpu || :)" ""
	sim_plug f/p/gpu
}

prove at_boot "a card that is there from the beginning is there at once"
at_boot() {
	sim_fabric f
	sim_port f/p
	sim_gpu f/p/gpu present=1
	sim_live f
	sim_added f/p/gpu
	wait_for 5 sim_bound f/p/gpu
	is "$(sim_stat f/p ups)" 1
	sim_yank f/p/gpu
}

prove turns "two cards take turns in a slot; one at a time"
turns() {
	slot
	sim_gpu f/p/other preset=accelerator serial=1
	sim_plug f/p/gpu
	exits 1 sim_put f/p/other
	like "$out" "Device or resource busy"
	is "$(sim_get f/p/other present)" 0
	sim_yank f/p/gpu
	sim_plug f/p/other
	sim_expect f/p/other pci:class 0x120000
	is "$(sim_get f/p/gpu present)$(sim_get f/p/other present)" 01
	exits 1 sim_put f/p/gpu
}

prove power_controller "slot power off and on, with a power controller"
power_controller() {
	slot power_controller=1 indicators=1
	sim_plug f/p/gpu
	is $(($(sltctl f/p) & 0x400)) 0 "off bit"
	is $(($(sltctl f/p) & 0x300)) $((0x100)) "power indicator"
	power f/p 0
	not sim_added f/p/gpu
	is $(($(sltctl f/p) & 0x400)) $((0x400)) "off bit"
	is $(($(sltctl f/p) & 0x300)) $((0x300)) "power indicator"
	sim_expect f/p link "Detect*"
	is "$(< "$(sim_slot f/p)/adapter")" 1 "still present"
	power f/p 1
	wait_for 5 sim_bound f/p/gpu
	sim_yank f/p/gpu
	wait_for 5 eval '[ $(($(sltctl f/p) & 0x400)) != 0 ]'
	sim_plug f/p/gpu
}

prove no_power_controller "the same without: nothing loses power"
no_power_controller() {
	slot
	sim_plug f/p/gpu
	power f/p 0
	is "$(sim_driver f/p/gpu 2> /dev/null || :)" ""
	sim_expect f/p link "L0 16.0 GT/s x4"
	is "$(sim_stat f/p downs)" 0
	power f/p 1
	wait_for 5 sim_bound f/p/gpu
}

# A slot with a button and a power controller is off until it is pressed.
buttoned() {
	sim_fabric f
	sim_port f/p power_controller=1 attention_button=1 indicators=1
	sim_gpu f/p/gpu "$@"
	sim_live f
	dmesg_mark
}

prove button_out "the attention button: out after 5 s; pressed twice is not at all"
button_out() {
	local start addr
	buttoned present=1
	wait_for 5 sim_bound f/p/gpu
	addr=$(sim_addr f/p/gpu)
	sim_set f/p button 1
	sim_said 'will power off|Powering off'
	is $(($(sltctl f/p) & 0x300)) $((0x200)) "it blinks"
	sim_set f/p button 1
	sim_said 'cancel'
	sim_bound f/p/gpu
	start=$(now_ms)
	sim_set f/p button 1
	wait_for 9 not test -e "$PCI/$addr"
	[ $(($(now_ms) - start)) -ge 4900 ]
}

prove -l button_in "and in after 5 s"
button_in() {
	buttoned
	sim_put f/p/gpu
	nap 0.3
	sim_expect f/p link "Detect*"
	sim_set f/p button 1
	sim_said 'will power on|Powering on'
	wait_for 9 sim_bound f/p/gpu
}

prove no_button "a slot without a button has none to press"
no_button() {
	slot
	exits 1 sim_set f/p button 1
	like "$out" "not supported"
}

prove indicators "indicators follow the slot; attention can be set"
indicators() {
	slot indicators=1
	is $(($(sltctl f/p) & 0x300)) $((0x300)) "power indicator"
	sim_plug f/p/gpu
	is $(($(sltctl f/p) & 0x300)) $((0x100)) "power indicator"
	echo 1 > "$(sim_slot f/p)/attention"
	is $(($(sltctl f/p) & 0xc0)) $((0x40)) "attention indicator"
	echo 0 > "$(sim_slot f/p)/attention"
	is $(($(sltctl f/p) & 0xc0)) $((0xc0)) "attention indicator"
}

prove commands "command completed: at once, late, and never told"
commands() {
	local start
	slot indicators=1 command_ms=150
	dmesg_mark
	start=$(now_ms)
	echo 1 > "$(sim_slot f/p)/attention"
	echo 0 > "$(sim_slot f/p)/attention"
	[ $(($(now_ms) - start)) -ge 140 ]
	sim_unsaid 'Timeout on hotplug command'
	sim_dead f
	sim_set f/p command_completed=0 command_ms=0
	sim_live f
	like "$(sim_lspci f/p)" "NoCompl\+"
	echo 1 > "$(sim_slot f/p)/attention"
	echo 0 > "$(sim_slot f/p)/attention"
	sim_unsaid 'Timeout on hotplug command'
}

prove command_lost "a command whose completion never comes: the kernel times out"
command_lost() {
	slot indicators=1
	sim_set f/p command_ms 3600000
	dmesg_mark
	sim_put f/p/gpu
	sim_said 'Timeout on hotplug command'
	wait_for 15 sim_bound f/p/gpu
	sim_set f/p command_ms 0
}

prove presence_absent "presence pins stuck at absent: the link alone brings it in"
presence_absent() {
	slot presence=absent
	sim_put f/p/gpu
	wait_for 5 sim_bound f/p/gpu
	sim_yank f/p/gpu
}

prove presence_present "pins stuck at present: tried, given up, and then it works"
presence_present() {
	slot
	dmesg_mark
	sim_set f/p presence present
	sim_said 'No link|Cannot train'
	is $(($(sltsta f/p) & 0x40)) $((0x40))
	sim_plug f/p/gpu
	sim_yank f/p/gpu
	is $(($(sltsta f/p) & 0x40)) $((0x40))
	sim_set f/p presence auto
	is $(($(sltsta f/p) & 0x40)) 0
}

prove inband "in-band presence disabled: only the pins count"
inband() {
	slot inband_presence_disable=1
	is $((0x$(sim_reg f/p CAP_EXP+34.l) & 1)) 1 "Slot Capabilities 2"
	# pciehp would, but cannot read that register: no kernel so far lets it.
	sim_reg f/p CAP_EXP+18.w=4000:4000
	sim_plug f/p/gpu
	is $(($(sltsta f/p) & 0x40)) $((0x40))
	sim_yank f/p/gpu
	sim_set f/p presence absent
	sim_put f/p/gpu
	wait_for 8 sim_bound f/p/gpu
	is $(($(sltsta f/p) & 0x40)) 0
	sim_reg f/p CAP_EXP+18.w=0:4000
	is $(($(sltsta f/p) & 0x40)) $((0x40)) "in-band again"
}

prove no_hotplug "a port without a slot: nobody sees plug and pull but a rescan"
no_hotplug() {
	local addr
	slot hotplug=none
	exits 1 sim_slot f/p
	sim_put f/p/gpu
	sim_expect f/p link "L0 *"
	nap 0.3
	is "$(sim_driver f/p/gpu || :)" ""
	echo 1 > "$PCI/$(sim_addr f/p)/rescan"
	wait_for 5 sim_bound f/p/gpu
	addr=$(sim_addr f/p/gpu)
	sim_pull f/p/gpu
	is "$(sim_addr f/p/gpu || :)" ""
	is "$(setpci -s "$addr" VENDOR_ID 2> /dev/null)" ffff "a ghost"
	is "$(driver_of "$addr")" egpu_sim_drm
	echo 1 > "$PCI/$addr/remove"
	not test -e "$PCI/$addr"
}

prove firmware_slot "a slot that firmware keeps: pciehp leaves it alone"
firmware_slot() {
	sim_fabric f firmware_keeps=hotplug
	sim_port f/p
	sim_gpu f/p/gpu
	sim_live f
	exits 1 sim_slot f/p
	sim_put f/p/gpu
	sim_expect f/p link "L0 *"
	nap 0.3
	not test -e "$PCI/$(sim_addr f/p/gpu)"
	like "$(sim_lspci f/p)" "HotPlug\+"
}

prove bounce "contacts that bounce at plug and pull"
bounce() {
	local kind downs
	slot
	for kind in both presence link; do
		sim_set f/p/gpu bounce "2000 10 $kind"
		sim_put f/p/gpu
		wait_for 10 sim_bound f/p/gpu
		# It is stable when nothing changed for longer than a bounce.
		downs=$(sim_stat f/p downs)
		nap 0.2
		is "$(sim_stat f/p downs)" "$downs" "$kind"
		wait_for 10 sim_bound f/p/gpu
		sim_yank f/p/gpu
		sim_expect f/p/gpu present 0
	done
}

prove flap "contacts that flap: the kernel follows, and the card is there again"
flap() {
	local kind
	slot
	sim_plug f/p/gpu
	for kind in both link; do
		sim_set f/p/gpu flap "40000 5 $kind"
		nap 0.3
		wait_for 10 sim_bound f/p/gpu
		[ "$(sim_stat f/p downs)" -ge 1 ]
	done
	sim_set f/p/gpu flap "400000 0"
	wait_for 8 eval '[ "$(sim_stat f/p downs)" -ge 4 ]'
	sim_set f/p/gpu flap 0
	wait_for 10 sim_bound f/p/gpu
	sim_expect f/p link "L0 *"
}

prove flap_presence "only the pins flap: pciehp takes that for a removal"
flap_presence() {
	slot
	sim_plug f/p/gpu
	dmesg_mark
	sim_set f/p/gpu flap "100000 3 presence"
	nap 0.5
	wait_for 10 sim_bound f/p/gpu
	is "$(sim_stat f/p downs)" 0
}

prove messages "interrupts by messages, where the kernel lets it, and without"
messages() {
	local addr
	slot msi=1
	sim_plug f/p/gpu
	sim_yank f/p/gpu
	addr=$(sim_addr f/p)
	case $(uname -r) in
	6.*)	[ -d "$PCI/$addr/msi_irqs" ]
		like "$(sim_lspci f/p)" "MSI: Enable\+" ;;
	*)	not test -d "$PCI/$addr/msi_irqs" ;;
	esac
	sim_dead f
	sim_set f/p msi 0
	sim_live f
	unlike "$(sim_lspci f/p)" "MSI: "
	sim_plug f/p/gpu
	sim_yank f/p/gpu
}

prove interrupt_lost "interrupts that never come: nobody notices, until they do"
interrupt_lost() {
	slot
	sim_set f/p interrupt lost
	sim_put f/p/gpu
	sim_expect f/p link "L0 *"
	nap 0.3
	is "$(sim_driver f/p/gpu || :)" ""
	sim_set f/p interrupt normal
	wait_for 5 sim_bound f/p/gpu
}

prove interrupt_stuck "an interrupt that sticks: the kernel disables the line"
interrupt_stuck() {
	host expect 'irq [0-9]+: nobody cared'
	slot msi=0
	sim_plug f/p/gpu
	dmesg_mark
	sim_set f/p interrupt stuck
	sim_said 'Disabling IRQ' 20
	sim_set f/p interrupt normal
}

prove bare "a slot without hotplug: number and presence, no pciehp, nothing is told"
bare() {
	slot hotplug=none slot=1 power_controller=1 indicators=1
	like "$(sim_lspci f/p)" "\(v2\) Root Port \(Slot\+\)"
	like "$(sim_lspci f/p)" "PwrCtrl- MRL- AttnInd- PwrInd- HotPlug- Surprise-"
	not sim_service f/p pciehp
	is "$(sim_slot f/p || :)" ""
	is "$(($(sltsta f/p) & 0x40))" 0
	sim_put f/p/gpu
	sim_expect f/p link "L0 *"
	is "$(($(sltsta f/p) & 0x40))" 64
	# No Command Completed, and nothing to write but In-Band PD Disable.
	sim_reg f/p CAP_EXP+18.w=ffff
	is "$(sltctl f/p) $(($(sltsta f/p) & 0x10))" "0 0"
	sim_pull f/p/gpu
	is "$(($(sltsta f/p) & 0x40))" 0
}

prove bare_disabled "Link Disable: presence is still that of the card; plugged so, it does not train"
bare_disabled() {
	slot hotplug=none slot=1
	sim_put f/p/gpu
	sim_expect f/p link "L0 *"
	sim_reg f/p CAP_EXP+10.w=10:10
	sim_expect f/p link "Disabled*"
	is "$(($(sltsta f/p) & 0x40))" 64
	sim_pull f/p/gpu
	is "$(($(sltsta f/p) & 0x40))" 0
	sim_put f/p/gpu
	nap 0.3
	sim_expect f/p link "Disabled*"
	is "$(($(sltsta f/p) & 0x40))" 64
	sim_reg f/p CAP_EXP+10.w=0:10
	sim_expect f/p link "L0 *"
}

prove bare_pins "pins that do not touch, and in-band presence disabled: it reads absent"
bare_pins() {
	slot hotplug=none slot=1 inband_presence_disable=1
	sim_set f/p presence absent
	sim_put f/p/gpu
	sim_expect f/p link "L0 *"
	is "$(($(sltsta f/p) & 0x40))" 64
	sim_reg f/p CAP_EXP+18.w=4000:4000
	is "$(($(sltctl f/p))) $(($(sltsta f/p) & 0x40))" "16384 0"
}

prove slotless "without a slot presence is hardwired to 1"
slotless() {
	slot hotplug=none
	like "$(sim_lspci f/p)" "Root Port \(Slot-\)"
	is "$(sltsta f/p)" 64
	sim_put f/p/gpu
	sim_expect f/p link "L0 *"
	is "$(sltsta f/p)" 64
}
