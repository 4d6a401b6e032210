"""What people say of an agent that they deploy: the shape of one, with its limits.

The same shape is a flat JSON body, an element of an `AgentDeployment` document, and a line of a backup.
Does not: read documents, or look at what exists.
"""

from __future__ import annotations

import posixpath
import re
import uuid
from collections.abc import Sequence
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    AliasChoices,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    ValidationInfo,
    field_validator,
    model_validator,
)

from pools.domain.names import NAME, NAME_RULE
from pools.domain.quantities import cpus, memory_bytes, seconds

MIB = 1024**2
HOSTS = "hosts"  # of the context: directories of the machine that may be volumes
MOST_REPLICAS = 100
RESERVED = frozenset({"backup", "restore"})  # addresses of the API
_ENV_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}", re.ASCII)
_IMAGE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/:@-]{0,254}", re.ASCII)

Cpus = Annotated[float, BeforeValidator(cpus), Field(ge=0.01, le=256)]
Bytes = Annotated[int, BeforeValidator(memory_bytes), Field(ge=16 * MIB, le=2**44)]
Seconds = Annotated[float, BeforeValidator(seconds)]


class Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class SecretRef(Part):
    """The value is looked up by name when the agent starts, and never stored with it."""

    secret: str = Field(pattern=r"^[A-Za-z_][A-Za-z0-9_-]{0,127}$")


class Resources(Part):
    cpu: Cpus = 1.0
    memory: Bytes = 512 * MIB


class HealthCheck(Part):
    """GET `path` must answer 2xx: within `start_period` seconds of the start, and afterwards again and again;
    `retries` failures in a row mean that the agent is not well."""

    path: str = Field(
        default="/health",
        max_length=255,
        pattern=r"^/[!-~]*$",
        validation_alias=AliasChoices("path", "endpoint"),
    )
    interval: Annotated[Seconds, Field(ge=0.1, le=3600)] = 10.0
    timeout: Annotated[Seconds, Field(ge=0.1, le=60)] = 2.0
    retries: int = Field(default=3, ge=1, le=100)
    start_period: Annotated[Seconds, Field(ge=0.1, le=3600)] = Field(
        default=60.0, validation_alias=AliasChoices("startPeriod", "start_period")
    )


def _volume(value: Any) -> Any:
    """`name:/path`, `/host/path:/path`, either with `:ro`, as an object."""
    if not isinstance(value, str):
        return value
    source, _, rest = value.partition(":")
    path, _, mode = rest.partition(":")
    if not source or not path or mode not in ("", "ro", "rw"):
        raise ValueError('Write a volume as "name:/path", or "name:/path:ro", or as an object.')
    kind = "host" if source.startswith((".", "/", "~")) else "name"
    return {kind: source, "path": path, "readOnly": mode == "ro"}


class Volume(Part):
    """Exactly one of `name` (kept by the runtime until it is removed), `tmpfs` (a size, in memory, gone with
    the container) and `host` (a directory of the machine, where the platform's settings allow it)."""

    name: str | None = Field(default=None, pattern=r"^[a-z0-9][a-z0-9_.-]{0,62}$")
    tmpfs: Annotated[int, BeforeValidator(memory_bytes), Field(ge=4096, le=2**36)] | None = None
    host: str | None = Field(default=None, max_length=1024)
    path: str = Field(
        max_length=255, pattern=r"^/[A-Za-z0-9_./-]+$", validation_alias=AliasChoices("path", "container")
    )
    read_only: bool = Field(default=False, validation_alias=AliasChoices("readOnly", "read_only"))

    @field_validator("host")
    @classmethod
    def _allowed(cls, value: str | None, info: ValidationInfo) -> str | None:
        if value is None:
            return None
        if not value.startswith("/") or ".." in value.split("/") or ":" in value:
            raise ValueError("A host directory is an absolute path without .. and without a colon.")
        allowed = (info.context or {}).get(HOSTS, ())
        if not host_is_allowed(value, allowed):
            named = f"those under {', '.join(allowed)}" if allowed else "none at all"
            raise ValueError(
                f"Of this machine's directories {named} may be used (setting AFLOW_VOLUME_DIRS). A named "
                "volume needs no such right."
            )
        return value

    @field_validator("path")
    @classmethod
    def _plain(cls, value: str) -> str:
        if ".." in value.split("/") or value.rstrip("/") in ("", "/proc", "/sys", "/dev"):
            raise ValueError(
                "The path inside the container is absolute, without .., and none of the system's."
            )
        return value.rstrip("/")

    @model_validator(mode="after")
    def _one_source(self) -> Volume:
        if sum(source is not None for source in (self.name, self.tmpfs, self.host)) != 1:
            raise ValueError("Give exactly one of name, tmpfs and host.")
        return self


AnyVolume = Annotated[Volume, BeforeValidator(_volume)]


def _env_name(name: str) -> str:
    if not _ENV_NAME.fullmatch(name):
        raise ValueError(f"{name[:60]!r} is no name of a variable; use letters, digits and _.")
    if name.startswith("AGENTAINER_"):
        raise ValueError(f"{name} is set by the platform; choose another name.")
    return name


def _as_text(value: Any) -> Any:
    """YAML reads `yes` and `3` as what they are not meant to be here."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, int | float) else value


def _kind_of_value(value: Any) -> str:
    return "reference" if isinstance(value, dict | SecretRef) else "text"


EnvName = Annotated[str, AfterValidator(_env_name)]
EnvValue = Annotated[
    Annotated[str, BeforeValidator(_as_text), Field(max_length=32_768), Tag("text")]
    | Annotated[SecretRef, Tag("reference")],
    Discriminator(_kind_of_value),
]


def _without(value: Any) -> Any:
    return None if value is False else value


class AgentForm(Part):
    name: str = Field(description=NAME_RULE)
    image: str | None = Field(default=None, description="Left out: the built-in Python agent")
    replicas: int | None = Field(default=None, ge=1, le=MOST_REPLICAS)
    port: int = Field(default=8000, ge=1, le=65535)
    env: dict[EnvName, EnvValue] = Field(default_factory=dict, max_length=200)
    resources: Resources = Resources()
    volumes: tuple[AnyVolume, ...] = Field(default=(), max_length=20)
    network: Literal["isolated", "egress"] = Field(
        default="isolated", description="egress: it reaches the outside, too"
    )
    health_check: Annotated[HealthCheck | None, BeforeValidator(_without)] = Field(
        default=HealthCheck(), validation_alias=AliasChoices("healthCheck", "health_check")
    )
    auto_restart: bool = Field(default=True, validation_alias=AliasChoices("autoRestart", "auto_restart"))
    state: Literal["running", "stopped", "paused"] = Field(
        default="running", description="What it is to be once it is deployed"
    )

    @field_validator("name")
    @classmethod
    def _named(cls, value: str) -> str:
        if not NAME.fullmatch(value):
            raise ValueError(NAME_RULE)
        if value in RESERVED or _is_id(value):
            raise ValueError("This name would pass for another address; choose another.")
        return value

    @field_validator("image")
    @classmethod
    def _image(cls, value: str | None) -> str | None:
        if value is not None and not _IMAGE.fullmatch(value):
            raise ValueError("This is no image; write one such as aggregator:latest.")
        return value

    @model_validator(mode="after")
    def _whole(self) -> AgentForm:
        if self.replicas is not None and not NAME.fullmatch(f"{self.name}-{self.replicas}"):
            raise ValueError("With the number of a replica behind it the name is too long.")
        paths = [volume.path for volume in self.volumes]
        if len(set(paths)) < len(paths):
            raise ValueError("Two volumes have the same path.")
        return self

    def agents(self) -> list[AgentForm]:
        """One for each replica, `name-1` to `name-n`; without `replicas` the agent itself."""
        if self.replicas is None:
            return [self]
        return [
            self.model_copy(update={"name": f"{self.name}-{number}", "replicas": None})
            for number in range(1, self.replicas + 1)
        ]


def host_is_allowed(host: str, allowed: Sequence[str]) -> bool:
    plain = posixpath.normpath(host)
    return any(plain == root or plain.startswith(root.rstrip("/") + "/") for root in allowed)


def _is_id(text: str) -> bool:
    try:
        uuid.UUID(text)
    except ValueError:
        return False
    return True
