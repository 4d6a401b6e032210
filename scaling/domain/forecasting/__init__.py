"""Forecasts of a pool's load: what it will be at most until agents that are started now would serve.

Pure; numpy alone, but for `learned`, which loads scikit-learn when it is fitted.
"""
