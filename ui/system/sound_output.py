"""Output of sound through the system's default device; there may be none."""

from __future__ import annotations

import contextlib
import ctypes
import logging
import sys
from collections.abc import Callable, Generator
from typing import Protocol

from pymaf_live.sources.sound import SAMPLE_RATE, Samples

_log = logging.getLogger(__name__)

_AlsaHandler = ctypes.CFUNCTYPE(
    None, ctypes.c_char_p, ctypes.c_int, ctypes.c_char_p, ctypes.c_int, ctypes.c_char_p
)
_drop_message = _AlsaHandler(lambda *_: None)
"""Referenced here for as long as ALSA may call it."""
_PERIOD_MS = 25
_PERIODS = 3


class SoundOutput(Protocol):
    """An open output device."""

    latency: float
    """Seconds from a sample being handed over to it being heard, about."""

    def close(self) -> None:
        """Stop; the samples are no longer requested afterwards."""


OpenOutput = Callable[[Callable[[int], Samples]], SoundOutput | None]
"""Opens the output. The argument returns the next N samples; it is called in any thread. The result
is None where nothing can be heard."""


def open_sound_output(fill: Callable[[int], Samples]) -> SoundOutput | None:
    """Open the default device; see `OpenOutput`. May block for a second."""
    try:
        return _Device(fill)
    except Exception as error:  # no device, no sound server, no library: play without sound
        _log.info("no sound output: %s", error)
        return None


class _Device:
    def __init__(self, fill: Callable[[int], Samples]) -> None:
        import miniaudio

        _silence_alsa()
        # without this list the library's null device would pretend that there is one
        real = [each for each in miniaudio.Backend if each.name not in ("NULL", "CUSTOM")]
        self._device = miniaudio.PlaybackDevice(
            output_format=miniaudio.SampleFormat.FLOAT32,
            nchannels=2,
            sample_rate=SAMPLE_RATE,
            buffersize_msec=_PERIOD_MS,
            callback_periods=_PERIODS,
            backends=real,
            app_name="PyMAF Live",
        )
        self.latency = _PERIODS * _PERIOD_MS / 1000
        requests = _requests(fill)
        next(requests)
        self._device.start(requests)

    def close(self) -> None:
        self._device.close()


def _silence_alsa() -> None:
    """Keep ALSA from printing a page of lines where there is no sound card."""
    if sys.platform == "linux":
        with contextlib.suppress(OSError, AttributeError):
            ctypes.CDLL("libasound.so.2").snd_lib_error_set_handler(_drop_message)


def _requests(fill: Callable[[int], Samples]) -> Generator[Samples, int, None]:
    """Answer the requests of the library, which sends the number of samples."""
    count = yield fill(0)
    while True:
        count = yield fill(count)
