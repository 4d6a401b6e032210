"""The running platform as a benchmark sees it: its API, over one kept-alive connection."""

from __future__ import annotations

import http.client
import json
import os
import statistics
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

FINAL = ("completed", "failed", "cancelled")


class Platform:
    """Reads `credentials.json` of the data directory that `./aflow up` wrote."""

    def __init__(self, data_dir: str | None = None) -> None:
        directory = Path(data_dir or os.environ.get("AFLOW_DATA_DIR") or ".aflow")
        try:
            credentials = json.loads((directory / "credentials.json").read_text())
        except FileNotFoundError:
            sys.exit(f"No platform runs on {directory}: start one with ./aflow up --detach.")
        place = urlsplit(credentials["url"])
        self._connection = http.client.HTTPConnection(place.hostname or "127.0.0.1", place.port or 80)
        self._headers = {
            "Authorization": f"Token {credentials['token']}",
            "Content-Type": "application/json",
        }

    def call(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        data = None if body is None else json.dumps(body)
        try:
            self._connection.request(method, f"/api/v1/{path}", data, {**self._headers, **headers})
            answer = self._connection.getresponse()
        except http.client.RemoteDisconnected:  # a connection that lay idle is closed by the server
            self._connection.close()
            self._connection.request(method, f"/api/v1/{path}", data, {**self._headers, **headers})
            answer = self._connection.getresponse()
        content = answer.read()
        if answer.status >= 400:
            raise RuntimeError(f"{method} {path}: {answer.status} {content[:500]!r}")
        return json.loads(content) if content else None

    def deploy(self, document: dict[str, Any]) -> None:
        try:
            self.call("PUT", f"workflows/{document['name']}/", document, **{"If-Match": "*"})
        except RuntimeError:
            self.call("POST", "workflows/", document)

    def start(self, name: str, params: dict[str, Any] | None = None) -> str:
        return str(self.call("POST", f"workflows/{name}/runs/", {"params": params or {}})["id"])

    def wait(self, run_id: str, pause: float = 0.005) -> dict[str, Any]:
        """Asks until the run has ended; a RuntimeError when it did not end well."""
        while True:
            run = self.call("GET", f"runs/{run_id}/")
            if run["state"] in FINAL:
                break
            time.sleep(pause)
        if run["state"] != "completed":
            raise RuntimeError(f"run {run_id} {run['state']}: {run['error']}")
        return dict(run)

    def address(self) -> tuple[str, dict[str, str]]:
        """For clients of one's own: where the API is, and the headers that open it."""
        return f"http://{self._connection.host}:{self._connection.port}/api/v1/", dict(self._headers)

    def remake_pool(self, pool: dict[str, Any]) -> None:
        """Once more from nothing, if there was one of that name."""
        while any(one["name"] == pool["name"] for one in self.call("GET", "pools/")["results"]):
            self.call("DELETE", f"pools/{pool['name']}/?force=true")
            time.sleep(0.2)
        self.call("POST", "pools/", pool)

    def warm(self, pool: str, size: int, patience: float = 60.0) -> None:
        """Waits until the pool has `size` idle agents."""
        until = time.monotonic() + patience
        while self.call("GET", f"pools/{pool}/")["states"]["idle"] < size:
            if time.monotonic() > until:
                raise RuntimeError(f"pool {pool} did not get {size} idle agents in {patience:g} s")
            time.sleep(0.1)


def quantile(values: Sequence[float], q: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(q * len(ordered)))]


def report(name: str, measure: str, values: Sequence[float], unit: str, **more: Any) -> None:
    """One JSON line: the median, the 95th percentile, the extremes, and how many there were."""
    line = {
        "benchmark": name,
        "measure": measure,
        "unit": unit,
        "median": round(statistics.median(values), 4),
        "p95": round(quantile(values, 0.95), 4),
        "min": round(min(values), 4),
        "max": round(max(values), 4),
        "runs": len(values),
        **more,
    }
    print(json.dumps(line), flush=True)
