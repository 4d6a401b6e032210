"""Request bodies: JSON, and YAML for workflow documents. A bad body is a 400 that says where."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import IO, Any

import yaml
from django.conf import settings
from rest_framework.parsers import BaseParser

from aflow_site.kernel.errors import InvalidInput, TooLarge


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
        raw = read_body(stream)
        if not raw.strip():
            return {}
        try:
            return json.loads(raw, parse_constant=_refuse_constant)
        except UnicodeDecodeError as exc:
            raise InvalidInput(f"The body is not UTF-8 (byte {exc.start}).") from exc
        except json.JSONDecodeError as exc:
            raise InvalidInput(
                f"The body is not JSON: {exc.msg} at line {exc.lineno}, column {exc.colno}."
            ) from exc
        except (RecursionError, ValueError) as exc:
            raise InvalidInput("The body is nested too deeply, or holds a number that is too long.") from exc


class _NoAliasLoader(yaml.SafeLoader):
    """Aliases make small documents grow without bound, and no workflow needs them."""

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.AliasEvent):
            raise InvalidInput("YAML aliases (*name) are not accepted; write the value out.")
        return super().compose_node(parent, index)


class YAMLParser(BaseParser):
    media_type = "application/yaml"

    def parse(
        self,
        stream: IO[bytes],
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> Any:
        try:
            return yaml.load(read_body(stream), Loader=_NoAliasLoader)
        except yaml.YAMLError as exc:
            mark = getattr(exc, "problem_mark", None)
            place = f" at line {mark.line + 1}, column {mark.column + 1}" if mark else ""
            raise InvalidInput(f"The body is not YAML: {getattr(exc, 'problem', exc)}{place}.") from exc
        except RecursionError as exc:
            raise InvalidInput("The body is nested too deeply.") from exc
