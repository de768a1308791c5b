// Projects the bones of files through the files' own camera with three.js.
//
//   node camera_player.mjs MODULES JOB.json
//
// MODULES is the folder that contains node_modules. The job lists files, each with the times in
// seconds. For each file the output has the names of the bones and, for each time and bone, its
// place in the image in normalised device coordinates (x, y; -1..1, y up).

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const [modules, jobPath] = process.argv.slice(2);
const load = (path) => import(pathToFileURL(join(modules, "node_modules", "three", path)).href);
const THREE = await load("build/three.module.js");
const { FBXLoader } = await load("examples/jsm/loaders/FBXLoader.js");
const { GLTFLoader } = await load("examples/jsm/loaders/GLTFLoader.js");

// the FBX loader takes the shape of the window where a camera has none
globalThis.window = { innerWidth: 1, innerHeight: 1 };

async function project([path, times]) {
  const bytes = readFileSync(path);
  const buffer = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength);
  let scene, clips;
  if (path.endsWith(".fbx")) {
    scene = new FBXLoader().parse(buffer, "");
    clips = scene.animations;
  } else {
    const gltf = await new GLTFLoader().parseAsync(buffer, "");
    [scene, clips] = [gltf.scene, gltf.animations];
  }
  const bones = [];
  const cameras = [];
  scene.traverse((node) => {
    if (node.isBone) bones.push(node);
    if (node.isPerspectiveCamera) cameras.push(node);
  });
  // cameras of FBX look along x, those of three.js along -z; its loader does not convert
  if (path.endsWith(".fbx")) cameras[0].rotateY(-Math.PI / 2);
  const mixer = new THREE.AnimationMixer(scene);
  const action = mixer.clipAction(clips[0]);
  action.setLoop(THREE.LoopOnce);
  action.clampWhenFinished = true;
  action.play();
  const places = times.map((time) => {
    mixer.setTime(time);
    scene.updateMatrixWorld(true);
    return bones.map((bone) => {
      const place = bone.getWorldPosition(new THREE.Vector3()).project(cameras[0]);
      return [place.x, place.y];
    });
  });
  return { bones: bones.map((bone) => bone.name), places, cameras: cameras.length };
}

const job = JSON.parse(readFileSync(jobPath));
const found = [];
for (const each of job) found.push(await project(each));
process.stdout.write(JSON.stringify(found));
