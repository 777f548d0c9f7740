# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# link PORT qualify and guard: on links that have errors at some speeds, at
# which one does it end, and is what they tell what the kernel counted.

# shellcheck source=selftests/link/lib/links.sh
. lib/links.sh

setup() {
	load
	export EGPU_STATE_DIR=$KTAP_TMP/state EGPU_CONFIG_DIR=$KTAP_TMP/etc
	rm -rf "$EGPU_CONFIG_DIR" "$EGPU_STATE_DIR"
	mkdir -p "$EGPU_CONFIG_DIR"
}

teardown() {
	sim_clear
}

# qualify [OPTION…]: of f/p; what it found is in Q, and its exit code
qualify() {
	local key value
	Q=()
	status=0
	egpuctl link "$(sim_addr f/p)" qualify --json "$@" \
		> "$KTAP_TMP/qualify" 2> "$KTAP_TMP/said" || status=$?
	while IFS="=" read -r key value; do
		Q[$key]=$value
	done < <(jq -r '"tried=\([.speeds[].speed_gts] | join(" "))",
		"clean=\([.speeds[] | select(.clean).speed_gts] | join(" "))",
		"chosen=\(.chosen_gts)", "limit=\(.limit_gts)",
		"state=\(.state)", "remembered=\(.remembered)",
		(.speeds[] | "\(.speed_gts)=\(.verdict)",
			"errors.\(.speed_gts)=\(.correctable)")' \
		"$KTAP_TMP/qualify")
	egpuctl link "$(sim_addr f/p)" --json > "$KTAP_TMP/link"
	LIMIT=$(jq -r .link.limit_gts "$KTAP_TMP/link")
	SPEED=$(jq -r .link.speed_gts "$KTAP_TMP/link")
}
declare -A Q

# ends SPEED LIMIT STATUS: where it did; the GPU is with its driver
ends() {
	is "$status" "$3" "exit ($(cat "$KTAP_TMP/qualify" "$KTAP_TMP/said"))"
	is "${Q[chosen]}" "$1" "chosen"
	is "${Q[limit]}" "$2" "limit"
	is "$LIMIT" "$2" "the module's limit"
	is "$SPEED" "$1" "speed"
	is "${Q[state]}" READY "state"
	[ "$(sim_driver f/p/gpu)" = egpu_sim_drm ]
}

# learned: "LIMIT WHY" of what is remembered, a line an entry
learned() {
	[ ! -e "$EGPU_STATE_DIR/links.json" ] ||
		jq -r '.links[] | select(.limit_gts) | "\(.limit_gts) \(.why)"' \
			"$EGPU_STATE_DIR/links.json"
}

# counted: correctable errors of both ends, as the kernel counts them
counted() {
	awk '/^TOTAL_ERR_COR/ { sum += $2 } END { print sum + 0 }' \
		"$PCI/$(sim_addr f/p)/aer_dev_correctable" \
		"$PCI/$(sim_addr f/p/gpu)/aer_dev_correctable"
}

prove -t 40 none "no errors: the fastest speed is tried once, and no limit is left"
none() {
	one
	qualify --seconds 0.6
	is "${Q[tried]}" 16
	ends 16 null 0
	is "$(learned)" ""
}

prove -t 60 one_speed "errors at 16 GT/s and none at 8: ends at 8, remembered"
one_speed() {
	one
	sim_set f/p/gpu ber "16 3e-10"
	qualify --seconds 0.6
	is "${Q[tried]}" "16 8"
	is "${Q[16]} ${Q[8]}" "errors clean"
	[ "${Q[errors.16]}" -ge 3 ]
	ends 8 8 0
	is "$(learned)" "8 qualify"
	# The next time there are none.
	sim_set f/p/gpu ber "16 0"
	qualify --seconds 0.6
	ends 16 null 0
	is "$(learned)" ""
}

prove -t 60 all_speeds "errors at all speeds: the one with the fewest"
all_speeds() {
	one
	sim_set f/p/gpu ber "16 5e-10"
	sim_set f/p/gpu ber "8 1e-10"
	sim_set f/p/gpu ber "5 1e-9"
	sim_set f/p/gpu ber "2.5 2e-9"
	qualify --seconds 0.6
	is "${Q[tried]}" "16 8 5 2.5"
	is "${Q[clean]}" ""
	ends 8 8 1
}

prove -t 60 bursts "errors in bursts are found when it looks for long enough"
bursts() {
	one
	sim_set f/p/gpu ber "16 2e-9 50/1000"
	qualify --seconds 2
	is "${Q[tried]}" "16 8"
	ends 8 8 0
}

prove -t 60 under_load "errors that come under load only"
under_load() {
	local before
	one
	sim_set f/p/gpu ber "16 0.005 load"
	before=$(counted)
	nap 1
	[ $(($(counted) - before)) -le 2 ]
	qualify --seconds 0.6
	is "${Q[tried]}" "16 8"
	[ "${Q[errors.16]}" -ge 3 ]
	[ "${Q[errors.16]}" -le $(($(counted) - before)) ]
	ends 8 8 0
}

# at_work: it measures
at_work() {
	[ "$(sim_driver f/p/gpu)" = egpu ] && sim_is f/p link "L0 16*"
}

# has_counted N
has_counted() {
	[ "$(counted)" = "$1" ]
}

prove -t 60 exact "it tells as many errors as the kernel counted, of both ends"
exact() {
	local before i
	one
	qualify --seconds $((4 * ${VM_SLOW:-1})) --max-errors-per-minute 1000 &
	wait_for 10 at_work
	nap 1.5
	before=$(counted)
	for i in 1 2 3 4 5; do
		sim_set f/p/gpu error BAD_TLP
		wait_for 5 has_counted $((before + 2 * i - 1))
		sim_set f/p error RCVR
		wait_for 5 has_counted $((before + 2 * i))
	done
	wait
	is "$(jq -r '.speeds[0] | "\(.speed_gts) \(.correctable)"' \
		"$KTAP_TMP/qualify")" "16 10"
}

prove -t 60 falls "a link that gives up a speed by itself is not clean there"
falls() {
	one
	qualify --seconds 2 &
	wait_for 10 at_work
	nap 1
	sim_set f/p/gpu autonomous_speed 8
	wait
	is "$(jq -c '[.speeds[] | [.speed_gts, .verdict]], .chosen_gts' \
		"$KTAP_TMP/qualify" | tr '\n' ' ')" \
		'[[16,"changed"],[8,"clean"]] 8 '
}

prove -t 60 unreached "a speed that does not come up, and one at which the link goes down"
unreached() {
	one
	sim_set f/p/gpu "ber=16 2e-10" error_limit=10
	qualify --seconds 0.3
	# it came up, and fell back before it was looked at, or after
	like "${Q[16]} ${Q[8]}" "^(not-reached|changed) clean$"
	ends 8 8 0
	sim_set f/p/gpu "ber=16 0" untrainable_above=8 recovery_failures=1
	qualify --seconds 0.3
	like "${Q[16]} ${Q[8]}" "(not-reached|dropped) clean"
	ends 8 8 0
}

prove -t 60 users "who uses the GPU is not disturbed"
users() {
	one
	wait_for 10 sim_bound f/p/gpu
	# shellcheck disable=SC2217 # it holds it open
	sleep 30 < "/dev/dri/$(cd "$PCI/$(sim_addr f/p/gpu)/drm" &&
		echo renderD*)" &
	exits 4 egpuctl link "$(sim_addr f/p)" qualify --seconds 1
	kill $!
	like "$out" "Refused: 1 user; nothing was changed"
	[ "$(sim_driver f/p/gpu)" = egpu_sim_drm ]
}

prove -t 60 cancelled "Ctrl-C: the old limit, and the GPU is with its driver"
cancelled() {
	local pid status=0
	one
	egpuctl link "$(sim_addr f/p)" qualify --seconds 30 \
		2> "$KTAP_TMP/said" &
	pid=$!
	wait_for 10 at_work
	nap 1
	kill -TERM $pid
	wait $pid || status=$?
	is "$status" 8 "exit"
	like "$(cat "$KTAP_TMP/said")" "cancelled; the limit is as it was"
	wait_for 5 sim_bound f/p/gpu
	look f/p
	hop 0 speed_gts=16
	is "$(learned)" ""
}

prove -t 60 pulled "pulled in the middle and put back: goes on, one speed lower"
pulled() {
	one
	qualify --seconds 2 &
	wait_for 10 at_work
	nap 0.7
	sim_yank f/p/gpu
	nap 1
	sim_put f/p/gpu
	wait
	is "$(jq -c '[.speeds[] | [.speed_gts, .verdict]], .chosen_gts, .state' \
		"$KTAP_TMP/qualify" | tr '\n' ' ')" \
		'[[16,"dropped"],[8,"clean"]] 8 "READY" '
}

prove -t 60 with_command "a command with the driver bound: not clean is one speed down"
with_command() {
	one
	qualify --seconds 0.3 --run "sleep 0.5; touch $KTAP_TMP/ran"
	ends 16 null 0
	[ -e "$KTAP_TMP/ran" ]
	# Errors come only while it runs.
	qualify --seconds 0.3 --run \
		"echo 16 5e-10 > $SIM/f/p/gpu/ber; sleep 1.5"
	is "${Q[tried]}" "16 16 8"
	ends 8 8 0
	is "$(learned)" "8 qualify"
}

# watch OPTION…: guard, until the test ends
watch() {
	egpuctl guard --interval 0.5 --hold-off 1 "$@" > "$KTAP_TMP/guard" 2>&1 &
	said "looked after"
}

# said TEXT: guard does, soon
said() {
	within 20 grep -q "$1" "$KTAP_TMP/guard" ||
		fail "guard did not say '$1': $(cat "$KTAP_TMP/guard")"
}

# at SPEED: the link runs at it, and the GPU has its driver
at() {
	sim_is f/p link "L0 $1*" && [ "$(sim_driver f/p/gpu)" = egpu_sim_drm ]
}

prove -t 60 guards "errors at 16 GT/s and none at 8: there without a person, and stays"
guards() {
	local before
	one
	before=$(sim_addr f/p/gpu)
	watch
	sim_set f/p/gpu ber "16 3e-10"
	wait_for 15 at 8
	nap 3
	at 8
	is "$(sim_addr f/p/gpu)" "$before" "the GPU's address"
	is "$(grep -c "limit" "$KTAP_TMP/guard")" 1
	like "$(cat "$KTAP_TMP/guard")" "at 16GT/s; limit 8GT/s, step 1 of 2"
	wait_for 5 grep -q guard "$EGPU_STATE_DIR/links.json"
	is "$(learned)" "8 guard"
	# What comes back has the limit.
	sim_yank f/p/gpu
	sim_plug f/p/gpu
	ready f/p
	at 8
}

prove -t 60 stops "errors at all speeds: two steps, and no more"
stops() {
	local s
	one
	for s in 16 8 5 2.5; do
		sim_set f/p/gpu ber "$s 1e-9"
	done
	watch
	said "all 2 steps are used up"
	nap 3
	at 5
	is "$(grep -c limit "$KTAP_TMP/guard")" 2
	is "$(grep -c "used up" "$KTAP_TMP/guard")" 1
}

prove -t 60 off "guard = no"
off() {
	one
	sim_set f/p/gpu ber "16 3e-10"
	printf '[port %s]\nguard = no\n' "$(sim_addr f/p)" \
		> "$EGPU_CONFIG_DIR/egpu.conf"
	watch
	nap 3
	at 16
	# others, whom earlier tests tracked, may be
	like "$(grep "$(sim_addr f/p)" "$KTAP_TMP/guard")" \
		"^port [^:]*$(sim_addr f/p)\): is not looked after: guard = no$"
}

prove -t 60 drops "a link that drops twice comes back slower"
drops() {
	one
	watch --drops 2
	sim_yank f/p/gpu
	sim_plug f/p/gpu
	ready f/p
	at 16
	sim_yank f/p/gpu
	said "2 drops in 10 minutes at 16GT/s; limit 8GT/s"
	sim_plug f/p/gpu
	ready f/p
	at 8
}
