"""What several people cost, on a made-up film of four; group `benchmark`."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from pymaf_live.diagnostics.benchmark_runs import process_run
from pymaf_live.resources import resource
from tests.helpers.paths import DATA

SIZE = (1280, 720)
FRAMES, PEOPLE, ROUNDS = 420, 4, 3
WARM_UP = 200
"""Frames until the model for two people a run is made and used."""


def write_film_of_four(path: Path, truth: Path) -> None:
    """Four columns of the demo, each with the person in another moment; no cut, to and fro."""
    joints = np.load(truth)["joints_2d"][..., 0]
    middle = (joints.min(axis=1) + joints.max(axis=1)) / 2
    middle = np.convolve(np.pad(middle, 15, mode="edge"), np.ones(31) / 31, "valid")
    with av.open(str(resource("demo.mp4"))) as demo:
        frames = [frame.to_ndarray(format="rgb24") for frame in demo.decode(video=0)]
    half, last = SIZE[0] // PEOPLE // 2, len(frames) - 1
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=Fraction(30))
        stream.width, stream.height = SIZE
        stream.pix_fmt = "yuv420p"
        for index in range(FRAMES):
            columns = []
            for person in range(PEOPLE):
                moment = (index + 50 * person) % (2 * last)
                moment = min(moment, 2 * last - moment)
                x = int(np.clip(middle[moment], half, SIZE[0] - half))
                column = frames[moment][:, x - half : x + half]
                columns.append(column[:, ::-1] if person % 2 else column)
            picture = av.VideoFrame.from_ndarray(np.hstack(columns), format="rgb24")
            for packet in stream.encode(picture):
                container.mux(packet)
        for packet in stream.encode():
            container.mux(packet)


@pytest.mark.benchmark
def test_four_people_cost_far_less_than_four_times_one_person(
    tmp_path: Path, record_property: pytest.RecordProperty
) -> None:
    film = tmp_path / "four.mp4"
    write_film_of_four(film, DATA / "demo_truth.npz")
    by_clock: dict[int, list[float]] = {1: [], PEOPLE: []}
    by_processor: dict[int, list[float]] = {1: [], PEOPLE: []}
    for _ in range(ROUNDS):
        for people in by_clock:
            found = process_run(
                film, "lite", "openvino", tmp_path / "cache", overlay=False, people=people
            )
            assert found["frames"] == FRAMES
            by_clock[people].append(float(np.mean(found["intervals"][WARM_UP:])))
            worked = found["processor_intervals"][WARM_UP:]
            by_processor[people].append(float(np.mean(worked)))
    for name, spent in (("clock", by_clock), ("processor", by_processor)):
        one, four = min(spent[1]), min(spent[PEOPLE])
        record_property(f"{name}_ratio", four / one)
        print(f"by the {name}: {one:.1f} ms a frame, {four:.1f} with four: {four / one:.2f} times")
    # of the clock other work takes its part; 2.66 to 2.76 on the machine at rest, 2.2 is the aim
    assert min(by_processor[PEOPLE]) / min(by_processor[1]) <= 3.0
