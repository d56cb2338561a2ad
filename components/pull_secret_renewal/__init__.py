"""Renews a pull secret within a cluster: asks Amazon ECR for a new token and puts it into the Secret.

A ConfigMap carries these modules into a pod that has Python 3.11 or later and nothing else, so they import nothing but
the standard library and each other. ``python3 -m pull_secret_renewal`` runs them; :mod:`.__main__` says what they need.
"""
