"""What the workflows and actions hand to each other."""

from pydantic import BaseModel, EmailStr


class Signup(BaseModel):
    name: str
    email: EmailStr


class Brief(BaseModel):
    brief: str
    score: int
