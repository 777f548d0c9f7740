#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# ktap.sh FILE: run the tests in a file and print KTAP.
#
# A test is a function that `prove NAME "what it proves"` announces. It runs
# in a subshell with set -e: a command that fails, fails the test and is told
# with its line. Before each runs the file's setup(), after each its
# teardown(), whatever came of the test. A test ends at the latest after its
# time limit (prove -t SECONDS, 30 if not said); what it left running is
# killed. In a VM a kernel splat that the test did not announce by
# `host expect REGEX` fails it.
#
# A file that announces no test prints KTAP by itself (a program's, say).
#
# TEST=GLOB,… runs only those whose name or FILE.NAME matches; those of
# `prove -l`, which take long, run only when LONG is set.
#
# Every time limit here and in tests is meant for Debian's kernels; on one that
# is slower by VM_SLOW, it is longer.

KTAP_NAMES=()
declare -A KTAP_PROVES KTAP_LIMIT

prove() {
	local limit=30
	if [ "$1" = -l ]; then
		[ -n "${LONG:-}" ] || return 0
		shift
	fi
	if [ "$1" = -t ]; then
		limit=$2
		shift 2
	fi
	KTAP_NAMES+=("$1")
	KTAP_PROVES[$1]=$2
	KTAP_LIMIT[$1]=$limit
}

# --- for use in tests ---

# fail TEXT: end the test, failed.
fail() {
	printf '%s\n' "line ${BASH_LINENO[0]}: $*"
	trap - ERR
	exit 1
}

# skip TEXT: end the test, not run; say why.
skip() {
	printf '%s\n' "$*" > "$KTAP_TMP/skip"
	trap - ERR
	exit 4
}

# is ACTUAL EXPECTED [WHAT]
is() {
	[ "$1" = "$2" ] || _differs "${3:-value}" "is '$1'" "expected '$2'"
}

# like TEXT REGEX [WHAT], unlike TEXT REGEX [WHAT]: extended expressions
like() {
	[[ $1 =~ $2 ]] || _differs "${3:-text}" "is '$1'" "expected /$2/"
}

unlike() {
	[[ ! $1 =~ $2 ]] || _differs "${3:-text}" "is '$1'" "without /$2/"
}

_differs() {
	printf '%s\n' "line ${BASH_LINENO[1]}: $1 $2, $3"
	trap - ERR
	exit 1
}

# exits STATUS CMD…: its output, both kinds, is in $out afterwards.
exits() {
	local want=$1 got=0
	shift
	out=$("$@" 2>&1) || got=$?
	[ "$got" = "$want" ] ||
		_differs "$*" "exits $got ($out)" "expected $want"
}

# now_ms: milliseconds of a clock that only goes forward.
now_ms() {
	local up
	read -r up _ < /proc/uptime
	printf '%s\n' "$((10#${up/./} * 10))"
}

# nap SECONDS: sleeps without starting a program.
nap() {
	[ -n "${KTAP_NAP:-}" ] || exec {KTAP_NAP}<> <(:)
	read -r -t "$1" -u "$KTAP_NAP" || :
}

# quick MILLISECONDS LIMIT: it took less; for what has an upper limit only
quick() {
	[ "$1" -lt $(($2 * ${VM_SLOW:-1})) ]
}

# within SECONDS CMD…: true as soon as the command is, else false. What takes long
# is asked for more rarely: each time starts programs.
within() {
	local start now ms=$((${1%.*} * 1000 * ${VM_SLOW:-1}))
	start=$(now_ms)
	shift
	until "$@" > /dev/null 2>&1; do
		now=$(($(now_ms) - start))
		[ "$now" -lt "$ms" ] || return 1
		now=$((now / 20))
		printf -v now '0.%03d' $((now < 30 ? 30 : now > 100 ? 100 : now))
		nap "$now"
	done
}

# wait_for SECONDS CMD…: like within, but the test fails when it does not.
wait_for() {
	within "$@" || {
		printf '%s\n' "line ${BASH_LINENO[0]}: waited $1 s for: ${*:2}"
		trap - ERR
		exit 1
	}
}

# not CMD…: for conditions, where ! cannot be passed along
not() {
	! "$@"
}

# --- the runner ---

_in_vm() {
	[ -e /lib/vm/host.sh ]
}

_command_failed() {
	printf '%s\n' "line $2: exit $1: $3"
}

_body() {
	set -eE
	trap '_command_failed $? $LINENO "$BASH_COMMAND"' ERR
	if declare -F setup > /dev/null; then setup; fi
	"$1"
}

# The same for what puts things back; a failure of it is the test's.
_undo() {
	set -eE
	trap '_command_failed $? $LINENO "teardown: $BASH_COMMAND"' ERR
	teardown
}

# Where every process of the test hangs, for the log.
_stuck() {
	local pid
	for pid in $(pgrep -g "$1"); do
		echo "pid $pid $(cat "/proc/$pid/comm"): in" \
			"$(head -n 8 "/proc/$pid/stack" 2> /dev/null |
			sed 's/.*\] //' | tr '\n' ' ')"
	done 2> /dev/null
}

# _timed SECONDS CMD…: in a process group of its own; output is added to
# $KTAP_TMP/out, the status is ours (99: it took too long). Never call it, or
# what calls it, in a condition or with ||: bash would then ignore set -e in
# all that it runs, and a failing command would pass. The status comes through
# a pipe, since a process in the kernel's hands cannot be waited for, and
# wait -n misses one that ended before it.
_timed() {
	local limit=$(($1 * ${VM_SLOW:-1})) pid status report
	shift
	exec {report}<> <(:)
	set -m
	( ( "$@" ); echo "$?" >&"$report" ) \
		< /dev/null >> "$KTAP_TMP/out" 2>&1 &
	pid=$!
	set +m
	if ! read -r -t "$limit" -u "$report" status; then
		status=99
		{
			echo "did not end within $limit s"
			_stuck "$pid"
		} >> "$KTAP_TMP/out"
	fi
	exec {report}>&-
	kill -KILL -- "-$pid" 2> /dev/null
	disown "$pid" 2> /dev/null
	return "$status"
}

_selected() {
	local glob globs
	[ -n "${TEST:-}" ] || return 0
	IFS=, read -r -a globs <<< "$TEST"
	for glob in "${globs[@]}"; do
		# shellcheck disable=SC2053 # a glob
		[[ $1 != $glob && $KTAP_FILE.$1 != $glob ]] || return 0
	done
	return 1
}

# shellcheck disable=SC2181 # see _timed
_one() {
	local number=$1 name=$2 status=0 start splats took result
	rm -f "$KTAP_TMP"/*
	echo "# RUN $name: ${KTAP_PROVES[$name]}"
	start=$(now_ms)
	_timed "${KTAP_LIMIT[$name]}" _body "$name"
	status=$?
	took=$(($(now_ms) - start))
	if declare -F teardown > /dev/null; then
		_timed 30 _undo
		[ $? = 0 ] || status=1
	fi
	if _in_vm; then
		splats=$(host splats) || {
			echo "kernel: $splats" >> "$KTAP_TMP/out"
			status=1
		}
		host forget
	fi
	result="ok $number $KTAP_FILE.$name"
	if [ "$status" = 4 ] && [ -e "$KTAP_TMP/skip" ]; then
		echo "$result # SKIP $(cat "$KTAP_TMP/skip")"
		return 0
	fi
	[ ! -e "$KTAP_TMP/records" ] || sed 's/^/#= /' "$KTAP_TMP/records"
	[ "$status" = 0 ] || result="not $result"
	[ "$status" = 0 ] || sed 's/^/# /' "$KTAP_TMP/out"
	printf '%s # %d.%02d s\n' "$result" $((took / 1000)) \
		$((took % 1000 / 10))
	return $((status != 0))
}

# shellcheck disable=SC2181 # see _timed
_main() {
	local name chosen=() number=0 failed=0
	KTAP_FILE=$(basename "$1" .sh)
	KTAP_TMP=$(mktemp -d)
	trap 'rm -rf "$KTAP_TMP"' EXIT
	# shellcheck source=/dev/null
	. "$1" || { echo "Bail out! $1 cannot be read"; exit 1; }
	[ "${#KTAP_NAMES[@]}" -gt 0 ] || exit 0
	for name in "${KTAP_NAMES[@]}"; do
		if _selected "$name"; then chosen+=("$name"); fi
	done
	echo "KTAP version 1"
	echo "1..${#chosen[@]}"
	for name in "${chosen[@]}"; do
		number=$((number + 1))
		_one "$number" "$name"
		[ $? = 0 ] || failed=1
	done
	exit "$failed"
}

if [ "${BASH_SOURCE[0]}" = "$0" ]; then
	cd "$(dirname "$1")" || exit
	LIB=$(dirname "$(realpath "${BASH_SOURCE[0]}")")
	export LIB
	if _in_vm; then
		# shellcheck source=selftests/lib/vm.sh
		. "$LIB/vm.sh"
	fi
	_main "$(basename "$1")"
fi
