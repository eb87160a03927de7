"""A service posts each signup, signed with a secret that both know: `keystroke secrets set SIGNUP_SECRET` sets it here."""

from typing import Literal

from keystroke import webhook
from keystroke.verify import hmac_sha256
from pydantic import BaseModel

from leads import Signup
from workflows.signup_pipeline import signup_pipeline


class SignedUp(BaseModel):
    type: Literal["user.signed_up"]
    id: str
    data: Signup


signups = webhook(
    "signups",
    endpoint="signups",
    payload=SignedUp,
    verify=hmac_sha256("operator:SIGNUP_SECRET", header="X-Signature"),
    dedupe="body:id",
)
signups.attach(signup_pipeline, transform=lambda event: event.data)
