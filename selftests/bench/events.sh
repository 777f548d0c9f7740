# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# vm: own-boot
# How fast events come to their readers. Nobody else listens: a udev that acts on
# the peer's events would be most of their time.

# shellcheck source=selftests/bench/lib/bench.sh
. lib/bench.sh
# shellcheck source=selftests/lib/left.sh
. "$LIB/left.sh"

setup() {
	egpu_load
	track rp0
	calm
}

# measured READERS
measured() {
	egpu_bench events 100 "$1" "$(port_addr rp0)" > "$KTAP_TMP/lines"
	pairs_of rate
	record "event_rate/$1" us 'the kernel'"'"'s uevents (udev monitor)' \
		'real pciehp'
	pairs_of log
	record "event_log/$1" us "" 'real pciehp'
}

prove -t 60 one "1 reader"
one() {
	measured 1
}

prove -t 60 some "16 readers"
some() {
	measured 16
}

prove -t 120 many "64 readers"
many() {
	measured 64
}
