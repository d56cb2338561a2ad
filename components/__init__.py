"""Components that build, push and run container images; they can be lifted into another Pulumi program as they are."""
