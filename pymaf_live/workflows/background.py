"""Long workflows in processes of their own, for programs that must stay responsive."""

from __future__ import annotations

from pathlib import Path

from pymaf_live.system.child_process import run_in_child
from pymaf_live.system.reporter import Reporter
from pymaf_live.takes.library import TakeEntry
from pymaf_live.workflows.body_video import BodyVideoRequest, write_body_video
from pymaf_live.workflows.capture import CaptureOptions, capture
from pymaf_live.workflows.process import ProcessOptions, Summary, process


def process_in_background(text: str, options: ProcessOptions, reporter: Reporter) -> Summary:
    """Process one input as the command line does; see `process`."""
    return run_in_child(_process, text, options, reporter)


def capture_in_background(path: Path, options: CaptureOptions, reporter: Reporter) -> TakeEntry:
    """Capture a whole video; see `capture`."""
    return run_in_child(capture, path, options, reporter)


def _process(text: str, options: ProcessOptions, reporter: Reporter) -> Summary:
    from pymaf_live.sources import open_source

    return process(open_source(text), options, reporter).summary


def write_body_video_in_background(request: BodyVideoRequest, reporter: Reporter) -> str:
    """Write a video with the body; see `write_body_video`."""
    return run_in_child(_write_body_video, request.target, request, reporter)


def _write_body_video(_target: Path, request: BodyVideoRequest, reporter: Reporter) -> str:
    return write_body_video(request, reporter)
