"""``python -m trainer precision``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from trainer.commands.options import LspetFolder, require_model_file
from trainer.data.locations import LSPET


def precision(
    model: Annotated[Path, typer.Argument(help="Exported .onnx; only its metadata change.")],
    allow: Annotated[Literal["bf16"], typer.Option(help="Precision to allow.")] = "bf16",
    lspet: LspetFolder = LSPET,
) -> None:
    """Allow bf16 in a model whose bodies stay in place.

    The bodies of held-out images are compared with those in f32.
    """
    require_model_file(model)
    from trainer.export.quantize import allow_precision

    difference = allow_precision(model, allow, lspet)
    print(f"{model}: mean vertex in {allow} differs from f32 by {difference:.2f} mm")
