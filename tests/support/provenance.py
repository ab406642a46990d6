"""A desk that mails, pays and deletes, with the terms of its tools and what its threads have read."""

from pydantic import JsonValue

from guarded_agents.provenance import Authority, AuthorityRule, Facts, SeenResult, UserText, compile_authority, weigh
from guarded_agents.records import (
    UNEXPOSED,
    ArgumentTerms,
    ArgumentUse,
    AuthorityTerms,
    Confidentiality,
    ContentRule,
    Integrity,
    Labels,
    ResultTerms,
    ToolEffect,
)

KEY = b"k" * 32
TRUSTED = Labels(integrity=Integrity.TRUSTED, confidentiality=Confidentiality.PUBLIC)
UNTRUSTED = Labels(integrity=Integrity.UNTRUSTED, confidentiality=Confidentiality.PUBLIC)
CONTENT = {rule: ArgumentTerms(use=ArgumentUse.CONTENT, content=rule) for rule in ContentRule}
AMOUNT = ArgumentTerms(use=ArgumentUse.AMOUNT)
SELECTOR = ArgumentTerms(use=ArgumentUse.SELECTOR)


def terms(tool: str, verbs: tuple[str, ...], **arguments: ArgumentTerms) -> AuthorityTerms:
    return AuthorityTerms(tool, ToolEffect.WRITE, arguments, verbs)


SEND = compile_authority(
    terms("mail/send", ("send",), to=ArgumentTerms(), cc=ArgumentTerms(), body=CONTENT[ContentRule.FREE])
)
PAY = compile_authority(
    terms("bank/pay", ("pay",), to=ArgumentTerms(), amount=AMOUNT, note=CONTENT[ContentRule.NO_NEW_TOKENS])
)
DELETE = compile_authority(terms("files/delete", ("delete",), file_id=SELECTOR))
REFUND = compile_authority(
    terms(
        "shop/refund",
        ("refund",),
        order=ArgumentTerms(use=ArgumentUse.SELECTOR, natural_key=True),
        amount=ArgumentTerms(use=ArgumentUse.AMOUNT, from_fields=("/total",)),
    )
)
READ = compile_authority(AuthorityTerms("mail/read", ToolEffect.READ))

FILES = ResultTerms(
    labels=UNTRUSTED, fields={"/id": TRUSTED, "/name": TRUSTED, "/owners": TRUSTED}, records="/files", keys=("/name",)
)
ORDERS = ResultTerms(
    labels=UNTRUSTED, fields={"/id": TRUSTED, "/total": TRUSTED, "/zip": TRUSTED}, records="", keys=("/id",)
)


def file(number: int | str, name: str, text: str = "", *owners: str) -> JsonValue:
    return {"id": number, "name": name, "owners": list(owners), "text": text}


def files(*listed: JsonValue, message: str = "r1", server: str = "files") -> SeenResult:
    return SeenResult(message, server, "list", {"files": list(listed)}, FILES)


def order(number: str, total: float, zip_code: int = 10_115, message: str = "r1") -> SeenResult:
    return SeenResult(message, "shop", "get", {"id": number, "total": total, "zip": zip_code, "text": "x"}, ORDERS)


def mail(text: JsonValue, message: str = "r9") -> SeenResult:
    return SeenResult(message, "mail", "read", text, ResultTerms(labels=UNTRUSTED))


def facts(text: str = "", *results: SeenResult, labels: Labels = UNTRUSTED) -> Facts:
    return Facts(KEY, labels, (UserText("m1", text),) if text else (), results)


def untainted(text: str) -> Facts:
    return facts(text, labels=UNEXPOSED)


def lacks(authority: Authority) -> list[tuple[str, str]]:
    return [(miss.lack.value, miss.argument) for miss in authority.misses]


def asked(rule: AuthorityRule, known: Facts, **arguments: JsonValue) -> list[tuple[str, str]]:
    """Return what the call lacks."""
    return lacks(weigh(arguments, rule, known))
