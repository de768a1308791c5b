"""Videos with pictures of people, mirrors, blur and empty stretches."""

from __future__ import annotations

import numpy as np
import pytest

import pymaf_live as pl
from pymaf_live.body.rotations import matrix_from_axis_angle
from pymaf_live.pipeline.options import PipelineOptions
from pymaf_live.sources import open_source
from pymaf_live.workflows.process import ProcessOptions, process
from tests.helpers.paths import shared_case


@pytest.mark.parametrize(
    ("name", "said"),
    [("poster.mp4", "person 2 never moves"), ("mirror.mp4", "one may be a reflection")],
)
def test_pictures_and_reflections_are_reported(name: str, said: str) -> None:
    options = ProcessOptions(pipeline=PipelineOptions(people=2, model="lite"), overlay=False)
    summary = process(open_source(str(shared_case(name))), options).summary
    assert summary.people == 2
    assert [said in notice for notice in summary.notices].count(True) == 1


def test_a_blurred_person_faces_the_camera() -> None:
    take = pl.process(shared_case("blur.mp4"), people=1)
    assert len(set(take.frame.tolist())) == len(take.frame_time)
    # the body's front is its +z; the camera looks along its own
    assert (matrix_from_axis_angle(take.pose[:, 0])[:, 2, 2] < 0).all()


def test_no_body_is_drawn_in_an_empty_scene() -> None:
    take = pl.process(shared_case("gone3s.mp4"), people=1, model="lite", smoothing="live")
    shown = set(take.frame.tolist())
    assert len(take.frame_time) == 150
    assert not shown & set(range(30, 120))
    assert len(shown & set(range(30))) >= 29
    # found again within a tenth of a second
    assert len(shown & set(range(120, 150))) >= 27
    assert np.isfinite(take.joints).all()
