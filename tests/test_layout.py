"""The links in offhook/ and the folders stay in step, and every package reaches the wheel."""

import importlib
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
FLOORS = {"actors", "media", "server", "sip", "store", "testing", "transport", "twiml", "web"}
BESIDE = {"tests", "docs", "benchmarks", "examples", "tools", "build", "dist"}


def packages() -> set[str]:
    """Every folder of ours that holds Python code, as the package it should be."""
    found = set()
    for floor in FLOORS:
        for folder, _, files in os.walk(ROOT / floor):
            if any(name.endswith(".py") for name in files):
                found.add("offhook." + ".".join(Path(folder).relative_to(ROOT).parts))
    return found | {"offhook"}


def test_every_folder_is_linked_into_the_package() -> None:
    links = {path.name: os.readlink(path) for path in (ROOT / "offhook").iterdir() if path.is_symlink()}
    assert links == {floor: f"../{floor}" for floor in FLOORS}


def test_every_folder_at_the_top_is_known() -> None:
    tracked = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False)
    if tracked.returncode:
        pytest.skip("not a git checkout")
    folders = {name.split("/")[0] for name in tracked.stdout.split("\0") if "/" in name and not name.startswith(".")}
    assert folders - BESIDE == FLOORS | {"offhook"}


def test_every_folder_with_code_is_a_package_with_a_docstring() -> None:
    for package in packages() - {"offhook"}:
        init = ROOT / Path(*package.split(".")[1:]) / "__init__.py"
        assert init.is_file(), f"{package} has no __init__.py"
        assert init.read_text().lstrip().startswith('"""'), f"{init} has no docstring"


def test_setuptools_finds_every_package_through_the_links() -> None:
    setuptools = importlib.import_module("setuptools")  # has no types
    assert set(setuptools.find_packages(str(ROOT), include=["offhook", "offhook.*"])) == packages()


def test_nothing_inside_imports_by_the_public_name() -> None:
    for floor in FLOORS - {"testing"}:
        for path in (ROOT / floor).rglob("*.py"):
            for line in path.read_text().splitlines():
                assert not line.startswith(("import offhook", "from offhook")), f"{path}: {line}"


def test_the_wheel_holds_every_module_and_data_file(tmp_path: Path) -> None:
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--skip-dependency-check"]
    source = tmp_path / "source"
    subprocess.run(["git", "clone", "--quiet", "--no-hardlinks", str(ROOT), str(source)], check=True)
    done = subprocess.run([*build, "--outdir", str(tmp_path), str(source)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    (wheel,) = tmp_path.glob("*.whl")
    held = {name for name in zipfile.ZipFile(wheel).namelist() if name.startswith("offhook/")}
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=source, capture_output=True, text=True, check=True)
    wanted = {
        f"offhook/{name}" for name in listed.stdout.split("\0") if name.split("/")[0] in FLOORS and "/" in name
    } | {"offhook/__init__.py", "offhook/__main__.py", "offhook/py.typed"}
    assert wanted <= held
    assert not [name for name in held if name.startswith("offhook/tests")]


def test_a_build_without_links_stops_with_a_clear_sentence(tmp_path: Path) -> None:
    (tmp_path / "setup.py").write_text((ROOT / "setup.py").read_text())
    (tmp_path / "offhook").mkdir()
    (tmp_path / "offhook" / "actors").write_text("../actors")  # what a zip snapshot makes of a link
    done = subprocess.run(
        [sys.executable, "setup.py", "--version"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode != 0
    assert "lost its symbolic links" in done.stderr
