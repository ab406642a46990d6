"""For each invariant, changes of one line that take its control away, and the tests that must notice.

A line that occurs more than once is given with its neighbours; still only one line changes.
"""

from typing import NamedTuple

BINDING = "guarded_agents/binding.py"
RECORD_CLAIM = "guarded_agents/records/_claim.py"
RECORD_DECISION = "guarded_agents/records/_decision.py"
RECORD_ORIGIN = "guarded_agents/records/_origin.py"
LINT = "guarded_agents/assembly/_lint.py"
CATALOG = "guarded_agents/catalog/_catalog.py"
VALIDATOR = "guarded_agents/schema/_validator.py"
TOOLS = "guarded_agents/assembly/_tools.py"
ANSWERS = "guarded_agents/assembly/_answers.py"
PROVIDER = "guarded_agents/_provider.py"
TELEMETRY = "guarded_agents/telemetry/_telemetry.py"
TELEMETRY_CALLING = "guarded_agents/telemetry/_calling.py"
TELEMETRY_SPANS = "guarded_agents/telemetry/_spans.py"
TELEMETRY_WORDS = "guarded_agents/telemetry/_words.py"
TELEMETRY_GRAPH = "tests/graph/test_telemetry.py"
NO_INFLUENCE = "tests/graph/test_no_influence.py"
HUSHED = "tests/graph/test_hushed.py"
HEADS = "tests/unit/audit/test_heads.py"
CLASSIFIER = "guarded_agents/screen/_classifier.py"
CHECK = "guarded_agents/approval/_check.py"
APPROVAL_GLASS = "guarded_agents/approval/_glass.py"
RESOLUTION = "guarded_agents/approval/_resolution.py"
EXTENSION = "guarded_agents/approval/_extension.py"
PROVENANCE_NODE = "guarded_agents/nodes/_provenance.py"
STORE_PLANNING = "guarded_agents/stores/_planning.py"
MACHINE = "guarded_agents/approval/_machine.py"
REQUEST = "guarded_agents/approval/_request.py"
SIGNERS = "guarded_agents/approval/_signers.py"
CONDITION = "guarded_agents/policy/_condition.py"
DECIDE = "guarded_agents/policy/_decide.py"
RULE = "guarded_agents/policy/_rule.py"
PROVENANCE_CONTENT = "guarded_agents/provenance/_content.py"
PROVENANCE_FACTS = "guarded_agents/provenance/_facts.py"
PROVENANCE_LABELS = "guarded_agents/provenance/_labels.py"
PROVENANCE_TEXT = "guarded_agents/provenance/_text.py"
PROVENANCE_WEIGH = "guarded_agents/provenance/_weigh.py"
APPROVAL = "guarded_agents/nodes/_approval.py"
DOOR = "guarded_agents/nodes/_door.py"
ENDED = "guarded_agents/nodes/_ended.py"
EXECUTE = "guarded_agents/nodes/_execute.py"
EXPOSURE = "guarded_agents/nodes/_exposure.py"
NODE_PROVENANCE = "guarded_agents/nodes/_provenance.py"
TRAIL = "guarded_agents/stores/_trail.py"
AUTHORITY = "tests/graph/test_authority.py"
UNIT_TRAIL = "tests/unit/stores/test_trail.py"
PROPERTY_EXPOSURE = "tests/property/test_exposure.py"
NOTES = "guarded_agents/nodes/_notes.py"
PEOPLE = "guarded_agents/nodes/_people.py"
PLAN = "guarded_agents/nodes/_plan.py"
SCREEN_CLEAN = "guarded_agents/screen/_clean.py"
SCREEN_FINDING = "guarded_agents/screen/_finding.py"
SCREEN_HIDING = "guarded_agents/screen/_hiding.py"
SCREEN_LINKS = "guarded_agents/screen/_links.py"
SCREEN_PATTERN = "guarded_agents/screen/_pattern.py"
SCREEN_REDACT = "guarded_agents/screen/_redact.py"
SCREEN_ROOM = "guarded_agents/screen/_screen.py"
SCREEN_SPOTLIGHT = "guarded_agents/screen/_spotlight.py"
SCREEN_VALUE = "guarded_agents/screen/_value.py"
SCREEN_INPUT = "guarded_agents/nodes/_screen_input.py"
SERVICES = "guarded_agents/nodes/_services.py"
SCREENING = "guarded_agents/nodes/_screening.py"
REDACTIONS = "guarded_agents/stores/_redactions.py"
TOKENS = "guarded_agents/nodes/_tokens.py"
TOLD = "guarded_agents/nodes/_told.py"
VOTES = "guarded_agents/nodes/_votes.py"
MIRRORS = "guarded_agents/state/_mirrors.py"
REFUSAL = "guarded_agents/state/_refusal.py"
ADMIT = "guarded_agents/stores/_admit.py"
CLAIMS = "guarded_agents/stores/_claims.py"
CLOSING = "guarded_agents/stores/_closing.py"
ENTRIES = "guarded_agents/stores/_entries.py"
ROWS = "guarded_agents/stores/_rows.py"
SCHEMA = "guarded_agents/stores/_schema.py"
STORE_GLASS = "guarded_agents/stores/_glass.py"
OUTBOX = "guarded_agents/stores/_outbox.py"
QUEUE = "guarded_agents/stores/_queue.py"
STORE_VOTES = "guarded_agents/stores/_votes.py"
WAKES = "guarded_agents/stores/_wakes.py"
READS = "guarded_agents/stores/_reads.py"
SWEEP = "guarded_agents/stores/_sweep.py"
CALLED = "guarded_agents/cli/_called.py"
ANSWERING = "guarded_agents/cli/_answering.py"
PRECEDENTS = "guarded_agents/cli/_precedents.py"
CLI_PEOPLE = "guarded_agents/cli/_people.py"

UNIT_CLASSIFIER = "tests/unit/screen/test_classifier.py"
ONE_DOOR = "tests/graph/test_one_door.py"
BOUND = "tests/graph/test_bound_permit.py"
STATE = "tests/graph/test_not_from_state.py"
SCREENED = "tests/graph/test_screening.py"
ONCE = "tests/graph/test_once.py"
RECORDED = "tests/graph/test_recorded_first.py"
DOUBT = "tests/graph/test_doubt_is_deny.py"
FACADE = "tests/graph/test_facade.py"
GLASS = "tests/graph/test_break_glass.py"
WORKER = "tests/graph/test_worker.py"
REVOKED = "tests/graph/test_revoked.py"
GRAPH_PLAN = "tests/graph/test_plan.py"
UNIT_EXTENSION = "tests/unit/approval/test_extension.py"
AFTERWARDS = "tests/graph/test_afterwards.py"
CLI_AFTERWARDS = "tests/unit/cli/test_afterwards.py"
CLI_MANY = "tests/unit/cli/test_many_people.py"
EDITS = "tests/graph/test_edits.py"
TOLD_OF_EDITS = "tests/graph/test_told_of_edits.py"
LABELS = "tests/graph/test_labels.py"
SECRETS = "tests/graph/test_no_secrets.py"
ATTACKS = "tests/graph/test_attacks.py"
BOUNDED = "tests/graph/test_bounded.py"
ONE_ACCOUNT = "tests/graph/test_one_account.py"
PAST = "tests/graph/test_written_past_the_facade.py"
UNIT_BINDING = "tests/unit/binding/test_binding.py"
UNIT_CATALOG = "tests/unit/catalog/test_catalog.py"
UNIT_CHECK = "tests/unit/approval/test_check.py"
UNIT_PROVENANCE_LABELS = "tests/unit/provenance/test_labels.py"
UNIT_CLEAN = "tests/unit/screen/test_clean.py"
UNIT_LINKS = "tests/unit/screen/test_links.py"
UNIT_PATTERNS = "tests/unit/screen/test_patterns.py"
UNIT_REDACT = "tests/unit/screen/test_redact.py"
UNIT_SCREEN = "tests/unit/screen/test_screen.py"
UNIT_PROVENANCE_TEXT = "tests/unit/provenance/test_text.py"
UNIT_PROVENANCE_WEIGH = "tests/unit/provenance/test_weigh.py"
METAMORPHIC = "tests/property/test_authority_metamorphic.py"
UNIT_REQUEST = "tests/unit/approval/test_request.py"
UNIT_ANSWERS = "tests/unit/stores/test_answers.py"
UNIT_CLAIMS = "tests/unit/stores/test_claims.py"
UNIT_ENTRIES = "tests/unit/stores/test_entries.py"
UNIT_REQUESTS = "tests/unit/stores/test_requests.py"
GRAPH_QUEUE = "tests/graph/test_queue.py"
BRANCHES = "tests/graph/test_branches.py"
UNREADABLE = "tests/unit/stores/test_unreadable.py"
UNIT_FILES = "tests/unit/stores/test_files.py"

VOTE_REFUSED = f"{FACADE}::test_a_vote_that_does_not_count_changes_nothing_and_can_be_corrected"
COVERS_NOTHING_ELSE = f"{UNIT_REQUEST}::test_a_permit_covers_nothing_else"
ANOTHER_CALL = f"{UNIT_BINDING}::test_another_component_is_another_call"
OTHER_VOTE = f"{UNIT_CHECK}::test_any_other_vote_does_not"
DENIED = f"{DOUBT}::test_a_call_in_doubt_is_denied_with_its_reason"

HIDES = f"{UNIT_CLEAN}::test_what_hides_goes_and_is_counted_by_kind"
LEADS_OUT = f"{UNIT_LINKS}::test_an_address_that_could_carry_data_out_is_text_afterwards"
TRAVELS = f"{UNIT_REDACT}::test_only_kinds_that_may_travel_come_back_and_the_others_are_counted"
RAISED = f"{UNIT_SCREEN}::test_a_finding_raises_what_is_required_and_never_lowers_it"
CLOSED = f"{UNIT_SCREEN}::test_a_text_that_knows_the_nonce_cannot_close_the_delimiter_or_forge_the_mark"


class Mutant(NamedTuple):
    """One change of one line, and the tests of which at least one must fail with it."""

    id: str
    file: str
    original: str
    replacement: str
    tests: tuple[str, ...]

    @property
    def requirement(self) -> str:
        """Return the id of the invariant whose control is taken away."""
        return self.id.partition(":")[0]


MUTANTS = (
    # -- I1 one door --------------------------------------------------------------------------
    Mutant(
        "I1:permit-for-any-call",
        DOOR,
        "if not permit.covers(call):",
        "if permit is None:",
        (f"{ONE_DOOR}::test_the_door_sends_no_call_that_its_permit_was_not_made_for",),
    ),
    Mutant(
        "I1:permit-that-denies",
        RECORD_CLAIM,
        "            self.decision.permitted\n            and self.call.key == call.key",
        "            True\n            and self.call.key == call.key",
        (f"{ONE_DOOR}::test_the_door_takes_no_permit_but_one_that_permits_this_tool",),
    ),
    Mutant(
        "I1:permit-of-another-tool",
        RECORD_CLAIM,
        "and self.call.tool == call.tool == self.tool.key",
        "and self.call.tool == call.tool",
        (f"{ONE_DOOR}::test_the_door_takes_no_permit_but_one_that_permits_this_tool",),
    ),
    Mutant(
        "I1:sync-tool-runs",
        TOOLS,
        "    def _run(self, *_args: object, **_kwargs: object) -> NoReturn:\n        raise self._refusal()",
        "    def _run(self, *_args: object, **_kwargs: object) -> NoReturn:\n        return None",
        (f"{ONE_DOOR}::test_a_tool_object_that_the_application_holds_refuses_to_run",),
    ),
    Mutant(
        "I1:async-tool-runs",
        TOOLS,
        "    async def _arun(self, *_args: object, **_kwargs: object) -> NoReturn:\n        raise self._refusal()",
        "    async def _arun(self, *_args: object, **_kwargs: object) -> NoReturn:\n        return None",
        (f"{ONE_DOOR}::test_a_stock_tool_node_cannot_run_them_either",),
    ),
    Mutant(
        "I1:unproposed-call",
        EXECUTE,
        "if not proposed:",
        "if proposed is None:",
        (f"{ONE_DOOR}::test_a_task_that_somebody_else_sends_to_a_node_runs_nothing",),
    ),
    Mutant(
        "I1:lint-passes-tool-nodes",
        LINT,
        "elif isinstance(runnable, ToolNode):",
        "elif runnable is None:",
        (f"{ONE_DOOR}::test_lint_finds_what_walks_around_the_door",),
    ),
    Mutant(
        "I1:lint-passes-retries",
        LINT,
        "if name in GUARD_NODES and (node.retry_policy",
        "if name not in GUARD_NODES and (node.retry_policy",
        (f"{ONE_DOOR}::test_lint_finds_what_walks_around_the_door",),
    ),
    # -- I2 bound -----------------------------------------------------------------------------
    Mutant(
        "I2:digest-without-requester",
        BINDING,
        '"call", requester, thread, entry, str(turn), tool, text)',
        '"call", "", thread, entry, str(turn), tool, text)',
        (ANOTHER_CALL,),
    ),
    Mutant(
        "I2:digest-without-thread",
        BINDING,
        '"call", requester, thread, entry, str(turn), tool, text)',
        '"call", requester, "", entry, str(turn), tool, text)',
        (ANOTHER_CALL,),
    ),
    Mutant(
        "I2:digest-without-entry",
        BINDING,
        '"call", requester, thread, entry, str(turn), tool, text)',
        '"call", requester, thread, "", str(turn), tool, text)',
        (ANOTHER_CALL,),
    ),
    Mutant(
        "I2:digest-without-turn",
        BINDING,
        '"call", requester, thread, entry, str(turn), tool, text)',
        '"call", requester, thread, entry, "", tool, text)',
        (ANOTHER_CALL,),
    ),
    Mutant(
        "I2:digest-without-tool",
        BINDING,
        '"call", requester, thread, entry, str(turn), tool, text)',
        '"call", requester, thread, entry, str(turn), "", text)',
        (ANOTHER_CALL,),
    ),
    Mutant(
        "I2:digest-without-arguments",
        BINDING,
        '"call", requester, thread, entry, str(turn), tool, text)',
        '"call", requester, thread, entry, str(turn), tool, "")',
        (ANOTHER_CALL,),
    ),
    Mutant(
        "I2:parsed-twice",
        BINDING,
        "tool, call_id, text, parse(text))",
        "tool, call_id, text, dict(arguments))",
        (
            f"{UNIT_BINDING}::test_the_value_that_was_digested_is_the_only_one_that_anybody_sees",
            f"{BOUND}::test_the_value_that_was_decided_about_is_the_value_that_is_sent",
        ),
    ),
    Mutant(
        "I2:arguments-unbound",
        REQUEST,
        "and request.arguments.encode() == permit.call.canonical",
        "and request.arguments is not None",
        (COVERS_NOTHING_ELSE,),
    ),
    Mutant(
        "I2:place-unbound",
        REQUEST,
        "and request.key == permit.call.key",
        "and request.key is not None",
        (COVERS_NOTHING_ELSE,),
    ),
    Mutant(
        "I2:definition-unbound",
        REQUEST,
        "and (request.server, request.tool, request.definition) == tuple(permit.tool)",
        "and (request.server, request.tool) == tuple(permit.tool)[:2]",
        (COVERS_NOTHING_ELSE,),
    ),
    Mutant(
        "I2:requester-unbound",
        REQUEST,
        "and (request.requester, request.tenant) == (permit.principal, permit.tenant)",
        "and request.tenant == permit.tenant",
        (COVERS_NOTHING_ELSE,),
    ),
    Mutant(
        "I2:tenant-unbound",
        REQUEST,
        "and (request.requester, request.tenant) == (permit.principal, permit.tenant)",
        "and request.requester == permit.principal",
        (COVERS_NOTHING_ELSE,),
    ),
    Mutant(
        "I2:labels-unbound",
        REQUEST,
        "and request.labels == permit.labels",
        "and request.labels is not None",
        (COVERS_NOTHING_ELSE,),
    ),
    Mutant(
        "I2:policy-unbound",
        REQUEST,
        "and request.policy == permit.decision.policy",
        "and request.policy is not None",
        (COVERS_NOTHING_ELSE, f"{BOUND}::test_an_approval_is_void_once_the_policy_entries_of_its_tool_changed"),
    ),
    Mutant(
        "I2:request-uncovered",
        EXECUTE,
        "if decision.permitted and not services.still_covers(permit):",
        "if decision.permitted and services is None:",
        (f"{BOUND}::test_an_approval_is_void_once_the_policy_entries_of_its_tool_changed",),
    ),
    Mutant(
        "I2:no-second-look-at-the-server",
        EXECUTE,
        "await self._services.observe(server)",
        "await self._services.store.append([], now=self._services.now())",
        (f"{BOUND}::test_a_tool_that_drifted_while_its_call_waited_is_not_run",),
    ),
    Mutant(
        "I2:labels-of-now",
        EXECUTE,
        "facts = replace(facts, labels=proposal.labels)",
        "facts = replace(facts)",
        (f"{BOUND}::test_a_permit_is_bound_to_the_labels_of_the_proposal_not_to_what_a_sibling_read_since",),
    ),
    Mutant(
        "I2:execute-by-ignored",
        ADMIT,
        "if standing.execute_by is None or now >= standing.execute_by:",
        "if standing.execute_by is None:",
        (f"{BOUND}::test_an_approval_that_is_not_used_in_time_lapses",),
    ),
    Mutant(
        "I2:decide-by-ignored",
        MACHINE,
        "if standing.status is RequestStatus.PENDING and now >= standing.request.decide_by:",
        "if standing.status is RequestStatus.PENDING and now < standing.request.created_at:",
        (OTHER_VOTE, "tests/graph/test_guarded_path.py::test_an_approval_that_comes_too_late_does_not_count"),
    ),
    Mutant(
        "I2:digest-spares-a-field",
        REQUEST,
        'exclude={"digest", "created_at"})',
        'exclude={"digest", "created_at", "decide_by"})',
        (f"{UNIT_REQUEST}::test_the_digest_covers_every_field",),
    ),
    # -- I3 not from state --------------------------------------------------------------------
    Mutant(
        "I3:requester-from-the-context",
        SERVICES,
        "        if not thread:\n            if context is None:",
        "        if context is not None:\n            if context is None:",
        (f"{STATE}::test_who_wakes_a_thread_does_not_become_its_requester",),
    ),
    Mutant(
        "I3:entry-from-state",
        PLAN,
        "if facts.thread and (facts.entry != self._entry(facts, shown, at) or _is_somebody_else(facts, context)):",
        "if facts.thread and _is_somebody_else(facts, context):",
        (f"{STATE}::test_a_human_message_that_was_written_into_the_state_starts_no_turn_that_can_act",),
    ),
    Mutant(
        "I3:anybody-may-propose",
        PLAN,
        "if facts.thread and (facts.entry != self._entry(facts, shown, at) or _is_somebody_else(facts, context)):",
        "if facts.thread and (facts.entry != self._entry(facts, shown, at)):",
        (f"{STATE}::test_a_model_that_is_run_under_another_context_proposes_nothing_for_the_requester",),
    ),
    Mutant(
        "I3:proposals-from-state",
        EXECUTE,
        "if not proposed:",
        "if call is None:",
        (f"{STATE}::test_calls_that_were_written_into_the_state_do_not_run",),
    ),
    Mutant(
        "I3:changed-row",
        CHECK,
        "if not is_intact(request, key=key):",
        "if key is None:",
        (f"{UNIT_CHECK}::test_a_row_that_was_changed_in_the_store_takes_no_vote",),
    ),
    Mutant(
        "I3:unproposed-claim",
        ADMIT,
        "    if tool is None:\n        _append_refusal(tx, asked, Reason.NOT_PROPOSED)",
        "    if asked is None:\n        _append_refusal(tx, asked, Reason.NOT_PROPOSED)",
        (f"{UNIT_CLAIMS}::test_what_was_not_proposed_is_not_admitted",),
    ),
    Mutant(
        "I3:thread-taken-over",
        ENTRIES,
        "if theirs != (ours.id, ours.acting_for, opened.tenant):",
        "if theirs is None:",
        (f"{STATE}::test_a_thread_of_one_requester_cannot_be_taken_over_under_the_same_message",),
    ),
    # -- I4 once ------------------------------------------------------------------------------
    Mutant(
        "I4:claimed-twice",
        ADMIT,
        "    if claim is not None:\n        return told_of(claim, standing)",
        "    if claim is not None and claim.status is ClaimStatus.CLOSED:\n        return told_of(claim, standing)",
        (
            f"{UNIT_CLAIMS}::test_a_call_is_admitted_once",
            f"{ONCE}::test_a_replay_from_any_checkpoint_sends_nothing_twice_and_tells_the_stored_outcome",
        ),
    ),
    Mutant(
        "I4:doubt-sent-again",
        DOOR,
        "if permit.decision.idempotent and claim.status in (ClaimStatus.IN_DOUBT, ClaimStatus.SENDING):",
        "if claim.status in (ClaimStatus.IN_DOUBT, ClaimStatus.SENDING):",
        (f"{ONCE}::test_a_missing_reply_is_in_doubt_and_never_sent_again",),
    ),
    Mutant(
        "I4:silence-is-failure",
        DOOR,
        "        except TransportError:\n            outcome = in_doubt()",
        '        except TransportError:\n            outcome = _failed("")',
        (f"{ONCE}::test_a_missing_reply_is_in_doubt_and_never_sent_again",),
    ),
    Mutant(
        "I4:error-proves-nothing-happened",
        DOOR,
        "if effect and not (permit.decision.atomic or reply.proves_nothing_happened):",
        "if effect and not (permit.decision.atomic or reply.is_error):",
        (f"{ONCE}::test_an_error_of_an_effect_is_in_doubt_unless_the_server_promises_atomicity",),
    ),
    Mutant(
        "I4:claimed-is-told",
        WAKES,
        "        elif not is_current:",
        "        elif claim:",
        (f"{WORKER}::test_who_resumes_and_dies_before_the_checkpoint_leaves_a_thread_that_is_told",),
    ),
    Mutant(
        "I4:not-shielded",
        DOOR,
        "return await asyncio.shield(sending)",
        "return await sending",
        (f"{ONCE}::test_a_caller_that_gives_up_does_not_undo_what_is_on_its_way",),
    ),
    Mutant(
        "I4:loser-does-not-wait",
        DOOR,
        "while claim.status is ClaimStatus.SENDING and services.now() < claim.lease_until:",
        "while claim.status is ClaimStatus.SENDING and services.now() >= claim.lease_until:",
        (f"{ONCE}::test_of_concurrent_resumes_one_sends_and_the_others_are_told_its_outcome",),
    ),
    Mutant(
        "I4:another-key-for-each-attempt",
        CLAIMS,
        "is_seen = claim.status is ClaimStatus.IN_DOUBT and claim.attempt == again.attempt",
        "is_seen = claim.status is ClaimStatus.IN_DOUBT",
        (f"{UNIT_CLAIMS}::test_a_retry_is_over_the_attempt_that_was_seen",),
    ),
    Mutant(
        "I4:sent-again-whatever-was-agreed",
        CLAIMS,
        "if not is_seen or not _may_still_be_sent(tx, standing, again):",
        "if not is_seen:",
        (
            "tests/graph/test_sent_again.py::test_what_was_approved_is_not_sent_again_once_that_ends",
            f"{UNIT_CLAIMS}::test_a_retry_takes_the_approval_that_a_first_attempt_takes",
        ),
    ),
    Mutant(
        "I4:nobody-asked-before-it-is-sent-again",
        DOOR,
        "            proven = await self._proven(permit)\n            now = services.now()",
        "            proven = None\n            now = services.now()",
        ("tests/graph/test_sent_again.py::test_what_was_approved_is_not_sent_again_once_that_ends",),
    ),
    Mutant(
        "I4:lapsed-lease-is-free",
        CLOSING,
        "if claim is None or claim.status is not ClaimStatus.SENDING or now < claim.lease_until:",
        "if claim is None or claim.status is not ClaimStatus.SENDING or now >= claim.lease_until:",
        (f"{UNIT_CLAIMS}::test_a_lapsed_lease_is_in_doubt_and_never_sent_again",),
    ),
    Mutant(
        "I4:equal-calls-are-one",
        PLAN,
        "bound = replace(bound, key=bound.key._replace(occurrence=occurrence))",
        "bound = replace(bound, key=bound.key._replace(occurrence=0))",
        (f"{ONCE}::test_equal_calls_of_one_turn_are_each_run_once",),
    ),
    Mutant(
        "I4:turns-are-one",
        PLAN,
        "return latest.turn + 1",
        "return latest.turn",
        (f"{ONCE}::test_a_model_that_repeats_its_call_ids_gets_each_of_its_calls_run",),
    ),
    # -- I5 recorded first --------------------------------------------------------------------
    Mutant(
        "I5:effects-unclaimed",
        RECORD_DECISION,
        "            self.tool_effect is not ToolEffect.READ\n",
        "            self.tool_effect is ToolEffect.EGRESS\n",
        (f"{RECORDED}::test_claim_and_intent_are_on_disk_when_the_call_leaves",),
    ),
    Mutant(
        "I5:no-intent",
        ADMIT,
        "tx.append(asked.notes, asked.now)",
        "tx.append((), asked.now)",
        (f"{RECORDED}::test_claim_and_intent_are_on_disk_when_the_call_leaves",),
    ),
    Mutant(
        "I5:no-fsync",
        SCHEMA,
        "PRAGMA synchronous = FULL",
        "PRAGMA synchronous = NORMAL",
        (f"{UNIT_FILES}::test_a_commit_is_on_disk",),
    ),
    Mutant(
        "I5:demanded-record-dropped",
        RECORD_DECISION,
        "            or self.durable\n",
        "            or False\n",
        (f"{RECORDED}::test_claim_and_intent_are_on_disk_when_the_call_leaves",),
    ),
    Mutant(
        "I5:annotated-risk-ignored",
        SERVICES,
        "decision = replace(decision, durable=True)",
        "decision = replace(decision)",
        (f"{RECORDED}::test_a_tool_whose_server_calls_it_destructive_is_recorded_first_whatever_the_policy_says",),
    ),
    # -- I6 doubt is deny ---------------------------------------------------------------------
    Mutant(
        "I6:quarantine-ignored",
        SERVICES,
        "if (why := self.catalog.quarantine_reason(tool.ref.key)) is not None:",
        "if (why := self.catalog.quarantine_reason(tool.ref.key)) == '':",
        (f"{DOUBT}::test_a_tool_that_is_not_offered_as_it_was_reviewed_is_denied",),
    ),
    Mutant(
        "I6:reserved-names-pass",
        SERVICES,
        "if not RESERVED_ARGUMENTS.isdisjoint(call.arguments):",
        "if RESERVED_ARGUMENTS.issubset(call.arguments):",
        (DENIED,),
    ),
    Mutant(
        "I6:schema-unchecked",
        SERVICES,
        "if not tool.arguments.accepts(call.arguments):",
        "if tool.arguments is None:",
        (DENIED,),
    ),
    Mutant(
        "I6:failing-decision-point",
        SERVICES,
        "except Exception as error:",
        "except ArithmeticError as error:",
        (f"{DOUBT}::test_a_decision_point_that_raises_denies_and_the_run_goes_on",),
    ),
    Mutant(
        "I6:one-scope-is-enough",
        DECIDE,
        "if rule.scope in granted and rule.scope in asking.scopes:",
        "if rule.scope in granted or rule.scope in asking.scopes:",
        (DENIED,),
    ),
    Mutant(
        "I6:not-durable-runs",
        EXECUTE,
        "if decision.claimed and not is_durable(config):",
        "if decision.claimed and config is None:",
        (f"{DOUBT}::test_without_synchronous_durability_effects_and_holds_are_denied_and_reads_run",),
    ),
    Mutant(
        "I6:no-thread-runs",
        EXECUTE,
        "return Reason.NO_THREAD if decision.claimed else None",
        "return None",
        (f"{DOUBT}::test_without_a_thread_or_a_context_nothing_that_needs_them_runs",),
    ),
    Mutant(
        "I6:truthy-permits",
        CONDITION,
        "return answer if isinstance(answer, bool) else None",
        "return bool(answer)",
        ("tests/unit/policy/test_condition.py::test_a_condition_is_true_false_or_failed",),
    ),
    Mutant(
        "I6:huge-integers-pass",
        BINDING,
        "if not -_MAX_SAFE_INT <= value <= _MAX_SAFE_INT:",
        "if value is None:",
        (f"{UNIT_BINDING}::test_what_has_no_canonical_form_within_the_limits_is_refused_and_not_quoted",),
    ),
    Mutant(
        "I6:unrecorded-entry",
        DOOR,
        "            admitted = told if isinstance(told, Admission) else await self._settled_by_others(permit, told)\n"
        "        except DirectoryError:\n"
        "            return await self._undecidable(permit)\n"
        "        except StoreError:",
        "            admitted = told if isinstance(told, Admission) else await self._settled_by_others(permit, told)\n"
        "        except DirectoryError:\n"
        "            return await self._undecidable(permit)\n"
        "        except NotSentError:",
        (f"{RECORDED}::test_a_call_that_cannot_be_recorded_is_not_sent_and_the_run_goes_on",),
    ),
    Mutant(
        "I6:silent-directory-closes-what-waits",
        EXECUTE,
        "if standing.request is not None and standing.request.status is RequestStatus.PENDING:",
        "if standing.request is not None and standing.request.status is RequestStatus.WITHDRAWN:",
        (f"{REVOKED}::test_a_task_that_was_made_up_while_the_directory_fails_closes_nothing_that_waits",),
    ),
    Mutant(
        "I6:formats-of-arguments-unasserted",
        VALIDATOR,
        "subject: str, asserts_formats: bool = True",
        "subject: str, asserts_formats: bool = False",
        (f"{UNIT_CATALOG}::test_formats_are_asserted_of_what_is_sent_and_not_of_what_is_answered",),
    ),
    Mutant(
        "I6:answers-withheld-for-a-format",
        CATALOG,
        "compile_schema(schema, subject=subject, asserts_formats=False)",
        "compile_schema(schema, subject=subject, asserts_formats=True)",
        (f"{UNIT_CATALOG}::test_formats_are_asserted_of_what_is_sent_and_not_of_what_is_answered",),
    ),
    Mutant(
        "I6:controls-stay",
        SCREEN_CLEAN,
        "    Step(_CONTROL, _without_controls),",
        "    Step(_CONTROL, lambda text, _: text),",
        (HIDES,),
    ),
    Mutant(
        "I6:escape-sequences-show",
        SCREEN_CLEAN,
        '_CONTROLS.sub("", _SEQUENCES.sub("", text))',
        '_CONTROLS.sub("", text)',
        (HIDES,),
    ),
    Mutant(
        "I6:line-breaks-join-words",
        SCREEN_CLEAN,
        '_BREAKS.subn("\\n", ',
        '_BREAKS.subn("", ',
        (HIDES,),
    ),
    Mutant(
        "I6:tags-stay",
        SCREEN_CLEAN,
        "    Step(_TAG, _without_tags),",
        "    Step(_TAG, lambda text, _: text),",
        (HIDES,),
    ),
    Mutant(
        "I6:bidi-stay",
        SCREEN_CLEAN,
        '    Step(_BIDI, _without("bidi", re.compile(f"[{_BIDI}]+"))),',
        "    Step(_BIDI, lambda text, _: text),",
        (HIDES,),
    ),
    Mutant(
        "I6:invisibles-stay",
        SCREEN_CLEAN,
        '    Step(_INVISIBLE, _without("invisibles", re.compile(f"[{_INVISIBLE}]+"))),',
        "    Step(_INVISIBLE, lambda text, _: text),",
        (HIDES,),
    ),
    Mutant(
        "I6:invalid-stay",
        SCREEN_CLEAN,
        '    Step(_INVALID, _without("invalid", re.compile(f"[{_INVALID}]+"))),',
        "    Step(_INVALID, lambda text, _: text),",
        (HIDES,),
    ),
    Mutant(
        "I6:floods-stay",
        SCREEN_CLEAN,
        '    Step("", _without_floods),',
        '    Step("", lambda text, _: text),',
        (HIDES,),
    ),
    Mutant(
        "I6:selectors-stay",
        SCREEN_CLEAN,
        '_without("selectors", _SELECTORS)',
        '_without("selectors", re.compile("(?!)"))',
        (HIDES,),
    ),
    Mutant(
        "I6:joiners-stay",
        SCREEN_CLEAN,
        '_without("joiners", _JOINERS)',
        '_without("joiners", re.compile("(?!)"))',
        (HIDES,),
    ),
    Mutant(
        "I6:surrogates-uncounted",
        SCREEN_CLEAN,
        '{"invalid": len(text) - len(raw.decode())}',
        "{}",
        (HIDES,),
    ),
    Mutant(
        "I6:controls-of-ascii-stay",
        SCREEN_CLEAN,
        "    kept = _without_controls(text, counts)\n    return CleanText(kept",
        "    kept = text\n    return CleanText(kept",
        (HIDES,),
    ),
    Mutant(
        "I6:patterns-see-no-compatibility-forms",
        SCREEN_CLEAN,
        'unicodedata.normalize("NFKC", ',
        'unicodedata.normalize("NFC", ',
        (f"{UNIT_CLEAN}::test_patterns_see_compatibility_forms_composed_and_the_text_keeps_its_own",),
    ),
    Mutant(
        "I6:hidden-text-asks-for-nothing",
        SCREEN_HIDING,
        "required=_REQUIRED.get(kind, Required.NOTHING)",
        "required=Required.NOTHING",
        (f"{UNIT_SCREEN}::test_what_was_removed_is_found_by_kind_sorted",),
    ),
    Mutant(
        "I6:finding-lowers",
        SCREEN_FINDING,
        "max((required, *(finding",
        "min((required, *(finding",
        (RAISED,),
    ),
    Mutant(
        "I6:finding-replaces",
        SCREEN_FINDING,
        "max((required, *(finding.required for finding in findings))",
        "max((*(finding.required for finding in findings), Required.NOTHING)",
        (RAISED,),
    ),
    Mutant(
        "I6:failed-detector-asks-for-nothing",
        SCREEN_ROOM,
        "kind=Kind.UNSCREENED, stage=stage, required=Required.DENY",
        "kind=Kind.UNSCREENED, stage=stage, required=Required.NOTHING",
        (f"{UNIT_SCREEN}::test_a_detector_that_raises_denies_and_the_others_are_asked_still",),
    ),
    Mutant(
        "I6:unanswered-set-passes",
        SCREEN_PATTERN,
        "if found is None or self._canary not in found:",
        "if found is None:",
        (f"{UNIT_PATTERNS}::test_a_set_that_does_not_answer_denies",),
    ),
    Mutant(
        "I6:nonce-in-the-text",
        SCREEN_SPOTLIGHT,
        "re.sub(self.nonce, _STANDS_FOR_NONCE, text, flags=re.IGNORECASE)",
        "text",
        (CLOSED,),
    ),
    Mutant(
        "I6:nonce-in-another-case",
        SCREEN_SPOTLIGHT,
        ", text, flags=re.IGNORECASE)",
        ", text)",
        (CLOSED,),
    ),
    Mutant(
        "I6:nonce-joins-again",
        SCREEN_SPOTLIGHT,
        '"(removed)"',
        '""',
        (CLOSED,),
    ),
    Mutant(
        "I6:mark-forged",
        SCREEN_SPOTLIGHT,
        "inside.replace(_MARK, _STANDS_FOR_MARK)",
        "inside.replace(_STANDS_FOR_MARK, _MARK)",
        (CLOSED,),
    ),
    Mutant(
        "I6:nonce-guessed",
        SCREEN_SPOTLIGHT,
        "if not _NONCE.fullmatch(self.nonce):",
        "if not self.nonce:",
        (f"{UNIT_SCREEN}::test_a_nonce_that_could_be_guessed_or_split_is_refused",),
    ),
    # -- I7 resume is input -------------------------------------------------------------------
    Mutant("I7:any-request", CHECK, "if vote.request != request.id:", "if vote.request is None:", (OTHER_VOTE,)),
    Mutant(
        "I7:closed-request",
        CHECK,
        "    check_open(standing, now=now)",
        "    check_form = standing, now",
        (f"{UNIT_CHECK}::test_a_closed_request_takes_no_vote",),
    ),
    Mutant(
        "I7:anybody-votes",
        CHECK,
        "        check_eligible(request, vote.approver, electorate=electorate)",
        "        check_form = request, vote.approver, electorate",
        (OTHER_VOTE,),
    ),
    Mutant(
        "I7:unsigned",
        PEOPLE,
        "        found = [await self._credential(proof, group=group, now=now, is_fresh=is_fresh) for proof in proofs]",
        "        found = [proof.signature for proof in proofs]",
        (f"{FACADE}::test_a_vote_that_does_not_count_changes_nothing_and_can_be_corrected",),
    ),
    Mutant(
        "I7:one-key-breaks-the-glass",
        PEOPLE,
        "        if len(set(found)) != len(found):",
        "        if not found:",
        (f"{GLASS}::test_the_glass_holds_against",),
    ),
    Mutant(
        "I7:glass-of-anybody",
        APPROVAL_GLASS,
        "    if vote.approver not in holders:",
        "    if vote.approver is holders:",
        (f"{GLASS}::test_the_glass_holds_against",),
    ),
    Mutant(
        "I7:members-of-then",
        PEOPLE,
        "        return await self._circle(groups_asked(request, now=now))",
        "        return Circle({request.group: frozenset(request.members)}, (await self._circle(())).holders)",
        (f"{REVOKED}::test_the_directory_is_asked_again_just_before_the_claim",),
    ),
    Mutant(
        "I7:resolved-by-anybody",
        RESOLUTION,
        "    if not any(resolution.resolver in members for members in groups.values()):",
        "    if not any(resolution.resolver for members in groups.values()):",
        (f"{AFTERWARDS}::test_a_resolution_that_does_not_count_leaves_the_call_in_doubt",),
    ),
    Mutant(
        "I4:looked-before-it-was-sent",
        RESOLUTION,
        "    if claim.admitted_at is None or resolution.looked_at < claim.admitted_at:",
        "    if claim.admitted_at is None:",
        (
            f"{AFTERWARDS}::test_a_resolution_that_does_not_count_leaves_the_call_in_doubt",
            "tests/unit/stores/test_resolving.py::test_a_look_from_before_the_call_was_admitted_settles_nothing",
        ),
    ),
    Mutant(
        "I7:glass-of-a-time-to-come",
        APPROVAL_GLASS,
        "vote.answer is not Answer.BREAK_GLASS or vote.at >= request.decide_by:",
        "vote.answer is not Answer.BREAK_GLASS:",
        (f"{PAST}::test_a_glass_broken_at_the_end_of_time_sends_nothing",),
    ),
    Mutant("I7:malformed", CHECK, "    _check_form(signed)", "    check_form = signed", (OTHER_VOTE, VOTE_REFUSED)),
    Mutant(
        "I7:any-digest",
        CHECK,
        'if not hmac.compare_digest(vote.digest.encode("utf-8", "replace"), asked.digest.encode()):',
        "if vote.digest is None:",
        (OTHER_VOTE, VOTE_REFUSED),
    ),
    Mutant(
        "I7:any-time",
        CHECK,
        '    check_signed(vote, since=request.created_at, since_what="the request", now=now)\n',
        "    check_form = now\n",
        (OTHER_VOTE, VOTE_REFUSED),
    ),
    Mutant(
        "I7:own-call",
        MACHINE,
        "return person(approver) in {person(requester.id), person(requester.acting_for or requester.id)}",
        "return False",
        (f"{FACADE}::test_nobody_approves_a_call_of_their_own",),
    ),
    Mutant(
        "I7:on-behalf-of-oneself",
        MACHINE,
        "return person(approver) in {person(requester.id), person(requester.acting_for or requester.id)}",
        "return person(approver) == person(requester.id)",
        (f"{FACADE}::test_nobody_approves_a_call_of_their_own",),
    ),
    Mutant(
        "I7:any-thread",
        ANSWERS,
        "if not waiting.is_blind and waiting.requests.isdisjoint(named):",
        "if waiting is None:",
        (f"{FACADE}::test_a_vote_is_not_taken_for_a_thread_that_does_not_wait_in_that_graph",),
    ),
    Mutant(
        "I7:quorum-of-then",
        ADMIT,
        "    at = agreed_at(request, proven.said, electorate=proven.electorate)",
        "    at = now",
        (f"{REVOKED}::test_what_was_taken_back_between_vote_and_execution_does_not_run",),
    ),
    Mutant(
        "I7:stored-vote-unproven",
        PEOPLE,
        "            return await self.prove(signed, group=group, now=now, is_fresh=False)",
        "            return (signed.vote.approver,)",
        (f"{ATTACKS}::test_a_vote_that_was_written_into_the_store_without_a_signature_approves_nothing",),
    ),
    Mutant(
        "I4:counted-as-read-again",
        ADMIT,
        "    if (standing.request, votes_on(tx, standing.request)) != (proven.request, proven.votes):",
        "    if standing.request.id != proven.request.id:",
        (
            f"{UNIT_CLAIMS}::test_what_is_not_as_it_was_proven_admits_nothing",
            f"{PAST}::test_a_request_that_changes_while_the_directory_is_asked_is_void",
        ),
    ),
    Mutant(
        "I4:votes-as-read-again",
        ADMIT,
        "(standing.request, votes_on(tx, standing.request)) != (proven.request, proven.votes)",
        "(standing.request, len(votes_on(tx, standing.request))) != (proven.request, len(proven.votes))",
        (
            f"{UNIT_CLAIMS}::test_what_is_not_as_it_was_proven_admits_nothing",
            f"{PAST}::test_votes_that_change_between_proof_and_claim_void_the_request",
        ),
    ),
    Mutant(
        "I4:schema-of-anybody",
        SCHEMA,
        "    if found != _our_schema():",
        "    if not found:",
        (f"{UNIT_FILES}::test_a_file_that_cannot_be_used_is_named_and_left_as_it_is",),
    ),
    Mutant(
        "I4:schema-trusted",
        SCHEMA,
        'db.execute("PRAGMA trusted_schema = OFF")',
        'db.execute("PRAGMA trusted_schema")',
        (f"{UNIT_FILES}::test_what_the_schema_of_a_file_calls_is_not_trusted",),
    ),
    Mutant(
        "I7:unproven-votes-counted",
        ADMIT,
        "agreed_at(request, proven.said, electorate",
        "agreed_at(request, proven.votes, electorate",
        (f"{UNIT_CLAIMS}::test_only_votes_that_are_proven_count",),
    ),
    Mutant(
        "I7:rejected-and-sent",
        ADMIT,
        "    if is_answered(request, proven.said):",
        "    if request is None:",
        (f"{PAST}::test_what_somebody_rejected_or_answered_is_never_sent",),
    ),
    Mutant(
        "I7:execute-by-as-read",
        ADMIT,
        "return None if now < usable_until(at, within_s=request.execute_within_s) else Reason.LAPSED",
        "return None",
        (f"{PAST}::test_execute_by_counts_from_what_was_signed",),
    ),
    Mutant(
        "I8:editor-votes-in-vain",
        CHECK,
        "if vote.answer in _TAKES_A_VOTE:",
        "if vote.answer in ():",
        (f"{EDITS}::test_who_edited_is_told_that_neither_vote_nor_delegation_of_theirs_counts",),
    ),
    Mutant(
        "I8:edit-leaves-too-few",
        CHECK,
        "    if len(people_left(edited, (signed,), electorate=electorate)) < edited.quorum:",
        "    if len(people_left(edited, (), electorate=electorate)) < edited.quorum:",
        (f"{EDITS}::test_an_edit_that_leaves_too_few_to_approve_it_changes_nothing",),
    ),
    Mutant(
        "I8:edited-further-than-is-followed",
        VOTES,
        "originals(self._services.store, request.id)) > MAX_EDITS:",
        "originals(self._services.store, request.id)) > MAX_EDITS + 1:",
        (f"{EDITS}::test_no_call_is_edited_further_than_whoever_waits_follows",),
    ),
    Mutant(
        "I7:editor-forgotten",
        PEOPLE,
        "circle.electorate if _knows_editor(request, said) else Electorate(frozenset())",
        "circle.electorate",
        (f"{PAST}::test_who_edited_has_no_vote_even_where_the_edit_is_gone",),
    ),
    Mutant(
        "I7:words-of-the-row",
        ENDED,
        "        return await services.people.text_of(request, answer, now=services.now())",
        "        return standing.text",
        (f"{PAST}::test_an_approvers_words_are_told_only_where_they_are_proven",),
    ),
    Mutant(
        "I7:words-of-anybody",
        PEOPLE,
        "and await self._credentials_of(signed, group=circle.group_of(vote.approver, vote.answer), now=now)",
        "and signed",
        (f"{PAST}::test_a_response_that_is_not_an_approvers_is_not_told",),
    ),
    Mutant(
        "I7:account-of-many",
        PEOPLE,
        "        doubtful |= {person(who) for who in sharing(accounts)}",
        "        doubtful |= set()",
        (f"{ONE_ACCOUNT}::test_two_votes_by_one_account_that_stand_in_the_store_count_as_none",),
    ),
    Mutant(
        "I7:account-of-another",
        PEOPLE,
        "            self._check_own_account(request, who, credentials)",
        "            check_own_account = credentials",
        (f"{ONE_ACCOUNT}::test_an_account_that_answered_as_one_person_answers_as_no_other",),
    ),
    Mutant(
        "I7:proven-in-another-group",
        PEOPLE,
        "        if group != proven_in:",
        "        if group == proven_in:",
        (f"{ONE_ACCOUNT}::test_who_is_in_two_groups_that_are_asked_is_proven_in_the_one_in_whose_name_they_count",),
    ),
    Mutant(
        "I7:account-forgotten",
        STORE_VOTES,
        "    put_vote(tx.db, ballot.signed, ballot.credentials)",
        "    put_vote(tx.db, ballot.signed, ())",
        (f"{ONE_ACCOUNT}::test_the_account_that_broke_the_glass_is_known_when_its_proof_stands_no_more",),
    ),
    Mutant(
        "I7:handed-in-late",
        MACHINE,
        "    if now >= until:",
        "    if within_s < 0:",
        (f"{FACADE}::test_an_approval_that_is_handed_in_too_late_to_be_sent_counts_not_and_is_signed_anew",),
    ),
    Mutant(
        "I2:policy-of-ones-own",
        VOTES,
        "        _check_policy(services, request, now=now)",
        "        check_policy = request",
        (f"{ONE_ACCOUNT}::test_an_answer_under_a_policy_of_ones_own_counts_nowhere",),
    ),
    Mutant(
        "I2:changed-call-shown",
        CALLED,
        "    if not is_bound:",
        "    if is_bound is None:",
        (f"{CLI_AFTERWARDS}::test_a_call_that_was_changed_in_the_store_is_not_shown",),
    ),
    Mutant(
        "I2:call-shown-by-its-claim-alone",
        CALLED,
        'execution.tool if request is None else f"{request.server}/{request.tool}"',
        "execution.tool",
        (f"{CLI_AFTERWARDS}::test_what_its_request_verifies_of_a_call_is_shown_from_there",),
    ),
    Mutant(
        "I7:vote-of-nobody-among-who-approved",
        PRECEDENTS,
        "[cast.signed for cast in votes if cast.is_proven is not False]",
        "[cast.signed for cast in votes]",
        (f"{CLI_MANY}::test_who_approved_a_request_is_everybody_whose_vote_counted",),
    ),
    Mutant(
        "I7:said-by-nobody-shown-as-proven",
        CLI_PEOPLE,
        "    return asyncio.run(_stands(signed, tuple(groups), _known(at), now)) if groups else None",
        "    return bool(signed and at and now) if groups else None",
        (f"{CLI_AFTERWARDS}::test_what_was_said_of_a_call_is_shown_with_the_call_and_with_its_request",),
    ),
    # -- I8 an edit is a new call -------------------------------------------------------------
    Mutant(
        "I8:edit-undecided",
        REQUEST,
        '    if not decision.permitted:\n        raise _refused(parent.id, "an edit that the policy permits"',
        '    if parent is None:\n        raise _refused(parent.id, "an edit that the policy permits"',
        (f"{UNIT_REQUEST}::test_an_edit_is_decided_afresh_and_changes_arguments_only",),
    ),
    Mutant(
        "I8:edit-undecided-by-the-facade",
        VOTES,
        "judgement = services.judge(facts, call, name)",
        "judgement = services.judge(facts, services.bind(facts, {**task, 'call': {**task['call'], 'args': parse("
        "parent.arguments.encode())}}), name)",
        (f"{EDITS}::test_an_edit_is_decided_afresh",),
    ),
    Mutant(
        "I8:votes-inherited",
        MACHINE,
        "return signed.vote.digest == request.digest\n",
        "return signed.vote.digest is not None\n",
        (
            f"{UNIT_REQUESTS}::test_a_vote_over_another_digest_does_not_count",
            f"{UNIT_REQUESTS}::test_an_edited_request_inherits_no_votes",
        ),
    ),
    Mutant(
        "I8:first-call-left-open",
        STORE_VOTES,
        "            status=RequestStatus.SUPERSEDED,",
        "            status=RequestStatus.PENDING,",
        (f"{EDITS}::test_the_first_call_never_runs_after_an_edit",),
    ),
    Mutant(
        "I8:model-not-told",
        TOLD,
        "if asked is None or asked.request.parent is None:",
        "if asked is None or asked is not None:",
        (f"{TOLD_OF_EDITS}::test_whatever_becomes_of_an_edited_call_its_edit_is_told",),
    ),
    Mutant(
        "I4:told-of-another-branch",
        SCREEN_INPUT,
        '        own = next((claim for claim in claims if self._is_of(claim, call["args"])), None)',
        "        own = next((claim for claim in claims if claims is None), None)",
        ("tests/graph/test_branches.py::test_new_input_on_the_older_branch_is_told_that_its_call_was_carried_out",),
    ),
    Mutant(
        "I8:model-not-told-where-new-input-answers",
        SCREEN_INPUT,
        "edit = self._services.edit_of(asked)",
        "edit = UNEDITED",
        (f"{TOLD_OF_EDITS}::test_where_new_input_answers_an_edited_call_its_message_is_the_one_that_was_lost",),
    ),
    Mutant(
        "I8:edit-quoted-as-anybody-wrote-it",
        TOLD,
        "if not is_intact(asked.request, key=key):",
        "if not asked.request.arguments:",
        (f"{TOLD_OF_EDITS}::test_arguments_that_are_not_as_they_were_written_are_not_quoted",),
    ),
    Mutant(
        "I8:edit-led-into-another-thread",
        EXECUTE,
        "if last is None or last == first or last.request.key[:3] != standing.call.key[:3]:",
        "if last is None or last == first:",
        (f"{TOLD_OF_EDITS}::test_a_row_that_leads_into_another_thread_tells_nothing_of_what_happened_there",),
    ),
    Mutant(
        "I8:edit-led-new-input-into-another-thread",
        SCREEN_INPUT,
        "if last is None or last == asked or last.request.key[:3] != own.key[:3]:",
        "if last is None or last == asked:",
        (f"{BRANCHES}::test_new_input_after_a_row_that_leads_into_another_thread_is_told_nothing_of_it",),
    ),
    # -- I9 labels stick ----------------------------------------------------------------------
    Mutant(
        "I9:join-loosens",
        RECORD_ORIGIN,
        "integrity=max(self.integrity, other.integrity, key=list(Integrity).index),",
        "integrity=min(self.integrity, other.integrity, key=list(Integrity).index),",
        (f"{LABELS}::test_a_join_is_at_least_as_strict_as_each_of_its_parts_in_whatever_order",),
    ),
    Mutant(
        "I9:stored-label-loosens",
        ROWS,
        '" integrity = max(integrity, excluded.integrity),"',
        '" integrity = excluded.integrity,"',
        (f"{UNIT_ENTRIES}::test_the_labels_of_a_thread_only_grow_stricter",),
    ),
    Mutant(
        "I9:stored-confidentiality-loosens",
        ROWS,
        '" confidentiality = max(confidentiality, excluded.confidentiality)"',
        '" confidentiality = excluded.confidentiality"',
        (f"{UNIT_ENTRIES}::test_the_labels_of_a_thread_only_grow_stricter",),
    ),
    Mutant(
        "I9:unknown-message-is-trusted",
        EXPOSURE,
        "joined = joined.join(recorded.get(digest) or found.get(digest, _UNKNOWN))",
        "joined = joined.join(recorded.get(digest) or found.get(digest, joined))",
        (f"{AUTHORITY}::test_what_somebody_writes_into_the_state_taints_the_thread_and_licenses_nothing",),
    ),
    Mutant(
        "I9:summary-is-trusted",
        EXPOSURE,
        "labels = _UNKNOWN if facts is None else facts.labels",
        "labels = UNEXPOSED",
        (f"{PROPERTY_EXPOSURE}::test_no_sequence_of_steps_lowers_a_label",),
    ),
    Mutant(
        "I9:asked-when-proposed-runs-unattended",
        NODE_PROVENANCE,
        "if authority.ruling is Ruling.UNATTENDED and not attended:",
        "if authority.ruling is Ruling.UNATTENDED:",
        (f"{AUTHORITY}::test_what_was_asked_about_when_it_was_proposed_stays_so_whatever_is_endorsed_since",),
    ),
    Mutant(
        "I9:missing-authority-is-permitted",
        NODE_PROVENANCE,
        'return _refused(decision, Reason.UNLICENSED, detail="nobody is to be asked")',
        "return decision",
        (f"{AUTHORITY}::test_where_nobody_is_to_be_asked_it_is_refused_and_the_model_is_told_the_names_alone",),
    ),
    Mutant(
        "I9:outside-the-plan-is-asked-about",
        NODE_PROVENANCE,
        "return _refused(decision, Reason.UNPLANNED)",
        "return decision",
        (f"{AUTHORITY}::test_outside_the_plan_nothing_runs_and_nobody_is_asked",),
    ),
    Mutant(
        "I9:embedded-is-trusted",
        NODE_PROVENANCE,
        "labels = labels.join(QUOTED)",
        "labels = labels.join(labels)",
        (f"{AUTHORITY}::test_what_a_trusted_tool_embeds_is_untrusted",),
    ),
    Mutant(
        "I9:image-of-a-user-is-trusted",
        SCREEN_INPUT,
        "return UNEXPOSED if is_text else QUOTED",
        "return UNEXPOSED",
        (f"{AUTHORITY}::test_an_image_in_the_users_message_is_nobodys_text",),
    ),
    Mutant(
        "I9:suspicion-asks-nobody",
        NODE_PROVENANCE,
        "is_suspect = known.is_suspect or bool(trail.suspects)",
        "is_suspect = known.is_suspect",
        (
            f"{AUTHORITY}::test_after_something_that_instructs_the_model_a_person_is_asked_even_about_what_the_user_asked_for",
        ),
    ),
    Mutant(
        "I9:a-message-changed-in-place-stays-as-it-was",
        EXPOSURE,
        "if begins == messages and [*map(_content, begins)] == contents else 0",
        "if begins == messages else 0",
        (f"{PROPERTY_EXPOSURE}::test_no_sequence_of_steps_lowers_a_label",),
    ),
    Mutant(
        "I9:a-ruling-outlives-its-facts",
        NODE_PROVENANCE,
        "known.facts, known.rulings = self._built(known, facts.labels), {}",
        "known.facts, known.rulings = self._built(known, facts.labels), known.rulings",
        (f"{AUTHORITY}::test_what_is_found_between_the_proposal_of_a_call_and_its_execution_stops_it",),
    ),
    Mutant(
        "I9:spent-by-another-is-not-looked-at",
        ADMIT,
        "is_refused = use.is_checked and (use.licence is None or is_spent(tx, asked.key, use.licence))",
        "is_refused = use.is_checked and use.licence is None",
        (f"{UNIT_TRAIL}::test_what_an_unattended_call_draws_on_is_spent_for_every_other",),
    ),
    Mutant(
        "I9:use-is-not-recorded",
        ADMIT,
        "put_use(tx, asked.key, use.licence, use.labels)",
        "tx.head()",
        (
            f"{UNIT_TRAIL}::test_what_an_unattended_call_draws_on_is_spent_for_every_other",
            f"{AUTHORITY}::test_what_the_user_asked_for_once_is_done_once_unattended",
        ),
    ),
    Mutant(
        "I9:broken-glass-endorses",
        ADMIT,
        "if standing is not None and not standing.broke_glass:",
        "if standing is not None:",
        (f"{UNIT_TRAIL}::test_who_breaks_the_glass_agrees_to_one_call_and_endorses_nothing",),
    ),
    Mutant(
        "I9:plan-is-pinned-again",
        TRAIL,
        'if not _is_there(db, thread, _PLAN, ""):',
        "if thread:",
        (f"{UNIT_TRAIL}::test_of_a_plan_the_first_that_was_pinned_stands",),
    ),
    Mutant(
        "I9:plan-is-pinned-late",
        ENTRIES,
        "pinned = pin_plan(opening.plan, facts.labels)",
        "pinned = pin_plan(opening.plan, UNEXPOSED)",
        (f"{UNIT_TRAIL}::test_after_untrusted_text_a_plan_has_no_tool",),
    ),
    Mutant(
        "I9:message-loosens",
        TRAIL,
        '" ON CONFLICT DO UPDATE SET integrity = max(integrity, excluded.integrity),"',
        '" ON CONFLICT DO UPDATE SET integrity = excluded.integrity,"',
        (f"{UNIT_TRAIL}::test_the_labels_of_a_message_only_grow_stricter",),
    ),
    Mutant(
        "I9:reads-do-not-taint",
        DOOR,
        "await self._services.store.relabel(known.thread, joined)",
        "await self._services.store.relabel(known.thread, known.labels)",
        (f"{LABELS}::test_what_was_read_is_on_record_before_a_model_is_shown_it",),
    ),
    Mutant(
        "I9:effects-do-not-taint",
        CLAIMS,
        "join_labels(tx.db, key.thread, settlement.labels)",
        "tx.head()",
        (
            f"{UNIT_CLAIMS}::test_a_settlement_taints_the_thread",
            f"{LABELS}::test_what_was_read_by_an_effect_taints_as_well",
        ),
    ),
    Mutant(
        "I9:unlabelled-is-trusted",
        RECORD_ORIGIN,
        "    integrity: Integrity = Integrity.UNTRUSTED",
        "    integrity: Integrity = Integrity.TRUSTED",
        (f"{LABELS}::test_an_answer_of_a_tool_without_declared_labels_counts_as_the_strictest",),
    ),
    Mutant(
        "I9:what-is-not-on-record-is-public",
        PROVENANCE_LABELS,
        "labels.join(Labels() if part is None else part)",
        "labels.join(UNEXPOSED if part is None else part)",
        (f"{UNIT_PROVENANCE_LABELS}::test_what_is_not_on_record_is_untrusted_and_restricted",),
    ),
    Mutant(
        "I9:one-trusted-field-makes-an-answer-trusted",
        PROVENANCE_LABELS,
        "            return terms.labels\n        at = at.rpartition",
        "            return UNEXPOSED\n        at = at.rpartition",
        (f"{UNIT_PROVENANCE_LABELS}::test_an_answer_is_trusted_only_where_every_field_is",),
    ),
    Mutant(
        "I9:every-field-of-all-records-is-named",
        PROVENANCE_FACTS,
        "frozenset()) | record.keys",
        "frozenset()) | {leaf for _, leaf in record.fields}",
        (f"{UNIT_PROVENANCE_WEIGH}::test_the_other_fields_of_all_records_are_named_by_nobody",),
    ),
    Mutant(
        "I9:all-are-named-without-a-phrase",
        PROVENANCE_FACTS,
        "if (ids := self._asking(phrases))",
        "if (ids := self._asking(phrases) or frozenset(text.id for text in self.texts))",
        (f"{UNIT_PROVENANCE_WEIGH}::test_who_asks_for_all_of_a_kind_names_each_trusted_key_that_was_read",),
    ),
    Mutant(
        "I9:all-may-be-deleted",
        PROVENANCE_WEIGH,
        "if terms.use is ArgumentUse.TARGET:\n                holding +=",
        "if True:\n                holding +=",
        (f"{UNIT_PROVENANCE_WEIGH}::test_all_of_a_kind_are_targets_and_no_selectors_or_amounts",),
    ),
    Mutant(
        "I9:two-records-with-one-name",
        PROVENANCE_FACTS,
        "if len(bearers[one]) == 1 and not _is_part",
        "if bearers[one] and not _is_part",
        (f"{UNIT_PROVENANCE_WEIGH}::test_two_records_with_one_key_license_nothing",),
    ),
    Mutant(
        "I9:a-part-of-a-longer-name",
        PROVENANCE_FACTS,
        "if len(bearers[one]) == 1 and not _is_part(one, naming):",
        "if len(bearers[one]) == 1:",
        (f"{UNIT_PROVENANCE_WEIGH}::test_a_record_whose_key_is_a_part_of_another_named_key_is_not_named",),
    ),
    Mutant(
        "I9:untrusted-fields-of-a-named-record",
        PROVENANCE_LABELS,
        "if type(leaf) in {str, int, float} and _declared(pointer, terms).integrity is Integrity.TRUSTED",
        "if type(leaf) in {str, int, float}",
        (f"{UNIT_PROVENANCE_WEIGH}::test_an_untrusted_field_licenses_nothing_and_an_untrusted_key_names_nothing",),
    ),
    Mutant(
        "I9:an-untrusted-key-names-a-record",
        PROVENANCE_LABELS,
        "for pointer, leaf in fields if pointer in terms.keys and type(leaf) in {str, int}",
        "for pointer, leaf in _leaves(record) if pointer in terms.keys or type(leaf) is str",
        (f"{METAMORPHIC}::test_nothing_that_an_attacker_would_write_changes_what_a_call_may_do",),
    ),
    Mutant(
        "I9:endorsed-in-two-calls",
        PROVENANCE_WEIGH,
        "is_one = bool(given) and bool(frozenset.intersection(*given))",
        "is_one = bool(given)",
        (f"{UNIT_PROVENANCE_WEIGH}::test_values_that_were_agreed_to_in_two_calls_make_no_third",),
    ),
    Mutant(
        "I9:an-asking-is-never-spent",
        PROVENANCE_WEIGH,
        "if not any(map(use.spends, self._facts.spent)):",
        "if True:",
        (f"{UNIT_PROVENANCE_WEIGH}::test_what_the_user_asked_for_once_runs_once",),
    ),
    Mutant(
        "I9:no-verb-is-needed",
        PROVENANCE_WEIGH,
        "return use, None if asking else Lack.VERB",
        "return use, None",
        (f"{UNIT_PROVENANCE_WEIGH}::test_each_target_amount_selector_and_content_and_the_verb_need_authority",),
    ),
    Mutant(
        "I9:a-call-outside-the-plan-is-asked-about",
        PROVENANCE_WEIGH,
        "_UNPLANNED: Final = Authority(Ruling.DENY,",
        "_UNPLANNED: Final = Authority(Ruling.ASK,",
        (f"{UNIT_PROVENANCE_WEIGH}::test_what_the_plan_does_not_cover_is_denied_without_asking",),
    ),
    Mutant(
        "I9:a-plan-is-pinned-after-untrusted-text",
        STORE_PLANNING,
        "or facts.labels.integrity is not Integrity.TRUSTED:",
        "or facts.labels.integrity is None:",
        (f"{GRAPH_PLAN}::test_the_store_pins_nothing_after_untrusted_text_or_for_another_entry",),
    ),
    Mutant(
        "I9:a-plan-is-pinned-for-an-entry-that-was-left",
        STORE_PLANNING,
        "if facts is None or facts.entry != entry or",
        "if facts is None or",
        (f"{GRAPH_PLAN}::test_the_store_pins_nothing_after_untrusted_text_or_for_another_entry",),
    ),
    Mutant(
        "I9:a-proposal-where-the-plan-is-not-the-models",
        PROVENANCE_NODE,
        "return name == PROPOSE_PLAN and proposes(self._policy)",
        "return name == PROPOSE_PLAN",
        (f"{GRAPH_PLAN}::test_only_where_the_plan_is_the_models_is_it_offered_the_tool",),
    ),
    Mutant(
        "I9:reads-are-planned",
        PROVENANCE_NODE,
        "return entry is not None and entry.effect is not ToolEffect.READ",
        "return entry is not None",
        (f"{GRAPH_PLAN}::test_what_a_proposal_pins_is_told",),
    ),
    Mutant(
        "I7:who-asks-extends-the-plan",
        EXTENSION,
        "if is_barred(extension.approver, requester):",
        "if is_barred(extension.nonce, requester):",
        (
            f"{UNIT_EXTENSION}::test_what_does_not_count_says_why",
            f"{GRAPH_PLAN}::test_who_asks_does_not_extend_the_plan",
        ),
    ),
    Mutant(
        "I7:anybody-extends-the-plan",
        EXTENSION,
        "if not any(extension.approver in members for members in groups.values()):",
        "if not groups:",
        (
            f"{UNIT_EXTENSION}::test_what_does_not_count_says_why",
            f"{GRAPH_PLAN}::test_an_extension_that_does_not_count_changes_nothing",
        ),
    ),
    Mutant(
        "I7:an-old-extension-counts",
        EXTENSION,
        "since=now - timedelta(seconds=MAX_AGE_S)",
        "since=extension.at",
        (f"{UNIT_EXTENSION}::test_what_does_not_count_says_why",),
    ),
    Mutant(
        "I7:an-extension-is-checked-against-an-entry-that-was-left",
        STORE_PLANNING,
        "if facts is None or facts.entry != entry:",
        "if facts is None:",
        (f"{GRAPH_PLAN}::test_an_extension_that_was_checked_against_an_earlier_entry_does_not_count",),
    ),
    Mutant(
        "I7:an-extension-counts-without-its-nonce",
        STORE_PLANNING,
        "    if not spend_nonce(tx, said.approver, said):",
        "    if not said.nonce:",
        (f"{GRAPH_PLAN}::test_the_same_extension_again_changes_nothing_and_another_one_has_nothing_to_add",),
    ),
    Mutant(
        "I9:what-is-negated-licenses",
        PROVENANCE_TEXT,
        "yield from (None if negated else word for word in clause)",
        "yield from clause",
        (f"{UNIT_PROVENANCE_TEXT}::test_a_target_that_the_user_did_not_name_is_not_licensed",),
    ),
    Mutant(
        "I9:a-link-is-words",
        PROVENANCE_CONTENT,
        "    return not token.translate(_JOINING).isalpha()",
        "    return not token.translate(_JOINING)[0].isalpha()",
        (f"{UNIT_PROVENANCE_WEIGH}::test_content_obeys_its_rule",),
    ),
    Mutant(
        "I9:a-link-after-an-ordinal",
        PROVENANCE_CONTENT,
        "_ORDINAL.fullmatch(token)",
        "_ORDINAL.match(token)",
        (f"{UNIT_PROVENANCE_WEIGH}::test_content_obeys_its_rule",),
    ),
    Mutant(
        "I9:an-untrusted-thread-is-not-tainted",
        PROVENANCE_FACTS,
        "return self.labels.integrity is not Integrity.TRUSTED",
        "return False and self.labels.integrity is not Integrity.TRUSTED",
        (f"{UNIT_PROVENANCE_WEIGH}::test_labels_that_are_not_on_record_taint",),
    ),
    Mutant(
        "I9:screen-weights-unchecked",
        CLASSIFIER,
        "    if sha256(body).digest() != digest:",
        "    if sha256(body).digest() is digest:",
        (f"{UNIT_CLASSIFIER}::test_a_table_that_is_not_whole_is_refused",),
    ),
    Mutant(
        "I9:screen-a-benign-start-dilutes",
        CLASSIFIER,
        "(single if single > longer + gap else longer + gap)",
        "(longer + gap)",
        (f"{UNIT_CLASSIFIER}::test_a_text_scores_what_its_best_stretch_does",),
    ),
    Mutant(
        "I9:screen-length-hides",
        CLASSIFIER,
        "        if not is_whole:",
        "        if is_whole is None:",
        (f"{UNIT_CLASSIFIER}::test_what_is_not_read_of_a_long_text_is_said",),
    ),
    Mutant(
        "I9:screen-the-end-unread",
        CLASSIFIER,
        "words_of(eyes[-half:])[-few:]",
        "words_of(eyes[:half])[:few]",
        (f"{UNIT_CLASSIFIER}::test_what_is_not_read_of_a_long_text_is_said",),
    ),
    Mutant(
        "I9:screen-sees-the-text-not-what-patterns-see",
        CLASSIFIER,
        "        scored, is_whole = _parts(text.eyes.encode())",
        "        scored, is_whole = _parts(text.text.encode())",
        (f"{UNIT_CLASSIFIER}::test_a_wide_order_is_found",),
    ),
    # -- I10 no secrets at rest ---------------------------------------------------------------
    Mutant(
        "I10:arguments-in-the-audit-log",
        NOTES,
        '        "call_id": clipped(call.call_id),\n        "tool": clipped(call.tool),\n        "principal"',
        '        "call_id": call.canonical.decode(),\n        "tool": clipped(call.tool),\n        "principal"',
        (f"{SECRETS}::test_arguments_and_answers_stand_in_no_audit_entry_span_or_log_line",),
    ),
    Mutant(
        "I10:answers-in-the-audit-log",
        NOTES,
        '"status": outcome.status.value, "reason": outcome.reason.value},',
        '"status": outcome.status.value, "reason": outcome.content},',
        (f"{SECRETS}::test_arguments_and_answers_stand_in_no_audit_entry_span_or_log_line",),
    ),
    Mutant(
        "I10:arguments-in-spans",
        TELEMETRY_CALLING,
        "TOOL_CALL_ID: call_id_of(call),",
        "TOOL_CALL_ID: str(call.arguments),",
        (f"{SECRETS}::test_arguments_and_answers_stand_in_no_audit_entry_span_or_log_line",),
    ),
    Mutant(
        "I10:people-in-spans",
        TELEMETRY,
        "            about[PRINCIPAL] = hashed",
        "            about[PRINCIPAL] = facts.requester.id",
        (f"{TELEMETRY_GRAPH}::test_a_plain_read_is_one_span_below_its_users_input",),
    ),
    Mutant(
        "I10:made-up-names-in-spans",
        TELEMETRY_WORDS,
        "    return UNKNOWN if call.tool.startswith(_UNREVIEWED) else spelt(call.tool)",
        "    return spelt(call.tool)",
        (f"{TELEMETRY_GRAPH}::test_a_deny_is_no_error_and_made_up_names_are_not_shown",),
    ),
    Mutant(
        "I10:contents-unasked",
        TELEMETRY,
        "        self._shown = shown if unsafe_contents else None",
        "        self._shown = shown",
        (f"{TELEMETRY_GRAPH}::test_a_plain_read_is_one_span_below_its_users_input",),
    ),
    Mutant(
        "B10:a-head-that-nobody-signed-is-believed",
        "guarded_agents/audit/_heads.py",
        "        if self._named is None or not self._named.holds(note):",
        "        if self._named is None:",
        (f"{HEADS}::test_a_head_that_does_not_belong_to_the_log_is_found",),
    ),
    Mutant(
        "B10:a-new-key-is-believed-by-its-own-word",
        "guarded_agents/audit/_heads.py",
        "        return all(key.holds(note) for key in self._before) or self._named in self._given",
        "        return True",
        (f"{HEADS}::test_a_head_that_does_not_belong_to_the_log_is_found",),
    ),
    Mutant(
        "B10:of-two-changes-only-the-last-key-signs",
        "guarded_agents/audit/_heads.py",
        "                self._before.add(old)",
        "                self._before = {old}",
        (f"{HEADS}::test_a_head_that_does_not_belong_to_the_log_is_found",),
    ),
    Mutant(
        "B10:heads-of-other-entries-are-believed",
        "guarded_agents/audit/_heads.py",
        "        elif head.size != size or head.root != root:",
        "        elif head.size != size:",
        (f"{HEADS}::test_a_head_that_does_not_belong_to_the_log_is_found",),
    ),
    Mutant(
        "B10:whoever-signed-the-log-is-believed",
        "guarded_agents/audit/_heads.py",
        "        if self._given and not self._is_vouched:",
        "        if False:",
        (f"{HEADS}::test_a_log_that_was_signed_anew_by_another_key_is_found_by_whoever_has_the_key",),
    ),
    Mutant(
        "B10:a-witness-signs-what-did-not-grow",
        "guarded_agents/audit/_witness.py",
        "    return None if grew else Answer(Status.INCONSISTENT, ",
        "    return None if True or grew else Answer(Status.INCONSISTENT, ",
        ("tests/unit/audit/test_witness.py::test_what_does_not_go_on_from_the_head_before_is_not_cosigned",),
    ),
    Mutant(
        "I5:what-is-sent-is-under-no-signed-head",
        "guarded_agents/stores/_writer.py",
        "            if self.signer is not None and not is_light:",
        "            if False:",
        ("tests/unit/stores/test_signed_log.py::test_every_durable_transaction_leaves_a_signed_head",),
    ),
    Mutant(
        "B10:a-retired-key-goes-on-signing",
        "guarded_agents/stores/_heads.py",
        "    check_key(tx.db, tx.log, signer)\n    put_head",
        "    key_of(tx.db)\n    put_head",
        ("tests/unit/stores/test_signed_log.py::test_a_process_that_still_has_the_key_before_writes_nothing",),
    ),
    Mutant(
        "I5:a-span-that-fails-loses-an-outcome",
        PROVIDER,
        "    except (Exception, CancelledError) as error:",
        "    except KeyError as error:",
        (f"{NO_INFLUENCE}::test_what_is_decided_and_recorded_is_the_same_whatever_tracing_does",),
    ),
    Mutant(
        "I5:a-processor-that-cancels-loses-an-outcome",
        PROVIDER,
        "    except (Exception, CancelledError) as error:",
        "    except Exception as error:",
        (f"{NO_INFLUENCE}::test_what_is_decided_and_recorded_is_the_same_whatever_tracing_does",),
    ),
    Mutant(
        "I5:a-context-of-a-providers-making-loses-an-outcome",
        PROVIDER,
        "    return quietly(lambda: _trace_context(span), None)",
        "    return _trace_context(span)",
        (f"{NO_INFLUENCE}::test_the_outcome_of_a_call_is_recorded_though_its_span_fails_while_it_is_away",),
    ),
    Mutant(
        "I10:the-mcp-client-logs-what-was-sent",
        "guarded_agents/transport/_hushed.py",
        "        if not _OURS.get():",
        "        if True:",
        (f"{HUSHED}::test_whatever_a_server_says_first_its_answer_counts_and_no_log_quotes_it",),
    ),
    Mutant(
        "I5:a-log-of-the-mcp-client-loses-an-outcome",
        "guarded_agents/transport/_held.py",
        "        with hushed():",
        "        if True:",
        (f"{HUSHED}::test_whatever_a_server_says_first_its_answer_counts_and_no_log_quotes_it",),
    ),
    Mutant(
        "B14:a-list-that-cannot-be-looked-at-is-believed",
        "guarded_agents/assembly/_watch.py",
        "            drifts = self.catalog.lose(server, type(error).__name__)",
        "            drifts = () if error else ()",
        (f"{HUSHED}::test_a_server_whose_list_cannot_be_looked_at_is_lost",),
    ),
    Mutant(
        "I5:an-instrument-that-is-none-loses-an-outcome",
        "guarded_agents/telemetry/_metrics.py",
        "        quietly(lambda: self._appended.record(seconds), None)",
        "        record = self._appended.record; quietly(lambda: record(seconds), None)",
        (f"{NO_INFLUENCE}::test_what_is_decided_and_recorded_is_the_same_whatever_meters_do",),
    ),
    Mutant(
        "I5:entries-name-a-span-of-another-call",
        TELEMETRY_CALLING,
        "    return is_named and attributes.get(TOOL_CALL_ID) == call.call_id",
        "    return attributes.get(TOOL_CALL_ID) == call.call_id",
        (
            f"{TELEMETRY_GRAPH}::test_a_span_that_is_not_this_calls_is_not_told_of_it_though_a_model_gave_it_the_same_id",
        ),
    ),
    Mutant(
        "I5:a-log-that-fails-loses-an-outcome",
        PROVIDER,
        "    with suppress(Exception, CancelledError):",
        "    with suppress(KeyError):",
        (f"{NO_INFLUENCE}::test_a_handler_of_logs_that_fails_changes_nothing",),
    ),
    Mutant(
        "I10:errors-of-a-provider-are-quoted",
        PROVIDER,
        "type(error).__name__)",
        "error)",
        ("tests/unit/telemetry/test_provider.py::test_of_what_fails_only_the_kind_is_logged",),
    ),
    Mutant(
        "I10:errors-quoted-in-spans",
        TELEMETRY_SPANS,
        "            self.tell({ERROR_TYPE: type(error).__name__})",
        "            self.tell({ERROR_TYPE: str(error)})",
        (f"{TELEMETRY_GRAPH}::test_a_vote_that_does_not_count_is_no_error_and_says_nothing_of_its_author",),
    ),
    Mutant(
        "I10:values-in-the-log",
        REFUSAL,
        'f"a value of type {type(value).__name__}"',
        'f"a value {value}"',
        ("tests/unit/state/test_merge_messages.py::test_what_is_no_message_is_refused_and_its_text_is_not_logged",),
    ),
    Mutant(
        "I10:digests-without-key",
        BINDING,
        "return hmac.digest(key, b",
        'return hmac.digest(b"", b',
        (
            f"{UNIT_BINDING}::test_a_digest_needs_the_key_of_the_deployment",
            f"{SECRETS}::test_the_digest_of_a_guessable_call_is_another_in_another_deployment",
        ),
    ),
    Mutant(
        "I10:readable-root-key",
        "guarded_agents/keys.py",
        "if _HAS_MODES and mode & (stat.S_IRWXG | stat.S_IRWXO):",
        "if mode & stat.S_IFDIR:",
        ("tests/unit/keys/test_keys.py::test_a_key_that_others_can_read_is_refused",),
    ),
    Mutant(
        "I10:rule-told-to-the-model",
        TOLD,
        "text = NOT_CARRIED_OUT + _NEXT[reason]",
        'text = "finance " + _NEXT[reason]',
        (f"{SECRETS}::test_a_refusal_tells_the_model_no_rule_and_no_argument",),
    ),
    Mutant(
        "I10:kinds-travel-unasked",
        SCREEN_REDACT,
        "kind not in (*travels, ValueKind.TOKEN)",
        "kind not in _KINDS",
        (TRAVELS,),
    ),
    Mutant(
        "I10:value-under-any-token",
        SCREEN_REDACT,
        "hmac.compare_digest(self._token(ValueKind(kind), value), token)",
        "bool(value)",
        (f"{UNIT_REDACT}::test_a_table_of_values_that_somebody_else_wrote_gives_nothing",),
    ),
    Mutant(
        "I10:token-of-another-thread",
        SCREEN_REDACT,
        "hmac.digest(self._key, f",
        "hmac.digest(bytes(32), f",
        (f"{UNIT_REDACT}::test_one_value_has_one_token_in_a_thread_and_another_in_another",),
    ),
    Mutant(
        "I10:look-alike-stays",
        SCREEN_REDACT,
        " and of.kind is not ValueKind.TOKEN:",
        " and of.kind is not ValueKind.TEXT:",
        (f"{UNIT_REDACT}::test_a_look_alike_is_replaced_whichever_kinds_are_chosen",),
    ),
    Mutant(
        "I10:unanswered-hints-pass",
        SCREEN_REDACT,
        "if _CANARY not in present:",
        "if _CANARY < 0:",
        (f"{UNIT_REDACT}::test_hints_that_do_not_answer_make_the_text_one_value",),
    ),
    Mutant(
        "I10:table-of-values-unquarantined",
        SCREEN_REDACT,
        "stage=stage, required=Required.QUARANTINE)",
        "stage=stage, required=Required.ASK)",
        (f"{UNIT_REDACT}::test_a_text_with_too_many_values_is_one_value_and_quarantined",),
    ),
    Mutant(
        "I10:overlap-cut-short",
        SCREEN_REDACT,
        "max(last, end)), min",
        "last), min",
        (f"{UNIT_REDACT}::test_of_values_that_overlap_the_whole_stretch_goes",),
    ),
    Mutant(
        "I10:iban-unchecked",
        SCREEN_VALUE,
        "for char in plain[4:] + plain[:4])) % 97 == 1",
        "for char in plain[4:] + plain[:4])) > 0",
        (f"{UNIT_REDACT}::test_each_wrong_digit_and_most_swaps_fail_the_checks",),
    ),
    Mutant(
        "I10:any-host",
        SCREEN_LINKS,
        "host[0].lower() in self._hosts and",
        'host[0] != "" and',
        (LEADS_OUT,),
    ),
    Mutant(
        "I10:any-query",
        SCREEN_LINKS,
        "len(query) <= self._max_query",
        "len(query) >= 0",
        (LEADS_OUT,),
    ),
    Mutant(
        "I10:two-addresses-in-one",
        SCREEN_LINKS,
        'scheme is None or "://" in address[scheme.end() :]',
        "scheme is None",
        (LEADS_OUT,),
    ),
    Mutant(
        "I10:tag-that-runs",
        SCREEN_LINKS,
        'plain = match["name"] is not None and not _RUNS.fullmatch(match["name"])',
        'plain = match["name"] is not None',
        (LEADS_OUT,),
    ),
    Mutant(
        "I10:host-goes-on",
        SCREEN_LINKS,
        "return text[end : end + 1] if text[end : end + 1] in",
        'return "" if text[end : end + 1] in',
        (LEADS_OUT,),
    ),
    Mutant(
        "I10:removed-host-is-a-link",
        SCREEN_LINKS,
        "host[0][:_MAX_SHOWN].replace('.', '[.]')",
        "host[0][:_MAX_SHOWN]",
        (LEADS_OUT,),
    ),
    Mutant(
        "I10:rest-unlooked-at",
        SCREEN_LINKS,
        "pieces += text[at:seen], _crude(text[seen:])",
        "pieces += text[at:seen], text[seen:]",
        (f"{UNIT_LINKS}::test_after_very_many_the_rest_is_neutralised_without_looking",),
    ),
    # -- I11 bounded --------------------------------------------------------------------------
    Mutant(
        "I11:calls-of-all-turns",
        MIRRORS,
        "if turn == known_turn and isinstance(known, dict):",
        "if isinstance(known, dict):",
        (f"{BOUNDED}::test_what_the_state_holds_of_the_guard_does_not_grow_with_the_turns",),
    ),
    Mutant(
        "I11:plans-kept-for-ever",
        "guarded_agents/_bounded.py",
        "if len(kept) > most:",
        "if len(kept) < 0:",
        (f"{BOUNDED}::test_the_guard_remembers_a_bounded_number_of_planned_turns",),
    ),
    Mutant(
        "I11:snapshots-at-every-step",
        "guarded_agents/state/_messages.py",
        "SNAPSHOT_EVERY: Final = 200",
        "SNAPSHOT_EVERY: Final = 1",
        (f"{BOUNDED}::test_what_a_turn_adds_to_the_checkpoints_does_not_grow_with_the_turns",),
    ),
    Mutant(
        "I11:told-in-vain-without-bound",
        QUEUE,
        "settled_by IS NULL AND asked_at > :since",
        "settled_by IS NULL AND asked_at > :now",
        (f"{GRAPH_QUEUE}::test_who_asks_and_withdraws_and_asks_a_little_otherwise_is_not_heard_without_end",),
    ),
    Mutant(
        "I11:nobody-told-of-the-next",
        OUTBOX,
        "    if attempts:",
        "    if any(attempts):",
        (f"{GRAPH_QUEUE}::test_people_are_told_of_what_waits_although_what_stood_for_it_was_withdrawn",),
    ),
    Mutant(
        "I11:nobody-told-after-the-one-that-was-told",
        OUTBOX,
        "    elif not tx.db.execute(_STANDS, (question, at)).fetchone():",
        "    elif False:",
        (f"{GRAPH_QUEUE}::test_people_are_told_of_the_next_where_they_have_answered_what_stood_for_it",),
    ),
    Mutant(
        "I11:one-notice-stops-all",
        OUTBOX,
        "AND {is_text('request')} AND",
        "AND",
        (f"{UNREADABLE}::test_a_notice_that_is_no_text_is_named_and_keeps_nobody_else_from_being_told",),
    ),
    Mutant(
        "I11:one-thread-stops-all",
        WAKES,
        "json_each(:skip)) AND {is_text('r.thread')}",
        "json_each(:skip))",
        (f"{UNREADABLE}::test_a_thread_that_is_no_text_keeps_no_other_from_being_woken",),
    ),
    Mutant(
        "I11:backup-told-of-each",
        SWEEP,
        '" AND asked_at <= ?"',
        '" AND ? > 0"',
        ("tests/unit/stores/test_sweep.py::test_the_backup_is_told_of_one_of_those_that_ask_the_same",),
    ),
    Mutant(
        "I8:edit-with-a-name-twice",
        ANSWERING,
        "    if len(found) < len(pairs):",
        "    if len(found) < 0:",
        ("tests/unit/cli/test_approvals.py::test_arguments_that_are_no_json_object_are_wrong_use",),
    ),
    Mutant(
        "I7:told-of-before-proven",
        "guarded_agents/nodes/_statements.py",
        "        asked, requester = self._asked(claim.key, request, now=now)",
        "        _require_over(claim); asked, requester = self._asked(claim.key, request, now=now)",
        (f"{AFTERWARDS}::test_who_is_not_proven_is_not_told_that_a_call_is_being_sent",),
    ),
    Mutant(
        "I11:one-row-hides-all",
        READS,
        "        with suppress(*_NO_RECORD):",
        "        with suppress(*()):",
        (f"{UNREADABLE}::test_a_call_that_cannot_be_read_hides_no_other_in_doubt_and_is_named",),
    ),
    Mutant(
        "I11:asked-again-right-after-a-rejection",
        OUTBOX,
        "since=at if is_rejected else last",
        "since=last",
        (f"{GRAPH_QUEUE}::test_people_are_told_of_the_next_where_they_have_answered_what_stood_for_it",),
    ),
    Mutant(
        "I12:unknown-finding-for-a-review",
        STORE_GLASS,
        'FROM broken_glass WHERE {UNREVIEWED} OR used_at > ?"',
        'FROM broken_glass WHERE finding IS NULL OR used_at > ?"',
        (f"{UNIT_ANSWERS}::test_a_finding_that_nobody_knows_is_still_to_be_reviewed",),
    ),
    # -- I12 hard rules stay hard -------------------------------------------------------------
    Mutant(
        "I12:glass-over-hard",
        APPROVAL_GLASS,
        "    if request.hard:",
        "    if request.hard is None:",
        (f"{GLASS}::test_no_glass_is_broken_over",),
    ),
    Mutant(
        "I12:glass-of-any-tool",
        APPROVAL_GLASS,
        "    if not _in_scope(request, terms):",
        "    if request.tool is None:",
        (f"{GLASS}::test_no_glass_is_broken_over",),
    ),
    Mutant(
        "I12:glass-by-any-policy",
        PEOPLE,
        "            elif glass_stands(request, vote, self.glass, now=now):",
        "            elif request is not vote:",
        (f"{PAST}::test_a_policy_of_ones_own_widens_no_glass",),
    ),
    Mutant(
        "I12:glass-off-the-record",
        STORE_GLASS,
        "not in breakers or proven.glass is None:\n        return False",
        "not in breakers or proven.glass is None:\n        return bool(breakers)",
        (f"{PAST}::test_a_glass_takes_a_justification_and_its_record",),
    ),
    Mutant(
        "I12:glass-uncounted-at-the-claim",
        STORE_GLASS,
        "        glass_left(proven.glass, others, approver=glass.approver, now=now)",
        "        glass.is_overdue(now=now)",
        (f"{PAST}::test_cap_reviews_and_time_are_counted_by_the_guard_that_sends",),
    ),
    Mutant(
        "I12:review-due-as-recorded",
        STORE_GLASS,
        "review_due=min(glass.review_due, glass.used_at + within)",
        "review_due=glass.review_due",
        (f"{PAST}::test_cap_reviews_and_time_are_counted_by_the_guard_that_sends",),
    ),
    Mutant(
        "I12:hard-tool-waived",
        "guarded_agents/policy/_check.py",
        "        elif entry.hard:\n            yield Fault((*path",
        "        elif entry is None:\n            yield Fault((*path",
        (f"{EDITS}::test_no_exception_can_be_written_for_a_hard_tool",),
    ),
    Mutant(
        "I12:hard-rule-hidden-by-a-soft-one",
        RULE,
        "if said and (refused is None or gate.hard):",
        "if said and refused is None:",
        (f"{EDITS}::test_an_exception_reaches_a_person_for_soft_rules_alone",),
    ),
    # -- what screening holds -----------------------------------------------------------------
    Mutant(
        "I10:a-secret-in-pieces-stays",
        SCREEN_REDACT,
        '        over = self._spans("".join([part.text + after for part, after in zip(parts, behind, strict=True)]))',
        "        over = list[tuple[Span, Field]]()",
        (f"{SCREENED}::test_a_secret_in_pieces_rests_nowhere_and_is_not_shown",),
    ),
    Mutant(
        "I9:a-text-of-nobody-gives-authority",
        SCREEN_INPUT,
        'text="" if context is None else entered.text,',
        "text=entered.text,",
        (f"{AUTHORITY}::test_a_text_that_somebody_put_into_the_state_is_no_users_also_not_later",),
    ),
    Mutant(
        "I10:structured-answer-as-it-came",
        SCREENING,
        "        changed, is_ambiguous = replaced(value, [part.text for part in parts])\n",
        "        changed, is_ambiguous = value, False\n",
        (f"{SCREENED}::test_a_secret_that_a_server_tells_rests_in_the_erasable_payloads_alone",),
    ),
    Mutant(
        "I10:a-value-travels-to-any-tool",
        TOKENS,
        "travels = tuple(map(ValueKind, entry.receives))",
        "travels = tuple(ValueKind)",
        (f"{SCREENED}::test_a_value_travels_to_a_tool_that_the_policy_names_and_to_no_other",),
    ),
    Mutant(
        "I10:a-token-that-stays-is-sent",
        SERVICES,
        "if self.tokens.has_tokens(call.canonical):",
        "if not call.canonical:",
        (f"{SCREENED}::test_a_token_that_nobody_made_is_refused",),
    ),
    Mutant(
        "I10:the-interrupt-shows-the-value",
        APPROVAL,
        'return payload | {"args": self._services.tokens.at_rest(request.thread, payload["args"])}',
        "return payload",
        (f"{SCREENED}::test_an_approved_call_sends_the_value_and_shows_the_token_in_the_interrupt",),
    ),
    Mutant(
        "I6:what-could-not-be-screened-goes-on",
        SCREENING,
        "is_withheld = required in (Required.QUARANTINE, Required.DENY)",
        "is_withheld = required in (Required.QUARANTINE,)",
        (f"{SCREENED}::test_an_answer_that_a_detector_could_not_look_at_is_withheld",),
    ),
    Mutant(
        "I9:a-suspect-answer-stays-trusted",
        SCREENING,
        "            labels = labels.join(QUOTED)\n",
        "            labels = labels.join(labels)\n",
        (f"{SCREENED}::test_a_finding_that_requires_more_keeps_it",),
    ),
    Mutant(
        "I10:one-value-for-every-thread",
        REDACTIONS,
        '" WHERE thread = ? AND kind = ? AND body IS NOT NULL"',
        "\" WHERE ? <> '' AND kind = ? AND body IS NOT NULL\"",
        ("tests/unit/stores/test_redactions.py::test_what_was_kept_is_found_by_thread_and_name",),
    ),
)
