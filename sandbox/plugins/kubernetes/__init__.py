"""A stand-in for the official resource provider plugin of Pulumi's kubernetes package."""
