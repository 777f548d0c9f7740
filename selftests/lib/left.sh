# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# For tests that do a thing very often: . "$LIB/left.sh". A calm machine, what a
# test has to say when it passes, too, and what is left afterwards.

SLAB=/sys/kernel/slab
TRACE=/sys/kernel/tracing

# calm: nobody but the kernel looks at what arrives, and it tells only what is a
# warning at least: udev and the console would be most of a sweep's time
calm() {
	dmesg -n 5
	udevadm settle --timeout=10
	udevadm control --exit 2> /dev/null || :
	wait_for 5 not pgrep -x udevd
	wait_for 5 not pgrep -x systemd-udevd
}

# tell TEXT: into the log of a test that passes, too
tell() {
	local line
	while IFS= read -r line; do
		echo "# $line" > /dev/ttyS1
	done <<< "$*"
}

# seed: a number that is another with each build of the modules
seed() {
	local sum
	sum=$(find "/lib/modules/$(uname -r)/" -name 'egpu*.ko*' -print0 |
		sort -z | xargs -0 md5sum | cut -c 1-8 | md5sum)
	echo "0x${sum:0:8}"
}

# said CMD…: run it, tell what it says; its words are in $out
said() {
	local got=0
	out=$("$@" 2>&1) || got=$?
	tell "$out"
	[ "$got" = 0 ] || {
		dmesg | tail -n 400 > /dev/ttyS0
		fail "$1 exits $got: $out"
	}
}

# --- what is left ---

# objects CACHE: how many are in use
objects() {
	local n
	echo 1 > "$SLAB/$1/shrink"
	read -r n _ < "$SLAB/$1/objects"
	echo "$n"
}

# memory: bytes in use in kmalloc's caches
memory() {
	local c sum=0
	for c in "$SLAB"/kmalloc-*; do
		sum=$((sum + $(objects "${c##*/}") * $(< "$c/object_size")))
	done
	echo "$sum"
}

# count_begin: from now on PCI devices and buses made and released are counted
count_begin() {
	{
		echo 'p:dev_made pci_device_add'
		echo 'p:dev_released pci_release_dev'
	} > "$TRACE/kprobe_events"
	echo 1 > "$TRACE/events/kprobes/enable"
}

counted_calls() {
	awk -v e="$1" '$1 == e { print $2 }' "$TRACE/kprobe_profile"
}

count_end() {
	local made released
	wait_for 5 _all_released
	made=$(counted_calls dev_made)
	released=$(counted_calls dev_released)
	echo 0 > "$TRACE/events/kprobes/enable"
	echo > "$TRACE/kprobe_events"
	tell "pci_dev made $made, released $released"
	is "$made" "$released" "pci_dev made and released"
}

_all_released() {
	[ "$(counted_calls dev_made)" = "$(counted_calls dev_released)" ]
}

# nothing_left: egpu has no functions, and nobody waits in the kernel
nothing_left() {
	local stuck
	is "$(objects egpu_function)" 0 "functions left in egpu"
	# shellcheck disable=SC2009 # pgrep knows no states' kernel functions
	stuck=$(ps -eo stat,pid,comm,wchan | grep '^D' || :)
	is "$stuck" "" "blocked tasks"
}
