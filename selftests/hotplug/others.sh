# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# What others do to a GPU: slot power, sysfs, lost power, bus errors, and cards
# that come back without having gone.

# shellcheck source=selftests/hotplug/lib/hotplug.sh
. lib/hotplug.sh
ports 4

setup() {
	load
}

teardown() {
	users_kill
	drv_unload
	modprobe bochs
	eg forget rp2
}

# counted PORT: losses and removals
counted() {
	echo "$(get "$1" losses) $(get "$1" removals)"
}

prove slot_off "slot power written by hand is a removal, not a loss"
slot_off() {
	ready rp0
	read -r losses removals <<< "$(counted rp0)"
	listen rp0
	slot_power rp0 0
	await rp0 EMPTY/removed
	is "$(counted rp0)" "$losses $((removals + 1))"
	is "$(states)" "READY>EMPTY"
	heard " unbound .*bochs-drm"
}

prove sysfs_remove "sysfs remove is a removal, and a rescan brings it back to READY"
sysfs_remove() {
	ready rp0
	read -r losses removals <<< "$(counted rp0)"
	echo 1 > "$PCI/$GPU/remove"
	await rp0 EMPTY/removed
	is "$(counted rp0)" "$losses $((removals + 1))"
	echo 1 > /sys/bus/pci/rescan
	await rp0 READY
	is_bound rp0
	draws gpu0 rp0
}

prove rescanned_detach "what a rescan added behind pciehp's back can be detached"
rescanned_detach() {
	ready rp0
	echo 1 > "$PCI/$GPU/remove"
	await rp0 EMPTY
	echo 1 > /sys/bus/pci/rescan
	await rp0 READY
	result "^OK DETACHED" eg detach rp0
	is_empty rp0
	await rp0 EMPTY
	host wait-deleted gpu0 2
}

prove removed_held "the same while it is held"
removed_held() {
	held rp0
	policy rp0 auto
	await rp0 READY
	held rp0
	slot_power rp0 0
	await rp0 EMPTY/removed
	policy rp0 auto
}

# The driver goes before its device: the drain may see that nobody uses it any
# more, and the detach go on to where the slot is off already.
prove removed_draining "removed while draining: the transaction ends, by ENODEV or well"
removed_draining() {
	ready rp0
	user hold "$(node "$GPU")"
	start eg detach rp0 -w 20000
	await rp0 DRAINING
	slot_power rp0 0
	wait "$job" || :
	case $(< "$KTAP_TMP/job") in
	ENODEV*) await rp0 EMPTY/removed ;;
	"OK DETACHED"*) await rp0 EMPTY ;;
	*) fail "$(< "$KTAP_TMP/job")" ;;
	esac
}

prove button "the attention button, device_del's way: removed by others after 5 s"
button() {
	ready rp0
	read -r losses removals <<< "$(counted rp0)"
	host unplug gpu0
	await rp0 EMPTY/removed 12
	is "$(counted rp0)" "$losses $((removals + 1))"
}

# ghost: the card at rp0 is gone and pciehp does not know: $GPU reads all ones
ghost() {
	setpci -s "${PORT[rp0]}" CAP_EXP+0x18.w=0700:0700
	host wait-deleted gpu0 2
	is "$(setpci -s "$GPU" VENDOR_ID)" ffff
}

prove ghost_lost "a device that lost its power is LOST when it is removed, not removed"
ghost_lost() {
	ready rp0
	read -r losses removals <<< "$(counted rp0)"
	ghost
	listen rp0
	echo 1 > "$PCI/$GPU/remove"
	await rp0 EMPTY/link-down
	is "$(states)" "READY>LOST LOST>EMPTY"
	is "$(counted rp0)" "$((losses + 1)) $removals"
	arrive rp0
	await rp0 READY
	draws gpu0 rp0
}

prove ghost_detach "detach clears a ghost up, and the port can be used again"
ghost_detach() {
	ready rp0
	ghost
	eg detach rp0 || :
	wait_empty rp0
	await rp0 EMPTY
	is_empty rp0
	arrive rp0
	await rp0 READY
	draws gpu0 rp0
}

# rp2: the card stays there when its slot is off

returned() {
	eg track rp2
	[ "$(get rp2 state)" = EMPTY ] || eject2
	arrive rp2
	await rp2 READY
	result "^OK DETACHED" eg detach rp2
	is "$(get rp2 safe)" 1
}

eject2() {
	eject rp2
	await rp2 EMPTY
}

prove not_removed "a card that comes back without having been seen to go is held"
not_removed() {
	returned
	nap 0.7
	is "$(get rp2 state)" DETACHED
	echo 1 > /sys/bus/pci/rescan
	await rp2 HELD/not-removed
	is "$(driver_of "$(gpu rp2)")" egpu
	is "$(get rp2 safe)" 0
	result "^OK READY" eg attach rp2
	is_bound rp2
	eject2
}

prove really_removed "taken out and put in again it is READY by itself"
really_removed() {
	returned
	eject2
	arrive rp2
	await rp2 READY/none
	is_bound rp2
	eject2
}

prove attach_detached "attach in DETACHED switches the slot on again"
attach_detached() {
	returned
	result "^OK READY" eg attach rp2
	is_bound rp2
	draws gpu2 rp2
	eject2
}

prove detach_again "detach in DETACHED has nothing to do"
detach_again() {
	returned
	result "^OK DETACHED" eg detach rp2
	eject2
}

prove -t 45 aer_mended "after a fatal error nobody uses it: noticed, mended, draws again"
aer_mended() {
	eg track rp2
	arrive rp2
	await rp2 READY
	draws gpu2 rp2
	listen rp2
	like "$(host aer rp2 SDN)" "^OK"
	heard_long " state READY>FAULT recovery-failed"
	heard_long " state BINDING>READY"
	is "$(states)" "READY>FAULT FAULT>DETACHING DETACHING>DETACHED DETACHED>HELD HELD>BINDING BINDING>READY"
	is "$(get rp2 failed_recoveries) $(get rp2 mends)" "1 1"
	draws gpu2 rp2
	eject2
}

heard_long() {
	within 20 grep -Eq "$1" "$KTAP_TMP/events" ||
		fail "no event like /$1/ in: $(cat "$KTAP_TMP/events")"
}

prove -t 45 aer_used "while somebody uses it it stays FAULT, and is mended afterwards"
aer_used() {
	eg track rp2
	arrive rp2
	await rp2 READY
	user hold "$(node "$(gpu rp2)")"
	listen rp2
	like "$(host aer rp2 SDN)" "^OK"
	await rp2 FAULT/recovery-failed 20
	nap 2.5
	is "$(get rp2 state) $(get rp2 reason)" "FAULT recovery-failed"
	result "^EBUSY" eg detach rp2
	kill -0 "$user"
	kill "$user"
	await rp2 READY 20
	draws gpu2 rp2
	eject2
}

prove quarantine "lost too often it is quarantined; attach admits it, a reset ends it"
quarantine() {
	ready rp0
	eg quarantine rp0 2 60000
	eg reset rp0
	lose_and_return
	is "$(get rp0 state)" READY
	lose_and_return
	is "$(get rp0 state)" QUARANTINED
	is "$(driver_of "$(gpu rp0)")" egpu
	result "^OK READY" eg attach rp0
	lose_and_return
	is "$(get rp0 state)" QUARANTINED
	eg reset rp0
	await rp0 READY
	eg quarantine rp0 5 60000
	eg reset rp0
}

lose_and_return() {
	GPU=$(gpu rp0)
	ghost
	echo 1 > "$PCI/$GPU/remove"
	await rp0 EMPTY/link-down
	arrive rp0
	await rp0 READY,QUARANTINED
}
