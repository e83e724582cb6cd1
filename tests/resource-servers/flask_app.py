"""A Flask app protected by Flask-JWT-Extended. It knows the login service's public key, issuer and audience."""

import argparse

import jwt
from flask import Flask, request
from flask_jwt_extended import JWTManager, get_jwt_identity, jwt_required
from werkzeug.serving import make_server

parser = argparse.ArgumentParser()
for option in ("--public-key", "--issuer", "--audience"):
    parser.add_argument(option, required=True)
parser.add_argument("--without", help="the check to disable, to prove that the test notices")
given = parser.parse_args()

app = Flask(__name__)
app.config["JWT_ALGORITHM"] = "ES256"
app.config["JWT_PUBLIC_KEY"] = given.public_key
app.config["JWT_DECODE_ISSUER"] = None if given.without == "issuer" else given.issuer
app.config["JWT_DECODE_AUDIENCE"] = None if given.without == "audience" else given.audience
app.config["JWT_DECODE_LEEWAY"] = 1_000_000 if given.without == "times" else 10
JWTManager(app)


@app.get("/guarded")
@jwt_required()
def guarded() -> dict[str, str]:
    return {"user": get_jwt_identity()}


@app.get("/unguarded")
def unguarded() -> dict[str, str]:
    token = request.headers["Authorization"].removeprefix("Bearer ")
    return {"user": jwt.decode(token, options={"verify_signature": False})["sub"]}


server = make_server("127.0.0.1", 0, app)
page = "unguarded" if given.without == "anything" else "guarded"
print(f"http://127.0.0.1:{server.port}/{page}", flush=True)
server.serve_forever()
