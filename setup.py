"""Build of the one extension module; all metadata is in pyproject.toml.

``sdtw_cpu/src/kernels.cpp`` is compiled once for each instruction set that
the compiler knows, every time with the flags of that set and into an object
of its own, and all of them are linked into ``sdtw_cpu._kernels``, which picks
one when it is imported.  Everything else is compiled for the baseline of the
platform, so that one wheel runs on every machine of its architecture.

Source distributions of the same files are the same bytes, if
``SOURCE_DATE_EPOCH`` tells their date, in seconds since 1970.
"""

import gzip
import io
import os
import shlex
import tarfile
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from glob import glob

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext
from setuptools.command.sdist import sdist
from setuptools.errors import CompileError

SOURCE = "sdtw_cpu/src"
KERNELS = f"{SOURCE}/kernels.cpp"
SHARED = sorted(
    path
    for path in glob(f"{SOURCE}/*.cpp")
    if os.path.basename(path) != "kernels.cpp"
)

X86 = ("defined(__x86_64__) || defined(_M_X64)", "immintrin.h")

# Beyond the baseline, from the lowest to the highest: the flags of gcc and
# clang, those of MSVC, the processors that may have the set, its header, and a
# statement that needs it. The set's vectors are in sdtw_cpu/src/simd, and
# whether a processor has it in sdtw_cpu/src/isa.cpp.
ISA_LEVELS = {
    "neon": (
        [],
        [],
        "defined(__aarch64__)",
        "arm_neon.h",
        "float64x2_t v = vld1q_f64(x); vst1q_f64(x, vfmaq_f64(v, v, v));",
    ),
    "avx2": (
        ["-mavx2", "-mfma"],
        ["/arch:AVX2"],
        *X86,
        "__m256d v = _mm256_loadu_pd(x);"
        " _mm256_storeu_pd(x, _mm256_fmadd_pd(v, v, v));",
    ),
    "avx512": (
        [
            "-mavx512f",
            "-mavx512dq",
            "-mavx512bw",
            "-mavx512vl",
            "-mavx2",
            "-mfma",
            "-mprefer-vector-width=512",
            # The headers of some releases of gcc warn of themselves.
            "-Wno-uninitialized",
        ],
        ["/arch:AVX512"],
        *X86,
        "__m512d v = _mm512_loadu_pd(x);"
        " _mm512_storeu_pd(x, _mm512_and_pd(v, _mm512_add_pd(v, v)));",
    ),
}

PROBE = """\
#if !(%s)
#error "for another processor"
#endif
#include <%s>
void probe(double* x) { %s }
"""


class BuildExt(build_ext):
    """Compile the kernels per instruction set, then the extension."""

    def build_extension(self, ext):
        if not self._out_of_date(ext):
            return
        ext.include_dirs.append(SOURCE)
        ext.cython_c_in_temp = True
        msvc = self.compiler.compiler_type == "msvc"
        if msvc:
            flags = ["/O2", "/std:c++17", "/EHsc"]
        else:
            flags = [
                "-std=c++17",
                "-O3",
                "-fno-math-errno",
                "-fno-trapping-math",
                # Whether a product and a sum are rounded once shall not depend
                # on where the compiler finds them.
                "-ffp-contract=off",
                "-fvisibility=hidden",
                "-pthread",
            ]
            if not self.debug:
                # Python's own flags may ask for it; it makes templates slow
                # to compile, and the module twelve times as large.
                flags.append("-g0")
            ext.extra_link_args.append("-pthread")
        # Last, so that they overrule the others.
        flags += shlex.split(os.environ.get("SDTW_CXXFLAGS", ""))
        ext.extra_compile_args.extend(flags)

        levels = {"generic": []}
        for name, (gnu, cl, *probe) in ISA_LEVELS.items():
            isa_flags = cl if msvc else gnu
            if self._knows(isa_flags, PROBE % tuple(probe)):
                levels[name] = isa_flags
                ext.define_macros.append((f"SDTW_HAVE_{name.upper()}", "1"))
        print(f"instruction sets: {', '.join(levels)}", flush=True)

        def compiled(job):
            source, level = job
            macros = [] if level is None else [("SDTW_ISA", level)]
            return self.compiler.compile(
                [source],
                output_dir=os.path.join(self.build_temp, level or "shared"),
                macros=[*ext.define_macros, *macros],
                include_dirs=ext.include_dirs,
                extra_postargs=flags + levels.get(level, []),
                depends=ext.depends,
            )

        # The baseline comes first, here and on the linker's command line: of
        # an inline function that several objects carry the linker keeps the
        # first, which must be one that runs everywhere.
        baseline, *others = ((KERNELS, level) for level in levels)
        jobs = [baseline, *((source, None) for source in SHARED), *others]
        with ThreadPoolExecutor(self.parallel or os.cpu_count()) as pool:
            for objects in pool.map(compiled, jobs):
                ext.extra_objects.extend(objects)
        super().build_extension(ext)

    def _out_of_date(self, ext):
        target = self.get_ext_fullpath(ext.name)
        if self.force or not os.path.exists(target):
            return True
        built = os.path.getmtime(target)
        return any(
            os.path.getmtime(path) > built
            for path in [*ext.sources, *ext.depends]
        )

    def _knows(self, flags, probe):
        """Whether the compiler takes the flags and compiles the probe."""
        with tempfile.TemporaryDirectory() as folder:
            source = os.path.join(folder, "probe.cpp")
            with open(source, "w") as file:
                file.write(probe)
            try:
                self.compiler.compile(
                    [source], output_dir=folder, extra_postargs=flags
                )
            except CompileError:
                return False
        return True


class Sdist(sdist):
    """Leave out of the archive who made it, where and from which checkout."""

    def make_archive(
        self,
        base_name,
        format,
        root_dir=None,
        base_dir=None,
        owner=None,
        group=None,
    ):
        if format != "gztar":
            return super().make_archive(
                base_name, format, root_dir, base_dir, owner, group
            )
        date = int(os.environ.get("SOURCE_DATE_EPOCH") or time.time())

        def reset(member):
            member.mtime = date
            member.uid = member.gid = 0
            member.uname = member.gname = ""
            member.mode = 0o755 if member.mode & 0o100 else 0o644
            return member

        content = io.BytesIO()
        with tarfile.open(fileobj=content, mode="w") as archive:
            archive.add(base_dir, filter=reset)
        path = f"{base_name}.tar.gz"
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(gzip.compress(content.getvalue(), mtime=date))
        return path


setup(
    ext_modules=[
        Extension(
            "sdtw_cpu._kernels",
            ["sdtw_cpu/_kernels.pyx"],
            depends=[
                "setup.py",
                KERNELS,
                *SHARED,
                *sorted(glob(f"{SOURCE}/**/*.hpp", recursive=True)),
            ],
            language="c++",
        )
    ],
    cmdclass={"build_ext": BuildExt, "sdist": Sdist},
)
