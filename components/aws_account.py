"""An AWS provider for one account and region, whose credentials have been seen to be those of that account."""

from __future__ import annotations

from collections.abc import Mapping

import pulumi
import pulumi_aws as aws


def account_provider(
    name: str,
    *,
    account: str,
    region: str,
    profile: str | None = None,
    endpoint: str | None = None,
    tags: Mapping[str, str],
) -> aws.Provider:
    """A provider for ``account`` and ``region``, which refuses the credentials of any other account.

    ``endpoint`` is an ECR, STS and IAM API in place of Amazon's own.
    """
    return aws.Provider(
        name,
        region=region,
        profile=profile,
        allowed_account_ids=[account],
        endpoints=[aws.ProviderEndpointArgs(ecr=endpoint, sts=endpoint, iam=endpoint)] if endpoint else None,
        default_tags=aws.ProviderDefaultTagsArgs(tags=dict(tags)),
    )


def check_account(provider: aws.Provider, account: str, region: str) -> None:
    """Ask at once, in a preview too, who the credentials belong to, so that a mistake ends the program here.

    It waits for the answer; what is declared before goes on meanwhile.

    Raises:
        pulumi.RunError: there are no credentials, they are refused, or they are those of another account.
    """
    where = f"account {account} in {region}"
    try:
        identity = aws.get_caller_identity(opts=pulumi.InvokeOptions(provider=provider))
    except Exception as error:
        summary = " ".join(str(error).split())
        raise pulumi.RunError(
            f"the AWS credentials do not work for {where}, which this stack ships to: {summary}\n"
            f"Log in (`aws sts get-caller-identity` shows who you are), or set awsAccount, awsRegion and awsProfile."
        ) from None
    if identity.account_id != account:
        raise pulumi.RunError(
            f"the AWS credentials are those of account {identity.account_id} ({identity.arn}), and this stack ships to"
            f" {where}; nothing was changed.\nUse credentials of that account (awsProfile names a profile), or set it:"
            f" pulumi config set awsAccount {identity.account_id}"
        )
