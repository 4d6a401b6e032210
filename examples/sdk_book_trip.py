"""A saga in Python: what was booked is undone, the last first, when a later step fails (see book-trip.yaml).

    ./aflow workflow create examples/sdk_book_trip.py
    ./aflow workflow run book-trip-py --param sold_out=true --wait

Steps that undo stand outside of the order: `hotel` waits for `flight`, not for `cancel_flight`.
"""

from __future__ import annotations

from typing import Any

from agentainer_flow import Context, RetryPolicy, step, workflow

PARAMS = {
    "type": "object",
    "properties": {
        "sold_out": {"type": "boolean", "title": "Let the payment fail", "default": False},
        "insured": {"type": "boolean", "title": "With an insurance", "default": False},
    },
    "additionalProperties": False,
}


@workflow(
    name="book-trip-py",
    description="Books flight and hotel, and undoes both when the payment fails",
    params=PARAMS,
    timeout="1h",
)
class BookTrip:
    @step(compensate="cancel_flight")
    def flight(self, ctx: Context) -> dict[str, Any]:
        return {"booking": "FL-100", "price": 180}

    @step
    def cancel_flight(self, ctx: Context, flight: dict[str, Any]) -> dict[str, Any]:
        return {"cancelled": flight["booking"]}

    @step(compensate="cancel_hotel")
    def hotel(self, ctx: Context) -> dict[str, Any]:
        return {"booking": "HO-200", "price": 240}

    @step
    def cancel_hotel(self, ctx: Context, hotel: dict[str, Any]) -> dict[str, Any]:
        return {"cancelled": hotel["booking"]}

    @step(when="params.insured")
    def insurance(self, ctx: Context) -> dict[str, Any]:
        return {"price": 20}

    # Of the hotel too: a step whose needs were all skipped is skipped itself.
    @step(
        depends_on=[hotel, insurance],
        retry_policy=RetryPolicy(max_attempts=2, delay="200ms", retry_on=[TimeoutError]),
    )
    def pay(
        self,
        ctx: Context,
        sold_out: bool,
        flight: dict[str, Any],
        hotel: dict[str, Any],
        insurance: dict[str, Any] | None,
    ) -> dict[str, Any]:
        amount = sum(one["price"] for one in (flight, hotel, insurance) if one is not None)
        if sold_out:
            raise RuntimeError(f"the card was declined for {amount}")
        return {"paid": amount}

    @step(always_run=True, input={"state": "${steps.pay.state}"})
    def receipt(self, ctx: Context, state: str, pay: dict[str, Any] | None) -> dict[str, Any]:
        if state != "completed" or pay is None:
            return {"receipt": "Nothing was booked; nothing was charged.", "paid": None}
        return {"receipt": "Your trip is booked.", **pay}
