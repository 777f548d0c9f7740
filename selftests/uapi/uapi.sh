# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# Runs the groups of the uapi program, as it is built for 64 and for 32 bits,
# on a tracked port with a GPU that its stock driver has. A group is one test
# here; of a group that fails, the failing parts are shown.

# A GPU of two functions, the second is no display.
setup() {
	egpu_load
	if is_empty rp0; then
		plug audio rp0 edu addr=0x0.1
		plug gpu0 rp0 secondary-vga addr=0x0.0 multifunction=on
		wait_bound rp0
		wait_for 5 node "$(gpu rp0)"
	fi
}

# group PROGRAM GROUP
group() {
	local status=0
	"$1" -t "$2" "$(port_addr rp0)" > "$KTAP_TMP/group" 2>&1 || status=$?
	# What a part says stands before its result.
	awk '/^Bail/ { print }
	     /^#/ { said = said $0 "\n" }
	     /^(not )?ok/ { if (/^not/) printf "%s%s\n", said, $0; said = "" }
	     END { printf "%s", said }' "$KTAP_TMP/group"
	grep -q '^ok' "$KTAP_TMP/group" || fail "nothing ran"
	if grep -q '# SKIP' "$KTAP_TMP/group"; then
		grep '# SKIP' "$KTAP_TMP/group"
		[ "$status" != 0 ] || fail "this guest has what every test needs"
	fi
	[ "$status" = 0 ]
}

prove layout "structs are the same for 32 and 64 bits, now and later; QUERY"
layout() { group uapi layout; }
prove layout_32 "the same from a 32-bit program"
layout_32() { group uapi32 layout; }

prove -t 60 args "sizes, tails, reserved fields, flags, addresses, numbers"
args() { group uapi args; }
prove -t 60 args_32 "the same from a 32-bit program"
args_32() { group uapi32 args; }

prove arrays "count and element_size of the calls that fill arrays"
arrays() { group uapi arrays; }
prove arrays_32 "the same from a 32-bit program"
arrays_32() { group uapi32 arrays; }

prove values "values that only one call knows, and one transaction at a time"
values() { group uapi values; }
prove values_32 "the same from a 32-bit program"
values_32() { group uapi32 values; }

prove privilege "what the unprivileged may not do, and may not see"
privilege() { group uapi privilege; }
prove privilege_32 "the same from a 32-bit program"
privilege_32() { group uapi32 privilege; }

prove -t 60 events "subscriptions, filters, waiting, signals"
events() { group uapi events; }
prove -t 60 events_32 "the same from a 32-bit program"
events_32() { group uapi32 events; }

prove -t 60 queue "no event is lost silently, whoever reads how"
queue() { group uapi queue; }
prove -t 60 queue_32 "the same from a 32-bit program"
queue_32() { group uapi32 queue; }

prove -t 60 fuzz "random arguments, with and without privilege"
fuzz() { group uapi fuzz; }
prove -t 60 fuzz_32 "the same from a 32-bit program"
fuzz_32() { group uapi32 fuzz; }

prove in_use "an open file keeps the module, its close lets it go"
in_use() {
	local file
	exec {file}< /dev/egpu
	exits 1 rmmod egpu
	like "$out" "in use"
	[ -c /dev/egpu ]
	exec {file}<&-
	rmmod egpu
	[ ! -e /dev/egpu ]
}

prove track_parameter "track= takes addresses, and QUERY and PORT_INFO agree"
track_parameter() {
	egpu_unload
	egpu_load "track=$(port_addr rp0),$(port_addr rp1)"
	is "$(cat /sys/module/egpu/parameters/track)" \
		"$(port_addr rp0),$(port_addr rp1)"
	uapi -t layout "$(port_addr rp1)" > /dev/null
	egpu_unload
}
