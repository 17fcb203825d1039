// LiteRT.js: exported models as functions from Float32Array to Float32Array.

import { download, Failure } from "./failure.js";

const WASM = new URL("vendor/wasm/", import.meta.url).href;
let library = null;

// Load LiteRT.js once. progress(received, total): bytes of its WebAssembly.
export async function loadRuntime(progress) {
  if (typeof WebAssembly !== "object") {
    throw new Failure(
      "This browser has no WebAssembly, or it is switched off; the models run in it. Use a current Chrome, Edge, Firefox or Safari.",
    );
  }
  try {
    library = await import("./vendor/litert.js");
  } catch {
    throw new Failure('The runtime LiteRT.js is missing. Run "make web" to fetch it, then reload this page.');
  }
  const name = (await library.supportsFeature("relaxedSimd")) ? "litert_wasm_internal" : "litert_wasm_compat_internal";
  const wasmBinary = await download(`${WASM}${name}.wasm`, "The runtime", progress);
  // Emscripten's options. The runtime writes all of its log to standard error: only errors are for the console.
  self.Module = { wasmBinary, print: log, printErr: log };
  try {
    await library.loadLiteRt(`${WASM}${name}.js`);
  } catch (error) {
    throw new Failure(`The runtime does not start in this browser: ${error.message ?? error}`);
  }
}

function log(...words) {
  const line = words.join(" ");
  (/^(ERROR|FATAL|Aborted)/.test(line) ? console.error : console.debug)(line);
}

// A .tflite file that zoo.export wrote.
export class Model {
  #compiled;
  #details;

  // bytes: Uint8Array, content of the file.
  static async load(bytes) {
    try {
      return new Model(await library.loadAndCompile(bytes, { accelerator: "wasm" }));
    } catch (error) {
      throw new Failure(`This file is not a model that the runtime can load: ${error.message ?? error}`);
    }
  }

  constructor(compiled) {
    this.#compiled = compiled;
    this.#details = {};
    for (const [name, signature] of Object.entries(compiled.signatures)) {
      this.#details[name] = [signature, [...signature.getInputDetails()[0].shape]];
    }
  }

  // Run a signature ("reconstruct", "encode", "decode" or "score") on one sample: Float32Array to Float32Array.
  async run(name, sample) {
    const [signature, shape] = this.#details[name];
    const input = new library.Tensor(sample, shape);
    let outputs = [];
    try {
      outputs = await signature.run([input]);
      return outputs[0].toTypedArray().slice();
    } finally {
      // Tensors live in WebAssembly's memory, where nobody else frees them.
      for (const tensor of [input, ...outputs]) tensor.delete();
    }
  }

  delete() {
    this.#compiled.delete();
  }
}
