"""Building one environment: a small overlay on a base that others share, made once and reused."""

from __future__ import annotations

import fcntl
import hashlib
import json
import site
import sys
import time
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from matrix import cache
from matrix.environments.fingerprint import Fingerprint, asked_by, look
from matrix.environments.installer import find_python
from matrix.environments.recipes import HOST, Recipe
from matrix.errors import EnvironmentBuildError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from matrix.environments.fingerprint import Gpu
    from matrix.environments.installer import Installer

STAMP = "kernel-matrix.json"
PTH = "kernel_matrix_base.pth"
THIS_PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"


@dataclass(frozen=True, kw_only=True)
class Environment:
    """One release in one recipe, Python and torch: what a worker runs in.

    Args:
        release: a version of FlashInfer, or `none`.
        torch: a requirement such as `torch==2.13.0`; where it comes from is left to pip's and uv's settings.
    """

    release: str
    recipe: Recipe
    python: str = THIS_PYTHON
    torch: str

    @property
    def name(self) -> str:
        """The environment's part of a cell id: the recipe, with the Python where it is not the tool's own."""
        return self.recipe.name if self.python == THIS_PYTHON else f"{self.recipe.name}@{self.python}"

    @property
    def id(self) -> str:
        """Release and name, as in `0.6.14/lean`."""
        return f"{self.release}/{self.name}"

    def requirements(self, items: Iterable[str]) -> list[str]:
        """Requirements of the recipe with release and torch filled in."""
        return [item.format(release=self.release, torch=self.torch) for item in items]


@dataclass(frozen=True, kw_only=True)
class Built:
    """An environment that lies on the disk, ready for a worker."""

    environment: Environment
    prefix: Path
    programs: tuple[str, ...]
    fingerprint: Fingerprint
    seconds: float
    reused: bool
    installer: str

    @property
    def python(self) -> Path:
        """The interpreter to start a worker with."""
        return self.prefix / "bin" / "python"

    def record(self, machine: Sequence[Gpu]) -> dict[str, Any]:
        """The journal's line about this environment on a machine with these GPUs."""
        return {
            "id": self.environment.id,
            "fingerprint": self.fingerprint.on(machine),
            "build_seconds": round(self.seconds, 3),
            "reused": self.reused,
            "installer": self.installer,
        }


def build(environment: Environment, installer: Installer, prefix: Path | None = None) -> Built:
    """Build an environment, or reuse the one that was built before for the same question.

    Args:
        environment: what to build.
        installer: uv or pip.
        prefix: an existing virtual environment to build into, such as a nox session's; by default one in the
            cache folder.

    Raises:
        EnvironmentBuildError: a package could not be installed, or torch was replaced where it must not be.
    """
    started = time.monotonic()
    identity = _identity(environment, installer)
    own = prefix is None
    prefix = prefix or cache.folder("environments") / f"{environment.id.replace('/', '-')}-{identity[:12]}"
    base = _base(environment, installer)
    with _locked(prefix):
        stamp = _read_stamp(prefix, identity)
        if stamp is None:
            if own:
                installer.make_environment(find_python(environment.python), prefix)
            fingerprint = _fill(environment, installer, prefix, base)
            _write_stamp(prefix, {"identity": identity, "fingerprint": asdict(fingerprint)})
        else:
            fingerprint = Fingerprint(**stamp["fingerprint"])
    return Built(
        environment=environment,
        prefix=prefix,
        programs=(str(prefix / "bin"), *(str(root / "bin") for root in base.roots)),
        fingerprint=fingerprint,
        seconds=time.monotonic() - started,
        reused=stamp is not None,
        installer=installer.name,
    )


@dataclass(frozen=True, kw_only=True)
class _Base:
    roots: tuple[Path, ...]
    sites: tuple[str, ...]


def _base(environment: Environment, installer: Installer) -> _Base:
    recipe = environment.recipe
    if recipe.base == HOST:
        sites = [*site.getsitepackages(), *([site.getusersitepackages()] if site.ENABLE_USER_SITE else [])]
        return _Base(roots=(Path(sys.prefix),), sites=tuple(sites))
    wanted = environment.requirements(recipe.base)
    identity = _hash([environment.python, wanted, installer.name, str(installer.wheels)])
    prefix = cache.folder("environments") / f"base-{environment.python}-{identity[:12]}"
    with _locked(prefix):
        if _read_stamp(prefix, identity) is None:
            installer.make_environment(find_python(environment.python), prefix)
            installer.install(prefix, wanted, dependencies=True)
            _write_stamp(prefix, {"identity": identity})
    base = _Base(roots=(prefix,), sites=(str(_site_packages(prefix)),))
    return _layered(environment, installer, base, identity) if recipe.layer else base


def _layered(environment: Environment, installer: Installer, base: _Base, under: str) -> _Base:
    """The base with the recipe's layer on it, which sees the base by itself."""
    recipe = environment.recipe
    exact, requires = environment.requirements(recipe.layer), environment.requirements(recipe.layer_requires)
    identity = _hash([under, exact, requires])
    prefix = cache.folder("environments") / f"layer-{recipe.name}-{environment.python}-{identity[:12]}"
    with _locked(prefix):
        if _read_stamp(prefix, identity) is None:
            installer.make_environment(find_python(environment.python), prefix)
            _show(prefix, base)
            if requires:
                installer.install(prefix, requires, dependencies=True)
            installer.install(prefix, exact, dependencies=False)
            _write_stamp(prefix, {"identity": identity})
    return _Base(roots=(prefix, *base.roots), sites=(str(_site_packages(prefix)),))


def _show(prefix: Path, base: _Base) -> None:
    """Have an environment see what lies in its base."""
    lines = "".join(f"import site; site.addsitedir({folder!r})\n" for folder in base.sites)
    (_site_packages(prefix) / PTH).write_text(lines, encoding="utf-8")


def _fill(environment: Environment, installer: Installer, prefix: Path, base: _Base) -> Fingerprint:
    """Install the recipe's layers into the overlay, check what came of it, and look at it."""
    recipe = environment.recipe
    _show(prefix, base)
    if recipe.requires:
        installer.install(prefix, environment.requirements(recipe.requires), dependencies=True)
    if recipe.exact:
        installer.install(prefix, environment.requirements(recipe.exact), dependencies=False)
    _complete(installer, prefix, list(recipe.missing))
    for package, version in recipe.stub.items():
        _write_stub(prefix, package, version)
    fingerprint = look(prefix / "bin" / "python")
    _check_torch(environment, prefix, fingerprint)
    return fingerprint


def _complete(installer: Installer, prefix: Path, wanted: list[str]) -> None:
    """Install what is lacking, and what that asks for and is lacking; what the base has is left as it is."""
    python = prefix / "bin" / "python"
    while wanted:
        visible = look(python).packages
        lacking = [item for item in wanted if not _met(Requirement(item), visible)]
        if any(Requirement(item).name == "torch" for item in lacking):
            raise EnvironmentBuildError(
                f"{prefix.name}: a package asks for {' and '.join(lacking)}, and torch {visible.get('torch')} is kept.",
                "Name another release, or run the tool with a torch that fits.",
            )
        if lacking:
            installer.install(prefix, lacking, dependencies=False)
        wanted = asked_by(python, [Requirement(item).name for item in lacking])


def _met(wanted: Requirement, visible: dict[str, str]) -> bool:
    version = visible.get(canonicalize_name(wanted.name))
    return version is not None and wanted.specifier.contains(version, prereleases=True)


def _write_stub(prefix: Path, package: str, version: str) -> None:
    """A package that holds only a version: FlashInfer compares no more than that with its own."""
    folder = _site_packages(prefix) / package
    folder.mkdir(exist_ok=True)
    (folder / "__init__.py").write_text(f'__version__ = "{version}"\n', encoding="utf-8")


def _check_torch(environment: Environment, prefix: Path, fingerprint: Fingerprint) -> None:
    """A base's torch must stay the one that is used; a recipe that wants a CPU build must have got one."""
    recipe = environment.recipe
    own = sorted(_site_packages(prefix).glob("torch-*.dist-info"))
    if recipe.base == HOST and own:
        raise EnvironmentBuildError(
            f"{environment.id}: {own[0].stem} was installed over the torch that the tool runs with.",
            "Report this: the recipe 'inherit' must never replace torch.",
        )
    if fingerprint.torch is None:
        raise EnvironmentBuildError(
            f"{environment.id}: there is no torch in it, and the checks need one.",
            f"Install torch beside the tool, for {sys.executable}."
            if recipe.base == HOST
            else "Name one with --torch.",
        )
    if recipe.cpu_torch and fingerprint.cuda:
        raise EnvironmentBuildError(
            f"{environment.id}: torch {fingerprint.torch} is built for CUDA {fingerprint.cuda}, not for CPUs.",
            "Let pip or uv find torch's CPU wheels, or name one with --torch.",
        )


def _site_packages(prefix: Path) -> Path:
    return next(iter((prefix / "lib").glob("python3.*/site-packages")))


def _identity(environment: Environment, installer: Installer) -> str:
    return _hash([asdict(environment), installer.name, str(installer.wheels), _host_torch(environment)])


def _host_torch(environment: Environment) -> str:
    """What an overlay on the tool's own interpreter stands on: it must not outlive a change of that torch."""
    return f"{sys.prefix} {look(Path(sys.executable)).torch}" if environment.recipe.base == HOST else ""


def _hash(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def _read_stamp(prefix: Path, identity: str) -> dict[str, Any] | None:
    try:
        stamp: dict[str, Any] = json.loads((prefix / STAMP).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    runs = (prefix / "bin" / "python").exists()  # its interpreter may have been taken away since
    whole = isinstance(stamp, dict) and stamp.get("identity") == identity
    return stamp if runs and whole else None


def _write_stamp(prefix: Path, stamp: dict[str, Any]) -> None:
    torn = prefix / f"{STAMP}.new"
    torn.write_text(json.dumps(stamp, indent=1), encoding="utf-8")
    torn.replace(prefix / STAMP)


@contextmanager
def _locked(prefix: Path) -> Iterator[None]:
    """One builder at a time for each folder, across processes."""
    prefix.parent.mkdir(parents=True, exist_ok=True)
    with prefix.with_name(f".{prefix.name}.lock").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
