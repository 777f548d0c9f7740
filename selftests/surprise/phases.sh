# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# The cable is pulled in every phase of a GPU's life, each time with contacts
# that bounce at four speeds, on four ports at once.
# vm: own-boot

# shellcheck source=selftests/surprise/lib/surprise.sh
. lib/surprise.sh

# Ports, and how their contacts bounce: 1, 10, 100, 1000 times a second.
PORTS="f/hz1 f/hz10 f/hz100 f/hz1000"
declare -A BOUNCE=(
	[f/hz1]="1000000 2" [f/hz10]="100000 6"
	[f/hz100]="10000 20" [f/hz1000]="1000 100"
)
BOUNCE_MS=2000		# the longest of them

setup() {
	local p
	load
	if [ ! -d "$SIM/f" ]; then
		sim_fabric f
		for p in $PORTS; do
			sim_port "$p" external_facing=1 power_controller=1
			sim_gpu "$p/gpu"
			sim_gpu "$p/other" preset=accelerator serial=0x1234
		done
		sim_live f
		for p in $PORTS; do eg quarantine "$p" 0 0; done
	fi
	for p in $PORTS; do
		sim_set "$p/gpu" bounce 0
		sim_put "$p/gpu"
	done
	for p in $PORTS; do
		await "$p" READY
		wait_for 5 sim_bound "$p/gpu"
	done
}

teardown() {
	local p
	pkill -KILL egpu_paint || :
	users_kill
	sim_free
	echo none > /sys/power/pm_test
	for p in $PORTS; do
		sim_set "$p/gpu" bounce=0 ready_ms=0 present=0
		sim_set "$p/other" present=0
	done
	for p in $PORTS; do await "$p" EMPTY 20; done
}

# pulled: all cables at once, and drivers that hang go on then; when the contacts
# rest every port is EMPTY, and what comes next is READY
pulled() {
	local p start
	start=$(now_ms)
	for p in $PORTS; do
		sim_set "$p/gpu" bounce "${BOUNCE[$p]}"
		sim_pull "$p/gpu"
	done
	sim_free
	while [ $(($(now_ms) - start)) -lt "$BOUNCE_MS" ]; do nap 0.1; done
	settled
}

settled() {
	local p
	for p in $PORTS; do await "$p" EMPTY 20; done
	for p in $PORTS; do
		wait_for 5 not sim_added "$p/gpu"
		sim_set "$p/gpu" bounce 0
		sim_put "$p/gpu"
	done
	for p in $PORTS; do
		await "$p" READY
		wait_for 5 sim_bound "$p/gpu"
		is "$(get "$p" step) $(get "$p" transaction)" "none 0"
	done
}

# nodes PORT: card and render node of its GPU
nodes() {
	local addr
	addr=$(sim_addr "$1/gpu")
	echo "$(node "$addr") $(node "$addr" renderD)"
}

# in_step PORT STEP
in_step() {
	[ "$(get "$1" step)" = "$2" ]
}

# changed OLD CMD…: it says something else now
changed() {
	[ "$("${@:2}")" != "$1" ]
}

prove -t 60 idle "bound and idle"
idle() {
	local p
	local -A was
	for p in $PORTS; do was[$p]=$(get "$p" losses); done
	pulled
	for p in $PORTS; do [ "$(get "$p" losses)" -gt "${was[$p]}" ]; done
}

prove -t 60 probing "in the driver's probe()"
probing() {
	local p
	for p in $PORTS; do
		sim_set "$p/gpu" present 0
		await "$p" EMPTY
		sim_set "$p/gpu/driver" hang probe
		sim_put "$p/gpu"
	done
	for p in $PORTS; do wait_for 10 in_step "$p" probe; done
	pulled
}

prove -t 60 drawing "with a client that draws, and closes late"
drawing() {
	local p n=0
	for p in $PORTS; do
		n=$((n + 1))
		# shellcheck disable=SC2046 # words
		egpu_paint $(nodes "$p") > "$KTAP_TMP/paint$n" 2>&1 &
	done
	for p in 1 2 3 4; do wait_for 5 grep -q ready "$KTAP_TMP/paint$p"; done
	pulled
	for p in 1 2 3 4; do
		wait_for 5 grep -q gone "$KTAP_TMP/paint$p"
		is "$(grep failed "$KTAP_TMP/paint$p" || :)" ""
	done
	pkill -USR1 egpu_paint
	for p in 1 2 3 4; do
		wait_for 5 grep -q 'closed after' "$KTAP_TMP/paint$p"
	done
}

prove -t 60 draining "while a detach waits for users"
draining() {
	local p n=0
	for p in $PORTS; do
		n=$((n + 1))
		# shellcheck disable=SC2046 # words
		egpu_test_user hold $(nodes "$p") > "$KTAP_TMP/hold$n" 2>&1 &
		wait_for 5 grep -q ready "$KTAP_TMP/hold$n"
		eg detach "$p" -w 60000 > "$KTAP_TMP/detach$n" 2>&1 &
	done
	for p in $PORTS; do await "$p" DRAINING; done
	pulled
	for n in 1 2 3 4; do
		wait_for 5 grep -q '^ENODEV' "$KTAP_TMP/detach$n"
	done
}

prove -t 60 removing "in the driver's remove(), when a detach unbinds it"
removing() {
	local p n=0
	for p in $PORTS; do
		n=$((n + 1))
		sim_set "$p/gpu/driver" hang remove
		eg detach "$p" > "$KTAP_TMP/detach$n" 2>&1 &
	done
	for p in $PORTS; do wait_for 10 in_step "$p" remove; done
	pulled
	for n in 1 2 3 4; do
		wait_for 5 grep -Eq '^(OK|ENODEV) ' "$KTAP_TMP/detach$n"
	done
}

prove -t 60 detached "after a detach, at rest"
detached() {
	local p
	local -A was
	for p in $PORTS; do
		was[$p]=$(get "$p" losses)
		result "^OK DETACHED" eg detach "$p"
	done
	sim_set f/hz1/gpu bounce 0
	sim_pull f/hz1/gpu
	await f/hz1 EMPTY/detached
	is "$(get f/hz1 losses)" "${was[f/hz1]}" "losses of a detached GPU"
	pulled
}

# reset PORT: the GPU's bus, which takes until the GPU answers again
reset() {
	local dev
	dev=$PCI/$(sim_addr "$1/gpu")
	echo bus > "$dev/reset_method" && echo 1 > "$dev/reset"
}

# in_reset: all GPUs are in one, and do not answer yet
in_reset() {
	local p
	local -A was
	for p in $PORTS; do
		was[$p]=$(sim_stat "$p" resets)
		sim_set "$p/gpu" ready_ms 3000
		reset "$p" 2> /dev/null &
	done
	for p in $PORTS; do
		wait_for 5 changed "${was[$p]}" sim_stat "$p" resets
	done
	for p in $PORTS; do sim_set "$p/gpu" ready_ms 0; done
}

prove -t 60 resetting "in a secondary bus reset, and put in again before it ends"
resetting() {
	local p
	in_reset
	for p in $PORTS; do sim_pull "$p/gpu"; done
	for p in $PORTS; do
		sim_set "$p/gpu" bounce "${BOUNCE[$p]}"
		sim_put "$p/gpu"
	done
	nap 2.2
	wait
	for p in $PORTS; do
		await "$p" READY 20
		wait_for 5 sim_bound "$p/gpu"
	done
}

# Nothing tells the kernel's reset that the device is gone: it waits a minute
# for it to answer. pciehp looks away meanwhile, and misses what happened then;
# it sees it with the next event, which a detach makes.
prove -l -t 180 resetting_gone "in a secondary bus reset, for good; at the latest a detach clears it"
resetting_gone() {
	local p
	host expect 'INFO: task .* blocked for more than'
	in_reset
	for p in $PORTS; do sim_pull "$p/gpu"; done
	wait
	for p in $PORTS; do
		if [ "$(get "$p" state)" = READY ]; then
			result "^OK DETACHED" eg detach "$p"
		fi
		await "$p" EMPTY
	done
	settled
}

# asleep WORD: all are suspended; meanwhile in each slot: nothing, other, same
asleep() {
	local p
	grep -q platform /sys/power/pm_test || skip "no pm_test in this kernel"
	irq_gone
	for p in $PORTS; do sim_set "$p/gpu" sleep "$1"; done
	echo 0 > /sys/module/suspend/parameters/pm_test_delay
	echo platform > /sys/power/pm_test
	echo freeze > /sys/power/state
	echo none > /sys/power/pm_test
}

prove -t 60 suspended "suspended: after resume it is LOST, then EMPTY"
suspended() {
	local p
	local -A was
	for p in $PORTS; do
		was[$p]=$(get "$p" losses)
		sim_set "$p/gpu" bounce "${BOUNCE[$p]}"
	done
	asleep nothing
	for p in $PORTS; do
		await "$p" EMPTY/link-down
		is "$(get "$p" losses)" $((was[$p] + 1)) "losses of $p"
	done
	settled
}

prove -t 60 same_again "suspended and left alone: READY, and nothing was lost"
same_again() {
	local p was
	was=$(for p in $PORTS; do get "$p" losses; get "$p" generation; done)
	asleep same
	for p in $PORTS; do
		await "$p" READY
		is "$(sim_driver "$p/gpu")" egpu_sim_drm
	done
	is "$(for p in $PORTS; do get "$p" losses; get "$p" generation; done)" \
		"$was"
}

prove -t 60 replaced "another device while suspended: a new arrival, not the old"
replaced() {
	local p
	local -A was
	for p in $PORTS; do was[$p]=$(get "$p" generation); done
	asleep other
	for p in $PORTS; do
		wait_for 10 changed "${was[$p]}" get "$p" generation
		await "$p" READY
		wait_for 5 sim_bound "$p/other"
		is "$(sim_value "$p/other" pci:device)" 0xe601
		sim_set "$p/other" present 0
		await "$p" EMPTY
	done
}
