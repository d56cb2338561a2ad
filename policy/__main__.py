"""The policy pack: ``pulumi preview --policy-pack policy``; ``--policy-pack-config FILE`` sets levels and settings."""

from policies.pack import DESCRIPTION, NAME, POLICIES
from pulumi_policy import EnforcementLevel, PolicyPack

PolicyPack(NAME, POLICIES, EnforcementLevel.MANDATORY, description=DESCRIPTION)
