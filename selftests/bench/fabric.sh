# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# What QEMU does not have: links that train, cables that are pulled. On the
# simulated fabric, whose ports the kernel's own pciehp drives.

# shellcheck source=selftests/lib/sim.sh
. "$LIB/sim.sh"
# shellcheck source=selftests/bench/lib/bench.sh
. lib/bench.sh
# shellcheck source=selftests/bench/lib/trace.sh
. lib/trace.sh

WHERE="simulated fabric"
ADDR=

setup() {
	sim_load
	udevadm settle --timeout=10
}

teardown() {
	trace_off
	sim_clear
	egpu_unload
}

# fabric [DEVICE-ATTRIBUTE…]: one port with a GPU that is not in it; links are
# up at once
fabric() {
	sim_fabric f
	sim_port f/p external_facing=1 detect_ms=0 polling_ms=0 \
		configuration_ms=0 speed_change_ms=0 recovery_ms=0
	sim_gpu f/p/gpu "$@"
	sim_live f
	ADDR=$(sim_addr f/p)
}

with() {
	egpu_load unsafe_dma=1
}

without() {
	egpu_unload
}

settle() {
	udevadm settle --timeout=10
}

await() {
	local said
	said=$(egpu_client wait "$ADDR" "$1" $((10000 * ${VM_SLOW:-1}))) ||
		fail "f/p: $said"
}

# --- a GPU comes ---

arrival() {
	settle
	trace_clear
	sim_put f/p/gpu
	trace_until bound
	arrival=$(trace_took irq first bound last)
	settle
}

# turn: it comes and goes; in $turn, how long and how many accesses
turn() {
	local before
	before=$(accesses)
	arrival
	turn=("$arrival" "$(($(accesses) - before))")
	sim_yank f/p/gpu
	wait_for 10 not sim_bound f/p/gpu
}

# A module that was loaded just now runs everything for the first time: one turn
# is not counted.
prove -t 240 attach "plug → bound, and the configuration accesses that takes"
attach() {
	local i ours=() times=() access=()
	fabric
	trace_on irq=p:pciehp_isr bound=r:sim_gpu_probe
	for _ in {1..10}; do
		with
		turn
		for i in 1 2; do
			await EMPTY
			turn
			ours[i]="${turn[*]}"
		done
		without
		turn
		for i in 1 2; do
			turn
			times+=("${ours[i]% *} ${turn[0]}")
			access+=("${ours[i]#* } ${turn[1]}")
		done
	done
	pair_all "${times[@]}"
	record attach/sim us "without egpu" "$WHERE, egpu_sim_drm"
	pair_all "${access[@]}"
	record attach/sim_accesses "config accesses" "without egpu" \
		"$WHERE, egpu_sim_drm"
}

# accesses: so many there were to the port and what is below
accesses() {
	echo $(($(sim_stat f/p reads) + $(sim_stat f/p writes)))
}

# --- a cable is pulled ---

# The kernel's uevent is the one that the function was removed: those of its DRM
# nodes, which come before, come with any unbind as well.

# told WHAT…: pull it; when does this reader know, from the moment that the link
# was gone? In $told.
told() {
	local at
	: > "$KTAP_TMP/told"
	egpu_bench "$@" > "$KTAP_TMP/told" &
	wait_for 5 grep -q ready "$KTAP_TMP/told"
	settle
	trace_clear
	sim_pull f/p/gpu
	# Only then: who reads the trace is woken by each line of it.
	wait $!
	trace_until gone
	at=$(trace_at sim_link first)
	told=$(($(tail -n 1 "$KTAP_TMP/told") - at))
}

# monitored ADDRESS: when does udevadm monitor say that? In $told.
monitored() {
	local line="" monitor at wait=$((10 * ${VM_SLOW:-1}))
	exec {monitor}< <(exec udevadm monitor --kernel --subsystem-match=pci)
	until [[ $line = KERNEL\ * ]]; do
		read -r -t "$wait" -u "$monitor" line || fail "no udevadm monitor"
	done
	settle
	trace_clear
	sim_pull f/p/gpu
	until [[ $line = *\ remove\ *"/$1 "* ]]; do
		read -r -t "$wait" -u "$monitor" line || fail "$1 is not removed"
	done
	kill $!
	exec {monitor}<&-
	trace_until gone
	at=$(trace_at sim_link first)
	# KERNEL[SECONDS.MICROSECONDS] remove …, of CLOCK_MONOTONIC
	line=${line#*[}
	line=${line%%]*}
	told=$((${line%.*} * 1000000 + 10#${line#*.} - at))
}

prove -t 240 notify "link gone → a reader knows, beside udevadm monitor"
notify() {
	local ours below socket=() slow=()
	fabric
	trace_on egpu_sim/sim_link gone=r:pciehp_unconfigure_device
	for _ in {1..20}; do
		with
		for _ in 1 2; do
			sim_plug f/p/gpu
			await READY
			told lost "$ADDR"
			ours=$told
			await EMPTY
		done
		without
		sim_plug f/p/gpu
		below=$(sim_addr f/p/gpu)
		monitored "$below"
		pair "$ours" "$told"
		sim_plug f/p/gpu
		told removed kernel "/$below"
		socket+=("$ours $told")
		sim_plug f/p/gpu
		told removed udev "/$below"
		slow+=("$ours $told")
	done
	record surprise_notify us "udevadm monitor --kernel" "$WHERE"
	pair_all "${socket[@]}"
	record surprise_notify/socket us "kernel's uevents" "$WHERE"
	pair_all "${slow[@]}"
	record surprise_notify/udev us "udevd's uevents" "$WHERE"
}

# cleaned: link gone → all devices are; in $cleaned
cleaned() {
	settle
	trace_clear
	sim_pull f/p/gpu
	trace_until gone
	cleaned=$(trace_took sim_link first gone last)
}

# The GPU belongs to a client, and reaches so much of its memory; or it has its
# driver, and a client as well.
given() {
	sim_put f/p/gpu
	await HELD/manual
	egpu_dma manage "$(sim_addr f/p/gpu)" 64 > /dev/null
	mkfifo "$KTAP_TMP/dma.in" "$KTAP_TMP/dma.out"
	egpu_dma < "$KTAP_TMP/dma.in" > "$KTAP_TMP/dma.out" &
	exec {TO}<> "$KTAP_TMP/dma.in" {FROM}<> "$KTAP_TMP/dma.out"
	ask open "$(sim_addr f/p/gpu)"
	ask create "$1"
	ask map 0
}

ask() {
	echo "$*" >&"$TO"
	read -r -t $((30 * ${VM_SLOW:-1})) -u "$FROM" out
	[[ $out = ok* ]] || fail "$*: $out"
}

taken() {
	echo exit >&"$TO"
	wait "$!"
	exec {TO}>&- {FROM}>&-
	rm "$KTAP_TMP/dma.in" "$KTAP_TMP/dma.out"
	await EMPTY
}

driven() {
	sim_plug f/p/gpu
	hold "$(node "$(sim_addr f/p/gpu)" renderD)"
}

clean() {
	local ours
	fabric
	trace_on egpu_sim/sim_link gone=r:pciehp_unconfigure_device
	for _ in {1..20}; do
		with
		egpu_client policy "$ADDR" manual
		for _ in 1 2; do
			given "$1"
			cleaned
			ours=$cleaned
			taken
		done
		without
		driven
		cleaned
		kill "$holder"
		pair "$ours" "$cleaned"
	done
}

prove -t 240 clean_2M "link gone → DMA revoked, devices gone; 2 MiB are mapped"
clean_2M() {
	clean 2M
	record surprise_clean us "pciehp alone, no DMA" "$WHERE"
}

prove -t 240 clean_64M "the same, and 64 MiB are mapped"
clean_64M() {
	clean 64M
	record surprise_clean/64M us "pciehp alone, no DMA" "$WHERE"
}

# --- a link is trained ---

# training MS [MS]: so long it takes, and so much longer to another speed
training() {
	sim_set f/p recovery_ms="$1" speed_change_ms="${2:-0}"
}

# trained NAME US: LINK_SET until trained, beside the link's own time
trained() {
	for _ in {1..10}; do
		pair "$(egpu_bench link "$ADDR" 8)" "$2"
		pair "$(egpu_bench link "$ADDR" 16)" "$2"
	done
	record "$1" us "the link's own time" "$WHERE"
}

prove -t 120 retrain "LINK_SET until trained, beside the link's own time"
retrain() {
	local ms
	fabric
	with
	sim_plug f/p/gpu
	await READY
	training 24 48
	trained link_retrain 72000
	for ms in 5 20 100; do
		training "$ms"
		trained "link_retrain/${ms}ms" "${ms}000"
	done
}

# by_setpci CODE: what scripts for that do, as a part of this process
by_setpci() {
	local control
	setpci -s "$ADDR" CAP_EXP+02.w > /dev/null
	setpci -s "$ADDR" CAP_EXP+0c.l > /dev/null
	setpci -s "$ADDR" CAP_EXP+12.w > /dev/null
	control=$(setpci -s "$ADDR" CAP_EXP+30.l)
	setpci -s "$ADDR" "CAP_EXP+30.l=$(printf '%08x' \
		$((0x$control & ~0xf | $1)))"
	control=$(setpci -s "$ADDR" CAP_EXP+10.l)
	setpci -s "$ADDR" "CAP_EXP+10.l=$(printf '%08x' \
		$((0x$control | 0x20)))"
	sleep 0.1
	setpci -s "$ADDR" CAP_EXP+12.w > /dev/null
}

us() {
	echo "${EPOCHREALTIME/[.,]/}"
}

# timed CMD…: in $took
timed() {
	local start
	start=$(us)
	"$@" > /dev/null
	took=$(($(us) - start))
}

prove -t 120 script "LINK_SET, and egpuctl link PORT speed, beside a script with setpci"
script() {
	local ours cli=()
	fabric
	with
	sim_plug f/p/gpu
	await READY
	training 20
	for _ in {1..20}; do
		ours=$(egpu_bench link "$ADDR" 8)
		timed by_setpci 4
		pair "$ours" "$took"
		timed egpuctl link "$ADDR" speed 8 --live --yes
		ours=$took
		timed by_setpci 4
		cli+=("$ours $took")
	done
	record link_retrain/script us "a script with setpci" "$WHERE"
	pair_all "${cli[@]}"
	record link_retrain/script_cli us "a script with setpci" "$WHERE"
}
