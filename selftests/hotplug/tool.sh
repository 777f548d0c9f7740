# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# egpuctl with a module and hardware below it: what scripts rely on.

# shellcheck source=selftests/hotplug/lib/hotplug.sh
. lib/hotplug.sh
ports 4

setup() {
	load
}

teardown() {
	users_kill
	load
	policy rp0 auto
}

# json FILTER ARGUMENT…: what jq finds in the answer of egpuctl --json
json() {
	egpuctl --json "${@:2}" | jq -er "$1"
}

as_user() {
	setpriv --reuid=1000 --regid=1000 --clear-groups "$@"
}

prove list "list tells address, state, driver, nodes and users of each port"
list() {
	ready rp0
	empty rp1
	is "$(json '.schema' list)" 1
	is "$(json '.ports | length' list)" 2
	is "$(json '.ports[0] | [.address, .state, .backend, .policy,
		.safe_to_unplug, .gpu.address, .gpu.driver, .users] |
		map(tostring) | join(" ")' list)" \
		"${PORT[rp0]} READY pciehp auto false $GPU bochs-drm 0"
	is "$(json '.ports[0].gpu.nodes[0]' list)" "$(basename "$(node "$GPU")")"
	is "$(json '.ports[1] | [.address, .state, .safe_to_unplug, .gpu] |
		map(tostring) | join(" ")' list)" \
		"${PORT[rp1]} EMPTY true null"
	like "$(egpuctl)" "READY"
}

prove list_all "list --all shows untracked ports, and how to track them"
list_all() {
	exits 0 egpuctl list --all
	like "$out" "egpuctl track ${PORT[rp2]}"
	is "$(json '[.ports[] | select(.state == "UNTRACKED")] | length' \
		list --all)" "$(egpuctl --json list --all |
		jq '.ports | length - 2')"
}

prove words "a port may be called by id, address, its GPU's address, or node"
words() {
	local word
	ready rp0
	for word in "$(get rp0 port)" "${PORT[rp0]}" "${PORT[rp0]#0000:}" \
		"$GPU" "$(node "$GPU")" "$(basename "$(node "$GPU")")"; do
		is "$(json .port.address show "$word")" \
			"${PORT[rp0]}" "$word"
	done
	exits 6 egpuctl show 0000:7f:00.0
	exits 2 egpuctl detach
	exits 2 egpuctl dance
}

prove wait_states "wait: true already is success, later is awaited, never is exit 7"
wait_states() {
	ready rp0
	exits 0 egpuctl wait "${PORT[rp0]}" --for ready --timeout 5
	exits 7 egpuctl wait "${PORT[rp0]}" --for detached --timeout 1
	start egpuctl wait "${PORT[rp0]}" --for empty --timeout 10
	egpuctl detach "${PORT[rp0]}" > /dev/null
	finish
	arrive rp0
	exits 0 egpuctl wait "${PORT[rp0]}" --for ready --timeout 10
}

prove monitor "monitor begins with a snapshot and then tells each change"
monitor() {
	empty rp0
	start egpuctl --json monitor --port "${PORT[rp0]}" --event state \
		--count 3 --timeout 20
	wait_for 5 grep -q snapshot "$KTAP_TMP/job"
	arrive rp0
	finish
	is "$(jq -r '.event' <<< "$out" | tr '\n' ' ')" \
		"snapshot state state state "
	is "$(jq -r 'select(.event == "state") | .from + ">" + .to' \
		<<< "$out" | tr '\n' ' ')" \
		"EMPTY>HELD HELD>BINDING BINDING>READY "
}

prove manual "policy, and attach of what it holds"
manual() {
	empty rp0
	exits 0 egpuctl policy "${PORT[rp0]}" manual
	arrive rp0
	await rp0 HELD/manual
	is "$(json '.ports[0].reason' list)" manual
	exits 0 egpuctl attach "${PORT[rp0]}"
	is "$(get rp0 state)" READY
	exits 0 egpuctl policy "${PORT[rp0]}" auto
}

prove track_untrack "track and untrack; what is held is let go"
track_untrack() {
	exits 0 egpuctl track "${PORT[rp2]}"
	is "$(get rp2 state)" EMPTY
	exits 0 egpuctl untrack "${PORT[rp2]}"
	is "$(get rp2 state)" UNTRACKED
	exits 10 egpuctl attach "${PORT[rp2]}"
}

prove detach_all "detach all checks every port before it starts any"
detach_all() {
	ready rp1
	ready rp0
	user hold "$(node "$GPU")"
	exits 4 egpuctl detach all
	is "$(get rp0 state) $(get rp1 state)" "READY READY"
	kill "$user"
	wait_for 5 eval '[ -z "$(eg users rp0)" ]'
	exits 0 egpuctl detach all
	is "$(get rp0 safe) $(get rp1 safe)" "1 1"
}

prove nothing "detach of an empty port has nothing to do"
nothing() {
	empty rp0
	exits 0 egpuctl detach "${PORT[rp0]}"
}

prove users "users names process, node and what would end it"
users() {
	ready rp0
	user hold "$(node "$GPU")"
	is "$(json '.users[0] | [.pid, .comm, .kind, .nodes[0]] |
		map(tostring) | join(" ")' users "${PORT[rp0]}")" \
		"$user egpu_test_user drm $(basename "$(node "$GPU")")"
	like "$(egpuctl users "${PORT[rp0]}")" "$user .*egpu_test_user"
}

prove mapped "users names who has no file open any more, but its memory mapped"
mapped() {
	local card
	ready rp0
	card=$(node "$GPU")
	user hold -m "$card"
	is "$(user_has "$user" "$card")" 0
	is "$(json '.users | map([.pid, .kind, .nodes[0]] | map(tostring) |
		join(" ")) | join(",")' users "${PORT[rp0]}")" \
		"$user mapping ${card##*/}"
}

prove unprivileged "who is not root may look, and change nothing: exit 5"
unprivileged() {
	ready rp0
	user hold "$(node "$GPU")"
	exits 0 as_user egpuctl list
	like "$out" READY
	is "$(as_user egpuctl --json list | jq '.ports[0].users')" null
	exits 5 as_user egpuctl detach "${PORT[rp0]}"
	exits 5 as_user egpuctl policy "${PORT[rp0]}" manual
	is "$(get rp0 state) $(get rp0 policy)" "READY auto"
}

prove no_module "without the module: exit 3, and what to do about it"
no_module() {
	rmmod egpu
	exits 3 egpuctl list
	like "$out" "modprobe egpu"
	exits 3 egpuctl --json detach "${PORT[rp0]}"
	is "$(egpuctl --json list 2> /dev/null | jq .error.exit)" 3
}
