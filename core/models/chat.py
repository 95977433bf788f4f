"""Asking an OpenAI-compatible server for chat completions: retries, limits, counts. What fails is a value."""

from __future__ import annotations

import email.utils
import json
import logging
import random
import re
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import httpx

from core.errors import JudgeFailed
from core.models.message import Field
from core.models.served import EndpointSpec, Usage
from core.nouns import Failure, FailureKind

log = logging.getLogger(__name__)

CONNECT_SECONDS = 10.0
FIRST_WAIT = 1.0  # seconds; the longest first wait, doubled with each further one
LARGEST_REPLY = 8_000_000  # bytes
SECRET_LENGTH = 6  # a shorter key is a placeholder such as EMPTY, which may well stand in an answer

# what passes: too early, too many, overloaded (529 is what some hosted APIs say), or a fault behind a gateway
_PASSING = {408, 409, 425, 429, 500, 502, 503, 504, 529}
_REFUSALS = {
    401: "The server does not accept the key; check STUDIO_ENDPOINT__API_KEY.",
    402: "The server asks for payment; check the account that the key belongs to.",
    403: "The server does not let this key use the model; check STUDIO_ENDPOINT__API_KEY and STUDIO_ENDPOINT__MODEL.",
    404: "The server knows no such address or model; check STUDIO_ENDPOINT__BASE_URL and STUDIO_ENDPOINT__MODEL.",
    413: "The pair is larger than the server accepts.",
}


@dataclass(frozen=True)
class _Setback:
    """An attempt that brought no answer. `passing`: another may; `after`: seconds that the server asks to wait."""

    failure: Failure
    passing: bool
    after: float | None = None


class ChatServer:
    """One server and model. Safe to call from several threads; the caller bounds how many.

    `sleep` waits between attempts and `chance` gives the jitter; both are passed in so that a test need not wait.
    """

    def __init__(
        self, spec: EndpointSpec, *, sleep: Callable[[float], None] = time.sleep, chance: random.Random | None = None
    ) -> None:
        if problem := spec.problem():
            raise JudgeFailed(problem)
        self.spec, self._sleep = spec, sleep
        self._chance = chance or random.Random()  # noqa: S311  it spreads waiting times, it hides nothing
        self._secret = spec.api_key.get_secret_value() if spec.api_key else ""
        self._usage, self._counting = Usage(), threading.Lock()
        self._url = spec.base_url.rstrip("/") + "/chat/completions"
        try:
            self._http = httpx.Client(
                headers={"Authorization": f"Bearer {self._secret}"} if self._secret else {},
                timeout=httpx.Timeout(spec.timeout, connect=min(CONNECT_SECONDS, spec.timeout)),
                limits=httpx.Limits(max_connections=spec.concurrency, max_keepalive_connections=spec.concurrency),
                # the environment is read in one place only, and a redirect could carry the key to somebody else
                trust_env=False,
                follow_redirects=False,
                proxy=spec.proxy.get_secret_value() if spec.proxy else None,
            )
        except (ValueError, httpx.InvalidURL):
            # not chained: a proxy's address may hold a password
            raise JudgeFailed("STUDIO_ENDPOINT__PROXY is no address; write it like http://proxy:3128.") from None

    @property
    def usage(self) -> Usage:
        """What has been asked so far, and what it cost at the prices that are set."""
        with self._counting:
            usage = self._usage
        prices = (self.spec.price_in, self.spec.price_out)
        if prices == (None, None):
            return usage
        cost = (usage.prompt_tokens * (prices[0] or 0.0) + usage.answer_tokens * (prices[1] or 0.0)) / 1e6
        return usage.model_copy(update={"cost": cost})

    def close(self) -> None:
        self._http.close()

    def complete(self, content: str | list[Field]) -> str | Failure:
        """The model's answer to one user message, or why there is none; at most `spec.attempts` requests.

        Asked again is what passes (too many requests, faults of the server, timeouts, broken connections, a reply that
        is no JSON), after full-jitter exponential backoff (a random wait up to 1, 2, 4, … seconds), and never sooner
        than the server's Retry-After. An answer that has come is never asked for again, whatever it says.
        """
        body, attempt = self._body(content), 1
        while isinstance(outcome := self._attempt(body), _Setback):
            failure, after = outcome.failure, outcome.after or 0.0
            if not outcome.passing:
                return failure
            if attempt == self.spec.attempts:
                return failure.model_copy(update={"message": f"{failure.message} Attempts: {attempt}."})
            if after > self.spec.longest_wait:
                return failure.model_copy(update={"message": f"{failure.message} It asks to wait {after:,.0f} s."})
            backoff = min(self.spec.longest_wait, FIRST_WAIT * 2 ** (attempt - 1))
            wait = max(self._chance.uniform(0.0, backoff), after)
            log.warning("%s Attempt %d of %d; next in %.1f s.", failure.message, attempt, self.spec.attempts, wait)
            self._sleep(wait)
            attempt += 1
        return outcome

    def _body(self, content: str | list[Field]) -> bytes:
        spec = self.spec
        asked: dict[str, Any] = {
            "model": spec.model,
            "messages": [{"role": "user", "content": content}],
            spec.tokens_field: spec.max_tokens,
            "stream": False,
        }
        if spec.temperature is not None:
            asked["temperature"] = spec.temperature
        return json.dumps(asked).encode("ascii")

    # -- one attempt ----------------------------------------------------------------------------------------------

    def _attempt(self, body: bytes) -> str | Failure | _Setback:
        deadline = time.monotonic() + self.spec.timeout
        late = f"The server did not answer within {self.spec.timeout:g} s."
        self._count(attempts=1)
        try:
            request = self._http.stream("POST", self._url, content=body, headers={"Content-Type": "application/json"})
            with request as response:
                reply = bytearray()
                for chunk in response.iter_bytes():
                    reply += chunk
                    if len(reply) > LARGEST_REPLY:
                        return _Setback(self._failure("The server's reply is too large to be an answer."), False)
                    # a server that sends a byte now and then would never run into the client's own timeout
                    if time.monotonic() > deadline:
                        return _Setback(self._failure(late), True)
        except (httpx.ConnectError, httpx.ConnectTimeout):
            unreached = "The server cannot be reached (name, port or certificate); check STUDIO_ENDPOINT__BASE_URL."
            return _Setback(self._failure(unreached), True)
        except httpx.TimeoutException:
            return _Setback(self._failure(late), True)
        except httpx.InvalidURL:
            return _Setback(self._failure("STUDIO_ENDPOINT__BASE_URL is no address."), False)
        except httpx.RequestError as error:
            # its own text may hold what was sent, so only its kind is told
            return _Setback(self._failure(f"The connection broke off ({type(error).__name__})."), True)
        return self._judge_reply(response, bytes(reply))

    def _judge_reply(self, response: httpx.Response, reply: bytes) -> str | Failure | _Setback:
        text = reply.decode("utf-8", "replace")
        try:
            told = json.loads(text)
        except (ValueError, RecursionError):
            told = None
        if response.status_code != 200:
            message = _REFUSALS.get(response.status_code, f"The server answers with HTTP {response.status_code}.")
            if said := _error_text(told):
                message += f" It says: {said}"
            failure = self._failure(message, raw=text)
            passing = response.status_code in _PASSING
            return _Setback(failure, passing, _retry_after(response.headers.get("Retry-After", "")))
        if told is None:
            return _Setback(self._failure("The server's reply is no JSON.", raw=text), True)
        return self._answer(told, text)

    def _answer(self, told: Any, text: str) -> str | Failure:
        """The assistant's text in a reply; a failure where there is none or it is not all of it."""
        said = _error_text(told)
        choices = told.get("choices") if isinstance(told, dict) else None
        if not isinstance(choices, list) or not choices or not isinstance(choices[0], dict):
            return self._failure(
                f"The server says: {said}" if said else "The server's reply has no answer in it.", text
            )
        self._count_tokens(told.get("usage"))
        message = choices[0].get("message")
        message = message if isinstance(message, dict) else {}
        answer = self._clean(_content_text(message.get("content")))
        reason = choices[0].get("finish_reason")
        if reason == "length":
            return Failure(
                kind=FailureKind.UNREADABLE,
                message=f"The answer was cut off at {self.spec.max_tokens:,} tokens; "
                "raise STUDIO_ENDPOINT__MAX_TOKENS.",
                raw=answer,
            )
        if reason == "content_filter":
            return self._failure("The server's content filter withheld the answer.", answer)
        if isinstance(refusal := message.get("refusal"), str) and refusal:
            return self._failure("The model refused to judge this pair.", refusal)
        if not answer.strip():
            return Failure(kind=FailureKind.UNREADABLE, message="The answer is empty.", raw=self._clean(text)[:2000])
        return answer

    # -- counts and secrets ---------------------------------------------------------------------------------------

    def _count(self, **more: int) -> None:
        with self._counting:
            known = self._usage
            self._usage = known.model_copy(update={name: getattr(known, name) + by for name, by in more.items()})

    def _count_tokens(self, usage: Any) -> None:
        told = usage if isinstance(usage, dict) else {}
        asked, answered = _token_count(told.get("prompt_tokens")), _token_count(told.get("completion_tokens"))
        if asked is None or answered is None:
            self._count(answers=1, uncounted=1)
            return
        self._count(answers=1, prompt_tokens=asked, answer_tokens=answered)
        log.info("%s read %d tokens and wrote %d.", self.spec.model, asked, answered)

    def _failure(self, message: str, raw: str = "") -> Failure:
        return Failure(kind=FailureKind.ERROR, message=self._clean(message), raw=self._clean(raw)[:20_000])

    def _clean(self, text: str) -> str:
        """Without the key, should the server have sent it back."""
        return text.replace(self._secret, "[key]") if len(self._secret) >= SECRET_LENGTH else text


def _token_count(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def _content_text(content: object) -> str:
    """A message's content: a string, or a list of parts of which the texts are joined."""
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        texts = [part.get("text") for part in content if isinstance(part, dict) and part.get("type") in _TEXT_PARTS]
        return "".join(text for text in texts if isinstance(text, str))
    return ""


_TEXT_PARTS = ("text", "output_text")


def _error_text(told: object) -> str:
    """The server's own words on an error, on one line: OpenAI's {"error": {"message"}}, or vLLM's {"message"}."""
    if not isinstance(told, dict):
        return ""
    error = told.get("error", told)
    words = error.get("message", error.get("detail")) if isinstance(error, dict) else error
    return " ".join(words.split())[:300] if isinstance(words, str) else ""


def _retry_after(value: str) -> float | None:
    """Seconds of a Retry-After header (RFC 9110, 10.2.3: seconds or a date); None where it says neither."""
    if re.fullmatch(r"\s*\d{1,9}(\.\d{1,9})?\s*", value):
        return float(value)
    try:
        then = email.utils.parsedate_to_datetime(value)
    except (TypeError, ValueError):
        return None
    then = then if then.tzinfo else then.replace(tzinfo=UTC)
    return max(0.0, (then - datetime.now(UTC)).total_seconds())
