"""``python -m trainer quantize``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from trainer.commands.options import LspetFolder, OutFile, require_model_file
from trainer.data.locations import LSPET


def quantize(
    model: Annotated[Path, typer.Argument(help="Exported .onnx.")],
    out: OutFile,
    lspet: LspetFolder = LSPET,
) -> None:
    """Quantize the encoder of an exported model to int8."""
    require_model_file(model)
    from trainer.export.quantize import quantize as write_quantized

    difference = write_quantized(model, out, lspet)
    print(f"{out}: mean vertex differs from f32 by {difference:.2f} mm")
