# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# egpu_sim_drm: what clients see of a GPU that goes.

# shellcheck source=selftests/lib/sim.sh
. "$LIB/sim.sh"

setup() {
	sim_load
	sim_fabric f
	sim_port f/p
	sim_gpu f/p/gpu interrupt_pin=1
	sim_live f
	sim_plug f/p/gpu
	gpu=$(sim_addr f/p/gpu)
}

teardown() {
	sim_clear
}

# client NODE: start sim_client; ask it by `ask`, what it says is in $told
client() {
	exec {ask}> >(exec sim_client "$1" >> "$KTAP_TMP/client" 2>&1)
	wait_for 5 grep -q ready "$KTAP_TMP/client"
}

ask() {
	: > "$KTAP_TMP/client"
	echo >&"$ask"
	wait_for 5 grep -q told "$KTAP_TMP/client"
	told=$(tr '\n' ' ' < "$KTAP_TMP/client")
}

prove nodes "a card and a render node, named as the driver is"
nodes() {
	[ -c "$(node "$gpu" card)" ]
	[ -c "$(node "$gpu" renderD)" ]
	is "$(sim_driver f/p/gpu)" egpu_sim_drm
	is $((0x$(sim_reg f/p/gpu COMMAND) & 6)) 6 "Command"
}

prove buffers "buffers, mappings and dma-bufs stay good when the card is pulled"
buffers() {
	client "$(node "$gpu" card)"
	ask
	is "$told" "memory ok new ok import ok told "
	sim_yank f/p/gpu
	ask
	like "$told" "memory ok new ENODEV import (ENODEV|ok) told "
	ask
	like "$told" "memory ok"
	exec {ask}>&-
	sim_plug f/p/gpu
}

prove render_held "an open render node survives; the card comes back as another"
render_held() {
	local before
	before=$(node "$gpu" renderD)
	hold "$before"
	sim_yank f/p/gpu
	not test -e "$before"
	kill -0 "$holder"
	sim_plug f/p/gpu
	[ "$(node "$gpu" renderD)" != "$before" ]
	kill "$holder"
}

prove busy "the driver cannot be unloaded while a client has a node open"
busy() {
	hold "$(node "$gpu" renderD)"
	exits 1 rmmod egpu_sim_drm
	like "$out" "in use"
	kill "$holder"
	within 5 rmmod egpu_sim_drm
	sim_added f/p/gpu
	is "$(sim_driver f/p/gpu)" ""
	modprobe egpu_sim_drm
	wait_for 5 sim_bound f/p/gpu
}

prove unbind "unbound and bound by hand, with a client that stays"
unbind() {
	client "$(node "$gpu" card)"
	echo "$gpu" > /sys/bus/pci/drivers/egpu_sim_drm/unbind
	is "$(sim_driver f/p/gpu)" ""
	ask
	like "$told" "memory ok new ENODEV"
	echo "$gpu" > /sys/bus/pci/drivers/egpu_sim_drm/bind
	sim_bound f/p/gpu
	exec {ask}>&-
}

prove rescan "what IGT's core_hotunplug does: removed and rescanned, twice, late close"
rescan() {
	local before i
	before=$(node "$gpu" card)
	client "$before"
	for i in 1 2; do
		echo 1 > "$PCI/$gpu/remove"
		not test -e "$PCI/$gpu"
		ask
		like "$told" "memory ok new ENODEV"
		echo 1 > /sys/bus/pci/rescan
		wait_for 5 sim_bound f/p/gpu
		[ "$(node "$gpu" card)" != "$before" ]
		exits 0 sim_client "$(node "$gpu" card)"
	done
	exec {ask}>&-
	exits 0 sim_client "$(node "$gpu" card)"
}

prove i2c "an open i2c node holds remove(), as with real GPUs"
i2c() {
	local adapter
	modprobe i2c-dev
	adapter=$(basename "$(echo "$PCI/$gpu"/i2c-*)")
	wait_for 5 test -c "/dev/$adapter"
	hold "/dev/$adapter"
	sim_pull f/p/gpu
	wait_for 5 not test -e "$PCI/$gpu/drm"
	nap 0.2
	[ -e "$PCI/$gpu" ]
	like "$(sim_get f status)" "unbinds $gpu"
	kill "$holder"
	wait_for 5 not test -e "$PCI/$gpu"
}

prove interrupt "its interrupt is counted, masked, and unmasked again"
interrupt() {
	local n
	is "$(sim_value f/p/gpu pci:interrupts)" 0
	sim_set f/p/gpu interrupt 1
	sim_expect f/p/gpu pci:interrupts "[1-9]*"
	n=$(sim_value f/p/gpu pci:interrupts)
	nap 0.3
	is "$(sim_value f/p/gpu pci:interrupts)" "$n" "masked"
	sim_set f/p/gpu interrupt 0
	wait_for 5 eval '[ $((0x$(sim_reg f/p/gpu COMMAND) & 0x400)) = 0 ]'
	sim_set f/p/gpu interrupt 1
	sim_expect f/p/gpu pci:interrupts "$((n + 1))"
	sim_yank f/p/gpu
}

prove accelerator "an accelerator is driven as well"
accelerator() {
	sim_yank f/p/gpu
	sim_gpu f/p/acc preset=accelerator
	sim_plug f/p/acc
	sim_expect f/p/acc pci:class 0x120000
	sim_expect f/p/acc pci:device 0xe601
}

prove udev "without the driver loaded, udev loads it for a card that is plugged"
udev() {
	sim_yank f/p/gpu
	rmmod egpu_sim_drm
	sim_put f/p/gpu
	wait_for 10 sim_bound f/p/gpu
}
