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

# measured PORTS: beside lspci -vv of the ports and their GPUs
measured() {
	local domain list=(egpuctl list --json) lspci
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
