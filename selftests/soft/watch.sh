# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# The watch: how often it looks, at what, and how soon it finds what came. Whoever
# else reads a port's registers is no task of egpu's workqueue.

# shellcheck source=selftests/soft/lib/soft.sh
. lib/soft.sh

READS=egpu_sim/sim_config_read
WRITES=egpu_sim/sim_config_write

setup() {
	load
	echo > "$TRACE/trace"
}

teardown() {
	trace_off
	clear
	[ -e /sys/module/egpu ] || modprobe egpu
}

# trace_on EVENT…: from now on they are written down; trace_off
trace_on() {
	local e
	echo mono > "$TRACE/trace_clock"
	for e; do echo 1 > "$TRACE/events/$e/enable"; done
	echo 1 > "$TRACE/tracing_on"
}

trace_off() {
	local e
	echo 0 > "$TRACE/tracing_on"
	for e in "$READS" "$WRITES" egpu_sim/sim_link egpu/egpu_event; do
		[ ! -e "$TRACE/events/$e" ] ||
			echo 0 > "$TRACE/events/$e/enable"
	done
}

# idle SECONDS: lines of all accesses to the port and below while nothing
# happens. Accesses of programs are not ours; there are none.
idle() {
	echo > "$TRACE/trace"
	trace_on $READS $WRITES
	nap "$1"
	trace_off
	grep -v '^#' "$TRACE/trace" > "$KTAP_TMP/trace" || :
}

# accesses REGEX: how many of them are like this
accesses() {
	grep -Ec -- "$1" "$KTAP_TMP/trace" || :
}

# Link Status of f/p, as a pattern of the trace
lnksta() {
	local at
	at=$(setpci -s "$(sim_addr f/p)" CAP_EXP+0.w > /dev/null &&
		sim_lspci f/p | sed -n 's/^Capabilities: \[\([0-9a-f]*\)\] Express.*/\1/p')
	printf 'sim_config_read: %s offset=0x%x ' "$(sim_addr f/p)" \
		$((0x$at + 0x12))
}

# sparing MS: in some seconds at least a few looks, at most one an interval (and
# what a slow guest shifts), at Link Status alone
sparing() {
	local ms=$1 looks all
	# An attach is over, also its timers.
	nap 0.5
	idle 2
	looks=$(accesses "$(lnksta)")
	all=$(wc -l < "$KTAP_TMP/trace")
	tell "$looks looks in 2 s at one in $ms ms, $all accesses"
	[ "$looks" -ge 1 ]
	[ "$looks" -le $((2200 / ms + 2)) ]
	is "$((all - looks))" 0 "other accesses: $(grep -Ev "$(lnksta)" \
		"$KTAP_TMP/trace" | head -n 3)"
}

prove -l idle_empty "an empty port costs one read an interval"
idle_empty() {
	one
	sparing 50
}

prove idle_ready "so does one with a GPU; nothing below is asked"
idle_ready() {
	ready_one
	sparing 50
}

prove idle_default "the default interval is a quarter of a second"
idle_default() {
	sim_fabric f
	port f/p
	sim_live f
	eg soft f/p
	is_soft f/p
	is "$(get f/p watch_ms)" 250
	sparing 250
}

prove interval "WATCH changes it, also of what is soft already"
interval() {
	one
	eg watch f/p 1000
	is "$(get f/p watch_ms)" 1000
	nap 0.3
	sparing 1000
	# And at once, not when the next look is due.
	eg watch f/p 60000
	eg watch f/p 20
	idle 1
	[ "$(accesses "$(lnksta)")" -ge 2 ]
}

prove idle_detached "a detached one without presence is not asked at all"
idle_detached() {
	ready_one
	result "^OK DETACHED" eg detach f/p
	nap 1
	idle 2
	is "$(wc -l < "$KTAP_TMP/trace")" 0 "$(head -n 3 "$KTAP_TMP/trace")"
}

prove untracked "nothing is asked of what is not tracked, or forgotten"
untracked() {
	sim_fabric f
	port f/p
	sim_live f
	nap 0.5
	idle 2
	is "$(wc -l < "$KTAP_TMP/trace")" 0 "$(head -n 3 "$KTAP_TMP/trace")"
	soft f/p
	await f/p EMPTY
	eg forget f/p
	not_soft f/p
	nap 0.5
	idle 2
	is "$(wc -l < "$KTAP_TMP/trace")" 0 "$(head -n 3 "$KTAP_TMP/trace")"
	sim_put f/p/gpu
	intervals 6
	not sim_added f/p/gpu
}

prove unloaded "nor by a module that was unloaded"
unloaded() {
	one
	egpu_unload
	nap 0.5
	idle 2
	is "$(wc -l < "$KTAP_TMP/trace")" 0 "$(head -n 3 "$KTAP_TMP/trace")"
}

# when PATTERN: ms of the first such line in the trace
when() {
	awk -v p="$1" '$0 ~ p { for (i = 1; i <= NF; i++)
		if ($i ~ /^[0-9]+\.[0-9]+:$/) { printf "%d\n", $i * 1000; exit } }' \
		"$TRACE/trace"
}

# found MS: a link that came up is found after at most MS and some patience
found() {
	local port up seen
	port=$(sim_addr f/p)
	eg watch f/p "$1"
	intervals 1 "$1"
	trace_on egpu_sim/sim_link egpu/egpu_event
	sim_plug f/p/gpu
	await f/p READY
	trace_off
	up=$(when "sim_link: $port state=L0 ")
	# Type 4: a function came.
	seen=$(when "egpu_event: .* type=4 ")
	tell "found $((seen - up)) ms after the link came up, interval $1 ms"
	[ "$seen" -ge "$up" ]
	quick $((seen - up)) $(($1 + 2000))
}

prove found_quick "what comes is found within an interval, by the order of events"
found_quick() {
	one
	found 20
}

prove found_late "with a long one not before it looks; and not much later"
found_late() {
	one
	found 1500
}

prove awake "the port is kept awake while it is soft, and may sleep when forgotten"
awake() {
	local power
	one
	power=$PCI/$(sim_addr f/p)/power
	echo auto > "$power/control"
	intervals 6
	is "$(< "$power/runtime_status")" active
	eg forget f/p
	not_soft f/p
	if [ "$(< "$power/runtime_usage")" = 0 ]; then
		wait_for 5 grep -q suspended "$power/runtime_status"
	fi
	# And it is woken for the slot again.
	soft f/p
	again f/p
	is "$(< "$power/runtime_status")" active
}

prove bounce_short "a link that is down between two looks only is left alone"
bounce_short() {
	ready_one
	eg watch f/p 2000
	nap 0.2
	sim_set f/p/gpu flap "2000 1 link"
	sim_expect f/p stat:downs "[12]"
	nap 0.5
	is "$(get f/p losses)" 0
}
