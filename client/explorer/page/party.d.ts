// Types of party.js: a party of White City in a browser. Bytes of sessions, keys and hashes are hexadecimal digits.

/** The network of a genesis. */
export interface Network {
  network: string;
  chain_id: string;
  genesis_ms: number;
  initial_height: number;
  replica_count: number;
}

/** A session's spec, by the names of docs/json.md. */
export interface Spec {
  protocol: string;
  version: number;
  roster: string[];
  quorum: number;
  input: string;
  opener: string;
  [more: string]: unknown;
}

/** How a session stands for its party. Times are the board's. */
export interface Standing {
  index: number;
  n: number;
  /** The open round; 0 is joining. */
  open_round: number;
  joined: boolean;
  /** Whether this party has written in the open round, and whether the board shows it. */
  written: boolean;
  shown: boolean;
  left: boolean;
  waiting_for: number[] | null;
  deadline_ms: number | null;
  board_ms: number | null;
  height: number;
  end: End | null;
}

export type End =
  | { how: "finished"; outcome: string }
  /** `unknown`: the replicas say aborted, after this party had finished. */
  | { how: "aborted" | "unknown"; text: string };

/** What a closed round holds for this party. */
export interface Inbox {
  round: number;
  posted: number[];
  broadcasts: Map<number, Uint8Array>;
  p2p: Map<number, Uint8Array>;
}

/** A share of a key, as it is kept. It is a secret. */
export interface Share {
  session: string;
  roster: string[];
  share: string;
}

export type Made =
  | { kind: "share"; public_key: string; signers_min: number; share: Share }
  | { kind: "signature"; public_key: string; signature: string; culprits: number[] };

/** A replica, and what is known of it. */
export interface Replica {
  at: number;
  name: string;
  state: string;
  text: string;
  height: number;
  lies: number;
  lie: { text: string; of: string; at_ms: number } | null;
}

/**
 * Why a party couldn't do something. `kind` is one of docs/json.md's, or `genesis`, `header` or `answer` (what isn't believed), `usage` (a wrong
 * call), `fork` or `rules` (two histories, or rules that this program doesn't know: the party stops), `payload` (somebody's message is wrong),
 * `closed` (this part acts no more), or an end: `aborted`, `unknown`.
 */
export class PartyError extends Error {
  readonly kind: string;
}

export class Party {
  /** Opens the board of a genesis as the identity that this browser keeps for somebody (`me`) under a passphrase, or as a new one. */
  static open(how: { genesis: string; passphrase: string; who?: string }): Promise<Party>;
  readonly identity: string;
  readonly network: Network;
  readonly replicas: Replica[];
  /** Whether f + 1 replicas have proven in the last look how far the board is: with fewer, nobody knows how old the newest state is. */
  readonly is_fresh: boolean;
  /** Whether the browser has promised not to delete what is kept when its disk is full. */
  readonly is_persistent: boolean;
  /** Acts no more, and lets another tab act as this identity. */
  close(): void;
  /** What replicas answer to a question of `client/verify/wasm/src/question.rs`, once it is proven: its `value`, or the `reasons` why there is none. */
  read(asked: { of: string; [more: string]: unknown }): Promise<{
    height?: number;
    value?: unknown;
    said?: unknown;
    reasons?: { replica: string; kind: string; text: string }[];
  }>;
  /** What a party consents to by joining. */
  spec(session: string): Promise<Spec>;
  /** Shares that are kept. */
  shares(): Promise<Extract<Made, { kind: "share" }>[]>;
  /** What was made in a session, and is kept. */
  made(session: string): Promise<Made | null>;
  /** This party's part in a session, from its journal if there is one. Of a party one part acts: the one before is `closed`. */
  enter(session: string): Promise<Seat>;
}

/** A part in one session. Whatever it writes is kept first; it can be said again, and is the same then or refused. */
export class Seat {
  readonly session: string;
  readonly index: number;
  readonly spec: Spec;
  /** Reads what is new, as soon as a replica answers, and sends again what the board doesn't show. */
  look(): Promise<Standing>;
  join(): Promise<void>;
  post(round: number, broadcast: Uint8Array, p2p?: [number, Uint8Array][]): Promise<void>;
  finish(outcome: string): Promise<void>;
  leave(how: { decline: number } | { abort: number; about?: number; detail?: string }): Promise<void>;
  inbox(round: number): Inbox;
  /** Waits until a round is open, or the session has ended. */
  until(round: number): Promise<Standing>;
  /**
   * Runs the session's protocol, if it is one of the EdDSA, to its end, and keeps what was made. `tell` is told how the session stands; `null` while
   * nobody answers. If the session aborts, the journal is deleted.
   */
  run(how?: { share?: Share | null; tell?: (standing: Standing | null) => void }): Promise<Made>;
  /** Deletes the journal, and with it the keys of the session, if nobody needs it any more: of a key's session once the share is kept. */
  forget(): Promise<void>;
}
