# SPDX-License-Identifier: GPL-2.0
"""Read KTAP (Documentation/dev-tools/ktap.rst) line by line."""
import re

RESULT = re.compile(r"^(\s*)(not )?ok (\d+)\s*(?:- )?(.*)$")
PLAN = re.compile(r"^(\s*)1\.\.(\d+)(?:\s*#\s*SKIP\b\s*(.*))?")
SKIP = re.compile(r"\s*#\s*SKIP\b:?\s*", re.I)
START = re.compile(r"^\s*#\s+RUN\s+([^\s:]+)")


class Result:
    """One test: outcome is "ok", "failed" or "skipped"; why says more."""

    def __init__(self, name, outcome, why="", notes=()):
        self.name, self.outcome, self.why = name, outcome, why
        self.notes = list(notes)

    def lines(self, number):
        """The test as KTAP."""
        out = [f"# {n}" for n in self.notes]
        word = "not ok" if self.outcome == "failed" else "ok"
        tail = f" # SKIP {self.why}" if self.outcome == "skipped" else \
            f" # {self.why}" if self.why else ""
        return out + [f"{word} {number} {self.name}{tail}"]


class Reader:
    """Feed it lines; it returns a Result for each that ends a test.

    A result that sums up indented subtests is none of its own, unless it
    failed and they did not.
    """

    def __init__(self):
        self.notes = []
        self.running = None         # the test that said it began
        self.planned = 0
        self.got = 0
        self.below = {}             # depth: outcomes of subtests seen there
        self.bailed = None

    def feed(self, line):
        match = RESULT.match(line)
        if match:
            return self._result(match)
        plan = PLAN.match(line)
        if plan:
            if not plan.group(1):
                self.planned = int(plan.group(2))
        elif line.startswith("Bail out!"):
            self.bailed = line[9:].strip() or "bailed out"
        elif line.lstrip().startswith("#"):
            begun = START.match(line)
            if begun:
                self.running = begun.group(1)
                self.notes = []
            else:
                self.notes.append(line.strip()[1:].strip())
        return None

    def _result(self, match):
        depth = len(match.group(1))
        if not depth:
            self.got += 1
        subtests = [o for d, seen in self.below.items() if d > depth
                    for o in seen]
        self.below = {d: s for d, s in self.below.items() if d <= depth}
        name, notes, why = match.group(4).strip(), self.notes, ""
        self.notes, self.running = [], None
        outcome = "failed" if match.group(2) else "ok"
        if SKIP.search(name):
            name, why = SKIP.split(name, 1)
            outcome = "skipped"
        else:
            name, _, why = name.partition(" # ")
        self.below.setdefault(depth, []).append(outcome)
        if subtests and (outcome != "failed" or "failed" in subtests):
            return None
        return Result(name.strip() or f"test {match.group(3)}", outcome,
                      why.strip(), notes)

    def missing(self):
        """How many tests were planned at the top and never ended."""
        return max(0, self.planned - self.got)
