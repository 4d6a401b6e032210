"""Money in whole billionths of the installation's currency, and time in whole milliseconds.

Whole numbers add up exactly in every database; a price by the hour is a decimal of up to six places.
"""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Decimal

NANO = 10**9
HOUR_MS = 3_600_000


def cost(milliseconds: int, rate: Decimal) -> int:
    """Billionths that so much of an agent's time costs at `rate` for an hour."""
    exact = Decimal(milliseconds) * rate * NANO / HOUR_MS
    return int(exact.to_integral_value(rounding=ROUND_HALF_EVEN))


def as_decimal(nanos: int) -> Decimal:
    """In the currency: exact, nine places."""
    return Decimal(nanos).scaleb(-9)


def per_second(rate: Decimal) -> float:
    """In the currency, of a price by the hour."""
    return float(rate) / 3600


def text(nanos: int) -> str:
    """As the API writes it: a plain decimal without an exponent or needless zeros."""
    value = as_decimal(nanos)
    return format(
        value.quantize(Decimal(1)) if value == value.to_integral_value() else value.normalize(), "f"
    )
