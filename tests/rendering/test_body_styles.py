"""Appearances of people, drawn by OpenGL and by the CPU."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from pymaf_live.body import Body
from pymaf_live.rendering import OverlayStyle, open_overlay, person_colour
from pymaf_live.rendering.surface import Surfaces
from pymaf_live.types import BodyStyle
from tests.rendering.conftest import OverlayOpener
from tests.rendering.posed import CAMERA, SIZE, person

BLACK = np.zeros((SIZE[1], SIZE[0], 3), np.uint8)


def style(body: BodyStyle) -> OverlayStyle:
    return OverlayStyle(opacity=1.0, body=body)


def hue_share(drawn: np.ndarray, colour: np.ndarray) -> float:
    """Return the share of drawn pixels whose colour has the direction of another."""
    lit = drawn.reshape(-1, 3).astype(float)
    lit = lit[lit.sum(axis=1) > 60]
    cosine = lit @ colour / np.linalg.norm(lit, axis=1) / np.linalg.norm(colour)
    return float((cosine > 0.995).mean())


def test_only_the_shirt_has_the_persons_colour(opener: OverlayOpener, body: Body) -> None:
    someone = person(body, 1, person_id=2)
    coral = person_colour(2)
    clothed = opener(style("clothed")).draw(BLACK, [someone], CAMERA)
    plain = opener(style("plain")).draw(BLACK, [someone], CAMERA)
    assert hue_share(plain, coral) > 0.7
    assert 0.1 < hue_share(clothed, coral) < 0.6
    # the clothes follow the body: about the same silhouette
    one, other = clothed.any(axis=2), plain.any(axis=2)
    assert (one & other).sum() / (one | other).sum() > 0.8


def test_grey_has_no_colour_of_its_own(opener: OverlayOpener, body: Body) -> None:
    drawn = opener(style("grey")).draw(BLACK, [person(body, 1, person_id=2)], CAMERA)
    lit = drawn[drawn.sum(axis=2) > 60].astype(int)
    assert len(lit) > 1000
    assert np.ptp(lit, axis=1).mean() < 12


def test_confidence_colours_follow_the_joints(opener: OverlayOpener, body: Body) -> None:
    overlay = opener(style("confidence"))
    sure = person(body, 1)
    doubtful = replace(sure, joint_score=np.where(np.arange(24) < 1, 1.0, 0.45))
    green = overlay.draw(BLACK, [sure], CAMERA).astype(int)
    mixed = overlay.draw(BLACK, [doubtful], CAMERA).astype(int)
    lit = green.sum(axis=2) > 150
    assert (green[lit][:, 1] > green[lit][:, 0]).mean() > 0.9
    # the limbs turn yellow or red, the surroundings of the pelvis stay green
    assert (mixed[lit][:, 0] > mixed[lit][:, 1]).mean() > 0.5
    column, row = np.rint(sure.joints_2d[0]).astype(int)
    assert mixed[row, column, 1] > mixed[row, column, 0]


def test_a_wireframe_is_open_and_stays_on_the_body(opener: OverlayOpener, body: Body) -> None:
    someone = person(body, 1, at=(0.0, 0.1, 2.4))
    plain = opener(style("plain")).draw(BLACK, [someone], CAMERA).any(axis=2)
    drawn = opener(style("wireframe")).draw(BLACK, [someone], CAMERA).sum(axis=2)
    assert 0.15 < (drawn[plain] > 90).mean() < 0.8
    assert (drawn[~plain] > 90).mean() < 0.02


def test_a_skeleton_replaces_the_body_and_can_be_hidden(opener: OverlayOpener, body: Body) -> None:
    someone = person(body, 1)
    drawn = opener(style("skeleton")).draw(BLACK, [someone], CAMERA)
    expected = opener(OverlayStyle(mesh=False, skeleton=True)).draw(BLACK, [someone], CAMERA)
    assert drawn.any()
    assert np.array_equal(drawn, expected)
    hidden = opener(replace(style("skeleton"), mesh=False)).draw(BLACK, [someone], CAMERA)
    assert not hidden.any()


def test_gl_and_cpu_agree_on_clothes(body: Body) -> None:
    people = [person(body, 4, turn=1.0), person(body, 5, (0.7, 0.2, 4.4), 2)]
    gl = open_overlay(body, SIZE, "auto", style("clothed"))
    cpu = open_overlay(body, SIZE, "cpu", style("clothed"))
    if gl.name == cpu.name:
        pytest.skip("OpenGL is not available")
    drawn = [overlay.draw(BLACK, people, CAMERA).astype(int) for overlay in (gl, cpu)]
    gl.close()
    both = (drawn[0].sum(axis=2) > 60) & (drawn[1].sum(axis=2) > 60)
    assert np.abs(drawn[0] - drawn[1])[both].mean() < 8


def test_body_parts_are_drawn_on_the_bodys_own_mesh(body: Body) -> None:
    clothed = Surfaces(body).of(style("clothed"))
    assert len(clothed.paint) > len(body.template)
    assert Surfaces(body).of(OverlayStyle(parts=True)).paint.shape == (len(body.template), 4)
