# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# Plug, READY, detach, away, two hundred times, on two ports at once; every
# fourth is taken out by slot power instead. The numbers after the fiftieth are
# compared with those after the last.

# shellcheck source=selftests/hotplug/lib/hotplug.sh
. lib/hotplug.sh
ports 2

CYCLES=200
FROM=50
# Where everything is slow, kmemleak sees each leak by itself.
if [ "${VM_SLOW:-1}" != 1 ]; then CYCLES=60 FROM=30; fi
SLAB=/sys/kernel/slab
TRACE=/sys/kernel/tracing

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

# sites: SITE COUNT, who allocated what lives in kmalloc's caches
sites() {
	cat /sys/kernel/debug/slab/kmalloc-*/alloc_traces |
		awk '/ age=/ { n[$2] += $1 } END { for (s in n) print s, n[s] }'
}

# grown BEFORE AFTER: sites with one object more in two cycles, or even more
grown() {
	awk -v limit=$(((CYCLES - FROM) / 2)) \
		'NR == FNR { was[$1] = $2; next }
		 $2 - was[$1] >= limit { print $1, was[$1] + 0, "to", $2 }' \
		"$1" "$2"
}

# What the rest of the machine does makes a few KiB.
few() {
	[ $((after - before)) -lt $((8192 + (CYCLES - FROM) * 64)) ]
}

# settled: nobody grew. What is freed by RCU, as the kernel does with each open
# file of sysfs, goes seconds later; what leaks stays.
settled() {
	after=$(memory)
	sites > "$KTAP_TMP/after"
	[ -z "$(grown "$KTAP_TMP/before" "$KTAP_TMP/after")" ] && few
}

counted() {
	local hits=0
	read -r _ hits _ <<< "$(awk -v e="$1" '$1 == e { print $1, $2 }' \
		"$TRACE/kprobe_profile")"
	echo "$hits"
}

# cycle PORT NUMBER
cycle() {
	arrive "$1"
	await "$1" READY
	if [ $(($2 % 4)) = 0 ]; then
		slot_power "$1" 0
	else
		eg detach "$1" > "$KTAP_TMP/$1" ||
			fail "cycle $2: $(cat "$KTAP_TMP/$1")"
	fi
	await "$1" EMPTY
	host wait-deleted "$(id_of "$1")" 2
}

# rounds PORT COUNT
rounds() {
	local i
	for i in $(seq "$2"); do cycle "$1" "$i"; done
}

# both COUNT: so many cycles in all
both() {
	local other
	rounds rp1 $(($1 / 2)) &
	other=$!
	rounds rp0 $(($1 / 2))
	wait "$other"
}

prove -t 450 cycles "$CYCLES times: no growth, no leak, as many devices released as made"
cycles() {
	local before after
	load
	echo 'p:made pci_setup_device' > "$TRACE/kprobe_events"
	echo 'p:released pci_release_dev' >> "$TRACE/kprobe_events"
	echo 1 > "$TRACE/events/kprobes/enable"
	both "$FROM"
	sites > /dev/null	# what a first look allocates
	before=$(memory)
	sites > "$KTAP_TMP/before"
	both $((CYCLES - FROM))
	within 20 settled || :
	echo 0 > "$TRACE/events/kprobes/enable"
	tell "kmalloc: $before bytes after $FROM cycles, $after after $CYCLES"
	tell "pci_dev made $(counted made), released $(counted released)"
	is "$(get rp0 generation) $(get rp1 generation)" \
		"$((CYCLES / 2)) $((CYCLES / 2))"
	is "$(get rp0 losses) $(get rp1 losses)" "0 0"
	[ -s "$KTAP_TMP/before" ]
	is "$(grown "$KTAP_TMP/before" "$KTAP_TMP/after")" "" "who grew"
	few
	is "$(counted made)" "$CYCLES"
	is "$(counted released)" "$CYCLES"
	is "$(objects egpu_function)" 0
	rmmod egpu
	not test -e "$SLAB/egpu_port"
	not test -e "$SLAB/egpu_function"
}
