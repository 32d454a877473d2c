"""The grammar of kernel names: the one place that knows what the words of a `.cubin` file's name mean.

    Bmm_Bfloat16_Bfloat16Bfloat16_Fp32_t128x16x128_s5_et128x16_m128x16x16_c1x1x1_..._swiGlu_dynB_sm100f
        out      a       b         acc  tile                              cluster     activation  arch
    fmhaSm100fKernel_QkvBfloat16OBfloat16H128PagedKvCausalP64VarSeqQ128Kv128PersistentContext
    kernel.fp8_m_grouped_gemm.007404769193

A name holds only words that are known here, else it does not parse: an unknown word may be an activation, and a
kernel with an unknown activation must not be counted as one without.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

MOE, GEMM, ATTENTION, GROUPED = "moe", "gemm", "attention", "grouped-gemm"
FAMILIES = (MOE, GEMM, ATTENTION, GROUPED)
PLAIN = "none"
"""The activation of a product that has none fused into it."""

UNNAMED = "unnamed"
ACTIVATIONS = {"swiGlu": "Swiglu", "geGlu": "Geglu", "relu2": "Relu2"}
"""Fused activations as names write them, with the member of FlashInfer's `ActivationType`."""

DTYPE = r"(?:(?:Mx)?(?:E[2-5]m[0-3]|Int[48])|Bfloat16|Fp(?:16|32))"
_DTYPES = re.compile(DTYPE)
_CUDA = r"sm\d+[af]?"

_GEMM_HEAD = re.compile(
    rf"(?P<kind>Bmm|Gemm)_(?P<out>{DTYPE})_(?P<inputs>(?:{DTYPE}){{2}})(?:_cast{DTYPE}(?:_patch)?)?_{DTYPE}_"
)
_TILE = re.compile(r"t(\d+)x(\d+)x(\d+)(?:u\d+)?")
_CLUSTER = re.compile(r"(?:cga|c)(\d+)x(\d+)x(\d+)")
# What else a GEMM's name says: figures of its pipeline, blocks of scale factors, layouts, loaders, scheduler, bias.
_GEMM_WORD = re.compile(
    r"s\d+(x\d+)*|et\d+x\d+|m\d+x\d+x\d+|\d+dp\d+b|eW\d+|lbW\d+|lsfbW\d+|splitK\d+"
    r"|[ABC]b\d+|b[ABC]\d+|tokSfB|(Bb\d+|B|tokSfB)tok(Fp32|Bfloat16)|tokSfB(Fp32|Bfloat16)|dsFp8"
    r"|rM|TN|BN|bN|transOut|noShfl|noShflA|tma|tmaSf|tmaOpt|tmOv|ldgsts|ldgSf|ldgstsSf|rgTma|clmp|fCp"
    r"|schedS|sche?d?Pd?(x?\d+)+|bias(Fp32M|Bfloat16Mn|M)|dynB|dynBatch"
)
_ATTENTION = re.compile(
    rf"fmhaSm(?P<arch>\d+[af]?)Kernel_(?:Qkv(?P<qkv>{DTYPE})|Q(?P<q>{DTYPE})Kv(?P<kv>{DTYPE})|Qk(?P<qk>{DTYPE})V(?P<v>{DTYPE}))"
    rf"O(?P<out>{DTYPE})(?P<head>H\d+|HQk\d+HV\d+)(HVPerCta\d+)?(Packed|Separate)?(Qkv|PagedKv)"
    r"(SlidingOrChunked)?(Dense|Causal|Custom)?((Static|Dynamic)TokenSparse|Sparse)?(P\d+|Paged)?(MultiCtasKv(Cga|GmemSep)?)?"
    r"VarSeq(SkipsSoftmax)?Q(?P<rows>\d+)Kv(?P<columns>\d+)(SageQ\d+SageK\d+SageV\d+)?"
    r"(Static|Persistent)(\d+Cta)?(Context|(Swaps|Keeps)AbForGen)"
)
_GROUPED = re.compile(r"kernel\.(?P<dtype>[a-z]+\d+)_m_grouped_gemm\.[0-9a-f]{12}")


@dataclass(frozen=True, kw_only=True)
class Kernel:
    """What one kernel's name says.

    Attributes:
        name: the file's name without folder and `.cubin`.
        family: one of `FAMILIES`; `moe` are the batched GEMMs of trtllm-gen.
        out: dtype of the result.
        a: dtype of the weights (attention: of the queries).
        b: dtype of the activations (attention: of the values).
        activation: fused activation as the name writes it, or `none`.
        head: head dimensions of an attention kernel, such as `H128` or `HQk576HV512`.
        arch: architecture, such as `sm100f`; `unnamed` where the name says none.
        tile: rows, columns and depth of a tile; empty where the name has none. For attention queries and keys.
        cluster: thread blocks of a cluster in each direction.
    """

    name: str
    family: str
    out: str
    a: str
    b: str
    activation: str = PLAIN
    head: str = ""
    arch: str = UNNAMED
    tile: tuple[int, ...] = ()
    cluster: tuple[int, ...] = ()


def parse(name: str) -> Kernel | None:
    """Read one name; `None` where a word in it is unknown."""
    if head := _GEMM_HEAD.match(name):
        return _gemm(name, head)
    if found := _ATTENTION.fullmatch(name):
        return _attention(name, found)
    if found := _GROUPED.fullmatch(name):
        dtype = found["dtype"]
        return Kernel(name=name, family=GROUPED, out=UNNAMED, a=dtype, b=dtype)
    return None


def _gemm(name: str, head: re.Match[str]) -> Kernel | None:
    *words, arch = name[head.end() :].split("_")
    if not re.fullmatch(_CUDA, arch):
        return None
    a, b = _DTYPES.findall(head["inputs"])
    activation = PLAIN
    tile: tuple[int, ...] = ()
    cluster: tuple[int, ...] = ()
    for word in words:
        if word in ACTIVATIONS and activation == PLAIN:
            activation = word
        elif found := _TILE.fullmatch(word):
            tile = _figures(found)
        elif found := _CLUSTER.fullmatch(word):
            cluster = _figures(found)
        elif not _GEMM_WORD.fullmatch(word):
            return None
    return Kernel(
        name=name,
        family=MOE if head["kind"] == "Bmm" else GEMM,
        out=head["out"],
        a=a,
        b=b,
        activation=activation,
        arch=arch,
        tile=tile,
        cluster=cluster,
    )


def _attention(name: str, found: re.Match[str]) -> Kernel:
    return Kernel(
        name=name,
        family=ATTENTION,
        out=found["out"],
        a=found["qkv"] or found["q"] or found["qk"],
        b=found["qkv"] or found["kv"] or found["v"],
        head=found["head"],
        arch=f"sm{found['arch']}",
        tile=(int(found["rows"]), int(found["columns"])),
    )


def _figures(found: re.Match[str]) -> tuple[int, ...]:
    return tuple(int(figure) for figure in found.groups())
