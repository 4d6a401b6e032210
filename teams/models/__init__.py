from .audit import AuditEntry
from .members import ApiToken, Membership, Team
from .secrets import Secret

__all__ = ["ApiToken", "AuditEntry", "Membership", "Secret", "Team"]
