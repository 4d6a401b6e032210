from django.urls import path

from pools.api import views

urlpatterns = [
    path("pools/", views.PoolListView.as_view()),
    path("pools/<str:name>/", views.PoolView.as_view()),
    path("pools/<str:name>/resize/", views.ResizeView.as_view()),
    path("agents/", views.AgentListView.as_view()),
    path("agents/<uuid:agent_id>/", views.AgentView.as_view()),
]
