# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# Functions that are managed, given back, detached and pulled while their bos are
# in use. In egpu_sim.

# shellcheck source=selftests/dma/lib/plain.sh
. lib/plain.sh

# in_use: $bo of client a is mapped for all, the next one is not touched yet, and
# the one after that is mapped for the function only; 8 pages each
in_use() {
	managed a
	pinned_now
	mapped a $((8 * PAGE))
	ask a fill "$bo" 0x5a
	ask a create $((8 * PAGE))
	ask a mmap "$out"
	ask a create $((8 * PAGE))
	ask a map "$out"
	pinned_is 96
	tells "$FN" bos=$((24 * PAGE)) mapped=$((16 * PAGE)) master=1
}

# outlived: its memory is still there, as it was, or never was touched
outlived() {
	all_gone a "$bo"
	ask a same "$bo" 0x5a
	ask a fill "$bo" 0x33
	ask a same "$bo" 0x33
	ask a same $((bo + 1)) 0
	ask a fill $((bo + 1)) 0x44
	ask a same $((bo + 1)) 0x44
	# Handles keep it, which go with the file.
	ask a munmap "$bo"
	ask a munmap $((bo + 1))
	pinned_is 96
	bye a
	pinned_is 0
}

prove ledger "FUNCTION_LIST counts what is there and what is mapped, to the byte"
ledger() {
	managed a
	tells "$FN" managed=1 bos=0 mapped=0 segments=0 iommu=none bits=64
	ask a create 1
	ask a create $((5 * PAGE))
	tells "$FN" bos=$((6 * PAGE)) mapped=0 segments=0 master=0
	ask a map 0
	tells "$FN" bos=$((6 * PAGE)) mapped=$PAGE segments=1 master=1
	ask a map 1
	local segments=$((out + 1))
	tells "$FN" mapped=$((6 * PAGE)) segments=$segments
	ask a map 1
	tells "$FN" mapped=$((6 * PAGE)) segments=$segments
	ask a unmap 0
	tells "$FN" mapped=$((5 * PAGE)) segments=$((segments - 1)) master=1
	ask a unmap 0
	ask a close 1
	tells "$FN" bos=$PAGE mapped=0 segments=0 master=0
	shot a
	bare "$FN"
}

prove returned "given back: ENODEV, mappings stay, nothing else does"
returned() {
	in_use
	give_back "$FN"
	tells "$FN" managed=0 bos=0 mapped=0 segments=0 master=0
	outlived
}

prove detached "detached: refused while it is in use, by force nothing is left"
detached() {
	in_use
	exits 1 eg detach f/p
	like "$out" "^EBUSY"
	ask a same "$bo" 0x5a
	out=$(eg detach f/p -f)
	like "$out" "^OK DETACHED"
	outlived
}

prove pulled "pulled: ENODEV, mappings stay, nothing else does"
pulled() {
	in_use
	sim_pull f/p/dev
	await f/p EMPTY
	outlived
}

prove pulled_and_back "what comes after a pull is not managed, and is another node"
pulled_and_back() {
	in_use
	sim_yank f/p/dev
	present
	tells "$FN" managed=0
	client c
	refused ENOENT c open "$FN"
	take "$FN"
	opened b "$FN"
	mapped b $PAGE
	all_gone a 0
}

prove opens "nobody opens what is gone, and no bo can be mapped anew"
opens() {
	local node
	managed a
	mapped a $PAGE
	node=$(echo "$PCI/$FN"/drm/renderD*)
	node=/dev/dri/${node##*/}
	exec {file}<> "$node"
	sim_yank f/p/dev
	if [ -e "$node" ]; then
		exits 1 eval 'exec {file}<> "$node"'
	fi
	exec {file}>&-
	refused ENODEV a mmap 0
}

prove many_files "three processes, fork and a passed file: all get ENODEV, none dies"
many_files() {
	local child
	managed a
	mapped a $PAGE
	ask a fork
	child=$out
	client b
	begin b take "$KTAP_TMP/socket" node
	wait_for 5 test -S "$KTAP_TMP/socket"
	ask a give "$KTAP_TMP/socket" node
	answered b
	managed c
	mapped c $PAGE
	bye a
	tells "$FN" bos=$((2 * PAGE)) mapped=$((2 * PAGE))
	sim_yank f/p/dev
	refused ENODEV b create $PAGE
	refused ENODEV c info 0
	ask c fill 0 1
	kill -0 "$child"
	kill "$child"
}

prove fork_keeps "a child keeps what its parent mapped, and takes it along"
fork_keeps() {
	managed a
	local child
	mapped a $PAGE
	ask a fork
	child=$out
	shot a
	tells "$FN" bos=$PAGE mapped=$PAGE master=1
	kill -KILL "$child"
	wait_for 5 not kill -0 "$child"
	bare "$FN"
	master "$FN" off
}

prove forget "a port is not forgotten while a function is managed"
forget() {
	take "$FN"
	exits 1 eg forget f/p
	like "$out" "EBUSY"
	give_back "$FN"
	eg forget f/p
	eg track f/p
}

prove taken "a function that has a driver, or is managed, cannot be taken"
taken() {
	gpu_present
	take_fails EBUSY "$(sim_addr f/g/gpu)"
	is "$(sim_driver f/g/gpu)" egpu_sim_drm
	take "$FN"
	take_fails EBUSY "$FN"
	give_back "$FN"
	if out=$(egpu_dma manage "$FN" return); then fail "given back twice"; fi
	is "$out" ENODEV
}

prove users_override "an override that is a user's is left alone"
users_override() {
	echo nobody > "$PCI/$FN/driver_override"
	take_fails EBUSY "$FN"
	is "$(cat "$PCI/$FN/driver_override")" nobody
	echo > "$PCI/$FN/driver_override"
	take "$FN"
}

prove by_hand "nobody gets egpu's driver by an override that is written by hand"
by_hand() {
	echo egpu-dma > "$PCI/$FN/driver_override"
	echo "$FN" > /sys/bus/pci/drivers_probe || :
	not is_managed "$FN"
	echo > "$PCI/$FN/driver_override"
}

prove unbound "unbound by sysfs: the same as given back, and the port goes on"
unbound() {
	in_use
	echo "$FN" > "$DRIVER/unbind"
	tells "$FN" managed=0 bos=0 mapped=0
	outlived
	echo > "$PCI/$FN/driver_override"
	sim_yank f/p/dev
}

prove several "functions are managed apart: what one loses the other keeps"
several() {
	managed a
	mapped a $PAGE
	take "$FN1" 32
	opened b "$FN1"
	mapped b $PAGE
	tells "$FN1" bits=32 bos=$PAGE
	give_back "$FN"
	refused ENODEV a info 0
	info_is b 0 flags=$MAPPED
	tells "$FN1" mapped=$PAGE master=1
	sim_yank f/p/dev
	refused ENODEV b info 0
}

prove unload "unloading gives a function back to its driver; an open file forbids it"
unload() {
	local gpu
	eg policy f/g manual
	sim_yank f/g/gpu
	sim_put f/g/gpu
	await f/g HELD/manual
	gpu=$(sim_addr f/g/gpu)
	take "$gpu"
	is "$(driver_of "$gpu")" egpu-dma
	opened a "$gpu"
	exits 1 rmmod egpu
	ask a create $PAGE
	ask a export 0
	ask a close 0
	ask a shut
	exits 1 rmmod egpu
	like "$out" "in use"
	bye a
	udevadm settle --timeout=5
	rmmod egpu
	wait_for 5 sim_bound f/g/gpu
	load
	present
}

prove held "what the gate holds can be taken; an attach leaves it, giving it back binds"
held() {
	local gpu
	eg policy f/g manual
	sim_yank f/g/gpu
	sim_put f/g/gpu
	await f/g HELD/manual
	gpu=$(sim_addr f/g/gpu)
	take "$gpu"
	await f/g HELD,READY
	eg attach f/g > /dev/null || :
	is "$(driver_of "$gpu")" egpu-dma
	give_back "$gpu"
	eg policy f/g auto
	sim_yank f/g/gpu
	gpu_present
}

prove frozen "suspend: mappings and memory are as before"
frozen() {
	grep -q freezer /sys/power/pm_test || skip "no pm_test in this kernel"
	in_use
	echo 0 > /sys/module/suspend/parameters/pm_test_delay
	echo freezer > /sys/power/pm_test
	echo freeze > /sys/power/state
	echo none > /sys/power/pm_test
	info_is a "$bo" flags=$MAPPED
	ask a same "$bo" 0x5a
	master "$FN" on
}

prove -t 120 sizes "bos from a page to most of memory, mapped, written, given back"
sizes() {
	local size free
	managed a
	free=$(awk '$1 == "MemAvailable:" { print $2 }' /proc/meminfo)
	for size in 1 2 511 512 513 16384 $((free * 3 / 20)); do
		mapped a $((size * PAGE))
		ask a fill "$bo" 0x5a 0 64
		ask a fill "$bo" 0x77 $((size * PAGE - 64)) 64
		info_is a "$bo" size=$((size * PAGE)) flags=$MAPPED
		tells "$FN" mapped=$((size * PAGE))
		ask a munmap "$bo"
		ask a close "$bo"
		bare "$FN"
	done
}
