"""Route the console."""

from django.urls import path

from console import model_views, policy_views, views

app_name = "console"

urlpatterns = [
    path("", views.dashboard, name="dashboard"),
    path("policy/", policy_views.rules, name="policy"),
    path("policy/bench/", policy_views.bench, name="policy_bench"),
    path("policy/rules/<str:code>/", policy_views.rules, name="policy_rule"),
    path("installation/", views.installation, name="installation"),
    path("models/", model_views.models, name="models"),
    path("models/live/", model_views.live, name="models_live"),
    path("models/choose/", model_views.choose, name="model_choose"),
    path("models/rollback/", model_views.rollback, name="model_rollback"),
    path("models/<uuid:artifact_id>/", model_views.model, name="model"),
    path("models/<uuid:artifact_id>/evaluate/", model_views.evaluate, name="model_evaluate"),
    path("models/<uuid:artifact_id>/stop/", model_views.stop, name="model_stop"),
    path("models/<uuid:artifact_id>/submit/", model_views.submit, name="model_submit"),
    path("models/<uuid:artifact_id>/approve/", model_views.approve, name="model_approve"),
    path("models/<uuid:artifact_id>/reject/", model_views.reject, name="model_reject"),
    path("models/<uuid:artifact_id>/activate/", model_views.activate, name="model_activate"),
    path("models/<uuid:artifact_id>/retire/", model_views.retire, name="model_retire"),
]
