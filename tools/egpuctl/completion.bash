# bash completion for egpuctl(8)                    -*- shell-script -*-
# Made by "egpuctl --generate completion"; do not edit.

_egpuctl_ports()
{
	egpuctl list --all 2>/dev/null |
		LC_ALL=C awk 'NR > 1 && $1 ~ /^[0-9]+$/ { print $1; if ($2 != "-") print $2 }'
}

_egpuctl_words()
{
	case $1 in
	port) _egpuctl_ports ;;
	port-all) _egpuctl_ports; echo all ;;
	*) echo "$1" ;;
	esac
}

# $1 verb: its options; $1 verb, $2 place: words for that argument
_egpuctl_verb()
{
	local options=--json words=
	case $1 in
	list)
		options="--json --help --all"
		words=""
		;;
	show | info)
		options="--json --help"
		words="port"
		;;
	users)
		options="--json --help"
		words="port"
		;;
	link)
		options="--json --help --live --yes --save --interval --count --seconds --max-errors-per-minute --run --all-below"
		words="port;retrain speed accept watch qualify;max 2.5GT/s 5GT/s 8GT/s 16GT/s 32GT/s 64GT/s"
		;;
	space)
		options="--json --help --grow --all-below"
		words="port"
		;;
	guard)
		options="--json --help --max-errors-per-minute --drops --interval --steps --hold-off --timeout"
		words="port"
		;;
	attach)
		options="--json --help --ignore --always"
		words="port"
		;;
	detach | eject)
		options="--json --help --check --wait --terminate --allow --gpu-only --all-below --force --yes"
		words="port-all"
		;;
	assign)
		options="--json --help --dma-bits"
		words="port;egpu host"
		;;
	dma)
		options="--json --help"
		words="port"
		;;
	cancel)
		options="--json --help"
		words="port"
		;;
	wait)
		options="--json --help --for --timeout"
		words="port"
		;;
	policy)
		options="--json --help --save"
		words="port;auto manual"
		;;
	track)
		options="--json --help --soft --watch --save"
		words="port"
		;;
	untrack)
		options="--json --help --save"
		words="port"
		;;
	name)
		options="--json --help --save"
		words="port"
		;;
	monitor)
		options="--json --help --port --event --count --timeout"
		words=""
		;;
	log | blackbox)
		options="--json --help --boot"
		words=""
		;;
	apply)
		options="--json --help --check"
		words="port"
		;;
	version)
		options="--json --help"
		words=""
		;;
	esac
	if [[ $2 == options ]]; then
		echo "$options"
		return
	fi
	local -a place
	IFS=';' read -r -a place <<<"$words"
	_egpuctl_words "${place[$2]}"
}

_egpuctl()
{
	local current=${COMP_WORDS[COMP_CWORD]}
	local before=${COMP_WORDS[COMP_CWORD - 1]}
	local verb='' choice='' nth=0 i
	COMPREPLY=()
	for ((i = 1; i < COMP_CWORD; i++)); do
		[[ ${COMP_WORDS[i]} == -* ]] && continue
		if [[ -z $verb ]]; then
			verb=${COMP_WORDS[i]}
		else
			nth=$((nth + 1))
		fi
	done
	case $before in
	--ignore) choice=$(_egpuctl_words "config bar link") ;;
	--for) choice=$(_egpuctl_words "ready detached empty lost held") ;;
	--port) choice=$(_egpuctl_words "port") ;;
	--event) choice=$(_egpuctl_words "state user link error progress") ;;
	--boot) choice=$(_egpuctl_words "0 -1 -2") ;;
	--dma-bits) choice=$(_egpuctl_words "32 40 48 64") ;;
	*)
		if [[ -z $verb ]]; then
			choice="list show users link space guard attach detach assign dma cancel wait policy track untrack name monitor log apply version --json --help --version"
		elif [[ $current == -* ]]; then
			choice=$(_egpuctl_verb "$verb" options)
		else
			choice=$(_egpuctl_verb "$verb" "$nth")
		fi
		;;
	esac
	mapfile -t COMPREPLY < <(compgen -W "$choice" -- "$current")
}
complete -F _egpuctl egpuctl
