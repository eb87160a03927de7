"""A service posts each signup; `operator:SIGNUP_SECRET` is set by `keystroke secrets set SIGNUP_SECRET`."""

from typing import Literal

from keystroke import webhook
from keystroke.verify import standard_webhooks
from pydantic import BaseModel

from leads import Signup
from workflows.signup_pipeline import signup_pipeline


class SignedUp(BaseModel):
    type: Literal["user.signed_up"]
    data: Signup


signups = webhook(
    "signups", endpoint="signups", payload=SignedUp, verify=standard_webhooks("operator:SIGNUP_SECRET")
)
signups.attach(signup_pipeline, transform=lambda event: event.data)
