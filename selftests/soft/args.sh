# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# What PORT_CONFIG takes about soft slots, and what it refuses; module parameters.

# shellcheck source=selftests/soft/lib/soft.sh
. lib/soft.sh

TRACK=0x1 FORGET=0x2 SOFT=0x100 WATCH_FLAG=0x200

setup() {
	load
}

teardown() {
	clear
	[ -e /sys/module/egpu ] || modprobe egpu
}

# refused ERRNO PORT FLAGS [MS]: and nothing has changed
refused() {
	local before
	before=$(eg info "$2")
	exits 1 egpu_client config "$(sim_addr "$2")" "${@:3}"
	is "$out" "$1" "config ${*:3}"
	is "$(eg info "$2")" "$before"
}

prove cannot "SOFT is for ports that cannot do it themselves, and report their link"
cannot() {
	sim_fabric f
	sim_port f/native
	port f/mute dll_active_reporting=0
	port f/p
	sim_live f
	refused EOPNOTSUPP f/native $((TRACK | SOFT))
	refused EOPNOTSUPP f/mute $((TRACK | SOFT))
	is "$(get f/mute link_reporting) $(get f/p link_reporting)" "0 1"
	# Without SOFT they are tracked as ever.
	eg track f/mute
	eg track f/p
	wait_for 5 has f/mute tracked 1
	not has f/p backend soft
	is "$(get f/p soft)" 0
}

prove kept_by_firmware "hotplug that firmware kept for itself is not ours"
kept_by_firmware() {
	sim_fabric f firmware_keeps=hotplug
	sim_port f/p
	sim_live f
	refused EOPNOTSUPP f/p $((TRACK | SOFT))
}

prove fields "fields that are wrong"
fields() {
	local ms
	sim_fabric f
	port f/p
	sim_live f
	refused EINVAL f/p $SOFT
	refused EINVAL f/p $((SOFT | FORGET))
	refused EINVAL f/p $((TRACK | SOFT | FORGET))
	refused EINVAL f/p $((TRACK | SOFT)) 250
	for ms in 0 1 19 60001 4294967295; do
		refused EINVAL f/p $((TRACK | SOFT | WATCH_FLAG)) $ms
		refused EINVAL f/p $WATCH_FLAG $ms
	done
	for ms in 20 60000; do
		egpu_client config "$(sim_addr f/p)" $WATCH_FLAG $ms
		is "$(get f/p watch_ms)" $ms
	done
}

prove privilege "without CAP_SYS_ADMIN nothing is, whatever is wrong with it"
privilege() {
	local flags
	sim_fabric f
	port f/p
	sim_live f
	for flags in $((TRACK | SOFT)) $SOFT $WATCH_FLAG; do
		exits 1 setpriv --reuid 65534 --regid 65534 --clear-groups \
			--bounding-set -all --inh-caps -all \
			/bin/egpu_client config "$(sim_addr f/p)" "$flags"
		is "$out" EPERM
	done
	is "$(get f/p soft) $(get f/p tracked)" "0 0"
}

prove twice "SOFT again changes nothing; after TRACK alone it makes it soft"
twice() {
	sim_fabric f
	port f/p
	sim_live f
	eg track f/p
	await f/p EMPTY
	not has f/p backend soft
	soft f/p
	soft f/p 100
	is "$(get f/p watch_ms)" 100
	eg track f/p
	intervals 2
	is_soft f/p
	again f/p
	soft f/p
	is "$(get f/p state) $(counted f/p)" "READY 0 0"
	# Nor is anything checked again.
	eg policy f/p manual
	sim_yank f/p/gpu
	sim_put f/p/gpu
	await f/p HELD/manual
	listen f/p
	soft f/p
	intervals 4
	is "$(states)" ""
	unheard "HELD"
}

prove late "SOFT takes the slot of a port that is LOST, too, and its GPU comes anew"
late() {
	sim_fabric f
	port f/p
	sim_set f/p/gpu present 1
	sim_live f
	wait_for 10 sim_bound f/p/gpu
	eg track f/p
	await f/p READY/adopted
	lose f/p f/p/gpu
	soft f/p
	await f/p READY
	wait_for 5 sim_bound f/p/gpu
	is "$(get f/p losses)" 1
}

prove tool "egpuctl takes a slot, and keeps that and its interval"
tool() {
	sim_fabric f
	port f/p
	sim_live f
	export EGPU_CONFIG_DIR=$KTAP_TMP/config
	mkdir "$EGPU_CONFIG_DIR"
	exits 0 egpuctl track "$(sim_addr f/p)" --soft --watch 100ms --save
	like "$out" "with a soft slot"
	is "$(get f/p backend) $(get f/p watch_ms)" "soft 100"
	like "$(cat "$EGPU_CONFIG_DIR"/*)" "track *= *yes"
	like "$(cat "$EGPU_CONFIG_DIR"/*)" "soft *= *yes"
	like "$(cat "$EGPU_CONFIG_DIR"/*)" "watch *= *100ms"
	exits 2 egpuctl track "$(sim_addr f/p)" --soft --watch 1ms
	again f/p
}

prove anew "forgotten and tracked again, in one breath and in another"
anew() {
	local i
	ready_one
	for i in 1 2 5 40; do
		eg anew f/p "$i"
		is_soft f/p
		[ -e "$(folder f/p)/power" ]
	done
	await f/p READY
	eg forget f/p
	not_soft f/p
	is "$(get f/p soft) $(get f/p tracked) $(get f/p slot)" "0 0 "
	sim_bound f/p/gpu
	soft f/p
	await f/p READY
	sim_pull f/p/gpu
	await f/p EMPTY/link-down
}

prove parameters "parameters: an address that is none, an interval that is none"
parameters() {
	egpu_unload
	dmesg_mark
	exits 1 modprobe egpu soft=oculink
	sim_said 'soft=oculink: say a PCI address'
	for ms in 0 19 60001; do
		exits 1 modprobe egpu watch_ms=$ms
		sim_said "watch_ms=$ms"
	done
	# Of what is not there, or cannot, nothing comes.
	sim_fabric f
	sim_port f/native
	sim_live f
	modprobe egpu soft="0000:7f:1f.7,$(sim_addr f/native)" watch_ms=60000
	is "$(get f/native soft) $(get f/native tracked)" "0 0"
	egpu_unload
}
