"""Together: chat completions through its own SDK."""

from __future__ import annotations

from types import ModuleType

from sandbox_runtime.planner.model import ModelReply, ModelRequest
from sandbox_runtime.planner.providers import chat
from sandbox_runtime.planner.providers.seat import Seat
from sandbox_runtime.planner.providers.sending import answer_to


class TogetherModel:
    """Its limit of output is called max_tokens."""

    def __init__(self, sdk: ModuleType, seat: Seat) -> None:
        self.provider = seat.provider.name
        self.name = seat.model
        self.address = seat.address
        self._sdk = sdk
        self._client = sdk.AsyncTogether(
            api_key=seat.key,
            base_url=seat.base_url,
            max_retries=0,
            timeout=seat.http.timeout,
            http_client=seat.http,
        )

    async def call(self, request: ModelRequest) -> ModelReply:
        """See ``Model``."""
        body = chat.arguments(self.name, request)
        body["max_tokens"] = request.max_output
        sending = self._client.chat.completions.with_raw_response.create(**body)
        return chat.reply_of(self.provider, await answer_to(self._sdk, self.provider, sending))

    async def close(self) -> None:
        """See ``Model``."""
        await self._client.close()
