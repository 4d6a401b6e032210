from django.urls import path

from workflows.api import definitions, runs

urlpatterns = [
    path("workflows/", definitions.WorkflowListView.as_view()),
    path("workflows/validate/", definitions.ValidateView.as_view()),
    path("workflows/<str:name>/", definitions.WorkflowView.as_view()),
    path("workflows/<str:name>/versions/", definitions.VersionListView.as_view()),
    path("workflows/<str:name>/versions/<int:number>/", definitions.VersionView.as_view()),
    path("workflows/<str:name>/runs/", runs.StartRunView.as_view()),
    path("bundles/", definitions.BundleView.as_view()),
    path("schemas/workflow.json", definitions.SchemaView.as_view()),
    path("runs/", runs.RunListView.as_view()),
    path("runs/<uuid:run_id>/", runs.RunView.as_view()),
    path("runs/<uuid:run_id>/cancel/", runs.CancelRunView.as_view()),
    path("runs/<uuid:run_id>/steps/", runs.StepListView.as_view()),
    path("runs/<uuid:run_id>/steps/<str:step>/", runs.StepView.as_view()),
    path("runs/<uuid:run_id>/steps/<str:step>/items/", runs.ItemListView.as_view()),
    path("runs/<uuid:run_id>/events/", runs.EventListView.as_view()),
    path("runs/<uuid:run_id>/logs/", runs.LogListView.as_view()),
]
