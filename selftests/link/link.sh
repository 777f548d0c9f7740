# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# What is told of links on the simulated fabric.

# shellcheck source=selftests/link/lib/links.sh
. lib/links.sh

setup() {
	load
}

teardown() {
	sim_clear
}

prove -t 60 matrix "every speed and width, as trained; and as lspci reads it, where it can"
matrix() {
	local s w port line n=0 addr
	sim_fabric f
	for s in 2.5 5 8 16 32 64 128; do
		for w in 1 2 4 8 16; do
			port=f/s${s/./_}w$w
			# shellcheck disable=SC2086 # words
			sim_port "$port" $FAST max_speed="$s" max_width="$w" \
				prefetch_window=1M
			sim_gpu "$port/d" preset=plain max_speed=128 present=1
		done
	done
	sim_live f
	lspci_links > "$KTAP_TMP/lspci"
	for s in 2.5 5 8 16 32 64 128; do
		for w in 1 2 4 8 16; do
			addr=$(sim_addr "f/s${s/./_}w$w")
			n=$((n + 1))
			egpuctl link "$addr" --json >> "$KTAP_TMP/link"
			echo "$addr $s $w $s $w" \
				"$(sim_addr "f/s${s/./_}w$w/d") 128 16"
		done
	done > "$KTAP_TMP/want"
	jq -r "$LINKS_OF" "$KTAP_TMP/link" > "$KTAP_TMP/got"
	diff "$KTAP_TMP/want" "$KTAP_TMP/got"
	is "$(wc -l < "$KTAP_TMP/got")" "$n"
	n=0
	while read -r line; do
		case $line in
		*\?*)	;;	# lspci does not know this speed
		*)	grep -q "^$line " "$KTAP_TMP/got" ||
				fail "lspci: $line"
			n=$((n + 1)) ;;
		esac
	done < <(grep -F -f <(cut -d ' ' -f 1 "$KTAP_TMP/got") "$KTAP_TMP/lspci")
	[ "$n" -ge 25 ]
}

prove -t 60 ends "what both ends can do, and which of them is the limit"
ends() {
	local i=0 a b c d speed width
	sim_fabric f
	while read -r a b c d _; do
		# shellcheck disable=SC2086 # words
		sim_port "f/p$i" $FAST max_speed="$a" max_width="$b" \
			prefetch_window=1M
		sim_gpu "f/p$i/d" preset=plain max_speed="$c" max_width="$d" \
			present=1
		i=$((i + 1))
	done <<< "$ENDS"
	sim_live f
	i=0
	while read -r a b c d speed width; do
		egpuctl link "$(sim_addr "f/p$i")" --json >> "$KTAP_TMP/link"
		echo "$(sim_addr "f/p$i") $speed $width $a $b" \
			"$(sim_addr "f/p$i/d") $c $d"
		i=$((i + 1))
	done <<< "$ENDS" > "$KTAP_TMP/want"
	jq -r "$LINKS_OF" "$KTAP_TMP/link" > "$KTAP_TMP/got"
	diff "$KTAP_TMP/want" "$KTAP_TMP/got"
}
ENDS="16 4 32 16 16 4
32 16 8 4 8 4
5 16 16 1 5 1
64 8 32 8 32 8
2.5 2 128 2 2.5 2"

prove picture "a picture for people"
picture() {
	local a b
	one
	a=$(sim_addr f/p) b=$(sim_addr f/p/gpu)
	rested
	is "$(egpuctl link "$a")" \
"root $a --16GT/s x4, 7.9 GB/s-- GPU $b   <- narrowest
  ends allow 16GT/s x4: full speed (the port 16GT/s x4, the far end 32GT/s x16)
  leaves 6.6 GB/s for data with payloads of 128 bytes, 7.2 GB/s with 256
Errors of the GPU: none"
	is "$(egpuctl link)" "$(egpuctl link "$b")" "the only port"
}

prove inside "a switch in the GPU: both links, and the narrower one is marked"
inside() {
	sim_fabric f
	# shellcheck disable=SC2086 # words
	sim_port f/p $FAST max_speed=16 max_width=16 buses=4 mem_window=4M
	sim_switch f/p/card 1 hotplug=none max_speed=8 max_width=8
	sim_gpu f/p/card/port0/gpu present=1
	sim_live f
	sim_put f/p/card
	wait_for 10 sim_bound f/p/card/port0/gpu
	ready f/p
	look f/p
	is "${HOP[hops]}" 2
	hop 0 address="$(sim_addr f/p)" partner="$(sim_addr f/p/card)" \
		speed_gts=16 width=16 narrowest=false
	flag 0 port
	hop 1 address="$(sim_addr f/p/card/port0)" \
		partner="$(sim_addr f/p/card/port0/gpu)" \
		speed_gts=8 width=8 narrowest=true
	noflag 1 port
}

prove enclosure "a cable port and a slot below it: from either, each has its own end"
enclosure() {
	sim_fabric f
	# shellcheck disable=SC2086 # words
	sim_port f/p $FAST max_speed=8 max_width=4 buses=8 mem_window=8M \
		prefetch_window=2G
	sim_switch f/p/box 2 detect_ms=0 polling_ms=0
	sim_gpu f/p/box/port1/gpu present=1
	sim_live f
	sim_put f/p/box
	wait_for 10 sim_bound f/p/box/port1/gpu
	ready f/p/box/port1
	look f/p/box/port1
	is "${HOP[hops]}" 2
	hop 0 speed_gts=8 width=4 narrowest=true
	hop 1 speed_gts=16 width=4 narrowest=false
	noflag 0 port
	flag 1 port
	look f/p
	is "${HOP[hops]}" 1
	flag 0 port
	look f/p/box/port0
	hop 1 partner=null speed_gts=null
}

prove flit "Flit mode from 64 GT/s on, and at lower speeds of such links"
flit() {
	one max_speed=64
	look f/p
	noflag 0 flit
	sim_yank f/p/gpu
	sim_set f/p/gpu max_speed 128
	sim_plug f/p/gpu
	look f/p
	flag 0 flit
	hop 0 speed_gts=64 bytes_per_second=29500000000
	sim_reg f/p CAP_EXP+30.w=4:f
	sim_reg f/p CAP_EXP+10.w=20:20
	sim_expect f/p link "L0 16.0 GT/s x4"
	look f/p
	flag 0 flit
	hop 0 speed_gts=16 target_speed_gts=16 bytes_per_second=7261538461
}

prove changes "retrained, and changed by the device: LBMS, LABS; idle is no fault"
changes() {
	one
	sim_reg f/p CAP_EXP+12.w=c000
	look f/p
	noflag 0 lbms labs
	sim_set f/p/gpu autonomous_speed 2.5
	sim_expect f/p link "L0 2.5 GT/s x4"
	look f/p
	flag 0 labs
	noflag 0 lbms
	hop 0 speed_gts=2.5 max_speed_gts=16 partner_max_speed_gts=32
	out=$(egpuctl link "$(sim_addr f/p)")
	like "$out" "now 2.5GT/s x4 \(idle; 16GT/s seen at [0-9:]+\)"
	like "$out" "changed by itself \(LABS\)"
	unlike "$out" "degraded|slow"
	sim_reg f/p CAP_EXP+12.w=c000
	sim_reg f/p CAP_EXP+10.w=20:20
	sim_expect f/p link "L0 16.0 GT/s x4"
	look f/p
	flag 0 lbms
	noflag 0 labs
}

prove autonomous "Hardware Autonomous Speed Disable, at the port, at the GPU"
autonomous() {
	one
	look f/p
	noflag 0 autonomous-off partner-autonomous-off
	sim_reg f/p CAP_EXP+30.w=20:20
	look f/p
	flag 0 autonomous-off
	noflag 0 partner-autonomous-off
	sim_reg f/p CAP_EXP+30.w=0:20
	sim_reg f/p/gpu CAP_EXP+30.w=20:20
	look f/p
	noflag 0 autonomous-off
	flag 0 partner-autonomous-off
	like "$(egpuctl link "$(sim_addr f/p)")" "changes off at the far end"
}

prove modes "ASPM, common clock, retimers, equalization, by the port's registers"
modes() {
	local cap
	one
	sim_reg f/p CAP_EXP+10.w=43:43
	cap=$(exp_offset f/p)
	sim_set f/p poke "$((cap + 0x32)) 2 0x00e2"
	look f/p
	flag 0 aspm-l0s aspm-l1 common-clock equalized equalization-request \
		retimer two-retimers
	like "$(egpuctl link "$(sim_addr f/p)")" "ASPM L0s L1, two retimers"
}

# exp_offset PATH: where its PCI Express capability is
exp_offset() {
	echo $((0x$(lspci -vv -s "$(sim_addr "$1")" |
		sed -n 's/.*Capabilities: \[\([0-9a-f]*\)\] Express.*/\1/p')))
}

prove lanes "lanes that are dead make it narrower; those with errors are named"
lanes() {
	local at
	one max_width=16
	look f/p
	hop 0 width=16 lane_errors="[]"
	at=$(lspci -vv -s "$(sim_addr f/p)" |
		sed -n 's/.*\[\([0-9a-f]*\) v1\] Secondary PCI Express.*/\1/p')
	sim_set f/p poke "$((0x$at + 8)) 4 0x8009"
	look f/p
	hop 0 lane_errors="[0,3,15]"
	like "$(egpuctl link "$(sim_addr f/p)")" "errors on lane 0 3 15"
	sim_yank f/p/gpu
	sim_set f/p/gpu dead_lanes 0xff00
	sim_plug f/p/gpu
	look f/p
	hop 0 width=8 max_width=16 partner_max_width=16
}

prove disabled "a link that software disabled has no speed"
disabled() {
	one hotplug=none
	sim_reg f/p CAP_EXP+10.w=10:10
	sim_expect f/p link "Disabled*"
	look f/p
	flag 0 disabled
	noflag 0 active
	hop 0 speed_gts=null width=null bytes_per_second=null
	like "$(egpuctl link "$(sim_addr f/p)")" "--disabled--"
	sim_reg f/p CAP_EXP+10.w=0:10
	sim_expect f/p link "L0 *"
	look f/p
	noflag 0 disabled
	hop 0 width=4
}

prove dpc "a link that DPC keeps down says so"
dpc() {
	local service
	one hotplug=none dpc=1
	look f/p
	noflag 0 dpc
	# The kernel would end it at once.
	for service in /sys/bus/pci_express/drivers/dpc/"$(sim_addr f/p)":*; do
		echo "${service##*/}" > "${service%/*}/unbind"
	done
	sim_reg f/p ECAP1d+6.w=41
	sim_expect f/p stat:dpc 1
	look f/p
	flag 0 dpc
	is $((HOP[0.dpc_status] & 1)) 1
	hop 0 speed_gts=null width=null
	like "$(egpuctl link "$(sim_addr f/p)")" "DPC triggered \(status 0x"
	sim_reg f/p ECAP1d+8.w=1
	sim_expect f/p link "L0 *"
	look f/p
	noflag 0 dpc
}

# counted TEXT: it says of the GPU's errors
counted() {
	[[ $(egpuctl link "$(sim_addr f/p)") = *"Errors of the GPU: $1"* ]]
}

prove aer "the GPU's errors, by kind"
aer() {
	one
	counted none
	sim_set f/p/gpu error RCVR
	wait_for 5 counted "correctable 1 (RxErr 1)"
	sim_set f/p/gpu error RCVR
	wait_for 5 counted "correctable 2 (RxErr 2)"
	sim_set f/p/gpu error BAD_TLP
	wait_for 5 counted "correctable 3 (RxErr 2, BadTLP 1)"
	sim_set f/p/gpu error COMP_TIME
	wait_for 5 counted "correctable 3 (RxErr 2, BadTLP 1); nonfatal 1 (CmpltTO 1)"
	look f/p
	is "${HOP[aer]}" '{"correctable":{"total":3,"kinds":{"RxErr":2,"BadTLP":1}},"nonfatal":{"total":1,"kinds":{"CmpltTO":1}},"fatal":{"total":0,"kinds":{}}}'
}

prove slot "an empty slot leads nowhere; what comes and goes is seen at once"
slot() {
	local addr
	sim_fabric f
	# shellcheck disable=SC2086 # words
	sim_port f/p $FAST
	sim_gpu f/p/gpu
	sim_live f
	addr=$(sim_addr f/p)
	is "$(egpuctl link "$addr")" "root $addr --down-- nothing
  the port allows 16GT/s x4"
	sim_plug f/p/gpu
	ready f/p
	like "$(egpuctl link "$addr")" "GPU $(sim_addr f/p/gpu)"
	sim_yank f/p/gpu
	empty f/p
	like "$(egpuctl link "$addr")" "--down-- nothing"
}

prove quiet "list and show make no access to the GPU; nothing wakes one that sleeps"
quiet() {
	one
	sim_reg f/p/gpu CAP_PM+4.w=3
	rested
	sim_set f/p/fault at=0 armed=1
	egpuctl list --json | jq -e '.ports[0].link.speed_gts == 16'
	egpuctl show "$(sim_addr f/p)" --json |
		jq -e '.port.hops[0].partner_max_speed_gts == 32'
	is "$(sim_get f/p/fault seen)" 0 "accesses to the GPU"
	look f/p
	sim_set f/p/fault armed 0
	is $((0x$(sim_reg f/p/gpu CAP_PM+4.w) & 3)) 3 "D3hot"
	sim_reg f/p/gpu CAP_PM+4.w=0
}

prove seldom "however often it is asked, registers are read four times a second"
seldom() {
	local before once many start took port
	one
	port=$(sim_addr f/p)
	rested
	before=$(sim_stat f/p reads)
	egpu_ask 1 "$port"
	once=$(($(sim_stat f/p reads) - before))
	[ "$once" -gt 6 ]
	rested
	before=$(sim_stat f/p reads)
	start=$(now_ms)
	egpu_ask 100 "$port"
	egpuctl link "$port" --json > /dev/null
	took=$(($(now_ms) - start))
	many=$(($(sim_stat f/p reads) - before))
	echo "# $once reads at once, $many for 101 asks in $took ms" \
		> /dev/ttyS1
	[ "$many" -ge "$once" ]
	[ "$many" -le $((once * (took / 250 + 1))) ]
}

# struck PORT: the access came, and the cable was pulled with it
struck() {
	[ "$(sim_get "$1/fault" hit)" != 0 ]
}

# below PORT: egpu has seen what is there
below() {
	[[ $(egpuctl show "$(sim_addr "$1")") = *"$(sim_addr "$1/d")"* ]]
}

# Sixteen ports at once, a cable each, pulled at another access.
prove -t 60 pulled "the cable is pulled at any access that the question makes"
pulled() {
	local ports i p n=0 hits=16 total=0
	ports=$(echo f/p{0..15})
	sim_fabric f
	for p in $ports; do
		# shellcheck disable=SC2086 # words
		sim_port "$p" $FAST prefetch_window=1M
		sim_gpu "$p/d" preset=plain
		sim_set "$p/fault" kind=yank scope=all task=egpu_ask
	done
	sim_live f
	while [ "$hits" = 16 ]; do
		for p in $ports; do sim_put "$p/d"; done
		for p in $ports; do wait_for 10 sim_added "$p/d"; done
		for p in $ports; do wait_for 10 below "$p"; done
		rested
		i=$n
		for p in $ports; do
			i=$((i + 1))
			sim_set "$p/fault" at=$i armed=1
		done
		# shellcheck disable=SC2046 # words
		is "$(egpu_ask 1 $(for p in $ports; do sim_addr "$p"; done) |
			sort | uniq -c | tr -s ' ')" " 16 1" "links"
		hits=0
		for p in $ports; do
			if struck "$p"; then hits=$((hits + 1)); fi
			sim_set "$p/fault" armed 0
			sim_pull "$p/d"
		done
		for p in $ports; do wait_for 10 not sim_added "$p/d"; done
		n=$((n + 16))
		total=$((total + hits))
	done
	echo "# $total accesses" > /dev/ttyS1
	[ "$total" -ge 12 ]
}
