"""Obtains tokens from running services and forges others, for every resource server to accept or reject."""

import argparse
import base64
import hashlib
import hmac
import json
import urllib.request
import uuid
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

# The default issuer and audience of a service.
PUBLIC_URL = "http://localhost:5000"
USER = {"username": "john", "password": "my_password"}


def fetch(url: str, body: dict[str, str] | None = None) -> str:
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request) as response:
        return response.read().decode()


def login(service: str) -> str:
    return json.loads(fetch(f"{service}/login", USER))["access_token"]


def encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def decode(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def message(header: dict[str, Any], claims: dict[str, Any]) -> str:
    return f"{encode(json.dumps(header).encode())}.{encode(json.dumps(claims).encode())}"


def es256(key: ec.EllipticCurvePrivateKey, text: str) -> str:
    r, s = decode_dss_signature(key.sign(text.encode(), ec.ECDSA(SHA256())))
    return f"{text}.{encode(r.to_bytes(32, 'big') + s.to_bytes(32, 'big'))}"


def hs256(secret: str, text: str) -> str:
    return f"{text}.{encode(hmac.digest(secret.encode(), text.encode(), hashlib.sha256))}"


def point(key: ec.EllipticCurvePublicKey) -> dict[str, str]:
    numbers = key.public_numbers()
    return {"x": encode(numbers.x.to_bytes(32, "big")), "y": encode(numbers.y.to_bytes(32, "big"))}


def public_pem(jwk: dict[str, str]) -> str:
    """Convert a JWK to PEM, the form that most settings for a public key expect."""
    x, y = (int.from_bytes(decode(jwk[name]), "big") for name in ("x", "y"))
    key = ec.EllipticCurvePublicNumbers(x, y, ec.SECP256R1()).public_key()
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def forgeries(genuine: str, jwk_text: str) -> dict[str, dict[str, str]]:
    """Return what someone with a token and the public key can forge, by the check that rejects it and by name."""
    signed, signature = genuine.rsplit(".", 1)
    header_text, claims_text = signed.split(".")
    header, claims = json.loads(decode(header_text)), json.loads(decode(claims_text))
    jwk = json.loads(jwk_text)
    other = ec.generate_private_key(ec.SECP256R1())

    altered = bytearray(decode(signature))
    altered[40] ^= 1
    other_user = claims | {"sub": str(uuid.uuid4())}
    carried = header | {"jwk": {"kty": "EC", "crv": "P-256"} | point(other.public_key())}
    hmac_message = message(header | {"alg": "HS256"}, claims)
    return {
        "signature": {
            "an altered signature": f"{signed}.{encode(bytes(altered))}",
            "a signature of zeros": f"{signed}.{encode(bytes(64))}",
            "a missing signature": f"{signed}.",
            "an altered payload": f"{header_text}.{encode(json.dumps(other_user).encode())}.{signature}",
            "alg none": f"{message(header | {'alg': 'none'}, claims)}.",
            "another key under the same kid": es256(other, message(header, claims)),
            "another key under another kid": es256(other, message(header | {"kid": str(uuid.uuid4())}, claims)),
            "another key in the header": es256(other, message(carried, claims)),
        },
        "algorithm": {
            "HS256 keyed with the public key in PEM": hs256(public_pem(jwk), hmac_message),
            "HS256 keyed with the public key as JWK": hs256(jwk_text, hmac_message),
        },
    }


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("service")
    for option in ("--other-audience", "--other-issuer", "--clock-ahead", "--slow-clock", "--fast-clock"):
        parser.add_argument(option)
    given = parser.parse_args()

    subject = json.loads(fetch(f"{given.service}/register", USER))["id"]
    jwks_url = f"{given.service}/.well-known/jwks.json"
    jwks = fetch(jwks_url)
    jwk_text = jwks[jwks.index("[") + 1 : jwks.rindex("]")]
    genuine = login(given.service)

    rejected = forgeries(genuine, jwk_text)
    # Complete services made these tokens, with the key of the first one.
    rejected["audience"] = {"another audience": login(given.other_audience)}
    rejected["issuer"] = {"another issuer": login(given.other_issuer)}
    tokens = {"a genuine token": genuine}
    if given.clock_ahead and given.slow_clock and given.fast_clock:
        tokens["a genuine token from a clock five seconds ahead"] = login(given.clock_ahead)
        rejected["times"] = {
            "an expired token": login(given.slow_clock),
            "a token that is not valid yet": login(given.fast_clock),
        }

    for kind in rejected.values():
        tokens |= kind
    bench = {
        "issuer": PUBLIC_URL,
        "audience": PUBLIC_URL,
        "jwks_url": jwks_url,
        "public_key": public_pem(json.loads(jwk_text)),
        "jwk_text": jwk_text,
        "subject": subject,
        "tokens": tokens,
    }
    (given.folder / "bench.json").write_text(json.dumps(bench, indent=2))
    names = (f"{check}\t{name}\n" for check, kind in rejected.items() for name in kind)
    (given.folder / "forgeries").write_text("".join(names))
    (given.folder / "subject").write_text(subject)


if __name__ == "__main__":
    main()
