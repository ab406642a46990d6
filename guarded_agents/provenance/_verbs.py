"""By which words a user asks for an effect.

A policy lists phrases. One that is a key of the table below stands for its forms in English and in German, any other
for itself. No form is derived by rule: what is not listed licenses nothing. Participles are left out, for "the mail
that Bob sent" asks for nothing.
"""

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Final, NamedTuple

from guarded_agents.provenance._tokens import tokens_of

_FORMS: Final = """
add: add, adding, füge, füg, hinzufügen, hinzuzufügen, ergänze, ergänzen
approve: approve, approving, genehmige, genehmigen, freigeben, freizugeben
archive: archive, archiving, archiviere, archivieren
assign: assign, assigning, zuweisen, zuzuweisen
book: book, booking, buche, buchen
buy: buy, buying, purchase, purchasing, kaufe, kaufen
cancel: cancel, cancelling, canceling, storniere, stornieren, absagen, abzusagen, kündige, kündigen
change: change, changing, ändere, ändern, modify, modifying
close: close, closing, schließe, schließen
create: create, creating, erstelle, erstell, erstellen, anlegen, anzulegen
delete: delete, deleting, lösche, lösch, löschen, erase, erasing
download: download, downloading, herunterladen, herunterzuladen
edit: edit, editing, bearbeite, bearbeiten
forward: forward, forwarding, leite, weiterleiten, weiterzuleiten
invite: invite, inviting, lade, einladen, einzuladen
mail: mail, mailing, email, emailing, e-mail, maile, mailen
message: message, messaging, benachrichtige, benachrichtigen
move: move, moving, verschiebe, verschieben
open: open, opening, öffne, öffnen
order: order, ordering, bestelle, bestell, bestellen
pay: pay, paying, bezahle, bezahl, bezahlen, zahle, zahl, zahlen, begleiche, begleichen
post: post, posting, poste, posten, veröffentliche, veröffentlichen, publish, publishing
read: read, reading, lies, lese, lesen, check, checking, prüfe, prüfen
refund: refund, refunding, erstatte, erstatten, zurückerstatten, zurückzuerstatten
remove: remove, removing, entferne, entfernen
rename: rename, renaming, umbenennen, umzubenennen
reply: reply, replying, respond, responding, answer, answering, antworte, antworten, beantworte, beantworten
reschedule: reschedule, rescheduling, verlege, verlegen
reserve: reserve, reserving, reserviere, reservieren
schedule: schedule, scheduling, plane, planen, einplanen, einzuplanen
send: send, sending, sende, senden, schicke, schick, schicken, verschicke, verschicken, versende, versenden
set: set, setting, setze, setz, setzen, einstellen, einzustellen
share: share, sharing, teile, teilen, freigeben, freizugeben
transfer: transfer, transferring, wire, wiring, überweise, überweis, überweisen
update: update, updating, aktualisiere, aktualisieren
upload: upload, uploading, hochladen, hochzuladen
visit: visit, visiting, browse, browsing, besuche, besuchen
write: write, writing, schreibe, schreib, schreiben
"""

DEFAULT_VERBS: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        verb: tuple(form.strip() for form in forms.split(","))
        for verb, _, forms in (line.partition(":") for line in _FORMS.strip().splitlines())
    }
)
"""What each verb of the default list stands for."""


class Verbs(NamedTuple):
    """The words, and the runs of words, of which one has to be in the user's text."""

    words: frozenset[str]
    runs: tuple[tuple[str, ...], ...]


def verbs_of(phrases: Iterable[str]) -> Verbs:
    """Return what *phrases* of a policy stand for, each as a text spells it."""
    wanted = {form for phrase in phrases for form in DEFAULT_VERBS.get(phrase, (phrase,))}
    runs = {tuple(tokens_of(form)) for form in wanted}
    return Verbs(frozenset(run[0] for run in runs if len(run) == 1), tuple(sorted(run for run in runs if len(run) > 1)))
