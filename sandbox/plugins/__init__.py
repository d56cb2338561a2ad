"""Stand-in resource provider plugins for Pulumi, for machines that cannot reach Pulumi's plugin downloads."""
