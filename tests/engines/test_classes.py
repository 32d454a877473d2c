"""What an object that a function gives may be: of the declared class, or of one under it."""

from textwrap import dedent

import pytest

from matrix.engines.provider import Provider
from matrix.releases.store import Store
from matrix.surface.library import Library

SOURCES = {
    "base": """
        class Workspace:
            def destroy(self): ...
            def grow(self, size): ...
    """,
    "made": """
        from .base import Workspace
        class Plain(Workspace): ...
        class _Deep(Plain):
            def pause(self): ...
            def grow(self, size, *, fast=False): ...
        def create() -> Workspace: ...
        def create_deep() -> _Deep: ...
    """,
}


@pytest.fixture(scope="module")
def provider(tmp_path_factory):
    folder = tmp_path_factory.mktemp("classes")
    (folder / "flashinfer").mkdir()
    for name, source in {"__init__": "", **SOURCES}.items():
        (folder / "flashinfer" / f"{name}.py").write_text(dedent(source))
    return Provider(str(folder), Library(store=Store(folder / "store")), {})


@pytest.mark.parametrize("name", ["pause", "grow"])
def test_a_class_under_the_declared_one_may_be_meant(provider, name):
    found = provider.find(f"flashinfer.made.create().{name}")
    assert found.kind == "unknown"
    assert "_Deep" in found.why


def test_what_none_of_them_has_is_missing(provider):
    assert provider.find("flashinfer.made.create().nosuch") is None


def test_what_none_of_them_changes_is_certain(provider):
    assert provider.find("flashinfer.made.create().destroy").parameters == ()


def test_an_object_that_is_made_here_is_of_that_class(provider):
    assert provider.find("flashinfer.base.Workspace().pause") is None
    assert provider.find("flashinfer.made.create_deep().pause").kind == "function"
