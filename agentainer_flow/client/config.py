"""Which platform to talk to, and with which token.

In this order: arguments, AGENTAINER_URL and AGENTAINER_TOKEN, the user's config file, and in a checkout the
credentials that the platform's first start wrote. A token from a file goes to that file's platform only.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agentainer_flow.errors import ConfigError

LAUNCHER = "aflow"  # the script that marks a checkout


@dataclass(frozen=True, slots=True)
class Endpoint:
    url: str
    token: str


def config_file() -> Path:
    """``{"url": …, "token": …}``."""
    home = os.environ.get("XDG_CONFIG_HOME")
    return (Path(home) if home else Path.home() / ".config") / "agentainer" / "config.json"


def find_endpoint(url: str | None = None, token: str | None = None) -> Endpoint:
    """Raises ConfigError with what to do."""
    url = (url or os.environ.get("AGENTAINER_URL") or "").strip().rstrip("/")
    token = _checked(token or os.environ.get("AGENTAINER_TOKEN") or "")
    if url and not url.startswith(("http://", "https://")):
        raise ConfigError(f"The platform's URL begins with http:// or https://; {url!r} does not.")
    if url and token:
        return Endpoint(url, token)
    for file in _files():
        known = _read(file)
        if known is not None and url in ("", known.url):
            return Endpoint(known.url, token or known.token)
    if url:
        raise ConfigError(
            f"There is no token for {url}: set AGENTAINER_TOKEN, or write it to {config_file()}."
        )
    raise ConfigError(
        "It is not known where the platform is: set AGENTAINER_URL and AGENTAINER_TOKEN, or start one with"
        " ./aflow up in a checkout and work there."
    )


def _files() -> Iterator[Path]:
    yield config_file()
    data = os.environ.get("AFLOW_DATA_DIR")
    if data:
        yield Path(data) / "credentials.json"
    here = Path.cwd()
    for directory in (here, *here.parents):
        if (directory / LAUNCHER).is_file():
            yield directory / ".aflow" / "credentials.json"
            return


def _read(file: Path) -> Endpoint | None:
    try:
        content: Any = json.loads(file.read_text())
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as exc:
        raise ConfigError(f"{file} cannot be read: {exc}.") from exc
    url = content.get("url") if isinstance(content, dict) else None
    token = content.get("token") if isinstance(content, dict) else None
    if not isinstance(url, str) or not isinstance(token, str):
        raise ConfigError(f'{file} must hold {{"url": …, "token": …}}.')
    return Endpoint(url.rstrip("/"), _checked(token))


def _checked(token: str) -> str:
    """Without what copying leaves around it. What cannot travel in a header is told here, and not shown."""
    token = token.strip()
    if not token.isascii() or not token.isprintable():
        raise ConfigError("The token holds characters that no token has; copy it again.")
    return token
