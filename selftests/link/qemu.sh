# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# The links of QEMU's root ports are what lspci says.

# shellcheck source=selftests/link/lib/links.sh
. lib/links.sh

setup() {
	egpu_load
	track rp0
	track rp1
}

prove empty_port "an empty root port"
empty_port() {
	local port cap
	port=$(port_addr rp1)
	look "$port"
	hop 0 partner=null speed_gts=null width=null
	cap=$(lspci_links | awk -v a="$port" '$1 == a { print $4, $5 }')
	is "${HOP[0.max_speed_gts]} ${HOP[0.max_width]}" "$cap"
}

prove with_device "a root port with a device: both ends"
with_device() {
	local port dev
	plug gpu0 rp0 bochs-display
	wait_bound rp0
	port=$(port_addr rp0) dev=$(gpu rp0)
	egpuctl wait "$port" --for ready --timeout 10
	rested
	egpuctl link "$port" --json > "$KTAP_TMP/link"
	is "$(jq -r "$LINKS_OF" "$KTAP_TMP/link")" "$(lspci_links |
		awk -v p="$port" -v d="$dev" '
			$1 == p { a = $0 }
			$1 == d { b = $1 " " $4 " " $5 }
			END { print a, b }')"
}
