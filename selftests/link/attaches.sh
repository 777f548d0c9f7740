# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# A link without errors never leaves its best speed: attached again and again
# on the simulated fabric.
# vm: own-boot

# shellcheck source=selftests/link/lib/links.sh
. lib/links.sh

PORTS=32 ROUNDS=3
if [ -n "${LONG:-}" ]; then ROUNDS=32; fi

setup() {
	load
}

teardown() {
	rm -f /etc/egpu/egpu.conf
	sim_clear
}

# ports: their names
ports() {
	local i
	for ((i = 0; i < PORTS; i++)); do echo "f/p$i"; done
}

all_bound() {
	local p
	for p in $(ports); do sim_bound "$p/gpu" || return; done
}

none_there() {
	local p
	for p in $(ports); do not sim_added "$p/gpu" || return; done
}

# best PORT: as fast and as wide as both ends can, and nobody trained it
best() {
	is "$(sim_get "$1" link)" "L0 16.0 GT/s x4" "$1"
	is "$(sim_stat "$1" retrains)" 0 "$1 retrains"
	is "$(sim_stat "$1" violations)" 0 "$1 violations"
}

prove -t 900 attaches "$((PORTS * ROUNDS)) attaches: always the best speed, never trained again"
attaches() {
	local p round
	sim_fabric f
	for p in $(ports); do
		# shellcheck disable=SC2086 # words
		sim_port "$p" $FAST max_speed=16 max_width=4 prefetch_window=1M
		sim_gpu "$p/gpu" bar0=0
	done
	sim_live f
	mkdir -p /etc/egpu
	printf '[defaults]\nquarantine = no\n' > /etc/egpu/egpu.conf
	egpuctl apply > "$KTAP_TMP/apply"
	for ((round = 0; round < ROUNDS; round++)); do
		for p in $(ports); do sim_put "$p/gpu"; done
		wait_for 60 all_bound
		for p in $(ports); do best "$p"; done
		for p in $(ports); do sim_pull "$p/gpu"; done
		wait_for 60 none_there
	done
	tell "$((PORTS * ROUNDS)) attaches, all at 16 GT/s x4"
}
