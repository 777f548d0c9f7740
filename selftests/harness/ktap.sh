# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# The runner fails what should fail: each test runs a file of tests in a
# runner of its own and reads its KTAP.

# inner FUNCTION-BODY…: the KTAP of a file with these lines
inner() {
	printf '%s\n' "$@" > "$KTAP_TMP/inner.sh"
	TEST='' bash "$LIB/ktap.sh" "$KTAP_TMP/inner.sh" 2>&1 || :
}

prove passes "a test that does nothing wrong passes, with its plan"
passes() {
	out=$(inner 'prove a "x"' 'a() { true; }')
	like "$out" "1\.\.1"
	like "$out" $'\n''ok 1 inner\.a # [0-9]+\.'
}

prove fails_anywhere "a failing command in the middle fails a test and is named"
fails_anywhere() {
	out=$(inner 'prove a "x"' 'a() {' 'false' 'true' '}')
	like "$out" "not ok 1 inner\.a"
	like "$out" "# line 3: exit 1: false"
}

prove goes_on "a failing test does not stop the next, nor does a skipped one"
goes_on() {
	out=$(inner 'prove a "x"' 'a() { fail no; }' 'prove b "x"' \
		'b() { skip "no such thing"; }' 'prove c "x"' 'c() { true; }')
	like "$out" "not ok 1 inner\.a"
	like "$out" "ok 2 inner\.b # SKIP no such thing"
	like "$out" $'\n'"ok 3 inner\.c"
}

prove times_out "a test that hangs ends at its limit, with what it waited in"
times_out() {
	out=$(inner 'prove -t 1 a "x"' 'a() { sleep 60; }')
	like "$out" "not ok 1 inner\.a"
	like "$out" "did not end within ${VM_SLOW:-1} s"
	like "$out" "nanosleep"
	is "$(pgrep -fc 'sleep 60' || :)" 0 "processes left"
}

prove teardown_runs "teardown runs after a failure, and its failure counts"
teardown_runs() {
	out=$(inner 'teardown() { echo "undone"; false; }' 'prove a "x"' \
		'a() { true; }')
	like "$out" "not ok 1 inner\.a"
	like "$out" "undone"
}

prove splat "a kernel splat fails the test in which it came, unless announced"
splat() {
	host expect "WARNING: CPU: 0 PID: 1 at harness"
	out=$(inner 'prove a "x"' 'a() { host expect "at announced";' \
		'say="WARNING: CPU: 0 PID: 1 at announced.c:1";' \
		'echo "<4>$say" > /dev/kmsg; }')
	like "$out" $'\n''ok 1 inner\.a'
}

prove waits "wait_for sees a change within 0.2 s, and gives up in time"
waits() {
	local start
	start=$(now_ms)
	( sleep 0.3; touch "$KTAP_TMP/there" ) &
	wait_for 5 test -e "$KTAP_TMP/there"
	quick $(($(now_ms) - start)) 700
	start=$(now_ms)
	not within 1 false
	[ $(($(now_ms) - start)) -ge 1000 ]
}

prove many "thirty tests that end at once all end, none is missed"
many() {
	local i lines=()
	for i in {1..30}; do
		lines+=("prove t$i x" "t$i() { :; }")
	done
	out=$(inner "${lines[@]}")
	is "$(grep -c '^ok ' <<< "$out")" 30
}
