"""Export of takes: one module per format, rigs, verification by reading back.

The package is callable: ``pymaf_live.export(take, "dance.fbx")`` calls
`pymaf_live.workflows.api.export`, the function of the public API that has the package's name.
"""

import sys
from importlib import import_module
from types import ModuleType
from typing import Any


class _CallablePackage(ModuleType):
    """Package that is also the public API's function of the same name."""

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        """Call `pymaf_live.workflows.api.export`."""
        # by name: this package must not depend on the workflows
        return import_module("pymaf_live.workflows.api").export(*arguments, **options)


sys.modules[__name__].__class__ = _CallablePackage
