# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# Who is charged for pinned pages, for how many, and until when. In egpu_sim.
# Each test has users of its own.

# shellcheck source=selftests/dma/lib/plain.sh
. lib/plain.sh

prove exact "a user can have as many pages as RLIMIT_MEMLOCK says, and not one more"
exact() {
	user a 1001 64
	room_is a 64
	ask a create $((16 * PAGE))
	info_is a 0 charged=$((16 * PAGE))
	room_is a 48
	ask a create $((48 * PAGE))
	room_is a 0
	refused ENOMEM a create 1
	ask a close 0
	room_is a 16
	ask a close 1
	room_is a 64
}

prove failed "what fails is not charged"
failed() {
	user a 1002 64
	refused ENOMEM a create $((65 * PAGE))
	refused ENOMEM a create $((1 << 38))
	refused EINVAL a create 0
	refused EINVAL a create $PAGE 4
	refused EPERM a map 0
	room_is a 64
}

# small PID: it is in a group of processes that can have 8 MiB from now on
small() {
	local groups=/run/groups
	[ -d "$groups" ] || {
		mkdir "$groups"
		mount -t cgroup2 none "$groups"
		echo +memory > "$groups/cgroup.subtree_control"
		mkdir "$groups/small"
		echo 8M > "$groups/small/memory.max"
	}
	echo "$1" > "$groups/small/cgroup.procs"
}

prove unpinned "pages that cannot be had are not charged"
unpinned() {
	user a 1003 8192
	small "${PID[a]}"
	refused ENOMEM a create $((16 << 20))
	bare "$FN"
	user b 1003 64
	room_is b 64
}

prove kept "a mapping and a dma-buf keep the charge when handle and file are closed"
kept() {
	user a 1004 64
	ask a create $((16 * PAGE))
	ask a mmap 0
	ask a close 0
	room_is a 48
	ask a munmap 0
	room_is a 64
	ask a create $((16 * PAGE))
	ask a export 0
	ask a close 0
	room_is a 48
	ask a closebuf 0
	room_is a 64
}

prove killed "killed, with handles, mappings and dma-bufs: nothing is charged"
killed() {
	user a 1005 64
	user b 1005 64
	ask a create $((16 * PAGE))
	ask a mmap 0
	ask a create $((16 * PAGE))
	ask a export 1
	room_is b 32
	shot a
	room_is b 64
}

prove node_passed "the maker pays until the last file is closed, whoever has it"
node_passed() {
	user a 1006 64
	user b 1007 64
	user c 1006 64
	ask a create $((16 * PAGE))
	meeting
	begin b take "$KTAP_TMP/socket" node
	met
	ask a give "$KTAP_TMP/socket" node
	answered b
	bye a
	room_is c 48
	room_is b 64
	bye b
	room_is c 64
}

prove buffer_passed "the maker pays until the last dma-buf is closed, whoever has it"
buffer_passed() {
	user a 1008 64
	user b 1009 64
	user c 1008 64
	ask a create $((16 * PAGE))
	ask a export 0
	meeting
	begin b take "$KTAP_TMP/socket" 0
	met
	ask a give "$KTAP_TMP/socket" 0
	answered b
	bye a
	room_is c 48
	room_is b 64
	bye b
	room_is c 64
}

# Other users reach what one of them makes.
meeting() {
	chmod 777 "$KTAP_TMP"
}

met() {
	wait_for 5 test -S "$KTAP_TMP/socket"
	chmod 777 "$KTAP_TMP/socket"
}

prove forked "the maker pays until its child has ended"
forked() {
	local child
	user a 1010 64
	user b 1010 64
	ask a create $((16 * PAGE))
	ask a fork
	child=$out
	bye a
	room_is b 48
	kill -KILL "$child"
	wait_for 5 not kill -0 "$child"
	room_is b 64
}

prove privileged "CAP_IPC_LOCK is not charged; root without it is"
privileged() {
	user a 0 64 $RAWIO
	ask a create $((16 * PAGE))
	info_is a 0 charged=$((16 * PAGE))
	room_is a 48
	ask a map 0
	managed b
	ask b memlock $PAGE
	ask b create $((16 * PAGE))
	info_is b 0 charged=0
	room_is a 48
	user c 1011 0 $IPC_LOCK
	ask c create $((16 * PAGE))
	info_is c 0 charged=0
}

prove revoked "the function was taken away: memory stays, and is paid for until it is let go"
revoked() {
	user a 1012 64 $RAWIO
	ask a create $((16 * PAGE))
	ask a mmap 0
	ask a fill 0 0x5a
	ask a map 0
	ask a create $((16 * PAGE))
	give_back "$FN"
	take "$FN"
	user b 1012 64
	room_is b 32
	ask a same 0 0x5a
	bye a
	room_is b 64
}

prove late_death "a bo that outlives its function is returned to nobody twice"
late_death() {
	user a 1013 64
	user b 1013 64
	ask a create $((16 * PAGE))
	ask b create $((16 * PAGE))
	give_back "$FN"
	bye a
	bye b
	take "$FN"
	user c 1013 64
	room_is c 64
	ask c create $((64 * PAGE))
	refused ENOMEM c create 1
}
