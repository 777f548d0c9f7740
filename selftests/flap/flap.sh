# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# Contacts that open and close: presence, link, or both, at 1 to 1000 Hz.

# shellcheck source=selftests/surprise/lib/surprise.sh
. lib/surprise.sh

FLAP_S=3
if [ -n "${LONG:-}" ]; then FLAP_S=20; fi
TIMES="detect_ms polling_ms configuration_ms speed_change_ms recovery_ms"

setup() {
	load
	[ -d "$SIM/f" ] || {
		sim_fabric f
		sim_port f/p external_facing=1
		sim_gpu f/p/gpu
		# Where only the pins count.
		sim_port f/pins external_facing=1 inband_presence_disable=1
		sim_gpu f/pins/gpu
		sim_live f
	}
	use f/p
}

# use PORT: a GPU is there, READY
use() {
	P=$1
	eg quarantine "$P" 5 60000
	eg reset "$P"
	sim_put "$P/gpu"
	await "$P" READY
	wait_for 5 sim_bound "$P/gpu"
}

teardown() {
	local p
	for p in f/p f/pins; do
		[ "$(sim_get "$p/gpu" present)" = 0 ] ||
			sim_set "$p/gpu" flap=0 present=0
		sim_set "$p" detect_ms=12 polling_ms=24 configuration_ms=24 \
			speed_change_ms=48 recovery_ms=24
	done
	for p in f/p f/pins; do await "$p" EMPTY 20; done
}

# quick_link: it trains at once, so that it is up between any two openings
quick_link() {
	local t
	for t in $TIMES; do sim_set "$P" "$t" 0; done
}

# shellcheck disable=SC2034 # more() reads them by name
note() {
	losses=$(get "$P" losses)
	attaches=$(get "$P" attaches)
	arrivals=$(get "$P" arrivals)
	attempts=$(sim_stat "$P" attempts)
	listen f/p
}

# more KEY: how many more than when note() was called
more() {
	case $1 in
	attempts) echo $(($(sim_stat "$P" attempts) - attempts)) ;;
	probes) grep -c ' bound .*egpu_sim_drm' "$KTAP_TMP/events" || : ;;
	*) echo $(($(get "$P" "$1") - ${!1})) ;;
	esac
}

report() {
	tell "$1: $(more arrivals) arrivals, $(more losses) losses," \
		"$(more attaches) times READY, $(more probes) probes," \
		"$(more attempts) trainings"
}

# flap PERIOD_US WHAT: for some seconds; then the contacts rest, closed
flap() {
	note
	sim_set "$P/gpu" flap "$1 0 $2"
	nap "$FLAP_S"
	sim_set "$P/gpu" flap 0
}

# calm_again: it is READY in the end, or in quarantine, which can be ended
calm_again() {
	await "$P" READY,QUARANTINED 20
	# What was in the middle of happening may not have been told yet.
	nap 1.5
	await "$P" READY,QUARANTINED 20
	[ "$(get "$P" state)" = READY ] || eg reset "$P"
	await "$P" READY
	wait_for 5 sim_bound "$P/gpu"
}

# limited HZ: no more probes than losses that the quarantine allows, one that
# its end brings, and two: what is back when it is removed was no loss
limited() {
	report "$1 Hz"
	[ "$(more probes)" -le 8 ]
	[ "$(more attempts)" -le $(($1 * (FLAP_S + 3) + 20)) ]
}

prove -t 90 both_1 "once a second"
both_1() {
	flap 1000000 both
	calm_again
	limited 1
	[ "$(more losses)" -ge 1 ]
}

prove -l -t 90 both_10 "10 times a second"
both_10() {
	flap 100000 both
	calm_again
	limited 10
}

prove -t 90 both_10_quick "the same, with a link that trains at once"
both_10_quick() {
	quick_link
	flap 100000 both
	calm_again
	limited 10
}

prove -t 90 both_100 "100 times a second"
both_100() {
	quick_link
	flap 10000 both
	calm_again
	limited 100
}

prove -t 90 both_1000 "1000 times a second"
both_1000() {
	quick_link
	flap 1000 both
	calm_again
	limited 1000
}

# pins_only: in-band presence is disabled, by hand, as pciehp cannot read that it
# could do so
pins_only() {
	use f/pins
	sim_reg f/pins CAP_EXP+18.w=4000:4000
}

prove -t 90 presence_10 "presence alone, 10 times a second"
presence_10() {
	pins_only
	flap 100000 presence
	calm_again
	limited 10
}

prove -t 90 link_10 "the link alone, 10 times a second"
link_10() {
	quick_link
	flap 100000 link
	calm_again
	limited 10
}

prove -l -t 90 presence_1000 "presence alone, 1000 times a second"
presence_1000() {
	pins_only
	flap 1000 presence
	calm_again
	limited 1000
}

prove -l -t 90 link_1000 "the link alone, 1000 times a second"
link_1000() {
	quick_link
	flap 1000 link
	calm_again
	limited 1000
}

# lose N: READY, pulled, N times
lose() {
	local i
	for ((i = 0; i < $1; i++)); do
		sim_put f/p/gpu
		await f/p READY
		sim_pull f/p/gpu
		await f/p EMPTY/link-down
	done
}

prove -t 60 begins "the quarantine begins with the Nth loss in the window, not before"
begins() {
	eg quarantine f/p 3 60000
	note
	sim_pull f/p/gpu
	await f/p EMPTY/link-down
	lose 1
	sim_put f/p/gpu
	await f/p READY
	sim_pull f/p/gpu
	await f/p EMPTY
	is "$(more losses)" 3
	sim_put f/p/gpu
	await f/p QUARANTINED/lost-too-often
	is "$(sim_driver f/p/gpu)" egpu
	is "$(more probes)" 2
}

prove -t 60 ends_by_time "it ends by itself when the losses are old"
ends_by_time() {
	local start
	eg quarantine f/p 2 4000
	note
	start=$(now_ms)
	sim_pull f/p/gpu
	await f/p EMPTY
	lose 1
	sim_put f/p/gpu
	await f/p QUARANTINED
	await f/p READY 15
	[ $(($(now_ms) - start)) -ge 4000 ]
	like "$(states)" "HELD>QUARANTINED QUARANTINED>HELD HELD>BINDING BINDING>READY$"
	wait_for 5 sim_bound f/p/gpu
}

prove -t 60 ends_by_reset "a reset ends it at once"
ends_by_reset() {
	eg quarantine f/p 1 60000
	sim_pull f/p/gpu
	await f/p EMPTY
	sim_put f/p/gpu
	await f/p QUARANTINED
	eg reset f/p
	await f/p READY
}

prove -t 60 reset_empty "a reset of an empty port forgets its losses"
reset_empty() {
	eg quarantine f/p 1 60000
	sim_pull f/p/gpu
	await f/p EMPTY
	eg reset f/p
	sim_put f/p/gpu
	await f/p READY,QUARANTINED
	is "$(get f/p state)" READY
}

prove -t 60 ends_by_attach "attach admits what is in quarantine"
ends_by_attach() {
	eg quarantine f/p 1 60000
	sim_pull f/p/gpu
	await f/p EMPTY
	sim_put f/p/gpu
	await f/p QUARANTINED
	result "^OK READY" eg attach f/p
	wait_for 5 sim_bound f/p/gpu
}

prove -t 60 goes_on "losses in quarantine count, and bring no probe"
goes_on() {
	eg quarantine f/p 2 60000
	sim_pull f/p/gpu
	await f/p EMPTY
	lose 1
	note
	for _ in 1 2 3; do
		sim_put f/p/gpu
		await f/p QUARANTINED
		sim_pull f/p/gpu
		await f/p EMPTY/link-down
	done
	is "$(more losses) $(more probes)" "3 0"
	sim_put f/p/gpu
	await f/p QUARANTINED
}

prove -t 60 never "with a limit of 0 there is none"
never() {
	eg quarantine f/p 0 0
	sim_pull f/p/gpu
	await f/p EMPTY
	lose 7
	sim_put f/p/gpu
	await f/p READY
}

prove -t 60 removals_free "removals by others do not count"
removals_free() {
	eg quarantine f/p 1 60000
	note
	echo 1 > "$PCI/$(sim_addr f/p/gpu)/remove"
	await f/p EMPTY/removed
	echo 1 > /sys/bus/pci/rescan
	await f/p READY
	is "$(more losses)" 0
}

prove -t 60 no_link "a link that never comes up is not tried without end"
no_link() {
	local writes
	sim_pull f/p/gpu
	await f/p EMPTY
	note
	writes=$(sim_stat f/p writes)
	sim_set f/p/gpu link_up_try 1000000
	sim_put f/p/gpu
	nap 5
	writes=$(($(sim_stat f/p writes) - writes))
	report "no link, 5 s: $writes writes to the port"
	is "$(more arrivals) $(more probes)" "0 0"
	# The hardware goes on to train by itself; software gives up.
	[ "$writes" -le 40 ]
	sim_set f/p/gpu link_up_try 1
}
