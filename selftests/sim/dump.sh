# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# A reporter's device, from a dump of lspci -vvxxxx (gpu.lspci).

# shellcheck source=selftests/lib/sim.sh
. "$LIB/sim.sh"

DUMP=$PWD/gpu.lspci

setup() {
	sim_load
	sim_fabric f
	sim_port f/p mem_window=2M max_width=16
	mkdir "$SIM/f/p/d"
}

teardown() {
	sim_clear
}

# load: write what is read from stdin; configfs tells nobody what came of it
load() {
	cat > "$KTAP_TMP/dump"
	dd if="$KTAP_TMP/dump" of="$SIM/f/p/d/config" bs=64K 2> /dev/null || :
}

# hex: the lines with registers
hex() {
	grep -E '^[0-9a-f]{2,3}: '
}

prove same "what was loaded is what is read"
same() {
	load < "$DUMP"
	is "$(sim_get f/p/d config_error)" ""
	hex < "$DUMP" > "$KTAP_TMP/in"
	hex < "$SIM/f/p/d/config" > "$KTAP_TMP/out"
	cmp "$KTAP_TMP/in" "$KTAP_TMP/out"
	is "$(sim_get f/p/d vendor) $(sim_get f/p/d device)" "0x1002 0x731f"
	is "$(sim_get f/p/d class) $(sim_get f/p/d revision)" "0x030000 0xc1"
	is "$(sim_get f/p/d bar0)" "256M 64 prefetch"
	is "$(sim_get f/p/d bar2)" "2M 64 prefetch"
	is "$(sim_get f/p/d bar4)" "256 io"
	is "$(sim_get f/p/d bar5)" 512K
	is "$(sim_get f/p/d rom)" 128K
}

# capabilities FILE…: what lspci calls them
capabilities() {
	lspci "$@" -vv | sed -n 's/^[[:space:]]*\(Capabilities: .*\)/\1/p' |
		sed 's/MSI: Enable./MSI:/'
}

prove plugged "plugged in, lspci shows the reporter's capabilities and regions"
plugged() {
	load < "$DUMP"
	sim_live f
	sim_plug f/p/d
	grep -v '^[#[:space:]]' "$DUMP" > "$KTAP_TMP/file"
	capabilities -F "$KTAP_TMP/file" > "$KTAP_TMP/in"
	capabilities -s "$(sim_addr f/p/d)" > "$KTAP_TMP/out"
	is "$(< "$KTAP_TMP/out")" "$(< "$KTAP_TMP/in")"
	sim_expect f/p/d lspci:"Region 0:" "Memory at * (64-bit, prefetchable)*256M]"
	sim_expect f/p/d lspci:"Region 2:" "Memory at * (64-bit, prefetchable)*2M]"
	sim_expect f/p/d lspci:"Region 5:" "Memory at * (32-bit, non-prefetchable)*512K]"
	sim_expect f/p/d pci:current_link_speed "16.0 GT/s PCIe"
	sim_expect f/p/d pci:current_link_width 16
}

prove again "a dump of a plugged device, loaded into another, gives the same again"
again() {
	local first
	load < "$DUMP"
	sim_live f
	sim_plug f/p/d
	lspci -vvxxxx -s "$(sim_addr f/p/d)" > "$KTAP_TMP/second"
	first=$(capabilities -s "$(sim_addr f/p/d)")
	sim_yank f/p/d
	load < "$KTAP_TMP/second"
	is "$(sim_get f/p/d config_error)" ""
	sim_plug f/p/d
	is "$(capabilities -s "$(sim_addr f/p/d)")" "$first"
	is "$(sim_get f/p/d bar0)" "256M 64 prefetch"
}

prove short "a dump of the first 64 or 256 bytes will do"
short() {
	local n
	for n in 4 16; do
		hex < "$DUMP" | head -n $n | load
		is "$(sim_get f/p/d config_error)" "" "$n lines"
	done
	sim_live f
	sim_plug f/p/d
	sim_expect f/p/d pci:device 0x731f
}

# refused WHY: a dump that is no good changes nothing
refused() {
	local before
	before=$(hex < "$SIM/f/p/d/config" | head -n 4)
	load
	like "$(sim_get f/p/d config_error)" "$1"
	is "$(hex < "$SIM/f/p/d/config" | head -n 4)" "$before"
}

prove bad "a dump that is wrong is refused, says why, and changes nothing"
bad() {
	load < "$DUMP"
	hex < "$DUMP" | sed 's/^40: .*/40: zz/' | refused "line 5: not 16 bytes"
	hex < "$DUMP" | sed '5d' | refused "line 5: not the offset"
	hex < "$DUMP" | head -n 5 | refused "80 bytes where"
	{ hex < "$DUMP"; hex < "$DUMP"; } | refused "second function"
	hex < "$DUMP" | awk 'NR == 1 { $16 = "01" } 1' | refused "header type 1"
	sed 's/size=2M/size=3M/' "$DUMP" | refused "region 2: .*power of two"
	sed 's/Region 2/Region 1/' "$DUMP" | refused "region [01]: "
	head -c 300 /dev/zero | refused "not a text"
	is "$(sim_get f/p/d device)" 0x731f
}

prove in_slot "while the device is in its slot, no dump is taken"
in_slot() {
	sim_live f
	sim_plug f/p/d
	load < "$DUMP"
	like "$(sim_get f/p/d config_error)" "in its slot"
	sim_expect f/p/d pci:device 0xe602
	hex < "$SIM/f/p/d/config" | head -n 1 > "$KTAP_TMP/out"
	like "$(< "$KTAP_TMP/out")" "^00: 34 12 02 e6"
}

prove preset "a preset, or an empty dump, takes it away again"
preset() {
	load < "$DUMP"
	sim_set f/p/d preset plain
	is "$(hex < "$SIM/f/p/d/config" || :)" ""
	is "$(sim_get f/p/d bar0)" 64K
	load < "$DUMP"
	echo | load
	is "$(hex < "$SIM/f/p/d/config" || :)" ""
}

prove poke "registers can be changed behind the kernel's back, until a reset"
poke() {
	exits 1 sim_set f/p/d poke "0x2c 2 0xabcd"
	like "$out" "not connected"
	sim_live f
	sim_plug f/p/d
	sim_set f/p/d poke "0x2c 2 0xabcd"
	is "$(sim_reg f/p/d SUBSYSTEM_VENDOR_ID)" abcd
	for p in "0x2c 3 1" "0x2d 2 1" "0x1000 1 1" "0 1 256" "0 2" "x 1 1"; do
		exits 1 sim_set f/p/d poke "$p"
		like "$out" "Invalid argument" "$p"
	done
	sim_yank f/p/d
	sim_plug f/p/d
	is "$(sim_reg f/p/d SUBSYSTEM_VENDOR_ID)" 1234
}
