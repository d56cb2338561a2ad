"""The stand-in for Pulumi's aws plugin: Elastic Container Registry and the account's identity, over boto3.

`config` reads the provider's configuration, and `session` holds the clients; `refusals` says in one line what AWS
answers. `repository`, `policy_resources`, `functions` and the kinds of `registry_resource` (`cache_rule`,
`creation_template`, `replication`, `scanning`) are what is served; `inputs`, `encryption`, `mutability`, `policies` and
`tags` are the parts that several of them have. `provider` ties it all to Pulumi. boto3 is imported when the plugin is
configured, so that it starts quickly.
"""
