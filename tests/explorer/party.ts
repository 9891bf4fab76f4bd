// A protocol of its own over `party.js`, as far as its types hold: each party says hello, and something to party 0 alone.

import { Party, type Seat } from "../../client/explorer/page/party.js";

export async function hello(genesis: string, passphrase: string, session: string, outcome: string): Promise<string[]> {
  const party = await Party.open({ genesis, passphrase });
  const seat: Seat = await party.enter(session);
  await seat.join();
  await seat.until(1);
  const text = new TextEncoder().encode(`hello from ${party.identity}`);
  await seat.post(1, text, seat.index === 0 ? [] : [[0, text]]);
  const { end } = await seat.until(2);
  if (end !== null) {
    throw new Error(end.how === "finished" ? end.outcome : end.text);
  }
  const { broadcasts } = seat.inbox(1);
  await seat.finish(outcome);
  return [...broadcasts.values()].map((bytes) => new TextDecoder().decode(bytes));
}
