"""What computes is right under the kernels of other processors, other numbers of threads, other places and habits."""

import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
OLD = {
    "ATEN_CPU_CAPABILITY": "default",  # torch without AVX
    "OPENBLAS_CORETYPE": "Nehalem",  # SSE 4.2, no fused multiply-add
    "NPY_DISABLE_CPU_FEATURES": "X86_V3 X86_V4 AVX512_ICL AVX512_SPR",
    "OMP_NUM_THREADS": "1",
}
WIDE = {
    "ATEN_CPU_CAPABILITY": "avx2",
    "OPENBLAS_CORETYPE": "Haswell",
    "OMP_NUM_THREADS": "2",
    "PYTHONHASHSEED": "12345",
    "TZ": "Asia/Kathmandu",
    "LC_ALL": "C",
}
FAMILIES = ["cca", "cka", "rsa", "dependence", "neighbours", "distances", "golden", "every_measure"]
TESTS = {
    "measures and examples": [
        *(f"tests/test_similarity_{family}.py" for family in FAMILIES),
        "helpers/similarity",
        "helpers/ensembles",
        "-k",
        "not a_pass_of_any and not the_same_bits",  # minutes long
    ],
    "engine": ["tests/test_similarity_engine.py", "-k", "(dense_sums and 96) or bound or limits or copies"],
}


def run(command, settings, home):
    """In a home folder where nothing was kept."""
    environment = {name: value for name, value in os.environ.items() if name != "XDG_CACHE_HOME"}
    environment |= settings | {"HOME": str(home), "PYTHONPATH": str(ROOT)}
    return subprocess.run(
        [sys.executable, *command], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=900
    )


@pytest.mark.slow
@pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="names kernels of x86 processors")
@pytest.mark.parametrize("settings", [OLD, WIDE], ids=["old", "wide"])
@pytest.mark.parametrize("tests", TESTS)
def test_the_tests_that_compute_pass_under_other_kernels(settings, tests, tmp_path):
    ask = "import torch; from threadpoolctl import threadpool_info as t; import numpy, scipy.linalg\n"
    ask += "print(torch.backends.cpu.get_cpu_capability(), {i['architecture'] for i in t() if 'architecture' in i})"
    kernels = run(["-c", ask], settings, tmp_path).stdout.strip()
    if kernels != f"{settings['ATEN_CPU_CAPABILITY'].upper()} {{'{settings['OPENBLAS_CORETYPE']}'}}":
        pytest.skip(f"this machine or its libraries keep to {kernels}")
    done = run(["-m", "pytest", "-q", "-p", "no:cacheprovider", *TESTS[tests]], settings, tmp_path)
    assert done.returncode == 0, done.stdout[-3000:]
