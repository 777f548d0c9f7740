# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# For tests on the simulated fabric (egpu_sim.ko): . "$LIB/sim.sh"
#
# An object is named by its path below configfs: a fabric f, its port f/p, a
# device for the port's slot f/p/gpu, its second function f/p/gpu/function1.
# What an attribute means stands in Documentation/egpu_sim.rst.
#
#	sim_load
#	sim_fabric f
#	sim_port f/p max_speed=16 power_controller=1
#	sim_gpu f/p/gpu 'bar0=256M 64 prefetch'
#	sim_live f
#	sim_plug f/p/gpu
#	sim_expect f/p link 'L0 16.0 GT/s x4'
#	sim_yank f/p/gpu
#	sim_clear

SIM=/sys/kernel/config/egpu_sim

# sim_load [PARAM=VALUE…]: the fabric, and the driver of its GPUs
sim_load() {
	[ -e /sys/module/egpu_sim ] || modprobe egpu_sim "$@"
	[ -d "$SIM" ] || mount -t configfs none /sys/kernel/config
	[ -e /sys/module/egpu_sim_drm ] || modprobe egpu_sim_drm
}

# sim_unload: nothing may be left
sim_unload() {
	[ ! -e /sys/module/egpu_sim_drm ] || rmmod egpu_sim_drm
	[ ! -e /sys/module/egpu_sim ] || rmmod egpu_sim
}

# --- attributes ---

# sim_set PATH ATTR VALUE, sim_set PATH ATTR=VALUE…
sim_set() {
	local path=$1 pair
	shift
	if [ $# = 2 ] && [[ $1 != *=* ]]; then
		set -- "$1=$2"
	fi
	for pair; do
		printf '%s\n' "${pair#*=}" > "$SIM/$path/${pair%%=*}" || return
	done
}

# sim_get PATH ATTR
sim_get() {
	printf '%s\n' "$(< "$SIM/$1/$2")"
}

# sim_addr PATH: the PCI address of a port or function; false: it has none
sim_addr() {
	local addr
	read -r addr < "$SIM/$1/address" && echo "$addr"
}

# sim_stat PORT KEY: one of the numbers that a port counts
sim_stat() {
	local key value
	while IFS='=' read -r key value; do
		[ "$key" != "$2" ] || { echo "$value"; return; }
	done < "$SIM/$1/statistics"
	return 1
}

# sim_reg PATH REGISTER[=VALUE[:MASK]]: a register, as setpci names it
sim_reg() {
	setpci -s "$(sim_addr "$1")" "$2"
}

# sim_lspci PATH: what lspci -vv says, one line a line
sim_lspci() {
	lspci -vv -s "$(sim_addr "$1")" | sed 's/^[[:space:]]*//'
}

# sim_value PATH KEY: what KEY of an object is. An attribute (link), a number of
# its statistics (stat:ups), a file of its PCI device in sysfs
# (pci:current_link_speed), a register (reg:CAP_EXP+12.w), the rest of the first
# line of lspci -vv that begins so (lspci:LnkSta:)
sim_value() {
	local file
	case $2 in
	stat:*) sim_stat "$1" "${2#stat:}" ;;
	reg:*) sim_reg "$1" "${2#reg:}" ;;
	lspci:*) sim_lspci "$1" |
		awk -v key="${2#lspci:}" 'index($0, key) == 1 {
			$0 = substr($0, length(key) + 1)
			sub(/^[ \t]*/, ""); print; exit }' ;;
	pci:*)	file=$PCI/$(sim_addr "$1")/${2#pci:}
		[ -e "$file" ] && printf '%s\n' "$(< "$file")" ;;
	*) sim_get "$1" "$2" ;;
	esac
}

# sim_is PATH KEY GLOB: is it this now
sim_is() {
	# shellcheck disable=SC2053 # a glob
	[[ $(sim_value "$1" "$2" 2>&1) = $3 ]]
}

# sim_expect PATH KEY GLOB [SECONDS]: it is, or is so after at most 5 seconds
sim_expect() {
	within "${4:-5}" sim_is "$1" "$2" "$3" ||
		fail "$1 $2 is '$(sim_value "$1" "$2" 2>&1)', not '$3'"
}

# --- making things ---

# sim_fabric NAME [ATTR=VALUE…]: a host bridge; dead until sim_live
sim_fabric() {
	mkdir "$SIM/$1"
	sim_set "$@"
}

# sim_port PATH [ATTR=VALUE…]: a root port, or portN of a switch
sim_port() {
	mkdir "$SIM/$1"
	sim_set "$@"
}

# sim_gpu PATH [ATTR=VALUE…]: a device for a port's slot, or one of its further
# functions; a GPU unless the first attribute is preset=
sim_gpu() {
	mkdir "$SIM/$1"
	sim_set "$1" preset=gpu
	sim_set "$@"
}

# sim_switch PATH PORTS [ATTR=VALUE…]: a switch with ports port0, port1, …, all
# with these attributes; its own are set with sim_set
sim_switch() {
	local path=$1 ports=$2 i
	shift 2
	mkdir "$SIM/$path"
	for ((i = 0; i < ports; i++)); do
		sim_port "$path/port$i" "$@"
	done
}

# sim_live FABRIC…, sim_dead FABRIC…: up and down; waits
sim_live() {
	local f
	for f; do sim_set "$f" live 1 || return; done
}

sim_dead() {
	local f
	for f; do sim_set "$f" live 0 || return; done
}

# --- the slot ---

# sim_added PATH: the kernel has the function
sim_added() {
	local addr
	read -r addr < "$SIM/$1/address" && [ -e "$PCI/$addr/config" ]
}

# sim_driver PATH: the driver of a function, empty when it has none; false: the
# kernel does not have the function
sim_driver() {
	local driver
	sim_added "$1" || return
	driver=$(readlink "$PCI/$(sim_addr "$1")/driver") || :
	echo "${driver##*/}"
}

# sim_bound PATH: egpu_sim_drm has it, and it is ready for clients
sim_bound() {
	local addr
	read -r addr < "$SIM/$1/address" &&
		[ -e "/sys/bus/pci/drivers/egpu_sim_drm/$addr" ] &&
		compgen -G "$PCI/$addr/drm/renderD*" > /dev/null
}

# sim_put PATH, sim_pull PATH: into the slot and out of it; does not wait
sim_put() {
	sim_set "$1" present 1
}

sim_pull() {
	sim_set "$1" present 0
}

# sim_plug PATH [SECONDS]: into the slot; waits until the kernel has it and,
# when it is one of egpu_sim_drm's, that driver
sim_plug() {
	sim_put "$1"
	wait_for "${2:-10}" sim_added "$1"
	case $(sim_value "$1" pci:vendor):$(sim_value "$1" pci:device) in
	0x1234:0xe60[01]) wait_for "${2:-10}" sim_bound "$1" ;;
	esac
}

# sim_yank PATH [SECONDS]: the cable is pulled; waits until the kernel has
# nothing of it any more
sim_yank() {
	local addr
	addr=$(sim_addr "$1") || addr=
	sim_pull "$1"
	[ -z "$addr" ] || wait_for "${2:-10}" not test -e "$PCI/$addr"
}

# sim_slot PORT: the kernel's slot folder of a port; false: it has none
sim_slot() {
	local addr bus s
	addr=$(sim_addr "$1") || return
	bus=$(printf '%s:%02x:00' "${addr%%:*}" \
		"$(< "$PCI/$addr/secondary_bus_number")")
	for s in /sys/bus/pci/slots/*; do
		[ "$(cat "$s/address" 2> /dev/null)" != "$bus" ] ||
			{ echo "$s"; return; }
	done
	return 1
}

# sim_service PORT NAME: does this port service driver (pciehp, aer, dpc, …)
# have the port
sim_service() {
	compgen -G "/sys/bus/pci_express/drivers/$2/$(sim_addr "$1"):*" \
		> /dev/null
}

# sim_said REGEX [SECONDS]: the kernel has said so since dmesg_mark, or does
# within 5 seconds; sim_unsaid REGEX: it has not
sim_said() {
	within "${2:-5}" _sim_said "$1" ||
		fail "the kernel did not say /$1/: $(dmesg_since | tail -n 6)"
}

sim_unsaid() {
	not _sim_said "$1" || fail "the kernel said /$1/"
}

_sim_said() {
	dmesg_since | grep -Eq -- "$1"
}

# --- the end ---

# sim_free: nothing hangs any more on purpose, and no fault waits
sim_free() (
	shopt -s globstar nullglob
	for _sim in "$SIM"/**/driver/hang; do echo > "$_sim"; done
	for _sim in "$SIM"/**/fault/armed; do echo 0 > "$_sim"; done
)

# sim_clear: all fabrics go, whatever state they are in
sim_clear() (
	[ -d "$SIM" ] || return 0
	sim_free
	shopt -s globstar nullglob
	for _sim in "$SIM"/*/live; do echo 0 > "$_sim"; done
	_folders=()
	for _sim in "$SIM"/*/**/; do
		# Parents come before children; fault/ and driver/ go with them.
		case $_sim in
		*/fault/ | */driver/) ;;
		*) _folders=("$_sim" "${_folders[@]}") ;;
		esac
	done
	[ "${#_folders[@]}" = 0 ] || rmdir "${_folders[@]}"
)
