# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# Training a link, and something happens at access N of it, for every N: the port
# becomes EMPTY, the next plug READY, nothing is left and nobody waits. `make
# check` tries some points, chosen by the modules' checksum; LONG=1 all.
# vm: own-boot --memory 1G --append slab_nomerge

# shellcheck source=selftests/link/lib/links.sh
. lib/links.sh

POINTS=64
if [ -n "${LONG:-}" ]; then POINTS=0; fi

setup() {
	sim_load
	egpu_load
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

# sweep OPERATION KIND [OPTION…]
sweep() {
	said egpu_sweep -p 32 -n "$POINTS" -s "$(seed)" "${@:3}" "$1" one "$2"
	tell "seed $(seed)"
	like "$out" " 0 wrong"
	unlike "$out" " 0 covered"
	nothing_left
	count_end
}

prove -t 300 retrain_yank "pulled at any access of a retrain under the driver"
retrain_yank() {
	sweep retrain yank
}

prove -t 600 train_yank "pulled at any access of a training that goes through Recovery, reset and back"
train_yank() {
	sweep train yank
}

prove -t 300 retrain_link "the link drops at any access of a retrain under the driver"
retrain_link() {
	sweep retrain link
}

prove -l -t 600 train_link "the same of one through Recovery, reset and back"
train_link() {
	sweep train link
}

prove -l -t 600 retrain_ones "all ones once at any access of a retrain"
retrain_ones() {
	sweep retrain ones
}

prove -l -t 600 train_ones "the same of one through Recovery, reset and back"
train_ones() {
	sweep train ones
}
