from scaling.models.budgets import Budget, BudgetAlert, CapacitySpend, Meter, WorkSpend
from scaling.models.decisions import ScalingDecision
from scaling.models.policies import ScalingPolicy
from scaling.models.simulations import Simulation, SimulationState

__all__ = [
    "Budget",
    "BudgetAlert",
    "CapacitySpend",
    "Meter",
    "ScalingDecision",
    "ScalingPolicy",
    "Simulation",
    "SimulationState",
    "WorkSpend",
]
