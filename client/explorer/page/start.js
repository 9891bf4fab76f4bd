// The genesis: the only thing that is trusted. The user gives it; it stays in this browser.

import { code, el, fill, list, mark, time } from "./dom.js";
import { bytes, duration } from "./words.js";

const KEPT = "white-city.genesis";

export const kept = () => {
  try {
    return localStorage.getItem(KEPT);
  } catch {
    return null;
  }
};

export const forget = () => {
  try {
    localStorage.removeItem(KEPT);
  } catch {
    // Then nothing is kept.
  }
};

export function keep(genesis) {
  try {
    localStorage.setItem(KEPT, genesis);
  } catch {
    // It is asked for again the next time.
  }
}

// Where the genesis is asked for, or shown.
export class Start {
  title = "Genesis";

  constructor({ network, open, close }) {
    this.open = open;
    this.trouble = el("p", { class: "trouble", role: "alert" });
    this.text = el("textarea", { id: "genesis", rows: "6", spellcheck: "false", "aria-describedby": "why" });
    const file = el("input", {
      type: "file",
      id: "genesis-file",
      accept: ".json,application/json",
      change: async () => {
        if (file.files.length > 0) {
          this.take(await file.files[0].text());
        }
      },
    });
    const take = el("button", { type: "button", click: () => this.take(this.text.value) }, "Verify with it");
    this.node = el(
      "section",
      {},
      el("h1", {}, "Genesis"),
      network ? this.#shown(network, close) : null,
      el(
        "p",
        { id: "why" },
        "The genesis names the network and its first validators. It is all that this page trusts: from it on it checks whatever replicas answer. " +
          "Take it from the operators or from your own configuration, not from the server of this page. It is kept in this browser and sent to nobody.",
      ),
      el("p", {}, el("label", { for: "genesis-file" }, "The file genesis.json"), " ", file),
      el("p", {}, el("label", { for: "genesis" }, "or its text")),
      this.text,
      el("p", {}, take),
      this.trouble,
    );
  }

  #shown({ network, chain_id, genesis_ms, initial_height, params, replica_count }, close) {
    const again = el("button", { type: "button", click: close }, "Forget it");
    return el(
      "div",
      { class: "card" },
      list([
        ["Chain", chain_id],
        ["Network", code(network)],
        ["Began", time(genesis_ms), ` at height ${initial_height}`],
        ["Replicas then", String(replica_count)],
        ["Heartbeat", duration(params.heartbeat_ms)],
        ["Clocks stop after", `${duration(params.cap_ms)} without a block`],
        ["Sessions", `at most ${params.max_n} parties and ${params.max_rounds} rounds`],
        ["Transactions", `at most ${bytes(params.max_tx)}`],
      ]),
      el("p", {}, mark("verified"), " from this genesis. ", again),
    );
  }

  async take(genesis) {
    const refused = await this.open(genesis);
    if (refused === null) {
      keep(genesis);
    } else {
      fill(this.trouble, `This isn't a genesis that can be trusted: ${refused}`);
    }
  }
}
