# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# shellcheck disable=SC2034 # $GPU and others are for the tests
# What the tests of this folder do again and again. A port is rp0, rp1, … as
# QEMU calls it, or a PCI address; its GPU is gpu0, gpu1, …
#
#	rp0, rp1	as QEMU's root ports are
#	rp2		no power controller, as Thunderbolt ports are: what was
#			switched off stays in its slot
#	rp3		a switch below it, with two slots: down0, down1, in which
#			firmware left no room for a GPU's memory
#
# No port has I/O space.

# shellcheck source=selftests/lib/test_drv.sh
. "$LIB/test_drv.sh"

declare -A PORT

# ports N: learn the addresses of the first N root ports
ports() {
	local d n=0
	for d in "$PCI"/0000:00:*; do
		[[ $(< "$d/class") = 0x0604* ]] || continue
		PORT[rp$n]=$(basename "$d")
		n=$((n + 1))
		[ "$n" -lt "$1" ] || return 0
	done
	return 1
}

# eg VERB PORT …: egpu_client
eg() {
	egpu_client "$1" "${PORT[$2]:-$2}" "${@:3}"
}

# get PORT KEY: of egpu_client's info
get() {
	eg info "$1" | sed -n "s/^$2=//p"
}

# await PORT STATE[/REASON],… [SECONDS]
await() {
	local said
	said=$(eg wait "$1" "$2" $((${3:-10} * 1000 * ${VM_SLOW:-1}))) ||
		fail "$1: $said"
}

# load [PARAM=VALUE…]: with rp0 and rp1 tracked unless told otherwise
load() {
	modprobe bochs
	[ -e /sys/module/egpu ] ||
		modprobe egpu "track=${PORT[rp0]},${PORT[rp1]}" "$@"
	wait_for 5 test -c /dev/egpu
}

id_of() {
	echo "gpu${1#rp}"
}

# arrive PORT [DEVICE [KEY=VALUE…]]: plug its GPU; does not wait
arrive() {
	plug "$(id_of "$1")" "$1" "${@:2}"
}

# ready PORT: its GPU is there, and bound to bochs-drm; its function in $GPU
ready() {
	if [ "$(get "$1" state)" != READY ] || ! is_bound "$1"; then
		empty "$1"
		arrive "$1"
		await "$1" READY
	fi
	wait_bound "$1"
	GPU=$(gpu "$1")
}

# empty PORT: nothing is there
empty() {
	if [ "$(get "$1" state)" = DETACHED ]; then await "$1" EMPTY; fi
	pull "$(id_of "$1")" "$1"
	await "$1" EMPTY
}

# policy PORT auto|manual
policy() {
	eg policy "$1" "$2"
}

# held PORT: a GPU is there, and waits for attach
held() {
	empty "$1"
	policy "$1" manual
	arrive "$1"
	await "$1" HELD/manual
	GPU=$(gpu "$1")
}

# detached PORT: a detach has ended well. QEMU then takes the card out, which a
# slow guest may see first.
detached() {
	like "$(get "$1" state)" "^(DETACHED|EMPTY)$"
}

# override_of FUNCTION: empty when there is none
override_of() {
	local said
	said=$(< "$PCI/$1/driver_override")
	[ "$said" = "(null)" ] || echo "$said"
}

# listen [PORT]: have events written down from now on
listen() {
	: > "$KTAP_TMP/events"
	if [ -n "${1:-}" ]; then
		eg events "$1" > "$KTAP_TMP/events" &
	else
		egpu_client events > "$KTAP_TMP/events" &
	fi
	wait_for 5 grep -q subscribed "$KTAP_TMP/events"
}

# heard REGEX: wait until such an event came
heard() {
	within 5 grep -Eq "$1" "$KTAP_TMP/events" ||
		fail "no event like /$1/ in: $(cat "$KTAP_TMP/events")"
}

# unheard REGEX: no such event came
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

# tell TEXT: into the log of a test that passes, too
tell() {
	echo "# $*" > /dev/ttyS1
}

# start CMD…: in the background, its output in $KTAP_TMP/job, pid in $job
start() {
	"$@" > "$KTAP_TMP/job" 2>&1 &
	job=$!
}

# finish [STATUS]: wait until it ends; its output is in $out
finish() {
	local got=0
	wait "$job" || got=$?
	out=$(< "$KTAP_TMP/job")
	[ "$got" = "${1:-0}" ] || fail "exit $got, expected ${1:-0}: $out"
}

# eject PORT: take the card out of rp2, whose slot has no power controller: the
# slot is switched off, then the card is pulled. QEMU does that when it sees
# power off (and the indicator off) written, as it cannot tell that the bit
# does not exist.
eject() {
	if ! is_empty "$1"; then
		eg detach "$1" -f > /dev/null || slot_power "$1" 0
	fi
	wait_empty "$1"
	setpci -s "${PORT[$1]}" CAP_EXP+0x18.w=0700:0700
	host wait-deleted "$(id_of "$1")" 5
}

# The ports of the switch below rp3, and the function below such a port.
UP=$(basename "$(dirname "$(echo "$PCI"/0000:00:*/0000:*/0000:*:00.0)")")
DOWN0=$(basename "$PCI"/0000:00:*/0000:*/0000:*:00.0)
DOWN1=${DOWN0%00.0}01.0

functions_of() {
	basename -a "$PCI/$1"/0000:??:??.?
}

# bochs_away, bochs_back: no driver for the GPU is to be had
BOCHS=kernel/drivers/gpu/drm/tiny/bochs.ko

bochs_away() {
	modprobe -r bochs
	mv "/lib/modules/$(uname -r)/$BOCHS"* /tmp/
}

bochs_back() {
	local f
	for f in /tmp/bochs.ko*; do
		[ ! -e "$f" ] ||
			mv "$f" "/lib/modules/$(uname -r)/${BOCHS%/*}/"
	done
}
