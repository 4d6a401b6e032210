from django.urls import path

from workflows.api import artifacts, definitions, runs, triggers, versions

urlpatterns = [
    path("workflows/", definitions.WorkflowListView.as_view()),
    path("workflows/validate/", definitions.ValidateView.as_view()),
    path("workflows/<str:name>/", definitions.WorkflowView.as_view()),
    path("workflows/<str:name>/versions/", definitions.VersionListView.as_view()),
    path("workflows/<str:name>/versions/<int:number>/", definitions.VersionView.as_view()),
    path("workflows/<str:name>/versions/<int:number>/restore/", versions.RestoreView.as_view()),
    path("workflows/<str:name>/diff/", versions.DiffView.as_view()),
    path("workflows/<str:name>/export/", versions.ExportView.as_view()),
    path("workflows/<str:name>/runs/", runs.StartRunView.as_view()),
    path("triggers/", triggers.TriggerListView.as_view()),
    path("triggers/<uuid:trigger_id>/", triggers.TriggerView.as_view()),
    path("triggers/<uuid:trigger_id>/firings/", triggers.FiringListView.as_view()),
    path("triggers/<uuid:trigger_id>/fire/", triggers.FireView.as_view()),
    path("triggers/<uuid:trigger_id>/upcoming/", triggers.UpcomingView.as_view()),
    path("triggers/<uuid:trigger_id>/rotate-secret/", triggers.SecretView.as_view()),
    path("hooks/<uuid:trigger_id>/", triggers.HookView.as_view()),
    path("artifacts/<str:sha256>/", artifacts.ArtifactView.as_view()),
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
