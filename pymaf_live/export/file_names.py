"""What a person is called in files: behind a take's name, and as an object of a scene."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Mapping, Sequence

from pymaf_live.takes.take import Take

_MOST_BYTES = 80
"""Of a name within a file's: file systems allow 255 for all of it."""
_NOT_IN_FILES = re.compile(r'[<>:"/\\|?*\x00-\x1f\x7f]')


def person_name(take: Take, person: int) -> str:
    """The name that a person of a take was given, in signs that can be seen; '' without one."""
    name = dict(zip(take.person_number, take.person_name, strict=True)).get(person, "")
    return "".join(sign for sign in name if sign.isprintable()).strip()


def person_suffixes(people: Sequence[int], names: Mapping[int, str]) -> list[str]:
    """What tells each person's file from the others', to be put behind the take's name.

    One who is alone needs nothing. Of several, whoever has a name is told by it and anybody else
    by the number, but the first has nothing behind. A name that somebody has already, whatever its
    capitals, is told by the number as well.

    Parameters
    ----------
    people : sequence of int
        Their numbers, who has the most frames first.
    names : mapping
        Of those who have one.

    Returns
    -------
    list of str
        ``''``, ``'_Ann'`` or ``'_person3'`` of each.
    """
    if len(people) < 2:
        return [""] * len(people)
    words = {person: word for person in people if (word := safe_file_part(names.get(person, "")))}
    behind = {person: f"_person{person}" for person in people if person not in words}
    if people[0] in behind:
        behind[people[0]] = ""
    taken = {text.casefold() for text in behind.values()}
    for person, word in words.items():
        text = f"_{word}"
        while text.casefold() in taken:
            text += f"_person{person}"
        taken.add(text.casefold())
        behind[person] = text
    return [behind[person] for person in people]


def sibling_pattern(names: Collection[str]) -> str:
    """A regular expression of all that `person_suffixes` may put behind, given these names."""
    words = [re.escape(word) for name in names if (word := safe_file_part(name))]
    either = "|".join([r"person\d+", *words])
    return rf"_(?i:{either})(?:_person\d+)*"


def safe_file_part(name: str) -> str:
    """A name as a part of a file's name on every system; '' where nothing is left."""
    word = _NOT_IN_FILES.sub("_", unicodedata.normalize("NFC", name))
    # a letter must not be cut in two
    return word.encode(errors="ignore")[:_MOST_BYTES].decode(errors="ignore").strip(" .")
