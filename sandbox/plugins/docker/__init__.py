"""The stand-in for Pulumi's docker plugin: `docker:index/image:Image`, built by BuildKit in the Docker Engine.

`spec` reads an image's inputs, `references` and `build_context` answer questions about names and files, `logins` holds
credentials, `client` runs the docker command line and `keeper` cleans up after it, `build_output` and `failures` read
what it says, `builder` builds and pushes, and `provider` ties it to Pulumi.
"""
