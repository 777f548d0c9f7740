# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# The tree in configfs: what is refused, what can be written when, limits, and
# that everything can be taken away at any moment.

# shellcheck source=selftests/lib/sim.sh
. "$LIB/sim.sh"

setup() {
	sim_load
}

teardown() {
	sim_clear
}

# all: one object of each kind, not live
all() {
	sim_fabric f
	sim_port f/p
	sim_gpu f/p/gpu
	sim_gpu f/p/gpu/function1 preset=plain
	sim_port f/q
	sim_switch f/q/box 1
	sim_gpu f/q/box/port0/d preset=plain
}

# attributes MODE PATH…: "PATH ATTR" of those with this mode, one a line
attributes() {
	local path mode=$1 m file
	shift
	for path; do
		(cd "$SIM/$path" && stat -c '%a %n' -- *) |
		while read -r m file; do
			case $m:$file in
			"$mode":*) [ -d "$SIM/$path/$file" ] ||
				echo "$path $file" ;;
			esac
		done
	done
}

ALL="f f/p f/p/fault f/p/gpu f/p/gpu/driver f/p/gpu/function1 f/q/box/port0"

# put PATH ATTR VALUE: write it; what went wrong is in $said. Starts no program.
put() {
	said=
	{ printf '%s\n' "$3" > "$SIM/$1/$2"; } 2> "$KTAP_TMP/said" ||
		read -r said < "$KTAP_TMP/said" || :
}

# refused PATH ATTR VALUE: EINVAL, and nothing is changed
refused() {
	local before after
	mapfile -t before < "$SIM/$1/$2"
	put "$@"
	like "$said" "Invalid argument" "$1/$2 '$3'"
	mapfile -t after < "$SIM/$1/$2"
	is "${after[*]}" "${before[*]}" "$1/$2 after '$3'"
}

prove -t 60 bad_input "nonsense in any attribute: EINVAL, and nothing is changed"
bad_input() {
	local path attr value long
	long=$(printf 'x%.0s' {1..300})
	all
	# shellcheck disable=SC2086 # words
	attributes 644 $ALL > "$KTAP_TMP/rw"
	[ "$(wc -l < "$KTAP_TMP/rw")" -ge 90 ]
	while read -r path attr; do
		for value in nonsense "$long" -1 99999999999999999999 \
			"1 2 3 4 5 6 7 8"; do
			case $attr:$value in
			config:*) continue ;;			# see dump.sh
			task:nonsense | task:-1 | task:9* | task:1*) continue ;;
			*_error:-1) continue ;;
			serial:99999999999999999999) ;;
			esac
			refused "$path" "$attr" "$value"
		done
	done < "$KTAP_TMP/rw"
	sim_live f
}

prove good_input "what an attribute reads as can be written to it"
good_input() {
	local path attr value after
	all
	# shellcheck disable=SC2086 # words
	attributes 644 $ALL > "$KTAP_TMP/rw"
	while read -r path attr; do
		case $attr in
		config | autonomous_speed | live) continue ;;
		esac
		mapfile -t value < "$SIM/$path/$attr"
		[ -n "${value[*]}" ] || [ "$attr" != ber ] || continue
		put "$path" "$attr" "${value[*]}"
		is "$said" "" "$path/$attr '${value[*]}'"
		mapfile -t after < "$SIM/$path/$attr"
		is "${after[*]}" "${value[*]}" "$path/$attr"
	done < "$KTAP_TMP/rw"
}

prove forms "numbers, sizes and speeds in each of their forms"
forms() {
	local s
	all
	sim_set f/p mem_window 0x200000
	is "$(sim_get f/p mem_window)" 2M
	sim_set f/p mem_window 2097152
	is "$(sim_get f/p mem_window)" 2M
	sim_set f/p prefetch_window 2G
	is "$(sim_get f/p prefetch_window)" 2G
	for s in 8 8.0 "8 GT/s" "8.0 GT/s" "8.0 GT/s PCIe" 8GT/s; do
		sim_set f/p max_speed 16
		sim_set f/p max_speed "$s"
		like "$(sim_get f/p max_speed)" "^8.0" "'$s'"
	done
	for s in 0 1 3 2 16.5 8.5 "8 MT/s" 12 160 25; do
		refused f/p max_speed "$s"
	done
	refused f/p mem_window 1000
	refused f/p mem_window 1.5M
	refused f/p max_width 3
	refused f/p max_width 0
	refused f/p/gpu bar0 "3M 64"
	refused f/p/gpu bar5 "4G 64 prefetch"
	refused f/p/gpu bar0 "8G"
	refused f/p/gpu bar1 4K
	refused f/p/gpu rebar "0 256M 3G"
	refused f/p/gpu msi 3
	refused f/p/gpu interrupt_pin 5
	refused f/p/gpu vendor 0x10000
	refused f/p/gpu ber "16 2"
	refused f/p/gpu ber "17 1e-9"
	refused f/p/gpu ber "16 1e-9 load 1/2"
	refused f/p/gpu ber "16 load"
	refused f/p/gpu bounce "0 5"
	refused f/p/gpu sleep nobody
	refused f/p/gpu/driver hang "probe dance"
	refused f firmware_keeps "aer everything"
	refused f/p/fault kind break
	refused f/p/fault scope else
}

# The documentation's list of what can be written when.
DEAD_FABRIC="firmware_keeps mem_spare prefetch_spare ram"
DEAD_PORT="aer attention_button buses command_completed dll_active_reporting \
dpc external_facing hotplug inband_presence_disable indicators max_speed \
max_width mem_window msi power_controller prefetch_window slot surprise \
surprise_down usb4"
OUT_DEV="aer bar0 bar1 bar2 bar3 bar4 bar5 class config corrupt cxl device flr \
interrupt_pin max_speed max_width msi pcie_version pm preset rebar revision \
rom serial subsystem_device subsystem_vendor vendor"

# busy PATH: attributes that do not take what they read as, now
busy() {
	local path attr value
	attributes 644 "$1" > "$KTAP_TMP/busy"
	while read -r path attr; do
		case $attr in
		config | autonomous_speed | live | present) continue ;;
		esac
		mapfile -t value < "$SIM/$path/$attr"
		[ -n "${value[*]}" ] || [ "$attr" != ber ] || continue
		put "$path" "$attr" "${value[*]}"
		case $said in *busy*) printf '%s ' "$attr" ;; esac
	done < "$KTAP_TMP/busy"
}

prove when "what can be written while live, and while in its slot, is as documented"
when() {
	all
	sim_live f
	is "$(busy f)" "$DEAD_FABRIC "
	is "$(busy f/p)" "$DEAD_PORT "
	is "$(busy f/p/gpu)" "" "out"
	sim_plug f/p/gpu
	is "$(busy f/p/gpu)" "${OUT_DEV/config /} " "in"
	is "$(busy f/p/gpu/driver)$(busy f/p/fault)" ""
	sim_yank f/p/gpu
	is "$(busy f/p/gpu)" "" "out again"
	sim_dead f
	is "$(busy f)$(busy f/p)" "" "dead"
}

prove modes "what can only be read cannot be written, and the reverse"
modes() {
	local path attr
	all
	# shellcheck disable=SC2086 # words
	attributes 444 $ALL > "$KTAP_TMP/ro"
	while read -r path attr; do
		put "$path" "$attr" 1
		like "$said" "Permission denied" "$path/$attr"
	done < "$KTAP_TMP/ro"
	# shellcheck disable=SC2086 # words
	attributes 200 $ALL > "$KTAP_TMP/wo"
	while read -r path attr; do
		not eval 'mapfile -t _ < "$SIM/$path/$attr"' 2> /dev/null ||
			fail "$path/$attr can be read"
	done < "$KTAP_TMP/wo"
	[ "$(wc -l < "$KTAP_TMP/ro")" -ge 10 ]
	[ "$(wc -l < "$KTAP_TMP/wo")" -ge 4 ]
}

prove defaults "defaults are those of the documentation"
defaults() {
	local attr want
	all
	while read -r attr want; do
		is "$(sim_get f/p "$attr")" "$want" "$attr"
	done <<< "hotplug native
		slot 0
		power_controller 0
		attention_button 0
		indicators 0
		surprise 1
		command_completed 1
		command_ms 0
		inband_presence_disable 0
		external_facing 0
		usb4 0
		dll_active_reporting 1
		surprise_down 0
		aer 1
		dpc 0
		msi 1
		max_speed 16.0 GT/s
		max_width 4
		buses 0
		mem_window 1M
		prefetch_window 512M
		detect_ms 12
		polling_ms 24
		configuration_ms 24
		speed_change_ms 48
		recovery_ms 24
		presence auto
		interrupt normal"
	while read -r attr want; do
		is "$(sim_get f/p/gpu "$attr")" "$want" "$attr"
	done <<< "present 0
		max_speed 32.0 GT/s
		max_width 16
		untrainable_above none
		unrecoverable_above none
		detect_speed none
		link_up_try 1
		recovery_failures 0
		error_limit 1000
		ready_ms 0
		bounce 0
		sleep same
		vendor 0x1234
		device 0xe600
		class 0x030200
		bar0 256M 64 prefetch
		bar2 64K
		rebar none
		serial 0
		pcie_version 2
		aer 1
		cxl 0
		pm 1
		flr 0
		msi 0
		interrupt_pin 1
		corrupt none"
}

prove names "names that mean something, and those that do not"
names() {
	local n
	all
	for n in function0 function8 function01 port32 port01 other; do
		exits 1 mkdir "$SIM/f/p/gpu/$n"
		like "$out" "Invalid argument" "$n"
	done
	exits 1 mkdir "$SIM/f/p/nothing"
	exits 1 mkdir "$SIM/f/p/same"
	exits 1 mkdir "$SIM/f/p/gpu/function1/port0"
	exits 1 rmdir "$SIM/f/p/fault"
	exits 1 rmdir "$SIM/f/p"
	[ -d "$SIM/f/p/gpu/driver" ]
}

prove no_window "without a window parameter it works; ram names the parameter"
no_window() {
	sim_fabric f
	dmesg_mark
	exits 1 sim_set f ram 1
	like "$out" "No such device or address"
	sim_said 'window='
	is "$(sim_get f ram)" 0
}

prove window_in_use "a window that the kernel uses as RAM is refused, with what to do"
window_in_use() {
	sim_unload
	dmesg_mark
	exits 1 modprobe egpu_sim window=16M@0x8000000
	like "$out" "busy"
	sim_said 'memmap=16M%0x8000000-1'
	exits 1 modprobe egpu_sim window=nonsense
	like "$out" "Invalid argument"
}

prove live "live twice, dead twice, and empty fabrics"
live() {
	sim_fabric f
	sim_live f
	sim_live f
	is "$(sim_get f live) $(sim_get f status)" "1 live"
	sim_dead f
	sim_dead f
	is "$(sim_get f live) $(sim_get f status)" "0 dead"
	refused f live 2
}

prove no_space "ENOSPC for more memory than there is; afterwards it starts"
no_space() {
	sim_fabric f
	sim_port f/p mem_window=2G
	sim_port f/q mem_window=2G
	exits 1 sim_set f live 1
	like "$out" "No space left"
	like "$(sim_get f status | tr '\n' ' ')" "^dead error "
	sim_set f/p mem_window 1M
	sim_set f/q mem_window 1M
	sim_live f
	is "$(sim_get f status)" live
}

prove too_many "251 ports in one fabric are E2BIG, and those of other fabrics count"
too_many() {
	sim_fabric f
	mkdir "$SIM"/f/p{0..250}
	exits 1 sim_set f live 1
	like "$out" "Argument list too long"
	is "$(sim_get f status | head -n 1)" dead
	rmdir "$SIM"/f/p{8..250}
	sim_live f
	sim_fabric g
	mkdir "$SIM"/g/p{0..248}
	exits 1 sim_set g live 1
	like "$out" "Argument list too long"
}

prove -l -t 100 limits "250 ports a fabric and 256 in all live, with services on each"
limits() {
	sim_fabric f
	sim_fabric g
	mkdir "$SIM"/f/p{0..249} "$SIM"/g/p{0..5}
	sim_live f g
	sim_service f/p249 pciehp
	sim_service g/p5 pciehp
	sim_gpu f/p249/d preset=plain
	sim_plug f/p249/d
}

prove unload "the module goes only when nothing is there"
unload() {
	sim_fabric f
	exits 1 rmmod egpu_sim
	like "$out" "in use"
	sim_live f
	rmmod egpu_sim_drm
	exits 1 rmmod egpu_sim
	sim_dead f
	rmdir "$SIM/f"
	wait_for 5 rmmod egpu_sim
	not test -e "$SIM"
	sim_load
	is "$(ls "$SIM")" ""
}

prove torn_out "a device's, a function's, a port's folder removed while live"
torn_out() {
	local addr
	sim_fabric f
	sim_port f/p
	sim_port f/q
	sim_gpu f/p/gpu
	sim_gpu f/q/gpu
	sim_gpu f/q/gpu/function1 preset=plain
	sim_live f
	sim_plug f/p/gpu
	sim_plug f/q/gpu
	addr=$(sim_addr f/p/gpu)
	rmdir "$SIM/f/p/gpu"
	wait_for 5 not test -e "$PCI/$addr"
	addr=$(sim_addr f/q/gpu)
	rmdir "$SIM/f/q/gpu/function1" "$SIM/f/q/gpu" "$SIM/f/q"
	wait_for 5 not test -e "$PCI/$addr/drm"
	rmdir "$SIM/f/p"
	sim_dead f
	is "$(sim_get f status)" dead
}

prove rmdir_live "a live fabric's folders removed, from the leaves to itself"
rmdir_live() {
	local addr
	sim_fabric f
	sim_port f/p
	sim_gpu f/p/gpu
	sim_live f
	sim_plug f/p/gpu
	addr=$(sim_addr f/p)
	rmdir "$SIM/f/p/gpu" "$SIM/f/p" "$SIM/f"
	wait_for 10 not test -e "$PCI/$addr"
	sim_fabric f
	sim_port f/p
	sim_live f
}

# starting SECONDS…: folders are removed so long after live=1
starting() {
	local wait writer
	for wait; do
		sim_fabric f
		sim_port f/p
		sim_gpu f/p/gpu present=1
		sim_port f/q
		sim_gpu f/q/gpu present=1
		echo 1 > "$SIM/f/live" &
		writer=$!
		nap "$wait"
		rmdir "$SIM/f/p/gpu" "$SIM/f/p" "$SIM/f/q/gpu" "$SIM/f/q" \
			"$SIM/f"
		wait "$writer" || :
	done
	wait_for 20 eval 'rmmod egpu_sim_drm; rmmod egpu_sim'
	sim_load
}

prove rmdir_starting "removed in the middle of the start; then the module goes"
rmdir_starting() {
	starting 0.05 0.2
}

prove -l -t 100 rmdir_starting_all "the same at many moments"
rmdir_starting_all() {
	starting 0 0.01 0.02 0.03 0.06 0.09 0.12 0.15 0.18 0.25 0.3 0.4 0.5 0.7
}

prove stop_starting "live=0 while it starts: it stops"
stop_starting() {
	local wait writer
	for wait in 0 0.03 0.1 0.3; do
		[ -d "$SIM/f" ] || all
		sim_set f/p/gpu present 1
		echo 1 > "$SIM/f/live" &
		writer=$!
		nap $wait
		sim_dead f
		wait "$writer" || :
		# on a busy machine the one that was begun first is the last
		[ "$(sim_get f live)" = 0 ] || sim_dead f
		is "$(sim_get f status | head -n 1)" dead
	done
	sim_live f
	wait_for 10 sim_bound f/p/gpu
}

prove overtaken "who waits for live=0 returns, also when it is live again before he looks"
overtaken() {
	all
	sim_set f/p/gpu present 1
	sim_live f
	wait_for 5 sim_bound f/p/gpu
	sim_set f/p/gpu/driver remove_ms 300
	is "$(sim_race "$SIM/f")" overtaken
}

# ends: live=0 comes to an end, and the fabric can go live again
ends() {
	sim_dead f
	is "$(sim_get f status)" dead "$1"
	is "$(compgen -G "$PCI/$domain:*" || :)" "" "$1"
	sim_set f/p/gpu present 0
	sim_live f
	domain=$(sim_get f domain)
}

prove -t 90 middle "torn down in the middle of everything"
middle() {
	local domain
	sim_fabric f
	sim_port f/p dpc=1 power_controller=1 indicators=1
	sim_gpu f/p/gpu
	sim_port f/q attention_button=1
	sim_live f
	domain=$(sim_get f domain)

	sim_put f/p/gpu
	ends "training"
	sim_put f/p/gpu
	sim_expect f/p link "L0 *"
	ends "enabling the slot"
	sim_plug f/p/gpu
	sim_pull f/p/gpu
	ends "removing"
	sim_plug f/p/gpu
	sim_set f/p/gpu flap "5000 0"
	nap 0.1
	ends "flapping"
	sim_plug f/p/gpu
	sim_set f/p/gpu ber "16 1e-8"
	nap 0.1
	ends "errors"
	sim_set f/p/gpu ber "16 0"
	sim_plug f/p/gpu
	sim_set f/p/gpu error DLP
	ends "DPC"
	sim_plug f/p/gpu
	sim_set f/q button 1
	nap 0.1
	ends "button pressed"
	sim_plug f/p/gpu
	sim_set f/p recovery_ms 2000
	sim_reg f/p CAP_EXP+10.w=20:20
	ends "Recovery"
	sim_set f/p recovery_ms 24
	sim_set f/p/gpu ready_ms 3000
	sim_put f/p/gpu
	sim_expect f/p link "L0 *"
	nap 0.2
	ends "not ready"
	sim_set f/p/gpu ready_ms 0
	sim_set f/p/gpu/driver probe_ms 500
	sim_put f/p/gpu
	wait_for 5 eval 'sim_get f status | grep -q binds'
	ends "in probe"
	sim_set f/p/gpu/driver probe_ms 0
	sim_set f/p presence present
	nap 0.3
	ends "no link"
	sim_set f/p presence auto
	sim_set f/p/gpu untrainable_above 2.5
	sim_put f/p/gpu
	nap 0.3
	ends "untrainable"
}
