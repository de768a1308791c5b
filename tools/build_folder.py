#!/usr/bin/env python3
"""Build a folder for Linux that runs the program without installation, in the layout of an AppDir.

The folder contains a copy of the Python that runs this script, the program with all its libraries,
their licences, a bill of materials (CycloneDX), and files that associate takes with the program. It
may be moved, and needs the C library and the graphics libraries of a system like the one that it
was built on. `appimagetool` turns it into a single file.

Usage: ``python tools/build_folder.py FOLDER``; standard library only, packages come from PyPI.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SBOM_TOOL = "cyclonedx-bom==7.5.0"
_VERSION = f"{sys.version_info.major}.{sys.version_info.minor}"
_UNUSED = ("site-packages", "test", "tests", "idlelib", "lib2to3", "turtledemo", "__pycache__")
"""Folders of Python's library that are not copied."""
_LICENCE_NAMES = ("licen", "copying", "notice", "authors")


def main() -> int:
    """Build the folder named on the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="new folder")
    folder = parser.parse_args().folder.resolve()
    if folder.exists():
        print(f"{folder} exists", file=sys.stderr)
        return 4
    if not sys.platform.startswith("linux"):
        print("the folder for Linux can be built on Linux only", file=sys.stderr)
        return 2
    copy_python(folder / "usr")
    python = folder / "usr" / "bin" / "python3"
    install_program(python)
    for file in (ROOT / "tools" / "linux").iterdir():
        shutil.copy2(file, folder / file.name)
    shutil.copy2(ROOT / "docs" / "window.png", folder / "pymaf-live.png")
    (folder / ".DirIcon").symlink_to("pymaf-live.png")
    count = copy_licences(folder / "usr", folder / "licences")
    write_bill_of_materials(python, folder / "sbom.cdx.json")
    subprocess.run([folder / "AppRun", "--version"], check=True)
    print(f"{folder}: licences of {count} packages, bill of materials in sbom.cdx.json")
    return 0


def copy_python(prefix: Path) -> None:
    """Copy the running Python without its packages; it finds its library beside itself."""
    base = Path(sys.base_prefix)
    (prefix / "bin").mkdir(parents=True)
    executable = base / "bin" / f"python{_VERSION}"
    shutil.copy2(executable, prefix / "bin" / "python3")
    library = Path("lib") / f"python{_VERSION}"
    shutil.copytree(
        base / library, prefix / library, ignore=shutil.ignore_patterns(*_UNUSED), symlinks=True
    )
    (prefix / library / "site-packages").mkdir()
    shared = sysconfig.get_config_var("INSTSONAME")
    if sysconfig.get_config_var("Py_ENABLE_SHARED") and shared:
        shutil.copy2(base / "lib" / shared, prefix / "lib" / shared)


def install_program(python: Path) -> None:
    """Install the program and its libraries from wheels, with this Python's pip."""
    pip = [sys.executable, "-m", "pip", "--python", str(python)]
    options = ["--no-compile", "--disable-pip-version-check", "--quiet"]
    environment = {**os.environ, "LD_LIBRARY_PATH": str(python.parents[1] / "lib")}
    subprocess.run([*pip, "install", *options, str(ROOT)], check=True, env=environment)


def copy_licences(prefix: Path, target: Path) -> int:
    """Collect the licence files of every package; return the number of packages with one."""
    target.mkdir()
    for name in ("LICENSE", "THIRD_PARTY.md"):
        shutil.copy2(ROOT / name, target / name)
    python_licence = prefix / "lib" / f"python{_VERSION}" / "LICENSE.txt"
    if python_licence.exists():
        shutil.copy2(python_licence, target / "Python.txt")
    count = 0
    packages = prefix / "lib" / f"python{_VERSION}" / "site-packages"
    for information in sorted(packages.glob("*.dist-info")):
        files = [
            file
            for file in information.rglob("*")
            if file.is_file()
            and (
                file.name.lower().startswith(_LICENCE_NAMES)
                or "licenses" in file.relative_to(information).parts
            )
        ]
        for file in files:
            copy = target / information.name.removesuffix(".dist-info")
            copy = copy / file.relative_to(information)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(file, copy)
        # the metadata names the licence also where no file does
        (target / information.name.removesuffix(".dist-info")).mkdir(exist_ok=True)
        shutil.copy2(information / "METADATA", target / information.name.removesuffix(".dist-info"))
        count += bool(files)
    return count


def write_bill_of_materials(python: Path, target: Path) -> None:
    """Write what the folder contains as CycloneDX JSON, with a tool that reads the environment."""
    with tempfile.TemporaryDirectory() as work:
        subprocess.run([sys.executable, "-m", "venv", work], check=True)
        tool = Path(work) / "bin" / "python"
        pip = [str(tool), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, SBOM_TOOL], check=True)
        command = [str(tool), "-m", "cyclonedx_py", "environment", str(python)]
        environment = {**os.environ, "LD_LIBRARY_PATH": str(python.parents[1] / "lib")}
        options = ["--output-format", "JSON", "--output-file", str(target), "--output-reproducible"]
        subprocess.run([*command, *options], check=True, env=environment)


if __name__ == "__main__":
    sys.exit(main())
