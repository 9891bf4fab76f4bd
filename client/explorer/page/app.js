// The page: which view is shown, and the loop that keeps it true.

import { Charter, Replicas } from "./board.js";
import { el, fill, mark, tick, time } from "./dom.js";
import { Session } from "./session.js";
import { Sessions } from "./sessions.js";
import { Start, forget, kept } from "./start.js";
import { count, short } from "./words.js";

// Pause between two looks at the board.
const PAUSE_MS = 1_000;

const byId = (id) => document.getElementById(id);

// The thread that reads.
class Reader {
  #worker = new Worker("reader.js", { type: "module" });
  #waiting = new Map();
  #next = 0;

  constructor(news) {
    this.#worker.addEventListener("message", ({ data }) => {
      if (data.news !== undefined) {
        news(data);
        return;
      }
      const { resolve, reject } = this.#waiting.get(data.id);
      this.#waiting.delete(data.id);
      if (data.error === undefined) {
        resolve(data.result);
      } else {
        reject(new Error(data.error));
      }
    });
    this.#worker.addEventListener("error", (event) => {
      this.#waiting.forEach(({ reject }) => reject(new Error(event.message ?? "the reader ended")));
      this.#waiting.clear();
    });
  }

  call(call, ...inputs) {
    const id = this.#next++;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
      this.#worker.postMessage({ id, call, inputs });
    });
  }
}

class App {
  reader = new Reader((news) => this.view?.news?.(news));
  network = null;
  view = null;
  seen = null;
  wake = () => {};

  async open(genesis) {
    try {
      const opened = await this.reader.call("open", genesis);
      if (opened.refused !== undefined) {
        return opened.refused;
      }
      this.network = opened.network;
    } catch (error) {
      return error.message;
    }
    this.seen = null;
    byId("nav").hidden = false;
    fill(byId("network"), el("span", { title: this.network.network }, this.network.chain_id));
    if (location.hash === "#/genesis") {
      location.hash = "#/";
    }
    this.route();
    return null;
  }

  close() {
    forget();
    location.hash = "#/";
    location.reload();
  }

  route() {
    const [, name = "", which = ""] = location.hash.split("/");
    const shared = {
      reader: this.reader,
      network: this.network,
      open: (genesis) => this.open(genesis),
      close: () => this.close(),
      rerender: () => this.wake(),
    };
    this.view?.stop?.();
    if (this.network === null || name === "genesis") {
      this.view = new Start(shared);
    } else if (name === "session" && /^([0-9]{1,15}|[0-9a-f]{64})$/.test(which)) {
      this.view = new Session({ ...shared, which });
    } else if (name === "replicas") {
      this.view = new Replicas(shared);
    } else if (name === "charter") {
      this.view = new Charter(shared);
    } else {
      this.view = new Sessions(shared);
    }
    for (const link of document.querySelectorAll("#nav a")) {
      const is_here = link.hash === (location.hash || "#/");
      link.toggleAttribute("aria-current", is_here);
      if (is_here) {
        link.setAttribute("aria-current", "page");
      }
    }
    byId("main").replaceChildren(this.view.node);
    this.wake();
  }

  async run() {
    addEventListener("hashchange", () => {
      this.route();
      byId("main").focus();
    });
    setInterval(() => this.#tick(), 1_000);
    document.addEventListener("visibilitychange", () => this.wake());
    const genesis = kept();
    const refused = genesis === null ? null : await this.open(genesis);
    if (this.network === null) {
      this.route();
      if (refused !== null) {
        fill(this.view.trouble, `The genesis that this browser has kept isn't one that can be trusted: ${refused}`);
      }
    }
    for (;;) {
      if (this.network !== null && !document.hidden) {
        await this.#look();
      }
      await new Promise((resolve) => {
        this.wake = resolve;
        setTimeout(resolve, PAUSE_MS);
      });
    }
  }

  async #look() {
    const { view, network } = this;
    try {
      const seen = await this.reader.call("look");
      if (network !== this.network) {
        return;
      }
      seen.board ??= this.seen?.board ?? null;
      this.seen = seen;
      this.#pulse();
      await view.refresh?.(seen);
      document.title = `${view.title} · White City explorer`;
    } catch (error) {
      fill(byId("pulse"), mark("bad", `the page failed: ${error.message}`));
    }
  }

  #tick() {
    this.view?.tick?.();
    tick(document);
    this.#pulse();
  }

  // Whether the board moves, and what everybody has to know.
  #pulse() {
    if (this.seen === null) {
      if (this.network !== null) {
        fill(byId("pulse"), "connecting …");
      }
      return;
    }
    const { board, replicas, alarm } = this.seen;
    const answering = replicas.filter(({ state }) => state === "answers").length;
    const of_all = `${answering} of ${count(replicas.length, "replica answers", "replicas answer")}`;
    if (board === null) {
      fill(byId("pulse"), replicas.some(({ state }) => state === "connecting") ? "connecting …" : `nothing is verified · ${of_all}`);
    } else {
      fill(byId("pulse"), `height ${board.height} `, mark("verified"), " · block ", time(board.time_ms), ` · ${of_all}`);
    }
    fill(byId("alarms"), this.#alarms(board, replicas, alarm).map((text) => el("p", {}, text)));
  }

  #alarms(board, replicas, alarm) {
    const alarms = [];
    if (alarm !== null) {
      alarms.push(`Believe nothing of this board until you know why: ${alarm}`);
    }
    for (const { at, name, lie } of replicas.filter(({ lies }) => lies > 0)) {
      alarms.push(`Replica ${at} (${name}) lies: its answer about ${lie.of} can't be true (${lie.text}). Nothing of that is shown.`);
    }
    for (const { at, name, text } of replicas.filter(({ state }) => state === "stranger")) {
      alarms.push(`Replica ${at} (${name}): ${text}. Is this the right genesis?`);
    }
    const silent = replicas.filter(({ state }) => state === "unreachable" || state === "failed");
    if (silent.length === replicas.length) {
      alarms.push(`No replica answers. ${silent[0].text}.`);
    } else if (silent.length > 0) {
      alarms.push(`${silent.length === 1 ? "Replica" : "Replicas"} ${silent.map(({ at }) => at).join(", ")}: no answer (${silent[0].text}).`);
    }
    const { heartbeat_ms } = this.network.params;
    const age_ms = board === null ? 0 : Date.now() - board.time_ms;
    // An idle board makes a block each heartbeat, with the time of the one before.
    if (age_ms > 4 * heartbeat_ms + 5_000 && silent.length < replicas.length) {
      alarms.push("The board stands still: no newer block has come for more than three heartbeats. Sessions' clocks stop with it.");
    }
    return alarms;
  }
}

new App().run();
