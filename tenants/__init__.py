"""Organisations that share the installation, and the scope that keeps them apart."""
