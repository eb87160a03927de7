"""What can go wrong with triggers, deliveries, ticks and secrets; `keystroke.errors` has these, too."""

from __future__ import annotations

from keystroke.error import InvalidInput, KeystrokeError


class InvalidDelivery(InvalidInput):
    """The body does not fit {what}: {summary}"""

    code = "invalid-delivery"
    __init__ = InvalidInput.__init__


class TriggerNotFound(KeystrokeError):
    """There is no trigger {trigger} in project {project}.{hint}"""

    code = "trigger-not-found"


class TriggerEventNotFound(KeystrokeError):
    """The trigger {trigger} has no delivery or tick {event} on record."""

    code = "trigger-event-not-found"


class TriggerRetired(KeystrokeError):
    """The trigger {trigger} is retired: the code that is deployed now does not have it."""

    code = "trigger-retired"


class WrongTriggerKind(KeystrokeError):
    """The trigger {trigger} is a {kind}: {why}"""

    code = "wrong-trigger-kind"


class NotAttached(KeystrokeError):
    """The workflow {workflow} is not attached to the trigger {trigger}; there are: {known}"""

    code = "not-attached"


class InvalidTriggerChange(InvalidInput):
    """The change does not fit {what}: {summary}"""

    code = "invalid-trigger-change"
    __init__ = InvalidInput.__init__


class InvalidPayload(InvalidInput):
    """The payload does not fit {what}: {summary}"""

    code = "invalid-payload"
    __init__ = InvalidInput.__init__


class InvalidState(InvalidInput):
    """The state does not fit {what}: {summary}"""

    code = "invalid-state"
    __init__ = InvalidInput.__init__


class StateChanged(KeystrokeError):
    """The state of the trigger {trigger} is not the one that was read (version {version}): read it again, and change that."""

    code = "state-changed"


class TickUnderWay(KeystrokeError):
    """The tick {tick} of the trigger {trigger} is under way: try again when it has ended."""

    code = "tick-under-way"


class TickEnded(KeystrokeError):
    """The tick {tick} of the trigger {trigger} has ended ({outcome}): only one that is under way can be canceled."""

    code = "tick-ended"


class SourceGone(KeystrokeError):
    """The code that is deployed now has no poll {source}; the tick was made when it had one."""

    code = "source-gone"


class TooManyPayloads(KeystrokeError):
    """The poll {source} gave {count} payloads at once, of at most {most}: give fewer, and keep in its state where to go on."""

    code = "too-many-payloads"


class NoStateKept(KeystrokeError):
    """The poll {source} gave a state, and keeps none: say which with @poll(..., state=Model)."""

    code = "no-state-kept"


class NotADedupeKey(KeystrokeError):
    """The dedupe_key of {source} gave {found}; it has to give text, not empty, or a whole number."""

    code = "not-a-dedupe-key"


class StateEdited(KeystrokeError):
    """The state of {source} was edited while the tick was executed: nothing of it counts, the next one goes on from the edited state."""

    code = "state-edited"


class TickTimedOut(KeystrokeError):
    """The tick worked for {worked} s, all attempts together; its timeout is {timeout} s."""

    code = "tick-timed-out"


class TickCanceled(KeystrokeError):
    """Somebody has canceled the tick: nothing of it counts."""

    code = "tick-canceled"


class BackfillNotFound(KeystrokeError):
    """There is no backfill {backfill}."""

    code = "backfill-not-found"


class BackfillEnded(KeystrokeError):
    """The backfill {backfill} has ended already: it is {status}."""

    code = "backfill-ended"


class TransformGone(KeystrokeError):
    """The code that is deployed now has no transform for {attachment}; the run was started when it had one."""

    code = "transform-gone"


class SecretNotFound(KeystrokeError):
    """There is no secret {name} in project {project}."""

    code = "secret-not-found"


class Unverified(KeystrokeError):
    """The delivery is not known to be its sender's: {why}."""

    code = "unverified"
    why: str


class EndpointNotFound(KeystrokeError):
    """There is no webhook at {endpoint}."""

    code = "endpoint-not-found"


class EndpointRetired(KeystrokeError):
    """The code that is deployed now has no webhook at {endpoint} any more."""

    code = "endpoint-retired"


class DeliveryRefused(KeystrokeError):
    """The delivery is not signed as this endpoint asks."""

    code = "delivery-refused"


class DeliveryRateLimited(KeystrokeError):
    """The webhook {trigger} takes no more at the moment: try again in {retry_after} s."""

    code = "delivery-rate-limited"
    retry_after: int


class ChallengeRefused(KeystrokeError):
    """This is no handshake as {name} has it, or the token in it is another one."""

    code = "challenge-refused"


class DeliveryNotFound(KeystrokeError):
    """There is no delivery {delivery_id}."""

    code = "delivery-not-found"


class DeliveryNotKept(KeystrokeError):
    """The delivery {delivery_id} cannot be replayed: {why}"""

    code = "delivery-not-kept"
