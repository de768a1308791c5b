"""Script for Blender's Python (bpy): imports files with default settings and records the motion.

``python blender_walk.py JOB.json OUT.npz``; the job lists files, each with its number
of frames N, spread over its key range, and the K of them whose mesh to record. For file number i
the npz contains i_names, i_owners (of each bone its armature's name), i_heads (N, B, 3),
i_vertices (K, V, 3), i_rate, i_first (the frame of the first key) and i_last; positions in
Blender's world: metres, z up.
"""

import json
import sys

import bpy
import numpy as np

IMPORTERS = {
    "bvh": lambda path: bpy.ops.import_anim.bvh(filepath=path),
    "fbx": lambda path: bpy.ops.import_scene.fbx(filepath=path),
    "glb": lambda path: bpy.ops.import_scene.gltf(filepath=path),
    "usd": lambda path: bpy.ops.wm.usd_import(filepath=path),
    "usda": lambda path: bpy.ops.wm.usd_import(filepath=path),
    "usdz": lambda path: bpy.ops.wm.usd_import(filepath=path),
}


def walk(path, frames, skinned):
    bpy.ops.wm.read_factory_settings(use_empty=True)
    IMPORTERS[path.rpartition(".")[2]](path)
    scene = bpy.context.scene
    rate = scene.render.fps / scene.render.fps_base
    armatures = [each for each in bpy.data.objects if each.type == "ARMATURE"]
    meshes = [
        each
        for each in bpy.data.objects
        if each.type == "MESH" and any(m.type == "ARMATURE" for m in each.modifiers)
    ]
    first, last = armatures[0].animation_data.action.frame_range
    heads, vertices = [], []
    for index in range(frames):
        frame = first + index / (frames - 1) * (last - first)
        scene.frame_set(int(frame // 1), subframe=float(frame % 1))
        graph = bpy.context.evaluated_depsgraph_get()
        posed = [armature.evaluated_get(graph) for armature in armatures]
        heads.append([tuple(a.matrix_world @ bone.head) for a in posed for bone in a.pose.bones])
        for each in meshes if index in skinned else ():
            shown = each.evaluated_get(graph)
            mesh = shown.to_mesh()
            flat = np.empty(3 * len(mesh.vertices))
            mesh.vertices.foreach_get("co", flat)
            world = np.array(shown.matrix_world)
            vertices.append(flat.reshape(-1, 3) @ world[:3, :3].T + world[:3, 3])
    return {
        "names": np.array([bone.name for a in armatures for bone in a.pose.bones]),
        "owners": np.array([a.name for a in armatures for _ in a.pose.bones]),
        "heads": np.array(heads),
        "vertices": np.array(vertices),
        "rate": rate,
        "first": first,
        "last": last,
    }


def main():
    job_path, out = sys.argv[-2:]
    with open(job_path, encoding="utf-8") as file:
        job = json.load(file)
    found = {}
    for index, (path, frames, skinned) in enumerate(job):
        found |= {f"{index}_{name}": value for name, value in walk(path, frames, skinned).items()}
    np.savez(out, **found)


main()
