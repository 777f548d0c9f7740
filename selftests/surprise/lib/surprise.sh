# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# What tests of egpu.ko on the simulated fabric do again and again. A port is
# named as in sim.sh: f/p, its GPU f/p/gpu.

# shellcheck source=selftests/lib/sim.sh
. "$LIB/sim.sh"
# shellcheck source=selftests/lib/test_drv.sh
. "$LIB/test_drv.sh"
# shellcheck source=selftests/lib/left.sh
. "$LIB/left.sh"

# load [PARAM=VALUE…]: the fabric, its driver, egpu
load() {
	sim_load
	[ -e /sys/module/egpu ] || modprobe egpu "$@"
	wait_for 5 test -c /dev/egpu
}

# eg VERB PORT …: egpu_client; get PORT KEY: of its info
eg() {
	egpu_client "$1" "$(sim_addr "$2")" "${@:3}"
}

get() {
	eg info "$1" | sed -n "s/^$2=//p"
}

# await PORT STATE[/REASON],… [SECONDS]
await() {
	local said
	said=$(eg wait "$1" "$2" $((${3:-10} * 1000 * ${VM_SLOW:-1}))) ||
		fail "$1: $said; step $(get "$1" step) $(get "$1" step_driver)," \
			"blocked by '$(get "$1" blocked_driver)'"
}

# irq_gone: from 6.12 on pciehp removes what vanished during suspend before the
# kernel wakes interrupts, and that of a driver that is gone is one too many
irq_gone() {
	host expect 'WARNING: .* __irq_startup'
}

# listen PORT: have its events written down from now on
listen() {
	eg events "$1" > "$KTAP_TMP/events" &
	wait_for 5 grep -q subscribed "$KTAP_TMP/events"
}

# heard REGEX, unheard REGEX: such an event came; did not come
heard() {
	within "${2:-5}" grep -Eq "$1" "$KTAP_TMP/events" ||
		fail "no event like /$1/ in: $(cat "$KTAP_TMP/events")"
}

unheard() {
	! grep -E "$1" "$KTAP_TMP/events"
}

# states: those that were heard, in order, "A>B B>C"
states() {
	sed -n 's/.* state \([A-Z]*\)>\([A-Z]*\) .*/\1>\2/p' \
		"$KTAP_TMP/events" | awk -F'>' '$1 != $2' | tr '\n' ' ' |
		sed 's/ $//'
}

# result REGEX CMD…: what egpu_client says about a transaction's end
result() {
	local want=$1
	shift
	out=$("$@" 2>&1) || :
	like "$out" "$want" "$*"
}

# start CMD…: in the background; finish REGEX: wait for its end, what it said
start() {
	"$@" > "$KTAP_TMP/job" 2>&1 &
	job=$!
}

finish() {
	wait "$job" || :
	out=$(< "$KTAP_TMP/job")
	like "$out" "$1"
}

# counted PORT: losses and removals
counted() {
	echo "$(get "$1" losses) $(get "$1" removals)"
}
