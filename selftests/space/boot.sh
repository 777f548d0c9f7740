# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# vm: own-boot --port-opt rp3:power_controller_present=off --append pci=hpmmiosize=32M
# The parameter for the next boot: an enclosure that arrives gets so much for
# each of its slots, and the kernel needs nobody's help.

# shellcheck source=selftests/hotplug/lib/hotplug.sh
. hotplug/hotplug.sh
# shellcheck source=selftests/space/lib/space.sh
. lib/space.sh
ports 4

# As if the switch came after boot: firmware's windows are closed.
arrive_again() {
	local bridge
	for bridge in "$DOWN1" "$DOWN0" "$UP"; do
		setpci -s "$bridge" MEMORY_BASE=fff0 MEMORY_LIMIT=0 \
			PREF_MEMORY_BASE=fff0 PREF_MEMORY_LIMIT=0
	done
	slot_power rp3 0
	slot_power rp3 1
	wait_for 10 test -e "$PCI/$DOWN0/config"
}

prove parameter "booted with pci=hpmmiosize=32M, the kernel alone finds room below a switch"
parameter() {
	local gpu
	modprobe bochs
	arrive_again
	not test -e /sys/module/egpu
	host plug gpu4 --port down0
	wait_for 10 functions_of "$DOWN0"
	gpu=$(functions_of "$DOWN0")
	wait_for 10 eval "[ \"\$(driver_of $gpu)\" = bochs-drm ]"
	in_windows "$gpu" 0
}
