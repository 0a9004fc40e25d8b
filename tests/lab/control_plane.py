"""etcd, kube-apiserver, kube-controller-manager and kube-scheduler, as real processes in the lab's own network."""

import asyncio
from pathlib import Path

import aiohttp

from tests.lab import credentials
from tests.lab.api import Api, ApiError
from tests.lab.processes import Processes, until

SERVICE_CIDR = "10.96.0.0/16"
POD_CIDR = "10.244.0.0/16"
ADDRESS = "172.30.0.1"
PORT = 6443
SERVER = f"https://{ADDRESS}:{PORT}"


class ControlPlane:
    """The four processes. `state` holds keys, kubeconfigs and etcd's data."""

    def __init__(self, binaries: Path, state: Path, processes: Processes, nodes: list[str]) -> None:
        self._bin = binaries
        self._state = state
        self._processes = processes
        self.ca_file = state / "pki" / "ca.crt"
        credentials.write_pki(state / "pki", [ADDRESS, "127.0.0.1", "10.96.0.1"])
        self.tokens = credentials.write_tokens(state / "tokens.csv", nodes)

    def api(self, user: str) -> Api:
        """A door for a user of the token file."""
        return Api(SERVER, self.ca_file, self.tokens[user])

    def kubeconfig(self, user: str) -> Path:
        """The kubeconfig of a user of the token file."""
        path = self._state / f"{user.replace(':', '-')}.kubeconfig"
        return credentials.write_kubeconfig(path, SERVER, self.ca_file, {"token": self.tokens[user]})

    async def start(self) -> None:
        """Start all four; return when the API server is ready."""
        await asyncio.to_thread(self._start_store)
        admin = self.api("admin")

        async def ready() -> bool:
            self._processes.check()
            try:
                return bool(await admin.call("GET", "/readyz"))
            except (aiohttp.ClientError, ApiError):
                return False

        await until("the API server is ready", ready, limit=60)
        self._start_controllers()

    def _start_store(self) -> None:
        etcd = "http://127.0.0.1:2379"
        self._processes.start(
            "etcd",
            [
                str(self._bin / "etcd"),
                f"--data-dir={self._state / 'etcd'}",
                f"--listen-client-urls={etcd}",
                f"--advertise-client-urls={etcd}",
                "--listen-peer-urls=http://127.0.0.1:2380",
                "--unsafe-no-fsync",  # the lab's data is not worth a disk's time
            ],
        )
        pki = self._state / "pki"
        self._processes.start(
            "kube-apiserver",
            [
                str(self._bin / "kube-apiserver"),
                f"--etcd-servers={etcd}",
                f"--service-cluster-ip-range={SERVICE_CIDR}",
                f"--tls-cert-file={pki / 'apiserver.crt'}",
                f"--tls-private-key-file={pki / 'apiserver.key'}",
                f"--secure-port={PORT}",
                "--bind-address=0.0.0.0",
                f"--advertise-address={ADDRESS}",
                "--service-account-issuer=https://kubernetes.default.svc",
                f"--service-account-key-file={pki / 'sa.key'}",
                f"--service-account-signing-key-file={pki / 'sa.key'}",
                f"--token-auth-file={self._state / 'tokens.csv'}",
                "--authorization-mode=Node,RBAC",
                "--enable-admission-plugins=NodeRestriction",
                "--allow-privileged=true",
                "--kubelet-preferred-address-types=InternalIP",  # the nodes' names are in no DNS
            ],
        )

    def _start_controllers(self) -> None:
        pki = self._state / "pki"
        self._processes.start(
            "kube-controller-manager",
            [
                str(self._bin / "kube-controller-manager"),
                f"--kubeconfig={self.kubeconfig('system:kube-controller-manager')}",
                # Nobody renews the nodes' leases here, and this controller would call them dead.
                "--controllers=*,-node-lifecycle-controller",
                f"--service-account-private-key-file={pki / 'sa.key'}",
                f"--root-ca-file={self.ca_file}",
                "--allocate-node-cidrs=false",
                "--leader-elect=false",
                "--use-service-account-credentials",
            ],
        )
        self._processes.start(
            "kube-scheduler",
            [
                str(self._bin / "kube-scheduler"),
                f"--kubeconfig={self.kubeconfig('system:kube-scheduler')}",
                "--leader-elect=false",
            ],
        )
