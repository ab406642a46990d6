"""What people can do: sign, rightly or wrongly, now or later, once or again."""

from datetime import timedelta
from typing import Any

from guarded_agents.approval import doubt_id, sign
from guarded_agents.errors import ApprovalError, DirectoryError, GuardError
from guarded_agents.records import Answer, CallKey, ReviewFinding, SignedVote, Verdict
from tests.support.approvals_around import Around
from tests.support.approvals_facts import AGENT, ANA, MAX, MINUTE, RAJ, THREADS, WHY, Request, Slot, tag_of, terms_of
from tests.support.approvals_policy import KEYS
from tests.support.approvals_rig import moment
from tests.support.approvals_world import LEASE_S, Process

NO_CLAIM = {"status": None}


class People(Around):
    """People with keys, who answer, review and resolve."""

    # -- rules: people -------------------------------------------------------------------------------

    def statement(self, process: Process, request: Request, answer: Answer, who: str, **more: Any) -> Any:
        vote = process.votes.prepare(request.id, answer, approver=who, **more)
        return vote.model_copy(update={"nonce": f"{next(self.nonces):032x}"})

    def say(
        self,
        request: Request,
        answer: Answer,
        who: str,
        *,
        at: int = 0,
        flaw: str | None = None,
        asked: Any = None,
        later: bool = False,
        **more: Any,
    ) -> None:
        """Let *who* sign an answer, perhaps a flawed one, and hand it in, perhaps later."""
        try:
            vote = self.statement(self.processes[at], request, answer, who, **more)
        except ApprovalError:
            assert answer is Answer.EDIT or request.tampered
            return
        if answer is Answer.EDIT:
            asked = (asked[0], vote.digest, *asked[2:])
            self.shown[vote.digest] = asked
        keys = ((who, 0), (who, 1)) if answer is Answer.BREAK_GLASS else ((who, 0),)
        earlier = [one.nonce for (name, _), one in self.model.nonces.items() if name == who]
        others = [one.digest for one in self.model.requests.values() if one is not request]
        if flaw == "key":
            keys = ((RAJ if who == ANA else ANA, 0), *keys[1:])
        elif flaw == "second":
            keys = ((who, 1),) if answer is not Answer.BREAK_GLASS else ((who, 0), (who, 0))
        elif flaw is not None:
            changes: dict[str, dict[str, Any]] = {
                "digest": {"digest": "0" * 64},
                "other": {"digest": others[-1]} if others else {},
                "nonce": {"nonce": earlier[-1]} if earlier else {},
                "early": {"at": request.created_at - timedelta(microseconds=1)},
                "ahead": {"at": self.model.now + 4 * MINUTE},
                "future": {"at": self.model.now + 6 * MINUTE},
            }
            vote = vote.model_copy(update=changes[flaw])
        signed = sign(vote, KEYS[keys[0]], second=KEYS[keys[1]] if len(keys) > 1 else None)
        self.pool.append((signed, keys, request, asked))
        if not later:
            self.hand_in(len(self.pool) - 1, at)

    def hand_in(self, place: int, at: int) -> None:
        """Deliver a signed vote, for the first time or again: it counts if the model says so."""
        signed, keys, request, asked = self.pool[place]
        model, process, vote = self.model, self.processes[at], signed.vote
        before = self.recorded(signed)
        self.run(process, process.votes.cast(signed))
        counts = self.recorded(signed) and not before
        may = model.accepts(request, vote, keys, asked, process.variant, self.began)
        if not request.tampered and not self.was_killed:
            assert counts == may, f"{vote.answer} by {vote.approver}: counts {counts}, {self.error}"
        assert may or request.tampered or not counts
        if counts:
            model.cast(request, vote, keys, self.began)
        self.sync()

    def recorded(self, signed: SignedVote) -> bool:
        vote = signed.vote
        found = self.db.execute(
            "SELECT 1 FROM votes WHERE request = ? AND approver = ? AND document ->> '$.vote.nonce' = ?",
            (vote.request, vote.approver, vote.nonce),
        ).fetchone()
        return found is not None

    def speak(
        self,
        number: int,
        kind: str,
        who: str,
        to: str,
        pair: tuple[str, str],
        answer: Answer,
        amount: int,
        flaw: str | None,
        at: int,
        later: bool,
        mode: str,
        what: str | None,
        wake: bool,
        twist: str | None,
        variant: str,
    ) -> None:
        """Let people answer what waits, and perhaps the thread go on; with a *twist* something happens then."""
        if number < 6 and not any(map(self.model.waits, self.model.requests.values())):
            self.proposes(THREADS[number == 5], [("pay" if number == 4 else "wire", amount)])
        request = self.request(number)
        if request is not None:
            self.answers(request, number, kind, (who, to, pair), answer, amount, flaw, at=at, later=later)
            at = self.turns_before(request.slot, twist, at, variant)
            if wake:
                self.prepare_bank(mode, what, self.processes[1 - at], request.slot)
                self.walks_root(request, at)
                self.turns_after(request.slot, twist, at, who, amount)

    def turns_before(self, slot: Slot, twist: str | None, at: int, variant: str) -> int:
        """Let another policy be deployed or the user go on, after people agreed; return where the thread goes on."""
        if twist in ("deploy", "rewrite"):
            self.end(self.processes[1], variant)
            if twist == "rewrite" and slot.request is not None and slot.request.status in ("pending", "approved"):
                self.tampers(slot.request, "policy")
            return 1
        if twist == "write":
            self.write(self.processes[at], slot.thread, old=False, acting=False)
        elif twist == "cancel":
            self.cancel(self.processes[at], slot.thread)
        return at

    def turns_after(self, slot: Slot, twist: str | None, at: int, who: str, amount: int) -> None:
        """Let the turn be replayed otherwise after it was sent, or somebody say what became of it."""
        if twist == "rival" and slot.entry == self.model.current[slot.thread]:
            self.proposes(slot.thread, [("topup", 50 + amount % 40)], again=True, at=at)
        elif twist == "resolve" and self.claim(slot) is not None:
            self.pass_time(LEASE_S + 1)
            self.run(self.processes[at], self.processes[at].store.sweep(now=self.model.now))
            self.resolves(slot, who, Verdict.NOT_HAPPENED, at=at)

    def answers(
        self,
        request: Request,
        number: int,
        kind: str,
        people: tuple[str, str, tuple[str, str]],
        answer: Answer,
        amount: int,
        flaw: str | None,
        *,
        at: int,
        later: bool,
    ) -> None:
        who, to, pair = people
        if kind == "vote":
            text = "because" if answer is not Answer.APPROVE else None
            self.say(request, answer, who, at=at, flaw=flaw, later=later, text=text)
        elif kind == "agree":
            for one in pair:
                self.say(request, Answer.APPROVE, one, at=at)
        elif kind == "edit":
            self.edits(request, pair[0], amount, at=at, flaw=flaw, later=later)
        elif kind == "delegate":
            self.say(request, Answer.DELEGATE, pair[0], at=at, flaw=flaw, delegate=to)
            self.say(request, Answer.APPROVE, to, at=at, later=later)
        else:
            text = "quick" if number == 7 else WHY
            self.say(request, Answer.BREAK_GLASS, who if number % 2 else MAX, at=at, flaw=flaw, text=text)

    def walks_root(self, request: Request, at: int) -> None:
        while request.parent is not None:
            request = request.parent
        self.walks(request.slot, at)

    def deliver_again(self, place: int, process: int) -> None:
        if self.pool:
            self.hand_in(-1 - place % len(self.pool) + len(self.pool), process)

    def edits(self, request: Request, who: str, amount: int, *, at: int = 0, **more: Any) -> None:
        variant, tool = self.processes[at].variant, request.slot.tool
        asked = (amount, "", terms_of(variant, tool, amount), tag_of(variant, tool))
        self.say(request, Answer.EDIT, who, at=at, asked=asked, arguments={"cents": amount}, **more)

    def afterwards(self, number: int, kind: str, who: str, verdict: Verdict, flaw: str | None, at: int) -> None:
        """Deliver a vote again, review a broken glass, or settle a call in doubt."""
        if kind == "again":
            self.deliver_again(number, at)
        elif kind == "review":
            self.review(number, who, at)
        else:
            self.resolve(number, who, verdict, flaw, at)

    def review(self, number: int, who: str, process: int) -> None:
        model, statements = self.model, self.processes[process].statements
        if not model.glasses:
            return
        glass = model.glasses[-1 - number % len(model.glasses)]
        if glass.request.tampered:
            return
        statement = statements.prepare_review(glass.request.id, ReviewFinding.REVIEWED, reviewer=who, text="looked")
        done = self.run(self.processes[process], statements.review(sign(statement, KEYS[who, 0])))
        may = (
            not (model.directory_fails or glass.reviewed or model.barred(glass.request, who))
            and who in model.groups["audit"]
            and (who, 0) in model.live_keys
            and who.casefold() != glass.by.casefold()
        )
        if self.was_killed:
            finding = self.db.execute("SELECT finding FROM broken_glass WHERE request = ?", (glass.request.id,))
            glass.reviewed = finding.fetchone()[0] is not None
        else:
            assert (done is not None) == may, self.error
            glass.reviewed |= may

    def resolve(self, number: int, who: str, verdict: Verdict, flaw: str | None, process: int) -> None:
        doubtful = [slot for slot in self.model.slots if slot.sends or slot.told_no]
        open_ones = [slot for slot in doubtful if (self.claim(slot) or NO_CLAIM)["status"] == "in_doubt"]
        if found := open_ones if open_ones and number < 24 else doubtful:
            self.resolves(found[-1 - number % len(found)], who, verdict, at=process, flaw=flaw)

    def resolves(self, slot: Slot, who: str, verdict: Verdict, *, at: int = 0, flaw: str | None = None) -> None:
        self.run(self.processes[at], self.resolve_one(self.processes[at], slot, who, verdict, flaw=flaw))

    async def resolve_one(self, process: Process, slot: Slot, who: str, verdict: Verdict, *, flaw: str | None) -> None:
        """Let a person settle a call in doubt, and check that exactly those may who may."""
        model, statements = self.model, process.statements
        looked_at = model.now - timedelta(seconds=200 if flaw == "early" else 0)
        statement = statements.prepare_resolution(
            doubt_id(CallKey(*slot.key)), verdict, resolver=who, looked_at=looked_at, text="saw it"
        )
        if flaw == "attempt":
            statement = statement.model_copy(update={"attempt": statement.attempt - 1})
        row = self.claim(slot)
        request = slot.request
        may = (
            flaw not in ("attempt", "key")
            and row["status"] == "in_doubt"
            and not model.directory_fails
            and (who, 0) in model.live_keys
            and who in (model.groups["ops"] if request is None else model.eligible(request))
            and who.casefold() not in {AGENT, slot.acting_for or AGENT}
            and looked_at >= moment(row["admitted_at"])
            and (verdict is not Verdict.NOT_HAPPENED or looked_at > moment(row["lease_until"]))
            and not (request is not None and request.tampered)
        )
        key = KEYS[MAX if flaw == "key" else who, 0]
        refused: GuardError | None = None
        try:
            await statements.resolve(sign(statement, key))
        except (ApprovalError, DirectoryError) as error:
            refused = error
        finally:
            if self.claim(slot)["status"] == "not_happened":
                under_way = any(orphan is slot for orphan, _ in self.bank.orphans) or self.bank.in_flight > 0
                slot.erred |= slot.effects > 0 or under_way
                slot.resolved_no = slot.told_no = True
        if refused is not None:
            assert not may, refused
            return
        assert may or (request is not None and request.tampered), "a resolution counts that may not"
        model.reached["resolved"] += 1
