# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# For benchmarks: . lib/trace.sh
#
# Times by the kernel's own clock: when functions and tracepoints were reached.
#
#	trace_on irq=p:pciehp_isr bound=r:bochs_pci_probe egpu_sim/sim_slot
#	trace_clear
#	…
#	trace_until bound
#	trace_took irq first bound last

TRACE=/sys/kernel/tracing

# trace_on EVENT…: NAME=p:FUNCTION is its call, NAME=r:FUNCTION its return,
# GROUP/NAME a tracepoint. What can be probed is there: load modules before.
trace_on() {
	local event
	trace_off
	echo mono > "$TRACE/trace_clock"
	for event; do
		if [[ $event = *=* ]]; then
			_probe "${event%%=*}" "${event#*=}"
			event=bench/${event%%=*}
		fi
		echo 1 > "$TRACE/events/$event/enable"
	done
}

_probe() {
	echo "${2%%:*}:bench/$1 ${2#*:}" >> "$TRACE/kprobe_events"
}

trace_off() {
	echo 0 > "$TRACE/events/enable"
	echo > "$TRACE/kprobe_events"
}

# trace_clear: what was is of no interest any more
trace_clear() {
	echo > "$TRACE/trace"
}

# trace_until NAME [SECONDS]: wait until it is reached, without looking again and
# again; all that was until then is in $TRACED, and gone from the buffer
trace_until() {
	local line pipe
	TRACED=
	exec {pipe}< "$TRACE/trace_pipe"
	while [[ $TRACED != *" $1: "* ]]; do
		read -r -t $((${2:-10} * ${VM_SLOW:-1})) -u "$pipe" line ||
			fail "$1 was not reached: $TRACED"
		TRACED+=$line$'\n'
	done
	exec {pipe}<&-
}

# trace_at NAME first|last: when it was, in microseconds of CLOCK_MONOTONIC
trace_at() {
	local line at=
	while read -r line; do
		[[ $line =~ \ ([0-9]+)\.([0-9]{6}):\ $1:\  ]] || continue
		at=$((10#${BASH_REMATCH[1]} * 1000000 + 10#${BASH_REMATCH[2]}))
		[ "$2" = last ] || break
	done <<< "$TRACED"
	[ -n "$at" ] && echo "$at"
}

# trace_took FROM first|last TO first|last: microseconds between
trace_took() {
	local from to
	from=$(trace_at "$1" "$2") && to=$(trace_at "$3" "$4") &&
		echo $((to - from))
}

# count_on, count_off: configuration accesses by the kernel are counted from now
# on; $counted of them were. Probes take time: not while that is measured.
COUNTED=(read_config_byte read_config_word read_config_dword
	write_config_byte write_config_word write_config_dword)

count_on() {
	local f events=()
	for f in "${COUNTED[@]}"; do events+=("$f=p:pci_bus_$f"); done
	trace_on "${events[@]}"
}

# shellcheck disable=SC2034 # it is for the benchmark
count_off() {
	counted=$(awk '{ n += $2 } END { print n + 0 }' "$TRACE/kprobe_profile")
	trace_off
}
