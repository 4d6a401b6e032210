from __future__ import annotations

from typing import Any

from rest_framework import serializers


class Strict(serializers.Serializer):
    """Refuses fields that it does not know: a name that is misspelt is told, not passed over."""

    def to_internal_value(self, data: Any) -> Any:
        unknown = sorted(set(data) - set(self.fields)) if isinstance(data, dict) else []
        if unknown:
            message = f"This field is not known; there is {', '.join(self.fields)}."
            raise serializers.ValidationError(dict.fromkeys(unknown, message))
        return super().to_internal_value(data)
