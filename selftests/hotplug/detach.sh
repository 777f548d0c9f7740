# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# Detach as a transaction: refused, drained, cancelled, forced; and what users
# of the GPU meet.

# shellcheck source=selftests/hotplug/lib/hotplug.sh
. lib/hotplug.sh
ports 4

setup() {
	load
}

teardown() {
	users_kill
	drv_unload
	modprobe bochs
}

# used PORT: READY, and $user has its card node open
used() {
	ready "$1"
	user hold "$(node "$GPU")"
}

# unchanged: the GPU at rp0 is as it was before the refused detach
unchanged() {
	is "$(get rp0 state) $(get rp0 transaction)" "READY 0"
	is "$(driver_of "$GPU") $(override_of "$GPU")" "bochs-drm "
	is "$(eg functions rp0)" "$GPU bochs-drm gated,bound,"
}

prove slot_time "an unused GPU is detached in the slot's own time, about 1.04 s"
slot_time() {
	local start took
	ready rp0
	start=$(now_ms)
	exits 0 egpuctl detach "${PORT[rp0]}"
	took=$(($(now_ms) - start))
	tell "egpuctl detach took $took ms"
	[ "$took" -ge 900 ] && quick "$took" 2000
	detached rp0
	is "$(get rp0 safe)" 1
}

prove steps "hold, users, remove, slot-off; DETACHED; then EMPTY by absence"
steps() {
	ready rp0
	listen rp0
	result "^OK DETACHED detached" eg detach rp0
	await rp0 EMPTY
	heard "DETACHED>EMPTY"
	is "$(states)" "READY>DRAINING DRAINING>DETACHING DETACHING>DETACHED DETACHED>EMPTY"
	is "$(awk '$5 == "step" { print $6 }' "$KTAP_TMP/events" |
		tr '\n' ' ')" "hold users remove slot-off "
	host wait-deleted gpu0 2
}

prove replug "a replug after a detach is no bounce: READY at once, no loss counted"
replug() {
	local losses removals
	ready rp0
	losses=$(get rp0 losses) removals=$(get rp0 removals)
	result "^OK" eg detach rp0
	await rp0 EMPTY
	arrive rp0
	await rp0 READY/none 3
	is "$(get rp0 losses) $(get rp0 removals)" "$losses $removals"
}

prove refuse "a used GPU is refused: exit 4, the user named, nothing changed"
refuse() {
	used rp0
	listen rp0
	exits 4 egpuctl detach "${PORT[rp0]}"
	like "$out" "$user"
	like "$out" "egpu_test_user"
	unchanged
	unheard " (unbound|bound) "
	kill -0 "$user"
}

prove refuse_kernel "the kernel itself refuses with EBUSY, and READY is back"
refuse_kernel() {
	used rp0
	listen rp0
	result "^EBUSY READY" eg detach rp0
	heard " transaction .*error=EBUSY"
	is "$(states)" "READY>DRAINING DRAINING>READY"
	unchanged
	result "^EBUSY" eg detach rp0 -c
	like "$(eg users rp0)" "^$user egpu_test_user card[0-9]+ 1 drm$"
}

prove check "detach --check says whether it would work, and does nothing"
check() {
	ready rp0
	exits 0 egpuctl detach "${PORT[rp0]}" --check
	unchanged
	user hold "$(node "$GPU")"
	exits 4 egpuctl detach "${PORT[rp0]}" --check
	unchanged
}

prove drain "--wait goes on by itself when the last user leaves"
drain() {
	used rp0
	listen rp0
	start egpuctl detach "${PORT[rp0]}" --wait 20
	await rp0 DRAINING
	heard " users .*value=1"
	kill "$user"
	finish
	detached rp0
	heard " users .*value=0|DRAINING>DETACHING"
}

prove drain_closes "a user that closes and lives on is no user any more"
drain_closes() {
	used rp0
	start eg detach rp0 -w 20000
	await rp0 DRAINING
	kill -USR1 "$user"
	finish
	kill -0 "$user"
	detached rp0
}

prove cancel "cancel while draining: ECANCELED, READY, the GPU as before"
cancel() {
	used rp0
	start eg detach rp0 -w 20000
	await rp0 DRAINING
	exits 0 egpuctl cancel "${PORT[rp0]}"
	finish 1
	like "$out" "^ECANCELED READY"
	unchanged
	# And nothing is left to cancel.
	result "^ENOENT" eg cancel rp0
}

prove interrupt "Ctrl-C of egpuctl while draining cancels: exit 8"
interrupt() {
	used rp0
	set -m
	start egpuctl detach "${PORT[rp0]}" --wait 20
	await rp0 DRAINING
	kill -INT "$job"
	finish 8
	await rp0 READY
	unchanged
}

prove deadline "the deadline passes: ETIMEDOUT, exit 7, the GPU as before"
deadline() {
	local start
	used rp0
	start=$(now_ms)
	result "^ETIMEDOUT READY" eg detach rp0 -w 700
	[ $(($(now_ms) - start)) -ge 700 ]
	unchanged
	exits 7 egpuctl detach "${PORT[rp0]}" --wait 1
	unchanged
}

prove force "force unbinds under a user, whose file then says ENODEV"
force() {
	used rp0
	exits 0 egpuctl detach "${PORT[rp0]}" --force --yes
	detached rp0
	kill -0 "$user"
}

prove terminate "--terminate ends the user by SIGTERM and goes on"
terminate() {
	used rp0
	exits 0 egpuctl detach "${PORT[rp0]}" --terminate=10
	detached rp0
	not kill -0 "$user"
}

prove stubborn "--terminate does not kill: a user that ignores it is refused"
stubborn() {
	ready rp0
	user hold -i "$(node "$GPU")"
	exits 7 egpuctl detach "${PORT[rp0]}" --terminate=1
	kill -0 "$user"
	unchanged
}

prove accepted "a user that the request accepts does not hold it back"
accepted() {
	used rp0
	result "^OK DETACHED" eg detach rp0 -a "$user"
	kill -0 "$user"
}

prove not_accepted "a second user that is not accepted refuses it"
not_accepted() {
	local first
	used rp0
	first=$user
	user hold "$(node "$GPU")"
	result "^EBUSY READY" eg detach rp0 -a "$first"
	result "^EBUSY READY" eg detach rp0 -a "$user"
	unchanged
	result "^OK DETACHED" eg detach rp0 -a "$first" -a "$user"
}

prove reused_pid "accepting is by pid and start time: another process is not meant"
reused_pid() {
	local first
	used rp0
	first=$user
	start eg detach rp0 -w 20000 -a "$first"
	finish
	ready rp0
	user hold "$(node "$GPU")"
	result "^ESRCH" eg detach rp0 -a "$first"
	result "^EBUSY READY" eg detach rp0 -a "$user" -s
	unchanged
}

prove allow "--allow NAME goes past users of that name alone"
allow() {
	ready rp0
	user hold -c watcher "$(node "$GPU")"
	exits 4 egpuctl detach "${PORT[rp0]}" --allow other
	unchanged
	exits 0 egpuctl detach "${PORT[rp0]}" --allow watcher
}

prove two_gpus "a job on one GPU goes on while the other is detached and comes back"
two_gpus() {
	local other frames
	ready rp1
	other=$GPU
	ready rp0
	egpu_test_user draw -k "$(node "$other")" > "$KTAP_TMP/draw" 2>&1 &
	wait_for 5 test -s "$KTAP_TMP/draw"
	listen rp1
	result "^OK DETACHED" eg detach rp0
	await rp0 EMPTY
	frames=$(wc -l < "$KTAP_TMP/draw")
	arrive rp0
	await rp0 READY
	wait_for 5 eval '[ "$(wc -l < "$KTAP_TMP/draw")" -gt '"$frames"' ]'
	kill -0 $!
	unheard "port="
	is "$(get rp1 state) $(driver_of "$other")" "READY bochs-drm"
}

prove both "two ports are detached at the same time, not one after the other"
both() {
	local start
	ready rp0
	ready rp1
	start=$(now_ms)
	eg detach rp1 &
	eg detach rp0
	wait $!
	quick $(($(now_ms) - start)) 1900
	detached rp0
	detached rp1
}

prove busy "a second transaction on the port is refused with EBUSY"
busy() {
	used rp0
	start eg detach rp0 -w 20000
	await rp0 DRAINING
	result "^EBUSY" eg detach rp0
	result "^EBUSY" eg attach rp0
	result "^EBUSY" eg forget rp0
	eg cancel rp0
	finish 1
	unchanged
}

prove closed_later "a file that outlives its GPU: ioctls say ENODEV, close works"
closed_later() {
	local card file
	ready rp0
	card=$(node "$GPU")
	exec {file}<> "$card"
	exits 0 egpu_client drm "$file"
	result "^EBUSY READY" eg detach rp0
	result "^OK DETACHED" eg detach rp0 -f
	not test -e "$card"
	exits 1 egpu_client drm "$file"
	is "$out" ENODEV
	exec {file}<&-
	# And the next GPU there is a new one.
	await rp0 EMPTY
	arrive rp0
	await rp0 READY
	draws gpu0 rp0
}

prove no_node_left "after a detach nothing of the GPU is left in /dev and sysfs"
no_node_left() {
	local card
	ready rp0
	card=$(node "$GPU")
	result "^OK DETACHED" eg detach rp0
	not test -e "$card"
	not test -e "$PCI/$GPU"
	is "$(eg functions rp0)" ""
}

prove i2c "an open i2c node is a user: refused, and detached when it is closed"
i2c() {
	local adapter
	empty rp0
	drv_load i2c=1
	modprobe i2c-dev
	arrive rp0
	await rp0 READY
	GPU=$(gpu rp0)
	is "$(driver_of "$GPU")" egpu_test
	adapter=$(basename "$(echo "$PCI/$GPU"/i2c-*)")
	wait_for 5 test -c "/dev/$adapter"
	user hold "/dev/$adapter"
	result "^EBUSY READY" eg detach rp0
	like "$(eg users rp0)" "^$user egpu_test_user $adapter 1 i2c$"
	is "$(drv_get removes)" 0
	kill "$user"
	wait_for 5 drv_is opens 0
	result "^OK DETACHED" eg detach rp0 -w 5000
	empty rp0
}

prove suspend "suspend is refused past the point of no return, and only then"
suspend() {
	grep -q devices /sys/power/pm_test || skip "no pm_test in this kernel"
	empty rp0
	drv_load
	arrive rp0
	await rp0 READY
	drv_put remove_ms 2000
	start eg detach rp0
	wait_for 5 drv_is removing 1
	is "$(get rp0 no_return)" 1
	echo 1 > /sys/module/suspend/parameters/pm_test_delay
	echo freezer > /sys/power/pm_test
	exits 1 eval 'echo freeze > /sys/power/state'
	like "$out" "busy"
	finish
	echo freeze > /sys/power/state
	echo none > /sys/power/pm_test
	empty rp0
}
