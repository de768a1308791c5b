#!/usr/bin/env python3
"""Check the layout, the vocabulary and the size limits that CONTRIBUTING.md describes.

Fails on modules that lie loose at a package root, docstrings that do not begin with a verb or a
noun phrase, words from `BANNED`, and functions, classes and modules over the size limits.

Usage: ``python tools/check_names.py [--all] [PATH ...]``; without paths the whole repository.
Standard library only.
"""

from __future__ import annotations

import argparse
import ast
import io
import re
import sys
import tokenize
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]

PACKAGES = ("pymaf_live", "ui", "trainer", "tools", "tests")
"""Folders whose Python files are checked."""

ROOT_MODULES = {
    "pymaf_live": {"__init__", "__main__", "errors", "resources", "settings", "types"},
    "ui": {"__init__", "app", "entry"},
    "trainer": {"__init__", "__main__", "train"},
}
"""Modules allowed at a package root; every other one belongs into a sub-package."""

MAX_FUNCTION_LINES = 80
MAX_CLASS_LINES = 300
MAX_MODULE_LINES = 450
LONG_FUNCTIONS_ALLOWED = {"trainer/train.py"}
"""The training loop is readable on one page; splitting it would hide its order."""

DOCSTRING_STARTS = (
    "What", "Whether", "Of", "How", "Who", "Whoever", "Whose", "Where", "Why", "As", "The same",
)  # fmt: skip
"""Beginnings that describe a thing by a clause instead of naming it."""


@dataclass(frozen=True)
class Banned:
    """A word or phrase with its replacement.

    Parameters
    ----------
    pattern : str
        Regular expression for whole words, matched without case. A space also matches a hyphen,
        a line break and the underscores and capitals of an identifier, so that ``run errand``
        matches ``run_errand`` and ``RunErrand``.
    instead : str
        Text to print behind "write".
    identifiers_only : bool
        True for a word that is good English in a sentence and bad as a name.
    """

    pattern: str
    instead: str
    identifiers_only: bool = False


BANNED = (
    Banned(r"hang(s|ing)? on", "depends on"),
    Banned(r"call(s|ed|ing)? off", "cancel"),
    Banned(r"look(s|ed|ing)? at the (network|picture|crop)s?", "run inference on the image"),
    Banned(r"of all that", "the things themselves, as a list"),
    Banned(r"errands?", "task"),
    Banned(r"deeds?", "action"),
    Banned(r"(is|are|was|were|be) let go", "is closed, released or dropped"),
    Banned(r"who(so)?ever", "the user, the caller"),
    Banned(
        r"(fore(see|sees|seen|saw|sight|sighted)|unforeseen)", "prefetch, lookahead, unexpected"
    ),
    Banned(r"pulses?", "tick timer"),
    Banned(r"films?", "video"),
    Banned(r"(made up|madeup)", "fake or synthetic"),
    Banned(r"(hand over|handover)s?", "bounded queue"),
    Banned(r"written whole", "atomic write"),
    Banned(r"asked to stop", "cancelled"),
    Banned(r"(surest|sureness)", "most confident, confidence"),
    Banned(r"(strangeness|unlikeness)", "appearance distance"),
    Banned(r"so many", "the number itself"),
    Banned(r"nobody", "no one, no people, unused"),
    Banned(r"(heed|heeds|heeded)", "respect, follow"),
    Banned(r"(mend|mends|mended)", "fix, remedy"),
    Banned(r"finders?", "detector"),
    Banned(r"goes on", "continues"),
    Banned(r"told", "a noun: reported, events, callback", identifiers_only=True),
    Banned(r"spent", "timings", identifiers_only=True),
    Banned(r"wish", "request", identifiers_only=True),
    Banned(r"begun", "started", identifiers_only=True),
)
"""The short list; CONTRIBUTING.md prints it."""

UNCHECKED_WORDS = {"tools/check_names.py", "tests/tools/test_check_names.py", "CONTRIBUTING.md"}
"""Files that have to quote the words."""

_MOST_PRINTED = 150
"""Findings beyond which only the number per package is printed."""

_WORD_PATTERNS = [
    (re.compile(r"\b" + rule.pattern.replace(" ", r"[\s_-]+") + r"\b", re.IGNORECASE), rule)
    for rule in BANNED
]
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_DOCSTRING_START = re.compile(rf"(?:{'|'.join(DOCSTRING_STARTS)})\b")


@dataclass(frozen=True, order=True)
class Finding:
    """One violation.

    Parameters
    ----------
    path : str
        Relative to the repository.
    line : int
        From 1.
    text : str
        Problem and remedy.
    """

    path: str
    line: int
    text: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.text}"


def check_repository(root: Path = ROOT, paths: Sequence[Path] = ()) -> list[Finding]:
    """Return the findings in a repository, sorted by file and line.

    Parameters
    ----------
    root : Path
    paths : sequence of Path
        Files and folders to check; everything by default.
    """
    findings: list[Finding] = []
    for file in _files(root, paths):
        name = file.relative_to(root).as_posix()
        text = file.read_text(encoding="utf-8")
        if file.suffix == ".py":
            findings += check_python(name, text)
        else:
            findings += check_prose(name, text)
    return sorted(findings)


def check_python(name: str, text: str) -> list[Finding]:
    """Return the findings in one Python file; `name` is its path relative to the repository."""
    tree = ast.parse(text, name)
    findings = [*_root_module(name), *_docstrings(name, tree), *_sizes(name, text, tree)]
    if name not in UNCHECKED_WORDS:
        findings += _python_words(name, text)
    return findings


def check_prose(name: str, text: str) -> list[Finding]:
    """Return the banned words in one Markdown file."""
    if name in UNCHECKED_WORDS:
        return []
    return list(_banned_words(name, 1, text))


def _files(root: Path, paths: Sequence[Path]) -> Iterator[Path]:
    if not paths:
        paths = [
            *(root / package for package in PACKAGES),
            *root.glob("*.md"),
            *root.glob("*.py"),
            root / "docs",
        ]
    for path in paths:
        path = path.resolve()
        if path.is_file():
            yield path
            continue
        for file in sorted(path.rglob("*")):
            is_note = "docs/notes/" in file.as_posix()
            if file.suffix == ".py" or (file.suffix == ".md" and not is_note):
                yield file


def _root_module(name: str) -> Iterator[Finding]:
    package, _, module = name.partition("/")
    allowed = ROOT_MODULES.get(package)
    if allowed is None or "/" in module or module.removesuffix(".py") in allowed:
        return
    yield Finding(
        name, 1, f"module at the root of {package}; move it into the package that owns its job"
    )


def _docstrings(name: str, tree: ast.Module) -> Iterator[Finding]:
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if not isinstance(body, list):
            continue
        for statement in body:
            # docstrings of modules, classes and functions, and those below an attribute
            if not isinstance(statement, ast.Expr) or not isinstance(statement.value, ast.Constant):
                continue
            text = statement.value.value
            found = isinstance(text, str) and _DOCSTRING_START.match(text.lstrip())
            if found:
                yield Finding(
                    name,
                    statement.lineno,
                    f"docstring starts with {found[0]!r}; begin with a verb or a noun phrase",
                )


def _sizes(name: str, text: str, tree: ast.Module) -> Iterator[Finding]:
    lines = text.count("\n")
    if lines > MAX_MODULE_LINES:
        yield Finding(
            name, 1, f"module of {lines} lines; split it, the limit is {MAX_MODULE_LINES}"
        )
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef):
            kind, limit = "class", MAX_CLASS_LINES
        elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            kind, limit = "function", MAX_FUNCTION_LINES
            if name in LONG_FUNCTIONS_ALLOWED:
                continue
        else:
            continue
        length = (node.end_lineno or node.lineno) - node.lineno + 1
        if length > limit:
            yield Finding(
                name,
                node.lineno,
                f"{kind} {node.name} of {length} lines; split it, the limit is {limit}",
            )


def _python_words(name: str, text: str) -> Iterator[Finding]:
    # since Python 3.12 an f-string is three kinds of token
    literals = {tokenize.STRING, tokenize.COMMENT, getattr(tokenize, "FSTRING_MIDDLE", -1)}
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.NAME:
            words = " ".join(_CAMEL.split(token.string))
            yield from _banned_words(name, token.start[0], words, identifier=True)
        elif token.type in literals:
            yield from _banned_words(name, token.start[0], token.string)


def _banned_words(
    name: str, first_line: int, text: str, *, identifier: bool = False
) -> Iterator[Finding]:
    text = text.replace("_", " ")  # names that are quoted in prose count, too
    for pattern, rule in _WORD_PATTERNS:
        if rule.identifiers_only and not identifier:
            continue
        for found in pattern.finditer(text):
            line = first_line + text.count("\n", 0, found.start())
            words = " ".join(found[0].split())
            yield Finding(name, line, f"{words!r}; write {rule.instead}")


def _print(findings: Sequence[Finding], *, every: bool) -> None:
    if every or len(findings) <= _MOST_PRINTED:
        print(*findings, sep="\n")
    else:
        counts = Counter("/".join(each.path.split("/")[:-1][:2]) or "." for each in findings)
        print(*(f"{package}: {count} findings" for package, count in counts.items()), sep="\n")
        print("name a path to list the findings in it, or give --all")
    print(f"{len(findings)} findings")


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the findings and return 1 if there are any."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("paths", nargs="*", type=Path, help="files and folders; default: all")
    parser.add_argument("--all", action="store_true", help="print every finding")
    options = parser.parse_args(arguments)
    findings = check_repository(ROOT, options.paths)
    if findings:
        _print(findings, every=options.all or bool(options.paths))
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
