# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# Faults at the Nth access, and drivers that misbehave.

# shellcheck source=selftests/lib/sim.sh
. "$LIB/sim.sh"

setup() {
	sim_load
}

teardown() {
	sim_clear
}

# up: a live fabric, a plain device in a port that nobody watches, f/p/d; its
# registers are in $config
up() {
	sim_fabric f
	sim_port f/p hotplug=none "$@"
	sim_gpu f/p/d preset=plain vendor=0x1234 device=0xe602 present=1
	sim_live f
	config=$PCI/$(sim_addr f/p/d)/config
}

# rd [N]: N configuration accesses of 4 bytes, to the ids; what was read
rd() {
	local i
	for ((i = 0; i < ${1:-1}; i++)); do
		dd if="$config" bs=4 count=1 2> /dev/null | od -An -tx4
	done | tr -d ' ' | tr '\n' ' ' | sed 's/ $//'
}

GOOD=e6021234 ONES=ffffffff

# arm KIND AT [ATTR=VALUE…]
arm() {
	sim_set f/p/fault kind="$1" at="$2" count=1 task= scope=below
	sim_set f/p/fault "${@:3}" armed=1
}

prove counts "at=0 only counts, from arming on"
counts() {
	up
	arm ones 0
	is "$(sim_get f/p/fault seen)" 0
	is "$(rd 3)" "$GOOD $GOOD $GOOD"
	is "$(sim_get f/p/fault seen) $(sim_get f/p/fault hit)" "3 0"
	sim_set f/p/fault armed 0
	rd
	is "$(sim_get f/p/fault seen)" 3
	sim_set f/p/fault armed 1
	is "$(sim_get f/p/fault seen)" 0
}

prove ones "all ones at the third access, for two accesses"
ones() {
	up
	arm ones 3 count=2
	is "$(rd 6)" "$GOOD $GOOD $ONES $ONES $GOOD $GOOD"
	is "$(sim_get f/p/fault seen) $(sim_get f/p/fault hit)" "6 2"
	is "$(rd 2)" "$GOOD $GOOD" "only once"
}

prove ones_forever "a count of 0 lasts until it is disarmed; writes are lost"
ones_forever() {
	up
	sim_reg f/p/d COMMAND=2:2
	arm ones 1 count=0
	is "$(rd 4)" "$ONES $ONES $ONES $ONES"
	printf '\0\0' | dd of="$config" bs=2 seek=2 conv=notrunc 2> /dev/null
	sim_set f/p/fault armed 0
	is "$(rd)" "$GOOD"
	is $((0x$(sim_reg f/p/d COMMAND) & 2)) 2
}

prove retry "Request Retry Status at the second access"
retry() {
	local said
	up
	arm retry 2
	said=$(rd 3)
	like "$said" "^$GOOD (ffff0001|$ONES) $GOOD$"
	is "$(sim_get f/p/fault hit)" 1
}

prove yank "the device is gone with the second access, which finds nothing"
yank() {
	up
	arm yank 2
	is "$(rd 3)" "$GOOD $ONES $ONES"
	is "$(sim_get f/p/d present)" 0
	sim_expect f/p link "Detect*"
	is "$(sim_get f/p/fault hit)" 1
	sim_set f/p/fault armed 0
	sim_put f/p/d
	sim_expect f/p link "L0 *"
	is "$(rd)" "$GOOD"
}

prove link "the link goes down with the second access, and comes back"
link() {
	up
	arm link 2
	is "$(rd 2)" "$GOOD $ONES"
	sim_expect f/p stat:downs 1
	sim_expect f/p link "L0 *"
	is "$(rd)" "$GOOD"
	is "$(sim_get f/p/d present)" 1
}

prove scope "accesses to the port itself, to what is below it, to both"
scope() {
	local below
	up
	below=$config
	arm ones 0 scope=port
	rd 2
	is "$(sim_get f/p/fault seen)" 0
	config=$PCI/$(sim_addr f/p)/config
	rd 3
	is "$(sim_get f/p/fault seen)" 3
	arm ones 0 scope=below
	rd 2
	is "$(sim_get f/p/fault seen)" 0
	arm ones 2 scope=all
	rd 1
	config=$below
	is "$(rd 1)" "$ONES"
	is "$(sim_get f/p/fault seen)" 2
}

prove task "only accesses of certain tasks count"
task() {
	up
	arm ones 0 task='nobody*'
	rd 2
	is "$(sim_get f/p/fault seen)" 0
	arm ones 0 task='d[a-e]'
	rd 2
	is "$(sim_get f/p/fault seen)" 2
	sim_set f/p/fault task="pid 1" armed=1
	is "$(sim_get f/p/fault task)" "pid 1"
	rd 2
	is "$(sim_get f/p/fault seen)" 0
	sim_set f/p/fault task="pid $BASHPID" armed=1
	read -r -N 4 _ < "$config" || :
	[ "$(sim_get f/p/fault seen)" -ge 1 ]
}

prove through_switch "a fault of the root port sees accesses below a switch"
through_switch() {
	sim_fabric f
	sim_port f/p hotplug=none
	sim_switch f/p/box 1 hotplug=none
	sim_gpu f/p/box/port0/d preset=plain present=1
	sim_set f/p/box present 1
	sim_live f
	config=$PCI/$(sim_addr f/p/box/port0/d)/config
	arm ones 2
	sim_set f/p/box/port0/fault at=0 armed=1
	is "$(rd 2)" "$GOOD $ONES"
	is "$(sim_get f/p/box/port0/fault seen)" 2
	arm yank 1
	rd
	is "$(sim_get f/p/box present)" 0
}

prove -t 60 sweep "removal in the middle of a probe, at several accesses of all"
sweep() {
	local n at addr
	sim_fabric f
	sim_port f/p detect_ms=0 polling_ms=0 configuration_ms=0 \
		speed_change_ms=0
	sim_gpu f/p/gpu
	sim_live f
	arm yank 0
	sim_plug f/p/gpu
	n=$(sim_get f/p/fault seen)
	[ "$n" -ge 20 ]
	addr=$(sim_addr f/p/gpu)
	sim_yank f/p/gpu
	for ((at = 1; at < n; at += n / 7)); do
		arm yank "$at"
		sim_put f/p/gpu
		wait_for 10 eval 'hit || sim_bound f/p/gpu'
		hit || break
		wait_for 10 not test -e "$PCI/$addr"
	done
	[ "$at" -gt 1 ]
	sim_set f/p/fault armed 0
	sim_pull f/p/gpu
	wait_for 10 not test -e "$PCI/$addr"
	sim_plug f/p/gpu
}

hit() {
	[ "$(sim_get f/p/fault hit)" = 1 ]
}

prove mmio "accesses to memory count, and are what a driver's probe makes"
mmio() {
	sim_fabric f
	sim_port f/p
	sim_gpu f/p/gpu
	sim_live f
	arm ones 0
	sim_plug f/p/gpu
	[ "$(sim_stat f/p mmio)" -ge 5 ]
	[ "$(sim_stat f/p reads)" -gt 0 ]
	[ "$(sim_get f/p/fault seen)" -gt "$(sim_stat f/p mmio)" ]
}

# --- drivers ---

gpu() {
	sim_fabric f
	sim_port f/p
	sim_gpu f/p/gpu
	sim_live f
}

# hanging WORDS: where the driver hangs
hanging() {
	[ "$(sim_get f/p/gpu/driver hanging)" = "$1" ]
}

prove probe_error "a probe that fails with the error that was asked for"
probe_error() {
	gpu
	sim_set f/p/gpu/driver probe_error -12
	dmesg_mark
	sim_put f/p/gpu
	sim_said 'probe .*failed with error -12'
	is "$(sim_driver f/p/gpu)" ""
	sim_set f/p/gpu/driver probe_error 0
	sim_addr f/p/gpu > /sys/bus/pci/drivers/egpu_sim_drm/bind
	wait_for 5 sim_bound f/p/gpu
}

prove slow "a probe and a remove that take their time"
slow() {
	local start
	gpu
	sim_set f/p/gpu/driver probe_ms=600 remove_ms=600
	start=$(now_ms)
	sim_plug f/p/gpu
	[ $(($(now_ms) - start)) -ge 600 ]
	start=$(now_ms)
	sim_yank f/p/gpu
	[ $(($(now_ms) - start)) -ge 600 ]
}

prove probe_hangs "a probe that hangs is named with its time, and goes on when told"
probe_hangs() {
	gpu
	sim_set f/p/gpu/driver hang probe
	sim_put f/p/gpu
	wait_for 5 hanging probe
	like "$(sim_get f status)" "egpu_sim_drm binds $(sim_addr f/p/gpu) since [0-9]+ s"
	sim_set f/p/gpu/driver hang ""
	wait_for 5 sim_bound f/p/gpu
	hanging ""
	is "$(sim_get f status)" live
}

prove remove_hangs "live=0 while a driver hangs: status says whom, the writer dies"
remove_hangs() {
	local writer
	gpu
	sim_plug f/p/gpu
	sim_set f/p/gpu/driver hang remove
	echo 0 > "$SIM/f/live" &
	writer=$!
	wait_for 5 hanging remove
	like "$(sim_get f status)" "^stopping"
	like "$(sim_get f status)" "egpu_sim_drm unbinds .* since [0-9]+ s"
	kill -KILL "$writer"
	wait "$writer" || :
	is "$(sim_get f status | head -n 1)" stopping
	sim_set f/p/gpu/driver hang ""
	wait_for 5 sim_is f status dead
	sim_live f
	sim_plug f/p/gpu
}

prove yank_hangs "a card that is pulled while its driver hangs in probe or remove"
yank_hangs() {
	gpu
	sim_set f/p/gpu/driver hang "probe remove"
	sim_put f/p/gpu
	wait_for 5 hanging probe
	sim_pull f/p/gpu
	nap 0.2
	sim_set f/p/gpu/driver hang "remove"
	wait_for 5 not hanging probe
	wait_for 5 eval 'hanging remove || hanging ""'
	sim_set f/p/gpu/driver hang ""
	sim_expect f/p link "Detect*"
	wait_for 5 eval 'sim_put f/p/gpu && sim_bound f/p/gpu'
}
