from scaling.models.budgets import Budget, BudgetAlert, CapacitySpend, Meter, WorkSpend
from scaling.models.decisions import ScalingDecision
from scaling.models.policies import ScalingPolicy

__all__ = [
    "Budget",
    "BudgetAlert",
    "CapacitySpend",
    "Meter",
    "ScalingDecision",
    "ScalingPolicy",
    "WorkSpend",
]
