// Parts of a browser that three.js's loaders need for files with textures: images are not decoded.

globalThis.self = globalThis;
globalThis.createImageBitmap = async () => ({ width: 1, height: 1, close() {} });
globalThis.document ??= {
  createElementNS: () => ({ addEventListener() {}, removeEventListener() {} }),
};
