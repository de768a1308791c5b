// Plays files with three.js and prints what it finds.
//
//   node three_player.mjs MODULES JOB.json
//
// MODULES is the folder that contains node_modules. The job lists files, each with the times in
// seconds to play. For each file the output has the names of the bones, their world positions
// (times, bones, xyz), the numbers of clips and tracks, the length of the clip in seconds, the
// number of skinned meshes, that of those with a texture, and the warnings.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

import "./node_polyfills.mjs";

const [modules, jobPath] = process.argv.slice(2);
const load = (path) => import(pathToFileURL(join(modules, "node_modules", "three", path)).href);
const THREE = await load("build/three.module.js");
const { FBXLoader } = await load("examples/jsm/loaders/FBXLoader.js");
const { GLTFLoader } = await load("examples/jsm/loaders/GLTFLoader.js");
const { BVHLoader } = await load("examples/jsm/loaders/BVHLoader.js");

const warnings = [];
for (const kind of ["log", "warn", "error"]) {
  console[kind] = (...words) => warnings.push(words.map(String).join(" "));
}

async function read(path) {
  const bytes = readFileSync(path);
  const buffer = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength);
  switch (path.split(".").pop()) {
    case "fbx": {
      const group = new FBXLoader().parse(buffer, "");
      return [group, group.animations];
    }
    case "glb": {
      const gltf = await new GLTFLoader().parseAsync(buffer, "");
      return [gltf.scene, gltf.animations];
    }
    default: {
      const bvh = new BVHLoader().parse(bytes.toString());
      const scene = new THREE.Group();
      scene.add(bvh.skeleton.bones[0]);
      return [scene, [bvh.clip]];
    }
  }
}

async function play([path, times]) {
  warnings.length = 0;
  const [scene, clips] = await read(path);
  const bones = [];
  let skinned = 0;
  let textured = 0;
  scene.traverse((node) => {
    if (node.isBone && node.name !== "ENDSITE") bones.push(node);
    if (node.isSkinnedMesh) skinned += 1;
    if (node.isSkinnedMesh && node.material.map) textured += 1;
  });
  const mixer = new THREE.AnimationMixer(scene);
  for (const clip of clips) {
    const action = mixer.clipAction(clip);
    action.setLoop(THREE.LoopOnce);
    action.clampWhenFinished = true;
    action.play();
  }
  const positions = times.map((time) => {
    mixer.setTime(time);
    scene.updateMatrixWorld(true);
    return bones.map((bone) => bone.getWorldPosition(new THREE.Vector3()).toArray());
  });
  return {
    bones: bones.map((bone) => bone.name),
    positions,
    clips: clips.length,
    tracks: clips.flatMap((clip) => clip.tracks.map((track) => track.name)),
    duration: Math.max(0, ...clips.map((clip) => clip.duration)),
    skinned,
    textured,
    warnings: [...warnings],
  };
}

const found = [];
for (const entry of JSON.parse(readFileSync(jobPath, "utf8"))) found.push(await play(entry));
process.stdout.write(JSON.stringify(found));
