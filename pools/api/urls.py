from django.urls import path

from pools.api import agents, leases, node_groups, nodes, views
from pools.facade.agents import VERBS

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
    path("agents/", agents.AgentListView.as_view()),
    path("agents/backup/", agents.AgentBackupView.as_view()),
    path("agents/restore/", agents.AgentRestoreView.as_view()),
    path("agents/<str:ref>/", agents.AgentView.as_view()),
    path("agents/<str:ref>/logs/", agents.AgentLogView.as_view()),
    path("agents/<str:ref>/metrics/", agents.AgentUsageView.as_view()),
    path("agents/<str:ref>/invoke", agents.AgentInvokeView.as_view()),
    path("agents/<str:ref>/invoke/", agents.AgentInvokeView.as_view(schema=None)),  # told of once
    path("agents/<str:ref>/requests/", agents.AgentRequestListView.as_view()),
    path("agents/<str:ref>/requests/<str:request_id>/", agents.AgentRequestView.as_view()),
    path("agents/<str:ref>/requests/<str:request_id>/replay/", agents.AgentReplayView.as_view()),
    *(path(f"agents/<str:ref>/{verb}/", agents.AgentActionView.as_view(verb=verb)) for verb in VERBS),
    path("nodes/", nodes.NodeListView.as_view()),
    path("nodes/<str:name>/", nodes.NodeView.as_view()),
    path("nodes/<str:name>/cordon/", nodes.CordonView.as_view()),
    path("nodes/<str:name>/uncordon/", nodes.UncordonView.as_view()),
    path("nodes/<str:name>/drain/", nodes.DrainView.as_view()),
    path("nodes/<str:name>/interrupt/", nodes.InterruptView.as_view()),
    path("node-costs/", node_groups.NodeCostsView.as_view()),
    path("node-groups/", node_groups.GroupListView.as_view()),
    path("node-groups/<str:name>/", node_groups.GroupView.as_view()),
    path("node-groups/<str:name>/decisions/", node_groups.GroupDecisionListView.as_view()),
    path("machines/join/", node_groups.JoinView.as_view()),
    path("machines/joined/", node_groups.JoinedView.as_view()),
    path("machines/notice/", node_groups.NoticeView.as_view()),
]
