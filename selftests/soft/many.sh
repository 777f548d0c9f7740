# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# Many soft slots at once, and something at every access of an operation.
# vm: own-boot

# shellcheck source=selftests/soft/lib/soft.sh
. lib/soft.sh

POINTS=40 PORTS=64
if [ -n "${LONG:-}" ]; then POINTS=0 PORTS=250; fi

setup() {
	load
	calm
	count_begin
}

teardown() {
	dmesg -n 8
	sim_clear
	[ -z "$(cat "$TRACE/kprobe_events")" ] || {
		echo 0 > "$TRACE/events/kprobes/enable"
		echo > "$TRACE/kprobe_events"
	}
}

prove -t 180 crowd "attach and detach on all of them, at once and one by one"
crowd() {
	local before
	before=$(ls "$SLOTS")
	said egpu_many soft 1 "$PORTS"
	nothing_left
	count_end
	is "$(ls "$SLOTS")" "$before"
}

# sweep OPERATION KIND [OPTION…]: see surprise/sweeps.sh
sweep() {
	said egpu_sweep -p 32 -n "$POINTS" -s "$(seed)" -o 20 "${@:3}" "$1" \
		one "$2"
	tell "seed $(seed)"
	like "$out" " 0 wrong"
	unlike "$out" " 0 covered"
	nothing_left
	count_end
}

prove -t 600 attach_yank "pulled at any access of an attach"
attach_yank() {
	sweep attach yank
}

prove -t 600 detach_yank "pulled at any access of a detach, also those to the port"
detach_yank() {
	sweep detach yank -a
}

prove -l -t 600 attach_link "the link drops at any access of an attach"
attach_link() {
	sweep attach link
}

prove -l -t 600 attach_all "pulled at any access of an attach, also those to the port"
attach_all() {
	sweep attach yank -a
}

prove -l -t 600 attach_ones "all ones once at any access of an attach"
attach_ones() {
	sweep attach ones
}

prove -l -t 600 detach_ones "all ones once at any access of a detach"
detach_ones() {
	sweep detach ones
}

prove -l -t 600 query_yank "pulled at any access of a query"
query_yank() {
	sweep query yank
}

prove -l -t 600 suspend_yank "pulled at any access of suspend and resume"
suspend_yank() {
	sweep suspend yank
}
