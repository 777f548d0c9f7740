# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# 256 ports, 1,000 surprise removals.

# shellcheck source=selftests/surprise/lib/surprise.sh
. lib/surprise.sh

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

prove -t 170 crowd "256 ports in two fabrics: attached and detached all at once, then one by one"
crowd() {
	said egpu_many crowd 2 128
	nothing_left
	count_end
}

prove -t 170 losses "1,000 surprise removals spread over 64 ports"
losses() {
	said egpu_many losses 64 1000 "$(seed)"
	tell "seed $(seed)"
	nothing_left
	count_end
}

prove -l -t 1200 losses_10000 "10,000"
losses_10000() {
	said egpu_many losses 64 10000 "$(seed)"
	tell "seed $(seed)"
	nothing_left
	count_end
}
