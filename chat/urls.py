"""Route the chat pages."""

from django.urls import path

from chat import api_views, views

app_name = "chat"

urlpatterns = [
    path("", views.home, name="home"),
    path("c/clear/", views.clear, name="clear"),
    path("c/<uuid:conversation_id>/", views.conversation, name="conversation"),
    path("c/<uuid:conversation_id>/rename/", views.rename, name="rename"),
    path("c/<uuid:conversation_id>/delete/", views.delete, name="delete"),
    path("v1/me", api_views.me, name="api_me"),
    path("v1/models", api_views.models, name="api_models"),
    path("privacy/", views.privacy, name="privacy"),
]
