#!/usr/bin/env python3
"""Writes the golden files, or with --check compares them with what is on disk.

A second implementation of the byte formats from the design's text, with nothing but Python's standard library:
what the two implementations agree on is what the text says.
"""

import hashlib
import json
import pathlib
import sys

sys.dont_write_bytecode = True

from reference_lib import cases, ed25519, hpke, receipts, state_cases, tx_cases

HERE = pathlib.Path(__file__).resolve().parent
FILES = {
    "network": cases.networks,
    "spec": cases.specs,
    "stamps": cases.stamps,
    "cards": cases.cards,
    "signatures": cases.signatures,
    "digests": cases.digests,
    "payloads": cases.payloads,
    "parts": cases.parts,
    "transcripts": cases.transcripts,
    "bitmaps": cases.bitmaps,
    "terminals": state_cases.terminals,
    "blame": state_cases.blame,
    "leaves": state_cases.leaves,
    "trees": state_cases.trees,
    "roots": state_cases.roots,
    "seals": state_cases.seals,
    "sealing": state_cases.sealing,
    "judging": state_cases.judging,
    "keys": state_cases.identity_keys,
    "transactions": tx_cases.transactions,
    "refused": tx_cases.refused,
}


def self_check():
    """Published vectors, so that a slip in the arithmetic isn't frozen: RFC 8032 test 1, RFC 9180 A.2.1, X-Wing's first."""
    seed = bytes.fromhex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60")
    assert ed25519.public_key(seed).hex() == "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"
    assert ed25519.sign(seed, b"").hex().startswith("e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e06522490155")
    ikm_e = bytes.fromhex("909a9b35d3dc4713a5e72a4da274b55d3d3821a37e5d099e74a647db583a904b")
    ikm_r = bytes.fromhex("1ac01f181fdf9f352797655161c58b75c656a6cc2716dcb66372da835542e1df")
    recipient = hpke.public_key(1, ikm_r)
    sealed = hpke.seal(1, ikm_e, recipient, b"Ode on a Grecian Urn", b"Count-0", b"Beauty is truth, truth beauty")
    assert sealed[:32].hex() == "1afa08d3dec047a643885163f1180476fa7ddb54c6a8029ea33f95796bf2ac4a"
    assert sealed[32:].hex() == "1c5250d8034ec2b784ba2cfd69dbdb8af406cfe3ff938e131f0def8c8b60b4db21993c62ce81883d2dd1b51a28"
    recipient = hpke.x_wing_public(bytes.fromhex("7f9c2ba4e88f827d616045507605853ed73b8093f6efbc88eb1a6eacfa66ef26"))
    randomness = "3cb1eea988004b93103cfb0aeefd2a686e01fa4a58e8a3639ca8a1e3f9ae57e235b8cc873c23dc62b8d260169afa2f75ab916a58d974918835d25e6a435085b2"
    shared, enc = hpke.x_wing_encapsulate(recipient, bytes.fromhex(randomness))
    assert shared.hex() == "d2df0522128f09dd8e2c92b1e905c793d8f57a54c3da25861f10bf4ca613e384"
    assert hashlib.sha256(recipient + enc).hexdigest() == "791eb5d86962e96c1be5e30d4b4c9f6c6518eef3b821a31c6fad6357ac6e117c"


def render(make):
    """One file's text."""
    return json.dumps(make(), indent=1, ensure_ascii=True) + "\n"


def main():
    """0 if all is as it should be."""
    self_check()
    check = sys.argv[1:] == ["--check"]
    if sys.argv[1:] and not check:
        print("usage: reference.py [--check]", file=sys.stderr)
        return 2
    bad, total = [], 0
    for name, make in FILES.items():
        path, text = HERE / f"{name}.json", render(make)
        total += len(json.loads(text))
        if not check:
            path.write_text(text)
        elif not path.exists() or path.read_text() != text:
            bad.append(path.name)
    known = {f"{name}.json" for name in FILES}
    bad += [path.name for path in HERE.glob("*.json") if path.name not in known]
    stored, bad_receipts = receipts.check(HERE / "receipts")
    for reason in bad_receipts:
        print(f"not what the reference computes: {reason}", file=sys.stderr)
    for name in bad:
        print(f"differs from the reference: {name}", file=sys.stderr)
    print(f"{len(FILES)} files, {total} cases, {'checked' if check else 'written'}; {stored} receipts checked")
    return 1 if bad or bad_receipts else 0


if __name__ == "__main__":
    sys.exit(main())
