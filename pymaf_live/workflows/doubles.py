"""Notices about people who may be pictures or reflections."""

from __future__ import annotations

from pymaf_live.takes.doubles import pictures_in, reflections_in
from pymaf_live.takes.take import Take


def notices_about_doubles(take: Take) -> list[str]:
    """Return a line for each person who may be a picture, and for each pair with a reflection."""
    pictures = [
        f"person {person} never moves and may be a picture; exports can leave out people"
        for person in pictures_in(take)
    ]
    reflections = [
        f"people {one} and {other} move alike with left and right exchanged: one may be a "
        "reflection; exports can leave out people"
        for one, other in reflections_in(take)
    ]
    return pictures + reflections
