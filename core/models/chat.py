"""Asking an OpenAI-compatible server for chat completions: retries, limits, counts. What fails is a value."""

from __future__ import annotations

import json
import logging
import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import httpx

from core.errors import JudgeFailed
from core.models.chat_reply import content_text, error_text, retry_after, token_count
from core.models.chat_stream import Assembled, BrokenStream
from core.models.message import Field
from core.models.record_form import record_schema
from core.models.served import EndpointSpec, Usage
from core.nouns import Failure, FailureKind

log = logging.getLogger(__name__)

Tell = Callable[[str], None]  # of an answer so far

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
    """An attempt that brought no answer. `passing`: another may; `after`: seconds that the server asks to wait;
    `refused`: the server does not take the request as it is."""

    failure: Failure
    passing: bool
    after: float | None = None
    refused: bool = False


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
        self._streams = spec.stream
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

    def complete(self, content: str | list[Field], tell: Tell | None = None) -> str | Failure:
        """The model's answer to one user message, or why there is none; at most `spec.attempts` requests.

        `tell` is told the answer so far while the server sends it in pieces; an answer that broke off is begun again.
        Where the server does not take a request for pieces it is asked for the whole. What `tell` raises ends the
        request and is raised.

        Asked again is what passes (too many requests, faults of the server, timeouts, broken connections, a reply that
        is no JSON), after full-jitter exponential backoff (a random wait up to 1, 2, 4, … seconds), and never sooner
        than the server's Retry-After. An answer that has come is never asked for again, whatever it says.
        """
        aloud = tell if self._streams else None
        body, attempt = self._body(content, aloud is not None), 1
        while isinstance(outcome := self._attempt(body, aloud), _Setback):
            failure, after = outcome.failure, outcome.after or 0.0
            whole = aloud is not None and outcome.refused
            if not outcome.passing and not whole:
                return failure
            if attempt == self.spec.attempts:
                return failure.model_copy(update={"message": f"{failure.message} Attempts: {attempt}."})
            if after > self.spec.longest_wait:
                return failure.model_copy(update={"message": f"{failure.message} It asks to wait {after:,.0f} s."})
            attempt += 1
            if whole:
                aloud, body = None, self._body(content, stream=False)
                continue
            backoff = min(self.spec.longest_wait, FIRST_WAIT * 2 ** (attempt - 2))
            wait = max(self._chance.uniform(0.0, backoff), after)
            log.warning("%s Attempt %d of %d; next in %.1f s.", failure.message, attempt - 1, self.spec.attempts, wait)
            self._sleep(wait)
        if tell is not None and aloud is None and not isinstance(outcome, Failure):
            self._streams = False  # it answers, but not in pieces: others need not try
        return outcome

    def _body(self, content: str | list[Field], stream: bool) -> bytes:
        spec = self.spec
        asked: dict[str, Any] = {
            "model": spec.model,
            "messages": [{"role": "user", "content": content}],
            spec.tokens_field: spec.max_tokens,
            "stream": stream,
        }
        if stream:
            asked["stream_options"] = {"include_usage": True}
        schema = record_schema(spec.style, spec.ties) if spec.constrain else None
        if schema is not None:
            told = {"name": "verdict", "strict": True, "schema": schema}
            asked["response_format"] = {"type": "json_schema", "json_schema": told}
        if spec.temperature is not None:
            asked["temperature"] = spec.temperature
        return json.dumps(asked).encode("ascii")

    # -- one attempt ----------------------------------------------------------------------------------------------

    def _attempt(self, body: bytes, tell: Tell | None) -> str | Failure | _Setback:
        deadline = time.monotonic() + self.spec.timeout
        late = f"The server did not answer within {self.spec.timeout:g} s."
        self._count(attempts=1)
        try:
            request = self._http.stream("POST", self._url, content=body, headers={"Content-Type": "application/json"})
            with request as response:
                if response.status_code == 200 and _in_pieces(response):
                    return self._hear(response, deadline, late, tell or (lambda text: None))
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

    def _hear(self, response: httpx.Response, deadline: float, late: str, tell: Tell) -> str | Failure | _Setback:
        """The answer of a server that sends it in pieces; a setback where it breaks off before its end."""
        answer, told = Assembled(), ""
        try:
            for chunk in response.iter_bytes():
                answer.feed(chunk)
                if len(answer.text) > LARGEST_REPLY:
                    return _Setback(self._failure("The server's reply is too large to be an answer."), False)
                if time.monotonic() > deadline:
                    return _Setback(self._failure(late, answer.text), True)
                if answer.text != told:
                    told = answer.text
                    tell(self._presentable(told))
        except BrokenStream as broken:
            return _Setback(self._failure(str(broken), answer.text), True)
        except httpx.RequestError:
            # an answer that has come to its end is never asked for again
            if not answer.complete:
                raise
        if answer.error is not None:
            error = answer.error.get("error")
            passing = isinstance(error, dict) and error.get("code") in _PASSING
            said = error_text(answer.error) or "an error"
            return _Setback(self._failure(f"The server says: {said}", answer.text), passing)
        if not answer.complete:
            return _Setback(self._failure("The answer broke off before its end.", answer.text), True)
        return self._answer(answer.reply(), answer.text)

    def _judge_reply(self, response: httpx.Response, reply: bytes) -> str | Failure | _Setback:
        text = reply.decode("utf-8", "replace")
        try:
            told = json.loads(text)
        except (ValueError, RecursionError):
            told = None
        if response.status_code != 200:
            message = _REFUSALS.get(response.status_code, f"The server answers with HTTP {response.status_code}.")
            if said := error_text(told):
                message += f" It says: {said}"
            failure = self._failure(message, raw=text)
            passing, refused = response.status_code in _PASSING, response.status_code in (400, 422)
            return _Setback(failure, passing, retry_after(response.headers.get("Retry-After", "")), refused)
        if told is None:
            return _Setback(self._failure("The server's reply is no JSON.", raw=text), True)
        return self._answer(told, text)

    def _answer(self, told: Any, text: str) -> str | Failure:
        """The assistant's text in a reply; a failure where there is none or it is not all of it."""
        said = error_text(told)
        choices = told.get("choices") if isinstance(told, dict) else None
        if not isinstance(choices, list) or not choices or not isinstance(choices[0], dict):
            return self._failure(
                f"The server says: {said}" if said else "The server's reply has no answer in it.", text
            )
        self._count_tokens(told.get("usage"))
        message = choices[0].get("message")
        message = message if isinstance(message, dict) else {}
        answer = self._clean(content_text(message.get("content")))
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
        asked, answered = token_count(told.get("prompt_tokens")), token_count(told.get("completion_tokens"))
        if asked is None or answered is None:
            self._count(answers=1, uncounted=1)
            return
        self._count(answers=1, prompt_tokens=asked, answer_tokens=answered)
        log.info("%s read %d tokens and wrote %d.", self.spec.model, asked, answered)

    def _failure(self, message: str, raw: str = "") -> Failure:
        return Failure(kind=FailureKind.ERROR, message=self._clean(message), raw=self._clean(raw)[:20_000])

    def _presentable(self, text: str) -> str:
        """An answer so far without the key, nor the beginning of one at its end."""
        text = self._clean(text)
        for length in range(len(self._secret) - 1, SECRET_LENGTH - 1, -1):
            if text.endswith(self._secret[:length]):
                return text[:-length]
        return text

    def _clean(self, text: str) -> str:
        """Without the key, should the server have sent it back."""
        return text.replace(self._secret, "[key]") if len(self._secret) >= SECRET_LENGTH else text


def _in_pieces(response: httpx.Response) -> bool:
    return response.headers.get("Content-Type", "").startswith("text/event-stream")
