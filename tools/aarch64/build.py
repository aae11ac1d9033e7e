"""Compile the kernels and ``server.cpp`` for aarch64 by the rules of setup.py.

``python tools/aarch64/build.py FOLDER`` makes ``FOLDER/server``, which runs
under QEMU.  It takes a cross compiler, and the folder of setup.py.
"""

import shutil
import sys
from distutils import core, sysconfig

import setuptools  # noqa: F401  (brings distutils)

COMPILER = "aarch64-linux-gnu-g++"
PACKAGES = {COMPILER: "g++-aarch64-linux-gnu", "qemu-aarch64": "qemu-user"}


def main(folder):
    missing = [PACKAGES[name] for name in PACKAGES if not shutil.which(name)]
    if missing:
        sys.exit(
            "needs a cross compiler and QEMU; on Debian and Ubuntu: "
            f"apt-get install {' '.join(missing)}"
        )
    # Instead of a shared library for Python here, a program for there.
    link = f"{COMPILER} -static"
    sysconfig.get_config_vars().update(
        CC=COMPILER,
        CXX=COMPILER,
        CFLAGS="",
        LDSHARED=link,
        LDCXXSHARED=link,
        EXT_SUFFIX="",
    )
    options = ["--build-temp", f"{folder}/objects", "--build-lib", folder]
    distribution = core.run_setup(
        "setup.py", ["build_ext", *options], stop_after="commandline"
    )
    (extension,) = distribution.ext_modules
    extension.name = "server"
    extension.sources = ["tools/aarch64/server.cpp"]
    distribution.run_commands()


if __name__ == "__main__":
    main(*sys.argv[1:])
