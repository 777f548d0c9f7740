# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# What tests of egpu.ko on the simulated fabric do again and again. A port is
# named as in sim.sh: f/p, its GPU f/p/gpu.

# shellcheck source=selftests/lib/sim.sh
. "$LIB/sim.sh"
# shellcheck source=selftests/lib/test_drv.sh
. "$LIB/test_drv.sh"

SLAB=/sys/kernel/slab
TRACE=/sys/kernel/tracing

# load [PARAM=VALUE…]: the fabric, its driver, egpu
load() {
	sim_load
	[ -e /sys/module/egpu ] || modprobe egpu "$@"
	wait_for 5 test -c /dev/egpu
}

# calm: nobody but the kernel looks at what arrives, and it tells only what is a
# warning at least: udev and the console would be most of a sweep's time
calm() {
	dmesg -n 5
	udevadm settle --timeout=10
	udevadm control --exit 2> /dev/null || :
	wait_for 5 not pgrep -x udevd
	wait_for 5 not pgrep -x systemd-udevd
}

# eg VERB PORT …: egpu_client; get PORT KEY: of its info
eg() {
	egpu_client "$1" "$(sim_addr "$2")" "${@:3}"
}

get() {
	eg info "$1" | sed -n "s/^$2=//p"
}

# await PORT STATE[/REASON],… [SECONDS]
await() {
	local said
	said=$(eg wait "$1" "$2" $((${3:-10} * 1000 * ${VM_SLOW:-1}))) ||
		fail "$1: $said; step $(get "$1" step) $(get "$1" step_driver)," \
			"blocked by '$(get "$1" blocked_driver)'"
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

# irq_gone: from 6.12 on pciehp removes what vanished during suspend before the
# kernel wakes interrupts, and that of a driver that is gone is one too many
irq_gone() {
	host expect 'WARNING: .* __irq_startup'
}

# listen PORT: have its events written down from now on
listen() {
	eg events "$1" > "$KTAP_TMP/events" &
	wait_for 5 grep -q subscribed "$KTAP_TMP/events"
}

# heard REGEX, unheard REGEX: such an event came; did not come
heard() {
	within "${2:-5}" grep -Eq "$1" "$KTAP_TMP/events" ||
		fail "no event like /$1/ in: $(cat "$KTAP_TMP/events")"
}

unheard() {
	! grep -E "$1" "$KTAP_TMP/events"
}

# states: those that were heard, in order, "A>B B>C"
states() {
	sed -n 's/.* state \([A-Z]*\)>\([A-Z]*\) .*/\1>\2/p' \
		"$KTAP_TMP/events" | awk -F'>' '$1 != $2' | tr '\n' ' ' |
		sed 's/ $//'
}

# result REGEX CMD…: what egpu_client says about a transaction's end
result() {
	local want=$1
	shift
	out=$("$@" 2>&1) || :
	like "$out" "$want" "$*"
}

# start CMD…: in the background; finish REGEX: wait for its end, what it said
start() {
	"$@" > "$KTAP_TMP/job" 2>&1 &
	job=$!
}

finish() {
	wait "$job" || :
	out=$(< "$KTAP_TMP/job")
	like "$out" "$1"
}

# counted PORT: losses and removals
counted() {
	echo "$(get "$1" losses) $(get "$1" removals)"
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
