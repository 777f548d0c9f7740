# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# For tests that use the misbehaving driver (selftests/modules/egpu_test_drv.c)
# and the program that holds nodes (egpu_test_user.c): . "$LIB/test_drv.sh"

DRV=/sys/module/egpu_test_drv/parameters
DRV_SYSFS=/sys/bus/pci/drivers/egpu_test

# drv_load [PARAM=VALUE…]: it comes before bochs, which udev loads with each
# GPU; the first on the bus gets the device
drv_load() {
	udevadm settle --timeout=5
	[ ! -e /sys/module/bochs ] || rmmod bochs
	modprobe egpu_test_drv "$@"
}

# drv_get NAME, drv_put NAME VALUE, drv_is NAME VALUE: its parameters
drv_get() {
	cat "$DRV/$1"
}

drv_put() {
	printf '%s\n' "$2" > "$DRV/$1"
}

drv_is() {
	[ "$(drv_get "$1")" = "$2" ]
}

# drv_write unbind|bind FUNCTION
drv_write() {
	printf '%s\n' "$2" > "$DRV_SYSFS/$1"
}

# drv_release: it behaves well from now on, and whatever hangs goes on
drv_release() {
	local p
	[ -e "$DRV" ] || return 0
	for p in probe_hang remove_hang probe_ms remove_ms probe_error \
		remove_waits i2c; do
		drv_put "$p" 0
	done
	drv_put only ''
	drv_put release 1
	wait_for 5 drv_is removing 0
	wait_for 5 drv_is probing 0
}

# drv_unload: the same, and away with it; end of a test
drv_unload() {
	drv_release
	[ ! -e "$DRV" ] || rmmod egpu_test_drv
}

# user ARGUMENT…: start egpu_test_user and wait until it is ready; its pid in
# $user, that of its last child, if it has any, in $child
user() {
	: > "$KTAP_TMP/user"
	egpu_test_user "$@" > "$KTAP_TMP/user" 2>&1 &
	wait_for 5 grep -q '^ready' "$KTAP_TMP/user"
	# shellcheck disable=SC2034 # both are for the test
	user=$(sed -n 's/^ready //p' "$KTAP_TMP/user")
	# shellcheck disable=SC2034
	child=$(sed -n 's/^child //p' "$KTAP_TMP/user" | tail -n 1)
}

# user_has PID NODE: how many of its files lead there
user_has() {
	# shellcheck disable=SC2010 # one readlink a file would be slower
	ls -l "/proc/$1/fd" | grep -c -- " -> $2\$" || :
}

users_kill() {
	pkill -KILL egpu_test_user || :
}
