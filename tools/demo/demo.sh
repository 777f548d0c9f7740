# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# The demo's story, told in the guest. `host` is the hand at the cable.

# shellcheck source=tools/demo/narrate.sh
. /root/lib/narrate.sh
# shellcheck source=selftests/lib/ktap.sh
. /root/lib/ktap.sh
# shellcheck source=selftests/lib/vm.sh
. /root/lib/vm.sh

slot=$(port_addr rp0)
other=$(port_addr rp1)

say "Load the module. Ports of desktops and servers are left alone until named."
run modprobe egpu
must exit 0
run egpuctl list
must exit 0

say "Track one slot; the other stays the kernel's."
run egpuctl track "$slot"
must exit 0
run egpuctl list --all
must show EMPTY
must show "${other#0000:}"

say "Plug a GPU in. It is held, checked, admitted, and then its driver binds."
start egpuctl monitor --port "$slot" --count 4 --timeout 10
within 3 grep -q snapshot /tmp/started
run host plug gpu0
must exit 0
finish
must show HELD
must show READY
soon 5 is_bound rp0
run egpuctl show "$slot"
must show bochs-drm
must draws gpu0 rp0

say "A program opens its DRM node. Detach is refused, and says who it is."
card=$(node "$(gpu rp0)")
hold "$card"
run egpuctl detach "$slot"
must exit 4
must show "$holder"
must is_bound rp0

say "Drain instead: wait while the program finishes, then take the GPU out."
start egpuctl detach "$slot" --wait 20
nap 1
must is_bound rp0
kill "$holder"
finish
must exit 0
must show "SAFE TO UNPLUG"
run egpuctl list
must show DETACHED
soon 10 host deleted gpu0

say "Plug it in again: the same slot, a new arrival."
soon 5 is_state rp0 EMPTY
run host plug gpu0
soon 10 is_state rp0 READY
must draws gpu0 rp0

say "A GPU in the other slot is none of egpu's business."
run host plug gpu1 --port rp1
soon 10 is_bound rp1
must is_state rp0 READY
must is_state rp1 UNTRACKED

say "Policy manual: what arrives waits until somebody says attach."
run egpuctl policy "$slot" manual
must exit 0
run egpuctl detach "$slot"
must exit 0
soon 10 host deleted gpu0
soon 5 is_state rp0 EMPTY
run host plug gpu0
soon 10 is_state rp0 HELD
run lspci -ks "$(gpu rp0)"
must show "in use: egpu"
run egpuctl attach "$slot"
must exit 0
soon 10 is_bound rp0
run egpuctl policy "$slot" auto

say "Track the other slot too: its GPU is adopted as it is, untouched."
run egpuctl track "$other"
must exit 0
soon 5 is_state rp1 READY
must is_bound rp1

say "A fatal link error there. The kernel's recovery resets the link and leaves a GPU that is bound but dead; egpu notices and mends it by the slot's power."
start egpuctl monitor --port "$other"
soon 3 grep -q snapshot /tmp/started
run host aer rp1 SDN
must exit 0
soon 10 grep -q FAULT /tmp/started
soon 15 is_state rp1 READY
kill "$started"
finish
must show "READY -> FAULT .*recovery-failed"
must show "-> READY"
soon 5 is_bound rp1
must draws gpu1 rp1

say "Unload. Both GPUs stay with their driver, as if egpu had never been there."
run rmmod egpu
must exit 0
must is_bound rp0
must is_bound rp1
run host splats
must exit 0

printf '\n%sAll %d steps did what they say.%s\n' "$BOLD" "$STEP" "$PLAIN"
