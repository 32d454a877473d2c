"""The grammar of kernel names."""

import pytest

from matrix.cubins import names
from matrix.releases.wheel import open_file

RELU2 = (
    "Bmm_Bfloat16_Bfloat16Bfloat16_Fp32_t128x8x128u2_s5_et128x8_m128x8x16_c1x1x1_16dp256b_rM_BN_transOut_schPd2x1x2x3"
    "_biasFp32M_relu2_bN_ldgsts_rgTma_clmp_dynB_sm100f"
)


def test_a_moe_kernel():
    kernel = names.parse(RELU2)
    assert (kernel.family, kernel.out, kernel.a, kernel.b) == (names.MOE, *["Bfloat16"] * 3)
    assert (kernel.activation, kernel.arch) == ("relu2", "sm100f")
    assert (kernel.tile, kernel.cluster) == ((128, 8, 128), (1, 1, 1))


@pytest.mark.parametrize(
    ("name", "dtypes", "activation", "arch"),
    [
        (
            (
                "Bmm_Bfloat16_MxE2m1Bfloat16_castBfloat16_patch_Fp32_Ab32_t128x8x256_s3_et128x8_m128x8x16_c1x1x1_rM_TN"
                "_transOut_schedS_biasFp32M_bN_ldgsts_ldgstsSf_rgTma_clmp_swiGlu_dynB_sm103a"
            ),
            ("MxE2m1", "Bfloat16", "Bfloat16"),
            "swiGlu",
            "sm103a",
        ),
        (
            (
                "Bmm_E2m1_E2m1E2m1_Fp32_t128x32x512u2_s4_et128x32_m128x32x64_cga1x1x1_16dp256b_TN_transOut"
                "_schedP2x1x2x3_bN_tma_clmp_geGlu_dynBatch_sm100f"
            ),
            ("E2m1", "E2m1", "E2m1"),
            "geGlu",
            "sm100f",
        ),
        (
            "Gemm_Bfloat16_MxE4m3MxE4m3_Fp32_Ab32_Bb32_t128x64x256_s4_et128x64_m128x64x32_c1x1x1_rM_TN_transOut_schedS_sm100f",
            ("MxE4m3", "MxE4m3", "Bfloat16"),
            "none",
            "sm100f",
        ),
        (
            "fmhaSm103aKernel_QkBfloat16VE4m3OBfloat16HQk128HV128SeparateQkvDenseVarSeqQ128Kv128PersistentContext",
            ("Bfloat16", "E4m3", "Bfloat16"),
            "none",
            "sm103a",
        ),
        ("kernel.fp8_m_grouped_gemm.007404769193", ("fp8", "fp8", "unnamed"), "none", "unnamed"),
    ],
)
def test_other_families(name, dtypes, activation, arch):
    kernel = names.parse(name)
    assert (kernel.a, kernel.b, kernel.out) == dtypes
    assert (kernel.activation, kernel.arch) == (activation, arch)


@pytest.mark.parametrize(
    "name",
    [
        RELU2.replace("relu2", "relu3"),  # an activation not known here must not count as none
        RELU2.replace("_relu2", "_relu2_swiGlu"),
        RELU2.replace("Bfloat16Bfloat16", "Bfloat16E9m9"),
        RELU2.removesuffix("_sm100f"),
        "fmhaSm100fKernel_QkvE4m3OBfloat16H128NewMaskVarSeqQ128Kv128PersistentContext",
        "something_else",
        "",
    ],
)
def test_an_unknown_word_does_not_parse(name):
    assert names.parse(name) is None


@pytest.mark.wheels
@pytest.mark.parametrize("release", ["0.4.0", "0.5.3", "0.6.8.post1", "0.6.13"])
def test_every_name_of_a_release_parses(release, online):
    with open_file(online.release("flashinfer-cubin", release).best, online.network) as wheel:
        listed = [name.rpartition("/")[2] for name in wheel.members() if name.endswith(".cubin")]
    assert len(listed) > 3000
    assert [name for name in listed if names.parse(name.removesuffix(".cubin")) is None] == []
