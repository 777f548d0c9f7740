# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# Bos that other DRM drivers import, vgem and egpu_sim_drm, while the function
# leaves. In egpu_sim.

# shellcheck source=selftests/dma/lib/plain.sh
. lib/plain.sh

setup() {
	load
	modprobe vgem
	present
	gpu_present
}

# shared NAME: client a has a bo of 8 pages that this driver imported; what one
# writes the other sees
shared() {
	managed a
	pinned_now
	mapped a $((8 * PAGE))
	ask a export "$bo"
	ask a fill d"$bo" 0x21
	ask a same "$bo" 0x21
	info_is a "$bo" importers=0
	ask a second "$1"
	ask a import "$bo"
	info_is a "$bo" importers=1
}

# survives NAME: what was imported outlives the function
survives() {
	shared "$1"
	sim_yank f/p/dev
	refused ENODEV a info "$bo"
	ask a same d"$bo" 0x21
	ask a fill d"$bo" 0x22
	ask a same "$bo" 0x22
	pinned_is 32
	ask a munmap "$bo"
	ask a closebuf "$bo"
	ask a shut
	pinned_is 32
	ask a unimport "$bo"
	pinned_is 0
	bye a
}

prove vgem "vgem's import outlives the function, and goes last"
vgem() { survives vgem; }

prove sim "the same with the simulated GPU's driver"
sim() { survives egpu_sim_drm; }

prove both "importers are counted, each once, until they let go"
both() {
	shared vgem
	client b
	begin b take "$KTAP_TMP/socket" 0
	wait_for 5 test -S "$KTAP_TMP/socket"
	ask a give "$KTAP_TMP/socket" "$bo"
	answered b
	ask b second egpu_sim_drm
	ask b import 0
	info_is a "$bo" importers=2
	ask a unimport "$bo"
	info_is a "$bo" importers=1
	bye b
	info_is a "$bo" importers=0
}

prove counts_as_user "a detach is refused while somebody has a bo imported"
counts_as_user() {
	shared vgem
	ask a close "$bo"
	exits 1 eg detach f/p
	like "$out" "^EBUSY"
	out=$(eg detach f/p -f)
	like "$out" "^OK DETACHED"
	ask a same d"$bo" 0x21
}

prove importer_leaves "the importing device is pulled, and then the function"
importer_leaves() {
	shared egpu_sim_drm
	sim_yank f/g/gpu
	info_is a "$bo" importers=0
	ask a same "$bo" 0x21
	sim_yank f/p/dev
	ask a same d"$bo" 0x21
	bye a
	pinned_is 0
}

prove after_removal "a dma-buf can be imported after the function has gone, or is ENODEV"
after_removal() {
	managed a
	mapped a $((8 * PAGE))
	ask a export "$bo"
	ask a fill "$bo" 0x21
	sim_yank f/p/dev
	ask a second vgem
	_answer a import "$bo"
	like "$out" "^(ok|ENODEV)"
	ask a same d"$bo" 0x21
}

prove killed "killed with everything shared: nothing is left"
killed() {
	shared vgem
	shot a
	bare "$FN"
	pinned_is 0
}
