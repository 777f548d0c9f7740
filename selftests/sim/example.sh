# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# The documentation's first example works as it is printed.

# shellcheck source=selftests/lib/sim.sh
. "$LIB/sim.sh"

DOC=/root/egpu_sim.rst

teardown() {
	sim_clear
}

# example: the lines of the literal block after the label
example() {
	awk '/^\.\. _example:/ { on = 1; next }
		on && /^    / { print substr($0, 5); seen = 1; next }
		on && seen && NF { exit }' "$DOC"
}

prove runs "each line of it succeeds, and it leaves nothing"
runs() {
	example > "$KTAP_TMP/example"
	like "$(< "$KTAP_TMP/example")" "modprobe egpu_sim.*mkdir f .*rmdir f/port0/gpu"
	sim_load
	sim_unload
	dmesg_mark
	exits 0 bash -ex "$KTAP_TMP/example"
	like "$out" "LnkCap:.*Speed 16GT/s, Width x8"
	is "$(ls "$SIM")" ""
	dmesg_since | grep -q 'Card present'
}

prove attributes "each attribute is documented, and each documented one exists"
attributes() {
	local attr doc have=' '
	sim_load
	sim_fabric f
	sim_port f/p
	sim_gpu f/p/d
	sim_gpu f/p/d/function1
	doc=$(< "$DOC")
	for attr in "$SIM"/f/* "$SIM"/f/p/* "$SIM"/f/p/fault/* "$SIM"/f/p/d/* \
		"$SIM"/f/p/d/driver/* "$SIM"/f/p/d/function1/*; do
		[ -f "$attr" ] || continue
		attr=${attr##*/}
		have+="$attr "
		case $attr in
		bar[1-4]) ;;	# bar0 … bar5
		*) [[ $doc = *"\`\`$attr\`\`"* ]] ||
			fail "$attr is not documented" ;;
		esac
	done
	# Each begins a paragraph, alone or in a list.
	sed -n '/^Fabrics$/,/^Module parameters$/p' "$DOC" |
		grep -o '^\(``[a-z0-9_]*``\(, \| … \| \|$\)\)*' |
		grep -o '[a-z][a-z0-9_]*' > "$KTAP_TMP/documented"
	while read -r attr; do
		[[ $have = *" $attr "* ]] ||
			fail "$attr is documented, and does not exist"
	done < "$KTAP_TMP/documented"
	[ "$(wc -l < "$KTAP_TMP/documented")" -ge 90 ]
}
