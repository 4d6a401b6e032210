from django.urls import path

from pools.api import nodes, views

urlpatterns = [
    path("pools/", views.PoolListView.as_view()),
    path("pools/<str:name>/", views.PoolView.as_view()),
    path("pools/<str:name>/resize/", views.ResizeView.as_view()),
    path("nodes/", nodes.NodeListView.as_view()),
    path("nodes/<str:name>/", nodes.NodeView.as_view()),
    path("nodes/<str:name>/cordon/", nodes.CordonView.as_view()),
    path("nodes/<str:name>/uncordon/", nodes.UncordonView.as_view()),
    path("nodes/<str:name>/drain/", nodes.DrainView.as_view()),
    path("agents/", views.AgentListView.as_view()),
    path("agents/<uuid:agent_id>/", views.AgentView.as_view()),
]
