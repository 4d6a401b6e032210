from .members import ApiToken, Membership, Team

__all__ = ["ApiToken", "Membership", "Team"]
