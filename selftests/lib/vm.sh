# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# What tests in a VM do again and again. A port is rp0, rp1, …, as QEMU calls
# it; a function its PCI address; an egpu port its id.

# shellcheck source=tools/vm/guest/host.sh
. /lib/vm/host.sh

PCI=/sys/bus/pci/devices

# port_addr rpN: the root port's PCI address
port_addr() {
	local d n=0 want=${1#rp}
	for d in "$PCI"/0000:00:*; do
		case $(cat "$d/class") in
		0x0604*)
			[ "$n" != "$want" ] || { basename "$d"; return; }
			n=$((n + 1)) ;;
		esac
	done
	return 1
}

# functions rpN: the PCI addresses below a port, one a line
functions() {
	local d port
	port=$(port_addr "$1") || return 1
	for d in "$PCI/$port"/0000:*:*.*; do
		[ ! -e "$d/class" ] || basename "$d"
	done
}

# gpu rpN: the first display function below a port; false when there is none
gpu() {
	local f
	for f in $(functions "$1"); do
		case $(cat "$PCI/$f/class" 2> /dev/null) in
		0x03*) echo "$f"; return ;;
		esac
	done
	return 1
}

# driver_of FUNCTION: its driver's name, empty when it has none
driver_of() {
	basename "$(readlink "$PCI/$1/driver" || :)"
}

is_bound() {
	local f
	f=$(gpu "$1") && [ "$(driver_of "$f")" = "${2:-bochs-drm}" ]
}

is_empty() {
	[ -z "$(functions "$1")" ]
}

# wait_bound rpN [DRIVER [SECONDS]], wait_empty rpN [SECONDS]
wait_bound() {
	wait_for "${3:-10}" is_bound "$1" "${2:-bochs-drm}"
}

wait_empty() {
	wait_for "${2:-10}" is_empty "$1"
}

# node FUNCTION [card|renderD|controlD]: its DRM node's path
node() {
	local d
	for d in "$PCI/$1/drm/${2:-card}"*; do
		[ -e "$d" ] && echo "/dev/dri/$(basename "$d")" && return
	done
	return 1
}

# plug ID [rpN [DEVICE [KEY=VALUE…]]]: put a device in; does not wait
plug() {
	local id=$1 port=${2:-rp0} device=${3:-secondary-vga}
	shift $(($# < 3 ? $# : 3))
	host plug "$id" --port "$port" --device "$device" "$@"
}

# plug_gpu ID [rpN]: plug and wait until its stock driver has it
plug_gpu() {
	plug "$1" "${2:-rp0}"
	wait_bound "${2:-rp0}"
}

# slot_of rpN: the kernel's slot folder of a port
slot_of() {
	local port s bus
	port=$(port_addr "$1") || return 1
	bus=$(printf '%02x' "$(cat "$PCI/$port/secondary_bus_number")")
	for s in /sys/bus/pci/slots/*; do
		case $(cat "$s/address" 2> /dev/null) in
		0000:"$bus":*) echo "$s"; return ;;
		esac
	done
	return 1
}

# slot_power rpN 0|1: what an administrator does by hand
slot_power() {
	echo "$2" > "$(slot_of "$1")/power"
}

# pull ID [rpN]: take a device out by the slot's power, in a second instead of
# device_del's five; true when it is gone for both guest and host. QEMU sees
# to the unplug by itself, but for a slot whose power was off already.
pull() {
	local port=${2:-rp0}
	if host deleted "$1"; then return 0; fi
	if [ "$(cat "$(slot_of "$port")/power")" = 1 ]; then
		slot_power "$port" 0 || return
		wait_empty "$port"
	fi
	host wait-deleted "$1" 2 && return
	host unplug "$1" && host wait-deleted "$1" 10
}

# hold NODE…: a process that has these open; its pid in $holder
hold() {
	local n fd
	# shellcheck disable=SC2034,SC2093
	( for n; do exec {fd}<> "$n"; done; exec sleep 1000 ) &
	holder=$!
	wait_for 5 _holds "$holder" "$@"
}

_holds() {
	local pid=$1 n
	shift
	[ "$(cat "/proc/$pid/comm")" = sleep ] || return 1
	for n; do
		# shellcheck disable=SC2010
		ls -l "/proc/$pid/fd" | grep -q -- "-> $n\$" || return 1
	done
}

# draws ID rpN: does the GPU still draw? Looks at what QEMU's display of this
# device shows while modetest fills it, first with one colour, then with bars.
draws() {
	_shows "$1" "$2" plain 1 2 && _shows "$1" "$2" smpte 6 99
}

_shows() {
	local connector picture=0 tool
	connector=$(_modetest "$2" -c | awk '$3 == "connected" { print $1; exit }')
	# It draws until its input ends.
	mkfifo /tmp/modetest.$$
	_modetest "$2" -s "$connector:640x480" -F "$3" < /tmp/modetest.$$ &
	tool=$!
	exec {picture}> /tmp/modetest.$$
	rm /tmp/modetest.$$
	within 4 _colours "$1" "$4" "$5"
	local status=$?
	exec {picture}>&-
	wait "$tool"
	return "$status"
}

_modetest() {
	modetest -M "$(driver_of "$(gpu "$1")")" -D "pci:$(gpu "$1")" "${@:2}" \
		2> /dev/null
}

_colours() {
	local size count
	read -r size count <<< "$(host screen "$1")"
	[ -n "$size" ] && [ "$count" -ge "$2" ] && [ "$count" -le "$3" ]
}

# dmesg_mark, dmesg_since: what the kernel said since the mark
dmesg_mark() {
	KTAP_MARK=mark-$RANDOM$RANDOM
	echo "$KTAP_MARK" > /dev/kmsg
}

dmesg_since() {
	dmesg | sed "1,/$KTAP_MARK/d"
}

# --- egpu ---

# egpu_load [PARAM=VALUE…], egpu_unload
egpu_load() {
	[ -e /sys/module/egpu ] || modprobe egpu "$@"
	wait_for 5 test -c /dev/egpu
}

egpu_unload() {
	[ ! -e /sys/module/egpu ] || rmmod egpu
}

# egpu_port rpN: the id that egpu knows the port by
egpu_port() {
	local addr
	addr=$(port_addr "$1") || return 1
	egpuctl list --all --json | jq -e --arg a "$addr" \
		'.ports[] | select(.address == $a) | .id'
}

# egpu_field rpN KEY: one key of a port in `egpuctl list --all --json`
egpu_field() {
	local addr
	addr=$(port_addr "$1") || return 1
	egpuctl list --all --json | jq -r --arg a "$addr" --arg k "$2" \
		'.ports[] | select(.address == $a) | .[$k]'
}

# egpu_state rpN; is_state rpN STATE; wait_state rpN STATE [SECONDS]
egpu_state() {
	egpu_field "$1" state
}

is_state() {
	[ "$(egpu_state "$1")" = "$2" ]
}

wait_state() {
	within "${3:-10}" is_state "$1" "$2" ||
		fail "$1 is $(egpu_state "$1"), not $2 within ${3:-10} s"
}

# track rpN: put a port into egpu's care
track() {
	egpuctl track "$(port_addr "$1")"
}
