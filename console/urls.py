"""Route the console."""

from django.urls import path

from console import views

app_name = "console"

urlpatterns = [
    path("", views.dashboard, name="dashboard"),
    path("policy/", views.policy, name="policy"),
    path("installation/", views.installation, name="installation"),
]
