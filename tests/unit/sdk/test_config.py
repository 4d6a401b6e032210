"""Where the client finds the platform and its token."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from agentainer_flow import WorkflowClient
from agentainer_flow.client.config import Endpoint, find_endpoint
from agentainer_flow.errors import ConfigError


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A place of its own, without settings, outside any checkout."""
    for name in ("AGENTAINER_URL", "AGENTAINER_TOKEN", "AFLOW_DATA_DIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    return tmp_path


def write(file: Path, **content: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(content))


def test_arguments_win_over_the_environment(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AGENTAINER_URL", "http://env")
    monkeypatch.setenv("AGENTAINER_TOKEN", "env")
    assert find_endpoint() == Endpoint("http://env", "env")
    assert find_endpoint("http://argument/", "argument") == Endpoint("http://argument", "argument")


def test_the_config_file_comes_before_the_checkout(home: Path) -> None:
    (home / "aflow").touch()
    write(home / ".aflow" / "credentials.json", url="http://checkout", token="c", username="admin")
    assert find_endpoint() == Endpoint("http://checkout", "c")
    write(home / "config" / "agentainer" / "config.json", url="http://config/", token="f")
    assert find_endpoint() == Endpoint("http://config", "f")


def test_the_data_directory_may_be_elsewhere(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AFLOW_DATA_DIR", str(home / "data"))
    write(home / "data" / "credentials.json", url="http://data", token="d")
    assert find_endpoint() == Endpoint("http://data", "d")


def test_a_token_goes_to_its_own_platform_only(home: Path) -> None:
    write(home / "config" / "agentainer" / "config.json", url="http://config", token="f")
    assert find_endpoint("http://config") == Endpoint("http://config", "f")
    with pytest.raises(ConfigError, match="no token for http://other"):
        find_endpoint("http://other")


def test_nothing_and_nonsense_are_told(home: Path) -> None:
    with pytest.raises(ConfigError, match="AGENTAINER_URL"):
        find_endpoint()
    with pytest.raises(ConfigError, match="begins with http"):
        find_endpoint("platform:8000", "t")
    file = home / "config" / "agentainer" / "config.json"
    write(file, url="http://config")
    with pytest.raises(ConfigError, match="must hold"):
        find_endpoint()
    file.write_text("{")
    with pytest.raises(ConfigError, match="cannot be read"):
        find_endpoint()


def test_what_copying_leaves_around_them_does_not_count(home: Path) -> None:
    assert find_endpoint(" http://config/\n", "t\n") == Endpoint("http://config", "t")


@pytest.mark.parametrize("token", ["töken", "to\nken", "to\x00ken"])
def test_a_token_that_cannot_travel_is_told_and_not_shown(home: Path, token: str) -> None:
    with pytest.raises(ConfigError, match="no token has") as failure:
        find_endpoint("http://config", token)
    assert token not in str(failure.value)
    write(home / "config" / "agentainer" / "config.json", url="http://config", token=token)
    with pytest.raises(ConfigError, match="no token has"):
        find_endpoint()


@pytest.mark.parametrize("url", ["http://[bad", "http://host:port", "http://host:99999"])
def test_a_url_that_is_none_is_told(url: str) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        WorkflowClient(url, "t")
