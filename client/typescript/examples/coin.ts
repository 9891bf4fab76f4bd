/** Parties draw a coin that none of them can choose: node coin.js ADDRESS TOKEN_FILE SESSION */

import { createHash } from "node:crypto";
import { Gateway } from "../src/index.js";

function digest(...parts: Uint8Array[]): Uint8Array {
  return createHash("sha256").update(Buffer.concat(parts)).digest();
}

function same(one: Uint8Array | undefined, other: Uint8Array): boolean {
  return one !== undefined && Buffer.compare(one, other) === 0;
}

const [address, tokenFile, id] = process.argv.slice(2);
if (!address || !tokenFile || !id) throw new Error("expected ADDRESS TOKEN_FILE SESSION");
const session = new Gateway(address, tokenFile).session(id);
const me = await session.join();
const parties = (await session.read()).spec.roster.keys();
const mine = await session.randomness("coin"); // the same after a crash
const others = new Map([...parties].filter((to) => to !== me).map((to) => [to, digest(mine, Uint8Array.of(to))]));
await session.post(1, digest(mine), others);
const promised = await session.inbox(1);
await session.post(2, mine);
const shown = (await session.inbox(2)).broadcasts;
for (const [who, bits] of shown) {
  const told = digest(bits, Uint8Array.of(me));
  if (!same(promised.broadcasts.get(who), digest(bits)) || !same(promised.p2p.get(who) ?? told, told)) {
    await session.abort(1, who);
    throw new Error(`party ${who} has shown something else than it had promised`);
  }
}
const coin = digest(...[...shown].sort(([a], [b]) => a - b).map(([, bits]) => bits));
await session.finish(coin);
console.log((await session.end()).outcome);
