"""Is a node's way to the API server open, and which address decides that?"""

from workers.core.evidence.kube_proxy import ProxyState
from workers.core.evidence.reach import ApiAnswer, ApiAnswers


def decisive(answers: ApiAnswers, process: ProxyState | None, asked: tuple[str, ...]) -> ApiAnswer:
    """The answer that decides for a node: of kube-proxy's own server, else the best of all."""
    first = answers.answers[0]
    if (process and process.server) or first.address not in asked:
        return first  # the agent puts kube-proxy's own server first
    return next((one for one in answers.answers if open_to(one)), first)


def open_to(answer: ApiAnswer) -> bool:
    """The way is open: a connection, and then TLS (or an answer, where a server speaks plain HTTP)."""
    return answer.tcp == "open" and (answer.tls or answer.status > 0)


def how(answer: ApiAnswer) -> str:
    """How the way ends: `tls`, or the fate of the connection."""
    return "tls" if answer.tcp == "open" else answer.tcp
