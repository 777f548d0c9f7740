# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# vm: own-boot
# The machine sleeps, on QEMU's hotplug controllers; meanwhile the host plugs, and
# asks for a card: QEMU takes none out without the guest, so cards that are gone
# or swapped at resume are egpu_sim's (sleep.sh).

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
	empty rp0
}

# waker: what the host can wake the machine by: a key, or where this kernel has
# no keyboard the power button
waker() {
	local key
	for key in /sys/devices/platform/i8042/serio*/power/wakeup; do
		[ -e "$key" ] || { echo system_powerdown; return; }
		echo enabled > "$key"
	done
	echo sendkey a
}

# sleeps [WORD…]: the machine is idle, and asleep; meanwhile the host does WORD…,
# and wakes it
sleeps() {
	local waker
	grep -qw freeze /sys/power/state || skip "this kernel has no 'freeze'"
	waker=$(waker)
	[ $# = 0 ] || host later 1.5 "$@"
	host later 3.5 hmp "$waker"
	host later 8 hmp "$waker"
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
