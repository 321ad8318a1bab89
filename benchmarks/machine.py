"""Shared by the benchmarks: processor time, the machine's name, tables."""

from __future__ import annotations

import os
import platform
import resource
import time
from collections.abc import Sequence
from pathlib import Path

import psutil


def cpu_s() -> float:
    """Processor time so far of this process, of its children that ended, and of those that run, seconds."""
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    running = [_cpu_s_of(child) for child in psutil.Process().children(recursive=True)]
    return time.process_time() + ended.ru_utime + ended.ru_stime + sum(running)


def _cpu_s_of(process: psutil.Process) -> float:
    """Processor time of its threads, in nanoseconds where the kernel reports them (Linux), else in clock ticks."""
    try:
        return sum(int(task.read_text().split()[0]) for task in _schedstats(process)) / 1e9
    except (OSError, IndexError):
        times = process.cpu_times()
        return float(times.user + times.system)


def _schedstats(process: psutil.Process) -> list[Path]:
    files = list(Path(f"/proc/{process.pid}/task").glob("*/schedstat"))
    if not files:
        raise FileNotFoundError(f"/proc/{process.pid}/task")
    return files


def describe_machine() -> str:
    """Processor, cores and system."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        name = next(line.split(":")[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        name = platform.processor() or platform.machine()
    return (
        f"{name}, {os.cpu_count()} cores, {platform.system()} {platform.release()}, Python {platform.python_version()}"
    )


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Rows under a header in columns; the first is aligned left, the others right."""
    widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]
    lines = []
    for row in (header, ["-" * width for width in widths], *rows):
        cells = [
            cell.ljust(width) if at == 0 else cell.rjust(width)
            for at, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)
