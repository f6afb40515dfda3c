"""The OpenAPI description of a server, made of the policies that it serves."""

from collections.abc import Sequence
from typing import Any

from rl_lab.serving.questions import LARGEST_BODY, MOST_OBSERVATIONS, space_schema
from rl_lab.serving.served import Served

API_VERSION = "1.0.0"


def describe_api(policies: Sequence[Served], *, has_token: bool) -> dict[str, Any]:
    """The description, as JSON values."""
    names = {"type": "string", "enum": [one.name for one in policies]}
    asked = [question for number, one in enumerate(policies) for question in _questions(one, is_first=number == 0)]
    value = {"type": ["number", "null"]}
    of_answer = {"policy": names, "version": {"type": "string"}}
    action: dict[str, Any] = {"description": "a whole number, or numbers"}
    values = {"type": ["array", "null"], "items": value}
    one_answer = _object({"action": action, "values": values, **of_answer}, ["action", "values", "policy", "version"])
    rows = {"type": ["array", "null"], "items": {"type": "array", "items": value}}
    properties = {"actions": {"type": "array", "items": action}, "values": rows, **of_answer}
    all_answers = _object(properties, ["actions", "values", "policy", "version"])
    errors = {
        "400": "the body is no JSON",
        "404": "there is no such policy",
        "408": "the body did not come in time",
        "413": f"the body has more than {LARGEST_BODY:,} bytes",
        "415": "the body is not application/json",
        "422": "the observations are none of the policy's",
        "503": "too many requests are being answered",
    }
    refused = {"401": _error("the token is missing or wrong")} if has_token else {}
    act = {
        "summary": "What to do, for one observation or several.",
        "operationId": "act",
        "requestBody": {"required": True, "content": _json({"anyOf": asked})},
        "responses": {
            "200": {"description": "actions and their values", "content": _json({"anyOf": [one_answer, all_answers]})},
            **{status: _error(told) for status, told in errors.items()},
            **refused,
        },
    }
    policy = {
        "summary": "The policies that are served, the first one first.",
        "operationId": "policy",
        "responses": {"200": {"description": "policies", "content": _json({"type": "object"})}, **refused},
    }
    health = {
        "summary": "Is the server well?",
        "operationId": "health",
        "responses": {"200": {"description": "yes", "content": _json({"type": "object"})}},
    }
    metrics = {
        "summary": "Counters for Prometheus.",
        "operationId": "metrics",
        "responses": {"200": {"description": "counters", "content": {"text/plain": {}}}, **refused},
    }
    described: dict[str, Any] = {
        "openapi": "3.1.0",
        "info": {"title": "RL Lab: policies behind HTTP", "version": API_VERSION},
        "paths": {
            "/v1/act": {"post": act},
            "/v1/policy": {"get": policy},
            "/health": {"get": health},
            "/metrics": {"get": metrics},
        },
    }
    if has_token:
        described["components"] = {"securitySchemes": {"token": {"type": "http", "scheme": "bearer"}}}
        described["security"] = [{"token": []}]
        health["security"] = []
    return described


def _questions(served: Served, *, is_first: bool) -> list[dict[str, Any]]:
    """What a policy may be asked: one thing, or several. The first one need not be named."""
    observation = space_schema(served.spaces.observation_space)
    named = {"policy": {"type": "string", "enum": [served.name]}}
    required = [] if is_first else ["policy"]
    several = {"type": "array", "items": observation, "minItems": 1, "maxItems": MOST_OBSERVATIONS}
    single: dict[str, Any] = {"observation": observation, **named}
    many: dict[str, Any] = {"observations": several, **named}
    if (count := served.num_actions) is not None:
        some = {"items": {"type": "boolean"}, "contains": {"const": True}}
        single["mask"] = {"type": "array", "minItems": count, "maxItems": count, **some}
        many["masks"] = {"type": "array", "items": single["mask"], "description": "One for each observation."}
    return [
        _object(single, ["observation", *required]),
        _object(many, ["observations", *required]),
    ]


def _object(properties: dict[str, Any], required: list[str]) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}


def _json(schema: dict[str, Any]) -> dict[str, Any]:
    return {"application/json": {"schema": schema}}


def _error(told: str) -> dict[str, Any]:
    return {"description": told, "content": _json(_object({"error": {"type": "string"}}, ["error"]))}
