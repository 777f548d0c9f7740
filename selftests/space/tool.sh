# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# egpuctl space on a kernel: what it tells is so, and a resizable BAR grows by the
# kernel's resourceN_resize.

# shellcheck source=selftests/space/lib/fit.sh
. lib/fit.sh

G=f/p/gpu

setup() {
	load
}

teardown() {
	sim_clear
}

# resizable SPARE: a GPU in use whose BAR of 256M could have 1G or 4G
resizable() {
	sim_fabric f prefetch_spare="$1" mem_spare=16M
	sim_port f/p external_facing=1 prefetch_window=512M
	sim_gpu $G 'bar0=256M 64 prefetch' 'rebar=0 256M 1G 4G' present=1
	sim_live f
	await f/p READY
	wait_for 10 sim_bound $G
	PORT=$(sim_addr f/p)
	GPU=$(sim_addr $G)
}

# json FILTER ARGUMENT…: what jq finds in the answer of egpuctl --json
json() {
	egpuctl --json "${@:2}" | jq -er "$1"
}

# has SIZE: of BAR 0, which is reached, and its driver has it
has() {
	is "$(bar "$GPU" 0 | cut -d' ' -f2)" "$1"
	in_windows "$GPU" 0
	is "$(get f/p state)" READY
	wait_for 5 sim_bound $G
}

prove tells "space tells windows, sizes of a resizable BAR, and what would fit"
tells() {
	resizable 2G
	exits 0 egpuctl space "$PORT"
	like "$out" "$PORT  *32-bit memory"
	like "$out" "$GPU BAR 0  256 MiB, resizable: 256M 1G 4G; 1 GiB fits"
	like "$out" "$GPU BAR 0, 4 GiB: the root bus has no room"
	is "$(json '.ports[] | select(.address == "'"$PORT"'") |
		[(.bars[0] | .size, .best, .sizes[]), .bridges[-1].address,
		.obstacles[0].fits] | map(tostring) | join(" ")' space "$PORT")" \
		"$((256 << 20)) $((1 << 30)) $((256 << 20)) $((1 << 30)) $((4 << 30)) $PORT root"
	exits 0 egpuctl space
}

prove grows "space --grow makes it as large as it fits, --grow SIZE as large as asked"
grows() {
	resizable 2G
	exits 0 egpuctl space "$PORT" --grow
	has $((1 << 30))
	exits 0 egpuctl space "$PORT" --grow
	like "$out" "4 GiB do not fit"
	exits 0 egpuctl space "$PORT" --grow=256M
	has $((256 << 20))
}

prove no_room "no room for the size asked for: said at once, and nothing is changed"
no_room() {
	resizable 0
	exits 10 egpuctl space "$PORT" --grow=4G
	like "$out" "4 GiB do not fit"
	has $((256 << 20))
}
