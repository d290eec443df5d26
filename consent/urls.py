"""Route consent."""

from django.urls import path

from consent import views

app_name = "consent"

urlpatterns = [
    path("", views.gate, name="gate"),
    path("withdraw/", views.withdraw, name="withdraw"),
    path("declined/", views.declined, name="declined"),
    path("notice/<int:version>/", views.notice, name="notice"),
]
