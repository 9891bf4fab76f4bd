"""Parties draw a coin that none of them can choose: python3 coin.py ADDRESS TOKEN_FILE SESSION"""

import hashlib
import sys

from white_city import Gateway


def digest(*parts: bytes) -> bytes:
    return hashlib.sha256(b"".join(parts)).digest()


def main(address: str, token_file: str, session_id: str) -> None:
    session = Gateway(address, token_file=token_file).session(session_id)
    me = session.join()
    parties = range(len(session.read()["spec"]["roster"]))
    mine = session.randomness("coin")  # the same after a crash
    others = {to: digest(mine, bytes([to])) for to in parties if to != me}
    session.post(1, digest(mine), others)
    promised = session.inbox(1)
    session.post(2, mine)
    shown = session.inbox(2).broadcasts
    for who, bits in shown.items():
        told = promised.p2p.get(who, digest(bits, bytes([me])))
        if digest(bits) != promised.broadcasts[who] or told != digest(bits, bytes([me])):
            session.abort(cause=1, about=who)
            sys.exit(f"party {who} has shown something else than it had promised")
    coin = digest(*(shown[who] for who in sorted(shown)))
    session.finish(coin)
    print(session.end()["outcome"])


if __name__ == "__main__":
    main(*sys.argv[1:])
