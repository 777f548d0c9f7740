# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# vm: own-boot
# A kernel that is locked down keeps root, too, from writing registers.

# shellcheck source=selftests/link/lib/set.sh
. lib/set.sh

SECURITY=/sys/kernel/security

setup() {
	load
}

# No way back: it is this guest's last test.
prove lockdown "LINK_SET under lockdown: EPERM, also for later; what is only read goes on"
lockdown() {
	[ -d $SECURITY/integrity ] || [ -e $SECURITY/lockdown ] ||
		mount -t securityfs none $SECURITY 2> /dev/null || true
	[ -e $SECURITY/lockdown ] || skip "this kernel has no lockdown"
	held_one
	result "OK none" f/p speed=80
	stat retrains 1
	echo integrity > $SECURITY/lockdown
	refused EPERM f/p retrain
	refused EPERM f/p speed=80 later
	refused EPERM f/p fixed
	stat retrains 1
	is "$(get f/p limit)" "80 0000:0000"
	egpu_client attach "$(sim_addr f/p)"
	await f/p READY
	sim_expect f/p link "L0 8.0 GT/s x4"
}
