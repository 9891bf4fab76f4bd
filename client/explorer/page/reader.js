// The reader in a thread of its own, for the page.

import { Reader } from "./asking.js";
import { Verifier } from "./verifier.js";

let reader = null;
const CALLS = new Set(["open", "look", "read", "time", "follow", "entry"]);

addEventListener("message", async ({ data: { id, call, inputs } }) => {
  try {
    if (!CALLS.has(call)) {
      throw new Error(`no call ${call}`);
    }
    reader ??= new Reader(await Verifier.load(), (news) => postMessage(news));
    postMessage({ id, result: await reader[call](...inputs) });
  } catch (error) {
    postMessage({ id, error: String(error?.message ?? error) });
  }
});
