# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# What the tests about room for BARs do again and again.

# layout ADDRESS…: the resources and the registers for addresses of functions
# and bridges, as a text to compare
layout() {
	local addr
	for addr; do
		echo "$addr"
		cat "$PCI/$addr/resource"
		case $(< "$PCI/$addr/class") in
		0x0604*) setpci -s "$addr" BASE_ADDRESS_0 BASE_ADDRESS_1 \
			MEMORY_BASE.l PREF_MEMORY_BASE.l 28.l 2c.l ;;
		*) setpci -s "$addr" BASE_ADDRESS_0 BASE_ADDRESS_1 \
			BASE_ADDRESS_2 BASE_ADDRESS_3 BASE_ADDRESS_4 \
			BASE_ADDRESS_5 COMMAND ;;
		esac
	done
}

# bar ADDRESS N: its start, size and flags, as numbers
bar() {
	local start end flags
	read -r start end flags < <(sed -n "$(($2 + 1))p" "$PCI/$1/resource")
	echo "$((start)) $((end ? end - start + 1 : 0)) $((flags))"
}

# in_windows ADDRESS N: its BAR has an address, and all bridges above let it pass
in_windows() {
	local start size flags addr=$1 dir
	read -r start size flags <<< "$(bar "$1" "$2")"
	[ "$start" != 0 ] || return 1
	dir=$(dirname "$(realpath "$PCI/$addr")")
	while [ -e "$dir/secondary_bus_number" ]; do
		in_registers "$(basename "$dir")" "$start" "$((start + size - 1))" ||
			{ echo "$(basename "$dir") does not pass $1 $2"; return 1; }
		dir=$(dirname "$dir")
	done
}

# in_registers BRIDGE START END: one of its two windows, as its registers say
in_registers() {
	local mem pref base_up limit_up
	mem=0x$(setpci -s "$1" MEMORY_BASE.l)
	pref=0x$(setpci -s "$1" PREF_MEMORY_BASE.l)
	base_up=0x$(setpci -s "$1" 28.l)
	limit_up=0x$(setpci -s "$1" 2c.l)
	{ [ "$2" -ge $(((mem & 0xfff0) << 16)) ] &&
		[ "$3" -le $((mem & 0xfff00000 | 0xfffff)) ]; } ||
	{ [ "$2" -ge $(((base_up << 32) + ((pref & 0xfff0) << 16))) ] &&
		[ "$3" -le $(((limit_up << 32) + (pref & 0xfff00000 | 0xfffff))) ]; }
}

# same FILE ADDRESS…: their layout is as it was
same() {
	layout "${@:2}" | diff -u "$1" - || fail "changed: ${*:2}"
}
