# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# What egpuctl does about links, as a person sees it, on the simulated fabric.

# shellcheck source=selftests/link/lib/links.sh
. lib/links.sh

setup() {
	load
	rm -rf /etc/egpu /var/lib/egpu
}

teardown() {
	sim_clear
}

# link_of PATH KEY…: of link --json, a line each
link_of() {
	local addr key filter=
	addr=$(sim_addr "$1")
	shift
	for key; do
		filter+=${filter:+,}.link.$key
	done
	rested
	egpuctl link "$addr" --json | jq -r "$filter"
}

prove live "with a driver bound: refused, then retrained with --live"
live() {
	local a out
	one
	a=$(sim_addr f/p)
	sim_set f/p/gpu autonomous_speed 2.5
	sim_expect f/p link "L0 2.5 GT/s x4"
	is "$(link_of f/p verdict)" idle
	exits 9 egpuctl link "$a" retrain
	like "$out" "is bound.*egpuctl link $a retrain --live"
	sim_expect f/p link "L0 2.5 GT/s x4"
	out=$(egpuctl link "$a" retrain --live --yes)
	like "$out" "train: 2.5GT/s -> 16GT/s x4, [0-9]+ ms"
	like "$out" "Link: 16GT/s x4, in [0-9]+ ms"
	sim_expect f/p link "L0 16.0 GT/s x4"
	is "$(link_of f/p verdict)" full
}

prove speed "held: limited, until reboot or saved; attached: so is the verdict"
speed() {
	local a out
	one
	a=$(sim_addr f/p)
	egpuctl policy "$a" manual
	sim_yank f/p/gpu
	empty f/p
	sim_put f/p/gpu
	egpuctl wait "$a" --for held --timeout 10
	out=$(egpuctl link "$a" speed 8)
	like "$out" "at most 8GT/s until reboot; add --save"
	sim_expect f/p link "L0 8.0 GT/s x4"
	egpuctl attach "$a"
	is "$(link_of f/p verdict_text)" "limited to 8GT/s (until reboot)"
	exits 10 egpuctl link "$a" speed 32
	out=$(egpuctl link "$a" speed max --save --live --yes)
	like "$out" "max-speed = max"
	sim_expect f/p link "L0 16.0 GT/s x4"
	is "$(link_of f/p verdict)" full
}

prove accept "what was seen, not what is now, is what is accepted"
accept() {
	local a
	one
	a=$(sim_addr f/p)
	sim_set f/p/gpu autonomous_speed 2.5
	like "$(egpuctl link "$a" accept)" "Accepted: 16GT/s x4"
	is "$(jq -c '.links[0].expected' /var/lib/egpu/links.json)" \
		'{"speed_gts":16,"width":4}'
	is "$(link_of f/p expected.width verdict | xargs)" "4 idle"
}

prove learned "what was learned of a device is applied, holds at each arrival, and a second apply changes nothing"
learned() {
	local a
	one
	a=$(sim_addr f/p)
	egpuctl link "$a" accept
	jq '.links[0].limit_gts = 8 | .links[0].why = "qualify"' \
		/var/lib/egpu/links.json > "$KTAP_TMP/links"
	cp "$KTAP_TMP/links" /var/lib/egpu/links.json
	like "$(egpuctl apply)" "limit 8GT/s \(qualify\)"
	is "$(egpuctl apply)" "Nothing to change."
	sim_expect f/p link "L0 16.0 GT/s x4"
	sim_yank f/p/gpu
	empty f/p
	is "$(egpuctl apply)" "Nothing to change."
	sim_plug f/p/gpu
	ready f/p
	sim_expect f/p link "L0 8.0 GT/s x4"
	is "$(link_of f/p verdict_text)" "limited to 8GT/s (qualify)"
	is "$(egpuctl apply)" "Nothing to change."
}

prove watch "errors of both ends are counted a line"
watch() {
	local out
	one
	out=$(egpuctl link "$(sim_addr f/p)" watch --count 2 --interval 0.5)
	like "$out" "16GT/s x4"
	like "$out" "16GT/s all the time"
}

prove wired "fewer lanes than both ends have: trained once, then that is how it is wired"
wired() {
	one max_width=16
	sim_yank f/p/gpu
	sim_set f/p/gpu dead_lanes 0xff00
	sim_plug f/p/gpu
	ready f/p
	is "$(link_of f/p verdict_text)" "wired x8 of x16"
}
