"""Edits of a take: trim, markers, replaced rows."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pymaf_live.body import Body, default_body
from pymaf_live.errors import InputError, UsageError
from pymaf_live.takes import people_at, read_take, trimmed, write_take
from pymaf_live.takes.editing import (
    disagreement,
    trim_of,
    with_held_span,
    with_marker,
    with_moved_marker,
    with_rows,
    with_trim,
    without_marker,
    without_span,
)
from pymaf_live.takes.take import Take
from tests.helpers.take import make_take, moving_limbs, people_by_frame, standing, walking_past


@pytest.fixture(scope="module")
def body() -> Body:
    return default_body()


@pytest.fixture(scope="module")
def take(body: Body) -> Take:
    """Person 1 in all of 40 frames, person 2 in frames 10 to 29."""
    times = np.arange(40) / 20
    return make_take(
        body,
        times,
        {1: moving_limbs(body, times), 2: standing(body, 20)},
        {1: walking_past(times), 2: walking_past(times[:20], 1.0)},
        frames={1: np.arange(40), 2: np.arange(10, 30)},
    )


def test_a_trim_removes_nothing_until_it_is_applied(take: Take) -> None:
    marked = with_trim(take, 5, 14)
    assert marked.trim == (5, 14)
    assert len(marked.frame) == len(take.frame)
    cut = trimmed(marked)
    np.testing.assert_array_equal(cut.frame_time, take.frame_time[5:15])
    assert cut.trim is None
    # persons 1 in ten frames and 2 in those from 10 on
    assert len(cut.frame) == 10 + 5
    of_second = cut.person == 2
    np.testing.assert_array_equal(cut.frame[of_second], np.arange(5, 10))
    np.testing.assert_array_equal(cut.pose[of_second], take.pose[take.person == 2][:5])


@pytest.mark.parametrize(
    ("ends", "kept"), [((14, 5), (5, 14)), ((-3, 7), (0, 7)), ((30, 99), (30, 39))]
)
def test_the_ends_of_a_trim_are_clamped_and_sorted(
    take: Take, ends: tuple[int, int], kept: tuple[int, int]
) -> None:
    assert trim_of(with_trim(take, *ends)) == kept


def test_a_trim_to_everything_is_none(take: Take) -> None:
    assert with_trim(with_trim(take, 5, 14), 0, 39).trim is None


def test_markers_are_sorted_and_trimmed_with_their_frames(take: Take) -> None:
    marked = with_marker(with_marker(with_marker(take, 20, "jump"), 7, "turn \n left"), 30, "end")
    assert marked.marker_frame == (7, 20, 30)
    assert marked.marker_name == ("turn left", "jump", "end")
    cut = trimmed(with_trim(marked, 6, 21))
    assert (cut.marker_frame, cut.marker_name) == ((1, 14), ("turn left", "jump"))
    assert without_marker(marked, 20).marker_frame == (7, 30)
    assert take.marker_frame == ()
    with pytest.raises(UsageError):
        with_marker(take, 40, "after the end")


def test_a_marker_moves_to_the_nearest_free_frame_and_keeps_its_name(take: Take) -> None:
    marked = with_marker(with_marker(with_marker(take, 5, "a"), 20, "b"), 21, "c")
    assert with_moved_marker(marked, 5, 9).marker_frame == (9, 20, 21)
    beside = with_moved_marker(marked, 5, 20)
    assert dict(zip(beside.marker_frame, beside.marker_name, strict=True)) == {
        19: "a", 20: "b", 21: "c"
    }  # fmt: skip
    assert with_moved_marker(marked, 20, 900).marker_frame == (5, 21, len(take.frame_time) - 1)
    with pytest.raises(UsageError, match="no marker"):
        with_moved_marker(marked, 6, 7)


def test_only_rows_of_one_person_in_a_range_are_replaced(take: Take, body: Body) -> None:
    other = replace(take, translation=take.translation + 1.0, score=take.score * 0.5)
    # the new measurement did not find the person in frame 12
    other_rows = ~((other.frame == 12) & (other.person == 1))
    names = ("frame", "person", "pose", "shape", "translation", "joints", "joints_2d", "box",
             "score", "joint_score", "predicted")  # fmt: skip
    other = replace(other, **{name: getattr(other, name)[other_rows] for name in names})
    new = with_rows(take, 1, 8, 15, other)
    touched = (take.person == 1) & (take.frame >= 8) & (take.frame <= 15)
    assert len(new.frame) == len(take.frame) - 1
    for frame in range(40):
        before = {person.id: person for person in people_at(take, frame)}
        after = {person.id: person for person in people_at(new, frame)}
        assert (1 in after) == (frame != 12)
        if 2 in before:
            np.testing.assert_array_equal(before[2].translation, after[2].translation)
        if 1 in after:
            shift = after[1].translation - before[1].translation
            np.testing.assert_allclose(shift, 1.0 if 8 <= frame <= 15 else 0.0, atol=1e-6)
    assert touched.sum() == 8


def test_rows_of_another_body_are_refused(take: Take) -> None:
    with pytest.raises(UsageError):
        with_rows(take, 1, 0, 3, replace(take, body_sha256="0" * 64))


def test_disagreement_is_a_fraction_of_the_persons_size(take: Take) -> None:
    row = np.flatnonzero((take.person == 2) & (take.frame == 15))[0]
    joints = np.asarray(take.joints_2d[row], dtype=np.float64)
    diagonal = np.linalg.norm(joints.max(axis=0) - joints.min(axis=0))
    assert disagreement(take, 2, 15, joints) == pytest.approx(0.0, abs=1e-6)
    moved = joints + np.array([0.1 * diagonal, 0.0])
    assert disagreement(take, 2, 15, moved) == pytest.approx(0.1, rel=1e-5)
    assert disagreement(take, 2, 5, joints) is None


def test_people_of_one_frame_match_those_of_all_frames(take: Take) -> None:
    all_people = people_by_frame(take)
    for frame in (0, 15, 39):
        one = people_at(take, frame)
        assert [person.id for person in one] == [person.id for person in all_people[frame]]
        for a, b in zip(one, all_people[frame], strict=True):
            np.testing.assert_array_equal(a.rotations, b.rotations)
            np.testing.assert_array_equal(a.joints, b.joints)


def test_edits_are_stored_in_the_file(take: Take, tmp_path: Path) -> None:
    write_take(tmp_path / "plain.npz", take)
    with np.load(tmp_path / "plain.npz") as plain:
        assert not {"trim", "marker_frame", "marker_name", "file_time"} & set(plain.files)
    edited = replace(with_marker(with_trim(take, 3, 30), 9, "go"), file_time=take.frame_time % 1.0)
    write_take(tmp_path / "edited.npz", edited)
    again = read_take(tmp_path / "edited.npz")
    assert (again.trim, again.marker_frame, again.marker_name) == ((3, 30), (9,), ("go",))
    assert again.file_time is not None
    np.testing.assert_array_equal(again.file_time, take.frame_time % 1.0)


@pytest.mark.parametrize(
    ("name", "value", "word"),
    [
        ("trim", np.array([5, 40]), "trim"),
        ("trim", np.array([6, 5]), "trim"),
        ("marker_frame", np.array([40]), "marker_frame"),
        ("marker_frame", np.array([7, 7]), "marker_frame"),
        ("file_time", np.full(39, 0.5), "file_time"),
    ],
)
def test_invalid_edits_are_refused(
    take: Take,
    tmp_path: Path,
    name: str,
    value: np.ndarray,
    word: str,  # type: ignore[type-arg]
) -> None:
    path = tmp_path / "take.npz"
    write_take(path, take)
    with np.load(path) as file:
        arrays = dict(file)
    arrays[name] = value
    if name == "marker_frame":
        arrays["marker_name"] = np.array(["a"] * len(value))
    np.savez(path, **arrays)
    with pytest.raises(InputError, match=word):
        read_take(path)


def test_a_deleted_span_has_no_people_and_the_rest_is_unchanged(take: Take) -> None:
    cut = without_span(take, 12, 20)
    assert not np.any((cut.frame >= 12) & (cut.frame <= 20))
    assert len(cut.frame) == len(take.frame) - 18
    only = without_span(take, 12, 20, person=2)
    assert np.array_equal(only.frame[only.person == 1], np.arange(40))
    assert np.array_equal(only.frame[only.person == 2], [10, 11, *range(21, 30)])


def test_a_held_span_repeats_its_first_pose(take: Take) -> None:
    held = with_held_span(take, 5, 15, person=1)
    rows = np.flatnonzero((held.person == 1) & (held.frame >= 5) & (held.frame <= 15))
    assert np.array_equal(held.frame[rows], np.arange(5, 16))
    original = take.pose[(take.person == 1) & (take.frame == 5)]
    np.testing.assert_array_equal(held.pose[rows], np.repeat(original, 11, axis=0))
    assert np.all(np.diff(held.frame) >= 0)
    # the other person, and the frames around the span, stay as they were
    for outside in (held.person == 2, (held.person == 1) & (held.frame > 15)):
        person, frame = held.person[outside][0], held.frame[outside]
        same = (take.person == person) & np.isin(take.frame, frame)
        np.testing.assert_array_equal(held.joints[outside], take.joints[same])
    # a person who enters within the span is held from then on
    both = with_held_span(take, 5, 15)
    assert np.array_equal(
        both.frame[(both.person == 2) & (both.frame <= 15)], [10, 11, 12, 13, 14, 15]
    )
    assert len(with_held_span(take, 100, 120).frame) == len(take.frame)
