"""What can be typed, and what is said of what cannot."""

import contextlib
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers.core.errors import TypedWrongly
from workers.core.target import Target
from workers.grammar import COMMANDS, parse, unslack

CHECKOUT = Target(cluster="", kind="svc", name="checkout")
IN_SHOP = Target(cluster="", kind="svc", name="checkout", namespace="shop")


@pytest.mark.parametrize(
    ("typed", "target"),
    [
        ("svc checkout", CHECKOUT),
        ("/netdiag svc checkout", CHECKOUT),
        ("SVC Checkout", CHECKOUT),
        ("svc svc/checkout", CHECKOUT),
        ("svc service checkout", CHECKOUT),
        ("svc shop/checkout", IN_SHOP),
        ("svc svc/shop/checkout", IN_SHOP),
        ("svc checkout -n shop", IN_SHOP),
        ("svc other/checkout -n shop", IN_SHOP),
        ("svc --namespace=shop checkout", IN_SHOP),
        ("svc `shop/checkout`", IN_SHOP),
        ("<@U0NETDIAG> svc shop/checkout", IN_SHOP),
        ("svc \u201cshop/checkout\u201d", IN_SHOP),
        ("svc\u00a0shop/checkout", IN_SHOP),
        ("svc checkout \u2013n shop", IN_SHOP),
        ("svc checkout \u2014namespace shop", IN_SHOP),
        ("svc shop\uff0fcheckout", IN_SHOP),
        ("svc <http://shop/checkout|shop/checkout>", IN_SHOP),
        ("svc <http://checkout>", CHECKOUT),
        ("svc checkout:http", Target(cluster="", kind="svc", name="checkout", port="http")),
        ("svc checkout:80", Target(cluster="", kind="svc", name="checkout", port="80")),
        ("svc checkout --cluster Lab", Target(cluster="lab", kind="svc", name="checkout")),
        ("svc checkout \u2014cluster lab", Target(cluster="lab", kind="svc", name="checkout")),
    ],
)
def test_what_is_meant_is_understood(typed: str, target: Target) -> None:
    """A Service may be typed in all the ways that people, phones and Slack write it."""
    request = parse(typed)
    assert (request.command, request.target) == ("svc", target)


@pytest.mark.parametrize(("typed", "command"), [("", "help"), ("  ", "help"), ("netdiag", "help"), ("Audit", "audit")])
def test_about_commands_need_no_target(typed: str, command: str) -> None:
    """Nothing at all asks for help; `audit` stands alone."""
    request = parse(typed)
    assert (request.command, request.target) == (command, None)


def test_words_after_an_about_command_are_kept() -> None:
    """`help svc` and `audit ID` say more closely what is wanted."""
    assert parse("help svc").words == ("svc",)


@pytest.mark.parametrize(
    ("typed", "says"),
    [
        ("scv checkout", 'There is no command "scv". Did you mean "svc checkout"?'),
        ("services checkout", 'Did you mean "svc checkout"?'),
        ("checkout", 'To look at a Service: "svc checkout".'),
        ("frobnicate", '"help" lists what can be typed'),
        ("svc/checkout", 'The command comes first: "svc svc/checkout"'),
        ("svc", '"svc" needs a name'),
        ("svc a b", "takes one name, and there are 2"),
        ("svc pod/x", "looks at a Service, not at a pod"),
        ("svc a/b/c", "too many parts"),
        ("svc checkout:", "is no port"),
        ("svc checkout:0", "is no port"),
        ("svc checkout:65536", "is no port"),
        ("svc checkout:\u0661", "is no port"),
        ("svc checkout -n", "-n needs a value"),
        ("svc checkout -n -c", "-n needs a value"),
        ("svc checkout --namspace x", "Did you mean --namespace?"),
        ("svc checkout -z", "There are -n NAMESPACE and --cluster NAME"),
        ("svc checkout -n sh_op", "cannot be the name of a namespace"),
        ("svc checkout --cluster a_b", "cannot be the name of a cluster"),
        ("svc <!channel>", '"!channel" cannot be a name'),
        ("svc <#C1|incident>", '"#incident" cannot be a name'),
        ("svc &lt;script&gt;", '"<script>" cannot be a name'),
        ("svc checkout.shop.svc", 'has no dots: type "svc shop/checkout"'),
        ("svc 'checkout", "A quotation mark is not closed"),
        ("svc a -&gt; b", "takes one name"),
    ],
)
def test_what_is_wrong_is_said_with_what_to_type(typed: str, says: str) -> None:
    """Each mistake has its own sentence."""
    with pytest.raises(TypedWrongly, match=re.escape(says)):
        parse(typed)


def test_what_was_typed_is_shown_short() -> None:
    """A sentence never carries a page of what somebody pasted."""
    with pytest.raises(TypedWrongly) as error:
        parse("x" * 5000)
    assert len(str(error.value)) < 200


def test_every_example_can_be_typed() -> None:
    """What help shows is understood, and every command says what it is for in two languages."""
    for name, command in COMMANDS.items():
        assert parse(command.example).command == name
        assert sorted(command.help) == ["en", "zh"]


@given(st.text(max_size=60))
def test_no_text_breaks_it(typed: str) -> None:
    """Whatever is typed is a request or a sentence."""
    command = ""
    with contextlib.suppress(TypedWrongly):
        command = parse(typed).command
    assert command in {"", *COMMANDS}


@given(st.text(alphabet="abc /:-", max_size=30))
def test_plain_text_is_left_as_it_is(typed: str) -> None:
    """Undoing Slack's escapes changes nothing in a text without them but the spaces around it."""
    assert unslack(typed) == typed.strip()
