# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# What the tests of soft slots do again and again. A port is named as in sim.sh:
# f/p, its GPU f/p/gpu.

# shellcheck source=selftests/surprise/lib/surprise.sh
. ../surprise/lib/surprise.sh

# How often the link is looked at in most tests
WATCH=50
SLOTS=/sys/bus/pci/slots

# port PATH [ATTRIBUTE…]: a port without hotplug capability, and a GPU for it
port() {
	sim_port "$1" hotplug=none detect_ms=0 polling_ms=0 \
		configuration_ms=0 speed_change_ms=0 recovery_ms=0 "${@:2}"
	sim_gpu "$1/gpu"
}

# soft PORT [MS]: track it so, and wait until it is
soft() {
	eg soft "$1" "${2:-$WATCH}"
	is_soft "$1"
}

# is_soft PORT, not_soft PORT
is_soft() {
	wait_for 5 has "$1" backend soft
	is "$(get "$1" soft)" 1
}

not_soft() {
	wait_for 5 not has "$1" backend soft
}

# has PORT KEY VALUE: info says so
has() {
	[ "$(get "$1" "$2")" = "$3" ]
}

# one [ATTRIBUTE…]: a live fabric with the soft port f/p, and nothing in it
one() {
	sim_fabric f
	port f/p "$@"
	sim_live f
	soft f/p
	await f/p EMPTY
}

# ready_one [ATTRIBUTE…]: the same, and f/p/gpu is READY; far from quarantine
ready_one() {
	one "$@"
	eg quarantine f/p 0 0
	sim_plug f/p/gpu
	await f/p READY
}

# again PORT: what was detached or taken out comes back by itself
again() {
	sim_put "$1/gpu"
	await "$1" READY
	wait_for 5 sim_bound "$1/gpu"
}

# disabled PORT: Link Disable of a port: 0 or 16
disabled() {
	echo $((0x$(sim_reg "$1" CAP_EXP+10.w) & 0x10))
}

# folder PORT: of its slot below $SLOTS
folder() {
	local name
	name=$(get "$1" slot)
	[ -n "$name" ] && echo "$SLOTS/$name"
}

# intervals N [MS]: sleep so many
intervals() {
	local ms=$(($1 * ${2:-$WATCH}))
	nap "$((ms / 1000)).$(printf '%03d' $((ms % 1000)))"
}

# hangs WORD [PORT]: the driver hangs there
hangs() {
	case " $(sim_get "${2:-f/p}/gpu/driver" hanging) " in
	*" $1 "*) ;;
	*) return 1 ;;
	esac
}

# lose PORT GPU: its driver is unbound while it reads all ones: LOST, and there
lose() {
	local gpu
	gpu=$(sim_addr "$2")
	listen "$1"
	sim_set "$1/fault" kind=ones scope=below count=0 at=1 armed=1
	echo "$gpu" > "$PCI/$gpu/driver/unbind"
	heard " state [A-Z]*>LOST"
	sim_set "$1/fault" armed=0
}

# clear: all fabrics go, and nobody waits for anything
clear() {
	users_kill
	sim_free
	sim_clear
}
