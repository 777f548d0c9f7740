# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# egpuctl space, space --grow, apply with rebar-max and track --soft, against the
# module and the kernel's own resizing.

# shellcheck source=selftests/space/lib/fit.sh
. lib/fit.sh

export EGPU_CONFIG_DIR=/tmp/ctl/etc EGPU_RUN_DIR=/tmp/ctl/run

setup() {
	load
	mkdir -p /tmp/ctl/etc
}

teardown() {
	umount /proc/iomem 2> /dev/null || :
	sim_clear
	rm -rf /tmp/ctl
}

# one SPARE [ATTRIBUTE…]: a port with a window of 512 MiB, and so much at the root;
# its GPU has a resizable BAR of 256 MiB
one() {
	sim_fabric f prefetch_spare="$1" mem_spare=64M
	sim_port f/p external_facing=1 prefetch_window=512M "${@:2}"
	sim_gpu f/p/gpu 'bar0=256M 64 prefetch' 'rebar=0 256M 1G 8G'
	sim_live f
	wait_for 10 known f/p
}

ready() {
	one "$@"
	sim_plug f/p/gpu
	await f/p READY
}

# space PORT FILTER: of its part of the JSON
space() {
	egpuctl space "$(sim_addr "$1")" --json | jq -c ".ports[0] | $2"
}

# size: of the GPU's BAR
size() {
	bar "$(sim_addr f/p/gpu)" 0 | cut -d ' ' -f 2
}

# ends CODE,… CMD…: with one of these; its output in $out, and in the log
ends() {
	local want=$1 code=0
	shift
	out=$("$@" 2>&1) || code=$?
	tell "$* -> $code: ${out//$'\n'/; }"
	like ",$want," ",$code," "$*: $out"
}

MIB=$((1 << 20))

prove tells "space tells windows, sizes of a resizable BAR, and what would fit"
tells() {
	local port gpu
	ready 2G
	port=$(sim_addr f/p)
	gpu=$(sim_addr f/p/gpu)
	ends 0 egpuctl space "$port"
	like "$out" "$port  *32-bit memory"
	like "$out" "$gpu BAR 0  256 MiB, resizable: 256M 1G 8G; 1 GiB fits"
	like "$out" "$gpu BAR 0, 8 GiB: the root bus has no room"
	is "$(space f/p '[(.bars[0] | .size, .best, .sizes[]), .bridges[-1].address,
		.obstacles[0].fits] | map(tostring) | join(" ")' | tr -d '"')" \
		"$((256 * MIB)) $((1024 * MIB)) $((256 * MIB)) $((1024 * MIB)) $((8192 * MIB)) $port root"
	exits 0 egpuctl space
}

prove empty "an empty port: the bridge in the way of a GPU, what it holds, and the parameter"
empty() {
	local sw=f/p/sw spare
	for spare in 1G 0; do
		sim_fabric f prefetch_spare=$spare mem_spare=64M
		sim_port f/p external_facing=1 mem_window=1M prefetch_window=16M
		sim_switch $sw 2 mem_window=1M prefetch_window=16M
		sim_set $sw present=1
		sim_live f
		wait_for 10 known $sw/port0
		is "$(space $sw/port0 .state)" '"EMPTY"'
		tell "$(space $sw/port0 .obstacles)"
		is "$(space $sw/port0 '.obstacles[0] | [.what, .fits, .bridge, .holds]')" \
			"[\"a GPU's BAR\",\"blocked\",\"$(sim_addr $sw)\",\"$(sim_addr $sw/port1) window\"]"
		if [ $spare = 1G ]; then
			like "$(space $sw/port0 '.obstacles[0].parameter')" \
				'^"pci=realloc=on,hpmmioprefsize=512M,resource_alignment=.*/00.0"$'
		else
			is "$(space $sw/port0 '.obstacles[0].cure')" '"firmware"'
		fi
		sim_clear
	done
}

prove no_room "a BAR that found no room: its kind and size, although the kernel forgot them, and what helps"
no_room() {
	one 0 prefetch_window=16M
	sim_put f/p/gpu
	await f/p HELD/check-failed
	tell "$(space f/p '[.bars, .obstacles]')"
	is "$(space f/p '.bars[] | select(.index == 0) | [.kind, .size, .assigned]')" \
		"[\"prefetchable\",$((256 * MIB)),false]"
	is "$(space f/p '.obstacles[0] | [.kind, .size, .fits, .cure]')" \
		"[\"prefetchable\",$((256 * MIB)),\"root\",\"firmware\"]"
}

prove grow "--grow: the BAR grows with the windows around it, and its driver is bound again"
grow() {
	ready 32G
	is "$(space f/p '.bars[0] | [.resizable, .size, .best]')" \
		"[true,$((256 * MIB)),$((8192 * MIB))]"
	ends 0 egpuctl space "$(sim_addr f/p)" --grow
	is "$(size) $(get f/p state)" "$((8192 * MIB)) READY"
	wait_for 5 sim_bound f/p/gpu
	in_windows "$(sim_addr f/p/gpu)" 0
	# and back
	ends 0 egpuctl space "$(sim_addr f/p)" --grow=256M
	is "$(size) $(get f/p state)" "$((256 * MIB)) READY"
	in_windows "$(sim_addr f/p/gpu)" 0
}

prove grow_none "--grow that finds no room leaves size and driver: egpuctl knows, or the kernel says so"
grow_none() {
	ready 0
	layout "$(sim_addr f/p)" "$(sim_addr f/p/gpu)" > "$KTAP_TMP/before"
	ends 0 egpuctl space "$(sim_addr f/p)" --grow
	like "$out" "1 GiB do not fit: the root bus has no room"
	ends 10 egpuctl space "$(sim_addr f/p)" --grow=1G
	mount --bind /dev/null /proc/iomem
	ends 1 egpuctl space "$(sim_addr f/p)" --grow
	like "$out" "to 8 GiB: No space"
	like "$out" "to 1 GiB: No space"
	umount /proc/iomem
	is "$(size) $(get f/p state)" "$((256 * MIB)) READY"
	wait_for 5 sim_bound f/p/gpu
	in_windows "$(sim_addr f/p/gpu)" 0
	same "$KTAP_TMP/before" "$(sim_addr f/p)" "$(sim_addr f/p/gpu)"
}

prove beside "another function's BAR is in the window: no size is promised; --grow leaves all well, whatever the kernel does"
beside() {
	one 8G prefetch_window=2G
	sim_gpu f/p/gpu/function1 preset=plain 'bar0=8M 64 prefetch'
	sim_plug f/p/gpu
	await f/p READY
	is "$(space f/p '.bars[0].best')" "$((256 * MIB))"
	like "$(space f/p '.obstacles[0].holds')" "$(sim_addr f/p/gpu/function1) BAR 0"
	ends 0,1 egpuctl space "$(sim_addr f/p)" --grow
	is "$(get f/p state)" READY
	wait_for 5 sim_bound f/p/gpu
	in_windows "$(sim_addr f/p/gpu)" 0
	in_windows "$(sim_addr f/p/gpu/function1)" 0
}

prove apply "apply with rebar-max: what arrives is held, grows and is then admitted"
apply() {
	one 32G
	printf '[port %s]\nrebar-max = 1G\n' "$(space f/p .path | tr -d '"')" \
		> /tmp/ctl/etc/egpu.conf
	ends 0 egpuctl apply
	sim_put f/p/gpu
	await f/p HELD/manual
	ends 0 egpuctl apply
	like "$out" "BAR 0 of .* 256M -> 1G"
	await f/p READY
	is "$(size)" "$((1024 * MIB))"
	wait_for 5 sim_bound f/p/gpu
	ends 0 egpuctl apply
	is "$out" "Nothing to change."
}

prove soft "track --soft --watch --save: the slot is there, and the file says just that"
soft() {
	local addr
	sim_fabric f
	sim_port f/p hotplug=none
	sim_live f
	wait_for 10 known f/p
	addr=$(sim_addr f/p)
	ends 0 egpuctl track "$addr" --soft --watch 100ms --save
	is "$(get f/p backend)" soft
	is "$(< /tmp/ctl/etc/egpu.conf)" "[port $(space f/p .path | tr -d '"')]
track = yes
soft = yes
watch = 100ms"
	ends 0 egpuctl apply
	is "$out" "Nothing to change."
	ends 0 egpuctl untrack "$addr" --save
	like "$(< /tmp/ctl/etc/egpu.conf)" "soft = no"
}
