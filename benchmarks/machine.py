"""The machine and the versions that a benchmark ran on, as a Markdown line."""

import os
import platform
from importlib.metadata import version
from pathlib import Path


def describe() -> str:
    """One line: processor, cores, memory, load at the start, and the versions that matter."""
    packages = ", ".join(
        f"{name} {version(name)}" for name in ("torch", "transformers", "peft", "gradio")
    )
    size = f"{os.cpu_count()} cores, {_memory_gb():.0f} GB"
    return (
        f"{_processor()}, {size}, load {os.getloadavg()[0]:.1f} at the start; "
        f"Python {platform.python_version()}, {packages}"
    )


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def _memory_gb() -> float:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
