"""Names that programs give to bones."""

from __future__ import annotations

import pytest

from pymaf_live.characters.bone_names import is_twist, split_name


@pytest.mark.parametrize(
    ("name", "side", "core"),
    [
        ("mixamorig:LeftForeArm", "left", "forearm"),
        ("mixamorig1:RightUpLeg", "right", "upleg"),
        ("thigh_r", "right", "thigh"),
        ("clavicle_l", "left", "clavicle"),
        ("J_Bip_L_UpperArm", "left", "upperarm"),
        ("J_Bip_C_Hips", "", "hips"),
        ("Bip001 L Calf", "left", "calf"),
        ("Bip01 Pelvis", "", "pelvis"),
        ("CC_Base_L_Upperarm", "left", "upperarm"),
        ("CC_Base_Hip", "", "hip"),
        ("DEF-upper_arm.L", "left", "upperarm"),
        ("upperarm01.R", "right", "upperarm"),
        ("lThighBend", "left", "thigh"),
        ("rShldrBend", "right", "shldr"),
        ("Left knee", "left", "knee"),
        ("leftarm", "left", "arm"),
        ("左ひじ", "left", "elbow"),
        ("右足首", "right", "ankle"),
        ("センター", "", "center"),
        ("ankle_L", "left", "ankle"),
        ("left_collar", "left", "collar"),
        ("ik_hand_l", "", ""),
        ("upperarm_twist_01_l", "", ""),
        ("Head_end", "", ""),
        ("MCH-thigh.L", "", ""),
    ],
)
def test_names_are_split_into_side_and_core(name: str, side: str, core: str) -> None:
    assert split_name(name) == (side, core)


def test_twist_bones_are_known() -> None:
    twists = ["upperarm_twist_01_l", "CC_Base_L_ForearmTwist01", "LeftForeArmRoll", "左腕捩"]
    assert all(is_twist(name) for name in twists)
    assert not is_twist("LeftForeArm")
