# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# vm: own-boot
# The machine really sleeps, on QEMU's hotplug controllers; meanwhile the host
# plugs and unplugs.

# shellcheck source=selftests/hotplug/lib/hotplug.sh
. lib/hotplug.sh
ports 2

setup() {
	load
	egpu_client quarantine "${PORT[rp0]}" 0 0
}

teardown() {
	users_kill
	policy rp0 auto
	is_empty rp0 || pull gpu0 rp0 || pull gpu1 rp0
	host deleted gpu0 || host unplug gpu0
	host deleted gpu1 || host unplug gpu1
	await rp0 EMPTY
}

# sleeps STATE [WORD…]: the machine sleeps; meanwhile the host does WORD…, and
# wakes it by a key, as of suspend to RAM by QEMU's own command
sleeps() {
	local state=$1 wake="sendkey a" key
	shift
	grep -qw "$state" /sys/power/state || skip "this kernel has no '$state'"
	[ "$state" != mem ] || {
		echo deep > /sys/power/mem_sleep ||
			skip "this machine has no suspend to RAM"
		wake=system_wakeup
	}
	for key in /sys/devices/platform/i8042/serio*/power/wakeup; do
		echo enabled > "$key"
	done
	[ $# = 0 ] || host later 1.5 "$@"
	host later 3.5 hmp "$wake"
	host later 8 hmp "$wake"
	dmesg_mark
	echo "$state" > /sys/power/state
	dmesg_since | grep -q 'PM: suspend exit'
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

# stays STATE: in use, and nobody is disturbed
stays() {
	local was
	ready rp0
	was="$(get rp0 generation) $(get rp0 losses) $(node "$GPU")"
	user hold "$(node "$GPU")"
	sleeps "$1"
	await rp0 READY
	nap 1.2
	is "$(get rp0 state) $(get rp0 generation) $(get rp0 losses) $(node "$GPU")" \
		"READY $was"
	is "$(user_has "$user" "$(node "$GPU")")" 1
}

prove -t 60 freeze_same "suspend to idle with the same GPU: in use as before"
freeze_same() { stays freeze; }

prove -t 60 mem_same "suspend to RAM with the same GPU: in use as before"
mem_same() { stays mem; }

prove -t 60 gone "no GPU after resume: the port is EMPTY"
gone() {
	ready rp0
	tear rp0
	sleeps freeze
	await rp0 EMPTY
	is_empty rp0
}

prove -t 60 gone_held "the same with one that is held"
gone_held() {
	held rp0
	tear rp0
	sleeps freeze
	await rp0 EMPTY
}

prove -t 60 other "another one after resume: an arrival of its own"
other() {
	local was
	ready rp0
	was=$(get rp0 generation)
	tear rp0
	sleeps freeze plug gpu1 --port rp0 --device qxl
	wait_for 20 newer "$was"
	await rp0 READY 20
	is "$(cat "$PCI/$(gpu rp0)/vendor")" 0x1b36
}

prove -t 60 added "plugged in while it sleeps: READY"
added() {
	empty rp0
	sleeps freeze plug gpu0 --port rp0 --device secondary-vga
	await rp0 READY 20
	wait_bound rp0
}

prove -t 60 unplugged "asked for by the button while it sleeps: done when awake"
unplugged() {
	ready rp0
	sleeps freeze unplug gpu0
	await rp0 EMPTY 20
	host wait-deleted gpu0 5
}
