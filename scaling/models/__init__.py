from scaling.models.arrivals import ArrivalHour, ForecastHour, PoolForecast
from scaling.models.budgets import Budget, BudgetAlert, CapacitySpend, Meter, WorkSpend
from scaling.models.decisions import ScalingDecision
from scaling.models.policies import ScalingPolicy
from scaling.models.simulations import Simulation, SimulationState

__all__ = [
    "ArrivalHour",
    "Budget",
    "BudgetAlert",
    "CapacitySpend",
    "ForecastHour",
    "Meter",
    "PoolForecast",
    "ScalingDecision",
    "ScalingPolicy",
    "Simulation",
    "SimulationState",
    "WorkSpend",
]
