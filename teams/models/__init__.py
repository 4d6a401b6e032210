from .audit import AuditEntry
from .members import ApiToken, Membership, Team

__all__ = ["ApiToken", "AuditEntry", "Membership", "Team"]
