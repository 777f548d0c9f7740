# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# vm: own-boot --memory 2G --append "slab_nomerge" --have configfs
# What one port costs, and 256: while nothing happens, in memory, to load, and
# when another GPU comes. Native ports of the simulated fabric: h has one, f and
# g the other 255. The file's tests build on each other.

# shellcheck source=selftests/lib/sim.sh
. "$LIB/sim.sh"
# shellcheck source=selftests/lib/left.sh
. "$LIB/left.sh"
# shellcheck source=selftests/bench/lib/bench.sh
. lib/bench.sh

FABRIC='simulated fabric'
ROUNDS=3
SECONDS_IDLE=3
MODULE=$(modinfo -n egpu)

# fabric NAME PORTS: with a display that no driver wants for each slot: of GPUs
# with one, DRM has not as many minors
fabric() {
	local p
	sim_fabric "$1"
	for ((p = 0; p < $2; p++)); do
		sim_port "$1/p$p" external_facing=1 detect_ms=0 polling_ms=0 \
			configuration_ms=0 speed_change_ms=0 recovery_ms=0
		sim_gpu "$1/p$p/gpu" preset=plain class=0x038000
	done
}

setup() {
	[ ! -d "$SIM/h" ] || return 0
	sim_load
	calm
	modprobe egpu		# what it needs stays loaded
	egpu_unload
	fabric h 1
	fabric g 5
	fabric f 250
	sim_set h/p0/gpu preset=gpu
	sim_live h
}

# loaded: egpu, and it has looked at all ports; unloaded
loaded() {
	egpu_load
	wait_for 60 all_are 'EMPTY READY'
	nap 1
}

# all_live: all 256 ports
all_live() {
	local f
	for f in g f; do
		[ "$(sim_get $f live)" = 1 ] || sim_live $f
	done
}

# all_are "STATE…": every tracked port is in one of these
all_are() {
	egpuctl list --json | jq -e --arg states "$1" \
		'.ports | length > 0 and all(.state as $s |
			$states | split(" ") | index($s))'
}

# fill 1|0: a GPU into every slot of what is live; out of it
fill() {
	local f p
	for f in "$SIM"/*; do
		[ "$(< "$f/live")" = 1 ] || continue
		for p in "$f"/*/gpu/present; do echo "$1" > "$p"; done
	done
}

# --- while nothing happens ---

EVENTS='egpu_sim/sim_config_read egpu_sim/sim_config_write
	workqueue/workqueue_queue_work timer/timer_expire_entry'

# quiet: nobody does anything; the trace of that
quiet() {
	local e
	echo 0 > "$TRACE/tracing_on"
	echo > "$TRACE/trace"
	for e in $EVENTS; do echo 1 > "$TRACE/events/$e/enable"; done
	echo 1 > "$TRACE/tracing_on"
	nap "$SECONDS_IDLE"
	echo 0 > "$TRACE/tracing_on"
	for e in $EVENTS; do echo 0 > "$TRACE/events/$e/enable"; done
	cat "$TRACE/trace"
}

# idle_of NAME: of a trace, a second: how often timers of egpu expired, all that
# do so at once in one CPU being one: deferrable ones (of egpu_watch_work) in the
# CPU that has most, and others; works that they and others queued; configuration
# accesses; and all timers of the machine. What comes each second is counted
# between the first and the last of it.
idle_of() {
	awk -v name="$1" -v seconds="$SECONDS_IDLE" '
		function rate(n, first, last) {
			return n < 2 ? n / seconds : (n - 1) / (last - first)
		}
		{ cpu = $2; at = $4 + 0; context = $3 }
		$5 == "timer_expire_entry:" {
			now[cpu] = $0; sub(/.* now=/, "", now[cpu])
			sub(/ .*/, "", now[cpu])
			timers++
			next
		}
		/sim_config_/ { accesses++; next }
		!/function=egpu_[a-z_]+ \[egpu\]/ { next }
		{ works++ }
		context !~ /s/ { next }
		seen[cpu, now[cpu]]++ { next }
		/function=egpu_watch_work/ {
			if (!watches[cpu]++)
				first[cpu] = at
			last[cpu] = at
			next
		}
		{ others++ }
		END {
			for (cpu in watches) {
				r = rate(watches[cpu], first[cpu], last[cpu])
				wakes = r > wakes ? r : wakes
			}
			printf "%s %.2f %.2f %.2f %.2f %.2f\n", name, wakes,
				others / seconds, works / seconds,
				accesses / seconds, timers / seconds
		}'
}

# idle NAME: records of with and without
idle() {
	local i wakes others works accesses timers timers_were accesses_were
	: > "$KTAP_TMP/lines"
	for ((i = 0; i < ROUNDS; i++)); do
		egpu_unload
		read -r _ _ _ _ accesses_were timers_were \
			<<< "$(quiet | idle_of without)"
		loaded
		read -r _ wakes others works accesses timers \
			<<< "$(quiet | idle_of with)"
		cat >> "$KTAP_TMP/lines" <<- E
			wakes $wakes
			others $others
			works $works
			accesses $(awk "BEGIN { print $accesses - $accesses_were }")
			machine $timers $timers_were
		E
	done
	pairs_of wakes
	record "idle/$1" 'deferrable wake-ups/s of a CPU' '' "$FABRIC"
	pairs_of others
	record "idle_other/$1" 'wake-ups/s' '' "$FABRIC"
	pairs_of accesses
	record "idle_accesses/$1" 'more config accesses/s' '' "$FABRIC"
	pairs_of works
	record "idle_works/$1" 'works/s' '' "$FABRIC"
	pairs_of machine
	record "idle_machine/$1" 'timers/s' 'without egpu' "$FABRIC"
}

prove -t 120 idle_1 "one port, EMPTY and READY, while nothing happens"
idle_1() {
	loaded
	idle empty_1
	sim_plug h/p0/gpu
	wait_for 10 all_are READY
	idle ready_1
	fill 0
	wait_for 10 all_are EMPTY
	egpu_unload
}

# --- 256 of them ---

prove -t 240 load "insmod until all 256 ports are looked at, rmmod"
load() {
	all_live
	egpu_unload
	egpu_bench load "$MODULE" 256 20 > "$KTAP_TMP/lines" ||
		fail "$(tail -n 1 "$KTAP_TMP/lines")"
	pairs_of insmod
	record load/insmod ms '' "$FABRIC"
	pairs_of ready
	record load/ready ms '' "$FABRIC"
	pairs_of rmmod
	record load/rmmod ms '' "$FABRIC"
}

# bytes: in use in caches that can be egpu's, with what they add to each object
bytes() {
	local c n size sum=0
	for c in "$SLAB"/kmalloc-* "$SLAB"/egpu_[pf]*; do
		[ -e "$c" ] || continue
		echo 1 > "$c/shrink"
		read -r n _ < "$c/objects"
		read -r size < "$c/slab_size"
		sum=$((sum + n * size))
	done
	echo "$sum"
}

# took: what egpu has of these with the ports as they are
took() {
	local with
	loaded
	with=$(bytes)
	egpu_unload
	nap 0.3
	echo $((with - $(bytes)))
}

# has_devices COUNT: so many are below simulated ports
has_devices() {
	local found=("$PCI"/*/*:*:*.*/class)
	[ -e "${found[0]}" ] || found=()
	[ "${#found[@]}" -eq "$1" ]
}

prove -t 240 memory "kernel memory of a tracked port, of an attached GPU"
memory() {
	local i empty ready alone
	egpu_unload
	all_live
	for i in 1 2; do
		sim_dead f
		alone=$(took)
		all_live
		empty=$(took)
		fill 1
		wait_for 60 has_devices 256
		ready=$(took)
		fill 0
		wait_for 60 has_devices 0
		echo "port $(((empty - alone) / 250))" >> "$KTAP_TMP/lines"
		echo "gpu $(((ready - empty) / 256))" >> "$KTAP_TMP/lines"
	done
	pairs_of port
	record memory/port bytes '' "$FABRIC"
	pairs_of gpu
	record memory/gpu bytes '' "$FABRIC"
}

KMEM='kmalloc kmalloc_node kmem_cache_alloc kmem_cache_alloc_node kfree
	kmem_cache_free'

# reader_pages: of vmalloc(), which are not in the trace
reader_pages() {
	awk '/ egpu_reader/ { sub(/.* pages=/, ""); n += $1 } END { print n + 0 }' \
		/proc/vmallocinfo
}

# with_readers COUNT: bytes that so many have, and their process besides
with_readers() {
	local e pid stack
	for e in $KMEM; do
		[ ! -e "$TRACE/events/kmem/$e" ] ||
			echo 1 > "$TRACE/events/kmem/$e/enable"
	done
	echo 16384 > "$TRACE/buffer_size_kb"
	rm -f "$KTAP_TMP/go" "$KTAP_TMP/said"
	mkfifo "$KTAP_TMP/go"
	( exec < "$KTAP_TMP/go"
	read -r
	exec egpu_bench readers "$1" > "$KTAP_TMP/said" ) &
	pid=$!
	echo "$pid" > "$TRACE/set_event_pid"
	echo > "$TRACE/trace"
	echo 1 > "$TRACE/tracing_on"
	exec {stack}> "$KTAP_TMP/go"
	echo >&"$stack"
	wait_for 20 grep -q open "$KTAP_TMP/said"
	echo 0 > "$TRACE/tracing_on"
	awk -v pages="$(reader_pages)" '{ ptr = $0; sub(/.* ptr=/, "", ptr); sub(/ .*/, "", ptr) }
		/: k(mem_cache_)?free:/ { delete live[ptr]; next }
		/ bytes_alloc=/ { n = $0; sub(/.* bytes_alloc=/, "", n)
			live[ptr] = n + 0 }
		END { for (p in live) sum += live[p]
			print sum + pages * 4096 }' \
		"$TRACE/trace"
	for e in $KMEM; do
		[ ! -e "$TRACE/events/kmem/$e" ] ||
			echo 0 > "$TRACE/events/kmem/$e/enable"
	done
	echo > "$TRACE/set_event_pid"
	exec {stack}>&-
	wait "$pid"
}

prove -t 120 readers "kernel memory of a reader of events"
readers() {
	loaded
	for _ in {1..5}; do
		echo "reader $((($(with_readers 100) - $(with_readers 0)) / 100))" \
			>> "$KTAP_TMP/lines"
	done
	pairs_of reader
	record memory/reader bytes '' 'counted by kmem tracepoints'
}

prove -t 240 idle_256 "256 ports, EMPTY and READY, while nothing happens"
idle_256() {
	all_live
	loaded
	idle empty_256
	fill 1
	wait_for 60 all_are READY
	idle ready_256
	fill 0
	wait_for 60 all_are EMPTY
}

prove -t 240 scale "one attach while 1, 16 and 256 ports are tracked"
scale() {
	local n
	all_live
	loaded
	egpu_bench scale "$SIM/h/p0/gpu" 30 > "$KTAP_TMP/lines" ||
		fail "$(tail -n 1 "$KTAP_TMP/lines")"
	for n in 16 256; do
		pairs_of "cpu_$n"
		record "scale/$n" 'ms of CPU time' 'with 1 port tracked' "$FABRIC"
		pairs_of "accesses_$n"
		record "scale_accesses/$n" 'config accesses' \
			'with 1 port tracked' "$FABRIC"
	done
}
