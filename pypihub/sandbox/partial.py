"""Partial data: what GraphQL answers when something on the way to the data failed."""

import json
from collections.abc import Mapping
from dataclasses import replace
from functools import reduce
from operator import getitem
from typing import Any

from pypihub.sandbox.answers import Answer, json_body


def partial_answer(answer: Answer, error: Mapping[str, Any]) -> Answer:
    """Return the answer with a null where data was, and this error for it."""
    payload = json.loads(answer.body) if isinstance(answer.body, bytes) else {}
    data: Any = payload.get("data")
    path = _last_node(data)
    if path:
        nodes: Any = reduce(getitem, path[:-1], data)
        nodes[path[-1]] = None
    else:
        data = None
    errors = [*payload.get("errors", ()), {**error, "path": path}]
    return replace(answer, body=json_body({"data": data, "errors": errors}))


def _last_node(value: Any) -> list[str | int]:
    """Return the path of the last item in the first list of nodes; empty when there is none."""
    if not isinstance(value, dict):
        return []
    for key, below in value.items():
        if key == "nodes" and below:
            return [key, len(below) - 1]
        path = _last_node(below)
        if path:
            return [key, *path]
    return []
