from .alerts import Alert, AlertChannel, AlertDelivery
from .audit import AuditEntry
from .members import ApiToken, Membership, Team
from .secrets import Secret

__all__ = [
    "Alert",
    "AlertChannel",
    "AlertDelivery",
    "ApiToken",
    "AuditEntry",
    "Membership",
    "Secret",
    "Team",
]
