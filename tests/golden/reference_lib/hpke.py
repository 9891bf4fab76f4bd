"""HPKE Base with HKDF-SHA256 and ChaCha20-Poly1305 (RFC 9180), in plain Python.

KEM 1 is DHKEM(X25519, HKDF-SHA256), KEM 2 X-Wing (draft-ietf-hpke-pq-03, draft-connolly-cfrg-xwing-kem).
"""

import hashlib
import hmac
import struct

from . import ml_kem

P = 2**255 - 19
KEM_IDS = {1: 0x0020, 2: 0x647A}
KDF_ID, AEAD_ID = 0x0001, 0x0003
KEY_BYTES = {1: 32, 2: ml_kem.KEY_BYTES + 32}


def x25519(scalar, point):
    """RFC 7748: the Montgomery ladder."""
    k = bytearray(scalar)
    k[0] &= 248
    k[31] = k[31] & 127 | 64
    k = int.from_bytes(k, "little")
    u = int.from_bytes(point, "little") & (2**255 - 1)
    x2, z2, x3, z3, swap = 1, 0, u, 1, 0
    for bit in reversed(range(255)):
        now = k >> bit & 1
        if swap != now:
            x2, x3, z2, z3 = x3, x2, z3, z2
        swap = now
        a, b = x2 + z2, x2 - z2
        aa, bb = a * a % P, b * b % P
        e = aa - bb
        da, cb = (x3 - z3) * a % P, (x3 + z3) * b % P
        x3, z3 = (da + cb) ** 2 % P, u * (da - cb) ** 2 % P
        x2, z2 = aa * bb % P, e * (aa + 121665 * e) % P
    if swap:
        x2, z2 = x3, z3
    return (x2 * pow(z2, P - 2, P) % P).to_bytes(32, "little")


BASE = (9).to_bytes(32, "little")


def hkdf_extract(salt, key):
    """HKDF's first half."""
    return hmac.new(salt or bytes(32), key, hashlib.sha256).digest()


def hkdf_expand(prk, info, length):
    """HKDF's second half."""
    out, block = b"", b""
    counter = 1
    while len(out) < length:
        block = hmac.new(prk, block + info + bytes([counter]), hashlib.sha256).digest()
        out, counter = out + block, counter + 1
    return out[:length]


def hkdf(key, info, length):
    """Both halves with an empty salt."""
    return hkdf_expand(hkdf_extract(b"", key), info, length)


def labeled_extract(suite, salt, label, key):
    """RFC 9180, section 4."""
    return hkdf_extract(salt, b"HPKE-v1" + suite + label + key)


def labeled_expand(suite, prk, label, info, length):
    """RFC 9180, section 4."""
    return hkdf_expand(prk, struct.pack(">H", length) + b"HPKE-v1" + suite + label + info, length)


def kem_suite(kem):
    """RFC 9180, section 4.1."""
    return b"KEM" + struct.pack(">H", KEM_IDS[kem])


def derive_x25519(ikm):
    """(secret, public) of DHKEM's input key material."""
    prk = labeled_extract(kem_suite(1), b"", b"dkp_prk", ikm)
    secret = labeled_expand(kem_suite(1), prk, b"sk", b"", 32)
    return secret, x25519(secret, BASE)


def x_wing_public(seed):
    """The encapsulation key of an X-Wing seed."""
    expanded = hashlib.shake_256(seed).digest(96)
    return ml_kem.public_key(expanded[:32]) + x25519(expanded[64:], BASE)


def public_key(kem, ikm):
    """DeriveKeyPair's public half."""
    if kem == 1:
        return derive_x25519(ikm)[1]
    labeled = ikm + b"HPKE-v1" + kem_suite(2) + struct.pack(">H", 13) + b"DeriveKeyPair" + struct.pack(">H", 32)
    return x_wing_public(hashlib.shake_256(labeled).digest(32))


def x_wing_encapsulate(recipient, randomness):
    """(shared secret, encapsulated key)."""
    ml_kem_shared, ciphertext = ml_kem.encapsulate(recipient[:-32], randomness[:32])
    enc = x25519(randomness[32:], BASE)
    shared = ml_kem_shared + x25519(randomness[32:], recipient[-32:]) + enc + recipient[-32:]
    return hashlib.sha3_256(shared + b"\\.//^\\").digest(), ciphertext + enc


def encapsulate(kem, recipient, randomness):
    """(shared secret, encapsulated key) from 32 bytes for KEM 1, 64 for KEM 2."""
    if kem == 2:
        return x_wing_encapsulate(recipient, randomness)
    ephemeral, enc = derive_x25519(randomness)
    prk = labeled_extract(kem_suite(1), b"", b"eae_prk", x25519(ephemeral, recipient))
    return labeled_expand(kem_suite(1), prk, b"shared_secret", enc + recipient, 32), enc


def acceptable(kem, key):
    """Whether a key is of the right length, canonical, and not of low order in its X25519 part."""
    if len(key) != KEY_BYTES[kem]:
        return False
    point = key[-32:]
    low = not any(x25519(bytes(31) + b"\x40", point))
    return int.from_bytes(point, "little") < P and not low and (kem == 1 or ml_kem.acceptable(key[:-32]))


def quarter(s, a, b, c, d):
    """ChaCha20's quarter round."""
    for x, y, z, turn in ((a, b, d, 16), (c, d, b, 12), (a, b, d, 8), (c, d, b, 7)):
        s[x] = (s[x] + s[y]) & 0xFFFFFFFF
        s[z] ^= s[x]
        s[z] = (s[z] << turn | s[z] >> (32 - turn)) & 0xFFFFFFFF


def chacha20_block(key, counter, nonce):
    """64 bytes of key stream."""
    start = [0x61707865, 0x3320646E, 0x79622D32, 0x6B206574]
    start += struct.unpack("<8L", key) + (counter,) + struct.unpack("<3L", nonce)
    state = list(start)
    for _ in range(10):
        quarter(state, 0, 4, 8, 12)
        quarter(state, 1, 5, 9, 13)
        quarter(state, 2, 6, 10, 14)
        quarter(state, 3, 7, 11, 15)
        quarter(state, 0, 5, 10, 15)
        quarter(state, 1, 6, 11, 12)
        quarter(state, 2, 7, 8, 13)
        quarter(state, 3, 4, 9, 14)
    return struct.pack("<16L", *((a + b) & 0xFFFFFFFF for a, b in zip(state, start)))


def chacha20(key, nonce, data):
    """Encrypts from block 1 on."""
    out = bytearray()
    for at in range(0, len(data), 64):
        stream = chacha20_block(key, 1 + at // 64, nonce)
        out += bytes(a ^ b for a, b in zip(data[at : at + 64], stream))
    return bytes(out)


def poly1305(key, data):
    """The 16-byte tag."""
    r = int.from_bytes(key[:16], "little") & 0x0FFFFFFC0FFFFFFC0FFFFFFC0FFFFFFF
    total = 0
    for at in range(0, len(data), 16):
        total = (total + int.from_bytes(data[at : at + 16] + b"\x01", "little")) * r % (2**130 - 5)
    return ((total + int.from_bytes(key[16:], "little")) % 2**128).to_bytes(16, "little")


def aead_seal(key, nonce, aad, plaintext):
    """ChaCha20-Poly1305 (RFC 8439): ciphertext and tag."""

    def padded(data):
        return data + bytes(-len(data) % 16)

    ciphertext = chacha20(key, nonce, plaintext)
    lengths = struct.pack("<QQ", len(aad), len(ciphertext))
    one_time = chacha20_block(key, 0, nonce)[:32]
    return ciphertext + poly1305(one_time, padded(aad) + padded(ciphertext) + lengths)


def seal(kem, randomness, recipient, info, aad, plaintext):
    """A single-shot sealing that draws this randomness: `enc` followed by `ct`."""
    secret, enc = encapsulate(kem, recipient, randomness)
    suite = b"HPKE" + struct.pack(">HHH", KEM_IDS[kem], KDF_ID, AEAD_ID)
    context = b"\x00" + labeled_extract(suite, b"", b"psk_id_hash", b"")
    context += labeled_extract(suite, b"", b"info_hash", info)
    prk = labeled_extract(suite, secret, b"secret", b"")
    key = labeled_expand(suite, prk, b"key", context, 32)
    nonce = labeled_expand(suite, prk, b"base_nonce", context, 12)
    return enc + aead_seal(key, nonce, aad, plaintext)
