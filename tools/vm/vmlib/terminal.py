# SPDX-License-Identifier: GPL-2.0
"""People at a running machine: the interactive shell's terminal, and the
control socket through which a second terminal plugs and unplugs."""
import os
import select
import socket
import sys
import termios
import tty

from .kernel import TOP

MOTD = """
A shell in the guest; `exit` ends it, Ctrl-] kills it. From a second terminal:
  tools/vm/vm plug{name}            a GPU into port rp0
  tools/vm/vm plug{name} gpu1 --port rp1
  tools/vm/vm unplug{name} gpu0     the attention button: 5 to 6 s
  tools/vm/vm aer{name} rp0 SDN     a fatal link error
or in here the same with `host`: host plug gpu0
Serial terminals do not follow their window: after a resize, stty rows N cols N

"""
VERBS = ("plug", "unplug", "aer", "host")
QUIT = b"\x1d"                          # Ctrl-]


def _socket_path(folder, name):
    """Short, however deep the tree lies: socket names have 107 bytes."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    return f"/proc/self/fd/{fd}/{name}.sock"


class Control:
    """build/vm/NAME.sock: one `host` request a connection."""

    def __init__(self, vm, folder, name):
        self.vm = vm
        self.path = _socket_path(folder, name)
        if os.path.exists(self.path):
            os.unlink(self.path)
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.bind(self.path)
        os.chmod(self.path, 0o600)
        self.sock.listen()

    def __enter__(self):
        self.vm.control = self
        return self

    def __exit__(self, *exc):
        self.sock.close()
        if os.path.exists(self.path):
            os.unlink(self.path)

    def sockets(self):
        return [self.sock]

    def serve(self, ready):
        if not ready:
            return
        conn, _ = self.sock.accept()
        with conn:
            conn.settimeout(2)
            try:
                words = conn.makefile().readline().rstrip("\n").split("\x1f")
                code, text = self.vm.host.answer(words)
                conn.sendall(f"{code}\n{text}".encode())
            except OSError:
                pass


class Terminal:
    """Our terminal, raw, joined to the guest's ttyS1."""

    def __init__(self, vm):
        self.vm = vm
        self.saved = None

    def __enter__(self):
        if sys.stdin.isatty():
            self.saved = termios.tcgetattr(0)
            tty.setraw(0)
        self.vm.terminal = self
        return self

    def __exit__(self, *exc):
        if self.saved:
            termios.tcsetattr(0, termios.TCSADRAIN, self.saved)
            print()

    def sockets(self):
        return [0] if self.vm.terminal else []

    def serve(self, ready):
        if not ready:
            return
        data = os.read(0, 1024)
        if QUIT in data:
            self.vm.finish(0)
        elif data:
            self.vm.output.sock.sendall(data)
        else:
            self.vm.output.sock.sendall(b"\x04")
            self.sockets = lambda: []


def _running(name):
    folder = os.path.join(TOP, "build", "vm")
    names = [name] if name else sorted(
        (n[:-5] for n in os.listdir(folder) if n.endswith(".sock")),
        key=lambda n: -os.path.getmtime(os.path.join(folder, n + ".sock"))) \
        if os.path.isdir(folder) else []
    for n in names:
        sock = socket.socket(socket.AF_UNIX)
        try:
            sock.connect(_socket_path(folder, n))
            return sock
        except OSError:
            sock.close()
    return None


def ask_running(argv):
    """vm plug|unplug|aer|host [--name N] …: the newest VM, or the named."""
    verb, *words = argv
    name = None
    if "--name" in words:
        i = words.index("--name")
        name = words[i + 1] if i + 1 < len(words) else ""
        del words[i:i + 2]
    if verb in ("plug", "unplug") and (not words or words[0][:2] == "--"):
        words.insert(0, "gpu0")
    if verb == "aer" and not words:
        words = ["rp0", "SDN"]
    sock = _running(name)
    if not sock:
        print("vm: no running VM; start one with make vm", file=sys.stderr)
        return 3
    with sock:
        request = words if verb == "host" else [verb, *words]
        sock.sendall(("\x1f".join(request) + "\n").encode())
        answer = b""
        while select.select([sock], [], [], 60)[0]:
            data = sock.recv(65536)
            if not data:
                break
            answer += data
    code, _, text = answer.decode().partition("\n")
    if text:
        print(text)
    return int(code or 1)
