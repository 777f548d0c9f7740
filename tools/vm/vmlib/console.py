# SPDX-License-Identifier: GPL-2.0
"""What a kernel says when something is wrong, found in its console."""
import re

# Each begins a report. A line that a driver could print in passing
# ("warning:" in lower case, "error") is none.
SPLATS = [re.compile(p) for p in (
    r"-+\[ cut here \]-+",
    r"\bWARNING: (CPU:|[\w/]+\.[ch]:|possible |suspicious |inconsistent |"
    r"bad unlock|held lock|Nested lock|lock held|.*still has locks held|"
    r".*-unsafe lock order|.*\bat \S+\.[ch]:\d+)",
    r"\bBUG: ", r"\bkernel BUG at\b", r"\bOops: ", r"\bOops\[#",
    r"Unable to handle kernel", r"general protection fault",
    r"Kernel panic - not syncing", r"\bKASAN:", r"\bKMSAN:", r"\bKCSAN:",
    r"\bKFENCE:", r"\bUBSAN:", r"INFO: task .* blocked for more than",
    r"INFO: rcu\w* .*(stall|detected)", r"rcu: INFO: ",
    r"INFO: trying to register non-static key",
    r"INFO: possible (recursive|circular)", r"soft lockup", r"hard LOCKUP",
    r"refcount_t: ", r"scheduling while atomic", r"sleeping function called",
    r"DMA-API: (?!preallocated|debugging enabled|dma_debug_entry pool grown)",
    r"ODEBUG: ", r"kmemleak: ([1-9]\d* new suspected|Memory pool empty|"
    r"Kernel memory leak detector disabled|Cannot |.* unknown object)",
    r"list_(add|del) corruption", r"double free", r"slab .* still has objects",
    r"kmem_cache_destroy .*: Slab cache still has objects",
    r"unregister_netdevice: waiting", r"irq \d+: nobody cared",
    r"sysfs: cannot create duplicate", r"kobject_add_internal failed",
)]
CUT = SPLATS[0]
END = re.compile(r"---\[ end (trace|Kernel panic)|^={20,}")
PANIC = re.compile(r"Kernel panic - not syncing")
# A report's own lines look like further reports: they are within it until
# its end mark, this many lines, or a second of the kernel's clock.
REPORT_LINES = 90
TIME = re.compile(r"^\[\s*([\d.]+)\](\[[^]]*\])?\s*")


class Console:
    """Feed it lines; it keeps the splats that nobody announced."""

    def __init__(self, expected=()):
        self.always = [re.compile(p) for p in expected]
        self.announced = []
        self.splats = []
        self.seen = 0
        self.panicked = False
        self._cut = False
        self._left = 0
        self._since = 0.0

    def expect(self, pattern):
        self.announced.append(re.compile(pattern))

    def forget(self):
        """End of a test: what it announced is announced no more."""
        self.announced = []

    def _is_expected(self, text):
        return any(p.search(text) for p in self.always + self.announced)

    def _report(self, text):
        if self._is_expected(text):
            return None
        self.splats.append(text)
        return text

    def feed(self, line):
        """One console line; returns the splat that it begins, or None."""
        stamp = TIME.match(line)
        text = TIME.sub("", line).strip()
        now = float(stamp.group(1)) if stamp else self._since
        if now > self._since + 1:
            self._left = 0
        if not self._left:
            self._since = now
        if PANIC.search(text):
            self.panicked = True
            return self._report(text)
        if CUT.search(text):
            self._cut, self._left, self._since = True, REPORT_LINES, now
            return None
        if self._cut:
            if not text:
                return None
            # The line after "cut here" names what happened, be it a
            # message of WARN's or the WARNING line itself.
            self._cut = False
            return self._report(text)
        if self._left:
            self._left = 0 if END.search(text) else self._left - 1
            return None
        if any(p.search(text) for p in SPLATS):
            self._left = 0 if "blocked for more" in text else REPORT_LINES
            return self._report(text)
        return None

    def found(self, text):
        """What was looked for: a splat that nobody can expect."""
        self.splats.append(text)

    def news(self):
        """Splats since the last call."""
        fresh = self.splats[self.seen:]
        self.seen = len(self.splats)
        return fresh
