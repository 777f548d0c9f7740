# SPDX-License-Identifier: GPL-2.0
"""The guest's file system: real programs taken out of Debian packages.

Packages are fetched with apt-get download and unpacked into the cache;
nothing is installed on the host. The result is one cpio archive, named by a
checksum of everything that went into it.
"""
import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile

from .cpio import Archive

GUEST = os.path.join(os.path.dirname(os.path.dirname(
    os.path.realpath(__file__))), "guest")

# Package, and what of it goes into the guest. busybox fills all other names;
# being static it also starts four times faster without KVM.
PACKAGES = {
    "busybox-static": ["bin/busybox"],
    "bash": ["bin/bash"],
    "coreutils": ["bin/date", "bin/stat"],
    "kmod": ["bin/kmod"],
    "libc-bin": ["bin/ldconfig"],
    "udev": ["bin/udevadm",
             "lib/udev/rules.d/50-udev-default.rules",
             "lib/udev/rules.d/60-drm.rules",
             "lib/udev/rules.d/80-drivers.rules"],
    "pciutils": ["bin/lspci", "bin/setpci"],
    "pci.ids": ["usr/share/misc/pci.ids"],
    "libdrm-tests": ["bin/modetest", "bin/drmdevice", "bin/proptest"],
    "procps": ["bin/ps", "bin/pgrep", "bin/pkill"],
    "psmisc": ["bin/fuser"],
    "util-linux": ["bin/flock", "bin/unshare", "bin/nsenter", "bin/setpriv",
                   "bin/findmnt", "bin/lsblk", "bin/prlimit", "bin/setsid"],
    "strace": ["bin/strace"],
    "jq": ["bin/jq"],
}
# Libraries that no program above needs, and that would only cost time.
NO_LIBS = re.compile(r"perl|libdb|libpam|elogind|newt|gcrypt|semanage|gdbm")
KMOD_LINKS = ("modprobe", "insmod", "rmmod", "lsmod", "modinfo", "depmod")
BIN_DIRS = ("bin", "sbin", "usr/bin", "usr/sbin")
LIB_DIRS = ("lib/x86_64-linux-gnu", "usr/lib/x86_64-linux-gnu",
            "lib/aarch64-linux-gnu", "usr/lib/aarch64-linux-gnu",
            "lib64", "lib", "usr/lib", "lib/systemd", "usr/lib/systemd")


def die(why):
    """End with a one-line reason on stderr; 3 means the run never began."""
    print(f"vm: {why}", file=sys.stderr)
    sys.exit(3)


def cache_dir(*parts):
    base = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    path = os.path.join(base, "egpu", "vm", *parts)
    os.makedirs(path, exist_ok=True)
    return path


class Lock:
    """One builder of the cache at a time, whoever started it."""

    def __enter__(self):
        self.file = open(os.path.join(cache_dir(), "lock"), "w")
        fcntl.flock(self.file, fcntl.LOCK_EX)

    def __exit__(self, *exc):
        self.file.close()


def digest(*parts):
    h = hashlib.sha256()
    for p in parts:
        h.update(p if isinstance(p, bytes) else str(p).encode())
        h.update(b"\0")
    return h.hexdigest()[:16]


def prune(folder, prefix, keep):
    """Drop all but the most recently used cache files of one kind."""
    names = [os.path.join(folder, n) for n in os.listdir(folder)
             if n.startswith(prefix)]
    names.sort(key=os.path.getmtime, reverse=True)
    for n in names[keep:]:
        if os.path.isdir(n):
            shutil.rmtree(n, ignore_errors=True)
        else:
            os.unlink(n)


def _apt(command, **options):
    """An apt command that may need fresh package lists to succeed."""
    def attempt():
        return subprocess.run(command, capture_output=True, text=True,
                              stdin=subprocess.DEVNULL, **options)
    out = attempt()
    if out.returncode and os.geteuid() == 0:
        subprocess.run(["apt-get", "-q", "update"], capture_output=True,
                       stdin=subprocess.DEVNULL)
        out = attempt()
    if out.returncode:
        said = (out.stderr.strip().splitlines() or ["no reason given"])[-1]
        die(f"{' '.join(command[:2])} failed: {said}; "
            "is the package list current (apt-get update)?")
    return out.stdout


def _library_packages():
    out = _apt(
        ["apt-cache", "depends", "--recurse", "--no-recommends",
         "--no-suggests", "--no-conflicts", "--no-breaks", "--no-replaces",
         "--no-enhances", *PACKAGES])
    names = set(re.findall(r"^(lib\S+)$", out, re.M))
    return sorted(n for n in names
                  if not NO_LIBS.search(n) and ":" not in n)


def _fetch_root(dest):
    """Download and unpack the guest's packages below dest."""
    names = sorted(set(_library_packages()) | set(PACKAGES))
    print(f"vm: fetching {len(names)} packages for the guest", file=sys.stderr)
    with tempfile.TemporaryDirectory(dir=cache_dir()) as debs:
        os.chmod(debs, 0o755)
        _apt(["apt-get", "-q", "download", *names], cwd=debs)
        for deb in sorted(os.listdir(debs)):
            subprocess.run(["dpkg", "-x", os.path.join(debs, deb), dest],
                           check=True)


def _locate(root, name):
    """Find a package's file under merged and unmerged /usr layouts."""
    base = os.path.basename(name)
    tries = [name, "usr/" + name]
    if name.startswith("bin/"):
        tries += [os.path.join(d, base) for d in BIN_DIRS]
    for t in tries:
        path = os.path.join(root, t)
        if os.path.exists(path):
            return path
    die(f"guest package lacks {name}")


def loader_of(root):
    for d in ("lib64", "usr/lib64", "lib", "usr/lib", *LIB_DIRS[:4]):
        folder = os.path.join(root, d)
        for n in os.listdir(folder) if os.path.isdir(folder) else ():
            if n.startswith("ld-linux"):
                return os.path.join(folder, n), n
    die("guest packages hold no dynamic loader")


def is_elf(path):
    with open(path, "rb") as f:
        return f.read(4) == b"\x7fELF"


def _listed(text):
    """What ld.so --list and ldd print, but for the loader itself."""
    return [(soname, path) for soname, path in
            re.findall(r"^\s*(\S+) => (/\S+)", text, re.M)
            if "/" not in soname]


def _libraries(root, program):
    """[(soname, path)] of an unpacked program, by its own loader."""
    loader, _ = loader_of(root)
    dirs = ":".join(os.path.join(root, d) for d in LIB_DIRS)
    out = subprocess.run([loader, "--library-path", dirs, "--list", program],
                         capture_output=True, text=True)
    missing = re.findall(r"(\S+) => not found", out.stdout)
    if missing:
        die(f"guest program {program} lacks {' '.join(missing)}")
    return _listed(out.stdout)


def host_libraries(program):
    """[(soname, path)] that a program of the host needs; [] when static."""
    out = subprocess.run(["ldd", program], capture_output=True, text=True)
    missing = re.findall(r"(\S+) => not found", out.stdout)
    if missing:
        die(f"{program} lacks {' '.join(missing)}")
    return _listed(out.stdout)


def _pack(root, out):
    """Write the base archive; returns the set of library names in it."""
    arc, libs = Archive(out), {}
    for d in ("bin", "proc", "sys", "dev", "run", "tmp", "root", "etc",
              "var/lib", "usr/share/misc", "lib"):
        arc.mkdir(d)
    arc.symlink("lib/systemd/systemd-udevd", "/bin/udevadm")
    for link, to in (("sbin", "bin"), ("usr/bin", "../bin"),
                     ("usr/sbin", "../bin"), ("lib64", "lib"),
                     ("usr/lib", "../lib"), ("var/run", "../run"),
                     ("etc/mtab", "/proc/self/mounts")):
        arc.symlink(link, to)
    for names in PACKAGES.values():
        for name in names:
            src = _locate(root, name)
            arc.copy(src, name)
            if is_elf(src) and not name.endswith("busybox"):
                libs.update(_libraries(root, src))
    loader, soname = loader_of(root)
    libs[soname] = loader
    for soname, path in sorted(libs.items()):
        arc.copy(path, "lib/" + os.path.basename(soname))
    for link in KMOD_LINKS:
        arc.symlink("bin/" + link, "kmod")
    real = {os.path.basename(n) for names in PACKAGES.values() for n in names}
    applets = subprocess.run([os.path.join(root, "bin/busybox"), "--list"],
                             capture_output=True, text=True).stdout.split()
    for a in applets:
        if a not in real and a not in KMOD_LINKS and a != "busybox":
            arc.symlink("bin/" + a, "busybox")
    arc.close()
    return set(libs)


def _guest_files():
    """Our own small files in the guest: never cached, so always current."""
    return {n: os.path.join(GUEST, n) for n in sorted(os.listdir(GUEST))}


def base_archive():
    """(path of the base cpio, names of its libraries, unpacked root)."""
    with open(__file__, "rb") as f, open("/etc/os-release", "rb") as rel:
        key = digest(f.read(), rel.read())
    root = cache_dir() + f"/root-{key}"
    path, libfile = root + ".cpio", root + ".libs"
    with Lock():
        if not os.path.exists(libfile):
            tmp = tempfile.mkdtemp(dir=cache_dir())
            try:
                _fetch_root(tmp)
                with open(path, "wb") as out:
                    libs = _pack(tmp, out)
                shutil.rmtree(root, ignore_errors=True)
                os.rename(tmp, root)
            finally:
                shutil.rmtree(tmp, ignore_errors=True)
            with open(libfile + ".new", "w") as f:
                f.write("\n".join(sorted(libs)))
            os.rename(libfile + ".new", libfile)
            for suffix in ("", ".cpio", ".libs"):
                os.utime(root + suffix)
            prune(cache_dir(), "root-", 6)
        with open(libfile) as f:
            return path, set(f.read().split()), root


class RunArchive:
    """The second archive: what this one run brings along."""

    def __init__(self, out, base_libs):
        self.arc = Archive(out)
        self.libs = set(base_libs)
        for name, path in _guest_files().items():
            dst = "init" if name == "init" else "lib/vm/" + name
            self.arc.copy(path, dst)
        self.arc.symlink("bin/host", "/lib/vm/host")

    def add(self, src, dst):
        """Copy a file or folder; programs bring their shared libraries."""
        if os.path.isdir(src):
            for n in sorted(os.listdir(src)):
                self.add(os.path.join(src, n), os.path.join(dst, n))
            return
        if not os.path.exists(src):
            die(f"no such file: {src}")
        self.arc.copy(src, dst)
        if not is_elf(src) or src.endswith((".ko", ".o")):
            return
        for soname, path in host_libraries(src):
            if soname not in self.libs:
                self.libs.add(soname)
                self.arc.copy(path, "lib/" + soname)
