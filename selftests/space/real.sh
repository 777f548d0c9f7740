# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# A GPU behind a switch whose windows are too small, on QEMU's real bridges and
# with bochs-drm: the kernel by itself finds no room, egpu makes some.

# shellcheck source=selftests/hotplug/lib/hotplug.sh
. hotplug/hotplug.sh
# shellcheck source=selftests/space/lib/space.sh
. lib/space.sh
ports 4

SPACE=/sys/module/egpu/parameters/space

setup() {
	modprobe bochs
}

teardown() {
	[ ! -e "$SPACE" ] || echo Y > "$SPACE"
}

egpu_here() {
	[ -e /sys/module/egpu ] || modprobe egpu "track=$DOWN0,$DOWN1,${PORT[rp0]}"
	wait_for 5 test -c /dev/egpu
}

bound_below() {
	[ "$(driver_of "$(functions_of "$1")")" = bochs-drm ]
}

below() {
	[ -e "$PCI/$(functions_of "$1" 2> /dev/null)/config" ]
}

# out PORT: its slot is off and QEMU has taken the card
out() {
	eg detach "$1" > /dev/null
	await "$1" EMPTY
}

prove kernel_alone "without egpu bochs-drm does not bind below a switch: no room"
kernel_alone() {
	dmesg_mark
	host plug gpu4 --port down0
	wait_for 10 below "$DOWN0"
	wait_for 10 eval 'dmesg_since | grep -Eq "bochs.*(failed with error|ID mismatch)"'
	like "$(dmesg_since)" "BAR 0.*can't assign; no space"
	is "$(driver_of "$(functions_of "$DOWN0")")" ""
	host unplug gpu4
	wait_for 10 not below "$DOWN0"
	host wait-deleted gpu4 10
}

prove fits "with egpu the same card in the same slot is bound, and reached"
fits() {
	egpu_here
	listen "$DOWN0"
	dmesg_mark
	host plug gpu4 --port down0
	await "$DOWN0" READY
	like "$(dmesg_since)" "$DOWN0: egpu: made room for the BARs below"
	wait_for 5 bound_below "$DOWN0"
	GPU=$(functions_of "$DOWN0")
	in_windows "$GPU" 0
	in_windows "$GPU" 2
	is "$(get "$DOWN0" failed_checks)" 0
	# The kernel's driver has read its registers through the new windows.
	like "$(dmesg | grep 'Found bochs VGA' | tail -n 1)" "ID 0xb0c[0-9a-f]"
	unheard " check "
}

prove again "detached and put in again: the kernel finds the room by itself"
again() {
	egpu_here
	below "$DOWN0" || { host plug gpu4 --port down0; await "$DOWN0" READY; }
	out "$DOWN0"
	dmesg_mark
	host plug gpu4 --port down0
	await "$DOWN0" READY
	unlike "$(dmesg_since)" "made room"
	wait_for 5 bound_below "$DOWN0"
	out "$DOWN0"
}

prove large "256 MiB, up to the root port; a GPU in use at another root port does not move"
large() {
	local others
	egpu_here
	plug gpu0 rp0
	await rp0 READY
	wait_bound rp0
	others="$(gpu rp0) ${PORT[rp0]} ${PORT[rp1]} ${PORT[rp2]}"
	# shellcheck disable=SC2086
	layout $others > "$KTAP_TMP/before"
	host plug gpu5 --port down0 vgamem_mb=256
	await "$DOWN0" READY
	wait_for 5 bound_below "$DOWN0"
	GPU=$(functions_of "$DOWN0")
	is "$(bar "$GPU" 0 | cut -d' ' -f2)" $((256 << 20))
	in_windows "$GPU" 0
	in_windows "$GPU" 2
	# shellcheck disable=SC2086
	same "$KTAP_TMP/before" $others
	draws gpu0 rp0
	out "$DOWN0"
}

prove -t 60 sibling "a GPU in use at the same switch does not move; when it is out, there is room"
sibling() {
	local use
	egpu_here
	# Small enough for what is there now.
	host plug gpu6 --port down1
	await "$DOWN1" READY
	wait_for 5 bound_below "$DOWN1"
	use="$(functions_of "$DOWN1") $DOWN1 $UP ${PORT[rp3]}"
	# shellcheck disable=SC2086
	layout $use > "$KTAP_TMP/before"
	host plug gpu7 --port down0 vgamem_mb=256
	await "$DOWN0" READY,HELD/check-failed
	if [ "$(get "$DOWN0" state)" = READY ]; then
		tell "there was room enough"
	else
		is "$(get "$DOWN0" failed_checks)" 2
		is "$(driver_of "$(functions_of "$DOWN0")")" egpu
	fi
	# shellcheck disable=SC2086
	same "$KTAP_TMP/before" $use
	bound_below "$DOWN1"
	out "$DOWN1"
	if [ "$(get "$DOWN0" state)" = HELD ]; then
		result "^OK READY" eg attach "$DOWN0"
	fi
	in_windows "$(functions_of "$DOWN0")" 0
	wait_for 5 bound_below "$DOWN0"
	out "$DOWN0"
}
