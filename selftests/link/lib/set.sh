# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# What the tests of training do again and again. A port is named as in sim.sh:
# f/p, its GPU f/p/gpu. The kernel's bandwidth controller, where there is one,
# stays at work.

# shellcheck source=selftests/link/lib/links.sh
. lib/links.sh

load() {
	sim_load
	egpu_load
}

# es PORT VERB WORD…: egpu_set
es() {
	egpu_set "$(sim_addr "$1")" "${@:2}"
}

# get PORT KEY: of what egpu_set shows
get() {
	es "$1" show | sed -n "s/^$2=//p"
}

# await PORT STATE[/REASON],… [SECONDS]
await() {
	local said
	said=$(egpu_client wait "$(sim_addr "$1")" "$2" \
		$((${3:-10} * 1000 * ${VM_SLOW:-1}))) || fail "$1: $said"
}

# slot [PORT-ATTRIBUTE…]: a live fabric with f/p, and f/p/gpu out of it. What is
# said of the GPU is in $GPU.
slot() {
	sim_fabric f
	# shellcheck disable=SC2086 # words
	sim_port f/p $FAST "$@"
	sim_gpu f/p/gpu "${GPU[@]}"
	sim_live f
	await f/p EMPTY
	es f/p config calm
}
GPU=()

# ready_one, held_one [PORT-ATTRIBUTE…]: the same, and the GPU is in it
ready_one() {
	slot "$@"
	sim_plug f/p/gpu
	await f/p READY
}

held_one() {
	slot "$@"
	es f/p config manual
	sim_put f/p/gpu
	await f/p HELD/manual
}

# result "OK REASON|ERRNO REASON" PORT WORD…: a LINK_SET, and how it ends; what it
# printed is in $out
result() {
	out=$(es "$2" set "${@:3}") || :
	like "$out" "[0-9] end $1"
}

# refused ERRNO PORT WORD…: nothing begins
refused() {
	out=$(es "$2" set "${@:3}") || :
	is "$out" "$1" "set ${*:3}"
}

# took: milliseconds that the transaction in $out lasted
took() {
	sed -n 's/ end .*//p' <<< "$out"
}

# start PORT WORD…: a LINK_SET in the background; finish REGEX: how it ended
start() {
	es "$1" set "${@:2}" > "$KTAP_TMP/set" 2>&1 &
	job=$!
}

finish() {
	wait "$job" || :
	out=$(< "$KTAP_TMP/set")
	like "$out" "[0-9] end $1"
}

# started: it has set Retrain Link at f/p
started() {
	within 5 runs f/p || fail "it does not train: $(< "$KTAP_TMP/set")"
}

runs() {
	sim_is "$1" link "Recovery *"
}

# target PORT: Target Link Speed's code; limited PORT CODE: set it by hand
target() {
	echo $((0x$(sim_reg "$1" CAP_EXP+30.w) & 15))
}

limited() {
	sim_reg "$1" CAP_EXP+30.w="$2":f
}

# hasd PATH: Hardware Autonomous Speed Disable
hasd() {
	echo $(((0x$(sim_reg "$1" CAP_EXP+30.w) & 0x20) != 0))
}

# stat KEY VALUE [PORT]
stat() {
	is "$(sim_stat "${3:-f/p}" "$1")" "$2" "$1"
}

# listen PORT: have its events written down; heard REGEX, unheard REGEX
listen() {
	egpu_client events "$(sim_addr "$1")" > "$KTAP_TMP/events" &
	wait_for 5 grep -q subscribed "$KTAP_TMP/events"
}

heard() {
	within 5 grep -Eq -- "$1" "$KTAP_TMP/events" ||
		fail "no event like /$1/ in: $(< "$KTAP_TMP/events")"
}

unheard() {
	! grep -E -- "$1" "$KTAP_TMP/events" || fail "heard /$1/"
}

# sound: what must hold of every port after every test. Link Training was clear
# whenever Retrain Link was written; of a link that is up LBMS is clear.
sound() {
	local port
	for port in "$SIM"/*/*/statistics; do
		[ -e "$port" ] || continue
		port=${port#"$SIM/"}
		port=${port%/statistics}
		stat violations 0 "$port"
		wait_for 3 no_lbms "$port"
	done
}

no_lbms() {
	! sim_is "$1" link "L0 *" || ! sim_addr "$1" > /dev/null ||
		[ $((0x$(sim_reg "$1" CAP_EXP+12.w) & 0x4000)) = 0 ]
}
