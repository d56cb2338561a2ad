"""The local platform behind `make up`: Docker Engine, registry, ECR API, Kubernetes cluster, Pulumi and its plugins."""
