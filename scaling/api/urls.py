from django.urls import path

from scaling.api import budgets, forecasts, simulations, views

urlpatterns = [
    path("policies/", views.PolicyListView.as_view()),
    path("policies/presets/", views.PresetView.as_view()),
    path("policies/in-force/", views.PoliciesInForceView.as_view()),
    path("policies/<uuid:policy_id>/", views.PolicyView.as_view()),
    path("forecasts/", forecasts.ForecastListView.as_view()),
    path("decisions/", views.DecisionListView.as_view()),
    path("decisions/<int:decision_id>/", views.DecisionView.as_view()),
    path("decisions/<int:decision_id>/replay/", views.ReplayView.as_view()),
    path("budgets/", budgets.BudgetListView.as_view()),
    path("budgets/<uuid:budget_id>/", budgets.BudgetView.as_view()),
    path("budgets/<uuid:budget_id>/burn/", budgets.BurnView.as_view()),
    path("simulations/", simulations.SimulationListView.as_view()),
    path("simulations/<uuid:simulation_id>/", simulations.SimulationView.as_view()),
]
