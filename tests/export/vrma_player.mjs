// Plays a VRM animation on a VRM avatar with @pixiv/three-vrm and prints what it finds.
//
//   node vrma_player.mjs MODULES AVATAR.vrm MOTION.vrma TIMES.json
//
// MODULES is the folder that contains node_modules. The output has the names of the humanoid bones,
// their world positions (times, bones, xyz), the length of the clip in seconds and the warnings.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

import "./node_polyfills.mjs";

const [modules, avatarPath, motionPath, timesPath] = process.argv.slice(2);
const url = (...path) => pathToFileURL(join(modules, "node_modules", ...path)).href;
const THREE = await import(url("three", "build", "three.module.js"));
const { GLTFLoader } = await import(url("three", "examples", "jsm", "loaders", "GLTFLoader.js"));
const { VRMLoaderPlugin } = await import(url("@pixiv", "three-vrm", "lib", "three-vrm.module.js"));
const { VRMAnimationLoaderPlugin, createVRMAnimationClip } = await import(
  url("@pixiv", "three-vrm-animation", "lib", "three-vrm-animation.module.js")
);

const warnings = [];
for (const kind of ["log", "warn", "error"]) {
  console[kind] = (...words) => warnings.push(words.map(String).join(" "));
}

async function read(path) {
  const bytes = readFileSync(path);
  const loader = new GLTFLoader();
  loader.register((parser) => new VRMLoaderPlugin(parser));
  loader.register((parser) => new VRMAnimationLoaderPlugin(parser));
  const buffer = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength);
  return await loader.parseAsync(buffer, "");
}

const { vrm } = (await read(avatarPath)).userData;
const [motion] = (await read(motionPath)).userData.vrmAnimations;
const clip = createVRMAnimationClip(motion, vrm);
const bones = [...motion.humanoidTracks.rotation.keys()];
const mixer = new THREE.AnimationMixer(vrm.scene);
const action = mixer.clipAction(clip);
action.setLoop(THREE.LoopOnce);
action.clampWhenFinished = true;
action.play();
const positions = JSON.parse(readFileSync(timesPath)).map((time) => {
  mixer.setTime(time);
  vrm.humanoid.update();
  vrm.scene.updateMatrixWorld(true);
  return bones.map((name) =>
    vrm.humanoid.getRawBoneNode(name).getWorldPosition(new THREE.Vector3()).toArray(),
  );
});
process.stdout.write(JSON.stringify({ bones, positions, duration: clip.duration, warnings }));
