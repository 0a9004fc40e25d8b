"""Does this order prove enough: are its grants genuine, for exactly this plan, and by enough other people?

The change worker counts for itself: whoever holds Redis, the ledger or the bot's database cannot make a grant.
"""

from collections.abc import Iterable
from typing import Any

from workers.core.errors import NotTrusted
from workers.core.sending import granted
from workers.core.tokens import Keyring
from workers.core.wire import ChangeTask


def lacking(order: ChangeTask, remedies: Iterable[str], keys: Keyring) -> str:
    """The sentence that says which proof is missing; empty when none is.

    Time is left out on purpose: an order that expired after it was begun must still be ended truthfully.
    """
    if order.plan.remedy not in remedies:
        return f"this release knows no remedy called {order.plan.remedy}"
    if not order.plan.steps:
        return "the plan has no steps"
    if order.plan.digest != order.digest:
        return "the order's digest is not that of its plan"
    if order.plan.target.cluster != order.cluster:
        return f"the plan is for the cluster {order.plan.target.cluster}, the order for {order.cluster}"
    return _lacking_grants(order, keys)


def _lacking_grants(order: ChangeTask, keys: Keyring) -> str:
    needed = max(order.quorum, 1)
    people: set[str] = set()
    why: list[str] = []
    for number, token in enumerate(order.grants, start=1):
        try:
            person = _person(order, token, keys)
        except NotTrusted as error:
            why.append(f"grant {number}: {error}")
            continue
        if person in people:
            why.append(f"grant {number}: {person} is counted already")
        people.add(person)
    if len(people) >= needed:
        return ""
    return f"{len(people)} of {needed} grants count" + "".join(f"; {one}" for one in why)


def _person(order: ChangeTask, token: str, keys: Keyring) -> str:
    """Who granted. Judged as of the order's own expiry, for the reason given above."""
    claims: dict[str, Any] = keys.claims("grant", token, now=order.expires)
    for name, value in granted(order).items():
        if claims.get(name) != value:
            raise NotTrusted(f"it is for another {name} ({claims.get(name)})")
    person = claims.get("person")
    if not isinstance(person, str) or not person:
        raise NotTrusted("it names no person")
    if person == order.requester:
        raise NotTrusted(f"{person} asked for this change, and cannot grant it")
    return person
