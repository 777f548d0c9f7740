# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# For benchmarks: . lib/bench.sh
#
# A benchmark measures ours and the peer's in turns, and tells each pair:
#
#	for i in {1..20}; do
#		pair "$(ours)" "$(theirs)"
#	done
#	record query us 'sysfs and config space' 'simulated'
#
# The ratio of each pair is taken, and their median: what slows the machine down
# slows both. The host makes build/bench/results.json from the records.

# Warnings alone, as with "quiet", which Debian boots with: each line takes 10 ms
# where the console is a serial line, and would be most of what is measured.
dmesg -n 5

# pair OURS [PEER]: numbers in the record's unit; without a peer, ours alone
pair() {
	printf '%s %s\n' "$1" "${2:-null}" >> "$KTAP_TMP/pairs"
}

# pair_all "OURS PEER"…: several of them
pair_all() {
	printf '%s\n' "$@" >> "$KTAP_TMP/pairs"
}

# pairs_of WHAT: of lines "WHAT OURS [PEER]" in $KTAP_TMP/lines
pairs_of() {
	local what ours peer
	while read -r what ours peer; do
		[ "$what" != "$1" ] || pair "$ours" "$peer"
	done < "$KTAP_TMP/lines"
}

# record NAME UNIT PEER WHERE: the pairs told since the last record. NAME is the
# quantity, NAME/VARIANT one of several sizes; WHERE says what it ran on: "real
# pciehp, bochs-drm" or "simulated fabric".
record() {
	[ -s "$KTAP_TMP/pairs" ] || fail "record $1: nothing was measured"
	jq -cR --slurp --arg name "$1" --arg unit "$2" --arg peer "$3" \
		--arg where "$4" '{ name: $name, unit: $unit,
			peer_name: (if $peer == "" then null else $peer end),
			where: $where,
			pairs: (split("\n") | map(select(. != "") | split(" ") |
				map(fromjson))) }' \
		< "$KTAP_TMP/pairs" >> "$KTAP_TMP/records"
	rm "$KTAP_TMP/pairs"
}

# pairs EGPU_BENCH-ARG…: those that egpu_bench prints
pairs() {
	local ours peer
	egpu_bench "$@" > "$KTAP_TMP/printed"
	while read -r ours peer; do
		pair "$ours" "$peer"
	done < "$KTAP_TMP/printed"
}

# syscalls CMD…: how many system calls a program makes, whatever it prints
syscalls() {
	local trigger=/sys/kernel/tracing/events/raw_syscalls/sys_enter/trigger
	local hist="hist:keys=common_pid if comm == \"${1##*/}\""
	[ -e "$trigger" ] || mount -t tracefs none /sys/kernel/tracing
	echo "$hist" > "$trigger"
	"$@" > /dev/null 2>&1
	sed -n 's/^ *Hits: //p' "${trigger%trigger}hist"
	echo "!$hist" > "$trigger"
}

# bench_ports N: N ports of a simulated fabric that egpu tracks, a GPU in each,
# bound to its driver
bench_ports() {
	local i
	sim_load
	sim_fabric f
	for ((i = 0; i < $1; i++)); do
		sim_port "f/p$i"
		sim_gpu "f/p$i/gpu" 'bar0=1M 64 prefetch' present=1
	done
	sim_live f
	egpu_load
	for ((i = 0; i < $1; i++)); do
		wait_for 20 sim_bound "f/p$i/gpu"
		egpuctl track "$(sim_addr "f/p$i")" > /dev/null
	done
}

# bench_gpu: egpu, and a GPU that is READY at rp0
bench_gpu() {
	egpu_load
	plug_gpu gpu0
	track rp0
	wait_state rp0 READY
}
