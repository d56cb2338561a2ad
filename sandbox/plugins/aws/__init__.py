"""The stand-in for Pulumi's aws plugin: Elastic Container Registry, roles and the account's identity, over boto3.

`config` reads the provider's configuration, and `session` holds the clients; `refusals` says in one line what AWS
answers. `repository`, `policy_resources` and `functions` are served, and the kinds of `resource`: those of a whole
registry by `registry_resource` (`cache_rule`, `creation_template`, `replication`, `scanning`), and those of Identity
and Access Management by `iam_resource` (`role`, `role_policy`). `inputs`, `naming`, `encryption`, `mutability`,
`policies` and `tags` are the parts that several of them have. `provider` ties it all to Pulumi. boto3 is imported when
the plugin is configured, so that it starts quickly.
"""
