# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# vm: own-boot --append "pci=realloc=on,hpmmiosize=8M,hpmmioprefsize=32M"
# An enclosure: a cable port (rp3) with a switch and two slots below it. The
# kernel makes room for two GPUs there.

# shellcheck source=selftests/hotplug/lib/hotplug.sh
. lib/hotplug.sh
ports 4

setup() {
	[ -e /sys/module/egpu ] || modprobe egpu "track=${PORT[rp3]}"
	modprobe bochs
	wait_for 5 test -c /dev/egpu
}

teardown() {
	users_kill
}

# full: two GPUs below, both READY
full() {
	local i
	for i in 0 1; do
		[ -n "$(eg functions "$(down "$i")")" ] ||
			host plug "gpu$((i + 4))" --port "down$i"
		await "$(down "$i")" READY
		wait_for 5 bound_below "$(down "$i")"
	done
}

down() {
	if [ "$1" = 0 ]; then echo "$DOWN0"; else echo "$DOWN1"; fi
}

bound_below() {
	[ "$(driver_of "$(functions_of "$1")")" = bochs-drm ]
}

prove tracked_below "tracking the cable port tracks the hotplug ports below it"
tracked_below() {
	is "$(get "$DOWN0" tracked)$(get "$DOWN1" tracked)" 11
	is "$(get "$DOWN0" cable_port)" "$(get rp3 port)"
	is "$(get rp3 cable)$(get "$DOWN0" cable)" 10
}

prove slots "each GPU is its slot port's; the cable port's state follows them"
slots() {
	is "$(get rp3 state)" EMPTY
	host plug gpu4 --port down0
	await "$DOWN0" READY
	is "$(get "$DOWN1" state) $(get rp3 state)" "EMPTY READY"
	full
	is "$(get rp3 state) $(get rp3 functions)" "READY 0"
	policy "$DOWN1" manual
	is "$(get rp3 state) $(get rp3 safe)" "READY 0"
	policy "$DOWN1" auto
}

prove one_slot "a slot port below is detached and filled alone"
one_slot() {
	full
	listen "$DOWN1"
	result "^OK DETACHED" eg detach "$DOWN0"
	unheard "port="
	is "$(get "$DOWN1" state) $(get rp3 state)" "READY READY"
	await "$DOWN0" EMPTY
	full
}

prove refuse "a user of one GPU refuses all, and both are as before"
refuse() {
	full
	user hold "$(node "$(functions_of "$DOWN1")")"
	result "^EBUSY" eg detach rp3
	await "$DOWN0" READY
	await "$DOWN1" READY
	is "$(driver_of "$(functions_of "$DOWN0")")" bochs-drm
	is "$(driver_of "$(functions_of "$DOWN1")")" bochs-drm
	is "$(override_of "$(functions_of "$DOWN0")")" ""
	is "$(override_of "$(functions_of "$DOWN1")")" ""
	is "$(get "$DOWN0" transaction)$(get "$DOWN1" transaction)" 00
}

prove cancel "cancelled while one drains: both go back to their drivers"
cancel() {
	full
	user hold "$(node "$(functions_of "$DOWN1")")"
	start eg detach rp3 -w 20000
	await "$DOWN1" DRAINING
	eg cancel rp3
	finish 1
	like "$out" "^ECANCELED"
	await "$DOWN0" READY
	await "$DOWN1" READY
	wait_for 5 bound_below "$DOWN0"
	wait_for 5 bound_below "$DOWN1"
	is "$(override_of "$(functions_of "$DOWN0")")" ""
	is "$(get "$DOWN0" transaction)$(get "$DOWN1" transaction)" 00
}

prove cancel_child "cancelling one child releases the whole cable"
cancel_child() {
	full
	user hold "$(node "$(functions_of "$DOWN1")")"
	start eg detach rp3 -w 20000
	await "$DOWN1" DRAINING
	eg cancel "$DOWN1"
	finish 1
	await "$DOWN0" READY
	await "$DOWN1" READY
	wait_for 5 bound_below "$DOWN0"
}

prove detach "the cable's detach takes both GPUs and the switch, by one slot"
detach() {
	local d0=$DOWN0
	full
	listen
	result "^OK DETACHED" eg detach rp3
	not test -e "$PCI/$d0"
	is_empty rp3
	is "$(get rp3 safe)" 1
	is "$(grep -c ' unbound .*bochs-drm' "$KTAP_TMP/events")" 2
	is "$(grep -c ' step slot-off ' "$KTAP_TMP/events")" 1
	like "$(egpu_client info "$d0")" "ENOENT|ENODEV"
	await rp3 EMPTY
}
