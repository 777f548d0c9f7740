# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# A function with an Enhanced Allocation capability (PCIe 6.0.1 section 7.8.5):
# its BAR lies at an address that nobody can change.

# ea_fixed PATH START SIZE DUMP: from the next plug on; DUMP is what its config
# said without that
ea_fixed() {
	local -a b ea
	local i start=$2 last=$((($3 - 1) & ~3))
	read -ra b < <(sed -n 's/^[0-9a-f]\+: //p' <<< "$4" |
		tr '\n' ' ') || :
	# One entry of three words: BAR 0, memory, enabled.
	ea=(14 "${b[0x34]}" 01 00 02 00 ff 80)
	for i in 0 8 16 24; do ea+=("$(printf %02x $((start >> i & 255)))"); done
	for i in 0 8 16 24; do ea+=("$(printf %02x $((last >> i & 255)))"); done
	b[0x34]=e0
	for i in "${!ea[@]}"; do b[0xe0 + i]=${ea[i]}; done
	for ((i = 0; i < 256; i += 16)); do
		printf '%02x: %s\n' "$i" "${b[*]:i:16}"
	done > "$SIM/$1/config"
	is "$(sim_get "$1" config_error)" ""
}
