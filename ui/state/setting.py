"""Observables that are stored in the settings.

A field of the state that is declared with `setting` starts with the default of that setting, is set
from the settings file at the start, and is written back when it changes.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from pymaf_live.settings import DEFAULTS
from ui.state.observable import Observable

_METADATA_KEY = "setting"


class _Unchanged:
    """Type of `UNCHANGED`."""


UNCHANGED: Final = _Unchanged()
"""Returned by `to_setting` where the stored value is to stay as it is."""
_USE_DEFAULT: Final = _Unchanged()


@dataclass(frozen=True)
class _Stored:
    name: str
    to_state: Callable[[Any], Any]
    to_setting: Callable[[Any, Any], Any]


@dataclass(frozen=True)
class BoundSetting:
    """An observable of the state with the setting that stores it."""

    name: str
    """Field of `Settings`."""
    observable: Observable[Any]
    _owner: Any
    _stored: _Stored

    def load(self, value: Any) -> None:
        """Set the observable from the value of the setting."""
        self.observable.set(self._stored.to_state(value))

    def value(self) -> Any:
        """Return the value to store, or `UNCHANGED`."""
        return self._stored.to_setting(self._owner, self.observable.value)


def setting(
    name: str,
    to_state: Callable[[Any], Any] = lambda value: value,
    to_setting: Callable[[Any, Any], Any] = lambda owner, value: value,
    initial: Any = _USE_DEFAULT,
) -> Any:
    """Declare a dataclass field of a state class that is stored as a setting.

    Parameters
    ----------
    name : str
        Field of `Settings`. Several observables may share one.
    to_state : callable
        Converts the value of the setting to that of the observable.
    to_setting : callable
        Gets the state object that owns the field and the observable's value; returns the value of
        the setting, or `UNCHANGED`.
    initial : optional
        Value of the observable until the settings are applied; by default that of the setting's
        default.
    """
    stored = _Stored(name, to_state, to_setting)

    def create() -> Observable[Any]:
        value = to_state(getattr(DEFAULTS, name)) if initial is _USE_DEFAULT else initial
        return Observable(value)

    return dataclasses.field(default_factory=create, metadata={_METADATA_KEY: stored})


def bound_settings(state: Any) -> Iterator[BoundSetting]:
    """Return the settings of a state object and of the state objects in it."""
    for field in dataclasses.fields(state):
        value = getattr(state, field.name)
        stored = field.metadata.get(_METADATA_KEY)
        if stored is not None:
            yield BoundSetting(stored.name, value, state, stored)
        elif dataclasses.is_dataclass(value):
            yield from bound_settings(value)


def never_stored(owner: Any, value: Any) -> Any:
    """Return `UNCHANGED`: `to_setting` of an observable that is only read from the settings."""
    return UNCHANGED
