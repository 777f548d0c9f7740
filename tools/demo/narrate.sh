# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# A demo that is checked: it says what it is about to do, shows the command
# and its output, and ends, failed, at the first step that does something else.

STEP=0
BOLD='' PLAIN=''
[ "${1:-}" != colour ] || BOLD=$'\e[1m' PLAIN=$'\e[0m'

# say TEXT: the next step
say() {
	STEP=$((STEP + 1))
	printf '\n%s%d. %s%s\n' "$BOLD" "$STEP" "$*" "$PLAIN"
}

# run CMD…: show it and what it prints; status in $rc, output in $out
run() {
	printf '   $ %s\n' "$*"
	rc=0
	out=$("$@" 2>&1) || rc=$?
	[ -z "$out" ] || printf '%s\n' "$out" | sed 's/^/   /'
}

# start CMD…: the same without waiting for its end; `finish` does that
start() {
	printf '   $ %s &\n' "$*"
	"$@" > /tmp/started 2>&1 &
	started=$!
}

finish() {
	rc=0
	wait "$started" || rc=$?
	out=$(cat /tmp/started)
	[ -z "$out" ] || printf '%s\n' "$out" | sed 's/^/   /'
}

# must exit N | must show REGEX | must CMD…: or the demo has failed
must() {
	case $1 in
	exit) [ "$rc" = "$2" ] || _failed "exit $rc, not $2" ;;
	show) [[ $out =~ $2 ]] || _failed "it does not show \"$2\"" ;;
	*) "$@" > /dev/null || _failed "not true: $*" ;;
	esac
}

# soon SECONDS CMD…: it must become true
soon() {
	within "$@" || _failed "not within $1 s: ${*:2}"
}

_failed() {
	printf '\n%sDEMO FAILED at step %d: %s%s\n' "$BOLD" "$STEP" "$*" \
		"$PLAIN"
	exit 1
}
