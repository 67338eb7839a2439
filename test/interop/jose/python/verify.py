"""Verifies access tokens as a resource server in Python would, from nothing but a JWKS: questions on stdin, answers on stdout."""

import json
import sys

import jwt

ALGORITHMS = ["EdDSA", "ES256", "RS256"]


def verify(question: dict, keys: dict, token: str) -> dict:
    header = jwt.get_unverified_header(token)
    if header.get("typ") != "at+jwt" or header.get("alg") not in ALGORITHMS:
        raise jwt.InvalidTokenError("no access token")
    key = keys.get(header.get("kid"))
    if key is None or key.algorithm_name != header["alg"]:
        raise jwt.InvalidTokenError("no such key")
    return jwt.decode(
        token,
        key,
        algorithms=[key.algorithm_name],
        audience=question["audience"],
        issuer=question["issuer"],
        options={"require": ["exp", "iat", "sub", "aud", "iss", "jti"]},
    )


def answer(question: dict, keys: dict, token: str) -> dict:
    try:
        return {"payload": verify(question, keys, token)}
    except jwt.InvalidTokenError as error:
        return {"error": f"{type(error).__name__}: {error}"}


def answers(question: dict) -> list[dict]:
    jwks = jwt.PyJWKSet.from_dict(question["jwks"])
    keys = {key.key_id: key for key in jwks.keys}
    return [answer(question, keys, token) for token in question["tokens"]]


json.dump([answers(question) for question in json.load(sys.stdin)], sys.stdout)
