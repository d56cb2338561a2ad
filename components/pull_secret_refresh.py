"""A pull secret for Amazon ECR that is renewed within the cluster, long before its token's 12 hours end."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pulumi
import pulumi_kubernetes as kubernetes

from components.network_policies import Policy, network_policy
from components.pull_secret import docker_config
from components.registry import RegistryLogin

batch = kubernetes.batch.v1
core = kubernetes.core.v1
meta = kubernetes.meta.v1
rbac = kubernetes.rbac.v1

REGISTRY_ANNOTATION: Final = "dockercoins/registry"
"""Says which server a Secret logs in to."""

_PROGRAM: Final = Path(__file__).parent / "pull_secret_renewal"
_FOLDER: Final = "/opt/pull-secret"
_IDENTITY_FOLDER: Final = "/var/run/secrets/sts.amazonaws.com"
_USER: Final = 10001

# The update waits for the first run, so that one gives up early; a later one can wait for a network to come back.
_FIRST_RUN_RETRIES: Final = 120  # seconds
_FIRST_RUN_DEADLINE: Final = 300  # seconds, with the pull of the image
_LATER_RUN_RETRIES: Final = 600  # seconds
_LATER_RUN_DEADLINE: Final = 2400  # seconds, for three pods
_STARTING_DEADLINE: Final = 3600  # seconds
_IDENTITY_SECONDS: Final = 3600


@dataclass(frozen=True)
class RefreshedPullSecretArgs:
    """What a :class:`RefreshedPullSecret` is made of.

    ``login`` is what the Secret holds at first, with the server that it is for. ``region`` is that of the registry.
    ``image`` is any image with Python 3.11 or later as ``python3``; where it has to be pulled with credentials, those
    are in ``image_pull_secret``, which cannot be this very secret. ``schedule`` is in cron's notation, in UTC.
    ``endpoint`` is the address of an ECR and STS API elsewhere than at AWS, as pods reach it.

    The pods are to AWS either the role ``role_arn``, by the token of their service account; or the user of
    ``access_key_id`` and ``secret_access_key``; or, with neither, what EKS Pod Identity makes of their service account.
    """

    namespace: pulumi.Input[str]
    login: RegistryLogin
    region: str
    image: pulumi.Input[str]
    role_arn: pulumi.Input[str] | None = None
    access_key_id: pulumi.Input[str] | None = None
    secret_access_key: pulumi.Input[str] | None = None
    endpoint: pulumi.Input[str] | None = None
    schedule: str = "0 */4 * * *"
    image_pull_secret: pulumi.Input[str] | None = None

    def __post_init__(self) -> None:
        """Refuse an identity that is half given, or given twice."""
        if (self.access_key_id is None) != (self.secret_access_key is None):
            missing = "secret_access_key" if self.secret_access_key is None else "access_key_id"
            raise ValueError(f"{missing} is missing: an access key is an id and a secret")
        if self.role_arn is not None and self.access_key_id is not None:
            raise ValueError("role_arn and access_key_id are both given: the pods can be only one of them to AWS")


class RefreshedPullSecret(pulumi.ComponentResource):
    """A pull secret, and a CronJob that keeps it good; ``secret_name`` is what a pod's ``imagePullSecrets`` gives.

    The Secret holds the token of this update at first, so that the first pods need not wait; from then on its content
    belongs to the CronJob, and an update or a refresh leaves it alone. A first run at once shows whether renewing
    works: the update fails with the reason if it does not, and the next update tries again. Later failures are in the
    status and the events of the CronJob's Jobs and pods; the Secret's annotations say when it was renewed and when its
    token ends. A run by hand: ``kubectl create job --from=cronjob/<name> <any name>``.

    The CronJob and its service account bear the component's name. The service account may patch this one Secret and do
    nothing else in the cluster. In AWS the role or user needs ``ecr:GetAuthorizationToken`` on ``*``, and what its
    token is to pull: ``ecr:BatchGetImage`` and ``ecr:GetDownloadUrlForLayer`` on the repositories
    (https://docs.aws.amazon.com/AmazonECR/latest/userguide/security_iam_id-based-policy-examples.html). A role for web
    identity trusts the cluster's OIDC provider with ``sts:AssumeRoleWithWebIdentity``, where the token's ``aud`` is
    ``sts.amazonaws.com`` and its ``sub`` is ``system:serviceaccount:<namespace>:<name>``
    (https://docs.aws.amazon.com/eks/latest/userguide/associate-service-account-role.html).
    """

    secret_name: pulumi.Output[str]

    def __init__(
        self,
        name: str,
        args: RefreshedPullSecretArgs,
        *,
        provider: kubernetes.Provider,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Declare the Secret and what renews it, in the namespace of ``args``."""
        super().__init__("dockercoins:kubernetes:RefreshedPullSecret", name, None, opts)
        self._name = name
        self._args = args
        self._child_opts = pulumi.ResourceOptions(parent=self, provider=provider)
        self._labels = {"app.kubernetes.io/name": name, "app.kubernetes.io/component": "pull-secret-renewal"}
        secret = self._secret()
        self.secret_name = secret.metadata.name
        account = core.ServiceAccount(
            name,
            # Trust policies and Pod Identity associations name it.
            metadata=self._metadata(name),
            automount_service_account_token=False,
            opts=self._child_opts,
        )
        binding = self._permission(account)
        program = core.ConfigMap(
            f"{name}-program",
            metadata=self._metadata(),
            data={file.name: file.read_text(encoding="utf-8") for file in sorted(_PROGRAM.glob("*.py"))},
            opts=self._child_opts,
        )
        pod = _Pod(
            args, account.metadata.name, self.secret_name, program.metadata.name, self._access_key(), self._labels
        )
        self._schedule(pod)
        # Where nothing else may leave the namespace, it still has to reach AWS and the cluster's own API.
        way_out = network_policy(name, Policy(self._labels, out=None), metadata=self._metadata(), opts=self._child_opts)
        self._first_run(pod, after=[binding, way_out])
        self.register_outputs({"secret_name": self.secret_name})

    def _metadata(self, name: str | None = None, annotations: dict[str, str] | None = None) -> meta.ObjectMetaArgs:
        return meta.ObjectMetaArgs(
            name=name, namespace=self._args.namespace, labels=self._labels, annotations=annotations
        )

    def _secret(self) -> core.Secret:
        login = self._args.login
        config = pulumi.Output.all(login.username, login.password).apply(
            lambda values: base64.b64encode(docker_config(login.server, *values).encode()).decode()
        )
        return core.Secret(
            self._name,
            metadata=self._metadata(annotations={REGISTRY_ANNOTATION: login.server}),
            type="kubernetes.io/dockerconfigjson",
            data={".dockerconfigjson": pulumi.Output.secret(config)},
            opts=pulumi.ResourceOptions.merge(
                self._child_opts,
                pulumi.ResourceOptions(
                    ignore_changes=["data"],
                    # Another server's login is another secret, which starts with a token of its own.
                    replace_on_changes=[f'metadata.annotations["{REGISTRY_ANNOTATION}"]'],
                ),
            ),
        )

    def _access_key(self) -> pulumi.Output[str] | None:
        """The name of the Secret with the access key, if there is one. Another key is a Secret of another name."""
        if self._args.access_key_id is None or self._args.secret_access_key is None:
            return None
        return core.Secret(
            f"{self._name}-access-key",
            metadata=self._metadata(),
            type="Opaque",
            string_data={
                "AWS_ACCESS_KEY_ID": self._args.access_key_id,
                "AWS_SECRET_ACCESS_KEY": pulumi.Output.secret(self._args.secret_access_key),
            },
            opts=self._child_opts,
        ).metadata.name

    def _permission(self, account: core.ServiceAccount) -> rbac.RoleBinding:
        role = rbac.Role(
            self._name,
            metadata=self._metadata(),
            rules=[
                rbac.PolicyRuleArgs(
                    api_groups=[""], resources=["secrets"], resource_names=[self.secret_name], verbs=["patch"]
                )
            ],
            opts=self._child_opts,
        )
        return rbac.RoleBinding(
            self._name,
            metadata=self._metadata(),
            role_ref=rbac.RoleRefArgs(api_group="rbac.authorization.k8s.io", kind="Role", name=role.metadata.name),
            subjects=[
                rbac.SubjectArgs(
                    kind="ServiceAccount", name=account.metadata.name, namespace=account.metadata.namespace
                )
            ],
            opts=self._child_opts,
        )

    def _schedule(self, pod: _Pod) -> None:
        batch.CronJob(
            self._name,
            metadata=self._metadata(self._name),
            spec=batch.CronJobSpecArgs(
                schedule=self._args.schedule,
                time_zone="UTC",
                concurrency_policy="Forbid",
                starting_deadline_seconds=_STARTING_DEADLINE,
                successful_jobs_history_limit=1,
                failed_jobs_history_limit=3,
                job_template=batch.JobTemplateSpecArgs(
                    metadata=meta.ObjectMetaArgs(labels=self._labels),
                    spec=pod.job(retries=_LATER_RUN_RETRIES, deadline=_LATER_RUN_DEADLINE, more_pods=2),
                ),
            ),
            opts=self._child_opts,
        )

    def _first_run(self, pod: _Pod, *, after: Sequence[pulumi.Resource]) -> None:
        batch.Job(
            f"{self._name}-first-run",
            # Named anew, and so run again, whenever what it runs with changes. It stays when it is done: one that was
            # removed would be drift.
            metadata=self._metadata(annotations={"pulumi.com/replaceUnready": "true"}),
            spec=pod.job(retries=_FIRST_RUN_RETRIES, deadline=_FIRST_RUN_DEADLINE, more_pods=0),
            opts=pulumi.ResourceOptions.merge(self._child_opts, pulumi.ResourceOptions(depends_on=after)),
        )


@dataclass(frozen=True)
class _Pod:
    """The pod that renews the Secret."""

    args: RefreshedPullSecretArgs
    account: pulumi.Input[str]
    secret: pulumi.Input[str]
    program: pulumi.Input[str]
    access_key: pulumi.Input[str] | None
    labels: dict[str, str]

    def job(self, *, retries: int, deadline: int, more_pods: int) -> batch.JobSpecArgs:
        """A Job of this pod.

        Args:
            retries: for how many seconds a pod asks again where nobody answers.
            deadline: seconds until the Job counts as failed, however far it is.
            more_pods: how many pods may follow one that failed.
        """
        return batch.JobSpecArgs(
            backoff_limit=more_pods,
            active_deadline_seconds=deadline,
            pod_failure_policy=batch.PodFailurePolicyArgs(
                rules=[
                    # A pod that had to leave its node did not fail.
                    batch.PodFailurePolicyRuleArgs(
                        action="Ignore",
                        on_pod_conditions=[
                            batch.PodFailurePolicyOnPodConditionsPatternArgs(type="DisruptionTarget", status="True")
                        ],
                    )
                ]
            ),
            template=core.PodTemplateSpecArgs(
                metadata=meta.ObjectMetaArgs(labels=self.labels),
                spec=core.PodSpecArgs(
                    restart_policy="Never",
                    service_account_name=self.account,
                    automount_service_account_token=True,
                    enable_service_links=False,
                    termination_grace_period_seconds=5,
                    image_pull_secrets=[core.LocalObjectReferenceArgs(name=self.args.image_pull_secret)]
                    if self.args.image_pull_secret
                    else None,
                    security_context=core.PodSecurityContextArgs(
                        run_as_non_root=True,
                        run_as_user=_USER,
                        run_as_group=_USER,
                        fs_group=_USER,
                        seccomp_profile=core.SeccompProfileArgs(type="RuntimeDefault"),
                    ),
                    containers=[self._container(retries)],
                    volumes=self._volumes(),
                ),
            ),
        )

    def _container(self, retries: int) -> core.ContainerArgs:
        mounts = [core.VolumeMountArgs(name="program", mount_path=f"{_FOLDER}/{_PROGRAM.name}", read_only=True)]
        if self.args.role_arn is not None:
            mounts.append(core.VolumeMountArgs(name="identity", mount_path=_IDENTITY_FOLDER, read_only=True))
        return core.ContainerArgs(
            name="renew",
            image=self.args.image,
            command=["python3", "-B", "-m", _PROGRAM.name],
            working_dir=_FOLDER,
            env=self._environment(retries),
            termination_message_policy="FallbackToLogsOnError",
            resources=core.ResourceRequirementsArgs(
                requests={"cpu": "10m", "memory": "64Mi"}, limits={"memory": "64Mi"}
            ),
            security_context=core.SecurityContextArgs(
                allow_privilege_escalation=False,
                read_only_root_filesystem=True,
                capabilities=core.CapabilitiesArgs(drop=["ALL"]),
            ),
            volume_mounts=mounts,
        )

    def _environment(self, retries: int) -> list[core.EnvVarArgs]:
        values: dict[str, pulumi.Input[str] | None] = {
            "SECRET_NAMESPACE": self.args.namespace,
            "SECRET_NAME": self.secret,
            "REGISTRY_SERVER": self.args.login.server,
            "RETRY_SECONDS": str(retries),
            "AWS_REGION": self.args.region,
            "AWS_ENDPOINT_URL": self.args.endpoint,
            "AWS_ROLE_ARN": self.args.role_arn,
            "AWS_WEB_IDENTITY_TOKEN_FILE": f"{_IDENTITY_FOLDER}/token" if self.args.role_arn is not None else None,
        }
        entries = [core.EnvVarArgs(name=name, value=value) for name, value in values.items() if value is not None]
        if self.access_key is not None:
            entries += [
                core.EnvVarArgs(
                    name=name,
                    value_from=core.EnvVarSourceArgs(
                        secret_key_ref=core.SecretKeySelectorArgs(name=self.access_key, key=name)
                    ),
                )
                for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
            ]
        return entries

    def _volumes(self) -> list[core.VolumeArgs]:
        volumes = [
            core.VolumeArgs(name="program", config_map=core.ConfigMapVolumeSourceArgs(name=self.program)),
        ]
        if self.args.role_arn is not None:
            token = core.ServiceAccountTokenProjectionArgs(
                audience="sts.amazonaws.com", expiration_seconds=_IDENTITY_SECONDS, path="token"
            )
            volumes.append(
                core.VolumeArgs(
                    name="identity",
                    projected=core.ProjectedVolumeSourceArgs(
                        sources=[core.VolumeProjectionArgs(service_account_token=token)]
                    ),
                )
            )
        return volumes
