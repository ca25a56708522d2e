"""
The part of the Kubernetes API that the manifests use, as shapes: a key that is not here is a mistake, or a line to add.

A shape is a type or several, the one value there is, a list of one shape, a dict from key to shape (``!`` after a key
that must be there), or ``{str: shape}`` for any keys. Sources: Kubernetes API Reference v1.32; Prometheus Operator,
API reference.
"""

from typing import Any, Final

MAP: Final = {str: str}
SELECTOR: Final = {"matchLabels!": MAP}
METADATA: Final = {"name!": str, "namespace": str, "labels": MAP, "annotations": MAP}
PORT: Final = (int, str)
PROBE: Final = {
    "httpGet!": {"path!": str, "port!": PORT},
    "periodSeconds": int,
    "timeoutSeconds": int,
    "failureThreshold": int,
}
QUANTITIES: Final = {"cpu": str, "memory": str}
CONTAINER: Final = {
    "name!": str,
    "image!": str,
    "restartPolicy": "Always",
    "args": [str],
    "env": [{"name!": str, "value!": str}],
    "ports": [{"name!": str, "containerPort!": int}],
    "startupProbe": PROBE,
    "livenessProbe": PROBE,
    "readinessProbe": PROBE,
    "lifecycle": {"preStop": {"exec!": {"command!": [str]}}},
    "resources!": {"requests!": QUANTITIES, "limits!": QUANTITIES},
    "securityContext!": {
        "allowPrivilegeEscalation!": bool,
        "readOnlyRootFilesystem!": bool,
        "capabilities!": {"drop!": [str]},
    },
    "volumeMounts": [{"name!": str, "mountPath!": str, "readOnly": bool}],
}
VOLUME: Final = {
    "name!": str,
    "configMap": {"name!": str, "items": [{"key!": str, "path!": str}]},
    "secret": {"secretName!": str, "defaultMode!": int},
    "emptyDir": {"sizeLimit!": str},
}
POD: Final = {
    "serviceAccountName!": str,
    "automountServiceAccountToken!": bool,
    "terminationGracePeriodSeconds!": int,
    "securityContext!": {
        "runAsNonRoot!": bool,
        "runAsUser!": int,
        "runAsGroup!": int,
        "fsGroup!": int,
        "seccompProfile!": {"type!": "RuntimeDefault"},
    },
    "topologySpreadConstraints": [
        {
            "maxSkew!": int,
            "topologyKey!": str,
            "whenUnsatisfiable!": "ScheduleAnyway",
            "labelSelector!": SELECTOR,
        }
    ],
    "initContainers": [CONTAINER],
    "containers!": [CONTAINER],
    "volumes": [VOLUME],
}
POLICY_PORTS: Final = [{"port!": PORT, "protocol!": str}]
KINDS: Final[dict[str, dict[str, Any]]] = {
    "v1/Namespace": {},
    "v1/ServiceAccount": {},
    "v1/ConfigMap": {"data!": MAP},
    "apps/v1/Deployment": {
        "spec!": {
            "replicas!": int,
            "strategy": {"type!": "RollingUpdate", "rollingUpdate": {"maxUnavailable": int, "maxSurge": int}},
            "selector!": SELECTOR,
            "template!": {"metadata!": {"labels!": MAP}, "spec!": POD},
        }
    },
    "v1/Service": {
        "spec!": {
            "clusterIP": "None",
            "publishNotReadyAddresses": bool,
            "selector!": MAP,
            "ports!": [{"name!": str, "port!": int, "targetPort!": PORT}],
        }
    },
    "monitoring.coreos.com/v1/ServiceMonitor": {
        "spec!": {
            "jobLabel": str,
            "selector!": SELECTOR,
            "endpoints!": [{"port!": str, "path": str, "interval": str}],
        }
    },
    "autoscaling/v2/HorizontalPodAutoscaler": {
        "spec!": {
            "scaleTargetRef!": {"apiVersion!": str, "kind!": str, "name!": str},
            "minReplicas": int,
            "maxReplicas!": int,
            "metrics!": [
                {
                    "type!": "Pods",
                    "pods!": {
                        "metric!": {"name!": str},
                        "target!": {"type!": "AverageValue", "averageValue!": str},
                    },
                }
            ],
            "behavior": {
                "scaleDown": {"stabilizationWindowSeconds!": int},
                "scaleUp": {"stabilizationWindowSeconds!": int},
            },
        }
    },
    "policy/v1/PodDisruptionBudget": {"spec!": {"minAvailable!": int, "selector!": SELECTOR}},
    "networking.k8s.io/v1/NetworkPolicy": {
        "spec!": {
            "podSelector!": SELECTOR,
            "policyTypes!": [str],
            "ingress!": [{"from!": [{"namespaceSelector!": SELECTOR}], "ports!": POLICY_PORTS}],
            "egress!": [{"ports!": POLICY_PORTS}],
        }
    },
}


def misfits_of(manifest: dict[str, Any]) -> list[str]:
    """What in a manifest is not as its kind wants it."""
    kind = f"{manifest.get('apiVersion')}/{manifest.get('kind')}"
    if kind not in KINDS:
        return [f"{kind}: unknown"]
    shape = {"apiVersion!": str, "kind!": str, "metadata!": METADATA, **KINDS[kind]}
    return list(_misfits(manifest, shape, kind))


def _misfits(value: Any, shape: Any, place: str) -> list[str]:
    if isinstance(shape, list):
        if not isinstance(value, list):
            return [f"{place}: no list"]
        return [each for n, one in enumerate(value) for each in _misfits(one, shape[0], f"{place}[{n}]")]
    if isinstance(shape, dict):
        return _misfits_of_keys(value, shape, place)
    if isinstance(shape, str):
        return [] if value == shape else [f"{place}: {value!r} is not {shape!r}"]
    kinds = shape if isinstance(shape, tuple) else (shape,)
    return [] if type(value) in kinds else [f"{place}: {value!r} is no {shape}"]


def _misfits_of_keys(value: Any, shape: dict[Any, Any], place: str) -> list[str]:
    if not isinstance(value, dict):
        return [f"{place}: no table"]
    if str in shape:
        return [each for key in value for each in _misfits(value[key], shape[str], f"{place}.{key}")]
    known = {key.removesuffix("!"): below for key, below in shape.items()}
    missing = [f"{place}.{key[:-1]}: missing" for key in shape if key.endswith("!") and key[:-1] not in value]
    unknown = [f"{place}.{key}: unknown" for key in value if key not in known]
    return (
        missing
        + unknown
        + [each for key in value if key in known for each in _misfits(value[key], known[key], f"{place}.{key}")]
    )
