# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# Something happens at access N of an operation, for every N: afterwards the
# port is EMPTY, the next plug READY, nothing is left and nobody waits.
# `make check` tries some points, chosen by the modules' checksum; with LONG=1
# all, until the operation makes no more accesses.
# vm: own-boot

# shellcheck source=selftests/surprise/lib/surprise.sh
. lib/surprise.sh

POINTS=48 SWITCHES=16
if [ -n "${LONG:-}" ]; then POINTS=0 SWITCHES=32; fi

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

# sweep OPERATION one|switch KIND [OPTION…]
sweep() {
	local ports=32
	[ "$2" = one ] || ports=$SWITCHES
	if [ "$1" = suspend ]; then irq_gone; fi
	said egpu_sweep -p "$ports" -n "$POINTS" -s "$(seed)" "${@:4}" \
		"$1" "$2" "$3"
	tell "seed $(seed)"
	like "$out" " 0 wrong"
	unlike "$out" " 0 covered"
	nothing_left
	count_end
}

prove -t 600 attach_one_yank "pulled at any access of an attach"
attach_one_yank() {
	sweep attach one yank
}

prove -t 900 attach_switch_yank "the same, a switch and four functions"
attach_switch_yank() {
	sweep attach switch yank
}

prove -t 600 detach_one_yank "pulled at any access of a detach"
detach_one_yank() {
	sweep detach one yank
}

prove -t 900 detach_switch_yank "the same, a switch and four functions"
detach_switch_yank() {
	sweep detach switch yank
}

prove -t 600 suspend_one_yank "pulled at any access of suspend and resume"
suspend_one_yank() {
	sweep suspend one yank
}

prove -t 900 suspend_switch_yank "the same, a switch and four functions"
suspend_switch_yank() {
	sweep suspend switch yank
}

prove -t 120 query_one_yank "pulled at any access of a query, all of the port's"
query_one_yank() {
	sweep query one yank
}

prove -t 600 attach_one_ones "all ones once at any access of an attach"
attach_one_ones() {
	sweep attach one ones
}

prove -l -t 900 attach_switch_ones "the same, a switch and four functions"
attach_switch_ones() {
	sweep attach switch ones -f
}

prove -l -t 600 detach_one_ones "all ones once at any access of a detach"
detach_one_ones() {
	sweep detach one ones
}

prove -l -t 900 detach_switch_ones "the same, a switch and four functions"
detach_switch_ones() {
	sweep detach switch ones
}

prove -l -t 600 suspend_one_ones "all ones once at any access of suspend, resume"
suspend_one_ones() {
	sweep suspend one ones
}

prove -l -t 900 suspend_switch_ones "the same, a switch and four functions"
suspend_switch_ones() {
	sweep suspend switch ones
}

prove -t 600 attach_one_retry "Request Retry Status at any access of an attach"
attach_one_retry() {
	sweep attach one retry
}

prove -l -t 900 attach_switch_retry "the same, a switch and four functions"
attach_switch_retry() {
	sweep attach switch retry
}

prove -l -t 600 detach_one_retry "Request Retry Status at any access of a detach"
detach_one_retry() {
	sweep detach one retry
}

prove -l -t 900 detach_switch_retry "the same, a switch and four functions"
detach_switch_retry() {
	sweep detach switch retry
}

prove -l -t 600 suspend_one_retry "the same of suspend and resume"
suspend_one_retry() {
	sweep suspend one retry
}

prove -l -t 900 suspend_switch_retry "the same, a switch and four functions"
suspend_switch_retry() {
	sweep suspend switch retry
}

prove -l -t 900 attach_one_dead "all ones for ever from any access of an attach"
attach_one_dead() {
	sweep attach one ones -c 0
}

prove -l -t 600 attach_one_link "the link drops at any access of an attach"
attach_one_link() {
	sweep attach one link
}

prove -l -t 120 query_switch_yank "pulled at any access of a query, a switch and four functions"
query_switch_yank() {
	sweep query switch yank
}

prove -l -t 120 query_one_ones "all ones once at any access of a query"
query_one_ones() {
	sweep query one ones
}

prove -l -t 120 query_one_retry "Request Retry Status at any access of a query"
query_one_retry() {
	sweep query one retry
}

prove -l -t 900 attach_one_all "pulled at any access of an attach, also those to the port itself"
attach_one_all() {
	sweep attach one yank -a
}

prove -l -t 900 detach_one_all "the same of a detach"
detach_one_all() {
	sweep detach one yank -a
}

prove -l -t 900 suspend_one_all "the same of suspend and resume"
suspend_one_all() {
	sweep suspend one yank -a
}

# growth CMD…: run it; by how many bytes did kmalloc's caches grow
growth() {
	local before
	before=$(memory)
	"$@" > "$KTAP_TMP/grown"
	echo $(($(memory) - before))
}

prove -l -t 600 no_growth "twice as many points leave nothing more behind"
no_growth() {
	local n=200 first second
	said egpu_sweep -p 16 -n "$n" -s 1 attach switch yank
	first=$(growth egpu_sweep -p 16 -n "$n" -s 2 attach switch yank)
	second=$(growth egpu_sweep -p 16 -n $((2 * n)) -s 3 attach switch yank)
	tell "kmalloc: $first bytes after $n points, $second after twice as many"
	[ "$second" -lt $((n * 256 + 65536)) ]
	nothing_left
	count_end
}

prove query_quiet "no query makes an access to the device itself"
query_quiet() {
	local before
	sim_fabric f
	sim_port f/p external_facing=1
	sim_gpu f/p/gpu
	sim_live f
	sim_plug f/p/gpu
	await f/p READY
	before=$(sim_stat f/p reads)
	sim_set f/p/fault at=0 armed=1
	eg functions f/p > /dev/null
	eg users f/p > /dev/null
	eg info f/p > /dev/null
	egpuctl list --json > /dev/null
	egpuctl show --json "$(sim_addr f/p)" > /dev/null
	is "$(sim_get f/p/fault seen)" 0 "accesses below"
	tell "accesses to the port: $(($(sim_stat f/p reads) - before))"
}
