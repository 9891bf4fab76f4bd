/**
 * A party of a White City board, by way of the gateway on its machine.
 *
 * A gateway signs, seals, verifies and journals; this is a thin way to it. All calls can be made again: while the gateway is away, or others
 * have to act first, they are, until `patienceMs` is over.
 */

import { readFileSync } from "node:fs";
import { type IncomingMessage, request } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";

/** Longest that one request waits at the gateway, milliseconds. */
const WAIT_MS = 30_000;
/** Pause before a gateway that is away is asked again, milliseconds. */
const PAUSE_MS = 200;

/** The gateway's no: `number` and `kind` say which one, for ever, and the text what was expected. */
export class Failure extends Error {
  readonly number: number;
  readonly kind: string;

  constructor(readonly status: number, readonly said: Record<string, unknown>) {
    super(String(said["error"] ?? said["text"] ?? `status ${status}`));
    this.number = Number(said["failure"] ?? (status === 202 ? 9000 : 0));
    this.kind = String(said["failure_name"] ?? (status === 202 ? "waiting" : "other"));
  }
}

/** One closed round: who posted, the broadcasts, and what was sealed to this party. */
export interface Inbox {
  readonly round: number;
  readonly posted: readonly number[];
  readonly broadcasts: ReadonlyMap<number, Uint8Array>;
  readonly p2p: ReadonlyMap<number, Uint8Array>;
}

/** The end of a session. */
export interface End {
  readonly session: string;
  readonly result: "finished" | "aborted" | "unknown";
  readonly outcome: string | null;
  readonly text: string;
  readonly left: readonly number[];
  readonly culprits: readonly number[];
  readonly missing: readonly number[];
}

/** What a session is, and this party's place in it. */
export interface Terms {
  readonly session: string;
  readonly index: number | null;
  readonly spec: {
    readonly protocol: string;
    readonly version: number;
    readonly roster: readonly string[];
    readonly quorum: number;
    readonly corrupt: number;
    readonly max_rounds: number;
    readonly input: string;
    readonly input_text: string | null;
    readonly opener: string;
    readonly prev_session: string | null;
    readonly [more: string]: unknown;
  };
}

/** A session to open; what is left out has the gateway's usual value. `request` names this request: the same one opens the same session. */
export interface Opening {
  request: string;
  protocol: string;
  roster: readonly string[];
  version?: number;
  quorum?: number;
  corrupt?: number;
  max_rounds?: number;
  max_bcast?: number;
  max_p2p_plaintext?: number;
  max_bytes?: number;
  join_ms?: number;
  round_ms?: number;
  reveal_ms?: number;
  retention_ms?: number;
  input?: string;
  prev_session?: string;
}

/** A gateway at `HOST:PORT` or `unix:PATH`, with the token of its file. */
export class Gateway {
  readonly #token: string;
  readonly #place: { socketPath: string } | { host: string; port: number };

  constructor(address: string, tokenFile: string, readonly patienceMs = 600_000) {
    this.#token = readFileSync(tokenFile, "utf8").trim();
    const at = address.lastIndexOf(":");
    this.#place = address.startsWith("unix:")
      ? { socketPath: address.slice(5) }
      : { host: address.slice(0, at).replace(/^\[|\]$/g, ""), port: Number(address.slice(at + 1)) };
  }

  /** This party's part in a session. */
  session(id: string): Session {
    return new Session(this, id);
  }

  /** This party's key, and its network. */
  async party(): Promise<{ key: string; network: string }> {
    return (await this.call("GET", "/v1/party")) as { key: string; network: string };
  }

  /** Opens a session. */
  async open(opening: Opening): Promise<Session> {
    const opened = (await this.call("POST", "/v1/sessions", opening)) as { session: string };
    return this.session(opened.session);
  }

  /** Asks once, and gives the answer as it begins. */
  ask(method: string, path: string, body?: unknown, patienceMs = WAIT_MS + 30_000): Promise<IncomingMessage> {
    return new Promise((resolve, reject) => {
      const headers = { authorization: `Bearer ${this.#token}` };
      const asked = request({ ...this.#place, method, path, headers, timeout: patienceMs }, resolve);
      asked.on("timeout", () => asked.destroy(new Error("the gateway is silent")));
      asked.on("error", reject);
      asked.end(body === undefined ? undefined : JSON.stringify(body));
    });
  }

  /** Asks until there is an answer. */
  async call(method: string, path: string, body?: unknown): Promise<unknown> {
    const until = Date.now() + this.patienceMs;
    for (;;) {
      try {
        const answer = await this.ask(method, path, body);
        const said = JSON.parse(await text(answer)) as Record<string, unknown>;
        if (answer.statusCode === 200) return said;
        throw new Failure(answer.statusCode ?? 0, said);
      } catch (error) {
        // Others have to act first; or nothing was decided yet, and it goes on with what was signed.
        const isNo = error instanceof Failure && error.status !== 202 && error.status !== 503;
        if (isNo || Date.now() > until) throw error;
        await sleep(error instanceof Failure && error.status === 202 ? 0 : PAUSE_MS);
      }
    }
  }
}

/** One session. */
export class Session {
  constructor(readonly gateway: Gateway, readonly id: string) {}

  /** What the session is. Read it before joining: joining consents to it. */
  async read(): Promise<Terms> {
    return (await this.#call("GET", "")) as Terms;
  }

  /** Consents to the session, and gives this party's index. */
  async join(): Promise<number> {
    return ((await this.#call("POST", "/join")) as { index: number }).index;
  }

  /** Refuses to join. */
  async decline(reason = 0): Promise<void> {
    await this.#call("POST", "/decline", { reason });
  }

  /** Leaves after joining; `about` is a party, as a claim. */
  async abort(cause = 0, about?: number): Promise<void> {
    await this.#call("POST", "/abort", { cause_number: cause, about });
  }

  /** Posts, once the round is open. The same again is fine, and anything else for the round is refused. */
  async post(round: number, broadcast: Uint8Array, p2p: ReadonlyMap<number, Uint8Array> = new Map()): Promise<void> {
    const sealed = Object.fromEntries([...p2p].map(([to, data]) => [to, encoded(data)]));
    await this.#call("PUT", `/rounds/${round}`, { broadcast: encoded(broadcast), p2p: sealed });
  }

  /** Waits until a round has closed, and gives what it holds for this party. */
  async inbox(round: number): Promise<Inbox> {
    type Said = { round: number; posted: number[]; broadcasts: Record<string, string>; p2p: Record<string, string> };
    const said = (await this.#call("GET", `/rounds/${round}`)) as Said;
    const opened = (all: Record<string, string>) => new Map(Object.entries(all).map(([who, data]) => [Number(who), decoded(data)]));
    return { round: said.round, posted: said.posted, broadcasts: opened(said.broadcasts), p2p: opened(said.p2p) };
  }

  /** Says that this party is done, with 32 bytes that name the result. */
  async finish(outcome: Uint8Array): Promise<void> {
    await this.#call("POST", "/finish", { outcome: Buffer.from(outcome).toString("hex") });
  }

  /** Waits for the end. */
  async end(): Promise<End> {
    return (await this.#call("GET", "/end")) as End;
  }

  /** Complains about a payload that can't be opened (failure 8000). The session ends of it. */
  async complain(round: number, from: number): Promise<void> {
    await this.#call("POST", "/complain", { round, from });
  }

  /** Each change of the session, and its end. Ends early if the gateway does. */
  async *events(): AsyncGenerator<Record<string, unknown>> {
    const answer = await this.gateway.ask("GET", `/v1/sessions/${this.id}/events`);
    if (answer.statusCode !== 200) throw new Failure(answer.statusCode ?? 0, JSON.parse(await text(answer)));
    let rest = "";
    for await (const piece of answer.setEncoding("utf8")) {
      const lines = (rest + piece).split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines) {
        if (line.startsWith("data: ")) yield JSON.parse(line.slice(6));
      }
    }
  }

  /** A file that proves something about the session to anybody: `white-city verify`. */
  async receipt(kind = "ceremony"): Promise<Uint8Array> {
    return decoded(((await this.#call("GET", `/receipt?kind=${kind}`)) as { receipt: string }).receipt);
  }

  /** 32 secret bytes: always the same for one purpose in this session, also after a crash. */
  async randomness(purpose: string): Promise<Uint8Array> {
    return decoded(((await this.#call("GET", `/randomness/${encodeURIComponent(purpose)}`)) as { data: string }).data);
  }

  /** Keeps the protocol's own state, encrypted and synced when this is done. What depends on it is posted after that. */
  async remember(name: string, data: Uint8Array): Promise<void> {
    await this.#call("PUT", `/memory/${encodeURIComponent(name)}`, { data: encoded(data) });
  }

  /** The state that was remembered last under a name. */
  async recall(name: string): Promise<Uint8Array | undefined> {
    try {
      return decoded(((await this.#call("GET", `/memory/${encodeURIComponent(name)}`)) as { data: string }).data);
    } catch (error) {
      if (error instanceof Failure && error.kind === "not_remembered") return undefined;
      throw error;
    }
  }

  /** Deletes the session's keys, once the result is safe. */
  async forget(): Promise<void> {
    await this.#call("DELETE", "");
  }

  #call(method: string, path: string, body?: unknown): Promise<unknown> {
    return this.gateway.call(method, `/v1/sessions/${this.id}${path}`, body);
  }
}

async function text(answer: IncomingMessage): Promise<string> {
  const pieces: Buffer[] = [];
  for await (const piece of answer) pieces.push(piece as Buffer);
  return Buffer.concat(pieces).toString("utf8");
}

function encoded(data: Uint8Array): string {
  return Buffer.from(data).toString("base64");
}

function decoded(data: string): Uint8Array {
  return new Uint8Array(Buffer.from(data, "base64"));
}
