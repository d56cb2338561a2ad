"""The provider side of Pulumi's plugin protocol (`pulumirpc.ResourceProvider`), shared by the stand-in plugins.

`values` holds the property values of the wire, `diff` compares them, `engine_log` writes to the engine's display, and
`provider` serves a `Provider` over gRPC.
"""
