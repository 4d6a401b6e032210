from django.urls import path

from pools.api import leases, views

urlpatterns = [
    path("pools/", views.PoolListView.as_view()),
    path("pools/<str:name>/", views.PoolView.as_view()),
    path("pools/<str:name>/resize/", views.ResizeView.as_view()),
    path("pools/<str:name>/warm/", views.WarmView.as_view()),
    path("pools/<str:name>/drain/", views.DrainView.as_view()),
    path("pools/<str:name>/resume/", views.ResumeView.as_view()),
    path("pools/<str:name>/recycle/", views.RecycleView.as_view()),
    path("pools/<str:name>/leases/", leases.PoolLeasesView.as_view()),
    path("leases/", leases.LeaseListView.as_view()),
    path("leases/<str:token>/", leases.LeaseView.as_view()),
    path("leases/<str:token>/heartbeat/", leases.HeartbeatView.as_view()),
    path("leases/<str:token>/invoke/", leases.InvokeView.as_view()),
    path("agents/", views.AgentListView.as_view()),
    path("agents/<uuid:agent_id>/", views.AgentView.as_view()),
]
