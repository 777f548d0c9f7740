# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# Plug, READY, detach, away, two hundred times; a quarter of them pulled by
# slot power instead. The numbers after the fiftieth are compared with those
# after the last.

# shellcheck source=selftests/hotplug/lib/hotplug.sh
. lib/hotplug.sh
ports 2

CYCLES=200
FROM=50
SLAB=/sys/kernel/slab
TRACE=/sys/kernel/tracing

# objects CACHE: how many are in use
objects() {
	local n
	echo 1 > "$SLAB/$1/shrink"
	read -r n _ < "$SLAB/$1/objects"
	echo "$n"
}

# memory: bytes in use in kmalloc's caches, by those who do not give them back
memory() {
	local c sum=0
	for c in "$SLAB"/kmalloc-*; do
		sum=$((sum + $(objects "${c##*/}") * $(< "$c/object_size")))
	done
	echo "$sum"
}

counted() {
	local hits=0
	read -r _ hits _ <<< "$(awk -v e="$1" '$1 == e { print $1, $2 }' \
		"$TRACE/kprobe_profile")"
	echo "$hits"
}

cycle() {
	arrive rp0
	await rp0 READY
	if [ $(($1 % 4)) = 0 ]; then
		slot_power rp0 0
	else
		egpu_client detach "${PORT[rp0]}" > "$KTAP_TMP/said" ||
			fail "cycle $1: $(cat "$KTAP_TMP/said")"
	fi
	await rp0 EMPTY
	host wait-deleted gpu0 2
}

prove -t 450 cycles "$CYCLES times: no growth, no leak, as many devices released as made"
cycles() {
	local i before after
	load
	echo 'p:made pci_setup_device' > "$TRACE/kprobe_events"
	echo 'p:released pci_release_dev' >> "$TRACE/kprobe_events"
	echo 1 > "$TRACE/events/kprobes/enable"
	for i in $(seq "$CYCLES"); do
		cycle "$i"
		[ "$i" != "$FROM" ] || before=$(memory)
	done
	after=$(memory)
	echo "# kmalloc: $before bytes after $FROM cycles, $after after $CYCLES"
	is "$(get rp0 generation)" "$CYCLES"
	is "$(get rp0 losses)" 0
	is "$(get rp0 detaches) $(get rp0 removals)" \
		"$((CYCLES * 3 / 4)) $((CYCLES / 4))"
	[ $((after - before)) -lt $(((CYCLES - FROM) * 64)) ]
	echo 0 > "$TRACE/events/kprobes/enable"
	echo "# pci_dev made $(counted made), released $(counted released)"
	[ "$(counted made)" -ge "$CYCLES" ]
	is "$(counted released)" "$(counted made)"
	is "$(objects egpu_function)" 0
	rmmod egpu
	not test -e "$SLAB/egpu_port"
	not test -e "$SLAB/egpu_function"
}
