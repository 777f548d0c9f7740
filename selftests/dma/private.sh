# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# Who may do what: addresses are for CAP_SYS_RAWIO. And every argument that is
# wrong. In egpu_sim.

# shellcheck source=selftests/dma/lib/plain.sh
. lib/plain.sh

prove rawio "mapping, unmapping and addresses need CAP_SYS_RAWIO, memory does not"
rawio() {
	user a 1101 64
	ask a create $PAGE
	ask a mmap 0
	ask a fill 0 1
	refused EPERM a map 0
	refused EPERM a unmap 0
	info_is a 0 flags=0 segments=0
	tells "$FN" mapped=0 segments=0
	user b 1102 64 $RAWIO
	ask b create $PAGE
	ask b map 0
	ask b unmap 0
}

prove namespace "a user namespace's privilege does not count"
namespace() {
	managed a
	ask a memlock $((64 * PAGE))
	ask a create $PAGE
	ask a map 0
	ask a drop 1103
	ask a userns
	refused EPERM a map 0
	refused EPERM a unmap 0
	info_is a 0 flags=$MAPPED
	# There it has CAP_IPC_LOCK, too.
	refused ENOMEM a create $((65 * PAGE))
}

prove addresses "what the function uses is told to nobody else, and nowhere"
addresses() {
	local address pid
	managed a
	mapped a $((8 * PAGE))
	ask a address "$bo" 0
	address=${out#0x}
	ask a drop 1104
	refused EPERM a map "$bo"
	ask a info "$bo"
	unlike "$out" "$address"
	pid=${PID[a]}
	said=$(cat "/proc/$pid/fdinfo"/*)
	like "$said" "egpu-mapped"
	unlike "$said" "$address"
	unlike "$(egpuctl show "$(at f/p)" --json)" "$address"
	unlike "$(dmesg)" "$address"
	unlike "$(cat "/proc/$pid/maps")" "$address"
}

prove fdinfo "fdinfo counts what a file has, as drm-usage-stats says"
fdinfo() {
	local said
	managed a
	ask a create $((4 * PAGE))
	mapped a $((8 * PAGE))
	said=$(grep -h -e '^drm-' -e '^egpu-' "/proc/${PID[a]}/fdinfo"/*)
	like "$said" "drm-driver:.egpu"
	like "$said" "drm-pdev:.$FN"
	like "$said" "drm-total-system:.48 KiB"
	like "$said" "egpu-mapped:.32 KiB"
}

prove -t 60 arguments "every size, handle, flag, address and number that is wrong, and random ones"
arguments() {
	take "$FN"
	pinned_now
	exits 0 egpu_dma_args "$FN"
	bare "$FN"
	pinned_is 0
}

prove import "a dma-buf of another driver is refused; a bo's own comes back"
import() {
	modprobe vgem
	managed a
	ask a create $PAGE
	ask a export 0
	client b
	ask b second vgem
	exits 1 egpu_dma second nobody
	is "$out" ENOENT
	ask a second egpu
	ask a import 0
}
