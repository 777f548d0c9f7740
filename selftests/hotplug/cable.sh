# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# vm: own-boot --port-opt rp3:power_controller_present=off --append pci=hpmmiosize=4M,hpmmioprefsize=32M
# An enclosure: a cable port (rp3) with a switch and two slots below it. As with
# a Thunderbolt cable it stays in its slot when that is switched off.

# shellcheck source=selftests/hotplug/lib/hotplug.sh
. lib/hotplug.sh
ports 4

# Firmware left no room for GPUs below the switch; the kernel makes some when
# the switch arrives again with its windows closed.
make_room() {
	local bridge
	for bridge in "$DOWN1" "$DOWN0" "$UP"; do
		setpci -s "$bridge" MEMORY_BASE=fff0 MEMORY_LIMIT=0 \
			PREF_MEMORY_BASE=fff0 PREF_MEMORY_LIMIT=0
	done
	slot_power rp3 0
	slot_power rp3 1
}

setup() {
	[ -e /sys/module/egpu ] || make_room
	[ -e /sys/module/egpu ] || modprobe egpu "track=${PORT[rp3]}"
	modprobe bochs
	wait_for 5 test -c /dev/egpu
}

teardown() {
	users_kill
	drv_unload
	modprobe bochs
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

prove cancel "cancelled while one drains: both are as before"
cancel() {
	full
	user hold "$(node "$(functions_of "$DOWN1")")"
	start eg detach rp3 -w 20000
	await rp3 DRAINING
	nap 0.5
	is "$(driver_of "$(functions_of "$DOWN0")")" bochs-drm "meanwhile"
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

prove drain "a drain of the cable goes on when the user of one GPU leaves"
drain() {
	full
	user hold "$(node "$(functions_of "$DOWN1")")"
	start eg detach rp3 -w 20000
	await rp3 DRAINING
	kill "$user"
	finish
	like "$out" "^OK DETACHED"
	is_empty rp3
	back
}

# back: attach brings the switch and both GPUs back
back() {
	result "^OK" eg attach rp3
	wait_for 10 eval 'eg info "$DOWN0" && eg info "$DOWN1"'
	await "$DOWN0" READY
	await "$DOWN1" READY
	wait_for 5 bound_below "$DOWN0"
	wait_for 5 bound_below "$DOWN1"
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
	like "$(egpu_client info "$d0" || :)" "ENOENT|ENODEV"
}

prove attach "attach brings the switch and both GPUs back"
attach() {
	if [ "$(get rp3 state)" != DETACHED ]; then
		full
		result "^OK DETACHED" eg detach rp3
	fi
	back
	is "$(get rp3 state)" READY
}

prove hung_child "cancelled while one of the drivers hangs in remove(): both come back"
hung_child() {
	full
	for f in "$(functions_of "$DOWN0")" "$(functions_of "$DOWN1")"; do
		echo "$f" > /sys/bus/pci/drivers/bochs-drm/unbind
	done
	drv_load
	wait_for 5 drv_is bound 2
	drv_put only "$(functions_of "$DOWN1")"
	drv_put remove_hang 2
	start eg detach rp3
	wait_for 5 drv_is removing 1
	await "$DOWN0" DETACHING
	wait_for 5 drv_is bound 1
	is "$(get "$DOWN1" step_driver)" egpu_test
	eg cancel rp3
	drv_put remove_hang 0
	drv_put release 1
	finish 1
	like "$out" "^ECANCELED"
	await "$DOWN0" READY
	await "$DOWN1" READY
	wait_for 5 drv_is bound 2
	is "$(override_of "$(functions_of "$DOWN0")")" ""
	is "$(get rp3 transaction)$(get "$DOWN0" transaction)$(get "$DOWN1" \
		transaction)" 000
	result "^OK DETACHED" eg detach rp3
}
