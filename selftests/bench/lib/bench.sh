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
