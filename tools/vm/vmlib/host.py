# SPDX-License-Identifier: GPL-2.0
"""The `host` command: what a guest, or a second terminal, may ask for.

A request is a list of words; the answer an exit code and text. Nothing here
blocks for long, so that one VM can serve several askers in turn.
"""
import json
import re
import struct
import tempfile
import time

from .qmp import QmpError

USAGE = """host plug ID [--port rp0] [--device secondary-vga] [KEY=VALUE…]
host unplug ID            device_del: the attention button, 5 to 6 s
host deleted ID           has QEMU let go of it? (0 yes, 1 no)
host wait-deleted ID [S]  until it has, at most S seconds (10)
host aer PORT ERROR [ARG…]  HMP pcie_aer_inject_error
host hmp 'COMMAND'        QEMU's human monitor
host qmp 'JSON'           QEMU's machine protocol
host screen ID            what a display shows: WIDTHxHEIGHT, colours
host devices              what QEMU has on its PCI buses
host expect REGEX         a kernel splat that this test will cause
host forget               forget what was announced
host splats               unannounced splats since the last call (1: some)
host found TEXT           what the guest found wrong with its kernel at the end
host note TEXT            a line in the console log
host later S WORD…        the same words, in S seconds: the guest may sleep then"""


class Usage(Exception):
    pass


def _options(words, known):
    """--key value pairs out of words → (dict, the rest)."""
    opts, rest = {}, []
    words = list(words)
    while words:
        w = words.pop(0)
        if w.startswith("--"):
            if w[2:] not in known or not words:
                raise Usage(f"unknown or incomplete option {w}")
            opts[w[2:]] = words.pop(0)
        else:
            rest.append(w)
    return opts, rest


class Host:
    """Answers requests on behalf of one machine."""

    def __init__(self, machine):
        self.machine = machine
        self.qmp = machine.qmp
        self.planned = []

    def answer(self, words):
        """(exit code, text) for one request."""
        verb = words[0].replace("-", "_") if words else ""
        func = getattr(self, "do_" + verb, None)
        if not func:
            return 2, USAGE
        try:
            return func(*words[1:])
        except (Usage, TypeError) as e:
            return 2, f"host {words[0]}: {e}"
        except (QmpError, ValueError, OSError) as e:
            return 1, f"host {words[0]}: {e}"

    def do_plug(self, *words):
        opts, rest = _options(words, ("port", "device"))
        if not rest:
            raise Usage("which ID?")
        args = dict(w.split("=", 1) for w in rest[1:])
        self.qmp.deleted.discard(rest[0])
        self.qmp.call("device_add", id=rest[0], bus=opts.get("port", "rp0"),
                      driver=opts.get("device", "secondary-vga"), **args)
        return 0, ""

    def do_unplug(self, ident):
        self.qmp.call("device_del", id=ident)
        return 0, ""

    def do_deleted(self, ident):
        self.qmp.poll()
        if ident in self.qmp.deleted:
            return 0, ""
        try:
            self.qmp.call("qom-list", path=f"/machine/peripheral/{ident}")
        except QmpError:
            return 0, ""
        return 1, ""

    def do_aer(self, *words):
        out = self.qmp.hmp("pcie_aer_inject_error " + " ".join(words)).strip()
        good = out.startswith("OK ")
        return 0 if good else 1, out

    def do_hmp(self, *words):
        return 0, self.qmp.hmp(" ".join(words)).rstrip()

    def do_qmp(self, text):
        return 0, json.dumps(self.qmp.raw(json.loads(text)))

    def do_devices(self):
        return 0, self.qmp.hmp("info pci").rstrip()

    def do_screen(self, ident):
        with tempfile.NamedTemporaryFile() as f:
            self.qmp.call("screendump", filename=f.name, device=ident)
            data = f.read()
        match = re.match(rb"P6\s+(\d+) (\d+)\s+255\s", data)
        if not match:
            raise ValueError("no picture")
        width, height = map(int, match.groups())
        colours, row = set(), width * 3
        for y in range(0, height, 16):          # every 16th row tells enough
            at = match.end() + y * row
            colours.update(struct.iter_unpack("3s", data[at:at + row]))
        return 0, f"{width}x{height} {len(colours)}"

    def do_expect(self, pattern):
        self.machine.console.expect(pattern)
        return 0, ""

    def do_forget(self):
        self.machine.console.forget()
        return 0, ""

    def do_splats(self):
        news = self.machine.console.news()
        return int(bool(news)), "\n".join(news)

    def do_found(self, *words):
        self.machine.found(" ".join(words))
        return 0, ""

    def do_note(self, *words):
        return 0, ""        # every request stands in the log already

    def do_later(self, seconds, *words):
        self.planned.append((time.monotonic() + float(seconds), words))
        return 0, ""

    def due(self):
        """[words]: what was asked for by `later`, and its time has come."""
        now = time.monotonic()
        due = [words for when, words in self.planned if when <= now]
        self.planned = [p for p in self.planned if p[0] > now]
        return due

    def do_ready(self):
        self.machine.booted()
        return 0, ""

    def do_exit(self, status):
        self.machine.finish(int(status))
        return 0, ""
