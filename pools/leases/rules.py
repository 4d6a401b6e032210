"""The rules of one pool, as the lease scripts need them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

TTL_SECONDS = 30.0
ANY = "*"  # no text of rules


@dataclass(frozen=True, slots=True)
class LeaseRules:
    """Times in seconds. `shares`: the weights of other teams that may lease here, by their ids; the owner's
    is `weight`. `errors`: leases in a row that may end with an error before their agent is replaced (0: any
    number). `max_age` 0: none. `mixes`: an agent may serve one team after another. `drained`: whoever asks
    waits."""

    team_id: int
    max_uses: int
    max_size: int = 0  # 0: it is full whatever it has
    closed: bool = False
    drained: bool = False
    ttl: float = TTL_SECONDS
    assignment: str = "lifo"
    errors: int = 0
    max_age: float = 0.0
    mixes: bool = False
    weight: float = 1.0
    shares: Mapping[int, float] = field(default_factory=dict)

    def arguments(self, instead_of: str = ANY) -> tuple[str, ...]:
        """For the script `put_pool`: a text that stands for all of them, the shares, the text of the rules
        that these replace, names with values."""
        weights = {self.team_id: self.weight, **self.shares}
        shares = ",".join(f"{team}:{weight:g}" for team, weight in sorted(weights.items()))
        values = {
            "team": str(self.team_id),
            "max_uses": str(self.max_uses),
            "max_size": str(self.max_size),
            "ttl": str(int(self.ttl * 1000)),
            "closed": "1" if self.closed else "",
            "drained": "1" if self.drained else "",
            "assignment": self.assignment,
            "errors": str(self.errors),
            "max_age": str(int(self.max_age * 1000)),
            "mixes": "1" if self.mixes else "",
        }
        return self.text, shares, instead_of, *(part for pair in values.items() for part in pair)

    @property
    def text(self) -> str:
        """Equal for equal rules, and different for others."""
        return repr(self)
