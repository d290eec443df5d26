"""Route the console."""

from django.urls import path

from console import (
    model_views,
    organisation_views,
    parameter_views,
    policy_version_views,
    policy_views,
    user_add_views,
    user_import_views,
    user_views,
    views,
)

app_name = "console"

urlpatterns = [
    path("", views.dashboard, name="dashboard"),
    path("policy/", policy_views.rules, name="policy"),
    path("policy/bench/", policy_views.bench, name="policy_bench"),
    path("policy/new/", policy_views.new_rule, name="policy_new"),
    path("policy/save/", policy_views.save, name="policy_save"),
    path("policy/rules/<str:code>/", policy_views.rules, name="policy_rule"),
    path("policy/rules/<str:code>/remove/", policy_views.remove, name="policy_remove"),
    path("policy/rules/<str:code>/words/", policy_views.words, name="policy_words"),
    path("policy/versions/", policy_version_views.history, name="policy_history"),
    path("policy/versions/<uuid:version_id>/", policy_version_views.version, name="policy_version"),
    path("policy/versions/<uuid:version_id>/try/", policy_version_views.try_out, name="policy_try"),
    path(
        "policy/versions/<uuid:version_id>/try/stop/",
        policy_version_views.stop_trying,
        name="policy_try_stop",
    ),
    path("policy/versions/<uuid:version_id>/submit/", policy_version_views.submit, name="policy_submit"),
    path("policy/versions/<uuid:version_id>/discard/", policy_version_views.discard, name="policy_discard"),
    path("policy/versions/<uuid:version_id>/reopen/", policy_version_views.reopen, name="policy_reopen"),
    path("policy/versions/<uuid:version_id>/approve/", policy_version_views.approve, name="policy_approve"),
    path("policy/versions/<uuid:version_id>/reject/", policy_version_views.reject, name="policy_reject"),
    path("policy/versions/<uuid:version_id>/publish/", policy_version_views.publish, name="policy_publish"),
    path(
        "policy/versions/<uuid:version_id>/rollback/", policy_version_views.rollback, name="policy_rollback"
    ),
    path("users/", user_views.users, name="users"),
    path("users/export/", user_import_views.export, name="user_export"),
    path("users/import/", user_import_views.choose, name="user_import"),
    path("users/import/<uuid:import_id>/", user_import_views.run, name="user_import_run"),
    path("users/import/<uuid:import_id>/begin/", user_import_views.begin, name="user_import_begin"),
    path("users/import/<uuid:import_id>/stop/", user_import_views.stop, name="user_import_stop"),
    path("users/import/<uuid:import_id>/list/", user_import_views.take_list, name="user_import_list"),
    path("users/import/<uuid:import_id>/drop/", user_import_views.drop, name="user_import_drop"),
    path("users/add/", user_add_views.add, name="user_add"),
    path("users/first-admin/<uuid:tenant_id>/", user_add_views.first_admin, name="first_admin"),
    path(
        "users/<uuid:account_id>/reset-password/", user_add_views.reset_password, name="user_reset_password"
    ),
    path("users/<uuid:account_id>/invite/", user_add_views.invite, name="user_invite"),
    path("users/<uuid:account_id>/", user_views.user, name="user"),
    path(
        "users/<uuid:account_id>/tokens/<uuid:token_id>/revoke/", user_views.revoke, name="user_token_revoke"
    ),
    path("users/<uuid:account_id>/edit/", user_views.edit, name="user_edit"),
    path("users/<uuid:account_id>/role/", user_views.role, name="user_role"),
    path("users/<uuid:account_id>/disable/", user_views.disable, name="user_disable"),
    path("users/<uuid:account_id>/enable/", user_views.enable, name="user_enable"),
    path("users/<uuid:account_id>/end-sessions/", user_views.end_sessions, name="user_end_sessions"),
    path("installation/", views.installation, name="installation"),
    path("parameters/", parameter_views.index, name="parameters"),
    path("parameters/history/", parameter_views.history, name="parameter_history"),
    path("parameters/<uuid:change_id>/approve/", parameter_views.approve, name="parameter_approve"),
    path("parameters/<uuid:change_id>/reject/", parameter_views.reject, name="parameter_reject"),
    path("parameters/<uuid:change_id>/withdraw/", parameter_views.withdraw, name="parameter_withdraw"),
    path("organisations/", organisation_views.index, name="organisations"),
    path("organisations/new/", organisation_views.create, name="organisation_create"),
    path("organisations/<uuid:tenant_id>/", organisation_views.show, name="organisation"),
    path(
        "organisations/<uuid:tenant_id>/settings/", organisation_views.settings, name="organisation_settings"
    ),
    path("organisations/<uuid:tenant_id>/quotas/", organisation_views.quotas, name="organisation_quotas"),
    path("organisations/<uuid:tenant_id>/suspend/", organisation_views.suspend, name="organisation_suspend"),
    path("organisations/<uuid:tenant_id>/resume/", organisation_views.resume, name="organisation_resume"),
    path("organisations/<uuid:tenant_id>/delete/", organisation_views.delete, name="organisation_delete"),
    path("organisations/<uuid:tenant_id>/keep/", organisation_views.keep, name="organisation_keep"),
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
