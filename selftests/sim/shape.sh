# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# What lspci and sysfs read is what was configured.

# shellcheck source=selftests/lib/sim.sh
. "$LIB/sim.sh"

setup() {
	sim_load
}

teardown() {
	sim_clear
}

# one DEVICE-ATTRIBUTE…: a fabric with a port and a plain device in its slot,
# f/p/d, live; the port's attributes are in $port
port=()
one() {
	sim_fabric f
	sim_port f/p "${port[@]}"
	sim_gpu f/p/d preset=plain "$@" present=1
	sim_live f
	sim_added f/p/d
}

# links: ADDRESS, speed and width of LnkCap and of LnkSta, of every function
links() {
	lspci -vv -s "$(sim_get "$1" domain)::" | awk '
		/^[0-9a-f]/ { addr = $1 }
		{ gsub(",", "") }
		/LnkCap:/ { match($0, /Speed .*Width x[0-9]+/)
			split(substr($0, RSTART, RLENGTH), cap, " ") }
		/LnkSta:/ { match($0, /Speed .*Width x[0-9]+/)
			gsub(/ \([a-z]+\)/, "")
			split(substr($0, RSTART, RLENGTH), sta, " ")
			print addr, cap[2], cap[4], sta[2], sta[4] }'
}

# What sysfs and lspci call a speed; older ones do not know the last.
declare -A GTS=([2.5]=2.5 [5]=5.0 [8]=8.0 [16]=16.0 [32]=32.0 [64]=64.0
	[128]=128.0)
declare -A LSPCI=([2.5]=2.5GT/s [5]=5GT/s [8]=8GT/s [16]=16GT/s [32]=32GT/s
	[64]=64GT/s [128]="(unknown|128GT/s)")

prove -t 60 speeds "7 speeds x 6 widths: lspci and sysfs show each, at both ends"
speeds() {
	local s w i=0 said want port dev link speed=() width=()
	sim_fabric f
	mkdir "$SIM"/f/p{0..41} "$SIM"/f/p{0..41}/d
	for s in 2.5 5 8 16 32 64 128; do
		for w in 1 2 4 8 16 32; do
			sim_set f/p$i max_speed="$s" max_width="$w" \
				prefetch_window=1M
			sim_set f/p$i/d max_speed=128 max_width=32 present=1
			speed+=("$s") width+=("$w")
			i=$((i + 1))
		done
	done
	sim_live f
	said=$(links f)
	for i in "${!speed[@]}"; do
		s=${speed[i]} w=${width[i]}
		want="${LSPCI[$s]} x$w"
		read -r port < "$SIM/f/p$i/address"
		read -r dev < "$SIM/f/p$i/d/address"
		like "$said" "$port $want $want"
		like "$said" "$dev [a-zA-Z0-9/]+ x32 $want"
		read -r link < "$SIM/f/p$i/link"
		is "$link" "L0 ${GTS[$s]} GT/s x$w"
		read -r link < "$PCI/$dev/current_link_width"
		is "$link" "$w"
		read -r link < "$PCI/$dev/current_link_speed"
		like "$link" "^(${GTS[$s]} GT/s PCIe|Unknown)$"
		[ "$s" = 128 ] || unlike "$link" Unknown
	done
}

prove worse_end "a link comes up at the worse end's speed and width"
worse_end() {
	local i=0 ps pw ds dw s w
	sim_fabric f
	while read -r ps pw ds dw; do
		sim_port f/p$i max_speed="$ps" max_width="$pw"
		sim_gpu f/p$i/d preset=plain max_speed="$ds" max_width="$dw" \
			present=1
		i=$((i + 1))
	done <<< "16 4 32 16
		32 16 8 4
		64 1 128 2
		2.5 16 64 8"
	sim_live f
	i=0
	while read -r s w; do
		sim_expect f/p$i link "L0 $s GT/s x$w"
		sim_expect f/p$i/d pci:current_link_speed "$s GT/s PCIe"
		sim_expect f/p$i/d pci:current_link_width "$w"
		i=$((i + 1))
	done <<< "16.0 4
		8.0 4
		64.0 1
		2.5 8"
}

prove flit "Flit mode from 64 GT/s on, and only when both ends know it"
flit() {
	local i s
	sim_fabric f
	i=0
	for s in 32 64 128; do
		sim_port f/p$i max_speed=$s
		sim_gpu f/p$i/d preset=plain max_speed=128 present=1
		i=$((i + 1))
	done
	sim_port f/p3 max_speed=64
	sim_gpu f/p3/d preset=plain max_speed=32 present=1
	sim_live f
	for i in 0 1 2 3; do
		is $((0x$(sim_reg f/p$i CAP_EXP+32.w) & 0x400)) \
			$((i == 1 || i == 2 ? 0x400 : 0)) "port $i"
		is $((0x$(sim_reg f/p$i/d CAP_EXP+32.w) & 0x400)) \
			$((i == 1 || i == 2 ? 0x400 : 0)) "device $i"
	done
}

# bar PATH N: size in bytes of a resource, and whether it is prefetchable, and
# 64 bits: "65536 p6"
bar() {
	local start end flags n=0 kind=
	while read -r start end flags; do
		[ "$n" = "$2" ] || { n=$((n + 1)); continue; }
		[ $((flags & 0x2000)) = 0 ] || kind+=p
		[ $((flags & 0x100000)) = 0 ] || kind+=6
		[ $((end)) != 0 ] || { echo 0; return; }
		echo "$((end - start + 1))${kind:+ $kind}"
		return
	done < "$PCI/$(sim_addr "$1")/resource"
}

prove bars "BARs of each kind: 32 and 64 bits, prefetchable, I/O, ROM"
bars() {
	port=(mem_window=64M prefetch_window=1G)
	one "bar0=16M" "bar1=1M prefetch" "bar2=256M 64 prefetch" \
		"bar4=256 io" "bar5=128" "rom=128K"
	is "$(bar f/p/d 0)" 16777216
	is "$(bar f/p/d 1)" "1048576 p"
	is "$(bar f/p/d 2)" "268435456 p6"
	# Nobody assigns I/O space, so only its register tells.
	sim_reg f/p/d BASE_ADDRESS_4=ffffffff
	is "$(sim_reg f/p/d BASE_ADDRESS_4)" ffffff01
	is "$(bar f/p/d 5)" 128
	is "$(bar f/p/d 6)" "131072 p"
	sim_expect f/p/d lspci:"Region 0:" 'Memory at * (32-bit, non-prefetchable)*16M]'
	sim_expect f/p/d lspci:"Region 2:" 'Memory at * (64-bit, prefetchable)*256M]'
}

prove bar_sizes "BARs from 16 bytes to 64 G, each assigned an address"
bar_sizes() {
	local i=0 size bytes
	sim_fabric f
	for size in 16 4K 64K 1M 16M 256M 4G 64G; do
		sim_port f/p$i prefetch_window=$((i < 7 ? 8 : 128))G
		sim_gpu f/p$i/d preset=plain "bar0=$size 64 prefetch" present=1
		i=$((i + 1))
	done
	sim_live f
	i=0
	for bytes in 16 4096 65536 1048576 16777216 268435456 4294967296 \
		68719476736; do
		is "$(bar f/p$i/d 0)" "$bytes p6"
		read -r size _ < "$PCI/$(sim_addr f/p$i/d)/resource"
		[ $((size)) != 0 ]
		i=$((i + 1))
	done
}

prove raw "BARs whose writable bits make no sense: the kernel survives"
raw() {
	local mask n=0
	sim_fabric f
	for mask in 0xdeadbee0 0x55555550 0x00000010 0x0f0f0000 0x80000000 \
		0xfffffff1; do
		sim_port f/p$n
		sim_gpu f/p$n/d preset=plain "bar0=raw $mask" \
			"bar1=raw $mask" "bar5=raw 0x7ffffff0"
		n=$((n + 1))
	done
	sim_live f
	for ((n = 0; n < 6; n++)); do sim_put f/p$n/d; done
	for ((n = 0; n < 6; n++)); do
		wait_for 5 sim_added f/p$n/d
		sim_yank f/p$n/d
	done
}

prove rebar "a resizable BAR: its sizes, and the kernel resizes it"
rebar() {
	local dev
	port=(prefetch_window=16G)
	one "bar0=256M 64 prefetch" "rebar=0 256M 1G 8G"
	dev=$PCI/$(sim_addr f/p/d)
	is $((0x$(< "$dev/resource0_resize"))) $((0x2500))
	sim_expect f/p/d lspci:"BAR 0:" "current size: 256MB, supported: 256MB 1GB 8GB"
	echo 10 > "$dev/resource0_resize"
	is "$(bar f/p/d 0)" "1073741824 p6"
	sim_expect f/p/d lspci:"BAR 0:" "current size: 1GB,*"
}

prove ids "vendor, device, class, revision, subsystem, serial number"
ids() {
	one vendor=0x1002 device=0x744c class=0x038000 revision=0xc8 \
		subsystem_vendor=0x1eae subsystem_device=0x7901 \
		serial=0123456789abcdef
	sim_expect f/p/d pci:vendor 0x1002
	sim_expect f/p/d pci:device 0x744c
	sim_expect f/p/d pci:class 0x038000
	sim_expect f/p/d pci:revision 0xc8
	sim_expect f/p/d pci:subsystem_vendor 0x1eae
	sim_expect f/p/d pci:subsystem_device 0x7901
	like "$(sim_lspci f/p/d)" "Device Serial Number 01-23-45-67-89-ab-cd-ef"
}

prove capabilities "capabilities that a function has or has not"
capabilities() {
	local i=0 attr said
	sim_fabric f
	while read -r attr; do
		sim_port f/p$i
		sim_gpu f/p$i/d preset=plain "$attr" present=1
		i=$((i + 1))
	done <<< "pcie_version=2
		pcie_version=1
		pcie_version=0
		aer=0
		pm=0
		msi=8
		flr=1
		interrupt_pin=2
		interrupt_pin=0"
	sim_live f
	said=$(sim_lspci f/p0/d)
	like "$said" "Express \(v2\) Endpoint"
	like "$said" "Advanced Error Reporting"
	like "$said" "Power Management"
	like "$said" "FLReset-"
	like "$said" "pin A routed"
	unlike "$said" "MSI: "
	unlike "$said" "Serial Number"
	like "$(sim_lspci f/p1/d)" "Express \(v1\) Endpoint"
	unlike "$(sim_lspci f/p2/d)" "Express"
	unlike "$(sim_lspci f/p3/d)" "Advanced Error"
	unlike "$(sim_lspci f/p4/d)" "Power Management"
	like "$(sim_lspci f/p5/d)" "MSI: Enable- Count=1/8"
	like "$(sim_lspci f/p6/d)" "FLReset\+"
	like "$(sim_lspci f/p7/d)" "pin B routed"
	unlike "$(sim_lspci f/p8/d)" "routed"
}

prove functions_all "8 functions of a device, and functions that are not in order"
functions_all() {
	local n
	sim_fabric f
	sim_port f/p
	sim_gpu f/p/d
	sim_port f/q
	sim_gpu f/q/d
	for n in 1 2 3 4 5 6 7; do
		sim_gpu f/p/d/function$n preset=plain class=0x04030$n
	done
	sim_gpu f/q/d/function3 preset=accelerator
	sim_live f
	sim_plug f/p/d
	sim_plug f/q/d
	for n in 1 2 3 4 5 6 7; do
		sim_expect f/p/d/function$n pci:class "0x04030$n"
		is "$(sim_addr f/p/d/function$n)" "$(sim_addr f/p/d | tr . '\n' |
			head -n 1).$n"
	done
	sim_expect f/q/d/function3 pci:class 0x120000
	wait_for 5 sim_bound f/q/d/function3
	not test -e "$PCI/$(sim_addr f/q/d | sed 's/0$/1/')"
	sim_yank f/p/d
	is "$(sim_addr f/p/d/function7 || :)" ""
	sim_yank f/q/d
}

prove inner_switch "a GPU behind a switch of its own, as AMD's cards have"
inner_switch() {
	local up
	sim_fabric f
	sim_port f/p
	sim_switch f/p/card 1 hotplug=none
	sim_gpu f/p/card/port0/gpu present=1
	sim_live f
	sim_put f/p/card
	wait_for 10 sim_bound f/p/card/port0/gpu
	up=$(sim_addr f/p/card)
	like "$(lspci -vv -s "$up")" "Upstream Port"
	like "$(sim_lspci f/p/card/port0)" "Downstream Port \(Slot-\)"
	is "$(dirname "$(readlink -f "$PCI/$(sim_addr f/p/card/port0)")")" \
		"$(readlink -f "$PCI/$up")"
	sim_yank f/p/card
	is "$(sim_addr f/p/card/port0/gpu || :)" ""
}

prove enclosure "two hot-pluggable GPUs in one enclosure, apart and together"
enclosure() {
	local a b
	sim_fabric f
	sim_port f/p max_width=8 external_facing=1
	sim_switch f/p/box 2
	sim_gpu f/p/box/port0/a present=1
	sim_gpu f/p/box/port1/b
	sim_live f
	sim_put f/p/box
	wait_for 10 sim_bound f/p/box/port0/a
	sim_plug f/p/box/port1/b
	a=$(sim_addr f/p/box/port0/a)
	sim_yank f/p/box/port0/a
	sim_bound f/p/box/port1/b
	sim_plug f/p/box/port0/a
	is "$(sim_addr f/p/box/port0/a)" "$a"
	b=$(sim_addr f/p/box/port1/b)
	sim_yank f/p/box
	not test -e "$PCI/$a"
	not test -e "$PCI/$b"
	sim_put f/p/box
	wait_for 10 sim_bound f/p/box/port0/a
	wait_for 10 sim_bound f/p/box/port1/b
}

prove domains "fabrics have domains of their own, and live side by side"
domains() {
	sim_fabric f
	sim_fabric g
	is "$(sim_get f domain)" ""
	sim_port f/p
	sim_port g/p
	sim_gpu f/p/d
	sim_gpu g/p/d
	sim_live f g
	[ "$(sim_get f domain)" != "$(sim_get g domain)" ]
	sim_plug f/p/d
	sim_plug g/p/d
	sim_dead f
	sim_bound g/p/d
	is "$(sim_get f status) $(sim_get g status)" "dead live"
	is "$(sim_get f domain)$(sim_addr f/p || :)" ""
	sim_live f
	wait_for 10 sim_bound f/p/d
}

prove numbering "root ports are numbered as they were made, eight to a device"
numbering() {
	local i d
	sim_fabric f
	for i in z y x w v u t s r q; do sim_port "f/$i"; done
	sim_live f
	d=$(sim_get f domain)
	is "$(sim_addr f/z)" "$d:00:00.0"
	is "$(sim_addr f/s)" "$d:00:00.7"
	is "$(sim_addr f/r)" "$d:00:01.0"
	is "$(sim_addr f/q)" "$d:00:01.1"
}

prove external "what is below a port that leads out of the machine is removable"
external() {
	sim_fabric f
	sim_port f/p external_facing=1
	sim_port f/q
	sim_gpu f/p/d
	sim_gpu f/q/d
	sim_live f
	sim_plug f/p/d
	sim_plug f/q/d
	sim_expect f/p/d pci:removable removable
	not sim_is f/q/d pci:removable removable
}

prove firmware "what firmware keeps, no service driver gets"
firmware() {
	local keeps kept s
	sim_fabric f
	sim_port f/p dpc=1
	for keeps in "" hotplug aer dpc pme "hotplug pme aer dpc ltr"; do
		sim_set f firmware_keeps "$keeps"
		is "$(sim_get f firmware_keeps)" "$keeps"
		sim_live f
		# The kernel has DPC when it has AER.
		kept=${keeps/dpc/}
		kept=${kept/aer/aer dpc}
		for s in hotplug:pciehp aer:aer pme:pcie_pme dpc:dpc; do
			case " $kept " in
			*" ${s%:*} "*) not sim_service f/p "${s#*:}" ;;
			*) sim_service f/p "${s#*:}" ;;
			esac
		done
		sim_dead f
	done
}

prove ports "ports without AER, DPC, a slot, or link reporting"
ports() {
	local said
	sim_fabric f
	sim_port f/a aer=0
	sim_port f/b hotplug=none
	sim_port f/c dll_active_reporting=0
	sim_port f/d surprise_down=1 surprise=0 power_controller=1 \
		attention_button=1 indicators=1 dpc=1
	sim_live f
	unlike "$(sim_lspci f/a)" "Advanced Error"
	like "$(sim_lspci f/b)" "Root Port \(Slot-\)"
	not sim_service f/b pciehp
	like "$(sim_lspci f/c)" "LLActRep-"
	said=$(sim_lspci f/d)
	like "$said" "Surprise\+ LLActRep\+"
	like "$said" "AttnBtn\+ PwrCtrl\+ MRL- AttnInd\+ PwrInd\+ HotPlug\+ Surprise-"
	like "$said" "Downstream Port Containment"
	said=$(sim_lspci f/a)
	like "$said" "Root Port \(Slot\+\)"
	like "$said" "AttnBtn- PwrCtrl- MRL- AttnInd- PwrInd- HotPlug\+ Surprise\+"
	unlike "$said" "Downstream Port Containment"
}

prove windows "bus numbers and windows are as firmware was told to keep"
windows() {
	local p q
	sim_fabric f
	sim_port f/p buses=16 mem_window=32M prefetch_window=2G
	sim_port f/q
	sim_live f
	p=$PCI/$(sim_addr f/p) q=$PCI/$(sim_addr f/q)
	is $(($(< "$p/subordinate_bus_number") - \
		$(< "$p/secondary_bus_number") + 1)) 16
	like "$(sim_lspci f/p)" "Memory behind bridge: .*32M\]"
	like "$(sim_lspci f/p)" "Prefetchable memory behind bridge: .*2G\]"
	like "$(sim_lspci f/q)" "Memory behind bridge: .*1M\]"
	like "$(sim_lspci f/q)" "Prefetchable memory behind bridge: .*512M\]"
	[ $(($(< "$q/secondary_bus_number"))) -gt \
		$(($(< "$p/subordinate_bus_number"))) ]
}

prove no_room "a BAR larger than its port's window stays without an address"
no_room() {
	local start
	port=(prefetch_window=64M)
	one "bar0=256M 64 prefetch"
	read -r start _ < "$PCI/$(sim_addr f/p/d)/resource"
	is $((start)) 0
}

prove corrupt "capability lists that loop or lead nowhere: the kernel survives"
corrupt() {
	local kind
	sim_fabric f
	for kind in cap-loop cap-range ext-loop ext-range; do
		sim_port "f/$kind"
		sim_gpu "f/$kind/d" preset=plain corrupt=$kind
	done
	sim_live f
	for kind in cap-loop cap-range ext-loop ext-range; do
		sim_plug "f/$kind/d"
		sim_lspci "f/$kind/d" > /dev/null
		sim_yank "f/$kind/d"
	done
}

prove header "an unknown header type: the kernel leaves the device alone"
header() {
	sim_fabric f
	sim_port f/p
	sim_gpu f/p/d preset=plain corrupt=header
	sim_live f
	dmesg_mark
	sim_put f/p/d
	wait_for 5 eval 'dmesg_since | grep -q "unknown header type"'
	not sim_added f/p/d
	sim_pull f/p/d
	sim_set f/p/d corrupt none
	sim_plug f/p/d
}
