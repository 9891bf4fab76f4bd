// The board itself: replicas and their lag; the charter, its term, and those who may open sessions.

import { body, code, el, fill, list, mark, row, table, time } from "./dom.js";
import { STATES, bytes, clock, count, duration, short } from "./words.js";

const REPLICAS = ["Replica", "State", "Height", "Its newest block"];

export class Replicas {
  title = "Replicas";

  constructor({ network }) {
    this.network = network;
    this.board = el("div", { class: "card" });
    this.rows = body();
    this.node = el("section", {}, el("h1", {}, "Replicas"), this.board, table("replicas", REPLICAS, this.rows));
  }

  async refresh({ replicas, highest, board }) {
    fill(this.rows, replicas.map((replica) => this.#row(replica, highest)));
    fill(this.board, board === null ? "No replica has proven anything yet." : this.#board(board));
  }

  #board({ height, time_ms, value }) {
    return list([
      ["Height", `${height} `, mark("verified")],
      ["Its block", time(time_ms)],
      ["Sessions", String(value.session_count)],
      ["Board was down", value.paused_ms === 0 ? "never" : `for ${duration(value.paused_ms)} in all`],
      ["State", code(short(value.root), value.root)],
    ]);
  }

  #row(replica, highest) {
    const { name, state, text, height, time_ms, lies, lie } = replica;
    const lag = height === 0 ? "" : height >= highest ? "with the newest" : `${count(highest - height, "block", "blocks")} behind`;
    const times = `lied ${count(lies, "time", "times")}`;
    const told =
      lies > 0 ? el("span", { class: "lie" }, mark("bad", times), ` about ${lie.of}, ${clock(lie.at_ms)}: ${lie.text}`) : null;
    const why = text && state !== "lied" ? `: ${text}` : "";
    return row(REPLICAS, [
      `${replica.at} · ${name}`,
      [el("span", { class: `state ${state}` }, STATES[state] ?? state), why, told].filter((part) => part !== null),
      height === 0 ? "nothing proven" : [`${height} `, mark("verified"), ` ${lag}`],
      time_ms === 0 ? "" : time(time_ms),
    ]);
  }
}

const OPERATORS = ["Position", "Validator", "Operator", "Vote", "Word about the next charter"];
const OPENERS = ["Opener", "Kind", "Live sessions", "Reserved"];
const LIMITS = [
  ["max_session_bytes", "Most bytes of a session", bytes],
  ["max_board_bytes", "Most bytes of all sessions", bytes],
  ["anyone_may_open", "Strangers may open", (may) => (may ? "yes" : "no")],
  ["anyone_max_live", "Live sessions of a stranger", String],
  ["anyone_max_bytes", "Bytes of a stranger", bytes],
  ["stamp_bits", "Stamp of a stranger", (bits) => (bits === 0 ? "none" : `${bits} bits`)],
];
// Openers that are read.
const OPENERS_READ = 100;

export class Charter {
  title = "Charter";

  constructor({ reader }) {
    this.reader = reader;
    this.content = el("div", {}, el("p", {}, "Asking the replicas …"));
    this.node = el("section", {}, el("h1", {}, "Charter"), this.content);
  }

  async refresh({ board }) {
    if (board === null || this.root === board.value.root) {
      return;
    }
    const read = await this.reader.call("read", { of: "charter" });
    const openers = await this.reader.call("read", { of: "openers", from: 0 });
    if (read.value === undefined) {
      return;
    }
    this.root = board.value.root;
    const { value } = read;
    const wall_ms = (board_ms) => board_ms + board.value.paused_ms;
    fill(
      this.content,
      list([
        ["Term", `${value.charter.term}, since ${value.term_height === 0 ? "the genesis" : `block ${value.term_height}`} `, mark("verified")],
        ["Era of its validators", String(value.era)],
        ["Rules", `protocol ${value.protocol}${value.protocol === value.charter.protocol ? "" : `, then ${value.charter.protocol}`}`],
        ["Hash", code(value.hash)],
        ...LIMITS.map(([field, name, show]) => [name, show(value.charter[field])]),
      ]),
      el("h2", {}, "Replicas and their operators"),
      this.#replicas(value, wall_ms),
      el("h2", {}, "Proposed for the next term"),
      this.#proposed(value),
      el("h2", {}, "Openers"),
      this.#openers(openers, board.value.opener_count),
    );
  }

  #replicas({ charter, proven, words }, wall_ms) {
    const rows = charter.replicas.map(({ validator, operator }, at) => {
      const word = words.find((one) => one.operator === at);
      const approves = () => ["approves ", code(short(word.charter), word.charter), " ", time(wall_ms(word.board_ms))];
      return row(OPERATORS, [
        String(at),
        code(short(validator), validator),
        code(short(operator), operator),
        proven.includes(at) ? "seen to vote" : "not seen to vote yet",
        word === undefined ? "nothing" : word.charter === null ? "withdrew" : approves(),
      ]);
    });
    return table("operators", OPERATORS, body(rows));
  }

  #proposed({ proposed, needed }) {
    if (proposed.length === 0) {
      return el("p", {}, "Nothing. ", mark("verified"));
    }
    const items = proposed.map(({ hash, approvals, charter }) =>
      el("li", {}, "term ", String(charter.term), ": ", code(short(hash), hash), ` has ${approvals} of ${needed} approvals, ${count(charter.replicas.length, "replica", "replicas")}, protocol ${charter.protocol} `, mark("verified")),
    );
    return el("ul", {}, items);
  }

  #openers({ value }, total) {
    if (value === undefined || value.length === 0) {
      return el("p", {}, value === undefined ? "No replica gives them." : "None yet.");
    }
    const rows = value.map(({ key, listed, live, live_bytes, max_live, max_bytes }) =>
      row(OPENERS, [
        code(short(key), key),
        listed ? "listed" : "a stranger",
        listed ? `${live} of ${max_live.toLocaleString("en")}` : String(live),
        listed ? `${bytes(live_bytes)} of ${bytes(max_bytes)}` : bytes(live_bytes),
      ]),
    );
    const more = total > OPENERS_READ ? el("p", {}, `${total - OPENERS_READ} more`) : null;
    return [table("openers", OPENERS, body(rows)), more];
  }
}
