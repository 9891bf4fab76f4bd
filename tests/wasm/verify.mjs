// Runs the verifier under Node: `node verify.mjs verifier.wasm < cases.json`.
// A case is ["verify_receipt", [input, …]], each input in base64. Prints what the module wants from its host (nothing), and
// what came of each case.

import { readFileSync } from "node:fs";

const module = await WebAssembly.compile(readFileSync(process.argv[2]));
const { exports } = await WebAssembly.instantiate(module, {});

function run([verify, inputs]) {
  for (const input of inputs) {
    const bytes = Buffer.from(input, "base64");
    const at = exports.give(bytes.length);
    new Uint8Array(exports.memory.buffer, at, bytes.length).set(bytes);
  }
  const length = exports[verify]();
  const text = new Uint8Array(exports.memory.buffer, exports.result(), length);
  return JSON.parse(new TextDecoder().decode(text));
}

const cases = JSON.parse(readFileSync(0, "utf8"));
const imports = WebAssembly.Module.imports(module).map(({ name }) => name);
console.log(JSON.stringify({ imports, results: cases.map(run) }));
