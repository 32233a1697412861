"""Settings that make the numeric libraries behave as on other CPUs than this one."""

from collections.abc import Sequence

from numpy._core._multiarray_umath import __cpu_dispatch__, __cpu_features__

# OpenBLAS, oneDNN and glibc as on a CPU without AVX; NumPy's own levels: see ``without_simd``.
OLD = {
    "OPENBLAS_CORETYPE": "Nehalem",
    "TF_ENABLE_ONEDNN_OPTS": "0",
    "ONEDNN_MAX_CPU_ISA": "SSE41",
    "GLIBC_TUNABLES": "glibc.cpu.hwcaps=-AVX2,-AVX,-FMA,-FMA4",
}
AVX2 = {"OPENBLAS_CORETYPE": "Haswell", "TF_ENABLE_ONEDNN_OPTS": "1", "ONEDNN_MAX_CPU_ISA": "AVX2"}
OTHER = {"OPENBLAS_CORETYPE": "Sandybridge", "TF_ENABLE_ONEDNN_OPTS": "1", "OMP_NUM_THREADS": "1"}


def simd_levels() -> list[str]:
    """Return the SIMD levels beyond its baseline that this NumPy uses in this process."""
    return [name for name in __cpu_dispatch__ if __cpu_features__[name]]


def without_simd(levels: Sequence[str]) -> dict[str, str]:
    """Return what switches these levels of NumPy off. It warns of an empty list, and of levels that it has not."""
    return {"NPY_DISABLE_CPU_FEATURES": " ".join(levels)} if levels else {}
