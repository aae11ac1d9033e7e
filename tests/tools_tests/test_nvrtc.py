"""tools/nvrtc.py: CUDA's compiler from wheels, and its reports."""

import locale
import subprocess
import sys

import nvrtc
import pytest

if not nvrtc.libraries():
    pytest.skip(
        "needs NVIDIA's NVRTC as a wheel: nvidia-cuda-nvrtc",
        allow_module_level=True,
    )

PLAIN = """
extern "C" __global__ void plain(const float* x, float* y) {
  y[threadIdx.x] = 2 * x[threadIdx.x];
}
"""

# An array whose index is not known before the launch.
INDEXED = """
extern "C" __global__ void indexed(const float* x, float* y, int n) {
  float a[40];
  for (int k = 0; k < 40; ++k) a[k] = x[k + threadIdx.x];
  for (int k = 0; k < n; ++k) a[k * 7 % 40] += y[k];
  y[threadIdx.x] = a[n % 40];
}
"""

# 64 numbers of each of 1024 threads, which have 64 registers each.
SPILLING = """
extern "C" __global__ void __launch_bounds__(1024)
    spilling(const double* x, double* y, int n) {
  double a[64];
#pragma unroll
  for (int k = 0; k < 64; ++k) a[k] = x[k * 1024 + threadIdx.x];
  for (int i = 0; i < n; ++i) {
#pragma unroll
    for (int k = 0; k < 64; ++k) a[k] = a[k] * a[(k * 5 + 3) % 64] + x[i];
  }
#pragma unroll
  for (int k = 0; k < 64; ++k) y[k * 1024 + threadIdx.x] = a[k];
}
"""

SHARING = """
extern "C" __global__ void sharing(float* x, int n) {
  __shared__ float s[300];
  extern __shared__ float dynamic[];
  s[threadIdx.x] = dynamic[threadIdx.x] = x[threadIdx.x];
  __syncthreads();
  x[threadIdx.x] = s[n - threadIdx.x] + dynamic[n - threadIdx.x];
}
"""

# Called through a pointer, so that it has a stack frame of its own.
CALLING = """
__device__ float indexed(float x) {
  float a[30];
  for (int k = 0; k < 30; ++k) a[k] = x * k;
  return a[(int)x % 30];
}
__device__ float plain(float x) { return x + 1; }
__device__ float (*functions[2])(float) = {indexed, plain};
extern "C" __global__ void calling(float* x, int n) {
  x[threadIdx.x] = functions[n](x[threadIdx.x]);
}
"""


@pytest.fixture(params=nvrtc.libraries(), ids=str)
def library(request):
    return request.param


@pytest.mark.parametrize(
    ("library", "architecture"),
    [
        (library, architecture)
        for library in nvrtc.libraries()
        for architecture in nvrtc.ARCHITECTURES
        if architecture in library.architectures()
    ],
    ids=str,
)
def test_every_architecture(library, architecture):
    compiled = library.compile(
        PLAIN + INDEXED + SPILLING + SHARING, architecture
    )
    assert compiled.cubin.startswith(b"\x7fELF")
    assert not compiled.warnings
    kernels = compiled.kernels
    assert set(kernels) == {"plain", "indexed", "spilling", "sharing"}
    for kernel in kernels.values():
        assert 0 < kernel.registers <= 255
    for name in ("plain", "sharing"):
        kernel = kernels[name]
        assert kernel.stack == kernel.spill_stores == kernel.spill_loads == 0
    assert kernels["indexed"].stack >= 160
    assert kernels["indexed"].spill_stores == 0
    assert kernels["spilling"].registers <= 64
    assert kernels["spilling"].stack > 0
    assert kernels["spilling"].spill_stores > 0
    assert kernels["spilling"].spill_loads > 0
    assert kernels["sharing"].shared == 1200


def test_reports_are_kept(library, tmp_path, monkeypatch):
    compiled = library.compile(PLAIN, 80)
    first = library.report(PLAIN, 80, ("-DN=1",), tmp_path)
    assert first.kernels == compiled.kernels
    monkeypatch.setattr(nvrtc.Library, "compile", None)
    assert library.report(PLAIN, 80, ("-DN=1",), tmp_path) == first
    for other in (
        (INDEXED, 80, ("-DN=1",)),
        (PLAIN, 90, ("-DN=1",)),
        (PLAIN, 80, ("-DN=2",)),
    ):
        with pytest.raises(TypeError):
            library.report(*other, tmp_path)


def test_the_locale_stays(library):
    before = locale.getpreferredencoding(False)
    library.compile(PLAIN, 80)
    assert locale.getpreferredencoding(False) == before


def test_functions_called(library):
    assert library.compile(CALLING, 80).kernels["calling"].stack >= 120


def test_versions():
    versions = [library.version for library in nvrtc.libraries()]
    assert versions == sorted(set(versions))


def test_options(library):
    source = 'extern "C" __global__ void k(int* x) { *x = __cplusplus + N; }'
    with pytest.raises(nvrtc.CompileError, match='"N" is undefined'):
        library.compile(source, 80)
    library.compile(source, 80, ("-DN=1",))
    check = '\nstatic_assert(__cplusplus == {}, "standard");'
    library.compile(source + check.format("201402"), 80, ("-DN=1",))
    library.compile(
        source + check.format("201703"), 80, ("-DN=1", "-std=c++17")
    )


def test_warnings(library):
    source = 'extern "C" __global__ void k() { int unused; }'
    (warning,) = library.compile(source, 80, name="name.cu").warnings
    assert "name.cu(1)" in warning and "unused" in warning
    # More threads than a multiprocessor of compute capability 8.6 runs.
    source = 'extern "C" __global__ void __launch_bounds__(1024, 2) k() {}'
    (warning,) = library.compile(source, 86).warnings
    assert "threads per SM" in warning
    assert not library.compile(source, 80).warnings


def test_syntax_error(library):
    with pytest.raises(nvrtc.CompileError, match=r"name\.cu\(2\): error") as e:
        library.compile("\nint f() { return 1 }", 80, name="name.cu")
    assert "expected a" in str(e.value)


def test_unknown_architecture(library):
    with pytest.raises(nvrtc.CompileError, match="gpu-architecture"):
        library.compile(PLAIN, 31)


def run(*arguments):
    return subprocess.run(
        [sys.executable, nvrtc.__file__, *map(str, arguments)],
        capture_output=True,
        text=True,
    )


def test_command(tmp_path):
    tmp_path.joinpath("device.cuh").write_text(INDEXED)
    source = tmp_path / "source.cu"
    source.write_text('#include "device.cuh"\n#ifdef MORE' + PLAIN + "#endif")
    result = run(source, "--arch", "80", "--save", tmp_path / "code")
    assert result.returncode == 0, result.stderr
    rows = result.stdout.splitlines()[1:]
    versions = ["{}.{}".format(*n.version) for n in nvrtc.libraries()]
    assert [row.split()[:2] for row in rows] == [[v, "80"] for v in versions]
    assert all(row.split()[-1] == "indexed" for row in rows)
    assert all(int(row.split()[4]) >= 160 for row in rows)
    assert {path.name for path in (tmp_path / "code").iterdir()} == {
        f"source-{version}-sm_80.cubin" for version in versions
    }

    result = run(source, "--arch", "80", "-DMORE")
    assert len(result.stdout.splitlines()) == 1 + 2 * len(versions)

    result = run(source, "--arch", "80", "--option=--no-such-option")
    assert result.returncode == 1
    assert "no-such-option" in result.stderr
