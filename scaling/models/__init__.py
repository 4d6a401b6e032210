from scaling.models.decisions import ScalingDecision
from scaling.models.policies import ScalingPolicy

__all__ = ["ScalingDecision", "ScalingPolicy"]
