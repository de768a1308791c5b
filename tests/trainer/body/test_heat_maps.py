"""Peaks of heat maps."""

import numpy as np

from trainer.body.heat_maps import heat_map_peaks


def test_the_peak_is_found_between_the_cells():
    rows, columns = np.mgrid[:64, :64]
    places = np.array([[100.0, 40.5], [30.0, 200.0]])
    maps = [
        0.8
        * np.exp(-(((columns + 0.5) * 4 - 0.5 - x) ** 2 + ((rows + 0.5) * 4 - 0.5 - y) ** 2) / 50)
        for x, y in places
    ]
    points, heights = heat_map_peaks(np.stack(maps, -1)[None], 256)
    np.testing.assert_allclose(points[0], places, atol=0.2)
    assert ((heights > 0.6) & (heights <= 0.8)).all()


def test_a_peak_at_the_edge_stays_inside():
    maps = np.zeros((1, 64, 64, 1))
    maps[0, 0, 63] = 1
    points, heights = heat_map_peaks(maps, 256)
    np.testing.assert_allclose(points[0, 0], [253.5, 1.5])
    assert heights[0, 0] == 1
