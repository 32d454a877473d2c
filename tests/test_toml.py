from __future__ import annotations

import pytest

from matrix import toml
from matrix.errors import InputError


def test_tables_are_read(tmp_path):
    path = tmp_path / "x.toml"
    path.write_text('[a]\nb = ["ü"]\n', encoding="utf-8")
    assert toml.load(path) == {"a": {"b": ["ü"]}}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"a = \n", "is not valid TOML: Invalid value (at line 1, column 5)"),
        (b"a = 1\na = 2\n", "is not valid TOML: Cannot overwrite a value (at line 2"),
        (b"a = '\xff'\n", "cannot read"),
        (None, "cannot read"),
    ],
)
def test_an_error_names_the_file_and_the_line(tmp_path, content, message):
    path = tmp_path / "x.toml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError) as caught:
        toml.load(path)
    assert message in str(caught.value)
    assert str(path) in str(caught.value)


def test_a_folder_is_no_file(tmp_path):
    with pytest.raises(InputError, match="Give the path of a readable TOML file"):
        toml.load(tmp_path)
