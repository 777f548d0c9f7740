# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# vm: own-boot --append pci=hpmmiosize=16M,hpmmioprefsize=512M
# The parameter for the next boot: the kernel leaves so much for each slot, where
# firmware left the windows closed, and needs nobody's help. The same fabric
# without the parameter is sim.closed.

# shellcheck source=selftests/space/lib/fit.sh
. lib/fit.sh

setup() {
	load
	echo N > "$SPACE"
}

teardown() {
	echo Y > "$SPACE"
	sim_clear
}

prove parameter "booted with pci=hpmmioprefsize=512M the kernel alone finds room below a switch"
parameter() {
	closed_box
	dmesg_mark
	sim_plug f/p/sw/port0/gpu
	await f/p/sw/port0 READY
	in_windows "$(sim_addr f/p/sw/port0/gpu)" 0
	sim_unsaid "made room"
}
