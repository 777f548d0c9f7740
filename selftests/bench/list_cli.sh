# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# What the tool's list costs, process and all.

# shellcheck source=selftests/bench/lib/bench.sh
. lib/bench.sh
# shellcheck source=selftests/lib/sim.sh
. "$LIB/sim.sh"

teardown() {
	egpu_unload
	sim_clear
	sim_unload
}

# index: of the names of PCI devices, as udev makes it on every Debian
index() {
	[ ! -e /etc/udev/hwdb.bin ] || return 0
	mkdir -p /etc/udev/hwdb.d
	awk '/^C / { exit }
		/^(#|$|\t\t)/ { next }
		/^\t/ { printf "\npci:v0000%sd0000%s*\n ID_MODEL_FROM_DATABASE=%s\n",
			vendor, toupper(substr($0, 2, 4)), substr($0, 8); next }
		{ vendor = toupper(substr($0, 1, 4))
		printf "\npci:v0000%s*\n ID_VENDOR_FROM_DATABASE=%s\n", vendor,
			substr($0, 7) }' \
		/usr/share/misc/pci.ids > /etc/udev/hwdb.d/20-pci.hwdb
	udevadm hwdb --update
}

# measured PORTS: beside lspci -vv of the ports and their GPUs
measured() {
	local domain list=(egpuctl list --json) lspci
	index
	bench_ports "$1"
	domain=$(sim_get f domain)
	lspci=(lspci -vv -s "$domain::")
	is "$("${list[@]}" | jq '.ports | length')" "$1" ports
	is "$("${lspci[@]}" | grep -c '^[^[:space:]]')" $((2 * $1)) devices
	pairs exec 20 "${list[@]}" -- "${lspci[@]}"
	record "list_cli/$1" us 'lspci -vv' 'simulated fabric'
	pair "$(syscalls "${list[@]}")" "$(syscalls "${lspci[@]}")"
	record "list_cli_syscalls/$1" 'system calls' 'lspci -vv' \
		'simulated fabric'
}

prove -t 120 one "1 port"
one() {
	measured 1
}

prove -t 240 many "64 ports"
many() {
	measured 64
}
