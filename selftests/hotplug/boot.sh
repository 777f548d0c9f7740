# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# vm: own-boot --device secondary-vga,id=gpu0,bus=rp0,multifunction=on,addr=0.0 --qemu "-audiodev none,id=none" --device intel-hda,id=snd0,bus=rp0,addr=0.1 --device hda-output,bus=snd0.0,audiodev=none --device secondary-vga,id=gpu1,bus=rp1
# Devices that are there before egpu is loaded: adopted when they have a
# driver, held when they have none; and the audio function of a GPU.

# shellcheck source=selftests/hotplug/lib/hotplug.sh
. lib/hotplug.sh
ports 4

teardown() {
	users_kill
	bochs_back
}

# open_since FUNCTION: what tells one binding of a driver from the next
open_since() {
	stat -c '%i %Z' "$PCI/$1/driver" "$(node "$1")"
}

prove adopted "what was bound at boot is READY adopted, and was not touched"
adopted() {
	local gpu audio before
	is_bound rp0
	gpu=$(gpu rp0) audio=${gpu%.0}.1
	wait_for 5 test -c /dev/snd/controlC0
	before=$(open_since "$gpu")
	egpu_load "track=${PORT[rp0]}"
	await rp0 READY/adopted
	is "$(open_since "$gpu")" "$before"
	is "$(eg functions rp0)" "$gpu bochs-drm gated,bound,adopted,
$audio snd_hda_intel gated,bound,adopted,"
	is "$(override_of "$gpu") $(override_of "$audio")" " "
	draws gpu0 rp0
}

prove unload_adopted "unloading leaves them bound, and loading adopts them again"
unload_adopted() {
	local before
	egpu_load "track=${PORT[rp0]}"
	before=$(open_since "$(gpu rp0)")
	rmmod egpu
	is "$(open_since "$(gpu rp0)")" "$before"
	egpu_load "track=${PORT[rp0]}"
	await rp0 READY/adopted
	is "$(open_since "$(gpu rp0)")" "$before"
}

prove unbound "what has no driver at load is held, checked and bound"
unbound() {
	local gpu
	gpu=$(gpu rp1)
	egpu_unload
	echo "$gpu" > /sys/bus/pci/drivers/bochs-drm/unbind
	egpu_load "track=${PORT[rp0]},${PORT[rp1]}"
	await rp1 READY/none
	is "$(driver_of "$gpu") $(override_of "$gpu")" "bochs-drm "
	draws gpu1 rp1
}

prove unbound_manual "with policy=manual it stays held, and what is bound stays bound"
unbound_manual() {
	local gpu
	gpu=$(gpu rp1)
	egpu_unload
	echo "$gpu" > /sys/bus/pci/drivers/bochs-drm/unbind
	egpu_load policy=manual "track=${PORT[rp0]},${PORT[rp1]}"
	await rp1 HELD/manual
	await rp0 READY/adopted
	is "$(driver_of "$gpu")" egpu
	result "^OK READY" eg attach rp1
	is "$(driver_of "$gpu")" bochs-drm
}

prove no_gate "with gate=0 nothing is held, only observed"
no_gate() {
	local gpu
	gpu=$(gpu rp1)
	egpu_unload
	echo "$gpu" > /sys/bus/pci/drivers/bochs-drm/unbind
	egpu_load gate=0 policy=manual "track=${PORT[rp1]}"
	await rp1 READY
	is "$(get rp1 observed) $(driver_of "$gpu") $(override_of "$gpu")" "1  "
	echo "$gpu" > /sys/bus/pci/drivers/bochs-drm/bind
	is "$(eg functions rp1)" "$gpu bochs-drm gated,bound,"
	egpu_unload
}

prove sound "an open sound node of the GPU's audio function is a user, and refuses"
sound() {
	local gpu audio
	egpu_load "track=${PORT[rp0]}"
	await rp0 READY
	gpu=$(gpu rp0) audio=${gpu%.0}.1
	user hold /dev/snd/controlC0
	result "^EBUSY READY" eg detach rp0
	like "$(eg users rp0)" "^$user egpu_test_user controlC0 1 sound$"
	exits 4 egpuctl detach "${PORT[rp0]}"
	like "$out" "$user"
	is "$(driver_of "$audio") $(driver_of "$gpu")" "snd_hda_intel bochs-drm"
}

prove sound_closed "without it both functions go, driver by driver, and the slot"
sound_closed() {
	egpu_load "track=${PORT[rp0]}"
	await rp0 READY
	listen rp0
	result "^OK DETACHED" eg detach rp0
	is "$(grep ' unbound ' "$KTAP_TMP/events" | sed 's/.* //' |
		tr '\n' ' ')" "snd_hda_intel bochs-drm "
	is_empty rp0
	not test -e /dev/snd/controlC0
	await rp0 EMPTY
	host wait-deleted gpu0 2
}
