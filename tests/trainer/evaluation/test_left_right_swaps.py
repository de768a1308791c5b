"""Tests of left-right swap detection."""

import numpy as np
import pytest

from trainer.evaluation.left_right_swaps import (
    Swap,
    axis_flips,
    lateral_axis,
    swaps_against_observer,
    swaps_against_past,
)


def turned(degrees):
    """Return the lateral axis of a person turned by `degrees` (F,) in each frame."""
    angle = np.radians(degrees)
    return np.column_stack([np.cos(angle), np.zeros(len(angle)), np.sin(angle)])


def test_lateral_axis_points_from_right_to_left():
    joints = np.zeros((1, 4, 3))
    joints[0, 0], joints[0, 2] = (0.2, 0, 0), (0.3, 0, 0)
    joints[0, 1], joints[0, 3] = (-0.2, 0, 0), (-0.3, 0, 0)
    assert lateral_axis(joints, [0, 2], [1, 3])[0] == pytest.approx([1, 0, 0])


def test_a_turn_is_not_a_swap():
    frame = np.arange(30)
    axis = turned(frame * 50.0)
    assert axis_flips(frame, axis) == []
    assert swaps_against_past(frame, axis) == []


@pytest.mark.parametrize(("length", "expected"), [(3, []), (4, [Swap(10, 4)]), (9, [Swap(10, 9)])])
def test_only_lasting_swaps_count(length, expected):
    frame = np.arange(40)
    degrees = frame * 2.0
    degrees[10 : 10 + length] += 180
    assert swaps_against_past(frame, turned(degrees)) == expected


def test_swap_that_takes_two_frames_is_detected():
    frame = np.arange(40)
    degrees = np.zeros(40)
    degrees[10], degrees[11:25], degrees[25] = 90, 180, 90
    assert swaps_against_past(frame, turned(degrees)) == [Swap(11, 15)]


def test_shorter_part_counts_if_a_swap_is_never_undone():
    frame = np.arange(40)
    degrees = np.where(frame < 8, 180.0, 0.0)
    assert swaps_against_past(frame, turned(degrees)) == [Swap(0, 8)]


def test_a_flip_across_a_gap_is_not_a_swap():
    frame = np.r_[np.arange(10), np.arange(30, 40)]
    degrees = np.where(frame < 20, 0.0, 180.0)
    assert swaps_against_past(frame, turned(degrees)) == []


def test_swaps_relative_to_another_estimate():
    frame = np.arange(0, 20, 2)
    opposed = np.isin(frame, [2, 8, 10, 12, 18])
    assert swaps_against_observer(frame, opposed, stride=2) == [Swap(8, 6)]
    # a gap between observed frames ends a swap
    frame, opposed = np.array([0, 2, 30, 32]), np.ones(4, bool)
    assert swaps_against_observer(frame, opposed, stride=2) == [Swap(0, 4), Swap(30, 4)]
