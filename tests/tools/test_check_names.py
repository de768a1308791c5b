"""The repository's own checks of names, docstrings and sizes."""

from __future__ import annotations

from pathlib import Path

import pytest

from tools.check_names import BANNED, check_prose, check_python, check_repository, main


def texts(name: str, source: str) -> list[str]:
    return [f"{each.line}: {each.text.split(';')[0]}" for each in check_python(name, source)]


@pytest.mark.parametrize(
    ("name", "count"),
    [
        ("pymaf_live/loose.py", 1),
        ("ui/loose.py", 1),
        ("trainer/loose.py", 1),
        ("pymaf_live/types.py", 0),
        ("ui/entry.py", 0),
        ("trainer/__main__.py", 0),
        ("pymaf_live/system/anything.py", 0),
        ("tests/conftest.py", 0),
    ],
)
def test_loose_modules_are_reported(name: str, count: int) -> None:
    assert len(check_python(name, "")) == count


@pytest.mark.parametrize(
    "start", ["What it is.", "Whether it is.", "Of a run.", "How much.", "As x."]
)
@pytest.mark.parametrize(
    "source",
    [
        '"""{}"""\n',
        'class A:\n    """{}"""\n',
        'def f():\n    """\n    {}\n    """\n',
        'LIMIT = 1\n"""{}"""\n',
        'class A:\n    size: int\n    """{}"""\n',
    ],
)
def test_docstrings_that_start_with_a_clause_are_reported(start: str, source: str) -> None:
    (finding,) = check_python("ui/state/a.py", source.format(start))
    assert "docstring starts with" in finding.text


@pytest.mark.parametrize("start", ["Return it.", "Offset in pixels.", "Whole take.", "Assign ids."])
def test_other_docstrings_pass(start: str) -> None:
    assert check_python("ui/state/a.py", f'"""{start}"""\n') == []


def test_banned_words_are_found_in_identifiers_strings_and_comments() -> None:
    source = (
        "def run_errand(film):\n"
        "    # it hangs on the size\n"
        '    raise ValueError("the search was called off")\n'
        "class ErrandList: pass\n"
    )
    assert texts("ui/state/a.py", source) == [
        "1: 'errand'",
        "1: 'film'",
        "2: 'hangs on'",
        "3: 'called off'",
        "4: 'Errand'",
    ]


def test_a_phrase_is_found_across_lines() -> None:
    assert texts("ui/state/a.py", '"""First line.\n\n    The result hangs\n    on it.\n"""\n') == [
        "3: 'hangs on'"
    ]


def test_words_that_are_bad_only_as_names_are_allowed_in_text() -> None:
    assert check_python("ui/state/a.py", "# the time spent here\n") == []
    assert len(check_python("ui/state/a.py", "spent = {}\n")) == 1


def test_parts_of_other_words_are_allowed() -> None:
    assert check_python("ui/state/a.py", "impulse = filming = indeed = amended = 1\n") == []


def test_prose_is_checked_line_by_line() -> None:
    (finding,) = check_prose("docs/a.md", "fine\nThe answer hangs on it.\n")
    assert (finding.line, "depends on" in finding.text) == (2, True)


def test_size_limits() -> None:
    body = "    x = 1\n"
    assert check_python("ui/a/b.py", "def f():\n" + 79 * body) == []
    assert "function f of 81 lines" in check_python("ui/a/b.py", "def f():\n" + 80 * body)[0].text
    assert check_python("trainer/train.py", "def f():\n" + 80 * body) == []
    assert "class A of 301 lines" in check_python("ui/a/b.py", "class A:\n" + 300 * body)[0].text
    assert "module of 451 lines" in check_python("ui/a/b.py", "x = 1\n" * 451)[0].text


def test_every_banned_word_has_a_replacement() -> None:
    assert all(rule.instead for rule in BANNED)
    assert len({rule.pattern for rule in BANNED}) == len(BANNED)


def test_a_repository_is_walked_and_notes_are_left_alone(tmp_path: Path) -> None:
    for name, content in {
        "pymaf_live/body/a.py": '"""What it is."""\n',
        "docs/a.md": "nobody\n",
        "docs/notes/a.md": "nobody\n",
        "README.md": "A film.\n",
        "other/a.py": '"""What it is."""\n',
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(content)
    found = [each.path for each in check_repository(tmp_path)]
    assert found == ["README.md", "docs/a.md", "pymaf_live/body/a.py"]


def test_the_exit_code_says_whether_anything_was_found(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["tools"]) == 0
    assert capsys.readouterr().out == ""
