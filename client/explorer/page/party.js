// A party of sessions, in this browser. What it signs, seals, opens and checks is WebAssembly (`party.wasm`, of the same sources as the
// client library); here is what carries: it asks replicas, keeps what it is told to keep, and sends what was kept. Types: party.d.ts.

import { Reader } from "./asking.js";
import { Keep } from "./keep.js";
import { Verifier } from "./verifier.js";

const KEYGEN = "white-city/eddsa-keygen";
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

// Why a party couldn't do something; `kind` is one of docs/json.md, or one of those in party.d.ts.
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

// One call after the other: the module knows one session at a time.
class Queue {
  #last = Promise.resolve();

  turn(act) {
    const turn = this.#last.then(act);
    this.#last = turn.catch(() => {});
    return turn;
  }
}

export class Party {
  #module;
  #reader;
  #keep;
  #queue = new Queue();
  // The part that may act: one at a time.
  #live = null;
  // Why this party acts no more.
  #dead = null;
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

  // Acts no more, and lets another tab act.
  close() {
    this.#end(new PartyError("closed", "this party was closed"));
  }

  // Whatever replicas say, as the explorer asks it.
  read(asked) {
    return this.#reader.read(asked);
  }

  // The replicas, and who of them has lied.
  get replicas() {
    return this.#reader.replicas;
  }

  // Whether so many replicas have proven in the last look how far the board is that one of them is honest: with fewer, nobody knows how old
  // the newest state is.
  get is_fresh() {
    return this.#reader.is_fresh;
  }

  // Whether the browser has promised not to delete what is kept.
  get is_persistent() {
    return this.#keep.is_persistent;
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
    return Promise.all(names.map((name) => read(this.#keep, name)));
  }

  // What was made in a session and is kept: a share or a signature; null where there is neither.
  async made(session) {
    return (await read(this.#keep, `share/${session}`)) ?? (await read(this.#keep, `signature/${session}`));
  }

  // This party's part in a session: from its journal, if there is one. The part in another session acts no more.
  async enter(session) {
    const spec = await this.spec(session);
    const index = spec.roster.indexOf(this.identity);
    if (index < 0) {
      throw new PartyError("not_member", `${this.identity} is not in the session's roster`);
    }
    const hold = {
      module: this.#module,
      reader: this.#reader,
      keep: this.#keep,
      queue: this.#queue,
      // Whether this part may still act.
      check: (seat) => {
        if (this.#dead !== null) {
          throw this.#dead;
        }
        if (this.#live !== seat) {
          throw new PartyError("closed", "this party acts in another session, or has forgotten this one");
        }
      },
      leave: () => (this.#live = null),
      die: (error) => this.#end(error),
    };
    const seat = new Seat(hold, { session, spec, index, identity: this.identity });
    this.#live = seat;
    await seat.begin();
    return seat;
  }

  #end(error) {
    if (this.#dead !== null) {
      return;
    }
    this.#dead = error;
    try {
      this.#module.act("party_close");
    } finally {
      this.#release?.();
    }
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

async function read(keep, name) {
  const bytes = await keep.secret(name);
  return bytes === null ? null : JSON.parse(new TextDecoder().decode(bytes));
}

// A part in one session.
export class Seat {
  #hold;
  #rows = 0;
  // When each transaction was sent last.
  #sent = new Map();

  constructor(hold, { session, spec, index, identity }) {
    this.#hold = hold;
    this.session = session;
    this.spec = spec;
    this.index = index;
    // Whose journal of what.
    this.of = `${session}/${identity}`;
  }

  async begin() {
    while (!(await this.#turn(() => this.#begin()))) {
      await pause(LOOK_MS);
    }
  }

  async #begin() {
    if (!(await this.#follow())) {
      return false;
    }
    const { bytes, rows } = await this.#hold.keep.journal(this.of);
    this.#rows = rows;
    const { keep } = this.#hold.module.act("party_enter", { session: this.session }, bytes, random(ENTER_BYTES));
    await this.#do({ keep });
    return true;
  }

  // Reads what is new, as soon as a replica answers, and sends what the board doesn't show.
  async look() {
    for (;;) {
      const standing = await this.#turn(() => this.#look());
      if (standing !== null) {
        return standing;
      }
      await pause(LOOK_MS);
    }
  }

  // The same, or null where nobody answers: then nothing is known that could be acted on.
  async #look() {
    if (!(await this.#follow())) {
      return null;
    }
    const standing = this.#act("party_standing");
    for (const tx of standing.send) {
      await this.#send(tx);
    }
    return standing;
  }

  join() {
    return this.#turn(() => this.#do(this.#act("party_join", random(NONCE_BYTES))));
  }

  // Posts in a round: bytes for everybody, and for single parties, by index.
  post(round, broadcast, p2p = []) {
    const hex = (bytes) => Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
    const sealed = p2p.map(([to, bytes]) => [to, hex(bytes)]);
    const post = { round, broadcast: hex(broadcast), p2p: sealed };
    return this.#turn(() => this.#do(this.#act("party_post", post, random(NONCE_BYTES))));
  }

  finish(outcome) {
    return this.#turn(() => this.#do(this.#act("party_finish", { outcome }, random(NONCE_BYTES))));
  }

  leave(how) {
    return this.#turn(() => this.#do(this.#act("party_leave", how, random(NONCE_BYTES))));
  }

  // What a closed round holds, opened.
  inbox(round) {
    this.#hold.check(this);
    const { posted, broadcasts, p2p } = this.#act("party_inbox", { round });
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

  // Runs the session's own protocol, one of the EdDSA, to its end: a share or a signature, which is kept then. `tell` is told how the
  // session stands, or null while nobody answers. Of a session that has aborted nothing is left; one whose end is unknown keeps its journal.
  async run({ share = null, tell = () => {} } = {}) {
    for (;;) {
      const { standing, made } = await this.#turn(() => this.#step(share));
      tell(standing);
      if (made !== undefined) {
        return made;
      }
      await pause(LOOK_MS);
    }
  }

  async #step(share) {
    const standing = await this.#look();
    if (standing === null) {
      return { standing };
    }
    const { end } = standing;
    if (end !== null && end.how !== "finished") {
      if (end.how === "aborted") {
        await this.#forget();
      }
      throw new PartyError(end.how, end.text);
    }
    if (standing.shown && end === null) {
      return { standing };
    }
    const next = this.#act("eddsa_next", { share }, random(NONCE_BYTES));
    await this.#do(next);
    if (next.finished) {
      await this.#keepMade(next.made);
      return { standing, made: next.made };
    }
    if (next.broken && !next.keep && !next.send) {
      throw new PartyError("payload", next.broken.text);
    }
    return { standing };
  }

  // Deletes the journal, if nobody needs it any more. This part acts no more.
  forget() {
    return this.#turn(() => this.#forget());
  }

  async #forget() {
    // A key's share can be made again from nothing but the journal.
    if (this.spec.protocol === KEYGEN) {
      const { end } = this.#act("party_standing");
      const kept = end?.how === "finished" ? await read(this.#hold.keep, `share/${this.session}`) : null;
      if (end?.how === "finished" && kept?.share?.session !== this.session) {
        throw new PartyError("usage", "the share isn't kept: run() keeps it");
      }
    }
    this.#act("party_forget");
    this.#hold.leave();
    await this.#hold.keep.forget(this.of);
  }

  // Keeps what was made, unless it is kept.
  async #keepMade(made) {
    const { name, bytes } = secretOf(this.session, made);
    if ((await this.#hold.keep.secret(name)) === null) {
      await this.#hold.keep.keepSecret(name, bytes);
    }
  }

  // Keeps what is to be kept, and then sends it. A share is kept in the same moment as what says that there is one.
  async #do({ keep, send, made }) {
    this.#checkOne();
    if (!keep) {
      return send ? this.#send(send) : null;
    }
    const secret = made?.kind === "share" ? secretOf(this.session, made) : null;
    try {
      await this.#hold.keep.append(this.of, this.#rows, unhex(keep), secret);
    } catch (error) {
      // The module believes in a row that isn't there.
      const stops = new PartyError("journal", `not kept, and this party stops: ${error.message}`);
      this.#hold.die(stops);
      throw stops;
    }
    this.#rows += 1;
    const { send: kept } = this.#act("party_kept");
    return kept ? this.#send(kept) : null;
  }

  // To all replicas, once in a while: the board says whether it has it.
  async #send(tx) {
    this.#checkOne();
    const now = Date.now();
    if (now - (this.#sent.get(tx) ?? -Infinity) < AGAIN_MS) {
      return;
    }
    this.#sent.set(tx, now);
    await this.#hold.reader.send(unhex(tx));
  }

  async #follow() {
    try {
      return await this.#hold.reader.followAs(this.session, this.index);
    } finally {
      this.#checkOne();
    }
  }

  // Of two histories none is acted on.
  #checkOne() {
    const { alarm, alarm_by } = this.#hold.reader;
    if (alarm !== null) {
      throw new PartyError(alarm_by, alarm);
    }
  }

  #act(name, ...inputs) {
    return this.#hold.module.act(name, { session: this.session }, ...inputs);
  }

  // Acts when all that was asked for before is done, if this part may still act then.
  #turn(act) {
    return this.#hold.queue.turn(() => {
      this.#hold.check(this);
      return act();
    });
  }
}

const secretOf = (session, made) => ({ name: `${made.kind}/${session}`, bytes: encoder.encode(JSON.stringify(made)) });
