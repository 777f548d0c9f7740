# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# vm: own-boot --append "memmap=64M%0x18000000-1 iomem=relaxed"
# Fabrics with RAM behind their windows of 32-bit memory.

# shellcheck source=selftests/lib/sim.sh
. "$LIB/sim.sh"

setup() {
	sim_load window=64M@0x18000000
}

teardown() {
	sim_clear
}

# bar PATH: BAR 0's address
bar() {
	local start
	read -r start _ < "$PCI/$(sim_addr "$1")/resource"
	echo "$start"
}

prove reads_back "what is written to a BAR reads back, at both of its ends"
reads_back() {
	sim_fabric f ram=1
	sim_port f/p mem_window=16M
	sim_gpu f/p/d preset=plain bar0=1M
	sim_live f
	sim_plug f/p/d
	sim_reg f/p/d COMMAND=2:2
	devmem "$(bar f/p/d)" 32 0x12345678
	devmem $(($(bar f/p/d) + 0xffffc)) 32 0x9abcdef0
	is "$(devmem "$(bar f/p/d)")" 0x12345678
	is "$(devmem $(($(bar f/p/d) + 0xffffc)))" 0x9ABCDEF0
}

prove two "two fabrics share it, and ENOSPC when it is used up"
two() {
	sim_fabric f ram=1
	sim_fabric g ram=1
	sim_fabric h ram=1
	sim_port f/p mem_window=32M
	sim_port g/p mem_window=16M
	sim_port h/p mem_window=32M
	sim_live f g
	exits 1 sim_set h live 1
	like "$out" "No space left"
	sim_dead f
	sim_live h
}

prove driver "the GPU's driver works with its registers behind"
driver() {
	sim_fabric f ram=1
	sim_port f/p mem_window=4M
	sim_gpu f/p/gpu
	sim_live f
	sim_plug f/p/gpu
	sim_yank f/p/gpu
	sim_plug f/p/gpu
}
