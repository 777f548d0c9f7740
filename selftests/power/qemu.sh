# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# vm: own-boot
# The machine sleeps, on QEMU's hotplug controllers; meanwhile the host plugs and
# unplugs.

# shellcheck source=selftests/hotplug/lib/hotplug.sh
. lib/hotplug.sh
ports 2

setup() {
	load
	egpu_client quarantine "${PORT[rp0]}" 0 0
}

teardown() {
	users_kill
	echo none > /sys/power/pm_test
	policy rp0 auto
	is_empty rp0 || pull gpu0 rp0 || pull gpu1 rp0
	host deleted gpu0 || host unplug gpu0
	host deleted gpu1 || host unplug gpu1
	await rp0 EMPTY
}

# sleeps [WORD…]: the machine is idle, and asleep; meanwhile the host does WORD…,
# and wakes it by a key
sleeps() {
	local key
	grep -qw freeze /sys/power/state || skip "this kernel has no 'freeze'"
	for key in /sys/devices/platform/i8042/serio*/power/wakeup; do
		echo enabled > "$key"
	done
	[ $# = 0 ] || host later 1.5 "$@"
	host later 3.5 hmp "sendkey a"
	host later 8 hmp "sendkey a"
	echo freeze > /sys/power/state
}

# sleeps_to_ram: all but the last step. A kernel that QEMU started without
# firmware cannot be woken up from it.
sleeps_to_ram() {
	echo deep > /sys/power/mem_sleep ||
		skip "this machine has no suspend to RAM"
	echo 0 > /sys/module/suspend/parameters/pm_test_delay
	echo platform > /sys/power/pm_test
	echo mem > /sys/power/state
	echo none > /sys/power/pm_test
}

# tear rp0: the card is gone, and nobody notices: QEMU drops it when power and
# indicator are switched off, and tells only who looks
tear() {
	setpci -s "${PORT[$1]}" CAP_EXP+0x18.w=0700:0700
	host wait-deleted "$(id_of "$1")" 5
}

newer() {
	[ "$(get rp0 generation)" != "$1" ]
}

# stays CMD…: in use, and nobody is disturbed
stays() {
	local was
	ready rp0
	was="$(get rp0 generation) $(get rp0 losses) $(node "$GPU")"
	user hold "$(node "$GPU")"
	"$@"
	await rp0 READY
	nap 1.2
	is "$(get rp0 state) $(get rp0 generation) $(get rp0 losses) $(node "$GPU")" \
		"READY $was"
	is "$(user_has "$user" "$(node "$GPU")")" 1
}

prove -t 60 freeze_same "suspend to idle with the same GPU: in use as before"
freeze_same() { stays sleeps; }

prove -t 60 mem_same "suspend to RAM with the same GPU: in use as before"
mem_same() { stays sleeps_to_ram; }

prove -t 60 gone "no GPU after resume: the port is EMPTY"
gone() {
	ready rp0
	tear rp0
	sleeps
	await rp0 EMPTY
	is_empty rp0
}

prove -t 60 gone_held "the same with one that is held"
gone_held() {
	held rp0
	tear rp0
	sleeps
	await rp0 EMPTY
}

prove -t 60 other "another one after resume: an arrival of its own"
other() {
	local was
	ready rp0
	was=$(get rp0 generation)
	tear rp0
	sleeps plug gpu1 --port rp0 --device qxl
	wait_for 20 newer "$was"
	await rp0 READY 20
	is "$(cat "$PCI/$(gpu rp0)/vendor")" 0x1b36
}

prove -t 60 added "plugged in while it sleeps: READY"
added() {
	empty rp0
	sleeps plug gpu0 --port rp0 --device secondary-vga
	await rp0 READY 20
	wait_bound rp0
}

prove -t 60 unplugged "asked for by the button while it sleeps: done when awake"
unplugged() {
	ready rp0
	sleeps unplug gpu0
	await rp0 EMPTY 20
	host wait-deleted gpu0 5
}
