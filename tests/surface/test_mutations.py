"""No miss: a real wheel's source, mutated in every break class and every way of exporting, and each one found."""

import ast
import functools
from dataclasses import dataclass
from hashlib import sha256

import pytest

from matrix.surface.assemble import assemble
from matrix.surface.diff import diff
from matrix.surface.files import python_files
from matrix.surface.namespace import Module
from matrix.surface.parse import parse

pytestmark = pytest.mark.wheels
RELEASE = "0.6.14"


@dataclass(frozen=True)
class Target:
    """A function or class of the release: where it is defined and how a caller reaches it."""

    how: str
    file: str
    name: str
    path: str


FUNCTIONS = [
    Target(
        "defined in a public module",
        "flashinfer/utils.py",
        "get_shuffle_matrix_sf_a_row_indices",
        "flashinfer.utils.get_shuffle_matrix_sf_a_row_indices",
    ),
    Target(
        "imported `as` itself by the package",
        "flashinfer/sampling.py",
        "sampling_from_probs",
        "flashinfer.sampling_from_probs",
    ),
    Target(
        "listed in __all__",
        "flashinfer/fused_moe/core.py",
        "trtllm_bf16_moe",
        "flashinfer.fused_moe.trtllm_bf16_moe",
    ),
    Target(
        "handed out by __getattr__",
        "flashinfer/comm/all_gather_matmul/all_gather_matmul.py",
        "all_gather_matmul",
        "flashinfer.comm.all_gather_matmul",
    ),
    Target(
        "under contextlib.suppress",
        "flashinfer/fused_moe/cute_dsl/fused_moe.py",
        "cute_dsl_fused_moe_nvfp4",
        "flashinfer.cute_dsl_fused_moe_nvfp4",
    ),
    Target(
        "a method",
        "flashinfer/decode.py",
        "BatchDecodeWithPagedKVCacheWrapper.plan",
        "flashinfer.BatchDecodeWithPagedKVCacheWrapper.plan",
    ),
]


class Wheel:
    """The release's sources, parsed once a content."""

    def __init__(self, library):
        from matrix.releases.wheel import open_file

        tree = open_file(library.index.release(library.project, RELEASE).best, library.index.network)
        self.files = python_files(tree.members())
        self.sources = {name: data.decode() for name, data in tree.read(self.files).items()}
        self.record = functools.lru_cache(maxsize=None)(lambda digest: parse(self.by_digest[digest]))
        self.by_digest = {}

    def surface(self, changes, release="mutated"):
        modules = []
        for file, source in {**self.sources, **changes}.items():
            if source is None:
                continue
            digest = sha256(source.encode()).hexdigest()
            self.by_digest[digest] = source.encode()
            name = file[: -len(".py")].replace("/", ".").removesuffix(".__init__")
            modules.append(Module(name=name, file=file, record=self.record(digest)))
        return assemble(release, modules)


@pytest.fixture(scope="module")
def wheel(library):
    return Wheel(library)


@pytest.fixture(scope="module")
def before(wheel):
    return wheel.surface({}, RELEASE)


def find(tree, name):
    node = tree
    for part in name.split("."):
        node = next(n for n in node.body if getattr(n, "name", None) == part)
    return node


def edited(source, name, edit):
    """The source with one definition changed in its syntax tree."""
    tree = ast.parse(source)
    edit(find(tree, name))
    return ast.unparse(tree)


def first_optional(node):
    """Index of the first positional parameter with a default."""
    return len(node.args.args) - len(node.args.defaults)


def remove(node):
    if node.args.defaults:
        node.args.args.pop()
        node.args.defaults.pop()
    else:
        node.args.args.pop()


def rename(node):
    node.args.args[-1].arg += "_renamed"


def insert(node):
    at = max(first_optional(node), 1) if node.args.defaults else len(node.args.args) - 1
    new = ast.arg("inserted_here")
    node.args.args.insert(at, new)
    if node.args.defaults:
        node.args.defaults.insert(0, ast.Constant(None))


def require(node):
    node.args.args.append(ast.arg("must_be_given"))
    node.args.defaults = []


def add_required(node):
    node.args.kwonlyargs.append(ast.arg("must_be_given"))
    node.args.kw_defaults.append(None)


def keyword_only(node):
    moved = node.args.args.pop()
    default = node.args.defaults.pop() if node.args.defaults else None
    node.args.kwonlyargs.insert(0, moved)
    node.args.kw_defaults.insert(0, default)


def new_default(node):
    node.args.defaults[-1] = ast.Constant("another")


def reorder(node):
    args = node.args.args
    args[-1], args[-2] = args[-2], args[-1]


def new_return(node):
    node.returns = ast.parse("dict[str, bytes]", mode="eval").body


PARAMETERS = [
    (remove, "removed-parameter"),
    (rename, "renamed-parameter"),
    (insert, "inserted-parameter"),
    (add_required, "new-required-parameter"),
    (keyword_only, "parameter-kind-changed"),
    (reorder, "reordered-parameter"),
    (new_default, "default-changed"),
    (new_return, "return-changed"),
]


WITHOUT = {("all_gather_matmul", new_default), ("all_gather_matmul", new_return)}
"""It has no defaults and no return annotation."""
NO_DEFAULTS = ("all_gather_matmul", insert)
"""What is inserted there must be given."""
CASES = [
    (target, edit, "new-required-parameter" if (target.name, edit) == NO_DEFAULTS else expected)
    for target in FUNCTIONS
    for edit, expected in PARAMETERS
    if (target.name, edit) not in WITHOUT
]


@pytest.mark.parametrize(
    ("target", "edit", "expected"),
    CASES,
    ids=lambda value: getattr(value, "__name__", None) or getattr(value, "name", None),
)
def test_changed_signature_is_found(wheel, before, target, edit, expected):
    source = wheel.sources[target.file]
    found = diff(before, wheel.surface({target.file: edited(source, target.name, edit)}))
    assert expected in {one.kind.id for one in found if one.symbol == target.path}, [
        one.to_json() for one in found
    ][:4]
    others = {one.symbol for one in found} - {target.path}
    assert not {symbol for symbol in others if not symbol.endswith(target.name.rpartition(".")[2])}


def made_required(node):
    node.args.defaults = node.args.defaults[1:]


def test_default_taken_away_is_found(wheel, before):
    target = FUNCTIONS[2]
    found = diff(
        before, wheel.surface({target.file: edited(wheel.sources[target.file], target.name, made_required)})
    )
    assert ("required-parameter", target.path) in {(one.kind.id, one.symbol) for one in found}


def replaced(source, old, new, count=1):
    assert old in source, old
    return source.replace(old, new, count)


def without_definition(source, name):
    tree = ast.parse(source)
    tree.body = [node for node in tree.body if getattr(node, "name", None) != name]
    return ast.unparse(tree)


ENUMS = "flashinfer/tllm_enums.py"
ROUTING = "flashinfer.fused_moe.RoutingMethodType"
WHOLE = {
    "a function gone, its re-export too": (
        lambda s: {
            "flashinfer/sampling.py": without_definition(s["flashinfer/sampling.py"], "sampling_from_logits"),
            "flashinfer/__init__.py": replaced(
                s["flashinfer/__init__.py"],
                "from .sampling import sampling_from_logits as sampling_from_logits",
                "",
            ),
        },
        "removed-symbol",
        "flashinfer.sampling_from_logits",
    ),
    "a re-export gone, the function kept": (
        lambda s: {
            "flashinfer/__init__.py": replaced(
                s["flashinfer/__init__.py"],
                "from .sampling import sampling_from_logits as sampling_from_logits",
                "",
            )
        },
        "moved-symbol",
        "flashinfer.sampling_from_logits",
    ),
    "a function moved, re-exports follow": (
        lambda s: {
            "flashinfer/sampling.py": without_definition(s["flashinfer/sampling.py"], "sampling_from_logits")
            + "\nfrom .elsewhere import sampling_from_logits as sampling_from_logits\n",
            "flashinfer/elsewhere.py": "def sampling_from_logits(logits, indices=None): ...\n",
        },
        "relocated-symbol",
        "flashinfer.sampling_from_logits",
    ),
    "a lazy name gone from its table": (
        lambda s: {
            "flashinfer/quantization/kernels/__init__.py": replaced(
                s["flashinfer/quantization/kernels/__init__.py"], '"mxfp4_quantize_cute_dsl": ', '"another": '
            )
        },
        "moved-symbol",
        "flashinfer.quantization.kernels.mxfp4_quantize_cute_dsl",
    ),
    "a module gone": (
        lambda s: {"flashinfer/green_ctx.py": None},
        "module-gone",
        "flashinfer.green_ctx",
    ),
    "an alias of a method gone": (
        lambda s: {
            "flashinfer/decode.py": replaced(s["flashinfer/decode.py"], "    begin_forward = plan\n", "", 99)
        },
        "removed-symbol",
        "flashinfer.BatchDecodeWithPagedKVCacheWrapper.begin_forward",
    ),
    "a method gone": (
        lambda s: {
            "flashinfer/decode.py": replaced(
                s["flashinfer/decode.py"],
                "    def reset_workspace_buffer(",
                "    def reset_another_buffer(",
                99,
            )
        },
        "removed-symbol",
        "flashinfer.BatchDecodeWithPagedKVCacheWrapper.reset_workspace_buffer",
    ),
    "a method gone from a class with a base": (
        lambda s: {
            "flashinfer/comm/trtllm_mnnvl_ar.py": replaced(
                s["flashinfer/comm/trtllm_mnnvl_ar.py"],
                "def get_required_buffer_size_bytes(",
                "def get_another_buffer_size_bytes(",
                99,
            )
        },
        "removed-symbol",
        "flashinfer.comm.MNNVLAllReduceFusionWorkspace.get_required_buffer_size_bytes",
    ),
    "a constant gone": (
        lambda s: {
            "flashinfer/jit/env.py": replaced(
                s["flashinfer/jit/env.py"], "FLASHINFER_CSRC_DIR", "_CSRC_DIR", 99
            )
        },
        "removed-constant",
        "flashinfer.jit.env.FLASHINFER_CSRC_DIR",
    ),
    "a function turned into a class": (
        lambda s: {
            "flashinfer/sampling.py": without_definition(s["flashinfer/sampling.py"], "sampling_from_logits")
            + "\nclass sampling_from_logits:\n    def __init__(self, logits): ...\n"
        },
        "symbol-kind-changed",
        "flashinfer.sampling_from_logits",
    ),
    "an import that waits for a package": (
        lambda s: {"flashinfer/sampling.py": s["flashinfer/sampling.py"] + "\nimport a_new_package\n"},
        "module-now-conditional",
        "flashinfer",
    ),
    "a module of its own that waits for a package": (
        lambda s: {"flashinfer/green_ctx.py": s["flashinfer/green_ctx.py"] + "\nimport a_new_package\n"},
        "module-now-conditional",
        "flashinfer.green_ctx",
    ),
    "a re-export under try": (
        lambda s: {
            "flashinfer/__init__.py": replaced(
                s["flashinfer/__init__.py"],
                "from .sampling import sampling_from_logits as sampling_from_logits",
                "try:\n    import a_new_package\n"
                "    from .sampling import sampling_from_logits as sampling_from_logits\n"
                "except ImportError:\n    pass",
            )
        },
        "now-conditional",
        "flashinfer.sampling_from_logits",
    ),
    "a member before the sentinel": (
        lambda s: {
            ENUMS: replaced(s[ENUMS], "Unspecified = (9,)", "Another = (9,)\n    Unspecified = (10,)"),
        },
        "enum-member-before-sentinel",
        ROUTING,
    ),
    "the sentinel renumbered": (
        lambda s: {ENUMS: replaced(s[ENUMS], "Unspecified = (9,)", "Unspecified = (11,)")},
        "enum-member-renumbered",
        ROUTING,
    ),
    "a member gone": (
        lambda s: {ENUMS: replaced(s[ENUMS], "MiniMax2 = (7,)", "pass")},
        "enum-member-removed",
        ROUTING,
    ),
    "a star import put in place of a re-export, and the name gone": (
        lambda s: {
            "flashinfer/__init__.py": replaced(
                s["flashinfer/__init__.py"],
                "from .sampling import sampling_from_logits as sampling_from_logits",
                "from .sampling import *",
            ),
            "flashinfer/sampling.py": without_definition(s["flashinfer/sampling.py"], "sampling_from_logits"),
        },
        "removed-symbol",
        "flashinfer.sampling_from_logits",
    ),
}


@pytest.mark.parametrize("name", WHOLE)
def test_changed_name_is_found(wheel, before, name):
    change, expected, symbol = WHOLE[name]
    found = diff(before, wheel.surface(change(wheel.sources)))
    assert (expected, symbol) in {(one.kind.id, one.symbol) for one in found}, [
        one.to_json() for one in found
    ][:6]


def test_forty_ways():
    assert len(CASES) + len(WHOLE) + 1 >= 40


def test_star_import_shows_what_it_brings(wheel, before):
    source = replaced(
        wheel.sources["flashinfer/__init__.py"],
        "from .sampling import sampling_from_logits as sampling_from_logits",
        "from .sampling import *",
    )
    after = wheel.surface({"flashinfer/__init__.py": source})
    assert after.qualname("flashinfer.sampling_from_logits") == before.qualname(
        "flashinfer.sampling_from_logits"
    )
