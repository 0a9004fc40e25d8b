"""Steps on pods."""

import msgspec


class DeletePod(msgspec.Struct, frozen=True, tag_field="step", tag="delete-pod"):
    """Delete one pod, by uid, so that its controller makes a new one.

    `old` is the pod's uid; `new` stays empty: the successor's uid is the controller's choice. `owner` is
    `DaemonSet/kube-proxy` or the like.
    """

    namespace: str
    name: str
    old: str
    owner: str
    node: str
    new: str = ""
