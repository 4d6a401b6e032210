from scaling.models.arrivals import ArrivalHour, ForecastHour, PoolForecast
from scaling.models.decisions import ScalingDecision
from scaling.models.policies import ScalingPolicy

__all__ = ["ArrivalHour", "ForecastHour", "PoolForecast", "ScalingDecision", "ScalingPolicy"]
