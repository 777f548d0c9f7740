# SPDX-License-Identifier: GPL-2.0
"""A synchronous client of QEMU's monitor protocol (QMP)."""
import json
import select
import time


class QmpError(Exception):
    """QEMU refused a command; str() is its reason."""


class Qmp:
    def __init__(self, sock):
        self.sock = sock
        self.buf = b""
        self.replies = []
        self.deleted = set()
        self.events = []
        self._reply(10)                       # the greeting
        self.call("qmp_capabilities")

    def _read(self, timeout):
        """Take in what is there; False at end of file."""
        ready, _, _ = select.select([self.sock], [], [], timeout)
        if not ready:
            return True
        data = self.sock.recv(65536)
        self.buf += data
        *lines, self.buf = self.buf.split(b"\n")
        for line in filter(bytes.strip, lines):
            msg = json.loads(line)
            if "event" in msg:
                self._event(msg)
            else:
                self.replies.append(msg)
        return bool(data)

    def _event(self, msg):
        self.events.append(msg)
        if msg["event"] == "DEVICE_DELETED" and "device" in msg["data"]:
            self.deleted.add(msg["data"]["device"])

    def poll(self):
        self._read(0)

    def _reply(self, timeout):
        end = time.monotonic() + timeout
        while not self.replies:
            if not self._read(max(0, end - time.monotonic())):
                raise QmpError("QEMU has ended")
            if time.monotonic() >= end:
                raise QmpError("QEMU does not answer")
        return self.replies.pop(0)

    def call(self, command, **arguments):
        msg = {"execute": command}
        if arguments:
            msg["arguments"] = arguments
        return self.raw(msg)

    def raw(self, msg):
        self.sock.sendall(json.dumps(msg).encode() + b"\n")
        reply = self._reply(30)
        if "error" in reply:
            raise QmpError(reply["error"]["desc"])
        return reply["return"]

    def hmp(self, line):
        """A command of the human monitor; its output."""
        return self.call("human-monitor-command", **{"command-line": line})
