"""Writes requirements.lock: exact versions with hashes for every platform, and no addresses. Run by `make lock`.

torch needs care on Linux. Its CPU build (`2.13.0+cpu`) satisfies the same pin, so its hash is added when a wheel of it
is at hand (pip's find-links), and kept from the last lock when not. The CUDA packages that the registry's own build
wants are left out: `make install` lets pip fetch them, in the versions that torch itself pins, where that build is
the one installed.
"""

import hashlib
import os
import re
import subprocess
import sys
from pathlib import Path

LOCK = Path("requirements.lock")
HEADER = "# Made by `make lock`. Do not edit.\n"
CUDA = re.compile(r"(nvidia-|cuda-|triton)")
LOCAL_BUILD = "# CPU build: "


def main() -> None:
    """Compile, drop what belongs to CUDA, add the CPU builds' hashes."""
    command = [Path(sys.executable).parent / "uv", "pip", "compile", "pyproject.toml", "--group", "dev", "--universal"]
    options = ["--python-version", "3.11", "--generate-hashes", "--no-header", "--no-annotate", "--upgrade"]
    environment = {key: value for key, value in os.environ.items() if key != "UV_FIND_LINKS"}
    compiled = subprocess.run(
        [*map(str, command), *options], env=environment, capture_output=True, text=True, check=True
    ).stdout
    old = re.findall(LOCAL_BUILD + r"(\w+)", LOCK.read_text()) if LOCK.exists() else []
    blocks = re.split(r"\n(?=\S)", compiled.strip())
    kept = [_with_cpu_builds(block, old) for block in blocks if not CUDA.match(block)]
    text = HEADER + "\n".join(kept) + "\n"
    if "://" in text:
        raise SystemExit("the lock would name an address")
    LOCK.write_text(text)
    print(f"{LOCK}: {len(kept)} packages")


def _with_cpu_builds(block: str, old: list[str]) -> str:
    match = re.match(r"torch==([\w.]+)", block)
    if match is None:
        return block
    folders = [Path(folder) for folder in os.environ.get("PIP_FIND_LINKS", "").split() if Path(folder).is_dir()]
    wheels = [wheel for folder in folders for wheel in sorted(folder.glob(f"torch-{match[1]}+cpu-*.whl"))]
    hashes = [hashlib.sha256(wheel.read_bytes()).hexdigest() for wheel in wheels] or old
    comments = "".join(f"{LOCAL_BUILD}{digest}\n" for digest in hashes)
    return comments + block + "".join(f" \\\n    --hash=sha256:{digest}" for digest in hashes)


if __name__ == "__main__":
    main()
