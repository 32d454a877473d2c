"""Where packages come from on this machine: what pip and uv are told by variables and files."""

from __future__ import annotations

import configparser
import os
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit, urlunsplit

from matrix.errors import InputError
from matrix.toml import load

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

__all__ = ["Settings", "read_settings"]

DEFAULT_INDEX = "https://pypi.org/simple"
PIP_KEYS = (
    "index-url",
    "extra-index-url",
    "find-links",
    "no-index",
    "cert",
    "client-cert",
    "proxy",
    "trusted-host",
)
TRUE = {"1", "true", "yes", "on", "y", "t"}


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Indexes and how to reach them, in the order in which they are asked.

    `indexes` and `find_links` are URLs or folders without credentials; those are in `credentials`, by host.
    `pip_cache` and `uv_cache` are folders that may hold whole wheels.
    """

    indexes: tuple[str, ...] = (DEFAULT_INDEX,)
    find_links: tuple[str, ...] = ()
    credentials: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    ca_bundle: str | None = None
    client_cert: str | None = None
    proxy: str | None = None
    netrc: str | None = None
    trusted_hosts: frozenset[str] = frozenset()
    timeout: float = 60.0
    offline: bool = False
    pip_cache: Path | None = None
    uv_cache: Path | None = None


def read_settings(env: Mapping[str, str] | None = None, folder: Path | None = None) -> Settings:
    """The settings that pip and uv would use, uv's first where both name an index.

    Args:
        env: the variables to read; the process's own where left out.
        folder: where a project's `uv.toml` or `pyproject.toml` is looked for, upwards.

    Raises:
        InputError: a configuration file is not valid; names the file.
    """
    env = os.environ if env is None else env
    pip = _pip_options(env)
    uv = _uv_options(env, folder or Path.cwd())
    no_index = (
        env.get("UV_NO_INDEX", "").lower() in TRUE or uv.no_index or pip.get("no-index", "").lower() in TRUE
    )
    default = (
        env.get("UV_DEFAULT_INDEX")
        or env.get("UV_INDEX_URL")
        or uv.default
        or pip.get("index-url", "").strip()
        or DEFAULT_INDEX
    )
    uv_extra = _words(env.get("UV_INDEX", "")) + _words(env.get("UV_EXTRA_INDEX_URL", ""))
    extra = [*(uv_extra or uv.extra), *_words(pip.get("extra-index-url", ""))]
    named = [_named(word) for word in [default, *extra]]
    credentials: dict[str, tuple[str, str]] = {}
    urls = []
    for name, url in [*named, *uv.names.items()]:
        plain, login = _without_login(url)
        login = _login_from(env, name) or login
        if login:
            credentials[urlsplit(plain).netloc] = login
        if (name, url) in named:
            urls.append(plain)
    links = _words(env.get("UV_FIND_LINKS", "").replace(",", " ")) or list(uv.find_links)
    return Settings(
        indexes=() if no_index else tuple(dict.fromkeys(urls)),
        find_links=tuple(dict.fromkeys([*links, *_words(pip.get("find-links", ""))])),
        credentials=credentials,
        ca_bundle=pip.get("cert") or _first(env, "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"),
        client_cert=pip.get("client-cert") or env.get("SSL_CLIENT_CERT") or None,
        proxy=pip.get("proxy") or None,
        netrc=env.get("NETRC"),
        trusted_hosts=frozenset(
            [*_words(pip.get("trusted-host", "")), *_words(env.get("UV_INSECURE_HOST", ""))]
        ),
        timeout=float(pip.get("timeout") or env.get("UV_HTTP_TIMEOUT") or 60),
        offline=uv.offline or env.get("UV_OFFLINE", "").lower() in TRUE,
        pip_cache=_folder(env.get("PIP_CACHE_DIR"), env, "pip"),
        uv_cache=_folder(env.get("UV_CACHE_DIR"), env, "uv"),
    )


def _first(env: Mapping[str, str], *names: str) -> str | None:
    return next((env[name] for name in names if env.get(name)), None)


def _words(text: str) -> list[str]:
    return text.split()


def _folder(named: str | None, env: Mapping[str, str], tool: str) -> Path:
    if named:
        return Path(named)
    base = env.get("XDG_CACHE_HOME") or str(Path(env.get("HOME", "~")).expanduser() / ".cache")
    return Path(base) / tool


def _named(word: str) -> tuple[str, str]:
    """An index may be written `name=url`, as uv lets one."""
    name, equals, url = word.partition("=")
    return (name, url) if equals and "/" not in name and ":" not in name else ("", word)


def _login_from(env: Mapping[str, str], name: str) -> tuple[str, str] | None:
    key = "UV_INDEX_" + "".join(c if c.isalnum() else "_" for c in name).upper()
    user = env.get(f"{key}_USERNAME") if name else None
    return (user, env.get(f"{key}_PASSWORD", "")) if user else None


def _without_login(url: str) -> tuple[str, tuple[str, str] | None]:
    parts = urlsplit(url)
    login, at, host = parts.netloc.rpartition("@")
    if not at:
        return url, None
    user, _, password = login.partition(":")
    return urlunsplit(parts._replace(netloc=host)), (unquote(user), unquote(password))


def _pip_options(env: Mapping[str, str]) -> dict[str, str]:
    options: dict[str, str] = {}
    for path in _pip_files(env):
        parser = configparser.RawConfigParser()
        try:
            parser.read(path, encoding="utf-8")
        except (configparser.Error, UnicodeDecodeError) as error:
            raise InputError(
                f"{path} is not a valid pip configuration: {error}.", "Mend or remove it."
            ) from error
        for section in ("global", "install"):
            if parser.has_section(section):
                options.update({key.replace("_", "-"): value for key, value in parser.items(section)})
    for key in (*PIP_KEYS, "timeout"):
        for name in (
            f"PIP_{key.replace('-', '_').upper()}",
            "PIP_DEFAULT_TIMEOUT" if key == "timeout" else "",
        ):
            if env.get(name):
                options[key] = env[name]
    return options


def _pip_files(env: Mapping[str, str]) -> Iterator[Path]:
    named = env.get("PIP_CONFIG_FILE")
    if named == os.devnull:
        return
    home = Path(env.get("HOME", "~")).expanduser()
    for folder in env.get("XDG_CONFIG_DIRS", "/etc/xdg").split(":"):
        yield Path(folder) / "pip" / "pip.conf"
    yield Path("/etc/pip.conf")
    if not (named and Path(named).exists()):
        yield home / ".pip" / "pip.conf"
        yield Path(env.get("XDG_CONFIG_HOME") or home / ".config") / "pip" / "pip.conf"
    yield Path(sys.prefix) / "pip.conf"
    if named:
        yield Path(named)


@dataclass(frozen=True, kw_only=True)
class _Uv:
    default: str | None = None
    extra: tuple[str, ...] = ()
    names: Mapping[str, str] = field(default_factory=dict)
    find_links: tuple[str, ...] = ()
    no_index: bool = False
    offline: bool = False


def _uv_options(env: Mapping[str, str], folder: Path) -> _Uv:
    default: str | None = None
    extra: list[str] = []
    names: dict[str, str] = {}
    links: list[str] = []
    no_index = offline = False
    for path, table in _uv_tables(env, folder):
        pip = table.get("pip", {})
        for entry in table.get("index", []):
            url = str(entry.get("url", ""))
            names[str(entry.get("name", ""))] = url
            if entry.get("default"):
                default = default or url
            elif not entry.get("explicit"):
                extra.append(url)
        default = default or table.get("index-url") or pip.get("index-url")
        extra += [*table.get("extra-index-url", []), *pip.get("extra-index-url", [])]
        found = [*table.get("find-links", []), *pip.get("find-links", [])]
        links += [word if "://" in word else str((path.parent / word).resolve()) for word in found]
        no_index = no_index or bool(table.get("no-index", pip.get("no-index")))
        offline = offline or bool(table.get("offline"))
    names.pop("", None)
    return _Uv(
        default=default,
        extra=tuple(extra),
        names=names,
        find_links=tuple(links),
        no_index=no_index,
        offline=offline,
    )


def _uv_tables(env: Mapping[str, str], folder: Path) -> Iterable[tuple[Path, dict[str, Any]]]:
    """The tables of uv's configuration, the nearest first."""
    if env.get("UV_NO_CONFIG", "").lower() in TRUE:
        return
    if env.get("UV_CONFIG_FILE"):
        path = Path(env["UV_CONFIG_FILE"])
        yield path, load(path)
        return
    for parent in [folder, *folder.parents]:
        if (parent / "uv.toml").is_file():
            yield parent / "uv.toml", load(parent / "uv.toml")
            break
        project = parent / "pyproject.toml"
        if project.is_file() and (table := load(project).get("tool", {}).get("uv")):
            yield project, table
            break
    home = Path(env.get("HOME", "~")).expanduser()
    for path in (
        Path(env.get("XDG_CONFIG_HOME") or home / ".config") / "uv" / "uv.toml",
        Path("/etc/uv/uv.toml"),
    ):
        if path.is_file():
            yield path, load(path)
