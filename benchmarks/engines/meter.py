"""What a job costs: CPU seconds of all threads and children, and memory beyond the imports.

Needs nothing but Python, so that it runs beside any peer. An engine is a script whose programs
`serve` calls by name, one process each:

    python benchmarks/engines/xlogit_engine.py strength DATA LIMIT
"""

import json
import resource
import sys
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

__all__ = ["measured", "serve"]

Job = Callable[[], dict[str, Any]]
Program = Callable[[Path], Job]


def measured(job: Job) -> dict[str, Any]:
    """What a job found, with its CPU seconds and the MB by which it raised the peak of memory."""
    before = _memory("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")  # the kernel forgets the earlier peak
    begin = _cpu()
    found = job()
    return found | {"seconds": _cpu() - begin, "memory_mb": _memory("VmHWM") - before}


def _cpu() -> float:
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime


def _memory(name: str) -> float:
    """A line of this process's status, MB."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(name)) / 1024


def serve(programs: dict[str, Program], packages: tuple[str, ...]) -> None:
    """Run the program, data file and limit of CPU seconds on the command line; print JSON.

    A program imports what it needs and reads the data, then gives the job that is measured. The
    limit counts from the start of the process, whose end by SIGXCPU it is.

    Args:
        programs: By name.
        packages: Whose versions to report.
    """
    name, file, limit = sys.argv[1:]
    resource.setrlimit(resource.RLIMIT_CPU, (int(limit), int(limit)))
    found = measured(programs[name](Path(file)))
    found["versions"] = {package: version(package) for package in packages}
    print(json.dumps(found))
