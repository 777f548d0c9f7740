# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=dash
# host WORD…: ask the machine's host (`host` alone lists what). Text goes to
# stdout, the exit code is the host's. One process at a time has the line; an
# answer to somebody who was killed meanwhile is skipped by its number.

host() {
	if [ "${1:-}" = wait-deleted ]; then
		_host_wait_deleted "$2" "${3:-10}"
	else
		_host_ask "$@"
	fi
}

_host_ask() (
	# The unit separator keeps words apart.
	IFS=
	read -r id < /proc/sys/kernel/random/uuid
	exec 7<>/run/host.lock || exit 1
	flock 7
	printf 'H%s\n' "$id$IFS$*" > /dev/ttyS2
	# shellcheck disable=SC3045 # bash and busybox have it
	while read -r -t 35 line < /dev/ttyS2; do
		case $line in
		"T$id$IFS"*) printf '%s\n' "${line#*"$IFS"}" ;;
		"R$id$IFS"*) exit "${line#*"$IFS"}" ;;
		esac
	done
	exit 1
)

_host_wait_deleted() {
	tries=$(($2 * 20 * ${VM_SLOW:-1}))
	until host deleted "$1"; do
		tries=$((tries - 1))
		[ "$tries" -gt 0 ] || return 1
		sleep 0.05
	done
}
