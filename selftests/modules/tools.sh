# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# The misbehaving driver (egpu_test_drv) and the user (egpu_test_user).

# shellcheck source=selftests/lib/test_drv.sh
. "$LIB/test_drv.sh"

NODE=/dev/egpu_test0

teardown() {
	users_kill
	drv_release
	pull gpu0 rp0
	pull gpu1 rp1
	drv_unload
}

# bound ID PORT: plug, and wait for the driver and its node
bound() {
	plug "$1" "$2"
	wait_bound "$2" egpu_test
	wait_for 5 test -c "$NODE"
}

prove binds "it binds, counts, gives a node below the device, and unloads"
binds() {
	drv_load
	bound gpu0 rp0
	is "$(drv_get probes) $(drv_get bound) $(drv_get probing)" "1 1 0"
	[ -d "$PCI/$(gpu rp0)/egpu_test/egpu_test0" ]
	rmmod egpu_test_drv
	# udev may have loaded the real one meanwhile
	[ "$(driver_of "$(gpu rp0)")" != egpu_test ]
}

prove ids "ids= says what it binds to"
ids() {
	drv_load ids=1234:11e8
	plug gpu0 rp0 edu
	wait_for 5 drv_is bound 1
	plug gpu1 rp1
	wait_for 5 gpu rp1
	is "$(drv_get probes)" 1
}

prove hangs "probe() and remove() hang until release is written"
hangs() {
	drv_load
	drv_put probe_hang 2
	plug gpu0 rp0
	wait_for 5 drv_is probing 1
	is "$(drv_get bound)" 0
	drv_put probe_hang 0
	drv_put release 1
	wait_bound rp0 egpu_test
	drv_put remove_hang 2
	drv_write unbind "$(gpu rp0)" &
	wait_for 5 drv_is removing 1
	nap 0.3
	is "$(drv_get removing) $(drv_get bound)" "1 1"
	drv_put release 1
	wait_for 5 drv_is bound 0
}

prove killable "a killable hang ends with the writer's death"
killable() {
	local f
	drv_load
	bound gpu0 rp0
	drv_put remove_hang 1
	f=$(gpu rp0)
	drv_write unbind "$f" &
	wait_for 5 drv_is removing 1
	kill -KILL $!
	wait_for 5 drv_is removing 0
}

prove fails "probe() fails with the errno that it is told, also by deferring"
fails() {
	local f
	drv_load
	drv_put probe_error 19
	plug gpu0 rp0
	wait_for 5 drv_is probes 1
	wait_for 5 drv_is probing 0
	f=$(gpu rp0)
	is "$(drv_get bound)" 0
	rmmod bochs
	drv_put probe_error 517
	printf '%s\n' "$f" > /sys/bus/pci/drivers_probe || :
	grep -q "$f" /sys/kernel/debug/devices_deferred
	drv_put probe_error 0
	printf '%s\n' "$f" > /sys/bus/pci/drivers_probe
	wait_bound rp0 egpu_test
}

prove only "with only= one device misbehaves and the other does not"
only() {
	local start
	drv_load
	bound gpu0 rp0
	bound gpu1 rp1
	drv_put only "$(gpu rp0)"
	drv_put remove_ms 1500
	start=$(now_ms)
	drv_write unbind "$(gpu rp1)"
	quick $(($(now_ms) - start)) 1000
	drv_write unbind "$(gpu rp0)"
	[ $(($(now_ms) - start)) -ge 1500 ]
}

prove waits "remove() waits for the last close; a device that went is ENODEV"
waits() {
	local file f
	drv_load
	bound gpu0 rp0
	f=$(gpu rp0)
	exec {file}< "$NODE"
	is "$(drv_get opens)" 1
	drv_put remove_waits 1
	drv_write unbind "$f" {file}<&- &
	wait_for 5 drv_is removing 1
	nap 0.3
	drv_is removing 1
	exec {file}<&-
	wait_for 5 drv_is removing 0
	drv_put remove_waits 0
	drv_write bind "$f"
	wait_for 5 test -c "$NODE"
	exec {file}< "$NODE"
	drv_write unbind "$f"
	exits 1 cat <&"$file"
	like "$out" "No such device"
	exec {file}<&-
}

prove i2c "its i2c adapter lies below the device; an open node blocks remove()"
i2c() {
	local adapter
	modprobe i2c-dev
	drv_load i2c=1
	bound gpu0 rp0
	adapter=$(basename "$(echo "$PCI/$(gpu rp0)"/i2c-*)")
	wait_for 5 test -c "/dev/$adapter"
	user hold "/dev/$adapter"
	drv_write unbind "$(gpu rp0)" &
	wait_for 5 drv_is removing 1
	nap 0.3
	drv_is removing 1
	kill "$user"
	wait_for 5 drv_is removing 0
}

prove holder "egpu_test_user opens often, forks, maps, passes, queues, closes"
holder() {
	local how
	drv_load
	bound gpu0 rp0
	user hold -n 3 -f 1 -c someone "$NODE"
	is "$(drv_get opens) $(user_has "$user" "$NODE")" "3 3"
	is "$(cat "/proc/$user/comm")" someone
	is "$(user_has "$child" "$NODE")" 3
	kill -USR1 "$user"
	wait_for 5 grep -q '^closed' "$KTAP_TMP/user"
	is "$(user_has "$user" "$NODE") $(drv_get opens)" "0 3"
	kill "$user"
	wait_for 5 drv_is opens 0

	for how in -m -q; do
		user hold "$how" "$NODE"
		is "$(drv_get opens) $(user_has "$user" "$NODE")" "1 0" "$how"
		kill "$user"
		wait_for 5 drv_is opens 0
	done

	user hold -p "$NODE"
	is "$(user_has "$child" "$NODE") $(user_has "$user" "$NODE")" "1 0"
	kill "$user"
	wait_for 5 drv_is opens 0

	user hold -t "$NODE"
	is "$(user_has "$user" "$NODE") $(drv_get opens)" "0 1" "thread"
	kill "$user"
	wait_for 5 drv_is opens 0

	user hold -i "$NODE"
	kill "$user"
	nap 0.3
	is "$(user_has "$user" "$NODE")" 1 "stubborn"
	kill -KILL "$user"
	wait_for 5 drv_is opens 0
}

prove draws "egpu_test_user draws, and sees it when the GPU does not answer"
draws() {
	local f
	plug_gpu gpu0 rp0
	f=$(gpu rp0)
	exits 0 egpu_test_user draw "$(node "$f")"
	like "$out" "drew [0-9]+x[0-9]+"
	exits 0 egpu_test_user draw -b "$(node "$f")"
	# Memory decoding off: all reads are ones.
	setpci -s "$f" COMMAND=0:2
	exits 1 egpu_test_user draw -b "$(node "$f")"
	setpci -s "$f" COMMAND=2:2
	exits 0 egpu_test_user draw -b "$(node "$f")"
}
