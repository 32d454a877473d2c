"""For every release that imports in `lean`, the surface that was read equals the one that imports show."""

import fnmatch
import sys
from pathlib import Path

import pytest

from matrix import toml
from matrix.releases import window
from matrix.surface.signatures import default_value
from matrix.surface.values import is_literal

WINDOW = [release.version for release in window.load(window.BUILT_IN).releases]
DIFFERENCES = toml.load(Path(__file__).with_name("differences.toml"))["difference"]


def public_modules(surface):
    return [
        name
        for name in surface.modules
        if name.startswith("flashinfer") and not any(p.startswith("_") for p in name.split("."))
    ]


def rows(entry, *, without_first=False):
    """Parameters with defaults by value where the source tells it, else not compared."""
    found = []
    for name, kind, default in entry["parameters"][1 if without_first else 0 :]:
        known = None if default is None else default_value(entry, name, default)
        unsure = known == default and default is not None and not is_literal(default)
        found.append([name, kind, ... if unsure else known])
    return found


def same(read, live):
    if live is None:
        return True
    return [row[:2] for row in read] == [row[:2] for row in live] and all(
        mine == theirs or (mine is ... and theirs is not None)
        for (_, _, mine), (_, _, theirs) in zip(read, live, strict=True)
    )


def differences(surface, live):
    """(kind, path, what says why) of everything that is not the same."""
    counts = dict.fromkeys(("functions", "classes", "methods", "enums"), 0)
    found = []
    for path, thing in live["names"].items():
        qualname = surface.qualname(path)
        if thing["kind"] == "error":
            if not surface.conditional(path):
                found.append(("error", path, {"text": thing["error"]}))
        elif qualname is None:
            value = surface.value(path)
            while value and "from" in value:
                value = surface.value(value["from"])
            found.append(("value" if value else "missing", path, value or {}))
        elif thing["kind"] == "enum":
            counts["enums"] += 1
            members = surface.enum(qualname) or {}
            known = {name: repr(value) for name, value in members.items() if value is not None}
            if list(members) != list(thing["members"]) or known.items() - thing["members"].items():
                found.append(("signature", path, {"text": str(members)}))
        elif thing["kind"] == "function":
            counts["functions"] += 1
            entry = surface.function(qualname)
            if not entry or not same(rows(entry), thing["parameters"]):
                found.append(("signature", path, entry or {}))
        else:
            counts["classes"] += 1
            found += class_differences(surface, path, qualname, thing, counts)
    return found, counts


def class_differences(surface, path, qualname, thing, counts):
    entry = surface.cls(qualname)
    if entry is None:
        return [("signature", path, {})]
    found = []
    made = surface.function(surface.constructor(qualname) or "")
    if made and not same(rows(made, without_first=True), thing["parameters"]):
        found.append(
            ("signature", path, {"decorators": [*entry.get("decorators", ()), *made.get("decorators", ())]})
        )
    for name, live in thing["methods"].items():
        counts["methods"] += 1
        method = surface.function(entry["methods"].get(name) or "")
        if method is None:
            found.append(("missing", f"{path}.{name}", {}))
            continue
        bound = any("classmethod" in decorator for decorator in method.get("decorators", ()))
        if not same(rows(method, without_first=bound), live):
            found.append(("signature", f"{path}.{name}", method))
    return found


def lacking(surface, live):
    """What was read of modules that import, without a condition, and is not there."""
    for module in public_modules(surface):
        entry = surface.modules[module]
        if module in live["failed"] or module.endswith("__main__"):
            continue
        for name, qualname in entry.get("paths", {}).items():
            path = f"{module}.{name}"
            if path not in live["names"] and not surface.conditional(path):
                yield "lacking", path, surface.function(qualname) or surface.cls(qualname)


def reason(difference):
    kind, path, item = difference
    for number, known in enumerate(DIFFERENCES):
        if (
            known["kind"] == kind
            and fnmatch.fnmatch(path, known.get("path", "*"))
            and fnmatch.fnmatch(item.get("text", ""), known.get("text", "*"))
            and any(
                fnmatch.fnmatch(d, known.get("decorator", "*")) for d in item.get("decorators", [""]) or [""]
            )
        ):
            return number
    return None


def look(library, lean, inside, release):
    surface = library.get(release)
    modules = public_modules(surface)
    request = {
        "packages": sorted({name.partition(".")[0] for name in surface.modules}),
        "modules": [name for name in modules if not name.endswith("__main__")],
        "lazy": {name: list(surface.modules[name].get("paths", {})) for name in modules},
    }
    live = inside(lean(release), "live_side.py", request)
    found, counts = differences(surface, live)
    return surface, live, [*found, *lacking(surface, live)], counts


def check(library, lean, inside, release):
    surface, live, found, counts = look(library, lean, inside, release)
    unexplained = [difference for difference in found if reason(difference) is None]
    sys.stderr.write(
        f"\n{release}: {counts}, {len(found)} differences, {len(live['failed'])} modules do not import\n"
    )
    assert not unexplained, f"{len(unexplained)} of {len(found)}: {unexplained[:30]}"
    assert counts["functions"] > 500
    unforeseen = [
        ("needs", module, {"text": package})
        for module, (kind, _, package) in live["failed"].items()
        if kind == "ModuleNotFoundError"
        and package
        and package.partition(".")[0] not in surface.modules[module]["needs"]
    ]
    unexplained = [difference for difference in unforeseen if reason(difference) is None]
    assert not unexplained, f"packages that the surface does not name: {unexplained[:30]}"
    found += unforeseen
    return {reason(difference) for difference in found}


@pytest.mark.wheels
@pytest.mark.parametrize("release", WINDOW)
def test_surface_equals_import(library, lean, inside, release):
    check(library, lean, inside, release)


@pytest.mark.wheels
@pytest.mark.slow
def test_surface_equals_import_of_every_release(library, lean, inside):
    used = set()
    for release in library.index.releases(library.project):
        if release.best.is_wheel:  # the earlier sdists want build requirements that are gone from the index
            used |= check(library, lean, inside, release.version)
    unused = [DIFFERENCES[number]["reason"] for number in range(len(DIFFERENCES)) if number not in used]
    assert not unused, f"no release needs these any more: {unused}"
