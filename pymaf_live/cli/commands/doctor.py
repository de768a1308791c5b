"""The command `doctor`."""

from __future__ import annotations

import json
from dataclasses import asdict

from pymaf_live.cli.options import JsonOption


def doctor(as_json: JsonOption = False) -> int:
    """Check this machine and print how to fix what does not work."""
    from pymaf_live.diagnostics.doctor import exit_code, run_checks

    checks = run_checks()
    code = exit_code(checks)
    if as_json:
        report = {"exit_code": code, "checks": [asdict(check) for check in checks]}
        print(json.dumps(report, indent=2))
        return code
    width = max(len(check.name) for check in checks)
    for check in checks:
        print(f"{check.state:<7} {check.name:<{width}}  {check.detail}")
        if check.remedy:
            print(f"{'':<7} {'':<{width}}  -> {check.remedy}")
    return code
