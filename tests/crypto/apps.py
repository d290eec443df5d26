"""The tests' own app, for what asks Django's registry: pickles and copies."""

from django.apps import AppConfig


class SealedTests(AppConfig):
    name = "tests.crypto"
    label = "sealed_tests"
