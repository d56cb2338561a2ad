"""The stand-in for Pulumi's aws plugin: Elastic Container Registry and the account's identity, over boto3.

`config` reads the provider's configuration, `policies` and `tags` compare what AWS writes differently than people do,
`session` holds the clients, `repository`, `policy_resources` and `functions` are what is served, and `provider` ties it
to Pulumi. boto3 is imported when the plugin is configured, so that it starts quickly.
"""
