# SPDX-License-Identifier: GPL-2.0
"""One QEMU machine, its three serial lines and its monitor.

ttyS0 is the kernel's console and goes to the log; ttyS1 is what the guest's
script prints, and goes to our stdout at once; ttyS2 carries the guest's
`host` requests. One loop reads them all, and a request is answered only after
everything that the kernel printed before it was read.
"""
import os
import re
import select
import socket
import subprocess
import sys
import tempfile
import time

from .console import Console
from .host import Host
from .qmp import Qmp, QmpError

# A few bytes of real-mode code at the reset vector that write 1 to QEMU's
# exit port: KVM "works" when it gets there. mov al,1; out 0xf4,al; hlt
PROBE = b"\xb0\x01\xe6\xf4\xf4"
HUNG_AFTER = 3          # seconds a panicked or dying guest gets to say more


def qemu_binary():
    return "qemu-system-" + ("aarch64" if os.uname().machine == "aarch64"
                             else "x86_64")


def kvm_works(cpu="host"):
    """Whether a guest really runs under KVM here, found by running one."""
    if not os.access("/dev/kvm", os.R_OK | os.W_OK):
        return False
    rom = bytearray(b"\xf4" * 65536)
    rom[0xfff0:0xfff0 + len(PROBE)] = PROBE
    with tempfile.NamedTemporaryFile() as f:
        f.write(rom)
        f.flush()
        try:
            out = subprocess.run(
                [qemu_binary(), "-accel", "kvm", "-cpu", cpu, "-nodefaults",
                 "-machine", "q35", "-display", "none", "-bios", f.name,
                 "-device", "isa-debug-exit,iobase=0xf4,iosize=1"],
                stdin=subprocess.DEVNULL, capture_output=True, timeout=5)
        except (subprocess.TimeoutExpired, OSError):
            return False
    return out.returncode == 3


def accel():
    """QEMU's arguments for the fastest thing that works."""
    want = os.environ.get("EGPU_VM_ACCEL")
    if want != "tcg" and (want == "kvm" or kvm_works()):
        return ["-accel", "kvm", "-cpu", "host"]
    return ["-accel", "tcg,thread=multi", "-cpu", "max"]


class Line:
    """A serial line: bytes in, complete lines out."""

    def __init__(self, sock):
        self.sock = sock
        self.buf = b""

    def take(self):
        """What is there, without waiting; None at end of file."""
        out = b""
        while select.select([self.sock], [], [], 0)[0]:
            try:
                data = self.sock.recv(65536)
            except ConnectionResetError:
                data = b""
            if not data:
                return out or None
            out += data
        return out

    def lines(self, data):
        self.buf += data
        *lines, self.buf = self.buf.split(b"\n")
        return [x.rstrip(b"\r").decode(errors="replace") for x in lines]


class Machine:
    """Runs QEMU until the guest's script ends, or something is wrong."""

    def __init__(self, args, log, expected=(), out=None, timeout=120):
        self.out = out or sys.stdout.buffer
        self.log = open(log, "w", buffering=1, errors="replace")
        self.console = Console(expected)
        self.timeout = timeout
        self.started = time.monotonic()
        self.boot_seconds = None
        self.status = None          # what the guest's script returned
        self.reason = None          # why the run failed for another cause
        self.last_out = ""
        self.terminal = None
        self.control = None
        self._end = None
        self._start(args)

    def _start(self, args):
        ours, theirs, extra = [], [], []
        for name in ("console", "out", "host", "qmp"):
            a, b = socket.socketpair()
            os.set_inheritable(b.fileno(), True)
            ours.append(a)
            theirs.append(b)
            extra += ["-chardev", f"socket,id={name},fd={b.fileno()}"]
        extra += ["-device", "isa-serial,chardev=console,index=0",
                  "-device", "isa-serial,chardev=out,index=1",
                  "-device", "isa-serial,chardev=host,index=2,irq=10",
                  "-mon", "chardev=qmp,mode=control"]
        self.kmsg, self.output, self.requests = map(Line, ours[:3])
        self.stderr = tempfile.TemporaryFile()
        self.proc = subprocess.Popen(
            args + extra, close_fds=False, stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=self.stderr)
        for s in theirs:
            s.close()
        try:
            self.qmp = Qmp(ours[3])
        except (QmpError, OSError):
            self.proc.kill()
            self.proc.wait()
            raise RuntimeError(
                f"QEMU did not start: {self._qemu_said()}") from None
        self.host = Host(self)

    def _qemu_said(self):
        self.stderr.seek(0)
        return self.stderr.read().decode(errors="replace").strip()

    # what the guest says

    def booted(self):
        self.boot_seconds = time.monotonic() - self.started

    def finish(self, status):
        self.status = status

    def fail(self, reason, grace=0.0):
        """Note the first reason; the run ends after the grace."""
        self.reason = self.reason or reason
        self._end = self._end or time.monotonic() + grace

    def found(self, text):
        """The guest looked, after its script, and found this."""
        self.console.found(text)
        self.say("at the end: " + text)

    def say(self, text):
        """A line of ours among the script's output."""
        self.out.write(f"vm: {text}\n".encode())
        self.out.flush()

    def _kmsg(self):
        data = self.kmsg.take()
        for line in self.kmsg.lines(data or b""):
            self.log.write(line + "\n")
            splat = self.console.feed(line)
            if splat:
                self.say("kernel: " + splat)
                self.log.write(f"## vm: unannounced: {splat}\n")
            if self.console.panicked:
                self.fail("the guest's kernel panicked", HUNG_AFTER)
        return data is not None

    def _output(self):
        data = self.output.take()
        if data is None:
            return False
        if not data:
            return True
        self.out.write(data if self.terminal else
                       data.replace(b"\r\n", b"\n"))
        self.out.flush()
        if not self.terminal:
            for line in self.output.lines(data):
                self.last_out = line or self.last_out
                self.log.write("| " + line + "\n")
        return True

    def _request(self, line):
        if not line.startswith("H"):
            return
        ident, *words = line[1:].split("\x1f")
        self._kmsg()
        self._output()
        code, text = self._answer(words)
        reply = [f"T{ident}\x1f{t}" for t in text.split("\n") if text]
        reply.append(f"R{ident}\x1f{code}")
        self.requests.sock.sendall(("\n".join(reply) + "\n").encode())

    def _answer(self, words):
        code, text = self.host.answer(words)
        if words[:1] != ["deleted"]:
            self.log.write(f"## host {' '.join(words)}: {code}"
                           + (f" {text}" if text else "") + "\n")
        return code, text

    def _requests(self):
        data = self.requests.take()
        for line in self.requests.lines(data or b""):
            self._request(line)
        return data is not None

    # the loop

    def _blocked_tasks(self):
        """Ask a silent guest who waits for what: sysrq w by a break."""
        try:
            for key in b"wl":
                self.qmp.call("chardev-send-break", id="console")
                self.kmsg.sock.sendall(bytes([key]))
                time.sleep(0.3)
        except (QmpError, OSError):
            pass

    def _deadline(self):
        if self.timeout and not self._end and \
                time.monotonic() > self.started + self.timeout:
            after = f"; it last said: {self.last_out}" if self.last_out else ""
            where = "did not end" if self.boot_seconds else "did not boot"
            self._blocked_tasks()
            self.fail(f"the guest {where} within {self.timeout:g} s{after}", 1)

    def run(self):
        """Serve the guest to its end; closes everything."""
        lines = {self.kmsg.sock: self._kmsg, self.output.sock: self._output,
                 self.requests.sock: self._requests}
        try:
            while self.status is None:
                if self._end and time.monotonic() > self._end:
                    break
                watch = [s for x in (self.terminal, self.control) if x
                         for s in x.sockets()]
                ready, _, _ = select.select([*lines, self.qmp.sock, *watch],
                                            [], [], 0.2)
                if not all([lines[s]() for s in ready if s in lines]):
                    break
                if self.qmp.sock in ready:
                    self.qmp.poll()
                for words in self.host.due():
                    self._answer(list(words))
                for x in (self.terminal, self.control):
                    if x:
                        x.serve([s for s in ready if s in x.sockets()])
                self._deadline()
        finally:
            self._close()

    def _close(self):
        for read in (self._kmsg, self._output):
            read()
        if self.status is None and not self.reason:
            self.reason = "the guest ended without the script's exit status"
        try:
            self.qmp.call("quit")
        except (QmpError, OSError):
            pass
        try:
            self.proc.wait(5)
        except subprocess.TimeoutExpired:
            self.proc.kill()
        if (self.proc.returncode or 0) < 0 and not self._end:
            self.reason = f"QEMU was killed by signal {-self.proc.returncode}"
        err = self._qemu_said()
        if err:
            self.log.write(f"## qemu: {err}\n")
            if re.search(r"Assertion|abort|Segm|terminating on sig", err):
                self.reason = "QEMU died: " + err.splitlines()[-1]
        self.log.close()

    def verdict(self):
        """(exit status, reason or None) of the whole run."""
        if self.reason:
            return 124 if " within " in self.reason else 125, self.reason
        if self.console.splats:
            more = len(self.console.splats) - 1
            return self.status or 125, (
                f"kernel: {self.console.splats[0]}"
                + (f" (and {more} more)" if more else ""))
        return self.status, None
