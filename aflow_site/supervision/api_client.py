"""What `up` and `verify` ask of the running platform: its own REST API, with the first start's token."""

from __future__ import annotations

import json
import time
from typing import Any

import httpx

from aflow_site.supervision.layout import Layout
from aflow_site.supervision.troubles import PlatformTrouble

ENDED = {"completed", "failed", "cancelled"}


def readiness(url: str) -> dict[str, str]:
    """Each check of /readyz with its problem, or "ok"; a single `web` entry while nothing answers."""
    try:
        answer = httpx.get(f"{url}/readyz", timeout=10, trust_env=False)
        checks: dict[str, str] = answer.json()["checks"]
    except (httpx.HTTPError, ValueError, KeyError) as exc:
        return {"web": f"{type(exc).__name__}: {exc}"}
    return checks


class ApiClient:
    def __init__(self, url: str, token: str) -> None:
        headers = {"Authorization": f"Token {token}"}
        self._http = httpx.Client(base_url=f"{url}/api/v1/", headers=headers, timeout=60, trust_env=False)

    @classmethod
    def of(cls, layout: Layout, url: str) -> ApiClient:
        """Raises: PlatformTrouble before the first start."""
        try:
            credentials = json.loads(layout.credentials.read_text())
        except (OSError, ValueError) as exc:
            raise PlatformTrouble(f"{layout.credentials} cannot be read: start with ./aflow up.") from exc
        return cls(url, credentials["token"])

    def close(self) -> None:
        self._http.close()

    def request(
        self, method: str, path: str, *, allow: tuple[int, ...] = (), **options: Any
    ) -> httpx.Response:
        """Raises: PlatformTrouble for any refusal whose status is not in `allow`."""
        try:
            answer = self._http.request(method, path, **options)
        except httpx.HTTPError as exc:
            raise PlatformTrouble(f"The platform does not answer ({exc}): see ./aflow status.") from exc
        if answer.is_error and answer.status_code not in allow:
            raise PlatformTrouble(f"The platform refused {method} {path}: {_told(answer)}")
        return answer

    def put_workflow(self, name: str, document: str) -> str:
        """Makes the workflow or a new version of it; says which."""
        headers = {"Content-Type": "application/yaml"}
        made = self.request("POST", "workflows/", content=document, headers=headers, allow=(409,))
        if made.status_code != 409:
            return "installed"
        self.request("PUT", f"workflows/{name}/", content=document, headers={**headers, "If-Match": "*"})
        return "updated"

    def run(self, name: str, params: dict[str, Any], *, timeout: float) -> dict[str, Any]:
        """Starts a run and waits for its end. Raises: PlatformTrouble when it does not end in time."""
        run: dict[str, Any] = self.request("POST", f"workflows/{name}/runs/", json={"params": params}).json()
        deadline = time.monotonic() + timeout
        while run["state"] not in ENDED:
            if time.monotonic() > deadline:
                raise PlatformTrouble(
                    f"Run {run['id']} of {name} has not ended after {timeout:.0f} s: see ./aflow logs."
                )
            time.sleep(0.1)
            run = self.request("GET", f"runs/{run['id']}/").json()
        return run


def _told(answer: httpx.Response) -> str:
    try:
        problem = answer.json()
    except ValueError:
        return f"{answer.status_code} {answer.reason_phrase}"
    faults = "; ".join(f"{fault['path']}: {fault['message']}" for fault in problem.get("errors", []))
    return f"{problem.get('detail') or problem.get('title')}{f' ({faults})' if faults else ''}"
