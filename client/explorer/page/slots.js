// What each slot of a session holds, in signs and in words.

import { OFFENCES, isLive } from "./words.js";

const KINDS = {
  J: ["join", "J"],
  P: ["post", "P"],
  F: ["finish", "F"],
};

export const LEGEND = [
  ["J P F", "signed", "join, post, finish: its author's signature was checked"],
  ["•", "filled", "filled: verified, but what it holds was not read"],
  ["…", "awaited", "awaited"],
  ["–", "absent", "empty when the round closed: absent"],
  ["L", "left", "left by name"],
  ["!", "culprit", "signed evidence against the party"],
  ["", "out", "out: it wrote nothing in an earlier round, or something else than the others"],
];

// A session as far as it was read: `state` how it stands, `rounds` the slots of each round, of which `signed` is the number whose
// entries were all read and checked.
export class Slots {
  constructor() {
    this.rounds = new Map();
    this.signed = new Set();
    this.culprits = new Map();
    this.state = null;
  }

  takeState(state) {
    this.state = state;
    this.filled = new Set(state.filled);
    this.members = new Set(state.members);
    this.left = new Set(state.left);
    this.awaited = new Set(state.waiting_for);
  }

  takeRound(round, slots, is_signed) {
    if (is_signed || !this.signed.has(round)) {
      this.rounds.set(round, slots);
    }
    if (is_signed) {
      this.signed.add(round);
    }
  }

  takeOffences(offences) {
    this.culprits = new Map(offences.map(({ offence }) => [offence.index, offence]));
  }

  // Who wrote so that it went on: only what was signed tells a post from a finish.
  #isMember(index, round) {
    if (round === 0) {
      return true;
    }
    const before = this.rounds.get(round - 1)?.[index];
    return before === undefined || (before !== "." && before !== "F");
  }

  label(index, key) {
    const culprit = this.culprits.get(index);
    const notes = [
      culprit ? "culprit" : null,
      this.left.has(index) ? "left" : null,
      this.awaited.has(index) ? "awaited" : null,
      !this.members.has(index) && !this.left.has(index) && this.state.open_round > 0 ? "out" : null,
    ].filter((note) => note !== null);
    const text = notes.length > 0 ? `${index} ${notes[0]}` : `${index} ${key.slice(0, 6)}…`;
    const words = `party ${index}, key ${key.slice(0, 8)}${notes.length > 0 ? `, ${notes.join(", ")}` : ""}`;
    return { text, cls: notes[0] ?? "key", words, title: key };
  }

  cell(index, round) {
    const cell = this.#cell(index, round);
    const culprit = this.culprits.get(index);
    const words = `party ${index}, round ${round}: ${cell.words}`;
    if (culprit?.round !== round) {
      return { ...cell, words };
    }
    return { text: `${cell.text}!`, cls: "culprit", words: `${words}; it ${OFFENCES[culprit.offence] ?? culprit.offence}` };
  }

  #cell(index, round) {
    const slot = this.rounds.get(round)?.[index];
    const [name, sign] = KINDS[slot] ?? [];
    if (sign !== undefined) {
      return { text: sign, cls: "signed", words: `${name}, signature checked` };
    }
    return round < this.state.open_round ? this.#closed(index, round, slot) : this.#open(index);
  }

  #closed(index, round, slot) {
    if (slot === undefined) {
      return { text: "", cls: "unread", words: "not read yet" };
    }
    if (slot === "x") {
      return { text: "•", cls: "filled", words: "filled, verified" };
    }
    return this.#isMember(index, round)
      ? { text: "–", cls: "absent", words: "empty when the round closed: absent, or out by then" }
      : { text: "", cls: "out", words: "out" };
  }

  #open(index) {
    if (this.filled.has(index)) {
      return { text: "•", cls: "filled", words: "filled, verified" };
    }
    if (this.left.has(index)) {
      return { text: "L", cls: "left", words: "left by name" };
    }
    if (!this.members.has(index)) {
      return { text: "", cls: "out", words: "out" };
    }
    return isLive(this.state.status)
      ? { text: "…", cls: "awaited", words: this.state.status === "dispute" ? "empty; the dispute comes first" : "awaited" }
      : { text: "–", cls: "absent", words: "empty when the session ended" };
  }
}
