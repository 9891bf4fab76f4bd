// The verifier: whatever is shown as proven has gone through it. It reaches nothing outside itself.

const encoder = new TextEncoder();
const decoder = new TextDecoder();

export class Verifier {
  #exports;
  // Why it can't be called any more: a module that has stopped in the middle may believe anything.
  #trapped = null;

  constructor(exports) {
    this.#exports = exports;
  }

  static async load(file = "verifier.wasm") {
    const answer = await fetch(file);
    if (!answer.ok) {
      throw new Error(`the verifier can't be loaded: HTTP ${answer.status}`);
    }
    const { instance } = await WebAssembly.instantiate(await answer.arrayBuffer(), {});
    return new this(instance.exports);
  }

  // Calls an export with these inputs.
  run(name, ...inputs) {
    if (this.#trapped !== null) {
      throw this.#trapped;
    }
    try {
      return this.#run(name, inputs);
    } catch (error) {
      this.#trapped = new Error(`the verifier has stopped, so load the page again: ${error.message}`);
      throw this.#trapped;
    }
  }

  #run(name, inputs) {
    for (const input of inputs) {
      const bytes = typeof input === "string" ? encoder.encode(input) : input;
      const at = this.#exports.give(bytes.length) >>> 0;
      new Uint8Array(this.#exports.memory.buffer, at, bytes.length).set(bytes);
    }
    const length = this.#exports[name]();
    const at = this.#exports.result() >>> 0;
    return JSON.parse(decoder.decode(new Uint8Array(this.#exports.memory.buffer, at, length)));
  }

  openBoard(genesis) {
    return this.run("open_board", genesis);
  }

  question(asked) {
    const { proven } = this.run("question", JSON.stringify(asked));
    return Uint8Array.from(proven.match(/../g), (hex) => parseInt(hex, 16));
  }

  header(answer) {
    return this.run("header", answer);
  }

  answer(asked, answer) {
    return this.run("answer", JSON.stringify(asked), answer);
  }

  entry(round, index) {
    return this.run("entry", JSON.stringify([round, index]));
  }
}
