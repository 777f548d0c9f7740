# SPDX-License-Identifier: GPL-2.0
"""A made-up machine for egpuctl: a sysfs and proc tree, a module that plays a
scenario (fake_sys.c), and KTAP."""
import copy
import json
import os
import pty
import re
import shutil
import subprocess
import sys
import tempfile
import traceback

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.realpath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
TOOL = os.environ.get("EGPUCTL_FAKE",
                      os.path.join(TOP, "build/unit/egpuctl-fake"))

# Bits of egpu_port_info.flags and egpu_function.flags.
TRACKED, AUTO, HOTPLUG, THUNDERBOLT, CABLE, SAFE = 1, 2, 4, 32, 64, 256
SOFT, LINK_REPORTING = 1 << 12, 1 << 13
GATED, HELD, BOUND, VIRTUAL, BOOT_DISPLAY = 1, 2, 4, 16, 32
OVERRIDE, UNTRUSTED = 64, 1024
MANAGED, BOUNCES, MASTER = 1, 2, 4         # of egpu_function.dma_flags
MEMORY, IO, ASSIGNED = 1, 2, 16

# Bits of egpu_hop.flags.
(ACTIVE, TRAINING, DISABLED, FLIT, COMMON, L0S, L1, LBMS, LABS, HASD,
 PARTNER_HASD, EQUALIZED, EQ_REQUEST, RETIMER, RETIMERS, TUNNELLED, DPC,
 AT_PORT, PARTNER, KNOWN) = (1 << bit for bit in range(20))

HOP = {"address": "0000:00:06.0", "partner": "0000:04:00.0",
       "flags": ACTIVE | AT_PORT | PARTNER | KNOWN, "speed": 160, "width": 4,
       "max_speed": 160, "max_width": 4, "target_speed": 160,
       "partner_max_speed": 160, "partner_max_width": 16}
NO_HOP = {"address": "0000:00:07.0", "flags": AT_PORT | KNOWN,
          "max_speed": 160, "max_width": 4, "target_speed": 160}

GPU = {"address": "0000:04:00.0", "vendor": 0x10de, "device": 0x2684,
       "class": 0x030000, "flags": GATED | BOUND, "driver": "nvidia",
       "iommu": "lazy", "group": 14, "dma_bits": 47, "dma_flags": MASTER,
       "bars": [{"length": 16 << 20, "flags": MEMORY | ASSIGNED},
                {"length": 32 << 30, "flags": MEMORY | ASSIGNED}, {},
                {"length": 32 << 20, "flags": MEMORY | ASSIGNED}, {},
                {"length": 128, "flags": IO}]}
AUDIO = {"address": "0000:04:00.1", "vendor": 0x10de, "device": 0x22ba,
         "class": 0x040300, "flags": GATED | BOUND, "driver": "snd_hda_intel"}
USB = {"address": "0000:04:00.2", "vendor": 0x10de, "device": 0x1ad8,
       "class": 0x0c0330, "flags": BOUND, "driver": "xhci_hcd"}
PORT = {"id": 1, "address": "0000:00:06.0", "flags": TRACKED | HOTPLUG,
        "state": "READY", "backend": "pciehp", "policy": "auto",
        "generation": 4, "since_s": 0, "secondary": 4, "cable_port": 1,
        "slot_name": "6", "functions": [GPU, AUDIO], "users": [],
        "hops": [HOP]}
EMPTY = {"id": 2, "address": "0000:00:07.0", "flags": TRACKED | HOTPLUG | SAFE,
         "state": "EMPTY", "backend": "pciehp", "policy": "auto",
         "cable_port": 2, "hops": [NO_HOP]}
EDU = {"address": "0000:04:00.0", "vendor": 0x1234, "device": 0x11e8,
       "class": 0x00ff00, "flags": 0, "iommu": "strict", "group": 3,
       "dma_bits": 32}
PYTHON = {"pid": 4711, "uid": 1000, "start_s": 100, "kind": "drm",
          "comm": "python3", "node": "card1"}
KWIN = {"pid": 2210, "uid": 1000, "start_s": 50, "kind": "drm",
        "comm": "kwin_wayland", "node": "card1"}
OLLAMA = "3f" * 32
# Names must not depend on the machine's: these are all there are.
PCI_IDS = """# a comment
10de  NVIDIA Corporation
	2684  AD102 [GeForce RTX 4090]
"""


class World:
    """One machine; a context manager that takes its folder away."""

    def __init__(self, *ports, **scenario):
        self.root = tempfile.mkdtemp(prefix="egpu-unit-")
        self.scenario = dict(scenario, ports=copy.deepcopy(list(ports)))
        for name in ("sys/bus/pci/devices", "sys/class", "proc", "dev",
                     "modules", "containers", "etc", "run", "state"):
            os.makedirs(os.path.join(self.root, name))
        self.write("share/misc/pci.ids", PCI_IDS)
        self.where = {}

    def __enter__(self):
        return self

    def __exit__(self, *_):
        shutil.rmtree(self.root)

    def write(self, path, text="", mode="w"):
        path = os.path.join(self.root, path)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, mode) as f:
            f.write(text)

    def read(self, path):
        try:
            with open(os.path.join(self.root, path)) as f:
                return f.read()
        except FileNotFoundError:
            return ""

    def link(self, path, target):
        """A relative symbolic link, as sysfs has them."""
        path = os.path.join(self.root, path)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        target = os.path.join(self.root, target)
        os.symlink(os.path.relpath(target, os.path.dirname(path)), path)

    def pci(self, address, above=None, driver=None, **attributes):
        """A PCI device below another one, or below the root bus."""
        parent = self.where[above] if above else "sys/devices/pci0000:00"
        self.where[address] = home = f"{parent}/{address}"
        base = {"class": "0x060400", "vendor": "0x8086", "device": "0x0001"}
        for name, value in dict(base, **attributes).items():
            self.write(f"{home}/{name.replace('__', '/')}", f"{value}\n")
        self.link(f"sys/bus/pci/devices/{address}", home)
        if driver:
            self.write(f"sys/bus/pci/drivers/{driver}/.keep")
            self.link(f"{home}/driver", f"sys/bus/pci/drivers/{driver}")
            self.link(f"sys/bus/pci/drivers/{driver}/{address}", home)
        return home

    def device(self, address, cls, name, number=None, **attributes):
        """A class device below a PCI function."""
        home = f"{self.where[address]}/{cls}/{name}"
        self.write(f"{home}/.keep")
        for key, value in attributes.items():
            self.write(f"{home}/{key.replace('__', '/')}", f"{value}\n")
        if number:
            self.write(f"{home}/dev", number + "\n")
            kind = "block" if cls == "block" else "char"
            self.link(f"sys/dev/{kind}/{number}", home)
        self.link(f"sys/class/{cls}/{name}", home)
        return home

    def process(self, pid, comm="x", cgroup="/", ticks=10000, fds=(), maps="",
                fdinfo=None):
        stat = " ".join(["S"] + ["0"] * 18 + [str(ticks)] + ["0"] * 20)
        self.write(f"proc/{pid}/stat", f"{pid} ({comm}) {stat}\n")
        self.write(f"proc/{pid}/comm", comm + "\n")
        self.write(f"proc/{pid}/status", f"Name:\t{comm}\nUid:\t1000\t0\n")
        self.write(f"proc/{pid}/cgroup", f"0::{cgroup}\n")
        self.write(f"proc/{pid}/maps", maps)
        self.write(f"proc/{pid}/fd/.keep")
        for i, target in enumerate(fds, 3):
            os.symlink(target, f"{self.root}/proc/{pid}/fd/{i}")
        for i, text in (fdinfo or {}).items():
            self.write(f"proc/{pid}/fdinfo/{i}", text)

    def environment(self):
        return {"PATH": os.environ["PATH"], "EGPU_FAKE": self.root,
                "TZ": "UTC", "TERM": "xterm", "HOME": self.root,
                "EGPU_CONFIG_DIR": f"{self.root}/etc",
                "EGPU_RUN_DIR": f"{self.root}/run",
                "EGPU_STATE_DIR": f"{self.root}/state",
                "ASAN_OPTIONS": "detect_leaks=1", "LC_ALL": "C.UTF-8"}

    def save_scenario(self):
        self.write("scenario.json", json.dumps(self.scenario))

    def run(self, *words, stdin=subprocess.DEVNULL, **env):
        """Exit code, standard output, standard error."""
        self.save_scenario()
        done = subprocess.run([TOOL, *words], text=True, timeout=30,
                              stdin=stdin, capture_output=True,
                              env=dict(self.environment(), **env))
        if "Sanitizer" in done.stderr or "runtime error" in done.stderr:
            raise AssertionError(done.stderr)
        return done.returncode, done.stdout, done.stderr

    def terminal(self, *words, answer="", **env):
        """The same on a terminal: exit code, what it shows."""
        self.save_scenario()
        ours, theirs = pty.openpty()
        proc = subprocess.Popen([TOOL, *words], stdin=theirs, stdout=theirs,
                                stderr=theirs,
                                env=dict(self.environment(), **env))
        os.close(theirs)
        os.write(ours, answer.encode())
        shown = b""
        while True:
            try:
                piece = os.read(ours, 4096)
            except OSError:
                break
            if not piece:
                break
            shown += piece
        os.close(ours)
        return proc.wait(), shown.decode().replace("\r\n", "\n")

    def json(self, *words):
        """Exit code and the parsed reply."""
        code, out, _ = self.run("--json", *words)
        return code, json.loads(out)


def machine(*ports, **scenario):
    """The machine of most tests: a GPU at 00:06.0, an empty port 00:07.0."""
    w = World(*(ports or (PORT, EMPTY)), **scenario)
    w.pci("0000:00:06.0")
    w.pci("0000:00:07.0")
    w.pci("0000:04:00.0", "0000:00:06.0", "nvidia", **{"class": "0x030000"},
          vendor="0x10de", device="0x2684")
    w.pci("0000:04:00.1", "0000:00:06.0", "snd_hda_intel",
          **{"class": "0x040300"})
    w.device("0000:04:00.0", "drm", "card1", "226:1")
    w.device("0000:04:00.0", "drm", "renderD129", "226:129")
    return w


def with_users(**scenario):
    """Two users: a container's python3 that computes, an idle compositor."""
    port = dict(PORT, users=[PYTHON, KWIN])
    w = machine(port, EMPTY, **scenario)
    w.process(4711, "python3", f"/machine.slice/libpod-{OLLAMA}.scope",
              fdinfo={3: "drm-pdev:\t0000:04:00.0\ndrm-client-id:\t7\n"
                         "drm-memory-vram:\t19083264 KiB\n"})
    w.process(2210, "kwin_wayland", "/user.slice/user-1000.slice/"
              "session-2.scope", 5000)
    w.write("containers/containers/storage/overlay-containers/containers.json",
            json.dumps([{"id": OLLAMA, "names": ["ollama"]}]))
    return w


COUNTED = {"correctable": "RxErr 2\nBadTLP 0\nBadDLLP 1\nTOTAL_ERR_COR 3\n",
           "nonfatal": "CmpltTO 1\nUnsupReq 0\nTOTAL_ERR_NONFATAL 1\n",
           "fatal": "DLP 0\nTOTAL_ERR_FATAL 0\n"}


def world_of_links():
    """Ports with all shapes of a path: 1 simple, 2 empty, 3 a switch in the GPU,
    4 an enclosure behind a tunnel, 5 asleep, 6 in trouble."""
    root = dict(HOP, partner="0000:04:00.0", max_width=16, width=16,
                partner_max_width=16, speed=640, max_speed=640,
                partner_max_speed=1280, target_speed=640)
    inner = dict(root, address="0000:05:00.0", partner="0000:06:00.0",
                 speed=25, width=8, partner_max_width=8)
    for hop in (root, inner):
        hop["flags"] |= FLIT
    inner["flags"] = inner["flags"] & ~AT_PORT | HASD | PARTNER_HASD
    tunnel = dict(HOP, flags=TUNNELLED | KNOWN | PARTNER, speed=25,
                  max_speed=25, partner_max_speed=25)
    cable = dict(HOP, address="0000:07:01.0", partner="0000:08:00.0",
                 speed=80, max_speed=80, target_speed=80)
    trouble = dict(HOP, speed=25, width=1, target_speed=50, lane_errors=0x8009,
                   flags=HOP["flags"] | L0S | L1 | LBMS | LABS | RETIMERS |
                   EQ_REQUEST | TRAINING)
    down = dict(HOP, speed=0, width=0, partner="", dpc_status=0x1f01,
                flags=AT_PORT | KNOWN | DPC)
    asleep = {"address": "0000:00:06.0", "partner": "0000:04:00.0",
              "flags": AT_PORT | PARTNER, "partner_max_speed": 160,
              "partner_max_width": 16}
    w = machine(PORT, EMPTY, dict(PORT, id=3, hops=[root, inner]),
                dict(PORT, id=4, hops=[tunnel, cable]),
                dict(PORT, id=5, hops=[asleep]),
                dict(PORT, id=6, hops=[trouble]),
                dict(EMPTY, id=7, hops=[down]))
    for name, text in COUNTED.items():
        w.write(f"{w.where['0000:04:00.0']}/aer_dev_{name}", text)
    return w


def same(got, want, what="output"):
    """Text that is as expected, but for where the machine lies."""
    if got == want:
        return
    raise AssertionError(f"{what} is\n{got}\nexpected\n{want}")


def has(text, *parts):
    for part in parts:
        if part not in text:
            raise AssertionError(f"{part!r} is not in\n{text}")


def lacks(text, *parts):
    for part in parts:
        if part in text:
            raise AssertionError(f"{part!r} is in\n{text}")


def main(module):
    """Runs every test_* of a module; the docstring says what it proves."""
    tests = [(n, f) for n, f in vars(module).items()
             if n.startswith("test_") and callable(f)]
    failed = 0
    prefix = os.path.basename(sys.argv[0])[len("test_"):]
    print(f"KTAP version 1\n1..{len(tests)}")
    for i, (name, test) in enumerate(tests, 1):
        print(f"# proves: {re.sub(chr(92) + 's+', ' ', test.__doc__.strip())}")
        try:
            test()
            print(f"ok {i} - {prefix}_{name[5:]}")
        except Exception:                               # pylint: disable=W0718
            for line in traceback.format_exc().splitlines()[-40:]:
                print(f"# {line}")
            print(f"not ok {i} - {prefix}_{name[5:]}")
            failed = 1
        sys.stdout.flush()
    sys.exit(failed)
