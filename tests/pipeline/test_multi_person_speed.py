"""Speed with several people, on a synthetic video of four; marker `benchmark`."""

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
"""Frames until the model for two people per request is compiled and used."""


def write_video_of_four(path: Path, truth: Path) -> None:
    """Write four columns of the demo, each at another time, played back and forth without cuts."""
    joints = np.load(truth)["joints_2d"][..., 0]
    centre = (joints.min(axis=1) + joints.max(axis=1)) / 2
    centre = np.convolve(np.pad(centre, 15, mode="edge"), np.ones(31) / 31, "valid")
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
                source = (index + 50 * person) % (2 * last)
                source = min(source, 2 * last - source)
                x = int(np.clip(centre[source], half, SIZE[0] - half))
                column = frames[source][:, x - half : x + half]
                columns.append(column[:, ::-1] if person % 2 else column)
            image = av.VideoFrame.from_ndarray(np.hstack(columns), format="rgb24")
            for packet in stream.encode(image):
                container.mux(packet)
        for packet in stream.encode():
            container.mux(packet)


@pytest.mark.benchmark
def test_four_people_cost_far_less_than_four_times_one_person(
    tmp_path: Path, record_property: pytest.RecordProperty
) -> None:
    video = tmp_path / "four.mp4"
    write_video_of_four(video, DATA / "demo_truth.npz")
    wall_times: dict[int, list[float]] = {1: [], PEOPLE: []}
    cpu_times: dict[int, list[float]] = {1: [], PEOPLE: []}
    for _ in range(ROUNDS):
        for people in wall_times:
            found = process_run(
                video, "lite", "openvino", tmp_path / "cache", overlay=False, people=people
            )
            assert found["frames"] == FRAMES
            wall_times[people].append(float(np.mean(found["intervals"][WARM_UP:])))
            intervals = found["processor_intervals"][WARM_UP:]
            cpu_times[people].append(float(np.mean(intervals)))
    for name, times in (("wall time", wall_times), ("CPU time", cpu_times)):
        one, four = min(times[1]), min(times[PEOPLE])
        record_property(f"{name}_ratio", four / one)
        print(f"{name}: {one:.1f} ms per frame, {four:.1f} with four: {four / one:.2f} times")
    # wall time includes other load; 2.66 to 2.76 on an idle machine, 2.2 is the goal
    assert min(cpu_times[PEOPLE]) / min(cpu_times[1]) <= 3.0
