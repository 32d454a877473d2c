"""A release's selection code as a loadable module: compiled without a GPU, kept by what went into it."""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

from matrix import cache
from matrix.cubins import closure, signature, sources
from matrix.cubins.answers import ARCH
from matrix.cubins.compiler import ASKED, DEVICE, PLAIN, Compiler
from matrix.cubins.refusals import NoSelectionError
from matrix.cubins.signature import Parameter, UnknownSignatureError
from matrix.environments import recipes
from matrix.environments.build import Environment, build
from matrix.errors import EnvironmentBuildError, KernelMatrixError
from matrix.verdicts import Verdict

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from matrix.cubins.settings import Settings
    from matrix.cubins.toolchain import Toolchain
    from matrix.environments.build import Built
    from matrix.environments.installer import Installer
    from matrix.releases.index import Index

HASHED = ("generator", "function", "leave_out", "optimization")
NOTE = "module.json"
MADE_FROM = ("closure", "compiler")


@dataclass(frozen=True, kw_only=True)
class Module:
    """A compiled module, and what is needed to ask it.

    Attributes:
        path: the shared library.
        python: interpreter of the release's environment, which can load it.
        parameters: of the selection function, as the release's source declares them.
        enums: integers of the release's enums, by name of enum and member.
        name: what the release calls its module.
        source_hash: over the sources and headers that went into it.
        seconds: that the compilation took, now or when it was cached.
        cached: it was there already, from this release or from one with the same sources.
    """

    path: Path
    python: Path
    parameters: tuple[Parameter, ...]
    enums: dict[str, dict[str, int]]
    name: str
    source_hash: str
    seconds: float
    cached: bool


@dataclass(frozen=True, kw_only=True)
class Workshop:
    """What building needs besides the release.

    Args:
        settings: `selection.toml`.
        toolchain: compiler and headers of CUDA.
        installer: uv or pip.
        index: where cubin wheels are.
        cubins: a wheel, package or cache to take headers from instead, or None.
        jobs: compiler processes at a time, at most.
        arch: architecture to compile for.
    """

    settings: Settings
    toolchain: Toolchain
    installer: Installer
    index: Index
    cubins: Path | None = None
    jobs: int = 2
    arch: str = ARCH


def make(release: str, workshop: Workshop) -> Module:
    """Compile the selection code of a release, or take it from the cache.

    Raises:
        NoSelectionError: it cannot be built; the verdict says of which kind that is.
    """
    try:
        headers = sources.headers(release, workshop.cubins, workshop.index)
    except KernelMatrixError as error:
        raise NoSelectionError(Verdict.NOT_RUN, error.what, error.remedy) from error
    built = _environment(release, workshop)
    digest = _hash(built, headers, workshop.settings)
    name = f"{release}-cuda{workshop.toolchain.version}-sm{workshop.arch}-{digest[:12]}"
    folder = cache.folder("selection") / name
    note = _read_note(folder)
    cached = note is not None
    if note is None:
        note = _build(folder, built, headers, workshop)
    return Module(
        path=folder / ASKED,
        python=built.python,
        parameters=_checked((Parameter(**parameter) for parameter in note["parameters"]), workshop.settings),
        enums=note["enums"],
        name=note["name"],
        source_hash=note["closure"],
        seconds=note["seconds"],
        cached=cached,
    )


def _environment(release: str, workshop: Workshop) -> Built:
    known = recipes.load()
    environment = Environment(release=release, recipe=known.named("lean"), torch=known.torch)
    try:
        return build(environment, workshop.installer)
    except EnvironmentBuildError as error:
        raise NoSelectionError(Verdict.INSTALL_ERROR, error.what, error.remedy) from error


def _hash(built: Built, headers: Mapping[str, bytes], settings: Settings) -> str:
    """A digest over the release's sources, the headers of its kernels, and how they are compiled."""
    digest = sha256(json.dumps(_how(settings)).encode())
    data = _data(built)
    own = [path for folder in ("csrc", "include") for path in (data / folder).rglob("*") if path.is_file()]
    contents = {str(path.relative_to(data)): path.read_bytes() for path in own} | dict(headers)
    for name in sorted(contents):
        digest.update(sha256(name.encode()).digest())
        digest.update(sha256(contents[name]).digest())
    return digest.hexdigest()


def _data(built: Built) -> Path:
    """The folder of a release's sources."""
    for data in built.prefix.glob("lib/python3*/site-packages/flashinfer/data"):
        return data
    reason = f"FlashInfer {built.environment.release} ships no sources to compile."
    raise NoSelectionError(Verdict.NOT_RUN, reason, "Choose a release from 0.5 on.")


def _how(settings: Settings) -> list[Any]:
    return [*(settings.code[key] for key in HASHED), DEVICE.read_text(encoding="utf-8")]


def _compiled_by(workshop: Workshop) -> list[Any]:
    return [workshop.toolchain.version, workshop.arch, *_how(workshop.settings)]


def _same(folder: Path, note: Mapping[str, Any]) -> Path | None:
    """The module of another release that is made of the same, by the same compiler."""
    made_from = {key: note[key] for key in MADE_FROM}
    for other in sorted(folder.parent.glob(f"*/{NOTE}")):
        found = _read_note(other.parent)
        if found is not None and made_from.items() <= found.items():
            return other.parent
    return None


def _read_note(folder: Path) -> dict[str, Any] | None:
    try:
        note: dict[str, Any] = json.loads((folder / NOTE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return note if all((folder / name).is_file() for name in (ASKED, PLAIN)) else None


def _build(folder: Path, built: Built, headers: Mapping[str, bytes], workshop: Workshop) -> dict[str, Any]:
    """Compile into a fresh folder that gets its name once it is whole; returns the note that lies beside it."""
    settings = workshop.settings
    fresh = folder.with_name(f"{folder.name}.{os.getpid()}")
    shutil.rmtree(fresh, ignore_errors=True)
    try:
        for name, data in headers.items():
            path = fresh / "cubins" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        compiler = Compiler(
            settings=settings,
            toolchain=workshop.toolchain,
            built=built,
            folder=fresh,
            arch=workshop.arch,
            jobs=workshop.jobs,
            cubins=workshop.cubins,
        )
        spec = compiler.spec()
        kept = _kept(spec["sources"], settings)
        roots = (fresh / "cubins", _data(built))
        ninja = Path(spec["ninja"]).read_text(encoding="utf-8")
        folders = closure.include_folders(ninja, roots)
        note = {
            "parameters": [asdict(parameter) for parameter in _parameters(kept, settings)],
            "enums": spec["enums"],
            "name": spec["name"],
            "closure": closure.digest(map(Path, kept), folders, roots),
            "compiler": [*_compiled_by(workshop), closure.definitions(ninja)],
            "seconds": 0.0,
        }
        same = _same(folder, note)
        if same:
            for name in (ASKED, PLAIN):
                os.link(same / name, fresh / name)
        else:
            note["seconds"] = round(compiler.compile(spec["ninja"], kept), 1)
        (fresh / NOTE).write_text(json.dumps(note), encoding="utf-8")
        folder.mkdir(exist_ok=True)
        for name in (ASKED, PLAIN, NOTE):
            (fresh / name).replace(folder / name)
    except OSError as error:
        reason = f"the selection code cannot be built in {folder.parent}: {error.strerror or error}."
        raise NoSelectionError(Verdict.NOT_RUN, reason, sources.SPACE) from error
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
    return note


def _kept(listed: Iterable[str], settings: Settings) -> list[str]:
    """The sources to compile, judged by file and folder."""
    left_out = settings.code["leave_out"]
    return [path for path in listed if not any(word in "/".join(Path(path).parts[-2:]) for word in left_out)]


def _parameters(kept: Iterable[str], settings: Settings) -> tuple[Parameter, ...]:
    """The selection function's parameters, from whichever source exports it."""
    function = settings.code["function"]
    texts = (Path(path).read_text(encoding="utf-8", errors="replace") for path in kept)
    text = next((text for text in texts if f"FUNC({function}" in text), "")
    try:
        parameters = signature.read(text, function)
    except UnknownSignatureError as error:
        raise NoSelectionError(Verdict.NOT_RUN, error.what, error.remedy) from error
    return _checked(parameters, settings)


def _checked(parameters: Iterable[Parameter], settings: Settings) -> tuple[Parameter, ...]:
    known = tuple(parameters)
    try:
        signature.check(known, settings.parameter)
    except UnknownSignatureError as error:
        raise NoSelectionError(Verdict.NOT_RUN, error.what, error.remedy) from error
    return known
