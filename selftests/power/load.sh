# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# vm: own-boot
# egpu comes and goes with GPUs there: whoever has one does not notice, and what
# was there before is there again.

# shellcheck source=selftests/surprise/lib/surprise.sh
. lib/surprise.sh

setup() {
	sim_load
	egpu_unload
	sim_fabric f
	sim_port f/p external_facing=1 power_controller=1
	sim_gpu f/p/gpu
	sim_live f
	sim_plug f/p/gpu
	GPU=$(sim_addr f/p/gpu)
	before=$(power_of)
}

teardown() {
	pkill -KILL egpu_paint || :
	users_kill
	[ ! -d "$SIM/f" ] || sim_clear
	egpu_unload
	modprobe egpu_sim_drm
}

# power_of: usage counts and control of port and GPU
power_of() {
	local path
	for path in f/p f/p/gpu; do
		echo "$(sim_value "$path" pci:power/runtime_usage)" \
			"$(sim_value "$path" pci:power/control)"
	done
}

# restored DRIVER: what egpu leaves
restored() {
	rmmod egpu
	is "$(power_of)" "$before" "power"
	is "$(sim_driver f/p/gpu)" "$1"
	like "$(< "$PCI/$GPU/driver_override")" '^(\(null\))?$'
}

prove -t 90 drawing "loaded and unloaded again and again under a client that draws"
drawing() {
	local card i
	card=$(node "$GPU")
	egpu_paint "$card" "$(node "$GPU" renderD)" > "$KTAP_TMP/paint" 2>&1 &
	wait_for 5 grep -q ready "$KTAP_TMP/paint"
	before=$(power_of)
	for i in 1 2 3 4 5; do
		load
		await f/p READY/adopted
		is "$(eg users f/p | grep -c egpu_paint)" 2
		is "$(get f/p functions) $(get f/p attaches)" "1 1"
		restored egpu_sim_drm
	done
	is "$(node "$GPU")" "$card"
	not grep -Eq 'gone|failed' "$KTAP_TMP/paint"
	pkill -USR1 egpu_paint
	wait_for 5 grep -q 'closed after' "$KTAP_TMP/paint"
}

prove -t 60 manual "policy manual: what is bound stays bound"
manual() {
	load policy=manual
	await f/p READY/adopted
	is "$(sim_driver f/p/gpu)" egpu_sim_drm
	restored egpu_sim_drm
}

prove -t 60 unbound_manual "policy manual: what is not bound is held, and given back unbound"
unbound_manual() {
	echo "$GPU" > /sys/bus/pci/drivers/egpu_sim_drm/unbind
	before=$(power_of)
	load policy=manual
	await f/p HELD/manual
	is "$(sim_driver f/p/gpu)" egpu
	restored ""
	load policy=manual
	await f/p HELD/manual
	result "^OK READY" eg attach f/p
	rmmod egpu
	sim_bound f/p/gpu
}

prove -t 60 no_driver "no driver for it: free again, and bound when its driver comes"
no_driver() {
	rmmod egpu_sim_drm
	before=$(power_of)
	modprobe egpu
	wait_for 5 test -c /dev/egpu
	await f/p READY
	is "$(sim_driver f/p/gpu)" ""
	restored ""
	modprobe egpu_sim_drm
	wait_for 5 sim_bound f/p/gpu
}

prove -t 60 forget "forgotten with its driver bound: power as before, at once"
forget() {
	load
	await f/p READY/adopted
	eg forget f/p
	wait_for 5 eval '[ "$(power_of)" = "$before" ]'
	is "$(sim_driver f/p/gpu)" egpu_sim_drm
	eg track f/p
	await f/p READY/adopted
	restored egpu_sim_drm
}
