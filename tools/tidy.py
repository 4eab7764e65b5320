"""Runs clang-tidy on the C++ sources that git knows, tests excluded; exit status 1 on any finding.

A file is looked at again only when it, a header, or .clang-tidy changed since it last passed (build/tidy).
"""

from __future__ import annotations

import concurrent.futures
import hashlib
import os
import pathlib
import subprocess
import sys
import sysconfig

ROOT = pathlib.Path(__file__).resolve().parent.parent
PASSED = ROOT / "build" / "tidy"


def sources(*patterns: str) -> list[pathlib.Path]:
    """Files that git tracks or would track."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", *patterns]
    names = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    return [ROOT / name for name in names if (ROOT / name).exists()]


def digest(files: list[pathlib.Path], start: bytes = b"") -> bytes:
    """One hash over the contents of several files."""
    total = hashlib.sha256(start)
    for file in files:
        total.update(file.read_bytes())
    return total.digest()


def compiler_flags() -> list[str]:
    """What Bazel would pass, with the same headers."""
    import nanobind

    jaxlib = next((ROOT / ".venv").glob("jax-*/jaxlib/include"))
    system = [jaxlib, nanobind.include_dir(), sysconfig.get_path("include")]
    built = ROOT / "build" / "bazel-bin"  # device code as text; the native module's build leaves it there
    own = [f"-I{ROOT}", f"-I{built}"]
    return ["-std=c++17", "-DPy_LIMITED_API=0x030C0000", *own, *(f"-isystem{path}" for path in system)]


def main() -> int:
    """Runs clang-tidy on every file that is not known to pass, as many at once as there are cores."""
    flags = compiler_flags()
    common = digest([ROOT / ".clang-tidy", *sources("*.h", "*.inc")], repr(flags).encode())
    PASSED.mkdir(parents=True, exist_ok=True)

    def check(file: pathlib.Path) -> str:
        stamp = PASSED / hashlib.sha256(common + digest([file]) + str(file).encode()).hexdigest()
        if stamp.exists():
            return ""
        command = ["clang-tidy", "--quiet", str(file), "--", *flags]
        finished = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        if finished.returncode == 0:
            stamp.touch()
            return ""
        return finished.stdout + ("" if finished.stdout else finished.stderr)

    # Of GoogleTest's macros clang-tidy would find more to say than of the code, at twice the time.
    files = [file for file in sources("*.cc") if not file.name.endswith("_test.cc")]
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        complaints = [text for text in pool.map(check, files) if text]
    print("\n".join(complaints))
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main())
