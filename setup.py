"""Stops the build where the links in offhook/ did not survive; everything else is in pyproject.toml."""

from pathlib import Path

from setuptools import setup

if not (Path(__file__).resolve().parent / "offhook" / "actors").is_dir():
    raise SystemExit(
        "offhook/actors is not a directory: this copy of the sources lost its symbolic links (zip snapshots and "
        "Windows checkouts without core.symlinks do that). Clone with git on a system with symbolic links, or build "
        "from the source distribution."
    )

setup()
