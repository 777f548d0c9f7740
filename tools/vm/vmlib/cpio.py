# SPDX-License-Identifier: GPL-2.0
"""Write initramfs archives ("newc" cpio, Linux early-userspace/buffer-format).

Archives are plain concatenations for the kernel, later files replace earlier
ones, so a run needs to write only what differs from a cached base.
"""
import os
import stat


class Archive:
    """Collects files and writes them as one uncompressed newc archive."""

    def __init__(self, out):
        self.out = out
        self.ino = 0
        self.dirs = set()

    def _entry(self, name, mode, data=b""):
        self.ino += 1
        path = name.lstrip("/").encode() + b"\0"
        fields = (self.ino, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0,
                  len(path), 0)
        head = b"070701" + b"".join(b"%08X" % f for f in fields) + path
        self.out.write(head + b"\0" * (-len(head) % 4))
        self.out.write(data)
        self.out.write(b"\0" * (-len(data) % 4))

    def mkdir(self, name):
        """Add a directory and the ones above it, each once."""
        name = name.strip("/")
        if not name or name in self.dirs:
            return
        self.mkdir(os.path.dirname(name))
        self.dirs.add(name)
        self._entry(name, stat.S_IFDIR | 0o755)

    def symlink(self, name, target):
        self.mkdir(os.path.dirname(name))
        self._entry(name, stat.S_IFLNK | 0o777, target.encode())

    def write(self, name, data, mode=0o644):
        self.mkdir(os.path.dirname(name))
        if isinstance(data, str):
            data = data.encode()
        self._entry(name, stat.S_IFREG | mode, data)

    def copy(self, src, name):
        """Add a host file with its permissions, symbolic links followed."""
        with open(src, "rb") as f:
            self.write(name, f.read(), os.stat(src).st_mode & 0o777)

    def close(self):
        self.ino = 0
        self._entry("TRAILER!!!", 0)
        self.out.flush()
