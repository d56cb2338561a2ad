"""The sandbox's ECR and STS API: moto's server, and what moto lacks of Elastic Container Registry.

Beside moto's own operations it has pull-through cache rules, repository creation templates and previews of lifecycle
policies; it holds every request against the service's own model, and refuses what ECR refuses with ECR's error codes.
`python -m sandbox.ecr_api` starts it with the options of `moto_server`. It imports moto alone and nothing of the
sandbox, since it runs in a container that holds no more than that. `models` and `urls` have the names by which moto
looks for a service's parts.
"""
