"""Our own C, compiled on first use and kept in the cache; its threads are those of torch.

library = ctypes.CDLL(str(compiled(Path(__file__).with_name("int8.c"))))
library.int8_product(..., parallel(), torch.get_num_threads())
"""

import ctypes
import hashlib
import os
import shutil
import subprocess
import tempfile
from functools import cache
from pathlib import Path

from roleplay.errors import ModelError
from roleplay.files import cache_folder

_FLAGS = ("-O3", "-fPIC", "-shared", "-std=gnu11")


@cache
def parallel() -> int:
    """The address of GOMP_parallel of the OpenMP that torch runs on.

    Two pools of threads on the same cores would only wait for each other.

    Raises:
        ModelError: torch was built with another OpenMP than GNU's.
    """
    try:
        found = ctypes.CDLL(None).GOMP_parallel
    except (AttributeError, TypeError) as error:  # TypeError: Windows knows no program without name
        raise ModelError("models.no-openmp") from error
    address = ctypes.cast(found, ctypes.c_void_p).value
    assert address is not None
    return address


def compiled(source: Path) -> Path:
    """The shared library of a C file, compiled unless the cache has it of the same compiler.

    Raises:
        ModelError: no compiler, or it failed; the message has its first words.
    """
    names = filter(None, map(shutil.which, ("cc", "gcc", "clang")))
    compiler = os.environ.get("CC") or next(names, None)
    if not compiler:
        raise ModelError("models.no-compiler")
    made_by = " ".join([compiler, *_FLAGS]).encode()
    key = hashlib.sha256(source.read_bytes() + made_by).hexdigest()[:16]
    target = cache_folder() / "kernels" / f"{source.stem}-{key}.so"
    if not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=target.parent) as work:
            made = Path(work) / target.name
            command = [compiler, *_FLAGS, "-o", str(made), str(source)]
            run = subprocess.run(command, capture_output=True, text=True)
            if run.returncode:
                lines = [line for line in run.stderr.splitlines() if "error" in line]
                detail = (lines or [run.stderr])[0].strip()[:160]
                raise ModelError(
                    "models.compiler-failed", compiler=compiler, file=source.name, detail=detail
                )
            made.replace(target)  # whole, or not there: another process may compile as well
    return target
