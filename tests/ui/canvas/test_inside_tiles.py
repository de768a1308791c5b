"""Tiles of the inside view contain the whole crop, however it is turned."""

from __future__ import annotations

import numpy as np
import pytest

from pymaf_live.types import Crop
from ui.canvas.inside_view import _inside_image, _square_of


@pytest.mark.parametrize("degrees", [0, 30, 45, -100])
def test_no_sample_point_of_the_grid_leaves_its_tile(degrees: float) -> None:
    angle, scale = np.radians(degrees), 1.7
    turn = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    crop = Crop(np.column_stack([turn, [300.0, 200.0]]), 224)
    edge = np.array([-0.5, 223.5])
    grid = np.stack(np.meshgrid(edge, edge), axis=-1).reshape(-1, 2)
    x0, y0, x1, y1 = _square_of(crop)
    assert x1 - x0 == pytest.approx(y1 - y0)
    points = crop.to_frame(grid) + 0.5
    assert (points > [x0, y0]).all()
    assert (points < [x1, y1]).all()
    # and no more than it needs
    assert np.ptp(points[:, 0]) > 0.95 * (x1 - x0)


def test_no_dot_is_drawn_beside_the_image() -> None:
    points = np.array([[0.0, 0.0], [-8.0, 20.0], [639.0, 479.0], [640.0, 20.0], [20.0, 481.0]])
    assert _inside_image(points, (640, 480)).tolist() == [[0, 0], [639, 479]]
