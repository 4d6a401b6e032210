"""Which platform to talk to, and with which token.

In this order, each of the two by itself: the arguments; AGENTAINER_URL and AGENTAINER_TOKEN; the file
~/.config/agentainer/config.json ({"url", "token"}); in a checkout, the credentials that `./aflow up` wrote.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from agentainer_flow.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Connection:
    """`url`: without a slash at its end."""

    url: str
    token: str = field(repr=False)


def find_connection(url: str | None = None, token: str | None = None) -> Connection:
    """Raises ConfigError when the address or the token is nowhere to be found, or a file cannot be read."""
    url = url or os.environ.get("AGENTAINER_URL")
    token = token or os.environ.get("AGENTAINER_TOKEN")
    for path in _files():
        if url and token:
            break
        known = _read(path)
        # A token belongs to the platform it was written for; it is never sent to another.
        if url is None or _same(url, known.get("url")):
            url = url or known.get("url")
            token = token or known.get("token")
    if not url:
        raise ConfigError(
            "No platform is known: set AGENTAINER_URL and AGENTAINER_TOKEN, or run ./aflow up in this checkout."
        )
    if not token:
        raise ConfigError(f"No token for {url} is known: set AGENTAINER_TOKEN.")
    if urlsplit(url).scheme not in ("http", "https") or not urlsplit(url).netloc:
        raise ConfigError(f"The platform's address must look like http://host:8000, not {url!r}.")
    return Connection(url.rstrip("/"), token)


def config_path() -> Path:
    """Where people keep their own settings."""
    base = os.environ.get("XDG_CONFIG_HOME") or os.path.expanduser("~/.config")
    return Path(base) / "agentainer" / "config.json"


def _files() -> list[Path]:
    """The files that exist, the more personal first."""
    here = Path.cwd()
    checkouts = [folder for folder in (here, *here.parents) if (folder / "aflow").is_file()]
    data_dirs = [folder / ".aflow" for folder in checkouts]
    if given := os.environ.get("AFLOW_DATA_DIR"):
        data_dirs.insert(0, Path(given))
    found = [config_path(), *(folder / "credentials.json" for folder in data_dirs)]
    return [path for path in found if path.is_file()]


def _read(path: Path) -> dict[str, str]:
    try:
        known = json.loads(path.read_text())
    except (OSError, ValueError) as exc:
        raise ConfigError(f"{path} cannot be read: {exc}") from exc
    if not isinstance(known, dict):
        raise ConfigError(f'{path} must hold an object such as {{"url": "…", "token": "…"}}.')
    return {key: value for key, value in known.items() if isinstance(value, str)}


def _same(url: str, other: str | None) -> bool:
    return other is not None and url.rstrip("/") == other.rstrip("/")
