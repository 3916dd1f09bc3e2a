"""Facts about the machine and the moment, which stand beside every figure."""

from __future__ import annotations

import datetime
import os
import platform
import subprocess
from importlib.metadata import version
from pathlib import Path

from offhook.server.version import VERSION

ROOT = Path(__file__).resolve().parent.parent


def facts() -> dict[str, object]:
    """What a reader must know to compare the figures with others."""
    return {
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "cpu": processor(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_gib": round(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30, 1),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "offhook": VERSION,
        "commit": commit(),
        "trio": version("trio"),
        "sipp": said("SIPp v", "sipp", "-v"),
        "kamailio": said("version: ", "kamailio", "-v"),
        "rtpengine": said("Version: ", "rtpengine", "--version"),
        "priority": os.getpriority(os.PRIO_PROCESS, 0),
        "load_average_before": round(os.getloadavg()[0], 2),
    }


def processor() -> str:
    """The processor's name as the kernel gives it."""
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def commit() -> str:
    """The commit measured, with `+` when files differ from it; empty outside a repository."""

    def git(*arguments: str) -> str:
        done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
        return done.stdout.strip()

    head = git("rev-parse", "--short=12", "HEAD")
    changed = git("status", "--porcelain", "--untracked-files=no", "--", ":!benchmarks", ":!docs")
    return f"{head}{'+' if changed else ''}"


def said(what: str, *command: str) -> str:
    """The line with `what` that a program prints of its version; empty when there is no such program."""
    path = f"{os.environ.get('PATH', '')}:/usr/sbin"
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ, "PATH": path})
    except FileNotFoundError:
        return ""
    return next((line.strip(" .") for line in (done.stdout + done.stderr).splitlines() if what in line), "")
