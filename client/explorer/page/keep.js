// What a party keeps in this browser: its identity and its shares, encrypted under a passphrase, and the journals of its sessions, which
// are encrypted under the identity. What is kept is on the disk when its promise resolves, as far as the browser can say.

const NAME = "white-city-party";
const SECRETS = "secrets";
const JOURNALS = "journals";
// PBKDF2 with SHA-256.
const ITERATIONS = 600_000;

const done = (request) =>
  new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });

const encoder = new TextEncoder();

export class Keep {
  #db;
  #key;

  constructor(db, key, is_persistent) {
    this.#db = db;
    this.#key = key;
    // Whether the browser has promised not to delete it when the disk is full.
    this.is_persistent = is_persistent;
  }

  // Opens what is kept for somebody, or begins it, with a passphrase. A wrong one is noticed with the first secret.
  static async open(who, passphrase) {
    if (passphrase.length === 0) {
      throw new Error("expected a passphrase");
    }
    const request = indexedDB.open(`${NAME}/${who}`, 1);
    request.onupgradeneeded = () => {
      request.result.createObjectStore(SECRETS);
      request.result.createObjectStore(JOURNALS);
    };
    const db = await done(request);
    // A browser that is asked doesn't delete it when the disk is full; it may say no.
    const is_persistent = (await navigator.storage?.persist?.()) ?? false;
    let salt = await done(db.transaction(SECRETS).objectStore(SECRETS).get("salt"));
    if (salt === undefined) {
      salt = crypto.getRandomValues(new Uint8Array(16));
      await written(db, [SECRETS], (store) => store(SECRETS).add(salt, "salt"));
    }
    const given = await crypto.subtle.importKey("raw", encoder.encode(passphrase), "PBKDF2", false, ["deriveKey"]);
    const how = { name: "PBKDF2", hash: "SHA-256", salt, iterations: ITERATIONS };
    const uses = ["encrypt", "decrypt"];
    // Not extractable: no script reads the key itself, though any of this origin may use it while the page is open.
    const key = await crypto.subtle.deriveKey(how, given, { name: "AES-GCM", length: 256 }, false, uses);
    return new Keep(db, key, is_persistent);
  }

  // A secret; null where there is none of this name.
  async secret(name) {
    const sealed = await done(this.#db.transaction(SECRETS).objectStore(SECRETS).get(name));
    if (sealed === undefined) {
      return null;
    }
    const how = { name: "AES-GCM", iv: sealed.iv, additionalData: encoder.encode(name) };
    try {
      return new Uint8Array(await crypto.subtle.decrypt(how, this.#key, sealed.bytes));
    } catch {
      throw new Error("wrong passphrase, or what is kept was changed");
    }
  }

  // Names of secrets that begin with this.
  async names(prefix) {
    const range = IDBKeyRange.bound(prefix, `${prefix}\uffff`);
    return done(this.#db.transaction(SECRETS).objectStore(SECRETS).getAllKeys(range));
  }

  // Keeps a new secret. One that is there is never overwritten.
  async keepSecret(name, bytes) {
    const sealed = await this.#sealed(name, bytes);
    await written(this.#db, [SECRETS], (store) => store(SECRETS).add(sealed, name));
  }

  // The journal of a session of an identity; empty where there is none.
  async journal(of) {
    const rows = await done(this.#db.transaction(JOURNALS).objectStore(JOURNALS).getAll(rowsOf(of)));
    const bytes = new Uint8Array(rows.reduce((length, row) => length + row.length, 0));
    let at = 0;
    for (const row of rows) {
      bytes.set(row, at);
      at += row.length;
    }
    return { bytes, rows: rows.length };
  }

  // Keeps the next row of a journal and, in the same moment, a secret if there is one: both or neither. A row that is there already was
  // written by somebody else, and nothing is.
  async append(of, row, bytes, secret = null) {
    const sealed = secret && { name: secret.name, value: await this.#sealed(secret.name, secret.bytes) };
    await written(this.#db, [JOURNALS, SECRETS], (store) => {
      store(JOURNALS).add(bytes, [of, row]);
      if (sealed) {
        // The same session may have kept it before this page was closed.
        store(SECRETS).put(sealed.value, sealed.name);
      }
    });
  }

  // Deletes a journal, and with it the keys of the session.
  async forget(of) {
    await written(this.#db, [JOURNALS], (store) => store(JOURNALS).delete(rowsOf(of)));
  }

  async #sealed(name, bytes) {
    const iv = crypto.getRandomValues(new Uint8Array(12));
    const how = { name: "AES-GCM", iv, additionalData: encoder.encode(name) };
    return { iv, bytes: new Uint8Array(await crypto.subtle.encrypt(how, this.#key, bytes)) };
  }
}

const rowsOf = (of) => IDBKeyRange.bound([of, 0], [of, Infinity]);

// Writes, and waits until it is on the disk: `strict` has the browser flush before it says so.
function written(db, stores, write) {
  return new Promise((resolve, reject) => {
    const transaction = db.transaction(stores, "readwrite", { durability: "strict" });
    transaction.oncomplete = () => resolve();
    transaction.onabort = () => reject(transaction.error ?? new Error("not kept"));
    write((name) => transaction.objectStore(name));
  });
}
