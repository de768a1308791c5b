"""Building blocks of an FBX file's objects: ids, connections, properties, animation curves."""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from pymaf_live.export.fbx_document import TICKS_PER_SECOND, time_span
from pymaf_live.export.fbx_nodes import Int32, Node, Packed, object_name
from pymaf_live.types import Array, Ints


class ObjectTable:
    """Objects of a file and the connections between them.

    Parameters
    ----------
    objects, connections : Node
        Sections of the file, which are appended to.
    last_id : int
        Largest id in use.
    """

    def __init__(self, objects: Node, connections: Node, last_id: int) -> None:
        self.objects = objects
        self.connections = connections
        self.last_id = last_id

    def add_stack(self, name: str, ticks: int) -> int:
        """Add an animation stack with one layer and return the layer's id.

        Parameters
        ----------
        name : str
        ticks : int
            Time of the last frame.
        """
        stack = self.add("AnimationStack", name, "AnimStack", "")
        stack_id = self.last_id
        properties = stack.add("Properties70")
        for span, time in time_span("Local", ticks) + time_span("Reference", ticks):
            properties.add("P", span, "KTime", "Time", "", time)
        self.add("AnimationLayer", name, "AnimLayer", "")
        self.connect(self.last_id, stack_id)
        return self.last_id

    def add_curves(
        self, layer_id: int, bone_id: int, short: str, channel: str, values: Array, times: Packed
    ) -> None:
        """Add the three curves of a model's channel, such as 'Lcl Rotation' (degrees)."""
        node = self.add("AnimationCurveNode", short, "AnimCurveNode", "")
        node_id = self.last_id
        properties = node.add("Properties70")
        for axis, letter in enumerate("XYZ"):
            properties.add("P", f"d|{letter}", "Number", "", "A", float(values[0, axis]))
        self.connect(node_id, layer_id)
        self.connect(node_id, bone_id, channel)
        for axis, letter in enumerate("XYZ"):
            curve = self.add("AnimationCurve", "", "AnimCurve", "")
            curve.add("Default", float(values[0, axis]))
            curve.add("KeyVer", Int32(4008))
            curve.add("KeyTime", times)
            curve.add("KeyValueFloat", values[:, axis].astype(np.float32))
            curve.add("KeyAttrFlags", np.array([24836], dtype=np.int32))  # linear between keys
            attributes = np.array([0, 0, 9.42e-30, 0], dtype=np.float32)
            curve.add("KeyAttrDataFloat", attributes)
            curve.add("KeyAttrRefCount", np.array([len(values)], dtype=np.int32))
            self.connect(self.last_id, node_id, f"d|{letter}")

    def add(self, node: str, name: str, kind: str, subtype: str) -> Node:
        """Add an object with the next id and return it."""
        self.last_id += 1
        added = self.objects.add(node, self.last_id, object_name(name, kind), subtype)
        added.scope = True  # an animation layer has no children of its own
        return added

    def connect(self, child: int, parent: int, channel: str = "") -> None:
        """Connect an object to its parent, or to one of the parent's properties."""
        if channel:
            self.connections.add("C", "OP", child, parent, channel)
        else:
            self.connections.add("C", "OO", child, parent)


def frame_ticks(count: int, rate: Fraction) -> Ints:
    """Return the time (N,) of every frame in FBX ticks."""
    return _rounded_multiples(count, TICKS_PER_SECOND / rate)


def _rounded_multiples(count: int, step: Fraction) -> Ints:
    # integer arithmetic: as floats, multiples of a step of 1.5e9 ticks would lose their last digits
    n, d = step.numerator, step.denominator
    return np.array([(2 * frame * n + d) // (2 * d) for frame in range(count)], dtype=np.int64)


def add_model_properties(model: Node) -> Node:
    """Add the properties of a model and return their node."""
    model.add("Version", Int32(232))
    properties = model.add("Properties70")
    properties.add("P", "RotationActive", "bool", "", "", Int32(1))
    properties.add("P", "InheritType", "enum", "", "", Int32(1))
    properties.add("P", "DefaultAttributeIndex", "int", "Integer", "", Int32(0))
    model.add("Shading", True)
    model.add("Culling", "CullingOff")
    return properties


def add_vector(
    properties: Node, name: str, values: Array, kind: str, label: str, flags: str = ""
) -> None:
    """Add a property of several numbers."""
    properties.add("P", name, kind, label, flags, *(float(value) for value in values))
