# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# From plug to driver: the gate, the checks, admission by policy and by hand.

# shellcheck source=selftests/hotplug/lib/hotplug.sh
. lib/hotplug.sh
ports 4

setup() {
	load
}

teardown() {
	users_kill
	drv_unload
	bochs_back
	rm -f /run/udev/rules.d/10-test.rules
	policy rp0 auto
	echo Y > /sys/module/egpu/parameters/space
	modprobe bochs
}

prove attach "a GPU that is plugged in goes EMPTY, HELD, BINDING, READY and draws"
attach() {
	empty rp0
	listen rp0
	arrive rp0
	heard "BINDING>READY"
	is "$(states)" "EMPTY>HELD HELD>BINDING BINDING>READY"
	is "$(get rp0 reason) $(get rp0 functions)" "none 1"
	is "$(driver_of "$(gpu rp0)")" bochs-drm
	is "$(override_of "$(gpu rp0)")" "" "override"
	draws gpu0 rp0
}

prove order "added and held, then checked and bound, READY last, each once"
order() {
	empty rp0
	listen rp0
	arrive rp0
	heard "BINDING>READY"
	is "$(awk '{ print $5 }' "$KTAP_TMP/events" | grep -v '^$' | uniq |
		tr '\n' ' ')" "function-added state bound state "
	is "$(grep -c " bound " "$KTAP_TMP/events")" 1
	like "$(grep " bound " "$KTAP_TMP/events")" "bochs-drm$"
	is "$(cut -d' ' -f1 "$KTAP_TMP/events" | grep -c '^[0-9]')" \
		"$(grep -c port= "$KTAP_TMP/events")"
	[ "$(grep port= "$KTAP_TMP/events" | cut -d' ' -f1)" = \
		"$(grep port= "$KTAP_TMP/events" | cut -d' ' -f1 | sort -nu)" ]
	is "$(grep -o 'gen=[0-9]*' "$KTAP_TMP/events" | sort -u | wc -l)" 1
}

prove gate "what is held is bound to egpu: sysfs, lspci and FUNCTION_LIST say so"
gate() {
	held rp0
	is "$(driver_of "$GPU")" egpu
	is "$(override_of "$GPU")" egpu
	like "$(lspci -ks "$GPU")" "Kernel driver in use: egpu"
	is "$(eg functions rp0)" "$GPU - gated,held,"
	not node "$GPU"
}

prove no_bypass "a loaded driver cannot bind to what is held, by no sysfs file"
no_bypass() {
	held rp0
	exits 1 eval "echo $GPU > /sys/bus/pci/drivers/bochs-drm/bind"
	echo "$GPU" > /sys/bus/pci/drivers_probe || :
	rmmod bochs
	modprobe bochs
	is "$(driver_of "$GPU")" egpu
	is "$(get rp0 state)" HELD
}

prove uevent_late "udev sees the override when it hears of the device first"
uevent_late() {
	empty rp0
	policy rp0 manual
	mkdir -p /run/udev/rules.d
	cat > /run/udev/rules.d/10-test.rules <<-'END'
		ACTION=="add", SUBSYSTEM=="pci", ATTR{vendor}=="0x1234", \
			RUN+="/bin/sh -c 'cp /sys$devpath/driver_override /tmp/seen'"
	END
	udevadm control --reload
	rm -f /tmp/seen
	arrive rp0
	await rp0 HELD/manual
	wait_for 5 test -s /tmp/seen
	is "$(cat /tmp/seen)" egpu
}

prove manual "policy manual holds until attach; attach binds and takes the hold away"
manual() {
	held rp0
	listen rp0
	result "^OK READY" eg attach rp0
	is "$(driver_of "$GPU") $(override_of "$GPU")" "bochs-drm "
	heard "transaction .*error=0"
	is "$(states)" "HELD>BINDING BINDING>READY"
	# The admission was for this one.
	empty rp0
	arrive rp0
	await rp0 HELD/manual
}

prove policy_releases "policy auto lets go what policy manual held"
policy_releases() {
	held rp0
	policy rp0 auto
	await rp0 READY
	is_bound rp0
}

prove policy_keeps "policy manual leaves alone what is READY"
policy_keeps() {
	ready rp0
	listen rp0
	policy rp0 manual
	heard " config "
	is "$(get rp0 state)" READY
	is_bound rp0
	unheard " state "
}

prove attach_ready "attach of what is READY is done at once and changes nothing"
attach_ready() {
	ready rp0
	listen rp0
	result "^OK READY" eg attach rp0
	heard " transaction "
	unheard " (state|bound|unbound) "
}

prove attach_empty "attach of an empty port says that nothing is there"
attach_empty() {
	empty rp0
	result "^ENODEV EMPTY" eg attach rp0
}

prove detach_held "what is held goes straight to DETACHED"
detach_held() {
	held rp0
	listen rp0
	result "^OK DETACHED" eg detach rp0
	like "$(states)" "^HELD>DETACHING DETACHING>DETACHED( DETACHED>EMPTY)?$"
	is_empty rp0
}

prove override_by_hand "a driver that a user overrides to counts as admission, and stays"
override_by_hand() {
	drv_load
	held rp0
	echo egpu_test > "$PCI/$GPU/driver_override"
	echo "$GPU" > /sys/bus/pci/drivers/egpu/unbind
	echo "$GPU" > /sys/bus/pci/drivers_probe
	await rp0 READY/override
	is "$(driver_of "$GPU") $(override_of "$GPU")" "egpu_test egpu_test"
	like "$(eg functions rp0)" "egpu_test gated,bound,override,"
	empty rp0
}

prove override_kept "an override that stands already is never overwritten"
override_kept() {
	empty rp0
	eg forget rp0
	bochs_away
	drv_load ids=
	arrive rp0
	wait_for 5 gpu rp0
	GPU=$(gpu rp0)
	is "$(driver_of "$GPU")" ""
	echo egpu_test > "$PCI/$GPU/driver_override"
	eg track rp0
	await rp0 READY
	is "$(override_of "$GPU")" egpu_test
	is "$(driver_of "$GPU")" egpu_test
	result "^OK DETACHED" eg detach rp0
	empty rp0
}

prove missing "without a driver it is READY all the same, and says none"
missing() {
	empty rp0
	bochs_away
	arrive rp0
	await rp0 READY
	is "$(eg functions rp0)" "$(gpu rp0) - gated,"
	is "$(override_of "$(gpu rp0)")" ""
}

prove late_driver "a driver that is loaded later binds, and FUNCTION_LIST says so"
late_driver() {
	missing
	bochs_back
	listen rp0
	modprobe bochs
	heard " bound .*bochs-drm"
	is "$(eg functions rp0)" "$(gpu rp0) bochs-drm gated,bound,"
	is "$(get rp0 state)" READY
	unheard " state "
}

prove deferred "a driver that defers its probe is shown as deferred, then as bound"
deferred() {
	empty rp0
	bochs_away
	drv_load
	drv_put probe_error 517
	arrive rp0
	await rp0 READY
	is "$(eg functions rp0)" "$(gpu rp0) - gated,deferred,"
	drv_put probe_error 0
	listen rp0
	gpu rp0 > /sys/bus/pci/drivers_probe
	heard " bound .*egpu_test"
	is "$(eg functions rp0)" "$(gpu rp0) egpu_test gated,bound,"
	empty rp0
}

prove rebound "unbinding and binding by hand in READY are told, the state stays"
rebound() {
	ready rp0
	listen rp0
	echo "$GPU" > /sys/bus/pci/drivers/bochs-drm/unbind
	heard " unbound .*bochs-drm"
	is "$(eg functions rp0)" "$GPU - gated,"
	echo "$GPU" > /sys/bus/pci/drivers/bochs-drm/bind
	heard " bound .*bochs-drm"
	is "$(eg functions rp0)" "$GPU bochs-drm gated,bound,"
	unheard " state "
}

prove not_gated "what is no GPU is shown and never held"
not_gated() {
	empty rp0
	drv_load
	policy rp0 manual
	arrive rp0 edu
	wait_for 5 drv_is bound 1
	is "$(eg functions rp0 | cut -d' ' -f2,3)" "egpu_test bound,"
	is "$(get rp0 state)" EMPTY
	pull gpu0 rp0
}

prove untracked "a port that is not tracked is left exactly as it was"
untracked() {
	[ "$(get rp2 tracked)" = 0 ]
	listen
	arrive rp2
	wait_bound rp2
	is "$(get rp2 state) $(override_of "$(gpu rp2)")" "UNTRACKED "
	result "^EOPNOTSUPP" eg attach rp2
	result "^EOPNOTSUPP" eg detach rp2
	unheard "port="
	eject rp2
}

prove track_bound "tracking a port adopts what is bound, and touches nothing"
track_bound() {
	local before
	arrive rp2
	wait_bound rp2
	before=$(stat -c %Z "$PCI/$(gpu rp2)/driver")
	eg track rp2
	await rp2 READY/adopted
	is "$(stat -c %Z "$PCI/$(gpu rp2)/driver")" "$before"
	like "$(eg functions rp2)" "bochs-drm gated,bound,adopted,"
	eg forget rp2
	is "$(get rp2 state) $(driver_of "$(gpu rp2)")" "UNTRACKED bochs-drm"
	eject rp2
}

prove forget_held "forgetting a port lets go what it holds"
forget_held() {
	held rp0
	eg forget rp0
	await rp0 UNTRACKED
	wait_bound rp0
	is "$(override_of "$GPU")" ""
	eg track rp0
	await rp0 READY/adopted
}

prove io_bar "a GPU with an I/O BAR behind a port without I/O is admitted"
io_bar() {
	empty rp0
	arrive rp0 qxl
	await rp0 READY,HELD/check-failed
	is "$(get rp0 state) $(get rp0 failed_checks)" "READY 0"
	is "$(setpci -s "$(gpu rp0)" BASE_ADDRESS_3)" 00000001
	like "$(lspci -vs "${PORT[rp0]}")" "I/O behind bridge: .*\[disabled\]"
	result "^OK DETACHED" eg detach rp0
}

prove no_space "a GPU whose memory BAR has no space stays HELD and says so"
no_space() {
	# Nor is any made.
	echo N > /sys/module/egpu/parameters/space
	eg track "$DOWN0"
	listen "$DOWN0"
	plug gpu3 down0
	await "$DOWN0" HELD/check-failed
	GPU=$(functions_of "$DOWN0")
	is "$(get "$DOWN0" failed_checks)" 2
	heard " check .*value=2"
	is "$(driver_of "$GPU")" egpu
	result "^EIO HELD check-failed" eg attach "$DOWN0"
	result "^EIO HELD check-failed" eg attach "$DOWN0" 1
	result "^OK READY" eg attach "$DOWN0" 2
	is "$(driver_of "$GPU") $(override_of "$GPU")" " "
	result "^OK DETACHED" eg detach "$DOWN0"
	await "$DOWN0" EMPTY
	eg forget "$DOWN0"
}

prove udev_events "udevadm sees each state of /dev/egpu's uevents"
udev_events() {
	empty rp0
	udevadm monitor --kernel --property --subsystem-match=misc \
		> "$KTAP_TMP/udev" &
	wait_for 5 grep -q KERNEL "$KTAP_TMP/udev"
	arrive rp0
	await rp0 READY
	wait_for 5 grep -q EGPU_TO=READY "$KTAP_TMP/udev"
	is "$(sed -n 's/^EGPU_TO=//p' "$KTAP_TMP/udev" | tr '\n' ' ')" \
		"HELD BINDING READY "
	like "$(cat "$KTAP_TMP/udev")" "EGPU_PORT=$(get rp0 port)"
}

# logged PATTERN: lines of rp0's events
logged() {
	dmesg_since | grep "${PORT[rp0]}: egpu: .*event=.*$1"
}

prove log_line "each state is one key=value line of the port in the kernel log"
log_line() {
	empty rp0
	dmesg_mark
	arrive rp0
	await rp0 READY
	wait_for 5 logged " to=READY "
	is "$(logged state | sed 's/.*from=\([A-Z]*\) to=\([A-Z]*\) .*/\1>\2/' |
		tr '\n' ' ')" "EMPTY>HELD HELD>BINDING BINDING>READY "
}

prove log_burst "each event of a burst has its line, the last one, too"
log_burst() {
	dmesg_mark
	for _ in {1..20}; do
		eg policy "${PORT[rp0]}" auto &
	done
	wait
	wait_for 5 all_logged config 20
}

# all_logged EVENT COUNT: a line of what was before may come late
all_logged() {
	[ "$(logged "$1" | wc -l)" -ge "$2" ]
}
