# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# Mapping, removing and closing at the same time. Meant for the debug kernel, too,
# whose KASAN and DMA_API_DEBUG see what goes wrong. In egpu_sim.

# shellcheck source=selftests/dma/lib/plain.sh
. lib/plain.sh

# race SECONDS [CMD]: while CMD is done again and again
race() {
	local end
	eg quarantine f/p 0 0	# it is lost often on purpose
	pinned_now
	egpu_dma_race "$FN" "$1" 8 "$RANDOM" > "$KTAP_TMP/race" &
	end=$(($(now_ms) + $1 * 1000))
	while [ -n "${2:-}" ] && [ "$(now_ms)" -lt "$end" ]; do "$2"; done
	wait $! || fail "$(cat "$KTAP_TMP/race")"
	echo "# $(cat "$KTAP_TMP/race")" > /dev/ttyS1
	all_back
	pinned_is 0
	echo 1 > "$UNSAFE"
}

pulls() {
	sim_pull f/p/dev
	nap "0.0$((RANDOM % 10))"
	sim_put f/p/dev
	nap "0.$((RANDOM % 5 + 2))"
}

detaches() {
	eg detach f/p -f > /dev/null || :
	sim_pull f/p/dev
	sim_put f/p/dev
	eg attach f/p > /dev/null || :
	nap "0.$((RANDOM % 5))"
}


prove -t 60 given_back "given to egpu and back, while eight threads map"
given_back() { race 12; }

prove -t 60 pulled "pulled and plugged as well"
pulled() {
	race 12 pulls
	await f/p READY
}

prove -t 60 forced "detached by force and attached as well"
forced() {
	race 12 detaches
	sim_put f/p/dev
	await f/p READY,HELD,EMPTY,DETACHED
}

prove -l -t 900 long_given_back "the same for minutes"
long_given_back() { race 240; }
prove -l -t 900 long_pulled "the same for minutes"
long_pulled() {
	race 240 pulls
	await f/p READY
}
prove -l -t 900 long_forced "the same for minutes"
long_forced() { race 240 detaches; }
