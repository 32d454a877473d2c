"""What a release's selection code is made of."""

from pathlib import Path

from matrix.cubins import closure

NINJA = """
common_cflags = -DPy_LIMITED_API=0x03090000 $
    -I{root}/csrc $
    -isystem /usr/include $
    -isystem {root}/include
cuda_cflags = $common_cflags -DENABLE_BF16 -DPATH=\\"abc/def\\"
"""


def lay_out(root, header="int a;\n"):
    files = {
        "csrc/launcher.cu": '#include <api.h>\n  #  include "near.h"\n#include <vector>\n',
        "csrc/near.h": "",
        "include/api.h": '#include "deep/inner.h"\n',
        "include/deep/inner.h": header,
        "include/unused.h": "int u;\n",
    }
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    folders = closure.include_folders(NINJA.format(root=root), [root])
    return closure.digest([root / "csrc/launcher.cu"], folders, [root])


def test_only_folders_of_the_release_count(tmp_path):
    found = closure.include_folders(NINJA.format(root=tmp_path), [tmp_path])
    assert found == [tmp_path / "csrc", tmp_path / "include"]
    assert closure.definitions(NINJA) == ["ENABLE_BF16", 'PATH=\\"abc/def\\"', "Py_LIMITED_API=0x03090000"]


def test_the_same_files_elsewhere_are_the_same(tmp_path):
    assert lay_out(tmp_path / "one") == lay_out(tmp_path / "another" / "place")


def test_what_is_included_through_another_header_counts(tmp_path):
    before = lay_out(tmp_path)
    assert lay_out(tmp_path, header="int b;\n") != before
    lay_out(tmp_path)
    Path(tmp_path, "include/unused.h").write_text("int v;\n")
    folders = [tmp_path / "csrc", tmp_path / "include"]
    assert closure.digest([tmp_path / "csrc/launcher.cu"], folders, [tmp_path]) == before
