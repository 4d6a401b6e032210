"""The looks of the operators' console: the web application's colours, and its own navigation."""

from typing import Any

from django.urls import reverse_lazy


def _page(title: str, icon: str, model: str) -> dict[str, Any]:
    return {"title": title, "icon": icon, "link": reverse_lazy(f"admin:{model}_changelist")}


UNFOLD: dict[str, Any] = {
    "SITE_TITLE": "Agentainer Flow",
    "SITE_HEADER": "Agentainer Flow",
    "SITE_SUBHEADER": "Operators' console",
    "SITE_SYMBOL": "deployed_code",
    "SITE_URL": "/",
    "SHOW_VIEW_ON_SITE": False,
    "BORDER_RADIUS": "6px",
    "COLORS": {
        "primary": {
            "50": "#eef0fd",
            "100": "#dcdffa",
            "200": "#b8bef4",
            "300": "#949cee",
            "400": "#7680e6",
            "500": "#626ddf",
            "600": "#4f5bd5",
            "700": "#434fc4",
            "800": "#3a45ac",
            "900": "#2f398f",
            "950": "#23254a",
        }
    },
    "SIDEBAR": {
        "show_search": False,
        "navigation": [
            {
                "title": "Capacity",
                "items": [
                    _page("Pools", "dns", "pools_pool"),
                    _page("Pooled agents", "memory", "pools_agent"),
                    _page("Deployed agents", "smart_toy", "pools_deployedagent"),
                    _page("Nodes", "developer_board", "pools_node"),
                ],
            },
            {
                "title": "Scaling and money",
                "items": [
                    _page("Policies", "tune", "scaling_scalingpolicy"),
                    _page("Decisions", "swap_vert", "scaling_scalingdecision"),
                    _page("Budgets", "payments", "scaling_budget"),
                    _page("Simulations", "query_stats", "scaling_simulation"),
                ],
            },
            {
                "title": "Work",
                "items": [
                    _page("Workflows", "account_tree", "workflows_workflow"),
                    _page("Runs", "history", "workflows_run"),
                    _page("Executors", "engineering", "workflows_executor"),
                ],
            },
            {
                "title": "People",
                "items": [
                    _page("Users", "person", "auth_user"),
                    _page("Teams", "groups", "teams_team"),
                    _page("Memberships", "badge", "teams_membership"),
                    _page("Tokens", "key", "teams_apitoken"),
                    _page("Audit", "fact_check", "teams_auditentry"),
                ],
            },
        ],
    },
}
