"""Verification in a resource server with PyJWT: the keys come from the service's JWKS, the rest from settings."""

import jwt
import verdicts

bench, without = verdicts.bench()
keys = jwt.PyJWKClient(bench["jwks_url"])
options = {
    "require": ["iss", "sub", "aud", "exp", "iat", "jti"],
    "verify_aud": without != "audience",
    "verify_iss": without != "issuer",
}
if without == "times":
    options |= {"verify_exp": False, "verify_iat": False}


def subject_of(token: str) -> str:
    try:
        if without == "anything":
            return jwt.decode(token, options={"verify_signature": False})["sub"]
        key = keys.get_signing_key_from_jwt(token)
        claims = jwt.decode(
            token,
            key,
            algorithms=["ES256"],
            issuer=bench["issuer"],
            audience=bench["audience"],
            leeway=10,
            options=options,
        )
        return claims["sub"]
    except jwt.PyJWTError as error:
        raise verdicts.Rejected(error) from error


verdicts.show(bench["tokens"], subject_of)
