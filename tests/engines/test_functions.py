"""What a call may pass to a function of FlashInfer that hands its arguments on."""

from textwrap import dedent

import pytest

from matrix.engines.binding import bind
from matrix.engines.provider import Provider
from matrix.releases.store import Store
from matrix.surface.library import Library

SOURCE = """
    def kernel(q, k, v, *, scale=1.0): ...
    def all_of_it(*args, **kwargs):
        return kernel(*args, **kwargs)
    def keywords_only(q, **kwargs):
        return kernel(q, **kwargs)
    def something_first(*args, **kwargs):
        return kernel(made(), *args, **kwargs)
"""


@pytest.fixture(scope="module")
def provider(tmp_path_factory):
    folder = tmp_path_factory.mktemp("functions")
    (folder / "flashinfer").mkdir()
    (folder / "flashinfer/__init__.py").write_text(dedent(SOURCE))
    return Provider(str(folder), Library(store=Store(folder / "store")), {})


@pytest.mark.parametrize(
    ("function", "positional", "keywords", "fits"),
    [
        ("all_of_it", 3, [], True),
        ("all_of_it", 2, ["v", "scale"], True),
        ("all_of_it", 2, [], False),
        ("all_of_it", 4, [], False),
        ("all_of_it", 3, ["nosuch"], False),
        ("keywords_only", 1, ["k", "v"], True),
        ("keywords_only", 3, [], False),
        ("something_first", 2, [], True),
        ("something_first", 7, ["whatever"], True),
    ],
)
def test_what_is_handed_on(provider, function, positional, keywords, fits):
    parameters = provider.find(f"flashinfer.{function}").parameters
    assert (not bind(parameters, positional, keywords, maybe=[], partly=False)) == fits
