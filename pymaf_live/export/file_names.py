"""Names of people in files: suffixes of file names and names of objects in a scene."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Mapping, Sequence

from pymaf_live.takes.take import Take

_MAX_BYTES = 80
"""Largest size of a person's name in a file name; file systems allow 255 bytes for the whole."""
_INVALID_CHARACTERS = re.compile(r'[<>:"/\\|?*\x00-\x1f\x7f]')


def person_name(take: Take, person: int) -> str:
    """Return the printable characters of a person's name; '' without one."""
    name = dict(zip(take.person_number, take.person_name, strict=True)).get(person, "")
    return "".join(character for character in name if character.isprintable()).strip()


def person_suffixes(people: Sequence[int], names: Mapping[int, str]) -> list[str]:
    """Return what is added to the take's name in each person's file name.

    A single person has no suffix. Of several, people with a name have it as suffix and the others
    their number, except for the first person, which has none. Names that differ at most in case
    get the number as well.

    Parameters
    ----------
    people : sequence of int
        Numbers, most frames first.
    names : mapping
        Names by number, for people that have one.

    Returns
    -------
    list of str
        ``''``, ``'_Ann'`` or ``'_person3'`` for each.
    """
    if len(people) < 2:
        return [""] * len(people)
    parts = {person: part for person in people if (part := safe_file_part(names.get(person, "")))}
    suffixes = {person: f"_person{person}" for person in people if person not in parts}
    if people[0] in suffixes:
        suffixes[people[0]] = ""
    used = {text.casefold() for text in suffixes.values()}
    for person, part in parts.items():
        text = f"_{part}"
        while text.casefold() in used:
            text += f"_person{person}"
        used.add(text.casefold())
        suffixes[person] = text
    return [suffixes[person] for person in people]


def scene_names(people: Sequence[int], names: Mapping[int, str]) -> dict[int, str]:
    """Return the name of each person inside the files, by number.

    People without a name get their number, so that several of them in one scene can be told apart;
    a single person without a name stays without one. The second of two people with the same name
    gets the number as well.

    Parameters
    ----------
    people : sequence of int
        Numbers, most frames first.
    names : mapping
        Names by number, for people that have one.
    """
    if len(people) < 2:
        return {person: names.get(person, "") for person in people}
    result: dict[int, str] = {}
    for person in people:
        name = names.get(person, "") or f"person{person}"
        while name.casefold() in {used.casefold() for used in result.values()}:
            name += f"_person{person}"
        result[person] = name
    return result


def sibling_pattern(names: Collection[str]) -> str:
    """Return a regular expression of all suffixes that `person_suffixes` may return for `names`."""
    parts = [re.escape(part) for name in names if (part := safe_file_part(name))]
    choices = "|".join([r"person\d+", *parts])
    return rf"_(?i:{choices})(?:_person\d+)*"


def safe_file_part(name: str) -> str:
    """Return a name as part of a file name that every system accepts; '' if nothing is left."""
    part = _INVALID_CHARACTERS.sub("_", unicodedata.normalize("NFC", name))
    # cut whole characters
    return part.encode(errors="ignore")[:_MAX_BYTES].decode(errors="ignore").strip(" .")
