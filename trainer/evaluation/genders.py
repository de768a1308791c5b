"""Ground truth of men and women: SMPL's body of each gender, as 3DPW's protocol has it.

3DPW's shapes belong to SMPL's male and female bodies. Posed with the neutral body they are other
people, some centimetres off, so a set with genders says whether they were used.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pymaf_live.body.registry import body_by_name
from pymaf_live.errors import InputError
from pymaf_live.system.reporter import SILENT, Reporter
from trainer.evaluation.mesh_eval import BodyPoser

_OPTIONS = {"f": "--female-body", "m": "--male-body"}


def gendered_bodies(
    genders: Sequence[str],
    neutral: BodyPoser,
    names: Mapping[str, str],
    reporter: Reporter = SILENT,
) -> tuple[list[BodyPoser] | None, dict[str, int]]:
    """Return the body of each person, and the number of people of a gender without its body.

    Parameters
    ----------
    genders : sequence of str
        'f', 'm' or 'n' (neutral) of each person; empty for truth without bodies.
    neutral : BodyPoser
    names : mapping of str to str
        'f', 'm' -> name of the imported body.
    reporter : Reporter
        Told of people whose body is missing.

    Returns
    -------
    posers : list of BodyPoser or None
        None if everyone is neutral.
    counts : dict
        ``posed_with_neutral_body`` -> number; empty without such people.

    Raises
    ------
    InputError
        If a body has another mesh than the neutral one.
    ModelError
        If there is no such body.
    """
    present = sorted(set(genders) - {"n"})
    if not present:
        return None, {}
    posers = {"n": neutral}
    missing = []
    for gender in present:
        name = names.get(gender)
        if name is None:
            posers[gender] = neutral
            missing.append(gender)
            continue
        body = body_by_name(name)
        if body.template.shape != neutral.body.template.shape:
            raise InputError(f"the body {name} has another mesh than the network's")
        posers[gender] = BodyPoser(body)
    count = sum(gender in missing for gender in genders)
    if count:
        options = " and ".join(_OPTIONS[gender] for gender in missing)
        reporter.message(
            f"{count} people have a gender and are posed with the neutral body; give {options}"
        )
    counts = {"posed_with_neutral_body": count} if count else {}
    return [posers[gender] for gender in genders], counts
