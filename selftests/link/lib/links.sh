# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# What the tests of links do again and again.

# shellcheck source=selftests/lib/sim.sh
. "$LIB/sim.sh"
# shellcheck source=selftests/lib/left.sh
. "$LIB/left.sh"

# load: the fabric, its driver, egpu
load() {
	sim_load
	egpu_load
	no_bwctrl
}

# no_bwctrl: newer kernels take LBMS and LABS away as soon as they are set
no_bwctrl() {
	local service
	for service in /sys/bus/pci_express/drivers/pcie_bwctrl/*:pcie*; do
		[ ! -e "$service" ] ||
			echo "${service##*/}" > "${service%/*}/unbind"
	done
}

# A port that egpu looks after, as fast as it goes
FAST="external_facing=1 detect_ms=0 polling_ms=0 configuration_ms=0
	speed_change_ms=0 recovery_ms=0"

# one [PORT-ATTRIBUTE…]: a live fabric; f/p/gpu is in its slot and READY
one() {
	sim_fabric f
	# shellcheck disable=SC2086 # words
	sim_port f/p $FAST "$@"
	sim_gpu f/p/gpu present=1
	sim_live f
	wait_for 10 sim_bound f/p/gpu
	ready f/p
	no_bwctrl
}

# ready PATH, empty PATH
ready() {
	egpuctl wait "$(sim_addr "$1")" --for ready --timeout 10
}

empty() {
	egpuctl wait "$(sim_addr "$1")" --for empty --timeout 10
}

# rested: what is asked now is read anew
rested() {
	nap 0.26
}

# look PATH: its links, for the words below. What takes time in a guest is to
# start programs, so this is the only place where jq is.
look() {
	local key value
	rested
	egpuctl link "$(sim_addr "$1" || echo "$1")" --json > "$KTAP_TMP/link"
	HOP=()
	while IFS="=" read -r key value; do
		HOP[$key]=$value
	done < <(jq -r '"hops=\(.hops | length)", "aer=\(.aer)",
		(.hops | to_entries[] | .key as $n | .value | to_entries[] |
			"\($n).\(.key)=\(.value)")' "$KTAP_TMP/link")
}
declare -A HOP

# hop N KEY=VALUE…: of the last look, 0 is the root's
hop() {
	local n=$1 pair
	shift
	for pair; do
		is "${HOP[$n.${pair%%=*}]}" "${pair#*=}" \
			"hop $n ${pair%%=*}"
	done
}

# flag N NAME…, noflag N NAME…
flag() {
	local name
	for name in "${@:2}"; do
		like "${HOP[$1.flags]}" "\"$name\"" "flags"
	done
}

noflag() {
	local name
	for name in "${@:2}"; do
		unlike "${HOP[$1.flags]}" "\"$name\"" "flags"
	done
}

# Columns of a hop as text; LINKS_OF prints them for any number of replies.
# shellcheck disable=SC2034 # for the tests
LINKS_OF='.hops[] | [.address, .speed_gts, .width, .max_speed_gts, .max_width,
	.partner, .partner_max_speed_gts, .partner_max_width] | map(. // "-") |
	join(" ")'

# lspci_links: "ADDRESS SPEED WIDTH MAX MAX-WIDTH" of every device with a link
lspci_links() {
	lspci -Dvv | awk '
		/^[0-9a-f]+:/ { address = $1 }
		/LnkCap:/ { max = number($0, "Speed "); lanes = number($0, "x") }
		/LnkSta:/ { print address, number($0, "Speed "),
			number($0, "Width x"), max, lanes }
		function number(line, word) {
			if (!match(line, word "[0-9.]+")) return "?"
			return substr(line, RSTART + length(word),
				RLENGTH - length(word))
		}'
}
