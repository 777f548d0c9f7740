# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# shellcheck disable=SC2034 # $FN and others are for the tests
# Tests of what happens to bos, on devices of egpu_sim, which make no DMA: f/p/dev
# with two functions and no driver, f/g/gpu with egpu_sim_drm as another DRM
# driver. Nothing translates for them.

# shellcheck source=selftests/dma/lib/dma.sh
. lib/dma.sh

PAGE=4096
QUICK="external_facing=1 detect_ms=0 polling_ms=0 configuration_ms=0
	speed_change_ms=0 recovery_ms=0"

load() {
	local p
	sim_load
	[ -e /sys/module/egpu ] || modprobe egpu "$@"
	wait_for 5 test -c /dev/egpu
	echo 1 > "$UNSAFE"
	[ -d "$SIM/f" ] || fabric
	for p in f/p f/g; do eg quarantine $p 0 0 > /dev/null; done
}

fabric() {
	local p
	sim_fabric f
	for p in f/p f/g; do
		# shellcheck disable=SC2086 # words
		sim_port $p $QUICK power_controller=1
	done
	# A GPU to egpu, and nobody's to drivers.
	sim_gpu f/p/dev preset=plain class=0x038000
	sim_gpu f/p/dev/function1 preset=plain
	sim_gpu f/g/gpu
	sim_live f
}

# present: the device is in its slot, with no driver; $FN, $FN1
present() {
	sim_put f/p/dev
	await f/p READY
	FN=$(sim_addr f/p/dev)
	FN1=$(sim_addr f/p/dev/function1)
}

# gpu_present: the other driver's
gpu_present() {
	sim_put f/g/gpu
	await f/g READY
	wait_for 5 sim_bound f/g/gpu
}

setup() {
	load
	present
}

teardown() {
	all_back
	if [ "$(state f/p)" = DETACHED ]; then
		sim_pull f/p/dev
		await f/p EMPTY
	fi
}

# managed NAME: a client with f/p/dev, managed
managed() {
	is_managed "$FN" || take "$FN"
	opened "$1" "$FN"
}

# user NAME UID PAGES [CAPABILITY…]: a client of that user, who has the node open
# and may have so many pages
user() {
	managed "$1"
	ask "$1" memlock $(($3 * PAGE))
	ask "$1" drop "$2" "${@:4}"
}

# room_is NAME PAGES: so many can still be charged
room_is() {
	ask "$1" room
	is "$out" "$2" "room of $1"
}

# all_gone NAME N: every ioctl of the node says so
all_gone() {
	local words
	for words in "create 4096" "mmap $2" "map $2" "unmap $2" "info $2" \
		"sync $2 cpu" "close $2" "export $2"; do
		# shellcheck disable=SC2086 # words
		refused ENODEV "$1" $words
	done
}
