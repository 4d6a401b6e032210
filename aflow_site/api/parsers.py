"""Request bodies: JSON, and YAML for workflow documents. A bad body is a 400 that says where."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from typing import IO, Any

import yaml
from django.conf import settings
from rest_framework.parsers import BaseParser

from aflow_site.kernel.errors import InvalidInput, TooLarge

_UNSTORABLE = re.compile("[\\x00\\ud800-\\udfff]")


def read_body(stream: IO[bytes]) -> bytes:
    """The whole body; TooLarge beyond the setting (the framework's own check does not see these reads)."""
    limit = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
    body = stream.read(limit + 1)
    if len(body) > limit:
        raise TooLarge(f"The body is larger than {limit} bytes, which this server accepts at most.")
    return body


def _refuse_constant(name: str) -> Any:
    raise InvalidInput(f"{name} is not JSON; use a number or null.")


class JSONParser(BaseParser):
    media_type = "application/json"

    def parse(
        self,
        stream: IO[bytes],
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> Any:
        return json_of(read_body(stream))


def json_of(raw: bytes) -> Any:
    """The JSON value of a body, an empty object for an empty one; InvalidInput says where it is wrong."""
    if not raw.strip():
        return {}
    try:
        return checked(json.loads(raw, parse_constant=_refuse_constant))
    except UnicodeDecodeError as exc:
        raise InvalidInput(f"The body is not UTF-8 (byte {exc.start}).") from exc
    except json.JSONDecodeError as exc:
        raise InvalidInput(
            f"The body is not JSON: {exc.msg} at line {exc.lineno}, column {exc.colno}."
        ) from exc
    except (RecursionError, ValueError) as exc:
        raise InvalidInput("The body is nested too deeply, or holds a number that is too long.") from exc


def checked(body: Any) -> Any:
    """The body, when every value in it is JSON that can be stored; InvalidInput with the place otherwise."""
    todo = [(body, "$")]
    while todo:
        value, path = todo.pop()
        if isinstance(value, dict):
            for key, child in value.items():
                _check_text(key, path)
                todo.append((child, f"{path}.{key}"))
        elif isinstance(value, list):
            todo += [(child, f"{path}[{index}]") for index, child in enumerate(value)]
        elif isinstance(value, str):
            _check_text(value, path)
        else:
            _check_scalar(value, path)
    return body


def _check_scalar(value: Any, path: str) -> None:
    if isinstance(value, float) and not math.isfinite(value):
        raise InvalidInput(f"{path} is {value}, which is not JSON; use a number or null.")
    if value is not None and not isinstance(value, int | float):
        raise InvalidInput(f"{path} is a {type(value).__name__}, which JSON does not have; write it as text.")


def _check_text(text: Any, path: str) -> None:
    if not isinstance(text, str):
        raise InvalidInput(f"A key in {path} is {text!r}; keys must be text, in quotes.")
    if _UNSTORABLE.search(text):
        raise InvalidInput(f"{path} holds a NUL, or half a character (a lone surrogate); take it out.")


class _PlainLoader(yaml.SafeLoader):
    """Without aliases, which make small documents grow without bound; dates stay text, as in JSON."""

    yaml_implicit_resolvers = {
        first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.AliasEvent):
            raise InvalidInput("YAML aliases (*name) are not accepted; write the value out.")
        return super().compose_node(parent, index)


def read_yaml(text: bytes | str) -> Any:
    """The JSON value of a YAML text; InvalidInput says where it is wrong."""
    try:
        return checked(yaml.load(text, Loader=_PlainLoader))
    except yaml.YAMLError as exc:
        mark = getattr(exc, "problem_mark", None)
        place = f" at line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        raise InvalidInput(f"The body is not YAML: {getattr(exc, 'problem', exc)}{place}.") from exc
    except RecursionError as exc:
        raise InvalidInput("The body is nested too deeply.") from exc


class YAMLParser(BaseParser):
    media_type = "application/yaml"

    def parse(
        self,
        stream: IO[bytes],
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> Any:
        return read_yaml(read_body(stream))


class OldYAMLParser(YAMLParser):
    media_type = "application/x-yaml"


class TextYAMLParser(YAMLParser):
    media_type = "text/yaml"


DOCUMENT_PARSERS = [JSONParser, YAMLParser, OldYAMLParser, TextYAMLParser]
