// A party of sessions, in this browser. What it signs, seals, opens and checks is WebAssembly (`party.wasm`, of the same sources as the
// client library); here is what carries: it asks replicas, keeps what it is told to keep, and sends what was kept. Types: party.d.ts.

import { Reader } from "./asking.js";
import { Keep } from "./keep.js";
import { Verifier } from "./verifier.js";

const NONCE_BYTES = 24;
const ENTER_BYTES = 120;
// Pause between looks at the board, and time until something that the board doesn't show is sent again.
const LOOK_MS = 250;
const AGAIN_MS = 2_000;
// Longest time for another tab of this identity to go away: one that was reloaded.
const TURN_MS = 5_000;

const random = (length) => crypto.getRandomValues(new Uint8Array(length));
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const unhex = (hex) => Uint8Array.from(hex.match(/../g) ?? [], (digits) => parseInt(digits, 16));
const encoder = new TextEncoder();

// Why a party couldn't do something; `kind` is one of docs/json.md, or says what was wrong with the call.
export class PartyError extends Error {
  constructor(kind, text) {
    super(text);
    this.name = "PartyError";
    this.kind = kind;
  }
}

// The calls of `party.wasm`.
class Module extends Verifier {
  static load() {
    return super.load("party.wasm");
  }

  // Calls, and gives what was done.
  act(name, ...inputs) {
    const given = inputs.map((input) => (input instanceof Uint8Array ? input : JSON.stringify(input)));
    const { done, failed, usage, refused } = this.run(name, ...given);
    if (done !== undefined) {
      return done;
    }
    throw new PartyError(failed?.kind ?? refused?.by ?? "usage", failed?.text ?? refused?.text ?? usage);
  }
}

export class Party {
  #module;
  #reader;
  #keep;
  #release;

  // Opens the board of a genesis as the identity that is kept for somebody under a passphrase, or as a new one. Of one identity only one
  // tab acts.
  static async open({ genesis, passphrase, who = "me" }) {
    const party = new Party();
    party.#module = await Module.load();
    party.#reader = new Reader(party.#module, () => {});
    const opened = await party.#reader.open(genesis);
    if (opened.refused !== undefined) {
      throw new PartyError("genesis", opened.refused);
    }
    party.network = opened.network;
    party.#keep = await Keep.open(who, passphrase);
    let seed = await party.#keep.secret("identity");
    if (seed === null) {
      seed = random(32);
      await party.#keep.keepSecret("identity", seed);
    }
    party.identity = party.#module.act("party_key", seed).identity;
    seed.fill(0);
    await party.#takeTurn();
    return party;
  }

  // Lets another tab act.
  close() {
    this.#release?.();
  }

  // Whatever replicas say, as the explorer asks it.
  read(asked) {
    return this.#reader.read(asked);
  }

  // The replicas, and who of them has lied.
  get replicas() {
    return this.#reader.replicas;
  }

  // Whether so many replicas have proven how far the board is that one of them is honest; f is that of the genesis. With fewer, nobody knows
  // how old the newest state is.
  get is_fresh() {
    const faults = Math.floor((this.network.replica_count - 1) / 3);
    return this.replicas.filter(({ state, height }) => state === "answers" && height > 0).length > faults;
  }

  // The spec of a session: what a party consents to by joining.
  async spec(session) {
    const read = await this.#reader.read({ of: "spec", session });
    if (read.value === undefined) {
      throw new PartyError("unreachable", read.reasons?.map(({ replica, text }) => `${replica}: ${text}`).join("; "));
    }
    return read.value;
  }

  // Shares that are kept, by the session that made them.
  async shares() {
    const names = await this.#keep.names("share/");
    return Promise.all(names.map((name) => this.#made(name)));
  }

  // This party's part in a session: from its journal, if there is one.
  async enter(session) {
    const spec = await this.spec(session);
    const index = spec.roster.indexOf(this.identity);
    if (index < 0) {
      throw new PartyError("not_member", `${this.identity} is not in the session's roster`);
    }
    const seat = new Seat(this.#module, this.#reader, this.#keep, { session, spec, index, identity: this.identity });
    await seat.begin();
    return seat;
  }

  async #made(name) {
    return JSON.parse(new TextDecoder().decode(await this.#keep.secret(name)));
  }

  #takeTurn() {
    const name = `white-city-party/${this.identity}`;
    return new Promise((resolve, reject) => {
      const held = new Promise((release) => {
        this.#release = release;
      });
      const request = navigator.locks.request(name, { signal: AbortSignal.timeout(TURN_MS) }, () => {
        resolve();
        return held;
      });
      request.catch(() => reject(new PartyError("journal", "another tab acts as this identity")));
    });
  }
}

// A part in one session.
export class Seat {
  #module;
  #reader;
  #keep;
  #rows = 0;
  #sent = { tx: null, at: 0 };

  constructor(module, reader, keep, { session, spec, index, identity }) {
    this.#module = module;
    this.#reader = reader;
    this.#keep = keep;
    this.session = session;
    this.spec = spec;
    this.index = index;
    // Whose journal of what.
    this.of = `${session}/${identity}`;
  }

  async begin() {
    while (!(await this.#reader.followAs(this.session, this.index))) {
      await pause(LOOK_MS);
    }
    const { bytes, rows } = await this.#keep.journal(this.of);
    this.#rows = rows;
    const entered = this.#module.act("party_enter", { session: this.session }, bytes, random(ENTER_BYTES));
    await this.#do(entered);
  }

  // Reads what is new, and sends what the board doesn't show.
  async look() {
    await this.#reader.followAs(this.session, this.index);
    const standing = this.#module.act("party_standing");
    for (const tx of standing.send) {
      await this.#send(tx);
    }
    return standing;
  }

  join() {
    return this.#do(this.#module.act("party_join", random(NONCE_BYTES)));
  }

  // Posts in a round: bytes for everybody, and for single parties, by index.
  post(round, broadcast, p2p = []) {
    const hex = (bytes) => Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
    const sealed = p2p.map(([to, bytes]) => [to, hex(bytes)]);
    return this.#do(this.#module.act("party_post", { round, broadcast: hex(broadcast), p2p: sealed }, random(NONCE_BYTES)));
  }

  finish(outcome) {
    return this.#do(this.#module.act("party_finish", { outcome }, random(NONCE_BYTES)));
  }

  leave(how) {
    return this.#do(this.#module.act("party_leave", how, random(NONCE_BYTES)));
  }

  // What a closed round holds, opened.
  inbox(round) {
    const { posted, broadcasts, p2p } = this.#module.act("party_inbox", { round });
    const opened = (all) => new Map(Object.entries(all).map(([from, hex]) => [Number(from), unhex(hex)]));
    return { round, posted, broadcasts: opened(broadcasts), p2p: opened(p2p) };
  }

  // Waits until a round is open, or the session has ended.
  async until(round) {
    for (;;) {
      const standing = await this.look();
      if (standing.open_round >= round || standing.end !== null) {
        return standing;
      }
      await pause(LOOK_MS);
    }
  }

  // Runs the session's own protocol, one of the EdDSA, to its end: a share, which is kept then, or a signature. `tell` is told how the
  // session stands.
  async run({ share = null, tell = () => {} } = {}) {
    for (;;) {
      const standing = await this.look();
      tell(standing);
      if (standing.end !== null && standing.end.how !== "finished") {
        throw new PartyError(standing.end.how, standing.end.text);
      }
      if (!standing.shown || standing.end !== null) {
        const next = this.#module.act("eddsa_next", { share }, random(NONCE_BYTES));
        await this.#do(next);
        if (next.finished) {
          return next.made;
        }
        if (next.broken && !next.keep && !next.send) {
          throw new PartyError("payload", next.broken.text);
        }
      }
      await pause(LOOK_MS);
    }
  }

  // Deletes the journal, if nobody needs it any more.
  async forget() {
    this.#module.act("party_forget");
    await this.#keep.forget(this.of);
  }

  // Keeps what is to be kept, and then sends it. A share is kept in the same moment as what says that there is one.
  async #do({ keep, send, made }) {
    if (!keep) {
      return send ? this.#send(send) : null;
    }
    const secret =
      made?.kind === "share"
        ? { name: `share/${this.session}`, bytes: encoder.encode(JSON.stringify(made)) }
        : null;
    try {
      await this.#keep.append(this.of, this.#rows, unhex(keep), secret);
    } catch (error) {
      // The module believes in a row that isn't there.
      this.#module.act("party_key", random(32));
      throw new PartyError("journal", `not kept, and this party stops: ${error.message}`);
    }
    this.#rows += 1;
    const { send: kept } = this.#module.act("party_kept");
    return kept ? this.#send(kept) : null;
  }

  // To all replicas, once in a while: the board says whether it has it.
  async #send(tx) {
    if (this.#sent.tx === tx && Date.now() - this.#sent.at < AGAIN_MS) {
      return;
    }
    this.#sent = { tx, at: Date.now() };
    await this.#reader.send(unhex(tx));
  }
}
