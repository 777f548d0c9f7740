# SPDX-License-Identifier: GPL-2.0
"""Which kernel runs, and the modules it brings.

A kernel directory (tools/kernel/fetch prints one) holds `release`, `vmlinux`
or `vmlinuz`, and `modules/lib/modules/RELEASE`. A plain kernel image works
too; its modules are then those installed on the host, if any.
"""
import lzma
import os
import re
import shutil
import subprocess
import sys
import tempfile

from .cpio import Archive
from .image import Lock, cache_dir, die, digest, loader_of, prune

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.realpath(__file__)))))

# Loaded by udev or by tests; what a kernel lacks or has built in is skipped.
MODULES = """bochs drm drm_kms_helper drm_vram_helper drm_ttm_helper ttm
drm_shmem_helper vgem snd-hda-intel snd-hda-codec-generic snd-seq nvme
vfio-pci vfio_iommu_type1 i2c-dev i2c-piix4 configfs efi-pstore pci-stub
aer_inject""".split()
# A kernel that checks whatever it does is slower, by less than this; all
# time-outs, of guests and of tests, are multiplied by it.
SLOW = {"debug": 6}


def slow(spec):
    """How much slower than Debian's a kernel is, by its name or folder."""
    return SLOW.get(os.path.basename(spec.rstrip("/")), 1)


class Kernel:
    """Paths of one kernel: image, release, folder of modules (or None)."""

    def __init__(self, image, release, modules):
        self.image, self.release, self.modules = image, release, modules


def _release_of(image):
    """The release in a bzImage's header or a vmlinux' banner."""
    with open(image, "rb") as f:
        data = f.read()
    if data[0x202:0x206] == b"HdrS":
        at = int.from_bytes(data[0x20e:0x210], "little") + 0x200
        return data[at:at + 80].split(b" ")[0].decode()
    banner = re.search(rb"Linux version (\S+) \(", data)
    if not banner:
        die(f"{image} is not a kernel that I can read")
    return banner.group(1).decode()


def _of_directory(path):
    with open(os.path.join(path, "release")) as f:
        release = f.read().strip()
    for name in ("vmlinux", "vmlinuz"):
        image = os.path.join(path, name)
        if os.path.exists(image):
            break
    else:
        die(f"{path} holds no vmlinux or vmlinuz")
    modules = os.path.join(path, "modules/lib/modules", release)
    return Kernel(image, release, modules if os.path.isdir(modules) else None)


def find(spec, modules_dir=None):
    """A version (6.1, debug), a kernel directory or an image → Kernel."""
    if re.fullmatch(r"\d+\.\d+|debug", spec) and not os.path.exists(spec):
        out = subprocess.run([os.path.join(TOP, "tools/kernel/fetch"), spec],
                             stdout=subprocess.PIPE, text=True,
                             stdin=subprocess.DEVNULL)
        if out.returncode:
            die(f"tools/kernel/fetch {spec} failed")
        spec = out.stdout.strip().splitlines()[-1]
    if os.path.isdir(spec):
        return _of_directory(spec)
    if not os.path.exists(spec):
        die(f"no such kernel: {spec}")
    release = _release_of(spec)
    modules = modules_dir or f"/lib/modules/{release}"
    return Kernel(spec, release, modules if os.path.isdir(modules) else None)


def _name(path):
    return re.sub(r"\.ko(\.\w+)?$", "", os.path.basename(path)).replace("-",
                                                                       "_")


def _read_dep(modules):
    """modules.dep → {name: path}, {path: [paths it needs]}."""
    names, needs = {}, {}
    with open(os.path.join(modules, "modules.dep")) as f:
        for line in f:
            path, _, rest = line.partition(":")
            names[_name(path)] = path
            needs[path] = rest.split()
    return names, needs


def _unpacked(path):
    """A module's plain bytes, whatever it is compressed with."""
    with open(path, "rb") as f:
        data = f.read()
    if path.endswith(".xz"):
        return lzma.decompress(data)
    if path.endswith((".zst", ".gz")):
        tool = "zstd" if path.endswith(".zst") else "gzip"
        return subprocess.run([tool, "-dcq"], input=data, check=True,
                              stdout=subprocess.PIPE).stdout
    return data


def depends(ko):
    """Names in an out-of-tree module's `depends=` field."""
    with open(ko, "rb") as f:
        data = f.read()
    found = re.search(rb"\0depends=([^\0]*)\0", data)
    return found.group(1).decode().split(",") if found else []


def _depmod(root, guest_root, release):
    """Run the guest's own depmod, so that the host needs no kmod."""
    loader, _ = loader_of(guest_root)
    kmod = os.path.join(guest_root, "bin/kmod")
    if not os.path.exists(kmod):
        kmod = os.path.join(guest_root, "usr/bin/kmod")
    dirs = ":".join(os.path.join(guest_root, d) for d in (
        "lib/x86_64-linux-gnu", "usr/lib/x86_64-linux-gnu",
        "lib/aarch64-linux-gnu", "usr/lib/aarch64-linux-gnu"))
    subprocess.run([loader, "--library-path", dirs, "--argv0", "depmod", kmod,
                    "-b", root, release], check=True,
                   stderr=subprocess.DEVNULL)


def _collect(kernel, wanted, dest):
    """Unpack the wanted modules and what they need into dest."""
    os.makedirs(dest)
    names, needs = _read_dep(kernel.modules)
    todo = [names[n.replace("-", "_")] for n in wanted
            if n.replace("-", "_") in names]
    done = set()
    while todo:
        path = todo.pop()
        if path in done:
            continue
        done.add(path)
        todo += needs[path]
        plain = re.sub(r"\.ko\.\w+$", ".ko", path)
        os.makedirs(os.path.dirname(os.path.join(dest, plain)), exist_ok=True)
        with open(os.path.join(dest, plain), "wb") as f:
            f.write(_unpacked(os.path.join(kernel.modules, path)))
    for n in ("modules.builtin", "modules.builtin.modinfo", "modules.order"):
        src = os.path.join(kernel.modules, n)
        if os.path.exists(src):
            shutil.copy(src, os.path.join(dest, n))


def _tree_archive(tree, out):
    arc = Archive(out)
    for folder, _, files in sorted(os.walk(tree)):
        for n in sorted(files):
            path = os.path.join(folder, n)
            arc.copy(path, os.path.relpath(path, tree))
    arc.close()


def archive(kernel, guest_root, extra_names, own):
    """The cached cpio of the modules; `own` are out-of-tree .ko files.

    Own modules lie in extra/ and are known to modprobe by name, with what
    they depend on; a name that the kernel also has is replaced.
    """
    if not kernel.modules:
        if own:
            print("vm: no modules for this kernel, only those given",
                  file=sys.stderr)
        kernel_dep = b""
    else:
        with open(os.path.join(kernel.modules, "modules.dep"), "rb") as f:
            kernel_dep = f.read()
    wanted = set(MODULES) | set(extra_names)
    blobs = []
    for ko in own:
        wanted.update(filter(None, depends(ko)))
        with open(ko, "rb") as f:
            blobs.append(f.read())
    with open(__file__, "rb") as f:
        key = digest(f.read(), kernel.release, kernel_dep, *sorted(wanted),
                     *[os.path.basename(k) for k in own], *blobs)
    path = os.path.join(cache_dir(), f"modules-{key}.cpio")
    with Lock():
        if not os.path.exists(path):
            with tempfile.TemporaryDirectory(dir=cache_dir()) as tmp:
                lib = os.path.join(tmp, "lib/modules", kernel.release)
                if kernel.modules:
                    _collect(kernel, wanted, lib)
                os.makedirs(lib + "/extra")
                for ko, data in zip(own, blobs):
                    with open(os.path.join(lib, "extra",
                                           os.path.basename(ko)), "wb") as f:
                        f.write(data)
                _depmod(tmp, guest_root, kernel.release)
                with open(path + ".new", "wb") as out:
                    _tree_archive(tmp, out)
                os.rename(path + ".new", path)
        os.utime(path)
        prune(cache_dir(), "modules-", 12)
    return path
