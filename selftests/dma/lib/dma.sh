# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# shellcheck disable=SC2034 # $out and others are for the tests
# What the tests of managed functions do again and again. A client is an
# egpu_dma (client.c) that does what it is asked to; a function is named by its
# PCI address, or by its port: rp0, f/p.
#
#	client a
#	ask a open "$FN"
#	ask a create 4096
#	refused EPERM a map 0

# shellcheck source=selftests/lib/sim.sh
. "$LIB/sim.sh"

declare -A TO FROM PID
UNSAFE=/sys/module/egpu/parameters/unsafe_dma
DRIVER=/sys/bus/pci/drivers/egpu-dma

MAPPED=2 BOUNCED=4			# DRM_EGPU_BO_*
BY_IOMMU=1 BY_BUSMASTER=2		# DRM_EGPU_REVOKE_*
IPC_LOCK=14 RAWIO=17			# capabilities

# --- clients ---

# client NAME: start one
client() {
	local in=$KTAP_TMP/$1.in out=$KTAP_TMP/$1.out
	rm -f "$in" "$out"
	mkfifo "$in" "$out"
	egpu_dma < "$in" > "$out" 2>&1 &
	PID[$1]=$!
	exec {in}<> "$in" {out}<> "$out"
	TO[$1]=$in FROM[$1]=$out
}

# _answer NAME WORD…: what it says, whole, in $out
_answer() {
	printf '%s\n' "${*:2}" >&"${TO[$1]}"
	out=
	read -r -t $((60 * ${VM_SLOW:-1})) -u "${FROM[$1]}" out || out=silence
}

# ask NAME WORD…: it does so; what it says is in $out
ask() {
	_answer "$@"
	[[ $out = ok* ]] || _differs "$*" "is '$out'" "expected ok"
	out=${out#ok}
	out=${out# }
}

# refused ERRNO NAME WORD…: it cannot
refused() {
	_answer "${@:2}"
	[ "${out%% *}" = "$1" ] || _differs "${*:2}" "is '$out'" "expected $1"
}

# begin NAME WORD…, answered NAME: ask, in two steps
begin() {
	printf '%s\n' "${*:2}" >&"${TO[$1]}"
}

answered() {
	read -r -t $((60 * ${VM_SLOW:-1})) -u "${FROM[$1]}" out
	like "$out" "^ok" "$1"
}

# bye NAME, shot NAME: it ends by itself; by SIGKILL. Waits.
bye() {
	begin "$1" exit
	wait "${PID[$1]}"
}

shot() {
	kill -KILL "${PID[$1]}"
	wait "${PID[$1]}" || :
}

# info NAME N KEY: of BO_INFO
info() {
	ask "$1" info "$2"
	[[ " $out" =~ \ $3=([^ ]*) ]]
	out=${BASH_REMATCH[1]}
}

# info_is NAME N KEY=VALUE…
info_is() {
	local pair
	ask "$1" info "$2"
	for pair in "${@:3}"; do
		[[ " $out " = *" $pair "* ]] ||
			_differs "info $2" "is '$out'" "expected $pair"
	done
}

# --- functions ---

# eg VERB PORT …: egpu_client, by the port's name or address
eg() {
	egpu_client "$1" "$(at "$2")" "${@:3}"
}

# at PORT: its address
at() {
	case $1 in
	rp*) port_addr "$1" ;;
	*/*) sim_addr "$1" ;;
	*) echo "$1" ;;
	esac
}

# state PORT; await PORT STATE[/REASON],… [SECONDS]
state() {
	eg info "$1" | sed -n 's/^state=//p'
}

await() {
	local said
	said=$(eg wait "$1" "$2" $((${3:-10} * 1000 * ${VM_SLOW:-1}))) ||
		fail "$1: $said"
}

# take FUNCTION [BITS], give_back FUNCTION
take() {
	out=$(egpu_dma manage "$1" "${2:-64}") ||
		_differs "manage $1 ${2:-64}" "is $out" "expected ok"
}

give_back() {
	out=$(egpu_dma manage "$1" return) ||
		_differs "manage $1 return" "is $out" "expected ok"
}

# take_fails ERRNO FUNCTION [BITS]
take_fails() {
	if out=$(egpu_dma manage "$2" "${3:-64}"); then out=ok; fi
	is "$out" "$1" "manage $2"
}

is_managed() {
	[ -e "$DRIVER/$1" ]
}

# all_back: every function that is managed goes back
all_back() {
	local f
	for f in "$DRIVER"/*:*; do
		[ ! -e "$f" ] || give_back "${f##*/}"
	done
}

# opened NAME FUNCTION: a client, with its node open
opened() {
	client "$1"
	ask "$1" open "$2"
}

# mapped NAME SIZE: a bo of it, mapped for CPU and function; its number in $bo
mapped() {
	ask "$1" create "$2"
	bo=$out
	ask "$1" mmap "$bo"
	ask "$1" map "$bo"
}

# master FUNCTION on|off: is bus mastering so
master() {
	local command want=0
	command=0x$(setpci -s "$1" COMMAND)
	[ "$2" = off ] || want=4
	is $((command & 4)) "$want" "bus mastering, which should be $2,"
}

# --- what is left ---

# unevictable: kB of memory that cannot be taken away, as bos are
unevictable() {
	local drain=/proc/sys/vm/compact_memory
	# What lies in lists of one CPU is not yet counted, and not in the sum
	# what one CPU has counted. Not every kernel has compaction.
	[ -e "$drain" ] || drain=/proc/sys/vm/drop_caches
	echo 1 > "$drain"
	cat /proc/sys/vm/stat_refresh > /dev/null
	awk '$1 == "Unevictable:" { print $2 }' /proc/meminfo
}

# pinned_is KB: so much more than $pinned is unevictable; pinned_now: from here
pinned_now() {
	pinned=$(unevictable)
}

_pinned() {
	[ $(($(unevictable) - pinned)) = "$1" ]
}

pinned_is() {
	within 5 _pinned "$1" ||
		fail "$(($(unevictable) - pinned)) kB are unevictable, not $1"
}

# tells FUNCTION KEY=VALUE…: FUNCTION_LIST does
tells() {
	local pair
	out=$(egpu_dma function "$1") || _differs "$1" "is $out" "expected ok"
	for pair in "${@:2}"; do
		[[ "$out " = *" $pair "* ]] ||
			_differs "function $1" "is '$out'" "expected $pair"
	done
}

# bare FUNCTION: nothing of bos is left in its ledger
bare() {
	tells "$1" bos=0 mapped=0 segments=0
}
