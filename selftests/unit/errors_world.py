# SPDX-License-Identifier: GPL-2.0
"""A machine whose link has errors at some speeds: for qualify and guard."""
import signal
import time
from world import *                                      # noqa: F401,F403

try:
    import jsonschema
except ImportError:
    jsonschema = None

PREFETCH = 8
PLAIN = dict(GPU, bars=[{"length": 16 << 20, "flags": MEMORY | ASSIGNED},
                        {"length": 8192,
                         "flags": MEMORY | ASSIGNED | PREFETCH}])
FREE = dict(PLAIN, flags=GATED | HELD, driver="egpu")
LINK = dict(PORT, functions=[PLAIN], best_speed=160)
WAITS = dict(LINK, state="HELD", reason="unbound", functions=[FREE])
LIVE, SPEED, LATER = 16, 1, 32


def becomes(**what):
    return {"port": 1, "set": what}


def ends(number, error="", **what):
    return {"events": [becomes(**what), {
        "type": "transaction", "port": 1, "transaction": number,
        "error": error}]}


HOLDS = ends(7, state="HELD", reason="unbound", functions=[FREE])
GIVES = ends(8, state="READY", reason="none", functions=[PLAIN])


def world(*ports, speeds=None, **scenario):
    """A GPU whose link is told by "speeds"; nothing said: it is clean."""
    scenario = dict({"detach": HOLDS, "attach": GIVES, "correctable": 3,
                     "nonfatal": 1}, **scenario)     # as COUNTED has them
    w = World(*(ports or (LINK,)), speeds=speeds or {"0": {}}, **scenario)
    w.pci("0000:00:06.0")
    home = w.pci("0000:04:00.0", "0000:00:06.0", **{"class": "0x030000"},
                 vendor="0x10de", device="0x2684")
    w.write(f"{home}/config", "\x10" * 256)
    w.write(f"{home}/resource1", "r" * 8192)
    for device in (w.where["0000:00:06.0"], home):
        for name, text in COUNTED.items():
            w.write(f"{device}/aer_dev_{name}", text)
    w.write("sys/bus/pci_express/drivers/aer/0000:00:06.0:pcie002")
    return w


def valid(reply, kind):
    """As Documentation/egpuctl.schema.json has it."""
    if jsonschema:
        with open(f"{TOP}/Documentation/egpuctl.schema.json") as f:
            schema = json.load(f)
        jsonschema.validate(reply, {"$ref": f"#/definitions/{kind}",
                                    "definitions": schema["definitions"]})
        jsonschema.validate(reply, schema)


def rows(text, *wanted):
    """Lines of the table, however wide its columns are."""
    lines = [" ".join(line.split()) for line in text.splitlines()]
    for want in wanted:
        if not any(line.startswith(want) for line in lines):
            raise AssertionError(f"no {want!r} in\n{text}")


def asked(w):
    """The speeds that LINK_SET was asked for, with its flags."""
    return [tuple(int(part.split("=")[1]) for part in line.split()[2:4])
            for line in w.read("done").splitlines()
            if line.startswith("link_set")]


def remembered(w):
    text = w.read("state/links.json")
    return [(one["device"], one["limit_gts"], one["why"])
            for one in json.loads(text)["links"]] if text else []


def start(w, *words):
    w.save_scenario()
    return subprocess.Popen([TOOL, *words], stdout=subprocess.PIPE, text=True,
                            stderr=subprocess.PIPE, env=w.environment())
