# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# vm: own-boot --port-opt rp1:power_controller_present=off
# A GPU that comes and goes through the kernel's own pciehp and has its own
# driver: with egpu, its gate and checks on, and without. Nobody polls while
# something is measured.

# shellcheck source=selftests/bench/lib/bench.sh
. lib/bench.sh
# shellcheck source=selftests/bench/lib/trace.sh
. lib/trace.sh

WHERE="real pciehp, bochs-drm"

setup() {
	modprobe bochs
	settle
}

teardown() {
	trace_off
	egpu_unload
	eject rp1 || :
	pull gpu0 || :
}

# with, without: is egpu there?
with() {
	egpu_load "track=$(port_addr rp0),$(port_addr rp1)"
}

without() {
	egpu_unload
}

settle() {
	udevadm settle --timeout=10
}

# us: now
us() {
	echo "${EPOCHREALTIME/[.,]/}"
}

# arrival: interrupt → its driver's probe() is over; in $arrival
arrival() {
	settle
	trace_clear
	plug gpu0 rp0
	trace_until bound
	arrival=$(trace_took irq first bound last)
	settle
}

# detach PORT, power_off PORT: until it may be unplugged; in $took
detach() {
	local port start
	port=$(port_addr "$1")
	start=$(us)
	egpuctl detach "$port" > /dev/null
	took=$(($(us) - start))
}

power_off() {
	local slot start
	slot=$(slot_of "$1")
	start=$(us)
	echo 0 > "$slot/power"
	took=$(($(us) - start))
}

# taken_out: QEMU takes out what has no power
taken_out() {
	host wait-deleted gpu0
	wait_empty rp0
}

# eject PORT: nor what is in a slot whose power cannot be switched, when power
# off is written all the same
eject() {
	is_empty "$1" || slot_power "$1" 0
	host deleted gpu0 ||
		setpci -s "$(port_addr "$1")" CAP_EXP+0x18.w=0700:0700
	host wait-deleted gpu0
}

# A module that was loaded just now runs everything for the first time: one turn
# is not counted, on both sides.

# turn detach|power_off: a GPU comes to rp0 and goes; in $turn, how long each takes
turn() {
	arrival
	"$1" rp0
	turn=("$arrival" "$took")
	taken_out
	[ "$1" != detach ] || wait_state rp0 EMPTY
}

prove -t 400 power "plug → bound, and detach → safe, with a power controller"
power() {
	local attach=() detach=() ours=() i
	trace_on irq=p:pciehp_isr bound=r:bochs_pci_probe
	for _ in {1..10}; do
		with
		turn detach
		for i in 1 2; do
			turn detach
			ours[i]="${turn[*]}"
		done
		without
		turn power_off
		for i in 1 2; do
			turn power_off
			attach+=("${ours[i]% *} ${turn[0]}")
			detach+=("${ours[i]#* } ${turn[1]}")
		done
	done
	pair_all "${attach[@]}"
	record attach us "without egpu" "$WHERE"
	pair_all "${detach[@]}"
	record detach us "echo 0 > power" "$WHERE"
}

prove -t 240 no_power "detach → safe, without a power controller"
no_power() {
	local i ours
	plug_gpu gpu0 rp1
	for _ in {1..20}; do
		with
		for i in 1 2; do
			wait_state rp1 READY
			settle
			detach rp1
			ours=$took
			egpuctl attach "$(port_addr rp1)" > /dev/null
		done
		without
		settle
		power_off rp1
		pair "$ours" "$took"
		slot_power rp1 1
		wait_bound rp1
	done
	record detach/no_power us "echo 0 > power" "$WHERE"
}

prove -t 60 accesses "configuration accesses of an attach"
accesses() {
	local ours
	for _ in {1..3}; do
		with
		count_arrival
		ours=$counted
		without
		count_arrival
		pair "$ours" "$counted"
	done
	record attach/accesses "config accesses" "without egpu" "$WHERE"
}

count_arrival() {
	settle
	count_on
	plug gpu0 rp0
	wait_bound rp0
	settle
	count_off
	pull gpu0
}
